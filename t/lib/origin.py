"""A strict recording origin: what reached it is judged, what it answers is the
test's to say, byte by byte."""
import socket
import struct
import threading

from .gatehouse import free_port
from .wire import WAIT_S, Closed, Malformed, Reader, Truncated

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ok(body=b"ok", extra=b""):
    """A plain 200."""
    return (b"HTTP/1.1 200 OK\r\n" + extra +
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


class Conn:
    """One connection that gatehouse opened."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.reader = Reader(sock)
        self.requests = []

    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def shut(self):
        """End our direction only."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()


class Origin:
    """Listens on 127.0.0.1 (or another address, or a unix path). For each request it calls
    script(conn, request), which answers on the connection (default: a plain
    200 `ok`); returning False closes the connection. With raw=True the script
    is called once per connection, before anything is read, as script(conn).

    requests  every well-formed request, in order
    errors    what was malformed or cut
    conns     every connection
    """

    def __init__(self, script=None, raw=False, path=None, host="127.0.0.1",
                 port=0):
        self.script = script or (lambda conn, request: conn.send(OK))
        self.raw = raw
        self.requests = []
        self.errors = []
        self.conns = []
        self.changed = threading.Condition()
        self.path = path
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(str(path))
        else:
            self.sock = socket.socket(
                socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # one that nobody else gets when this one has closed
            self.sock.bind((host, port or free_port()))
            self.port = self.sock.getsockname()[1]
        self.sock.listen(128)
        if path:
            self.address = f"unix:{path}"
        else:
            self.address = (f"[{host}]:{self.port}" if ":" in host
                            else f"{host}:{self.port}")
        self.is_closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock.settimeout(WAIT_S)
            if not self.path:
                # what is sent later must not wait for an acknowledgement
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = Conn(sock, len(self.conns))
            with self.changed:
                self.conns.append(conn)
                self.changed.notify_all()
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _note(self, where, what):
        with self.changed:
            where.append(what)
            self.changed.notify_all()

    def begin(self, conn):
        """What comes before HTTP."""

    def _serve(self, conn):
        try:
            self.begin(conn)
            if self.raw:
                self.script(conn)
                return
            while True:
                request = conn.reader.request()
                conn.requests.append(request)
                self._note(self.requests, request)
                if self.script(conn, request) is False:
                    return
        except Closed:
            pass
        except (Malformed, Truncated) as err:
            self._note(self.errors, err)
        except OSError as err:
            if not self.is_closing:
                self._note(self.errors, err)
        finally:
            conn.close()

    def wait(self, check, timeout=WAIT_S):
        """Wait until check(self) is true."""
        with self.changed:
            assert self.changed.wait_for(lambda: check(self), timeout), \
                (self.requests, self.errors)
        return self

    def wait_requests(self, n=1):
        return self.wait(lambda o: len(o.requests) >= n)

    def close(self):
        self.is_closing = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for conn in self.conns:
            conn.close()
        self.thread.join(WAIT_S)
