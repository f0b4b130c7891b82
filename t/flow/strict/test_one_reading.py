"""What goes on is said in one way only: what was said in several spellings or
to us alone does not reach the next reader (RFC 9110 7.6.1, RFC 9112 6, 7.1)."""
import pytest

from lib.origin import ok
from lib.strict import INI

HEAD = b"POST / HTTP/1.1\r\nHost: test\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


@pytest.fixture(scope="module")
def pair(shared_gatehouse, shared_origin):
    """A gatehouse and an origin that answers what `answers` holds."""
    answers = []
    o = shared_origin(lambda conn, request: conn.send(
        answers.pop() if answers else ok()))
    o.answers = answers
    return shared_gatehouse(INI, origin=o.address), o


def ask(pair, data):
    """What the origin saw of it."""
    gh, o = pair
    with gh.client() as c:
        assert c.send(data).response("POST").status == 200
    return o.requests[-1]


def answer(pair, data):
    """What the client saw of it."""
    gh, o = pair
    o.answers.append(data)
    with gh.client() as c:
        return c.get("/")


@pytest.mark.parametrize("told,length", [
    (b"3", "3"), (b"03", "3"), (b"00000000000000000000000003", "3")])
def test_length_in_one_spelling(pair, told, length):
    """RFC 9112 6.2: a length is decimal; with a zero in front some read it as
    octal."""
    r = ask(pair, HEAD + b"Content-Length: " + told + b"\r\n\r\nabc")
    assert (r.all("content-length"), r.body) == ([length], b"abc")


@pytest.mark.parametrize("told", [b"0", b"00", b"0000"])
def test_length_of_nothing_in_one_spelling(pair, told):
    """RFC 9112 6.2: one zero is left."""
    r = ask(pair, HEAD + b"Content-Length: " + told + b"\r\n\r\n")
    assert (r.all("content-length"), r.body) == (["0"], b"")


@pytest.mark.parametrize("told", [b"10", b"010", b"0000000010"])
def test_length_of_an_answer_in_one_spelling(pair, told):
    """RFC 9112 6.2: so it is for answers."""
    r = answer(pair, b"HTTP/1.1 200 OK\r\nContent-Length: " + told +
               b"\r\n\r\n0123456789")
    assert (r.all("content-length"), r.text) == (["10"], "0123456789")


@pytest.mark.parametrize("told", [
    b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED",
    b"TRANSFER-ENCODING: \t Chunked \t"])
def test_coding_in_one_spelling(pair, told):
    """RFC 9112 6.1: the coding is ours on the next hop."""
    r = ask(pair, HEAD + told + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert (r.all("transfer-encoding"), r.body) == (["chunked"], b"abc")
    assert not r.all("content-length")


@pytest.mark.parametrize("name", [
    b"Content_Length", b"CONTENT_LENGTH", b"Transfer_Encoding",
    b"transfer_Encoding", b"X_Forwarded_For"])
def test_framing_under_a_false_name(pair, name):
    """RFC 3875 4.1.18: to a CGI-like origin an underscore is a hyphen."""
    r = ask(pair, HEAD + name + b": 3\r\n\r\n")
    assert not r.all(name.decode())


def test_nominated_trailer_of_a_request(pair):
    """RFC 9110 7.6.1: what Connection names is taken out of the trailers,
    too."""
    r = ask(pair, HEAD + b"Connection: X-Hop, close\r\n" + CHUNKS +
            b"X-Hop: 1\r\nX-End: 2\r\nx-hop: 3\r\n\r\n")
    assert r.trailers == [(b"X-End", b"2")]


@pytest.mark.parametrize("connection", [
    b"Connection: X-Hop\r\n", b"Connection: close\r\nConnection: x-hop\r\n"])
def test_nominated_trailer_of_an_answer(pair, connection):
    """RFC 9110 7.6.1: so it is for answers."""
    r = answer(pair, b"HTTP/1.1 200 OK\r\n" + connection + CHUNKS +
               b"X-Hop: 1\r\nX-End: 2\r\n\r\n")
    assert (r.text, r.trailers) == ("abc", [(b"X-End", b"2")])


def test_trailers_that_frame_or_route(pair):
    """RFC 9110 6.5.1: what had to be known before the content is not taken
    from behind it."""
    r = ask(pair, HEAD + CHUNKS + b"Content-Length: 9\r\nHost: evil\r\n"
            b"Transfer-Encoding: x\r\nAuthorization: y\r\nCookie: z\r\n"
            b"X-Forwarded-For: 1.2.3.4\r\nX-End: 2\r\n\r\n")
    assert r.trailers == [(b"X-End", b"2")]


@pytest.mark.parametrize("target,host", [
    (b"http://test/a", "test"), (b"http://other:80/a", "other:80"),
    (b"HTTP://test/a", "test")])
def test_target_wins_over_host(pair, target, host):
    """RFC 9112 3.2.2: the next hop hears of one host only."""
    r = ask(pair, b"POST " + target + b" HTTP/1.1\r\nHost: evil\r\n\r\n")
    assert (r.target, r.all("host")) == ("/a", [host])


@pytest.mark.parametrize("target", [
    b"https://test/", b"ftp://test/", b"httpx://test/", b"ws://test/"])
def test_target_of_another_scheme(pair, target):
    """RFC 9110 7.4: a request for what is not served over this scheme is
    refused, not taken for one that is."""
    gh, o = pair
    n = len(o.requests)
    with gh.client() as c:
        c.send(b"GET " + target + b" HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.response().status == 421
    assert len(o.requests) == n


def test_scheme_told_by_a_trusted_proxy(gatehouse, origin):
    """RFC 9110 7.4: a trusted gateway says over what the client came."""
    o = origin()
    gh = gatehouse(INI.replace(
        "line_max", "trusted_proxies = 127.0.0.1\nline_max"),
        origin=o.address)
    for told, status in (b"https", 200), (b"http", 421):
        with gh.client() as c:
            c.send(b"GET https://test/ HTTP/1.1\r\nHost: test\r\n"
                   b"X-Forwarded-For: 192.0.2.1\r\n"
                   b"X-Forwarded-Proto: " + told + b"\r\n\r\n")
            assert c.response().status == status
