"""Upgrades: WebSocket tunnels (RFC 6455, RFC 9110 7.8), and no others."""
import hashlib
import random
import threading

import pytest

from lib.origin import ok
from lib.wire import WAIT_S

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
UPGRADE = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
WS = (b"GET /chat HTTP/1.1\r\nHost: test\r\n" + UPGRADE + VERSION + KEY +
      b"\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          b"Connection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def tunnel(then):
    """A raw origin that switches and goes on as then(conn)."""
    def script(conn):
        heads.append(conn.reader.head())
        conn.send(SWITCH)
        then(conn)

    heads = []
    script.heads = heads
    return script


def open_ws(gh, **kwargs):
    c = gh.client(**kwargs)
    c.send(WS)
    assert c.reader.response_head().status == 101
    return c


def echo(conn):
    conn.send(conn.reader.buf)
    while data := conn.sock.recv(65536):
        conn.send(data)


def test_bytes_pass_both_ways(pair):
    """RFC 6455 4: after 101 both directions are the ends' own bytes."""
    script = tunnel(echo)
    gh, _ = pair(script, raw=True)
    with open_ws(gh) as c:
        for piece in (b"\x81\x05hello", b"\0\r\n\r\nGET / HTTP/1.1\r\n\r\n"):
            assert c.send(piece).reader.exactly(len(piece)) == piece
    head = script.heads[0]
    assert head.get("upgrade") == "websocket"
    assert head.get("connection").lower() == "upgrade"
    assert head.get("sec-websocket-key") == "dGhlIHNhbXBsZSBub25jZQ=="


def test_the_101_is_the_origins(pair):
    """RFC 9110 7.8: the answer that switches names the protocol."""
    gh, _ = pair(tunnel(echo), raw=True)
    with gh.client() as c:
        r = c.send(WS).reader.response_head()
        assert (r.status, r.get("upgrade")) == (101, "websocket")
        assert r.all("connection") == ["upgrade"]
        assert r.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert r.get("content-length") is None


def test_bytes_sent_with_the_handshake_are_the_tunnels(pair):
    """RFC 9110 7.8: what follows an answered request is the new protocol."""
    gh, _ = pair(tunnel(echo), raw=True)
    with gh.client() as c:
        c.send(WS + b"early")
        assert c.reader.response_head().status == 101
        assert c.reader.exactly(5) == b"early"


def test_bytes_sent_with_the_101_are_the_tunnels(pair):
    """RFC 6455 4.1: the server may speak first."""
    def script(conn):
        conn.reader.head()
        conn.send(SWITCH + b"hello")
        echo(conn)

    gh, _ = pair(script, raw=True)
    with open_ws(gh) as c:
        assert c.reader.exactly(5) == b"hello"
        assert c.send(b"x").reader.exactly(1) == b"x"


def test_the_client_may_end_first(logged):
    """RFC 9110 7.8, 6455 7.1.1: each direction ends by itself; the other one
    is not cut."""
    def then(conn):
        got.append(conn.reader.to_end())
        conn.send(b"y" * 300000)

    got = []
    gh, _, lines = logged(tunnel(then), raw=True)
    with open_ws(gh) as c:
        c.send(b"x" * 300000).shut()
        assert c.reader.to_end() == b"y" * 300000
    assert got == [b"x" * 300000]
    assert lines() == ["101 -"]


def test_the_origin_may_end_first(logged):
    """The same from the other side: what the client still sends arrives, and
    that it then ends, too, is no fault."""
    def then(conn):
        conn.sock.shutdown(1)
        got.append(conn.reader.to_end())
        done.set()

    got = []
    done = threading.Event()
    gh, _, lines = logged(tunnel(then), raw=True)
    with open_ws(gh) as c:
        assert c.reader.to_end() == b""
        c.send(b"x" * 3000000).close()
        assert done.wait(WAIT_S)
    assert [len(data) for data in got] == [3000000]
    assert lines() == ["101 -"]


def test_a_reset_by_the_client_reaches_the_origin(logged):
    """RFC 6455 7.1.1: a broken tunnel is broken on both sides."""
    def then(conn):
        try:
            conn.reader.to_end()
        except ConnectionResetError:
            pass
        done.set()

    done = threading.Event()
    gh, _, lines = logged(tunnel(then), raw=True)
    open_ws(gh).reset()
    assert done.wait(WAIT_S)
    assert lines() == ["101 client_gone"]


def test_a_reset_by_the_origin_reaches_the_client(pair):
    """RFC 6455 7.1.1: and not as an end in order."""
    def then(conn):
        conn.reader.exactly(1)
        conn.reset()

    gh, _ = pair(tunnel(then), raw=True)
    with open_ws(gh) as c:
        c.send(b"x")
        with pytest.raises(ConnectionResetError):
            c.reader.to_end()


def test_large_transfers_in_both_directions_at_once(pair):
    """RFC 6455 4: a tunnel has no limit but its ends' speed; a slow reader
    holds the writer back and loses nothing."""
    size = 24 << 20
    data = random.Random(1).randbytes(1 << 20)

    def then(conn):
        writer = threading.Thread(target=send, args=(conn.sock,))
        writer.start()
        digests.append(receive(conn.reader))
        writer.join()

    def send(sock):
        for _ in range(size >> 20):
            sock.sendall(data)
        sock.shutdown(1)

    def receive(reader):
        digest, n = hashlib.md5(reader.buf), len(reader.buf)
        while piece := reader.sock.recv(1 << 20):
            digest.update(piece)
            n += len(piece)
        return n, digest.hexdigest()

    digests = []
    gh, _ = pair(tunnel(then), raw=True, site="max_body = 1k")
    with open_ws(gh, rcvbuf=16384) as c:
        writer = threading.Thread(target=send, args=(c.sock,))
        writer.start()
        digests.append(receive(c.reader))
        writer.join()
    whole = hashlib.md5(data * (size >> 20)).hexdigest()
    assert digests == [(size, whole)] * 2


def test_a_tunnel_outlives_the_timeouts_of_exchanges(pair):
    """`timeout`, idle_timeout and body_timeout are for exchanges: silence is
    allowed in a tunnel (RFC 6455 5.5.2 leaves keeping alive to the ends)."""
    gh, _ = pair(tunnel(echo), raw=True, site="timeout = 1s",
                 listen="idle_timeout = 1s\nbody_timeout = 1s\n"
                 "send_timeout = 1s",
                 upstream="response_timeout = 1s")
    with open_ws(gh) as c, gh.client() as other:
        # an idle connection that ends tells that the time is over
        assert other.get("/") and other.is_closed()
        c.send(b"still here")
        assert c.reader.exactly(10) == b"still here"


@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad", b"403 No"])
def test_a_refused_upgrade_is_an_answer(pair, status):
    """RFC 9110 7.8: a server may ignore Upgrade; the connection goes on as
    HTTP."""
    gh, o = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno"))
    with gh.client() as c:
        for _ in range(2):
            r = c.send(WS).response()
            assert (r.status, r.text) == (int(status[:3]), "no")
            assert r.get("upgrade") is None
    assert len(o.conns) == 1


def test_426_keeps_what_it_asks_for(pair):
    """RFC 9110 15.5.22: 426 says which protocol; Connection names it (7.8)."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c, websocket\r\n"
        b"Connection: upgrade\r\nSec-WebSocket-Version: 13, 8\r\n"
        b"Content-Length: 0\r\n\r\n"))
    with gh.client() as c:
        r = c.get("/")
        assert (r.status, r.get("upgrade")) == (426, "websocket")
        assert r.all("connection") == ["upgrade"]
        assert r.get("sec-websocket-version") == "13, 8"
        assert c.get("/").status == 426


def test_426_for_what_cannot_be_had_here(pair):
    """RFC 9110 7.8: Upgrade of the origin's hop says nothing about ours."""
    gh, _ = pair(lambda conn, r: conn.send(
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\n"
        b"Connection: upgrade\r\nContent-Length: 0\r\n\r\n"))
    with gh.client() as c:
        r = c.get("/")
        assert (r.status, r.get("upgrade"), r.get("connection")) == \
            (426, None, None)


def test_101_that_nobody_asked_for(logged):
    """RFC 9110 15.2.2: 101 answers an Upgrade; without one it is garbage."""
    gh, _, lines = logged(lambda conn, r: conn.send(SWITCH + b"evil"))
    with gh.client() as c:
        assert c.get("/").status == 502
        assert c.get("/").status == 502
    assert set(lines(2)) == {"502 origin_upgrade"}


def test_101_to_another_protocol(logged):
    """RFC 9110 7.8: a server must not switch to what was not asked for."""
    gh, _, lines = logged(lambda conn, r: conn.send(
        SWITCH.replace(b"Upgrade: websocket", b"Upgrade: h2c")))
    with gh.client() as c:
        assert c.send(WS).response().status == 502
    assert lines() == ["502 origin_upgrade"]


def test_websocket_off(pair):
    """websocket = off: the upgrade is ignored (RFC 9110 7.8)."""
    gh, o = pair(site="websocket = off")
    with gh.client() as c:
        for _ in range(2):
            assert c.send(WS).response().text == "ok"
    assert o.requests[0].get("upgrade") is None
    assert o.requests[0].get("connection") is None


@pytest.mark.parametrize("fields", [
    VERSION, KEY, VERSION + KEY.replace(b"==", b"="),
    VERSION + KEY.replace(b"dG", b"d."), VERSION + KEY +
    b"Content-Length: 2\r\n"])
def test_a_malformed_handshake_is_refused(logged, fields):
    """RFC 6455 4.2.1: what lacks a part of the handshake gets 400."""
    gh, o, lines = logged()
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + UPGRADE + fields +
               b"\r\n")
        assert c.response().status == 400
    assert not o.requests
    assert lines() == ["400 upgrade_bad"]


H2C = (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
       b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n")


@pytest.mark.parametrize("extra", [
    H2C, H2C.replace(b", HTTP2-Settings\r", b"\r"),
    H2C.replace(b"h2c", b"h2c, foo/2"), H2C.replace(b"h2c", b"TLS/1.0"),
    H2C.replace(b"h2c", b"h2")])
def test_other_upgrades_are_ignored(pair, extra):
    """RFC 9113 3.1: h2c by Upgrade is obsolete; tunnelling it would smuggle
    requests past every rule. Nothing of it reaches the origin."""
    gh, o = pair()
    with gh.client() as c:
        for _ in range(2):
            r = c.get("/", extra=extra)
            assert (r.status, r.get("upgrade")) == (200, None)
    for request in o.requests:
        assert request.get("upgrade") is None
        assert request.get("http2-settings") is None
        assert request.get("connection") is None


def test_h2c_beside_websocket(pair):
    """RFC 9110 7.8: of several protocols only the one that is served goes
    on."""
    script = tunnel(echo)
    gh, _ = pair(script, raw=True)
    with gh.client() as c:
        c.send(WS.replace(b"Upgrade: websocket", b"Upgrade: h2c, websocket"))
        assert c.reader.response_head().status == 101
        assert c.send(b"x").reader.exactly(1) == b"x"
    assert script.heads[0].all("upgrade") == ["websocket"]


def test_a_post_cannot_upgrade(pair):
    """RFC 6455 4.1: the method is GET; of another one the upgrade is
    ignored."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.body)))
    with gh.client() as c:
        c.send(WS.replace(b"GET", b"POST").replace(
            b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nab"))
        assert c.response().text == "ab"
    assert o.requests[0].get("upgrade") is None
