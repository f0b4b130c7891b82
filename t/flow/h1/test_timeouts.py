"""Deadlines of what clients owe, each by its key (RFC 9110 15.5.9, RFC 9112
9.5)."""
import os
import socket
import threading
import time

import pytest

from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabc"
PACE_S = 0.05


def pace():
    """A client's own slowness; no waiting for anything."""
    threading.Event().wait(PACE_S)


@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\nHost: test\r\n"])
def test_a_head_that_stops_is_answered_408(logged, part):
    """RFC 9110 15.5.9: header_timeout, and the connection ends."""
    gh, o, lines = logged(listen="header_timeout = 300ms")
    with gh.client() as c:
        r = c.send(part).response()
        assert (r.status, r.get("connection")) == (408, "close")
        assert c.is_closed()
    assert not o.conns
    assert lines() == ["408 header_timeout"]


def test_a_head_that_drips_is_answered_408(pair):
    """header_timeout counts from the first byte: drops do not extend it."""
    gh, _ = pair(listen="header_timeout = 300ms")
    begin = time.monotonic()
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\n")
        c.sock.settimeout(PACE_S)
        while time.monotonic() < begin + 10:
            c.send(b"A: b\r\n")
            try:
                assert c.sock.recv(12) == b"HTTP/1.1 408"
                break
            except TimeoutError:
                continue
    assert time.monotonic() < begin + 10


def test_a_connection_without_a_request_ends(pair):
    """RFC 9112 9.5: a new connection owes its request in header_timeout; there
    is nothing to answer."""
    gh, _ = pair(listen="header_timeout = 300ms")
    with gh.client() as c:
        assert c.is_closed()


def test_an_idle_connection_ends(pair):
    """RFC 9112 9.5: idle_timeout behind the last request, without a word."""
    gh, o = pair(listen="idle_timeout = 300ms")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 2)
        assert [c.response().text for _ in range(2)] == ["ok"] * 2
        assert c.is_closed()
    assert len(o.requests) == 2


def test_a_second_head_has_its_own_time(pair):
    """header_timeout bounds each head, whatever idle_timeout allows."""
    gh, _ = pair(listen="header_timeout = 300ms\nidle_timeout = 60s")
    with gh.client() as c:
        assert c.get("/").text == "ok"
        assert c.send(b"GET / HT").response().status == 408


def test_content_that_stops_is_answered_408(logged):
    """RFC 9110 15.5.9: body_timeout; the origin sees no complete request."""
    gh, o, lines = logged(listen="body_timeout = 300ms")
    with gh.client() as c:
        r = c.send(POST).response()
        assert (r.status, r.get("connection")) == (408, "close")
        assert c.is_closed()
    o.wait(lambda o: o.errors)
    assert not o.requests
    assert lines() == ["408 body_timeout"]


def test_content_that_comes_slowly_is_fine(pair):
    """body_timeout is the longest pause, not the time of it all."""
    gh, o = pair(listen="body_timeout = 1s")
    n = 30
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
               % n)
        for _ in range(n):
            c.send(b"x")
            pace()
        assert c.response().text == "ok"
    assert o.requests[0].body == b"x" * n


def test_an_answer_that_comes_does_not_extend_the_upload(logged):
    """body_timeout is about the client: what the origin sends meanwhile does
    not count."""
    def script(conn):
        conn.reader.head()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            conn.send(b"x")
            pace()

    gh, _, lines = logged(script, raw=True, listen="body_timeout = 300ms")
    begin = time.monotonic()
    with gh.client() as c:
        c.send(POST)
        assert c.reader.response_head().status == 200
        assert len(c.reader.to_end()) < 1000
    assert time.monotonic() < begin + 10
    assert lines() == ["200 body_timeout"]


BIG = 64 << 20


def big(conn, request):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
    try:
        for _ in range(BIG >> 20):
            conn.send(b"x" * (1 << 20))
    except OSError:
        cut.set()
    return False


cut = threading.Event()


def test_a_client_that_takes_nothing_is_left(logged):
    """send_timeout: what the kernel holds for it is given up, too."""
    cut.clear()
    gh, _, lines = logged(big, listen="send_timeout = 300ms")
    with gh.client(rcvbuf=4096) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert cut.wait(WAIT_S)
        assert lines() == ["200 send_timeout"]
        with pytest.raises(ConnectionResetError):
            c.reader.to_end()


def test_a_client_that_takes_little_is_served(logged):
    """send_timeout is the longest time in which it takes nothing, however
    little it takes."""
    gh, _, lines = logged(big, listen="send_timeout = 1s")
    with gh.client(rcvbuf=65536) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        got = len(c.reader.buf)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            got += len(c.sock.recv(16384))
            pace()
        while data := c.sock.recv(1 << 20):
            got += len(data)
            if got == BIG:
                break
        assert got == BIG
    assert lines() == ["200 -"]


def test_the_whole_exchange_has_a_limit(logged):
    """`timeout`: 504 when no answer has begun."""
    gh, o, lines = logged(lambda conn, r: over.wait(WAIT_S),
                          site="timeout = 300ms")
    over = threading.Event()
    with gh.client() as c:
        assert c.get("/").status == 504
        over.set()
    assert lines() == ["504 timeout"]


def test_an_answer_that_drips_meets_the_limit(logged):
    """`timeout`: an answer that has begun is visibly cut."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(1000):
                conn.send(b"x")
                pace()
        except OSError:
            pass
        return False

    gh, _, lines = logged(script, site="timeout = 500ms")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        assert len(c.reader.to_end()) < 1000
    assert lines() == ["200 timeout"]


def test_an_upload_that_drips_meets_the_limit(logged):
    """`timeout`: the limit counts from the first byte of the request."""
    gh, o, lines = logged(site="timeout = 500ms")
    begin = time.monotonic()
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n"
               b"\r\n")
        c.sock.settimeout(PACE_S)
        while time.monotonic() < begin + 10:
            c.send(b"x")
            try:
                assert c.sock.recv(12) == b"HTTP/1.1 504"
                break
            except TimeoutError:
                continue
    assert time.monotonic() < begin + 10
    assert not o.requests
    assert lines() == ["504 timeout"]


def test_a_route_may_have_no_limit(pair):
    """CONFIG: the nearest scope wins; `none` is no limit."""
    def script(conn, request):
        quick.wait(WAIT_S)
        conn.send(ok())

    quick = threading.Event()
    gh, _ = pair(script, site="timeout = 300ms",
                 more="[route test /slow]\ntimeout = none\n")
    with gh.client() as c, gh.client() as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.get("/").status == 504
        quick.set()
        assert slow.response().text == "ok"


def test_a_reused_connection_starts_anew(pair):
    """`timeout` is of one exchange: the next on the connection has its own."""
    gh, _ = pair(site="timeout = 1s")
    end = time.monotonic() + 1.5
    with gh.client() as c:
        while time.monotonic() < end:
            assert c.get("/").text == "ok"
            pace()


def test_lingering_ends(pair):
    """RFC 9112 9.6: after its last answer a connection is read for a while; a
    client that stays silent and open is not waited for without end."""
    gh, _ = pair(site="max_body = 1k")
    worker, = gh.workers()

    def n_fds():
        return len(os.listdir(f"/proc/{worker}/fd"))

    before = n_fds()
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000"
               b"\r\n\r\n")
        assert c.response().status == 413
        assert c.is_closed()
        assert n_fds() == before + 1
        until(lambda: n_fds() == before, what="the end of lingering")
        # only now are more bytes answered by a reset
        c.send(b"x")
        until(lambda: c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
