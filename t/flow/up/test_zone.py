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
    # half of the zone is left: a key stays, of others it bears 70%
    assert ask() == ({"here2"} if "hash" in balance else {"here2", "there"})
    order("here2", "down")
    assert ask() == {"there"}
    order("there", "down")
    assert ask() == {"backup"}
    order("here1", "auto")
    assert ask() == {"here1"}


@pytest.fixture
def zones(front, named):
    """zones({weight of a server here: ...}, workers): (take out the i-th of
    them, count who answers of so many)."""
    def make(weights, workers):
        near = [named(b"here") for _ in weights]
        gh = front([f"{s.address} zone=here weight={w}"
                    for s, w in zip(near, weights)] +
                   [named(b"there").address + " zone=there"],
                   workers=workers, upstream="zone = here\npanic = 0%\n"
                   + admin.SECTION)

        def out(i):
            done = run("server", "app", near[i].address, "down", "-c", gh.ini)
            assert done.returncode == 0, done.stderr

        def count(n):
            got = collections.Counter()
            for _ in range(n // 10):
                with gh.client() as c:
                    got.update(c.get().text for _ in range(10))
            return got["here"], got["there"]
        return out, count
    return make


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("weights, shares", [
    # 1.4 times the share of the weight that is left
    ([1] * 4, [1, 1, 0.70, 0.35, 0]),
    ([1, 1, 5], [1, 1, 1, 0]),
    ([4, 1, 1], [1, 1.4 / 3, 1.4 / 6, 0])])
def test_others_get_what_the_zone_cannot_bear(zones, weights, shares, workers):
    """None of it with 5 in 7 healthy; exactly, in each worker."""
    out, count = zones(weights, workers)
    for i, share in enumerate(shares):
        if i > 0:
            out(i - 1)
        here, there = count(200)
        assert here + there == 200
        assert abs(here - 200 * share) <= workers, (i, here)


def test_explain_tells_the_order(world):
    _, _, explain = world()
    lines = [line for line in explain().splitlines()
             if line.startswith("server")]
    assert ", of another zone" in lines[2]
    assert ", when no other is left" in lines[3]
    assert len(lines) == 4


def test_too_few_healthy_ones_share_with_others(front, named, origin):
    """Half of the own zone would be overrun."""
    bad = origin(lambda conn, request: conn.send(
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    gh = front([f"{bad.address} zone=here",
                f"{named(b'here').address} zone=here",
                f"{named(b'there').address} zone=there"],
               upstream="zone = here\n"
                        "eject = 5xx>=1 for=1h max=100%\n")
    with gh.client() as c:
        first = [c.get().status for _ in range(2)]
        assert sorted(first) == [200, 500]
        assert {c.get().text for _ in range(N)} == {"here", "there"}
