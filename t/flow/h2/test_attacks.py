"""Who makes work and takes nothing loses its connection with
ENHANCE_YOUR_CALM; memory stays bounded, the next client of the same worker is
served meanwhile, and a counter says what happened (RFC 9113 10.5;
CVE-2023-44487, CVE-2025-8671, CVE-2024-27316, CVE-2019-9511 to 9518)."""
import socket

import pytest

from lib import admin
from lib.h2 import (END_HEADERS, GET, INITIAL_WINDOW_SIZE, POST, PREFACE,
                    WINDOW_MAX, Conn, block, continuation, data, frame, head,
                    headers, literal, ping, priority, priority_part, request,
                    rst_stream, settings, window_update)
from lib.origin import ok
from lib.procs import status, until

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
%s
[site test]
hosts = *
upstream = app
[route test /own]
respond = 200 hello
[upstream app]
server = {origin}
""" + admin.SECTION
# What a worker may grow by while it is attacked, under a sanitizer as well.
GROWTH_KB = 32 << 10
# An attack that is let do so much was not seen.
ROUNDS = 400
PER_ROUND = 100
BIG = 4 << 20


def answer(conn, request_):
    conn.send(ok(b"x" * BIG if request_.target == "/big" else b"ok"))


@pytest.fixture(scope="module")
def gh(shared_gatehouse, shared_origin):
    return shared_gatehouse(INI % "", origin=shared_origin(answer).address)


def address(gh):
    return "127.0.0.1", gh.port


def rss_kb(gh):
    pid, = gh.workers()
    return int(status(pid)["VmRSS"].split()[0])


def counters(gh):
    return admin.status(gh)["counters"]


class Watch:
    """The worker under attack: its memory, its counters, another client."""

    def __init__(self, gh):
        self.gh = gh
        self.other = Conn(address(gh))
        self.other.expect_served()
        self.before = counters(gh)
        self.rss = rss_kb(gh)
        self.most = self.rss

    def look(self):
        self.other.expect_served()
        self.most = max(self.most, rss_kb(self.gh))

    def moved(self):
        now = counters(self.gh)
        return {k for k in now if now[k] > self.before.get(k, 0)}

    def end(self, counter=None):
        self.look()
        self.other.close()
        assert self.most - self.rss < GROWTH_KB, (self.rss, self.most)
        if counter:
            until(lambda: counter in self.moved(), what=counter)


@pytest.fixture
def watch(gh):
    return Watch(gh)


def attack(gh, watch, burst, codes=("ENHANCE_YOUR_CALM",), **kwargs):
    """Send burst(c) again and again until the connection ends, with one of
    the codes."""
    with Conn(address(gh), **kwargs) as c:
        for i in range(ROUNDS):
            c.send(burst(c))
            if not c.drain():
                break
            if i % 20 == 0:
                watch.look()
        assert c.to_end() if c.end or c.goaway else False, \
            f"goes on after {ROUNDS} bursts"
        assert c.goaway and c.goaway[0] in codes, c.told()


def each(c, make, n=PER_ROUND):
    """n frames or groups of them, each for a stream of its own."""
    return b"".join(make(c.next_stream()) for _ in range(n))


def test_rapid_reset(gh, watch):
    """CVE-2023-44487: a request and its reset, again and again."""
    attack(gh, watch, lambda c: each(
        c, lambda n: headers(n, GET) + rst_stream(n)))
    watch.end("h2_calm_resets_total")


def test_rapid_reset_of_uploads(gh, watch):
    """CVE-2023-44487: so with requests that have not ended."""
    attack(gh, watch, lambda c: each(
        c, lambda n: headers(n, POST, END_HEADERS) + data(n, b"x") +
        rst_stream(n)))
    watch.end("h2_calm_resets_total")


def test_rapid_reset_of_own_answers(gh, watch):
    """CVE-2023-44487: so where no origin is asked."""
    own = block(request("POST", "/own"))
    attack(gh, watch, lambda c: each(
        c, lambda n: headers(n, own, END_HEADERS) + rst_stream(n)))
    watch.end()


PROVOKED = {
    "increment-0": lambda n: window_update(n, 0),
    "window-overflow": lambda n: window_update(n, WINDOW_MAX),
    "DATA-behind-the-end": lambda n: data(n, b"x"),
    "HEADERS-behind-the-end": lambda n: headers(n, GET),
    "PRIORITY-too-short": lambda n: frame(2, 0, n, b"\0\0\0\0"),
    "PRIORITY-on-itself": lambda n: priority(n, n),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_made_you_reset(gh, watch, name):
    """CVE-2025-8671: the server is made to reset what its origin still works
    at. Some of what makes it do so is an error of the connection at once."""
    attack(gh, watch, lambda c: each(
        c, lambda n: headers(n, GET) + PROVOKED[name](n)),
        codes=("ENHANCE_YOUR_CALM", "PROTOCOL_ERROR", "STREAM_CLOSED",
               "FLOW_CONTROL_ERROR", "FRAME_SIZE_ERROR"))
    watch.end()


def test_malformed_requests(gh, watch):
    """CVE-2025-8671: a reset for each malformed request is work, too."""
    bad = GET + literal("X", "y")
    attack(gh, watch, lambda c: each(c, lambda n: headers(n, bad)))
    watch.end("h2_calm_broken_total")


def test_wrong_lengths(gh, watch):
    """CVE-2025-8671: content that is longer than its length says."""
    bad = block(request("POST", "/", ("content-length", "1")))
    attack(gh, watch, lambda c: each(
        c, lambda n: headers(n, bad, END_HEADERS) + data(n, b"xy")))
    watch.end("h2_calm_broken_total")


def flood(part):
    """A header block that never ends."""
    def burst(c):
        if not hasattr(c, "has_begun"):
            c.has_begun = True
            return headers(1, GET, 1)
        return continuation(1, part, 0) * PER_ROUND
    return burst


@pytest.mark.parametrize("part", [b"", literal("x-a", "y" * 1000),
                                  literal("x", "y")],
                         ids=["empty", "large", "small"])
def test_continuation_flood(gh, watch, part):
    """CVE-2024-27316: CONTINUATION without end."""
    attack(gh, watch, flood(part))
    watch.end("h2_calm_continuations_total")


FLOODS = {
    "settings": (settings({INITIAL_WINDOW_SIZE: 65535}), "settings"),
    "empty-settings": (settings(), "settings"),
    "pings": (ping(), "pings"),
    "priorities": (priority(1), "priorities"),
    "windows": (window_update(0, 1), "windows"),
    "unknown-frames": (frame(0x16, 0, 0, b"x"), "junk"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(gh, watch, name):
    """CVE-2019-9512, 9513, 9515: frames that are cheap to send."""
    one, counter = FLOODS[name]
    attack(gh, watch, lambda c: one * PER_ROUND)
    watch.end(f"h2_calm_{counter}_total")


@pytest.mark.parametrize("name", ["settings", "pings"])
def test_flood_by_one_who_reads_nothing(gh, watch, name):
    """CVE-2019-9512, 9515: acknowledgements do not pile up in memory."""
    one, _ = FLOODS[name]
    with Conn(address(gh), rcvbuf=4096) as c:
        c.sock.settimeout(2)
        try:
            for _ in range(ROUNDS):
                c.send(one * PER_ROUND)
        except TimeoutError:
            pass  # it stopped reading
        watch.look()
    watch.end()


@pytest.mark.parametrize("name,path", [("proxied", "/"), ("own", "/own")])
def test_empty_data_flood(gh, watch, name, path):
    """CVE-2019-9518: DATA without an octet and without end."""
    def burst(c):
        if not hasattr(c, "number"):
            c.number = c.next_stream()
            return headers(c.number, block(request("POST", path)), END_HEADERS)
        return data(c.number) * PER_ROUND

    attack(gh, watch, burst, codes=("ENHANCE_YOUR_CALM", "STREAM_CLOSED"))
    watch.end()


def test_padding_flood(gh, watch):
    """CVE-2019-9518: DATA of nothing but padding."""
    def burst(c):
        if not hasattr(c, "number"):
            c.number = c.next_stream()
            return headers(c.number, POST, END_HEADERS)
        return data(c.number, pad=255) * PER_ROUND

    attack(gh, watch, burst, codes=("ENHANCE_YOUR_CALM",
                                    "FLOW_CONTROL_ERROR"))
    watch.end()


BOMB = literal("x-bomb", "y" * 3900, 0x40)


def test_hpack_bomb(gh, watch):
    """RFC 7541 7.3: an octet stands for 4 KB. A head that large is refused, and
    who sends more of them is sent away."""
    with Conn(address(gh)) as c:
        c.send(headers(c.next_stream(), GET + BOMB))
        for i in range(ROUNDS):
            c.send(headers(c.next_stream(), GET + b"\xbe" * 16000))
            if not c.drain():
                break
            if i % 20 == 0:
                watch.look()
        assert c.to_end() and c.goaway[0] == "ENHANCE_YOUR_CALM", c.told()
        assert all(s.status in (None, 200, 431) for s in c.streams.values())
    watch.end("h2_calm_bomb_total")


def test_head_too_large(gh, watch):
    """RFC 9113 10.5.1: over header_max is 431, on a connection that goes
    on."""
    with Conn(address(gh)) as c:
        big = GET + b"".join(literal(f"x-{i}", "y" * 1000) for i in range(60))
        for _ in range(3):
            number = c.next_stream()
            c.send(*head(number, big))
            c.expect_response(number, 431)
        c.expect_served()
    watch.end("bad_requests_total")


def test_too_many_fields(gh, watch):
    """RFC 9113 10.5.1: so for over headers_max field lines."""
    with Conn(address(gh)) as c:
        for _ in range(3):
            number = c.next_stream()
            c.send(*head(number, GET + literal("x", "y") * 500))
            c.expect_response(number, 431)
        c.expect_served()
    watch.end("bad_requests_total")


@pytest.mark.heavy
def test_stalled_windows(gh, watch):
    """CVE-2019-9517: a hundred large answers that are asked for and not taken:
    what the origin would send stays with the origin."""
    with Conn(address(gh), settings={INITIAL_WINDOW_SIZE: 0}) as c:
        numbers = [c.ask(path="/big") for _ in range(90)]
        assert c.pump(lambda: all(c.stream(n).status for n in numbers))
        watch.look()
        c.send(*(rst_stream(n) for n in numbers[1:]))
        c.send(settings({INITIAL_WINDOW_SIZE: 1 << 20}))
        assert len(c.expect_response(numbers[0]).body) == BIG
    watch.end()


def test_windows_opened_by_one(gh, watch):
    """CVE-2019-9511: a window that opens octet by octet makes a frame of each
    octet."""
    with Conn(address(gh), settings={INITIAL_WINDOW_SIZE: 0},
              is_tame=False) as c:
        number = c.ask(path="/big")
        for i in range(ROUNDS):
            c.send(window_update(number, 1) * PER_ROUND)
            if not c.drain():
                break
            if i % 20 == 0:
                watch.look()
        assert c.to_end() and c.goaway[0] == "ENHANCE_YOUR_CALM", c.told()
    watch.end("h2_calm_windows_total")


# --- those who are only slow --------------------------------------------------

SLOW = """
header_timeout = 500ms
body_timeout = 500ms
send_timeout = 500ms
idle_timeout = 500ms
"""


@pytest.fixture(scope="module")
def hasty(shared_gatehouse, shared_origin):
    return shared_gatehouse(INI % SLOW, origin=shared_origin(answer).address)


def ends(c):
    try:
        return c.to_end()
    except TimeoutError:
        pytest.fail(f"still open: {c.told()}")


@pytest.mark.parametrize("begin", [b"PRI * HTT", PREFACE, PREFACE + b"\0\0"],
                         ids=["preface", "settings", "frame"])
def test_slow_beginning(hasty, begin):
    """RFC 9113 3.4: who does not finish the preface is not waited for."""
    with Conn(address(hasty), start=False) as c:
        c.send(begin)
        while c.sock.recv(65536):
            pass


@pytest.mark.parametrize("begun", [
    headers(1, GET[:5], 1), headers(1, GET)[:12], b"\0\0"],
    ids=["block", "frame", "octets"])
def test_slow_head(hasty, begun):
    """header_timeout is for HTTP/2, too."""
    with Conn(address(hasty)) as c:
        c.send(begun)
        ends(c)


def test_slow_content(hasty):
    """body_timeout: the stream ends, by 408 or a reset."""
    with Conn(address(hasty)) as c:
        c.send(headers(1, POST, END_HEADERS), data(1, b"x"))
        s = c.answer(1)
        assert s.status == 408 or s.reset, c.told()


def test_nobody_takes_the_answer(hasty):
    """send_timeout: a stream whose window stays closed ends."""
    with Conn(address(hasty), settings={INITIAL_WINDOW_SIZE: 0}) as c:
        number = c.ask(path="/big")
        c.pump(lambda: c.stream(number).is_settled)
        assert c.stream(number).reset or c.end, c.told()


def test_idle_connection_ends_in_order(hasty):
    """RFC 9113 9.1: GOAWAY without error, then the end."""
    with Conn(address(hasty)) as c:
        c.expect_served()
        assert ends(c) == "end"
        assert c.goaway[0] == "NO_ERROR" and c.goaway[1] == 1, c.told()


# --- those who are no attackers -----------------------------------------------

def test_a_browser_that_cancels(gh):
    """A page is left: thirty requests reset at once, between pages that
    load."""
    with Conn(address(gh)) as c:
        for _ in range(20):
            numbers = [c.ask() for _ in range(30)]
            assert c.pump(lambda some=numbers: all(
                c.stream(n).is_ended for n in some)), c.told()
            left = [c.ask(path="/big") for _ in range(15)]
            c.send(*(rst_stream(n) for n in left))
        c.expect_served()
        assert not c.goaway


def test_a_patient_pinger(gh):
    """A ping with each of many requests, as some clients do it."""
    with Conn(address(gh)) as c:
        for _ in range(300):
            c.send(ping(), window_update(0, 1))
            c.expect_served()


def test_an_upload_in_small_frames(gh):
    """DATA of an octet each is slow and no attack."""
    with Conn(address(gh)) as c:
        number = c.next_stream()
        c.send(headers(number, POST, END_HEADERS))
        for _ in range(50):
            c.send(*(data(number, b"x") for _ in range(100)))
            c.drain()
        c.send(data(number, end=True))
        c.expect_response(number)


def test_weights_of_an_old_browser(gh):
    """RFC 7540 5.3: a tree of priorities in front, weights on every
    request."""
    with Conn(address(gh)) as c:
        c.send(*(priority(n, 0, w) for n, w in (
            (3, 201), (5, 101), (7, 1), (9, 1), (11, 1))))
        for number in range(13, 213, 2):
            c.send(headers(number, GET, priority=priority_part(3, 42)))
            c.expect_response(number)


def test_a_window_that_is_tight(gh):
    """CVE-2019-9511: a client that has little memory still gets its answer."""
    with Conn(address(gh), settings={INITIAL_WINDOW_SIZE: 1024},
              is_tame=False) as c:
        number = c.ask(path="/big")
        s, given = c.stream(number), 0
        while given < 256 << 10:
            assert c.pump(lambda: len(s.body) > given), c.told()
            n, given = len(s.body) - given, len(s.body)
            c.send(window_update(0, n), window_update(number, n))
        c.send(rst_stream(number))
        c.expect_served()


def test_end_of_sending_is_no_end(gh):
    """RFC 9113 9.1: a client that has shut its direction gets what it asked
    for, or the end; the worker is unharmed."""
    with Conn(address(gh)) as c:
        c.ask()
        c.sock.shutdown(socket.SHUT_WR)
        c.to_end()
    with Conn(address(gh)) as c:
        c.expect_served()
