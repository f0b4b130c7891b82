"""Each frame in each state of a stream, stream numbers, concurrency, and the
old priorities (RFC 9113 5.1, 5.3)."""
import pytest

from lib.h2 import (END_HEADERS, END_STREAM, GET, MAX_CONCURRENT_STREAMS, POST,
                    PUSH_PROMISE, Conn, block, continuation, data, frame,
                    headers, literal, priority, priority_part, request,
                    rst_stream,
                    window_update)
from lib.h2case import (WINDOWLESS, Row, closed, conn, either, half_closed,
                        idle, opened, refused, reset, rows)

PUSH = frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + GET)
TRAILERS = headers(1, block([("x-end", "1")]))
LOST = either("STREAM_CLOSED")
SENT = {
    "DATA": data(1, b"x"),
    "empty-DATA": data(1),
    "DATA-with-END_STREAM": data(1, b"x", end=True),
    "HEADERS": headers(1, GET),
    "HEADERS-without-END_STREAM": headers(1, POST, END_HEADERS),
    "trailers": TRAILERS,
    "PRIORITY": priority(1),
    "RST_STREAM": rst_stream(1),
    "PUSH_PROMISE": PUSH,
    "WINDOW_UPDATE": window_update(1, 1),
    "CONTINUATION": continuation(1, GET),
    "unknown": frame(0x16, 0, 1, b"x"),
}
ILL = ("stream PROTOCOL_ERROR", "400")
NO_PUSH = conn("PROTOCOL_ERROR")
NO_CONTINUATION = conn("PROTOCOL_ERROR", "STREAM_CLOSED")

IDLE = {
    "DATA": conn("PROTOCOL_ERROR"), "empty-DATA": conn("PROTOCOL_ERROR"),
    "DATA-with-END_STREAM": conn("PROTOCOL_ERROR"), "HEADERS": ("200",),
    "HEADERS-without-END_STREAM": ("ignored",), "trailers": ILL,
    "PRIORITY": ("ignored",), "RST_STREAM": conn("PROTOCOL_ERROR"),
    "PUSH_PROMISE": NO_PUSH, "WINDOW_UPDATE": conn("PROTOCOL_ERROR"),
    "CONTINUATION": conn("PROTOCOL_ERROR"), "unknown": ("ignored",),
}
OPEN = {
    "DATA": ("ignored",), "empty-DATA": ("ignored",),
    "DATA-with-END_STREAM": ("200",),
    # 8.1: a second block is one of trailers: no pseudo-fields, and the end
    "HEADERS": ILL, "HEADERS-without-END_STREAM": ILL, "trailers": ("200",),
    "PRIORITY": ("ignored",), "RST_STREAM": ("ignored",),
    "PUSH_PROMISE": NO_PUSH, "WINDOW_UPDATE": ("ignored",),
    "CONTINUATION": conn("PROTOCOL_ERROR"), "unknown": ("ignored",),
}
# 5.1: other than WINDOW_UPDATE, PRIORITY and RST_STREAM: STREAM_CLOSED
HALF_CLOSED = {
    "DATA": LOST, "empty-DATA": LOST, "DATA-with-END_STREAM": LOST,
    "HEADERS": LOST, "HEADERS-without-END_STREAM": LOST, "trailers": LOST,
    "PRIORITY": ("200",), "RST_STREAM": ("200",), "PUSH_PROMISE": NO_PUSH,
    "WINDOW_UPDATE": ("200",), "CONTINUATION": NO_CONTINUATION,
    "unknown": ("200",),
}
# 5.1, 6.1: what ended in order takes PRIORITY, and for a while WINDOW_UPDATE
# and RST_STREAM. 5.1.1: a number is used once.
CLOSED = {
    **HALF_CLOSED, "HEADERS": conn("STREAM_CLOSED", "PROTOCOL_ERROR"),
    "HEADERS-without-END_STREAM": conn("STREAM_CLOSED", "PROTOCOL_ERROR"),
    "trailers": conn("STREAM_CLOSED", "PROTOCOL_ERROR"),
}
RESET = {name: ("ignored",) if want == ("200",) else want
         for name, want in CLOSED.items()}
# 5.1: what was under way when the peer had enough has to be borne, and a
# header block has to be read
BORNE = ("stream PROTOCOL_ERROR", "400", "stream STREAM_CLOSED")
REFUSED = {name: BORNE for name in SENT} | {
    "PUSH_PROMISE": NO_PUSH, "CONTINUATION": NO_CONTINUATION}

STATES = (("idle", idle, {}, IDLE), ("open", opened, {}, OPEN),
          ("half-closed", half_closed, WINDOWLESS, HALF_CLOSED),
          ("closed", closed, {}, CLOSED), ("reset", reset, {}, RESET),
          ("reset-by-peer", refused, {}, REFUSED))


@rows(*(Row(f"9113-5.1-{name}-on-{state}",
            lambda c, into=into, name=name: into(c).send(SENT[name]),
            table[name], settings=own)
        for state, into, own, table in STATES for name in SENT))
def test_state(check, row):
    check(row)


@pytest.mark.parametrize("name", [n for n in SENT if n not in
                                  ("PUSH_PROMISE", "CONTINUATION")])
def test_state_half_closed_by_the_peer(address, peer_name, name):
    """9113-5.1, 8.1: the answer is there before the request has ended; what
    the client still sends must not harm the connection."""
    if peer_name in ("nghttpd", "nghttpx", "h2o"):
        pytest.skip("no answer of its own")
    with Conn(address) as c:
        c.send(headers(1, block(request("POST", "/own")), END_HEADERS))
        c.pump(lambda: c.stream(1).is_settled)
        c.send(SENT[name])
        c.sync()
        assert c.stream(1).status == 200 and not c.goaway, c.told()
        assert c.stream(1).reset in (None, "NO_ERROR", "PROTOCOL_ERROR",
                                     "STREAM_CLOSED")
        c.expect_served()


@rows(
    *(Row(f"9113-5.1.1-even-number-{n}", lambda c, n=n: c.send(
        headers(n, GET)), conn("PROTOCOL_ERROR")) for n in (2, 4, 100)),
    Row("9113-5.1.1-HEADERS-on-stream-0", lambda c: c.send(headers(0, GET)),
        conn("PROTOCOL_ERROR")),
    Row("9113-5.1.1-smaller-number", lambda c: c.send(
        headers(5, GET), headers(3, GET)), conn("PROTOCOL_ERROR")),
    Row("9113-5.1.1-smaller-number-while-open", lambda c: c.send(
        headers(5, POST, END_HEADERS), headers(3, GET)),
        conn("PROTOCOL_ERROR")),
    Row("9113-5.1.1-number-left-out-gets-DATA", lambda c: c.send(
        headers(5, GET), data(3, b"x")),
        either("STREAM_CLOSED") + conn("PROTOCOL_ERROR"), on=3),
    Row("9113-5.1.1-greatest-number", lambda c: (
        c.ask(stream=2**31 - 1), c.expect_response(2**31 - 1),
        c.send(headers(1, GET))), conn("PROTOCOL_ERROR")),
    Row("9113-5.1.1-first-number-is-7", lambda c: c.send(headers(7, GET)),
        ("200",), on=7),
    Row("9113-6.1-DATA-on-stream-0", lambda c: opened(c).send(data(0, b"x")),
        conn("PROTOCOL_ERROR")),
    Row("9113-6.3-PRIORITY-on-stream-0", lambda c: c.send(priority(0)),
        conn("PROTOCOL_ERROR")),
    Row("9113-6.4-RST_STREAM-on-stream-0", lambda c: c.send(rst_stream(0)),
        conn("PROTOCOL_ERROR")),
    Row("9113-6.6-PUSH_PROMISE-on-stream-0", lambda c: c.send(
        frame(PUSH_PROMISE, END_HEADERS, 0, b"\0\0\0\2" + GET)),
        conn("PROTOCOL_ERROR")),
    Row("9113-5.1-DATA-on-an-even-idle-stream", lambda c: c.send(
        data(2, b"x")), conn("PROTOCOL_ERROR")),
    Row("9113-6.9-WINDOW_UPDATE-on-an-even-idle-stream", lambda c: c.send(
        window_update(2, 1)), conn("PROTOCOL_ERROR")),
    Row("9113-6.4-RST_STREAM-on-an-even-idle-stream", lambda c: c.send(
        rst_stream(2)), conn("PROTOCOL_ERROR")),
)
def test_number(check, row):
    check(row)


def test_too_many_streams(address):
    """9113-5.1.2: a stream over the announced number is refused and the others
    are served."""
    with Conn(address, settings=WINDOWLESS) as c:
        most = c.settings.get(MAX_CONCURRENT_STREAMS)
        assert most and most >= 100, "6.5.2: at least 100"
        for _ in range(most):
            c.send(headers(c.next_stream(), GET))
        extra = c.next_stream()
        c.send(headers(extra, GET))
        if not c.pump(lambda: c.stream(extra).is_settled):
            # 5.4.1: it may be taken for an error of the connection
            c.expect_connection_error("PROTOCOL_ERROR", "REFUSED_STREAM")
            return
        assert c.stream(extra).reset in ("REFUSED_STREAM", "PROTOCOL_ERROR"), \
            c.told()
        assert c.pump(lambda: all(c.stream(n).status == 200
                                  for n in range(1, extra, 2)))
        c.send(*(window_update(n, 1000) for n in range(1, extra, 2)))
        assert c.pump(lambda: all(c.stream(n).is_ended
                                  for n in range(1, extra, 2)))
        c.send(headers(extra + 2, GET))
        assert c.pump(lambda: c.stream(extra + 2).status == 200)


def test_a_refused_block_is_read(address):
    """9113-4.3: the table of a refused stream's block is the connection's."""
    with Conn(address, settings=WINDOWLESS) as c:
        most = c.settings.get(MAX_CONCURRENT_STREAMS)
        for _ in range(most):
            c.send(headers(c.next_stream(), GET))
        extra = c.next_stream()
        # the path goes into the table with the refused one
        c.send(headers(extra, GET + b"\x40\3x-y\1z"))
        if not c.pump(lambda: c.stream(extra).is_settled):
            pytest.skip("ends the connection")
        c.send(rst_stream(1), rst_stream(3))
        c.sync()
        c.send(headers(extra + 2, GET + b"\xbe"))
        assert c.pump(lambda: c.stream(extra + 2).status == 200), c.told()


def test_freed_streams_do_not_count(address):
    """9113-5.1.2: a stream that was reset or has ended leaves its place."""
    with Conn(address) as c:
        most = c.settings.get(MAX_CONCURRENT_STREAMS)
        for _ in range(most // 20 + 2):
            numbers = [c.ask() for _ in range(20)]
            assert c.pump(lambda some=numbers: all(
                c.stream(n).is_ended for n in some))
        assert all(s.status == 200 for s in c.streams.values())


SELF = either("PROTOCOL_ERROR")


@rows(
    *(Row(f"9113-5.3.2-weight-{w}", lambda c, w=w: c.send(
        headers(1, GET, priority=priority_part(0, w))), ("200",))
      for w in (1, 256)),
    Row("9113-5.3.2-exclusive-on-an-idle-stream", lambda c: c.send(
        headers(1, GET, priority=priority_part(99, 1, True))), ("200",)),
    Row("9113-5.3.2-on-an-open-stream", lambda c: opened(c).send(
        headers(3, GET, priority=priority_part(1, 5, True))), ("200",), on=3),
    Row("9113-5.3.2-circle", lambda c: c.send(
        priority(3, 5), priority(5, 3), headers(7, GET)), ("200",), on=7),
    Row("9113-5.3.2-chain-of-100", lambda c: c.send(
        *(priority(n, n - 2) for n in range(3, 203, 2)), headers(1, GET)),
        ("200",)),
    Row("9113-5.3.2-PRIORITY-then-a-lower-number", lambda c: c.send(
        priority(9), headers(1, GET)), ("200",)),
    Row("9113-5.3.2-PRIORITY-on-an-even-stream", lambda c: c.send(
        priority(2, 1), headers(1, GET)), ("200",)),
    # what RFC 7540 5.3.1 made an error is still taken for one
    Row("9113-5.3.2-HEADERS-on-itself", lambda c: c.send(
        headers(1, GET, priority=priority_part(1))), SELF),
    Row("9113-5.3.2-PRIORITY-on-itself", lambda c: opened(c).send(
        priority(1, 1)), SELF),
    Row("9113-6.2-priority-and-padding", lambda c: c.send(
        headers(1, GET, pad=7, priority=priority_part(3, 9))), ("200",)),
)
def test_priority(check, row):
    check(row)


def update(on=1, text=b"u=1", stream=0):
    """RFC 9218 7.1: PRIORITY_UPDATE."""
    return frame(0x10, 0, stream, on.to_bytes(4, "big") + text)


@rows(
    *(Row(f"9218-7.1-{name}", lambda c, text=text: c.send(
        update(1, text), headers(1, GET), update(1, text)), ("200",))
      for name, text in (("u-1", b"u=1"), ("u-7-i", b"u=7, i"), ("none", b""),
                         ("unknown", b"x=1;y, u=3"), ("out-of-range", b"u=99"),
                         ("no-dictionary", b"((("), ("binary", b"\0\xff"),
                         ("long", b"u=1," + b"x," * 4000))),
    Row("9218-7.1-on-a-stream", lambda c: c.send(update(stream=1)),
        conn("PROTOCOL_ERROR")),
    Row("9218-7.1-of-stream-0", lambda c: c.send(update(0)),
        conn("PROTOCOL_ERROR")),
    Row("9218-7.1-of-a-push-that-never-was", lambda c: c.send(update(2)),
        conn("PROTOCOL_ERROR") + ("ignored",)),
    Row("9218-7.1-of-a-closed-stream", lambda c: closed(c).send(update(1)),
        ("200",)),
    Row("9218-7.1-too-short", lambda c: c.send(frame(0x10, 0, 0, b"\0\0\1")),
        conn("FRAME_SIZE_ERROR")),
    *(Row(f"9218-4-field-{name}", lambda c, value=value: c.send(
        headers(1, GET + literal("priority", value))), ("200",))
      for name, value in (("u-0", "u=0"), ("u-7-i", "u=7, i"), ("none", ""),
                          ("out-of-range", "u=8"), ("malformed", "u=\x22"),
                          ("twice", "u=1, u=2"))),
)
def test_extensible_priority(check, row):
    check(row)


def test_window_update_frees_a_half_closed_stream(address):
    """9113-5.1, 6.9: WINDOW_UPDATE is taken when we have sent all."""
    with Conn(address, settings=WINDOWLESS) as c:
        half_closed(c).send(window_update(1, 1000))
        assert c.answer(1).body, c.told()


def test_reset_in_the_middle_of_an_answer(address):
    """9113-5.4.2: a reset stream is silent, others are not."""
    with Conn(address, settings=WINDOWLESS) as c:
        half_closed(c).send(rst_stream(1), window_update(1, 1000))
        c.sync()
        assert not c.stream(1).body
        other = c.ask()
        c.send(window_update(other, 1000))
        c.expect_response(other)


@pytest.mark.parametrize("flags", [0, END_STREAM])
def test_streams_interleaved(address, flags):
    """9113-5: frames of many streams come in any order."""
    with Conn(address) as c:
        numbers = [c.next_stream() for _ in range(20)]
        c.send(*(headers(n, POST, END_HEADERS) for n in numbers))
        for i in range(3):
            c.send(*(data(n, b"x" * 10) for n in reversed(numbers)))
        c.send(*(data(n, b"x", end=bool(flags)) if flags else
                 headers(n, block([("x-end", "1")])) for n in numbers))
        for n in numbers:
            c.expect_response(n)
