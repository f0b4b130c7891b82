"""Places of a worker that is killed are given back, and who waits for them in
another one is served."""
import pytest

from lib import admin
from lib.busy import Busy, limits
from lib.origin import Origin
from lib.procs import kill_and_wait, until, worker_pids

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[route test /who]
respond = 200 {worker}
[upstream app]
server = {origin} max_connections=3
queue = 20 timeout=30s
""" + admin.SECTION


@pytest.fixture
def world(gatehouse):
    busy = Busy()
    o = Origin(busy)
    gh = gatehouse(INI, origin=o.address)
    yield gh, busy
    busy.open()
    o.close()


def held(gh, worker):
    """A connection to this worker."""
    while True:
        c = gh.client()
        if int(c.get("/who").text) == worker:
            return c
        c.close()


def begin(client, path):
    client.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)


def test_who_held_all_places_dies(world):
    gh, busy = world
    victim = [held(gh, 0) for _ in range(3)]
    other = [held(gh, 1) for _ in range(2)]
    for c in victim:
        begin(c, b"/held")
    busy.has(3)
    for c in other:
        begin(c, b"/waits")
    until(lambda: limits(gh)["waiting"] == 2)
    kill_and_wait(worker_pids(gh)[0])
    until(lambda: busy.order.count("/waits") == 2, what="their turn")
    busy.open()
    assert [c.response().status for c in other] == [200, 200]
    until(lambda: limits(gh)["active"] == limits(gh)["waiting"] == 0)
    for c in victim + other:
        c.close()


def test_who_waited_first_dies(world):
    """Its place in the queue is nobody's: the next has its turn."""
    gh, busy = world
    holders = [held(gh, 1) for _ in range(3)]
    first, second = held(gh, 0), held(gh, 1)
    for c in holders:
        begin(c, b"/held")
    busy.has(3)
    begin(first, b"/first")
    until(lambda: limits(gh)["waiting"] == 1)
    begin(second, b"/second")
    until(lambda: limits(gh)["waiting"] == 2)
    kill_and_wait(worker_pids(gh)[0])
    busy.open()
    assert second.response().status == 200
    assert "/first" not in busy.order
    until(lambda: limits(gh)["active"] == limits(gh)["waiting"] == 0)
    for c in holders + [first, second]:
        c.close()
