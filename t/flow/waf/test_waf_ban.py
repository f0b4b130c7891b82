"""Whom the rules refuse is banned: `ban` of a [waf]; one that only detects bans
nobody, and nobody is banned for what a server says."""
import re

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import ok
from lib.wire import Client

RULES = r"""
SecRule ARGS "@contains attack" "id:1,phase:2,deny,log,msg:'bad'"
SecRule ARGS "@contains away" "id:2,phase:2,redirect:'https://a.test/',nolog"
SecRule RESPONSE_HEADERS:X-Leak "@streq yes" "id:3,phase:3,deny,log,msg:'leak'"
"""
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
upstream = app
waf = once
[route test /thrice]
waf = thrice
[route test /watch]
waf = watch
[waf once]
rules = {rules}
ban = 1h
[waf thrice]
rules = {rules}
ban = 1h after=3 in=1h
[waf watch]
rules = {rules}
mode = detect
ban = 1h
[auth once]
scheme = basic
ban = 1h
users = people
[users people]
[upstream app]
server = {origin}
""" + admin.SECTION


@pytest.fixture(scope="module")
def gh(shared_gatehouse, shared_origin, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "rules.conf"
    rules.write_text(RULES)
    o = shared_origin(lambda conn, r: conn.send(ok(
        b"ok", b"X-Leak: yes\r\n" if "leak" in r.target else b"")))
    return shared_gatehouse(INI, origin=o.address, rules=rules)


def come(gh, source, path):
    """A connection from an address of its own: the answer's status, or what
    became of it."""
    try:
        with Client(("127.0.0.1", gh.port), source=source) as c:
            return c.get(path).status
    except (ConnectionResetError, BrokenPipeError):
        return "reset"


def bans(gh):
    return admin.status(gh)["counters"]["bans_total"]


def test_who_attacks_is_reset_from_then_on(gh):
    n = bans(gh)
    assert come(gh, "127.0.1.1", "/?a=fine") == 200
    assert come(gh, "127.0.1.1", "/?a=attack") == 403
    assert [come(gh, "127.0.1.1", "/?a=fine") for _ in range(3)] == ["reset"] * 3
    assert come(gh, "127.0.1.2", "/?a=fine") == 200
    assert bans(gh) == n + 1
    assert "client banned client=127.0.1.1 why=waf for_s=3600" in \
        (gh.dir / "error.log").read_text()


def test_or_who_does_so_a_few_times_whichever_worker_it_meets(gh):
    said = [come(gh, "127.0.2.1", "/thrice?a=attack") for _ in range(5)]
    assert said == [403, 403, 403, "reset", "reset"]


@pytest.mark.parametrize("path, status", [
    ("/watch?a=attack", 200), ("/leak", 403), ("/?a=away", 302),
    ("/?a=attack", 403)])
def test_who_did_not_attack_is_not(gh, path, status):
    """Only watched; the server's own doing; sent elsewhere; and a trusted proxy
    that tells of nobody stands for many."""
    source = None if "attack" in path and status == 403 else "127.0.3.1"
    n = bans(gh)
    assert [come(gh, source, path) for _ in range(3)] == [status] * 3
    assert bans(gh) == n


@pytest.mark.parametrize("ban, told", [
    ("ban = 10", r"x\.ini:5:7: error: .*unit"),
    ("ban = 10m after=0", r"x\.ini:5:.*error"),
    ("ban = 10m\nban = 1h", r"x\.ini:6:1: error: ban stands twice")])
def test_mistakes_are_told(tmp_path, ban, told):
    (tmp_path / "r.conf").write_text(RULES)
    ini = tmp_path / "x.ini"
    ini.write_text("[site a]\nrespond = 200 ok\n[waf w]\nrules = r.conf\n" +
                   ban)
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(told, done.stderr), done.stderr
