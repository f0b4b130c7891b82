"""A stored answer keeps what it was compressed to: a hit is not compressed again,
and whatever becomes of the answer becomes of its codings (doc/compression.md)."""
import gzip
import subprocess
import threading

import pytest

from lib import admin
from lib.codings import DECODE, decoded
from lib.gatehouse import BINARY
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

TEXT = b"".join(b"%d green bottles\n" % i for i in range(400))
PLAIN = (b"Content-Type: text/plain\r\nCache-Control: max-age=600\r\n"
         b"Cache-Tag: bottles\r\n")
INI = """
[global]
workers = 2
shared_memory = 128m
[admin]
listen = unix:{dir}/admin.sock
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
cache = pages
compress = br zstd gzip
[upstream app]
server = {origin}
[cache pages]
memory = 48m
max_object = 16m
status_header = on
purge_allow = 127.0.0.0/8
tag_header = Cache-Tag
"""


def accept(coding, extra=b""):
    return b"Accept-Encoding: %s\r\n" % coding.encode() + extra


class Versions:
    """A text that is another one for each version; 304 for who has it."""

    def __init__(self, fields=PLAIN):
        self.n = 1
        self.fields = fields

    def text(self):
        return b"version %d\n" % self.n + TEXT

    def __call__(self, conn, request):
        tag = b'"v%d"' % self.n
        if tag.decode() in request.get("if-none-match", ""):
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" + self.fields +
                      b"ETag: " + tag + b"\r\n\r\n")
        else:
            conn.send(ok(self.text(), self.fields + b"ETag: " + tag + b"\r\n"))


class Play:
    """One gatehouse, and what its counters tell."""

    def __init__(self, gatehouse, origin, script):
        self.origin = origin(script)
        self.script = script
        self.gh = gatehouse(INI, origin=self.origin.address)

    def ask(self, coding=None, extra=b"", method="GET", path="/"):
        with self.gh.client() as c:
            return c.get(path, extra=(accept(coding) if coding else b"") +
                         extra, method=method)

    def counter(self, name):
        return admin.status(self.gh)["counters"][name]

    def warm(self, coding):
        """Ask until it is there in that coding."""
        return until(lambda: (r := self.ask(coding)).get("content-length") and
                     r.get("content-encoding") == coding and r,
                     what=f"a hit in {coding}")

    def is_kept(self, coding):
        r = self.ask(coding)
        assert r.get("content-encoding") == coding
        assert decoded(r) == self.script.text()
        return r.get("content-length") is not None


@pytest.fixture
def play(gatehouse, origin):
    return lambda script=None: Play(gatehouse, origin, script or Versions())


def test_hits_come_as_they_were_compressed(play):
    """Each coding, whole and the same; HEAD, ranges and conditions as of any
    answer; one request of the origin."""
    p = play()
    assert not p.is_kept("gzip")  # a miss is compressed while it is sent
    for coding in ("gzip", "br", "zstd"):
        r = p.warm(coding)
        assert decoded(r) == p.script.text()
        assert int(r.get("content-length")) == len(r.body)
        assert r.get("etag") == 'W/"v1"'
        assert r.get("vary") == "Accept-Encoding"
        assert r.get("age") is not None and "hit" in r.get("cache-status")
        assert r.get("accept-ranges") is None
        assert p.ask(coding).body == r.body
        head = p.ask(coding, method="HEAD")
        assert head.get("content-length") == str(len(r.body))
        assert head.get("content-encoding") == coding
        for tag in (b'W/"v1"', b'"v1"'):
            got = p.ask(coding, b"If-None-Match: %s\r\n" % tag)
            assert (got.status, got.get("etag")) == (304, tag.decode())
        part = p.ask(coding, b"Range: bytes=5-9\r\n")
        assert part.status == 206 and part.get("content-encoding") is None
        assert part.body == p.script.text()[5:10]
        whole = p.ask(coding, b"Range: bytes=5-9\r\nIf-Range: W/\"v1\"\r\n")
        assert whole.status == 200 and whole.body == r.body
    assert p.ask().body == p.script.text()
    assert len(p.origin.requests) == 1


@pytest.mark.parametrize("purge", ["url", "soft", "tag", "prefix"])
def test_a_purge_is_one_of_all_codings(play, purge):
    p = play()
    for coding in ("gzip", "br"):
        p.warm(coding)
    p.script.n = 2
    if purge in ("url", "soft"):
        r = p.ask(method="PURGE",
                  extra=b"Purge: soft\r\n" if purge == "soft" else b"")
        assert r.status == 200
    else:
        words = {"tag": ["--tag", "bottles"],
                 "prefix": ["http://test/*"]}[purge]
        subprocess.run([BINARY, "purge", "-c", str(p.gh.ini), *words],
                       check=True, capture_output=True, timeout=WAIT_S)
    for coding in ("gzip", "br", None):
        assert decoded(p.ask(coding)) == p.script.text()


def test_what_is_good_again_is_so_in_all_codings(play):
    """A 304 freshens the answer: its codings go on, and nothing is compressed."""
    p = play()
    for coding in ("gzip", "br"):
        p.warm(coding)
    before = p.counter("compressed_total")
    assert p.ask(method="PURGE", extra=b"Purge: soft\r\n").status == 200
    for coding in ("gzip", "br"):
        assert p.is_kept(coding)
    assert [r.get("if-none-match") for r in p.origin.requests] == \
        [None, '"v1"']
    assert p.counter("compressed_total") == before
    assert p.counter("cache_coded_total") >= 4


def test_another_version_has_codings_of_its_own(play):
    """What takes the answer's place is never given as what was there."""
    p = play(Versions(PLAIN.replace(b"max-age=600", b"max-age=0")))
    for n in range(1, 6):
        p.script.n = n
        for coding in ("br", "gzip", None, "br"):
            assert decoded(p.ask(coding)) == p.script.text()


def test_variants_have_codings_of_their_own(play):
    """An answer that varies by itself: each variant is coded."""
    class Spoken(Versions):
        def __call__(self, conn, request):
            word = request.get("accept-language", "none").encode()
            conn.send(ok(word * 3000, PLAIN + b"Vary: Accept-Language\r\n"))

    p = play(Spoken())
    for _ in range(3):
        for word in (b"de", b"en"):
            r = p.ask("gzip", b"Accept-Language: %s\r\n" % word)
            assert decoded(r) == word * 3000
            assert r.get("vary") == "Accept-Language, Accept-Encoding"


def test_all_at_once(play):
    """Many clients while the coding is being made: whole answers for all."""
    p = play()
    p.ask()
    failed = []

    def ask():
        for coding in ("br", "gzip", "zstd"):
            if decoded(p.ask(coding)) != p.script.text():
                failed.append(coding)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(WAIT_S)
    assert not failed
    assert len(p.origin.requests) == 1


def test_curl_reads_hits_over_http_2(play):
    p = play()
    p.warm("zstd")
    got = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "--compressed", "-H",
         "Accept-Encoding: zstd", f"http://127.0.0.1:{p.gh.port}/"],
        capture_output=True, timeout=WAIT_S, check=True).stdout
    assert got == p.script.text()


def test_what_the_origin_compressed_is_kept_as_it_is(play):
    """A precompressed answer goes to who asks for it, by the origin's Vary."""
    import gzip

    class Made(Versions):
        def __call__(self, conn, request):
            if "gzip" in request.get("accept-encoding", ""):
                conn.send(ok(gzip.compress(TEXT), PLAIN +
                             b"Vary: Accept-Encoding\r\n"
                             b"Content-Encoding: gzip\r\nETag: \"z\"\r\n"))
            else:
                conn.send(ok(TEXT, PLAIN + b"Vary: Accept-Encoding\r\n"))

    p = play(Made())
    for _ in range(2):
        r = p.ask("gzip")
        assert r.get("etag") == '"z"' and DECODE["gzip"](r.body) == TEXT
        assert decoded(p.ask("br")) == TEXT
        assert p.ask().body == TEXT


def test_one_copy_that_the_origin_compressed_is_for_all(gatehouse, origin):
    """Servers are asked for gzip alone, whoever asks: who does not know it gets it
    decoded, and no variants are kept of what is the same."""
    coded = gzip.compress(TEXT)
    o = origin(lambda conn, r: conn.send(ok(
        coded if r.get("accept-encoding") == "gzip" else TEXT,
        PLAIN + b"Vary: Accept-Encoding\r\n" + (
            b"Content-Encoding: gzip\r\n"
            if r.get("accept-encoding") == "gzip" else b""))))
    gh = gatehouse(INI.replace(
        "compress = br zstd gzip",
        "decompress = on\nrequest_header = Accept-Encoding: gzip"),
        origin=o.address)
    for liked, told in ((None, None), ("gzip", "gzip"), ("br", None),
                        ("gzip, br", "gzip"), ("identity", None)):
        with gh.client() as c:
            r = c.get("/", extra=accept(liked) if liked else b"")
            assert r.get("content-encoding") == told
            assert decoded(r) == TEXT
            assert r.get("vary") == "Accept-Encoding"
    assert len(o.requests) == 1
