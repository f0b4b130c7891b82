"""waf: rules that ask others (@geoLookup, @rbl), and rules over the plain requests
of a forward proxy (doc/waf.md)."""
import pytest

from lib.dns import Dns
from lib.gatehouse import run
from lib.mmdb import database
from lib.origin import ok
from lib.procs import until

PLACES = {
    "192.0.2.0/24": {"country": {"iso_code": "DE", "names": {"en": "Germany"}},
                     "continent": {"code": "EU"},
                     "city": {"names": {"en": "Ulm"}}},
    "198.51.100.0/24": {"country": {"iso_code": "FR"}},
}
RULES = r"""
SecAuditEngine On
SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,pass,nolog,setvar:tx.found=1,\
    chain"
SecRule GEO:COUNTRY_CODE "@streq DE" "setvar:tx.de=1"
SecRule TX:de "@eq 1" "id:2,phase:1,deny,status:451,log,\
    msg:'%{GEO.COUNTRY_NAME} %{GEO.COUNTRY_CONTINENT} %{GEO.CITY}'"
SecRule REQUEST_HEADERS:X-Walk "@rx ." "id:3,phase:1,pass,nolog,\
    setvar:tx.n=+1,chain"
SecRule REMOTE_ADDR "@rbl bl.test" "t:none,setvar:tx.n=+1,setvar:tx.listed=1"
SecRule TX:listed "@eq 1" "id:4,phase:1,deny,log,msg:'n is %{tx.n}'"
SecRule ARGS:host "@rbl uri.test" "id:5,phase:2,deny,status:406,log"
SecRule RESPONSE_HEADERS:X-From "@rbl bl.test" "id:6,phase:3,deny,log"
SecRule ARGS "@contains attack" "id:7,phase:2,deny,status:406,log"
SecRule RESPONSE_HEADERS:X-Leak "@streq yes" "id:8,phase:3,deny,log"
"""
INI = """
[global]
workers = 1
mmdb = {dbs}/places.mmdb
dns_servers = {dns}
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.0/8
[listen p]
address = 127.0.0.1:{port1}
mode = forward
policy = main
[forward main]
allow = all
private_networks = allow
connect_ports = 1-65535
waf = w
[waf w]
rules = {rules}
exclude = 7 at /free
audit_log = {dir}/audit.log
[site a]
hosts = a.test
waf = w
upstream = app
[upstream app]
server = {origin}
"""
LISTED = {"9.2.0.198.bl.test.": ["127.0.0.2"],
          # an address that means nothing, as of servers that answer all
          "8.2.0.198.bl.test.": ["192.0.2.7"],
          "1." + "0." * 23 + "8.b.d.0.1.0.0.2.bl.test.": ["127.0.0.3"],
          "bad.example.uri.test.": ["127.0.0.2"],
          "7.2.0.198.bl.test.": ["127.0.0.2"]}


def answer(conn, r):
    extra = b"X-From: 198.0.2.7\r\n" if "from" in r.target else b""
    conn.send(ok(b"in", b"X-Leak: yes\r\n" if "leak" in r.target else extra))


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin, tmp_path_factory):
    if "option maxminddb absent" in run("-V").stdout:
        pytest.skip("a build without libmaxminddb")
    folder = tmp_path_factory.mktemp("asked")
    (folder / "places.mmdb").write_bytes(database(PLACES))
    (folder / "rules.conf").write_text(RULES)
    dns = Dns({name[:-1]: a for name, a in LISTED.items()})
    o = shared_origin(answer)
    gh = shared_gatehouse(INI, dbs=folder, rules=folder / "rules.conf",
                          dns=dns.address, origin=o.address, ports=2)
    gh.dns, gh.origin = dns, o
    yield gh
    dns.close()


def ask(gh, target="/", ip="203.0.113.1", fields=()):
    lines = [f"GET {target} HTTP/1.1", "Host: a.test",
             f"X-Forwarded-For: {ip}", *fields, "", ""]
    with gh.client() as c:
        c.send("\r\n".join(lines).encode())
        return c.response("GET").status


def audit(gh):
    return (gh.dir / "audit.log").read_text()


def test_where_an_address_is(world):
    assert ask(world, ip="192.0.2.1") == 451
    assert ask(world, ip="198.51.100.1") == 200
    assert ask(world, ip="203.0.113.1") == 200
    until(lambda: '"msg":"Germany EU Ulm"' in audit(world))


WALK = ["X-Walk: yes"]


def test_a_list_is_asked_for_who_is_on_it(world):
    assert ask(world, ip="198.0.2.9", fields=WALK) == 403
    # what stands before the question is done once
    until(lambda: '"msg":"n is 2"' in audit(world))
    n = len(world.dns.asked)
    # what is known is not asked again, and nothing is by who does not ask
    assert ask(world, ip="198.0.2.9", fields=WALK) == 403
    assert ask(world, ip="198.0.2.5") == 200
    assert len(world.dns.asked) == n
    for ip, status in [("198.0.2.8", 200), ("198.0.2.1", 200),
                       ("2001:db8::1", 403), ("2001:db8::2", 200)]:
        assert ask(world, ip=ip, fields=WALK) == status, ip


def test_each_phase_may_ask(world):
    assert ask(world, "/?host=bad.example") == 406
    assert ask(world, "/?host=good.example") == 200
    assert ask(world, "/?host=a%20b.example") == 200
    assert ask(world, "/from") == 403


def test_a_list_that_does_not_answer_refuses_nobody(world):
    try:
        world.dns.script = lambda query: None
        assert ask(world, ip="198.0.2.77", fields=WALK) == 200
    finally:
        world.dns.script = None
    # with what is left of it when the client leaves first
    with world.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Walk: yes\r\n"
               b"X-Forwarded-For: 198.0.2.78\r\n\r\n")
    assert ask(world) == 200


def forwarded(gh, path, method="GET"):
    host, port = gh.origin.address.rsplit(":", 1)
    with gh.client(gh.ports[1]) as c:
        c.send(f"{method} http://{host}:{port}{path} HTTP/1.1\r\n"
               f"Host: {host}:{port}\r\n\r\n".encode())
        return c.response(method).status


def test_plain_requests_of_a_forward_proxy_are_judged(world):
    assert [forwarded(world, path) for path in (
        "/?a=fine", "/?a=attack", "/free/?a=attack", "/leak")] == [
            200, 406, 200, 403]
    with world.client(world.ports[1]) as c:
        c.send(f"CONNECT {world.origin.address} HTTP/1.1\r\n"
               f"Host: {world.origin.address}\r\n\r\n".encode())
        assert c.reader.response_head().status == 200
