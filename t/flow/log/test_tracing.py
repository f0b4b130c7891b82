"""[tracing]: W3C Trace Context to servers (Level 2), spans to a collector over a
real socket, and nothing that a collector does is felt by requests."""
import re
import time

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import OK
from lib.otlp import Collector
from lib.procs import until

INI = """
[global]
workers = 2
error_log = {dir}/error.log
[tracing]
propagate = %(propagate)s
export = %(export)s
sample = %(sample)s
follow_parent = %(follow)s
[log access]
path = {dir}/access.log
format = {path} {trace_id} {span_id}
buffer = none
[listen x]
address = 127.0.0.1:{port}
[site shop]
hosts = *
upstream = app
[route shop /here]
respond = 200 x
[route shop /twice]
upstream = twice
[upstream app]
server = {good}
[upstream twice]
server = {bad}
server = {good} backup
retry = 503
[upstream cut]
server = {cut}
retry = none
[route shop /cut]
upstream = cut
""" + admin.SECTION
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"


def ini(propagate="w3c", export="otlp {export}", sample="100%", follow="off"):
    text = INI % {"propagate": propagate, "export": export, "sample": sample,
                  "follow": follow}
    return text if export else text.replace("export = \n", "")


@pytest.fixture(scope="module")
def collector():
    c = Collector()
    yield c
    c.close()


@pytest.fixture
def own_collector():
    """Of one test: what others export is not in it."""
    c = Collector()
    yield c
    c.close()


@pytest.fixture(scope="module")
def origins(shared_origin):
    return (shared_origin(), shared_origin(lambda conn, _: conn.send(
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
            shared_origin(lambda *_: False))


@pytest.fixture(scope="module")
def gh(shared_gatehouse, collector, origins):
    return shared_gatehouse(ini(), **names(collector, origins))


def names(collector, origins):
    return {"export": collector.url, **dict(
        zip(("good", "bad", "cut"), (o.address for o in origins)))}


def ask(gh, path, *lines, status=200):
    with gh.client() as c:
        extra = b"".join(line.encode("latin-1") + b"\r\n" for line in lines)
        assert c.get(path, extra=extra).status == status


def told(origin, path):
    """What the origin was told with its last request for a path: (trace, span,
    flags), and tracestate."""
    request, = [r for r in origin.requests if r.target == path]
    value, = request.all("traceparent")
    state = request.all("tracestate")
    found = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])", value)
    assert found, value
    return (*found.groups(), state)


def test_a_trace_goes_on(gh, collector, origins):
    """Level 2, 3.2 and 3.3: the id stays, the parent is the try's span, whose
    parent is the exchange's, whose parent is the client's; logs have both."""
    ask(gh, "/a?secret=1", f"traceparent: {GOOD}",
        "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "tracestate: x@y=1", "User-Agent: test")
    trace, parent, flags, state = told(origins[0], "/a?secret=1")
    server, client = collector.trace(TRACE, 2)
    assert trace == TRACE and parent == client.id and flags == "01"
    assert ",".join(state) == \
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,x@y=1"
    assert (client.kind, client.parent) == ("client", server.id)
    assert (server.kind, server.parent) == ("server", PARENT)
    assert server.begin <= client.begin <= client.end <= server.end
    assert server.name == "GET" and not server.has_failed
    got = server.attributes
    assert got.pop("gatehouse.request_id")
    assert got == {
        "http.request.method": "GET", "url.scheme": "http", "url.path": "/a",
        "server.address": "test", "client.address": "127.0.0.1",
        "user_agent.original": "test", "network.protocol.version": "1.1",
        "gatehouse.site": "shop", "http.response.status_code": 200}
    host, port = origins[0].address.split(":")
    assert client.attributes == {
        "http.request.method": "GET", "server.address": host,
        "server.port": int(port), "http.response.status_code": 200,
        "url.full": f"http://{origins[0].address}/a"}
    assert collector.resources[0]["service.name"] == "gatehouse"
    until(lambda: f"/a {TRACE} {server.id}\n" in
          (gh.dir / "access.log").read_text())


@pytest.mark.parametrize("lines", [
    [],
    ["traceparent: "],
    [f"traceparent: {GOOD}", f"traceparent: {GOOD}"],
    [f"traceparent: {GOOD}, {GOOD}"],
    [f"traceparent: {GOOD.upper()}"],
    [f"traceparent: ff{GOOD[2:]}"],
    [f"traceparent: {GOOD}-00"],
    [f"traceparent: 01{GOOD[2:]}.00"],
    [f"traceparent: 00-{'0' * 32}-{PARENT}-01"],
    [f"traceparent: 00-{TRACE}-{'0' * 16}-01"],
    [f"traceparent: {GOOD[:-1]}"],
    [f"traceparent: {GOOD[:-2]}0g"],
    ["traceparent: " + "0" * 4000],
    ["traceparent: 00-\xff\xfe" + GOOD[5:]],
], ids=range(14))
def test_what_is_no_parent_begins_a_trace(gh, origins, lines, request):
    """3.2.2, 3.2.4, 3.3: refused whole, with the tracestate that came along."""
    path = f"/bad/{request.node.callspec.id}"
    ask(gh, path, *lines, "tracestate: a=1")
    trace, _, flags, state = told(origins[0], path)
    assert trace != TRACE and flags == "03" and state == []


@pytest.mark.parametrize("parent, state, is_passed", [
    (f"cc{GOOD[2:]}", "a=1", True),
    (f"cc{GOOD[2:]}-what-comes-later", "a=1", True),
    (GOOD, "a=1,,b=2", True),
    (GOOD, ",".join(f"k{i}=v" for i in range(32)), True),
    (GOOD, ",".join(f"k{i}=v" for i in range(33)), False),
    (GOOD, "a=1,a=2", False),
    (GOOD, "A=1", False),
    (GOOD, "a=1=2", False),
    (GOOD, "a=" + "x" * 257, False),
    (GOOD, "a\xe9=1", False),
    (GOOD, "nothing", False),
    (GOOD, ",".join(f"k{i}=" + "v" * 99 for i in range(6)), False),
], ids=range(12))
def test_tracestate_goes_on_when_it_is_one(gh, origins, parent, state,
                                           is_passed, request):
    """3.2.4: later versions are read as this one; 3.3.1: a list that breaks its
    grammar goes, and the trace goes on."""
    path = f"/state/{request.node.callspec.id}"
    ask(gh, path, f"traceparent: {parent}", f"tracestate: {state}")
    trace, _, _, passed = told(origins[0], path)
    assert trace == TRACE
    assert passed == ([state] if is_passed else [])


def test_each_try_has_a_span(gh, collector, origins):
    """Each server is told the span of its own try."""
    ask(gh, "/twice", f"traceparent: 00-{'1' * 32}-{PARENT}-00")
    server, first, second = collector.trace("1" * 32, 3)
    assert [told(o, "/twice")[1] for o in (origins[1], origins[0])] == \
        [first.id, second.id]
    assert server.name == "GET /twice"
    assert server.attributes["http.route"] == "/twice"
    assert first.has_failed and not second.has_failed
    assert first.attributes["http.response.status_code"] == 503
    assert first.attributes["error.type"] == "503"
    assert second.attributes["http.request.resend_count"] == 1
    assert first.parent == second.parent == server.id


HEDGED = """
[route shop /hedged]
upstream = twins
[upstream twins]
server = {one}
server = {other}
hedge = 10ms max=100%
"""


@pytest.mark.parametrize("winner", [0, 1])
def test_the_slower_of_two_tries_is_no_failure(gatehouse, own_collector,
                                               origins, origin, winner):
    """resilience.md, `hedge`: nobody has left, and no server has failed."""
    held = []
    twins = [origin(lambda conn, _: held.append(conn)) for _ in range(2)]
    gh = gatehouse(ini() + HEDGED, **names(own_collector, origins),
                   one=twins[0].address, other=twins[1].address)
    trace = f"{winner + 1:032x}"
    with gh.client() as c:
        c.send(b"GET /hedged HTTP/1.1\r\nHost: test\r\n"
               b"traceparent: 00-%s-%s-01\r\n\r\n" %
               (trace.encode(), PARENT.encode()))
        until(lambda: len(held) == 2)
        held[winner].send(OK)
        assert c.response().status == 200
    server, *tries = own_collector.trace(trace, 3)
    assert not server.has_failed and {t.parent for t in tries} == {server.id}
    assert not any(t.has_failed or "error.type" in t.attributes for t in tries)
    assert [t.attributes.get("http.response.status_code") for t in tries] == \
        [200 if i == winner else None for i in range(2)]
    assert [t.attributes.get("gatehouse.hedge") for t in tries] == \
        [None if i == winner else "lost" for i in range(2)]


def test_what_fails_says_why(gh, collector):
    """Semantic conventions for HTTP: error.type, and the status of the span."""
    ask(gh, "/cut", f"traceparent: 00-{'2' * 32}-{PARENT}-00", status=502)
    server, client = collector.trace("2" * 32, 2)
    assert server.has_failed and client.has_failed
    assert client.attributes["error.type"] == "origin_reset"
    assert "http.response.status_code" not in client.attributes
    assert server.attributes["http.response.status_code"] == 502


def test_texts_of_clients_are_text(gh, collector):
    """What is no UTF-8, and what could break JSON, arrives as text; a method
    that is none does not become a name."""
    with gh.client() as c:
        c.send(b"BR\"EW /here/%22\xc3 HTTP/1.1\r\nHost: test\r\n"
               b"traceparent: 00-" + b"3" * 32 + b"-" + PARENT.encode() +
               b"-00\r\n\r\n")
        c.response()
    ask(gh, "/here/%22%0a", f"traceparent: 00-{'4' * 32}-{PARENT}-00",
        "User-Agent: \"\\\xff\xc3\xa9" + "y" * 500)
    span, = collector.trace("4" * 32, 1)
    assert span.attributes["url.path"].startswith('/here/')
    assert span.attributes["user_agent.original"].startswith(
        '\\x22\\x5c\\xff')
    with gh.client() as c:
        c.get("/here", method="BREW", extra=f"traceparent: 00-{'5' * 32}-"
              f"{PARENT}-00\r\n".encode())
    span, = collector.trace("5" * 32, 1)
    assert span.name == "HTTP /here"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"


def numbers(gh):
    got = admin.status(gh)["counters"]
    return [got[f"spans{word}_total"] for word in ("", "_sent", "_dropped")]


def flood(gh, n):
    """n requests on one connection, and their answers."""
    with gh.client() as c:
        c.send(b"GET /here HTTP/1.1\r\nHost: test\r\n\r\n" * n)
        for _ in range(n):
            assert c.response().status == 200


def complaints(gh):
    return (gh.dir / "error.log").read_text().count("spans are not taken")


def settled(gh):
    """All are accounted for: sent or dropped."""
    until(lambda: numbers(gh)[0] == sum(numbers(gh)[1:]))
    return numbers(gh)


def test_a_slow_collector_costs_spans_only(gh, collector):
    """The ring takes 2048; who is over it is counted, and no request waits."""
    made_before, _, before = settled(gh)
    collector.gate.clear()
    flood(gh, 3500)
    until(lambda: numbers(gh)[0] == made_before + 3500)
    collector.gate.set()
    made, sent, dropped = settled(gh)
    assert 3500 - 2048 - 2 * 512 <= dropped - before <= 3500 - 2048
    # one that is too slow for a batch gets it twice
    assert sent == len({s.id for s in collector.spans})
    assert made == sent + dropped


def test_a_collector_that_refuses_costs_spans_only(gh, collector):
    """OTLP/HTTP, "Failures": a refusal is final; what a partial success left out
    is counted; both are told once."""
    _, sent, before = settled(gh)
    told_before = complaints(gh)
    collector.answer = (400, b"no")
    flood(gh, 20)
    assert settled(gh)[1:] == [sent, before + 20]
    collector.answer = (200, b'{"partialSuccess":{"rejectedSpans":"3"}}')
    flood(gh, 20)
    assert settled(gh)[1:] == [sent + 17, before + 23]
    collector.answer = (200, b"{}")
    assert complaints(gh) == told_before + 1
    text = (gh.dir / "error.log").read_text()
    assert "status=400" in text and "spans are taken again" in text


def test_a_dead_collector_gets_spans_when_it_is_back(gh, collector):
    """A batch is sent again."""
    _, sent, before = settled(gh)
    told_before = complaints(gh)
    collector.shut()
    flood(gh, 20)
    until(lambda: complaints(gh) == told_before + 1)
    collector.open()
    assert settled(gh)[1:] == [sent + 20, before]


def test_who_is_sampled(gatehouse, collector, origins):
    """`sample` by default, a parent's flag where it is followed; servers are
    told; without an export a client's trace goes on as it came, and off leaves
    all as it is."""
    gh = gatehouse(ini(sample="0%"), **names(collector, origins))
    ask(gh, "/s/1", f"traceparent: 00-{'6' * 32}-{PARENT}-03")
    assert told(origins[0], "/s/1")[::2] == ("6" * 32, "02")
    gh.reload(ini(sample="0%", follow="on"))
    ask(gh, "/s/2", f"traceparent: 00-{'7' * 32}-{PARENT}-00")
    ask(gh, "/s/3", f"traceparent: 00-{'8' * 32}-{PARENT}-01")
    assert told(origins[0], "/s/2")[2] == "00"
    assert told(origins[0], "/s/3")[2] == "01"
    collector.trace("8" * 32, 2)
    assert numbers(gh)[0] == 2
    gh.reload(ini(export=""))
    ask(gh, "/s/4", f"traceparent: {GOOD}")
    assert told(origins[0], "/s/4")[:3] == (TRACE, PARENT, "01")
    ask(gh, "/s/5", "tracestate: a=1")
    assert told(origins[0], "/s/5")[2:] == ("03", [])
    gh.reload(ini(propagate="off", export=""))
    ask(gh, "/s/6", "traceparent: 00-x", "tracestate: ==")
    last = origins[0].requests[-1]
    assert last.all("traceparent") == ["00-x"]
    assert last.all("tracestate") == ["=="]
    assert numbers(gh)[0] == 2


@pytest.mark.parametrize("text, words", [
    ("http://127.0.0.1:4318/v1/traces", "expected otlp and a URL"),
    ("otlp 127.0.0.1:4318", "expected otlp and a URL"),
    ("otlp https://collector.test/v1/traces", "by http:// alone"),
])
def test_what_is_wrong_is_shown(tmp_path, text, words):
    path = tmp_path / "x.ini"
    path.write_text(f"[tracing]\nexport = {text}\n[site s]\nrespond = 200 x\n")
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert f"x.ini:2:10: error: " in done.stderr and words in done.stderr


def test_what_is_left_at_the_end_is_sent(gatehouse, own_collector, origins):
    """OpenTelemetry, "Shutdown": what was recorded is exported; a collector that
    does not answer holds nothing up for long."""
    gh = gatehouse(ini(), **names(own_collector, origins))
    flood(gh, 100)
    assert gh.stop() == 0
    assert len(own_collector.spans) == 100
    gh = gatehouse(ini(), **names(own_collector, origins))
    own_collector.gate.clear()
    flood(gh, 1)
    began = time.monotonic()
    assert gh.stop() == 0
    assert time.monotonic() - began < 5
