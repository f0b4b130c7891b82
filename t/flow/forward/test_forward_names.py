"""A name is asked for once, believed as long as it says, and what was judged is
what is connected to."""
import threading

from lib.dns import NOERROR, SERVFAIL, Dns, answer, question
from lib.origin import Origin


def test_a_name_is_asked_for_once(proxy, origin):
    """By many who wait for it, and again when its time is over."""
    o = origin()
    gate = threading.Event()

    def slow(query):
        gate.wait(10)
        return answer(query, ["127.0.0.1"], ttl=600)

    p = proxy(dns=Dns(script=slow))
    clients = [p.client() for _ in range(8)]
    for c in clients:
        c.send(b"GET http://a.test:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % o.port)
    p.dns.wait_asked(1)
    gate.set()
    for c in clients:
        assert c.response().text == "ok"
        c.close()
    assert p.get(f"http://a.test:{o.port}/").text == "ok"
    assert sorted(p.dns.asked) == [("a.test", 1), ("a.test", 28)]


def test_a_name_without_lifetime_is_asked_for_again(proxy, origin):
    """And leads where it says then; connections of before serve nobody else."""
    a = origin()
    p = proxy(dns=Dns({"a.test": ["127.0.0.1"]}, ttl=0))
    b = Origin(host="127.0.0.2", port=a.port)
    try:
        assert p.get(f"http://a.test:{a.port}/").text == "ok"
        p.dns.zone["a.test"] = ["127.0.0.2"]
        while not b.requests:
            assert p.get(f"http://a.test:{a.port}/").text == "ok"
        seen = len(a.requests)
        assert p.get(f"http://a.test:{a.port}/").text == "ok"
        assert len(a.requests) == seen
    finally:
        b.close()


def test_what_is_judged_is_connected_to(proxy, origin):
    """DNS rebinding: a name that leads to the internet first and inside at once
    after it is asked for once; a name that leads inside is refused, in whatever
    company of cut, empty or wrong answers."""
    o = origin()
    asked = []

    def rebind(query):
        name, kind, _ = question(query)
        asked.append((name, kind))
        first = asked.count((name, kind)) == 1
        return answer(query, ["192.0.2.1" if first else "127.0.0.1"], ttl=0)

    p = proxy("connect_timeout = 100ms", dns=Dns(script=rebind),
              is_open=False)
    assert p.get(f"http://a.test:{o.port}/").status == 403
    for _ in range(3):
        assert p.get(f"http://a.test:{o.port}/").status == 403
    assert not o.conns


def test_names_that_lead_nowhere(proxy):
    def script(query):
        name = question(query)[0]
        if name == "fails.test":
            return answer(query, rcode=SERVFAIL)
        if name == "empty.test":
            return answer(query, rcode=NOERROR)
        return Dns().plain(query) if name != "mute.test" else None

    p = proxy(dns=Dns(script=script))
    for name, status, fault in (("none.test", 502, "origin_name"),
                                ("fails.test", 502, "origin_name"),
                                ("empty.test", 502, "origin_name")):
        assert p.get(f"http://{name}/").status == status
        assert p.get(f"http://{name}/").status == status
        assert p.lines()[-1].split()[1] == fault
    # a name that is not there is believed to be so for a moment
    assert [q[0] for q in p.dns.asked].count("none.test") == 2


def test_the_search_list_makes_no_other_name(proxy):
    """`intranet` is not intranet.example.com to strangers."""
    p = proxy()
    assert p.get("http://intranet/").status == 502
    assert {name for name, _ in p.dns.asked} == {"intranet"}


def test_all_addresses_are_tried(proxy, origin):
    """One that refuses says nothing of the next."""
    o = origin()
    p = proxy(zone={"a.test": ["127.0.0.3", "127.0.0.2", "127.0.0.1"]})
    for _ in range(3):
        assert p.get(f"http://a.test:{o.port}/").text == "ok"
    c, got = p.connect(f"a.test:{o.port}")
    c.close()
    assert got.status == 200
