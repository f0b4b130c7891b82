"""GET /v1/cache (doc/admin.md): what caches hold under a URL."""
import json

import pytest

from lib import admin
from lib.origin import ok
from lib.procs import until

INI = """
[global]
workers = 2
shared_memory = 160m
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
cache = pages
compress = gzip
[route test /big]
cache = slices
[upstream app]
server = {origin}
[cache pages]
memory = 64m
[cache slices]
memory = 16m
slice = 64k
""" + admin.SECTION
TEXT = b"Content-Type: text/plain\r\nCache-Control: max-age=600\r\n"
BIG = 200_000
# more than are looked at in one piece
MANY = 2200


def script(conn, request):
    fields = TEXT + b'ETag: "one"\r\n'
    path = request.target.partition("?")[0]
    if path == "/vary":
        fields += b"Vary: Accept-Language\r\n"
    elif path == "/private":
        fields = b"Cache-Control: private\r\n"
    elif path == "/stale":
        fields = b"Cache-Control: max-age=1\r\nAge: 100\r\nETag: \"s\"\r\n"
    elif path == "/steers":
        fields = TEXT + b'ETag: "\xc2\x9b31m"\r\n'
    elif path == "/coded":
        fields += b"Content-Encoding: br\r\n"
    elif path == "/big":
        unit, _, place = request.get("range", "").partition("=")
        assert unit == "bytes"
        first, last = (int(n) for n in place.split("-"))
        last = min(last, BIG - 1)
        body = b"b" * (last - first + 1)
        conn.send(b"HTTP/1.1 206 Partial\r\nContent-Length: %d\r\n"
                  b"Content-Range: bytes %d-%d/%d\r\n" %
                  (len(body), first, last, BIG) + fields + b"\r\n" + body)
        return
    conn.send(ok(b"t" * 3000, fields))


@pytest.fixture(scope="module")
def gh(shared_gatehouse, shared_origin):
    gh = shared_gatehouse(INI, origin=shared_origin(script).address)
    until(lambda: admin.steward(gh))
    with gh.client() as c:
        c.get("/x")
        for language in (b"de", b"en"):
            c.get("/vary", extra=b"Accept-Language: %s\r\n" % language)
        for path in ("/steers", "/private", "/stale", "/coded", "/x?b=2&a=/?%20"):
            c.get(path)
        assert len(c.get("/big").body) == BIG
    return gh


def test_texts_of_servers_steer_no_terminal(gh):
    """curl shows them: nothing but ASCII is sent."""
    with admin.connect(gh) as c:
        text = c.get("/v1/cache?url=http://test/steers").text
    assert text.isascii()
    assert json.loads(text)["objects"][0]["etag"] == '"\x9b31m"'


def look(gh, url):
    status, found = admin.ask(gh, "GET", f"/v1/cache?url={url}")
    assert status == 200 and found["complete"] is True
    assert found["url"] == url
    return found["objects"]


def kinds(gh, url):
    return sorted(o["kind"] for o in look(gh, url))


def test_an_answer(gh):
    o, = look(gh, "http://test/x")
    assert 590 <= o.pop("fresh_s") <= 600
    assert 0 <= o.pop("age_s") <= 10
    assert o.pop("uses") >= 1
    assert o == {"cache": "pages", "kind": "answer", "length": 3000,
                 "soft": False, "status": 200, "coding": None,
                 "etag": '"one"'}


def test_the_query_is_a_part_of_it(gh):
    """Nothing of it is decoded."""
    assert kinds(gh, "http://test/x?b=2&a=/?%20") == ["answer"]
    assert look(gh, "http://test/x?a=/?%20&b=2") == []


@pytest.mark.parametrize("url, found", [
    ("http://test/vary", ["answer", "answer", "variants"]),
    ("http://other/x", []),
    ("https://test/x", []),
    ("http://test/", []),
    ("http://test/big", ["answer"] * 4 + ["sliced"])])
def test_kinds(gh, url, found):
    assert kinds(gh, url) == found


def test_what_it_is(gh):
    assert [o["vary"] for o in look(gh, "http://test/vary")
            if o["kind"] == "variants"] == ["accept-language"]
    assert look(gh, "http://test/coded")[0]["coding"] == "br"
    assert [o["length"] for o in look(gh, "http://test/big")
            if o["kind"] == "sliced"] == [BIG]


def test_codings_that_were_made_and_staleness(gh):
    with gh.client() as c:
        for _ in range(2):
            c.get("/x?code", extra=b"Accept-Encoding: gzip\r\n")
    until(lambda: kinds(gh, "http://test/x?code") == ["answer", "coded"])
    stale, = [o for o in look(gh, "http://test/stale")
              if o["kind"] == "answer"] or [None]
    assert stale is None or stale["fresh_s"] < 0


def test_a_purge(gh):
    with gh.client() as c:
        c.get("/gone")
    assert kinds(gh, "http://test/gone") == ["answer"]
    for soft in (True, False):
        assert admin.post(gh, "purge", {"url": "http://test/gone",
                                        "soft": soft})[0] == 200
        assert [o["soft"] for o in look(gh, "http://test/gone")] == \
            ([True] if soft else [])


@pytest.mark.heavy
def test_it_is_found_among_many(gh):
    with gh.client() as c:
        for i in range(MANY):
            c.send(b"GET /many%d HTTP/1.1\r\nHost: test\r\n\r\n" % i)
            c.response()
    assert kinds(gh, f"http://test/many{MANY - 1}") == ["answer"]
    assert kinds(gh, "http://test/many0") == ["answer"]


@pytest.mark.parametrize("query", [
    "", "?", "?url=", "?url=x", "?url=/x", "?url=ftp://test/x",
    "?url=http%3A%2F%2Ftest%2Fx", "?url=http://test/x*", "?url=http://*/",
    "?url=http://test/a%2fb", "?x=1&url=http://test/x"])
def test_what_is_no_url_is_refused(gh, query):
    status, answer = admin.ask(gh, "GET", f"/v1/cache{query}")
    assert status == 400 and answer["error"]
