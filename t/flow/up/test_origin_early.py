"""Answers that come before the request is complete (RFC 9112 9.3, 9.5)."""
import threading

import pytest

from lib.origin import OK, ok
from lib.procs import until

LARGE = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"


def early(answer, then=None):
    """An origin script: answers a POST after its head; others in order."""
    def script(conn):
        while True:
            head = conn.reader.head()
            if head.method != "POST":
                conn.send(ok(b"next"))
                continue
            conn.send(answer)
            if then:
                then(conn)
            return
    return script


def reached(o, n):
    """Wait until the n-th connection has begun a request."""
    until(lambda: len(o.conns) == n and o.conns[-1].reader.seen)


def read_rest(conn):
    conn.reader.to_end()


def test_refusal_while_uploading(front, origin):
    """RFC 9110 10.1.1: the client gets the answer at once; our side tells that
    the rest is not read."""
    gh = front([origin(early(ok(b"no").replace(b"200", b"413"), read_rest),
                       raw=True)])
    with gh.client() as c:
        r = c.send(LARGE).response("POST")
        assert (r.status, r.text) == (413, "no")
        assert r.get("connection") == "close"
    assert gh.fault() == "-"


@pytest.mark.parametrize("then", [lambda conn: conn.reset(), None])
def test_refusal_and_the_connection_breaks(front, origin, then):
    """RFC 9112 9.6: an origin may answer and close without reading: its
    answer counts, not the failure to send it more."""
    gh = front([origin(early(ok(b"no", b"Connection: close\r\n").replace(
        b"200", b"413"), read_rest if then else None), raw=True)])
    for _ in range(5):
        with gh.client() as c:
            r = c.send(LARGE).response("POST")
            assert (r.status, r.text) == (413, "no")
    assert {line["fault"] for line in gh.log(5)} == {"-"}


def test_the_origin_connection_is_not_used_again(front, origin):
    """RFC 9112 9.3: what the origin still waits for is content; a next
    request would be taken for it."""
    o = origin(early(OK, read_rest), raw=True)
    gh = front([o])
    with gh.client() as c:
        assert c.send(LARGE).response("POST").text == "ok"
    with gh.client() as c:
        assert c.get().text == "next"
        assert c.get().text == "next"
    assert len(o.conns) == 2


def test_answer_and_upload_at_the_same_time(front, origin):
    """RFC 9110 7.5: an answer may begin while the request is still being
    sent: both go on to their ends."""
    def script(conn):
        conn.reader.head()
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            part = conn.reader.exactly(100000)
            conn.send(b"%x\r\n" % len(part) + part + b"\r\n")
        conn.send(b"0\r\n\r\n")
        conn.reader.to_end()

    gh = front([origin(script, raw=True)])
    body = bytes(i * 7 & 255 for i in range(1000000))
    with gh.client() as c:
        c.send(LARGE)
        sender = threading.Thread(target=c.send, args=(body,))
        sender.start()
        assert c.response("POST").body == body
        sender.join()
    assert gh.fault() == "-"


def test_the_client_leaves_while_uploading(front, origin):
    """RFC 9112 8: the origin sees that the request is not complete."""
    o = origin()
    gh = front([o])
    with gh.client() as c:
        c.send(LARGE + bytes(1000))
        reached(o, 1)
        c.reset()
    assert gh.fault() == "client_gone"
    o.wait(lambda o: o.errors)
    assert not o.requests


def test_the_client_ends_its_upload_too_early(front, origin):
    """RFC 9112 8: 400; nothing complete reaches the origin, and the
    connection is not used again."""
    o = origin()
    gh = front([o])
    for head in (LARGE, LARGE.replace(b"Content-Length: 1000000",
                                      b"Transfer-Encoding: chunked")):
        before = len(o.conns)
        with gh.client() as c:
            c.send(head + b"5\r\nhello\r\n")
            reached(o, before + 1)
            assert c.shut().response("POST").status == 400
    o.wait(lambda o: len(o.errors) == 2)
    assert not o.requests
    assert {line["fault"] for line in gh.log(2)} == {"client_cut"}


def test_the_client_leaves_a_download(front, origin):
    """The origin's connection ends with the client that nobody reads for."""
    def script(conn, request):
        try:
            for _ in range(10000):
                conn.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        except OSError:
            broken.append(True)
        return False

    broken = []
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    o = origin(lambda conn, r: conn.send(head) or script(conn, r))
    gh = front([o])
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        c.reset()
    until(lambda: broken, what="the end of the origin's connection")
    assert gh.fault() == "client_gone"
