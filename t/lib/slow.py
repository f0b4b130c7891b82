"""Clients that are slow on purpose, many at once, in one thread: heads that drip,
content that drips, answers that nobody takes. Whoever is cut off comes back."""
import contextlib
import socket
import threading
import time

DRIP_S = 1.0
HEAD = b"GET / HTTP/1.1\r\nHost: test\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"
READ = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
# What is sent at once, and what drips.
KINDS = {"head": (HEAD, b"A: b\r\n"), "body": (BODY, b"x"),
         "read": (READ, None)}


class Slow:
    """n clients of each kind of `kinds`, as a context. What they read is /ANSWER."""

    def __init__(self, port, n, kinds=tuple(KINDS), answer="100k"):
        self.port = port
        self.answer = answer
        self.wanted = [kind for kind in kinds for _ in range(n)]
        self.n_cut = 0
        self.conns = {}
        self._ended = threading.Event()
        self._full = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        assert self._full.wait(60), f"{len(self.conns)} slow clients came"
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        for sock in self.conns:
            sock.close()

    def _connect(self, kind):
        sock = socket.socket()
        if kind == "read":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            first = KINDS[kind][0]
            sock.send(first % self.answer.encode() if kind == "read"
                      else first)
        self.conns[sock] = kind

    def _drip(self, sock):
        """false when it was cut off."""
        kind = self.conns[sock]
        try:
            if kind != "read" and sock.recv(4096):
                return False
            if kind == "read":
                # one byte: the rest waits in both kernels
                return bool(sock.recv(1))
        except BlockingIOError:
            if kind == "read":
                return True
        except OSError:
            return False
        else:
            return False
        try:
            sock.send(KINDS[kind][1])
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _turn(self, lost):
        for sock in list(self.conns):
            if self._ended.is_set():
                return
            if not self._drip(sock):
                self.n_cut += 1
                lost.append(self.conns.pop(sock))
                sock.close()
        while lost:
            self._connect(lost.pop())

    def _run(self):
        lost = []
        for kind in self.wanted:
            if self._ended.is_set():
                return
            self._connect(kind)
        self._full.set()
        while not self._ended.wait(DRIP_S):
            self._turn(lost)


class Good:
    """A client that asks one after the other, each on a connection of its own
    or all on one; `times` in seconds and whatever was no 200."""

    def __init__(self, visit):
        self.visit = visit
        self.times = []
        self.bad = []

    def run(self, seconds, every_s=0):
        """For so long; `every_s` apart, if they are answered in time."""
        start = time.monotonic()
        while (begin := time.monotonic()) < start + seconds:
            try:
                status = self.visit()
            except (OSError, EOFError) as err:
                status = repr(err)
            self.times.append(time.monotonic() - begin)
            if status != 200:
                self.bad.append(status)
            due = start + every_s * len(self.times)
            time.sleep(max(0, min(due, start + seconds) - time.monotonic()))
        return self

    def at(self, share):
        """The time in which this share of the requests was answered."""
        times = sorted(self.times)
        return times[min(len(times) - 1, int(len(times) * share))]
