"""Frames, their sizes and header blocks (RFC 9113 4, 5.5)."""
from lib.h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_MAX, GET,
                    GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, PING,
                    POST, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS,
                    WINDOW_UPDATE, block, continuation, data, frame, goaway,
                    headers, ping, priority, request, rst_stream, settings,
                    window_update)
from lib.h2case import Row, conn, either, opened, rows

UNKNOWN = (0x0A, 0x0B, 0x0C, 0x0D, 0x21, 0x7F, 0x99, 0xFF)
RESERVED = 1 << 31


def over(c):
    """A length that the peer does not take."""
    return c.settings.get(MAX_FRAME_SIZE, FRAME_MAX) + 1


def sends(*frames):
    return lambda c: c.send(*frames)


def too_long(kind, flags=0, stream=1):
    return lambda c: opened(c).send(
        frame(kind, flags, stream, b"\0" * over(c)))


@rows(
    *(Row(f"9113-4.1-unknown-type-{kind:#x}-on-stream-{on}",
          lambda c, k=kind, on=on: c.send(
              frame(k, 0xFF, on, b"12345678"), headers(3, GET)),
          ("200",), on=3) for kind in UNKNOWN for on in (0, 1)),
    Row("9113-4.1-unknown-type-empty", sends(
        frame(0x16, 0, 0), headers(1, GET)), ("200",)),
    Row("9113-4.1-unknown-type-of-full-length", sends(
        frame(0x16, 0, 0, b"x" * FRAME_MAX), headers(1, GET)), ("200",)),
    Row("9113-4.1-unknown-type-amid-a-request", lambda c: opened(c).send(
        frame(0x16, 0xFF, 1, b"x"), data(1, b"x", end=True)), ("200",)),
    Row("9113-5.5-unknown-type-amid-a-header-block", sends(
        headers(1, GET[:5], END_STREAM), frame(0x16, 0, 1, b"x"),
        continuation(1, GET[5:])), conn("PROTOCOL_ERROR")),
    Row("9113-5.5-unknown-type-amid-a-header-block-on-stream-0", sends(
        headers(1, GET[:5], END_STREAM), frame(0x16, 0, 0, b"x"),
        continuation(1, GET[5:])), conn("PROTOCOL_ERROR")),
    Row("9113-4.1-undefined-flags-of-PING", lambda c: c.send(
        ping(b"12345678", 0xFE)).pump(lambda: c.pings), ("ignored",)),
    Row("9113-4.1-undefined-flags-of-SETTINGS", sends(
        settings(flags=0xFE)), ("ignored",)),
    Row("9113-4.1-undefined-flags-of-DATA", lambda c: opened(c).send(
        data(1, b"x", end=True, flags=0xF6)), ("200",)),
    Row("9113-4.1-undefined-flags-of-HEADERS", sends(
        headers(1, GET, END_STREAM | END_HEADERS | 0xD2)), ("200",)),
    Row("9113-4.1-undefined-flags-of-CONTINUATION", sends(
        headers(1, GET[:5], END_STREAM),
        continuation(1, GET[5:], 0xFF)), ("200",)),
    Row("9113-4.1-undefined-flags-of-PRIORITY", sends(
        frame(PRIORITY, 0xFF, 3, b"\0\0\0\0\1"), headers(1, GET)), ("200",)),
    Row("9113-4.1-undefined-flags-of-RST_STREAM", lambda c: opened(c).send(
        frame(RST_STREAM, 0xFF, 1, b"\0\0\0\x08")), ("ignored",)),
    Row("9113-4.1-undefined-flags-of-WINDOW_UPDATE", sends(
        frame(WINDOW_UPDATE, 0xFF, 0, b"\0\0\0\1"), headers(1, GET)),
        ("200",)),
    Row("9113-4.1-reserved-bit-of-PING", lambda c: c.send(
        ping(stream=RESERVED)).pump(lambda: c.pings), ("ignored",)),
    Row("9113-4.1-reserved-bit-of-SETTINGS", sends(
        settings(stream=RESERVED)), ("ignored",)),
    Row("9113-4.1-reserved-bit-of-HEADERS", sends(
        headers(1 | RESERVED, GET)), ("200",)),
    Row("9113-4.1-reserved-bit-of-DATA", lambda c: opened(c).send(
        data(1 | RESERVED, b"x", end=True)), ("200",)),
    Row("9113-6.9-reserved-bit-of-an-increment", sends(
        window_update(0, RESERVED | 1), headers(1, GET)), ("200",)),
)
def test_format(check, row):
    check(row)


@rows(
    Row("9113-4.2-DATA-of-2^14", lambda c: opened(c).send(
        data(1, b"x" * FRAME_MAX, end=True)), ("200",)),
    Row("9113-4.2-DATA-of-2^14-padded", lambda c: opened(c).send(
        data(1, b"x" * (FRAME_MAX - 101), end=True, pad=100)), ("200",)),
    Row("9113-4.2-HEADERS-of-2^14", sends(headers(1, block(request(
        "GET", "/", *((f"x-{i}", "y" * 1000) for i in range(15)))))),
        ("200", "431")),
    Row("9113-4.2-DATA-too-long", too_long(DATA), either("FRAME_SIZE_ERROR")),
    Row("9113-4.2-DATA-too-long-on-an-idle-stream", too_long(DATA, 0, 5),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Row("9113-4.2-HEADERS-too-long", too_long(HEADERS, 5, 3),
        conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-CONTINUATION-too-long", lambda c: c.send(
        headers(1, GET, END_STREAM),
        frame(CONTINUATION, 4, 1, b"\0" * over(c))), conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-SETTINGS-too-long", too_long(SETTINGS, 0, 0),
        conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-PUSH_PROMISE-too-long", too_long(PUSH_PROMISE),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Row("9113-4.2-PING-too-long", too_long(PING, 0, 0),
        conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-GOAWAY-too-long", too_long(GOAWAY, 0, 0),
        conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-unknown-type-too-long", too_long(0x16, 0, 0),
        conn("FRAME_SIZE_ERROR")),
    Row("9113-4.2-length-of-2^24-1", lambda c: opened(c).send(
        frame(DATA, 0, 1, b"x" * 1000, length=2**24 - 1)),
        either("FRAME_SIZE_ERROR")),
    *(Row(f"9113-6.3-PRIORITY-of-{n}", lambda c, n=n: c.send(
        frame(PRIORITY, 0, 1, b"\0" * n), headers(3, GET)),
        either("FRAME_SIZE_ERROR")) for n in (0, 4, 6)),
    *(Row(f"9113-6.4-RST_STREAM-of-{n}", lambda c, n=n: opened(c).send(
        frame(RST_STREAM, 0, 1, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (0, 3, 5, 8)),
    *(Row(f"9113-6.5-SETTINGS-of-{n}", sends(
        frame(SETTINGS, 0, 0, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (1, 5, 7, 13)),
    *(Row(f"9113-6.5-acknowledgement-of-{n}", sends(
        frame(SETTINGS, 1, 0, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (1, 6)),
    *(Row(f"9113-6.7-PING-of-{n}", sends(
        frame(PING, 0, 0, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (0, 7, 9, 16)),
    *(Row(f"9113-6.7-acknowledgement-of-PING-of-{n}", sends(
        frame(PING, 1, 0, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (0, 7)),
    *(Row(f"9113-4.2-GOAWAY-of-{n}", sends(
        frame(GOAWAY, 0, 0, b"\0" * n)), conn("FRAME_SIZE_ERROR"))
      for n in (0, 7)),
    *(Row(f"9113-6.9-WINDOW_UPDATE-of-{n}-on-stream-{on}",
          lambda c, n=n, on=on: opened(c).send(
              frame(WINDOW_UPDATE, 0, on, b"\0" * n)),
          conn("FRAME_SIZE_ERROR"))
      for n in (0, 3, 5, 8) for on in (0, 1)),
    Row("9113-4.2-padded-DATA-of-0", lambda c: opened(c).send(
        frame(DATA, 8, 1)), conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Row("9113-4.2-padded-HEADERS-of-0", sends(frame(HEADERS, 13, 1)),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Row("9113-4.2-HEADERS-too-short-for-its-priority",
        sends(frame(HEADERS, 0x25, 1, b"\0\0\0\0")),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Row("9113-4.2-HEADERS-too-short-for-padding-and-priority",
        sends(frame(HEADERS, 0x2D, 1, b"\0\0\0\0\0")),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
)
def test_size(check, row):
    check(row)


HALF = headers(1, GET[:9], END_STREAM)


@rows(
    Row("9113-4.3-block-in-three", sends(
        HALF, continuation(1, GET[9:12], 0), continuation(1, GET[12:])),
        ("200",)),
    # more than a few may be refused as a flood (9113-10.5.1)
    Row("9113-4.3-block-in-nine", sends(
        headers(1, b"", END_STREAM),
        *(continuation(1, GET[i:i + 1], 0) for i in range(7)),
        continuation(1, GET[7:])), ("200",)),
    Row("9113-4.3-block-that-is-no-HPACK", sends(
        headers(1, b"\xff\xff\xff\xff\xff\xff\xff\xff")),
        conn("COMPRESSION_ERROR")),
    Row("9113-4.3-block-cut-in-a-field", sends(headers(1, GET[:-1])),
        conn("COMPRESSION_ERROR")),
    Row("9113-4.3-empty-block", sends(headers(1, b"")),
        ("stream PROTOCOL_ERROR", "400")),
    *(Row(f"9113-4.3-{name}-amid-a-block", sends(HALF, other),
          conn("PROTOCOL_ERROR"))
      for name, other in (
          ("HEADERS", headers(1, GET[9:])),
          ("HEADERS-of-another-stream", headers(3, GET)),
          ("DATA", data(1, b"x")), ("DATA-of-another-stream", data(3, b"x")),
          ("PRIORITY", priority(1)), ("PRIORITY-of-another", priority(3)),
          ("RST_STREAM", rst_stream(1)), ("SETTINGS", settings()),
          ("acknowledgement", settings(flags=1)), ("PING", ping()),
          ("GOAWAY", goaway()), ("WINDOW_UPDATE", window_update(0, 1)),
          ("WINDOW_UPDATE-of-the-stream", window_update(1, 1)),
          ("PUSH_PROMISE", frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2" + GET)),
          ("CONTINUATION-of-another-stream", continuation(3, GET[9:])),
          ("CONTINUATION-of-stream-0", continuation(0, GET[9:])))),
    *(Row(f"9113-6.10-CONTINUATION-behind-{name}", act,
          conn("PROTOCOL_ERROR"))
      for name, act in (
          ("END_HEADERS", sends(headers(1, GET, END_HEADERS),
                                continuation(1, GET))),
          ("a-CONTINUATION-with-END_HEADERS", sends(
              HALF, continuation(1, GET[9:]), continuation(1, GET))),
          ("DATA", lambda c: opened(c).send(
              data(1, b"x"), continuation(1, GET))),
          ("nothing-on-stream-0", sends(continuation(0, GET))))),
    Row("9113-6.10-trailers-in-two", lambda c: opened(c).send(
        data(1, b"x"), headers(1, b"\0\1x", END_STREAM),
        continuation(1, b"\1y")), ("200",)),
    Row("9113-6.10-empty-CONTINUATION-at-the-end", sends(
        headers(1, GET, END_STREAM), continuation(1, b"")), ("200",)),
    Row("9113-6.10-END_STREAM-of-CONTINUATION-is-no-flag", sends(
        headers(1, POST[:9], 0), continuation(1, POST[9:], END_HEADERS | 1),
        data(1, b"x", end=True)), ("200",)),
)
def test_block(check, row):
    check(row)


@rows(
    Row("9113-6.5.3-request-behind-new-settings", sends(
        settings({INITIAL_WINDOW_SIZE: 100}), headers(1, GET)), ("200",)),
)
def test_order(check, row):
    check(row)
