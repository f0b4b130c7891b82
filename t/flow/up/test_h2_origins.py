"""protocol = h2: requests on streams of connections to origins (RFC 9113)."""
import threading

import pytest

from lib import h2
from lib.gatehouse import run
from lib.h2_origin import ok
from lib.procs import until
from lib.wire import WAIT_S

BIG = bytes(range(256)) * 4096 * 4  # 4 MiB


def get(gh, path="/", **kwargs):
    with gh.client() as c:
        return c.get(path, **kwargs)


def post(c, body=b"data", method=b"POST", path=b"/", extra=b""):
    c.send(b"%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n%s\r\n"
           % (method, path, len(body), extra) + body)
    return c


class Held:
    """A script that answers when it is told to."""

    def __init__(self):
        self.waiting = []

    def __call__(self, conn, request):
        self.waiting.append((conn, request))

    def answer(self, n=None):
        for conn, request in self.waiting[:n]:
            conn.answer(request.stream, request.path.encode())
        del self.waiting[:n]


def conn_of(o, n_requests):
    """How many requests each connection got, oldest first."""
    o.wait_requests(n_requests)
    return [len(conn.requests) for conn in o.conns]


def test_what_is_sent(h2_front, h2_origin):
    """RFC 9113 8.3.1: pseudo-fields, and fields without those of a connection
    (8.2.2); the scheme is that of the connection."""
    o = h2_origin()
    gh = h2_front([o])
    with gh.client() as c:
        c.send(b"GET /a?b HTTP/1.1\r\nHost: Test:80\r\nConnection: x-own\r\n"
               b"X-Own: 1\r\nKeep-Alive: 5\r\nUpper-Case: Kept\r\n"
               b"TE: trailers, gzip\r\nCookie: a=b\r\n\r\n")
        r = c.response()
    assert (r.status, r.text) == (200, "ok")
    request, = o.requests
    assert dict(request.fields[:4]) == {
        b":method": b"GET", b":scheme": b"http", b":path": b"/a?b",
        b":authority": b"Test:80"}
    names = [k for k, _ in request.fields]
    assert all(k == k.lower() for k in names)
    assert not {b"host", b"connection", b"keep-alive", b"x-own",
                b"transfer-encoding", b"upgrade"} & set(names)
    assert request.get("upper-case") == "Kept"
    assert request.get("te") == "trailers"
    assert request.get("via").startswith("1.1 gatehouse")
    assert gh.log()[0] == {"status": "200", "fault": "-", "tries": "1",
                           "origin_status": "200", "server": o.address}


def test_explain_says_what_is_sent(h2_front, h2_origin):
    """`gatehouse explain` shows the pseudo-fields, and asks nobody."""
    o = h2_origin()
    gh = h2_front([o])
    done = run("explain", "-c", gh.ini, "GET", "http://a.test/x?y", "-H",
               "Accept: b")
    said = [line.split(None, 1)[-1] for line in done.stdout.splitlines()]
    for line in (":method: GET", ":path: /x?y", ":authority: a.test",
                 "Accept: b"):
        assert any(line in text for text in said), done.stdout
    assert not o.conns


@pytest.mark.parametrize("front_", ["h1", "h2"])
def test_methods_and_statuses(h2_front, h2_origin, front_):
    """RFC 9110 6.4.1: HEAD, 204 and 304 have no content, others keep theirs;
    to HTTP/1.1 their end is told."""
    def script(conn, request):
        status = int(request.path[1:])
        if request.method == "HEAD" or status in (204, 304):
            conn.head(request.stream, status, [("content-length", "7")]
                      if status != 204 else [], end=True)
        elif status == 404:
            conn.head(request.stream, status, end=True)
        else:
            conn.answer(request.stream, b"content", status)

    gh = h2_front([h2_origin(script)])
    for method, status, body in [
            ("GET", 200, b"content"), ("HEAD", 200, b""), ("GET", 204, b""),
            ("GET", 304, b""), ("GET", 404, b""), ("DELETE", 500, b"content")]:
        if front_ == "h1":
            with gh.client() as c:
                for _ in range(2):
                    r = c.get(f"/{status}", method=method)
                    assert (r.status, r.body) == (status, body)
                    if method == "HEAD" or status == 304:
                        assert r.get("content-length") == "7"
        else:
            with h2.Conn(("127.0.0.1", gh.port)) as c:
                r = c.answer(c.ask(method, f"/{status}"))
                assert (r.status, r.body, r.reset) == (status, body, None)


def test_one_connection_carries_many(h2_front, h2_origin):
    """RFC 9113 5: requests that run at once share a connection; the next one
    finds it in the pool."""
    held = Held()
    o = h2_origin(held)
    gh = h2_front([o])
    clients = [gh.client() for _ in range(20)]
    for i, c in enumerate(clients):
        c.send(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % i)
    o.wait_requests(20)
    held.answer()
    for i, c in enumerate(clients):
        assert c.response().text == f"/{i}"
        c.close()
    o.script = ok
    for _ in range(3):
        assert get(gh).text == "ok"
    assert conn_of(o, 23) == [23]


def test_the_origins_limit_is_kept(h2_front, h2_origin):
    """RFC 9113 5.1.2: never more streams than SETTINGS_MAX_CONCURRENT_STREAMS;
    more requests take more connections, the oldest is used first."""
    held = Held()
    o = h2_origin(held, settings={h2.MAX_CONCURRENT_STREAMS: 3})
    gh = h2_front([o])
    with gh.client() as first:
        # so that the limit is known
        first.send(b"GET /0 HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests(1)
        held.answer()
        assert first.response().text == "/0"
    clients = [gh.client() for _ in range(8)]
    for i, c in enumerate(clients):
        c.send(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % i)
    o.wait_requests(9)
    assert [len(c.requests) for c in o.conns] == [4, 3, 2]
    held.answer()
    for i, c in enumerate(clients):
        assert c.response().text == f"/{i}"
        c.close()


def test_limit_that_is_told_late(h2_front, h2_origin):
    """RFC 9113 8.7: requests that were sent before the limit was known are
    refused and sent again, whatever their method."""
    def script(conn, request):
        if conn.number > 0 or conn.settled:
            held(conn, request)
            return
        early.append(request)
        if len(early) == 6:
            conn.settled = True
            o.greet = h2.settings({h2.MAX_CONCURRENT_STREAMS: 2})
            conn.send(o.greet, h2.settings(flags=h2.ACK),
                      *(h2.rst_stream(r.stream, 7) for r in early[2:]))
            for kept in early[:2]:
                held(conn, kept)

    held, early = Held(), []
    # the first one says nothing before all are there
    o = h2_origin(script, greet=None, gives_back=False)
    gh = h2_front([o])
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        o.on_head = lambda conn, request: setattr(
            conn, "settled", getattr(conn, "settled", False))
        streams = [c.ask("POST", body=b"%d" % i) for i in range(6)]
        until(lambda: len(held.waiting) == 6, what="all of them")
        assert sorted(r.body for _, r in held.waiting) == \
            [b"%d" % i for i in range(6)]
        assert max(sum(c is conn for c, _ in held.waiting)
                   for conn in o.conns) == 2
        held.answer()
        assert [c.answer(s).status for s in streams] == [200] * 6


def test_nobody_has_room(h2_front, h2_origin):
    """connect_timeout bounds the wait for a stream when there are as many
    connections as there may be: 503."""
    held = Held()
    o = h2_origin(held, settings={h2.MAX_CONCURRENT_STREAMS: 1})
    gh = h2_front([o], upstream="connect_timeout = 1s")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        streams = [c.ask(path="/0")]
        o.wait_requests(1)
        streams += [c.ask(path=f"/{i}") for i in range(1, 64)]
        o.wait_requests(64)
        assert len(o.conns) == 64
        late = c.get("/late")
        assert late.status == 503
        assert gh.fault() == "origin_busy"
        waits = c.ask(path="/waits")
        c.send(h2.ping())
        c.pump(lambda: c.pings)
        held.answer(1)
        # it gets the stream that came free
        o.wait_requests(65)
        held.answer()
        for stream in [*streams, waits]:
            assert c.answer(stream).status == 200
    assert len(o.conns) == 64


def test_no_room_is_no_wait_for_ever(h2_front, h2_origin):
    """RFC 9113 5.1.2: a limit of 0 is kept, too."""
    gh = h2_front([h2_origin(settings={h2.MAX_CONCURRENT_STREAMS: 0})],
                  upstream="connect_timeout = 300ms")
    # the first may be sent before it is known
    statuses = [get(gh).status for _ in range(2)]
    assert statuses[1] in (503, 504)


@pytest.mark.parametrize("size", [0, 1, 16384, 70000, len(BIG)])
@pytest.mark.parametrize("front_", ["h1", "h2"])
def test_content_both_ways(h2_front, h2_origin, size, front_):
    """RFC 9113 6.9: content of any size passes the windows whole, up and
    down."""
    def script(conn, request):
        conn.answer(request.stream, request.body)

    gh = h2_front([h2_origin(script)], site="max_body = 100m")
    body = BIG[:size]
    if front_ == "h1":
        with gh.client() as c:
            assert post(c, body).response("POST").body == body
            return
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.POST, h2.END_HEADERS))
        window = {0: h2.WINDOW, stream: h2.WINDOW}
        while body:
            n = min(*window.values(), h2.FRAME_MAX, len(body))
            if n:
                c.send(h2.data(stream, body[:n]))
                body = body[n:]
                window = {k: v - n for k, v in window.items()}
                continue
            came = c.read()
            c._take(came)
            if type(came).__name__ == "WindowUpdateFrame":
                window[came.stream_id] += came.window_increment
        c.send(h2.data(stream, end=True))
        r = c.answer(stream)
        assert (r.status, r.body) == (200, BIG[:size])


def test_trailers_both_ways(h2_front, h2_origin):
    """RFC 9110 6.5: trailers pass, but what may be none (6.5.1)."""
    def script(conn, request):
        conn.answer(request.stream, b"x", trailers=[
            ("x-end", "2"), ("content-length", "9"), ("grpc-status", "0")])

    o = h2_origin(script)
    gh = h2_front([o])
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.POST, h2.END_HEADERS),
               h2.data(stream, b"abc"),
               h2.headers(stream, h2.block([("x-begin", "1")])))
        r = c.answer(stream)
    assert r.trailers == [(b"x-end", b"2"), (b"grpc-status", b"0")]
    assert o.requests[0].trailers == [(b"x-begin", b"1")]


def test_trailers_to_http_1(h2_front, h2_origin):
    """RFC 9112 7.1.2: they follow the last chunk."""
    o = h2_origin(lambda conn, r: conn.answer(
        r.stream, b"x", trailers=[("x-end", "2")]))
    gh = h2_front([o])
    r = get(gh)
    assert (r.body, r.trailers) == (b"x", [(b"x-end", b"2")])


def test_interim_answers(h2_front, h2_origin):
    """RFC 9113 8.1: 1xx go on, more than sixteen are refused."""
    def script(conn, request):
        for _ in range(int(request.path[1:])):
            conn.head(request.stream, 103, [("link", "</a>")])
        conn.answer(request.stream)

    gh = h2_front([h2_origin(script)])
    with gh.client() as c:
        infos = []
        c.send(b"GET /3 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.response(infos=infos).text == "ok"
        assert [i.status for i in infos] == [103] * 3
    for n in 17, 18, 40:
        assert get(gh, f"/{n}").status == 502
    assert [line["fault"] for line in gh.log(4)] == ["-"] + ["origin_bad"] * 3


def test_expect_continue(h2_front, h2_origin):
    """RFC 9110 10.1.1: the origin's 100 reaches the client that asked."""
    o = h2_origin(on_head=lambda conn, r: conn.head(r.stream, 100))
    gh = h2_front([o])
    with gh.client() as c:
        c.send(b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n"
               b"Expect: 100-continue\r\n\r\n")
        assert c.reader.response_head().status == 100
        c.send(b"data")
        assert c.response("PUT").text == "ok"
    assert o.requests[0].body == b"data"


# --- backpressure ---------------------------------------------------------

def test_a_slow_client_stalls_its_own_stream(h2_front, h2_origin):
    """RFC 9113 5.2: the origin may send ahead no more than the stream's window
    beside what the client was given; others on the same connection do not
    notice, however many are slow."""
    def script(conn, request):
        conn.answer(request.stream, BIG if request.path == "/big" else b"ok")

    o = h2_origin(script)
    gh = h2_front([o])
    # forty stalled windows are more than that of a connection
    slow = h2.Conn(("127.0.0.1", gh.port), is_tame=False,
                   settings={h2.INITIAL_WINDOW_SIZE: 0})
    slow.send(h2.settings(flags=h2.ACK))
    for _ in range(40):
        slow.ask(path="/big")
    o.wait_requests(40)
    conn = o.conns[0]

    def sent():
        """Of each large answer."""
        return [len(BIG) - len(q[0]) for q in list(conn.queued.values())
                if len(q[0]) > len(BIG) / 2]

    until(lambda: sent() == [131072] * 40, what="full windows")
    for _ in range(5):
        assert get(gh).text == "ok"
    assert len(o.conns) == 1
    assert sent() == [131072] * 40
    slow.close()
    # what nobody wants any more is reset
    until(lambda: not conn.queued, what="the resets")
    assert get(gh).text == "ok"


def test_a_slow_origin_stalls_its_own_stream(h2_front, h2_origin):
    """RFC 9113 5.2: an origin that takes no content of one request holds that
    client; others go on."""
    o = h2_origin(gives_back=False)
    gh = h2_front([o])
    with gh.client() as c:
        c.send(b"POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n"
               b"\r\n" % (1 << 30))
        c.sock.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += c.sock.send(bytes(65536))
        assert len(o.requests[0].body) == h2.WINDOW
        # room for others on the connection
        o.conns[0].send(h2.window_update(0, 100000))
        for _ in range(3):
            assert get(gh).text == "ok"
        assert len(o.conns) == 1


def test_windows(h2_front, h2_origin):
    """RFC 9113 6.9.2: 128 KiB for a stream, 4 MiB for all of a connection; no
    pushes (8.4)."""
    o = h2_origin()
    gh = h2_front([o])
    assert get(gh).text == "ok"
    conn, = o.conns
    assert conn.settings[h2.INITIAL_WINDOW_SIZE] == 131072
    assert conn.settings[h2.ENABLE_PUSH] == 0
    assert conn.window == (4 << 20) - 2


# --- ends of connections --------------------------------------------------

@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_goaway_leaves_out_a_request(h2_front, h2_origin, method):
    """RFC 9113 6.8: what is above the last stream was not acted on: it is sent
    again on another connection, also when it is a POST."""
    def script(conn, request):
        if conn.number == 0 and request.path == "/2":
            conn.send(h2.goaway(1, 0))
            return
        conn.answer(request.stream, request.body or b"ok")

    o = h2_origin(script)
    gh = h2_front([o], upstream="retry = none")
    with gh.client() as c:
        assert post(c, b"a", path=b"/1").response("POST").body == b"a"
        r = post(c, b"bcd", method, b"/2").response(method.decode())
        assert (r.status, r.body) == (200, b"bcd")
    assert len(o.conns) == 2
    assert gh.log(2)[1]["tries"] == "2"


def test_goaway_lets_others_end(h2_front, h2_origin):
    """RFC 9113 6.8: streams up to the last one go on; nothing new begins on
    the connection, which is closed behind them."""
    held = Held()
    o = h2_origin(held)
    gh = h2_front([o])
    with gh.client() as a, gh.client() as b:
        a.send(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests(1)
        o.conns[0].send(h2.goaway(2**31 - 1, 0), h2.ping())
        until(lambda: any(type(f).__name__ == "PingFrame" and c.number == 0
                          for c, f in o.frames), what="the PING's answer")
        b.send(b"GET /b HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests(2)
        held.answer()
        assert a.response().text == "/a"
        assert b.response().text == "/b"
    o.wait(lambda o: o.conns[0].is_closed)
    assert conn_of(o, 2) == [1, 1]
    assert not o.conns[1].is_closed


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_refused_stream_goes_to_the_next(h2_front, h2_origin, method):
    """RFC 9113 8.7: a request that was refused is sent again: four times more to
    the same server, which may only be ending connections, then to the next."""
    bad = h2_origin(lambda conn, r: conn.send(h2.rst_stream(r.stream, 7)))
    other = h2_origin()
    gh = h2_front([bad, other])
    with gh.client() as c:
        assert post(c, b"abc", method).response(method.decode()).text == "ok"
    assert [r.body for r in bad.requests + other.requests] == [b"abc"] * 6
    assert len(bad.conns) == 1
    assert gh.log()[0]["tries"] == "6"


def test_refused_by_all(h2_front, h2_origin):
    """RFC 9113 8.7: 503 in the end; the connection is still good."""
    o = h2_origin(lambda conn, r: conn.send(h2.rst_stream(r.stream, 7)))
    gh = h2_front([o])
    assert get(gh).status == 503
    assert gh.fault() == "origin_refused"
    o.script = ok
    assert get(gh).text == "ok"
    assert conn_of(o, 6) == [6]


def test_content_that_is_gone_is_not_repeated(h2_front, h2_origin):
    """RFC 9113 8.7: what cannot be sent again whole is not."""
    o = h2_origin(lambda conn, r: conn.send(h2.rst_stream(r.stream, 7)))
    gh = h2_front([o])
    with gh.client() as c:
        assert post(c, bytes(1 << 20)).response("POST").status == 503
    assert len(o.requests) == 1


def test_stale_connection(h2_front, h2_origin):
    """RFC 9110 9.2.2: a pooled connection that breaks under a request says
    nothing of the server: an idempotent one is repeated on a fresh one."""
    def script(conn, request):
        if conn.number == 0 and request.path == "/2":
            conn.reset()
            return
        conn.answer(request.stream)

    o = h2_origin(script)
    gh = h2_front([o], upstream="retry = none")
    assert get(gh, "/1").text == "ok"
    assert get(gh, "/2").text == "ok"
    assert [r.path for r in o.requests] == ["/1", "/2", "/2"]


def test_close_that_was_seen_costs_nothing(h2_front, h2_origin):
    """RFC 9113 6.8: an idle connection may be closed at any time; the next
    request, also a POST, goes on a new one."""
    o = h2_origin()
    gh = h2_front([o])
    assert get(gh).text == "ok"
    o.conns[0].send(h2.goaway(1, 0)).close()
    o.wait(lambda o: o.conns[0].is_closed)
    with gh.client() as c:
        assert post(c).response("POST").text == "ok"
    assert gh.log(2)[1]["tries"] == "1"


def test_post_is_never_sent_twice(h2_front, h2_origin):
    """RFC 9110 9.2.2: not when the connection breaks behind it."""
    bad, other = h2_origin(lambda conn, r: conn.reset()), h2_origin()
    gh = h2_front([bad, other])
    with gh.client() as c:
        assert post(c).response("POST").status == 502
    assert gh.fault() == "origin_reset"
    assert len(bad.requests) == 1 and not other.requests


def test_loss_of_a_connection_hits_all_its_streams(h2_front, h2_origin):
    """RFC 9113 5.4.1: idempotent ones are repeated, all on one fresh
    connection; answers that had begun are cut."""
    def script(conn, request):
        if conn.number > 0:
            conn.answer(request.stream)
        elif request.path == "/cut":
            conn.head(request.stream, 200, [("content-length", "10")])
            conn.body(request.stream, b"12345", end=False)
        elif len(conn.origin.ended) == 11:
            conn.reset()

    o = h2_origin(script)
    gh = h2_front([o])
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        cut = c.ask(path="/cut")
        c.pump(lambda: c.stream(cut).body == b"12345")
        others = [c.ask() for _ in range(9)]
        posted = c.ask("POST", "/post", body=b"x")
        assert c.answer(cut).reset == "INTERNAL_ERROR"
        assert c.answer(posted).status == 502
        assert [c.answer(s).status for s in others] == [200] * 9
    assert len(o.conns) == 2


# --- the pool -------------------------------------------------------------

def test_no_pool(h2_front, h2_origin):
    """keepalive = 0: a connection ends with its last stream, with a GOAWAY
    (RFC 9113 6.8)."""
    o = h2_origin()
    gh = h2_front([o], upstream="keepalive = 0")
    for n in 1, 2, 3:
        assert get(gh).text == "ok"
        o.wait(lambda o, n=n: [c for c in o.conns if c.is_closed][n - 1:])
    assert [c.goaway for c in o.conns] == [(0, 0)] * 3


def test_an_idle_one_is_closed_in_time(h2_front, h2_origin):
    """RFC 9113 9.1: idle_timeout counts when no stream is open."""
    o = h2_origin()
    gh = h2_front([o], upstream="idle_timeout = 100ms")
    assert get(gh).text == "ok"
    o.wait(lambda o: o.conns[0].is_closed)
    assert o.conns[0].goaway == (0, 0)
    assert get(gh).text == "ok"


def test_send_proxy_is_for_one_client(h2_front, h2_origin):
    """A connection that began with a PROXY header carries one request."""
    heads = []

    def on_frame(conn, frame):
        heads.append(conn.number)

    class Told(type(h2_origin())):
        """Reads the header first."""

        def _serve(self, conn):
            line = b""
            while not line.endswith(b"\r\n"):
                line += conn.sock.recv(1)
            lines.append(line)
            super()._serve(conn)

    lines = []
    o = Told(on_frame=on_frame)
    try:
        gh = h2_front([o], upstream="send_proxy = v1")
        for _ in range(3):
            assert get(gh).text == "ok"
        assert len(o.conns) == len(lines) == 3
        assert all(line.startswith(b"PROXY TCP4 127.0.0.1 ")
                   for line in lines)
    finally:
        o.close()


def test_least_conn_counts_streams(h2_front, h2_origin):
    """balance = least_conn: requests in flight, not connections."""
    a, b = Held(), Held()
    first, second = h2_origin(a), h2_origin(b)
    gh = h2_front([first, second], upstream="balance = least_conn")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        for n in range(1, 11):
            c.ask()
            until(lambda n=n: len(a.waiting) + len(b.waiting) == n,
                  what="the next one")
        assert (len(a.waiting), len(b.waiting)) == (5, 5)
        a.answer()
        until(lambda: sum(s.is_ended for s in c.streams.values()) == 5
              if c.drain() else False, what="five answers")
        for n in range(1, 6):
            c.ask()
            until(lambda n=n: len(a.waiting) == n, what="the next one")
        assert len(b.waiting) == 5
        a.answer()
        b.answer()
    assert len(first.conns) == len(second.conns) == 1


def test_retired_workers_end_their_connections(h2_front, h2_origin):
    """A reload: streams that run end in order, then their connection; the new
    worker has its own."""
    held = Held()
    o = h2_origin(held)
    gh = h2_front([o])
    with gh.client() as c:
        c.send(b"GET /old HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests(1)
        gh.reload()
        assert not o.conns[0].is_closed
        held.answer()
        assert c.response().text == "/old"
    o.wait(lambda o: o.conns[0].is_closed)
    assert o.conns[0].goaway == (0, 0)
    o.script = ok
    assert get(gh).text == "ok"
    assert len(o.conns) == 2


def test_reload_closes_idle_ones(h2_front, h2_origin):
    """A reload closes the old worker's idle connections."""
    o = h2_origin()
    gh = h2_front([o])
    assert get(gh).text == "ok"
    gh.reload()
    o.wait(lambda o: o.conns[0].is_closed)
    assert o.conns[0].goaway == (0, 0)


# --- time -----------------------------------------------------------------

def test_response_timeout_is_of_a_stream(h2_front, h2_origin):
    """response_timeout ends one stream; the others on its connection go
    on."""
    def script(conn, request):
        if request.path != "/never":
            conn.answer(request.stream)

    o = h2_origin(script)
    gh = h2_front([o], upstream="response_timeout = 2s")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        never = c.ask(path="/never")
        until(lambda: c.get().status == 200 and c.drain() and
              c.stream(never).is_settled, what="the timeout")
        assert c.stream(never).status == 504
        assert c.get().status == 200
    until(lambda: o.requests[0].reset == "CANCEL", what="the reset")
    assert len(o.conns) == 1
    assert "origin_timeout" in {line["fault"] for line in gh.log(3)}


def test_a_mute_connection_is_not_used_again(h2_front, h2_origin):
    """When all that is known of a connection is that it says nothing, the
    next request gets another one."""
    go = threading.Event()

    def script(conn, request):
        if conn.number == 0:
            # the thread reads no more
            go.wait(WAIT_S)
        else:
            conn.answer(request.stream)

    o = h2_origin(script)
    gh = h2_front([o], upstream="response_timeout = 300ms\nretry = none")
    assert get(gh).status == 504
    assert get(gh).text == "ok"
    assert len(o.conns) == 2
    go.set()


def test_timeout_of_the_exchange(h2_front, h2_origin):
    """timeout bounds the whole exchange, its stream is reset."""
    o = h2_origin(lambda conn, r: None)
    gh = h2_front([o], site="timeout = 300ms")
    assert get(gh).status == 504
    assert gh.fault() == "timeout"
    until(lambda: o.requests[0].reset == "CANCEL", what="the reset")


def test_client_that_leaves(h2_front, h2_origin):
    """RFC 9113 5.4.2: a client that is gone costs a stream, not the
    connection."""
    o = h2_origin(Held())
    gh = h2_front([o])
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.ask()
        o.wait_requests(1)
        c.send(h2.rst_stream(stream))
        until(lambda: o.requests[0].reset == "CANCEL", what="the reset")
        c.ask()
        o.wait_requests(2)
    until(lambda: o.requests[1].reset == "CANCEL", what="the reset")
    o.script = ok
    assert get(gh).text == "ok"
    assert len(o.conns) == 1


def test_early_answer(h2_front, h2_origin):
    """RFC 9113 8.1: an answer that does not wait for the request's end is
    complete; NO_ERROR behind it is no failure."""
    def on_head(conn, request):
        conn.answer(request.stream, b"early", 413)
        conn.send(h2.rst_stream(request.stream, 0))

    o = h2_origin(on_head=on_head)
    gh = h2_front([o])
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n"
               b"\r\n")
        r = c.response("POST")
        assert (r.status, r.text) == (413, "early")
    assert gh.fault() == "-"
    o.on_head = None
    assert get(gh).text == "ok"
    assert len(o.conns) == 1
