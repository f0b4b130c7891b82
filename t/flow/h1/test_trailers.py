"""Trailer sections in both directions (RFC 9110 6.5, RFC 9112 7.1.2)."""

POST = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_request_trailers_are_forwarded(pair):
    """RFC 9110 6.5: trailers of a request reach the origin, as trailers."""
    gh, o = pair()
    with gh.client() as c:
        c.send(POST + b"1\r\nx\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n")
        assert c.response().status == 200
    assert o.requests[0].trailers == [(b"X-Sum", b"1"), (b"X-More", b"2")]
    assert o.requests[0].get("x-sum") is None


def test_answer_trailers_are_forwarded(pair):
    """RFC 9110 6.5: trailers of an answer reach the client, as trailers."""
    gh, _ = pair(lambda conn, r: conn.send(
        CHUNKED + b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n"))
    with gh.client() as c:
        r = c.get("/")
        assert r.trailers == [(b"X-Sum", b"1")]
        assert r.get("x-sum") is None
        assert c.get("/").status == 200


def test_trailers_that_would_change_a_request_are_dropped(pair):
    """RFC 9110 6.5.1: framing, routing, authority cannot come in trailers."""
    gh, o = pair()
    with gh.client() as c:
        c.send(POST + b"1\r\nx\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n"
               b"Transfer-Encoding: gzip\r\nAuthorization: Basic eA==\r\n"
               b"X-Forwarded-For: 192.0.2.1\r\nCookie: a=b\r\n"
               b"Connection: close\r\nProxy: http://evil/\r\n"
               b"X-Good: 1\r\n\r\n")
        assert c.response().status == 200
    assert o.requests[0].trailers == [(b"X-Good", b"1")]


def test_trailers_that_would_change_an_answer_are_dropped(pair):
    """RFC 9110 6.5.1: so it is in answers."""
    gh, _ = pair(lambda conn, r: conn.send(
        CHUNKED + b"1\r\nx\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
        b"X-Good: 1\r\n\r\n"))
    with gh.client() as c:
        assert c.get("/").trailers == [(b"X-Good", b"1")]
        assert c.get("/").status == 200


def test_trailers_do_not_reach_a_1_0_client(pair):
    """RFC 9110 6.5: what the version cannot carry is left out."""
    gh, _ = pair(lambda conn, r: conn.send(
        CHUNKED + b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n"))
    with gh.client() as c:
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        assert c.response().body == b"x"
    assert b"X-Sum" not in c.reader.seen


def test_te_trailers_is_told_to_the_origin(pair):
    """RFC 9110 10.1.4: trailers pass, so the willingness is passed on."""
    gh, o = pair()
    with gh.client() as c:
        c.get("/", extra=b"TE: trailers, gzip;q=0.5\r\nConnection: TE\r\n")
    assert o.requests[0].get("te") == "trailers"
    assert "te" in o.requests[0].get("connection").lower()


def test_trailers_above_the_limit_are_refused(pair):
    """RFC 9110 5.4: trailers are bounded like heads."""
    gh, o = pair(listen="header_max = 1k")
    with gh.client() as c:
        c.send(POST + b"1\r\nx\r\n0\r\nX: " + b"y" * 2000 + b"\r\n\r\n")
        assert c.response().status == 431
    assert not o.requests
