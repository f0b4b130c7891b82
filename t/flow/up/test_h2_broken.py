"""Hostile origins of HTTP/2 (RFC 9113): whatever they say, no client takes a
broken answer for a complete one, and the fault tells what it was."""
import ssl

import pytest

from lib import h2
from lib.gatehouse import free_port
from lib.procs import until
from lib.tls_origin import server_context
from lib.wire import Truncated


def answer(fields, end=True, status="200"):
    """A head of any octets."""
    pseudo = [(":status", status)] if status is not None else []
    return lambda n: b"".join(h2.head(n, h2.block([*pseudo, *fields]), end))


def frames(*parts):
    """Parts one after the other; those that are functions get the stream."""
    return lambda n: b"".join(p(n) if callable(p) else p for p in parts)


LEN10 = answer([("content-length", "10")], end=False)
OPEN = answer([], end=False)


def data(octets, end=False, **kwargs):
    return lambda n: h2.data(n, octets, end=end, **kwargs)


def rst(code):
    return lambda n: h2.rst_stream(n, code)


# What a stream alone is refused for: (name, frames, fault). The connection goes
# on to serve.
STREAMS = [
    # RFC 9113 8.3: pseudo-fields
    ("no_status", answer([("a", "b")], status=None), "origin_bad"),
    ("status_twice", answer([(":status", "200")]), "origin_bad"),
    ("status_late", answer([("a", "b"), (":status", "200")], status=None),
     "origin_bad"),
    ("status_short", answer([], status="20"), "origin_bad"),
    ("status_long", answer([], status="2000"), "origin_bad"),
    ("status_word", answer([], status="abc"), "origin_bad"),
    ("status_99", answer([], status="099"), "origin_bad"),
    ("status_600", answer([], status="600"), "origin_bad"),
    ("status_101", answer([], status="101"), "origin_bad"),
    ("interim_that_ends", answer([], status="103"), "origin_bad"),
    ("pseudo_of_requests", answer([(":path", "/")]), "origin_bad"),
    ("pseudo_unknown", answer([(":x", "y")]), "origin_bad"),
    # RFC 9113 8.2: fields
    ("upper_case", answer([("Upper", "b")]), "origin_bad"),
    ("name_empty", answer([("", "b")]), "origin_bad"),
    ("name_blank", answer([("a b", "c")]), "origin_bad"),
    ("name_colon", answer([("a:b", "c")]), "origin_bad"),
    ("name_crlf", answer([("a\r\nb", "c")]), "origin_bad"),
    ("value_crlf", answer([("a", "b\r\nset-cookie: c")]), "origin_bad"),
    ("value_lf", answer([("a", "b\nc")]), "origin_bad"),
    ("value_nul", answer([("a", "b\0c")]), "origin_bad"),
    ("value_blank_first", answer([("a", " b")]), "origin_bad"),
    ("value_blank_last", answer([("a", "b\t")]), "origin_bad"),
    # RFC 9113 8.2.2: fields of connections
    ("connection", answer([("connection", "close")]), "origin_bad"),
    ("keep_alive", answer([("keep-alive", "5")]), "origin_bad"),
    ("transfer_encoding", answer([("transfer-encoding", "chunked")]),
     "origin_bad"),
    ("upgrade", answer([("upgrade", "h2c")]), "origin_bad"),
    ("proxy_connection", answer([("proxy-connection", "close")]),
     "origin_bad"),
    # RFC 9113 8.1.1: content against its length
    ("length_word", answer([("content-length", "ten")]), "origin_bad"),
    ("length_sign", answer([("content-length", "+1")]), "origin_bad"),
    ("length_huge", answer([("content-length", "99999999999999999999")]),
     "origin_bad"),
    ("length_twice", answer([("content-length", "1"),
                             ("content-length", "2")]), "origin_bad"),
    ("length_without_content", answer([("content-length", "1")]),
     "origin_bad"),
    ("too_little", frames(LEN10, data(b"12345", end=True)), "origin_bad"),
    ("too_much", frames(LEN10, data(b"1234567890x", end=True)), "origin_bad"),
    ("too_much_later", frames(LEN10, data(b"1234567890"),
                              data(b"x", end=True)), "origin_bad"),
    ("too_little_and_trailers", frames(
        LEN10, data(b"12345"), answer([("a", "b")], status=None)),
     "origin_bad"),
    ("content_of_204", frames(answer([], end=False, status="204"),
                              data(b"x", end=True)), "origin_bad"),
    ("content_of_304", frames(answer([], end=False, status="304"),
                              data(b"x", end=True)), "origin_bad"),
    # RFC 9113 8.1: trailers
    ("trailers_open", frames(OPEN, data(b"x"),
                             answer([("a", "b")], end=False, status=None)),
     "origin_bad"),
    ("trailers_pseudo", frames(OPEN, data(b"x"), answer([])), "origin_bad"),
    ("trailers_crlf", frames(OPEN, data(b"x"),
                             answer([("a", "b\r\nc")], status=None)),
     "origin_bad"),
    ("second_head", frames(OPEN, answer([], end=False)), "origin_bad"),
    # limits (10.5.1)
    ("many_fields", answer([("a", "b")] * 300), "origin_bad"),
    ("large_head", answer([("a", "b" * 20000)] * 4), "origin_bad"),
    # resets (8.7): 7 is in test_h2_origins.py
    ("reset_no_error", rst(0), "origin_reset"),
    ("reset_protocol_error", rst(1), "origin_reset"),
    ("reset_internal", rst(2), "origin_reset"),
    ("reset_http_1_1_required", rst(13), "origin_reset"),
    ("reset_unknown", rst(0xbeef), "origin_reset"),
    ("reset_within", frames(LEN10, data(b"12345"), rst(2)), "origin_cut"),
    ("reset_no_error_within", frames(OPEN, data(b"12345"), rst(0)),
     "origin_cut"),
    ("refused_within", frames(OPEN, data(b"12345"), rst(7)), "origin_cut"),
    ("reset_after_interim", frames(answer([], end=False, status="103"),
                                   rst(7)), "origin_cut"),
]
# What ends the connection (5.4.1).
CONNECTIONS = [
    ("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n", "origin_bad"),
    ("frame_too_large", h2.frame(h2.DATA, 0, 1, b"", 2**24 - 1),
     "origin_bad"),
    ("data_before_head", data(b"abc", end=True), "origin_bad"),
    ("data_on_stream_0", h2.data(0, b"x"), "origin_bad"),
    ("data_on_idle", lambda n: h2.data(n + 2, b"x"), "origin_bad"),
    ("head_on_idle", lambda n: answer([])(n + 2), "origin_bad"),
    ("head_on_even", lambda n: answer([])(2), "origin_bad"),
    ("rst_on_idle", lambda n: h2.rst_stream(n + 2, 7), "origin_bad"),
    ("rst_on_0", h2.rst_stream(0), "origin_bad"),
    ("rst_short", lambda n: h2.frame(h2.RST_STREAM, 0, n, b"abc"),
     "origin_bad"),
    ("push", lambda n: h2.frame(
        h2.PUSH_PROMISE, h2.END_HEADERS, n,
        b"\0\0\0\2" + h2.block(h2.request())), "origin_bad"),
    ("hpack_garbage", lambda n: h2.headers(n, b"\xff\xff\xff\xff\xff"),
     "origin_bad"),
    ("hpack_index_0", lambda n: h2.headers(n, b"\x80"), "origin_bad"),
    ("hpack_table_huge", lambda n: h2.headers(
        n, h2.integer(1 << 20, 5, 0x20) + h2.block([(":status", "200")])),
     "origin_bad"),
    ("continuation_of_nothing", lambda n: h2.continuation(n, b""),
     "origin_bad"),
    ("head_interrupted", frames(
        lambda n: h2.headers(n, h2.block([(":status", "200")]), 0),
        h2.ping()), "origin_bad"),
    ("settings_on_stream", lambda n: h2.settings({3: 1}, stream=n),
     "origin_bad"),
    ("settings_odd", h2.frame(h2.SETTINGS, 0, 0, b"abcde"), "origin_bad"),
    ("settings_window", h2.settings({h2.INITIAL_WINDOW_SIZE: 2**31}),
     "origin_bad"),
    ("settings_frame", h2.settings({h2.MAX_FRAME_SIZE: 100}), "origin_bad"),
    ("settings_push", h2.settings({h2.ENABLE_PUSH: 1}), "origin_bad"),
    ("settings_ack_long", h2.frame(h2.SETTINGS, h2.ACK, 0, b"abcdef"),
     "origin_bad"),
    ("window_0", h2.window_update(0, 0), "origin_bad"),
    ("window_overflow", h2.window_update(0, 2**31 - 1), "origin_bad"),
    ("stream_window_overflow", lambda n: h2.window_update(n, 2**31 - 1),
     "origin_bad"),
    ("ping_short", h2.frame(h2.PING, 0, 0, b"abc"), "origin_bad"),
    ("ping_on_stream", lambda n: h2.ping(stream=n), "origin_bad"),
    ("goaway_short", h2.frame(h2.GOAWAY, 0, 0, b"abc"), "origin_bad"),
    ("padding_too_long", lambda n: OPEN(n) + h2.frame(
        h2.DATA, h2.PADDED, n, b"\x09abc"), "origin_bad"),
    # floods (10.5)
    ("settings_flood", h2.settings({3: 100}) * 1000, "origin_bad"),
    ("ping_flood", h2.ping() * 5000, "origin_bad"),
    ("window_flood", h2.window_update(0, 1) * 50000, "origin_bad"),
    ("empty_flood", lambda n: OPEN(n) + h2.data(n) * 5000, "origin_bad"),
    ("continuation_flood", lambda n: h2.headers(n, b"", 0) +
     h2.continuation(n, b"", 0) * 5000, "origin_bad"),
    ("priority_flood", lambda n: h2.priority(n) * 5000, "origin_bad"),
    ("junk_flood", h2.frame(0x42, 0, 0, b"x") * 5000, "origin_bad"),
    ("hpack_bomb", lambda n: h2.headers(
        n, h2.block([(":status", "200")]) + h2.literal(
            "a", "b" * 4000, 0x40) + b"\xbe" * 15000), "origin_bad"),
    # ends
    ("end", None, "origin_reset"),
    ("end_within", lambda n: LEN10(n) + h2.data(n, b"12345"), "origin_cut"),
    ("end_without_length", lambda n: OPEN(n) + h2.data(n, b"12345"),
     "origin_cut"),
    ("end_within_frame", lambda n: LEN10(n) + h2.data(
        n, b"1234567890", end=True)[:-1], "origin_cut"),
    ("end_within_head", lambda n: answer([])(n)[:-1], "origin_reset"),
    ("end_after_interim", answer([], end=False, status="103"), "origin_cut"),
    ("goaway_and_end", lambda n: h2.goaway(n, 2), "origin_reset"),
]


def hostile(what):
    """Say it on the stream of /bad; serve everything else."""
    def script(conn, request):
        if request.path != "/bad":
            conn.answer(request.stream, b"good")
        elif what is not None:
            conn.send(what(request.stream) if callable(what) else what)

    return script


def is_no_answer(gh, **kwargs):
    """Whether the client of HTTP/1.1 sees that it has no complete answer."""
    with gh.client() as c:
        try:
            return c.get("/bad", **kwargs).status in (502, 503)
        except (Truncated, ConnectionResetError):
            return True


@pytest.mark.parametrize("name, what, fault", STREAMS,
                         ids=[row[0] for row in STREAMS])
def test_stream(h2_front, h2_origin, name, what, fault):
    """RFC 9113 5.4.2: what is wrong with one answer costs that answer alone,
    to clients of both versions."""
    o = h2_origin(hostile(what))
    gh = h2_front([o], upstream="retry = none")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        assert c.get("/good").body == b"good"
        assert is_no_answer(gh)
        r = c.get("/bad")
        assert r.status == 502 or r.reset == "INTERNAL_ERROR"
        assert not (r.status == 200 and r.is_ended)
        assert c.get("/good").body == b"good"
    assert len(o.conns) == 1
    assert [line["fault"] for line in gh.log(4)] == ["-", fault, fault, "-"]


@pytest.mark.parametrize("name, what, fault", CONNECTIONS,
                         ids=[row[0] for row in CONNECTIONS])
def test_connection(h2_front, h2_origin, name, what, fault):
    """RFC 9113 5.4.1: the connection ends; who shared it fails visibly or is
    served on another one."""
    def script(conn, request):
        if request.path == "/other":
            return
        hostile(what)(conn, request)
        if request.path == "/bad" and name.startswith(("end", "goaway_and")):
            conn.close()

    o = h2_origin(script)
    gh = h2_front([o], upstream="retry = none")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        # POST: not to be repeated for being stale
        other = c.ask("POST", "/other", body=b"x")
        o.wait_requests(1)
        bad = c.ask("POST", "/bad", body=b"x")
        r = c.answer(bad)
        assert r.status == 502 or r.reset == "INTERNAL_ERROR"
        assert not (r.status == 200 and r.is_ended)
        assert c.answer(other).status == 502
        assert c.get("/good").body == b"good"
    o.wait(lambda o: o.conns[0].is_closed)
    assert len(o.conns) == 2
    faults = {line["fault"] for line in gh.log(3)}
    assert fault in faults and faults <= {"-", fault, "origin_reset"}


def test_our_last_word(h2_front, h2_origin):
    """RFC 9113 5.4.1: an origin that breaks the protocol is told so, and the
    error log says why."""
    o = h2_origin(hostile(h2.window_update(0, 0)))
    gh = h2_front([o], **{"global": "log_level = info"})
    assert is_no_answer(gh)
    o.wait(lambda o: o.conns[0].is_closed)
    assert o.conns[0].goaway == (0, 1)
    assert 'code=PROTOCOL_ERROR why="HTTP/2: ' in gh.stderr()


def test_content_of_a_head_answer(h2_front, h2_origin):
    """RFC 9110 9.3.2: there is none; what comes is refused."""
    o = h2_origin(hostile(frames(LEN10, data(b"1234567890", end=True))))
    gh = h2_front([o])
    with gh.client() as c:
        try:
            assert c.get("/bad", method="HEAD").status in (200, 502)
            assert c.get("/good").text == "good"
        except (Truncated, ConnectionResetError):
            pass
    assert gh.log()[0]["fault"] in ("origin_bad", "-")
    assert len(o.conns) == 1


def test_no_settings(h2_front, h2_origin):
    """RFC 9113 3.4: SETTINGS come first."""
    gh = h2_front([h2_origin(greet=h2.ping())])
    assert is_no_answer(gh)
    assert gh.fault() == "origin_bad"


def test_origin_of_http_1(h2_front, origin):
    """RFC 9113 3.3: who answers in HTTP/1.1 does not speak HTTP/2."""
    def script(conn):
        conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        conn.sock.recv(65536)

    gh = h2_front([origin(script, raw=True)], upstream="retry = none")
    assert is_no_answer(gh)
    assert gh.fault() in ("origin_bad", "origin_reset")


@pytest.mark.parametrize("alpn", [None, ["http/1.1"]])
def test_alpn(h2_front, h2_origin, ca, alpn):
    """RFC 9113 3.2: over TLS HTTP/2 is spoken only when ALPN chose it."""
    pem = ca.make("local", "localhost", ips=["127.0.0.1"])
    o = h2_origin(tls=server_context(pem, alpn=alpn))
    other = h2_origin(tls=server_context(pem, alpn=["h2"]))
    gh = h2_front([o, other], upstream=f"ca = {ca.pem}\nretry = none")
    with gh.client() as c:
        r = c.get()
        assert r.status == 502
        assert c.get().text == "ok"
    assert gh.log()[0]["fault"] in ("origin_alpn", "origin_tls")
    if alpn is None:
        assert gh.log()[0]["fault"] == "origin_alpn"
    assert not o.requests
    gh = h2_front([o, other], upstream=f"ca = {ca.pem}")
    with gh.client() as c:
        assert c.get().text == "ok"


def test_nobody_listens(h2_front):
    """RFC 9110 15.6.3: 502 for all that wait, in one attempt."""
    gh = h2_front(["127.0.0.1:%d" % free_port()], "retry = none")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        streams = [c.ask() for _ in range(10)]
        assert [c.answer(s).status for s in streams] == [502] * 10
    assert {line["fault"] for line in gh.log(10)} == {"origin_connect"}


def test_handshake_that_never_ends(h2_front, origin, ca):
    """connect_timeout bounds a connection, however many come to wait for
    it."""
    o = origin(lambda conn: conn.reader.sock.recv(1 << 20) and until(
        lambda: o.is_closing), raw=True)
    gh = h2_front([f"https://{o.address}"],
                  upstream="connect_timeout = 300ms\ntls_verify = off")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        for _ in range(3):
            assert c.get().status == 504
    assert {line["fault"] for line in gh.log(3)} == {"origin_connect_timeout"}


def test_certificate_of_a_stranger(h2_front, h2_origin, stranger, ca):
    """RFC 9113 9.2: the same trust as for HTTP/1.1."""
    pem = stranger.make("s", "localhost", ips=["127.0.0.1"])
    o = h2_origin(tls=server_context(pem, alpn=["h2"]))
    gh = h2_front([o], upstream=f"ca = {ca.pem}")
    assert is_no_answer(gh)
    assert gh.fault() == "origin_cert"
    assert not o.requests
    o.wait(lambda o: o.errors)
    assert isinstance(o.errors[0], ssl.SSLError)
