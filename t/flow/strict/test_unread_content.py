"""Content that nobody wants is never read as the next request (RFC 9112 6.3,
9.3): answers of our own, refusals and failures while a request still comes."""
import pytest

from lib.gatehouse import free_port
from lib.strict import INI, SMUGGLED

SITE = """
[route test /own]
respond = 200 own
[route test /moved]
redirect = 302 /
[route test /gone]
upstream = gone
[upstream gone]
server = 127.0.0.1:{gone}
"""
LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)
CODING = b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n"
FRAMES = [pytest.param(LENGTH, SMUGGLED, id="sized"),
          pytest.param(CODING, CHUNK, id="chunked")]
# target, status: who answers does so without the content
ANSWERS = [(b"/own", 200), (b"/moved", 302), (b"/gone", 502)]


@pytest.fixture(scope="module")
def pair(shared_gatehouse, shared_origin):
    o = shared_origin()
    return shared_gatehouse(INI + SITE, origin=o.address,
                            gone=free_port()), o


def head(target, frame, extra=b"", method=b"POST"):
    return method + b" " + target + b" HTTP/1.1\r\nHost: test\r\n" + frame + \
        extra + b"\r\n"


def unseen(pair, since):
    """Nothing of it reached the origin, which the next client does reach."""
    gh, o = pair
    with gh.client() as c:
        assert c.get("/next").status == 200
    assert [r.target for r in o.requests[since:]] == ["/next"]


@pytest.mark.parametrize("target,status", ANSWERS)
@pytest.mark.parametrize("frame,content", FRAMES)
def test_content_at_once(pair, target, status, frame, content):
    """RFC 9112 9.3: content that came is read to its end, or the connection
    ends; either way it is no request."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(head(target, frame) + content)
        r = c.response("POST")
        assert r.status == status
        if r.get("connection") == "close":
            assert c.is_closed()
        else:
            assert c.get("/own").text == "own"
    unseen(pair, n)


@pytest.mark.parametrize("target,status", ANSWERS)
@pytest.mark.parametrize("frame,content", FRAMES)
@pytest.mark.parametrize("at", [0, 1, 10])
def test_content_later(pair, target, status, frame, content, at):
    """RFC 9112 9.3: content that is still to come ends the connection, and the
    answer says so."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(head(target, frame) + content[:at])
        r = c.response("POST")
        assert (r.status, r.get("connection")) == (status, "close")
        c.send(content[at:] + SMUGGLED)
        assert c.is_closed()
    unseen(pair, n)


@pytest.mark.parametrize("target,status", ANSWERS)
@pytest.mark.parametrize("frame,content", FRAMES)
def test_content_that_waits(pair, target, status, frame, content):
    """RFC 9110 10.1.1: after a final answer instead of 100 the client may send
    its content or not; what comes cannot be told from a request."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(head(target, frame, b"Expect: 100-continue\r\n"))
        r = c.response("POST")
        assert (r.status, r.get("connection")) == (status, "close")
        c.send(SMUGGLED)
        assert c.is_closed()
    unseen(pair, n)


@pytest.mark.parametrize("content", [
    b"z\r\n", b"3\r\nabcX\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\nX : y\r\n\r\n"],
    ids=["size", "end", "trailer"])
@pytest.mark.parametrize("target,status", ANSWERS)
def test_content_malformed(pair, target, status, content):
    """RFC 9112 7.1: content whose end cannot be found ends the connection,
    even if nobody wanted it."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(head(target, CODING) + content + SMUGGLED)
        assert c.response("POST").status in (status, 400)
        assert c.is_closed()
    unseen(pair, n)


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"OPTIONS"])
@pytest.mark.parametrize("frame,content", FRAMES)
def test_methods_answered_here(pair, method, frame, content):
    """RFC 9110 9.3.6 to 9.3.8: content has no meaning there, but it has an
    end."""
    gh, o = pair
    n = len(o.requests)
    target = {b"TRACE": b"/", b"CONNECT": b"test:80", b"OPTIONS": b"*"}[method]
    with gh.client() as c:
        c.send(head(target, frame, method=method) + content)
        r = c.response()
        assert r.status == (200 if method == b"OPTIONS" else 405)
        if r.get("connection") == "close":
            assert c.is_closed()
        else:
            assert c.get("/own").text == "own"
    unseen(pair, n)


@pytest.mark.parametrize("frame,content", [
    (b"Content-Length: 100000\r\n", b"a" * 1001),
    (CODING, b"3e9\r\n" + b"a" * 1001)], ids=["sized", "chunked"])
def test_content_too_large(pair, frame, content):
    """RFC 9110 15.5.14: what is over the limit is not read to its end."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(head(b"/", frame) + content + SMUGGLED)
        r = c.response("POST")
        assert (r.status, r.get("connection")) == (413, "close")
        assert c.is_closed()
    unseen(pair, n)
