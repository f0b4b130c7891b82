"""send_proxy = v1 | v2: each connection to an origin begins with a PROXY header
(proxy-protocol.txt)."""
import socket
import struct

import pytest

from lib.origin import OK
from lib.procs import until
from lib.wire import Client, Closed

INI = """
[global]
workers = 1
[listen x]
address = %(address)s
trusted_proxies = %(trusted)s
[site s]
hosts = *
upstream = app
[upstream app]
server = {origin}
send_proxy = %(version)s
%(more)s
"""
SIG = b"\r\n\r\n\0\r\nQUIT\n"


def ini(version, address="127.0.0.1:{port}", trusted="192.0.2.1", more=""):
    return INI % {"version": version, "address": address, "trusted": trusted,
                  "more": more}


def read_header(conn):
    """(kind, source, destination) of the header that a connection begins
    with."""
    first = conn.reader.exactly(6)
    if first == b"PROXY ":
        words = conn.reader.line().decode().split(" ")
        if words[0] == "UNKNOWN":
            return words
        kind, src, dst, sport, dport = words
        return kind, (src, int(sport)), (dst, int(dport))
    head = first + conn.reader.exactly(10)
    assert head[:12] == SIG
    command, family, length = struct.unpack("!BBH", head[12:])
    body = conn.reader.exactly(length)
    n = {0x11: 4, 0x21: 16}.get(family)
    if n is None:
        return [f"{command:02x}{family:02x}"]
    af = socket.AF_INET if n == 4 else socket.AF_INET6
    sport, dport = struct.unpack("!HH", body[2 * n:])
    assert command == 0x21
    return (f"TCP{4 if n == 4 else 6}",
            (socket.inet_ntop(af, body[:n]), sport),
            (socket.inet_ntop(af, body[n:2 * n]), dport))


class Told:
    """A script for an origin: notes (header, request) of each connection, and
    every request that came without one of its own."""

    def __init__(self):
        self.all = []
        self.late = []

    def __call__(self, conn):
        header = read_header(conn)
        try:
            request = conn.reader.request()
            self.all.append((header, request))
            conn.send(OK)
            self.late.append(conn.reader.request())
        except Closed:
            pass


@pytest.fixture
def told(gatehouse, origin):
    """told(version, ...) gives (gatehouse, what the origin was told)."""
    def make(version, **kwargs):
        t = Told()
        o = origin(t, raw=True)
        return gatehouse(ini(version, **kwargs), origin=o.address), t
    return make


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_origin_is_told_the_client(told, version):
    """proxy-protocol.txt 2: source and destination of the client's
    connection."""
    gh, t = told(version)
    with gh.client() as c:
        assert c.get("/").status == 200
        own = c.sock.getsockname()
    assert t.all[0][0] == ("TCP4", own, ("127.0.0.1", gh.port))
    assert t.all[0][1].first == b"GET / HTTP/1.1"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_ipv6_clients_are_told_as_such(told, version):
    """proxy-protocol.txt 2.1 TCP6, 2.2 AF_INET6."""
    gh, t = told(version, address="[::1]:{port}")
    with socket.create_connection(("::1", gh.port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
        own = sock.getsockname()[:2]
    assert t.all[0][0] == ("TCP6", own, ("::1", gh.port))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_believed_client_is_told(told, version):
    """Issue 2: who the client is is decided once, for fields, logs and this
    header; of two families the older is mapped (RFC 4291 2.5.5.2)."""
    gh, t = told(version, trusted="127.0.0.0/8")
    with gh.client() as c:
        c.get("/", extra=b"X-Forwarded-For: 203.0.113.9:77\r\n")
        c.get("/", extra=b"X-Forwarded-For: 2001:db8::9\r\n")
    assert t.all[0][0] == \
        ("TCP4", ("203.0.113.9", 77), ("127.0.0.1", gh.port))
    assert t.all[1][0] == ("TCP6", ("2001:db8::9", 0),
                           ("::ffff:127.0.0.1", gh.port))


@pytest.mark.parametrize("version, want", [
    ("v1", ["UNKNOWN"]), ("v2", ["2100"])])
def test_a_client_without_address_is_told_as_unknown(told, version, want):
    """proxy-protocol.txt 2.1 UNKNOWN, 2.2 UNSPEC: relayed for somebody without
    an address; not LOCAL, which would be ourselves."""
    gh, t = told(version, address="unix:{dir}/s")
    with Client(str(gh.dir / "s")) as c:
        assert c.get("/").status == 200
    assert t.all[0][0] == want


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_no_connection_carries_two_clients(told, version):
    """proxy-protocol.txt 2: a header speaks for the whole connection; so each
    exchange has a connection of its own, whatever keepalive says."""
    gh, t = told(version, more="keepalive = 64")
    clients = [gh.client() for _ in range(4)]
    for turn in range(3):
        for i, c in enumerate(clients):
            assert c.get(f"/{i}/{turn}").status == 200
    own = {f"/{i}/{turn}": c.sock.getsockname()
           for i, c in enumerate(clients) for turn in range(3)}
    for c in clients:
        c.close()
    assert len(t.all) == 12 and not t.late
    for header, request in t.all:
        assert header[1] == own[request.target]
        # RFC 9112 9.6: who will not use a connection again says so
        assert request.all("connection") == ["close"]


def test_two_clients_at_once_are_not_mixed_up(told):
    """proxy-protocol.txt 2: the same for connections that overlap."""
    gh, t = told("v2")
    clients = [gh.client() for _ in range(20)]
    for i, c in enumerate(clients):
        c.send(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % i)
    for c in clients:
        assert c.response().status == 200
    own = {f"/{i}": c.sock.getsockname() for i, c in enumerate(clients)}
    assert {r.target: h[1] for h, r in t.all} == own
    for c in clients:
        c.close()


def test_a_second_try_begins_with_the_header_too(gatehouse, origin):
    """RFC 9110 9.2.2: a try on another server is a new connection, header and
    all."""
    t = Told()
    good = origin(t, raw=True)
    bad = origin(lambda conn: (read_header(conn), conn.reset()), raw=True)
    gh = gatehouse(ini("v1", more="server = {bad}"), origin=good.address,
                   bad=bad.address)
    with gh.client() as c:
        for _ in range(4):
            assert c.get("/").status == 200
        own = c.sock.getsockname()
    assert len(bad.conns) >= 1
    assert [h[1] for h, _ in t.all] == [own] * 4


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_understands_it(gatehouse, nginx, version):
    """proxy-protocol.txt: nginx's `listen ... proxy_protocol` sees the client;
    connection after connection."""
    peer = nginx("listen 127.0.0.1:{port} proxy_protocol;\n"
                 "location / { return 200 \"$proxy_protocol_addr "
                 "$proxy_protocol_port $proxy_protocol_server_addr "
                 "$proxy_protocol_server_port $http_x_real_ip\"; }")
    gh = gatehouse(ini(version), origin=f"127.0.0.1:{peer.port}")
    for _ in range(3):
        with gh.client() as c:
            for _ in range(2):
                assert c.get("/").text == "127.0.0.1 %d 127.0.0.1 %d " \
                    "127.0.0.1" % (c.sock.getsockname()[1], gh.port)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_second_gatehouse_understands_it(gatehouse, origin, version):
    """Issue 2: in and out fit together; the second sees the first one's
    client."""
    o = origin()
    inner = gatehouse("""
[global]
workers = 1
[log a]
path = {dir}/a.log
format = {client_ip} {client_port} {to_port}
buffer = none
[listen x]
address = 127.0.0.1:{port}
proxy_protocol = on
access_log = a
[site s]
hosts = *
upstream = {origin}
""", origin=o.address, to_port="{port}")
    gh = gatehouse(ini(version), origin=f"127.0.0.1:{inner.port}")
    with gh.client() as c:
        assert c.get("/").status == 200
        own = c.sock.getsockname()
    line = until(lambda: (inner.dir / "a.log").read_text()).split()
    assert line == [own[0], str(own[1]), str(gh.port)]
    assert o.requests[0].all("x-real-ip") == ["127.0.0.1"]
