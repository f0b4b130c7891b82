"""`scheme = certificate`: who a client is, is in the certificate that it showed in
the handshake (RFC 5280 4.1.2.6, 4.2.1.6): for lists, limits, groups and logs, at
sites and in a forward proxy; one that was verified for another site is nobody's."""
import re
import ssl

import pytest

from lib.certs import Authority
from lib.gatehouse import run
from lib.wire import Client

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
tls = on
[listen proxy]
address = 127.0.0.1:{port1}
mode = forward
policy = office
tls = on
certificate = {certs}/proxy.pem
certificate_key = {certs}/proxy.key
client_ca = {ca}
verify = optional
[log access]
path = {dir}/access.log
format = {status} {fault} {user}
buffer = none
[site a.test]
certificate = {certs}/a.pem
certificate_key = {certs}/a.key
client_ca = {ca}
verify = optional
respond = 200 {user}
auth = people
[route a.test /anna]
deny = !anna
auth = people
[route a.test /staff]
allow = staff
auth = people
[route a.test /limited]
rate_limit = each
auth = people
[route a.test /open]
auth = none
respond = 200 open {user};
[route a.test /subject]
auth = subject
[route a.test /dns]
auth = dns
[route a.test /email]
auth = email
[route a.test /uri]
auth = uri
[site b.test]
certificate = {certs}/b.pem
certificate_key = {certs}/b.key
respond = 200 {user}
auth = people
[forward office]
auth = people
private_networks = allow
allow = anna
[acl anna]
user = anna
[acl staff]
group = staff
[limit each]
key = {user}
rate = 1/h
[users known]
groups_file = {groups}
[auth people]
scheme = certificate
users = known
[auth subject]
scheme = certificate
certificate_name = subject
[auth dns]
scheme = certificate
certificate_name = dns
[auth email]
scheme = certificate
certificate_name = email
[auth uri]
scheme = certificate
certificate_name = uri
"""


class World:
    def __init__(self, folder, start, origin):
        self.ca = Authority("people")
        self.origin = origin()
        for name in ("a", "b", "proxy"):
            self.ca.make(name, f"{name}.test")
        more = ["subjectAltName=DNS:anna.home.test,DNS:other.test,"
                "email:anna@home.test,URI:spiffe://home.test/anna"]
        self.certs = {
            "anna": self.ca.make("c-anna", client=True, cn="anna", more=more),
            "ben": self.ca.make("c-ben", client=True, cn="ben"),
            "none": self.ca.make("c-none", client=True, cn="x/CN=y"),
        }
        (folder / "groups").write_text("staff: anna carl\n")
        self.gh = start(INI, ports=2, certs=self.ca.dir, ca=self.ca.pem,
                        groups=folder / "groups")

    def context(self, who):
        return self.ca.context(cert=self.certs[who] if who else None)

    def ask(self, who, path="/", host="a.test", sni="a.test"):
        with self.gh.client(tls=self.context(who), name=sni) as c:
            r = c.get(path, host=host)
            return r.status, r.text

    def proxied(self, who):
        with Client(("127.0.0.1", self.gh.ports[1]), tls=self.context(who),
                    name="proxy.test") as c:
            return c.get(f"http://{self.origin.address}/",
                         host=self.origin.address).status


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse, shared_origin):
    return World(tmp_path_factory.mktemp("people"), shared_gatehouse,
                 shared_origin)


@pytest.mark.parametrize("who, path, want", [
    ("anna", "/", (200, "anna")), ("ben", "/", (200, "ben")),
    ("anna", "/subject", (200, "CN=anna,O=Test")),
    ("anna", "/dns", (200, "anna.home.test")),
    ("anna", "/email", (200, "anna@home.test")),
    ("anna", "/uri", (200, "spiffe://home.test/anna")),
    ("anna", "/anna", (200, "anna")), ("anna", "/staff", (200, "anna")),
    ("ben", "/anna", 403), ("ben", "/staff", 403), ("ben", "/dns", 403),
    ("ben", "/email", 403), ("none", "/", 403), (None, "/", 403),
    ("ben", "/open", (200, "open ;")), (None, "/open", (200, "open ;"))])
def test_it_says_who_somebody_is(world, who, path, want):
    got = world.ask(who, path)
    assert got == want or got[0] == want


def test_limits_and_logs_know_the_name(world):
    assert [world.ask(w, "/limited")[0] for w in ("anna", "ben", "ben", "anna")] \
        == [200, 200, 429, 429]
    log = (world.gh.dir / "access.log").read_text()
    assert "429 rate_limited ben" in log or re.search(r"429 \S+ ben", log)
    assert world.ask(None)[0] == 403
    assert "403 certificate_needed -" in \
        (world.gh.dir / "access.log").read_text()


def test_what_another_site_verified_proves_nothing(world):
    """b.test asks for none: one shown to a.test names nobody there."""
    assert world.ask("anna", host="b.test")[0] == 403
    assert world.ask("anna", host="b.test", sni="b.test")[0] == 403
    with world.gh.client(tls=world.context("anna"), name="a.test") as c:
        assert c.get("/", host="a.test").text == "anna"
        assert c.get("/", host="b.test").status == 403
        assert c.get("/", host="a.test").text == "anna"


def test_a_session_goes_on_with_its_name(world):
    """RFC 8446 2.2: a resumed handshake shows no certificate again."""
    ctx = world.context("anna")
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    with world.gh.client(tls=ctx, name="a.test") as c:
        assert c.get("/", host="a.test").text == "anna"
        session = c.sock.session
    with world.gh.client(tls=ctx, name="a.test", session=session) as c:
        assert c.get("/", host="a.test").text == "anna"
        assert c.sock.session_reused


def test_clients_of_a_forward_proxy(world):
    assert [world.proxied(w) for w in ("anna", "ben", None)] == [200, 403, 403]


MISTAKES = """[site a]
respond = 200 ok
auth = a
[auth a]
scheme = certificate
certificate_name = %s
"""


@pytest.mark.parametrize("name, code, told", [
    ("cn", 0, "4:1: warning: nobody can be let on: no site and no listen asks"),
    ("nick", 1, "6:20: error: .*cn")])
def test_mistakes_are_told(tmp_path, name, code, told):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % name)
    done = run("-t", "-c", ini)
    assert done.returncode == code
    assert re.search(rf"x\.ini:{told}", done.stderr), done.stderr
