"""What each type of frame says (RFC 9113 6, 7)."""
import pytest

from lib.h2 import (ENABLE_PUSH, END_HEADERS, FRAME_MAX, GET, HEADER_TABLE_SIZE,
                    HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE,
                    NO_RFC7540_PRIORITIES, PADDED, POST, WHOLE,
                    WINDOW, WINDOW_MAX, Conn, block, data, error_name, frame,
                    goaway, headers, padded, ping, request, rst_stream,
                    settings, window_update)
from lib.h2case import (WINDOWLESS, Row, conn, either, half_closed, opened,
                        rows)

MOST = 2**32 - 1
BIG_LEN = 50000  # of what conftest's origin answers to /big


def sends(*frames):
    return lambda c: c.send(*frames)


def told_pad(payload, pad, told):
    return frame(0, PADDED, 1, padded(payload, pad, told))


@rows(
    *(Row(f"9113-6.1-DATA-padded-by-{n}", lambda c, n=n: opened(c).send(
        data(1, b"abc", end=True, pad=n)), ("200",)) for n in (0, 1, 255)),
    Row("9113-6.1-DATA-of-padding-only", lambda c: opened(c).send(
        data(1, b"", pad=255), data(1, b"", end=True, pad=0)), ("200",)),
    Row("9113-6.1-padding-that-is-not-zero", lambda c: opened(c).send(
        frame(0, PADDED | 1, 1, b"\5abcXYZUV")), ("200",) + conn(
            "PROTOCOL_ERROR")),
    *(Row(f"9113-6.1-padding-of-{told}-in-{len(p) + pad + 1}",
          lambda c, p=p, pad=pad, told=told: opened(c).send(
              told_pad(p, pad, told)), conn("PROTOCOL_ERROR"))
      for p, pad, told in ((b"", 0, 1), (b"abc", 0, 4), (b"abc", 5, 9),
                           (b"", 5, 255))),
    *(Row(f"9113-6.2-HEADERS-padded-by-{n}", lambda c, n=n: c.send(
        headers(1, GET, pad=n)), ("200",)) for n in (0, 1, 255)),
    *(Row(f"9113-6.2-HEADERS-padding-of-{told}", lambda c, told=told: c.send(
        frame(HEADERS, WHOLE | PADDED, 1, bytes([told]) + GET)),
        conn("PROTOCOL_ERROR")) for told in (len(GET) + 1, 255)),
    Row("9113-6.2-padding-leaves-no-room-for-priority", sends(
        frame(HEADERS, WHOLE | PADDED | 0x20, 1, b"\3\0\0\0\0\1\0\0")),
        conn("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
)
def test_padding(check, row):
    check(row)


def setting(key, value):
    return sends(settings({key: value}), headers(1, GET))


@rows(
    *(Row(f"9113-6.5.2-HEADER_TABLE_SIZE-{v}", setting(HEADER_TABLE_SIZE, v),
          ("200",)) for v in (0, 1, 4096, 65536, MOST)),
    *(Row(f"9113-6.5.2-ENABLE_PUSH-{v}", setting(ENABLE_PUSH, v), want)
      for v, want in ((0, ("200",)), (1, ("200",)),
                      (2, conn("PROTOCOL_ERROR")),
                      (MOST, conn("PROTOCOL_ERROR")))),
    *(Row(f"9113-6.5.2-MAX_CONCURRENT_STREAMS-{v}",
          setting(MAX_CONCURRENT_STREAMS, v), ("200",))
      for v in (0, 1, MOST)),
    *(Row(f"9113-6.5.2-INITIAL_WINDOW_SIZE-{v}",
          setting(INITIAL_WINDOW_SIZE, v), want)
      for v, want in ((1, ("200",)), (WINDOW, ("200",)),
                      (WINDOW_MAX, ("200",)),
                      (WINDOW_MAX + 1, conn("FLOW_CONTROL_ERROR")),
                      (MOST, conn("FLOW_CONTROL_ERROR")))),
    *(Row(f"9113-6.5.2-MAX_FRAME_SIZE-{v}", setting(MAX_FRAME_SIZE, v), want)
      for v, want in ((0, conn("PROTOCOL_ERROR")),
                      (FRAME_MAX - 1, conn("PROTOCOL_ERROR")),
                      (FRAME_MAX, ("200",)), (2**24 - 1, ("200",)),
                      (2**24, conn("PROTOCOL_ERROR")),
                      (MOST, conn("PROTOCOL_ERROR")))),
    *(Row(f"9113-6.5.2-MAX_HEADER_LIST_SIZE-{v}",
          setting(MAX_HEADER_LIST_SIZE, v), ("200",)) for v in (65536, MOST)),
    *(Row(f"9113-6.5.2-unknown-setting-{k:#x}", setting(k, MOST), ("200",))
      for k in (0, 7, 10, 0xFF, 0xFFFF)),
    Row("8441-3-ENABLE_CONNECT_PROTOCOL-of-a-client", setting(8, 1), ("200",)),
    Row("9218-2.1-NO_RFC7540_PRIORITIES", sends(headers(1, GET)), ("200",),
        settings={NO_RFC7540_PRIORITIES: 1}),
    Row("9218-2.1-NO_RFC7540_PRIORITIES-2", setting(NO_RFC7540_PRIORITIES, 2),
        conn("PROTOCOL_ERROR")),
    Row("9113-6.5-SETTINGS-on-a-stream", lambda c: opened(c).send(
        settings(stream=1)), conn("PROTOCOL_ERROR")),
    Row("9113-6.5-acknowledgement-on-a-stream", lambda c: opened(c).send(
        settings(flags=1, stream=1)), conn("PROTOCOL_ERROR")),
    Row("9113-6.5.3-the-last-of-two-values-counts", sends(
        settings([(INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 100)]),
        headers(1, GET)), ("200",)),
    # 6.5: "the last value that is seen" may be the only one looked at
    Row("9113-6.5.3-a-good-value-behind-a-bad-one", sends(
        settings([(ENABLE_PUSH, 2), (ENABLE_PUSH, 0)])),
        conn("PROTOCOL_ERROR") + ("ignored",)),
    Row("9113-6.5.3-thirty-values-in-one-frame", sends(
        settings([(MAX_CONCURRENT_STREAMS, n) for n in range(30)]),
        headers(1, GET)), ("200",)),
)
def test_setting(check, row):
    check(row)


def test_settings_are_acknowledged(address):
    """9113-6.5.3: each frame is, and with an empty one."""
    with Conn(address) as c:
        for n in range(2, 6):
            c.send(settings({INITIAL_WINDOW_SIZE: 1000 * n}))
            assert c.pump(lambda n=n: c.n_acks == n)
        acks = [f for f in c.frames if "ACK" in f.flags]
        assert all(f.length == 0 and f.stream_id == 0 for f in acks)


def test_own_settings_are_in_bounds(address):
    """9113-6.5.2: what the server says of itself."""
    with Conn(address) as c:
        s = c.settings
        assert s.get(ENABLE_PUSH, 0) == 0
        assert s.get(INITIAL_WINDOW_SIZE, WINDOW) <= WINDOW_MAX
        assert FRAME_MAX <= s.get(MAX_FRAME_SIZE, FRAME_MAX) < 2**24


def test_small_frames_are_kept_to(address):
    """9113-4.2: no frame is longer than we take; hyperframe reads the rest."""
    with Conn(address, settings={MAX_FRAME_SIZE: FRAME_MAX}) as c:
        assert c.get().status == 200
        assert max(f.length for f in c.frames) <= FRAME_MAX


@rows(
    Row("9113-6.7-PING-on-a-stream", lambda c: opened(c).send(
        ping(stream=1)), conn("PROTOCOL_ERROR")),
    Row("9113-6.7-acknowledgement-on-a-stream", lambda c: opened(c).send(
        ping(flags=1, stream=1)), conn("PROTOCOL_ERROR")),
    Row("9113-6.7-acknowledgement-of-nothing", sends(
        ping(b"nobodysd", flags=1), headers(1, GET)), ("200",)),
    Row("9113-6.8-GOAWAY-on-a-stream", lambda c: opened(c).send(
        goaway(stream=1)), conn("PROTOCOL_ERROR")),
    *(Row(f"9113-7-RST_STREAM-of-{error_name(code)}",
          lambda c, code=code: half_closed(c).send(rst_stream(1, code)),
          ("200",), settings=WINDOWLESS)
      for code in (*range(14), 14, 0xFF, 0xFFFFFFFF)),
)
def test_ping_goaway_codes(check, row):
    check(row)


def test_ping_is_answered(address):
    """9113-6.7: with the same octets, acknowledgements never."""
    with Conn(address) as c:
        c.send(ping(b"\0\1\2\3\xff\xfe\xfd\xfc"), ping(b"abcdefgh", flags=1),
               ping(b"ABCDEFGH"))
        assert c.pump(lambda: len(c.pings) == 2)
        c.expect_served()
        assert c.pings == [b"\0\1\2\3\xff\xfe\xfd\xfc", b"ABCDEFGH"]


@pytest.mark.parametrize("bye", [
    goaway(), goaway(debug=b"x" * 1000), goaway(last=2**31),
    goaway(last=2**31 - 2), goaway() + goaway()],
    ids=["plain", "with-a-text", "reserved-bit", "greatest", "twice"])
def test_goaway_lets_answers_come(address, bye):
    """9113-6.8: what was asked before is answered."""
    with Conn(address) as c:
        c.send(headers(1, GET), bye)
        s = c.answer(1)
        assert s.status == 200 and s.body == b"hello", c.told()
        assert c.to_end() == "end"
        assert not c.goaway or c.goaway[0] == "NO_ERROR"


def test_goaway_ends_an_idle_connection(address):
    """9113-6.8: when all that was asked is answered, nothing is waited
    for."""
    with Conn(address) as c:
        c.expect_served()
        c.send(goaway())
        try:
            assert c.to_end() == "end", c.told()
        except TimeoutError:
            pytest.fail("still open")
        assert not c.goaway or c.goaway[0] == "NO_ERROR"


@rows(
    Row("9113-6.9-increment-0-of-the-connection", sends(window_update(0, 0)),
        conn("PROTOCOL_ERROR")),
    Row("9113-6.9-increment-0-of-a-stream", lambda c: opened(c).send(
        window_update(1, 0)), either("PROTOCOL_ERROR")),
    Row("9113-6.9.1-connection's-window-over-2^31-1", sends(
        window_update(0, WINDOW_MAX)), conn("FLOW_CONTROL_ERROR")),
    Row("9113-6.9.1-connection's-window-over-2^31-1-in-two", sends(
        window_update(0, WINDOW_MAX - WINDOW), window_update(0, 1)),
        conn("FLOW_CONTROL_ERROR")),
    Row("9113-6.9.1-connection's-window-of-2^31-1", sends(
        window_update(0, WINDOW_MAX - WINDOW), headers(1, GET)), ("200",)),
    Row("9113-6.9.1-stream's-window-over-2^31-1", lambda c: opened(c).send(
        window_update(1, WINDOW_MAX)), either("FLOW_CONTROL_ERROR")),
    Row("9113-6.9.1-stream's-window-over-2^31-1-in-two",
        lambda c: opened(c).send(window_update(1, WINDOW_MAX - WINDOW),
                                 window_update(1, 1)),
        either("FLOW_CONTROL_ERROR")),
    Row("9113-6.9.1-stream's-window-of-2^31-1", lambda c: opened(c).send(
        window_update(1, WINDOW_MAX - WINDOW), data(1, b"x", end=True)),
        ("200",)),
    Row("9113-6.9.2-initial-window-lifts-a-stream-over-2^31-1",
        lambda c: opened(c).send(
            window_update(1, WINDOW_MAX - WINDOW),
            settings({INITIAL_WINDOW_SIZE: WINDOW + 1})),
        conn("FLOW_CONTROL_ERROR")),
    Row("9113-6.9.2-initial-window-is-not-the-connection's", sends(
        window_update(0, WINDOW_MAX - WINDOW),
        settings({INITIAL_WINDOW_SIZE: WINDOW_MAX}), headers(1, GET)),
        ("200",)),
    Row("9113-6.9-smallest-windows", sends(
        settings({INITIAL_WINDOW_SIZE: 0}), headers(1, GET),
        *(window_update(1, 1) for _ in range(5))), ("200",)),
)
def test_window(check, row):
    check(row)


def test_window_of_one(address):
    """9113-6.9.1: not an octet over what we allow, and one more for each that
    is given."""
    with Conn(address, settings={INITIAL_WINDOW_SIZE: 1}, is_tame=False) as c:
        c.ask()
        s = c.stream(1)
        assert c.pump(lambda: len(s.body) == 1)
        c.sync()
        assert len(s.body) == 1
        c.send(window_update(1, 1))
        assert c.pump(lambda: len(s.body) == 2)
        c.sync()
        assert len(s.body) == 2
        c.send(window_update(1, 1000))
        assert c.pump(lambda: s.is_ended) and s.body == b"hello"


def test_window_made_negative(address):
    """9113-6.9.2: a window below zero has to be filled first."""
    with Conn(address, settings={INITIAL_WINDOW_SIZE: 3}, is_tame=False) as c:
        c.ask()
        s = c.stream(1)
        assert c.pump(lambda: len(s.body) == 3)
        c.send(settings({INITIAL_WINDOW_SIZE: 1}), window_update(1, 2))
        c.sync()
        assert len(s.body) == 3
        c.send(window_update(1, 1))
        assert c.pump(lambda: len(s.body) == 4)
        c.sync()
        assert len(s.body) == 4
        c.send(settings({INITIAL_WINDOW_SIZE: 100}))
        assert c.pump(lambda: s.is_ended) and s.body == b"hello"


def test_window_of_the_connection(address):
    """9113-6.9: streams share it; none may take what is not there."""
    with Conn(address, is_tame=False) as c:
        numbers = [c.ask(path="/big") for _ in range(3)]
        streams = [c.stream(n) for n in numbers]
        assert c.pump(lambda: sum(len(s.body) for s in streams) == WINDOW)
        c.sync()
        assert sum(len(s.body) for s in streams) == WINDOW
        c.send(window_update(0, 1))
        assert c.pump(lambda: sum(len(s.body) for s in streams) > WINDOW)
        c.sync()
        assert sum(len(s.body) for s in streams) == WINDOW + 1
        c.send(window_update(0, 3 * BIG_LEN))
        assert c.pump(lambda: all(s.is_ended for s in streams))
        assert {len(s.body) for s in streams} == {BIG_LEN}


def updates(c):
    """What the peer gave to the window of stream 1."""
    return sum(f.window_increment for f in c.frames
               if type(f).__name__ == "WindowUpdateFrame" and f.stream_id == 1)


def test_window_overrun(address):
    """9113-6.9.1: DATA over the window that the server gave is an error; a
    server that gives as fast as we send is not overrun."""
    with Conn(address) as c:
        room = c.settings.get(INITIAL_WINDOW_SIZE, WINDOW)
        c.send(headers(1, block(request("POST")), END_HEADERS))
        sent = 0
        for _ in range(20):
            n = room + updates(c) - sent + 1
            c.send(*(data(1, b"x" * min(FRAME_MAX, n - i))
                     for i in range(0, n, FRAME_MAX)), ping())
            sent += n
            if not c.pump(lambda k=len(c.pings): len(c.pings) > k) or \
                    c.stream(1).is_settled:
                break
        assert c.verdict(1) in either("FLOW_CONTROL_ERROR") + (
            "200", "413", "ignored"), c.told()


def test_padding_counts(address):
    """9113-6.9.1: the whole payload of DATA counts, and padding is given
    back."""
    with Conn(address) as c:
        allowed = c.settings.get(INITIAL_WINDOW_SIZE, WINDOW)
        c.send(headers(1, POST, END_HEADERS))
        room = {0: WINDOW, 1: allowed}
        seen = 0
        for _ in range(3 * allowed // 257 + 1):
            while min(room.values()) < 257:
                assert c.pump(lambda n=len(c.frames): len(c.frames) > n)
                for f in c.frames[seen:]:
                    if type(f).__name__ == "WindowUpdateFrame":
                        room[f.stream_id] += f.window_increment
                seen = len(c.frames)
            c.send(data(1, b"x", pad=255))
            room[0] -= 257
            room[1] -= 257
        c.send(data(1, b"", end=True))
        c.expect_response(1)
