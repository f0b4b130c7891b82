"""Who guesses is banned, whichever worker is asked: `ban` of an [auth]."""
import base64
import hashlib
import hmac
import re

import pytest

from lib import admin, jwt
from lib.gatehouse import run
from lib.wire import Client

SECRET = b"a secret of thirty-two bytes or so"
INI = """
[global]
workers = 2
error_log = {dir}/error.log
log_level = info
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site test]
hosts = *
respond = 200 served
[route test /key]
auth = keys
[route test /link]
auth = links
[route test /token]
auth = tokens
[route test /free]
auth = free
[auth keys]
scheme = apikey
file = {files}/keys
ban = 1h after=3 in=1h
[auth links]
scheme = hmac
secret = a secret of thirty-two bytes or so
ban = 1h after=1
[auth tokens]
scheme = jwt
secret = a secret of thirty-two bytes or so
algorithms = HS256
header = X-Api-Key
ban = 1h after=1
[auth free]
scheme = apikey
file = {files}/keys
""" + admin.SECTION


@pytest.fixture
def gh(gatehouse, tmp_path):
    (tmp_path / "keys").write_text(
        f"shop:{hashlib.sha256(b'one').hexdigest()}\n")
    return gatehouse(INI, files=tmp_path)


def come(gh, source, path="/key", key="wrong"):
    """A connection from an address of its own: the answer's status, or what
    became of it."""
    extra = f"X-Api-Key: {key}\r\n".encode() if key else b""
    try:
        with Client(("127.0.0.1", gh.port), source=source) as c:
            return c.get(path, extra=extra).status
    except (ConnectionResetError, BrokenPipeError):
        return "reset"


def told(gh, client, path="/key", key="wrong"):
    """A connection from the trusted proxy that tells of a client."""
    with gh.client() as c:
        return c.get(path, extra=f"X-Forwarded-For: {client}\r\n"
                     f"X-Api-Key: {key}\r\n".encode()).status


def bans(gh):
    return admin.status(gh)["counters"]["bans_total"]


def test_who_guesses_is_reset_from_then_on(gh):
    """Each guess is a connection of its own, which any worker may have."""
    for n in range(2, 12):
        assert [come(gh, f"127.0.0.{n}") for _ in range(4)] == \
            [401, 401, 401, "reset"]
    assert come(gh, "127.0.0.2", "/", None) == "reset"
    assert come(gh, "127.0.0.20", key="one") == 200
    assert bans(gh) == 10
    assert "client banned client=127.0.0.2 why=auth for_s=3600" in \
        (gh.dir / "error.log").read_text()


def test_what_is_no_guess_is_not_counted(gh):
    for _ in range(4):
        assert come(gh, "127.0.0.2", key=None) == 401
        assert come(gh, "127.0.0.2", key="one") == 200
        assert come(gh, "127.0.0.2", "/link") == 403
        assert come(gh, "127.0.0.2", "/free") == 401
    assert [come(gh, "127.0.0.2") for _ in range(3)] == [401] * 3
    assert bans(gh) == 1


def test_clients_of_a_proxy_are_told_apart(gh):
    """A network of IPv6 is one client; the proxy itself is never banned."""
    assert [told(gh, f"2001:db8::{n}") for n in range(1, 5)] == \
        [401, 401, 401, 403]
    assert told(gh, "2001:db8:0:1::1", key="one") == 200
    assert [come(gh, None) for _ in range(5)] == [401] * 5
    assert bans(gh) == 1


def test_what_is_signed_is_no_guess(gh):
    """An old link, an old token: somebody had them."""
    lines = b"GET\ntest\n/link\n\n1\n\n\n"
    sent = base64.urlsafe_b64encode(hmac.digest(SECRET, lines, hashlib.sha256))
    old = f"/link?gh_expires=1&gh_signature={sent.decode().rstrip('=')}"
    token = jwt.Secret(SECRET).token(jwt.claims(exp=1))
    for _ in range(3):
        assert come(gh, "127.0.0.2", old) == 403
        assert come(gh, "127.0.0.2", "/token", token) == 401
    assert bans(gh) == 0
    assert come(gh, "127.0.0.2", "/token", token + "x") == 401
    assert come(gh, "127.0.0.2", "/token", token) == "reset"


def test_one_wrong_url_can_be_enough(gh):
    assert come(gh, "127.0.0.2", "/link?gh_expires=9999999999&gh_signature=A"
                ) == 403
    assert come(gh, "127.0.0.2", "/", None) == "reset"


def test_a_reload_forgets_no_failure(gh):
    assert [come(gh, "127.0.0.2") for _ in range(2)] == [401] * 2
    gh.reload()
    assert [come(gh, "127.0.0.2") for _ in range(2)] == [401, "reset"]


@pytest.mark.parametrize("words, told_of", [
    ("0s", "from 1ms to 1y"), ("10", "needs a unit|10 what"),
    ("1m after=0", "after"), ("1m after=1k", "digits alone"), ("1m in=2d", "in"), ("1m within=1m", "unknown op"),
    ("1m\nban = 2m", "stands twice")])
def test_mistakes_are_told(tmp_path, words, told_of):
    (tmp_path / "keys").write_text("")
    ini = tmp_path / "x.ini"
    ini.write_text("[auth a]\nscheme = apikey\nfile = keys\n"
                   f"ban = {words}\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(rf"x\.ini:[45]:\d+: error: .*({told_of})", done.stderr), \
        done.stderr
