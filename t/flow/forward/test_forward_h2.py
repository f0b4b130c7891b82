"""A proxy that is spoken to in HTTP/2 (RFC 9113 8.5) and through TLS."""
import ssl

import pytest

from lib import h2
from lib.certs import Authority


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("p", "proxy.test")
    return made


def echo(conn):
    while data := conn.sock.recv(65536):
        conn.send(data)
    conn.send(b"bye")


def open_tunnel(c, target):
    stream = c.next_stream()
    c.send(h2.headers(stream, h2.block([(":method", "CONNECT"),
                                        (":authority", target)]),
                      h2.END_HEADERS))
    return stream


def talk(c, target):
    """Many tunnels at once on one connection, each its own."""
    streams = [open_tunnel(c, target) for _ in range(5)]
    for s in streams:
        c.send(h2.data(s, b"early %d;" % s))
    c.pump(lambda: all(c.stream(s).status for s in streams))
    assert [c.stream(s).status for s in streams] == [200] * 5
    for s in streams:
        c.send(h2.data(s, b"x" * 10000, end=True))
    for s in streams:
        got = c.answer(s)
        assert got.body == b"early %d;" % s + b"x" * 10000 + b"bye"
        assert got.get("content-length") is None
        assert got.is_ended and not got.reset


def test_tunnels_are_streams(proxy, origin):
    o = origin(echo, raw=True)
    p = proxy(listen="h2c = on")
    with h2.Conn(("127.0.0.1", p.gh.port)) as c:
        talk(c, o.address)
    assert {line.split()[2] for line in p.lines(5)} == {"CONNECT"}


def test_plain_requests_go_through(proxy, origin):
    o = origin()
    p = proxy(listen="h2c = on")
    with h2.Conn(("127.0.0.1", p.gh.port)) as c:
        got = c.get("/x?y", authority=o.address)
        assert (got.status, got.body) == (200, b"ok")
        assert c.get("/", authority=o.address, scheme="https").status == 400
        # CONNECT has no other pseudo-fields
        assert c.answer(c.ask("CONNECT", None, scheme=None,
                              authority="127.0.0.1:1")).status == 502
    assert o.requests[0].target == "/x?y"
    assert o.requests[0].get("host") == o.address


def test_a_proxy_behind_tls(proxy, origin, ca):
    """An HTTPS proxy, in both versions."""
    o = origin(echo, raw=True)
    p = proxy(listen=f"tls = on\ncertificate = {ca.dir / 'p.pem'}\n"
                     f"certificate_key = {ca.dir / 'p.key'}\n")
    with h2.Conn(("127.0.0.1", p.gh.port), tls=h2.tls_context(),
                 host="proxy.test") as c:
        talk(c, o.address)
    c, answer = p.connect(o.address, tls=ca.context(), name="proxy.test")
    with c:
        assert answer.status == 200
        c.send(b"one")
        assert c.reader.exactly(3) == b"one"
    assert isinstance(c.sock, ssl.SSLSocket)
