"""balance = least_time (doc/config.md): the server that would answer soonest, as
all workers meet it."""
import collections
import time

import pytest

from lib.origin import ok
from lib.procs import until

N = 60
LATE_S = 0.1


def names(gh, n=N):
    """Who answers, by connections that any worker takes."""
    got = collections.Counter()
    for _ in range(n):
        with gh.client() as c:
            answer = c.get()
            got[answer.text if answer.status == 200 else answer.status] += 1
    return got


@pytest.mark.parametrize("workers", [1, 4])
def test_a_slow_server_gets_what_it_bears(front, origin, named, workers):
    """One answer tells all workers that it is slow."""
    def late(conn, request):
        time.sleep(LATE_S)
        conn.send(ok(b"slow"))
    gh = front([origin(late), named(b"quick")], workers=workers,
               upstream="balance = least_time")
    got = names(gh)
    assert 1 <= got["slow"] <= 4
    assert got["slow"] + got["quick"] == N


def test_a_server_that_fails_quickly_is_slow(front, origin, named):
    """A refusal comes sooner than any answer, and is none."""
    bad = origin(lambda conn, request: conn.send(
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    gh = front([bad, named(b"good")], upstream="balance = least_time")
    assert names(gh) == {503: 1, "good": N - 1}


def test_what_is_not_known_is_tried_not_flooded(front, origin, named):
    """The first request tells how long it takes; until then it is the only
    one."""
    held = []
    new = origin(lambda conn, request: held.append(conn))
    gh = front([new, named(b"known")], upstream="balance = least_time")
    with gh.client() as first, gh.client() as second:
        first.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        assert [second.get().text for _ in range(N)] == ["known"] * N
        assert len(held) == 1
        held[0].send(ok(b"new"))
        assert first.response().text == "new"


def test_backups_serve_when_no_other_can(front, named):
    gh = front([named(b"a"), named(b"b").address + " backup"],
               upstream="balance = least_time")
    assert names(gh) == {"a": N}
