"""Servers that break: refused, reset, garbage, and what becomes of the
request (RFC 9110 9.2.2)."""
import os
import signal
import threading

import pytest

from lib.gatehouse import free_port
from lib.origin import OK, ok
from lib.procs import stop, until
from lib.wire import WAIT_S, Truncated

BODY = b"x" * 1000
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def send(c, method, body=b"", extra=b""):
    c.send(b"%s / HTTP/1.1\r\nHost: test\r\n%s%s\r\n" % (
        method.encode(), extra, b"Content-Length: %d\r\n" % len(body)
        if body else b"") + body)
    return c


def ask(gh, method="GET", body=b"", extra=b""):
    with gh.client() as c:
        return send(c, method, body, extra).response(method)


def read_and_reset(conn, request):
    conn.reset()
    return False


def read_and_close(conn, request):
    return False


BREAKS = {"reset": read_and_reset, "close": read_and_close}


# no server is waited for longer
SOON = "connect_timeout = 100ms"


def down():
    return "127.0.0.1:%d" % free_port()


def test_refused(front):
    """RFC 9110 15.6.3: nobody listens: 502."""
    gh = front([down()], upstream="retry = none")
    assert ask(gh).status == 502
    assert gh.log()[0] == {"status": "502", "fault": "origin_connect",
                           "tries": "1", "origin_status": "-",
                           "server": gh.log()[0]["server"]}


def test_no_such_socket(front, tmp_path):
    """RFC 9110 15.6.3: no unix socket there: 502."""
    gh = front([f"unix:{tmp_path}/none"], upstream=SOON)
    assert ask(gh).status == 502
    assert gh.fault() == "origin_connect"


def test_all_are_down(front):
    """RFC 9110 15.6.3: each is tried once, and so again after each pause; then
    502 with the last fault."""
    gh = front([down(), down(), down() + " backup"], upstream=SOON)
    assert ask(gh, "POST", BODY).status == 502
    assert gh.log()[0]["fault"] == "origin_connect"
    assert int(gh.log()[0]["tries"]) % 3 == 0


def test_tries_are_bounded(front):
    """One request does not ask a whole farm of dead servers."""
    gh = front([down() for _ in range(20)], upstream=SOON)
    assert ask(gh).status == 502
    # 8 at most before each pause: of at least 13, 25, 50 and 100 ms
    assert 8 <= int(gh.log()[0]["tries"]) <= 8 * 5


def test_a_server_that_comes_back_is_used(front, named):
    """Nothing remembers that it was down."""
    port = free_port()
    gh = front([f"127.0.0.1:{port}"], upstream=SOON)
    assert [ask(gh).status for _ in range(3)] == [502] * 3
    named(b"back", port=port)
    assert ask(gh).text == "back"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS",
                                    "POST", "PATCH", "TELL"])
def test_refused_connection_repeats_any_method(front, named, method):
    """RFC 9110 9.2.2: nothing was sent, so nothing is repeated."""
    other = named(b"other")
    gh = front([down(), other])
    body = BODY if method in ("PUT", "POST", "PATCH") else b""
    assert ask(gh, method, body).text == "other"
    assert [(r.method, r.body) for r in other.requests] == [(method, body)]
    assert gh.log()[0]["tries"] == "2"


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_no_answer_repeats_idempotent_methods(front, origin, named, how,
                                              method):
    """RFC 9110 9.2.2: sent, not answered at all: repeated when idempotent,
    content and all."""
    bad, other = origin(BREAKS[how]), named(b"other")
    gh = front([bad, other])
    body = BODY if method == "PUT" else b""
    assert ask(gh, method, body).text == "other"
    assert [(r.method, r.body) for r in bad.requests + other.requests] == \
        [(method, body)] * 2


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "TELL"])
def test_no_answer_repeats_nothing_else(front, origin, named, how, method):
    """RFC 9110 9.2.2: a method that is not idempotent is never repeated once
    a byte was sent."""
    bad, other = origin(BREAKS[how]), named(b"other")
    gh = front([bad, other])
    assert ask(gh, method, BODY).status == 502
    assert gh.fault() == "origin_reset"
    assert len(bad.requests) == 1
    assert not other.requests


@pytest.mark.parametrize("first", [b"H", b"HTTP/1.1 200 OK\r\nA: b", HINT])
def test_a_begun_answer_is_not_repeated(front, origin, named, first):
    """RFC 9110 9.2.2: once a part of an answer came the request was served:
    502."""
    def script(conn, request):
        conn.send(first)
        return False

    other = named(b"other")
    gh = front([origin(script), other])
    assert ask(gh).status == 502
    assert gh.fault() == "origin_cut"
    assert not other.requests


def test_content_too_large_to_keep_is_not_repeated(front, origin, named):
    """RFC 9110 9.2.2: what cannot be sent again whole is not sent again."""
    bad, other = origin(read_and_reset), named(b"other")
    gh = front([bad, other])
    assert ask(gh, "PUT", bytes(1 << 20)).status == 502
    assert gh.fault() == "origin_reset"
    assert not other.requests


@pytest.mark.parametrize("retry, connect, reset", [
    ("none", False, False), ("connect", True, False),
    ("reset", False, True), ("connect reset", True, True),
    ("timeout", False, False)])
def test_retry_words(front, origin, named, retry, connect, reset):
    """retry: what the next server is asked after."""
    site = """
[route test /reset]
upstream = broken
"""
    other = named(b"other")
    bad = origin(read_and_close)
    gh = front([down(), other], upstream=f"retry = {retry}", site=site + f"""
[upstream broken]
server = {bad.address}
server = {other.address}
retry = {retry}
""")
    with gh.client() as c:
        assert (c.get("/").text == "other") == connect
        assert (c.get("/reset").text == "other") == reset


def test_reset_within_the_content(front, origin):
    """RFC 9112 8: the client sees that the answer is not complete."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        conn.send(bytes(500000))
        conn.reset()
        return False

    gh = front([origin(script)])
    with pytest.raises((Truncated, ConnectionResetError)):
        ask(gh)
    assert gh.fault() == "origin_cut"


ENDS = [
    b"Content-Length: 10\r\n\r\n12345",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n123",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nA: b\r\n"]


def is_refused_or_cut(gh):
    """Whether the client sees that it has no complete answer."""
    try:
        return ask(gh).status == 502
    except (Truncated, ConnectionResetError):
        return True


def test_end_within_the_content(front, origin):
    """RFC 9112 8: 502, or an answer that shows to be cut; never a complete
    one."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n" + ENDS[conn.number])
        return False

    gh = front([origin(script)])
    for end in ENDS:
        assert is_refused_or_cut(gh), end
    assert [line["fault"] for line in gh.log(len(ENDS))] == \
        ["origin_cut"] * len(ENDS)


def test_reset_of_an_answer_that_the_end_completes(front, origin):
    """RFC 9112 8: without a length only an end in order completes it."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100000))
        # what was sent must have arrived: a reset overtakes it
        until(lambda: got)
        conn.reset()
        return False

    got = []
    gh = front([origin(script)])
    with gh.client() as c:
        send(c, "GET")
        head = c.reader.response_head()
        got.append(head)
        with pytest.raises((Truncated, ConnectionResetError)):
            c.reader._framed(head, True)
    assert gh.fault() == "origin_cut"


GARBAGE = [
    b"\0\1\2\3", b"220 mail ESMTP\r\n\r\n", b"SSH-2.0-x\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 99 OK\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA b\r\n\r\n", b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    b"HTTP/1.1 200 OK\nA: b\n\n", b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]


def test_garbage(front, origin, named):
    """RFC 9110 15.6.3: what is no answer is 502; no other server is asked,
    for the request was served; the connection is not used again."""
    def script(conn, request):
        conn.send(GARBAGE[conn.number])
        return False

    o, other = origin(script), named(b"other")
    gh = front([o, other])
    for text in GARBAGE:
        assert ask(gh).status == 502, text
        assert ask(gh).text == "other"
    assert len(o.requests) == len(other.requests) == len(GARBAGE)
    assert {line["fault"] for line in gh.log(2 * len(GARBAGE))} == \
        {"-", "origin_bad"}


BAD_CHUNKS = [
    b"x\r\n", b"-1\r\na\r\n0\r\n\r\n", b"+1\r\na\r\n0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n", b"1\na\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\na", b"5\r\nhello\r\n0\r\nA b\r\n\r\n",
    b"5\r\nhello\r\n0\r\nA: b\0\r\n\r\n"]


def test_garbage_in_chunks(front, origin):
    """RFC 9112 7.1: 502, or an answer that shows to be cut; never a complete
    one."""
    gh = front([origin(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n" + BAD_CHUNKS[conn.number]))])
    for end in BAD_CHUNKS:
        assert is_refused_or_cut(gh), end
    assert [line["fault"] for line in gh.log(len(BAD_CHUNKS))] == \
        ["origin_bad"] * len(BAD_CHUNKS)


def test_unasked_upgrade(front, origin):
    """RFC 9110 15.2.2: 101 that nobody asked for is 502."""
    gh = front([origin(lambda conn, r: conn.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        b"Upgrade: websocket\r\n\r\nraw"))])
    assert ask(gh).status == 502
    assert gh.fault() == "origin_upgrade"


def test_a_storm_of_interim_answers(front, origin, named):
    """RFC 9110 15.2: interim answers without end are no answer; memory does
    not grow with them."""
    def script(conn, request):
        try:
            for _ in range(100000):
                conn.send(HINT)
        except OSError:
            broken.append(True)
        return False

    broken = []
    other = named(b"other")
    gh = front([origin(script), other])
    assert ask(gh).status == 502
    assert gh.fault() == "origin_bad"
    until(lambda: broken, what="the end of the connection")
    assert ask(gh).text == "other"


def test_unused_kinds_of_interim_answers(front, origin):
    """RFC 9110 15.2: an unknown 1xx is passed on, too."""
    gh = front([origin(lambda conn, r: conn.send(
        b"HTTP/1.1 199 Odd\r\nA: b\r\n\r\n" + OK))])
    infos = []
    with gh.client() as c:
        assert send(c, "GET").response(infos=infos).text == "ok"
    assert [i.status for i in infos] == [199]


@pytest.mark.parametrize("status", [204, 304])
def test_content_where_none_may_be(front, origin, status):
    """RFC 9112 6.3: what follows a 204 or 304 belongs to nobody, and to no
    next answer."""
    o = origin(lambda conn, r: conn.send(
        b"HTTP/1.1 %d X\r\n\r\nHTTP/1.1 200 Smuggled\r\n\r\n" % status))
    gh = front([o])
    with gh.client() as c:
        for _ in range(4):
            assert c.get().status == status
    assert len(o.conns) == 4


def test_connection_that_ends_at_once(front, origin, named):
    """RFC 9110 9.2.2: accepted and closed without reading."""
    o = origin(lambda conn: conn.reset(), raw=True)
    other = named(b"other")
    gh = front([o, other])
    for _ in range(10):
        assert ask(gh).text == "other"


def test_answer_without_a_request(front, origin):
    """An origin that speaks first and closes (503 of a full server) is
    heard."""
    def script(conn):
        conn.send(b"HTTP/1.1 503 Full\r\nContent-Length: 4\r\n"
                  b"Connection: close\r\n\r\nfull")
        conn.reader.head()

    gh = front([origin(script, raw=True)])
    assert ask(gh).text == "full"


def test_pathological_route(front, named):
    """A regex of a route that needs too many steps is 500, not a hang."""
    gh = front([named(b"ok")], site="""
[route test ~ ^/(a+)+(a+)+(a+)+$]
upstream = app
""")
    with gh.client() as c:
        assert c.get("/" + "a" * 2000 + "!").status == 500
        assert gh.fault() == "internal"
        assert c.get().text == "ok"


def test_every_origin_is_answered_with_the_same_worker(front, origin):
    """None of it costs the worker."""
    def script(conn, request):
        return BREAKS["reset"](conn, request) \
            if len(o.requests) % 2 else conn.send(ok(b"fine"))

    o = origin(script)
    gh = front([o], upstream="retry = none")
    workers = until(gh.workers)
    got = [ask(gh, "POST", b"x").status for _ in range(20)]
    assert sorted(set(got)) == [200, 502]
    assert gh.workers() == workers


def broken_at_once(front, origin, cut, method, more):
    """The answer and its break lie in the socket before gatehouse, which is
    stopped meanwhile, looks. The answer, and the requests both servers got."""
    may_answer = threading.Event()

    def script(conn, request):
        assert may_answer.wait(WAIT_S)
        cut(conn)
        return False
    broken, other = origin(script), origin()
    gh = front([broken, other], upstream=more)
    worker, = gh.workers()
    with gh.client() as c:
        send(c, method, b"abc" if method == "POST" else b"")
        broken.wait_requests()
        stop(worker)
        try:
            may_answer.set()
            until(lambda: not broken.conns[0].sock.fileno() >= 0)
        finally:
            os.kill(worker, signal.SIGCONT)
        answer = c.response(method)
    line, = gh.log()
    return answer, broken, other, line


def cut_length(conn):
    conn.send(ok(BODY)[:-100])
    conn.reset()


def cut_chunks(conn):
    conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"5\r\nhello\r\n")


def bad_chunks(conn):
    conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"5\r\nhello\r\nno size\r\n")


CUTS = [cut_length, cut_chunks, bad_chunks]


@pytest.mark.parametrize("cut", CUTS)
def test_what_nobody_has_seen_is_asked_again(front, origin, cut):
    """A body that broke before any of the answer was passed on is no more than
    a failed try."""
    answer, broken, other, line = broken_at_once(front, origin, cut, "GET",
                                                 "retry = invalid")
    assert (answer.status, answer.text) == (200, "ok")
    assert (len(broken.requests), len(other.requests)) == (1, 1)
    assert (line["tries"], line["fault"]) == ("2", "-")


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("method, more", [("POST", "retry = invalid"),
                                          ("GET", "retry = connect reset")])
def test_unless_it_may_not(front, origin, cut, method, more):
    """RFC 9110 9.2.2, and `retry`."""
    answer, broken, other, line = broken_at_once(front, origin, cut, method,
                                                 more)
    assert answer.status == 502
    assert (len(broken.requests), len(other.requests)) == (1, 0)
    assert line["tries"] == "1"
