"""What comes in pieces goes on in pieces: server-sent events without any
setting."""
import threading

import pytest

from lib.wire import WAIT_S

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Cache-Control: no-store\r\n%s\r\n")
N = 50


def event(i):
    return b"id: %d\ndata: tick\n\n" % i


class Lockstep:
    """An origin that sends an event only after the client has seen the last
    one."""

    def __init__(self, head, frame, last):
        self.seen = threading.Semaphore(0)
        self.head, self.frame, self.last = head, frame, last

    def __call__(self, conn, request):
        conn.send(self.head)
        for i in range(N):
            assert self.seen.acquire(timeout=WAIT_S)
            conn.send(self.frame(event(i)))
        assert self.seen.acquire(timeout=WAIT_S)
        conn.send(self.last)
        return False


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


WAYS = {
    "chunked": (HEAD % b"Transfer-Encoding: chunked\r\n", chunk,
                b"0\r\n\r\n"),
    "close": (HEAD % b"", bytes, b""),
    "length": (HEAD % b"Content-Length: %d\r\n" % sum(
        len(event(i)) for i in range(N)), bytes, b""),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_each_event_arrives_before_the_next_is_made(pair, way, version):
    """Issue 2: events arrive at once without any setting, however they are
    framed (RFC 9112 6.3)."""
    origin = Lockstep(*WAYS[way])
    gh, _ = pair(origin)
    with gh.client() as c:
        c.send(b"GET / HTTP/" + version + b"\r\nHost: test\r\n\r\n")
        head = c.reader.response_head()
        assert head.get("content-type") == "text/event-stream"
        frame = chunk if head.get("transfer-encoding") else bytes
        assert (frame is chunk) == (version == b"1.1" and way != "length")
        for i in range(N):
            origin.seen.release()
            want = frame(event(i))
            assert c.reader.exactly(len(want)) == want
        origin.seen.release()
        assert c.reader.to_end() == b"" if version == b"1.0" else \
            way == "length" or c.reader.exactly(5) == b"0\r\n\r\n"


def test_the_head_does_not_wait_for_content(pair):
    """RFC 9110 3.3: the head of an answer is passed on by itself."""
    def script(conn, request):
        conn.send(HEAD % b"Transfer-Encoding: chunked\r\n")
        assert seen.wait(WAIT_S)
        conn.send(b"0\r\n\r\n")

    seen = threading.Event()
    gh, _ = pair(script)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        seen.set()
        assert c.reader.exactly(5) == b"0\r\n\r\n"


def test_uploads_in_pieces_arrive_in_pieces(pair):
    """RFC 9110 3.3: and so it is from the client: each byte is seen before the
    next is sent."""
    def script(conn):
        conn.reader.head()
        for i in range(20):
            assert conn.reader.exactly(6) == b"1\r\n%c\r\n" % (65 + i)
            seen.release()
        assert conn.reader.exactly(5) == b"0\r\n\r\n"
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    seen = threading.Semaphore(0)
    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n")
        for i in range(20):
            c.send(b"1\r\n%c\r\n" % (65 + i))
            assert seen.acquire(timeout=WAIT_S)
        c.send(b"0\r\n\r\n")
        assert c.response().status == 200
