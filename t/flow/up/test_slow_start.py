"""A server that came back grows to its full share (doc/config.md,
`slow_start`)."""
import collections

import pytest

from lib.procs import until

BAD = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
N = 200


class Server:
    """Answers 500 as long as it is_bad."""

    def __init__(self, origin):
        self.is_bad = True
        self.origin = origin(self)
        self.address = self.origin.address

    def __call__(self, conn, request):
        conn.send(BAD if self.is_bad else
                  b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")


@pytest.fixture
def back(front, origin, named):
    """back(options) gives a gatehouse one of whose two servers was ejected and
    has come back."""
    def make(options, more=""):
        server = Server(origin)
        gh = front([f"{server.address} {options}", named(b"old")],
                   upstream=f"eject = 5xx>=2 for=300ms\n{more}")
        until(lambda: ask(gh) and "server ejected" in gh.stderr())
        server.is_bad = False
        until(lambda: ask(gh) == "back", what="its first request")
        return gh
    return make


def ask(gh):
    with gh.client() as c:
        return c.get().text or "bad"


def counts(gh):
    return collections.Counter(ask(gh) for _ in range(N))


@pytest.mark.parametrize("balance", ["round_robin", "least_conn",
                                     "random_two"])
def test_it_begins_with_little(back, balance):
    """A twentieth of what it would have."""
    gh = back("slow_start=1d", f"balance = {balance}")
    assert 1 <= counts(gh)["back"] <= N / 20


def test_without_it_has_its_share_at_once(back):
    assert counts(back(""))["back"] == N / 2


def test_it_ends_with_its_share(back):
    """When the time is over."""
    gh = back("slow_start=1s")
    until(lambda: counts(gh)["back"] == N / 2, what="its full share")


def test_it_is_used_when_no_other_is_left(front, origin):
    """Slow is better than nobody."""
    server = Server(origin)
    gh = front([f"{server.address} slow_start=1d"],
               upstream="eject = 5xx>=2 for=300ms max=100%\npanic = 0%")
    until(lambda: ask(gh) and "server ejected" in gh.stderr())
    server.is_bad = False
    until(lambda: ask(gh) == "back")
    assert counts(gh) == {"back": N}


def test_a_server_that_never_was_away_starts_at_once(front, named):
    gh = front([named(b"a").address + " slow_start=1d", named(b"b")])
    assert counts(gh) == {"a": N / 2, "b": N / 2}
