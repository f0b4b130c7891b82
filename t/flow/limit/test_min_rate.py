"""min_rate of [listen]: whoever is waited for must be so fast, in the long run,
with header_timeout as its grace; over HTTP/1.1 and HTTP/2 alike."""
import threading
import time

import pytest

from lib import h2
from lib.procs import until
from lib.wire import WAIT_S

PACE_S = 0.05
BIG = 64 << 20
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
header_timeout = 500ms
min_rate = 2k/s
[log access]
path = {dir}/access.log
format = {status} {fault}
buffer = none
[site test]
hosts = *
upstream = {origin}
"""


def pace():
    """A client's own slowness; no waiting for anything."""
    threading.Event().wait(PACE_S)


def answer(conn, request):
    if request.target == "/big":
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        try:
            for _ in range(BIG >> 20):
                conn.send(b"x" * (1 << 20))
        except OSError:
            pass
        return False
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


@pytest.fixture
def gh(gatehouse, origin):
    return gatehouse(INI, origin=origin(answer).address)


def lines(gh):
    return until((gh.dir / "access.log").read_text, what="a line").splitlines()


def upload(c, n, size):
    """A request of n pieces with pauses; whatever the answer is, its status."""
    c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
           % (n * size))
    c.sock.settimeout(PACE_S)
    for _ in range(n):
        try:
            if c.sock.recv(12) == b"HTTP/1.1 408":
                return 408
        except TimeoutError:
            c.send(b"x" * size)
    c.sock.settimeout(WAIT_S)
    return c.response().status


def test_content_that_drips_is_answered_408(gh):
    """20 bytes a second, where body_timeout sees no pause."""
    begin = time.monotonic()
    with gh.client() as c:
        assert upload(c, 400, 1) == 408
    assert 0.5 <= time.monotonic() - begin < 10
    assert lines(gh) == ["408 min_rate"]


def test_content_that_is_fast_enough_may_take_long(gh):
    """4000 bytes a second, for three times the grace; pauses are paid for. A
    busy machine may make it slower than that: another try."""
    def is_served():
        with gh.client() as c:
            return upload(c, 30, 200) == 200
    until(is_served)


def test_content_that_was_fast_once_may_not_stop(gh):
    """No more than the grace is ever put by."""
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000001\r\n"
               b"\r\n" + b"x" * 1000000)
        assert c.response().status == 408


def test_an_answer_that_is_taken_drop_by_drop_is_cut(gh):
    """A small receive buffer, emptied at a few bytes a second."""
    with gh.client(rcvbuf=4096) as c:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        log = gh.dir / "access.log"
        end = time.monotonic() + 10
        while not log.read_text() and time.monotonic() < end:
            c.sock.recv(10)
            pace()
        with pytest.raises(ConnectionResetError):
            c.reader.to_end()
    assert lines(gh) == ["200 min_rate"]


def test_an_answer_that_is_taken_fast_enough_is_served(gh):
    with gh.client(rcvbuf=65536) as c:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        got = len(c.reader.buf)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            got += len(c.sock.recv(16384))
            pace()
        while got < BIG:
            got += len(c.sock.recv(1 << 20))
    assert lines(gh) == ["200 -"]


def test_a_stream_whose_content_drips_is_answered_408(gh):
    """RFC 9113 5.1: the stream alone; others go on."""
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.POST, h2.END_HEADERS))
        end = time.monotonic() + 10
        while not c.stream(stream).status and time.monotonic() < end:
            c.send(h2.data(stream, b"x"))
            pace()
            c.drain()
        assert c.stream(stream).status == 408
        assert c.get("/").status == 200
    assert "408 min_rate" in lines(gh)


def test_a_window_that_opens_drop_by_drop_is_cut(gh):
    """RFC 9113 6.9: a window is no licence to hold an answer for ever."""
    with h2.Conn(("127.0.0.1", gh.port), is_tame=False,
                 settings={h2.INITIAL_WINDOW_SIZE: 1}.items()) as c:
        c.send(h2.settings(flags=h2.ACK))
        stream = c.ask("GET", "/big")
        end = time.monotonic() + 10
        while not c.stream(stream).reset and time.monotonic() < end:
            c.send(h2.window_update(stream, 1))
            pace()
            c.drain()
        assert c.stream(stream).reset == "CANCEL"
        assert c.drain()
    assert lines(gh) == ["200 min_rate"]
