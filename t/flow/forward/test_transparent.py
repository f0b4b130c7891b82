"""`mode = transparent`: clients that know of no proxy, in networks of their own with
a gateway between them and servers: the kernel redirects what passes (netfilter's
REDIRECT, SO_ORIGINAL_DST)."""
import pathlib
import re

import pytest

from lib import netns
from lib.certs import Authority
from lib.dns import Dns
from lib.origin import Origin, ok
from lib.procs import until
from lib.tls_origin import TlsOrigin, server_context
from lib.wire import Client

DOC = pathlib.Path(__file__).parents[3] / "doc" / "forward.md"
# Of the public internet, as far as gatehouse knows: private_networks = deny.
GATE, GATE6 = "10.9.0.1", "fd09::1"
GOOD, GOOD6, EVIL, BAR = "9.9.9.10", "2620:fe::10", "9.9.9.11", "9.9.9.12"
ZONE = {"a.test": [GOOD, GOOD6], "evil.test": [EVIL], "deny.test": [GOOD]}
INI = """
[global]
workers = 1
dns_servers = {dns}
[log access]
path = {dir}/access.log
format = {status} {fault} {method} {authority} {origin_ip} {bytes_in} {bytes_out}
buffer = none
[listen taken]
address = :{port}
mode = transparent
policy = main
[listen strict]
address = :{port1}
mode = transparent
policy = strict
[listen open]
address = :{port2}
mode = transparent
policy = open
[listen hasty]
address = :{port3}
mode = transparent
policy = open
header_timeout = 300ms
[listen narrow]
address = :{port4}
mode = transparent
policy = open
max_connections_per_ip = 1
[forward main]
deny = names
deny = places
allow = all
cache = web
block_page = {page}
pac = on
[forward strict]
connect_sni = match
connect_ports = 8443
allow = all
[forward open]
private_networks = allow
allow = all
[acl names]
domain = deny.test
[acl places]
dst_ip = 9.9.9.12
[cache web]
memory = 4m
"""
PAGE = "{host} {acl_rule} {fault}"
LOOP = """
table inet loop {
    chain output {
        type nat hook output priority -100;
        ip daddr 9.9.9.13 tcp dport 80 redirect to :%d
    }
}
"""

pytestmark = pytest.mark.skipif(
    netns.why_not() is not None, reason=str(netns.why_not()))


def rules(ports):
    """Those of the document, for this gateway; other ports for other listens."""
    text = re.search(r"    table inet.*?\n    }\n", DOC.read_text(), re.S)[0]
    text = text.replace("lan0", "lan").replace(":3129", f":{ports[0]}")
    more = "".join(f'        iifname "lan" tcp dport {dport} redirect to '
                   f":{port}\n" for dport, port in
                   ((8443, ports[1]), (8080, ports[2]),
                    (8081, ports[3]), (8082, ports[4])))
    return text.replace("        }\n        chain kept", more +
                        "        }\n        chain kept", 1)


def answer(who):
    """A script that says who speaks; the path, whether that may be kept."""
    def script(conn, request):
        kept = request.target.startswith("/keep")
        conn.send(ok(who.encode(), b"Cache-Control: max-age=60\r\n" * kept))

    return script


class World:
    """client --- gate --- server, one daemon in the gate."""

    def __init__(self, folder, make):
        self.client, self.gate, self.server = (
            netns.Namespace() for _ in range(3))
        netns.wire(self.client, "eth", self.gate, "lan")
        netns.wire(self.server, "eth", self.gate, "wan")
        self.client.address("eth", "10.9.0.2/24", "fd09::2/64")
        self.gate.address("lan", f"{GATE}/24", f"{GATE6}/64")
        self.gate.address("wan", "9.9.9.1/24", "2620:fe::1/64")
        self.server.address("eth", *(f"{a}/24" for a in (
            GOOD, EVIL, BAR)), f"{GOOD6}/64")
        self.client.route(GATE, GATE6)
        self.ca = Authority()
        pem = self.ca.make("a", "a.test", "deny.test", "evil.test",
                           ips=(GOOD,))
        with self.server.inside():
            self.plain = [Origin(answer(h), host=h, port=p) for h, p in (
                (GOOD, 80), (GOOD6, 80), (EVIL, 80), (BAR, 80), (GOOD, 8080))]
            self.tls = [TlsOrigin(server_context(pem), answer(h), host=h,
                                  port=p)
                        for h, p in ((GOOD, 443), (GOOD6, 443), (EVIL, 443),
                                     (GOOD, 8443), (EVIL, 8443))]
        with self.gate.inside():
            self.dns = Dns(dict(ZONE))
            page = folder / "page.html"
            page.write_text(PAGE)
            page.chmod(0o644)
            self.gh = make(INI, ports=5, dns=self.dns.address, page=page)
        self.gate.rules(rules(self.gh.ports))
        self.n_lines = 0

    def curl(self, url, *args, at=GOOD, ok=True):
        """What curl prints, of a client whose name server is in error, or not."""
        host, port = re.match(r"\w+://([\w.]+)(?::(\d+))?", url).groups()
        port = port or (443 if url.startswith("https") else 80)
        return self.client.run(
            "curl", "-sS", "--max-time", 10, "--noproxy", "*", "--cacert",
            self.ca.pem, "--connect-to", f"::[{at}]:{port}", *args, url, ok=ok)

    def raw(self, data, at=GOOD, port=80):
        """The answer to these bytes."""
        with self.connect(at, port) as c:
            c.send(data)
            return c.response("GET")

    def connect(self, at=GOOD, port=80):
        with self.client.inside():
            return Client((at, port))

    def line(self):
        """The next line of the log, in words."""
        path = self.gh.dir / "access.log"
        self.n_lines += 1
        return until(lambda: (got := path.read_text().splitlines()) and
                     len(got) >= self.n_lines and got[self.n_lines - 1],
                     what="a line of the log").split()

    def asked(self):
        """How often servers were, by now."""
        return sum(len(o.conns) for o in self.plain + self.tls)

    def close(self):
        for thing in (*self.plain, *self.tls):
            thing.close()
        with self.gate.inside():
            self.dns.close()
        for ns in (self.client, self.gate, self.server):
            ns.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse):
    folder = tmp_path_factory.mktemp("world")
    folder.chmod(0o755)
    made = World(folder, shared_gatehouse)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def from_now(world):
    """What a test before this one has not read is not its own."""
    world.n_lines = len((world.gh.dir / "access.log").read_text().splitlines())


@pytest.mark.parametrize("at", [GOOD, GOOD6])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_clients_reach_where_they_were_going(world, scheme, at):
    got = world.curl(f"{scheme}://a.test/", at=at)
    assert got.stdout == at
    status, fault, method, authority, ip, bytes_in, bytes_out = world.line()
    assert (status, fault, ip) == ("200", "-", at)
    assert (method, authority) == (
        ("GET", "a.test") if scheme == "http" else ("CONNECT", "a.test:443"))
    assert int(bytes_in) > 50 and int(bytes_out) > 50
    origins = world.plain if scheme == "http" else world.tls
    request = origins[at == GOOD6].requests[-1]
    assert request.target == "/" and request.get("host") == "a.test"


def test_rules_have_the_name_that_is_asked_for(world):
    before = world.asked()
    got = world.curl("http://deny.test/", "-w", " %{http_code}")
    assert got.stdout == "deny.test deny = names access_denied 403"
    assert world.line()[:4] == ["403", "access_denied", "GET", "deny.test"]
    # curl hears nothing but the end
    got = world.curl("https://deny.test/", ok=False)
    assert got.returncode in (35, 56) and not got.stdout
    assert world.line()[:4] == ["403", "access_denied", "CONNECT",
                                "deny.test:443"]
    for url in ("http://a.test/", "https://a.test/"):
        got = world.curl(url, "-w", "%{http_code}", at=BAR, ok=False)
        assert (got.returncode == 0) == url.startswith("http:"), got
        assert world.line()[1] == "access_denied"
    assert world.asked() == before


@pytest.mark.parametrize("at", ["192.168.7.7", "fd77::7", GATE, GATE6])
def test_private_places_are_refused(world, at):
    """The gate's own among them."""
    got = world.raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", at=at)
    assert got.status == 403
    assert world.line()[1] == "private_address"
    with world.connect(at, 443) as c:
        c.send(b"\x16\x03\x01\0\x05\x01\0\0\x01\0")
        c.is_closed()
    assert world.line()[1] == "private_address"


def test_who_was_not_redirected_is_nowhere(world):
    """Even where private networks are allowed."""
    for port, at in ((world.gh.ports[2], GATE), (world.gh.ports[2], GATE6),
                     (world.gh.ports[0], GATE)):
        got = world.raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", at, port)
        assert got.status == 403
        assert world.line()[1] == "private_address"
        # PAC is not for those who were going elsewhere
        got = world.raw(b"GET /proxy.pac HTTP/1.1\r\nHost: a.test\r\n\r\n", at,
                        port)
        assert got.status == 403
        world.line()


def test_a_loop_ends(world):
    """What we send ourselves is redirected to us."""
    world.gate.rules(LOOP % world.gh.ports[0])
    got = world.raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", at="9.9.9.13")
    assert got.status == 508
    assert {world.line()[1] for _ in range(2)} == {"loop", "-"}


def test_only_the_hosts_own_address_fills_the_cache(world):
    """CVE-2009-0801: a client says that its server is another's."""
    def get(url, at):
        text = world.curl(url, at=at).stdout
        world.line()
        return text

    n = len(world.plain[0].requests)
    assert get("http://a.test/keep", EVIL) == EVIL
    assert get("http://a.test/keep", GOOD) == GOOD
    assert get("http://a.test/keep", GOOD) == GOOD
    assert len(world.plain[0].requests) == n + 1
    # nor is what is kept for those who go elsewhere
    assert get("http://a.test/keep", EVIL) == EVIL
    # an unsafe method of a liar makes nothing stale
    world.curl("http://a.test/keep", "-d", "x", at=EVIL)
    world.line()
    assert get("http://a.test/keep", GOOD) == GOOD
    assert len(world.plain[0].requests) == n + 1
    # a name that nobody knows, and addresses as names
    n = len(world.plain[2].requests)
    for host in ("nobody.test", GOOD, EVIL):
        assert get(f"http://{host}/keep", EVIL) == EVIL
        assert get(f"http://{host}/keep", EVIL) == EVIL
    assert len(world.plain[2].requests) == n + 5


def test_a_name_that_must_match(world):
    url = "https://%s:8443/"
    assert world.curl(url % "a.test").stdout == GOOD
    assert world.line()[:4] == ["200", "-", "CONNECT", "a.test:8443"]
    before = world.asked()
    for host, at in (("a.test", EVIL), ("nobody.test", GOOD), (GOOD, GOOD)):
        assert world.curl(url % host, at=at, ok=False).returncode in (35, 56)
        assert world.line()[1] == "tunnel_sni"
    for data in (b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
                 b"\x16\x03\x01\0\x02\x07\0"):
        with world.connect(port=8443) as c:
            c.send(data)
            c.is_closed()
        assert world.line()[1] == "tunnel_sni"
    assert world.asked() == before


@pytest.mark.parametrize("request_, status", [
    (b"GET / HTTP/1.1\r\nHost: a.test:81\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.test:80\r\n\r\n", 200),
    (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: 0x9.9.9.10\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\n\r\n", 200),
    (b"GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", 200),
    (b"GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    (b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 405),
    (b"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n", 405),
    (b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", 200),
])
def test_what_a_client_may_ask_for(world, request_, status):
    assert world.raw(request_).status == status
    line = world.line()
    assert line[0] == str(status)
    if status == 200 and b"Host" not in request_:
        assert line[3] == GOOD
        assert world.plain[0].requests[-1].get("host") == GOOD


def test_other_ports_are_not_tunnelled_to(world):
    """`connect_ports` judges the port that the client was going to."""
    with world.connect(port=80) as c:
        c.send(b"\x16\x03\x01\0\x05\x01\0\0\x01\0")
        c.is_closed()
    assert world.line()[:2] == ["403", "connect_port"]


def test_who_says_nothing_is_not_waited_for(world):
    for data in (b"", b"\x16", b"\x16\x03\x01\x02"):
        with world.connect(port=8081) as c:
            c.send(data)
            c.is_closed()


def test_who_is_turned_away_leaves_nothing(world):
    """Where they were going among it, which a leak checker sees at the end."""
    with world.connect(port=8082) as first:
        first.send(b"GET / HTTP/1.1\r\n")
        for _ in range(3):
            with world.connect(port=8082) as c:
                c.send(b"GET")
                assert not c.is_closed()
    assert world.line()[1] == "client_cut"


def test_a_tunnel_ends_in_halves(world):
    """What is no whole handshake is no concern of ours."""
    with world.connect(port=443) as c:
        c.send(b"\x16\x03\x01\0\x05\x01\0\0\x01\0")
        c.shut()
        while c.sock.recv(4096):
            pass
    assert world.line()[:5] == ["200", "-", "CONNECT", f"{GOOD}:443", GOOD]
