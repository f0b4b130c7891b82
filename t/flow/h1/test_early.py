"""Answers that come before the request has ended, and ends of one direction
(RFC 9112 9.3, 9.6; RFC 9110 15.5.14)."""
import threading

import pytest

from lib.origin import ok
from lib.wire import WAIT_S

POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge"
MIB = b"x" * (1 << 20)


def refuse(conn):
    """Answer without reading the content; the connection stays open."""
    conn.reader.head()
    conn.send(LARGE)
    try:
        while conn.sock.recv(1 << 16):
            pass
    except OSError:
        pass


def refuse_and_close(conn):
    """The same, and close over what was sent: a reset follows the answer."""
    conn.reader.head()
    conn.send(LARGE)


@pytest.mark.parametrize("script", [refuse, refuse_and_close])
def test_an_early_answer_reaches_the_client(pair, script):
    """RFC 9112 9.3: an answer before the end of the request is passed on at
    once, and says that the connection ends."""
    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        r = c.send(POST % (1 << 30) + b"x" * 1000).response()
        assert (r.status, r.text, r.get("connection")) == \
            (413, "large", "close")
        assert c.is_closed()


@pytest.mark.parametrize("script", [refuse, refuse_and_close])
def test_a_client_that_goes_on_sending_gets_it_too(pair, script):
    """RFC 9112 9.6: a close over unread bytes would be a reset that takes the
    answer away; so they are read for a while."""
    gh, _ = pair(script, raw=True)
    size = 24
    with gh.client() as c:
        c.send(POST % (size << 20))
        for _ in range(size):
            c.send(MIB)
        assert c.response().text == "large"
        assert c.is_closed()


def test_own_refusals_survive_uploads(pair):
    """RFC 9112 9.6: the same for answers that are made here."""
    gh, o = pair(site="max_body = 1k")
    size = 24
    with gh.client() as c:
        c.send(POST % (size << 20))
        for _ in range(size):
            c.send(MIB)
        r = c.response()
        assert (r.status, r.get("connection")) == (413, "close")
        assert c.is_closed()
    assert not o.requests


def test_the_origin_connection_of_an_early_answer_is_not_reused(pair):
    """RFC 9112 9.3: the rest of that request would be taken for the next."""
    def script(conn):
        if conn.reader.head().method == "POST":
            conn.send(LARGE)
            rest.append(conn.reader.to_end())
            over.set()
        else:
            conn.send(ok())

    rest, over = [], threading.Event()
    gh, o = pair(script, raw=True)
    with gh.client() as c:
        c.send(POST % 1000 + b"x" * 10)
        assert c.response().status == 413
    assert over.wait(WAIT_S)
    assert rest in ([b"x" * 10], [b""])
    with gh.client() as c:
        assert c.get("/").text == "ok"
    assert len(o.conns) == 2


def test_an_early_answer_does_not_stop_the_upload(pair):
    """RFC 9110 7.5: an origin may answer while it reads: both go on."""
    def script(conn):
        conn.reader.head()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        assert conn.reader.exactly(6) == b"uvwxyz"
        conn.send(b"def")

    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        c.send(POST % 6 + b"uvw")
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(3) == b"abc"
        c.send(b"xyz")
        assert c.reader.exactly(3) == b"def"


def test_the_answer_arrives_after_a_half_close(logged):
    """RFC 9112 9.6: a client may end its direction once it has asked."""
    gh, _, lines = logged(lambda conn, r: (asked.set(), go.wait(WAIT_S),
                                           conn.send(ok(MIB))))
    asked, go = threading.Event(), threading.Event()
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").shut()
        assert asked.wait(WAIT_S)
        go.set()
        assert c.response().body == MIB
        assert c.is_closed()
    assert lines() == ["200 -"]


def test_the_answer_to_an_upload_arrives_after_a_half_close(pair):
    """RFC 9112 9.6: and so it may after content."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.body)))
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n").shut()
        assert c.response().text == "abc"
        assert c.is_closed()
    assert len(o.requests) == 1


@pytest.mark.parametrize("part", [
    POST % 10 + b"abc",
    b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n"])
def test_an_upload_that_ends_early_is_never_complete(logged, part):
    """RFC 9112 8: the origin sees a cut request, the client 400."""
    gh, o, lines = logged()
    with gh.client() as c:
        r = c.send(part).shut().response()
        assert (r.status, r.get("connection")) == (400, "close")
    assert lines() == ["400 client_cut"]
    assert not o.requests


def test_an_upload_that_breaks_is_never_complete(logged):
    """RFC 9112 8: the same after a reset; nobody is left to answer."""
    def script(conn):
        conn.reader.head()
        assert conn.reader.exactly(8) == b"3\r\nabc\r\n"
        begun.set()
        try:
            rest.append(conn.reader.to_end())
        except ConnectionResetError:
            rest.append(b"")
        over.set()

    begun, over, rest = threading.Event(), threading.Event(), []
    gh, _, lines = logged(script, raw=True)
    c = gh.client()
    c.send(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n3\r\nabc\r\n")
    assert begun.wait(WAIT_S)
    c.reset()
    assert over.wait(WAIT_S)
    assert rest == [b""]
    assert lines() == ["499 client_gone"]


def test_a_client_that_leaves_ends_the_request(logged):
    """RFC 9112 9.5: nobody waits for the answer, so the origin is left."""
    def script(conn):
        conn.reader.head()
        asked.set()
        assert conn.sock.recv(1) == b""
        left.set()

    asked, left = threading.Event(), threading.Event()
    gh, _, lines = logged(script, raw=True)
    c = gh.client().send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    assert asked.wait(WAIT_S)
    c.reset()
    assert left.wait(WAIT_S)
    assert lines() == ["499 client_gone"]


def test_a_cut_answer_is_visibly_cut(logged):
    """RFC 9112 8: no last chunk, no keep-alive, after an origin's early end."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\n")
        assert seen.wait(WAIT_S)
        return False

    seen = threading.Event()
    gh, _, lines = logged(script)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        seen.set()
        assert c.reader.to_end() == b"3\r\nabc\r\n"
    assert lines() == ["200 origin_cut"]
