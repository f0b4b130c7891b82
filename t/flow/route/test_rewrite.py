"""strip_prefix and add_prefix: which target the origin is asked for."""
import pytest

from lib.gatehouse import run

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = {origin}
[route s /api]
strip_prefix = /api
[route s /v]
strip_prefix = /v
add_prefix = /base/v1
[route s /add]
add_prefix = /more
[route s /a/b]
strip_prefix = /a
[route s /slash]
strip_prefix = /slash/
add_prefix = /
[route s ~ ^/re]
strip_prefix = /re
[route s /caf%C3%A9]
strip_prefix = /caf%c3%a9
[site inherits]
hosts = inherits.test
upstream = {origin}
strip_prefix = /all
add_prefix = /site
[route inherits /own]
strip_prefix = /own
[route inherits /none]
strip_prefix = none
add_prefix = none
"""


@pytest.fixture(scope="module")
def pair(shared_gatehouse, shared_origin):
    o = shared_origin()
    return shared_gatehouse(INI, origin=o.address), o


def target(pair, path, host="test"):
    """What the origin is asked for, or the status of a refusal."""
    gh, o = pair
    before = len(o.requests)
    with gh.client() as c:
        status = c.get(path, host=host).status
    return o.requests[before].target if status == 200 else status


@pytest.mark.parametrize("path, want", [
    ("/api/x", "/x"),
    ("/api", "/"),
    ("/api/", "/"),
    ("/api?q=1", "/?q=1"),
    ("/api/?", "/?"),
    ("/api/x?a=/api/y&b=%2F", "/x?a=/api/y&b=%2F"),
    ("/api/x??", "/x??"),
    ("/api/api/x", "/api/x"),
    ("/v/x?y", "/base/v1/x?y"),
    ("/v", "/base/v1/"),
    ("/add/x", "/more/add/x"),
    ("/add?x", "/more/add?x"),
    ("/a/b/c", "/b/c"),
    ("/slash", "/"),
    ("/slash/x/", "/x/"),
    ("/re", "/"),
    ("/re/x", "/x"),
    ("/rex", "/rex"),
    ("/apix", "/apix"),
    ("/other?x", "/other?x"),
])
def test_prefixes_are_exchanged(pair, path, want):
    """CONFIG: strip_prefix goes off the front at a segment's end, add_prefix
    comes before the rest, the query stays."""
    assert target(pair, path) == want


@pytest.mark.parametrize("path, want", [
    ("/api/a%20b%C3%A9", "/a%20b%C3%A9"),
    ("/api/%7Euser/%41", "/%7Euser/%41"),
    ("/api/x/./y", "/x/./y"),
    ("/api/x//y", "/x//y"),
    ("/%61pi/x%2By", "/x+y"),
    ("/x/../api/y", "/y"),
    ("//api/y", "/y"),
    ("/api/../api/y", "/y"),
    ("/api/x/../y", "/x/../y"),
    ("/caf%C3%A9/x", "/x"),
    ("/caf%c3%a9/%41", "/A"),
])
def test_bytes_of_the_rest_are_kept_where_that_is_safe(pair, path, want):
    """RFC 3986 6.2.2: the rest stays as it came if it means the same; else its
    normal form is sent."""
    assert target(pair, path) == want


@pytest.mark.parametrize("path", [
    "/api//evil.test/x", "/api///evil.test/x", "/api/.//evil.test/x",
])
def test_a_stripped_path_names_no_host(pair, path):
    """RFC 3986 4.2: what begins with two slashes is a host to many readers; a
    path must not become one by losing its front."""
    got = target(pair, path)
    assert got.startswith("/") and not got.startswith("//")


@pytest.mark.parametrize("path", [
    "/api/..%2f..%2fetc/passwd", "/api/..;/x", "/api/%2e%2e%5cx",
    "/api/x%00", "/api/%c0%ae%c0%ae/x", "/api/%zz", "/api/a\\b",
])
def test_a_path_of_two_readings_is_not_rewritten(pair, path):
    """CONFIG path_policy: what readers could split in two ways is 400, where a
    prefix has to be taken off and elsewhere."""
    assert target(pair, path) == 400
    assert target(pair, path.removeprefix("/api")) == 400


@pytest.mark.parametrize("path", [
    "/x/../y", "/x/%2e%2e/y", "//x", "/x?a=%00",
])
def test_without_a_rewrite_the_target_is_untouched(pair, path):
    """Issue 2: the raw target is kept, byte for byte."""
    assert target(pair, path) == path


def test_routes_take_over_and_replace_prefixes(pair):
    """CONFIG: scalars inherit from the site, the nearest wins, none empties."""
    assert target(pair, "/all/x", "inherits.test") == "/site/x"
    assert target(pair, "/own/x", "inherits.test") == "/site/x"
    assert target(pair, "/none/x", "inherits.test") == "/none/x"
    assert target(pair, "/else", "inherits.test") == "/site/else"


def test_absolute_targets_are_rewritten_the_same(pair):
    """RFC 9112 3.2.2: only path and query go to the origin."""
    assert target(pair, "http://test/api/x?y") == "/x?y"
    assert target(pair, "http://test?y") == "/?y"


@pytest.mark.parametrize("line", [
    "strip_prefix = api", "strip_prefix = /a?b", "add_prefix = /a b",
    "strip_prefix = /a%2fb", "add_prefix = http://x/",
])
def test_prefixes_that_are_no_path_are_refused(line):
    """CONFIG: a prefix is a plain path that begins with a slash."""
    r = run("-t", "-c", "/dev/stdin",
            stdin=f"[site a]\nupstream = 127.0.0.1:1\n{line}\n")
    assert r.returncode == 1 and ":3:" in r.stderr
