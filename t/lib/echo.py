"""An origin of WebSockets that gives back what it gets, for very many at once:
one thread, no frames (a proxy must not look at them)."""
import selectors
import socket
import threading

SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\n"
          b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
ASK = (b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
       b"Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class EchoOrigin:
    """Listens on 127.0.0.1; .address is what `server =` takes."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(512)
        self.sock.setblocking(False)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.poll = selectors.DefaultSelector()
        self.poll.register(self.sock, selectors.EVENT_READ, self._accept)
        self.stop_r, self.stop_w = socket.socketpair()
        self.poll.register(self.stop_r, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _accept(self, _):
        conn, _ = self.sock.accept()
        self.poll.register(conn, selectors.EVENT_READ, self._first)

    def _end(self, conn):
        self.poll.unregister(conn)
        conn.close()

    def _first(self, conn):
        # the head fits one segment: gatehouse writes it at once
        if not conn.recv(65536):
            self._end(conn)
            return
        conn.sendall(SWITCH)
        self.poll.modify(conn, selectors.EVENT_READ, self._echo)

    def _echo(self, conn):
        try:
            data = conn.recv(65536)
            if data:
                conn.sendall(data)
                return
        except OSError:
            pass
        self._end(conn)

    def _run(self):
        while True:
            for key, _ in self.poll.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def close(self):
        self.stop_w.send(b"x")
        self.thread.join()
        for key in list(self.poll.get_map().values()):
            key.fileobj.close()
        self.stop_w.close()
