"""What the cache holds outlives workers and generations, and what dies in the
middle of a fill leaves nobody waiting."""
import os
import signal
import threading

import pytest

from lib.origin import ok
from lib.procs import (end_masters, kill_and_wait, meet_workers, until,
                       wait_gone, worker_pids)
from lib.soak_origin import range_of
from lib.wire import WAIT_S, Truncated

INI = """
[global]
workers = 2
shared_memory = 96m
pid_file = {dir}/pid
shutdown_timeout = 20s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
cache = pages
response_header = X-Worker: {worker}
[upstream app]
server = {origin}
retry = none
[cache pages]
memory = 16m
status_header = on
purge_allow = 127.0.0.0/8
"""
FRESH = b"Cache-Control: max-age=600\r\n"
BODY = b"".join(b"%07d " % i for i in range(20000))


def numbered(conn, request):
    """Another answer each time."""
    conn.send(ok(b"%d %s" % (conn.number, request.target.encode()) + BODY,
                 FRESH + b"Connection: close\r\n"))
    conn.close()


def fill(gh, n=20):
    """{path: content} of n that are kept."""
    def get(path):
        with gh.client() as c:
            return c.get(path).body
    return {f"/{i}": get(f"/{i}") for i in range(n)}


def expect_hits(gh, content):
    for path, body in content.items():
        with gh.client() as c:
            r = c.get(path)
            assert "hit" in r.get("cache-status"), path
            assert r.body == body


def test_a_reload_keeps_it(gatehouse, origin):
    o = origin(numbered)
    gh = gatehouse(INI, origin=o.address)
    content = fill(gh)
    for _ in range(3):
        gh.reload()
        expect_hits(gh, content)
    assert len(o.requests) == len(content)


@pytest.mark.parametrize("memory", ["64m", "8m"])
def test_a_reload_that_changes_its_size_keeps_what_fits(
        gatehouse, origin, memory):
    o = origin(numbered)
    gh = gatehouse(INI, origin=o.address)
    content = fill(gh)
    gh.reload(INI.replace("memory = 16m", f"memory = {memory}"))
    expect_hits(gh, content)
    gh.reload(INI)
    expect_hits(gh, content)
    assert len(o.requests) == len(content)


def test_dead_workers_take_nothing_along(gatehouse, origin):
    o = origin(numbered)
    gh = gatehouse(INI, origin=o.address)
    content = fill(gh)
    for _ in range(3):
        for pid in gh.workers():
            kill_and_wait(pid)
        until(lambda: len(gh.workers()) == 2, what="new workers")
        expect_hits(gh, content)
    assert len(o.requests) == len(content)


def test_an_upgrade_keeps_it(gatehouse, origin):
    def pid_of():
        return int((gh.dir / "pid").read_text().splitlines()[0])

    o = origin(numbered)
    gh = gatehouse(INI, origin=o.address)
    content = fill(gh)
    masters = []
    try:
        for _ in range(2):
            old = pid_of()
            os.kill(old, signal.SIGUSR2)
            until(lambda: pid_of() != old, what="a new master")
            masters.append(pid_of())
            wait_gone(old)
            expect_hits(gh, content)
    finally:
        end_masters(masters)
    assert len(o.requests) == len(content)


def test_the_death_of_a_filler_leaves_nobody_waiting(gatehouse, origin):
    """Followers on the other worker that got a part see that it broke; those
    that got nothing get an answer of their own."""
    def script(conn, request):
        if len(o.requests) == 1:
            conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
                      b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:9000])
            never.wait(WAIT_S)
        else:
            conn.send(ok(BODY, FRESH))

    def visit():
        c = gh.client()
        r = c.get("/who", extra=b"Cache-Control: only-if-cached\r\n")
        assert r.status == 504
        return int(r.get("x-worker")), c

    never = threading.Event()
    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    met = dict(meet_workers(visit))
    filler, other = met
    pids = worker_pids(gh)
    met[filler].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(1)
    met[other].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    head = met[other].reader.response_head()
    assert head.status == 200
    assert met[other].reader.exactly(9000) == BODY[:9000]
    assert len(o.requests) == 1
    kill_and_wait(pids[filler])
    with pytest.raises((Truncated, ConnectionResetError)):
        met[other].reader.exactly(len(BODY))
    with gh.client() as c:
        assert c.get("/x").body == BODY
    never.set()
    for c in met.values():
        c.close()


def test_the_death_of_a_filler_before_its_answer(gatehouse, origin):
    def script(conn, request):
        if len(o.requests) == 1:
            never.wait(WAIT_S)
        else:
            conn.send(ok(BODY, FRESH))

    def visit():
        c = gh.client()
        r = c.get("/who", extra=b"Cache-Control: only-if-cached\r\n")
        return int(r.get("x-worker")), c

    never = threading.Event()
    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    met = dict(meet_workers(visit))
    filler, other = met
    pids = worker_pids(gh)
    met[filler].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(1)
    met[other].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    kill_and_wait(pids[filler])
    assert met[other].response().body == BODY
    never.set()
    for c in met.values():
        c.close()


def test_the_death_of_who_fills_a_slice_is_seen_by_no_follower(
        gatehouse, origin):
    """The slice is fetched once more, and read on where it ended."""
    def script(conn, request):
        first, last = range_of(request.get("range"), len(BODY))
        conn.send(b"HTTP/1.1 206 Part\r\nETag: \"a\"\r\n" + FRESH +
                  b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n"
                  b"\r\n" % (first, last, len(BODY), last + 1 - first))
        part = BODY[first:last + 1]
        if len(o.requests) == 1:
            part = part[:9000]
        conn.send(part)
        if len(o.requests) == 1:
            never.wait(WAIT_S)

    def visit():
        c = gh.client()
        r = c.get("/who", extra=b"Cache-Control: only-if-cached\r\n")
        return int(r.get("x-worker")), c

    never = threading.Event()
    o = origin(script)
    gh = gatehouse(INI + "slice = 64k\n", origin=o.address)
    met = dict(meet_workers(visit))
    filler, other = met
    pids = worker_pids(gh)
    met[filler].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(1)
    met[other].send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    assert met[other].reader.response_head().status == 200
    assert met[other].reader.exactly(9000) == BODY[:9000]
    assert len(o.requests) == 1
    kill_and_wait(pids[filler])
    assert met[other].reader.exactly(len(BODY) - 9000) == BODY[9000:]
    # that slice twice, and the two behind it
    assert len(o.requests) == 4
    never.set()
    for c in met.values():
        c.close()


def test_a_retiring_worker_finishes_what_others_read(gatehouse, origin):
    """Its own client has left, its generation is over; clients of the next one
    follow it to the end."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
                  b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:9000])
        assert go.wait(WAIT_S)
        conn.send(BODY[9000:])

    go = threading.Event()
    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    first = gh.client()
    first.send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
    assert first.reader.response_head().status == 200
    before = set(gh.workers())
    gh.reload()
    first.close()
    until(lambda: len(set(gh.workers()) - before) == 2, what="new workers")
    with gh.client() as c:
        c.send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(9000) == BODY[:9000]
        go.set()
        assert c.reader.exactly(len(BODY) - 9000) == BODY[9000:]
    assert len(o.requests) == 1
