"""Interim answers other than 100 (RFC 9110 15.2)."""
from lib.origin import ok

HINTS = (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n"
         b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n")


def test_hints_are_forwarded_before_the_answer(pair):
    """RFC 9110 15.2: a proxy forwards interim answers; they do not wait."""
    def script(conn, request):
        waiting.append(conn)
        conn.send(HINTS)

    waiting = []
    gh, _ = pair(script)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        info = c.reader.response_head()
        assert (info.status, info.get("link")) == (103, "</a.css>")
        waiting[0].send(ok())
        assert c.response().text == "ok"


def test_hop_by_hop_fields_are_taken_from_hints(pair):
    """RFC 9110 7.6.1: interim answers have fields for one hop too."""
    gh, _ = pair(lambda conn, r: conn.send(HINTS + ok()))
    infos = []
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.response(infos=infos).text == "ok"
    assert [name for name, _ in infos[0].fields] == [b"Link"]


def test_several_interim_answers(pair):
    """RFC 9110 15.2: there may be more than one."""
    gh, _ = pair(lambda conn, r: conn.send(
        HINTS + b"HTTP/1.1 102 Processing\r\n\r\n" + HINTS + ok()))
    infos = []
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.response(infos=infos).text == "ok"
        assert c.get("/").text == "ok"
    assert [i.status for i in infos] == [103, 102, 103]


def test_not_to_a_1_0_client(pair):
    """RFC 9110 15.2: never to an HTTP/1.0 client."""
    gh, _ = pair(lambda conn, r: conn.send(HINTS + ok()))
    with gh.client() as c:
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        assert c.reader.response_head().status == 200


def test_a_flood_is_no_answer(pair):
    """RFC 9110 15.2 sets no number; an origin without end is broken: 502."""
    gh, o = pair(lambda conn, r: conn.send(HINTS * 1000 + ok()))
    with gh.client() as c:
        r = c.get("/")
        assert r.status == 502
        assert c.get("/").status == 502
    assert len(o.conns) == 2


def test_interim_answers_end_nothing(pair):
    """RFC 9110 15.2: an origin that closes behind one has not answered."""
    def script(conn, request):
        conn.send(HINTS)
        return False

    gh, o = pair(script)
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx")
        assert c.response().status == 502
    assert len(o.requests) == 1


def test_interim_answers_have_no_content(pair):
    """RFC 9110 8.6: no Content-Length with 1xx; content would be garbage."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok()))
    infos = []
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.response(infos=infos).status in (200, 502)
    assert all(i.get("content-length") is None for i in infos)
