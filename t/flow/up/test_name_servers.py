"""Each address of a name, and of each target of a service, is a server of its
own (doc/resilience.md): for balancing, numbers, health; answers change them
without a reload."""
import collections

import pytest

from lib import admin
from lib.dns import srv
from lib.gatehouse import free_port, run
from lib.origin import ok
from lib.procs import until

NAME = "app.test"
USED = 8  # store/spots.h


def start(front, dns, port, upstream="", server=None, **kwargs):
    return front([server or f"{NAME}:{port}"],
                 upstream=f"keepalive = 0\n{upstream}", site=admin.SECTION,
                 **{"global": f"dns_servers = {dns.address}", **kwargs})


def get(gh, path="/", **kwargs):
    with gh.client() as c:
        return c.get(path, **kwargs)


def texts(gh, n, path="/"):
    return collections.Counter(get(gh, path).text for _ in range(n))


def servers(gh):
    """{its addresses: what is told of it}"""
    upstream, = admin.status(gh)["upstreams"]
    return {" ".join(a.rsplit(":", 1)[0] for a in s["at"] or ()): s
            for s in upstream["servers"]}


def healths(gh):
    return {at: s["health"] for at, s in servers(gh).items()}


@pytest.fixture
def hosts(named):
    """The port of three origins on 127.0.0.1 to .3, which tell their number."""
    port = named(b"1").port
    for i in (2, 3):
        named(b"%d" % i, host=f"127.0.0.{i}", port=port)
    return port


def test_numbers_of_each_address(front, dns, hosts):
    """Doc admin.md: each has its own; an answer that changes keeps those of
    the addresses that stay, and so does a reload."""
    d = dns({NAME: ["127.0.0.1", "127.0.0.2"]}, ttl=1)
    gh = start(front, d, hosts)
    assert texts(gh, 8) == {"1": 4, "2": 4}
    assert {at: s["requests"] for at, s in servers(gh).items()} == {
        "127.0.0.1": 4, "127.0.0.2": 4}
    d.zone[NAME] = ["127.0.0.3", "127.0.0.2"]
    until(lambda: get(gh).text == "3", what="the new address")
    found = servers(gh)
    assert set(found) == {"127.0.0.2", "127.0.0.3"}
    assert found["127.0.0.2"]["requests"] >= 4
    assert found["127.0.0.3"]["requests"] == 1
    before = found["127.0.0.2"]["requests"]
    gh.reload(gh.ini.read_text() + "\n[acl none]\nip = 192.0.2.1\n")
    until(lambda: (admin.status(gh)["reload"] or {}).get("generation") == 2)
    assert servers(gh)["127.0.0.2"]["requests"] == before
    assert set(texts(gh, 6)) == {"2", "3"}
    out = admin.cli(gh).stdout
    assert f"{NAME}:{hosts} at 127.0.0.2:{hosts}" in out
    assert "127.0.0.1:" not in out


def test_requests_of_an_address_that_goes_end_there(front, dns, hosts, origin):
    """It drains: what runs goes on, and nothing new comes."""
    held = []
    origin(lambda conn, r: held.append(conn) if r.target == "/held"
           else conn.send(ok(b"9")), host="127.0.0.9", port=hosts)
    d = dns({NAME: ["127.0.0.9"]}, ttl=1)
    gh = start(front, d, hosts)
    with gh.client() as c:
        c.send(b"GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: held)
        d.zone[NAME] = ["127.0.0.1"]
        until(lambda: get(gh, "/").text == "1", what="the other address")
        held.pop().send(ok(b"late"))
        assert c.response().text == "late"
    assert servers(gh)["127.0.0.1"]["active"] == 0
    assert not held


def test_one_address_is_ejected(front, dns, hosts, origin):
    """`eject` leaves out that one; what returns to the answer later begins
    anew."""
    bad = origin(lambda conn, r: conn.send(
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        host="127.0.0.9", port=hosts)
    d = dns({NAME: ["127.0.0.1", "127.0.0.9", "127.0.0.2"]}, ttl=1)
    gh = start(front, d, hosts, "eject = 5xx>=2 for=1h max=50%")
    until(lambda: get(gh) and healths(gh).get("127.0.0.9") == "ejected")
    assert len(bad.requests) == 2
    assert set(texts(gh, 6)) == {"1", "2"}
    assert healths(gh) == {"127.0.0.1": "up", "127.0.0.2": "up",
                           "127.0.0.9": "ejected"}
    d.zone[NAME] = ["127.0.0.1", "127.0.0.2"]
    until(lambda: get(gh) and "127.0.0.9" not in healths(gh))
    d.zone[NAME] = ["127.0.0.1", "127.0.0.2", "127.0.0.9"]
    until(lambda: get(gh) and healths(gh).get("127.0.0.9") == "up")


def test_each_address_is_checked(front, dns, hosts):
    """`health_check`: one that is down says nothing of the others, before any
    request came."""
    d = dns({NAME: ["127.0.0.1", "127.0.0.9", "127.0.0.2"]})
    gh = start(front, d, hosts,
               "health_check = tcp interval=100ms rise=1 fall=1")
    until(lambda: healths(gh) == {
        "127.0.0.1": "up", "127.0.0.2": "up", "127.0.0.9": "down"})
    assert texts(gh, 6) == {"1": 3, "2": 3}
    assert {line["tries"] for line in gh.log(6)} == {"1"}
    assert len(d.asked) == 2


def test_both_families_of_one_host_are_one_server(front, dns, named):
    """One address of each family: they are tried beside each other
    (RFC 8305), and counted as one."""
    o = named(b"six", host="::1")
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}), o.port)
    assert texts(gh, 3) == {"six": 3}
    found, = servers(gh).values()
    assert sorted(found["at"]) == [f"127.0.0.1:{o.port}", f"[::1]:{o.port}"]
    assert found["requests"] == 3


def test_more_addresses_than_are_used(front, dns, named):
    """The others are counted, and nothing else."""
    port = named(b"ok").port
    for i in range(2, 13):
        named(b"ok", host=f"127.0.0.{i}", port=port)
    d = dns({NAME: [f"127.0.0.{i}" for i in range(1, 13)]})
    gh = start(front, d, port)
    assert texts(gh, 16) == {"ok": 16}
    status = admin.status(gh)
    assert status["counters"]["addresses_ignored_total"] == 12 - USED
    assert [s["requests"] for s in status["upstreams"][0]["servers"]] == \
        [2] * USED


@pytest.mark.parametrize("balance", [
    "round_robin", "least_conn", "random_two", "least_time",
    "hash {query}", "ip_hash"])
def test_every_policy_knows_them(front, dns, hosts, balance):
    """All three are asked; a key finds the same one."""
    d = dns({NAME: [f"127.0.0.{i}" for i in (1, 2, 3)]})
    gh = start(front, d, hosts, f"balance = {balance}")
    if balance == "ip_hash":
        assert len(texts(gh, 12)) == 1
        return
    got = collections.Counter(get(gh, f"/?{i}").text for i in range(60))
    assert set(got) == {"1", "2", "3"}
    # one that was slow once may have little, by its policy
    assert balance == "least_time" or min(got.values()) >= 5
    if balance.startswith("hash"):
        for i in range(10):
            assert len(texts(gh, 3, f"/?{i}")) == 1


def test_a_session_stays_with_its_address(front, dns, hosts):
    """`sticky`: with the address, in whatever answer; when that goes, the
    session falls over."""
    d = dns({NAME: ["127.0.0.1", "127.0.0.2", "127.0.0.3"]}, ttl=1)
    gh = start(front, d, hosts, "sticky = cookie srv")
    answer = get(gh)
    cookie = answer.get("set-cookie").split(";")[0]
    mine = answer.text

    def again():
        with gh.client() as c:
            c.send(f"GET / HTTP/1.1\r\nHost: test\r\nCookie: {cookie}\r\n\r\n"
                   .encode())
            return c.response().text
    assert {again() for _ in range(6)} == {mine}
    others = [f"127.0.0.{i}" for i in (1, 2, 3) if str(i) != mine]
    d.zone[NAME] = [others[0], f"127.0.0.{mine}"]
    until(lambda: again() and set(servers(gh)) == set(d.zone[NAME]))
    assert {again() for _ in range(6)} == {mine}
    d.zone[NAME] = others
    until(lambda: again() != mine, what="another server")


def test_an_order_is_for_the_whole_name(front, dns, hosts):
    """`gatehouse server NAME drain`: all its addresses, those that come later
    as well."""
    d = dns({NAME: ["127.0.0.1", "127.0.0.2"]}, ttl=1)
    gh = start(front, d, hosts)
    assert len(texts(gh, 4)) == 2
    server = f"{NAME}:{hosts}"
    assert run("server", "app", server, "drain", "-c", gh.ini).returncode == 0
    assert set(healths(gh).values()) == {"draining"}
    assert get(gh).status == 503
    told = run("server", "app", server, "-c", gh.ini).stdout
    assert told.count("health   draining, operator") == 2
    assert f"at       127.0.0.2:{hosts}" in told
    assert run("server", "app", server, "ready", "-c", gh.ini).returncode == 0
    assert len(texts(gh, 4)) == 2


def test_targets_of_a_service_are_servers(front, dns, named):
    """RFC 2782: each with its port; those of a higher priority wait until no
    other is left."""
    a, b, c = named(b"a"), named(b"b"), named(b"c")
    service = "_http._tcp.app.test"
    down = free_port()
    d = dns({service: [srv(a.port, "one.test", 1, 3),
                       srv(b.port, "one.test", 1, 1),
                       srv(down, "one.test", 0),
                       srv(c.port, "one.test", 2)],
             "one.test": ["127.0.0.1"]})
    gh = start(front, d, None, "eject = reset>=1 for=1h max=50%", service)
    assert texts(gh, 16) == {"a": 12, "b": 4}
    upstream, = admin.status(gh)["upstreams"]
    assert {s["at"][0]: (s["requests"], s["health"])
            for s in upstream["servers"]} == {
        f"127.0.0.1:{a.port}": (12, "up"), f"127.0.0.1:{b.port}": (4, "up"),
        f"127.0.0.1:{c.port}": (0, "up"),
        f"127.0.0.1:{down}": (1, "ejected")}
