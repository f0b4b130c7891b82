"""An answer that outgrows the cache while it comes goes past it to the client
that caused it, byte for byte, and is not kept."""
import threading

import pytest

from lib.soak_origin import range_of
from lib.wire import WAIT_S, Closed, Malformed, Truncated

FRESH = b"Cache-Control: max-age=600\r\n"
BODY = b"".join(b"%07d " % i for i in range(1 << 19))
# Not a divisor of the sizes that the store gives memory in.
CHUNK = 10007


def chunked(conn, request):
    conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
              b"Transfer-Encoding: chunked\r\n\r\n")
    for i in range(0, len(BODY), CHUNK):
        part = BODY[i:i + CHUNK]
        conn.send(b"%x\r\n%s\r\n" % (len(part), part))
    conn.send(b"0\r\n\r\n")


def until_close(conn, request):
    conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + FRESH + b"\r\n" +
              BODY)
    return False


@pytest.mark.parametrize("framing", [chunked, until_close])
@pytest.mark.parametrize("limits", [
    "memory = 1m\nmax_object = 16m",  # no memory is left in a piece's middle
    "memory = 2m\nmax_object = 16m",
    "memory = 48m\nmax_object = 200k"])
def test_what_outgrows_it_comes_whole(cached, framing, limits):
    gh, o = cached(framing, limits=limits)
    for n in range(3):
        with gh.client() as c:
            r = c.get()
            assert "hit" not in r.get("cache-status")
            assert len(r.body) == len(BODY)
            assert r.body == BODY
        assert len(o.requests) == n + 1


def test_who_follows_gets_it_whole_or_sees_it_break(cached):
    gh, o = cached(chunked, limits="memory = 1m\nmax_object = 16m")
    clients = [gh.client() for _ in range(20)]
    for c in clients:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    n_whole = 0
    for c in clients:
        try:
            r = c.response()
            assert r.status == 502 or r.body == BODY
            n_whole += r.status == 200
        except (Malformed, Truncated, ConnectionResetError):
            pass
        c.close()
    assert n_whole > 0


def test_an_answer_to_post_above_max_object_is_not_kept(cached):
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Location: /\r\n" + FRESH +
                  b"Transfer-Encoding: chunked\r\n\r\n"
                  b"12c000\r\n%s\r\n0\r\n\r\n" % BODY[:0x12c000])

    gh, o = cached(script, limits="memory = 16m\nmax_object = 1m")
    for method in ("POST", "GET"):
        with gh.client() as c:
            extra = b"Content-Length: 0\r\n" if method == "POST" else b""
            r = c.get(method=method, extra=extra)
            assert r.body == BODY[:0x12c000]
    assert len(o.requests) == 2


class Growing:
    """Tells no length, waits in the middle, then is longer than what is kept.
    Versions differ in every place."""

    def __init__(self, etag):
        self.etag = etag
        self.go = threading.Event()
        self.changes = False

    def __call__(self, conn, request):
        head = FRESH + self.etag
        wish = request.get("range")
        if wish and self.changes:
            head = head.replace(b"one", b"two")
        if wish:
            first, last = range_of(wish, len(BODY))
            conn.send(b"HTTP/1.1 206 Part\r\n" + head +
                      b"Content-Range: bytes %d-%d/%d\r\n"
                      b"Content-Length: %d\r\n\r\n%s" %
                      (first, last, len(BODY), last + 1 - first,
                       BODY[first:last + 1]))
            return
        conn.send(b"HTTP/1.1 200 OK\r\n" + head +
                  b"Transfer-Encoding: chunked\r\n\r\n" +
                  b"%x\r\n%s\r\n" % (CHUNK, BODY[:CHUNK]))
        assert self.go.wait(WAIT_S)
        conn.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY) - CHUNK,
                                                BODY[CHUNK:]))


def follow(gh, n):
    """n clients that have read the first byte of it."""
    clients = [gh.client() for _ in range(n)]
    for c in clients:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    for c in clients:
        c.reader.response_head()
        # chunks: a line before them
        while len(c.reader.buf) < 20:
            assert c.reader._more()
    return clients


def chunks(client):
    """Content of which some was read ahead."""
    body = b""
    while True:
        n = int(client.reader.line(), 16)
        body += client.reader.exactly(n)
        assert client.reader.exactly(2) == b"\r\n"
        if n == 0:
            return body


OUTGROWN = ["memory = 48m\nmax_object = 200k", "memory = 1m\nmax_object = 16m"]


@pytest.mark.parametrize("limits", OUTGROWN)
def test_who_follows_reads_on_under_a_strong_tag(cached, limits):
    """From where it was, by a request of its own."""
    growing = Growing(b'ETag: "one"\r\n')
    gh, o = cached(growing, limits=limits)
    clients = follow(gh, 8)
    assert len(o.requests) == 1
    growing.go.set()
    for c in clients:
        assert chunks(c) == BODY
        c.close()
    assert len(o.requests) == 8
    assert all(r.get("range") for r in o.requests[1:])


@pytest.mark.parametrize("etag", [b"", b'ETag: W/"one"\r\n',
                                  b'ETag: "one"\r\n'])
def test_who_follows_sees_it_break_when_nobody_can_tell(cached, etag):
    """Without a strong tag, or with another one for the rest: those who had
    begun, all but the first. Whoever comes later is served on its own."""
    growing = Growing(etag)
    growing.changes = True
    gh, o = cached(growing, limits=OUTGROWN[0])
    clients = follow(gh, 8)
    growing.go.set()
    n_whole = 0
    for c in clients:
        try:
            assert chunks(c) == BODY
            n_whole += 1
        except (Closed, Malformed, Truncated, ConnectionResetError):
            pass
        c.close()
    assert n_whole == 1
    n = len(o.requests)
    later = follow(gh, 8)
    for c in later:
        assert chunks(c) == BODY
        c.close()
    assert len(o.requests) == n + 8
