"""Connections to origins on which something came that nobody asked for: they
serve nobody any more (RFC 9112 6.3, 9.3)."""
import fcntl
import os
import signal
import socket
import struct
import termios

import pytest

from lib.procs import status, until
from lib.strict import EVIL, INI
from lib.wire import Closed, Malformed

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


@pytest.fixture
def pooled(gatehouse, origin):
    """A gatehouse with one connection in its pool, and the origin."""
    o = origin(lambda conn, request: conn.send(GOOD))
    gh = gatehouse(INI, origin=o.address)
    with gh.client() as c:
        assert c.get("/first").text == "good"
    return gh, o


class Frozen:
    """Stops the worker inside a with statement: what happens meanwhile it
    learns at its end, all at once and in that order."""

    def __init__(self, gh):
        self.pid, = gh.workers()

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: status(self.pid)["State"].startswith("T"))

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def arrive(sock, data):
    """Send it and wait until the peer's kernel has it."""
    sock.sendall(data)
    until(lambda: struct.unpack("i", fcntl.ioctl(
        sock, termios.TIOCOUTQ, b"\0" * 4)) == (0,))


def has_ended(sock):
    """Whether the peer's kernel knows of our end (FIN_WAIT2 in tcp(7))."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\5"


def request(method, target):
    return b"%s %s HTTP/1.1\r\nHost: test\r\n\r\n" % (method, target)


@pytest.mark.parametrize("junk", [EVIL, EVIL * 3, b"\r\n", b"\0", b"H"],
                         ids=["answer", "answers", "line end", "NUL", "byte"])
def test_bytes_on_an_idle_connection(pooled, junk):
    """RFC 9112 9.3: answers belong to requests: a connection that speaks
    unasked is closed."""
    gh, o = pooled
    o.conns[0].send(junk)
    # the origin's thread reads the end and closes its side
    until(lambda: o.conns[0].sock.fileno() < 0)
    with gh.client() as c:
        assert c.get("/next").text == "good"
    assert len(o.conns) == 2


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_bytes_between_answer_and_request(pooled, method, is_first):
    """RFC 9112 9.3: bytes that lay there before the request went out are no
    answer to it, even if both are learnt of at the same time."""
    gh, o = pooled
    with gh.client() as c:
        assert c.get("/second").text == "good"
        with Frozen(gh):
            if is_first:
                arrive(o.conns[0].sock, EVIL)
            arrive(c.sock, request(method, b"/next"))
            if not is_first:
                arrive(o.conns[0].sock, EVIL)
        assert c.response().text == "good"
        assert c.get("/last").text == "good"
    assert len(o.conns) == 2
    # the first one may have been sent /next, too, and read it at any time
    assert o.conns[1].requests[-1].target == "/last"


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_end_between_answer_and_request(pooled, method, is_first):
    """RFC 9112 9.3.1: a connection that ended meanwhile is no failure of the
    request that comes next."""
    gh, o = pooled
    with gh.client() as c:
        assert c.get("/second").text == "good"
        with Frozen(gh):
            if is_first:
                o.conns[0].shut()
                until(lambda: has_ended(o.conns[0].sock))
            arrive(c.sock, request(method, b"/next"))
            if not is_first:
                o.conns[0].shut()
                until(lambda: has_ended(o.conns[0].sock))
        assert c.response().text == "good"
    assert len(o.conns) == 2


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ids=["length", "coding"])
def test_content_of_head_comes_late(gatehouse, origin, head):
    """RFC 9110 9.3.2: an origin that sends the content of HEAD after all does
    not answer the next request with it."""
    def script(conn, r):
        conn.send(head if r.method == "HEAD" else GOOD)

    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    with gh.client() as c:
        assert c.get("/", method="HEAD").status == 200
        with Frozen(gh):
            arrive(c.sock, request(b"GET", b"/next"))
            arrive(o.conns[0].sock, EVIL)
        assert c.response().text == "good"
    assert len(o.conns) == 2


def test_early_answer_ends_the_connection(gatehouse, origin):
    """RFC 9112 9.3: an origin that answers before it has the whole request
    still reads: nothing else may be sent to it."""
    def script(conn):
        conn.reader.head()
        conn.send(GOOD)
        try:
            while True:
                seen.append(conn.reader.line())
        except (Closed, Malformed):
            seen.append(None)

    seen = []
    o = origin(script, raw=True)
    gh = gatehouse(INI, origin=o.address)
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 900\r\n\r\n")
        assert c.response("POST").text == "good"
        # the rest of the request would be read as the next one
        c.send(request(b"GET", b"/smuggled"))
        assert c.is_closed()
    until(lambda: seen == [None])
    with gh.client() as c:
        assert c.get("/next").text == "good"
    assert len(o.conns) == 2


def test_refused_connect_ends_the_connection(pooled):
    """RFC 9110 9.3.6: who sends CONNECT and does not wait means the tunnel's
    bytes for somebody else: they are no requests here."""
    gh, o = pooled
    with gh.client() as c:
        c.send(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n" +
               request(b"GET", b"/smuggled"))
        r = c.response()
        assert (r.status, r.get("connection")) == (405, "close")
        assert c.is_closed()
    assert [r.target for r in o.requests] == ["/first"]
