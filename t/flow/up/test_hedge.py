"""hedge: a second server is asked beside a slow first one; the first head wins,
and the other is broken off."""
import threading
import time

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until, wait_gone

# of ten seconds; see common/store/budget.h
FLOOR = 100


class Slow:
    """A script that answers when it is let."""

    def __init__(self, answer=ok(b"slow")):
        self.let = threading.Event()
        self.answer = answer

    def __call__(self, conn, request):
        self.let.wait(60)
        conn.send(self.answer)


@pytest.fixture
def hedged(front, origin):
    """hedged(script of the first, of the second): (gatehouse, both origins);
    the first is asked first, the second only for want of another."""
    slow = []

    def make(first=None, second=None, upstream="", line="hedge = 1ms max=100%",
             **kwargs):
        first = first or Slow()
        slow.extend(s for s in (first, second) if isinstance(s, Slow))
        a = origin(first)
        b = origin(second or (lambda conn, r: conn.send(ok(b"fast"))))
        gh = front([a, f"{b.address} backup"],
                   upstream=f"{line}\n{upstream}",
                   site=kwargs.pop("site", "") + admin.SECTION, **kwargs)
        return gh, a, b

    yield make
    for s in slow:
        s.let.set()


def numbers(gh):
    found = admin.status(gh)["counters"]
    return tuple(found[f"hedges{k}_total"] for k in ("", "_won", "_spent"))


def is_broken_off(o, n=1):
    """The first n connections were closed without an answer to it."""
    o.wait_requests(n)
    return all(c.sock.recv(1) == b"" for c in o.conns[:n])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_second_answers(hedged, method):
    """While the first says nothing; it is broken off and no failure."""
    gh, a, b = hedged()
    with gh.client() as c:
        for i in range(3):
            answer = c.get(f"/{i}", method=method)
            assert answer.status == 200
            assert answer.text == ("fast" if method == "GET" else "")
    assert [r.target for r in b.requests] == ["/0", "/1", "/2"]
    assert is_broken_off(a, 3)
    # each connection has a thread, and they are not in step
    asked = sorted(a.requests, key=lambda r: r.target)
    assert [r.fields for r in asked] == [r.fields for r in b.requests]
    until(lambda: numbers(gh) == (3, 3, 0))
    until(lambda: admin.status(gh)["counters"]["requests_total"] == 3)
    counters = admin.status(gh)["counters"]
    assert counters["origin_failures_total"] == counters["retries_total"] == 0
    line, *_ = gh.log(3)
    assert line == {"status": "200", "fault": "-", "tries": "2",
                    "origin_status": "200", "server": b.address}


def test_the_first_answers_after_all(hedged):
    """The second was asked and is broken off."""
    first, second = Slow(ok(b"first")), Slow()
    gh, a, b = hedged(first, second)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        first.let.set()
        assert c.response().text == "first"
        assert is_broken_off(b)
        # its connection is good for more
        assert c.get("/again").text == "first"
    assert len(a.conns) == 1
    assert numbers(gh)[1] == 0
    assert {line["server"] for line in gh.log(2)} == {a.address}


def test_large_content_of_the_second(hedged):
    """All of it, chunked, with its trailers; the client is slow to take it."""
    body = bytes(i % 251 for i in range(300000))
    gh, *_ = hedged(None, lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
        b"".join(b"%x\r\n%s\r\n" % (1000, body[i:i + 1000])
                 for i in range(0, len(body), 1000)) +
        b"0\r\nX-T: 1\r\n\r\n"))
    with gh.client() as c:
        answer = c.get()
    assert answer.body == body
    assert answer.trailers == [(b"X-T", b"1")]


def test_an_answer_of_the_second_that_breaks(hedged):
    """Behind its head it is the answer: visibly cut, told once."""
    seen = threading.Event()

    def second(conn, r):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        # what broke before it won would leave the first to be waited for
        return not seen.wait(60)

    gh, *_ = hedged(None, second)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        got = b""
        while part := c.sock.recv(4096):
            got += part
            if got.endswith(b"x"):
                seen.set()
    assert got.endswith(b"\r\n\r\nx")
    assert gh.fault() == "origin_cut"


BROKEN = {
    "reset": lambda conn, r: conn.reset(),
    "garbage": lambda conn, r: conn.send(b"\0what\r\n\r\n"),
    "503": lambda conn, r: conn.send(
        b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_second_that_fails_changes_nothing(hedged, how):
    """The first is waited for."""
    first = Slow()
    gh, _, b = hedged(first, BROKEN[how])
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        first.let.set()
        assert c.response().text == "slow"
    assert gh.log()[0]["status"] == "200"
    until(lambda: numbers(gh) == (1, 0, 0))


def test_a_first_that_fails_meanwhile(hedged):
    """The second is waited for, and its answer stands."""
    gone, second = threading.Event(), Slow(ok(b"second"))

    def first(conn, r):
        gone.wait(60)
        conn.reset()

    gh, a, b = hedged(first, second)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        gone.set()
        until(lambda: admin.status(gh)["counters"]["origin_failures_total"])
        second.let.set()
        assert c.response().text == "second"
    assert gh.log()[0]["fault"] == "-"


def test_both_fail(hedged):
    """The first's fault is told."""
    gone = threading.Event()

    def wait_and_reset(conn, r):
        gone.wait(60)
        conn.reset()

    gh, a, b = hedged(wait_and_reset, wait_and_reset)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        gone.set()
        assert c.response().status == 502
    assert gh.fault() == "origin_reset"


def test_what_is_not_hedged(hedged):
    """POST, content, and a server without another."""
    first = Slow()
    gh, a, b = hedged(first)
    for method, extra, body in (("POST", b"", b""), ("PUT", b"", b""),
                                ("GET", b"Content-Length: 1\r\n", b"x")):
        first.let.clear()
        with gh.client() as c:
            n = len(a.requests)
            c.send(method.encode() + b" / HTTP/1.1\r\nHost: test\r\n" + extra +
                   b"\r\n" + body)
            a.wait_requests(n + 1)
            # a full turn of its loop and more behind the time
            with gh.client() as other:
                other.get()
            first.let.set()
            assert c.response().text == "slow"
    assert {r.method for r in b.requests} <= {"GET"}
    assert all(not r.body for r in b.requests)


def test_costs_are_bounded(hedged):
    """max=0%: the floor, then the first is waited for."""
    first = Slow()
    gh, _, b = hedged(first, line="hedge = 1ms max=0%")
    with gh.client() as c:
        for _ in range(FLOOR):
            assert c.get().text == "fast"
        # what time gives back meanwhile
        for n in range(FLOOR + 1, 2 * FLOOR):
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            sent, _, spent = until(
                lambda n=n: sum((got := numbers(gh))[::2]) == n and got)
            if spent:
                break
            assert c.response().text == "fast"
        assert (sent, spent) == (n - 1, 1)
        first.let.set()
        assert c.response().text == "slow"
    assert len(b.requests) == sent


def test_a_client_that_leaves(hedged):
    """Both are broken off."""
    second = Slow()
    gh, a, b = hedged(None, second)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        c.reset()
    assert is_broken_off(a) and is_broken_off(b)


def test_reload_meanwhile(hedged):
    """It ends in its own generation, which goes then."""
    second = Slow(ok(b"second"))
    gh, a, b = hedged(None, second)
    old, = gh.workers()
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        b.wait_requests()
        gh.reload()
        second.let.set()
        assert c.response().text == "second"
    wait_gone(old)


def test_a_fill_of_a_cache(hedged):
    """What is kept may come from the second."""
    gh, _, b = hedged(None, lambda conn, r: conn.send(
        ok(b"fast", b"Cache-Control: max-age=60\r\n")), site="cache = c\n",
        listen="[cache c]\nmemory = 4m\n")
    with gh.client() as c:
        assert c.get().text == c.get().text == "fast"
    assert len(b.requests) == 1


ERRORS = {"hedge = 0s": "1ms", "hedge = fast": "hedge = fast",
          "hedge = 1s max=200%": "at most 100%",
          "hedge = 1s least=1": "unknown option",
          "hedge = 1s\nhedge = 2s": "stands twice"}


@pytest.mark.parametrize("lines", ERRORS)
def test_what_is_wrong_is_told(lines, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[site a.test]\nupstream = u\n[upstream u]\n"
                   f"server = 127.0.0.1:1\n{lines}\n")
    done = run("-t", "-c", str(ini))
    assert done.returncode != 0 and ERRORS[lines] in done.stderr, done.stderr


def test_explained(hedged):
    gh, *_ = hedged(line="hedge = 250ms")
    told = run("explain", "GET", f"http://127.0.0.1:{gh.port}/", "-c",
               str(gh.ini)).stdout
    assert "after 250 ms" in told
    told = run("explain", "POST", f"http://127.0.0.1:{gh.port}/", "-c",
               str(gh.ini)).stdout
    assert "hedge" not in told


def test_over_http2(h2_front, h2_origin):
    """The loser's stream is reset; its connection serves on."""
    def slow(conn, request):
        if request.path == "/quick":
            conn.answer(request.stream, b"quick")

    a = h2_origin(slow)
    b = h2_origin(lambda conn, r: conn.answer(r.stream, b"fast"))
    gh = h2_front([a, f"{b.address} backup"],
                  upstream="hedge = 1ms max=100%", site=admin.SECTION)
    with gh.client() as c:
        # its connection is open before the time counts
        until(lambda: c.get("/quick").text == "quick")
        for _ in range(3):
            assert c.get().text == "fast"
        until(lambda: [r.reset for r in a.requests if r.path == "/"] ==
              ["CANCEL"] * 3)
        until(lambda: c.get("/quick").text == "quick")
    assert len(a.conns) == 1


class Turns:
    """A script that answers after `seconds`, and from the 21st request on when
    it is let."""

    FEW = 20

    def __init__(self, seconds=0):
        self.seconds, self.n, self.lock = seconds, 0, threading.Lock()
        self.let = threading.Event()

    def __call__(self, conn, request):
        with self.lock:
            self.n += 1
            is_slow = self.n > self.FEW
        self.let.wait(60 if is_slow else self.seconds)
        conn.send(ok(b"first"))


@pytest.fixture
def turns(hedged, crowd):
    """turns(line, seconds): (gatehouse, seconds until a second one answered in
    place of the first), when 20 answers took so many seconds each."""
    let = []

    def make(line, seconds=0, **kwargs):
        script = Turns(seconds)
        let.append(script.let)
        gh, _, _ = hedged(script, line=line, **kwargs)
        few = crowd(gh, Turns.FEW).ask(Turns.FEW)
        assert {f.result(60).text for f in few} == {"first"}
        # not before they came
        assert numbers(gh) == (0, 0, 0)
        begun = time.monotonic()
        with gh.client() as c:
            assert c.get().text == "fast"
        assert numbers(gh) == (1, 1, 0)
        return gh, time.monotonic() - begun
    yield make
    for event in let:
        event.set()


def test_after_what_most_answers_take(turns):
    """hedge = p95: all workers learn it together."""
    _, took = turns("hedge = p95 max=100%", 0.2, workers=2)
    assert took >= 0.199


def test_not_sooner_than_min(turns):
    """However fast most of them are; by the clock of a turn of the loop."""
    _, took = turns("hedge = p50 min=300ms max=100%")
    assert took >= 0.28


def test_explain_tells_the_percentage(front, origin):
    gh = front([origin(), origin()], upstream="hedge = p99 min=5ms")
    said = run("explain", "GET", "http://t/", "-c", gh.ini).stdout
    assert "99 of 100 answers take, 5 ms at least" in said


@pytest.mark.parametrize("value, said", [
    ("p49", "p50 to p99"), ("p100", "p50 to p99"), ("p9x", "p50 to p99"),
    ("200ms min=1ms", "only with p50 to p99")])
def test_what_is_no_percentage_is_refused(tmp_path, value, said):
    path = tmp_path / "x.ini"
    path.write_text("[site t]\nupstream = u\n[upstream u]\nserver = 127.0.0.1:1"
                    f"\nhedge = {value}\n")
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert said in done.stderr and "x.ini:5:" in done.stderr
