"""Servers that are services: SRV records tell where they are (RFC 2782)."""
import collections
import struct
import time

import pytest

from lib.dns import A, AAAA, NXDOMAIN, SERVFAIL, SRV, answer, question, srv
from lib.dns import wire_name
from lib.gatehouse import free_port, run
from lib.procs import until

SERVICE = "_http._tcp.app.test"


def start(front, dns, upstream="keepalive = 0", server=SERVICE, **sections):
    return front([server], upstream=upstream,
                 **{"global": f"dns_servers = {dns.address}", **sections})


def get(gh, path="/"):
    with gh.client() as c:
        return c.get(path)


def texts(gh, n):
    return collections.Counter(get(gh).text for _ in range(n))


@pytest.fixture
def ports(named):
    """{text: port} of three origins."""
    return {text: named(text.encode()).port for text in "abc"}


def zone(*records, **hosts):
    """The service, and its targets on the loopback unless said."""
    found = {SERVICE: list(records), "one.test": ["127.0.0.1"],
             "two.test": ["127.0.0.1"]}
    found.update({f"{name}.test": addrs for name, addrs in hosts.items()})
    return found


def test_a_service(front, dns, named):
    """RFC 2782: the record tells the port and the target, which is looked up
    as a name is."""
    o = named(b"ok")
    d = dns(zone(srv(o.port, "one.test")))
    gh = start(front, d)
    assert get(gh).text == "ok"
    assert sorted(d.asked) == [(SERVICE, SRV), ("one.test", A),
                               ("one.test", AAAA)]
    assert gh.log()[0]["server"] == SERVICE


def test_an_answer_is_kept_for_its_least_ttl(front, dns, named):
    """RFC 2782, RFC 1035 3.2.1: many requests, one lookup of each name; the
    record's own time counts, not only that of the addresses."""
    old, new = named(b"old"), named(b"new")
    d = dns(zone(srv(old.port, "one.test")))
    gh = start(front, d)
    assert texts(gh, 10) == {"old": 10}
    assert len(d.asked) == 3

    def short(query):
        name = question(query)[0]
        return answer(query, d.zone.get(name, ()),
                      ttl=1 if name == SERVICE else 3600)
    d.script = short
    d.zone[SERVICE] = [srv(old.port, "one.test")]
    other = start(front, d)
    assert get(other).text == "old"
    d.zone[SERVICE] = [srv(new.port, "one.test")]
    until(lambda: get(other).text == "new", what="the new record")
    # the first one was told 60 s
    assert get(gh).text == "old"


def test_targets_share_by_weight(front, dns, ports):
    """RFC 2782: weights are shares of the new connections, exactly."""
    d = dns(zone(srv(ports["a"], "one.test", weight=3),
                 srv(ports["b"], "two.test", weight=1),
                 srv(ports["c"], "one.test", weight=0)))
    assert texts(start(front, d), 16) == {"a": 12, "b": 4}


def test_weights_are_shares_of_requests(front, dns, ports):
    """RFC 2782: pooled connections change nothing about them; each target
    keeps its own."""
    d = dns(zone(srv(ports["a"], "one.test", weight=3),
                 srv(ports["b"], "two.test", weight=1)))
    gh = start(front, d, "keepalive = 8")
    with gh.client() as c:
        assert collections.Counter(
            c.get().text for _ in range(16)) == {"a": 12, "b": 4}


def test_no_weights_are_equal_shares(front, dns, ports):
    """RFC 2782: weight 0 for all where nothing is to be weighed."""
    d = dns(zone(*(srv(port, "one.test") for port in ports.values())))
    assert texts(start(front, d), 12) == {"a": 4, "b": 4, "c": 4}


def test_a_higher_priority_is_for_when_the_lower_is_down(
        front, dns, ports):
    """RFC 2782: those of the lowest priority that can be reached; no client
    sees those that cannot."""
    d = dns(zone(srv(free_port(), "one.test", priority=1),
                 srv(ports["b"], "two.test", priority=2),
                 srv(ports["c"], "one.test", priority=3)))
    gh = start(front, d)
    assert texts(gh, 6) == {"b": 6}
    assert {line["fault"] for line in gh.log(6)} == {"-"}


def test_a_target_that_is_down_is_not_tried_each_time(front, dns, ports):
    """One that did not answer comes last for a while: the requests that
    follow do not wait for it."""
    d = dns(zone(srv(free_port(), "one.test", priority=1),
                 srv(ports["b"], "two.test", priority=2),
                 srv(ports["c"], "two.test", priority=3)))
    gh = start(front, d)
    assert texts(gh, 6) == {"b": 6}
    assert [line["tries"] for line in gh.log(6)] == ["2"] + 5 * ["1"]


def test_records_change_the_servers_without_a_reload(front, dns, ports):
    """RFC 2782: added, removed, and the pool follows: a connection to a port
    that is gone is not used again, one that stays is."""
    d = dns(zone(srv(ports["a"], "one.test")), ttl=1)
    gh = start(front, d, "")
    with gh.client() as c:
        assert c.get().text == "a"
        d.zone[SERVICE] = [srv(ports["b"], "one.test")]
        until(lambda: c.get().text == "b", what="the other port")
        assert {c.get().text for _ in range(10)} == {"b"}


def test_a_target_that_is_unknown_is_left_out(front, dns, ports):
    """RFC 2782: the other targets serve, and what was missing comes soon,
    though the records live long."""
    d = dns(zone(srv(ports["a"], "one.test"), srv(ports["b"], "new.test")),
            ttl=3600)
    gh = start(front, d)
    assert texts(gh, 6) == {"a": 6}
    d.zone["new.test"] = ["127.0.0.1"]
    until(lambda: get(gh).text == "b", what="the other target")


@pytest.mark.parametrize("first", [
    [], [srv(0, ".")], [srv(0, "one.test")], [srv(80, "none.test")],
    [srv(80, SERVICE)]],
    ids=["none", "not offered", "port 0", "target unknown", "itself"])
def test_no_server_at_the_start(front, dns, ports, first):
    """RFC 2782: a service without a server is 502, and heals."""
    d = dns(zone(*first))
    gh = start(front, d)
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.zone[SERVICE] = [srv(ports["a"], "one.test")]
    until(lambda: get(gh).text == "a", what="the service")


@pytest.mark.parametrize("rcode", [SERVFAIL, NXDOMAIN])
def test_name_server_fails_at_the_start(front, dns, ports, rcode):
    """RFC 1035 4.1.1: 502, and heals."""
    d = dns(zone(srv(ports["a"], "one.test")),
            script=lambda q: answer(q, rcode=rcode))
    gh = start(front, d)
    assert get(gh).status == 502
    d.script = None
    until(lambda: get(gh).text == "a", what="the service")


def test_old_records_serve_while_name_servers_fail(front, dns, ports):
    """RFC 8767 5: SERVFAIL says nothing about the service."""
    d = dns(zone(srv(ports["a"], "one.test")), ttl=1)
    gh = start(front, d)
    assert get(gh).text == "a"
    d.script = lambda query: answer(query, rcode=SERVFAIL)
    n = len(d.asked)
    until(lambda: get(gh).text == "a" and len(d.asked) >= n + 2)
    assert {line["fault"] for line in gh.log()} == {"-"}


def test_answer_over_tcp(front, dns, ports):
    """RFC 1035 4.2.1: records that do not fit into a datagram."""
    d = dns(zone(*(srv(ports["a"], "one.test") for _ in range(60))),
            is_cut=True)
    assert texts(start(front, d), 3) == {"a": 3}


def test_a_certificate_is_for_the_domain(front, dns, tls_origin, ca):
    """RFC 9525 6.1: of a service that was asked for, not of a target that a
    name server told."""
    good = tls_origin(pem=ca.make("service", "app.test"))
    bad = tls_origin(pem=ca.make("target", "one.test"))
    d = dns({f"_{name}._tcp.app.test": [srv(o.port, "one.test")]
             for name, o in (("good", good), ("bad", bad))})
    d.zone["one.test"] = ["127.0.0.1"]
    gh = start(front, d, f"ca = {ca.pem}", "https://_good._tcp.app.test")
    assert get(gh).text == "ok"
    assert good.shakes[0]["sni"] == "app.test"
    gh = start(front, d, f"ca = {ca.pem}", "https://_bad._tcp.app.test")
    assert get(gh).status == 502


def test_http2_servers(front, dns, h2_origin):
    """RFC 2782: the wire is the upstream's business."""
    a, b = h2_origin(), h2_origin()
    d = dns(zone(srv(a.port, "one.test")), ttl=1)
    gh = start(front, d, "protocol = h2")
    assert texts(gh, 3) == {"ok": 3}
    d.zone[SERVICE] = [srv(b.port, "one.test")]
    until(lambda: get(gh).text == "ok" and b.requests, what="the other port")
    n = len(a.requests)
    assert texts(gh, 5) == {"ok": 5}
    assert len(a.requests) == n


def test_explain_says_that_it_is_a_service(front, dns):
    """A dry run asks no name server."""
    d = dns(zone(srv(80, "one.test")))
    gh = start(front, d)
    until(lambda: len(d.asked) == 3, what="the questions of the steward")
    said = run("explain", "-c", gh.ini, "GET", "http://test/").stdout
    assert f"{SERVICE}, a service" in said
    assert len(d.asked) == 3


def test_stop_while_targets_are_looked_up(front, dns):
    """A pending question keeps nobody from ending."""
    d = dns(zone(srv(80, "one.test")))
    d.script = lambda q: d.plain(q) if question(q)[1] == SRV else None
    gh = start(front, d, "connect_timeout = 1m",
               **{"global": f"dns_servers = {d.address}\n"
                  "shutdown_timeout = 100ms"})
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        d.wait_asked(3)
        assert gh.stop() == 0


def test_checks_know_services(front, dns, named):
    """The steward finds the service's server at the same place."""
    down, o = free_port(), named(b"ok")
    d = dns(zone(srv(down, "one.test")), ttl=1)
    gh = start(front, d, "health_check = tcp interval=100ms rise=1 fall=1\n"
               "panic = 0%\nconnect_timeout = 100ms")
    until(lambda: get(gh).status == 503, what="a server that is known as down")
    d.zone[SERVICE] = [srv(o.port, "one.test")]
    until(lambda: get(gh).text == "ok", what="its return")


def _srv_reply(data, ttl=b"\0\0\0\x3c"):
    def make(query):
        name, kind, end = question(query)
        if kind != SRV:
            return answer(query, ["127.0.0.1"])
        return query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + \
            query[12:end] + b"\xc0\x0c" + struct.pack(">HH", SRV, 1) + ttl + \
            struct.pack(">H", len(data)) + data
    return make


def _alias(query):
    """A name that is an alias of itself."""
    _, kind, end = question(query)
    return query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + \
        query[12:end] + b"\xc0\x0c" + \
        struct.pack(">HHIH", 5, 1, 60, 2) + b"\xc0\x0c"


HEAD = struct.pack(">HHH", 0, 0, 80)
MALFORMED = {
    "no data": _srv_reply(b""),
    "half a record": _srv_reply(HEAD[:5]),
    "a target that points at itself": lambda q: _srv_reply(
        HEAD + struct.pack(">H", 0xc000 | (question(q)[2] + 18)))(q),
    "a pointer over the end": _srv_reply(HEAD + b"\xff\xff"),
    "a label of another kind": _srv_reply(HEAD + b"\x41a\0"),
    "a target without its end": _srv_reply(HEAD + b"\3one"),
    "bytes behind the target": _srv_reply(HEAD + wire_name("one.test") + b"x"),
    "a target with a blank": _srv_reply(HEAD + wire_name("o e.test")),
    "a target too long": _srv_reply(HEAD + (b"\x3f" + b"a" * 63) * 4 + b"\0"),
    "an alias of itself": _alias,
    "an address": lambda q: answer(q, ["127.0.0.1"]),
    "cut": lambda q: _srv_reply(HEAD + wire_name("one.test"))(q)[:-3],
    "another name": lambda q: _srv_reply(HEAD + wire_name("one.test"))(
        q).replace(b"\3app", b"\3bad"),
    "another id": lambda q: bytes([q[0] ^ 1]) + _srv_reply(
        HEAD + wire_name("one.test"))(q)[1:],
    "noise": lambda q: q[:2] + b"\x81\x80" + bytes(
        (7 * i) & 255 for i in range(500)),
}


def test_malformed_answers(front, dns, ports):
    """RFC 1035 4.1, RFC 2782: what is no answer is 502 (or waited out), and
    nothing worse: the same worker serves when the name server has recovered."""
    names = {f"_m{i}._tcp.app.test": how for i, how in enumerate(MALFORMED)}
    d = dns({"one.test": ["127.0.0.1"],
             **{name: [srv(ports["a"], "one.test")] for name in names}})
    d.script = lambda q: MALFORMED[names[question(q)[0]]](q) \
        if question(q)[0] in names else d.plain(q)
    gh = front([SERVICE], **{"global": f"dns_servers = {d.address}"},
               site="\n".join(f"""
[route test /{name}]
upstream = u{i}
[upstream u{i}]
server = {name}
connect_timeout = 100ms""" for i, name in enumerate(names)))
    workers = until(gh.workers)
    for name, how in names.items():
        assert get(gh, f"/{name}").status == 502, how
    assert {line["fault"] for line in gh.log(len(names))} == {"origin_name"}
    d.script = None
    for name, how in names.items():
        until(lambda n=name: get(gh, f"/{n}").text == "a", what=how)
    assert gh.workers() == workers


@pytest.mark.parametrize("ttl", [b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_a_lifetime_that_is_none(front, dns, named, ttl):
    """RFC 2181 8: above 2^31 it is 0: asked again soon, but not for each
    request."""
    old, new = named(b"old"), named(b"new")
    port = [old.port]

    def script(query):
        return _srv_reply(struct.pack(">HHH", 0, 0, port[0]) +
                          wire_name("one.test"), ttl)(query)
    d = dns(script=script)
    gh = start(front, d)
    began = time.monotonic()
    assert texts(gh, 5) == {"old": 5}
    port[0] = new.port
    until(lambda: get(gh).text == "new", what="the move")
    assert len(d.asked) <= 3 * (2 + time.monotonic() - began)


def test_resolve_is_sooner_than_the_lifetime(front, dns, named):
    """`resolve =`: an answer is believed no longer than it says."""
    old, new = named(b"old"), named(b"new")
    d = dns(zone(srv(old.port, "one.test")), ttl=3600)
    gh = start(front, d, server=f"{SERVICE} resolve=1s")
    assert get(gh).text == "old"
    d.zone[SERVICE] = [srv(new.port, "one.test")]
    until(lambda: get(gh).text == "new", what="the move")
