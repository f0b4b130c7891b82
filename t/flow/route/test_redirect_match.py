"""`redirect_match`: clients are sent to what a regular expression makes of their
path (doc/presets.md)."""
import pytest

from lib.gatehouse import run

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[defaults]
redirect_match = ^/default/(.*)$ /d/$1
[site s]
hosts = *
respond = 200 here
redirect_file = moved.txt
redirect_match = ^/blog/(\\d+)/(.*)$ https://b.test:8443/$2?year=$1 302
redirect_match = ^/(.*)\\.php$ /$1 308
redirect_match = ^/slash(/.*)?$ /$1
redirect_match = "^/two%20words(.*)" /words$1 307
redirect_match = ^/same/(.*)$ /same/$1
redirect_match = ^/host/(.*)$ http://test/host/$1
redirect_match = ^/more$ /more?page=1
redirect_match = ^/up/(.*)$ /../$1
redirect_match = ^/slow/(a+)+$ /$1
redirect_match = ^/q/(.*)$ /find?q=$1 303
redirect_match = ^/list /never
[route s /none/]
redirect_match = none
[route s /near/]
redirect_match = ^/near/(.*)$ /n/$1
[rule s shut]
match = header:X-Rule = yes
redirect_match = ^/near/(.*)$ /rule/$1
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                          "[site s]\nhosts = *\nrespond = 200\n")
    (gh.dir / "moved.txt").write_text("/list/a /from-list\n")
    gh.reload(INI)
    return gh


def go(gh, path, extra=b""):
    with gh.client() as c:
        r = c.get(path, extra=extra)
        return r.status, r.get("location")


@pytest.mark.parametrize("path, want", [
    ("/blog/2024/a/b", (302, "https://b.test:8443/a/b?year=2024")),
    ("/blog/x/a", (200, None)),
    ("/a/b.php", (308, "/a/b")), ("/a/b.php?x=y", (308, "/a/b?x=y")),
    ("/%61.php", (308, "/a")), ("/x/../b.php", (308, "/b")),
    ("/two%20words/x", (307, "/words/x")),
    ("/default/x", (301, "/d/x")), ("/near/x", (301, "/n/x")),
    ("/list/a", (301, "/from-list")), ("/list/b", (301, "/never")),
    ("/more", (301, "/more?page=1")), ("/more?page=1", (200, None)),
    ("/host/x", (200, None)), ("/host/%61?b", (200, None)),
    ("/same/x", (200, None)), ("/none/x.php", (200, None)),
    ("/q/a&b=c+d", (303, "/find?q=a%26b%3Dc%2Bd")),
    ("/up/x", (400, None)), ("/slow/" + "a" * 60 + "!", (500, None)),
])
def test_what_matches_leads_elsewhere(gh, path, want):
    """Captures of the path in its one form, the query as with `rewrite`; what the
    list has comes first, and what leads to itself is served."""
    assert go(gh, path) == want


def test_lines_of_a_rule_are_nearest(gh):
    assert go(gh, "/near/x", b"X-Rule: yes\r\n") == (301, "/rule/x")


@pytest.mark.parametrize("path", [
    "/slash/evil.test", "/slash//evil.test", "/slash/%2fevil.test",
    "/slash/\\evil.test", "/slash/%5cevil.test", "/slash",
    "/slash/x%0d%0aSet-Cookie:%20a"])
def test_a_path_cannot_choose_the_host(gh, path):
    """CWE-601, CWE-113: no capture begins a host, none ends the line."""
    status, to = go(gh, path)
    if "%2f" in path or "\\" in path or "%5c" in path:
        # it can be read in two ways
        assert (status, to) == (400, None)
        return
    assert status == 301
    assert to.startswith("/") and to[1:2] not in ("/", "\\")
    assert "\r" not in to and "\n" not in to


def test_explain_tells_the_line(gh):
    done = run("explain", "GET", "http://a.test/a.php", "-c", gh.ini)
    assert "redirect_match" in done.stdout and "308 to /a" in done.stdout


@pytest.mark.parametrize("line, why", [
    ("^/a", "expected an expression, a target"),
    ("^/a /b 200", "301, 302, 303, 307 or 308"),
    ("^/a /b 301 x", "expected an expression, a target"),
    ("^/a b", "a target begins with '/' or https://HOST/"),
    ("^/a https://b.test", "a target begins with '/' or https://HOST/"),
    ("^/a ftp://b.test/", "a target begins with '/' or https://HOST/"),
    ("^/(.*) https://$1/", "chooses no host"),
    ("^/(.*) https://a$1.test/x", "chooses no host"),
    ("^/a /$1", "no group of this number"),
    ("^/(a /b", "redirect_match"),
])
def test_a_slip_is_told_with_its_place(tmp_path, line, why):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\nredirect_match = {line}\n"
                   "[route s /a]\nrespond = 200\n")
    told = run("-t", "-c", ini).stderr
    assert why in told and told.count("error:") == 1
    assert f"{ini}:3:" in told
