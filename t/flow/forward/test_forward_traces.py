"""Spans of a forward proxy ([tracing]): of each request and tunnel; servers of the
internet are told of no trace."""
import pytest

from lib.origin import ok
from lib.otlp import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
GOOD = f"00-{TRACE}-b7ad6b7169203331-01"
TRACING = """
[tracing]
propagate = w3c
sample = 100%%
export = otlp %s
"""


@pytest.fixture
def collector():
    c = Collector()
    yield c
    c.close()


def test_requests_and_tunnels_have_spans(proxy, origin, collector):
    o = origin(lambda conn, request: conn.send(ok(b"there")))
    p = proxy(zone={"a.test": ["127.0.0.1"]}, more=TRACING % collector.url)
    there = f"a.test:{o.port}"
    assert p.get(f"http://{there}/x").body == b"there"
    assert p.get(f"http://{there}/y", f"traceparent: {GOOD}").status == 200
    c, answer = p.connect(there)
    assert answer.status == 200
    with c:
        c.send(b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().body == b"there"
    assert [r.all("traceparent") for r in o.requests] == [[], [GOOD], []]
    tunnel = collector.wait(lambda spans: next(
        (s.trace for s in spans if s.name == "CONNECT"), None))
    for name, trace in (("GET", TRACE), ("CONNECT", tunnel)):
        server, client = collector.trace(trace, 2)
        assert (server.kind, client.kind) == ("server", "client")
        assert client.parent == server.id
        assert server.name == name
        assert server.attributes["server.address"] == "a.test"
        assert server.attributes["http.response.status_code"] == 200
        assert not server.has_failed
