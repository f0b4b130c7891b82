"""What a request to a proxy asks for is its target and nothing else (RFC 9112
3.2.2, RFC 9110 7.1); what can be read in two ways is refused."""
import pytest

from lib.origin import OK


def test_the_target_decides_and_host_is_made_of_it(proxy, origin):
    o = origin()
    p = proxy(zone={"a.test": ["127.0.0.1"]})
    port = o.port
    for url, target, host in (
            (f"http://127.0.0.1:{port}/x?y=1", "/x?y=1", f"127.0.0.1:{port}"),
            (f"http://a.test:{port}", "/", f"a.test:{port}"),
            (f"HTTP://A.Test.:{port}/%41/../b", "/%41/../b",
             f"a.test:{port}"),
            (f"http://a.test:{port}?q", "/?q", f"a.test:{port}"),
            (f"http://a.test:{port}//twice//", "//twice//",
             f"a.test:{port}")):
        assert p.get(url).status == 200
        got = o.requests[-1]
        assert (got.target, got.all("host")) == (target, [host]), url
    assert [q for q, _ in p.dns.asked].count("a.test") == 2  # A, AAAA
    assert "elsewhere.test" not in dict(p.dns.asked)


def test_one_connection_asks_many_servers(proxy, origin):
    """The next request of a client goes elsewhere; connections to servers are
    kept, each for its own host and port."""
    a, b = origin(), origin()
    p = proxy()
    with p.client() as c:
        for o in (a, b, a, b):
            c.send(b"GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n"
                   % o.address.encode())
            assert c.response().text == "ok"
    assert (len(a.conns), len(b.conns)) == (1, 1)
    assert (len(a.requests), len(b.requests)) == (2, 2)


def test_clients_of_1_0_are_served(proxy, origin):
    """Without Host, with the end of the connection as the end of the answer."""
    o = origin(lambda conn, _: conn.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n"))
    got = proxy().get(f"http://{o.address}/", version="1.0", host=None)
    assert (got.status, got.text, got.framing) == (200, "abc", "close")
    assert o.requests[0].get("host") == o.address


def test_content_goes_both_ways(proxy, origin):
    def echo(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                  % len(request.body) + request.body)

    o = origin(echo)
    body = bytes(range(256)) * 2000
    with proxy().client() as c:
        c.send(b"POST http://%s/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
               b"\r\n\r\n" % (o.address.encode(), len(body)) + body)
        assert c.response().body == body


REFUSED = [
    ("GET / HTTP/1.1", "no_target"),
    ("GET /proxy HTTP/1.1", "no_target"),
    ("OPTIONS * HTTP/1.1", "no_target"),
    ("GET https://127.0.0.1/ HTTP/1.1", "target_scheme"),
    ("GET ftp://127.0.0.1/ HTTP/1.1", "target_scheme"),
    ("GET ws://127.0.0.1/ HTTP/1.1", "target_scheme"),
    ("GET http://u@127.0.0.1/ HTTP/1.1", "client_bad"),
    ("GET http://u:p@127.0.0.1:80/ HTTP/1.1", "client_bad"),
    ("GET http://127.0.0.1@evil.test/ HTTP/1.1", "client_bad"),
    ("GET http:///x HTTP/1.1", "client_bad"),
    ("GET http://:80/ HTTP/1.1", "client_bad"),
    ("GET http://127.0.0.1:0/ HTTP/1.1", "target_host"),
    ("GET http://127.0.0.1:00/ HTTP/1.1", "target_host"),
    ("GET http://127.0.0.1:65536/ HTTP/1.1", "client_bad"),
    ("GET http://127.0.0.1:8 0/ HTTP/1.1", "client_bad"),
    ("GET http://127.1/ HTTP/1.1", "target_host"),
    ("GET http://127.0.1/ HTTP/1.1", "target_host"),
    ("GET http://2130706433/ HTTP/1.1", "target_host"),
    ("GET http://0x7f000001/ HTTP/1.1", "target_host"),
    ("GET http://0x7f.0.0.1/ HTTP/1.1", "target_host"),
    ("GET http://0X7F.1/ HTTP/1.1", "target_host"),
    ("GET http://127.0.0.0x1/ HTTP/1.1", "target_host"),
    ("GET http://0177.0.0.1/ HTTP/1.1", "target_host"),
    ("GET http://127.0.0.01/ HTTP/1.1", "target_host"),
    ("GET http://017700000001/ HTTP/1.1", "target_host"),
    ("GET http://127.0.0.1.1/ HTTP/1.1", "target_host"),
    ("GET http://1.2.3/ HTTP/1.1", "target_host"),
    ("GET http://a.test.1/ HTTP/1.1", "target_host"),
    ("GET http://a.0x/ HTTP/1.1", "target_host"),
    ("GET http://a..test/ HTTP/1.1", "target_host"),
    ("GET http://a.test../ HTTP/1.1", "target_host"),
    ("GET http://./ HTTP/1.1", "target_host"),
    ("GET http://.a.test/ HTTP/1.1", "target_host"),
    ("GET http://a,test/ HTTP/1.1", "target_host"),
    ("GET http://a*/ HTTP/1.1", "target_host"),
    ("GET http://a%2etest/ HTTP/1.1", "client_bad"),
    ("GET http://127.0.0.1%00.test/ HTTP/1.1", "client_bad"),
    ("GET http://[::1%25lo]/ HTTP/1.1", "client_bad"),
    ("GET http://[127.0.0.1]/ HTTP/1.1", "client_bad"),
    ("GET http://[::1/ HTTP/1.1", "client_bad"),
    ("GET http://::1/ HTTP/1.1", "client_bad"),
    ("GET http://_http._tcp.a.test/ HTTP/1.1", "target_host"),
    ("GET http://" + "a" * 64 + ".test/ HTTP/1.1", "target_host"),
    ("CONNECT a.test HTTP/1.1", "client_bad"),
    ("CONNECT a.test: HTTP/1.1", "client_bad"),
    ("CONNECT a.test:0 HTTP/1.1", "client_bad"),
    ("CONNECT http://a.test:443/ HTTP/1.1", "client_bad"),
    ("CONNECT /x HTTP/1.1", "client_bad"),
    ("CONNECT 0x7f.1:443 HTTP/1.1", "target_host"),
    ("CONNECT u@a.test:443 HTTP/1.1", "client_bad"),
    ("TRACE http://127.0.0.1/ HTTP/1.1", "method_refused"),
]


def test_what_has_two_readings_is_refused(proxy):
    """A loop over all of it; nobody is asked for a name."""
    p = proxy()
    for i, (line, fault) in enumerate(REFUSED):
        with p.client() as c:
            c.send(line.encode() + b"\r\nHost: 127.0.0.1\r\n\r\n")
            assert c.response().status in (400, 405), line
        assert p.lines(i + 1)[-1].split()[1] == fault, line
    assert not p.dns.asked


def test_a_clear_word_for_who_takes_it_for_a_server(proxy):
    got = proxy().get("/", host="proxy.test")
    assert got.status == 400
    assert "this is a proxy" in got.text and "whole URL" in got.text


def test_options_counts_its_hops(proxy, origin):
    """RFC 9110 7.6.2: 0 is answered here, more goes on with one less; without a
    path it speaks to the server as a whole (RFC 9112 3.2.4)."""
    o = origin()
    p = proxy()
    got = p.get(f"http://{o.address}/", "Max-Forwards: 0", method="OPTIONS")
    assert got.status == 200 and "CONNECT" in got.get("allow")
    assert not o.requests
    assert p.get(f"http://{o.address}", "Max-Forwards: 2",
                 method="OPTIONS").status == 200
    assert o.requests[0].target == "*"
    assert o.requests[0].get("max-forwards") == "1"


def test_a_proxy_that_asks_itself_is_told(proxy):
    """Its own address is nowhere to go, whatever else is allowed."""
    p = proxy(zone={"me.test": ["127.0.0.1"]})
    for host in ("127.0.0.1", "me.test", "[::ffff:127.0.0.1]"):
        assert p.get(f"http://{host}:{p.gh.port}/").status == 403
        c, answer = p.connect(f"{host}:{p.gh.port}")
        c.close()
        assert answer.status == 403


def test_a_request_that_came_through_here_is_a_loop(proxy, origin):
    o = origin()
    p = proxy()
    p.get(f"http://{o.address}/")
    via = o.requests[0].get("via")
    got = p.get(f"http://{o.address}/", f"Via: {via}, 1.1 other")
    assert got.status == 508 and len(o.requests) == 1


def test_an_answer_that_only_a_proxy_may_give_is_none(proxy, origin):
    """A challenge of a server would get what the client knows of us (RFC 9110
    11.7)."""
    o = origin(lambda conn, _: conn.send(
        b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n"
        b"Content-Length: 0\r\n\r\n"))
    got = proxy().get(f"http://{o.address}/")
    assert got.status == 502 and not got.all("proxy-authenticate")


@pytest.mark.parametrize("field", ["Connection: upgrade", "Connection: Upgrade, close"])
def test_websockets_pass_in_plain(proxy, origin, field):
    def switch(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: upgrade\r\n\r\nhello")
        conn.send(conn.reader.exactly(4))
        return False

    o = origin(switch)
    with proxy().client() as c:
        c.send(b"GET http://%s/chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket"
               b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
               b"dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n"
               % (o.address.encode(), field.encode()))
        assert c.response().status == 101
        assert c.reader.exactly(5) == b"hello"
        c.send(b"ping")
        assert c.reader.exactly(4) == b"ping"


def test_a_server_that_goes_away_is_asked_anew(proxy, origin):
    """A pooled connection that the server closed says nothing of it."""
    def once(conn, _):
        conn.send(OK)
        return False

    o = origin(once)
    p = proxy()
    assert [p.get(f"http://{o.address}/").status for _ in range(4)] == [200] * 4
