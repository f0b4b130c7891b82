"""Error pages that a server of an upstream makes (`error_page = ...
upstream:NAME/PATH`, doc/presets.md): what it is asked, what counts of its
answer, and that without one our own page is there."""
import re
import threading

import pytest

from lib.gatehouse import run
from lib.h2 import Conn
from lib.origin import ok
from lib.procs import until

INI = """
[global]
workers = 1
[cache c]
memory = 4m
[listen x]
address = 127.0.0.1:{port}
h2c = on
header_max = 1k
[defaults]
error_page = 421 431 upstream:pages/any/{status}
[upstream pages]
server = {pages}
[upstream self]
server = 127.0.0.1:{port}
[upstream dead]
server = 127.0.0.1:1
retry = none
[site s]
hosts = a.test
upstream = {origin}
timeout = 1s
error_page = 4xx 5xx upstream:pages/s/{status}.html
error_page = 410 upstream:pages/gone
[route s /own]
respond = 404
[route s /text]
respond = 404 my own words
[route s /down]
upstream = dead
[route s /take]
error_page = 404 500 upstream:pages/taken intercept
[route s /take/dead]
error_page = 404 upstream:dead/ intercept
[route s /kept]
cache = c
error_page = 404 upstream:pages/taken intercept
[route s /loop]
respond = 404
error_page = 404 upstream:self/loop
[route s /packed]
respond = 404
compress = gzip
compress_min_length = 1b
[site t]
hosts = b.test
respond = 404
error_page = 404 upstream:pages/t
"""
HOW = {}


def page(conn, request):
    how = HOW.get("page")
    if how is None:
        return conn.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Inner: i\r\n"
            b"Set-Cookie: s=1\r\nContent-Language: eo\r\nServer: inner/1\r\n"
            b"Cache-Control: max-age=9\r\nContent-Length: %d\r\n\r\n%b" % (
                len(body := b"page of " + request.target.encode()), body))
    return how(conn)


def origin(conn, request):
    conn.send(b"HTTP/1.1 %b No\r\nX-Secret: s\r\nCache-Control: max-age=60\r\n"
              b"ETag: \"e\"\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\nsecret"
              % re.findall(r"\d{3}", request.target)[0].encode())


class Setup:
    def __init__(self, gh, pages, o):
        self.gh, self.pages, self.origin = gh, pages, o

    def ask(self, path, host="a.test", **kwargs):
        with self.gh.client() as c:
            return c.get(path, host=host, **kwargs)


@pytest.fixture(scope="module")
def setup(shared_gatehouse, shared_origin):
    pages, o = shared_origin(page), shared_origin(origin)
    return Setup(shared_gatehouse(INI, pages=pages.address, origin=o.address),
                 pages, o)


@pytest.fixture(autouse=True)
def as_usual():
    HOW.clear()


def is_ours(r, status):
    return r.status == status and f"<h1>{status} " in r.text


@pytest.mark.parametrize("path, host, status, want", [
    ("/own", "a.test", 404, "/s/404.html"), ("/down", "a.test", 502,
                                             "/s/502.html"),
    ("/own", "b.test", 404, "/t"), ("/own", "other.test", 421, "/any/421"),
    ("/take/404", "a.test", 404, "/taken"),
    ("/take/500", "a.test", 500, "/taken")])
def test_each_status_and_site_has_its_page(setup, path, host, status, want):
    r = setup.ask(path, host)
    assert (r.status, r.text) == (status, "page of " + want)
    assert r.get("content-type") == "text/html"
    assert r.get("content-language") == "eo"
    asked = setup.pages.requests[-1]
    assert (asked.method, asked.target) == ("GET", want)
    assert asked.get("x-error-status") == str(status)
    assert re.fullmatch("[0-9a-f]{32}", asked.get("x-request-id"))


def test_it_is_told_of_the_error_and_nothing_of_the_client(setup):
    """Credentials are none of its business, and of its answer only the content
    and what kind of it that is are the client's."""
    r = setup.ask("/own?a=b", extra=(
        b"Cookie: c=1\r\nAuthorization: Basic x\r\nAccept-Language: de\r\n"
        b"Accept: text/html\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n"
        b"X-Forwarded-Uri: /evil\r\n"))
    assert r.text == "page of /s/404.html"
    for name in ("x-inner", "set-cookie", "server", "cache-control"):
        assert r.get(name) is None, name
    asked = setup.pages.requests[-1]
    assert {n.decode().lower() for n, _ in asked.fields} == {
        "host", "accept", "accept-language", "x-error-status", "x-request-id",
        "x-forwarded-host", "x-forwarded-proto", "x-forwarded-uri", "via"}
    assert asked.get("x-forwarded-uri") == "/own?a=b"
    assert asked.get("host") == "a.test"


def test_before_anything_is_known_of_the_request(setup):
    """A head that is too large has the page of [defaults]."""
    with setup.gh.client() as c:
        r = c.get("/", extra=b"X-A: " + b"a" * 2000 + b"\r\n")
        assert (r.status, r.text) == (431, "page of /any/431")


def test_an_own_text_and_other_answers_stay(setup):
    n = len(setup.pages.requests)
    assert setup.ask("/text").text == "my own words"
    assert setup.ask("/404").text == "secret"
    assert len(setup.pages.requests) == n


def test_head_and_later_requests_of_a_connection(setup):
    with setup.gh.client() as c:
        c.send(b"HEAD /own HTTP/1.1\r\nHost: a.test\r\n\r\n")
        r = c.response("HEAD")
        assert (r.status, r.body) == (404, b"")
        assert r.get("content-length") == str(len("page of /s/404.html"))
        assert c.get("/own", host="a.test").text == "page of /s/404.html"
        c.send(b"POST /own HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n"
               b"\r\nabc")
        assert c.response().text == "page of /s/404.html"
        assert c.get("/take/404", host="a.test").text == "page of /taken"


def test_over_http2(setup):
    with Conn(("127.0.0.1", setup.gh.port)) as c:
        streams = [c.ask("GET", path, authority="a.test")
                   for path in ("/own", "/take/500", "/down")]
        assert [(r.status, r.body) for r in map(c.answer, streams)] == [
            (404, b"page of /s/404.html"), (500, b"page of /taken"),
            (502, b"page of /s/502.html")]
        n = len(setup.pages.requests)
        r = c.answer(c.ask("POST", "/own", ("content-type", "application/grpc"),
                           ("te", "trailers"), authority="a.test"))
        assert r.get("grpc-status") and len(setup.pages.requests) == n


def test_a_page_is_compressed_like_any_answer(setup):
    r = setup.ask("/packed", extra=b"Accept-Encoding: gzip\r\n")
    assert r.status == 404 and r.get("content-encoding") == "gzip"


def test_a_kept_error_has_a_page_with_each_hit(setup):
    """The cache keeps what the origin said, which no client sees; the page is
    not kept in its place."""
    n, asked = len(setup.origin.requests), len(setup.pages.requests)
    for _ in range(3):
        r = setup.ask("/kept/404")
        assert (r.status, r.text) == (404, "page of /taken")
        assert r.get("x-secret") is r.get("etag") is None
    assert len(setup.origin.requests) == n + 1
    assert len(setup.pages.requests) == asked + 3


# --- when there is none -------------------------------------------------------

def cut(conn):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    return False


@pytest.mark.parametrize("how", [
    lambda conn: conn.reset(), cut,
    lambda conn: conn.send(b"nonsense\r\n\r\n"),
    lambda conn: conn.send(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"),
    lambda conn: conn.send(b"HTTP/1.1 302 No\r\nLocation: /x\r\n"
                           b"Content-Length: 0\r\n\r\n"),
    lambda conn: conn.send(ok(b"x", b"Content-Encoding: gzip\r\n")),
    lambda conn: conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n"
                           b"\r\n"),
    lambda conn: conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                           b"\r\n\r\n" + 5 * (b"10000\r\n" + 65536 * b"x" +
                                              b"\r\n")),
    lambda conn: None,
], ids=["reset", "cut", "nonsense", "500", "302", "coded", "told-too-long",
        "too-long", "hangs"])
def test_without_a_whole_page_ours_is_there(setup, how):
    """Also in place of an origin's answer: nothing of that is left."""
    HOW["page"] = how
    r = setup.ask("/take/404")
    assert is_ours(r, 404)
    assert "secret" not in r.text
    assert r.get("x-secret") is r.get("etag") is None
    assert r.get("retry-after") == "7"


def test_a_server_that_is_not_there(setup):
    assert is_ours(setup.ask("/take/dead/404"), 404)


def test_the_status_of_the_error_is_as_good_as_200(setup):
    HOW["page"] = lambda conn: conn.send(
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nmy\r\n"
        b"4\r\n own\r\n0\r\n\r\n")
    assert setup.ask("/own").text == "my own"
    HOW["page"] = lambda conn: conn.send(ok(b"x" * 262144))
    assert setup.ask("/own").body == b"x" * 262144


def test_a_page_that_is_asked_of_ourselves_ends(setup):
    """The request for a page says so: its own errors have ours."""
    r = setup.ask("/loop")
    assert r.status == 404 and r.text.count("<h1>404 ") == 1
    n = len(setup.pages.requests)
    assert is_ours(setup.ask("/own", extra=b"X-Error-Status: 404\r\n"), 404)
    assert len(setup.pages.requests) == n


def test_only_so_many_are_under_way(setup):
    """64 in a worker; who comes then has our page at once, and who leaves makes
    room."""
    held = threading.Semaphore(0)
    HOW["page"] = lambda conn: held.release()
    with Conn(("127.0.0.1", setup.gh.port)) as c:
        asked = [c.ask("GET", "/own", authority="a.test") for _ in range(64)]
        for _ in asked:
            assert held.acquire(timeout=5)
        assert is_ours(setup.ask("/own"), 404)
    HOW.clear()
    assert until(lambda: setup.ask("/own").text == "page of /s/404.html")


# --- the configuration --------------------------------------------------------

@pytest.mark.parametrize("line, where, why", [
    ("404 upstream:pagse/x", "3:18", "upstream 'pagse' is not defined; did you "
     "mean pages"),
    ("404 upstream:pages/x?y", "3:18", "is no path"),
    ("404 upstream:pages/{path}", "3:18", "{status} is the only variable"),
    ("404 upstream:pages/{hots}", "3:", "unknown variable"),
    ("404 upstream:pages/ intercept often", "3:", "error_page = STATUS..."),
])
def test_lines_that_mean_nothing(line, where, why, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\nerror_page = {line}\n"
                   "[route s /a]\nrespond = 200\n[upstream pages]\n"
                   "server = 127.0.0.1:1\n")
    said = run("-t", "-c", ini).stderr
    assert why in said and said.count("error:") == 1, said
    assert f"x.ini:{where}" in said, said


def test_a_forward_proxy_has_files_alone(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen p]\naddress = 127.0.0.1:1\nmode = forward\n"
                   "policy = f\n[forward f]\nallow = all\n"
                   "error_page = 502 upstream:pages/\n[upstream pages]\n"
                   "server = 127.0.0.1:1\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert "x.ini:7:14: error: error_page: in a [forward]" in done.stderr


def test_explain_tells_and_asks_nobody(setup):
    n = len(setup.pages.requests)
    done = run("explain", "GET", "http://a.test/own", "-c", setup.gh.ini)
    assert re.search(r"error_page +upstream:pages/s/\{status\}.html for 404 "
                     r".*gatehouse.ini:\d+", done.stdout), done.stdout
    assert len(setup.pages.requests) == n
