"""Who comes most often: gatehouse status --top (doc/abuse.md)."""
import json

import pytest

from lib import admin
from lib.procs import until

INI = """
[global]
workers = 2
heavy_hitters = %s
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site test]
hosts = *
respond = 200 one
""" + admin.SECTION
SAMPLE = 16
LONG = "/" + "l" * 300


def flood(gh, n, path, who, agent):
    """n requests on one connection, as of this client."""
    one = (f"GET {path} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {who}\r\n"
           f"User-Agent: {agent}\r\n\r\n").encode("latin-1")
    with gh.client() as c:
        while n > 0:
            some = min(n, 100)
            c.send(one * some)
            for _ in range(some):
                assert c.response().status == 200
            n -= some


def top(gh):
    return admin.status(gh)["top"]


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse(INI % "on")
    until(lambda: admin.steward(gh))
    flood(gh, 2000, "/often?a=1", "192.0.2.1", "wget/1")
    flood(gh, 1000, LONG, "2001:db8:1:2::9", 'b\xf6t "x"')
    return gh


def test_the_first_is_first_in_all_kinds(gh):
    """Counted over both workers by a sample of one in 16; IPv6 by its /64, paths
    without query, long names cut, bytes escaped."""
    got = top(gh)
    assert got["half_life_s"] == 60
    assert [c["name"] for c in got["clients"]] == ["192.0.2.1",
                                                   "2001:db8:1:2::/64"]
    assert [c["name"] for c in got["paths"]] == [
        "a.test/often", ("a.test" + LONG)[:128] + "..."]
    assert [c["name"] for c in got["user_agents"]] == [
        "wget/1", "b\\xf6t \\x22x\\x22"]
    for kind in ("clients", "paths", "user_agents"):
        for c, n in zip(got[kind], (2000, 1000)):
            assert c["error"] == 0
            assert c["count"] % SAMPLE == 0
            # five standard deviations of the sample, and more
            assert n / 2 < c["count"] < n * 2, got


def test_the_command_prints_lists(gh):
    """--top: for people; the same as --json."""
    out = admin.cli(gh, "--top")
    assert (out.returncode, out.stderr) == (0, "")
    for kind in ("clients", "paths", "user_agents"):
        for c in json.loads(admin.cli(gh, "--json").stdout)["top"][kind]:
            assert f'{c["count"]:12}  {c["count"]:12}  {c["name"]}\n' \
                in out.stdout
    assert "WORKER" not in out.stdout
    assert "a.test/often" not in admin.cli(gh).stdout


def test_it_lives_on_over_a_reload_and_off_forgets(gh):
    """Two generations count into the same tables; a reload with `heavy_hitters =
    off` keeps nothing, and counts nothing."""
    before = top(gh)["clients"][0]["name"]
    gh.reload(INI % "on")
    assert top(gh)["clients"][0]["name"] == before
    gh.reload(INI % "off")
    until(lambda: top(gh)["clients"] == [])
    flood(gh, 200, "/often", "192.0.2.1", "wget/1")
    got = top(gh)
    assert (got["clients"], got["paths"], got["user_agents"]) == ([], [], [])
