"""Rows of bytes that a strict proxy must not let pass, and the judges that send
them and look at both ends. Whatever a judge says was seen by the origin was
read by lib.wire, never by gatehouse."""
import dataclasses
import socket
import threading

import pytest

from .wire import WAIT_S, Closed, Malformed, Truncated

# What hides behind every row that is to be refused: an origin that sees it was
# reached by a request that the front never accepted as one.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
# What an origin hides behind or in its answers.
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
# The limits of the gatehouse that is judged.
LINE_MAX = 512
HEAD_MAX = 2048
FIELDS_MAX = 20
BODY_MAX = 1000
INI = f"""
[global]
workers = 1
[listen x]
address = 127.0.0.1:{{port}}
line_max = {LINE_MAX}b
header_max = {HEAD_MAX}b
headers_max = {FIELDS_MAX}
[site test]
hosts = *
upstream = app
max_body = {BODY_MAX}b
[upstream app]
server = {{origin}}
"""
# Rows of more bytes are not sent byte by byte.
SPLIT_MAX = 3000


def ids(rows):
    """The rows as parameters, named; a name stands for one row only."""
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), \
        sorted(n for n in names if names.count(n) > 1)
    return [pytest.param(row, id=row.name) for row in rows]


@dataclasses.dataclass
class Ask:
    """A row of bytes that a client sends.

    want    statuses of the answers, in order; then the connection ends, unless
            is_open
    sees    what the origin must have seen, "METHOD target content" each
    is_broken_word  the client sends more after it said that it would not: if
            that comes late, its reset may overtake the answer
    """

    name: str
    data: bytes
    want: tuple = (400,)
    sees: tuple = ()
    is_open: bool = False
    methods: tuple = ()
    is_broken_word: bool = False


def may_split(rows):
    """Those of the rows that can be sent byte by byte."""
    return [row for row in rows if len(row.data) < SPLIT_MAX and
            not getattr(row, "is_broken_word", False)]


def passes(name, data, *sees, want=None, methods=()):
    """A row that is unusual and fine: 200 each, the connection stays."""
    return Ask(name, data, want or (200,) * len(sees), sees, True, methods)


def send_split(sock, data):
    """One byte each, as far as the peer takes them."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
    except (BrokenPipeError, ConnectionResetError):
        pass


def send_whole(sock, data):
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def saw(request):
    """A request that reached the origin, as rows spell it."""
    return " ".join(filter(None, (request.method, request.target,
                                  request.body.decode("latin-1"))))


class AskJudge:
    """One gatehouse in front of one recording origin, for many rows."""

    def __init__(self, gh, origin):
        self.gh = gh
        self.origin = origin
        self.n = 0

    def _finish(self, c, row):
        """What follows the answers: the end, or a connection that works."""
        if not row.is_open:
            assert c.is_closed(), "reset before the end could be read"
            return
        self.n += 1
        probe = f"/probe{self.n}"
        assert c.get(probe).status == 200
        assert self.origin.requests[-1].target == probe

    def __call__(self, row, send=send_whole):
        o = self.origin
        n_requests, n_errors = len(o.requests), len(o.errors)
        with self.gh.client() as c:
            send(c.sock, row.data if row.is_open else row.data + SMUGGLED)
            got = []
            for i in range(len(row.want)):
                method = row.methods[i] if row.methods else "GET"
                got.append(c.response(method).status)
            assert tuple(got) == row.want
            seen = tuple(saw(r) for r in o.requests[n_requests:])
            self._finish(c, row)
        assert seen == row.sees
        # an upload that was refused in the middle is cut, and nothing worse
        assert not [e for e in o.errors[n_errors:] if isinstance(e, Malformed)]
        self._still_serves()

    def _still_serves(self):
        """The next client is served, and nothing else reached the origin."""
        n = len(self.origin.requests)
        with self.gh.client() as c:
            assert c.get("/next").status == 200
        assert [r.target for r in self.origin.requests[n:]] == ["/next"]


BAD = "bad"  # 502, or an answer that visibly breaks off


@dataclasses.dataclass
class Answer:
    """A row of bytes that an origin sends.

    want    502; BAD; or (status, content) that the client gets
    end     what the origin does then: None (waits), "close" or "reset"
    reuse   whether the connection must serve the next request, or must not;
            None: what is wrong with the answer is not its framing
    """

    name: str
    data: bytes
    want: object = 502
    end: str = None
    reuse: bool = False
    method: str = "GET"
    version: str = "1.1"


class AnswerOrigin:
    """The script of an origin that answers /row as the row says, and notes how
    its connection fared."""

    def __init__(self):
        self.row = None
        self.send = send_whole
        self.is_dropped = threading.Event()
        self.served = []  # connection numbers, in order
        self.extra = b""

    def begin(self, row, send):
        self.row, self.send = row, send
        self.is_dropped.clear()
        self.served.clear()

    def __call__(self, conn, request):
        self.served.append(conn.number)
        if request.target != "/row":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
            return True
        self.send(conn.sock, self.row.data)
        if self.row.end == "reset":
            conn.reset()
            return False
        if self.row.end == "close":
            return False
        if self.row.reuse is not False:
            return True
        self._wait_dropped(conn)
        return False

    def _wait_dropped(self, conn):
        """gatehouse must end the connection and send nothing more on it."""
        try:
            more = conn.sock.recv(1)
        except ConnectionResetError:
            more = b""
        if not more:
            self.is_dropped.set()


class AnswerJudge:
    """One gatehouse in front of one origin that misbehaves row by row."""

    def __init__(self, gh, origin, script):
        self.gh = gh
        self.origin = origin
        self.script = script

    def _request(self, row):
        return f"{row.method} /row HTTP/{row.version}\r\n" \
               f"Host: test\r\n\r\n".encode()

    def _outcome(self, c, row):
        """(status, content) of a whole answer, or BAD."""
        try:
            r = c.response(row.method)
        except (Truncated, Closed, ConnectionResetError):
            return BAD
        return r.status, r.text

    def _check(self, row, got, seen):
        assert b"evil" not in seen
        if row.want == 502:
            assert got != BAD and got[0] == 502
        elif row.want == BAD:
            assert got == BAD or got[0] == 502
        else:
            assert got == row.want

    def __call__(self, row, send=send_whole):
        self.script.begin(row, send)
        with self.gh.client() as c:
            c.send(self._request(row))
            got = self._outcome(c, row)
            self._check(row, got, c.reader.seen)
        if row.end is None and row.reuse is False:
            assert self.script.is_dropped.wait(WAIT_S), "not dropped"
        with self.gh.client() as c:
            assert c.get("/next").text == "good"
            assert c.get("/next").text == "good"
        first, second, third = self.script.served
        assert row.reuse is None or (first == second) == row.reuse
        assert second == third
