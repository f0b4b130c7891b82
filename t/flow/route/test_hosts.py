"""Which site a host belongs to (RFC 9110 7.2, 7.4; CONFIG: host patterns)."""
import pytest

SITES = """
[global]
workers = 1
[listen a]
address = 127.0.0.1:{port}
[listen b]
address = 127.0.0.1:{port1}
[listen c]
address = 127.0.0.1:{port2}
default_site = fallback

[site exact]
hosts = www.example.com Upper.Example.COM dotted.example.com
respond = 200 exact
[site star]
hosts = *.example.com
respond = 200 star
[site deep]
hosts = *.deep.example.com
respond = 200 deep
[site dot]
hosts = .example.org
respond = 200 dot
[site six]
hosts = [2001:db8::1]
respond = 200 six
[site named.example.net]
respond = 200 by-name
[site fallback]
hosts = fallback.test
respond = 200 fallback

[site only-b]
hosts = shared.test
listen = b
respond = 200 b
[site only-a]
hosts = shared.test
listen = a
respond = 200 a
[site any-b]
hosts = *
listen = b
respond = 200 any
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    return shared_gatehouse(SITES, ports=3)


def site(gh, host, port=None):
    """What answers for a host: the text, or the status of a refusal."""
    with gh.client(port) as c:
        r = c.get("/", host=host)
        return r.text if r.status == 200 else r.status


@pytest.mark.parametrize("host, want", [
    ("www.example.com", "exact"),
    ("WWW.eXample.cOM", "exact"),
    ("upper.example.com", "exact"),
    ("www.example.com.", "exact"),
    ("dotted.example.com", "exact"),
    ("www.example.com:80", "exact"),
    ("www.example.com:65535", "exact"),
    ("www.example.com.:8080", "exact"),
    ("www.example.com:", "exact"),
    ("other.example.com", "star"),
    ("a.b.example.com", "star"),
    ("x.deep.example.com", "deep"),
    ("X.Y.DEEP.example.com:81", "deep"),
    ("deep.example.com", "star"),
    ("example.com", 421),
    ("badexample.com", 421),
    ("example.org", "dot"),
    ("a.example.org", "dot"),
    ("a.b.example.org.", "dot"),
    ("badexample.org", 421),
    ("example.org.evil.test", 421),
    ("named.example.net", "by-name"),
    ("a.named.example.net", 421),
    ("[2001:db8::1]", "six"),
    ("[2001:DB8::1]:8080", "six"),
    ("[2001:db8::2]", 421),
    ("192.0.2.1", 421),
    ("localhost", 421),
])
def test_a_host_finds_its_site(gh, host, want):
    """RFC 9110 4.2.3: hosts are compared without case and port; the exact name
    wins, then the longest pattern; RFC 9110 15.5.20: none is 421."""
    assert site(gh, host) == want


@pytest.mark.parametrize("host", [
    "a b", "a,b@c", "a/b", "a\\b", "[::1", "::1", "a:b", "a:80:80", "a:65536",
    "a:-1", "<script>", "a\"b", "user@www.example.com", "a?b", "[1.2.3.4]",
])
def test_a_host_that_is_none_is_refused(gh, host):
    """RFC 9112 3.2: an invalid Host is 400, whatever a pattern would say."""
    assert site(gh, host, gh.ports[1]) == 400


def test_one_host_on_two_listens_is_two_sites(gh):
    """CONFIG: a site with `listen` is served there and nowhere else."""
    assert site(gh, "shared.test") == "a"
    assert site(gh, "shared.test", gh.ports[1]) == "b"
    assert site(gh, "shared.test", gh.ports[2]) == "fallback"


def test_star_serves_what_nobody_names(gh):
    """CONFIG: `hosts = *` is every other host of its listens."""
    assert site(gh, "nobody.test", gh.ports[1]) == "any"
    assert site(gh, "www.example.com", gh.ports[1]) == "exact"
    assert site(gh, "nobody.test") == 421


def test_default_site_serves_what_nobody_names(gh):
    """CONFIG: with default_site no host is 421."""
    assert site(gh, "nobody.test", gh.ports[2]) == "fallback"
    assert site(gh, "a.example.com", gh.ports[2]) == "star"


def test_a_request_without_host_goes_to_the_default(gh):
    """RFC 9112 3.2: HTTP/1.0 may name no host."""
    with gh.client(gh.ports[1]) as c:
        assert c.send(b"GET / HTTP/1.0\r\n\r\n").response().text == "any"
    with gh.client() as c:
        assert c.send(b"GET / HTTP/1.0\r\n\r\n").response().status == 421


def test_an_empty_host_is_refused(gh):
    """RFC 9110 4.2.1: an http URI with an empty host is invalid."""
    with gh.client(gh.ports[1]) as c:
        c.send(b"GET / HTTP/1.1\r\nHost:\r\n\r\n")
        assert c.response().status == 400


def test_a_misdirected_request_leaves_the_connection_usable(gh):
    """RFC 9110 15.5.20: 421 speaks of one request, not of the connection."""
    with gh.client() as c:
        assert c.get("/", host="nobody.test").status == 421
        assert c.get("/", host="www.example.com").text == "exact"


@pytest.mark.parametrize("target, host, want", [
    ("http://www.example.com/", "a.example.org", "exact"),
    ("HTTP://WWW.Example.Com:81/x", "a.example.org", "exact"),
    ("http://www.example.com", "nobody.test", "exact"),
    ("http://www.example.com?q", "nobody.test", "exact"),
    ("http://nobody.test/", "www.example.com", 421),
    ("http://[2001:db8::1]/", "www.example.com", "six"),
    ("http://user@www.example.com/", "www.example.com", 400),
    ("http:///x", "www.example.com", 400),
    ("http://www.example.com:x/", "www.example.com", 400),
])
def test_the_target_wins_over_host(gh, target, host, want):
    """RFC 9112 3.2.2: of an absolute target and Host, the target counts."""
    with gh.client() as c:
        r = c.get(target, host=host)
        assert (r.text if r.status == 200 else r.status) == want


def test_the_origin_is_told_the_host_of_the_target(gatehouse, origin):
    """RFC 9112 3.2.2: a proxy that gets absolute-form replaces Host by it."""
    o = origin()
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[site right.test]
upstream = {origin}
""", origin=o.address)
    with gh.client() as c:
        assert c.get("http://right.test:81/p?q=1", host="w.test").status == 200
    assert o.requests[0].target == "/p?q=1"
    assert o.requests[0].all("host") == ["right.test:81"]
    assert o.requests[0].get("x-forwarded-host") == "right.test:81"


def test_host_reaches_the_origin_as_it_came(gatehouse, origin):
    """RFC 9110 7.2: Host is the client's to say; gatehouse does not spell it
    anew."""
    o = origin()
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = {origin}
""", origin=o.address)
    for host in ("MiXed.Test", "dot.test.", "port.test:80", "[::1]:1", "a,b"):
        with gh.client() as c:
            c.get("/", host=host)
        assert o.requests[-1].all("host") == [host]
