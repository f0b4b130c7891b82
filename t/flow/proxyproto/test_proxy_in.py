"""proxy_protocol = on: each connection begins with a PROXY header
(proxy-protocol.txt)."""
import socket
import struct

import pytest

from lib.procs import until
from lib.wire import Client

SIG = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
INI = """
[global]
workers = 1
error_log = {dir}/error.log
log_level = info
[defaults]
header_timeout = %(timeout)s
[log a]
path = {dir}/a.log
format = {client_ip} {client_port} {peer_ip} {peer_port} {to_port} {status} {scheme}
buffer = none
[listen x]
address = 127.0.0.1:{port}
proxy_protocol = on
%(listen)s
access_log = a
[listen u]
address = unix:{dir}/s
proxy_protocol = on
access_log = a
[site s]
hosts = *
upstream = {origin}
"""


def v2(command=0x21, family=0x11, addrs=b"", tlvs=b"", length=None):
    body = addrs + tlvs
    return SIG + struct.pack("!BBH", command, family,
                             len(body) if length is None else length) + body


def ip4(src, sport, dst, dport):
    return socket.inet_aton(src) + socket.inet_aton(dst) + \
        struct.pack("!HH", sport, dport)


def ip6(src, sport, dst, dport):
    return socket.inet_pton(socket.AF_INET6, src) + \
        socket.inet_pton(socket.AF_INET6, dst) + \
        struct.pack("!HH", sport, dport)


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


PATHS = b"/a".ljust(108, b"\0") + b"/b".ljust(108, b"\0")
ADDRS6 = ip6("2001:db8::7", 1234, "2001:db8::1", 443)
ADDRS = ip4("203.0.113.7", 1234, "198.51.100.1", 443)


class Setup:
    def __init__(self, make, o, timeout="10s", listen=""):
        self.o = o
        self.gh = make(INI % {"timeout": timeout, "listen": listen},
                       origin=o.address, to_port="{port}")
        self.log = self.gh.dir / "a.log"
        self.lines = 0

    def line(self):
        """The words of the next line of the log."""
        self.lines += 1
        return until(lambda: self.log.read_text().splitlines()[
            self.lines - 1:])[0].split()


@pytest.fixture(scope="module")
def setup(shared_gatehouse, shared_origin):
    return Setup(shared_gatehouse, shared_origin())


def case(name, *values):
    return pytest.param(*values, id=name)


@pytest.mark.parametrize("header, client, port, to", [
    case("v1-4", b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n",
         "203.0.113.7", "1234", "443"),
    case("v1-long",
         b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
         "255.255.255.255", "65535", "65535"),
    case("v1-6", b"PROXY TCP6 2001:db8::7 2001:db8::1 1234 443\r\n",
         "2001:db8::7", "1234", "443"),
    case("v1-mapped", b"PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 1 2\r\n",
         "203.0.113.7", "1", "2"),
    case("v2-4", v2(addrs=ADDRS), "203.0.113.7", "1234", "443"),
    case("v2-6", v2(family=0x21, addrs=ADDRS6), "2001:db8::7", "1234", "443"),
    case("v2-tlvs", v2(addrs=ADDRS, tlvs=tlv(0x01, b"h2") +
                       tlv(0x04, b"\0" * 9) + tlv(0xea, b"\x01vpce") +
                       tlv(0x20, b"\x07\0\0\0\0" + tlv(0x21, b"TLSv1.3"))),
         "203.0.113.7", "1234", "443"),
    case("v2-large", v2(addrs=ADDRS, tlvs=tlv(0x02, b"x" * 3000)),
         "203.0.113.7", "1234", "443"),
])
def test_the_header_says_who_the_client_is(setup, header, client, port, to):
    """proxy-protocol.txt 2.1, 2.2: its addresses stand for the connection's,
    in logs and in what the origin is told."""
    with setup.gh.client() as c:
        for _ in range(2):
            c.send(header + GET)
            header = b""
            assert c.response().status == 200
            r = setup.o.requests[-1]
            assert r.all("x-forwarded-for") == [client]
            assert r.all("x-real-ip") == [client]
            assert r.all("x-forwarded-port") == [to]
            assert setup.line() == [client, port, client, port, to, "200",
                                    "http"]


@pytest.mark.parametrize("header", [
    case("v1", b"PROXY UNKNOWN\r\n"), case("v1-blank", b"PROXY UNKNOWN \r\n"),
    case("v1-rest",
         b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535 and more\r\n"),
    case("local", v2(0x20, 0x00)), case("local-addrs", v2(0x20, 0x11, ADDRS)),
    case("local-junk", v2(0x20, 0xff, b"junk" * 9)),
    case("unspec", v2(0x21, 0x00)),
    case("unspec-tlv", v2(0x21, 0x00, b"", tlv(0xee, b"x"))),
    case("udp", v2(0x21, 0x12, ADDRS)), case("unix", v2(0x21, 0x31, PATHS)),
])
def test_a_header_without_addresses_leaves_the_connections_own(setup, header):
    """proxy-protocol.txt 2.1 UNKNOWN, 2.2 LOCAL and UNSPEC: the real end points
    hold."""
    with setup.gh.client() as c:
        c.send(header + GET)
        assert c.response().status == 200
        own = str(c.sock.getsockname()[1])
    assert setup.line() == ["127.0.0.1", own, "127.0.0.1", own,
                            str(setup.gh.port), "200", "http"]


@pytest.mark.parametrize("header", [
    case("none", b""),
    case("v1-lf", b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\n"),
    case("v1-few", b"PROXY TCP4 203.0.113.7 198.51.100.1 1234\r\n"),
    case("v1-many", b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 443 5\r\n"),
    case("v1-blanks", b"PROXY  TCP4 203.0.113.7 198.51.100.1 1234 443\r\n"),
    case("v1-blank", b"PROXY TCP4 203.0.113.7  198.51.100.1 1234 443\r\n"),
    case("v1-6-as-4", b"PROXY TCP4 2001:db8::7 2001:db8::1 1234 443\r\n"),
    case("v1-4-as-6", b"PROXY TCP6 203.0.113.7 198.51.100.1 1234 443\r\n"),
    case("v1-port", b"PROXY TCP4 203.0.113.7 198.51.100.1 65536 443\r\n"),
    case("v1-port-0", b"PROXY TCP4 203.0.113.7 198.51.100.1 01 443\r\n"),
    case("v1-port-sign", b"PROXY TCP4 203.0.113.7 198.51.100.1 -1 443\r\n"),
    case("v1-octal", b"PROXY TCP4 203.0.113.07 198.51.100.1 1 443\r\n"),
    case("v1-family", b"PROXY TCP5 203.0.113.7 198.51.100.1 1234 443\r\n"),
    case("v1-udp", b"PROXY UDP4 203.0.113.7 198.51.100.1 1234 443\r\n"),
    case("v1-empty", b"PROXY\r\n"),
    case("v1-bare", b"PROXY \r\n"),
    case("v1-case", b"proxy UNKNOWN\r\n"),
    case("crlf", b"\r\n"),
    case("v1-cr", b"PROXY UNKNOWN\r \n"),
    case("v1-long", b"PROXY UNKNOWN " + b"x" * 107 + b"\r\n"),
    case("v2-signature", SIG[:-1] + b"X\x21\x11\x00\x0c" + ADDRS),
    case("v2-version", v2(0x11, 0x11, ADDRS)),
    case("v2-command", v2(0x22, 0x11, ADDRS)),
    case("v2-family", v2(0x21, 0x41, ADDRS)),
    case("v2-transport", v2(0x21, 0x13, ADDRS)),
    case("v2-short", v2(0x21, 0x11, ADDRS[:-1])),
    case("v2-short-6", v2(0x21, 0x21, ADDRS)),
    case("v2-short-unix", v2(0x21, 0x31, ADDRS)),
    case("v2-tlv-cut", v2(addrs=ADDRS, tlvs=b"\x01")),
    case("v2-tlv-over", v2(addrs=ADDRS, tlvs=b"\x01\x00\x05abc")),
    case("v2-crc", v2(addrs=ADDRS, tlvs=tlv(0x03, b"\0\0\0\1"))),
    case("v2-large", v2(addrs=ADDRS, tlvs=tlv(0x02, b"x" * 5000))),
])
def test_a_bad_header_ends_the_connection(setup, header):
    """proxy-protocol.txt 2: a receiver must not guess; what is no header ends
    the connection without a word."""
    before = len(setup.o.requests)
    with setup.gh.client() as c:
        c.send(header + GET)
        c.is_closed()
        assert not c.reader.seen
    assert len(setup.o.requests) == before


def test_the_header_may_come_in_pieces(setup):
    """proxy-protocol.txt 2: TCP keeps no boundaries; the request may stand in
    the same segment or come later."""
    for whole in (b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n",
                  v2(addrs=ADDRS, tlvs=tlv(1, b"h2"))):
        with setup.gh.client() as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(whole)):
                c.send(whole[i:i + 1])
            c.send(GET)
            assert c.response().status == 200
        assert setup.line()[0] == "203.0.113.7"


def test_only_one_header_is_taken(setup):
    """proxy-protocol.txt 2: the header stands once; a second is a malformed
    request."""
    header = b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n"
    with setup.gh.client() as c:
        c.send(header + header.replace(b"203", b"6") + GET)
        assert c.response().status == 400
    assert setup.line()[0] == "203.0.113.7"


def test_the_client_it_names_is_a_stranger(setup):
    """Issue 2: the header says who the client is, not that it is trusted."""
    with setup.gh.client() as c:
        c.send(v2(addrs=ADDRS) + b"GET / HTTP/1.1\r\nHost: test\r\n"
               b"X-Forwarded-For: 6.6.6.6\r\n\r\n")
        assert c.response().status == 200
    assert setup.line()[0] == "203.0.113.7"
    assert setup.o.requests[-1].all("x-forwarded-for") == ["203.0.113.7"]


def test_a_unix_socket_takes_it_too(setup):
    """doc/config: proxy_protocol belongs to the listen, whatever its
    address."""
    with Client(str(setup.gh.dir / "s")) as c:
        c.send(v2(addrs=ADDRS) + GET)
        assert c.response().status == 200
    assert setup.line()[:5] == ["203.0.113.7", "1234", "203.0.113.7", "1234",
                                "443"]


def test_a_late_header_ends_the_connection(gatehouse, origin):
    """Issue 2: every state has a deadline: header_timeout from the accept on,
    not prolonged by single bytes."""
    s = Setup(gatehouse, origin(), timeout="300ms")
    with s.gh.client() as silent, s.gh.client() as slow:
        slow.send(b"PROXY TCP4 203.0")
        assert silent.is_closed() and slow.is_closed()
        assert not silent.reader.seen and not slow.reader.seen
    assert not s.o.conns
    until(lambda: (s.gh.dir / "error.log").read_text().count("too late") == 2)


def test_only_named_proxies_may_connect(gatehouse, origin):
    """proxy-protocol.txt 2: only trusted proxies are allowed to use it: with
    trusted_proxies, others are closed at once and the reason is logged."""
    s = Setup(gatehouse, origin(), listen="trusted_proxies = 192.0.2.0/24")
    with s.gh.client() as c:
        c.is_closed()
        assert not c.reader.seen
    until(lambda: "peer=127.0.0.1" in (s.gh.dir / "error.log").read_text())
    assert not s.o.conns


def test_named_proxies_are_believed_for_what_they_name(gatehouse, origin):
    """Issue 2: behind a named proxy that names another one, the list that one
    wrote is believed, too."""
    s = Setup(gatehouse, origin(),
              listen="trusted_proxies = 127.0.0.1 203.0.113.0/24")
    with s.gh.client() as c:
        c.send(v2(addrs=ADDRS) + b"GET / HTTP/1.1\r\nHost: test\r\n"
               b"X-Forwarded-For: 198.51.100.9\r\n\r\n")
        assert c.response().status == 200
    assert s.line()[:3] == ["198.51.100.9", "-", "203.0.113.7"]
    assert s.o.requests[-1].all("x-forwarded-for") == \
        ["198.51.100.9, 203.0.113.7"]


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2",
                                     "send-proxy-v2 proxy-v2-options "
                                     "crc32c,unique-id"])
def test_haproxy_is_understood(gatehouse, origin, haproxy, options):
    """proxy-protocol.txt: the protocol's own program is a peer as any."""
    s = Setup(gatehouse, origin())
    peer = haproxy(options, s.gh.port)
    with Client(("127.0.0.1", peer.port)) as c:
        assert c.get("/").status == 200
        own = str(c.sock.getsockname()[1])
    line = s.line()
    assert line[0] == "127.0.0.1" and line[1] == own
    assert line[4] == str(peer.port)
