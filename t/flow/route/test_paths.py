"""Which route of a site a path belongs to (CONFIG: exact, longest prefix,
regex in file order; a regex never beats a longer literal prefix)."""
import pytest

from lib.gatehouse import run

ROUTES = r"""
[global]
workers = 1
path_policy = normalize
[listen x]
address = 127.0.0.1:{port}

[site s]
hosts = *
respond = 200 site
[route s ~ \.php$]
respond = 200 php
[route s ~ (?i)^/users/(\d+)$]
respond = 200 user
[route s ~ ^/users/7$]
respond = 200 user7
[route s ~ /x{2,}\+y]
respond = 200 meta
[route s =/exact]
respond = 200 exact
[route s /exact]
respond = 200 below-exact
[route s /api]
respond = 200 api
[route s /api/v2]
respond = 200 api-v2
[route s /api/v2/deep/er]
respond = 200 deeper
[route s /api-docs]
respond = 200 docs
[route s /folder/]
respond = 200 folder
[route s =/]
respond = 200 home
[route s /caf%c3%a9]
respond = 200 cafe

[site bare]
hosts = bare.test
[route bare /only]
respond = 200 only
[route bare ~ ^/re]
respond = 200 re

[site root]
hosts = root.test
respond = 200 site
[route root /]
respond = 200 root
[route root ~ ^/a]
respond = 200 re

[site other]
hosts = other.test
respond = 200 other
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    return shared_gatehouse(ROUTES)


def route(gh, path, host="test"):
    with gh.client() as c:
        r = c.get(path, host=host)
        return r.text if r.status == 200 else r.status


@pytest.mark.parametrize("path, want", [
    # exact before all
    ("/exact", "exact"),
    ("/exact?a=/api", "exact"),
    ("/exact/", "below-exact"),
    ("/exactly", "site"),
    ("/", "home"),
    ("/?x", "home"),
    # prefixes end at a segment's end
    ("/api", "api"),
    ("/api/", "api"),
    ("/api/x", "api"),
    ("/api?x", "api"),
    ("/apix", "site"),
    ("/api.php", "php"),
    ("/api-docs", "docs"),
    ("/api-docs/x", "docs"),
    ("/api-x", "site"),
    ("/API/x", "site"),
    # the longest one
    ("/api/v2", "api-v2"),
    ("/api/v2x", "api"),
    ("/api/v2/deep", "api-v2"),
    ("/api/v2/deep/er", "deeper"),
    ("/api/v2/deep/er/x", "deeper"),
    ("/api/v2/deep/erx", "api-v2"),
    # a prefix that ends with a slash means what is below it
    ("/folder/", "folder"),
    ("/folder/x", "folder"),
    ("/folder", "site"),
    # expressions only where no literal prefix matches
    ("/index.php", "php"),
    ("/api/index.php", "api"),
    ("/exact/x.php", "below-exact"),
    ("/index.php/x", "site"),
    ("/index.php?x", "php"),
    ("/x?a.php", "site"),
    # in file order
    ("/users/7", "user"),
    ("/USERS/12", "user"),
    ("/users/7.php", "php"),
    ("/users/x", "site"),
    ("/a/xxx+y", "meta"),
    ("/a/x+y", "site"),
])
def test_a_path_finds_its_route(gh, path, want):
    """CONFIG: exact > longest prefix > regex in file order > the site."""
    assert route(gh, path) == want


@pytest.mark.parametrize("path, want", [
    ("/%61pi/x", "api"),
    ("/a%70i", "api"),
    ("/api%2Dx", "site"),
    ("/api%2ddocs", "docs"),
    ("/./api/x", "api"),
    ("/x/../api", "api"),
    ("/x/%2e%2e/api", "api"),
    ("/x/.%2E/api", "api"),
    ("//api//v2", "api-v2"),
    ("/api/../exact", "exact"),
    ("/api/v2/..", "api"),
    ("/api/v2/.", "api-v2"),
    ("/caf%C3%A9/x", "cafe"),
    ("/caf%c3%a9", "cafe"),
    ("/in%64ex.ph%70", "php"),
    ("/exact/.", "below-exact"),
    ("/x/..", "home"),
])
def test_all_spellings_of_a_path_are_one(gh, path, want):
    """RFC 3986 6.2.2: what means the same is routed the same."""
    assert route(gh, path) == want


@pytest.mark.parametrize("path", [
    "/api%2fv2", "/api%5cv2", "/x%2f..%2fapi", "/api%252fv2", "/exact%00",
    "/exact;x", "/exact%3f", "/%65xact%20",
])
def test_what_is_no_other_spelling_stays_apart(gh, path):
    """RFC 3986 2.2: an escaped delimiter is not that delimiter."""
    assert route(gh, path) in ("site", "api")
    assert route(gh, path) != "api-v2"


@pytest.mark.parametrize("path, want", [
    ("/only", "only"), ("/only/x", "only"), ("/re", "re"), ("/rest", "re"),
    ("/", 404), ("/onlyx", 404), ("/x/only", 404),
])
def test_what_no_route_serves_is_not_found(gh, path, want):
    """RFC 9110 15.5.5: a site that answers by its routes alone says 404 for
    the rest."""
    assert route(gh, path, "bare.test") == want


def test_a_regex_beats_the_route_of_everything_only(gh):
    """CONFIG: `/` is the shortest prefix, so an expression may come first."""
    assert route(gh, "/abc", "root.test") == "re"
    assert route(gh, "/xyz", "root.test") == "root"


def test_routes_do_not_cross_to_another_site(gh):
    """CONFIG: settings never cross from one site to another."""
    assert route(gh, "/api/x", "other.test") == "other"


def test_absolute_targets_are_routed_by_their_path(gh):
    """RFC 9112 3.2.2: scheme and authority are no part of the path; without
    one the path is /."""
    assert route(gh, "http://test/api/v2") == "api-v2"
    assert route(gh, "http://test") == "home"
    assert route(gh, "http://test?/api") == "home"


def test_a_regex_that_needs_too_many_steps_is_refused(gatehouse):
    """CONFIG: the route's expression is bounded; a path that exhausts it is
    answered 500 and the worker goes on."""
    gh = gatehouse(r"""
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200 site
[route s ~ ^/(a+)+$]
respond = 200 evil
""")
    with gh.client() as c:
        assert c.get("/aaa").text == "evil"
        assert c.get("/" + "a" * 60 + "!").status == 500
        assert c.get("/b").text == "site"


def test_key_isolation_is_refused_as_not_built():
    """Issue 2: a key of a later part is refused by name, never ignored."""
    r = run("-t", "-c", "/dev/stdin",
            stdin="[global]\nkey_isolation = on\n"
                  "[site a]\nrespond = 200 x\n")
    assert r.returncode == 1
    assert "key_isolation" in r.stderr and "not built yet" in r.stderr
