"""Fields that speak to the next hop only (RFC 9110 7.6.1)."""
import pytest


@pytest.mark.parametrize("line", [
    "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip",
    "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "Connection: keep-alive",
])
def test_hop_by_hop_fields_of_a_request_are_removed(setup, line):
    """RFC 9110 7.6.1: what is meant for us is not forwarded."""
    r = setup.ask(extra=line.encode() + b"\r\nX-Stays: 1\r\n")
    assert r.get(line.split(":")[0]) is None
    assert r.get("x-stays") == "1"


@pytest.mark.parametrize("nominated", [
    "X-Private", "x-PRIVATE", "close, X-Private", "X-Private,,", "a, X-Private",
    "\tX-Private \t, b", "keep-alive, X-Private, keep-alive",
])
def test_what_connection_names_is_removed(setup, nominated):
    """RFC 9110 7.6.1: fields that Connection names are for this hop."""
    r = setup.ask(extra=f"X-Private: 1\r\nConnection: {nominated}\r\n"
                        "X-Private: 2\r\nX-Private-Too: 3\r\n".encode())
    assert r.all("x-private") == []
    assert r.get("x-private-too") == "3"


def test_several_connection_fields_all_count(setup):
    """RFC 9110 5.3: lines of one list are one list."""
    r = setup.ask(extra=b"Connection: A\r\nA: 1\r\nB: 2\r\nConnection: B, C\r\n"
                        b"C: 3\r\nD: 4\r\n")
    assert [r.get(n) for n in "abcd"] == [None, None, None, "4"]


@pytest.mark.parametrize("name", [
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Real-IP", "Forwarded", "Via", "X-Request-Id",
])
def test_ours_are_added_after_the_removal(setup, name):
    """RFC 9110 7.6.1: a client cannot have removed what we add."""
    for way in ("stranger", "trusting"):
        r = setup.ask(way, extra=f"Connection: {name}\r\n".encode())
        assert len(r.all(name)) == 1


@pytest.mark.parametrize("name", [
    "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie",
])
@pytest.mark.parametrize("form", ["%s", "close, %s", "x,%s,y"])
def test_nominating_what_must_arrive_is_refused(setup, name, form):
    """Issue 2: without these a request would mean another thing: 400."""
    for spelled in (name, name.lower(), name.upper()):
        before = len(setup.o.requests)
        with setup.client("stranger") as c:
            r = c.get("/", extra=f"Connection: {form % spelled}\r\n".encode())
            assert r.status == 400
            assert c.is_closed()
        assert len(setup.o.requests) == before


def test_too_many_nominations_are_refused(setup):
    """Issue 2: everything sized by the network has a limit."""
    names = ", ".join(f"x{i}" for i in range(500))
    with setup.client("stranger") as c:
        r = c.get("/", extra=f"Connection: {names}\r\n".encode())
        assert r.status == 400


def test_hop_by_hop_fields_of_an_answer_are_removed(gatehouse, origin):
    """RFC 9110 7.6.1: the same in the other direction."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nConnection: X-Inner, keep-alive\r\n"
                  b"X-Inner: 1\r\nKeep-Alive: timeout=9\r\nUpgrade: h2\r\n"
                  b"Proxy-Connection: close\r\nX-Outer: 2\r\n"
                  b"Content-Length: 2\r\n\r\nok")

    o = origin(script)
    gh = gatehouse("[global]\nworkers = 1\n[listen x]\n"
                   "address = 127.0.0.1:{port}\n[site s]\nhosts = *\n"
                   "upstream = {origin}\n", origin=o.address)
    with gh.client() as c:
        r = c.get("/")
        for name in ("x-inner", "keep-alive", "upgrade", "proxy-connection",
                     "connection"):
            assert r.get(name) is None
        assert r.get("x-outer") == "2"
        assert c.get("/").status == 200


@pytest.mark.parametrize("line", ["Proxy: http://evil.test/", "pRoXy: x",
                                  "Proxy:"])
@pytest.mark.parametrize("way", ["stranger", "trusting"])
def test_proxy_never_reaches_the_origin(setup, way, line):
    """CVE-2016-5385 (httpoxy): a CGI would take it for its HTTP_PROXY."""
    r = setup.ask(way, extra=line.encode() + b"\r\n")
    assert r.get("proxy") is None


@pytest.mark.parametrize("line", [
    "X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6",
    "X_Real_IP: 6.6.6.6", "Content_Length: 5", "Transfer_Encoding: chunked",
    "X_Request_Id: x", "X_Forwarded_Whatever: x",
])
@pytest.mark.parametrize("way", ["stranger", "trusting"])
def test_underscores_do_not_forge_our_fields(setup, way, line):
    """CGI (RFC 3875 4.1.18) reads both spellings as one name."""
    r = setup.ask(way, extra=line.encode() + b"\r\nX_Own_Field: 1\r\n")
    assert r.get(line.split(":")[0]) is None
    assert r.get("x_own_field") == "1"


def test_te_names_what_passes_through_here(setup):
    """RFC 9110 10.1.4: trailers pass, codings do not; TE is nominated."""
    r = setup.ask(extra=b"TE: deflate;q=0.3, trailers\r\nConnection: TE\r\n")
    assert r.all("te") == ["trailers"]
    assert r.all("connection") == ["TE"]
    r = setup.ask(extra=b"TE: deflate\r\nConnection: TE\r\n")
    assert r.get("te") is None and r.get("connection") is None


def test_max_forwards_is_counted_for_options_only(setup):
    """RFC 9110 7.6.2: OPTIONS loses one at each hop; others are not ours."""
    r = setup.ask(extra=b"Max-Forwards: 5\r\n", method="OPTIONS")
    assert r.all("max-forwards") == ["4"]
    r = setup.ask(extra=b"Max-Forwards: 5\r\n")
    assert r.all("max-forwards") == ["5"]
