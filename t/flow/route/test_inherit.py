"""Inheritance at run time: defaults -> site -> route."""
import threading

import pytest

from lib.wire import WAIT_S, Truncated

INI = """
[global]
workers = 1
[defaults]
max_body = 10b
timeout = %(timeout)s
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = {origin}
[route s /more]
max_body = 20b
[route s /free]
max_body = none
timeout = none
[site own]
hosts = own.test
max_body = 5b
upstream = {origin}
[route own /x]
strip_prefix = /x
"""


def post(gh, path, n, host="test", chunked=False):
    body = b"x" * n
    with gh.client() as c:
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n".encode()
        if chunked:
            c.send(head + b"Transfer-Encoding: chunked\r\n\r\n"
                   + b"%x\r\n%s\r\n0\r\n\r\n" % (n, body))
        else:
            c.send(head + b"Content-Length: %d\r\n\r\n" % n + body)
        return c.response().status


def test_max_body_of_the_nearest_scope_holds(gatehouse, origin):
    """CONFIG: of scalars the nearest wins; RFC 9110 15.5.14: over it is 413,
    counted or not."""
    o = origin()
    gh = gatehouse(INI % {"timeout": "none"}, origin=o.address)
    for chunked in (False, True):
        assert post(gh, "/", 10, chunked=chunked) == 200
        assert post(gh, "/", 11, chunked=chunked) == 413
        assert post(gh, "/more", 20, chunked=chunked) == 200
        assert post(gh, "/more", 21, chunked=chunked) == 413
        assert post(gh, "/free", 5000, chunked=chunked) == 200
        assert post(gh, "/", 5, "own.test", chunked) == 200
        assert post(gh, "/", 6, "own.test", chunked) == 413
        assert post(gh, "/x", 6, "own.test", chunked) == 413
    assert all(len(r.body) <= 20 or r.target == "/free" for r in o.requests)


def test_timeout_of_the_nearest_scope_holds(gatehouse, origin):
    """CONFIG: timeout is the whole exchange's; RFC 9110 15.6.5: over it is
    504; none lifts it."""
    answer = threading.Event()

    def script(conn, request):
        if request.target != "/free":
            return None
        answer.wait(WAIT_S)
        return conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    gh = gatehouse(INI % {"timeout": "300ms"}, origin=origin(script).address)
    with gh.client() as free, gh.client() as c:
        free.send(b"GET /free HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.get("/").status == 504
        with gh.client() as more:
            assert more.get("/more").status == 504
        answer.set()
        assert free.response().status == 200


def test_a_route_takes_over_who_answers(gatehouse):
    """CONFIG: a route without upstream, respond or redirect has its site's;
    one that says none has nobody and is refused."""
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[defaults]
respond = 200 default
[site a.test]
[route a.test /x]
max_body = 1k
[route a.test /y]
redirect = 302 /z
[site b.test]
respond = 200 b
""")
    with gh.client() as c:
        assert c.get("/x", host="a.test").text == "default"
        assert c.get("/", host="a.test").text == "default"
        assert c.get("/y", host="a.test").status == 302
        assert c.get("/", host="b.test").text == "b"


def test_timeout_ends_an_answer_that_has_begun(gatehouse, origin):
    """RFC 9112 8: an answer that is cut must not look complete."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\n")

    gh = gatehouse(INI % {"timeout": "300ms"}, origin=origin(script).address)
    with gh.client() as c:
        with pytest.raises(Truncated):
            c.get("/")
        assert b"3\r\nabc\r\n" in c.reader.seen
        assert b"\r\n0\r\n" not in c.reader.seen


def test_timeout_does_not_end_a_tunnel(gatehouse, origin):
    """CONFIG: the time of an exchange is no limit of a WebSocket's life."""
    later = threading.Event()

    def script(conn, request):
        if request.target == "/slow":
            return
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\n"
                  b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        later.wait(WAIT_S)
        conn.send(b"late")

    gh = gatehouse(INI % {"timeout": "300ms"}, origin=origin(script).address)
    with gh.client() as ws, gh.client() as c:
        ws.send(b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert ws.response().status == 101
        # begun later, so its end says that the tunnel's time has passed, too
        assert c.get("/slow").status == 504
        later.set()
        assert ws.reader.exactly(4) == b"late"
