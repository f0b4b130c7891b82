"""`root` is a handler like any other: what it answers is the same over TLS and
HTTP/2, behind the cache, under rules and access lists (doc/files.md)."""
import gzip
import itertools
import os
import random
import ssl

import pytest

from lib import h2
from lib.certs import Authority
from lib.codings import DECODE
from lib.procs import until
from lib.wire import Closed, Truncated

TEXT = b"".join(b"%d green bottles\n" % i for i in range(400))
CODED = gzip.compress(TEXT)
LARGE = random.Random(2).randbytes(300_007)
FRONTS = ["h1", "h1-tls", "h2", "h2-tls"]

INI = """
[global]
workers = 1
shared_memory = 64m
[listen plain]
address = 127.0.0.1:{port}
h2c = on
[listen tls]
address = 127.0.0.1:{port1}
tls = on
[site test]
hosts = *
certificate = {pem}
certificate_key = {key}
root = {www}
response_header = X-Site: yes
[rule test text]
match = path ~ \\.txt$
response_header = X-Rule: yes
[rule test closed]
match = path ~ ^/d/closed/
deny = all
[route test /z/]
root = {www}
strip_prefix = /z
compress = gzip br
compress_types = text/plain
[route test /c/]
root = {www}
strip_prefix = /c
cache = pages
cache_ttl = 10m
[route test /cz/]
root = {www}
strip_prefix = /cz
cache = pages
cache_ttl = 10m
compress = gzip br
compress_types = text/plain
[route test /cp/]
root = {www}
strip_prefix = /cp
cache = pages
cache_ttl = 10m
rewrite_location = paths
[cache pages]
memory = 16m
max_object = 4m
status_header = on
purge_allow = 127.0.0.0/8
[log access]
path = {dir}/access.log
format = {status} {fault} {path}
buffer = none
"""


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    top = tmp_path_factory.mktemp("www")
    for name, content in (
            ("a.txt", TEXT), ("large.bin", LARGE), ("d/index.html", b"folder"),
            ("d/closed/a.txt", b"closed"), ("a.txt.gz", CODED),
            ("odd.txt", TEXT)):
        path = top / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755)
    return top


@pytest.fixture(scope="module")
def gh(shared_gatehouse, www):
    ca = Authority()
    pem = ca.make("a", "test")
    return shared_gatehouse(INI, ports=2, www=www, pem=pem,
                            key=ca.dir / "a.key")


class Answer:
    """One of either protocol, as text."""

    def __init__(self, status, get, body):
        self.status = int(status)
        self.body = body
        self.get = get


def ask(gh, front, path, method="GET", **fields):
    """Fields are named with underscores."""
    tls = front.endswith("tls")
    port = gh.ports[tls]
    named = [(k.replace("_", "-"), v) for k, v in fields.items()]
    if front.startswith("h2"):
        with h2.Conn(("127.0.0.1", port),
                     tls=h2.tls_context() if tls else None) as c:
            r = c.answer(c.ask(method, path, *named))
            return Answer(r.status, lambda name: (
                r.get(name) or b"").decode() or None, bytes(r.body))
    extra = "".join(f"{k}: {v}\r\n" for k, v in named).encode()
    with gh.client(port, tls=h2.tls_context(["http/1.1"]) if tls else None,
                   name="test") as c:
        r = c.get(path, extra=extra, method=method)
        return Answer(r.status, r.get, r.body)


@pytest.mark.parametrize("front", FRONTS)
def test_every_front_tells_the_same(gh, front):
    """The whole, a part, parts, nothing new, a sibling, a folder, a refusal."""
    r = ask(gh, front, "/large.bin")
    assert (r.status, r.body) == (200, LARGE)
    assert (r.get("x-site"), r.get("x-rule")) == ("yes", None)
    tag = r.get("etag")
    assert ask(gh, front, "/large.bin", if_none_match=tag).status == 304
    head = ask(gh, front, "/large.bin", "HEAD")
    assert (head.get("content-length"), head.body) == (str(len(LARGE)), b"")
    part = ask(gh, front, "/large.bin", range="bytes=70000-169999")
    assert (part.status, part.body) == (206, LARGE[70000:170000])
    parts = ask(gh, front, "/large.bin", range="bytes=0-9,200000-299999")
    assert parts.status == 206 and LARGE[200000:300000] in parts.body
    assert int(parts.get("content-length")) == len(parts.body)
    r = ask(gh, front, "/z/a.txt", accept_encoding="gzip")
    assert r.get("content-encoding") == "gzip" and r.get("x-rule") == "yes"
    assert (r.body, r.get("vary")) == (CODED, "Accept-Encoding")
    assert ask(gh, front, "/d/").body == b"folder"
    assert ask(gh, front, "/d").get("location") == "/d/"
    assert ask(gh, front, "/d/closed/a.txt").status == 403
    assert ask(gh, front, "/d/x/../closed/a.txt").status == 403
    assert ask(gh, front, "/d/%63losed/a.txt").status == 403


def test_a_folder_behind_the_cache_is_where_it_was(gh):
    """Its place is told as clients know it: nothing is turned back."""
    with gh.client() as c:
        for _ in range(2):
            r = c.get("/cp/d")
            assert (r.status, r.get("location")) == (301, "/cp/d/")


def test_behind_the_cache(gh, www):
    """One reading serves all; a part, a condition and a purge are the cache's
    own; what was changed is found behind it."""
    path = www / "kept.txt"
    path.write_bytes(TEXT)
    r = ask(gh, "h1", "/c/kept.txt")
    tag = r.get("etag")
    assert r.body == TEXT and tag.startswith('"')
    path.write_bytes(b"another one")
    for front in FRONTS[:1] + FRONTS[2:3]:
        r = ask(gh, front, "/c/kept.txt")
        assert r.body == TEXT and "hit" in r.get("cache-status")
        assert r.get("x-rule") == "yes"
        r = ask(gh, front, "/c/kept.txt", range="bytes=5-9")
        assert (r.status, r.body) == (206, TEXT[5:10])
        assert ask(gh, front, "/c/kept.txt", if_none_match=tag).status == 304
    assert ask(gh, "h1", "/c/kept.txt", "PURGE").status == 200
    until(lambda: ask(gh, "h1", "/kept.txt").body == b"another one",
          what="the new content")
    assert ask(gh, "h1", "/c/kept.txt").body == b"another one"


@pytest.mark.parametrize("name", ["a", "odd"])
def test_codings_behind_the_cache(gh, name):
    """With a sibling of that coding and without any: the content is the same,
    also for those who like none."""
    for coding in ("gzip", "br", None, "gzip", "br", None):
        fields = {"accept_encoding": coding} if coding else {}
        r = ask(gh, "h1", f"/cz/{name}.txt", **fields)
        assert r.get("content-encoding") == coding
        assert DECODE[coding](r.body) == TEXT
        assert r.get("vary") == "Accept-Encoding"


BROKEN = 8 << 20
LEFT = 20000


@pytest.mark.parametrize("front", FRONTS)
def test_what_becomes_shorter_breaks_off(gh, www, front):
    """Never looks whole: HTTP/2 resets the stream, TLS ends without its end."""
    path = www / f"short-{front}.bin"
    path.touch()
    os.truncate(path, BROKEN)
    tls = front.endswith("tls")
    to = ("127.0.0.1", gh.ports[tls])
    if front.startswith("h2"):
        with h2.Conn(to, tls=h2.tls_context() if tls else None,
                     is_tame=False, rcvbuf=4096) as c:
            number = c.ask(path=f"/{path.name}")
            c.pump(lambda: c.stream(number).body)
            os.truncate(path, 1)
            c.is_tame = True
            c.send(h2.window_update(0, BROKEN),
                   h2.window_update(number, BROKEN))
            r = c.answer(number)
            assert r.reset is not None and len(r.body) < BROKEN
        return
    with gh.client(to[1], tls=h2.tls_context(["http/1.1"]) if tls else None,
                   name="test", rcvbuf=4096) as c:
        c.send(b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n" %
               path.name.encode())
        c.reader.response_head()
        os.truncate(path, 1)
        with pytest.raises((Truncated, Closed, ConnectionError,
                            ssl.SSLEOFError)):
            c.reader.exactly(BROKEN)


def is_cut(gh, path):
    """Whether an answer for a cache broke off, of a file that became shorter behind
    its head; not so when all of it had been read before."""
    path.touch()
    os.truncate(path, BROKEN // 4)
    with gh.client(rcvbuf=4096) as c:
        c.send(b"GET /c/%s HTTP/1.1\r\nHost: test\r\n\r\n" %
               path.name.encode())
        c.reader.response_head()
        os.truncate(path, LEFT)
        try:
            c.reader.exactly(BROKEN // 4)
        except (Truncated, Closed, ConnectionError):
            return True
        return False


def test_what_breaks_off_is_not_kept(gh, www):
    """Neither in the cache nor among the open files: who asks next gets all of
    what is there then."""
    names = (f"breaks{i}.bin" for i in itertools.count())
    name = until(lambda: (name := next(names)) and is_cut(gh, www / name) and name,
                 what="a file that is cut")
    log = gh.dir / "access.log"
    until(lambda: f"200 origin_cut /c/{name}" in log.read_text(),
          what="its line")
    for route in ("/c", ""):
        assert len(ask(gh, "h1", f"{route}/{name}").body) == LEFT


@pytest.mark.parametrize("front", FRONTS)
def test_what_is_replaced_is_sent_to_its_end(gh, www, front):
    """A new file of the same name, or bytes behind the end, change nothing of
    the answer that is under way."""
    path = www / f"new-{front}.bin"
    path.write_bytes(LARGE)
    tls = front.endswith("tls")
    if front.startswith("h2"):
        with h2.Conn(("127.0.0.1", gh.ports[tls]), is_tame=False,
                     tls=h2.tls_context() if tls else None) as c:
            number = c.ask(path=f"/{path.name}")
            c.pump(lambda: c.stream(number).body)
            replace(path)
            c.send(h2.window_update(0, 1 << 20),
                   h2.window_update(number, 1 << 20))
            assert c.answer(number).body == LARGE
        return
    with gh.client(gh.ports[tls], name="test", rcvbuf=4096,
                   tls=h2.tls_context(["http/1.1"]) if tls else None) as c:
        c.send(b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n" %
               path.name.encode())
        c.reader.response_head()
        replace(path)
        assert c.reader.exactly(len(LARGE)) == LARGE


def replace(path):
    with open(path, "ab") as f:
        f.write(b"more")
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(b"new")
    fresh.rename(path)
