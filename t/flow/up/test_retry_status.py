"""retry = STATUS ...: an answer with that status is not passed on while another
server may be asked (RFC 9110 9.2.2); the last one is, whole."""
import collections
import concurrent.futures

import pytest

from lib import h2
from lib.gatehouse import free_port
from lib.origin import ok
from lib.procs import until

BODY = b"x" * 1000
STATUSES = [500, 502, 503, 504]
MB = 1 << 20


def answer(status, body=b"no", extra=b""):
    return (b"HTTP/1.1 %d No\r\n%sContent-Length: %d\r\n\r\n" %
            (status, extra, len(body)) + body)


@pytest.fixture
def says(origin):
    """says(503, b"text") starts an origin that always answers so."""
    return lambda *args: origin(
        lambda conn, request: conn.send(answer(*args)))


@pytest.fixture
def h2_says(h2_origin):
    """The same of HTTP/2."""
    return lambda status, text=b"no": h2_origin(
        lambda conn, request: conn.answer(request.stream, text, status))


@pytest.fixture(params=["http/1.1", "h2"])
def speaks(request, front, says, h2_says):
    """(make, says): make([server, ...], "words of retry") with servers of
    either protocol."""
    def make(servers, retry, **kwargs):
        return front(servers, upstream=f"protocol = {request.param}\n"
                     f"retry = {retry}", **kwargs)

    return make, h2_says if request.param == "h2" else says


def ask(gh, method="GET", body=b""):
    with gh.client() as c:
        c.send(b"%s / HTTP/1.1\r\nHost: test\r\n%s\r\n" % (
            method.encode(), b"Content-Length: %d\r\n" % len(body)
            if body else b"") + body)
        return c.response(method)


@pytest.mark.parametrize("status", STATUSES)
def test_the_next_server_is_asked(speaks, status):
    """No client sees a status that is named."""
    make, says = speaks
    bad, other = says(status), says(200, b"other")
    gh = make([bad, other], status)
    for _ in range(4):
        r = ask(gh)
        assert (r.status, r.text) == (200, "other")
    assert gh.log(4)[0] == {
        "status": "200", "fault": "-", "tries": "2", "origin_status": "200",
        "server": other.address}


def test_other_statuses_are_answers(speaks):
    """Only those that are named."""
    make, says = speaks
    bad, other = says(503), says(200)
    gh = make([bad, other], "connect reset invalid timeout 500 502 504")
    assert ask(gh).status == 503
    assert not other.requests


def test_the_last_answer_is_passed_on_whole(speaks):
    """With nobody left its status and content arrive; what came with the one
    before does not."""
    make, says = speaks
    first, last = says(503, b"f" * 50000), says(503, b"l" * MB)
    gh = make([first, last], "503")
    r = ask(gh)
    assert (r.status, r.body) == (503, b"l" * MB)
    assert gh.log()[0] == {
        "status": "503", "fault": "-", "tries": "2", "origin_status": "503",
        "server": last.address}


def test_one_server_alone(speaks):
    """There is no other one: its answer is the answer."""
    make, says = speaks
    bad = says(503, BODY)
    assert ask(make([bad], "503")).body == BODY
    assert len(bad.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "TELL"])
def test_what_is_not_idempotent_is_not_repeated(speaks, method):
    """RFC 9110 9.2.2: the answer is passed on as it is."""
    make, says = speaks
    bad, other = says(503, BODY), says(200)
    r = ask(make([bad, other], "503"), method, BODY)
    assert (r.status, r.body) == (503, BODY)
    assert len(bad.requests) == 1 and not other.requests


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_content_is_sent_again(speaks, method):
    """RFC 9110 9.2.2: an idempotent request goes on with all of it."""
    make, says = speaks
    bad, other = says(503), says(200, b"other")
    assert ask(make([bad, other], "503"), method, BODY).text == "other"
    assert [(r.method, r.body) for r in bad.requests + other.requests] == \
        [(method, BODY)] * 2


def test_content_that_was_not_kept(speaks):
    """What cannot be sent again whole is not: its answer arrives."""
    make, says = speaks
    bad, other = says(503, BODY), says(200)
    r = ask(make([bad, other], "503"), "PUT", bytes(MB))
    assert (r.status, r.body) == (503, BODY)
    assert not other.requests


def test_what_is_let_go_leaves_nothing(speaks):
    """However much content comes with a status, nothing of it gets into the
    next answer, and no window of HTTP/2 runs dry."""
    make, says = speaks
    bad, other = says(503, b"b" * MB), says(200, b"g" * MB)
    gh = make([bad, other], "503")
    for _ in range(20):
        assert ask(gh).body == b"g" * MB
    assert len(bad.requests) > 1


def test_all_workers_do_so(speaks):
    """Many at once, over several workers: no client sees the bad one."""
    make, says = speaks
    bad = says(503)
    gh = make([bad, says(200), says(200)], "503", workers=3)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: ask(gh).status, range(90)))
    assert collections.Counter(got) == {200: 90}
    assert bad.requests


def test_head(front, says, origin):
    """An answer that never has content counts like any other."""
    def head(status):
        return origin(lambda conn, r: conn.send(
            b"HTTP/1.1 %d No\r\nContent-Length: 5\r\n\r\n" % status))

    bad = head(503)
    gh = front([bad, head(200)], upstream="retry = 503")
    assert [ask(gh, "HEAD").status for _ in range(4)] == [200] * 4
    # all of it was there: it serves the next one
    assert len(bad.requests) > len(bad.conns) == 1


def test_a_whole_empty_answer_keeps_its_connection(front, says):
    """Nothing is left to come: the connection serves the next request."""
    bad = says(503, b"")
    gh = front([bad, says(200)], upstream="retry = 503")
    assert [ask(gh).status for _ in range(6)] == [200] * 6
    assert len(bad.requests) > len(bad.conns) == 1


def test_a_stream_is_reset_and_its_connection_stays(h2_front, h2_origin,
                                                    h2_says):
    """RFC 9113 8.1: the answer is given up, not its connection."""
    def script(conn, request):
        conn.head(request.stream, 503).body(request.stream, BODY, end=False)

    bad = h2_origin(script)
    gh = h2_front([bad, h2_says(200)], upstream="retry = 503")
    assert [ask(gh).status for _ in range(6)] == [200] * 6
    assert len(bad.requests) > len(bad.conns) == 1
    bad.wait(lambda o: all(r.reset == "CANCEL" for r in o.requests))


def test_interim_answers_go_on_before(front, origin, says):
    """RFC 9110 15.2: what came before the status was passed on already."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    bad = origin(lambda conn, request: conn.send(hint + answer(503)))
    gh = front([bad, says(200, b"other")], upstream="retry = 503")
    r = ask(gh)
    assert (r.status, r.text) == (200, "other")


def test_the_next_server_fails_in_its_own_way(front, says):
    """Then the third one is asked."""
    gh = front([says(503), f"127.0.0.1:{free_port()}", says(200, b"third")],
               upstream="retry = connect 503")
    assert ask(gh).text == "third"
    assert gh.log()[0]["tries"] == "3"


GARBAGE = [b"no HTTP at all\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
           # it ends within its head
           b"HTTP/1.1 200 OK\r\nA: b"]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("retry", ["invalid", "connect reset timeout 502"])
def test_garbage(front, origin, says, garbage, retry):
    """invalid: garbage instead of an answer."""
    def script(conn, request):
        conn.send(garbage)
        return False

    bad, other = origin(script), says(200, b"other")
    gh = front([bad, other], upstream=f"retry = {retry}")
    if retry != "invalid":
        assert ask(gh).status == 502
        assert gh.fault() in ("origin_bad", "origin_cut")
        assert not other.requests
        return
    for _ in range(3):
        assert ask(gh, "PUT", BODY).text == "other"
    assert bad.requests
    assert {r.body for r in other.requests} == {BODY}


def test_garbage_for_a_post(front, origin, says):
    """RFC 9110 9.2.2: who sent garbage may have acted on the request."""
    other = says(200)
    gh = front([origin(lambda conn, request: conn.send(GARBAGE[0])), other],
               upstream="retry = invalid")
    assert ask(gh, "POST", BODY).status == 502
    assert gh.fault() == "origin_bad"
    assert not other.requests


def test_garbage_of_http_2(h2_front, h2_origin, h2_says):
    """RFC 9113 8.1.1: a malformed head is garbage, too."""
    def script(conn, request):
        conn.send(*h2.head(request.stream, h2.block(
            [(":status", "200"), ("Upper", "b")]), True))

    bad = h2_origin(script)
    gh = h2_front([bad, h2_says(200, b"other")], upstream="retry = invalid")
    assert [ask(gh).text for _ in range(4)] == ["other"] * 4
    assert bad.requests


def test_a_call_of_grpc(h2_front, h2_says):
    """It is a POST: a server that acted on it is not doubled by another one,
    and its status arrives as it is."""
    bad, other = h2_says(503), h2_says(200)
    gh = h2_front([bad, other], upstream="retry = reset invalid 503")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.block(h2.request(
            "POST", "/t.Echo/Unary", ("content-type", "application/grpc"),
            ("te", "trailers"))), h2.END_HEADERS),
            h2.data(stream, b"\0\0\0\0\1x", end=True))
        assert c.answer(stream).status == 503
    assert len(bad.requests) == 1 and not other.requests


CACHE = """cache = pages
[cache pages]
memory = 8m
stale_while_revalidate = 1h
"""
STALE = b"Cache-Control: max-age=0\r\n"


def test_requests_of_a_cache(front, origin):
    """What a cache asks by itself, while clients get what is stale, is repeated
    like what a client asks: each 503 of the first server is followed by a
    question to the second."""
    bad = origin(lambda conn, r: conn.send(answer(503, b"no", STALE)))
    good = origin(lambda conn, r: conn.send(ok(b"good", STALE)))
    gh = front([bad, f"{good.address} backup"], upstream="retry = 503",
               workers=2, site=CACHE, **{"global": "shared_memory = 64m"})
    got = []

    def asked():
        got.append(ask(gh).text)
        return len(bad.requests) >= 5

    until(asked)
    assert set(got) == {"good"}
    until(lambda: len(good.requests) == len(bad.requests))
