"""Streams are exchanges like those of HTTP/1.1 (RFC 9113 8): content in both
directions with the origin's pace, trailers, interim answers, early answers,
what was asked seen by the origin and the log."""
import os
import threading

import pytest

from lib.h2 import (END_HEADERS, INITIAL_WINDOW_SIZE, WINDOW, Conn, block,
                    data, headers, request, rst_stream, window_update)
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

FORMAT = """
[log access]
path = {dir}/access.log
format = {method} {path} {status} {protocol} {fault} {bytes_out}
buffer = none
"""
BIG = os.urandom(3 << 20)


@pytest.fixture
def h2(pair):
    """h2(script, ...) gives (gatehouse, origin, a new connection)."""
    made = []

    def make(script=None, raw=False, listen="", settings=(), more="",
             is_tame=True, **kwargs):
        gh, o = pair(script, raw, listen="h2c = on\n" + listen,
                     more=FORMAT + more, **kwargs)
        c = Conn(("127.0.0.1", gh.port), settings=settings, is_tame=is_tame)
        made.append(c)
        return gh, o, c

    yield make
    for c in made:
        c.close()


def log(gh, n=1):
    """n lines of the log."""
    path = gh.dir / "access.log"
    return until(lambda: path.exists() and
                 len(got := path.read_text().splitlines()) >= n and got,
                 what=f"{n} lines of the log")


def test_the_request_is_one_of_http_1(h2):
    """RFC 9113 8.3.1, RFC 9110 7.6.3: the origin sees Host, Via with our
    protocol of the client, the cookie in one piece; the log the version."""
    gh, o, c = h2()
    r = c.get("/a?b", ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"))
    assert (r.status, r.body, r.is_ended) == (200, b"ok", True)
    seen, = o.requests
    assert seen.first == b"GET /a?b HTTP/1.1"
    assert seen.all("host") == ["test"]
    assert seen.all("cookie") == ["a=1; b=2"]
    assert seen.get("via").startswith("2 ")
    assert r.get("via").startswith(b"1.1 ")
    assert log(gh) == ["GET /a 200 HTTP/2.0 - %d" % (9 * 2 + 2 + head_len(c))]


def head_len(c):
    """Bytes of the payload of the one HEADERS that came."""
    frame, = [f for f in c.frames if type(f).__name__ == "HeadersFrame"]
    return len(frame.data)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content(h2, status):
    """RFC 9110 6.4.1: it ends with its head."""
    _, _, c = h2(lambda conn, r: conn.send(
        b"HTTP/1.1 %d X\r\n\r\n" % status))
    r = c.get()
    assert (r.status, r.body, r.is_ended) == (status, b"", True)
    assert r.get("content-length") is None
    assert c.get().status == status


def test_head_has_the_length_and_no_content(h2):
    """RFC 9110 9.3.2."""
    _, _, c = h2(lambda conn, r: conn.send(
        b"HTTP/1.1 200 X\r\nContent-Length: 77\r\n\r\n"))
    r = c.answer(c.ask("HEAD"))
    assert (r.get("content-length"), r.body) == (b"77", b"")


def test_large_answers_share_the_connection(h2):
    """RFC 9113 5.2: each with its windows, all at once, to the last byte."""
    _, o, c = h2(lambda conn, r: conn.send(ok(BIG)))
    for stream in [c.ask(path=f"/{i}") for i in range(5)]:
        assert c.answer(stream).body == BIG
    assert len(o.requests) == 5


@pytest.mark.parametrize("has_length", [True, False])
def test_an_upload_goes_as_the_origin_reads(h2, has_length):
    """RFC 9113 6.9: windows open with what the origin takes."""
    _, o, c = h2(lambda conn, r: conn.send(ok(r.body)))
    stream = c.next_stream()
    more = [("content-length", str(len(BIG)))] if has_length else []
    c.send(headers(stream, block(request("POST", "/", *more)), END_HEADERS))
    send_all(c, stream, BIG)
    assert c.answer(stream).body == BIG
    assert o.requests[0].framing == ("length" if has_length else "chunked")


def send_all(c, stream, body):
    """Send within the windows that the peer opens."""
    at, seen = 0, 0
    room = {0: WINDOW, stream: WINDOW}
    while at < len(body):
        for f in c.frames[seen:]:
            if type(f).__name__ == "WindowUpdateFrame" and \
                    f.stream_id in room:
                room[f.stream_id] += f.window_increment
        seen = len(c.frames)
        n = min(min(room.values()), 16384, len(body) - at)
        if n == 0:
            c.pump(lambda was=seen: len(c.frames) > was)
            continue
        c.send(data(stream, body[at:at + n], end=at + n == len(body)))
        room = {k: v - n for k, v in room.items()}
        at += n


def test_an_origin_that_does_not_read_stops_its_stream_only(h2):
    """RFC 9113 5.2.2: its window stays shut, others go on."""

    def script(conn, request_):
        conn.send(ok(b"fine"))

    _, o, c = h2(lambda conn: conn.sock.recv(1) and until(
        lambda: len(o.conns) > 1), raw=True)
    o.raw, o.script = False, script
    stream = c.next_stream()
    c.send(headers(stream, block(request("POST")), END_HEADERS),
           data(stream, b"x" * 16384), data(stream, b"x" * 16384))
    for _ in range(3):
        assert c.get("/other").body == b"fine"


def test_content_in_pieces_of_all_sizes(h2):
    """What a window holds is held, however it is cut."""
    _, o, c = h2(lambda conn, r: conn.send(ok(r.body)))
    stream = c.next_stream()
    sizes = [1] * 40 + [9000, 1, 1, 9000, 1] + [1] * 60 + [16384, 3, 12000]
    body = os.urandom(sum(sizes))
    parts, at = [], 0
    for n in sizes:
        parts.append(data(stream, body[at:at + n]))
        at += n
    c.send(headers(stream, block(request("POST")), END_HEADERS), *parts,
           data(stream, end=True))
    assert c.answer(stream).body == body


@pytest.mark.parametrize("size", [500, 1080, 4000])
def test_pieces_that_are_taken_one_by_one(h2, size):
    """What an origin took stays for a second try, in as many parts as it came:
    the last one of them may lie in two blocks."""
    _, o, c = h2(lambda conn, r: conn.send(ok(r.body)))
    stream = c.next_stream()
    c.send(headers(stream, block(request("PUT")), END_HEADERS),
           data(stream, b"a"))
    until(lambda: o.conns, what="a connection to the origin")
    body = b"a"
    for _ in range(60_000 // size):
        c.sync()
        piece = os.urandom(size)
        c.send(data(stream, piece))
        body += piece
    c.send(data(stream, end=True))
    assert c.answer(stream).body == body


def test_trailers_pass_both_ways(h2):
    """RFC 9113 8.1, RFC 9110 6.5: with te: trailers those of the answer, too;
    what may be no trailer is left out."""
    _, o, c = h2(lambda conn, r: conn.send(
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
        b"0\r\nX-Sum: 2\r\nContent-Length: 7\r\n\r\n"))
    stream = c.next_stream()
    c.send(headers(stream, block(request("POST", "/", ("te", "trailers"))),
                   END_HEADERS),
           data(stream, b"abc"), headers(stream, block([("x-own", "3")])))
    r = c.answer(stream)
    assert (r.body, r.trailers) == (b"ok", [(b"x-sum", b"2")])
    assert o.requests[0].trailers == [(b"x-own", b"3")]


def test_interim_answers_pass(h2):
    """RFC 9110 15.2: 103 goes on at once, 100 to who asked for it."""
    _, _, c = h2(lambda conn, r: conn.send(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\n" + ok()))
    r = c.get()
    assert [s for s, _ in r.infos] == [103]
    assert r.infos[0][1] == [(b"link", b"<a>")]
    stream = c.next_stream()
    c.send(headers(stream, block(request(
        "POST", "/", ("expect", "100-continue"))), END_HEADERS),
        data(stream, b"x", end=True))
    assert [s for s, _ in c.answer(stream).infos] == [100, 103]


def test_an_early_answer_asks_to_stop(h2):
    """RFC 9113 8.1: complete, then RST_STREAM NO_ERROR; what is under way is
    borne, the connection and its window go on."""
    _, _, c = h2(site="max_body = 10b")
    stream = c.next_stream()
    c.send(headers(stream, block(request("POST")), END_HEADERS),
           data(stream, b"x" * 16384))
    c.pump(lambda: c.stream(stream).reset)
    r = c.stream(stream)
    assert (r.status, r.is_ended, r.reset) == (413, True, "NO_ERROR")
    for _ in range(2):
        c.send(data(stream, b"x" * 16384))
    assert c.get().status == 200


def test_a_cut_answer_is_no_complete_one(h2):
    """RFC 9113 8.1.1: RST_STREAM where HTTP/1.1 would close."""
    has_begun = threading.Event()

    def script(conn, request_):
        conn.send(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc")
        has_begun.wait(WAIT_S)
        return False

    gh, _, c = h2(script)
    stream = c.ask()
    c.pump(lambda: c.stream(stream).body == b"abc")
    has_begun.set()
    r = c.answer(stream)
    assert (r.status, r.reset, r.is_ended) == (200, "INTERNAL_ERROR", False)
    c.sync()
    assert " origin_cut " in log(gh)[0]


def test_an_origin_that_is_down_is_502(pair):
    """Faults have the same answers in every version."""
    gh, o = pair(listen="h2c = on")
    o.close()
    with Conn(("127.0.0.1", gh.port)) as c:
        for _ in range(3):
            assert c.get().status == 502


def test_a_reset_ends_the_origins_request(h2):
    """RFC 9113 6.4: nobody works for a client that has gone; the log says
    so."""
    gh, o, c = h2(lambda conn, r: conn.sock.recv(1) and None)
    stream = c.ask()
    o.wait_requests()
    c.send(rst_stream(stream))
    assert log(gh) == ["GET / 499 HTTP/2.0 client_gone 0"]


def test_priorities_order_answers(h2):
    """RFC 9218 10: the more urgent first; the lazy one waits for it."""
    _, _, c = h2(lambda conn, r: conn.send(ok(b"x" * 40000)),
                 settings={INITIAL_WINDOW_SIZE: 0}, is_tame=False)
    lazy = c.ask("GET", "/", ("priority", "u=6"))
    urgent = c.ask("GET", "/", ("priority", "u=1"))
    c.pump(lambda: c.stream(lazy).status and c.stream(urgent).status)
    c.sync()
    c.frames.clear()
    # both may go on, but there is room for one and a half
    c.send(window_update(lazy, 40000) + window_update(urgent, 40000))
    c.pump(lambda: len(c.stream(lazy).body) + len(c.stream(urgent).body) ==
           WINDOW)
    order = [f.stream_id for f in c.frames if type(f).__name__ == "DataFrame"]
    assert c.stream(urgent).is_ended
    assert order.index(urgent) < len(order) // 2


def test_many_streams_at_once(h2):
    """RFC 9113 5.1.2: as many as are announced, each answered."""
    _, _, c = h2()
    assert c.settings[3] == 128
    streams = [c.ask(path=f"/{i}") for i in range(128)]
    for stream in streams:
        assert c.answer(stream).status == 200


def test_http_1_is_still_served(pair):
    """RFC 9113 3.3: what does not begin like the preface is HTTP/1.1, and only
    its whole is HTTP/2."""
    gh, _ = pair(listen="h2c = on")
    with gh.client() as c:
        assert c.get().text == "ok"
    with gh.client() as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSX")
        assert c.response().status in (400, 505)
    with gh.client() as c:
        c.send(b"P")
        c.send(b"UT / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert c.response().text == "ok"


def test_without_the_key_there_is_no_h2c(pair):
    """h2c is off unless the listen says so."""
    gh, _ = pair()
    with gh.client() as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert c.response().status == 505


def test_a_proxy_header_comes_before_the_preface(pair):
    """PROXY protocol, then HTTP/2; the address is the client's."""
    gh, o = pair(listen="h2c = on\nproxy_protocol = on")
    c = Conn(("127.0.0.1", gh.port), start=False)
    with c:
        c.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", c.own_settings(()))
        assert c.get().status == 200
    assert o.requests[0].get("x-forwarded-for") == "192.0.2.7"
