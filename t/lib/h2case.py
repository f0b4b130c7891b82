"""Rows of the conformance tests of HTTP/2 and their judge. A row says what a
client does and how the peer may take it; the words are those of
h2.Conn.verdict()."""
import dataclasses
import typing

import pytest

from .h2 import (END_HEADERS, GET, INITIAL_WINDOW_SIZE, POST, Conn, headers,
                 rst_stream)

# RFC 9113 6.9.2: no DATA comes, so that a stream stays half-closed.
WINDOWLESS = {INITIAL_WINDOW_SIZE: 0}
# The stream of the request that shows whether the connection still works.
PROBE = 1001


def conn(*codes):
    """RFC 9113 5.4.1"""
    return tuple(f"conn {code}" for code in codes)


def stream(*codes):
    """RFC 9113 5.4.2"""
    return tuple(f"stream {code}" for code in codes)


def either(*codes):
    """RFC 9113 5.4.1: a stream error may be taken for one of the
    connection."""
    return stream(*codes) + conn(*codes)


# RFC 9113 8.1.1: an answer may stand before the reset.
MALFORMED = stream("PROTOCOL_ERROR") + ("400",)


@dataclasses.dataclass
class Row:
    """
    name      the sections that say so, then what is done
    act       does it on a new connection
    want      how the peer may take it
    settings  ours
    on        the stream that is judged
    start     whether the connection begins as it should
    """

    name: str
    act: typing.Callable
    want: tuple
    settings: dict = dataclasses.field(default_factory=dict)
    on: int = 1
    start: bool = True

    @property
    def is_end(self):
        """Whether nothing but the end of the connection is right."""
        return all(w.startswith("conn") or w == "closed" for w in self.want)


def rows(*table):
    """The table as parameters."""
    names = [row.name for row in table]
    assert len(set(names)) == len(names), \
        sorted(n for n in names if names.count(n) > 1)
    return pytest.mark.parametrize(
        "row", [pytest.param(row, id=row.name) for row in table])


def is_answered(c, row):
    """Whether the judged stream has met its end, or what can be seen of it
    where no DATA may come."""
    s = c.stream(row.on)
    return s.is_settled or "ignored" in row.want or \
        (row.settings == WINDOWLESS and s.status is not None)


def judge(address, row, **kwargs):
    """Do what the row says and judge what comes of it."""
    with Conn(address, settings=row.settings, start=row.start, **kwargs) as c:
        try:
            row.act(c)
            if row.is_end:
                c.to_end()
            else:
                probe = c.ask(stream=PROBE)
                c.pump(lambda: c.stream(probe).status or c.stream(probe).reset)
                c.pump(lambda: is_answered(c, row))
        except TimeoutError:
            pass
        got = c.verdict(row.on)
        assert got in row.want, f"{got!r}; {c.told()}"
        if not c.end:
            assert c.stream(PROBE).status == 200, c.told()


# --- a stream 1 in each state of RFC 9113 5.1 ----------------------------------

def idle(c):
    return c


def opened(c):
    """We have more to send."""
    return c.send(headers(c.next_stream(), POST, END_HEADERS))


def half_closed(c):
    """We have sent all; with WINDOWLESS the peer has not."""
    c.send(headers(c.next_stream(), GET))
    c.pump(lambda: c.stream(1).status)
    return c


def closed(c):
    """Both have sent all."""
    c.send(headers(c.next_stream(), GET))
    c.answer(1)
    return c


def reset(c):
    """We have reset it."""
    return opened(c).send(rst_stream(1))


def refused(c):
    """The peer has reset it, since its name is in upper case (8.2.1), or has
    answered 400."""
    c.send(headers(c.next_stream(), GET + b"\0\1A\1b", END_HEADERS))
    c.answer(1)
    return c
