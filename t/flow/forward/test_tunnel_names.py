"""`connect_sni = match`: a tunnel begins with a TLS handshake that names its host
(RFC 6066 3), or the server never hears of it."""
import socket
import ssl
import threading

import pytest

from lib.certs import Authority
from lib.procs import until


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("a", "a.test", "127.0.0.1")
    return made


class Server:
    """Speaks TLS and says which name it was asked for; counts what came."""

    def __init__(self, ca):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(ca.dir / "a.pem", ca.dir / "a.key")
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        try:
            self.bytes += len(conn.recv(1, socket.MSG_PEEK))
            with self.context.wrap_socket(conn, server_side=True) as tls:
                tls.sendall(b"through")
        except OSError:
            conn.close()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.fixture
def server(ca):
    made = Server(ca)
    yield made
    made.close()


def shake(ca, proxy, target, name, pieces=0, pause=0):
    """What the far end says through TLS that asks for this name; None when the
    tunnel ended instead. It comes in pieces of so many bytes."""
    c, answer = proxy.connect(target)
    assert answer.status == 200
    context = ca.context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with c:
        while True:
            try:
                return tls.read(100)
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for i in range(0, len(data), pieces or len(data) or 1):
                    c.send(data[i:i + (pieces or len(data))])
                    threading.Event().wait(pause)
            try:
                came = c.reader.buf or c.sock.recv(65536)
            except ConnectionResetError:
                return None
            c.reader.buf = b""
            if not came:
                return None
            incoming.write(came)


def test_the_name_is_that_of_the_tunnel(proxy, server, ca):
    p = proxy("connect_sni = match", zone={
        "a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]})
    at = f"a.test:{server.port}"
    assert shake(ca, p, at, "a.test") == b"through"
    assert shake(ca, p, at, "A.TEST", pieces=1) == b"through"
    # more pieces than are held apart, each read by itself
    assert shake(ca, p, at, "a.test", pieces=9, pause=0.004) == b"through"
    seen = server.bytes
    for n, name in enumerate(("b.test", "a.test.evil", "xa.test", None), 1):
        assert shake(ca, p, at, name) is None
        until(lambda n=n: sum(line.split()[1] == "tunnel_sni"
                              for line in p.lines()) == n, what="its line")
    assert server.bytes == seen
    # who asks for an address may name any
    assert shake(ca, p, f"127.0.0.1:{server.port}", "b.test") == b"through"


def test_what_is_no_handshake_is_no_tunnel(proxy, server):
    p = proxy("connect_sni = match", zone={"a.test": ["127.0.0.1"]})
    for data in (b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x02",
                 b"\x16\x03\x01\0\0", b""):
        c, answer = p.connect(f"a.test:{server.port}")
        with c:
            assert answer.status == 200
            c.send(data)
            if not data:
                c.shut()
            c.is_closed()
        assert p.lines()[-1].split()[1] == "tunnel_sni", data
    assert server.bytes == 0


def test_who_says_nothing_is_not_waited_for(proxy, server):
    """`header_timeout` of the listen bounds the wait for the handshake, however
    its bytes trickle in."""
    p = proxy("connect_sni = match", zone={"a.test": ["127.0.0.1"]},
              listen="header_timeout = 500ms")
    for data in (b"", b"\x16\x03\x01\x02"):
        c, answer = p.connect(f"a.test:{server.port}")
        with c:
            assert answer.status == 200
            c.send(data)
            c.is_closed()
        assert p.lines()[-1].split()[1] == "header_timeout", data
    assert server.bytes == 0


def oversized(n):
    """A ClientHello of n bytes, in records of 16 KiB: it has not ended yet."""
    body = b"\x01" + n.to_bytes(3, "big") + b"\x03\x03" + bytes(32) + \
        b"\0\0\2\x13\x01\1\0" + b"\xff\xff" + bytes(n)
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece
                    for piece in (body[i:i + 16000]
                                  for i in range(0, len(body), 16000)))


def test_no_more_is_kept_of_a_handshake_than_one_takes(proxy, server):
    """It ends when that is clear, long before its time is over."""
    p = proxy("connect_sni = match", zone={"a.test": ["127.0.0.1"]})
    for i, data in enumerate((oversized(70000), oversized(1 << 20),
                              b"\x16\x03\x01\x40\x01" + bytes(20000),
                              b"\x16\x03\x01\0\1\x01" * 40000)):
        c, answer = p.connect(f"a.test:{server.port}")
        with c:
            assert answer.status == 200
            try:
                c.send(data)
            except OSError:
                pass
            c.is_closed()
        assert p.lines(i + 1)[-1].split()[1] == "tunnel_sni", i
    assert server.bytes == 0
