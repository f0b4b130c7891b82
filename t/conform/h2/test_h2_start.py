"""How a connection begins (RFC 9113 3.4)."""
import socket

import pytest

from lib.h2 import (GET, PREFACE, SETTINGS, Conn, data, frame, goaway, headers,
                    ping, priority, settings, window_update)
from lib.h2case import Row, conn, rows

NOT_SETTINGS = conn("PROTOCOL_ERROR") + ("closed",)


def begins(*frames):
    return lambda c: c.send(PREFACE, *frames)


@rows(
    Row("9113-3.4-HEADERS-first", begins(headers(1, GET)), NOT_SETTINGS,
        start=False),
    Row("9113-3.4-DATA-first", begins(data(1, b"x")), NOT_SETTINGS,
        start=False),
    Row("9113-3.4-PING-first", begins(ping()), NOT_SETTINGS, start=False),
    Row("9113-3.4-WINDOW_UPDATE-first", begins(window_update(0, 1)),
        NOT_SETTINGS, start=False),
    Row("9113-3.4-PRIORITY-first", begins(priority(1)), NOT_SETTINGS,
        start=False),
    Row("9113-3.4-GOAWAY-first", begins(goaway()), NOT_SETTINGS, start=False),
    Row("9113-3.4-acknowledgement-first", begins(settings(flags=1)),
        NOT_SETTINGS, start=False),
    Row("9113-3.4-SETTINGS-of-wrong-length-first",
        begins(frame(SETTINGS, payload=b"12345")),
        conn("FRAME_SIZE_ERROR", "PROTOCOL_ERROR") + ("closed",), start=False),
    Row("9113-3.4-request-behind-the-preface",
        begins(settings(), headers(1, GET)), ("200",), start=False),
    Row("9113-3.4-settings-of-every-known-id",
        begins(settings({1: 4096, 2: 0, 3: 100, 4: 65535, 5: 16384, 6: 65536}),
               headers(1, GET)), ("200",), start=False),
    Row("9113-3.4-second-preface-string",
        lambda c: c.send(PREFACE), conn("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
)
def test_start(check, row):
    check(row)


def test_servers_first_frame(address):
    """9113-3.4: the server's preface is a SETTINGS frame, and it comes before
    anything else."""
    with Conn(address) as c:
        assert c.get().status == 200
        first = c.frames[0]
        assert type(first).__name__ == "SettingsFrame"
        assert not first.flags and first.stream_id == 0


def test_preface_octet_by_octet(address):
    """9113-3.4: a preface may come in any pieces."""
    with Conn(address, start=False) as c:
        for octet in PREFACE + settings() + headers(1, GET):
            c.send(bytes([octet]))
        c.expect_response(1)


@pytest.mark.parametrize("cut", range(1, len(PREFACE), 3))
def test_preface_cut(address, cut):
    """9113-3.4: half a preface and the end harms nobody."""
    with Conn(address, start=False) as c:
        c.send(PREFACE[:cut])
        c.sock.shutdown(socket.SHUT_WR)
        while c.sock.recv(65536):
            pass
    with Conn(address) as c:
        c.expect_served()


@pytest.mark.parametrize("wrong", [
    PREFACE[:-6] + b"XX\r\n\r\n", PREFACE[:-4] + b"\n\n\n\n",
    PREFACE.replace(b"SM", b"sm"), PREFACE[:-1] + b"x",
    PREFACE.replace(b"2.0\r\n\r\n", b"2.0\r\n\r\n\0")],
    ids=["other-word", "bare-lf", "lower-case", "last-octet", "nul"])
def test_preface_wrong(address, wrong):
    """9113-3.4: a wrong preface ends the connection; GOAWAY may be left
    out."""
    with Conn(address, start=False) as c:
        c.send(wrong, settings(), headers(1, GET))
        try:
            while got := c.sock.recv(65536):
                assert b"hello" not in got
        except ConnectionResetError:
            pass
    with Conn(address) as c:
        c.expect_served()
