"""What is asked of intermediaries themselves: OPTIONS *, TRACE, Max-Forwards,
Via (RFC 9110 7.6, 9.3)."""
import pytest

from lib.origin import ok


def ask(line, extra=b""):
    return line + b" HTTP/1.1\r\nHost: test\r\n" + extra + b"\r\n"


def test_options_for_the_server_is_answered_here(pair):
    """RFC 9110 9.3.7: `OPTIONS *` asks about the server in general."""
    gh, o = pair()
    with gh.client() as c:
        r = c.send(ask(b"OPTIONS *")).response()
        assert (r.status, r.body, r.get("content-length")) == (200, b"", "0")
        assert "GET" in r.get("allow")
        assert c.get("/").text == "ok"
    assert [r.method for r in o.requests] == ["GET"]


def test_options_without_a_path_is_options_for_the_server(pair):
    """RFC 9112 3.2.4: an absolute target with an empty path stands for `*`."""
    gh, o = pair()
    with gh.client() as c:
        r = c.send(ask(b"OPTIONS http://test")).response()
        assert (r.status, r.get("content-length")) == (200, "0")
    assert not o.requests


@pytest.mark.parametrize("line", [b"GET *", b"POST *", b"OPTIONS *?x"])
def test_the_asterisk_is_for_options_alone(pair, line):
    """RFC 9112 3.2.4: no other request has the asterisk form."""
    gh, o = pair()
    with gh.client() as c:
        assert c.send(ask(line)).response().status == 400
        assert c.is_closed()
    assert not o.requests


def test_options_of_a_resource_is_forwarded(pair):
    """RFC 9110 9.3.7: what is behind a path is the origin's to say."""
    gh, o = pair(lambda conn, r: conn.send(ok(b"", b"Allow: BREW\r\n")))
    with gh.client() as c:
        assert c.send(ask(b"OPTIONS /x")).response().get("allow") == "BREW"
    assert o.requests[0].first == b"OPTIONS /x HTTP/1.1"


def test_max_forwards_0_is_answered_here(pair):
    """RFC 9110 7.6.2: at 0 the recipient answers and does not forward."""
    gh, o = pair()
    with gh.client() as c:
        r = c.send(ask(b"OPTIONS /x", b"Max-Forwards: 0\r\n")).response()
        assert r.status == 200 and r.get("allow")
        assert c.get("/").text == "ok"
    assert [r.target for r in o.requests] == ["/"]


@pytest.mark.parametrize("told, left", [
    ("1", "0"), ("10", "9"), ("18446744073709551615", "18446744073709551614")])
def test_max_forwards_counts_down(pair, told, left):
    """RFC 9110 7.6.2: an OPTIONS that goes on carries one less."""
    gh, o = pair()
    with gh.client() as c:
        c.send(ask(b"OPTIONS /", b"Max-Forwards: %b\r\n" % told.encode()))
        assert c.response().status == 200
    assert o.requests[0].all("max-forwards") == [left]


def test_max_forwards_of_other_methods_is_not_ours(pair):
    """RFC 9110 7.6.2: it may be ignored for methods that do not define it."""
    gh, o = pair()
    with gh.client() as c:
        assert c.get("/", extra=b"Max-Forwards: 0\r\n").text == "ok"
    assert o.requests[0].get("max-forwards") == "0"


@pytest.mark.parametrize("extra", [b"", b"Max-Forwards: 0\r\n",
                                   b"Max-Forwards: 5\r\n"])
def test_trace_is_refused(logged, extra):
    """RFC 9110 9.3.8: a TRACE would show what other hops added, cookies and
    all; 405 names what is served (15.5.6)."""
    gh, o, lines = logged()
    with gh.client() as c:
        r = c.send(ask(b"TRACE /", extra + b"Cookie: a=b\r\n")).response()
        assert r.status == 405
        assert "TRACE" not in r.get("allow")
        assert b"a=b" not in r.body
        assert c.get("/").text == "ok"
    assert [r.method for r in o.requests] == ["GET"]
    assert lines()[0] == "405 method_refused"


def test_connect_is_refused(logged):
    """RFC 9110 9.3.6: a reverse proxy opens no tunnels to where clients say."""
    gh, o, lines = logged()
    with gh.client() as c:
        c.send(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n")
        assert c.response().status == 405
    assert not o.conns
    assert lines()[0] == "405 method_refused"


def test_a_request_that_comes_back_is_a_loop(logged):
    """RFC 9110 7.6.3, RFC 5842 7.2: our own name in Via is a loop: 508."""
    gh, o, lines = logged()
    with gh.client() as c:
        c.get("/")
        via = o.requests[0].get("via")
        assert via.startswith("1.1 ")
        r = c.get("/", extra=b"Via: 1.0 other, " + via.encode() + b"\r\n")
        assert r.status == 508
        assert c.get("/", extra=b"Via: 1.1 other\r\n").text == "ok"
    assert o.requests[-1].get("via") == f"1.1 other, {via}" or \
        o.requests[-1].all("via") == ["1.1 other", via]
    assert lines(3)[1] == "508 loop"


def test_a_loop_of_configuration_ends(logged):
    """RFC 9110 7.6.3: two that point at each other stop at the second pass."""
    gh, _, lines = logged()
    gh.reload(gh.ini.read_text().replace(
        next(line for line in gh.ini.read_text().splitlines()
             if line.startswith("server =")),
        f"server = 127.0.0.1:{gh.port}"))
    with gh.client() as c:
        assert c.get("/").status == 508
    assert sorted(lines(2)) == ["508 -", "508 loop"]
