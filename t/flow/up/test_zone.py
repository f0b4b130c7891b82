"""Servers of the upstream's own zone are asked first, then those of others, then
backups (doc/config.md, `zone`)."""
import collections

import pytest

from lib import admin
from lib.gatehouse import run

N = 40


@pytest.fixture
def world(front, named):
    """(ask, order, explain) of two servers here, one there and a backup."""
    def make(balance="round_robin", more=""):
        servers = {n: named(n.encode()) for n in
                   ("here1", "here2", "there", "backup")}
        options = {"here1": "zone=here", "here2": "zone=here",
                   "there": "zone=there", "backup": "zone=here backup"}
        gh = front([f"{s.address} {options[n]}" for n, s in servers.items()],
                   upstream=f"zone = here\nbalance = {balance}\n{more}"
                            f"{admin.SECTION}")

        def ask():
            with gh.client() as c:
                return set(collections.Counter(
                    c.get(f"/{i}").text for i in range(N)))

        def order(name, word):
            done = run("server", "app", servers[name].address, word,
                       "-c", gh.ini)
            assert done.returncode == 0, done.stderr
        return ask, order, lambda: run("explain", "GET", "http://t/",
                                       "-c", gh.ini).stdout
    return make


@pytest.mark.parametrize("balance", ["round_robin", "least_conn", "least_time",
                                     "random_two", "hash {path}"])
def test_own_zone_then_others_then_backups(world, balance):
    ask, order, _ = world(balance, "panic = 0%\n")
    assert ask() == {"here1", "here2"}
    order("here1", "down")
    assert ask() == {"here2"}
    order("here2", "down")
    assert ask() == {"there"}
    order("there", "down")
    assert ask() == {"backup"}
    order("here1", "auto")
    assert ask() == {"here1"}


def test_explain_tells_the_order(world):
    _, _, explain = world()
    lines = [line for line in explain().splitlines()
             if line.startswith("server")]
    assert ", of another zone" in lines[2]
    assert ", when no other is left" in lines[3]
    assert len(lines) == 4


def test_too_few_healthy_ones_share_with_others(front, named, origin):
    """Below `panic` the own zone would be overrun."""
    bad = origin(lambda conn, request: conn.send(
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    gh = front([f"{bad.address} zone=here",
                f"{named(b'here').address} zone=here",
                f"{named(b'there').address} zone=there"],
               upstream="zone = here\npanic = 60%\n"
                        "eject = 5xx>=1 for=1h max=100%\n")
    with gh.client() as c:
        first = [c.get().status for _ in range(2)]
        assert sorted(first) == [200, 500]
        assert {c.get().text for _ in range(N)} == {"here", "there"}
