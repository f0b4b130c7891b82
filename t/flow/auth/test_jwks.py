"""`jwks = URL`: keys of tokens that are fetched (RFC 7517), on no request's way but
that of a token by a new key; they rotate without a reload, and what was good stays
while nothing better comes."""
import json
import os
import re
import signal
import threading

import pytest

from lib import admin, jwt
from lib.certs import Authority
from lib.dns import Dns
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import meet_workers, until
from lib.tls_origin import TlsOrigin, server_context

AUTH = """
[auth {name}]
scheme = jwt
jwks = https://{host}:{port}/keys?of=us
jwks_again = {again}
ca = {ca}
"""
INI = """
[global]
workers = 2
log_level = info
dns_servers = %(dns)s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 worker={worker} user={user};
[route test /good]
auth = good
[route test /other]
auth = other
[route test /late]
auth = late
[route test /slow]
auth = slow
""" + admin.SECTION


class Issuer(TlsOrigin):
    """Says `.body` with `.status` and `.fields`, once `.gate` is open."""

    def __init__(self, ca, *names):
        self.status, self.fields, self.body = 200, b"", b""
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(server_context(ca.make(names[0], *names)), self.say)

    def say(self, conn, _):
        assert self.gate.wait(10)
        out = ok(self.body, self.fields)
        conn.send(out.replace(b"200 OK", b"%d X" % self.status))
        conn.sock.notify()
        return False

    def show(self, *keys, age=3600):
        self.body = jwt.key_set(*(k.jwk() for k in keys)).encode()
        self.fields = b"Cache-Control: max-age=%d\r\n" % age


class World:
    def __init__(self, folder, start):
        ca = Authority("issuers")
        self.keys = {n: jwt.Key(folder, "ES256", n) for n in "abcde"}
        self.issuer = Issuer(ca, "issuer.test")
        self.slow = Issuer(ca, "slow.test")
        self.late = Issuer(ca, "late.test")
        self.late.status = 503
        self.slow.show(self.keys["a"])
        self.dns = Dns({f"{n}.test": ["127.0.0.1"]
                        for n in ("issuer", "other", "slow", "late")})
        ini = INI % {"dns": self.dns.address}
        for name, host, made, again in (
                ("good", "issuer", self.issuer, "1s"),
                ("other", "other", self.issuer, "1s"),
                ("late", "late", self.late, "1s"),
                ("slow", "slow", self.slow, "1h")):
            ini += AUTH.format(name=name, host=f"{host}.test",
                               port=made.port, ca=ca.pem, again=again)
        self.gh = start(ini)

    def token(self, key, **header):
        key = self.keys[key]
        return key.token(jwt.claims(), **{"kid": key.kid, **header})

    def ask(self, token, path="/good", client=None):
        line = f"Authorization: Bearer {token}\r\n".encode()
        if client is not None:
            return client.get(path, extra=line)
        with self.gh.client() as c:
            return c.get(path, extra=line)

    def status(self, key, path="/good", **header):
        return self.ask(self.token(key, **header), path).status

    def know(self, *names, age=3600):
        """Both workers know these keys, and no others."""
        self.issuer.status = 200
        self.issuer.show(*(self.keys[n] for n in names), age=age)
        want = [{200} if n in names else {401} for n in self.keys]
        # who is not known makes them look again
        until(lambda: [self.both(self.token(n)) for n in self.keys] == want)

    def both(self, token):
        """Its status with each of the workers."""
        def visit():
            c = self.gh.client()
            return re.search(r"worker=(\d)", c.get("/").text)[1], c
        met = meet_workers(visit)
        said = {who: self.ask(token, client=c).status for who, c in met}
        for _, c in met:
            c.close()
        return set(said.values())

    def count(self, name):
        return admin.status(self.gh)["counters"][name]


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse):
    made = World(tmp_path_factory.mktemp("keys"), shared_gatehouse)
    yield made
    made.issuer.close()
    made.slow.close()
    made.late.close()
    made.dns.close()


def test_before_there_are_any_nobody_can_tell(world):
    """503, not 401: the client's token may be good."""
    n = world.count("jwks_fetch_failures_total")
    assert world.status("a", "/late") == 503
    until(lambda: world.count("jwks_fetch_failures_total") > n)
    assert 'why="the status of its answer is not 200"' in world.gh.stderr()
    # as soon as they are there
    world.late.show(world.keys["a"])
    world.late.status = 200
    until(lambda: world.status("a", "/late") == 200)


def test_how_they_are_fetched(world):
    world.know("a")
    got = world.issuer.requests[-1]
    assert (got.method, got.target) == ("GET", "/keys?of=us")
    assert got.get("host") == f"issuer.test:{world.issuer.port}"
    assert "user=anna;" in world.ask(world.token("a")).text
    assert world.count("jwks_fetches_total") >= 1


def test_a_new_key_is_fetched_for_who_brings_it_first(world):
    """One fetch for both workers; what was taken away is good no more, also
    where it was remembered."""
    world.know("a")
    world.issuer.show(world.keys["b"], world.keys["c"])
    until(lambda: world.status("b") == 200)
    n = len(world.issuer.requests)
    assert world.both(world.token("b")) == {200}
    assert world.both(world.token("c")) == {200}
    assert len(world.issuer.requests) == n
    until(lambda: world.both(world.token("a")) == {401})


def test_names_of_keys_that_nobody_has_cost_a_fetch_at_times(world):
    """`jwks_again` bounds them, in each worker."""
    n = len(world.slow.requests)
    for i in range(20):
        assert world.status("b", "/slow", kid=f"no{i}") == 401
    assert len(world.slow.requests) - n <= 2


@pytest.mark.parametrize("status, body", [
    (500, None), (302, None), (200, b"<html>"), (200, b'{"keys":'),
    (200, json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA",
                                "y": "AA", "kid": "d"}]}).encode()),
    (200, b'{"keys":[' + b" " * 70000 + b"]}")], ids=range(6))
def test_what_is_no_set_changes_nothing(world, status, body):
    world.know("b")
    world.issuer.show(world.keys["d"])
    world.issuer.status = status
    if body is not None:
        world.issuer.body = body
    n = world.count("jwks_fetch_failures_total")
    until(lambda: world.status("d") == 401 and
          world.count("jwks_fetch_failures_total") > n)
    assert world.both(world.token("b")) == {200}


def test_a_reload_begins_with_what_was_good(world):
    world.know("b")
    world.issuer.status = 500
    world.gh.reload()
    assert world.both(world.token("b")) == {200}


def test_a_crash_costs_no_keys(world):
    world.know("b")
    world.issuer.status = 500
    dead = next(iter(world.gh.workers()))
    os.kill(dead, signal.SIGKILL)
    until(lambda: len(world.gh.workers()) == 2 and
          dead not in world.gh.workers())
    assert world.both(world.token("b")) == {200}


def test_they_are_fetched_again_when_their_time_is_over(world):
    """RFC 9111 5.2.2.1; nobody has to ask."""
    world.know("b")
    world.issuer.show(world.keys["d"], age=0)
    # one worker fetches it, the other one has it of the first
    until(lambda: world.both(world.token("d")) == {200})
    world.issuer.show(world.keys["e"], age=0)
    until(lambda: world.both(world.token("d")) == {401})
    assert world.both(world.token("e")) == {200}


def test_many_wait_for_one_fetch(world):
    """One of each worker at most; who brings another key does not wait."""
    world.know("a", "e")
    n = len(world.issuer.requests)
    world.issuer.gate.clear()
    world.issuer.show(world.keys["b"], world.keys["e"])
    token, said = world.token("b"), []

    def wait():
        until(lambda: world.ask(token).status == 200)
        said.append(200)
    threads = [threading.Thread(target=wait) for _ in range(8)]
    try:
        for t in threads:
            t.start()
        until(lambda: len(world.issuer.requests) > n)
        assert world.both(world.token("e")) == {200}
        assert not said
    finally:
        world.issuer.gate.set()
    for t in threads:
        t.join(10)
    assert len(said) == 8
    assert len(world.issuer.requests) - n <= 2


def test_a_server_of_another_name_is_not_believed(world):
    """RFC 9525: no key of its comes in."""
    assert world.status("e", "/other") == 503
    assert re.search(r'keys not fetched auth=other .*why="[^"]*(name|hostname)',
                     world.gh.stderr())
    until(lambda: world.issuer.failed, what="the end of the handshake")


MISTAKES = """[site a]
respond = 200 ok
auth = a
[auth a]
scheme = jwt
jwks = %s
%s
"""


@pytest.mark.parametrize("url, more, code, told", [
    ("ftp://a.test/keys", "", 1, "6:8: error: .*no URL of http or https"),
    ("https://a.test/k\"", "", 1, "6:8: error: .*no URL of http or https"),
    ("http://a.test/keys", "", 0, "6:8: warning: .*use https"),
    ("http://127.0.0.1:8/keys", "", 0, "good"),
    ("https://a.test/keys", "ca = none.pem", 1, "7:6: error: .*none.pem")])
def test_mistakes_are_told(tmp_path, url, more, code, told):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % (url, more))
    done = run("-t", "-c", ini)
    assert done.returncode == code
    assert told == "good" or re.search(rf"x\.ini:{told}", done.stderr)


def test_explain_fetches_nothing(tmp_path):
    key = jwt.Key(tmp_path, "EdDSA", "k")
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % ("http://127.0.0.1:1/keys", ""))
    done = run("explain", "-c", ini, "GET", "http://a/", "-H",
               f"Authorization: Bearer {key.token()}")
    assert "keys of http://127.0.0.1:1/keys are not fetched here" in done.stdout
    assert "knows anna" in done.stdout
