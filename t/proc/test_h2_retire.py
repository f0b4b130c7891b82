"""Clients of HTTP/2 when their worker retires: told twice by GOAWAY, so that no
stream is lost (RFC 9113 6.8); tunnels live on; the end comes when the time is
up."""
import signal
import threading

import pytest

from lib.h2 import END_HEADERS, Conn, block, data, headers
from lib.origin import ok
from lib.procs import until, wait_gone

INI = """
[global]
workers = 1
shutdown_timeout = %s
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = {origin}
"""


@pytest.fixture
def slow(gatehouse, origin):
    """slow(timeout) gives (gatehouse, origin, go): /slow is answered when go is
    set, /ws switches to an echo."""
    go = threading.Event()

    def script(conn, request_):
        if request_.target == "/slow":
            assert go.wait(60)
        if request_.target != "/ws":
            conn.send(ok())
            return None
        conn.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n"
                  b"Upgrade: websocket\r\n\r\n")
        while got := conn.sock.recv(100):
            conn.send(got)
        return False

    def make(timeout="30s"):
        o = origin(script)
        return gatehouse(INI % timeout, origin=o.address), o, go

    yield make
    go.set()


def connect(gh, **kwargs):
    return Conn(("127.0.0.1", gh.port), **kwargs)


def tunnel(c):
    """A WebSocket by extended CONNECT (RFC 8441)."""
    stream = c.next_stream()
    fields = [(":method", "CONNECT"), (":protocol", "websocket"),
              (":scheme", "http"), (":path", "/ws"), (":authority", "test"),
              ("sec-websocket-version", "13")]
    c.send(headers(stream, block(fields), END_HEADERS))
    c.pump(lambda: c.stream(stream).status)
    assert c.stream(stream).status == 200, c.told()
    return stream


def echo(c, stream, text):
    before = len(c.stream(stream).body)
    c.send(data(stream, text))
    assert c.pump(lambda: len(c.stream(stream).body) == before + len(text))
    assert c.stream(stream).body.endswith(text)


def test_an_idle_connection_is_led_away(slow):
    """RFC 9113 6.8: first GOAWAY with the greatest number, then, when what was
    under way has come, with the last that was served; then the end."""
    gh, _, _ = slow()
    with connect(gh) as c:
        c.expect_served()
        gh.reload()
        assert c.to_end() == "end"
        told = [f for f in c.frames if type(f).__name__ == "GoAwayFrame"]
        assert [f.last_stream_id for f in told] == [2**31 - 1, 1]
        assert [f.error_code for f in told] == [0, 0]


def test_what_crosses_the_warning_is_served(slow):
    """RFC 9113 6.8: requests that were sent before the client could know."""
    gh, _, _ = slow()
    with connect(gh, is_tame=False) as c:
        c.expect_served()
        gh.reload()
        assert c.pump(lambda: c.goaway), c.told()
        assert c.goaway[1] == 2**31 - 1
        streams = [c.ask() for _ in range(5)]
        for stream in streams:
            c.expect_response(stream)


def test_streams_that_run_are_finished(slow):
    """No stream is lost, and the worker ends with the last."""
    gh, o, go = slow()
    worker, = gh.workers()
    with connect(gh) as c:
        streams = [c.ask(path="/slow") for _ in range(5)]
        o.wait_requests(5)
        gh.reload()
        c.pump(lambda: c.goaway and c.goaway[1] < 2**31 - 1)
        assert c.goaway[:2] == ("NO_ERROR", streams[-1])
        go.set()
        for stream in streams:
            r = c.answer(stream)
            assert (r.status, r.body) == (200, b"ok"), c.told()
        assert c.to_end() == "end"
    wait_gone(worker)


def test_graceful_stop(slow):
    """QUIT: running streams end well, idle connections at once."""
    gh, o, go = slow()
    with connect(gh) as busy, connect(gh) as idle:
        idle.expect_served()
        stream = busy.ask(path="/slow")
        o.wait_requests(2)
        gh.send_signal(signal.SIGQUIT)
        assert idle.to_end() == "end"
        assert idle.goaway[0] == "NO_ERROR"
        go.set()
        assert busy.answer(stream).status == 200
        assert busy.to_end() == "end"
    assert gh.process.wait(60) == 0


def test_the_end_of_the_time(slow):
    """shutdown_timeout: what still runs is broken off, visibly."""
    gh, o, _ = slow("300ms")
    with connect(gh) as c:
        stream = c.ask(path="/slow")
        o.wait_requests()
        gh.reload()
        c.to_end()
        assert not c.stream(stream).is_ended


def test_a_tunnel_outlives_a_reload(slow):
    """tunnel_timeout_on_reload is none: it goes on, after shutdown_timeout,
    too."""
    gh, _, _ = slow("100ms")
    before, = gh.workers()
    with connect(gh) as c:
        stream = tunnel(c)
        echo(c, stream, b"one")
        gh.reload()
        c.pump(lambda: c.goaway and c.goaway[1] < 2**31 - 1)
        until(lambda: len(gh.workers()) == 2, what="both generations")
        for i in range(20):
            echo(c, stream, b"%d more" % i)
        assert before in gh.workers()
        c.send(data(stream, end=True))
        assert c.answer(stream).is_ended, c.told()
        assert c.to_end() == "end"
    wait_gone(before)


def test_a_tunnel_ends_as_its_origin_does(slow):
    """RFC 8441 5: END_STREAM for the end of a connection, in either
    direction."""
    gh, o, _ = slow()
    with connect(gh) as c:
        stream = tunnel(c)
        echo(c, stream, b"x")
        seen, = o.requests
        assert seen.get("upgrade") == "websocket"
        assert len(seen.get("sec-websocket-key")) == 24
        c.send(data(stream, end=True))
        assert c.answer(stream).is_ended
        c.expect_served()


def test_a_tunnel_that_is_refused(slow):
    """RFC 8441 5: any status but 2xx is the answer to the CONNECT."""
    gh, _, _ = slow()
    with connect(gh) as c:
        stream = c.next_stream()
        c.send(headers(stream, block([
            (":method", "CONNECT"), (":protocol", "websocket"),
            (":scheme", "http"), (":path", "/no"), (":authority", "test"),
            ("sec-websocket-version", "13")]), END_HEADERS))
        assert c.answer(stream).status == 200
        assert c.stream(stream).body == b"ok"
        stream = c.next_stream()
        c.send(headers(stream, block([
            (":method", "CONNECT"), (":protocol", "connect-udp"),
            (":scheme", "http"), (":path", "/"), (":authority", "test")]),
            END_HEADERS))
        assert c.answer(stream).status == 501
        c.expect_served()
