"""Expect: 100-continue (RFC 9110 10.1.1)."""
import queue

from lib.origin import ok
from lib.wire import WAIT_S

HEAD = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n"
EXPECT = HEAD + b"Expect: 100-continue\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_expectation_and_100_are_forwarded(pair):
    """RFC 9110 10.1.1: the origin decides; its 100 goes to the client."""
    def script(conn):
        head = conn.reader.head()
        heads.put(head)
        conn.send(CONTINUE)
        conn.send(ok(conn.reader.exactly(4)))

    heads = queue.Queue()
    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        c.send(EXPECT)
        assert c.reader.response_head().status == 100
        assert heads.get(timeout=WAIT_S).get("expect") == "100-continue"
        assert c.send(b"body").response().text == "body"


def test_content_is_awaited_though_none_was_asked_for(pair):
    """RFC 9110 10.1.1: a client may send without having seen a 100."""
    gh, o = pair()
    with gh.client() as c:
        c.send(EXPECT)
        c.send(b"body")
        assert c.response().text == "ok"
        assert c.get("/next").text == "ok"
    assert o.requests[0].body == b"body"


def test_final_answer_instead_of_100(pair):
    """RFC 9110 10.1.1: a refusal comes without a 100 before it."""
    def script(conn):
        conn.reader.head()
        conn.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")

    gh, o = pair(script, raw=True)
    infos = []
    with gh.client() as c:
        r = c.send(EXPECT).response(infos=infos)
        assert (r.status, r.text, infos) == (401, "no", [])


def test_unsent_content_is_not_taken_from_the_next_request(pair):
    """RFC 9112 9.3: unread content ends the connection, by word or in fact."""
    def script(conn):
        conn.reader.head()
        conn.send(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")

    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        r = c.send(EXPECT).response()
        assert r.get("connection") == "close"
        assert c.is_closed()


def test_the_origin_connection_is_not_reused_after_that(pair):
    """RFC 9112 9.3: the origin still waits for content on it."""
    def script(conn):
        head = conn.reader.head()
        if head.method == "POST":
            conn.send(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
            cut.put(conn.reader.sock.recv(100))
        else:
            conn.send(ok())

    cut = queue.Queue()
    gh, o = pair(script, raw=True)
    with gh.client() as c:
        assert c.send(EXPECT).response().status == 401
    assert cut.get(timeout=WAIT_S) == b""
    with gh.client() as c:
        assert c.get("/").text == "ok"
    assert len(o.conns) == 2


def test_100_that_nobody_asked_for_is_kept_back(pair):
    """RFC 9110 15.2.1: a client that did not ask need not understand it."""
    gh, _ = pair(lambda conn, r: conn.send(CONTINUE + ok()))
    infos = []
    with gh.client() as c:
        assert c.send(HEAD + b"\r\nbody").response(infos=infos).text == "ok"
    assert infos == []


def test_expectation_of_a_1_0_client_is_ignored(pair):
    """RFC 9110 10.1.1: in an HTTP/1.0 request it is ignored, no 100 goes
    there."""
    def script(conn, request):
        conn.send(CONTINUE + ok(request.body))

    gh, _ = pair(script)
    with gh.client() as c:
        c.send(EXPECT.replace(b"1.1", b"1.0") + b"body")
        assert c.reader.response_head().status == 200


def test_expectation_without_content_is_ignored(pair):
    """RFC 9110 10.1.1: without content there is nothing to wait for."""
    gh, _ = pair()
    with gh.client() as c:
        r = c.get("/", extra=b"Expect: 100-continue\r\n")
        assert r.text == "ok"
        assert c.get("/").text == "ok"


def test_unknown_expectation_is_refused(pair):
    """RFC 9110 10.1.1: what cannot be met is answered 417."""
    gh, o = pair()
    with gh.client() as c:
        assert c.get("/", extra=b"Expect: tea\r\n").status == 417
    assert not o.requests


def test_own_refusal_comes_without_100(pair):
    """RFC 9110 10.1.1: too large content is refused before it is sent."""
    gh, o = pair(site="max_body = 3b")
    infos = []
    with gh.client() as c:
        r = c.send(EXPECT).response(infos=infos)
        assert (r.status, r.get("connection")) == (413, "close")
        assert infos == []
    assert not o.requests


def test_site_that_answers_itself_needs_no_content(gatehouse):
    """RFC 9110 10.1.1: a final answer may come at once."""
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[site test]
respond = 200 hello
""")
    with gh.client() as c:
        assert c.send(EXPECT).response().text == "hello"
        assert c.is_closed()
