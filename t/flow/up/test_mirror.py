"""mirror: a copy of each request goes to another upstream; the client's own
exchange neither waits for it nor fails with it."""
import threading

import pytest

from lib import admin, h2
from lib.gatehouse import free_port
from lib.origin import ok
from lib.procs import until, wait_gone

# what up/mirror.c bounds
COPIES_MAX = 256
CONTENT_MAX = 64 * 1024
ANSWER_MAX = 1024 * 1024


@pytest.fixture
def mirrored(front, origin):
    """mirrored(script of the shadow, ...): (gatehouse, origin, shadow)."""
    def make(script=None, line="mirror = shadow", shadow=None, site="",
             **kwargs):
        app = origin(lambda conn, r: conn.send(ok(b"app")))
        shadow = shadow or origin(script, raw=kwargs.pop("raw", False))
        gh = front([app], site=f"""{line}
{site}
[upstream shadow]
server = {getattr(shadow, 'address', shadow)}
{kwargs.pop('more', '')}
{admin.SECTION}""", **kwargs)
        return gh, app, shadow

    return make


def numbers(gh):
    """Copies sent, failed, and left out for each reason."""
    found = admin.status(gh)["counters"]
    return {k: found[f"mirrors_{k}_total".replace("_sent", "")]
            for k in ("sent", "failed", "full", "large", "partial")
            if found[f"mirrors_{k}_total".replace("_sent", "")]}


def ask(gh, n=1, path="/", **kwargs):
    """All on one connection, all as if nothing were copied."""
    with gh.client() as c:
        for _ in range(n):
            answer = c.get(path, **kwargs)
            assert (answer.status, answer.text) == (200, "app")


def same(a, b):
    """One request as two servers got it."""
    return (a.method, a.target, a.fields, a.body) == \
        (b.method, b.target, b.fields, b.body)


def test_the_copy_is_the_request(mirrored):
    """Method, target, fields; the connection is used again; only the client's
    request is counted and logged."""
    gh, app, shadow = mirrored(site="request_header = X-More: {client_ip}")
    with gh.client() as c:
        for i in range(3):
            assert c.get(f"/a?b={i}", extra=b"X-A: 1\r\n").text == "app"
            shadow.wait_requests(i + 1)
            until(lambda n=i + 1: numbers(gh) == {"sent": n})
    assert all(map(same, app.requests, shadow.requests))
    assert len(app.requests) == len(shadow.requests) == 3
    assert shadow.requests[0].get("X-More") == "127.0.0.1"
    assert shadow.requests[0].get("Host") == "test"
    until(lambda: admin.status(gh)["counters"]["requests_total"] == 3)
    assert len(gh.log(3)) == 3


def content(method, body, how):
    if how == "length":
        frame = b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        frame = b"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" + b"".join(
            b"%x\r\n%s\r\n" % (len(body[i:i + 999]), body[i:i + 999])
            for i in range(0, len(body), 999)) + b"0\r\nX-T: 1\r\n\r\n"
    return method + b" /up HTTP/1.1\r\nHost: test\r\n" + frame


@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 20000, CONTENT_MAX])
def test_content_is_copied(mirrored, how, size):
    """In pieces of any size, once it is complete, with its length."""
    gh, app, shadow = mirrored()
    body = bytes(i % 251 for i in range(size))
    with gh.client() as c:
        c.send(content(b"POST", body, how))
        assert c.response().text == "app"
    shadow.wait_requests()
    assert shadow.requests[0].body == app.requests[0].body == body
    assert shadow.requests[0].get("Content-Length") == str(size)
    until(lambda: numbers(gh) == {"sent": 1})


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_large_content_is_not(mirrored, how):
    """Nothing of it is sent; the client's goes through."""
    gh, app, shadow = mirrored()
    body = b"x" * (CONTENT_MAX + 1)
    with gh.client() as c:
        c.send(content(b"PUT", body, how))
        assert c.response().text == "app"
    assert app.requests[0].body == body
    until(lambda: numbers(gh) == {"large": 1})
    assert not shadow.conns


def test_content_that_breaks_is_not(mirrored):
    """The client leaves in the middle of it."""
    gh, app, shadow = mirrored()
    with gh.client() as c:
        c.send(content(b"POST", b"x" * 100, "length")[:-1])
        app.wait(lambda o: o.conns)
    until(lambda: numbers(gh) == {"partial": 1})
    assert not shadow.conns


def test_a_share_of_them(mirrored):
    """30 %, evenly."""
    gh, _, shadow = mirrored(line="mirror = 30% shadow")
    ask(gh, 100)
    n = until(lambda: numbers(gh).get("sent"))
    assert 26 <= n <= 34
    shadow.wait_requests(n)
    assert len(shadow.requests) == n


def test_routes_and_rules(mirrored):
    """Own answers are copied, too; none takes it away."""
    gh, _, shadow = mirrored(site="""
[route test /own]
respond = 200 app
[route test /not]
mirror = none
[rule test quiet]
match = arg:quiet
mirror = none
""")
    for path in ("/not", "/?quiet=1", "/own"):
        ask(gh, path=path)
    shadow.wait_requests()
    assert [r.target for r in shadow.requests] == ["/own"]
    assert numbers(gh) == {"sent": 1}


BROKEN = {
    "reset": lambda conn, r: conn.reset(),
    "garbage": lambda conn, r: conn.send(b"\0\1\2 what\r\n\r\n"),
    "cut": lambda conn, r: (conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), False)[1],
    "large": lambda conn, r: conn.send(
        ok(b"x" * (ANSWER_MAX + CONTENT_MAX * 4))),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_copies_are_nobodys_business(mirrored, how):
    """They are counted, and the client's answers are whole."""
    gh, _, shadow = mirrored(BROKEN[how], more="retry = none")
    ask(gh, 5)
    until(lambda: numbers(gh) == {"sent": 5, "failed": 5})
    assert [line["status"] for line in gh.log(5)] == ["200"] * 5
    assert {line["fault"] for line in gh.log(5)} == {"-"}


def test_a_mirror_that_is_down(mirrored):
    """Refused connections."""
    gh, _, _ = mirrored(shadow=f"127.0.0.1:{free_port()}")
    ask(gh, 5)
    until(lambda: numbers(gh) == {"sent": 5, "failed": 5})


@pytest.fixture
def hanging(mirrored):
    """A shadow that says nothing until it is let."""
    let = threading.Event()
    gh, app, shadow = mirrored(
        lambda conn, r: let.wait(60) and conn.send(ok()),
        line="mirror = shadow", **{"global": "shutdown_timeout = 60s"})
    yield gh, app, shadow, let
    let.set()


def test_a_mirror_that_hangs_costs_so_many(hanging):
    """All requests are answered while not one copy is; beyond the bound none
    is begun; when it wakes up all end well."""
    gh, _, shadow, let = hanging
    ask(gh, COPIES_MAX + 20)
    assert numbers(gh) == {"sent": COPIES_MAX, "full": 20}
    let.set()
    shadow.wait_requests(COPIES_MAX)

    def is_free():
        ask(gh)
        return numbers(gh)["sent"] > COPIES_MAX

    until(is_free)
    assert "failed" not in numbers(gh)


def test_reload_does_not_wait_for_copies(hanging):
    """The old worker goes with its last client, and what it held with it."""
    gh, _, shadow, _ = hanging
    old, = gh.workers()
    ask(gh, 3)
    shadow.wait_requests(3)
    gh.reload()
    wait_gone(old)
    # every connection of its was closed
    for conn in shadow.conns:
        assert conn.sock.recv(1) == b""
    ask(gh)
    shadow.wait_requests(4)


def test_stopping_does_not_wait_either(hanging):
    gh, _, shadow, _ = hanging
    ask(gh, 3)
    shadow.wait_requests(3)
    assert gh.stop() == 0


def test_of_http2(mirrored):
    """Content whose length nobody told."""
    gh, app, shadow = mirrored(listen="h2c = on")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        streams = [c.ask("POST", f"/{i}", body=b"x" * i) for i in range(5)]
        assert all(c.answer(s).body == b"app" for s in streams)
    shadow.wait_requests(5)
    assert sorted(len(r.body) for r in shadow.requests) == [0, 1, 2, 3, 4]
    assert all(r.get("Content-Length") for r in shadow.requests)


def test_upgrades_are_not_copied(mirrored):
    """A WebSocket is one conversation."""
    gh, app, shadow = mirrored()
    with gh.client() as c:
        c.send(b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n"
               b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        c.response()
    ask(gh)
    shadow.wait_requests()
    assert [r.target for r in shadow.requests] == ["/"]
    assert len(app.requests) == 2
