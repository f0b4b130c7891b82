"""`substitute`: other text in the content of answers."""
import gzip
import threading

import pytest

from lib.codings import decoded
from lib.gatehouse import run
from lib.origin import ok

PAGE = (b"<a href=\"http://app.internal/x\">" * 200 + b"end")
WANT = PAGE.replace(b"http://app.internal/", b"https://www.test/")
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
TAGGED = HTML + b"ETag: \"v1\"\r\nAccept-Ranges: bytes\r\nRepr-Digest: y\r\n"
KEPT = b"Cache-Control: max-age=100\r\n"


class Pages:
    ROWS = {
        "/page": (PAGE, TAGGED), "/kept": (PAGE, TAGGED + KEPT),
        "/app/page": (PAGE, TAGGED),
        "/none": (PAGE, HTML), "/more": (PAGE, HTML), "/rule": (PAGE, HTML),
        "/gzip": (gzip.compress(PAGE), HTML + b"Content-Encoding: gzip\r\n"),
        "/rot13": (PAGE, HTML + b"Content-Encoding: rot13\r\n"),
        "/plain": (PAGE, b"Content-Type: text/plain\r\n"),
        "/asis": (PAGE, HTML + b"Cache-Control: no-transform\r\n"),
        "/cut": (b"x</bo", HTML),
    }

    def __init__(self):
        self.go_on = threading.Event()

    def __call__(self, conn, request):
        path = request.target
        head = b"HTTP/1.1 200 OK\r\n" + HTML + \
            b"Transfer-Encoding: chunked\r\n\r\n"
        if path == "/bytes":
            conn.send(head)
            for i in range(0, 700):
                conn.send(b"1\r\n%c\r\n" % PAGE[i])
            conn.send(b"0\r\n\r\n")
        elif path == "/waits":
            conn.send(head + b"7\r\nxy</bod\r\n")
            self.go_on.wait(10)
            conn.send(b"2\r\ny>\r\n0\r\n\r\n")
        elif "v1" in (request.get("if-none-match") or ""):
            conn.send(b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n")
        else:
            answer = ok(*self.ROWS[path])
            if request.method == "HEAD":
                answer = answer[:answer.index(b"\r\n\r\n") + 4]
            conn.send(answer)


INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[cache c]
memory = 8m
[site s]
hosts = *
upstream = {origin}
substitute = |http://app.internal/|https://www.test/|
substitute = !</body>!<script src="/x.js"></script></body>!
[route s /kept]
cache = c
compress = br gzip
[route s /page]
compress = br zstd gzip
[route s /none]
substitute = none
[route s /more]
substitute = |<a|<b|
substitute = ~http://app.internal/x~"~
[rule s one]
match = path = /rule
substitute = none
substitute = |end|END|
"""


@pytest.fixture(scope="module")
def pages():
    return Pages()


@pytest.fixture(scope="module")
def pair(pages, shared_gatehouse, shared_origin):
    o = shared_origin(pages)
    return shared_gatehouse(INI, origin=o.address), o


@pytest.mark.parametrize("path, want", [
    ("/page", WANT), ("/bytes", PAGE[:700].replace(
        b"http://app.internal/", b"https://www.test/")),
    ("/gzip", WANT), ("/cut", b"x</bo"),
    ("/none", PAGE), ("/plain", PAGE), ("/asis", PAGE), ("/rot13", PAGE),
    ("/more", PAGE.replace(b"<a", b"<b").replace(
        b"http://app.internal/x", b"\"")),
    ("/rule", PAGE.replace(b"end", b"END")),
])
def test_texts_are_replaced_where_they_stand(pair, path, want):
    """However they are cut, coded or not; what is of another type, must not be
    changed or cannot be read stays. Sections add up, the nearest first."""
    with pair[0].client() as c:
        r = c.get(path)
        assert r.status == 200 and r.body == want
        assert (r.get("content-encoding") == "rot13") == (path == "/rot13")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip", None])
def test_it_is_compressed_behind_it(pair, coding):
    with pair[0].client() as c:
        r = c.get("/page", extra=b"Accept-Encoding: %s\r\n" %
                  (coding or "x").encode())
        assert r.get("content-encoding") == coding and decoded(r) == WANT


def test_fields_are_of_what_is_sent(pair):
    """No length, part or digest of other bytes; a tag that is weak; HEAD is told
    what GET is; who asks with that tag is told of it."""
    gone = ("accept-ranges", "repr-digest")
    with pair[0].client() as c:
        r = c.get("/page")
        h = c.get("/page", method="HEAD")
        for one in (r, h):
            assert one.get("etag") == 'W/"v1"'
            assert not any(one.get(f) for f in gone)
            assert not one.get("content-length")
        r = c.get("/page", extra=b"If-None-Match: W/\"v1\"\r\n")
        assert r.status == 304 and r.get("etag") == 'W/"v1"'
        r = c.get("/plain")
        assert r.get("content-length") == str(len(PAGE))


def test_there_are_no_parts(pair):
    """RFC 9110 14.2: Range may be ignored; parts of other bytes would be put
    together to a page that nobody sent."""
    gh, o = pair
    with gh.client() as c:
        r = c.get("/page", extra=b"Range: bytes=0-9\r\nIf-Range: \"v1\"\r\n")
        assert r.status == 200 and r.body == WANT
        assert not o.requests[-1].get("range")
        assert not o.requests[-1].get("if-range")


def test_the_cache_keeps_what_the_server_sent(pair):
    """Every hit is substituted, plain or in a coding, with or without Range."""
    gh, o = pair
    with gh.client() as c:
        assert c.get("/kept").body == WANT
        before = len(o.requests)
        for extra, coding in ((b"", None), (b"Accept-Encoding: br\r\n", "br"),
                              (b"Accept-Encoding: br\r\n", "br"),
                              (b"Accept-Encoding: gzip\r\n", "gzip"),
                              (b"Range: bytes=5-9\r\n", None)):
            r = c.get("/kept", extra=extra)
            assert r.status == 200 and r.get("content-encoding") == coding
            assert decoded(r) == WANT
        assert len(o.requests) == before


def test_only_what_may_begin_a_text_waits(pair, pages):
    """An answer that pauses is not held back, and a text that a pause cuts is
    found all the same."""
    pages.go_on.clear()
    with pair[0].client() as c:
        c.send(b"GET /waits HTTP/1.1\r\nHost: t\r\n\r\n")
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(7) == b"2\r\nxy\r\n"
        pages.go_on.set()
        want = b"<script src=\"/x.js\"></script></body>"
        assert c.reader.exactly(len(want) + 11) == \
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(want), want)


@pytest.mark.parametrize("line, why", [
    ("a|b|", "expected |FROM|TO|"), ("|a", "behind FROM"),
    ("|a|b", "behind TO"), ("|a|b|c|", "third mark"), ("||b|", "1 to 256"),
    ("|" + "a" * 257 + "|b|", "1 to 256"),
    ("|a|" + "b" * 1025 + "|", "at most 1024"),
])
def test_a_slip_is_told(line, why):
    r = run("-t", "-c", "/dev/stdin",
            stdin=f"[site a]\nupstream = 127.0.0.1:1\nsubstitute = {line}\n")
    assert r.returncode == 1 and ":3:14:" in r.stderr, r.stderr
    assert why in r.stderr
