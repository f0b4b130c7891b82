"""`redirect_https` and `hsts`: browsers are led to https and kept there
(RFC 6797, RFC 9110 15.4)."""
import pytest

from lib.origin import ok

PLAIN = "[listen plain]\naddress = 127.0.0.1:{port1}\nredirect_https = on\n"


@pytest.fixture
def gh(front):
    return front(ports=2, more=PLAIN + "trusted_proxies = 127.0.0.1\n")


@pytest.mark.parametrize("method, status", [
    ("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)])
def test_the_same_place_by_https(gh, method, status):
    """308 keeps the method (RFC 9110 15.4.9)."""
    with gh.client(gh.ports[1]) as c:
        r = c.get("/x%20y?a=b&c", host="a.test:8080", method=method)
        assert r.status == status
        assert r.get("Location") == "https://a.test/x%20y?a=b&c"
        # nor does the connection end
        assert c.get("/", host="b.test").get("Location") == "https://b.test/"


def test_whatever_the_host(gh):
    """Sites that only a listen with TLS serves are meant, too."""
    with gh.client(gh.ports[1]) as c:
        assert c.get("/", host="nobody.test").get("Location") == \
            "https://nobody.test/"
        assert c.get("/", host="[::1]:80").get("Location") == \
            "https://[::1]/"


def test_who_came_by_tls_is_served(gh, visit):
    with visit(gh) as c:
        assert c.get(host="a.test").text == "a"


def test_who_came_by_a_proxys_tls_is_served(gh):
    with gh.client(gh.ports[1]) as c:
        assert c.get(host="a.test", extra=b"X-Forwarded-For: 192.0.2.1\r\n"
                     b"X-Forwarded-Proto: https\r\n").text == "a"


def test_nothing_of_the_request_ends_the_field(gh):
    with gh.client(gh.ports[1]) as c:
        c.send(b"GET /a\x7fb HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert c.response().status in (301, 400)


@pytest.fixture
def strict(front):
    return front(
        ports=2, more="[listen plain]\naddress = 127.0.0.1:{port1}\n"
        "[route a.test /none]\nrespond = 200 n\nhsts = none\n"
        "[route a.test /own]\nrespond = 200 o\n"
        "response_header = Strict-Transport-Security: max-age=1; preload\n"
        "[rule a.test short]\nmatch = path = /short\nhsts = 0s\n",
        a="respond = 200 a\nhsts = 1y")


@pytest.mark.parametrize("path, value", [
    ("/", "max-age=31536000"), ("/none", None), ("/short", "max-age=0"),
    ("/own", "max-age=1; preload")])
def test_the_age_of_the_nearest_scope(strict, visit, path, value):
    with visit(strict) as c:
        assert c.get(path, host="a.test").get(
            "Strict-Transport-Security") == value


def test_only_through_tls(strict):
    """RFC 6797 7.2."""
    with strict.client(strict.ports[1]) as c:
        assert c.get("/", host="a.test").get(
            "Strict-Transport-Security") is None


def test_one_line_of_it(front, visit, origin):
    """RFC 6797 7.1: ours takes the place of an origin's."""
    o = origin(lambda conn, request: conn.send(
        ok(extra=b"Strict-Transport-Security: max-age=5\r\n")))
    gh = front(a="upstream = app\nhsts = 2h",
               more=f"[upstream app]\nserver = {o.address}\n")
    with visit(gh) as c:
        assert c.get(host="a.test").all("Strict-Transport-Security") == \
            ["max-age=7200"]
