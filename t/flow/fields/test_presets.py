"""What clients get instead of an origin or in its name: error pages, security
headers, outer names for inner ones (doc/presets.md)."""
import re

import pytest

from lib.gatehouse import run
from lib.h2 import Conn
from lib.origin import ok

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
header_max = 1k
h2c = on
[defaults]
error_page = 4xx 5xx {dir}/any.txt
[site s]
hosts = a.test
upstream = {origin}
error_page = 404 502 503 504 page.html
[route s /own]
respond = 404
[route s /text]
respond = 404 my own words
[route s /teapot]
respond = 418
[route s /json]
respond = 404
error_page = 404 {dir}/e.json
[route s /bare]
respond = 404
error_page = none
[route s /intercept]
error_page = 401 404 500-503 page.html intercept
[route s /down]
upstream = {closed}
[rule s late]
match = path = /late
match = status = 418
error_page = 418 page.html intercept
[route s /app/]
strip_prefix = /app
add_prefix = /v1
[route s /paths/]
strip_prefix = /paths
rewrite_location = paths
rewrite_cookie = paths samesite=lax secure
[route s /off]
rewrite_location = off
rewrite_cookie = none
[route s /hidden]
hide_origin = on
[route s /safe]
security_headers = on
[route s /strict]
security_headers = strict
response_header = X-Frame-Options: ALLOW
response_header = -Origin-Agent-Cluster
"""
PAGE = b"""<!doctype html><style>p{color:red}{margin:0}</style>
<p title='{header:X-A}'>{status} {reason} {host}{path}</p>
<script>f({a})</script>{{status} {request_id}\n"""
EVIL = "\"'><b>&\\"
SAY = {
    "/intercept/404": b"HTTP/1.1 404 No\r\nX-Inner: secret\r\nETag: \"a\"\r\n"
                      b"Content-Length: 4\r\n\r\nsoft",
    "/intercept/401": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=a\r\n"
                      b"Content-Length: 0\r\n\r\n",
    "/intercept/403": b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
    "/late": b"HTTP/1.1 418 No\r\nContent-Length: 2\r\n\r\nno",
    "/404": b"HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\nmy 404",
}


class Setup:
    def __init__(self, gh, o):
        self.gh, self.o = gh, o

    def ask(self, path, extra=b"", **kwargs):
        with self.gh.client() as c:
            return c.get(path, host="a.test", extra=extra, **kwargs)

    def said(self, path, *fields):
        """The answer when the origin's has these fields."""
        SAY["/said"] = SAY[path.replace("/app/", "/v1/", 1)
                           .replace("/paths/", "/", 1)] = ok(
            extra="".join(f + "\r\n" for f in fields).encode())
        return self.ask(path)


def script(conn, request):
    conn.send(SAY.get(request.target) or ok())


@pytest.fixture(scope="module")
def setup(shared_gatehouse, shared_origin):
    o = shared_origin(script)
    closed = shared_origin()
    closed.close()
    gh = shared_gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                          "[site s]\nhosts = *\nrespond = 200\n",
                          origin=o.address, closed=closed.address)
    (gh.dir / "page.html").write_bytes(PAGE)
    (gh.dir / "e.json").write_bytes(b'{"why":"{header:X-A}"}')
    (gh.dir / "any.txt").write_bytes(b"{status} <{header:X-A}>\n")
    gh.reload(INI)
    return Setup(gh, o)


# --- error pages --------------------------------------------------------------

def test_the_nearest_page_is_filled_and_escaped(setup):
    """Variables are text in HTML; braces of styles and scripts stay."""
    r = setup.ask("/own", f"X-A: {EVIL}\r\n".encode())
    assert r.status == 404
    assert r.get("content-type") == "text/html; charset=utf-8"
    assert "<style>p{color:red}{margin:0}</style>" in r.text
    assert "title='&quot;&#39;&gt;&lt;b&gt;&amp;\\'" in r.text
    assert "404 Not Found a.test/own</p>" in r.text
    assert re.search(r"f\(\{a\}\)</script>\{status\} [0-9a-f]{32}\n$", r.text)


def test_a_page_is_json_or_plain_by_its_name(setup):
    r = setup.ask("/json", b'X-A: "</script>\\\r\n')
    assert r.get("content-type") == "application/json"
    assert r.text == ('{"why":"\\u0022\\u003c/script\\u003e\\u005c"}')
    r = setup.ask("/teapot", b"X-A: a<b\r\n")
    assert r.status == 418 and r.text == "418 <a<b>\n"


def test_only_pages_of_ours_are_replaced(setup):
    """A text of `respond`, and answers of the origin, are as somebody wanted
    them; `none` brings our own page back."""
    assert setup.ask("/text").text == "my own words"
    assert setup.ask("/404").text == "my 404"
    assert "<h1>404 Not Found</h1>" in setup.ask("/bare").text


def test_faults_and_heads_too(setup):
    """A server that is not there; HEAD has the length and no content; what is
    wrong before any site is known has the page of [defaults]."""
    r = setup.ask("/down")
    assert r.status == 502 and "502 Bad Gateway a.test/down" in r.text
    full, head = (setup.ask("/own", method=m) for m in ("GET", "HEAD"))
    assert head.get("content-length") == full.get("content-length")
    with setup.gh.client() as c:
        r = c.get("/", host="other.test")
        assert r.status == 421 and r.text == "421 <>\n"
    with setup.gh.client() as c:
        r = c.get("/", extra=b"X-A: " + b"a" * 2000 + b"\r\n")
        assert r.status == 431 and r.text == "431 <>\n"


def test_intercept_takes_what_the_origin_says(setup):
    """Its fields go with its content, but those that the status needs; the
    connection to the client serves on."""
    with setup.gh.client() as c:
        r = c.get("/intercept/404", host="a.test")
        assert r.status == 404 and "404 Not Found a.test" in r.text
        assert r.get("x-inner") is None and r.get("etag") is None
        r = c.get("/intercept/401", host="a.test")
        assert r.status == 401 and r.get("www-authenticate") == "Basic realm=a"
        assert "401 Unauthorized" in r.text
        assert c.get("/intercept/403", host="a.test").text == "no"
        assert c.get("/late", host="a.test").text.startswith("<!doctype")
        assert c.get("/fine", host="a.test").text == "ok"


def test_calls_of_grpc_have_their_own_errors(setup):
    """Over HTTP/2 pages are there, too; a call gets its own kind of error."""
    with Conn(("127.0.0.1", setup.gh.port)) as c:
        r = c.get("/own", authority="a.test")
        assert r.status == 404 and b"404 Not Found a.test" in r.body
        r = c.answer(c.ask("POST", "/own", ("content-type", "application/grpc"),
                           ("te", "trailers"), authority="a.test"))
        assert r.get("grpc-status") and r.body == b""


def test_a_broken_page_keeps_the_old_configuration(setup):
    """What is wrong is told at its line; the old page is still there."""
    gh = setup.gh
    (gh.dir / "page.html").write_bytes(b"<p>\n  {hots} {bytes_out}")
    gh.reload()
    assert "error: page.html:2:3: unknown variable {hots}; did you mean " \
        "{host}?" in gh.stderr()
    assert "error: page.html:2:10: {bytes_out} is known only later" in \
        gh.stderr()
    (gh.dir / "page.html").unlink()
    gh.reload()
    assert "cannot read page.html: No such file" in gh.stderr()
    assert "<style>" in setup.ask("/own").text
    (gh.dir / "page.html").write_bytes(b"new {status}")
    gh.reload()
    assert setup.ask("/own").text == "new 404"
    (gh.dir / "page.html").write_bytes(PAGE)
    gh.reload()


@pytest.mark.parametrize("line, why", [
    ("404", "error_page = STATUS... FILE"), ("x.html", "STATUS... FILE"),
    ("200 x.html", "STATUS..."), ("404 x.html often", "STATUS..."),
    ("504-502 x.html", "STATUS..."), ("404 x.html", "cannot read x.html"),
])
def test_lines_that_mean_nothing(line, why, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\nerror_page = {line}\n"
                   "[route s /a]\nrespond = 200\n")
    said = run("-t", "-c", ini).stderr
    assert why in said and said.count("error:") == 1


def test_explain_shows_the_page(setup):
    done = run("explain", "GET", "http://a.test/own", "-c", setup.gh.ini)
    assert re.search(r"error_page +page.html for 404 .*gatehouse.ini:\d+",
                     done.stdout), done.stdout


# --- outer names --------------------------------------------------------------

@pytest.mark.parametrize("path, given, want", [
    ("/x", "http://{o}/login?a=1#b", "http://a.test/login?a=1#b"),
    ("/x", "//{o}/login", "http://a.test/login"),
    ("/x", "http://{o}", "http://a.test/"),
    ("/x", "http://127.0.0.1:1/", None), ("/x", "https://other.test/", None),
    ("/x", "/login", None), ("/x", "http://u@{o}/", None),
    ("/x", "http://{o}.evil.test/", None),
    ("/app/x", "http://{o}/v1/login", "http://a.test/app/login"),
    ("/app/x", "/v1/login", None),
    ("/paths/x", "/login", "/paths/login"),
    ("/off", "http://{o}/login", None),
])
def test_the_servers_own_address_is_ours_outside(setup, path, given, want):
    given = given.replace("{o}", setup.o.address)
    for name in ("Location", "Content-Location"):
        r = setup.said(path, f"{name}: {given}")
        assert r.get(name) == (want or given)
    r = setup.said(path, f"Refresh: 5; URL='{given}'")
    assert r.get("refresh") == f"5; URL='{want or given}'"


@pytest.mark.parametrize("path, given, want", [
    ("/x", "a=b; Domain=127.0.0.1; Path=/; HttpOnly",
     "a=b; Path=/; HttpOnly"),
    ("/x", "a=b; domain=.a.test; Secure", None), ("/x", "a=b", None),
    ("/off", "a=b; Domain=127.0.0.1", None),
    ("/paths/x", "a=b; Path=/c; SameSite=None; Secure",
     "a=b; Path=/paths/c; Secure; SameSite=Lax"),
    ("/paths/x", "__Host-a=b; Path=/", "__Host-a=b; Path=/; Secure; SameSite=Lax"),
])
def test_cookies_are_fitted(setup, path, given, want):
    r = setup.said(path, f"Set-Cookie: {given}", "Set-Cookie: z=1")
    first, second = r.all("set-cookie")
    assert first == (want or given) and second.startswith("z=1")


COOKIE_RULES = """
rewrite_cookie = secure samesite=lax domain=a.test
[rule test strict]
match = path ^= /x
rewrite_cookie = httponly samesite=strict
[rule test none]
match = path ^= /x/none
rewrite_cookie = none
[rule test again]
match = path ^= /x/none/again
rewrite_cookie = httponly
[rule test late]
match = path ^= /late
match = status = 200
rewrite_cookie = path=/late
"""


@pytest.mark.parametrize("path, want", [
    ("/", "a=b; Domain=a.test; Secure; SameSite=Lax"),
    ("/x", "a=b; Domain=a.test; Secure; HttpOnly; SameSite=Strict"),
    ("/x/none", "a=b"), ("/x/none/again", "a=b; HttpOnly"),
    ("/late", "a=b; Domain=a.test; Path=/late; Secure; SameSite=Lax")])
def test_what_a_rule_says_of_cookies_adds(pair, path, want):
    """As all lists do: it does not take Secure away."""
    gh, _ = pair(lambda conn, r: conn.send(ok(b"", b"Set-Cookie: a=b\r\n")),
                 site=COOKIE_RULES)
    with gh.client() as c:
        assert c.get(path).get("set-cookie") == want


def test_hide_origin(setup):
    leaks = ["Server: a/1", "X-Powered-By: b", "X-AspNet-Version: 4",
             "X-Backend-Server: c", "X-Served-By: d", "X-Runtime: 1"]
    names = [f.split(":")[0] for f in leaks]
    r = setup.said("/hidden", *leaks)
    assert not [n for n in names if r.get(n)]
    assert setup.said("/x", *leaks).get("x-powered-by") == "b"


# --- security headers ---------------------------------------------------------

def test_security_headers_are_added_where_they_lack(setup):
    r = setup.ask("/safe")
    assert r.all("x-content-type-options") == ["nosniff"]
    assert r.all("x-frame-options") == ["SAMEORIGIN"]
    assert r.get("permissions-policy").startswith("camera=(self)")
    assert r.get("cross-origin-resource-policy") is None
    r = setup.said("/safe", "x-frame-options: DENY", "Referrer-Policy: origin")
    assert r.all("x-frame-options") == ["DENY"]
    assert r.all("referrer-policy") == ["origin"]
    r = setup.said("/safe", "Content-Security-Policy: default-src 'self'; "
                   "Frame-Ancestors https://b.test")
    assert r.get("x-frame-options") is None
    assert setup.ask("/x").get("x-content-type-options") is None


def test_strict_is_more_and_response_header_is_nearer(setup):
    r = setup.ask("/strict")
    assert r.all("x-frame-options") == ["ALLOW"]
    assert r.get("origin-agent-cluster") is None
    assert r.get("cross-origin-resource-policy") == "same-origin"
    assert r.get("referrer-policy") == "no-referrer"


@pytest.mark.parametrize("line, why", [
    ("rewrite_cookie = secure samesite=maybe", "is none of auto"),
    ("rewrite_cookie = samesite=none", "without secure"),
    ("rewrite_cookie = path=x", "is none of"),
    ("security_headers = some", "expected one of: off, on, strict"),
    ("rewrite_location = yes", "expected one of: off, auto, paths"),
])
def test_presets_that_mean_nothing(line, why, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\n{line}\n"
                   "[route s /a]\nrespond = 200\n")
    said = run("-t", "-c", ini).stderr
    assert why in said and said.count("error:") == 1
