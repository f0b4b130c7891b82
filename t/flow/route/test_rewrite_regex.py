"""`rewrite`: the path that servers are asked for, by regular expressions."""
import pytest

from lib.gatehouse import run
from lib.origin import ok

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[cache c]
memory = 4m
[acl secret]
path = /secret
[site s]
hosts = *
upstream = {origin}
deny = secret
rewrite = ^/item/(\\d{1,5})$ /item?id=$1
rewrite = ^/find/(.*)$ /find?q=$1&all
rewrite = ^/all(/.*)?$ /a$1/z
rewrite = ^/up/(.*)$ /x/../../$1
rewrite = ^/dots/(\\.?)(.*)$ /base/.$1/$2
rewrite = ^/cut/(.)(.*)$ /c/$1/$2
rewrite = ^/cost$ /5$$
rewrite = ^/hidden$ /secret
rewrite = ^/once$ /twice
rewrite = ^/twice$ /never
rewrite = ^/(a+)+$ /evil
rewrite = ^/(?i:CASE)/(?<rest>.*) /case/$1
rewrite = ^/none(/x)?$ /n$1
[route s /api]
strip_prefix = /v1
add_prefix = /base
rewrite = ^/api/(.*)$ /v1/$1
rewrite = ^/item/7$ /never
[route s /own]
rewrite = none
rewrite = ^/own/(.*)$ /o/$1
[route s /kept]
cache = c
cache_ttl = 1h
rewrite = ^/kept/.*$ /one
[rule s old]
match = header:X-Old
rewrite = ^/(api|item)/.*$ /old/$1
"""


def by_target(conn, request):
    conn.send(ok(request.target.encode()))


@pytest.fixture(scope="module")
def pair(shared_gatehouse, shared_origin):
    o = shared_origin(by_target)
    return shared_gatehouse(INI, origin=o.address), o


def target(pair, path, extra=b""):
    """What the server is asked for, or the status of a refusal."""
    with pair[0].client() as c:
        r = c.get(path, extra=extra)
    return r.text if r.status == 200 else r.status


@pytest.mark.parametrize("path, want", [
    ("/item/17", "/item?id=17"),
    ("/item/17?x=1", "/item?id=17"),
    ("/item/123456", "/item/123456"),
    ("/all", "/a/z"),
    ("/all/b%20c?x", "/a/b%20c/z?x"),
    ("/cost?", "/5$?"),
    ("/case/x", "/case/x"),
    ("/cAsE/x", "/case/x"),
    ("/none", "/n"),
    ("/%69tem/17", "/item?id=17"),
    ("/y/../item/17", "/item?id=17"),
    ("/else//%41?%00", "/else//%41?%00"),
])
def test_what_matches_is_put_into_the_target(pair, path, want):
    """Captures of the path in its one form; the query stays unless the target
    has one. What matches nothing goes on byte for byte."""
    assert target(pair, path) == want


@pytest.mark.parametrize("path, want", [
    ("/find/a=b&admin=1", "/find?q=a%3Db%26admin%3D1&all"),
    ("/find/a+b;c", "/find?q=a%2Bb%3Bc&all"),
    ("/find/a%26b%23c%3F", "/find?q=a%26b%23c%3F&all"),
    ("/find/a%0d%0aX:%20y", "/find?q=a%0D%0AX:%20y&all"),
    ("/all/a%0d%0aX:%20y", "/a/a%0D%0AX:%20y/z"),
])
def test_a_capture_is_one_value_and_ends_no_line(pair, path, want):
    assert target(pair, path) == want


@pytest.mark.parametrize("path, want", [
    ("/up/etc", 400), ("/dots/.x", "/x"), ("/dots/x", "/base/x"),
    ("/cut/%25", 400), ("/all/..%2fx", 403), ("/cut/a%25", "/c/a/%25"),
    ("/" + "a" * 60 + "!", 500),
])
def test_the_outcome_is_read_anew(pair, path, want):
    """What a rewrite makes is a plain path or nothing: no dots climb out of the
    root, no escape is cut in two; a match has a bound. What was ambiguous before is refused by
    whoever judges paths, before anything is rewritten."""
    assert target(pair, path) == want


def test_rules_see_what_the_client_asked_for(pair):
    """No path is judged twice: the lists see the client's, the server gets the
    other, which is neither routed nor rewritten again."""
    assert target(pair, "/secret") == 403
    assert target(pair, "/hidden") == "/secret"
    assert target(pair, "/once") == "/twice"


def test_the_nearest_lines_come_first(pair):
    """Routes before sites, rules before routes; `none` ends what is around."""
    assert target(pair, "/api/x") == "/base/x"
    assert target(pair, "/api/x", b"X-Old: 1\r\n") == "/base/old/api"
    assert target(pair, "/item/7", b"X-Old: 1\r\n") == "/old/item"
    assert target(pair, "/own/x") == "/o/x"
    assert target(pair, "/own") == "/own"


def test_the_cache_knows_the_clients_path(pair):
    gh, o = pair
    with gh.client() as c:
        before = len(o.requests)
        assert c.get("/kept/a").text == c.get("/kept/a").text == "/one"
        assert len(o.requests) == before + 1
        assert c.get("/kept/b").text == "/one"
        assert len(o.requests) == before + 2


def test_explain_tells_the_line(pair):
    r = run("explain", "GET", "http://test/item/17", "-c", str(pair[0].ini))
    assert "rewrite" in r.stdout and "/item" in r.stdout, r.stdout + r.stderr


def test_files_are_found_by_the_new_path(gatehouse, tmp_path):
    (tmp_path / "app.html").write_text("app")
    gh = gatehouse("""
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
root = {root}
rewrite = ^/[^.]*$ /app.html
""", root=tmp_path)
    with gh.client() as c:
        assert c.get("/some/where").text == "app"
        assert c.get("/some.css").status == 404


@pytest.mark.parametrize("line, col, why", [
    ("^/(a /b", 15, "malformed"), ("^/a$", 11, "expected an expression"),
    ("^/a b", 15, "begins with '/'"), ("^/a /$1", 16, "no group"),
    ("^/a /b$", 17, "a digit"), ("^/a /{host}", 16, "no variables"),
    ("^/a /b#c", 17, "'#'"), ("^/a /b c", 11, "expected an expression"),
    ("^/a /é", 16, "visible ASCII"),
])
def test_a_slip_is_told_with_its_place(line, col, why):
    r = run("-t", "-c", "/dev/stdin",
            stdin=f"[site a]\nupstream = 127.0.0.1:1\nrewrite = {line}\n")
    assert r.returncode == 1 and f":3:{col}:" in r.stderr, r.stderr
    assert why in r.stderr
