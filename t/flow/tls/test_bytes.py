"""What goes through TLS arrives whole, whatever the pieces: the stream of
common/tls under HTTP/1.1."""
import contextlib
import hashlib
import random
import socket
import ssl
import threading

import pytest

from lib.echo import EchoOrigin
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

SIZES = [0, 1, 1379, 1380, 1381, 13800, 16383, 16384, 16385, 65535, 65536,
         65537, 200_000, 5_000_000]


def noise(n):
    return random.Random(n).randbytes(n)


@pytest.fixture
def proxy(front, origin):
    """An origin that answers with as many bytes as the path says, and with the
    hash of what it is sent."""
    def script(conn, request):
        if request.method == "POST":
            digest = hashlib.sha256(request.body).hexdigest()
            conn.send(ok(digest.encode()))
        else:
            conn.send(ok(noise(int(request.target[1:]))))
    o = origin(script)
    return front(a="upstream = app", more=f"[upstream app]\nserver = "
                 f"{o.address}\n", listen="send_timeout = 5s")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_answers_of_all_sizes(proxy, visit, version):
    with visit(proxy, version=version) as c:
        for n in SIZES:
            assert c.get(f"/{n}", host="a.test").body == noise(n)


@pytest.mark.parametrize("n", SIZES)
def test_requests_of_all_sizes(proxy, visit, n):
    with visit(proxy) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n"
               % n + noise(n))
        assert c.response().text == hashlib.sha256(noise(n)).hexdigest()


def test_a_record_for_each_byte(proxy, visit):
    """Each byte of a request in a record of its own."""
    with visit(proxy) as c:
        for byte in b"GET /20000 HTTP/1.1\r\nHost: a.test\r\n\r\n":
            c.send(bytes([byte]))
        assert c.response().body == noise(20000)


def test_a_byte_of_cipher_text_at_a_time(front, ca):
    """The handshake and the records split at every byte."""
    gh = front()
    sock = socket.create_connection(("127.0.0.1", gh.port), WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    inn, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ca.context().wrap_bio(inn, out, server_hostname="a.test")

    def flush():
        for byte in out.read():
            sock.sendall(bytes([byte]))

    def drive(step):
        while True:
            try:
                done = step()
                flush()
                return done
            except ssl.SSLWantReadError:
                flush()
                inn.write(sock.recv(1))
    drive(tls.do_handshake)
    tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    flush()
    got = b""
    while not got.endswith(b"\r\n\r\na"):
        got += drive(lambda: tls.read(100))
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    sock.close()


def test_a_client_that_reads_slowly(proxy, ca, visit):
    """What the kernel does not take waits; nothing is lost or doubled."""
    with gh_client(proxy, ca) as c:
        c.send(b"GET /5000000 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        with visit(proxy) as other:
            assert other.get("/10", host="a.test").body == noise(10)
        assert c.response().body == noise(5_000_000)


def gh_client(gh, ca):
    return gh.client(tls=ca.context(), name="a.test", rcvbuf=4096)


@pytest.mark.heavy
def test_a_client_that_does_not_read_is_left(proxy, ca):
    """send_timeout, as without TLS."""
    c = gh_client(proxy, ca)
    c.send(b"GET /5000000 HTTP/1.1\r\nHost: a.test\r\n\r\n")
    log = proxy.dir / "access.log"
    until(lambda: "200 send_timeout" in log.read_text())
    c.close()


def test_pipelined_requests(proxy, visit):
    with visit(proxy) as c:
        c.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n" % n
                        for n in range(50)))
        assert [c.response().body for n in range(50)] == \
            [noise(n) for n in range(50)]


def test_a_websocket(front, visit):
    """Both directions raw, through TLS."""
    with contextlib.closing(EchoOrigin()) as echo:
        gh = front(a="upstream = app",
                   more=f"[upstream app]\nserver = {echo.address}\n")
        with visit(gh) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\n"
                   b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
            assert c.reader.response_head().status == 101
            sent = noise(300_000)
            thread = threading.Thread(target=c.send, args=(sent,))
            thread.start()
            got = b""
            while len(got) < len(sent):
                got += c.sock.recv(65536)
            thread.join()
            assert got == sent


def test_the_end_is_told(front, ca):
    """RFC 8446 6.1: close_notify behind the last answer."""
    gh = front()
    sock = socket.create_connection(("127.0.0.1", gh.port), WAIT_S)
    tls = ca.context().wrap_socket(sock, server_hostname="a.test",
                                   suppress_ragged_eofs=False)
    tls.sendall(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
    got = b""
    while data := tls.recv(4096):
        got += data
    assert got.endswith(b"\r\n\r\na")
    tls.close()


def test_a_cut_answer_does_not_end_well(front, ca, origin):
    """What is delimited by the end of TLS and was not complete shows it."""
    begun = threading.Event()

    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"5\r\nhello\r\n")
        # the client has a part of it: no other answer can be given any more
        begun.wait(30)
        return False
    o = origin(script)
    gh = front(a="upstream = app",
               more=f"[upstream app]\nserver = {o.address}\n")
    sock = socket.create_connection(("127.0.0.1", gh.port), WAIT_S)
    tls = ca.context().wrap_socket(sock, server_hostname="a.test",
                                   suppress_ragged_eofs=False)
    tls.sendall(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
    assert tls.recv(1)
    begun.set()
    with pytest.raises((ssl.SSLError, OSError)):
        while tls.recv(4096):
            pass
    tls.close()


def test_a_request_that_ends_without_notice(proxy, visit):
    """A cut is no end: the content is not complete."""
    c = visit(proxy)
    c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n5\r\nhello\r\n")
    # the connection, and not TLS
    socket.socket(fileno=c.sock.detach()).close()
    log = proxy.dir / "access.log"
    until(lambda: "client_gone" in log.read_text())


def test_a_proxy_header_before_the_handshake(front, ca):
    """proxy-protocol.txt 2: in clear, and in one packet with the ClientHello."""
    gh = front(listen="proxy_protocol = on",
               a="respond = 200 {client_ip} {scheme}")
    ctx = ca.context()
    inn, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ctx.wrap_bio(inn, out, server_hostname="a.test")
    sock = socket.create_connection(("127.0.0.1", gh.port), WAIT_S)
    first = b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n"
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(first + out.read())
            first = b""
            inn.write(sock.recv(65536))
    tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    sock.sendall(out.read())
    got = b""
    while not got.endswith(b"https"):
        inn.write(sock.recv(65536))
        try:
            got += tls.read(65536)
        except ssl.SSLWantReadError:
            continue
    assert got.endswith(b"192.0.2.7 https")
    sock.close()
