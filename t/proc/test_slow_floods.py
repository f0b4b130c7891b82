"""Hundreds of clients that are slow on purpose, and one that is not: it gets all
of its answers, soon, and memory stays bounded (bench/floods has 2,000 of each
kind, beside nginx and HAProxy)."""
import resource

import pytest

from lib.procs import status
from lib.slow import Good, Slow

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
header_timeout = 5s
body_timeout = 5s
send_timeout = 5s
min_rate = 1k/s
[site test]
hosts = *
respond = 200 served
[route test /]
upstream = {origin}
[route test =/own]
respond = 200 served
"""
SLOW = 200
BIG = 1 << 20
GOOD_S = 1.5
# On a machine that does much else.
P99_S = 0.25
# Of all workers, for each slow client: what it may hold at most is far more.
MEMORY_EACH = 96 << 10


def answer(conn, request):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG
              + b"x" * BIG)
    return True


def memory(gh):
    return sum(int(status(pid)["VmRSS"].split()[0]) << 10
               for pid in gh.workers())


@pytest.fixture(autouse=True)
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_slow_clients_are_nobody_elses_matter(gatehouse, origin):
    gh = gatehouse(INI, origin=origin(answer).address)
    before = memory(gh)

    def visit():
        with gh.client() as c:
            return c.get("/own").status

    with Slow(gh.port, SLOW):
        good = Good(visit).run(GOOD_S)
        grown = memory(gh) - before
    assert good.bad == []
    assert good.at(0.99) < P99_S
    assert grown < 3 * SLOW * MEMORY_EACH
