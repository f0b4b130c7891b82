"""gRPC end to end ("gRPC over HTTP2"): the four kinds of calls, metadata,
trailers, deadlines, and our own answers in its terms."""
import json
import struct
import subprocess

import pytest

from lib import h2
from lib.gatehouse import TOP, free_port
from lib.grpc import ENV, MODULES

LIMIT_S = 100
WAYS = ["tls", "plain"]
CALL = ("content-type", "application/grpc"), ("te", "trailers")
# grpc-status
DEADLINE_EXCEEDED, ABORTED, UNIMPLEMENTED, UNAVAILABLE = 4, 10, 12, 14


@pytest.fixture
def call(ca):
    """call(gatehouse, way, what, ...) runs t/lib/grpc_client.js."""
    if not MODULES.is_dir():
        pytest.skip("no packages of npm here: ./bootstrap deps")

    def run(gh, way, what, *args):
        port = gh.port if way == "tls" else gh.ports[1]
        done = subprocess.run(
            ["node", str(TOP / "t/lib/grpc_client.js"), f"localhost:{port}",
             str(ca.pem) if way == "tls" else "-", what, *map(str, args)],
            capture_output=True, text=True, timeout=LIMIT_S, env=ENV,
            check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    return run


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def pair(way, server, gate, pem):
    """(gatehouse, server), with TLS on both sides or on none."""
    s = server(pem if way == "tls" else None)
    return gate(s.address), s


def test_four_kinds(pair, way, call, log):
    """Unary, client streaming, server streaming, both; metadata, of octets
    too, at the begin and in the trailers."""
    gh, _ = pair
    assert call(gh, way, "kinds") == "done"
    assert [line[:2] for line in log(gh, 5)] == [["200", "-"]] * 5


@pytest.mark.parametrize(
    "size", [100_000, pytest.param(8 << 20, marks=pytest.mark.heavy)])
def test_big_messages(pair, way, call, size):
    """Messages that are many times the windows pass whole."""
    gh, _ = pair
    assert call(gh, way, "big", size) == "done"


def test_many_calls(pair, way, call, log):
    """300 at once, over connections that they share."""
    gh, _ = pair
    assert call(gh, way, "many", 300) == "done"
    assert {line[1] for line in log(gh, 300)} == {"-"}


def test_status_of_the_server(pair, way, call):
    """An answer of trailers only keeps its status, its message and its
    metadata."""
    gh, _ = pair
    got = call(gh, way, "fail")
    assert (got["code"], got["details"], got["why"]) == \
        (ABORTED, "100% nein: ü", ["because"])


def test_deadline_of_the_client(pair, way, call):
    """The client gives up in time, and the server is told."""
    gh, s = pair
    assert call(gh, way, "never", 500)["code"] == DEADLINE_EXCEEDED
    assert s.line() == "cancelled"


def test_dead_origin(gate, way, call, log):
    """Nobody listens: UNAVAILABLE, not an answer that gRPC cannot read."""
    gh = gate("127.0.0.1:%d" % free_port(), upstream="retry = none")
    got = call(gh, way, "unary")
    assert (got["code"], got["details"]) == \
        (UNAVAILABLE, "the server did not accept the connection")
    assert log(gh)[0][:2] == ["200", "origin_connect"]


def test_no_route(gate, way, call):
    """Other answers of ours are mapped, too."""
    gh = gate("127.0.0.1:1", site="[route localhost /t.Echo]\nrespond = 404")
    assert call(gh, way, "unary")["code"] == UNIMPLEMENTED


# --- frames ---------------------------------------------------------------

def message(octets):
    """One message, not compressed."""
    return struct.pack(">BI", 0, len(octets)) + octets


def ask(c, *fields, kind=CALL, body=message(b"x")):
    stream = c.next_stream()
    c.send(h2.headers(stream, h2.block(
        h2.request("POST", "/t.Echo/Unary", *kind, *fields)), h2.END_HEADERS),
           h2.data(stream, body, end=True))
    return c.answer(stream)


@pytest.fixture
def conn():
    """conn(gatehouse) is a raw connection by prior knowledge."""
    return lambda gh: h2.Conn(("127.0.0.1", gh.ports[1]))


def test_what_the_origin_gets(gate, h2_origin, conn):
    """te: trailers and the deadline reach it; its trailers the client."""
    o = h2_origin(lambda c, r: c.answer(
        r.stream, message(b"y"), fields=CALL[:1],
        trailers=[("grpc-status", "0"), ("grpc-message", "")]))
    with conn(gate(o.address)) as c:
        r = ask(c, ("grpc-timeout", "10S"))
    assert (r.status, r.body) == (200, message(b"y"))
    assert r.trailers == [(b"grpc-status", b"0"), (b"grpc-message", b"")]
    request, = o.requests
    assert request.get("te") == "trailers"
    assert request.get("grpc-timeout") == "10S"
    assert request.get("content-type") == "application/grpc"


def is_trailers_only(r, status):
    """Our own answer: one HEADERS frame that is the end."""
    return (r.status, r.is_ended, r.body, r.trailers) == \
        (200, True, b"", None) and \
        r.get("content-type") == b"application/grpc" and \
        r.get("grpc-status") == b"%d" % status and \
        r.get("grpc-message") is not None and \
        r.get("content-length") is None


@pytest.mark.parametrize("timeout", ["300m", "300000u", "300000n", "1n"])
def test_deadline_bounds_the_exchange(gate, h2_origin, conn, log, timeout):
    """grpc-timeout: when it is over the call ends, whatever the client
    does."""
    o = h2_origin(lambda c, r: None)
    gh = gate(o.address)
    with conn(gh) as c:
        assert is_trailers_only(ask(c, ("grpc-timeout", timeout)),
                                DEADLINE_EXCEEDED)
    assert log(gh)[0][:2] == ["200", "deadline"]


@pytest.mark.parametrize("timeout", ["", "1", "m", "-1m", "1.5S", "1s",
                                     "123456789m", "1mm", "0x1m"])
def test_deadlines_that_are_none(gate, h2_origin, conn, timeout):
    """What is no Timeout bounds nothing here; the origin may judge it."""
    o = h2_origin()
    with conn(gate(o.address)) as c:
        assert ask(c, ("grpc-timeout", timeout)).body == b"ok"
    assert o.requests[0].get("grpc-timeout") == timeout


def test_the_earlier_limit_holds(gate, h2_origin, conn, log):
    """timeout is ours: UNAVAILABLE when it is over first."""
    gh = gate(h2_origin(lambda c, r: None).address, site="timeout = 300ms")
    with conn(gh) as c:
        assert is_trailers_only(ask(c, ("grpc-timeout", "1H")), UNAVAILABLE)
    assert log(gh)[0][:2] == ["200", "timeout"]


@pytest.mark.parametrize("status, code", [
    (400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (500, 2), (502, 14),
    (503, 14), (504, 14), (418, 2)])
def test_statuses(gate, conn, status, code):
    """gRPC's mapping of HTTP's statuses."""
    gh = gate("127.0.0.1:1",
              site=f"[route localhost /t.Echo]\nrespond = {status}")
    with conn(gh) as c:
        assert is_trailers_only(ask(c), code)


@pytest.mark.parametrize("kind, is_call", [
    ("application/grpc+proto", True), ("application/grpc;a=b", True),
    ("Application/GRPC", True), ("application/grpc-web", False),
    ("application/grpcx", False), ("text/plain", False)])
def test_who_is_told_so(gate, conn, kind, is_call):
    """application/grpc and its kinds; others get the page of HTTP."""
    gh = gate("127.0.0.1:%d" % free_port(), upstream="retry = none")
    with conn(gh) as c:
        r = ask(c, kind=[("content-type", kind)])
    if is_call:
        assert is_trailers_only(r, UNAVAILABLE)
    else:
        assert (r.status, r.get("grpc-status")) == (502, None)


def test_http_1_is_told_in_http(gate):
    """There is no gRPC over HTTP/1.1."""
    gh = gate("127.0.0.1:%d" % free_port(), upstream="retry = none")
    with gh.client(gh.ports[1]) as c:
        assert c.get(extra=b"Content-Type: application/grpc\r\n").status == 502


@pytest.mark.parametrize("what", ["reset", "cut"])
def test_a_call_that_breaks(gate, h2_origin, conn, what):
    """A call whose server is lost in its answer never looks complete."""
    def script(c, request):
        c.head(request.stream, 200, CALL[:1])
        c.body(request.stream, message(b"y"), end=False)

    o = h2_origin(script)
    with conn(gate(o.address)) as c:
        stream = c.ask("POST", "/t.Echo/Unary", *CALL, body=message(b"x"))
        c.pump(lambda: c.stream(stream).body == message(b"y"))
        if what == "reset":
            o.conns[0].send(h2.rst_stream(1, 2))
        else:
            o.conns[0].close()
        r = c.answer(stream)
    assert r.reset == "INTERNAL_ERROR" and not r.is_ended


def test_unsent_calls_are_repeated(gate, h2_origin, conn):
    """A server that ends (GOAWAY) costs no call (RFC 9113 8.7)."""
    def script(c, request):
        if c.number == 0:
            c.send(h2.goaway(0, 0))
        else:
            c.answer(request.stream, message(b"y"), fields=CALL[:1],
                     trailers=[("grpc-status", "0")])

    o = h2_origin(script)
    with conn(gate(o.address)) as c:
        assert ask(c).trailers == [(b"grpc-status", b"0")]
    assert [r.body for r in o.requests] == [message(b"x")] * 2
