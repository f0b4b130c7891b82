"""An answer that outgrows the cache while it comes goes past it to the client
that caused it, byte for byte, and is not kept."""
import pytest

from lib.wire import Malformed, Truncated

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
