"""`compress`: answers in the coding that the client likes (RFC 9110 8.4,
12.5.3), told by fields that caches can rely on."""
import gzip
import json
import shutil
import subprocess
import threading
import zlib

import pytest

from lib import h2
from lib.certs import Authority, spki
from lib.codings import DECODE, decoded
from lib.gatehouse import run
from lib.origin import ok
from lib.wire import WAIT_S, Truncated

TEXT = b"".join(b"%d green bottles\n" % i for i in range(400))
CODED = gzip.compress(TEXT)
PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"
ALL = "compress = br zstd gzip"


SECURE = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
tls = on
[log access]
path = {dir}/access.log
format = {protocol}
buffer = none
[site a.test]
certificate = {pem}
certificate_key = {key}
upstream = app
[upstream app]
server = {origin}
"""


class Pages:
    """Answers by path. Without Range it may be asked for HEAD, too."""

    ROWS = {
        "/text": (TEXT, PLAIN + b"ETag: \"v1\"\r\nAccept-Ranges: bytes\r\n"
                  b"Content-MD5: x\r\nRepr-Digest: y\r\nVary: Cookie\r\n"),
        "/weak": (TEXT, PLAIN + b"ETag: W/\"v1\"\r\n"),
        "/no-tag": (TEXT, PLAIN + b"ETag: v1\r\n"),
        "/tags": (TEXT, PLAIN + b"ETag: \"v1\"\r\nETag: \"v2\"\r\n"),
        "/json": (TEXT, b"Content-Type: application/ld+json\r\n"),
        "/svg": (TEXT, b"Content-Type: IMAGE/SVG+XML\r\n"),
        "/png": (TEXT, b"Content-Type: image/png\r\n"),
        "/untyped": (TEXT, b""),
        "/small": (TEXT[:1023], PLAIN),
        "/enough": (TEXT[:1024], PLAIN),
        "/coded": (CODED, PLAIN + b"Content-Encoding: gzip\r\n"),
        "/odd": (CODED, PLAIN + b"Content-Encoding: rot13\r\n"),
        "/asis": (TEXT, PLAIN + b"Cache-Control: max-age=1, no-transform\r\n"),
        "/varied": (TEXT, PLAIN + b"Vary: accept-encoding\r\n"),
        "/error": (TEXT, PLAIN),
    }

    def __call__(self, conn, request):
        path = request.target
        if path == "/none":
            conn.send(b"HTTP/1.1 204 No Content\r\n" + PLAIN + b"\r\n")
        elif path in ("/chunked", "/bytes"):
            size = 1 if path == "/bytes" else 97
            conn.send(b"HTTP/1.1 200 OK\r\n" + PLAIN +
                      b"Transfer-Encoding: chunked\r\n\r\n")
            if request.method == "HEAD":
                return
            for i in range(0, len(TEXT), 97):
                parts = [TEXT[i:i + 97][k:k + size] for k in range(0, 97, size)]
                conn.send(b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                                   for part in parts if part))
            conn.send(b"0\r\nX-Sum: 42\r\n\r\n")
        elif request.get("if-none-match") and '"v1"' in request.get(
                "if-none-match"):
            conn.send(b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n")
        elif request.get("range"):
            conn.send(b"HTTP/1.1 206 Partial Content\r\n" + PLAIN +
                      b"Content-Range: bytes 0-1999/%d\r\n"
                      b"Content-Length: 2000\r\n\r\n" % len(TEXT) +
                      TEXT[:2000])
        else:
            body, fields = self.ROWS[path]
            answer = ok(body, fields)
            if path == "/error":
                answer = answer.replace(b"200 OK", b"404 Not Found")
            if request.method == "HEAD":
                answer = answer[:answer.index(b"\r\n\r\n") + 4]
            conn.send(answer)


INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
compress = br zstd gzip
[upstream app]
server = {origin}
"""


@pytest.fixture(scope="module")
def shared(shared_gatehouse, shared_origin):
    return shared_gatehouse(INI, origin=shared_origin(Pages()).address)


def accept(*codings, extra=b""):
    return b"Accept-Encoding: %s\r\n" % ", ".join(codings).encode() + extra


def test_the_client_gets_what_it_likes_best(shared):
    """Each coding, by weight and then by the order of the key."""
    with shared.client() as c:
        for liked, coding in (
                (("gzip",), "gzip"), (("br",), "br"), (("zstd",), "zstd"),
                (("gzip", "deflate", "br", "zstd"), "br"),
                (("gzip", "zstd"), "zstd"), (("*",), "br"),
                (("br;q=0.1", "gzip;q=0.2"), "gzip"),
                (("br;q=0", "gzip;q=0", "zstd;q=0"), None),
                (("identity", "gzip;q=0.5"), None), (("deflate",), None)):
            r = c.get("/text", extra=accept(*liked))
            assert r.get("content-encoding") == coding, liked
            assert decoded(r) == TEXT
            assert len(r.body) < len(TEXT) or coding is None
            assert r.get("vary") == "Cookie, Accept-Encoding"
        r = c.get("/text")
        assert r.body == TEXT and not r.get("content-encoding")
        assert r.get("vary") == "Cookie, Accept-Encoding"


def test_fields_tell_what_is_sent(shared):
    """What described the bytes as they were goes, and the tag is a weak one."""
    with shared.client() as c:
        r = c.get("/text", extra=accept("gzip"))
        assert r.get("etag") == 'W/"v1"'
        assert r.get("transfer-encoding") == "chunked"
        for name in ("content-length", "accept-ranges", "content-md5",
                     "repr-digest"):
            assert r.get(name) is None, name
        plain = c.get("/text")
        assert plain.get("etag") == '"v1"'
        assert plain.get("accept-ranges") == "bytes"
        assert plain.get("content-length") == str(len(TEXT))
        assert c.get("/weak", extra=accept("br")).get("etag") == 'W/"v1"'
        for path in ("/no-tag", "/tags"):
            assert c.get(path).get("etag")
            assert not c.get(path, extra=accept("br")).get("etag")
        assert c.get("/varied", extra=accept("br")).all("vary") == \
            ["accept-encoding"]


def test_head_is_told_what_get_is(shared):
    frames = (b"transfer-encoding", b"date")
    with shared.client() as c:
        for path in ("/text", "/small", "/png", "/chunked", "/coded", "/asis"):
            for like in (accept("gzip"), accept("br", "gzip"), b""):
                get = c.get(path, extra=like)
                head = c.get(path, extra=like, method="HEAD")
                assert [f for f in head.fields if f[0].lower() not in frames] \
                    == [f for f in get.fields if f[0].lower() not in frames]


@pytest.mark.parametrize("path, coded", [
    ("/json", True), ("/svg", True), ("/enough", True), ("/error", True),
    ("/chunked", True), ("/png", False), ("/untyped", False),
    ("/small", False), ("/odd", False), ("/asis", False), ("/none", False)])
def test_what_is_compressed(shared, path, coded):
    with shared.client() as c:
        r = c.get(path, extra=accept("zstd"))
        assert r.get("content-encoding") == {
            "/odd": "rot13"}.get(path, "zstd" if coded else None)
        if coded:
            assert decoded(r) in (TEXT, TEXT[:1024])
        assert (r.get("vary") == "Accept-Encoding") == coded


def test_what_is_left_as_it_is(shared):
    """Parts, what has a coding, and what client or server want unchanged."""
    with shared.client() as c:
        r = c.get("/coded", extra=accept("br"))
        assert r.body == CODED and r.get("content-encoding") == "gzip"
        assert r.get("content-length") == str(len(CODED))
        r = c.get("/text", extra=accept("br") + b"Range: bytes=0-1999\r\n")
        assert r.status == 206 and r.body == TEXT[:2000]
        assert r.get("content-encoding") is None
        # as the whole would (RFC 9110 15.3.7)
        assert r.get("vary") == "Accept-Encoding"
        r = c.get("/text", extra=accept("br") +
                  b"Cache-Control: no-transform\r\n")
        assert r.body == TEXT and r.get("vary") == "Cookie"


def test_a_304_keeps_the_tag_that_the_client_has(shared):
    """RFC 9110 15.4.5: as the 200 would have had it."""
    with shared.client() as c:
        for tag, told, vary in (("W/\"v1\"", "W/\"v1\"", "Accept-Encoding"),
                                ("\"v1\"", "\"v1\"", None),
                                ("\"x\", W/\"v1\"", "W/\"v1\"",
                                 "Accept-Encoding")):
            r = c.get("/text", extra=accept("gzip") +
                      b"If-None-Match: %s\r\n" % tag.encode())
            assert r.status == 304
            assert (r.get("etag"), r.get("vary")) == (told, vary)


@pytest.mark.parametrize("site", [ALL, ALL + "\nsubstitute = |green|red|"])
def test_a_304_changes_nothing_of_what_the_client_has(pair, site):
    """RFC 9111 3.2: its fields take the place of those that are kept."""
    said = PLAIN + b"ETag: \"v1\"\r\nVary: Cookie\r\nAccept-Ranges: bytes\r\n"

    def script(conn, request):
        if request.get("if-none-match"):
            return conn.send(b"HTTP/1.1 304 Not Modified\r\n" + said +
                             b"Repr-Digest: y\r\nContent-Length: 9\r\n\r\n")
        return conn.send(ok(TEXT, said))

    gh, _ = pair(script, site=site)
    with gh.client() as c:
        for coding in ("gzip", "br"):
            whole = c.get("/", extra=accept(coding))
            assert whole.get("vary") == "Cookie, Accept-Encoding"
            r = c.get("/", extra=accept(coding) + b"If-None-Match: %s\r\n" %
                      whole.get("etag").encode())
            assert r.status == 304
            for name in ("etag", "vary", "accept-ranges", "repr-digest",
                         "content-length"):
                assert r.get(name) in (whole.get(name), None), name
            assert r.get("vary") and r.get("etag")
        # who has it plain was told what it is chosen by, too
        r = c.get("/", extra=b"If-None-Match: \"v1\"\r\n")
        assert r.get("vary") == "Cookie, Accept-Encoding"


def test_trailers_come_behind_it(shared):
    with shared.client() as c:
        r = c.get("/chunked", extra=accept("br") + b"TE: trailers\r\n")
        assert decoded(r) == TEXT
        assert (b"X-Sum", b"42") in r.trailers


def test_trailers_say_nothing_of_other_bytes(pair):
    """RFC 9530 2, 3: as in the head, what is told of the content as it was goes."""
    told = (b"Content-Digest: sha-256=:AAAA:\r\nRepr-Digest: x\r\nDigest: y\r\n"
            b"Content-MD5: z\r\nX-Sum: 42\r\n")
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\n" + PLAIN + b"Transfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(TEXT), TEXT, told)),
        site=ALL, listen="h2c = on")
    trailing = b"TE: trailers\r\n"
    with gh.client() as c:
        assert len(c.get("/", extra=trailing).trailers) == 5
        r = c.get("/", extra=accept("gzip") + trailing)
        assert decoded(r) == TEXT
        assert [n.lower() for n, _ in r.trailers] == [b"x-sum"]
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        r = c.get("/", ("accept-encoding", "gzip"), ("te", "trailers"))
        assert DECODE["gzip"](r.body) == TEXT
        assert [n for n, _ in r.trailers] == [b"x-sum"]


def test_clients_of_http_1_0_see_the_end(shared):
    with shared.client() as c:
        c.send(b"GET /text HTTP/1.0\r\nHost: test\r\n" + accept("gzip") +
               b"\r\n")
        r = c.response()
        assert decoded(r) == TEXT and r.get("transfer-encoding") is None


# --- clients of people ---------------------------------------------------------


@pytest.mark.parametrize("http", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("path", ["/text", "/chunked", "/bytes"])
def test_curl_reads_it(shared, http, coding, path):
    """Content of a known length, in chunks, and in chunks of one byte."""
    got = subprocess.run(
        ["curl", "-s", http, "--compressed", "-H",
         f"Accept-Encoding: {coding}", "-w", "%{header_json}",
         f"http://127.0.0.1:{shared.port}{path}"],
        capture_output=True, timeout=WAIT_S, check=True).stdout
    assert got.startswith(TEXT)
    assert json.loads(got[len(TEXT):])["content-encoding"] == [coding]


def test_node_reads_it(shared):
    """Over HTTP/1.1 by its fetch(), which decodes by itself."""
    script = """
        const text = [];
        for (const c of ["gzip", "br"]) {
            const r = await fetch(process.argv[1] + "/text",
                {headers: {"accept-encoding": c}});
            text.push([r.headers.get("content-encoding"), await r.text()]);
        }
        console.log(JSON.stringify(text));
    """
    got = subprocess.run(
        ["node", "--input-type=module", "-e", script,
         f"http://127.0.0.1:{shared.port}"],
        capture_output=True, timeout=WAIT_S, check=True).stdout
    assert json.loads(got) == [["gzip", TEXT.decode()], ["br", TEXT.decode()]]


class Shown:
    """A page whose script fetches a text in each coding, in pieces of one byte,
    and writes down what it got."""

    PAGE = b"""<pre id=o></pre><script type=module>
        const plain = await (await fetch("/plain")).text();
        let out = plain.length;
        for (const c of ["gzip", "br", "zstd"]) {
            const r = await fetch("/" + c);
            const text = await r.text();
            out += " " + c + "=" + r.headers.get("content-encoding") +
                (text == plain ? " same" : " OTHER");
        }
        o.textContent = out + " end";
        </script>"""

    def __call__(self, conn, request):
        if request.target == "/":
            conn.send(ok(self.PAGE, b"Content-Type: text/html\r\n"))
            return
        conn.send(b"HTTP/1.1 200 OK\r\n" + PLAIN +
                  b"Transfer-Encoding: chunked\r\n\r\n")
        conn.send(b"".join(b"1\r\n%c\r\n" % b for b in TEXT[:2000]))
        conn.send(b"0\r\n\r\n")


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("chromium-headless-shell"),
                    reason="no Chromium")
def test_chromium_reads_it(pair):
    """Each coding; br and zstd it asks for on hosts of its own machine."""
    gh, _ = pair(Shown(), more="".join(
        f"[route test /{c}]\ncompress = {c}\n"
        for c in ("gzip", "br", "zstd")))
    shown = subprocess.run(
        ["chromium-headless-shell", "--no-sandbox", "--disable-gpu",
         "--virtual-time-budget=20000", "--dump-dom",
         f"http://127.0.0.1:{gh.port}/"],
        check=True, capture_output=True, text=True, timeout=60).stdout
    assert "2000 gzip=gzip same br=br same zstd=zstd same end" in shown


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("chromium-headless-shell"),
                    reason="no Chromium")
def test_chromium_reads_it_over_http_2(gatehouse, origin, tmp_path):
    """The same through TLS, where it asks for all of them by itself."""
    ca = Authority()
    pem = ca.make("a", "a.test")
    gh = gatehouse(SECURE + "".join(
        f"[route a.test /{c}]\ncompress = {c}\n"
        for c in ("gzip", "br", "zstd")), origin=origin(Shown()).address,
        pem=pem, key=pem.with_suffix(".key"))
    shown = subprocess.run(
        ["chromium-headless-shell", "--no-sandbox", "--disable-gpu",
         "--no-proxy-server", f"--user-data-dir={tmp_path}/profile",
         f"--host-resolver-rules=MAP a.test 127.0.0.1:{gh.port}",
         f"--ignore-certificate-errors-spki-list={spki(pem)}",
         "--virtual-time-budget=20000", "--dump-dom", "https://a.test/"],
        check=True, capture_output=True, text=True, timeout=60).stdout
    assert "2000 gzip=gzip same br=br same zstd=zstd same end" in shown
    lines = (gh.dir / "access.log").read_text().split()
    assert set(lines) == {"HTTP/2.0"}


# --- streams -------------------------------------------------------------------


class Events:
    """Sends the next event when the test says so."""

    def __init__(self, kind=b"text/event-stream", part=b"data: event %d\n\n"):
        self.go = threading.Semaphore(0)
        self.kind = kind
        self.parts = [part % i for i in range(3)]

    def __call__(self, conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + self.kind +
                  b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in self.parts:
            assert self.go.acquire(timeout=WAIT_S)
            conn.send(b"%x\r\n%s\r\n" % (len(part), part))
        assert self.go.acquire(timeout=WAIT_S)
        conn.send(b"0\r\n\r\n")


# Messages of gRPC-Web: a flag, a length, and that many bytes (its "PROTOCOL-WEB").
WEB = {"kind": b"application/grpc-web+proto", "part": b"\0\0\0\0\x09message %d"}


@pytest.mark.parametrize("http", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("how", [{}, WEB], ids=["events", "grpc-web"])
def test_events_are_not_held_back(pair, http, coding, how):
    """Each comes before the next one is there; gRPC-Web, too, where it is told
    among the types."""
    events = Events(**how)
    gh, _ = pair(events, site=ALL + "\ncompress_types = "
                 "text/event-stream application/grpc-web+proto",
                 listen="h2c = on")
    with subprocess.Popen(
            ["curl", "-sN", http, "--compressed", "-H", "Content-Type: "
             "application/grpc-web+proto", "-H", f"Accept-Encoding: {coding}",
             "-D", gh.dir / "head", f"http://127.0.0.1:{gh.port}/"],
            stdout=subprocess.PIPE) as curl:
        for part in events.parts:
            events.go.release()
            assert curl.stdout.read(len(part)) == part
        events.go.release()
        assert curl.stdout.read() == b""
        assert curl.wait(WAIT_S) == 0
    head = (gh.dir / "head").read_text().lower()
    assert f"content-encoding: {coding}" in head


def test_a_broken_answer_does_not_look_whole(pair):
    """The origin breaks off in the middle: so does the coded answer."""
    seen = threading.Semaphore(0)

    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n" + PLAIN +
                  b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT[:3000])
        assert seen.acquire(timeout=WAIT_S)
        return False

    gh, _ = pair(script, site=ALL)
    for coding in ("gzip", "br", "zstd"):
        with gh.client() as c:
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + accept(coding) +
                   b"\r\n")
            head = c.reader.response_head()
            assert head.get("content-encoding") == coding
            seen.release()
            with pytest.raises((Truncated, ConnectionResetError)):
                c.reader._framed(head, True)


def test_a_slow_client_holds_the_origin_back(pair):
    """Content of a size that no buffer takes comes whole, however slowly it is
    read."""
    line = bytes(range(256)) * 64
    noise = b"".join(zlib.compress(line[i:] + b"%d" % i) for i in range(1500))

    gh, _ = pair(lambda conn, r: conn.send(ok(noise, PLAIN)), site=ALL)
    with gh.client(rcvbuf=16384) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + accept("gzip") + b"\r\n")
        assert DECODE["gzip"](c.response().body) == noise


# --- what the configuration says -----------------------------------------------


def test_scopes_and_rules(pair):
    """The order of the nearest section holds as a whole; off ends it."""
    gh, _ = pair(Pages(), site=ALL, more="""
[route test /png]
compress_types = image/*
[route test /json]
compress = gzip
compress_min_length = 10k
[route test /svg]
compress = off
[rule test r]
match = header:x-least ~ .
compress_min_length = 100b
compress_level = gzip=9 1
""")
    everything = accept("gzip", "br")
    with gh.client() as c:
        assert c.get("/text", extra=everything).get("content-encoding") == "br"
        assert c.get("/png", extra=everything).get("content-encoding") == "br"
        assert not c.get("/json", extra=everything).get("content-encoding")
        r = c.get("/svg", extra=everything)
        assert not r.get("content-encoding") and not r.get("vary")
        assert not c.get("/small", extra=everything).get("content-encoding")
        assert c.get("/small", extra=everything + b"X-Least: 1\r\n").get(
            "content-encoding") == "br"


def test_levels_matter(pair):
    gh, _ = pair(Pages(), site=ALL, more="""
[rule test least]
match = header:x-level = least
compress_level = 1
[rule test most]
match = header:x-level = most
compress_level = 19
[rule test other]
match = header:x-level = other
compress_level = br=1
[rule test zstd]
match = header:x-level = other
compress_level = zstd=1
""")
    with gh.client() as c:
        for coding in ("gzip", "br", "zstd"):
            least, most = (
                c.get("/text", extra=accept(coding) +
                      b"X-Level: %s\r\n" % level)
                for level in (b"least", b"most"))
            assert decoded(least) == decoded(most) == TEXT
            assert most.body != least.body
            # what rules say of others is not said of this one
            usual, other = (
                c.get("/text", extra=accept(coding) + b"X-Level: %s\r\n" %
                      level).body for level in (b"usual", b"other"))
            assert (usual == other) == (coding == "gzip")


def test_pages_of_other_sites_get_plain_answers(pair):
    """compress_cross_site = off: what BREACH needs is not there."""
    gh, _ = pair(Pages(), site=ALL + "\ncompress_cross_site = off")
    with gh.client() as c:
        for field, coded in (
                (b"", True), (b"Sec-Fetch-Site: same-origin", True),
                (b"Sec-Fetch-Site: none", True),
                (b"Sec-Fetch-Site: cross-site", False),
                (b"Sec-Fetch-Site: \"none\"", False),
                (b"Referer: https://test/a", True),
                (b"Referer: https://TEST:81", True),
                (b"Referer: https://test.evil/", False),
                (b"Referer: https://evil/?://test/", False),
                (b"Origin: http://test", True), (b"Origin: null", False),
                (b"Origin: http://evil\r\nReferer: http://test/", False),
                (b"Sec-Fetch-Site: cross-site\r\nReferer: http://test/",
                 False)):
            r = c.get("/text", extra=accept("gzip") +
                      (field + b"\r\n" if field else b""))
            assert (r.get("content-encoding") == "gzip") == coded, field
            assert decoded(r) == TEXT


def test_what_servers_are_told_says_nothing_of_the_client(pair):
    """request_header changes what servers get: the answer is for the client, who
    said which codings it likes and which page asked."""
    gh, _ = pair(Pages(), site=ALL + "\ncompress_cross_site = off", more="""
[route test /text]
request_header = -Accept-Encoding
[route test /json]
request_header = Accept-Encoding: gzip
[route test /svg]
request_header = -Referer
request_header = Origin: http://test
request_header = -Sec-Fetch-Site
[route test /coded]
decompress = on
request_header = Accept-Encoding: gzip
""")
    with gh.client() as c:
        for liked in ("gzip", "br", "zstd"):
            assert c.get("/text", extra=accept(liked)).get(
                "content-encoding") == liked
        assert c.get("/text").body == TEXT
        assert c.get("/json").body == TEXT
        assert c.get("/json", extra=accept("br")).get(
            "content-encoding") == "br"
        assert c.get("/coded").body == TEXT
        for field in (b"Referer: http://evil/", b"Origin: http://evil",
                      b"Sec-Fetch-Site: cross-site"):
            assert c.get("/svg", extra=accept("gzip") + field + b"\r\n").get(
                "content-encoding") is None, field
        assert c.get("/svg", extra=accept("gzip")).get(
            "content-encoding") == "gzip"


@pytest.mark.parametrize("line, message", [
    ("compress = lzma", "compress"),
    ("compress = gzip off", "compress"),
    ("compress_level = gzip=10", "expected a number, or gzip=1..9"),
    ("compress_level = br=10", "br=0..9"),
    ("compress_level = fast", "expected a number"),
    ("compress_level = identity=1", "expected a number"),
    ("compress_types = text", "expected type/subtype"),
    ("compress_types = text/h*", "expected type/subtype"),
    ("compress_types = +", "expected type/subtype"),
    ("compress_min_length = 10", "unit"),
])
def test_what_is_wrong_is_told(tmp_path, line, message):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[defaults]\n{line}\n[site a]\nrespond = 200 a\n"
                   "[site b]\nrespond = 200 b\n[listen x]\naddress = :80\n")
    done = run("-c", ini, "-t")
    assert done.returncode == 1 and message in done.stderr
    assert done.stderr.count("error:") == 1


@pytest.mark.parametrize("lines, told", [
    ("compress = gzip br\ncompress_level = br=9",
     ["6:17: warning: compress: br of level 9 takes 48m"]),
    ("compress = gzip\ncompress_level = br=9", []),
    ("compress = br zstd gzip", []),
    ("decompress = on", ["6:14: warning: decompress: br takes 17m"]),
])
def test_what_there_is_no_memory_for_is_told(tmp_path, lines, told):
    """Once, however many routes inherit it."""
    ini = tmp_path / "x.ini"
    ini.write_text("[global]\ncompress_memory = 16m\n[site a]\n"
                   f"respond = 200 a\n\n{lines}\n[route a /b]\nmax_body = 1k\n")
    done = run("-c", ini, "-t")
    assert done.returncode == 0
    assert done.stderr.count("warning:") == len(told)
    assert all(text in done.stderr for text in told)


# --- decompress ------------------------------------------------------------------


def test_who_knows_no_coding_gets_none(pair):
    """`decompress`, also for what is compressed anew for the client."""
    gh, _ = pair(Pages(), site="decompress = on\ncompress = br", more="""
[route test /text]
decompress = off
""")
    with gh.client() as c:
        r = c.get("/coded")
        assert r.body == TEXT and r.get("content-encoding") is None
        assert r.get("vary") == "Accept-Encoding"
        r = c.get("/coded", extra=accept("gzip"))
        assert r.body == CODED and r.get("vary") == "Accept-Encoding"
        assert r.get("content-length") == str(len(CODED))
        r = c.get("/coded", extra=accept("br"))
        assert r.get("content-encoding") == "br" and decoded(r) == TEXT
        r = c.get("/odd")
        assert r.get("content-encoding") == "rot13" and r.body == CODED


def test_a_bomb_does_not_go_off(pair):
    """What becomes longer than decompress_max breaks off, visibly; so does what
    is no such coding, or no end of one."""
    bombs = {"/bomb": gzip.compress(bytes(3 << 20)), "/junk": b"junk" * 100,
             "/cut": CODED[:-4], "/fine": gzip.compress(bytes(1 << 20))}

    def script(conn, request):
        conn.send(ok(bombs[request.target],
                     PLAIN + b"Content-Encoding: gzip\r\n"))

    gh, _ = pair(script, site="decompress = on\ndecompress_max = 2m")
    for path, fine in (("/bomb", False), ("/junk", False), ("/cut", False),
                       ("/fine", True)):
        got = subprocess.run(
            ["curl", "-s", f"http://127.0.0.1:{gh.port}{path}"],
            capture_output=True, timeout=WAIT_S)
        assert (got.returncode == 0) == fine, path
        assert len(got.stdout) <= (2 << 20) + 16384


@pytest.mark.skipif("option zstd on" not in run("-V").stdout,
                    reason="not built")
def test_zstd_of_windows_that_nobody_has_to_know_breaks_off(pair):
    """RFC 8878 3.1.1.1.2, RFC 9659: 8 MiB, whatever is in them."""
    coded = {f"/{log}": subprocess.run(
        ["zstd", "-qc", f"--long={log}"], input=TEXT, capture_output=True,
        timeout=WAIT_S, check=True).stdout for log in (23, 24, 27)}
    gh, _ = pair(lambda conn, r: conn.send(ok(
        coded[r.target], PLAIN + b"Content-Encoding: zstd\r\n")),
                 site="decompress = on")
    with gh.client() as c:
        assert c.get("/23").body == TEXT
    for path in ("/24", "/27"):
        with gh.client() as c, pytest.raises((Truncated, ConnectionError)):
            c.get(path)


def test_memory_that_is_used_up_means_plain_answers(pair):
    """One answer of brotli is under way; there is no room for another one."""
    events = Events()
    gh, _ = pair(events, site=ALL + "\ncompress_level = br=2",
                 **{"global": "compress_memory = 2m"})
    with gh.client() as c, gh.client() as d:
        for client, coding in ((c, "br"), (d, None)):
            client.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + accept("br") +
                        b"\r\n")
            assert client.reader.response_head().get("content-encoding") == \
                coding
        for _ in range(8):
            events.go.release()


# --- over HTTP/2 -----------------------------------------------------------------


def test_streams_of_http_2_are_coded_side_by_side(shared):
    with h2.Conn(("127.0.0.1", shared.port)) as c:
        asked = {c.ask("GET", "/text", ("accept-encoding", coding)): coding
                 for coding in ("gzip", "br", "zstd", "identity") * 5}
        for number, coding in asked.items():
            r = c.answer(number)
            told = (r.get("content-encoding") or b"").decode() or None
            assert (told or "identity") == coding
            assert DECODE[told](r.body) == TEXT
