"""request_header, response_header and hide_header on the wire."""
import pytest

from lib.gatehouse import run
from lib.origin import ok

INI = """
[global]
workers = 1
path_policy = normalize
[listen x]
address = 127.0.0.1:{port}
%(listen)s
[site test]
hosts = *
%(site)s
[upstream app]
server = {origin}
"""


@pytest.fixture
def ask(gatehouse, origin):
    """ask(lines, request fields, answer) gives what the origin got, or None,
    and what the client got."""

    def make(site, extra=b"", answer=None, path="/", listen="",
             handler="upstream = app"):
        o = origin(lambda conn, request: conn.send(answer or ok()))
        gh = gatehouse(INI % {"site": handler + "\n" + site,
                              "listen": listen}, origin=o.address)
        with gh.client() as c:
            r = c.get(path, extra=extra)
            assert c.get("/").status == r.status  # the connection is in order
        return (o.requests[0] if o.requests else None), r

    return make


def test_lines_for_the_server(ask):
    """Set replaces all lines, + adds one, `,` appends to the list, - removes;
    ours (X-Real-IP) can be replaced as well."""
    got, _ = ask("""
request_header = X-Set: {method} {header:X-Old}
request_header = +X-Add: new
request_header = ,X-List: z
request_header = ,X-New: only
request_header = ,Cookie: c=3
request_header = -X-Gone
request_header = -User-Agent
request_header = X-Real-IP: 192.0.2.9
request_header = X-Literal: {{path} {
""", b"X-Set: 1\r\nX-Set: 2\r\nX-Old: o\r\nX-Add: old\r\nX-List: a, b\r\n"
         b"x-list: c\r\nX-Gone: 1\r\nx-gone: 2\r\nUser-Agent: u\r\n"
         b"Cookie: a=1; b=2\r\n")
    assert got.all("x-set") == ["GET o"]
    assert got.all("x-add") == ["old", "new"]
    assert got.all("x-list") == ["a, b", "c, z"]
    assert got.all("x-new") == ["only"]
    assert got.all("cookie") == ["a=1; b=2; c=3"]
    assert got.all("x-gone") == [] and got.all("user-agent") == []
    assert got.all("x-real-ip") == ["192.0.2.9"]
    assert got.all("x-literal") == ["{path} {"]


def test_lines_for_the_client(ask):
    """The same in the other direction, and what is hidden is gone before."""
    _, r = ask("""
hide_header = Server X-Powered-By x-debug
response_header = Server: front
response_header = +Set-Cookie: gh=1; Path=/
response_header = ,Vary: Cookie
response_header = -ETag
response_header = X-Was: {status} {response_header:X-Debug}
response_header = Content-Type: text/html
""", answer=ok(extra=b"Server: o/1\r\nX-Powered-By: p\r\nX-Debug: d\r\n"
               b"Set-Cookie: o=1\r\nVary: Accept\r\nETag: \"1\"\r\n"
               b"Content-Type: text/plain\r\n"))
    assert r.all("server") == ["front"]
    assert r.all("x-powered-by") == [] and r.all("x-debug") == []
    assert r.all("set-cookie") == ["o=1", "gh=1; Path=/"]
    assert r.all("vary") == ["Accept, Cookie"]
    assert r.all("etag") == []
    assert r.all("x-was") == ["200"]
    assert r.all("content-type") == ["text/html"]
    assert r.text == "ok"


def test_lines_are_inherited_and_added(gatehouse, origin):
    """CONFIG: lists and headers are added along defaults, site, route; `none`
    empties, `-Name` removes one."""
    o = origin()
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[defaults]
upstream = {origin}
request_header = +X-A: defaults
response_header = X-B: defaults
[site test]
hosts = *
request_header = +X-A: site
response_header = X-C: site
[route test /more]
request_header = +X-A: route
response_header = X-B: route
[route test /less]
response_header = -X-C
[route test /none]
request_header = none
response_header = none
[route test /anew]
request_header = none
request_header = X-A: anew
[rule test r]
match = arg:r
request_header = +X-A: rule
response_header = none
response_header = X-D: rule
""", origin=o.address)
    want = [
        ("/", ["defaults", "site"], ["defaults", "site", None]),
        ("/more", ["defaults", "site", "route"], ["route", "site", None]),
        ("/less", ["defaults", "site"], ["defaults", None, None]),
        ("/none", [], [None, None, None]),
        ("/anew", ["anew"], ["defaults", "site", None]),
        ("/more?r=1", ["defaults", "site", "route", "rule"],
         [None, None, "rule"]),
    ]
    with gh.client() as c:
        for path, sent, answered in want:
            r = c.get(path)
            assert o.requests[-1].all("x-a") == sent, path
            assert [r.get(n) for n in ("x-b", "x-c", "x-d")] == answered, path


def test_own_answers_and_errors_have_them(gatehouse):
    """response_header holds for answers made here: respond, redirect, 404,
    413, and those that met no site at all (from [defaults])."""
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[defaults]
response_header = X-Frame-Options: DENY
hide_header = Date Content-Type
[site test]
response_header = X-Site: {site}
[route test /a]
respond = 200 a
[route test /b]
redirect = 301 /a
[route test /c]
respond = 200
max_body = 1b
[route test /d]
respond = 204
""")
    two = b"Content-Length: 2\r\n"
    want = [("/a", "test", b"", 200, "test"), ("/b", "test", b"", 301, "test"),
            ("/d", "test", b"", 204, "test"), ("/", "test", b"", 404, "test"),
            ("/c", "test", two, 413, "test"),
            ("/a", "other", b"", 421, None), ("/a", "a b", b"", 400, None)]
    for path, host, extra, status, site in want:
        with gh.client() as c:
            r = c.get(path, host=host, extra=extra)
            assert r.status == status
            assert r.all("x-frame-options") == ["DENY"]
            assert r.get("x-site") == site
            assert r.get("date")


def test_an_empty_value_leaves_no_line(ask):
    """A variable without value sends no empty header, and the client's own is
    gone all the same."""
    got, r = ask("""
request_header = X-User: {cookie:user}
request_header = +X-More: {arg:none}
request_header = ,X-List: {header:none}
request_header = X-Gone:
response_header = X-Q: {query}
""", b"X-User: admin\r\nX-List: a\r\nX-Gone: 1\r\n")
    assert got.all("x-user") == [] and got.all("x-more") == []
    assert got.all("x-list") == ["a"] and got.all("x-gone") == []
    assert r.all("x-q") == []


@pytest.mark.parametrize("path", [
    "/%0d%0aX-Evil:%201", "/%0aX-Evil:%201", "/a%00b", "/%0D%0A%0D%0Ahello",
    "/?q=%0d%0aX-Evil:%201", "/%E5%98%8A%E5%98%8DX-Evil:%201", "/%7f%01%1f"])
def test_nothing_is_injected_by_the_path(ask, path):
    """RFC 9110 5.5: CR, LF and NUL in a value would end the line; whatever the
    request holds, a value is one line. The reader on both sides is strict."""
    got, r = ask("""
request_header = X-P: {path}|{raw_path}|{query}|{arg:q}|{uri}
response_header = X-P: {path}|{raw_path}|{query}|{arg:q}|{uri}
""", path=path)
    for msg in (got, r):
        if msg is None:
            continue
        assert msg.all("x-evil") == []
        assert len(msg.all("x-p")) == (0 if r.status == 400 else 1)
    assert r.status in (200, 400)


@pytest.mark.parametrize("value", [
    b"a\tb", b"\xff\xfe", b"\x85 \xe2\x80\xa8 X-Evil: 1", b"\"; X-Evil: 1",
    b"{path}{status}", b"a, b;c=\"d\""])
def test_nothing_is_injected_by_a_field(ask, value):
    """A value goes on byte for byte, and is never read as a template."""
    got, r = ask("""
request_header = X-Copy: {header:X-In}
response_header = X-Copy: {header:X-In}
""", b"X-In: " + value + b"\r\n")
    for msg in (got, r):
        assert msg.all("x-copy") == [value.decode("latin-1")]
        assert msg.all("x-evil") == []


def test_hidden_in_hints_and_trailers_too(ask, gatehouse, origin):
    """What is hidden does not come in by an interim answer or a trailer."""
    answer = (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Secret: 1\r\n\r\n"
              b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"2\r\nok\r\n0\r\nX-Secret: 2\r\nX-Late: 3\r\n\r\n")
    o = origin(lambda conn, request: conn.send(answer))
    gh = gatehouse(INI % {"site": "upstream = app\nhide_header = X-Secret",
                          "listen": ""}, origin=o.address)
    infos = []
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n"
               b"Connection: TE\r\n\r\n")
        r = c.response(infos=infos)
    assert [i.fields for i in infos] == [[(b"Link", b"</a>")]]
    assert r.trailers == [(b"X-Late", b"3")]
    assert r.text == "ok"


def test_framing_is_out_of_reach(tmp_path):
    """RFC 9110 7.6.1, RFC 9112 6: what frames a message, is meant for one
    connection or says who is asked is refused, with its place."""
    names = ("Connection", "Content-Length", "Transfer-Encoding", "Host", "TE",
             "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection")
    lines = [f"{key} = {mark}{name}{'' if mark == '-' else ': x'}"
             for name in names for mark in ("", "+", ",", "-")
             for key in ("request_header", "response_header")]
    lines += [f"hide_header = {name}" for name in names]
    ini = tmp_path / "x.ini"
    ini.write_text("[site a]\nrespond = 200\n" + "\n".join(lines) + "\n")
    r = run("-t", "-c", ini)
    assert r.returncode == 1
    for no, line in enumerate(lines, 3):
        assert f"{ini}:{no}:" in r.stderr, line
    assert r.stderr.count("cannot be changed") == len(lines)


def test_the_effective_configuration_keeps_them(tmp_path):
    """-T writes what reads the same again."""
    ini = tmp_path / "x.ini"
    ini.write_text("""[site a]
respond = 200
request_header = X-A: {path} "b"
request_header = +X-B: c
request_header = none
request_header = ,X-C: d
response_header = -Server
hide_header = X Y
[rule a r]
match = !path ~ "\\.(zip|iso)$
match = status in 200-299
response_header = X-D: {status}
""")
    first = run("-T", "-c", ini)
    assert first.returncode == 0
    again = tmp_path / "y.ini"
    again.write_text(first.stdout)
    second = run("-T", "-c", again)
    assert second.stdout == first.stdout
    for line in ini.read_text().splitlines():
        assert line in first.stdout.splitlines(), line
