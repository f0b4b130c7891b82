"""Issue 8: files that decide about clients are read again on HUP, all or none: a
broken one is told with its place, and everything stays as it was."""
import base64
import hashlib
import types

import pytest

from lib import admin, jwt
from lib.mmdb import database

INI = """
[global]
workers = 1
mmdb = {files}/country.mmdb
include = {files}/*.ini
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site test]
hosts = *
respond = 200 {user}
[route test /net]
respond = 200
deny = net
[route test /host]
respond = 200
deny = host
[route test /url]
respond = 200
deny = url
[route test /land]
respond = 200
deny = land
[route test /basic]
respond = 200 {user}
auth = basic
[route test /staff]
respond = 200 {user}
auth = basic
allow = staff
[route test /key]
respond = 200 {user}
auth = key
[route test /jwt]
respond = 200 {user}
auth = jwt
[route test /limited]
respond = 200
rate_limit = some
[acl net]
ip_file = {files}/net
[acl host]
domain_file = {files}/host
[acl url]
url_file = {files}/url
[acl land]
country = FR
[acl staff]
group = staff
[users people]
file = {files}/people
groups_file = {files}/groups
[auth basic]
scheme = basic
users = people
[auth key]
scheme = apikey
file = {files}/keys
[auth jwt]
scheme = jwt
jwks = {files}/jwks
""" + admin.SECTION


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse):
    """A gatehouse, its files and what asks by them."""
    files = tmp_path_factory.mktemp("files")
    key = jwt.Key(files, "EdDSA", "one")
    hashed = jwt.openssl("passwd", "-5", "-salt", "salt", "word").decode()
    whole = {
        "net": b"192.0.2.0/24\n", "host": b".bad.test\n", "url": b"secret\n",
        "people": f"anna:{hashed}".encode(), "groups": b"staff: anna\n",
        "keys": f"shop:{sha('k1')}\n".encode(),
        "jwks": jwt.key_set(key.jwk()).encode(),
        "country.mmdb": database({"192.0.2.0/24": {"country": {
            "iso_code": "FR"}}}),
        "limits.ini": b"[limit some]\nrate = 1/h\nburst = 1000\n",
    }
    for name, content in whole.items():
        (files / name).write_bytes(content)
    return types.SimpleNamespace(
        gh=shared_gatehouse(INI, files=files), files=files, whole=whole,
        bearer=f"Authorization: Bearer {key.token(kid='one')}", hash=hashed)


def ask(world, path, *lines, host="test"):
    with world.gh.client() as c:
        return c.get(path, host=host, extra="".join(
            f"{line}\r\n" for line in lines).encode())


BASIC = "Authorization: Basic " + base64.b64encode(b"anna:word").decode()


def answers(world):
    """By each file, for who is in it."""
    gone = "X-Forwarded-For: 192.0.2.1"
    limited = ask(world, "/limited")
    return {
        "net": ask(world, "/net", gone).status,
        "host": ask(world, "/host", host="x.bad.test").status,
        "url": ask(world, "/url?secret").status,
        "country.mmdb": ask(world, "/land", gone).status,
        "people": ask(world, "/basic", BASIC).text,
        "groups": ask(world, "/staff", BASIC).status,
        "keys": ask(world, "/key", "X-API-Key: k1").text,
        "jwks": ask(world, "/jwt", world.bearer).text,
        "limits.ini": limited.status,
    }


KNOWN = {"net": 403, "host": 403, "url": 403, "country.mmdb": 403,
         "people": "anna", "groups": 200, "keys": "shop", "jwks": "anna",
         "limits.ini": 200}


@pytest.mark.parametrize("name, broken, told", [
    ("net", "192.0.2.1/24\n", "net:1:1: error: expected an address"),
    ("host", "a b/c\n", "host:1"),
    ("url", "(\n", "url:1"),
    ("country.mmdb", "FR", "country.mmdb cannot be used: "),
    ("people", "anna:word\n", "people:1: 'anna': this is no hash but a plain"),
    ("groups", "staff anna\n", "groups:1"),
    ("keys", "shop:k1\n", "keys:1: "),
    ("jwks", '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "jwks: "),
    ("jwks", "{}", "jwks: it is no JSON Web Key Set"),
    ("limits.ini", "[limit some]\nrate = 1\n", "limits.ini:2:8: error: "),
    ("limits.ini", "[limit other]\nrate = 1/s\n", "limit 'some' is not defined"),
])
def test_a_broken_file_keeps_the_old(world, name, broken, told):
    seen = world.gh.stderr()
    (world.files / name).write_text(broken)
    world.gh.reload()
    said = world.gh.stderr()[len(seen):]
    assert told in said, said
    assert "left as it is" in said
    assert answers(world) == KNOWN
    (world.files / name).write_bytes(world.whole[name])


@pytest.mark.parametrize("name", [n for n in KNOWN if n != "limits.ini"])
def test_a_file_that_is_gone_keeps_the_old(world, name):
    seen = world.gh.stderr()
    (world.files / name).rename(world.files / "away")
    world.gh.reload()
    (world.files / "away").rename(world.files / name)
    said = world.gh.stderr()[len(seen):]
    assert f"/{name}" in said and "No such file" in said
    assert answers(world) == KNOWN


def test_all_are_read_again(world):
    # which takes a place of the limit, too
    assert answers(world) == KNOWN
    new = {
        "net": b"198.51.100.0/24\n", "host": b".worse.test\n",
        "url": b"hidden\n", "people": f"ben:{world.hash}".encode(),
        "groups": b"staff: ben\n", "keys": f"shop:{sha('k2')}\n".encode(),
        "jwks": jwt.key_set(jwt.Key(world.files, "EdDSA", "two").jwk())
        .encode(),
        "country.mmdb": database({"192.0.2.0/24": {"country": {
            "iso_code": "DE"}}}),
        "limits.ini": b"[limit some]\nrate = 1/h\nburst = 1\n",
    }
    for name, content in new.items():
        (world.files / name).write_bytes(content)
    world.gh.reload()
    got = answers(world)
    assert [got[n] for n in ("net", "host", "url", "country.mmdb")] == [200] * 4
    assert got["groups"] == 401 and got["limits.ini"] == 429
    assert not {"anna", "shop"} & {got["people"], got["keys"], got["jwks"]}
    assert ask(world, "/key", "X-API-Key: k2").text == "shop"
