"""queue: a request that finds no place waits for its turn, in the order in
which all workers were asked, as long as it may."""
import pytest

from lib import admin
from lib.busy import Busy, ask, limits, statuses
from lib.gatehouse import run
from lib.procs import abort_on_close, until

ONE = "max_connections = 1\nqueue = %s"


def waiting(gh, n):
    until(lambda: limits(gh)["waiting"] == n, what=f"{n} that wait")


def idle(gh):
    until(lambda: limits(gh)["active"] == limits(gh)["waiting"] == 0)


@pytest.mark.parametrize("workers", [1, 4])
def test_all_are_served_in_time(front, origin, crowd, workers):
    """200 at once, and one server that takes one at a time."""
    busy = Busy(seconds=0.001)
    gh = front([f"{origin(busy).address} max_connections=1"], workers=workers,
               site=admin.SECTION, upstream="queue = 200 timeout=10s")
    assert statuses(crowd(gh).ask(200)) == {200: 200}
    assert busy.peak == 1
    assert limits(gh)["refused"] == limits(gh)["timeouts"] == 0
    idle(gh)


@pytest.mark.parametrize("workers", [1, 4])
def test_who_came_first_is_served_first(front, origin, crowd, workers):
    """Over all workers: each client is seen to wait before the next comes."""
    busy = Busy()
    gh = front([origin(busy)], workers=workers, site=admin.SECTION,
               upstream=ONE % "100 timeout=30s")
    clients = crowd(gh)
    asked = clients.ask(target="/first")
    busy.has(1)
    for i in range(12):
        asked += clients.ask(target=f"/{i}")
        waiting(gh, i + 1)
    busy.open()
    assert statuses(asked) == {200: 13}
    assert busy.order == ["/first"] + [f"/{i}" for i in range(12)]
    assert busy.peak == 1


@pytest.mark.parametrize("workers", [1, 4])
def test_no_more_wait_than_may(front, origin, crowd, workers):
    busy = Busy()
    gh = front([origin(busy)], workers=workers, site=admin.SECTION,
               upstream=ONE % "5 timeout=30s")
    clients = crowd(gh)
    asked = clients.ask()
    busy.has(1)
    asked += clients.ask(5)
    waiting(gh, 5)
    r = ask(gh)
    assert (r.status, r.get("Retry-After")) == (503, "1")
    assert gh.log()[0]["fault"] == "queue_full"
    busy.open()
    assert statuses(asked) == {200: 6}
    idle(gh)


def test_who_waited_too_long_is_told(front, origin, crowd):
    busy = Busy()
    gh = front([origin(busy)], site=admin.SECTION,
               upstream=ONE % "5 timeout=50ms")
    first = crowd(gh).ask()
    busy.has(1)
    r = ask(gh)
    assert (r.status, r.get("Retry-After")) == (503, "1")
    assert gh.log()[0]["fault"] == "queue_timeout"
    assert limits(gh)["timeouts"] == 1
    busy.open()
    assert statuses(first) == {200: 1}
    idle(gh)


def test_total_timeout_holds_for_the_wait(front, origin, crowd):
    busy = Busy()
    gh = front([origin(busy)], site=admin.SECTION,
               upstream=ONE % "5 timeout=30s" + "\ntotal_timeout = 300ms")
    crowd(gh).ask()
    busy.has(1)
    assert ask(gh).status == 504
    assert gh.log()[0]["fault"] == "origin_total_timeout"
    busy.open()
    idle(gh)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_client_that_leaves_waits_no_more(front, origin, crowd, workers):
    """Nor is its request sent."""
    busy = Busy()
    gh = front([origin(busy)], workers=workers, site=admin.SECTION,
               upstream=ONE % "5 timeout=30s")
    clients = crowd(gh)
    asked = clients.ask()
    busy.has(1)
    gone = gh.client()
    gone.send(b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
    waiting(gh, 1)
    asked += clients.ask()
    waiting(gh, 2)
    abort_on_close(gone.sock)
    gone.close()
    waiting(gh, 1)
    busy.open()
    assert statuses(asked) == {200: 2}
    assert "/gone" not in busy.order
    idle(gh)


def test_streams_of_http_2_wait_too(h2_front, h2_origin, crowd):
    """A stream is a request: one at a time, all on one connection."""
    gh = h2_front([h2_origin()], upstream=ONE % "50 timeout=10s", workers=2,
                  site=admin.SECTION)
    assert statuses(crowd(gh).ask(30)) == {200: 30}
    idle(gh)


def test_a_reload_lets_all_have_their_turn(front, origin, crowd):
    """Those that waited before it, and those behind it, in one queue."""
    busy = Busy()
    o = origin(busy)
    gh = front([o], workers=2, site=admin.SECTION,
               upstream=ONE % "50 timeout=30s")
    clients = crowd(gh)
    asked = clients.ask(target="/first")
    busy.has(1)
    asked += clients.ask(target="/old")
    waiting(gh, 1)
    gh.reload()
    asked += clients.ask(target="/new")
    waiting(gh, 2)
    busy.open()
    assert statuses(asked) == {200: 3}
    assert busy.order == ["/first", "/old", "/new"]
    assert busy.peak == 1
    idle(gh)


def test_it_needs_something_to_wait_for(tmp_path):
    def check(line, more="max_connections = 1\n"):
        ini = tmp_path / "x.ini"
        ini.write_text("[listen x]\naddress = 127.0.0.1:1\n[site s]\n"
                       "hosts = *\nupstream = a\n[upstream a]\n"
                       f"server = 127.0.0.1:2\n{more}{line}\n")
        return run("-t", "-c", ini).stderr

    assert "queue waits for nothing" in check("queue = 5", "")
    assert "queue: 0: between 1 and 1m" in check("queue = 0")
    assert "queue: unknown word 'time=1s'" in check("queue = 5 time=1s")
    assert "queue: timeout=2h: between 1ms and 1h" in check(
        "queue = 5 timeout=2h")
    assert "no more" in check("queue = 5 timeout=1s x")
