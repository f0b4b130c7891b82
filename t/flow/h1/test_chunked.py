"""The chunked coding in both directions (RFC 9112 7.1)."""
import random

from lib.origin import ok

POST = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(data, sizes):
    out, at = b"", 0
    while at < len(data):
        n = next(sizes)
        piece = data[at:at + n]
        out += b"%x\r\n" % len(piece) + piece + b"\r\n"
        at += n
    return out + b"0\r\n\r\n"


def sizes():
    r = random.Random(1)
    while True:
        yield r.choice((1, 2, 15, 16, 17, 1000, 4096, 70000))


DATA = random.Random(2).randbytes(300000)


def test_request_reaches_the_origin_chunked(pair):
    """RFC 9112 7.1: content of unknown length is chunked on the next hop."""
    gh, o = pair()
    with gh.client() as c:
        c.send(POST + chunks(DATA, sizes()))
        assert c.response().status == 200
    assert o.requests[0].body == DATA
    assert o.requests[0].framing == "chunked"
    assert not o.errors


def test_answer_reaches_the_client_chunked(pair):
    """RFC 9112 7.1: so it is in the other direction."""
    gh, _ = pair(lambda conn, r: conn.send(CHUNKED + chunks(DATA, sizes())))
    with gh.client() as c:
        for _ in range(2):
            r = c.get("/")
            assert (r.framing, r.body) == ("chunked", DATA)


def test_known_length_stays_known(pair):
    """RFC 9110 8.6: a length that is told is passed on."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.body)))
    with gh.client() as c:
        r = c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: "
                   b"%d\r\n\r\n" % len(DATA) + DATA).response("POST")
        assert (r.framing, r.body) == ("length", DATA)
    assert o.requests[0].framing == "length"
    assert o.requests[0].body == DATA


def test_close_delimited_answer_becomes_chunked(pair):
    """RFC 9112 6.3: for a 1.1 client the end must be visible."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n\r\n" + DATA)
        return False

    gh, o = pair(script)
    with gh.client() as c:
        for _ in range(2):
            r = c.get("/")
            assert (r.framing, r.body) == ("chunked", DATA)
    assert len(o.conns) == 2


def test_chunk_extensions_of_answers_are_dropped(pair):
    """RFC 9112 7.1.1: extensions are for one hop and unknown ones ignored."""
    gh, _ = pair(lambda conn, r: conn.send(
        CHUNKED + b'3;a=b\r\nabc\r\n2;c="d"\r\nde\r\n0;e\r\n\r\n'))
    with gh.client() as c:
        assert c.get("/").text == "abcde"


def test_an_empty_chunked_request_stays_one(pair):
    """RFC 9112 7.1: zero chunks are content of length 0."""
    gh, o = pair()
    with gh.client() as c:
        assert c.send(POST + b"0\r\n\r\n").response().status == 200
        assert c.get("/again").status == 200
    assert o.requests[0].body == b""
    assert o.requests[0].framing in ("chunked", "length")


def test_a_chunked_get_is_passed_on(pair):
    """RFC 9110 9.3.1: content of a GET has no meaning, but framing holds."""
    gh, o = pair()
    with gh.client() as c:
        c.send(POST.replace(b"POST", b"GET") + b"1\r\nx\r\n0\r\n\r\n")
        assert c.response().status == 200
        assert c.get("/again").status == 200
    assert [r.body for r in o.requests] == [b"x", b""]


def test_pieces_go_on_as_they_come(pair):
    """RFC 9110 3.3: an intermediary need not wait for the whole message."""
    def script(conn):
        conn.reader.head()
        while (n := int(conn.reader.line(), 16)):
            conn.reader.exactly(n + 2)
            conn.send(b"HTTP/1.1 103 Early Hints\r\nX-N: %d\r\n\r\n" % n)
        conn.reader.line()
        conn.send(ok())

    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        c.send(POST)
        for n in (3, 5):
            c.send(b"%x\r\n" % n + b"x" * n + b"\r\n")
            assert c.reader.response_head().get("x-n") == str(n)
        c.send(b"0\r\n\r\n")
        assert c.response().text == "ok"
