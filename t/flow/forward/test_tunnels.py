"""CONNECT makes a tunnel (RFC 9110 9.3.6): bytes go both ways as they are, each
direction ends by itself, and what is no tunnel says why."""
import hashlib
import threading

import pytest

from lib.dns import Dns
from lib.origin import Origin
from lib.procs import until

MEG = bytes(range(256)) * 4096


def echo(conn):
    """Give back what comes until its end, then a last word."""
    while data := conn.sock.recv(65536):
        conn.send(data)
    conn.send(b"bye")


def test_bytes_go_both_ways_and_ends_are_halves(proxy, origin):
    o = origin(echo, raw=True)
    p = proxy()
    c, answer = p.connect(o.address)
    with c:
        assert answer.status == 200
        assert not answer.all("content-length")
        assert not answer.all("transfer-encoding")
        c.send(b"one")
        assert c.reader.exactly(3) == b"one"
        c.send(b"two").shut()
        assert c.reader.to_end() == b"twobye"
    status, fault, method, target, server, come, gone = p.lines()[0].split()
    assert (status, fault, method) == ("200", "-", "CONNECT")
    assert target == server == o.address
    assert int(gone) - len(answer.raw_head or b"") >= len(b"onetwobye")
    assert int(come) >= len(b"onetwo")


def test_a_server_may_end_first(proxy, origin):
    def first(conn):
        conn.send(b"banner")
        conn.shut()
        assert conn.reader.to_end() == b"late"

    o = origin(first, raw=True)
    c, _ = proxy().connect(o.address)
    with c:
        assert c.reader.to_end() == b"banner"
        c.send(b"late").shut()
    assert not o.errors


def test_who_does_not_wait_is_heard(proxy, origin):
    """Bytes behind the head are the tunnel's, once there is one."""
    o = origin(echo, raw=True)
    with proxy().client() as c:
        c.send(f"CONNECT {o.address} HTTP/1.1\r\nHost: x\r\n\r\n".encode() +
               b"early")
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(5) == b"early"


def test_where_there_is_no_tunnel_the_connection_ends(proxy):
    """What a client sent without waiting is no request: it is never read as
    one."""
    p = proxy()
    with p.client() as c:
        c.send(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n"
               b"GET http://127.0.0.1:1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = c.response()
        assert answer.status == 502 and answer.get("connection") == "close"
        c.shut()
        assert c.is_closed()
    assert len(p.lines()) == 1


@pytest.mark.heavy
def test_much_goes_through_whole(proxy, origin):
    """Both directions at once, while the reader is slow to begin."""
    def both(conn):
        writer = threading.Thread(target=lambda: [
            conn.send(MEG) for _ in range(8)])
        writer.start()
        got = hashlib.sha256(conn.reader.exactly(8 * len(MEG))).digest()
        writer.join()
        conn.send(got)

    o = origin(both, raw=True)
    c, _ = proxy().connect(o.address)
    want = hashlib.sha256(MEG * 8).digest()
    with c:
        sender = threading.Thread(target=lambda: c.send(MEG * 8))
        sender.start()
        got = c.reader.exactly(8 * len(MEG))
        sender.join()
        assert hashlib.sha256(got).digest() == want
        assert c.reader.exactly(32) == want


def test_a_reset_ends_both_sides(proxy, origin):
    met = []

    def wait(conn):
        conn.send(b"x")
        try:
            met.append(conn.sock.recv(1))
        except ConnectionResetError:
            met.append("reset")

    o = origin(wait, raw=True)
    p = proxy()
    c, _ = p.connect(o.address)
    assert c.reader.exactly(1) == b"x"
    c.reset()
    until(lambda: met, what="the end of the server's connection")
    assert met == ["reset"]
    assert p.lines()[0].split()[1] == "client_gone"


def test_content_with_a_connect_is_refused(proxy, origin):
    """RFC 9110 9.3.6: there is none; a length of 0 says the same."""
    o = origin(echo, raw=True)
    p = proxy()
    for field, status in (("Content-Length: 5", 400),
                          ("Transfer-Encoding: chunked", 400),
                          ("Content-Length: 0", 200)):
        c, answer = p.connect(o.address, field)
        c.close()
        assert answer.status == status, field
    o.wait(lambda o: len(o.conns) == 1)


def test_tunnels_go_to_the_ports_that_are_told(proxy, origin):
    o = origin(echo, raw=True)
    p = proxy("connect_ports = 443 %d-%d" % (o.port, o.port),
              is_open=False, more="")
    other = Origin(echo, raw=True)
    c, answer = p.connect(f"127.0.0.1:{other.port}")
    c.close()
    other.close()
    assert not other.conns
    assert answer.status == 403 and "port" in answer.text
    assert answer.get("connection") == "close"
    assert p.lines()[0].split()[1] == "connect_port"
    c, answer = p.connect(o.address)
    c.close()
    assert (answer.status, p.lines(2)[1].split()[1]) == \
        (403, "private_address")


def test_an_idle_tunnel_ends(proxy, origin):
    o = origin(echo, raw=True)
    p = proxy("tunnel_idle_timeout = 300ms")
    c, _ = p.connect(o.address)
    with c:
        for _ in range(3):
            c.send(b"x")
            assert c.reader.exactly(1) == b"x"
        c.is_closed()
    assert p.lines()[0].split()[1] == "tunnel_idle"


def test_a_tunnel_ends_after_its_time_whatever_moves(proxy, origin):
    o = origin(echo, raw=True)
    p = proxy("tunnel_timeout = 300ms")
    c, _ = p.connect(o.address)
    with c:
        try:
            while True:
                c.send(b"x")
                c.reader.exactly(1)
        except Exception:  # pylint: disable=broad-except
            pass
    assert p.lines()[0].split()[1] == "tunnel_timeout"


def test_a_client_may_go_while_a_name_is_asked_for(proxy):
    """Nothing is left of it (the daemon ends in order)."""
    p = proxy(dns=Dns(script=lambda query: None))
    c = p.client()
    c.send(b"CONNECT a.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    p.dns.wait_asked(1)
    c.reset()
    assert p.lines()[0].split()[1] == "client_gone"


def test_content_with_connect_is_refused(proxy, origin):
    """RFC 9110 9.3.6: it has no meaning; what follows it would be guessed."""
    o = origin(echo, raw=True)
    p = proxy()
    with p.client() as c:
        c.send(f"CONNECT {o.address} HTTP/1.1\r\nHost: x\r\n"
               "Content-Length: 3\r\n\r\nabc".encode())
        answer = c.response()
        assert (answer.status, answer.get("connection")) == (400, "close")
    assert p.lines()[0].split()[:2] == ["400", "connect_content"]
    assert not o.conns
