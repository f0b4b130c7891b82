"""What one site's answers are to another, and what a site does to them."""
from lib.origin import ok

FRESH = b"Cache-Control: max-age=600\r\n"

TWO = """
[site other]
hosts = other.test
upstream = app
cache = pages
response_header = X-Site: other
hide_header = X-Secret
"""


def test_rules_of_a_site_apply_on_top(cached):
    gh, o = cached(lambda conn, request: conn.send(
        ok(b"x", FRESH + b"X-Secret: 1\r\n")), more=TWO)
    for _ in range(2):
        with gh.client() as c:
            r = c.get("/", host="other.test")
            assert (r.get("x-site"), r.get("x-secret")) == ("other", None)
        with gh.client() as c:
            r = c.get("/", host="test")
            assert (r.get("x-site"), r.get("x-secret")) == (None, "1")
    assert len(o.requests) == 2


def test_what_a_rule_bypasses_adds(cached):
    """It does not let back in whom the site keeps away; `none` does."""
    gh, _ = cached(lambda conn, request: conn.send(ok(b"x", FRESH)), more="""
[rule test more]
match = path ^= /more
cache_bypass = header:X-More
[rule test none]
match = path ^= /more/none
cache_bypass = none
""", site="cache_bypass = header:X-Site")
    with gh.client() as c:
        for path, kept_away in (("/", "X-Site"), ("/more", "X-Site X-More"),
                                ("/more/none", "")):
            c.get(path)
            for name in ("X-Site", "X-More"):
                told = c.get(path, extra=f"{name}: 1\r\n".encode()).get(
                    "cache-status")
                assert ("bypass" in told) == (name in kept_away), (path, name)


def test_hosts_cannot_be_made_to_look_alike(cached):
    """http and shost are not https and host."""
    gh, o = cached(lambda conn, request: conn.send(
        ok(request.get("host").encode(), FRESH)))
    for host in ("shop.test", "hop.test", "SHOP.test"):
        with gh.client() as c:
            assert c.get("/a", host=host).text.lower() == host.lower()
    assert len(o.requests) == 2


def test_content_in_a_get_is_not_mixed_up(cached):
    """The key does not know it."""
    gh, o = cached(lambda conn, request: conn.send(ok(request.body, FRESH)))
    for text in (b"one", b"two"):
        with gh.client() as c:
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n"
                   + text)
            assert c.response().body == text


def test_logs_tell_how_it_was_answered(cached):
    gh, o = cached(lambda conn, request: conn.send(
        ok(b"x", b"Cache-Control: private\r\n"
           if request.target == "/own" else FRESH)),
        workers=1, more="[log access]\npath = {dir}/access.log\n"
        "buffer = none\nformat = {path} {cache}\n")
    for path in ("/a", "/a", "/own"):
        with gh.client() as c:
            c.get(path)
    with gh.client() as c:
        c.get("/a", method="POST")
    gh.stop()
    assert (gh.dir / "access.log").read_text().splitlines() == [
        "/a miss", "/a hit", "/own pass", "/a -"]
