"""[rule SITE NAME] sections: which apply, in which order, and to what."""
import pathlib

import pytest

from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

HEAD = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[log access]
path = {dir}/access.log
format = {status} {path}
buffer = none
[log more]
path = {dir}/more.log
format = {status} {path}
buffer = none
[log third]
path = {dir}/third.log
format = {status} {path}
buffer = none
"""


@pytest.fixture
def serve(gatehouse, origin):
    """serve(ini, script=...) gives (gatehouse, origin, get): get(path, ...)
    asks for a path of the host `a.test` on a connection of its own."""

    def make(ini, script=None):
        o = origin(script)
        gh = gatehouse(HEAD + ini, origin=o.address)

        def get(path="/", extra=b"", method="GET", body=b""):
            with gh.client() as c:
                c.send(f"{method} {path} HTTP/1.1\r\nHost: a.test\r\n".encode()
                       + extra + b"\r\n" + body)
                return c.response(method)

        return gh, o, get

    return make


def test_all_matching_rules_apply_in_file_order(serve):
    """CONFIG: one route is chosen, then every matching rule of the site
    applies in file order: the last scalar holds, header lines are added."""
    _, _, get = serve("""
[site a.test]
respond = 200 site
response_header = +X-At: site
[route a.test /r]
respond = 200 route
response_header = +X-At: route
[rule a.test one]
match = path ^= /r
respond = 201 one
response_header = +X-At: one
[rule a.test other]
match = path = /nowhere
respond = 500 other
response_header = +X-At: other
[rule a.test two]
match = arg:q = 2 3
respond = 202 two
response_header = +X-At: two
""")
    r = get("/r?q=3")
    assert (r.status, r.text) == (202, "two")
    assert r.all("x-at") == ["site", "route", "one", "two"]
    r = get("/r")
    assert (r.status, r.text) == (201, "one")
    assert r.all("x-at") == ["site", "route", "one"]
    r = get("/?q=2")
    assert (r.status, r.text) == (202, "two")
    assert r.all("x-at") == ["site", "two"]
    r = get("/")
    assert (r.status, r.text, r.all("x-at")) == (200, "site", ["site"])


def test_what_a_rule_does_not_say_is_the_routes(serve):
    """CONFIG: defaults, site, route, rule: nearest wins, nothing is lost."""
    _, o, get = serve("""
[defaults]
max_body = 4b
[site a.test]
upstream = {origin}
[route a.test /api]
strip_prefix = /api
max_body = 8b
[rule a.test v2]
match = header:X-V = 2
add_prefix = /v2
[rule a.test big]
match = header:X-Big
max_body = none
""")

    def post(path, n, extra=b""):
        return get(path, b"Content-Length: %d\r\n" % n + extra, "POST",
                   b"x" * n).status

    assert post("/", 4) == 200 and post("/", 5) == 413
    assert post("/api/x", 8) == 200 and post("/api/x", 9) == 413
    assert post("/api/x", 8, b"X-V: 2\r\n") == 200
    assert post("/api/x", 9, b"X-V: 2\r\n") == 413
    assert post("/api/x", 900, b"X-V: 2\r\nX-Big: 1\r\n") == 200
    assert [r.target for r in o.requests] == [
        "/", "/x", "/v2/x", "/v2/x"]


def test_lines_of_a_rule_are_anded_and_values_ored(serve):
    """CONFIG: `match =` lines are ANDed, values in a line ORed, ! negates."""
    _, _, get = serve("""
[site a.test]
respond = 200
[rule a.test r]
match = method = POST PUT
match = !path ~ ^/(open|free)/
match = !header:X-No
respond = 403
""")
    zero = b"Content-Length: 0\r\n"
    assert get("/x").status == 200
    assert get("/x", zero, "POST").status == 403
    assert get("/x", zero, "PUT").status == 403
    assert get("/x", zero, "DELETE").status == 200
    assert get("/open/x", zero, "POST").status == 200
    assert get("/x", zero + b"X-No:\r\n", "POST").status == 403
    assert get("/x", zero + b"X-No: 1\r\n", "POST").status == 200


def test_another_answer(serve):
    """A rule may name who answers: upstream, respond or redirect."""
    _, o, get = serve("""
[site a.test]
respond = 200 here
[rule a.test away]
match = arg:to = away
redirect = 302 https://b.test{uri}
[rule a.test up]
match = cookie:beta = 1
upstream = {origin}
""")
    assert get("/").text == "here"
    assert get("/x?to=away").get("location") == "https://b.test/x?to=away"
    assert get("/x?to=away", b"Cookie: a=b; beta=1\r\n").text == "ok"
    assert [r.target for r in o.requests] == ["/x?to=away"]


def test_rules_stay_in_their_site(gatehouse):
    """CONFIG: settings never cross from one site to another."""
    gh = gatehouse(HEAD + """
[site a.test]
respond = 200 a
[site b.test]
respond = 200 b
[rule b.test all]
match = path
respond = 403
""")
    with gh.client() as c:
        assert c.get("/", host="a.test").status == 200
        assert c.get("/", host="b.test").status == 403
        assert c.get("/", host="c.test").status == 421


def test_the_answer_is_judged_when_it_is_there(serve):
    """A rule that asks for the answer applies to it, an error of ours
    included, behind the rules that judged the request."""
    def script(conn, request):
        n = int(request.get("x-answer"))
        conn.send(b"HTTP/1.1 %d X\r\nX-Kind: %s\r\nContent-Length: 0\r\n\r\n" %
                  (n, request.get("x-kind", "-").encode()))

    _, _, get = serve("""
[site a.test]
upstream = {origin}
response_header = Cache-Control: public
[route a.test /small]
max_body = 1b
[rule a.test failed]
match = status >= 500
match = header:X-Answer
response_header = Cache-Control: no-store
response_header = X-Why: {status} {origin_status} {response_header:X-Kind}
[rule a.test hidden]
match = response_header:X-Kind ~ ^sec
hide_header = X-Kind
[rule a.test always]
match = method = GET POST
response_header = Cache-Control: private
[rule a.test refused]
match = status = 413
response_header = X-Refused: {route}
""", script)
    r = get("/", b"X-Answer: 200\r\nX-Kind: plain\r\n")
    assert (r.get("cache-control"), r.get("x-why"), r.get("x-kind")) == \
        ("private", None, "plain")
    r = get("/", b"X-Answer: 503\r\nX-Kind: secret\r\n")
    assert (r.get("cache-control"), r.get("x-why"), r.get("x-kind")) == \
        ("no-store", "503 503", None)
    r = get("/small", b"Content-Length: 2\r\n", "POST", b"xx")
    assert (r.status, r.get("x-refused")) == (413, "/small")


def test_a_fault_behind_an_answer_forgets_its_rules(serve):
    """An answer that is thrown away takes what rules said of it along."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nConnection: %s\r\n"
                  b"Content-Length: 0\r\n\r\n" %
                  b", ".join(b"x%d" % i for i in range(100)))

    _, _, get = serve("""
[site a.test]
upstream = {origin}
[rule a.test good]
match = status = 200
response_header = X-Good: yes
[rule a.test bad]
match = status = 502
response_header = X-Bad: yes
""", script)
    r = get("/")
    assert (r.status, r.get("x-good"), r.get("x-bad")) == (502, None, "yes")


def test_rules_say_where_it_is_logged(serve):
    """Lists add: a rule's access_log is one more; `none` empties."""
    gh, _, get = serve("""
[site a.test]
respond = 200
access_log = access
[rule a.test more]
match = path = /more /both
access_log = more
[rule a.test third]
match = status = 200
match = path = /both
access_log = third more
[rule a.test quiet]
match = path = /quiet
access_log = none
[rule a.test moved]
match = path = /moved
access_log = none
access_log = third
""")

    def lines(name):
        return pathlib.Path(gh.dir, f"{name}.log").read_text().splitlines()

    for path in ("/", "/more", "/both", "/quiet", "/moved", "/end"):
        get(path)
    until(lambda: lines("access")[-1:] == ["200 /end"])
    assert lines("access") == ["200 /", "200 /more", "200 /both", "200 /end"]
    assert lines("more") == ["200 /more", "200 /both"]
    assert lines("third") == ["200 /both", "200 /moved"]


def test_a_regex_that_takes_too_long_is_a_fault(serve):
    """A request that a rule cannot judge is refused, not let through."""
    _, o, get = serve(r"""
[site a.test]
upstream = {origin}
[rule a.test slow]
match = header:X-A ~ ^(a+)+$
respond = 403
[rule a.test late]
match = response_header:X-B ~ ^(b+)+$
response_header = X-Late: yes
""", lambda conn, request: conn.send(
        ok(extra=b"X-B: " + request.get("x-b", "b").encode() + b"\r\n")))
    assert get("/", b"X-A: aaaa\r\n").status == 403
    assert get("/", b"X-A: " + b"a" * 60 + b"!\r\n").status == 500
    assert not o.requests
    r = get("/")
    assert (r.status, r.get("x-late")) == (200, "yes")
    r = get("/", b"X-B: " + b"b" * 60 + b"!\r\n")
    assert (r.status, r.get("x-late")) == (500, None)


def test_rules_hold_for_each_request_of_a_connection(serve):
    """What a rule set for one request is gone with the next."""
    gh, _, _ = serve("""
[site a.test]
respond = 200 plain
[rule a.test r]
match = path = /r
respond = 201 rule
response_header = X-R: 1
""")
    with gh.client() as c:
        for _ in range(3):
            r = c.get("/r", host="a.test")
            assert (r.text, r.get("x-r")) == ("rule", "1")
            r = c.get("/", host="a.test")
            assert (r.text, r.get("x-r")) == ("plain", None)


def test_mistakes_are_named_with_their_place(tmp_path):
    """CONFIG: all problems in one run, with caret and suggestion."""
    ini = tmp_path / "x.ini"
    ini.write_text("""[site a]
respond = 200
[rule a one]
match = pth = /x
[rule a two]
match = status < ten
match = path ~ (
""")
    r = run("-t", "-c", ini)
    assert r.returncode == 1
    assert f"{ini}:4:9: error: unknown variable {{pth}}; did you mean " \
        "{path}?" in r.stderr
    assert "    4 | match = pth = /x\n      |         ^~~\n" in r.stderr
    assert f"{ini}:6:18: error: 'ten': expected a number" in r.stderr
    assert f"{ini}:7:17: error: the regex is malformed" in r.stderr
    assert "3 errors" in r.stderr
