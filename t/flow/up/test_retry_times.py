"""try_timeout and total_timeout: how long one server, and all of them together,
are waited for until the head of an answer."""
import signal
import subprocess
import sys
import threading
import time

import pytest

from lib import h2
from lib.gatehouse import free_port
from lib.origin import ok
from lib.procs import is_listening, until
from lib.wire import WAIT_S

# for those who never answer: 200 ms by a clock of whole milliseconds
SHORT, SHORT_S = "200ms", 0.199
# in which even a busy machine answers
LONG, LONG_S = "2s", 1.999
# what a test never waits for
NEVER = "1h"
BODY = b"x" * 1000


def later(seconds):
    """Let time pass."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def ask(gh, method="GET", body=b""):
    with gh.client() as c:
        c.send(b"%s / HTTP/1.1\r\nHost: test\r\n%s\r\n" % (
            method.encode(), b"Content-Length: %d\r\n" % len(body)
            if body else b"") + body)
        return c.response(method)


def slices(head, n=1000):
    """An origin's script that goes on saying a little, and never ends."""
    def script(conn, request):
        conn.send(head)
        for i in range(n):
            later(SHORT_S / 4)
            conn.send(b"X-%d: y\r\n" % i)
        return False

    return script


@pytest.fixture
def process_origin(tmp_path):
    """process_origin() gives (process, address) of a server of its own."""
    running = []

    def make():
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(port), "--bind",
             "127.0.0.1", "--directory", str(tmp_path)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        running.append(process)
        until(lambda: is_listening(port), what="http.server")
        return process, f"127.0.0.1:{port}"

    yield make
    for process in running:
        process.kill()
        process.wait(WAIT_S)


@pytest.fixture(params=["http/1.1", "h2"])
def speaks(request, front, origin, h2_origin):
    """(make, silent, good): servers of either protocol; silent() takes requests
    and says nothing."""
    def make(servers, upstream, **kwargs):
        return front(servers, upstream=f"protocol = {request.param}\n"
                     f"response_timeout = {NEVER}\n" + upstream, **kwargs)

    if request.param == "h2":
        return (make, lambda: h2_origin(lambda conn, r: None),
                lambda: h2_origin(lambda conn, r: conn.answer(r.stream)))
    return (make, lambda: origin(lambda conn, r: True),
            lambda: origin(lambda conn, r: conn.send(ok())))


def test_a_try_has_its_time(speaks):
    """504, by the word for one try."""
    make, silent, good = speaks
    other = good()
    gh = make([silent(), other], f"try_timeout = {SHORT}")
    began = time.monotonic()
    assert ask(gh).status == 504
    assert time.monotonic() - began >= SHORT_S
    assert gh.fault() == "origin_try_timeout"
    # by default what is worked on is given to nobody else
    assert not other.requests


def test_the_next_server_is_asked(speaks):
    """retry = timeout: an idempotent request goes on, a POST never."""
    make, silent, good = speaks
    bad, other = silent(), good()
    gh = make([bad, f"{other.address} backup"],
              f"try_timeout = {LONG}\nretry = timeout")
    assert ask(gh, "PUT", BODY).status == 200
    assert ask(gh, "POST", BODY).status == 504
    assert [r.method for r in bad.requests] == ["PUT", "POST"]
    assert [(r.method, r.body) for r in other.requests] == [("PUT", BODY)]


@pytest.mark.heavy
def test_a_stopped_server_is_never_felt(front, process_origin):
    """A server that is stopped (SIGSTOP) accepts and says nothing: no client of
    several workers sees more of it than try_timeout."""
    (bad, address), (_, other) = process_origin(), process_origin()
    gh = front([address, f"{other} backup"], workers=2,
               upstream=f"try_timeout = {LONG}\n"
               "retry = connect reset timeout")
    assert [ask(gh).status for _ in range(4)] == [200] * 4
    bad.send_signal(signal.SIGSTOP)
    try:
        assert [ask(gh).status for _ in range(3)] == [200] * 3
        tries = [line["tries"] for line in gh.log(7)]
    finally:
        bad.send_signal(signal.SIGCONT)
    assert tries == ["1"] * 4 + ["2"] * 3
    until(lambda: ask(gh).status == 200 and gh.log()[-1]["tries"] == "1")


def test_all_tries_together(speaks):
    """total_timeout ends them, however many servers are left."""
    make, silent, _ = speaks
    servers = [silent() for _ in range(7)]
    gh = make(servers, f"try_timeout = {SHORT}\ntotal_timeout = 500ms\n"
              "retry = timeout")
    began = time.monotonic()
    assert ask(gh).status == 504
    assert time.monotonic() - began >= 0.499
    assert gh.fault() == "origin_total_timeout"
    # not one of the seven servers was asked without having its time
    assert int(gh.log()[0]["tries"]) <= 3


def test_total_timeout_alone(speaks):
    """It needs no try_timeout."""
    make, silent, good = speaks
    other = good()
    gh = make([silent(), other], f"total_timeout = {SHORT}\nretry = timeout")
    began = time.monotonic()
    assert ask(gh).status == 504
    assert time.monotonic() - began >= SHORT_S
    assert gh.fault() == "origin_total_timeout"
    assert not other.requests


@pytest.mark.parametrize("limit, fault", [
    ("try_timeout", "origin_try_timeout"),
    ("response_timeout", "origin_timeout")])
def test_a_handshake_of_websocket_has_its_time(h2_front, h2_origin, limit,
                                               fault):
    """RFC 8441 5: what the client will say in the tunnel is not owed yet."""
    mute = h2_origin(lambda conn, r: None,
                     settings=[(h2.ENABLE_CONNECT_PROTOCOL, 1)])
    gh = h2_front([mute], f"{limit} = {SHORT}")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n"
               b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert c.response().status == 504
    assert gh.fault() == fault
    assert mute.requests[0].get(":protocol") == "websocket"


def test_signs_of_life_are_no_head(front, origin):
    """response_timeout is the longest silence; these times are whole."""
    gh = front([origin(slices(b"HTTP/1.1 200 OK\r\n"))],
               upstream=f"response_timeout = {NEVER}\ntry_timeout = {SHORT}")
    assert ask(gh).status == 504
    assert gh.fault() == "origin_try_timeout"


@pytest.mark.heavy
def test_content_takes_its_time(front, origin):
    """Behind the head of the answer neither counts."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for byte in b"12345":
            later(1)
            conn.send(bytes([byte]))

    gh = front([origin(script)],
               upstream=f"try_timeout = {LONG}\ntotal_timeout = 3s")
    assert ask(gh).text == "12345"


@pytest.mark.heavy
def test_a_slow_client_is_not_the_servers_time(front, origin):
    """What the client owes is waited for by body_timeout alone."""
    o = origin()
    gh = front([o], upstream=f"try_timeout = {LONG}\ntotal_timeout = {LONG}")
    with gh.client() as c:
        c.send(b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n")
        for byte in b"abcd":
            later(LONG_S * 2 / 3)
            c.send(bytes([byte]))
        assert c.response("PUT").status == 200
    assert [r.body for r in o.requests] == [b"abcd"]


def test_behind_a_slow_client_it_is(front, origin):
    """When it has sent all the server has the rest of its time."""
    o = origin(lambda conn, r: True)
    gh = front([o], upstream=f"try_timeout = {SHORT}")
    with gh.client() as c:
        c.send(b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        later(2 * SHORT_S)
        c.send(b"x")
        assert c.response("PUT").status == 504
    assert gh.fault() == "origin_try_timeout"
    assert [r.body for r in o.requests] == [b"x"]


def test_a_connection_is_part_of_it(front, deaf, origin):
    """Nothing was sent: a POST goes elsewhere, too."""
    gh = front([deaf, f"{origin().address} backup"], upstream="connect_timeout "
               f"= 1h\ntry_timeout = {LONG}")
    assert ask(gh, "POST", BODY).status == 200
    assert gh.log()[0]["tries"] == "2"


def test_a_connection_that_does_not_open(front, deaf):
    """With nobody left it is told like any other."""
    gh = front([deaf], upstream="connect_timeout = 1h\n"
               f"try_timeout = {SHORT}\nretry = timeout")
    assert ask(gh).status == 504
    assert gh.fault() == "origin_connect_timeout"


def test_many_are_late_at_once(front, origin):
    """Several workers, many requests: each goes on when its time is over."""
    bad, other = origin(lambda conn, r: True), origin()
    gh = front([bad, f"{other.address} backup"], workers=3,
               upstream=f"try_timeout = {LONG}\nretry = timeout")
    got = []
    threads = [threading.Thread(target=lambda: got.append(ask(gh).status))
               for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(WAIT_S)
    assert got == [200] * 30
    assert len(bad.requests) == len(other.requests) == 30
