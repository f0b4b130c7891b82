"""TLS to origins as it goes over the wire: sessions, ends, pieces, what comes
behind the handshake; RFC 8446, RFC 5246, RFC 9112 9.8."""
import contextlib
import random
import re
import socket
import ssl
import struct
import threading

import pytest

from lib.origin import OK, ok
from lib.procs import until
from lib.wire import Truncated

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
LARGE = random.Random(1).randbytes(1_000_000)


def get(gh, path="/"):
    with gh.client() as c:
        return c.get(path)


def post(gh, body=b"hi"):
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" %
               len(body) + body)
        return c.response("POST")


@pytest.fixture
def over(front, ca):
    """over([server, ...]): an upstream that trusts the authority."""
    return lambda servers, upstream="", **kwargs: front(
        servers, upstream=f"ca = {ca.pem}\n{upstream}", **kwargs)


# --- connections and sessions ----------------------------------------------------

@pytest.mark.parametrize("version", [V12, V13])
def test_a_connection_serves_many_requests(over, tls_origin, version):
    """Tickets that come while it is idle are no reason to close it."""
    o = tls_origin(version=version)
    gh = over([o])
    for _ in range(5):
        assert get(gh).text == "ok"
        assert post(gh).text == "ok"
    assert (len(o.conns), len(o.requests)) == (1, 10)


@pytest.mark.parametrize("version", [V12, V13])
def test_sessions_are_resumed(over, tls_origin, version):
    """RFC 8446 2.2, RFC 5077: no connection but the first is a full
    handshake; a variable says so."""
    o = tls_origin(version=version)
    gh = over([o], "keepalive = none", site="response_header = X-Tls: "
              "{origin_tls_version} {origin_tls_resumed}")
    told = [get(gh).get("x-tls") for _ in range(4)]
    assert [s["resumed"] for s in o.shakes] == [False, True, True, True]
    name = o.shakes[0]["version"]
    assert told == [f"{name} no"] + [f"{name} yes"] * 3


def test_a_ticket_is_used_once(over, tls_origin):
    """RFC 8446 C.4: two connections at once do not show the same ticket."""
    o = tls_origin(script=lambda conn, r: go.wait(10) and conn.send(OK),
                   tickets=1)
    go = threading.Event()
    gh = over([o])
    go.set()
    assert get(gh).text == "ok"
    go.clear()
    with gh.client() as a, gh.client() as b, gh.client() as c:
        for one in (a, b, c):
            one.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        # the first takes the pooled connection, one of the others the ticket
        o.wait_shakes(3).wait_requests(4)
        go.set()
        for one in (a, b, c):
            assert one.response().text == "ok"
    assert sorted(s["resumed"] for s in o.shakes) == [False, False, True]


def test_sessions_that_the_server_forgot(over, tls_origin, ca):
    """RFC 8446 2.2: another key for tickets is a full handshake."""
    o = tls_origin()
    gh = over([o], "keepalive = none")
    assert get(gh).text == "ok"
    pem = ca.make("local", "localhost", ips=["127.0.0.1"])
    fresh = type(o.context)(ssl.PROTOCOL_TLS_SERVER)
    fresh.load_cert_chain(pem, pem.with_suffix(".key"))
    fresh.sni_callback = o.context.sni_callback
    o.context = fresh
    assert [get(gh).text for _ in range(2)] == ["ok"] * 2
    assert [s["resumed"] for s in o.shakes] == [False, False, True]


def test_sessions_of_one_server_are_not_shown_to_another(over, tls_origin):
    a, b = tls_origin(), tls_origin()
    gh = over([a, b], "keepalive = none")
    for _ in range(4):
        assert get(gh).text == "ok"
    for o in (a, b):
        assert [s["resumed"] for s in o.shakes] == [False, True]


def test_min_version_holds_for_origins(over, tls_origin):
    old, new = tls_origin(version=V12), tls_origin()
    gh = over([old])
    assert get(gh).text == "ok"
    gh = over([old], listen="[tls]\nmin_version = 1.3")
    assert get(gh).status == 502
    assert gh.fault() == "origin_tls"
    gh = over([new], listen="[tls]\nmin_version = 1.3")
    assert get(gh).text == "ok"


# --- handshakes that fail ------------------------------------------------------------

def test_old_versions_are_refused(over, tls_origin):
    """RFC 8996."""
    o = tls_origin(version=ssl.TLSVersion.TLSv1)
    gh = over([o])
    assert get(gh).status == 502
    assert gh.fault() == "origin_tls"


def test_a_protocol_that_is_not_ours(over, tls_origin):
    """RFC 7301 3.2: we offer http/1.1; who insists on another ends the
    handshake."""
    o = tls_origin(alpn=["h2"])
    gh = over([o])
    r = get(gh)
    # this server goes on without ALPN
    assert r.status == 200 and o.shakes[0]["alpn"] is None


def test_no_tls_at_all(over, origin):
    """A plain server that is asked in TLS."""
    o = origin(raw=True, script=lambda conn: conn.send(
        b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    gh = over([f"https://{o.address}"])
    assert get(gh).status == 502
    assert gh.fault() == "origin_tls"


@pytest.mark.parametrize("n", [0, 1, 6, 60])
def test_the_end_in_the_middle_of_a_handshake(over, origin, n):
    """And another server is asked, whatever the method."""
    def script(conn):
        assert conn.sock.recv(4096)
        conn.send(b"\x16\x03\x03\x01\x00\x02\x00\x00\xfc\x03\x03"[:n].ljust(
            n, b"x"))

    bad = origin(script, raw=True)
    good = origin()
    gh = over([f"https://{bad.address}", good])
    assert post(gh).text == "ok"
    assert gh.log()[0]["tries"] == "2"


def test_a_handshake_that_stalls(over, origin):
    """connect_timeout holds for connection and handshake together."""
    def script(conn):
        while conn.sock.recv(4096):
            pass

    bad = origin(script, raw=True)
    gh = over([f"https://{bad.address}"], "connect_timeout = 200ms")
    assert get(gh).status == 504
    assert gh.fault() == "origin_connect_timeout"


def test_retry_none_asks_nobody_else(over, origin):
    bad, good = origin(lambda conn: None, raw=True), origin()
    gh = over([f"https://{bad.address}", good], "retry = none")
    assert get(gh).status == 502
    assert not good.requests


# --- the PROXY header -------------------------------------------------------------------

def test_the_proxy_header_goes_first(over, tls_origin):
    """proxy-protocol.txt 2: before all else on the connection, so also before
    the handshake, as it is."""
    def before(conn):
        line = b""
        while not line.endswith(b"\r\n"):
            line += conn.sock.recv(1)
        heads.append(line)

    heads = []
    o = tls_origin(before=before)
    gh = over([o], "send_proxy = v1")
    for _ in range(2):
        assert get(gh).text == "ok"
    assert len(heads) == 2
    for line in heads:
        assert re.fullmatch(rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ %d\r\n"
                            % gh.port, line)
    assert [s["resumed"] for s in o.shakes] == [False, True]


# --- content ------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [1, 100, 16384])
def test_records_of_any_size(over, tls_origin, size):
    """RFC 8446 5.1: a record may hold one byte of an answer."""
    body = LARGE[:3000] if size == 1 else LARGE

    def script(conn, request):
        conn.sock.size = size
        conn.send(ok(body))

    gh = over([tls_origin(script)])
    for _ in range(2):
        assert get(gh).body == body


@pytest.mark.parametrize("version", [V12, V13])
def test_large_content_both_ways(over, tls_origin, version):
    o = tls_origin(lambda conn, r: conn.send(ok(r.body)), version=version)
    gh = over([o])
    body = LARGE * 5
    assert post(gh, body).body == body
    assert o.requests[0].body == body


def test_a_server_that_reads_late(over, tls_origin):
    """What the kernel does not take waits; nothing is lost or doubled."""
    def script(conn):
        go.wait(10)
        request = conn.reader.request()
        bodies.append(request.body)
        conn.send(ok(b"%d" % len(request.body)))

    go, bodies = threading.Event(), []
    o = tls_origin(script, raw=True)
    gh = over([o])
    body = LARGE * 8
    with gh.client() as c:
        sender = threading.Thread(target=c.send, args=(
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" %
            len(body) + body,))
        sender.start()
        o.wait_shakes()
        go.set()
        sender.join()
        assert c.response("POST").text == str(len(body))
    assert bodies == [body]


def test_websocket_bytes_pass(over, tls_origin):
    """RFC 6455 through TLS, both directions, and both ends."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: upgrade\r\n\r\n")
        while data := conn.sock.recv(4096):
            conn.send(data.upper())
        conn.sock.notify()
        return False

    gh = over([tls_origin(script)])
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
               b"Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert c.response().status == 101
        c.send(b"hello")
        assert c.reader.exactly(5) == b"HELLO"
        c.shut()
        assert c.is_closed()


# --- ends ------------------------------------------------------------------------------------

def endless(data, notifies):
    """Content that only the end of the connection ends."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n\r\n" + data)
        if notifies:
            conn.sock.notify()
        return False
    return script


def test_content_until_close_notify(over, tls_origin):
    """RFC 9112 9.8: close_notify is the end of close-delimited content."""
    gh = over([tls_origin(endless(LARGE, True))])
    r = get(gh)
    assert (r.body, r.framing) == (LARGE, "chunked")


@pytest.mark.parametrize("head, notifies", [
    (b"HTTP/1.1 200 OK\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n", True)],
    ids=["open", "length", "length-notify", "chunk-notify"])
def test_content_that_is_cut(over, tls_origin, head, notifies):
    """RFC 9112 9.8: the end of TCP alone may be anybody's work, and
    close_notify is no end of what has a length: the answer is incomplete and
    looks so, also when a part of it is with the client already."""
    def script(conn, request):
        conn.send(head + b"half")
        assert go.wait(10)
        if notifies:
            conn.sock.notify()
        return False

    go = threading.Event()
    gh = over([tls_origin(script)])
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        go.set()
        while b"half" not in c.reader.seen:
            assert c.reader._more()
        with contextlib.suppress(ConnectionResetError):
            assert not c.reader._more() or not c.reader.seen.endswith(
                b"0\r\n\r\n")
    assert gh.fault() == "origin_cut"


def test_content_that_is_cut_at_once(over, tls_origin):
    """Nothing of it went on yet: 502."""
    gh = over([tls_origin(endless(b"x" * 1000, False))])
    try:
        assert get(gh).status == 502
    except Truncated:
        pass
    assert gh.fault() == "origin_cut"


@pytest.mark.parametrize("extra", [b"", b"Connection: close\r\n"])
def test_a_length_needs_no_close_notify(over, tls_origin, extra):
    """RFC 9112 9.8: complete by its length; the next request finds a fresh
    connection."""
    def script(conn, request):
        conn.send(ok(extra=extra))
        return False

    o = tls_origin(script)
    gh = over([o])
    for _ in range(3):
        assert get(gh).text == "ok"
        until(lambda: o.conns[-1].sock.fileno() < 0)


@pytest.mark.parametrize("notifies", [True, False])
def test_an_idle_connection_ends(over, tls_origin, notifies):
    """close_notify alone, or the end of TCP: what cannot be repeated goes on a
    fresh connection, once."""
    def script(conn, request):
        conn.send(OK)
        if conn.number > 0:
            return True
        if notifies:
            conn.sock.notify()
            # it is gatehouse that closes
            while conn.sock.raw.recv(4096):
                pass
        return False

    o = tls_origin(script)
    gh = over([o])
    assert get(gh).text == "ok"
    until(lambda: o.conns[0].sock.fileno() < 0, what="the end")
    assert post(gh).text == "ok"
    assert [r.method for r in o.requests] == ["GET", "POST"]


def test_what_an_idle_connection_says_is_no_answer(over, tls_origin):
    """RFC 9112 6.3: bytes behind an answer cost the connection."""
    o = tls_origin(lambda conn, r: conn.send(OK + ok(b"smuggled")))
    gh = over([o])
    for _ in range(5):
        assert get(gh).text == "ok"
    assert len(o.conns) == 5


# --- behind the handshake -----------------------------------------------------------------------

@pytest.mark.parametrize("letter", [b"k", b"K"])
def test_new_keys(over, s_server, letter):
    """RFC 8446 4.6.3: in the middle of the exchange and while idle; the same
    connection serves on. An answer with new keys of ours may wait for the next
    request."""
    def turn(n):
        server.say(letter + b"\n")
        server.hears(rb">>> TLS 1.3, Handshake .*KeyUpdate", n)

    server = s_server("-tls1_3", "-msg")
    gh = over([server])
    with gh.client() as c:
        for n in range(1, 4):
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            server.hears(rb"GET / HTTP/1.1", n)
            if letter == b"K" and n > 1:
                server.hears(rb"<<< TLS 1.3, Handshake .*KeyUpdate", n - 1)
            turn(2 * n - 1)
            server.say(OK)
            assert c.response().text == "ok"
            turn(2 * n)
    assert server.said.count(b"CIPHER is") == 1


def test_renegotiation_is_refused(over, s_server):
    """RFC 5246 7.4.1.1: a client may say no. s_server takes that for the end;
    somebody else answers, or nobody."""
    server = s_server("-tls1_2")
    gh = over([server], "response_timeout = 5s\nretry = none")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        server.hears(rb"GET / HTTP/1.1")
        server.say(b"r\n")
        assert c.response().status in (502, 504)
    assert gh.fault() in ("origin_tls", "origin_reset", "origin_timeout")


@pytest.mark.parametrize("n", [2, 200_000])
def test_post_is_never_sent_twice(over, tls_origin, n):
    """RFC 9110 9.2.2: whatever of it was encrypted counts as sent, also what
    the kernel did not take whole."""
    def script(conn):
        conn.reader.head()
        seen.append(conn)
        conn.sock.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))

    seen = []
    gh = over([tls_origin(script, raw=True), tls_origin(script, raw=True)])
    assert post(gh, b"x" * n).status == 502
    assert len(seen) == 1
    assert gh.fault() == "origin_reset"
