"""Servers that are names: looked up at run time, again when the answer's time
is over."""
import collections
import struct
import threading
import time

import pytest

from lib.dns import A, AAAA, CNAME, SERVFAIL, answer, bind_udp, question
from lib.gatehouse import free_port
from lib.procs import until
from lib.wire import WAIT_S

NAME = "app.test"


def get(gh, path="/"):
    with gh.client() as c:
        return c.get(path)


def start(front, dns, port, upstream="", **sections):
    """In front of app.test:port, looked up at that name server."""
    return front([f"{NAME}:{port}"], upstream=upstream,
                 **{"global": f"dns_servers = {dns.address}", **sections})


def later(seconds):
    """Let time pass."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def heals(gh, text="ok"):
    until(lambda: get(gh).text == text, what="an answer of the server")


def test_a_name(front, dns, named):
    """RFC 1035 3.4.1: its A record; both families are asked for."""
    o = named(b"ok")
    d = dns({NAME: ["127.0.0.1"]})
    gh = start(front, d, o.port)
    assert get(gh).text == "ok"
    assert sorted(d.asked) == [(NAME, A), (NAME, AAAA)]
    assert gh.log()[0]["server"] == f"{NAME}:{o.port}"
    assert o.requests[0].get("host") == "test"


def test_a_name_with_ipv6_only(front, dns, named):
    """RFC 3596 2.2: its AAAA record."""
    o = named(b"six", host="::1")
    assert get(start(front, dns({NAME: ["::1"]}), o.port)).text == "six"


def test_an_answer_is_kept_for_its_ttl(front, dns, named):
    """RFC 1035 3.2.1: many requests, one lookup."""
    d = dns({NAME: ["127.0.0.1"]}, ttl=60)
    gh = start(front, d, named(b"ok").port, "keepalive = 0")
    for _ in range(20):
        assert get(gh).text == "ok"
    assert len(d.asked) == 2


def test_all_addresses_take_turns(front, dns, named):
    """Several A records: connections go around."""
    a = named(b"a")
    for i, text in enumerate([b"b", b"c"], 2):
        named(text, host=f"127.0.0.{i}", port=a.port)
    d = dns({NAME: ["127.0.0.1", "127.0.0.2", "127.0.0.3"]})
    gh = start(front, d, a.port, "keepalive = 0")
    got = collections.Counter(get(gh).text for _ in range(12))
    assert got == {"a": 4, "b": 4, "c": 4}


@pytest.mark.parametrize("dead, retry", [
    ("127.0.0.9", "connect"), ("::1", "none")])
def test_a_dead_address_is_passed_over(front, dns, named, dead, retry):
    """RFC 1123 6.1.3.4: the other addresses of a name are tried, and no
    client sees the dead one; of both families of one host not even with
    retry = none, for it is the same server."""
    d = dns({NAME: [dead, "127.0.0.1"]})
    gh = start(front, d, named(b"ok").port, f"keepalive = 0\nretry = {retry}")
    assert {get(gh).text for _ in range(6)} == {"ok"}
    assert {line["tries"] for line in gh.log(6)} == {"1", "2"}


def test_all_addresses_dead(front, dns):
    """RFC 1123 6.1.3.4: each address was tried once, and again after each
    pause."""
    d = dns({NAME: ["127.0.0.1", "127.0.0.2", "::1"]})
    gh = start(front, d, free_port(), "connect_timeout = 100ms")
    assert get(gh).status == 502
    assert gh.log()[0]["fault"] == "origin_connect"
    assert int(gh.log()[0]["tries"]) % 3 == 0


def test_the_next_server_after_dead_addresses(front, dns, named):
    """RFC 9110 9.2.2: nothing was sent, so another server may be asked."""
    d = dns({NAME: ["127.0.0.2", "127.0.0.3"]})
    o = named(b"other")
    gh = front([f"{NAME}:{o.port}", o],
               **{"global": f"dns_servers = {d.address}"})
    assert [get(gh).text for _ in range(4)] == ["other"] * 4


def test_more_addresses_than_are_kept(front, dns, named):
    """A long answer is bounded, and serves."""
    d = dns({NAME: ["127.0.0.1"] * 50}, is_cut=True)
    assert get(start(front, d, named(b"ok").port)).text == "ok"


def test_unknown_at_the_start(front, dns, named):
    """RFC 1035 4.1.1: NXDOMAIN is 502; the start does not depend on it, and
    when the name comes up it serves."""
    d = dns()
    gh = start(front, d, named(b"ok").port)
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.zone[NAME] = ["127.0.0.1"]
    heals(gh)


def test_name_server_fails_at_the_start(front, dns, named):
    """RFC 1035 4.1.1: SERVFAIL is 502, and heals."""
    d = dns({NAME: ["127.0.0.1"]},
            script=lambda q: answer(q, rcode=SERVFAIL))
    gh = start(front, d, named(b"ok").port)
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.script = None
    heals(gh)


def test_name_without_addresses(front, dns, named):
    """RFC 2308 2.2: a name that has no address is 502, and heals."""
    d = dns({NAME: []})
    gh = start(front, d, named(b"ok").port)
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.zone[NAME] = ["127.0.0.1"]
    heals(gh)


def test_silent_name_server(front, dns, named):
    """RFC 1035 4.2.1: no answer is waited for as long as for a connection,
    and the question is asked again."""
    d = dns({NAME: ["127.0.0.1"]}, script=lambda q: None)
    gh = start(front, d, named(b"ok").port, "connect_timeout = 100ms")
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.script = None
    heals(gh)


def test_the_next_server_while_a_name_is_unknown(front, dns, named):
    """RFC 9110 9.2.2: a name that cannot be resolved is a server that cannot
    be connected to."""
    d = dns()
    gh = front(["down.test:80", named(b"up")],
               **{"global": f"dns_servers = {d.address}"})
    assert [get(gh).text for _ in range(4)] == ["up"] * 4


def test_nobody_waits_for_a_name_beside_a_server(front, dns, named):
    """Doc resilience.md: the first answer about it is not there yet."""
    d = dns(script=lambda q: None)
    gh = front(["late.test:80", named(b"up")],
               upstream="connect_timeout = 1h",
               **{"global": f"dns_servers = {d.address}"})
    assert [get(gh).text for _ in range(4)] == ["up"] * 4


def test_a_name_that_is_said_not_to_exist_is_waited_for(front, dns, named):
    """Doc resilience.md: as a server is that cannot be reached."""
    o = named(b"here")
    d = dns()
    gh = start(front, d, o.port, "connect_timeout = 1h")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        n = len(d.asked)
        until(lambda: len(d.asked) > n, what="another question")
        d.zone[NAME] = ["127.0.0.1"]
        assert c.response().text == "here"


def test_the_second_name_server(front, dns, named):
    """dns_servers: the next one is asked when the first says nothing
    useful."""
    bad = dns(script=lambda q: answer(q, rcode=SERVFAIL))
    good = dns({NAME: ["127.0.0.1"]})
    gh = start(front, bad, named(b"ok").port,
               **{"global": f"dns_servers = {bad.address} {good.address}"})
    assert get(gh).text == "ok"
    assert bad.asked and good.asked


def test_a_name_moves_with_its_ttl(front, dns, named):
    """RFC 1035 3.2.1: when the answer's time is over the new one counts, for
    the connections in the pool as well."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({NAME: ["127.0.0.1"]}, ttl=1)
    gh = start(front, d, old.port)
    with gh.client() as c:
        assert c.get().text == "old"
        d.zone[NAME] = ["127.0.0.2"]
        until(lambda: c.get().text == "new", what="the move")
        assert {c.get().text for _ in range(20)} == {"new"}


def test_ttl_of_nothing_is_no_reason_to_keep(front, dns, named):
    """RFC 1035 3.2.1: TTL 0 is for the transaction in progress: asked again
    soon, but not for each request."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({NAME: ["127.0.0.1"]}, ttl=0)
    gh = start(front, d, old.port)
    began = time.monotonic()
    with gh.client() as c:
        assert c.get().text == "old"
        d.zone[NAME] = ["127.0.0.2"]
        until(lambda: c.get().text == "new", what="the move")
    assert len(d.asked) <= 2 * (2 + time.monotonic() - began)


def test_the_least_ttl_of_a_chain(front, dns, named):
    """RFC 1034 3.6.2: a CNAME's time counts as well."""
    def script(query):
        name, kind, end = question(query)
        alias = struct.pack(">HHHIH", 0xc00c, 5, 1, 1, 6) + b"\3own\xc0\x10"
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1,
                                       1 + (kind == A), 0, 0)
        out = head + query[12:end] + alias
        if kind == A:
            own = struct.pack(">H", 0xc000 | (end + 12))
            out += own + struct.pack(">HHIH", A, 1, 3600, 4) + to[0]
        assert name == NAME
        return out

    to = [bytes([127, 0, 0, 1])]
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    gh = start(front, dns(script=script), old.port)
    with gh.client() as c:
        assert c.get().text == "old"
        to[0] = bytes([127, 0, 0, 2])
        until(lambda: c.get().text == "new", what="the move")


def test_an_old_answer_is_not_used_after_a_pause(front, dns, named):
    """RFC 1035 3.2.1: the first request after a pause waits for the new
    answer."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({NAME: ["127.0.0.1"]}, ttl=1)
    gh = start(front, d, old.port)
    assert get(gh).text == "old"
    d.zone[NAME] = ["127.0.0.2"]
    later(2.1)
    assert get(gh).text == "new"


def test_old_addresses_serve_while_name_servers_are_down(front, dns, named):
    """RFC 8767 5: no answer is no reason to stop; only the first request
    waits for one, as long as for a connection."""
    d = dns({NAME: ["127.0.0.1"]}, ttl=1)
    gh = start(front, d, named(b"ok").port,
               "connect_timeout = 200ms\nkeepalive = 0")
    assert get(gh).text == "ok"
    d.script = lambda query: None
    later(2.1)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert get(gh).text == "ok"
    assert len(d.asked) > 2


def test_old_addresses_serve_while_name_servers_fail(front, dns, named):
    """RFC 8767 5: SERVFAIL says nothing about the name."""
    d = dns({NAME: ["127.0.0.1"]}, ttl=1)
    gh = start(front, d, named(b"ok").port, "keepalive = 0")
    assert get(gh).text == "ok"
    d.script = lambda query: answer(query, rcode=SERVFAIL)
    n = len(d.asked)
    until(lambda: get(gh).text == "ok" and len(d.asked) >= n + 4)
    assert {line["fault"] for line in gh.log()} == {"-"}


def test_a_name_that_goes_away(front, dns, named):
    """RFC 8767 4: NXDOMAIN is an answer: the old address is not used any
    more."""
    d = dns({NAME: ["127.0.0.1"]}, ttl=1)
    gh = start(front, d, named(b"ok").port)
    assert get(gh).text == "ok"
    d.zone.clear()
    until(lambda: get(gh).status == 502, what="the end of the name")
    until(lambda: gh.log()[-1]["fault"] == "origin_name",
          what="its line in the log")
    d.zone[NAME] = ["127.0.0.1"]
    heals(gh)


def test_one_question_for_all_who_wait(front, dns, named):
    """Requests that come while the name is looked up wait for one answer."""
    go = threading.Event()
    d = dns({NAME: ["127.0.0.1"]})
    d.script = lambda query: go.wait(WAIT_S) and d.plain(query)
    gh = start(front, d, named(b"ok").port)
    clients = [gh.client() for _ in range(20)]
    for c in clients:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    d.wait_asked(1)
    go.set()
    for c in clients:
        assert c.response().text == "ok"
        c.close()
    assert len(d.asked) == 2


def test_clients_that_leave_while_waiting(front, dns, named):
    """What waits for a name may go away at any time."""
    go = threading.Event()
    d = dns({NAME: ["127.0.0.1"]})
    d.script = lambda query: go.wait(WAIT_S) and d.plain(query)
    gh = start(front, d, named(b"ok").port)
    for _ in range(5):
        with gh.client() as c:
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            d.wait_asked(1)
            c.reset()
    assert len(gh.log(5)) == 5
    go.set()
    heals(gh)


def test_stop_while_a_name_is_looked_up(front, dns):
    """A pending question keeps nobody from ending."""
    d = dns(script=lambda query: None)
    gh = start(front, d, free_port(), "connect_timeout = 1m",
               **{"global": f"dns_servers = {d.address}\n"
                  "shutdown_timeout = 100ms"})
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        d.wait_asked(1)
        assert gh.stop() == 0


def test_slow_names_do_not_block_others(front, dns, named):
    """One loop: who waits for a name server keeps nobody waiting."""
    o = named(b"fast")
    d = dns(script=lambda query: None)
    gh = front([o], **{"global": f"dns_servers = {d.address}"}, site=f"""
[route test /slow]
upstream = slow
[upstream slow]
server = slow.test:{o.port}
connect_timeout = 1m
""")
    clients = [gh.client() for _ in range(10)]
    for c in clients:
        c.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
    d.wait_asked(1)
    for _ in range(100):
        assert get(gh).text == "fast"
    d.zone["slow.test"] = ["127.0.0.1"]
    d.script = None
    for c in clients:
        assert c.response().text == "fast"
        c.close()


def test_answer_over_tcp(front, dns, named):
    """RFC 1035 4.2.1: an answer that was cut is asked for over TCP."""
    d = dns({NAME: ["127.0.0.1"]}, is_cut=True)
    assert get(start(front, d, named(b"ok").port)).text == "ok"


def forged_id(d, query):
    """From the name server's own address, with an id that was not asked."""
    for i in range(1, 50):
        head = (int.from_bytes(query[:2], "big") + i & 0xffff)
        d.sock.sendto(head.to_bytes(2, "big") +
                      answer(query, ["127.0.0.9", "::9"])[2:], d.peer)


def forged_port(d, query):
    """With the right id, from another port of its address."""
    with bind_udp() as other:
        other.sendto(answer(query, ["127.0.0.9", "::9"]), d.peer)


def forged_question(d, query):
    """With the right id, for another name."""
    d.sock.sendto(answer(query, ["127.0.0.9", "::9"]).replace(
        b"\3app", b"\3bad"), d.peer)


@pytest.mark.parametrize("forge", [forged_id, forged_port, forged_question])
def test_forged_answers_are_not_believed(front, dns, named, forge):
    """RFC 5452 9.1: an answer comes from whom was asked, with the id and the
    question; what comes ahead of it and does not is nothing."""
    d = dns({NAME: ["127.0.0.1"]})

    def script(query):
        forge(d, query)
        return d.plain(query)
    d.script = script
    gh = start(front, d, named(b"ok").port)
    assert get(gh).text == "ok"
    assert gh.log()[0]["tries"] == "1"


def test_ids_and_ports_cannot_be_foretold(front, dns, named):
    """RFC 5452 9.2: two that ask for the same draw other ids, from other
    ports."""
    seen = []
    d = dns({NAME: ["127.0.0.1"]})

    def script(query):
        seen.append((query[:2], d.peer[1]))
        return d.plain(query)
    d.script = script
    o = named(b"ok")
    for _ in range(3):
        gh = start(front, d, o.port)
        assert get(gh).text == "ok"
    assert len(seen) == 6
    # two may be the same by chance
    assert len({id for id, _ in seen}) > 4
    assert len({port for _, port in seen}) > 1


def test_ttl_of_a_lifetime_is_none(front, dns, named):
    """RFC 2181 8: above 2^31 it is 0, so that nobody is bound to an answer for
    ever."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({NAME: ["127.0.0.1"]}, ttl=0xffffffff)
    gh = start(front, d, old.port)
    with gh.client() as c:
        assert c.get().text == "old"
        d.zone[NAME] = ["127.0.0.2"]
        until(lambda: c.get().text == "new", what="the move")


def test_a_name_that_comes_and_goes(front, dns, named):
    """RFC 8767 4, RFC 1035 4.1.1: every other answer is NXDOMAIN: served
    while it is there, 502 while it is not, asked at most once a second, and
    the worker is the same."""
    d = dns({NAME: ["127.0.0.1"]}, ttl=0)
    gh = start(front, d, named(b"ok").port, "keepalive = 0")
    workers = until(gh.workers)
    began = time.monotonic()
    for _ in range(2):
        d.zone[NAME] = ["127.0.0.1"]
        heals(gh)
        del d.zone[NAME]
        until(lambda: get(gh).status == 502, what="the end of the name")
    assert len(d.asked) <= 2 * (2 + time.monotonic() - began)
    assert gh.workers() == workers


def _a(query, **kwargs):
    return answer(query, ["127.0.0.1"], **kwargs)


MALFORMED = {
    "nothing but a header": lambda q: q[:2] + b"\x81\x80" + bytes(8),
    "half a header": lambda q: q[:5],
    "another id": lambda q: bytes([q[0] ^ 1]) + _a(q)[1:],
    "another question": lambda q: _a(q).replace(b"\3app", b"\3bad"),
    "cut in the record": lambda q: _a(q)[:-2],
    "more records than told": lambda q: _a(q)[:7] + b"\xff" + _a(q)[8:],
    "a name that points at itself": lambda q: (
        lambda end: _a(q)[:end] + struct.pack(">H", 0xc000 | end) +
        _a(q)[end + 2:])(question(q)[2]),
    "an alias of itself": lambda q: answer(
        q, [(question(q)[1], b"")]).replace(
            struct.pack(">HHHIH", 0xc00c, question(q)[1], 1, 60, 0),
            struct.pack(">HHHIH", 0xc00c, CNAME, 1, 60, 2) + b"\xc0\x0c"),
    "a pointer over the end": lambda q: (
        lambda end: _a(q)[:end] + b"\xff\xff" + _a(q)[end + 2:])(
            question(q)[2]),
    "an address of three bytes": lambda q: answer(q, [(A, b"\x7f\0\0")]),
    "an address of none": lambda q: answer(q, [(A, b""), (AAAA, b"")]),
    "a length over the end": lambda q: _a(q)[:-5] + b"\xff" + _a(q)[-4:],
    "noise": lambda q: q[:2] + bytes((7 * i) & 255 for i in range(500)),
}


@pytest.mark.parametrize("how", MALFORMED)
def test_malformed_answers(front, dns, named, how):
    """RFC 1035 4.1: what is no answer is 502 (or waited out), and nothing
    worse: the same worker serves when the name server has recovered."""
    d = dns({NAME: ["127.0.0.1"]}, script=MALFORMED[how])
    gh = start(front, d, named(b"ok").port, "connect_timeout = 100ms")
    workers = until(gh.workers)
    assert get(gh).status == 502
    assert gh.fault() == "origin_name"
    d.script = None
    heals(gh)
    assert gh.workers() == workers
