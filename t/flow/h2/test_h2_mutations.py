"""Bytes that nobody thought of: good conversations with octets changed, frames
doubled, dropped and swapped, and streams of frames that are only just frames.
The worker goes on, others are served, and what reaches the origin of it is
HTTP/1.1 by the letter (RFC 9113 10)."""
import random

import pytest

from lib.h2 import (END_HEADERS, GET, PREFACE, Conn, block, continuation, data,
                    frame, head, headers, literal, ping, priority, request,
                    rst_stream, settings, window_update)
from lib.h2down import INI
from lib.origin import ok
from lib.wire import Malformed

SEEDS = range(20)
ROUNDS = 12


@pytest.fixture(scope="module")
def pair(shared_gatehouse, shared_origin):
    o = shared_origin(lambda conn, r: conn.send(
        ok(b"" if r.method == "HEAD" else b"x" * 3000)))
    return shared_gatehouse(INI, origin=o.address), o


def talk(rng):
    """A good conversation, a list of frames."""
    frames = [settings({4: 100000}), window_update(0, 1 << 20)]
    for number in range(1, 12, 2):
        path = rng.choice("abcdefgh")
        more = [("x-" + rng.choice("abc"), "y" * rng.randrange(40))]
        post = block(request("POST", "/" + path, *more))
        frames += rng.choice((
            head(number, block(request("GET", "/" + path, *more))),
            [headers(number, GET + literal("x-t", "v", 0x40))],
            [headers(number, post, END_HEADERS), data(number, b"abc"),
             data(number, b"", end=True, pad=5)],
            [headers(number, post[:20], 0), continuation(number, post[20:]),
             data(number, b"abc"), headers(number, block([("x-end", "1")]))],
            [headers(number, GET), rst_stream(number)],
            [headers(number, GET), window_update(number, 5), ping()],
            [priority(number, 0, 3), headers(number, GET)]))
    return frames


def mutate(rng, frames):
    frames = list(frames)
    for _ in range(rng.randrange(1, 4)):
        i = rng.randrange(len(frames))
        way = rng.randrange(6)
        if way == 0:
            frames.insert(i, frames[i])
        elif way == 1:
            del frames[i]
        elif way == 2:
            j = rng.randrange(len(frames))
            frames[i], frames[j] = frames[j], frames[i]
        else:
            octets = bytearray(frames[i])
            # of the frame's header, or of what it holds
            at = rng.randrange(min(9, len(octets)) if way == 3
                               else len(octets))
            octets[at] = rng.choice((0, 1, 0xFF, 0x80, octets[at] ^
                                     1 << rng.randrange(8)))
            frames[i] = bytes(octets)
        if not frames:
            return [ping()]
    return frames


def noise(rng):
    """Frames of any type with any flags on few streams."""
    return [frame(rng.randrange(12), rng.randrange(256) & 0x2D,
                  rng.choice((0, 1, 1, 3, 5, 2)),
                  rng.randbytes(rng.choice((0, 1, 4, 5, 6, 8, 9, 40))))
            for _ in range(60)]


def survive(pair, frames):
    """Send it, take what comes, and see that others are served."""
    gh, o = pair
    n_errors = len(o.errors)
    with Conn(("127.0.0.1", gh.port), start=False) as c:
        c.send(PREFACE, *frames)
        c.drain()
    with Conn(("127.0.0.1", gh.port)) as c:
        assert c.get("/next").status == 200
    assert not [e for e in o.errors[n_errors:] if isinstance(e, Malformed)]


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated(pair, seed):
    """RFC 9113 5.4: whatever it is, it is an error of that connection."""
    rng = random.Random(seed)
    pid = pair[0].workers()
    for _ in range(ROUNDS):
        survive(pair, mutate(rng, talk(rng)))
    assert pair[0].workers() == pid, "the worker ended"


@pytest.mark.parametrize("seed", SEEDS)
def test_noise(pair, seed):
    """RFC 9113 4.1: so with what is only just a frame, in front and
    behind."""
    rng = random.Random(1000 + seed)
    pid = pair[0].workers()
    for _ in range(ROUNDS):
        survive(pair, [settings(), *rng.choice((talk(rng), [])), *noise(rng)])
    assert pair[0].workers() == pid, "the worker ended"
