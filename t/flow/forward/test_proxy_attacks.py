"""What somebody would try who is let on for something else: one proxy, many ways
around what its rules say."""
import base64
import contextlib
import hashlib

import pytest

from lib import h2
from lib.dns import Dns
from lib.origin import Origin
from lib.procs import until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
INI = """
[global]
workers = 1
dns_servers = {dns}
[log access]
path = {dir}/access.log
format = {status} {fault} {method} {authority} {user}
buffer = none
[listen known]
address = 127.0.0.1:{port}
mode = forward
policy = known
[listen open]
address = 127.0.0.1:{port1}
mode = forward
policy = open
h2c = on
[forward known]
private_networks = allow
auth = login
deny = ben
allow = all
[forward open]
private_networks = allow
connect_ports = 443
deny = hidden
deny = secrets
allow = all
[acl ben]
user = ben
[acl hidden]
dst_ip = 127.0.0.7
[acl secrets]
domain = .secret.test
[auth login]
scheme = basic
users = people
[users people]
file = {people}
"""


def proof(name):
    pair = base64.b64encode(f"{name}:pässword".encode()).decode()
    return f"Proxy-Authorization: Basic {pair}\r\n"


def accept(request):
    """RFC 6455 4.2.2"""
    key = request.get("sec-websocket-key") + \
        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key.encode()).digest())


class World:
    def __init__(self, gh, dns, origin):
        self.gh, self.dns, self.origin = gh, dns, origin

    def open(self):
        return self.gh.client(self.gh.ports[1])

    def h2(self):
        return h2.Conn(("127.0.0.1", self.gh.ports[1]))

    def last(self, word):
        """The line of the log that has it."""
        path = self.gh.dir / "access.log"
        return until(lambda: [line for line in path.read_text().splitlines()
                              if word in line], what=word)[-1]


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin, tmp_path_factory):
    people = tmp_path_factory.mktemp("conf") / "people"
    people.parent.chmod(0o755)
    people.write_text(f"anna:{HASH}\nben:{HASH}\n")
    dns = Dns({"a.test": ["127.0.0.1"], "x.secret.test": ["127.0.0.1"],
               "mixed.test": ["127.0.0.7", "127.0.0.1"],
               "dexim.test": ["127.0.0.1", "127.0.0.7"]})
    yield World(shared_gatehouse(INI, ports=2, dns=dns.address, people=people),
                dns, shared_origin())
    dns.close()


def test_each_request_says_who_it_is(world):
    """A connection belongs to nobody: what one request proved says nothing of
    the next, also of one that came along in the same bytes."""
    o = world.origin
    ask = "GET http://%s/%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
    with world.gh.client() as c:
        c.send("".join(ask % (o.address, i, who and proof(who))
                       for i, who in enumerate(("anna", "", "ben", "anna")))
               .encode())
        assert [c.response().status for _ in range(4)] == [200, 407, 403, 200]
        c.send((ask % (o.address, "later", "")).encode())
        assert c.response().status == 407
    assert [r.target for r in o.requests[-2:]] == ["/0", "/3"]


def test_content_is_no_request_of_another_user(world):
    """What stands in content stays in it; what has two framings is refused and
    the connection ends, for what follows might be anybody's."""
    o, n = world.origin, len(world.origin.requests)
    inner = f"GET http://{o.address}/in HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with world.gh.client() as c:
        c.send(f"POST http://{o.address}/out HTTP/1.1\r\nHost: x\r\n"
               f"Content-Length: {len(inner)}\r\n{proof('anna')}\r\n".encode()
               + inner)
        assert c.response().status == 200
    for framing in ("Content-Length: 5\r\nTransfer-Encoding: chunked",
                    "Content-Length: 5\r\nContent-Length: 6",
                    "Transfer-Encoding: xchunked", "Content-Length: +5"):
        with world.gh.client() as c:
            c.send(f"POST http://{o.address}/two HTTP/1.1\r\nHost: x\r\n"
                   f"{framing}\r\n{proof('anna')}\r\n".encode() +
                   b"0\r\n\r\n" + inner)
            assert c.response().status in (400, 501)
            c.shut()
            assert c.is_closed()
    o.wait_requests(n + 1)
    assert [r.target for r in o.requests[n:]] == ["/out"]


@pytest.mark.parametrize("host", ["mixed.test", "dexim.test"])
def test_an_address_that_is_denied_is_not_raced(world, host):
    """Only the hidden one would answer: connections are tried side by side (RFC
    8305), and never to it."""
    hidden = Origin(host="127.0.0.7")
    try:
        with world.open() as c:
            c.send(f"GET http://{host}:{hidden.port}/ HTTP/1.1\r\nHost: x"
                   "\r\n\r\n".encode())
            assert c.response().status == 502
        assert not hidden.conns
    finally:
        hidden.close()


def test_tunnels_of_1_0(world):
    """With and without Host; the target is what counts."""
    for fields in ("", "Host: a.test:443\r\n"):
        for target, status in (("x.secret.test:443", 403), ("a.test:22", 403),
                               ("a.test", 400), ("a.test:443", 502)):
            with world.open() as c:
                c.send(f"CONNECT {target} HTTP/1.0\r\n{fields}\r\n".encode())
                assert c.response().status == status, (target, fields)


AUTHORITIES = {
    "": "reset", "a.test": "reset", "a.test:": "reset", "a.test:0": "reset",
    ":443": "reset", "a.test:443:443": "reset", "a.test:99999": "reset",
    "u@a.test:443": "reset", "http://a.test:443": "reset",
    "a.test:443/": "reset", "a.test:443?": "reset", "a.test:443#": "reset",
    "a.test :443": "reset", "a.test\t:443": "reset", "a.test\0:443": "reset",
    "a.test,b.test:443": 400, "0x7f.1:443": 400, "127.1:443": 400,
    "[::1%lo]:443": "reset", "[::1:443": "reset", "a..test:443": 400,
    "a.test:22": 403, "x.secret.test:443": 403, "X.SECRET.TEST.:443": 403,
    "x.secret.test:0443": 403,
}


def test_odd_authorities_of_streams(world):
    """RFC 9113 8.5: CONNECT of HTTP/2, as strict as that of HTTP/1."""
    with world.h2() as c:
        for authority, want in AUTHORITIES.items():
            got = c.answer(c.ask("CONNECT", None, scheme=None,
                                 authority=authority))
            is_bad = got.status == 400 or got.reset is not None
            assert is_bad if want == "reset" else got.status == want, \
                (authority, got.status, got.reset)


def test_host_of_a_stream_is_not_its_authority(world):
    """The authority decides; a Host that says otherwise is refused or without
    effect, and so for requests."""
    o, n = world.origin, len(world.origin.requests)
    with world.h2() as c:
        got = c.answer(c.ask("GET", "/", ("host", o.address),
                             authority="x.secret.test"))
        assert got.status in (400, 403) or got.reset is not None
        got = c.answer(c.ask("CONNECT", None, ("host", "a.test:443"),
                             scheme=None, authority="x.secret.test:443"))
        assert got.status in (400, 403) or got.reset is not None
        got = c.answer(c.ask("GET", "http://x.secret.test/",
                             authority=o.address))
        assert got.status == 400 or got.reset is not None
    assert len(o.requests) == n


def test_a_websocket_of_a_stream_is_a_request(world):
    """RFC 8441: it goes by its URL, not as a tunnel to any port; what is denied
    to requests is denied to it."""
    def switch(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: upgrade\r\nSec-WebSocket-Accept: " +
                  accept(request) + b"\r\n\r\nhello")
        conn.reader.to_end()
        return False

    o = Origin(switch)
    more = ((":protocol", "websocket"), ("sec-websocket-version", "13"))
    try:
        with world.h2() as c:
            s = c.next_stream()
            c.send(h2.headers(s, h2.block(h2.request(
                "CONNECT", "/chat", *more, authority=o.address)),
                h2.END_HEADERS))
            c.pump(lambda: len(c.stream(s).body) >= 5)
            assert c.stream(s).status == 200 and c.stream(s).body == b"hello"
            c.send(h2.data(s, b"", end=True))
            got = c.answer(c.ask("CONNECT", "/chat", *more,
                                 authority="x.secret.test"))
            assert got.status == 403
            got = c.answer(c.ask("CONNECT", "/chat", *more, scheme="https",
                                 authority=o.address))
            assert got.status == 400
    finally:
        o.close()


@pytest.mark.parametrize("target", [
    "http://x.secret.test/", "http://X.Secret.TEST./", "http://x.secret.test:80",
    "http://x.secret.test:?", "HTTP://x.secret.test:00080/"])
def test_no_spelling_of_a_name_is_another(world, target):
    with world.open() as c:
        c.send(f"GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        assert c.response().status == 403


def test_a_parent_that_goes_in_the_middle_of_a_tunnel(proxy):
    """Its end is the tunnel's, as it was: an end or a reset, and never a word of
    ours in the middle of what the server said."""
    ends = []

    def parent(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        assert conn.reader.exactly(4) == b"ping"
        if request.target == "reset.test:443":
            conn.reset()
        ends.append(request.target)
        return False

    with contextlib.closing(Origin(parent)) as o:
        p = proxy(f"parent = http://{o.address}")
        for host in ("end.test", "reset.test"):
            c, answer = p.connect(f"{host}:443")
            with c:
                assert answer.status == 200
                assert c.reader.exactly(5) == b"first"
                c.send(b"ping")
                try:
                    assert c.reader.to_end() == b""
                except ConnectionResetError:
                    assert host == "reset.test"
        assert [line.split()[0] for line in p.lines(2)] == ["200", "200"]
    assert ends[0] == "end.test:443"
