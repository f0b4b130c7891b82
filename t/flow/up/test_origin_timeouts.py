"""Servers that are slow, and how long they are waited for."""
import select
import socket
import threading
import time

import pytest

from lib.origin import OK, ok
from lib.procs import until
from lib.wire import WAIT_S, Closed, Truncated

# a time in which even a busy machine does the next step
LONG_S = 1
# 100 ms by a clock of whole milliseconds
MIN_S = 0.099
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def later(seconds):
    """Let time pass."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def get(gh, path="/"):
    with gh.client() as c:
        return c.get(path)


def test_connect_timeout(front, deaf):
    """RFC 9110 15.6.5: a server that does not accept in time is 504."""
    gh = front([deaf], upstream="connect_timeout = 100ms")
    began = time.monotonic()
    assert get(gh).status == 504
    assert MIN_S <= time.monotonic() - began < 5
    assert gh.fault() == "origin_connect_timeout"


def test_the_next_server_after_a_connect_timeout(front, deaf, named):
    """RFC 9110 9.2.2: nothing was sent, so a POST may go elsewhere."""
    gh = front([deaf, named(b"quick")], upstream="connect_timeout = 50ms")
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n"
               b"data")
        assert c.response("POST").text == "quick"
    assert gh.log()[0]["tries"] == "2"


def test_waiting_for_one_server_blocks_no_other(front, deaf, named):
    """One loop: a connection that does not open keeps nobody waiting."""
    gh = front([named(b"quick")], site=f"""
[route test /deaf]
upstream = deaf
[upstream deaf]
server = {deaf}
connect_timeout = 1m
""")
    with gh.client() as slow:
        slow.send(REQUEST.replace(b" / ", b" /deaf "))
        for _ in range(50):
            assert get(gh).text == "quick"


def test_client_leaves_while_connecting(front, deaf, named):
    """What waits for a connection may go away; the log says who left."""
    gh = front([named(b"quick")], site=f"""
[route test /deaf]
upstream = deaf
[upstream deaf]
server = {deaf}
connect_timeout = 1m
""")
    with gh.client() as slow:
        slow.send(REQUEST.replace(b" / ", b" /deaf "))
        assert get(gh).text == "quick"
        slow.reset()
    assert gh.log(2)[1]["fault"] == "client_gone"
    assert gh.log(2)[1]["status"] == "499"


def silent(conn, request):
    """Take the request and say nothing."""
    return True


def test_response_timeout(front, origin):
    """RFC 9110 15.6.5: a server that does not answer in time is 504; its
    connection is not used again."""
    o = origin(silent)
    gh = front([o], upstream="response_timeout = 100ms")
    began = time.monotonic()
    with gh.client() as c:
        assert c.get().status == 504
        assert MIN_S <= time.monotonic() - began < 5
        assert gh.fault() == "origin_timeout"
        assert c.get().status == 504
    assert len(o.conns) == 2


def test_no_second_server_after_a_response_timeout(front, origin, named):
    """RFC 9110 9.2.2: by default a request that is being worked on is not
    given to another server."""
    o, other = origin(silent), named(b"other")
    gh = front([o, other], upstream="response_timeout = 50ms")
    assert get(gh).status == 504
    assert not other.requests


def test_retry_timeout(front, origin, named):
    """retry = timeout: then an idempotent request is, a POST never."""
    o, other = origin(silent), named(b"other")
    gh = front([o, other],
               upstream=f"response_timeout = {LONG_S}s\nretry = timeout")
    assert get(gh).text == "other"
    assert get(gh).text == "other"
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n"
               b"data")
        assert c.response("POST").status == 504
    assert [r.method for r in other.requests] == ["GET", "GET"]


def test_response_timeout_counts_from_the_last_sign(front, origin):
    """response_timeout is the longest silence, not the whole answer's
    time."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for byte in b"12345":
            later(LONG_S / 4)
            conn.send(bytes([byte]))

    gh = front([origin(script)], upstream=f"response_timeout = {LONG_S}s")
    assert get(gh).text == "12345"


def test_slow_head(front, origin):
    """A head that stops in the middle is waited for no longer than any other
    silence."""
    gh = front([origin(lambda conn, r: conn.send(b"HTTP/1.1 200 OK\r\nA:"))],
               upstream="response_timeout = 100ms")
    assert get(gh).status == 504
    assert gh.fault() == "origin_timeout"


@pytest.mark.parametrize("framing, first", [
    (b"Content-Length: 100\r\n\r\n", b"first part"),
    (b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\nfirst part\r\n"),
    (b"\r\n", b"first part")])
def test_stall_in_the_content(front, origin, framing, first):
    """RFC 9112 8: an answer that stops in the middle never looks complete to
    the client."""
    gh = front([origin(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\n" + framing + first))],
        upstream="response_timeout = 100ms")
    with gh.client() as c, pytest.raises((Truncated, ConnectionResetError)):
        c.get()
    assert gh.log()[0]["status"] == "200"
    assert gh.fault() == "origin_stall"


@pytest.mark.heavy
def test_slow_client_is_no_stall(front, origin):
    """A client that does not read is not the server's silence."""
    body = bytes(8 << 20)
    whole = ok(body)
    gh = front([origin(lambda conn, r: conn.send(whole))],
               upstream=f"response_timeout = {LONG_S}s")
    with gh.client(rcvbuf=4096) as c:
        c.send(REQUEST)
        later(1.5 * LONG_S)
        # it has been slow long enough
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert c.response().body == body
    assert gh.fault() == "-"


def test_slow_upload_is_no_silence_of_the_server(front, origin):
    """What waits for the client's content is the client's time
    (body_timeout), before the answer and in it."""
    def script(conn):
        head = conn.reader.head()
        assert head.method == "POST"
        conn.reader.exactly(1)
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        conn.send(b"1\r\n1\r\n")
        conn.reader.exactly(1)
        conn.send(b"1\r\n2\r\n0\r\n\r\n")

    gh = front([origin(script, raw=True)],
               upstream=f"response_timeout = {LONG_S}s")
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n")
        later(1.5 * LONG_S)
        c.send(b"1")
        head = c.reader.response_head()
        assert head.status == 200
        later(1.5 * LONG_S)
        c.send(b"2")
        c.reader._chunked(head)
        assert head.text == "12"
    assert gh.fault() == "-"


def test_server_that_does_not_take_the_content(front, origin):
    """A server that reads nothing of an upload and says nothing is silent."""
    over = threading.Event()
    gh = front([origin(lambda conn: over.wait(WAIT_S), raw=True)],
               upstream="response_timeout = 200ms")
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\n"
               b"Content-Length: 100000000\r\n\r\n")
        c.sock.setblocking(False)
        until(lambda: feed(c), what="the end of what is taken")
        c.sock.setblocking(True)
        c.sock.settimeout(WAIT_S)
        assert c.response("POST").status == 504
    over.set()
    assert gh.fault() == "origin_timeout"


def feed(c):
    """Send what is taken at once. Whether an answer has come."""
    try:
        c.sock.send(bytes(100000))
    except BlockingIOError:
        pass
    except OSError:
        # the answer came, and nobody reads any more
        return True
    return select.select([c.sock], [], [], 0)[0]


def test_total_timeout(front, origin):
    """timeout: the whole exchange has an end, whatever the server does."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(500):
            over.wait(0.02)
            conn.send(b"more")

    over = threading.Event()
    gh = front([origin(script)], site="timeout = 300ms")
    try:
        with gh.client() as c, \
                pytest.raises((Truncated, ConnectionResetError)):
            c.get()
    finally:
        over.set()
    assert gh.fault() == "timeout"


def test_total_timeout_before_the_answer(front, origin):
    """RFC 9110 15.6.5: before anything was sent it is 504."""
    gh = front([origin(silent)], site="timeout = 100ms")
    assert get(gh).status == 504
    assert gh.fault() == "timeout"


def test_total_timeout_with_a_name(front, dns):
    """timeout: also while a name is looked up."""
    d = dns(script=lambda q: None)
    gh = front(["app.test:80"], site="timeout = 100ms",
               **{"global": f"dns_servers = {d.address}"})
    assert get(gh).status == 504
    assert gh.fault() == "timeout"


def test_shutdown_breaks_off_what_waits(front, origin):
    """shutdown_timeout: what has not ended by then is broken off, and
    logged."""
    o = origin(silent)
    gh = front([o], **{"global": "shutdown_timeout = 100ms"})
    with gh.client() as c:
        c.send(REQUEST)
        o.wait_requests(1)
        assert gh.stop() == 0
        with pytest.raises((Closed, ConnectionResetError)):
            c.response()
    assert gh.fault() == "shutdown"


def test_idle_client_connection_after_a_timeout(front, origin):
    """A fault that was answered leaves the client's connection usable."""
    o = origin(lambda conn, r: r.target == "/slow" or conn.send(OK))
    gh = front([o], upstream=f"response_timeout = {LONG_S}s")
    with gh.client() as c:
        assert c.get("/slow").status == 504
        assert c.get("/").text == "ok"
