"""Keys and signed tokens: what is believed, what is not, and what the server
gets of it."""
import hashlib
import json
import re
import time

import pytest

from lib import admin, jwt
from lib.gatehouse import run
from lib.origin import ok

SECRET = b"a secret of thirty-two bytes or so"
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
request_header = X-User: {user}
request_header = X-Tenant: {claim:tenant}
request_header = X-Roles: {claim:groups}
[route test /key]
auth = keys
[route test /jwt]
auth = tokens
[route test /anybody]
auth = any
[route test /hs]
auth = shared
[rule test admins]
match = path ^= /jwt
match = claim:admin = true
response_header = X-Admin: yes
[upstream app]
server = {origin}
[users people]
groups_file = {files}/groups
[auth keys]
scheme = apikey
file = {files}/keys
header = X-Api-Key Authorization
query = key
users = people
[auth tokens]
scheme = jwt
jwks = {files}/jwks
issuer = https://issuer.example
audience = shop api
skew = 10s
pass = on
[auth any]
scheme = jwt
jwks = {files}/jwks
claim = email
header = X-Token
query = token
[auth shared]
scheme = jwt
secret = file:{files}/secret
algorithms = HS256
""" + admin.SECTION
ISSUED = {"iss": "https://issuer.example", "aud": "shop"}


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse, shared_origin):
    """(gatehouse, origin, {alg: key}, folder)."""
    folder = tmp_path_factory.mktemp("keys")
    keys = {alg: jwt.Key(folder, alg, alg.lower()) for alg in jwt.KEYS}
    (folder / "jwks").write_text(jwt.key_set(
        {"kty": "unknown"}, {**keys["RS256"].jwk(), "use": "enc", "kid": "e"},
        *(k.jwk(alg=k.alg) for k in keys.values())))
    (folder / "keys").write_text("".join(
        f"{name}:{hashlib.sha256(key.encode()).hexdigest()}\n"
        for name, key in (("shop", "one"), ("shop", "two"), ("api", "three"))))
    (folder / "groups").write_text("partners: shop\n")
    (folder / "secret").write_bytes(SECRET)
    o = shared_origin(lambda conn, r: conn.send(ok()))
    gh = shared_gatehouse(INI, origin=o.address, files=folder)
    return gh, o, keys, folder


def ask(world, path, *lines):
    """(answer, what reached the server or None)."""
    gh, o, _, _ = world
    before = len(o.requests)
    with gh.client() as c:
        r = c.get(path, extra="".join(f"{x}\r\n" for x in lines).encode())
    return r, o.requests[-1] if len(o.requests) > before else None


def bearer(token):
    return f"Authorization: Bearer {token}"


# --- apikey ------------------------------------------------------------------

@pytest.mark.parametrize("path, line, name", [
    ("/key", "X-API-Key: one", "shop"), ("/key", "x-api-key: two", "shop"),
    ("/key", "X-Api-Key: three", "api"),
    ("/key", "Authorization: bearer three", "api"),
    ("/key?key=three&a=1", "X-A: b", "api"),
    ("/key?a=1&key=one&b=2", "X-A: b", "shop")])
def test_a_key_says_who_it_is(world, path, line, name):
    r, got = ask(world, path, line)
    assert r.status == 200
    assert got.get("x-user") == name
    # and goes no further
    assert got.get("x-api-key") is got.get("authorization") is None
    assert "key=" not in got.target
    assert got.target == path.replace("key=three&", "").replace("key=one&", "")


@pytest.mark.parametrize("path, lines", [
    ("/key", []), ("/key", ["X-Api-Key: four"]), ("/key", ["X-Api-Key:"]),
    ("/key", ["X-Api-Key: " + hashlib.sha256(b"one").hexdigest()]),
    ("/key", ["X-Api-Key: one", "X-Api-Key: one"]),
    ("/key", ["Authorization: Basic one"]), ("/key?key=", []),
    ("/key?key=one&key=two", []), ("/key?keys=one", [])], ids=range(9))
def test_no_other_key_does(world, path, lines):
    r, got = ask(world, path, *lines)
    assert (r.status, got) == (401, None)
    assert r.get("www-authenticate") == 'ApiKey realm="keys"'


# --- jwt ---------------------------------------------------------------------

@pytest.mark.parametrize("alg", jwt.KEYS)
@pytest.mark.parametrize("has_kid", [True, False])
def test_each_signature_is_verified(world, alg, has_kid):
    key = world[2][alg]
    token = key.token(jwt.claims(**ISSUED),
                      **({"kid": key.kid, "typ": "JWT"} if has_kid else {}))
    r, got = ask(world, "/jwt", bearer(token))
    assert r.status == 200
    assert got.get("x-user") == "anna"
    assert got.get("authorization").endswith(token)
    # any other byte of the signature is another one
    head, last = token[:-20], token[-20:]
    other = head + ("A" if last[0] != "A" else "B") + last[1:]
    assert ask(world, "/jwt", bearer(other))[0].status == 401
    # so are other claims under it
    parts = token.split(".")
    parts[1] = jwt.b64(json.dumps(jwt.claims(**ISSUED, sub="root")).encode())
    assert ask(world, "/jwt", bearer(".".join(parts)))[0].status == 401


def test_a_signature_is_verified_once(world):
    token = world[2]["EdDSA"].token(jwt.claims(**ISSUED, once=1))

    def checks():
        return admin.status(world[0])["counters"]["auth_checks_total"]

    before = checks()
    assert [ask(world, "/jwt", bearer(token))[0].status
            for _ in range(5)] == [200] * 5
    assert checks() == before + 1


@pytest.mark.parametrize("payload", [
    {"exp": None}, {"exp": 1}, {"exp": "soon"}, {"exp": 1e300},
    {"nbf": 99999999999}, {"nbf": "now"}, {"iss": "https://other.example"},
    {"iss": None}, {"aud": None}, {"aud": "shop2"}, {"aud": ["x", 1]},
    {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "a\nb"},
    {"sub": "x" * 256}], ids=str)
def test_claims_are_judged(world, payload):
    key = world[2]["ES256"]
    r, got = ask(world, "/jwt", bearer(
        key.token(jwt.claims(**{**ISSUED, **payload}))))
    assert (r.status, got) == (401, None)
    assert r.get("www-authenticate") == \
        'Bearer realm="tokens", error="invalid_token"'


def test_clocks_may_differ_a_little(world):
    key, now = world[2]["EdDSA"], time.time()
    for more, status in (({"exp": now - 5}, 200), ({"exp": now - 30}, 401),
                         ({"nbf": int(now) + 5}, 200),
                         ({"nbf": int(now) + 60}, 401),
                         ({"aud": ["x", "api"]}, 200)):
        r, _ = ask(world, "/jwt", bearer(
            key.token(jwt.claims(**{**ISSUED, **more}))))
        assert r.status == status, more


def test_what_says_nothing_is_asked(world):
    for line in ("X-A: b", "Authorization: Basic YTpi"):
        r, _ = ask(world, "/jwt", line)
        assert r.status == 401
        assert r.get("www-authenticate") == 'Bearer realm="tokens"'


def evil(world):
    """Tokens that some readers believe."""
    key = world[2]["RS256"]
    good = jwt.claims(**ISSUED)
    signed = key.token(good)
    head, payload, signature = signed.split(".")
    none = jwt.b64(json.dumps({"alg": "none"}).encode())
    public = world[2]["RS256"].public
    ours = jwt.Key(world[3], "ES256", "mine")
    return {
        "none": f"{none}.{payload}.",
        "none, signed": f"{none}.{payload}.{signature}",
        "nOnE": jwt.join({"alg": "nOnE"}, good, lambda _: b""),
        "no alg": jwt.join({}, good, key.sign),
        "alg of another key": jwt.join({"alg": "ES256"}, good, key.sign),
        "the public key as a secret": jwt.Secret(public).token(good),
        "HS256 with a known secret": jwt.Secret(SECRET).token(good),
        "own key": ours.token(good),
        "own key within": ours.token(good, jwk=ours.jwk(), kid="mine"),
        "key of another kid": key.token(good, kid="es256"),
        "key that is there to encrypt": key.token(good, kid="e"),
        "crit": key.token(good, crit=["b64"], b64=True),
        "typ": key.token(good, typ="JWE"),
        "two parts": f"{head}.{payload}",
        "four parts": f"{signed}.{signature}",
        "padding": f"{head}=.{payload}.{signature}",
        "no signature": f"{head}.{payload}.",
        "cut": signed[:-2],
        "claims twice": jwt.join({"alg": "RS256"}, b'{"sub":"anna","sub":"r",'
                                 b'"exp":99999999999}', key.sign),
        "no object": jwt.join({"alg": "RS256"}, b'["sub"]', key.sign),
        "deep": jwt.join({"alg": "RS256"}, b'{"a":' + b"[" * 2000 + b"]" * 2000
                         + b"}", key.sign),
        "long": "A" * 9000,
    }


def test_tokens_that_some_readers_believe(world):
    for what, token in evil(world).items():
        r, got = ask(world, "/jwt", bearer(token))
        assert (r.status, got) == (401, None), what


def test_claims_reach_rules_and_lines(world):
    key = world[2]["EdDSA"]
    token = key.token(jwt.claims(**ISSUED, tenant="t-1", admin=True,
                                 groups=["dev", "ops"]))
    r, got = ask(world, "/jwt", bearer(token), "X-Tenant: forged")
    assert r.get("x-admin") == "yes"
    assert got.all("x-tenant") == ["t-1"]
    assert got.get("x-roles") == "dev ops"
    r, _ = ask(world, "/jwt", bearer(key.token(jwt.claims(**ISSUED))))
    assert (r.status, r.get("x-admin")) == (200, None)


@pytest.mark.parametrize("path, line", [
    ("/anybody", "X-Token: {}"), ("/anybody?a=1&token={}", "X-A: b")])
def test_tokens_come_by_other_ways(world, path, line):
    token = world[2]["RS256"].token(jwt.claims(email="a@example.com"))
    r, got = ask(world, path.format(token), line.format(token))
    assert r.status == 200
    assert got.get("x-user") == "a@example.com"
    assert got.get("x-token") is None and "token" not in got.target


def test_a_shared_secret(world):
    assert ask(world, "/hs", bearer(jwt.Secret(SECRET).token()))[1] \
        .get("x-user") == "anna"
    assert ask(world, "/hs", bearer(jwt.Secret(SECRET + b"x").token()))[0] \
        .status == 401
    assert ask(world, "/hs", bearer(world[2]["RS256"].token()))[0] \
        .status == 401


def test_keys_are_read_again(world):
    gh, _, keys, folder = world
    old, new = keys["RS256"], jwt.Key(folder, "ES256", "next")
    token = new.token(jwt.claims(**ISSUED), kid="next")
    assert ask(world, "/jwt", bearer(token))[0].status == 401
    (folder / "jwks").write_text(jwt.key_set(new.jwk(), old.jwk()))
    gh.reload()
    assert ask(world, "/jwt", bearer(token))[0].status == 200
    (folder / "jwks").write_text("{}")
    gh.reload()
    assert ask(world, "/jwt", bearer(token))[0].status == 200
    assert "jwks: it is no JSON Web Key Set" in gh.stderr()


# --- mistakes ----------------------------------------------------------------

MISTAKES = """[site test]
respond = 200 x
auth = a
[auth a]
%s
"""
WEAK = {"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}
OFF_CURVE = {"keys": [{"kty": "EC", "crv": "P-256", "x": jwt.b64(b"\1" * 32),
                       "y": jwt.b64(b"\1" * 32)}]}


@pytest.mark.parametrize("lines, file, place, told", [
    ("scheme = apikey", None, "4:1", "needs file = PATH"),
    ("scheme = apikey\nfile = f", "a:" + "0" * 63, "6:8", "f:1: a key is wri"),
    ("scheme = apikey\nfile = f", "onlythekey", "6:8", "f:1: there is no ':'"),
    ("scheme = apikey\nfile = f", ("a:" + "0" * 64 + "\n") * 2, "6:8",
     "f:2: the same key"),
    ("scheme = apikey\nfile = f\nheader = a:b", "", "7:10", "no name of a fi"),
    ("scheme = jwt", None, "4:1", "no token can be verified"),
    ("scheme = jwt\njwks = f", json.dumps(WEAK), "6:8", "f: key 1 .* too sho"),
    ("scheme = jwt\njwks = f", json.dumps(OFF_CURVE), "6:8", "f: key 1 .*mal"),
    ("scheme = jwt\njwks = f", "[]", "6:8", "f: it is no JSON Web Key Set"),
    ("scheme = jwt\njwks = f", '{"keys":[]}', "4:1", "no token can be"),
    ("scheme = jwt\nalgorithms = none", None, "4:1", "no token can be"),
    ("scheme = jwt\nalgorithms = RS256 none", None, "6:20", "none"),
    ("scheme = jwt\nsecret = short\nalgorithms = HS256", None, "6:10",
     "shorter than 32"),
    ("scheme = jwt\nsecret = " + "x" * 32, None, "6:10", "HS256"),
], ids=range(14))
def test_mistakes_are_told_where_they_stand(tmp_path, lines, file, place,
                                            told):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % lines)
    if file is not None:
        (tmp_path / "f").write_text(file)
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(rf"x\.ini:{place}: error: .*{told}", done.stderr), \
        done.stderr


def test_explain_says_why_a_token_is_refused(tmp_path):
    key = jwt.Key(tmp_path, "EdDSA", "k")
    (tmp_path / "f").write_text(jwt.key_set(key.jwk()))
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % "scheme = jwt\njwks = f")
    for payload, told in ((jwt.claims(), "a knows anna"),
                          (jwt.claims(exp=1), "it has ended")):
        done = run("explain", "GET", "http://test/", "-c", ini, "-H",
                   bearer(key.token(payload)))
        assert told in done.stdout
