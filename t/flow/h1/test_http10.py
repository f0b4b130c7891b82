"""Clients that speak HTTP/1.0 (RFC 9112 9.3, C.2)."""
import threading

import pytest

from lib.origin import ok
from lib.wire import WAIT_S

CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
KEEP = b"Connection: keep-alive\r\n"


def get(target=b"/", extra=b""):
    return b"GET " + target + b" HTTP/1.0\r\n" + extra + b"\r\n"


def test_the_connection_ends_unless_asked_otherwise(pair):
    """RFC 9112 9.3: a 1.0 connection does not persist by itself."""
    gh, _ = pair()
    with gh.client() as c:
        r = c.send(get()).response()
        assert (r.text, r.get("connection")) == ("ok", "close")
        assert c.is_closed()


def test_keep_alive_is_granted_when_asked_for(pair):
    """RFC 9112 9.3, C.2.2: keep-alive persists and is said in the answer."""
    gh, o = pair()
    with gh.client() as c:
        for _ in range(3):
            r = c.send(get(extra=KEEP)).response()
            assert (r.text, r.get("connection")) == ("ok", "keep-alive")
        assert c.send(get()).response().get("connection") == "close"
        assert c.is_closed()
    assert len(o.conns) == 1


def test_keep_alive_is_not_passed_on(pair):
    """RFC 9110 7.6.1: Connection is for one hop; the next one is 1.1."""
    gh, o = pair()
    with gh.client() as c:
        c.send(get(extra=KEEP + b"Keep-Alive: timeout=9\r\n")).response()
    assert o.requests[0].first == b"GET / HTTP/1.1"
    assert o.requests[0].get("connection") is None
    assert o.requests[0].get("keep-alive") is None


@pytest.mark.parametrize("extra", [b"", KEEP])
def test_chunked_answers_are_decoded(pair, extra):
    """RFC 9112 6.1: no transfer coding to a 1.0 client; the end is the
    connection's, and keep-alive cannot be granted."""
    gh, _ = pair(lambda conn, r: conn.send(CHUNKED))
    with gh.client() as c:
        r = c.send(get(extra=extra)).response()
        assert r.get("transfer-encoding") is None
        assert (r.framing, r.body) == ("close", b"abcdefg")
        assert r.get("connection") == "close"


def test_an_answer_without_length_ends_with_the_connection(pair):
    """RFC 9112 6.3: length unknown means until close."""
    def script(conn, request):
        conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000)
        return False

    gh, _ = pair(script)
    with gh.client() as c:
        r = c.send(get(extra=KEEP)).response()
        assert (r.framing, len(r.body)) == ("close", 100000)


def test_a_cut_answer_does_not_end_in_order(pair):
    """RFC 9112 8: where the end is the connection's, a cut one is reset."""
    def script(conn, request):
        conn.send(CHUNKED[:-9])
        assert begun.wait(WAIT_S)
        return False

    begun = threading.Event()
    gh, _ = pair(script)
    with gh.client() as c:
        c.send(get())
        assert c.reader.response_head().status == 200
        begun.set()
        with pytest.raises(ConnectionResetError):
            c.reader.to_end()


def test_content_of_known_length_keeps_the_connection(pair):
    """RFC 9112 6.2: a length is understood by 1.0, in both directions."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.body[::-1])))
    post = b"POST / HTTP/1.0\r\n" + KEEP + b"Content-Length: 3\r\n\r\nabc"
    with gh.client() as c:
        for _ in range(2):
            assert c.send(post).response().text == "cba"
    assert [r.body for r in o.requests] == [b"abc", b"abc"]


def test_head_keeps_the_connection(pair):
    """RFC 9110 9.3.2: an answer to HEAD has no content to end."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        if r.method == "HEAD" else ok()))
    with gh.client() as c:
        c.send(b"HEAD / HTTP/1.0\r\n" + KEEP + b"\r\n")
        assert c.response("HEAD").get("connection") == "keep-alive"
        assert c.send(get(extra=KEEP)).response().text == "ok"


@pytest.mark.parametrize("status", [204, 304])
def test_bare_statuses_keep_the_connection(pair, status):
    """RFC 9112 6.3: they end with the head."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 %d X\r\n\r\n" % status))
    with gh.client() as c:
        for _ in range(2):
            r = c.send(get(extra=KEEP)).response()
            assert (r.status, r.get("connection")) == (status, "keep-alive")


def test_an_upgrade_is_not_honoured(pair):
    """RFC 9110 7.8: Upgrade in a 1.0 request is ignored."""
    gh, o = pair()
    with gh.client() as c:
        r = c.send(get(extra=b"Connection: upgrade\r\nUpgrade: websocket\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                       b"dGhlIHNhbXBsZSBub25jZQ==\r\n")).response()
        assert r.text == "ok"
    assert o.requests[0].get("upgrade") is None


def test_1_1_fields_do_not_make_it_1_1(pair):
    """RFC 9112 6.1: chunked content in 1.0 is faulty framing."""
    gh, o = pair()
    with gh.client() as c:
        c.send(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"0\r\n\r\n")
        r = c.response()
        assert (r.status, r.get("connection")) == (400, "close")
        assert c.is_closed()
    assert not o.requests
