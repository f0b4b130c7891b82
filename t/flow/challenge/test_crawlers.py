"""`crawlers`: who is one is proved by name servers, never by what is said."""
import contextlib
import types

import pytest

from lib import admin
from lib.dns import (CNAME, NXDOMAIN, PTR, Dns, answer, arpa, ptr, question,
                     wire_name)
from lib.gatehouse import run
from lib.procs import until

INI = """
[global]
workers = {workers}
dns_servers = {dns}
crawlers = .bot.test *.crawl.example
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.0/8
[site a]
hosts = a.test
respond = 200 {crawler}
challenge = on
[rule a crawlers]
match = header:User-Agent ~ (?i)bot
match = crawler
challenge = off
[site b]
hosts = b.test
respond = 200 in
allow = first
[acl first]
match = crawler = a1.bot.test
[site c]
hosts = c.test
respond = 200 in
waf = hosts
response_header = X-Crawler: {crawler}
[rule c crawlers]
match = header:User-Agent ~ (?i)bot
match = crawler
response_header = X-Known: yes
[waf hosts]
rules = {rules}
[log access]
path = {dir}/access.log
format = {host} {crawler}
buffer = none
[challenge]
difficulty = 8
""" + admin.SECTION
RULES = r"""
SecRule REMOTE_HOST "@streq a1.bot.test" "id:1,phase:1,deny,status:406"
SecRule REMOTE_HOST "@streq 192.0.2.10" "id:2,phase:1,deny,status:409"
SecRule REMOTE_HOST "@streq 192.0.2.78" "id:3,phase:1,deny,status:410"
"""
SILENT, MUTE, ROUND = "192.0.2.66", "192.0.2.41", "192.0.2.40"
LATE = "192.0.2.67"

ZONE = {
    # by IPv4 and IPv6; case says nothing
    arpa("192.0.2.1"): [ptr("A1.Bot.test")],
    "a1.bot.test": ["192.0.2.99", "192.0.2.1"],
    arpa("2001:db8::7"): [ptr("six.crawl.example")],
    "six.crawl.example": ["2001:db8::7"],
    # a name of somebody else's: it does not have the address
    arpa("192.0.2.10"): [ptr("a1.bot.test")],
    # names that only look like it
    arpa("192.0.2.11"): [ptr("host.example")],
    "host.example": ["192.0.2.11"],
    arpa("192.0.2.12"): [ptr("evilbot.test")],
    "evilbot.test": ["192.0.2.12"],
    arpa("192.0.2.13"): [ptr("bot.test.example")],
    "bot.test.example": ["192.0.2.13"],
    arpa("192.0.2.14"): [ptr("crawl.example")],
    "crawl.example": ["192.0.2.14"],
    # several, a service's, the root, one that does not exist
    arpa("192.0.2.20"): [ptr("a1.bot.test"), ptr("a2.bot.test")],
    "a2.bot.test": ["192.0.2.20"],
    arpa("192.0.2.21"): [ptr("_s._tcp.bot.test")],
    "_s._tcp.bot.test": ["192.0.2.21"],
    arpa("192.0.2.22"): [ptr("")],
    arpa("192.0.2.23"): [ptr("gone.bot.test")],
    arpa("192.0.2.24"): [ptr("x.bot.test")] * 20,
    "x.bot.test": ["192.0.2.24"],
    # what is no name: a pointer into itself, bytes that no host has, a cut
    arpa("192.0.2.30"): [(PTR, b"\xc0\xff")],
    arpa("192.0.2.31"): [(PTR, b"\4a\r\nb\3bot\4test\0")],
    arpa("192.0.2.32"): [(PTR, b"\3bot")],
}
for i in range(1, 21):
    ZONE[arpa(f"2001:db8:900d::{i:x}")] = [ptr(f"{i}.crawl.example")]
    ZONE[f"{i}.crawl.example"] = [f"2001:db8:900d::{i:x}"]
STRANGERS = ["10.9.9.9", SILENT, MUTE, ROUND] + [
    f"192.0.2.{n}" for n in (10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 30, 31,
                             32)]


def say(query):
    """The zone; some get no answer, and the alias of one is itself."""
    name, _, end = question(query)
    if name in (arpa(SILENT), arpa(LATE), "mute.bot.test"):
        return None
    if name == arpa(MUTE):
        return answer(query, [ptr("mute.bot.test")])
    if name == arpa(ROUND):
        asked = query[:end - 4] + b"\0\5\0\1"
        said = answer(asked, [(CNAME, wire_name(name))])
        return said[:end - 4] + b"\0\x0c" + said[end - 2:]
    if name in ZONE:
        return answer(query, ZONE[name])
    return answer(query, rcode=NXDOMAIN)


@pytest.fixture(scope="module")
def front(shared_gatehouse, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "hosts.conf"
    rules.write_text(RULES)
    with contextlib.closing(Dns(script=say)) as server:
        gh = shared_gatehouse(INI, workers=1, dns=server.address, rules=rules)
        yield types.SimpleNamespace(gh=gh, dns=server)


def ask(client, ip, host="a.test", agent="Nicebot/1.0"):
    client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {ip}\r\n"
                f"User-Agent: {agent}\r\n\r\n".encode())
    return client.response("GET")


@pytest.mark.parametrize("ip, name", [("192.0.2.1", "a1.bot.test"),
                                      ("2001:db8::7", "six.crawl.example")])
def test_a_crawler_is_let_by(front, ip, name):
    with front.gh.client() as c:
        for _ in range(2):
            got = ask(c, ip)
            assert (got.status, got.text) == (200, name)
    # its name and both families of addresses, once
    asked = [n for n, _ in front.dns.asked if n in (arpa(ip), name)]
    assert len(asked) == 3


def test_nobody_else_is(front):
    """All at once: who gets no answer waits no longer than the deadline."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(front.gh.client()) for _ in STRANGERS]
        for client, ip in zip(clients, STRANGERS):
            client.send(f"GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bot"
                        f"\r\nX-Forwarded-For: {ip}\r\n\r\n".encode())
        for client, ip in zip(clients, STRANGERS):
            assert client.response("GET").status == 403, ip
    names = {name for name, _ in front.dns.asked}
    # names outside of the domains are not even asked for
    assert not names & {"host.example", "evilbot.test", "crawl.example",
                        "bot.test.example", "_s._tcp.bot.test"}
    counters = admin.status(front.gh)["counters"]
    assert counters["crawler_lookup_failures_total"] >= 2
    assert counters["crawler_lookups_total"] >= len(STRANGERS)


def test_who_does_not_claim_it_is_not_asked_about(front):
    with front.gh.client() as c:
        assert ask(c, "192.0.2.77", agent="Mozilla/5.0").status == 403
    assert arpa("192.0.2.77") not in {name for name, _ in front.dns.asked}


def test_lists_know_them_as_well(front):
    with front.gh.client() as c:
        assert ask(c, "192.0.2.1", "b.test").status == 200
        assert ask(c, "2001:db8::7", "b.test").status == 403
        assert ask(c, "192.0.2.10", "b.test").status == 403


def test_one_network_is_asked_about_a_few_times(front):
    """A /64 is one client's, and has more addresses than anybody can ask about:
    eight that are none, and then none is asked about. Others are, and crawlers
    cost their network nothing."""
    front.dns.asked.clear()
    with front.gh.client() as c:
        for i in range(40):
            assert ask(c, f"2001:db8:bad::{i:x}").status == 403
        asked = {name for name, _ in front.dns.asked}
        assert asked & {arpa(f"2001:db8:bad::{i:x}") for i in range(40)} == \
            {arpa(f"2001:db8:bad::{i:x}") for i in range(8)}
        for i in range(1, 21):
            assert ask(c, f"2001:db8:900d::{i:x}").text == f"{i}.crawl.example"
        assert ask(c, "2001:db8:bad:1::").status == 403
    assert arpa("2001:db8:bad:1::") in {name for name, _ in front.dns.asked}


@pytest.mark.parametrize("ip, agent, status, name", [
    # the name that was proved; an address that proved none, or was not asked
    ("192.0.2.1", "bot", 406, "a1.bot.test"),
    ("192.0.2.10", "bot", 409, ""), ("192.0.2.78", "Mozilla", 410, ""),
    ("2001:db8::7", "bot", 200, "six.crawl.example")])
def test_rules_of_a_waf_fields_and_logs_know_them(front, ip, agent, status, name):
    with front.gh.client() as c:
        got = ask(c, ip, "c.test", agent)
    assert (got.status, got.get("x-crawler") or "") == (status, name)
    assert got.get("x-known") == ("yes" if name else None)
    # behind those of other tests
    log = front.gh.dir / "access.log"
    until(lambda: log.read_text().splitlines()[-1:] ==
          [f"c.test {name or '-'}"], what="its line")


def test_a_client_that_leaves_while_it_waits_harms_nobody(front):
    front.dns.asked.clear()
    with front.gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bot\r\n"
               b"X-Forwarded-For: 192.0.2.67\r\n\r\n")
        front.dns.wait_asked(1)
    with front.gh.client() as c:
        # it waits with what is left of that one
        assert ask(c, LATE).status == 403
        assert ask(c, "192.0.2.1").status == 200


def asked_of(front, ip):
    """How often; a question without an answer is asked again meanwhile."""
    return [name for name, _ in front.dns.asked].count(arpa(ip))


def test_explain_asks_nobody(front):
    before = asked_of(front, "192.0.2.1")
    out = run("explain", "GET", "http://a.test/", "-H", "User-Agent: bot",
              "--from", "192.0.2.1", "-c", front.gh.ini).stdout
    assert "not asked by a dry run" in out
    assert asked_of(front, "192.0.2.1") == before


def test_a_reload_judges_what_was_found_out_anew(front):
    with front.gh.client() as c:
        assert ask(c, "192.0.2.1").status == 200
    front.gh.reload(INI.replace(".bot.test", ".other.test"))
    before = asked_of(front, "192.0.2.1")
    with front.gh.client() as c:
        assert ask(c, "192.0.2.1").status == 403
    assert asked_of(front, "192.0.2.1") == before


def test_what_is_no_domain_is_refused(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[global]\ncrawlers = .ok.test a/b\n"
                   "[site a]\nrespond = 200\n")
    said = run("-t", "-c", ini)
    assert said.returncode == 1
    assert f"{ini}:2:21: error: " in said.stderr
    assert "'a/b' is no domain" in said.stderr
