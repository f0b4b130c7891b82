"""health_check = grpc: servers are asked by grpc.health.v1.Health/Check; and
checks by requests to servers that speak HTTP/2."""
import pytest

from lib import admin, h2
from lib.grpc import MODULES, Server
from lib.procs import until
from lib.tls_origin import server_context

FAST = "interval=100ms timeout=30s"
TYPE = ("content-type", "application/grpc")
SERVING, NOT_SERVING = b"\0\0\0\0\2\x08\1", b"\0\0\0\0\2\x08\2"


def health(gh):
    upstream, = admin.status(gh)["upstreams"]
    server, = upstream["servers"]
    return server["health"], server["why"]


def wait_health(gh, *want):
    until(lambda: health(gh) == want,
          what=f"{want}, it is {health(gh)}")


@pytest.fixture
def checked(front):
    def make(server, line="grpc", more=""):
        return front([server], upstream=f"protocol = h2\nhealth_check = {line}"
                     f" {FAST}\n{more}\n" + admin.SECTION)
    return make



def serving(conn, request):
    conn.answer(request.stream, SERVING, fields=[TYPE],
                trailers=[("grpc-status", "0")])


def test_what_is_asked(checked, h2_origin):
    o = h2_origin(serving)
    gh = checked(o, "grpc service=my.App")
    wait_health(gh, "up", None)
    o.wait_requests(2)
    r = o.requests[0]
    assert (r.method, r.path) == ("POST", "/grpc.health.v1.Health/Check")
    assert r.get(":authority") == o.address
    assert r.get(":scheme") == "http"
    assert r.get("content-type") == "application/grpc"
    assert r.get("te") == "trailers"
    assert r.get("user-agent") == "gatehouse (health)"
    assert o.ended[0].body == b"\0\0\0\0\x08\x0a\x06my.App"
    # a connection for each check, and none stays
    assert len(o.conns) >= 2


def answer(content=SERVING, status=200, fields=(TYPE,),
           trailers=(("grpc-status", "0"),)):
    def script(conn, request):
        conn.answer(request.stream, content, status, list(fields),
                    list(trailers))
    return script


def only_head(*fields):
    def script(conn, request):
        conn.head(request.stream, 200, [TYPE, *fields], end=True)
    return script


def broken(conn, request):
    conn.head(request.stream, 200, [TYPE])
    conn.close()


def reset(conn, request):
    conn.send(h2.rst_stream(request.stream))


def goaway(conn, request):
    conn.send(h2.goaway(0))


def garbage(conn, request):
    conn.send(b"HTTP/1.1 200 OK\r\n\r\n" * 8)


@pytest.mark.parametrize("script, why", [
    (answer(NOT_SERVING), "it does not serve"),
    (answer(b"\0\0\0\0\0"), "it does not serve"),
    (answer(SERVING + b"\0"), "a malformed answer"),
    (answer(b""), "a malformed answer"),
    (answer(status=503), "status 503"),
    (answer(fields=[("content-type", "text/html")]), "a malformed answer"),
    (answer(fields=[]), "a malformed answer"),
    (answer(trailers=[("grpc-status", "14")]), "grpc-status 14"),
    (answer(trailers=[("grpc-status", "x")]), "a malformed answer"),
    (answer(trailers=[("x-other", "0")]), "a malformed answer"),
    # what has no such service answers with a head alone
    (only_head(("grpc-status", "12")), "grpc-status 12"),
    (only_head(("grpc-status", "5")), "grpc-status 5"),
    (only_head(("grpc-status", "0")), "a malformed answer"),
    (answer(bytes(70000)), "a malformed answer"),
    (broken, "the connection broke"),
    (reset, "the connection broke"),
    (goaway, "the connection broke"),
    (garbage, "a malformed answer"),
])
def test_a_wrong_answer_is_found_and_a_right_one_again(checked, h2_origin,
                                                       script, why):
    o = h2_origin(serving)
    gh = checked(o)
    wait_health(gh, "up", None)
    o.script = script
    wait_health(gh, "down", why)
    o.script = serving
    wait_health(gh, "up", None)


def test_a_slow_answer_is_found(front, h2_origin):
    o = h2_origin(lambda conn, request: None)
    gh = front([o], upstream="protocol = h2\nhealth_check = grpc "
               "interval=100ms timeout=50ms\n" + admin.SECTION)
    wait_health(gh, "down", "no answer in time")


def test_a_server_of_another_protocol_is_found(checked, origin):
    gh = checked(origin())
    until(lambda: health(gh)[0] == "down")
    assert health(gh)[1] in ("a malformed answer", "the connection broke")


def test_by_tls_it_is_h2_or_nothing(checked, h2_origin, ca):
    """ALPN must have chosen it; certificates are verified."""
    pem = ca.make("local", "localhost", ips=["127.0.0.1"])
    good = h2_origin(serving, tls=server_context(pem, alpn=["h2"]))
    wait_health(checked(good, more=f"ca = {ca.pem}"), "up", None)
    wait_health(checked(good), "down", "its certificate is not good")
    other = h2_origin(serving, tls=server_context(pem, alpn=["http/1.1"]))
    wait_health(checked(other, more=f"ca = {ca.pem}"), "down",
                "a malformed answer")


@pytest.mark.skipif(not MODULES.is_dir(), reason="no packages of npm here")
@pytest.mark.parametrize("service, want", [
    ("", ("up", None)),
    ("service=good", ("up", None)),
    ("service=bad", ("down", "it does not serve")),
    ("service=other", ("down", "grpc-status 5")),
])
def test_a_server_of_grpc_js(checked, service, want):
    server = Server()
    try:
        wait_health(checked(server.address, f"grpc {service}"), *want)
    finally:
        server.close()


def test_requests_by_http_2(checked, h2_origin):
    """GET to what speaks HTTP/2 only."""
    o = h2_origin(lambda conn, request: conn.answer(request.stream, b"fine"))
    gh = checked(o, "GET /healthz body~^fine$")
    wait_health(gh, "up", None)
    o.wait_requests(1)
    assert (o.requests[0].method, o.requests[0].path) == ("GET", "/healthz")
    o.script = lambda conn, request: conn.answer(request.stream, b"ill")
    wait_health(gh, "down", "content that does not match")
    o.script = lambda conn, request: conn.answer(request.stream, status=500)
    wait_health(gh, "down", "content that does not match")
