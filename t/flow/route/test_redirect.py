"""redirect = STATUS TEMPLATE: answers with another place to go."""
import pytest

from lib.gatehouse import run

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
redirect = 301 https://{host}{uri}
[route s /302]
redirect = 302 /fixed
[route s /303]
redirect = 303 https://other.test/?to={query}
[route s /307]
redirect = 307 https://other.test{path}
[route s /308]
redirect = 308 {scheme}://{authority}/moved
[route s /uri]
redirect = 302 {uri}
[route s /raw]
redirect = 302 {raw_path}
[route s /arg]
redirect = 302 {arg:next}
[route s /slash]
redirect = 302 /{arg:next}
[route s /cookie]
redirect = 302 https://other.test/{cookie:a}/{header:X-A}
[route s /brace]
redirect = 302 /{{x}
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    return shared_gatehouse(INI)


def location(gh, path, host="shop.test", extra=b"", status=302):
    with gh.client() as c:
        r = c.get(path, host=host, extra=extra)
        assert r.status == status
        assert len(r.all("location")) == 1
        assert c.get("/302").status == 302
        return r.get("location")


@pytest.mark.parametrize("path, status, want", [
    ("/a/b?c=d", 301, "https://shop.test/a/b?c=d"),
    ("/", 301, "https://shop.test/"),
    ("/302/x", 302, "/fixed"),
    ("/303?a=b", 303, "https://other.test/?to=a=b"),
    ("/307/%41/./x?q", 307, "https://other.test/307/A/x"),
    ("/308", 308, "http://shop.test/moved"),
    ("/brace", 302, "/{x}"),
])
def test_a_request_is_sent_elsewhere(gh, path, status, want):
    """RFC 9110 15.4: the status as configured, Location as the template."""
    assert location(gh, path, status=status) == want


def test_hosts_stand_as_urls_want_them(gh):
    """RFC 3986 3.2.2: IPv6 in brackets; {host} has no port, {authority} has
    it."""
    assert location(gh, "/x", "shop.test:8080", status=301) == \
        "https://shop.test/x"
    assert location(gh, "/x", "[2001:db8::1]:81", status=301) == \
        "https://[2001:db8::1]/x"
    assert location(gh, "/308", "shop.test:8080", status=308) == \
        "http://shop.test:8080/moved"


@pytest.mark.parametrize("path", ["/x%0d%0aSet-Cookie:a", "/x%0aY:z",
                                  "/%0d%0a%0d%0a%3chtml%3e"])
def test_no_field_can_be_injected(gh, path):
    """RFC 9110 5.5, CWE-113: escaped line ends stay escaped."""
    with gh.client() as c:
        r = c.get(path)
        assert r.status == 301 and r.get("set-cookie") is None
        assert r.get("location") == "https://test" + path


def test_odd_bytes_are_escaped(gh):
    """RFC 3986 2.1: what no URI holds is percent-encoded."""
    got = location(gh, "/cookie", extra=b"Cookie: a=x<\xe9>\"y\r\n"
                   b"X-A: a b\tc\\d\r\n")
    assert got == "https://other.test/x%3C%E9%3E%22y/a%20b%09c%5Cd"


# which path_policy refuses
ABOVE_THE_ROOT = ["/raw/../..//evil.test", "///evil.test/..//../raw"]


@pytest.mark.parametrize("path", [
    "/uri//evil.test", "/raw/../..//evil.test", "//evil.test/../uri",
    "//evil.test/%2e%2e/uri", "/slash?next=/evil.test",
    "/slash?next=//evil.test", "/slash?next=\\evil.test",
    "/arg?next=//evil.test", "/arg?next=/\\evil.test",
    "/slash?next=/\\evil.test", "///evil.test/..//../raw",
])
def test_a_path_cannot_choose_the_host(gh, path):
    """RFC 3986 4.2, CWE-601: a Location that begins with two slashes would
    lead to a host of the client's choice."""
    with gh.client() as c:
        r = c.get(path)
        to = r.get("location")
        if path in ABOVE_THE_ROOT:
            assert (r.status, to) == (400, None)
            return
        assert r.status in (301, 302)
        if r.status == 301:
            assert to.startswith("https://test/")
        else:
            assert to.startswith("/")
            assert to[1:2] not in ("/", "\\")


def test_a_redirect_has_a_page_for_people(gh):
    """RFC 9110 15.4.2: the content is a short note; HEAD has none."""
    with gh.client() as c:
        assert "301" in c.get("/x").text
        r = c.get("/x", method="HEAD")
        assert r.status == 301 and r.get("location")


@pytest.mark.parametrize("value", [
    "300 /x", "304 /x", "200 /x", "/x", "301", "301 /a b", "301 {hots}",
    "301 /{host",
])
def test_what_is_no_redirect_is_refused(value):
    """CONFIG: 301, 302, 303, 307 or 308 and a target of known variables."""
    r = run("-t", "-c", "/dev/stdin", stdin=f"[site a]\nredirect = {value}\n")
    assert r.returncode == 1
    assert ":2:" in r.stderr
