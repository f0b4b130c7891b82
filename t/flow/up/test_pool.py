"""Connections to origins that are kept for the next request (RFC 9112 9.3)."""
import os
import signal
import threading

import pytest

from lib.origin import OK, ok
from lib.procs import open_files, stop, until
from lib.wire import WAIT_S, Closed


def post(gh, body=b"data", path="/"):
    with gh.client() as c:
        c.send(b"POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
               % (path.encode(), len(body)) + body)
        return c.response("POST")


def get(gh, path="/", **kwargs):
    with gh.client() as c:
        return c.get(path, **kwargs)




def n_sockets(gh):
    """Of its worker."""
    worker, = gh.workers()
    return sum(name.startswith("socket:")
               for name in open_files(worker).values())


def test_a_connection_is_used_again(front, origin):
    """RFC 9112 9.3: persistent by default, also over clients."""
    o = origin()
    gh = front([o])
    for _ in range(5):
        assert get(gh).text == "ok"
        assert post(gh).text == "ok"
    assert len(o.conns) == 1


def test_the_one_used_last_is_taken_first(front, origin):
    """LIFO: so that the rest can age out."""
    def script(conn, request):
        if request.target == "/both":
            both.append(conn)
            if len(both) == 2:
                # the second one is answered first and pooled first
                both[1].send(OK)
                both[1].is_first = True
        else:
            conn.send(OK)

    both = []
    o = origin(script)
    gh = front([o])
    with gh.client() as a, gh.client() as b:
        a.send(b"GET /both HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests(1)
        b.send(b"GET /both HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b.response().text == "ok"
        both[0].send(OK)
        assert a.response().text == "ok"
    assert len(o.conns) == 2
    for _ in range(3):
        assert get(gh, "/after").text == "ok"
    assert [r.target for r in both[0].requests] == ["/both"] + ["/after"] * 3
    assert [r.target for r in both[1].requests] == ["/both"]


def test_the_pool_is_bounded(front, origin):
    """keepalive: so many idle ones are kept by a worker, others close."""
    def script(conn, request):
        waiting.append(conn)
        if len(waiting) == 4:
            for one in waiting:
                one.send(OK)

    waiting = []
    closed = []
    o = origin(script)
    gh = front([o], upstream="keepalive = 2")
    clients = [gh.client() for _ in range(4)]
    for c in clients:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    for c in clients:
        assert c.response().text == "ok"
        c.close()
    # the connection's thread ends with the connection
    until(lambda: [conn for conn in o.conns
                   if conn.sock.fileno() == -1][1:], what="two closed")
    closed = [conn for conn in o.conns if conn.sock.fileno() == -1]
    assert len(closed) == 2


def test_no_pool(front, origin):
    """RFC 9112 9.6: keepalive = 0 says close to the origin, and means it."""
    o = origin()
    gh = front([o], upstream="keepalive = 0")
    for _ in range(3):
        assert get(gh).text == "ok"
    assert len(o.conns) == 3
    assert all(r.get("connection") == "close" for r in o.requests)
    until(lambda: all(c.sock.fileno() == -1 for c in o.conns))


def test_an_idle_one_is_closed_in_time(front, origin):
    """RFC 9112 9.5: idle_timeout ends a connection that nobody uses."""
    o = origin()
    gh = front([o], upstream="idle_timeout = 50ms")
    assert get(gh).text == "ok"
    until(lambda: o.conns[0].sock.fileno() == -1, what="the close")
    assert get(gh).text == "ok"
    assert len(o.conns) == 2
    assert [line["fault"] for line in gh.log(2)] == ["-", "-"]


def test_origin_says_close(front, origin):
    """RFC 9112 9.6: after Connection: close nothing more is sent on it."""
    o = origin(lambda conn, r: conn.send(
        ok(extra=b"Connection: close\r\n")))
    gh = front([o])
    for _ in range(3):
        r = get(gh)
        assert (r.text, r.get("connection")) == ("ok", None)
    assert [len(c.requests) for c in o.conns] == [1, 1, 1]


@pytest.mark.parametrize("extra, conns", [(b"", 3), (b"Connection: close\r\n",
                                                     3),
                                          (b"Connection: keep-alive\r\n", 1)])
def test_origin_of_http_1_0(front, origin, extra, conns):
    """RFC 9112 9.3: HTTP/1.0 persists only when it says so; the client is
    told HTTP/1.1."""
    o = origin(lambda conn, r: conn.send(
        ok(extra=extra).replace(b"HTTP/1.1", b"HTTP/1.0")))
    gh = front([o])
    for _ in range(3):
        r = get(gh)
        assert r.first.startswith(b"HTTP/1.1 200")
        assert r.text == "ok"
    assert len(o.conns) == conns


def test_origin_of_http_1_0_without_length(front, origin):
    """RFC 9112 6.3: its answer ends with the connection, ours in chunks."""
    def script(conn, request):
        conn.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        return False

    o = origin(script)
    gh = front([o])
    with gh.client() as c:
        for _ in range(2):
            r = c.get()
            assert (r.text, r.framing) == ("until the end", "chunked")
    assert len(o.conns) == 2


def test_close_that_was_seen_costs_nothing(front, origin):
    """RFC 9112 9.3.1: an origin may close an idle connection; a POST goes to
    a new one, once."""
    def script(conn, request):
        conn.send(OK)
        return request.target != "/last"

    o = origin(script)
    gh = front([o])
    before = n_sockets(gh)
    assert get(gh, "/last").text == "ok"
    until(lambda: n_sockets(gh) == before, what="the close that is seen")
    assert post(gh).text == "ok"
    assert [r.method for r in o.requests] == ["GET", "POST"]
    assert gh.log(2)[1]["fault"] == "-"


def stale_origin(origin, how):
    """Answers the first request of the first connection and breaks it off
    when the second one has come: the moment that nobody can see before."""
    def script(conn, request):
        if conn.number == 0 and len(conn.requests) == 2:
            if how == "reset":
                conn.reset()
            return False
        conn.send(OK)
        return True

    return origin(script)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_stale_connection_is_tried_again_fresh(front, origin, how):
    """RFC 9110 9.2.2, RFC 9112 9.3.1: an idempotent request without an answer
    on a used connection is repeated on a fresh one."""
    o = stale_origin(origin, how)
    gh = front([o])
    assert get(gh, "/1").text == "ok"
    assert get(gh, "/2").text == "ok"
    assert [r.target for r in o.requests] == ["/1", "/2", "/2"]
    assert len(o.conns) == 2
    assert gh.log(2)[1]["tries"] == "2"


def test_stale_connection_is_no_fault_of_the_server(front, origin):
    """retry = none: the fresh connection to the same server is not the next
    server."""
    o = stale_origin(origin, "close")
    gh = front([o], upstream="retry = none")
    assert get(gh, "/1").text == "ok"
    assert get(gh, "/2").text == "ok"


def test_stale_connection_put_with_content(front, origin):
    """RFC 9110 9.2.2: PUT is idempotent; its content is sent again whole."""
    o = stale_origin(origin, "close")
    gh = front([o])
    body = bytes(range(256)) * 100
    with gh.client() as c:
        assert c.get().text == "ok"
        c.send(b"PUT /x HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
               % len(body) + body)
        assert c.response("PUT").text == "ok"
    assert [r.body for r in o.requests] == [b"", body, body]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_post_is_never_sent_twice(front, origin, how):
    """RFC 9110 9.2.2: not even when a used connection breaks: 502."""
    o = stale_origin(origin, how)
    gh = front([o])
    assert get(gh, "/1").text == "ok"
    assert post(gh).status == 502
    assert [r.method for r in o.requests] == ["GET", "POST"]
    assert gh.log(2)[1]["fault"] == "origin_reset"


@pytest.mark.parametrize("method, n", [("POST", 10), ("PUT", 300000)])
def test_what_cannot_be_repeated_looks_first(front, origin, method, n):
    """RFC 9112 9.3.1: content too large to be kept goes only on a connection
    that the kernel does not know to be closed, even when the event that tells
    so comes behind the request. So does a POST, or, on a connection that was
    used just now, it goes out again: nobody has served it."""
    def script(conn, request):
        conn.send(OK)
        if request.target == "/last":
            assert go.wait(WAIT_S)
            return False
        return True

    go = threading.Event()
    o = origin(script)
    gh = front([o])
    worker, = until(gh.workers)
    body = b"x" * n
    with gh.client() as c:
        assert c.get("/last").text == "ok"
        stop(worker)
        try:
            c.send(b"%s / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n"
                   b"\r\n" % (method.encode(), n) + body[:10])
            go.set()
            until(lambda: o.conns[0].sock.fileno() == -1, what="the close")
        finally:
            os.kill(worker, signal.SIGCONT)
        c.send(body[10:])
        assert c.response(method).text == "ok"
    line = gh.log(2)[1]
    assert line.pop("tries") in (("1", "2") if method == "POST" else ("1",))
    assert line == {"status": "200", "fault": "-", "origin_status": "200",
                    "server": o.address}
    assert [r.method for r in o.requests] == ["GET", method]


def test_bytes_behind_the_answer_are_no_answer(front, origin):
    """RFC 9112 6.3: what follows a complete answer nobody asked for: the
    connection goes, no request gets it."""
    o = origin(lambda conn, r: conn.send(OK + ok(b"smuggled")))
    gh = front([o])
    for _ in range(10):
        assert get(gh).text == "ok"
    assert len(o.conns) == 10


def test_content_of_a_head_answer_is_no_answer(front, origin):
    """RFC 9110 9.3.2: an origin that answers HEAD with content loses its
    connection, and the content."""
    o = origin(lambda conn, r: conn.send(OK))
    gh = front([o])
    with gh.client() as c:
        for _ in range(3):
            r = c.get(method="HEAD")
            assert (r.status, r.get("content-length")) == (200, "2")
            assert c.get().text == "ok"


def test_what_an_idle_connection_says_is_dropped(front, origin):
    """RFC 9110 15.5.9: an origin may say 408 to an idle connection; that
    answers no request."""
    def script(conn, request):
        conn.send(OK)
        if conn.number == 0:
            conn.send(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n"
                      b"Connection: close\r\n\r\n")
            return False
        return True

    o = origin(script)
    gh = front([o])
    assert get(gh).text == "ok"
    until(lambda: not o.conns[0].sock.fileno() >= 0)
    for _ in range(3):
        assert post(gh).text == "ok"


def test_pools_do_not_mix_servers(front, named):
    """A connection belongs to the server that it was made to."""
    gh = front([named(b"a"), named(b"b")])
    assert [get(gh).text for _ in range(6)] == ["a", "b"] * 3


def test_retired_workers_keep_no_pool(front, origin):
    """A reload closes the old workers' idle connections."""
    def script(conn):
        try:
            while True:
                conn.reader.request()
                conn.send(OK)
        except Closed:
            ended.append(conn)

    ended = []
    o = origin(script, raw=True)
    gh = front([o])
    with gh.client() as c:
        assert c.get().text == "ok"
        gh.reload()
        until(lambda: ended, what="the end of the pooled connection")
        assert c.get().get("connection") == "close"
    assert get(gh).text == "ok"
