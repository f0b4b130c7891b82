"""Servers that are taken out and come back while requests run: in each phase the
fit ones share them as the policy says, and no client sees it."""
import collections
import threading

import pytest

from lib import admin
from lib.gatehouse import run
from lib.procs import until

N = 150
# chi-square with 1 and 2 degrees of freedom: above it one run in ten million
CHI = {2: 28.4, 3: 32.2}


class Load(threading.Thread):
    """Requests one after the other, each on a connection of its own, for paths
    of their own."""

    def __init__(self, gh):
        super().__init__(daemon=True)
        self.gh, self.got, self.is_over = gh, [], False
        self.start()

    def run(self):
        while not self.is_over:
            with self.gh.client() as c:
                answer = c.get(f"/{len(self.got)}")
            self.got.append(answer.text if answer.status == 200
                            else answer.status)

    def next(self):
        """Who answered the next N, but the one that runs already."""
        at = len(self.got) + 1
        until(lambda: len(self.got) >= at + N or not self.is_alive(),
              what="requests")
        return collections.Counter(self.got[at:at + N])


def chi_square(counts, n):
    return sum((c - N / n) ** 2 / (N / n) for c in counts.values())


@pytest.fixture
def three(front, named):
    loads = []

    def make(balance, workers):
        servers = {n: named(n.encode()) for n in "abc"}
        gh = front(servers.values(), workers=workers,
                   upstream=f"balance = {balance}\n{admin.SECTION}")
        loads.append(Load(gh))

        def order(name, word):
            done = run("server", "app", servers[name].address, word,
                       "-c", gh.ini)
            assert done.returncode == 0, done.stderr
        return loads[0], order
    yield make
    for load in loads:
        load.is_over = True
        load.join()


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("balance", ["round_robin", "least_conn", "random_two",
                                     "hash {path}", "least_time"])
def test_the_fit_share_the_load(three, balance, workers):
    load, order = three(balance, workers)
    for name, word in (("b", "auto"), ("b", "down"), ("b", "auto"),
                       ("c", "down"), ("c", "auto")):
        order(name, word)
        counts = load.next()
        fit = set("abc") - ({name} if word == "down" else set())
        assert set(counts) <= fit
        # least_time follows what servers take, which is no constant
        if balance != "least_time":
            assert set(counts) == fit
            assert chi_square(counts, len(fit)) < CHI[len(fit)]
    assert set(load.got) <= set("abc")
