"""`compress = dcz` and `dcb`: what is like an answer that the client has is told
by it (RFC 9842), and by nothing else; in doubt as if there were no dictionaries.
dcb, and all here with it, is tested where it is built."""
import base64
import gzip
import hashlib
import random
import re
import subprocess
import threading

import pytest

from lib import admin, browser
from lib.certs import Authority, spki
from lib.codings import DECODE_BY, decoded, decoded_by
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 1
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
compress = {coding} br zstd gzip
[route test /plain/]
compress = br zstd gzip
[route test /direct/]
cache = none
[upstream app]
server = {origin}
[cache pages]
memory = 64m
max_object = 16m
status_header = on
purge_allow = 127.0.0.0/8
tag_header = Cache-Tag
"""
TYPE = b"Content-Type: text/javascript\r\n"
KEEP = TYPE + b"Cache-Control: max-age=600\r\n"
ALL = "gzip, br, zstd, dcb, dcz"
HAS_DCB = "option brotli-dictionaries on" in run("-V").stdout


def text(name, n, length=20_000):
    """Versions of one program: alike, and hard to compress alone."""
    rows = random.Random(name)
    lines = [b"%x\n" % rows.getrandbits(200) for _ in range(length // 51)]
    for i in range(n):
        lines[7 * i] = b"changed in version %d\n" % n
    return b"v%d\n" % n + b"".join(lines)


def offer(match, *more):
    members = ", ".join(['match="%s"' % match, *more])
    return KEEP + b"Use-As-Dictionary: %s\r\n" % members.encode()


class Site:
    """Answers by path, each once told: (body, fields)."""

    def __init__(self):
        self.rows = {}
        self.scripts = {}

    def __call__(self, conn, request):
        if request.target in self.scripts:
            self.scripts[request.target](conn)
            return
        body, fields = self.rows[request.target]
        tag = b'"%s"' % hashlib.md5(body).hexdigest().encode()
        if request.get("if-none-match") == tag.decode():
            conn.send(b"HTTP/1.1 304 Not Modified\r\nETag: " + tag + b"\r\n" +
                      fields + b"\r\n")
            return
        answer = ok(body, fields + b"ETag: " + tag + b"\r\n")
        if request.method == "HEAD":
            answer = answer[:answer.index(b"\r\n\r\n") + 4]
        conn.send(answer)


class Play:
    def __init__(self, gatehouse, origin, coding, more="", **words):
        self.site = Site()
        self.coding = coding
        self.origin = origin(self.site)
        self.gh = gatehouse(INI + more, origin=self.origin.address,
                            coding=coding, **words)

    def ask(self, path, has=None, extra=b"", accept=ALL, **how):
        """`has`: bytes of a dictionary, or the text of the field."""
        if isinstance(has, bytes):
            has = ":%s:" % base64.b64encode(
                hashlib.sha256(has).digest()).decode()
        if accept:
            extra += b"Accept-Encoding: %s\r\n" % accept.encode()
        if has:
            extra += b"Available-Dictionary: %s\r\n" % has.encode()
        with self.gh.client() as c:
            return c.get(path, extra=extra, **how)

    def counter(self, name):
        return admin.status(self.gh)["counters"][name]

    def put(self, path, body, fields=KEEP, ask=True, **how):
        """The origin has it; so has the cache, when it was asked for."""
        self.site.rows[path] = (body, fields)
        if ask:
            before = self.counter("cache_stored_total")
            assert decoded(self.ask(path, **how)) == body
            until(lambda: self.counter("cache_stored_total") > before,
                  what=f"{path} in the cache")
        return body


@pytest.fixture(scope="module", params=["dcz"] + ["dcb"] * HAS_DCB)
def play(shared_gatehouse, shared_origin, request):
    return Play(shared_gatehouse, shared_origin, request.param)


def is_told_by(r, dictionary, body):
    """Whether the answer is coded with it; its bytes are right in any case."""
    if r.get("content-encoding") not in ("dcz", "dcb"):
        assert decoded(r) == body
        return False
    assert decoded_by(r, dictionary) == body
    return True


def test_the_next_version_is_told_by_the_last_one(play, tmp_path):
    """A fiftieth of its length; fields as of any coding; the second time out of
    the cache, with its length and not coded again; Debian's zstd reads it."""
    old = play.put("/app/1.js", text("app", 1), offer("/app/*"))
    new = play.put("/app/2.js", text("app", 2), offer("/app/*"))
    r = play.ask("/app/2.js", old)
    assert is_told_by(r, old, new)
    assert len(r.body) < len(new) / 50
    assert r.get("vary") == "Accept-Encoding, Available-Dictionary"
    assert r.get("etag").startswith('W/"')
    assert r.get("use-as-dictionary") == 'match="/app/*"'
    kept = until(lambda: (r := play.ask("/app/2.js", old)) and
                 r.get("content-length") and r, what="a hit")
    assert is_told_by(kept, old, new)
    assert int(kept.get("content-length")) == len(kept.body)
    count = f"compressed_{play.coding}_total"
    coded = play.counter(count)
    assert coded > 0
    assert play.ask("/app/2.js", old).body == kept.body
    assert play.counter(count) == coded
    head = play.ask("/app/2.js", old, method="HEAD")
    assert head.get("content-encoding") == play.coding
    if play.coding == "dcb":
        return
    (tmp_path / "old").write_bytes(old)
    out = subprocess.run(["zstd", "-dc", "-D", tmp_path / "old"], check=True,
                         input=kept.body, capture_output=True, timeout=WAIT_S)
    assert out.stdout == new


def test_one_url_is_told_by_what_it_was(play):
    """A dictionary outlives the answer that it came with; a 304 is told with
    the weak tag; the same bytes again are no second dictionary."""
    fields = TYPE + b"Cache-Control: max-age=0\r\n" \
        b"Use-As-Dictionary: match=\"/page\"\r\n"
    n = play.counter("cache_dictionaries_total")
    old = play.put("/page", text("page", 1), fields)
    new = play.put("/page", text("page", 2), fields)
    r = play.ask("/page", old)
    assert is_told_by(r, old, new)
    assert play.counter("cache_dictionaries_total") == n + 2
    r = play.ask("/page", old, b"If-None-Match: %s\r\n" %
                 r.get("etag").encode())
    assert r.status == 304
    assert r.get("vary") == "Accept-Encoding, Available-Dictionary"
    play.put("/page", text("page", 1), fields)
    assert play.counter("cache_dictionaries_total") == n + 2
    assert is_told_by(play.ask("/page", new), new, text("page", 1))


def test_what_is_not_kept_is_told_by_what_is(play):
    """Pages that no cache may keep, in one piece or in many."""
    old = play.put("/shop/frame", text("shop", 1), offer("/shop/*"))
    page = play.put("/shop/cart", text("shop", 3), TYPE + b"Cache-Control: no-store\r\n",
                    ask=False)
    assert is_told_by(play.ask("/shop/cart", old), old, page)
    assert is_told_by(play.ask("/shop/cart", old), old, page)


def test_who_does_not_name_both_gets_the_usual(play):
    old = play.put("/usual/1.js", text("usual", 1), offer("/usual/*"))
    new = play.put("/usual/2.js", text("usual", 2), KEEP)
    digest = base64.b64encode(hashlib.sha256(old).digest()).decode()
    for has, accept in (
            (None, ALL), (old, "gzip, br, zstd"), (old, "br, *"),
            (old, f"br, {play.coding};q=0"), (old, f"br, {play.coding};q=0.5"), (text("usual", 9), ALL),
            (f"{digest}", ALL), (f":{digest[:-1]}:", ALL), (f'"{digest}"', ALL),
            (f":{digest}", ALL), (f":{digest}:, :{digest}:", ALL),
            (f":{digest}{digest}:", ALL), ("::", ALL),
            (f":{'A' * 4000}:", ALL), (f":{digest[:-2]}*=:", ALL)):
        r = play.ask("/usual/2.js", has, accept=accept)
        assert r.get("content-encoding") == "br", (has, accept)
        assert decoded(r) == new
        assert r.get("vary") == "Accept-Encoding, Available-Dictionary"
    assert play.ask("/usual/2.js", old, accept=None).body == new
    two = b"Available-Dictionary: :%s:\r\n" % digest.encode()
    assert not is_told_by(play.ask("/usual/2.js", None, two + two), old, new)
    assert is_told_by(play.ask("/usual/2.js", f":{digest}:;a=1"), old, new)


@pytest.mark.parametrize("match, fits, fits_not", [
    ("/m/a*", ["/m/a1.js"], ["/m/b.js", "/m/A1.js"]),
    ("a*.js", ["/m/a1.js"], ["/a1.js", "/m/a1.css"]),
    ("/m/*/x-*.js?v=*", ["/m/q/r/x-1.js?v=2"], ["/m/q/x-1.js", "/m/x-1.js?v=1"]),
    ("/m/*", ["/m/b.js?q"], ["/n"]),
    ("http://test/m/*", ["/m/a1.js"], ["/n"]),
    ("http://other/m/*", [], ["/m/a1.js"]),
    ("https://test/m/*", [], ["/m/a1.js"]),
    ("http://test.evil/m/*", [], ["/m/a1.js"]),
    ("//test/m/*", [], ["/m/a1.js"]),
    ("/m/:name", [], ["/m/a1.js"]),
    ("/m/(.*)", [], ["/m/a1.js"]),
    ("/m/([a-z]+)", [], ["/m/a1.js"]),
    ("/m/{a1.js}?", [], ["/m/a1.js"]),
    ("/m/../m/*", [], ["/m/a1.js"]),
    ("/m/*?", [], ["/m/a1.js"]),
    ("/m/*#x", [], ["/m/a1.js"]),
    ("", [], ["/m/a1.js"]),
])
def test_it_is_for_what_it_matches(play, match, fits, fits_not):
    """Text and stars, made absolute; patterns that need more are for nothing."""
    old = text(match, 1)
    play.put("/m/base.js", old, offer(match))
    for path in fits + fits_not:
        new = play.put(path, text(match, 2), TYPE + b"Cache-Control: no-store\r\n",
                       ask=False)
        assert is_told_by(play.ask(path, old), old, new) == (path in fits), path
    play.ask("/m/base.js", method="PURGE")


@pytest.mark.parametrize("fields", [
    KEEP + b"Use-As-Dictionary: match=\"/n/*\", type=other\r\n",
    KEEP + b"Use-As-Dictionary: match=/n/*\r\n",
    KEEP + b"Use-As-Dictionary: match=\"/n/*\r\n",
    KEEP + b"Use-As-Dictionary: match=\"/n/*\", id=1\r\n",
    KEEP + b"Use-As-Dictionary: match=\"/n/*\", match-dest=\"script\"\r\n",
    KEEP + b"Use-As-Dictionary: id=\"x\"\r\n",
    KEEP + b"Use-As-Dictionary: match=\"/n/*\", id=\"%s\"\r\n" % (b"x" * 1025),
    TYPE + b"Cache-Control: no-store\r\nUse-As-Dictionary: match=\"/n/*\"\r\n",
    TYPE + b"Cache-Control: private\r\nUse-As-Dictionary: match=\"/n/*\"\r\n",
])
def test_what_is_no_dictionary_is_not_kept_as_one(play, fields):
    n = play.counter("cache_dictionaries_total")
    play.put("/n/1", text("n", 4), fields, ask=False)
    assert decoded(play.ask("/n/1")) == text("n", 4)
    play.put("/n/2", text("n", 5), KEEP)
    assert not is_told_by(play.ask("/n/2", text("n", 4)), text("n", 4), text("n", 5))
    assert play.counter("cache_dictionaries_total") == n
    for path in ("/n/1", "/n/2"):
        play.ask(path, method="PURGE")


def test_all_that_a_dictionary_may_say(play):
    old = play.put("/all/1", text("all", 1), offer(
        "/all/*", 'match-dest=("script" "style")', 'id="v;1"', "type=raw",
        "later=?1;x"))
    new = play.put("/all/2", text("all", 2), KEEP)
    assert is_told_by(play.ask("/all/2", old), old, new)


def test_origins_have_their_own(play):
    """What another host gave is no dictionary here, nor that of a port."""
    old = play.put("/own/1", text("own", 6), offer("/own/*"), host="a.test")
    new = play.put("/own/2", text("own", 7), KEEP, ask=False)
    assert is_told_by(play.ask("/own/2", old, host="a.test"), old, new)
    assert is_told_by(play.ask("/own/2", old, host="A.test:80"), old, new)
    for host in ("b.test", "a.test:8080", "sub.a.test"):
        assert not is_told_by(play.ask("/own/2", old, host=host), old, new)


def test_a_route_without_it_has_none(play):
    old = play.put("/plain/1", text("plain", 1), offer("/*"))
    new = play.put("/plain/2", text("plain", 2), KEEP)
    assert not is_told_by(play.ask("/plain/2", old), old, new)
    old = play.put("/direct/1", text("plain", 8), offer("/*"), ask=False)
    new = play.put("/direct/2", text("plain", 2), KEEP, ask=False)
    play.ask("/direct/1")
    r = play.ask("/direct/2", old)
    assert not is_told_by(r, old, new)
    assert r.get("vary") == "Accept-Encoding"


def test_pages_that_may_not_read_it_get_the_usual(play):
    """RFC 9842 9.3.3: who could measure what he may not read."""
    old = play.put("/far/1", text("far", 1), offer("/far/*"))
    new = play.put("/far/2", text("far", 2), KEEP)
    shared = play.put("/far/3", text("far", 3), KEEP +
                      b"Access-Control-Allow-Origin: http://x.test\r\n")
    for site, mode, path, body, is_told in (
            ("same-origin", "no-cors", "/far/2", new, True),
            ("cross-site", "navigate", "/far/2", new, True),
            ("cross-site", "no-cors", "/far/2", new, False),
            ("same-site", "no-cors", "/far/2", new, False),
            ("cross-site", "cors", "/far/2", new, False),
            ("cross-site", "cors", "/far/3", shared, True)):
        r = play.ask(path, old, b"Sec-Fetch-Site: %s\r\nSec-Fetch-Mode: %s\r\n"
                     b"Origin: http://x.test\r\n" %
                     (site.encode(), mode.encode()))
        assert is_told_by(r, old, body) == is_told, (site, mode)


def test_left_alone_as_by_any_coding(play):
    """Ranges, no-transform, what is coded already: also as dcz."""
    old = play.put("/alone/1", text("alone", 1), offer("/alone/*"))
    new = play.put("/alone/2", text("alone", 2), KEEP)
    part = play.ask("/alone/2", old, b"Range: bytes=5-99\r\n")
    assert part.status == 206 and part.body == new[5:100]
    assert part.get("content-encoding") is None
    play.put("/alone/3", new, KEEP.replace(b"600", b"600, no-transform"))
    assert play.ask("/alone/3", old).get("content-encoding") is None
    play.site.rows["/alone/4"] = (gzip.compress(text("alone", 3)), offer(
        "/alone/*") + b"Content-Encoding: gzip\r\n")
    n = play.counter("cache_dictionaries_total")
    assert play.ask("/alone/4", old).get("content-encoding") == "gzip"
    assert play.counter("cache_dictionaries_total") == n
    play.site.rows["/alone/5"] = (b"whatever it is", KEEP + b"Vary: "
                                  b"Available-Dictionary\r\n"
                                  b"Content-Encoding: dcz\r\n")
    r = play.ask("/alone/5", old)
    assert r.body == b"whatever it is" and r.get("etag").startswith('"')


def test_what_servers_coded_so_is_kept_by_their_vary_only(play):
    """dcz that varies on nothing is given to nobody who did not ask for it."""
    play.site.rows["/bare"] = (b"coded", KEEP + b"Content-Encoding: dcz\r\n")
    for _ in range(2):
        assert play.ask("/bare", text("bare", 1)).body == b"coded"
    assert len([r for r in play.origin.requests if r.target == "/bare"]) == 2


@pytest.mark.parametrize("how", ["url", "tag", "all"])
def test_a_purge_takes_it(play, how):
    old = play.put("/gone/1", text("gone", 1), offer("/gone/*") +
                   b"Cache-Tag: going\r\n")
    new = play.put("/gone/2", text("gone", 2), TYPE + b"Cache-Control: no-store\r\n",
                   ask=False)
    assert is_told_by(play.ask("/gone/2", old), old, new)
    path, extra = {"url": ("/gone/1", b""),
                   "tag": ("/gone/1", b"Cache-Tag: going\r\n"),
                   "all": ("/", b"Purge: all\r\n")}[how]
    assert play.ask(path, extra=extra, method="PURGE").status == 200
    assert not is_told_by(play.ask("/gone/2", old), old, new)


def test_the_length_of_one_is_bounded(play):
    """2 MiB is one, a byte more is none, also when the length comes last; what
    is told by it comes whole."""
    most = 2 << 20
    row = text("long", 1, 60_000)
    old = (row * (most // len(row) + 1))[:most]
    play.put("/long/1", old, offer("/long/*"))
    new = play.put("/long/2", old[:most // 2] + b"!" + old[most // 2:], KEEP)
    r = play.ask("/long/2", old)
    assert is_told_by(r, old, new) and len(r.body) < 2000
    n = play.counter("cache_dictionaries_total")
    play.put("/long/3", old + b"x", offer("/long/*"))
    assert play.counter("cache_dictionaries_total") == n
    assert not is_told_by(play.ask("/long/2", old + b"x"), old, new)


@pytest.mark.heavy
@pytest.mark.parametrize("coding", ["dcz"] + ["dcb"] * HAS_DCB)
def test_who_names_many_takes_little_time(shared_gatehouse, shared_origin, coding):
    """To make one ready takes milliseconds for however small an answer: that is a
    tenth of a worker's time, and others are told without."""
    play = Play(shared_gatehouse, shared_origin, coding)
    most = 2 << 20
    row = text("many", 1, 60_000)
    plain = (row * (most // len(row) + 1))[:most - 4]
    olds = [b"%04d" % i + plain for i in range(12)]
    for i, old in enumerate(olds):
        play.put(f"/many/{i}", old, offer("/many/*"))
    small = play.put("/many/small", text("many", 2, 2000),
                     TYPE + b"Cache-Control: no-store\r\n", ask=False)
    assert is_told_by(play.ask("/many/small", olds[0]), olds[0], small)
    told = [is_told_by(play.ask("/many/small", olds[i % 12]), olds[i % 12], small)
            for i in range(240)]
    assert not all(told)
    assert play.counter("dictionaries_spared_total") == told.count(False)
    # some time later there is some again
    until(lambda: is_told_by(play.ask("/many/small", olds[5]), olds[5], small),
          what="a dictionary")


def test_bytes_that_zstd_reads_as_more_are_no_dictionary(play):
    """Clients take all of it for bytes: with its magic number zstd could not."""
    old = play.put("/magic/1", b"\x37\xa4\x30\xec" + text("magic", 1),
                   offer("/magic/*"))
    new = play.put("/magic/2", text("magic", 2), KEEP)
    is_told = is_told_by(play.ask("/magic/2", old), old, new)
    assert is_told == (play.coding == "dcb")
    play.put("/magic/3", b"short", offer("/magic/*"), ask=False)
    play.ask("/magic/3")
    assert not is_told_by(play.ask("/magic/2", b"short"), b"short", new)


def test_a_reload_leaves_it(play):
    old = play.put("/stay/1", text("stay", 1), offer("/stay/*"))
    new = play.put("/stay/2", text("stay", 2), KEEP)
    play.gh.reload()
    assert is_told_by(play.ask("/stay/2", old), old, new)
    got = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "-H",
         f"Accept-Encoding: {play.coding}", "-H", "Available-Dictionary: :%s:" %
         base64.b64encode(hashlib.sha256(old).digest()).decode(),
         "-H", "Host: test", f"http://127.0.0.1:{play.gh.port}/stay/2"],
        capture_output=True, timeout=WAIT_S, check=True).stdout
    assert DECODE_BY[play.coding](got, old) == new


def test_events_are_not_held_back(play):
    """Each can be read before the next one is there."""
    old = play.put("/live/1", text("live", 1), offer("/live/*"))
    go, parts = threading.Semaphore(0), text("live", 2).splitlines(True)[:3]

    def script(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            assert go.acquire(timeout=WAIT_S)
            conn.send(b"%x\r\n%s\r\n" % (len(part), part))
        assert go.acquire(timeout=WAIT_S)
        conn.send(b"0\r\n\r\n")

    play.site.scripts["/live/events"] = script
    named = base64.b64encode(hashlib.sha256(old).digest())
    with play.gh.client() as c:
        c.send(b"GET /live/events HTTP/1.1\r\nHost: test\r\n"
               b"Accept-Encoding: %s\r\nAvailable-Dictionary: :%s:\r\n\r\n" %
               (play.coding.encode(), named))
        head = c.reader.response_head()
        assert head.get("content-encoding") == play.coding
        came = b""
        for i in range(3):
            go.release()
            so_far = b"".join(parts[:i + 1])
            while len(came) < 40 or \
                    DECODE_BY[play.coding](came, old, True) != so_far:
                n = int(c.reader.line(), 16)
                came += c.reader.exactly(n)
                c.reader.line()
        go.release()


OFFERS = """
[route test /files/]
root = {www}
strip_prefix = /files
cache = pages
compress_dictionary = /files/*.js
[route test /told/]
compress_dictionary = /told/*
[route test /untold/]
request_header = -Accept-Encoding
request_header = -Available-Dictionary
[rule test other]
match = path = /told/rule.js
compress_dictionary = /told/r*
"""


def test_what_servers_do_not_offer(shared_gatehouse, shared_origin, tmp_path_factory):
    """`compress_dictionary`: of files, and of what a server says nothing of; not
    what it has an opinion of, nor other types, nor what is coded."""
    www = tmp_path_factory.mktemp("www")
    www.chmod(0o755)
    old, new = text("file", 1), text("file", 2)
    for name, body in (("1.js", old), ("2.js", new), ("x.png", old)):
        (www / name).write_bytes(body)
    play = Play(shared_gatehouse, shared_origin, "dcz", OFFERS, www=www)
    r = play.ask("/files/1.js")
    assert decoded(r) == old
    assert r.get("use-as-dictionary") == 'match="/files/*.js"'
    until(lambda: is_told_by(play.ask("/files/2.js", old), old, new),
          what="a dictionary")
    assert play.ask("/files/x.png").get("use-as-dictionary") is None
    for path, fields, told in (
            ("/told/1.js", KEEP, 'match="/told/*"'),
            ("/told/rule.js", KEEP, 'match="/told/r*"'),
            ("/told/own.js", offer("/own"), 'match="/own"'),
            ("/told/coded.js", KEEP + b"Content-Encoding: rot13\r\n", None),
            ("/other.js", KEEP, None)):
        play.site.rows[path] = (new, fields)
        assert play.ask(path).get("use-as-dictionary") == told, path


def test_servers_need_not_know_of_it(shared_gatehouse, shared_origin):
    """One that compresses by itself is not asked to (request_header)."""
    play = Play(shared_gatehouse, shared_origin, "dcz", OFFERS, www="/tmp")
    old = play.put("/untold/1.js", text("untold", 1), offer("/untold/*"))
    new = play.put("/untold/2.js", text("untold", 2))
    assert is_told_by(play.ask("/untold/2.js", old), old, new)
    assert all(r.get("accept-encoding") is None and
               r.get("available-dictionary") is None
               for r in play.origin.requests)


@pytest.mark.parametrize("value", [
    "app/*", "//a/*", '/a"b', "/a/../*", "/a/:x", "/a/(x)", "https://a/*", "?x"])
def test_an_offer_is_a_path_of_text_and_stars(tmp_path, value):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site a]\nrespond = 200\ncompress_dictionary = {value}\n"
                   "[route a /b]\nrespond = 200\n")
    told = run("-c", ini, "-t").stderr
    assert f"{ini}:3:23: error: compress_dictionary: expected a path" in told
    assert told.count("error:") == 1


TELLS = """(async () => {
    await (await fetch("1.js")).text();
    for (let i = 0; i < 200; i++) {
        const r = await fetch("2.js?" + i);
        const coding = r.headers.get("content-encoding");
        const text = await r.text();
        if (coding == "dcz" || coding == "dcb")
            return coding + " " + text;
        // it is taken in while others go on
        await new Promise((go) => setTimeout(go, 10));
    }
    return "no dictionary";
})()"""


def put_seen(site, at):
    """What a page in that folder wants; 2.js as text of it."""
    new = text("seen", 2)
    site.rows[at] = (b"<title>x</title>", b"Content-Type: text/html\r\n")
    site.rows[at + "1.js"] = (text("seen", 1), offer(at + "*", 'id="1"'))
    for i in range(200):
        site.rows[at + f"2.js?{i}"] = (new, KEEP)
    return new.decode()


@pytest.mark.heavy
@browser.needed
def test_chromium_reads_it(play, tmp_path):
    """It takes the first answer for a dictionary, names it, and reads what is
    told by it. (On its own machine it asks for no https.)"""
    new = put_seen(play.site, "/seen/")
    with browser.Browser(tmp_path / "browser") as chromium:
        page = chromium.page()
        page.goto(f"http://127.0.0.1:{play.gh.port}/seen/")
        assert page.evaluate(TELLS) == f"{play.coding} {new}"


# Without it no dictionary is used behind a certificate of an own authority.
STRANGE_ROOTS = "CompressionDictionaryTransportRequireKnownRootCert"
SECURE = """
[global]
workers = 1
shared_memory = 64m
[listen x]
address = 127.0.0.1:{port}
tls = on
[log access]
path = {dir}/access.log
format = {protocol} {header:available-dictionary} {header:accept-encoding}
buffer = none
[site a.test]
certificate = {pem}
certificate_key = {key}
upstream = app
cache = pages
compress = {coding} br zstd gzip
[upstream app]
server = {origin}
[cache pages]
memory = 16m
"""


@pytest.mark.heavy
@browser.needed
@pytest.mark.parametrize("coding", ["dcz"] + ["dcb"] * HAS_DCB)
def test_chromium_reads_it_over_https(gatehouse, origin, tmp_path, coding):
    """As strangers' browsers do it: through TLS and HTTP/2, from a name, whose
    requests say which codings they like and which dictionary they have."""
    ca = Authority()
    pem = ca.make("a", "a.test")
    site = Site()
    new = put_seen(site, "/seen/")
    gh = gatehouse(SECURE, origin=origin(site).address, coding=coding,
                   pem=pem, key=pem.with_suffix(".key"))
    with browser.Browser(tmp_path / "browser", more=[
            f"--host-resolver-rules=MAP a.test 127.0.0.1:{gh.port}",
            f"--ignore-certificate-errors-spki-list={spki(pem)}",
            f"--disable-features={STRANGE_ROOTS}"]) as chromium:
        page = chromium.page()
        page.goto("https://a.test/seen/")
        assert page.evaluate(TELLS) == f"{coding} {new}"
    named = base64.b64encode(hashlib.sha256(text("seen", 1)).digest()).decode()
    line = rf"HTTP/2\.0 :{re.escape(named)}: .*dcb, dcz"
    until(lambda: re.search(line, (gh.dir / "access.log").read_text()),
          what="its line")


# --- two codings with dictionaries ---------------------------------------------


@pytest.mark.skipif(not {"option brotli on", "option zstd on"} <=
                    set(run("-V").stdout.splitlines()), reason="not built")
def test_what_nobody_will_get_is_told(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen x]\naddress = :80\n[site a]\nrespond = 200 a\n"
                   "compress = br dcz zstd\n[site b]\nrespond = 200 b\n"
                   "compress = dcz br\n")
    told = run("-c", ini, "-t").stderr
    assert f"{ini}:5:15: warning: compress: dcz stands behind br" in told
    assert told.count("warning:") == 1


@pytest.mark.skipif(HAS_DCB, reason="dcb is built")
def test_what_is_not_built_is_told(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen x]\naddress = :80\n[site a]\nrespond = 200 a\n"
                   "compress = dcz dcb\n")
    done = run("-c", ini, "-t")
    assert done.returncode == 1
    assert f"{ini}:5:16: error: compress: this gatehouse was built without " \
        "prepared dictionaries of brotli (1.1), so it cannot make dcb" \
        in done.stderr


@pytest.mark.skipif(not HAS_DCB, reason="no brotli with prepared dictionaries")
def test_clients_choose_between_both(gatehouse, origin):
    """By weight, then by the order of the key; one dictionary serves both, and
    what each makes of an answer is kept beside the other."""
    site = Site()
    old, new = text("both", 1), text("both", 2)
    site.rows["/1"] = (old, offer("/*"))
    site.rows["/2"] = (new, KEEP)
    gh = gatehouse(INI, origin=origin(site).address, coding="dcz dcb")
    named = base64.b64encode(hashlib.sha256(old).digest())

    def ask(accept):
        with gh.client() as c:
            return c.get("/2", extra=b"Accept-Encoding: %s\r\n"
                         b"Available-Dictionary: :%s:\r\n" % (accept, named))

    with gh.client() as c:
        assert c.get("/1").body == old
    until(lambda: ask(b"dcb, dcz").get("content-encoding") == "dcz",
          what="the dictionary in the cache")
    for accept, coding in ((b"dcb", "dcb"), (b"dcz, dcb", "dcz"),
                           (b"dcz;q=0.9, dcb", "dcb"), (b"br, dcb", "dcb"),
                           (b"dcz;q=0, dcb;q=0.1, br;q=0.2", "br")):
        for _ in range(3):
            r = ask(accept)
            assert r.get("content-encoding") == coding, accept
            if coding == "br":
                assert decoded(r) == new
            else:
                assert decoded_by(r, old) == new


@pytest.mark.skipif(not HAS_DCB, reason="no brotli with prepared dictionaries")
@pytest.mark.parametrize("level", [5, 9])
def test_each_level_of_brotli_is_read(gatehouse, origin, level):
    site = Site()
    old, new = text("level", 1, 300_000), text("level", 9, 300_000)
    site.rows["/1"] = (old, offer("/*"))
    site.rows["/2"] = (new, KEEP)
    gh = gatehouse(INI.replace("upstream = app",
                               f"upstream = app\ncompress_level = {level}"),
                   origin=origin(site).address, coding="dcb")
    named = base64.b64encode(hashlib.sha256(old).digest())
    with gh.client() as c:
        assert c.get("/1").body == old
        r = until(lambda: (r := c.get(
            "/2", extra=b"Accept-Encoding: dcb\r\n"
            b"Available-Dictionary: :%s:\r\n" % named)).get(
                "content-encoding") and r, what="the dictionary in the cache")
    assert decoded_by(r, old) == new
    assert len(r.body) < len(new) / 50
