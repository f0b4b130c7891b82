"""Answers without content (RFC 9110 6.4.1)."""
import pytest

from lib.origin import ok

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_head_keeps_the_length_of_get(pair):
    """RFC 9110 9.3.2: the length is what GET would have, no content comes."""
    gh, o = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"))
    with gh.client() as c:
        for _ in range(2):
            assert c.get("/", method="HEAD").get("content-length") == "100"
    assert len(o.conns) == 1


def test_head_of_a_chunked_resource(pair):
    """RFC 9110 9.3.2, RFC 9112 6.1: nothing follows the head."""
    gh, o = pair(lambda conn, r: conn.send(
        CHUNKED if r.method == "HEAD" else ok()))
    with gh.client() as c:
        assert c.get("/", method="HEAD").status == 200
        assert c.get("/").text == "ok"
    assert len(o.conns) == 1


def test_content_behind_head_is_not_the_next_answer(pair):
    """RFC 9112 6.3: an origin that sends content to HEAD is not reused."""
    def script(conn, request):
        if request.method == "HEAD":
            conn.send(ok(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
        else:
            conn.send(ok(b"good"))

    gh, o = pair(script)
    with gh.client() as c:
        assert c.get("/", method="HEAD").status == 200
        assert c.get("/").text == "good"
    assert len(o.conns) == 2


@pytest.mark.parametrize("head", [
    b"204 No Content", b"204 No Content\r\nContent-Length: 0",
    b"304 Not Modified"])
def test_bare_statuses_end_with_the_head(pair, head):
    """RFC 9112 6.3: 204 and 304 end with the empty line."""
    gh, o = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 " + head + b"\r\n\r\n" if r.target == "/bare" else ok()))
    with gh.client() as c:
        r = c.get("/bare")
        assert r.status == int(head[:3])
        assert r.get("transfer-encoding") is None
        assert c.get("/next").text == "ok"
    assert len(o.conns) == 1


def test_204_has_no_content_length(pair):
    """RFC 9110 8.6: no Content-Length with 204, whoever made it."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"))
    with gh.client() as c:
        assert c.get("/").get("content-length") is None


def test_304_keeps_its_length(pair):
    """RFC 9110 8.6: in 304 it is the length that 200 would have."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n"
        b"Content-Length: 50\r\n\r\n"))
    with gh.client() as c:
        r = c.get("/", extra=b'If-None-Match: "a"\r\n')
        assert (r.get("content-length"), r.get("etag")) == ("50", '"a"')
        assert c.get("/").status == 304


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_content_behind_a_bare_status_is_dropped(pair, status):
    """RFC 9112 6.3: such content never reaches a client as an answer."""
    def script(conn, request):
        if request.target == "/bare":
            conn.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 42\r\n\r\n"
                      b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        else:
            conn.send(ok(b"good"))

    gh, o = pair(script)
    with gh.client() as c:
        assert c.get("/bare").status in (204, 304, 502)
        assert c.get("/next").text == "good"
    assert len(o.conns) == 2


def test_205_is_framed(pair):
    """RFC 9110 15.3.6: a 205 has a length like any other."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"))
    with gh.client() as c:
        assert c.get("/").get("content-length") == "0"
        assert c.get("/").status == 205


def test_own_answer_to_head(gatehouse):
    """RFC 9110 9.3.2: answers made here obey too."""
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[site test]
respond = 200 hello
""")
    with gh.client() as c:
        assert c.get("/", method="HEAD").get("content-length") == "5"
        assert c.get("/").text == "hello"


def test_error_to_head(pair):
    """RFC 9110 9.3.2: and so do errors."""
    gh, o = pair()
    o.close()
    with gh.client() as c:
        assert c.get("/", method="HEAD").status == 502
        assert c.get("/").status == 502
