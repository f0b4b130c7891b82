"""A proxy behind this one asks in its place: plain requests with their whole URL
(RFC 9112 3.2.2), tunnels by CONNECT. Lines decide by the host, and several of
the same hosts stand in for one another."""
import base64
import subprocess

import pytest

from lib.certs import Authority
from lib.gatehouse import free_port, run
from lib.tls_origin import TlsOrigin, server_context

SQUID = """
[log squid]
path = {dir}/squid.log
format = squid
buffer = none
"""
TUNNEL = b"HTTP/1.1 200 Fine\r\nVia: 1.1 p\r\nX-Parent: p\r\n\r\n"


def as_parent(conn, request):
    """A recording parent: tunnels give back what comes."""
    if request.method != "CONNECT":
        body = b"by parent"
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) +
                  body)
        return None
    # the first bytes of the tunnel come with the head
    conn.send(TUNNEL + b"early")
    while data := conn.sock.recv(65536):
        conn.send(data)
    return False


def curl(*args):
    done = subprocess.run(["curl", "-sS", *map(str, args)], timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_clients_reach_servers_through_two(proxy, origin):
    """Names are the parent's to look up; the child asks for none."""
    o = origin(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(r.body + b"ok") +
        r.body + b"ok"))
    b = proxy(zone={"a.test": ["127.0.0.1"]})
    a = proxy(f"parent = http://127.0.0.1:{b.gh.port} for=.test\n"
              "parent = direct")
    url = f"http://a.test:{o.port}/x?y"
    way = ("-x", f"http://127.0.0.1:{a.gh.port}")
    assert curl(*way, url) == b"ok"
    assert curl(*way, "-d", "body", url, url) == b"bodyokbodyok"
    assert curl(*way, "-p", url) == b"ok"
    assert curl(*way, f"http://{o.address}/direct") == b"ok"
    plain, *_, tunnel, direct = o.requests
    assert plain.target == tunnel.target == "/x?y"
    assert len(plain.all("via")) == 2
    assert plain.get("host") == f"a.test:{o.port}"
    assert len(direct.all("via")) == 1
    assert not tunnel.all("via")
    assert not a.dns.asked
    assert [line.split()[2] for line in b.lines(4)] == \
        ["GET", "POST", "POST", "CONNECT"]
    assert [line.split()[4] for line in a.lines(5)] == \
        [f"127.0.0.1:{b.gh.port}"] * 4 + [o.address]


def test_what_a_parent_is_told(proxy, origin, tmp_path):
    """The whole URL, who we are, and nothing that was said to us."""
    o = origin(as_parent)
    secret = tmp_path / "secret"
    secret.write_text("office:p@ss:word\n")
    proof = "Basic " + base64.b64encode(b"office:p@ss:word").decode()
    a = proxy(f"parent = http://{o.address} auth={secret}", more=SQUID,
              listen="access_log = access squid")
    mine = "Proxy-Authorization: Basic bWluZTptaW5l"
    assert a.get("http://a.test/x?y", mine).text == "by parent"
    assert a.get("http://A.test:81", mine, "Via: 1.1 b").text == "by parent"
    assert a.get("http://[2606:4700::1]/", mine).text == "by parent"
    assert a.get("http://a.test/", method="POST").text == "by parent"
    assert a.get("http://a.test", method="OPTIONS").text == "by parent"
    c, answer = a.connect("a.test:443", mine, "Via: 1.1 b", "X-Mine: 1")
    with c:
        assert answer.status == 200 and not answer.all("x-parent")
        assert c.reader.exactly(5) == b"early"
        c.send(b"bytes")
        assert c.reader.exactly(5) == b"bytes"
    assert [r.target for r in o.requests] == [
        "http://a.test/x?y", "http://a.test:81/", "http://[2606:4700::1]/",
        "http://a.test/", "http://a.test", "a.test:443"]
    assert all(r.all("proxy-authorization") == [proof] for r in o.requests)
    tunnel = o.requests[-1]
    assert tunnel.get("host") == "a.test:443" and not tunnel.all("x-mine")
    assert tunnel.get("via").startswith("1.1 b, 1.1 gatehouse-")
    assert len(o.conns) == 2
    a.lines(6)
    assert all(line.split()[8] == "FIRSTUP_PARENT/127.0.0.1" for line in
               (a.gh.dir / "squid.log").read_text().splitlines())
    assert not o.errors


def test_the_next_one_stands_in(proxy, origin):
    """In the order of the lines, for what nobody was sent; what a parent answers
    is the answer."""
    first, second = free_port(), free_port()
    o = origin(as_parent)
    a = proxy(f"parent = http://127.0.0.1:{first} for=.test,other.example\n"
              f"parent = http://{o.address} for=.test,other.example\n"
              f"parent = http://127.0.0.1:{second} for=dead.example\n"
              "parent = direct for=.test\n"
              "connect_timeout = 200ms")
    for url in ("http://a.test/", "http://test/", "http://other.example/"):
        assert a.get(url).text == "by parent"
    assert a.get("http://b.test/", "Content-Length: 0",
                 method="POST").text == "by parent"
    c, answer = a.connect("a.test:443")
    c.close()
    assert answer.status == 200
    assert [r.method for r in o.requests] == \
        ["GET"] * 3 + ["POST", "CONNECT"]
    assert a.get("http://a.other.example/").status == 502
    assert a.get("http://dead.example/").status == 502
    c, answer = a.connect("dead.example:443")
    c.close()
    assert answer.status == 502
    # a tunnel has its line when it is over
    assert sorted(line.split()[1] for line in a.lines(8)) == \
        ["-"] * 5 + ["origin_connect"] * 2 + ["origin_name"]


@pytest.mark.parametrize("status, told", [
    (403, 403), (503, 503), (508, 508), (407, 502), (404, 502), (302, 502)])
def test_a_refusal_is_told(proxy, origin, status, told):
    """No client is asked for what it cannot know (407), nor sent elsewhere."""
    o = origin(lambda conn, _: conn.send(
        b"HTTP/1.1 %d No\r\nLocation: http://x/\r\n"
        b"Proxy-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno"
        % status))
    a = proxy(f"parent = http://{o.address}\nproxy_status = on")
    c, answer = a.connect("a.test:443")
    with c:
        c.send(b"early")
        assert answer.status == told and answer.get("connection") == "close"
    assert not answer.all("location") and not answer.all("proxy-authenticate")
    said = answer.get("proxy-status")
    assert "error=destination_unavailable" in said
    assert said.endswith(f"; received-status={status}")
    assert a.lines()[0].split()[:2] == [str(told), "parent_refused"]
    o.wait(lambda o: len(o.requests) == 1)


def test_a_parent_that_breaks(proxy, origin):
    o = origin(lambda conn, _: conn.send(b"garbage\r\n\r\n"))
    p = origin(lambda conn, _: False)
    a = proxy(f"parent = http://{o.address} for=.o.test\n"
              f"parent = http://{p.address}")
    for host in ("a.o.test", "a.test"):
        c, answer = a.connect(f"{host}:443")
        c.close()
        assert answer.status == 502
    assert [line.split()[1] for line in a.lines(2)] == \
        ["origin_bad", "origin_reset"]


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("b", "localhost", ips=["127.0.0.1"])
    return made


def test_the_way_to_a_parent_is_tls(proxy, origin, ca):
    """A proxy that speaks TLS itself: plain requests on one connection, tunnels,
    and both ways of them in bulk."""
    o = origin(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(r.body + b"ok") +
        r.body + b"ok"))
    b = proxy(zone={"a.test": ["127.0.0.1"]},
              listen=f"tls = on\ncertificate = {ca.dir / 'b.pem'}\n"
                     f"certificate_key = {ca.dir / 'b.key'}\n")
    a = proxy(f"parent = https://127.0.0.1:{b.gh.port}\nca = {ca.pem}")
    url = f"http://a.test:{o.port}/x?y"
    way = ("-x", f"http://127.0.0.1:{a.gh.port}")
    much = b"x" * 3_000_000
    assert curl(*way, url, url) == b"okok"
    assert curl(*way, "-p", url) == b"ok"
    body = a.gh.dir / "much"
    body.write_bytes(much)
    assert curl(*way, "-p", "--data-binary", f"@{body}", url) == much + b"ok"
    assert [r.target for r in o.requests] == ["/x?y"] * 4
    assert [line.split()[2] for line in b.lines(4)] == \
        ["GET", "GET", "CONNECT", "CONNECT"]
    assert {line.split()[4] for line in a.lines(4)} == \
        {f"https://127.0.0.1:{b.gh.port}"}


def test_a_parent_is_who_it_says(proxy, ca):
    """Its certificate is looked at, unless `tls_verify = off`; who we are is said
    to nobody else. No other protocol than HTTP/1.1 is offered."""
    t = TlsOrigin(server_context(ca.dir / "b.pem", alpn=("h2", "http/1.1")),
                  as_parent)
    secret = ca.dir / "secret"
    secret.write_text("office:word\n")
    parent = f"parent = {t.address} auth={secret}\n"
    try:
        a = proxy(parent)
        assert a.get("http://a.test/").status == 502
        c, answer = a.connect("a.test:443")
        c.close()
        assert answer.status == 502 and not t.requests
        assert [line.split()[1] for line in a.lines(2)] == ["origin_cert"] * 2
        for trust in ("tls_verify = off", f"ca = {ca.pem}"):
            b = proxy(parent + trust)
            assert b.get("http://a.test/").text == "by parent"
            c, answer = b.connect("a.test:443")
            with c:
                assert c.reader.exactly(5) == b"early"
                c.send(b"bytes")
                assert c.reader.exactly(5) == b"bytes"
        assert all(r.all("proxy-authorization") for r in t.requests)
        assert [s["alpn"] for s in t.shakes] == ["http/1.1"] * 4
    finally:
        t.close()


def test_a_loop_ends(proxy):
    """RFC 9110 7.6.3: plain, and by tunnels, whose CONNECT has a Via, too."""
    p = proxy("parent = http://127.0.0.1:{port}")
    assert p.get("http://a.test/").status == 508
    c, answer = p.connect("a.test:443")
    c.close()
    assert answer.status == 508
    assert sorted(line.split()[1] for line in p.lines(4)) == \
        ["-", "loop", "loop", "parent_refused"]


def test_what_is_refused_reaches_no_parent(proxy, origin):
    """By name, by address where the target is one, and by the address of a name
    where a rule had to know it."""
    o = origin(as_parent)
    zone = {"in.test": ["127.0.0.1"], "out.test": ["93.184.215.14"],
            "mixed.test": ["93.184.215.14", "198.41.0.4"],
            "good.test": ["198.41.0.4"]}
    more = "[acl bad]\ndomain = .bad.test\n[acl inner]\ndst_ip = 93.184.0.0/16\n"
    a = proxy(f"parent = http://{o.address}", is_open=False, zone=zone,
              allow="deny = bad\nallow = all", more=more)
    for host in ("127.0.0.1", "10.1.1.1", "[::1]", "localhost", "x.localhost",
                 "www.bad.test"):
        assert a.get(f"http://{host}/").status == 403, host
        c, answer = a.connect(f"{host}:443")
        c.close()
        assert answer.status == 403, host
    c, answer = a.connect("out.test:25")
    c.close()
    assert answer.status == 403
    assert not o.conns and not a.dns.asked
    assert a.get("http://none.test/").text == "by parent"
    assert not a.dns.asked
    b = proxy(f"parent = http://{o.address}", is_open=False, zone=zone,
              allow="deny = inner\nallow = all", more=more)
    for host, status in (("in", 403), ("out", 403), ("mixed", 403),
                         ("none", 502)):
        assert b.get(f"http://{host}.test/").status == status, host
    assert [line.split()[1] for line in b.lines(4)] == \
        ["private_address", "access_denied", "access_denied", "origin_name"]
    assert len(o.requests) == 1
    assert b.get("http://good.test/").text == "by parent"


def test_what_is_no_parent_is_told(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("no pair\n")
    for line, said in (
            ("http://a:1 for=a..b", "no domain"),
            ("http://a:1 for=", "for=VALUE"),
            ("ftp://a:1", "https://host:port, or direct"),
            ("https://a:1/x", "no path"),
            ("https://a:1\nca = /nowhere/at/all", "/nowhere/at/all"),
            ("http://u:p@a:1", "auth=FILE"),
            ("http://a:1/x", "no path"),
            (f"http://a:1 auth={secret}", "one line, user:password"),
            ("http://a:1 auth=/nowhere/at/all", "/nowhere/at/all"),
            ("direct\nparent = http://a:1", "never asked"),
            ("http://a:1\nparent = direct", "no parent to fall back to"),
            ("\nparent = ".join(["http://a:1"] * 9), "more than 8")):
        ini = tmp_path / "a.ini"
        ini.write_text("[listen p]\naddress = 127.0.0.1:1\nmode = forward\n"
                       f"policy = m\n[forward m]\nparent = {line}\n")
        done = run("-t", "-c", ini)
        assert done.returncode == 1 and said in done.stderr, (line, done.stderr)
