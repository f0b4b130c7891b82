"""What was cut never looks complete to the other side (RFC 9112 8)."""
import socket
import threading

import pytest

from lib.procs import until
from lib.strict import INI
from lib.wire import WAIT_S, Truncated

POST = b"POST / HTTP/1.1\r\nHost: test\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\na\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
SIZED = b"Content-Length: 20\r\n\r\n"
PLAIN = b"a" * 20
FRAMES = {"chunked": (CHUNKED, CHUNKS), "sized": (SIZED, PLAIN)}
# every place behind the head where the bytes may stop
CUTS = [pytest.param(head, content[:at], id=f"{kind}-{at}")
        for kind, (head, content) in FRAMES.items()
        for at in range(len(content))]
SOME = b"a" * 300000
LARGE = [pytest.param(b"Content-Length: 1000000\r\n\r\n", SOME, id="sized"),
         pytest.param(CHUNKED + b"f4240\r\n", SOME, id="chunked")]
# one connection to the origin for each request
ONCE = INI.replace("server =", "keepalive = 0\nserver =")
# what says to a reader that it did not get all
VISIBLE = (Truncated, ConnectionResetError)
SWITCH = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n" \
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n" \
    b"Upgrade: websocket\r\n"


@pytest.fixture(scope="module")
def upload(shared_gatehouse, shared_origin):
    """A gatehouse, and an origin that answers what is complete."""
    o = shared_origin()
    return shared_gatehouse(ONCE.replace("max_body", "#"),
                            origin=o.address), o


def cut_upload(upload, data, how):
    """Send it, stop there, and look what the origin made of it."""
    gh, o = upload
    n_requests, n_errors = len(o.requests), len(o.errors)
    n_conns = len(o.conns)
    with gh.client() as c:
        c.send(data)
        until(lambda: len(o.conns) > n_conns and o.conns[-1].reader.seen)
        if how == "reset":
            c.reset()
        else:
            assert c.shut().response("POST").status == 400
            assert c.is_closed()
    o.wait(lambda o: len(o.errors) > n_errors)
    assert isinstance(o.errors[n_errors], VISIBLE)
    assert len(o.requests) == n_requests


@pytest.mark.parametrize("how", ["shut", "reset"])
@pytest.mark.parametrize("head,content", CUTS)
def test_upload(upload, head, content, how):
    """RFC 9112 8: an upload that ends early is answered 400 where that can
    still be heard, and the origin never sees it end."""
    cut_upload(upload, POST + head + content, how)


@pytest.mark.parametrize("how", ["shut", "reset"])
@pytest.mark.parametrize("head,content", LARGE)
def test_large_upload(upload, head, content, how):
    """RFC 9112 8: so it is when much has already gone through."""
    cut_upload(upload, POST + head + content, how)


@pytest.mark.parametrize("head,content", FRAMES.values(), ids=FRAMES)
def test_whole_upload(upload, head, content):
    """RFC 9112 9.6: a client that ends its direction behind the last byte has
    sent all, and is answered."""
    gh, o = upload
    with gh.client() as c:
        c.send(POST + head + content).shut()
        assert c.response("POST").status == 200
    assert o.requests[-1].body in (b"hello0123456789", PLAIN)


class Cutter:
    """An origin's script: sends what it is told to and, when told to, ends the
    connection the way it is told to."""

    def begin(self, data, how):
        self.data, self.how = data, how
        self.may_cut = threading.Event()

    def __call__(self, conn, request):
        conn.send(self.data)
        self.may_cut.wait(WAIT_S)
        if self.how == "reset":
            conn.reset()
        return False


@pytest.fixture(scope="module")
def download(shared_gatehouse, shared_origin):
    """A gatehouse and the script of its origin."""
    script = Cutter()
    o = shared_origin(script)
    return shared_gatehouse(ONCE, origin=o.address), script


def cut_download(download, data, how, version):
    """Let the origin stop there, once the client has something of it."""
    gh, script = download
    script.begin(data, how)
    with gh.client() as c:
        c.send(b"GET / HTTP/%s\r\nHost: test\r\n\r\n" % version)
        assert c.sock.recv(9, socket.MSG_PEEK) == b"HTTP/1.1 "
        script.may_cut.set()
        with pytest.raises(VISIBLE):
            c.response()


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("head,content", CUTS)
def test_download(download, head, content, how, version):
    """RFC 9112 8: an answer that ends early does so for the client, too: no
    last chunk, too few bytes, or a reset where only that can show it."""
    cut_download(download, OK + head + content, how, version)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("head,content", LARGE)
def test_large_download(download, head, content, how, version):
    """RFC 9112 8: so it is when much has already gone through."""
    cut_download(download, OK + head + content, how, version)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("content", [b"", b"a", SOME],
                         ids=["nothing", "a byte", "much"])
def test_close_delimited_download(download, content, version):
    """RFC 9112 8: content until close that ends in a reset is incomplete."""
    cut_download(download, OK + b"\r\n" + content, "reset", version)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_chunk_that_breaks_late(download, version):
    """RFC 9112 8: so is an answer whose framing breaks behind its head."""
    gh, script = download
    script.begin(OK + CHUNKED + b"5\r\nhello\r\nz\r\n", "close")
    script.may_cut.set()
    with gh.client() as c:
        c.send(b"GET / HTTP/%s\r\nHost: test\r\n\r\n" % version)
        try:
            assert c.response().status == 502
        except VISIBLE:
            pass


class Tunnel:
    """An origin's script: switches, then waits to be told how to end, and
    notes how the other side did."""

    def __init__(self):
        self.may_cut = threading.Event()
        self.ended = []
        self.how = None

    def __call__(self, conn, request):
        conn.send(SWITCHED + b"Content-Length: 5\r\n\r\nhello")
        if self.how == "reset":
            self.may_cut.wait(WAIT_S)
            conn.reset()
            return False
        try:
            while data := conn.sock.recv(65536):
                self.ended.append(data)
            self.ended.append("in order")
        except ConnectionResetError:
            self.ended.append("reset")
        return False


@pytest.fixture
def tunnel(gatehouse, origin):
    script = Tunnel()
    o = origin(script)
    return gatehouse(INI, origin=o.address), script


def open_tunnel(c):
    info = c.send(SWITCH).response()
    assert info.status == 101
    assert info.get("content-length") is None
    assert c.reader.exactly(5) == b"hello"


def test_tunnel_reset_by_client(tunnel):
    """RFC 6455 7.1.7: nothing but the connection tells that a tunnel's bytes
    broke off: a client's reset is the origin's."""
    gh, script = tunnel
    with gh.client() as c:
        open_tunnel(c)
        c.send(b"x")
        until(lambda: script.ended == [b"x"])
        c.reset()
        until(lambda: len(script.ended) == 2)
    assert script.ended[1] == "reset"


def test_tunnel_ended_by_client(tunnel):
    """RFC 6455 7.1.1: an orderly end stays one."""
    gh, script = tunnel
    with gh.client() as c:
        open_tunnel(c)
        c.send(b"x").shut()
        assert c.is_closed()
    assert script.ended == [b"x", "in order"]


def test_tunnel_reset_by_origin(tunnel):
    """RFC 6455 7.1.7: an origin's reset is the client's; RFC 9110 8.6: a 101
    has no length."""
    gh, script = tunnel
    script.how = "reset"
    with gh.client() as c:
        open_tunnel(c)
        script.may_cut.set()
        assert not c.is_closed()
