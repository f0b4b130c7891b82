"""`root`: answers are files below a folder (RFC 9110 8.8, 13, 14)."""
import gzip
import os
import random
from email.utils import parsedate_to_datetime

import pytest

from lib import h2
from lib.procs import until
from lib.wire import Closed, Truncated

TEXT = b"".join(b"%d green bottles\n" % i for i in range(400))
AHEAD_S = 4000000000  # in 2096
LARGE = random.Random(1).randbytes(600_007)

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
root = {www}
[route test /s/]
root = {www}
strip_prefix = /s
index = none
[route test /z/]
root = {www}
strip_prefix = /z
compress = br gzip
compress_types = text/plain
[route test /r/]
root = {www}
rewrite = ^/r/in/?$ /d
rewrite = ^/r/top$ /
rewrite = ^/r/(.*)$ /$1
[route test /flat]
root = {www}
strip_prefix = /flat
trailing_slash = remove
[rule test home]
match = path ^= /s/d/
index = none.html a.txt
[rule test here]
match = path ^= /elsewhere/
root = {www}
strip_prefix = /elsewhere
[route test /elsewhere]
respond = 404
index = a.txt
[route test /add]
root = {www}
strip_prefix = /add
add_prefix = /d
[log access]
path = {dir}/access.log
format = {status} {fault}
buffer = none
"""


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    top = tmp_path_factory.mktemp("www")
    for name, content in (
            ("index.html", b"home"), ("a.txt", TEXT), ("large.bin", LARGE),
            ("empty.css", b""), ("d/index.html", b"folder"),
            ("bare/x.js", b"x"), (".git/config", b"secret"),
            (".well-known/security.txt", b"mail"), ("a b%.txt", b"odd"),
            ("closed.txt", b"closed"), ("z.txt", TEXT),
            ("z.txt.gz", gzip.compress(TEXT)), ("old.txt", TEXT),
            ("old.txt.gz", gzip.compress(b"older"))):
        path = top / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755)
    (top / "closed.txt").chmod(0)
    os.utime(top / "old.txt.gz", (1, 1))
    (top / "link.txt").symlink_to("a.txt")
    (top / "out").symlink_to("/etc")
    os.mkfifo(top / "fifo")
    return top


@pytest.fixture(scope="module")
def gh(shared_gatehouse, www):
    return shared_gatehouse(INI, www=www)


FOUND = [
    ("/a.txt", 200, TEXT), ("/", 200, b"home"), ("/d/", 200, b"folder"),
    ("/large.bin", 200, LARGE), ("/empty.css", 200, b""),
    ("/%61.txt?x", 200, TEXT), ("/d/../a.txt", 200, TEXT),
    ("/a%20b%25.txt", 200, b"odd"), ("/s/a.txt", 200, TEXT),
    ("/.well-known/security.txt", 200, b"mail"),
    ("/none", 404, None), ("/a.txt/", 404, None), ("/link.txt", 404, None),
    ("/out/passwd", 404, None), ("/fifo", 404, None),
    ("/.git/config", 404, None), ("/d/.hidden", 404, None),
    ("/" + "x" * 1100, 404, None), ("/bare/", 403, None), ("/s/", 403, None),
    ("/..%2fa.txt", 400, None), ("/a%00.txt", 400, None),
    ("/d%2findex.html", 400, None)]


@pytest.mark.parametrize("path, status, body", FOUND,
                         ids=range(len(FOUND)))
def test_what_is_found(gh, path, status, body):
    with gh.client() as c:
        r = c.get(path)
        assert r.status == status
        if body is None:
            return
        assert r.body == body
        head = c.get(path, method="HEAD")
        assert head.body == b""
        for name in ("content-length", "etag", "content-type"):
            assert head.get(name) == r.get(name)


@pytest.mark.skipif(os.getuid() != 0, reason="the worker owns its files")
def test_what_the_user_may_not_read(gh):
    with gh.client() as c:
        assert c.get("/closed.txt").status == 403


def test_a_folder_is_left_for_its_slash(gh):
    """To a path of this host, whatever stands in the request."""
    with gh.client() as c:
        for path, to in (("/d", "/d/"), ("/d?q=1", "/d/?q=1"),
                         ("/s/d", "/s/d/"), ("//d", "/d/"),
                         ("/add?q", "/add/?q"), ("/add", "/add/"),
                         ("/r/d", "/r/d/"), ("/r/in", "/r/in/")):
            r = c.get(path)
            assert (r.status, r.get("location")) == (301, to)


def test_a_folder_is_shown_in_its_place(gh):
    """Behind its slash, whatever a rewrite makes of it; with `trailing_slash =
    remove` where there is none. What is sent on comes to an end."""
    with gh.client() as c:
        for path, body in (("/r/in/", b"folder"), ("/r/d/", b"folder"),
                           ("/r/top", b"home"), ("/add/", b"folder"),
                           ("/flat/d", b"folder"), ("/flat", b"home"),
                           ("/flat/a.txt", TEXT)):
            r = c.get(path)
            assert (r.status, r.body) == (200, body), path
        r = c.get("/flat/d/")
        assert (r.status, r.get("location")) == (301, "http://test/flat/d")
        assert c.get("/flat/bare").status == 403


def test_a_rule_has_an_index_of_its_own(gh, www):
    """And one that has a root alone, that of its route."""
    (www / "d" / "a.txt").write_bytes(b"a rule's")
    with gh.client() as c:
        assert c.get("/s/d/").body == b"a rule's"
        assert c.get("/elsewhere/d/").body == b"a rule's"
        assert c.get("/d/").body == b"folder"


def test_methods(gh):
    with gh.client() as c:
        r = c.get("/a.txt", method="DELETE")
        assert (r.status, r.get("allow")) == (405, "GET, HEAD")


def test_fields(gh):
    with gh.client() as c:
        for path, kind in (("/a.txt", "text/plain; charset=utf-8"),
                           ("/large.bin", "application/octet-stream"),
                           ("/empty.css", "text/css; charset=utf-8")):
            r = c.get(path)
            assert r.get("content-type") == kind
            assert r.get("accept-ranges") == "bytes"
            assert r.get("etag").startswith('"') and r.get("last-modified")
            assert r.get("via") is None


def test_conditions(gh):
    """RFC 9110 13.2.2, in its order."""
    with gh.client() as c:
        r = c.get("/a.txt")
        tag, date = r.get("etag"), r.get("last-modified")
        old = "Thu, 01 Jan 1970 00:00:01 GMT"
        for fields, status in (
                (f"If-None-Match: {tag}", 304), ("If-None-Match: *", 304),
                (f"If-None-Match: W/{tag}", 304),
                ('If-None-Match: "x"', 200),
                (f"If-Modified-Since: {date}", 304),
                (f"If-Modified-Since: {old}", 200),
                (f'If-None-Match: "x"\r\nIf-Modified-Since: {date}', 200),
                (f"If-Match: {tag}", 200), ("If-Match: *", 200),
                (f'If-Match: "x", {tag}\r\nIf-None-Match: {tag}', 304),
                (f"If-Match: W/{tag}", 412), ('If-Match: "x"', 412),
                (f"If-Unmodified-Since: {date}", 200),
                (f"If-Unmodified-Since: {old}", 412)):
            got = c.get("/a.txt", extra=fields.encode() + b"\r\n")
            assert got.status == status, fields
            if status == 304:
                assert got.get("etag") == tag and not got.body


def test_no_file_is_of_the_future(gh, www):
    """RFC 9110 8.8.2.1: nothing was changed later than it is told; and a date that
    may be told of other bytes a moment later is no proof for a part (8.8.2.2)."""
    path = www / "ahead.txt"
    path.write_bytes(TEXT)
    os.utime(path, (AHEAD_S, AHEAD_S))
    with gh.client() as c:
        r = c.get("/ahead.txt")
        told, now = (parsedate_to_datetime(r.get(name))
                     for name in ("last-modified", "date"))
        assert told <= now
        part = c.get("/ahead.txt", extra=b"Range: bytes=0-1\r\nIf-Range: %s\r\n"
                     % r.get("last-modified").encode())
        assert part.status == 200


@pytest.mark.parametrize("path, content", [
    ("/a.txt", TEXT), ("/large.bin", LARGE)], ids=["small", "large"])
def test_ranges(gh, path, content):
    n = len(content)
    with gh.client() as c:
        tag = c.get(path, method="HEAD").get("etag").encode()
        for value, first, last in ((b"0-0", 0, 0), (b"5-", 5, n - 1),
                                   (b"-5", n - 5, n - 1),
                                   (b"100-999999999", 100, n - 1)):
            r = c.get(path, extra=b"Range: bytes=%s\r\n" % value)
            assert r.status == 206 and r.body == content[first:last + 1]
            assert r.get("content-range") == f"bytes {first}-{last}/{n}"
        r = c.get(path, extra=b"Range: bytes=0-9,1000-1009\r\n")
        assert r.status == 206
        kind, mark = r.get("content-type").split("boundary=")
        assert kind == "multipart/byteranges; "
        parts = [p.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for p in
                 r.body.split(b"--" + mark.strip('"').encode())[1:-1]]
        assert parts == [content[:10], content[1000:1010]]
        r = c.get(path, extra=b"Range: bytes=%d-\r\n" % n)
        assert (r.status, r.get("content-range")) == (416, f"bytes */{n}")
        for cond, status in ((tag, 206), (b'"x"', 200)):
            assert c.get(path, extra=b"Range: bytes=0-1\r\nIf-Range: %s\r\n" %
                         cond).status == status


def test_files_of_any_length(gh, www):
    """Around what is kept in memory, and what goes out by sendfile."""
    with gh.client() as c:
        for size in (n + k for n in (1, 8192, 16384, 32768, 65536)
                     for k in (-1, 0, 1)):
            name = f"of{size}.bin"
            (www / name).write_bytes(LARGE[:size])
            assert c.get(f"/{name}").body == LARGE[:size]
            if size > 0:
                assert c.get(f"/{name}", extra=b"Range: bytes=-1\r\n").body \
                    == LARGE[size - 1:size]


def test_siblings_that_are_compressed(gh):
    """One that is there is sent as it is, unless it is older than its file."""
    with gh.client() as c:
        for path, like, length in (
                ("/z/z.txt", "gzip", str(len(gzip.compress(TEXT)))),
                ("/z/old.txt", "gzip", None), ("/z/z.txt", "br", None)):
            r = c.get(path, extra=b"Accept-Encoding: %s\r\n" % like.encode())
            assert r.get("content-encoding") == like
            assert r.get("content-length") == length
            assert r.get("vary") == "Accept-Encoding"
            if like == "gzip":
                assert gzip.decompress(r.body) == TEXT
        r = c.get("/z/z.txt", extra=b"Accept-Encoding: gzip;q=0\r\n")
        assert r.body == TEXT and not r.get("content-encoding")
        for parts in (b"0-9", b"0-9,1000-1009"):
            r = c.get("/z/z.txt", extra=b"Range: bytes=%s\r\n" % parts)
            assert (r.status, r.get("vary")) == (206, "Accept-Encoding")


@pytest.mark.parametrize("ns, is_used", [
    (1700000001_000000000, True), (1700000001_123000000, True),
    (1700000001_123456000, True), (1700000001_123456789, True),
    (1700000002_000000000, True), (1700000000_999999999, False),
    (1700000001_122000000, False), (1700000001_123456788, False)])
def test_a_sibling_has_the_time_of_its_file(gh, www, ns, is_used):
    """As exactly as who gave it could tell: `brotli -k` leaves out all that is
    less than a second."""
    name = f"of{ns}.txt"
    (www / name).write_bytes(TEXT)
    (www / f"{name}.gz").write_bytes(gzip.compress(TEXT))
    os.utime(www / name, ns=(0, 1700000001_123456789))
    os.utime(www / f"{name}.gz", ns=(0, ns))
    with gh.client() as c:
        r = c.get(f"/z/{name}", extra=b"Accept-Encoding: gzip\r\n")
        assert gzip.decompress(r.body) == TEXT
        assert bool(r.get("content-length")) == is_used


def test_http2(gh):
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        c.send(h2.window_update(0, 8 << 20))
        number = c.ask(path="/large.bin")
        c.send(h2.window_update(number, 8 << 20))
        assert c.answer(number).body == LARGE


def test_a_change_is_seen(gh, www):
    """After the interval in which what is open is not looked at again."""
    path = www / "changes.txt"
    path.write_bytes(b"one")
    with gh.client() as c:
        assert c.get("/changes.txt").body == b"one"
        path.with_suffix(".new").write_bytes(b"two!")
        path.with_suffix(".new").rename(path)
        until(lambda: c.get("/changes.txt").body == b"two!", what="the new")


def test_a_file_that_shrinks_never_looks_complete(gh, www):
    path = www / "shrinks.bin"
    path.touch()
    os.truncate(path, 64 << 20)
    with gh.client(rcvbuf=4096) as c:
        c.send(b"GET /shrinks.bin HTTP/1.1\r\nHost: test\r\n\r\n")
        c.reader.response_head()
        os.truncate(path, 1 << 20)
        with pytest.raises((Truncated, Closed, ConnectionError)):
            c.reader.exactly(64 << 20)
    log = gh.dir / "access.log"
    until(lambda: "200 file_broken" in log.read_text(), what="its line")
