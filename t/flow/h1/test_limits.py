"""Limits of requests, each by its key: nothing grows with what clients send."""
import pytest

CASES = [  # keys of the listen, head of exactly the limit, one byte more
    ("line_max = 300b",
     lambda n: b"GET /" + b"a" * (n - 14) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
     300, 414),
    ("header_max = 1k",
     lambda n: b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (n - 32) +
     b"\r\n\r\n", 1024, 431),
    ("headers_max = 10",
     lambda n: b"GET / HTTP/1.1\r\nHost: x\r\n" +
     b"".join(b"A%d: b\r\n" % i for i in range(n - 1)) + b"\r\n", 10, 431),
]


@pytest.mark.parametrize("listen, make, limit, status", CASES)
def test_heads_are_limited(logged, listen, make, limit, status):
    """RFC 9112 3, RFC 6585 5: 414 for the line, 431 for the fields; what just
    fits is served."""
    gh, o, lines = logged(listen=listen)
    with gh.client() as c:
        assert c.send(make(limit)).response().status == 200
        r = c.send(make(limit + 1)).response()
        assert (r.status, r.get("connection")) == (status, "close")
        assert c.is_closed()
    assert len(o.requests) == 1
    assert lines(2) == ["200 -", f"{status} client_bad"]


@pytest.mark.parametrize("listen, make, limit, status", CASES)
def test_a_head_without_end_is_refused_before_it_ends(
        pair, listen, make, limit, status):
    """RFC 6585 5: an answer comes as soon as the limit is passed."""
    gh, _ = pair(listen=listen)
    with gh.client() as c:
        head = make(limit * 3)
        c.send(head[:-4])  # the end of the head never comes
        assert c.response().status == status
        assert c.is_closed()


def test_heads_at_the_default_limits(pair):
    """CONFIG: line_max 8k, header_max 32k, headers_max 100."""
    gh, _ = pair()
    with gh.client() as c:
        assert c.get("/" + "a" * 8000).status == 200
        assert c.get("/", extra=b"A: " + b"a" * 32000 + b"\r\n").status == 200
        assert c.get("/", extra=b"A: b\r\n" * 90).status == 200
        assert c.get("/", extra=b"A: b\r\n" * 110).status == 431
    with gh.client() as c:
        assert c.get("/" + "a" * 8200).status == 414
    with gh.client() as c:
        assert c.get("/", extra=b"A: " + b"a" * 33000 + b"\r\n").status == 431


def test_a_head_may_be_larger_than_a_read(pair):
    """header_max above the size of one read is honoured all the same."""
    gh, o = pair(listen="header_max = 128k\nline_max = 64k")
    with gh.client() as c:
        assert c.get("/" + "a" * 60000,
                     extra=b"A: " + b"b" * 60000 + b"\r\n").status == 200
    assert len(o.requests[0].target) == 60001
    assert len(o.requests[0].get("a")) == 60000


def post(n):
    return (b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
            % n + b"x" * n)


def chunked(*sizes):
    return (b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked"
            b"\r\n\r\n" + b"".join(b"%x\r\n" % n + b"x" * n + b"\r\n"
                                   for n in sizes) + b"0\r\n\r\n")


def test_content_of_known_length_is_limited(logged):
    """RFC 9110 15.5.14: max_body, before anything is forwarded."""
    gh, o, lines = logged(site="max_body = 1k")
    with gh.client() as c:
        assert c.send(post(1024)).response().status == 200
        assert c.send(post(1025)).response().status == 413
    assert [len(r.body) for r in o.requests] == [1024]
    assert lines(2) == ["200 -", "413 body_too_large"]


def test_a_small_refused_content_keeps_the_connection(pair):
    """RFC 9112 9.3: what little is left may be read instead of closing."""
    gh, o = pair(site="max_body = 10b")
    with gh.client() as c:
        r = c.send(post(1000)).response()
        assert (r.status, r.get("connection")) == (413, None)
        assert c.get("/").text == "ok"
    assert len(o.requests) == 1


def test_chunked_content_is_limited(logged):
    """RFC 9110 15.5.14: without a length as soon as it is over; no end of the
    content reaches the origin."""
    gh, o, lines = logged(site="max_body = 1k")
    with gh.client() as c:
        assert c.send(chunked(1000, 24)).response().status == 200
        r = c.send(chunked(1000, 25)).response()
        assert r.status == 413
    assert lines(2) == ["200 -", "413 body_too_large"]
    assert [len(r.body) for r in o.requests] == [1024]


def test_no_limit_without_the_key(pair):
    """max_body = none is the default."""
    gh, o = pair()
    with gh.client() as c:
        assert c.send(post(2 << 20)).response().status == 200
    assert len(o.requests[0].body) == 2 << 20


def test_a_route_has_a_limit_of_its_own(pair):
    """CONFIG: the nearest scope wins."""
    gh, _ = pair(site="max_body = 10b",
                 more="[route test /up]\nmax_body = 100b\n")
    with gh.client() as c:
        assert c.send(post(100).replace(b"/", b"/up", 1)).response() \
            .status == 200
        assert c.send(post(101).replace(b"/", b"/up", 1)).response() \
            .status == 413
    with gh.client() as c:
        assert c.send(post(11)).response().status == 413
