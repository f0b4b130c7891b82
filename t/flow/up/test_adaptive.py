"""adaptive: the number of requests at once that servers bear is found from the
time that answers take, by all workers together."""
import pytest

from lib import admin
from lib.busy import Busy, limits, statuses
from lib.procs import until

START, LEAST = 20, 4


@pytest.mark.parametrize("workers", [1, 4])
def test_it_grows_while_answers_are_quick(front, origin, crowd, workers):
    """They take the same time however many there are."""
    busy = Busy(seconds=0.02)
    gh = front([origin(busy)], workers=workers, site=admin.SECTION,
               upstream="adaptive = on\nqueue = 200 timeout=10s")
    clients = crowd(gh, 64)
    assert limits(gh)["limit"] == START

    def has_grown():
        assert statuses(clients.ask(60)) == {200: 60}
        return limits(gh)["limit"] > START

    until(has_grown)
    # which may have fallen again since
    assert busy.peak < 60


def test_it_falls_when_answers_slow_down(front, origin, crowd):
    busy = Busy(seconds=0.005)
    gh = front([origin(busy)], workers=2, site=admin.SECTION,
               upstream="adaptive = on\nqueue = 200 timeout=10s")
    clients = crowd(gh, 64)
    assert statuses(clients.ask(60)) == {200: 60}
    busy.seconds = 0.15

    def has_fallen():
        assert statuses(clients.ask(30)) == {200: 30}
        return limits(gh)["limit"] < START

    until(has_fallen)
    assert limits(gh)["limit"] >= LEAST


def test_max_connections_bounds_it(front, origin):
    gh = front([origin()], site=admin.SECTION,
               upstream="adaptive = on\nmax_connections = 6")
    assert limits(gh)["limit"] == 6
