"""Servers that take their time, and know how many requests they had at once;
clients that come together."""
import collections
import concurrent.futures
import threading

from . import admin
from .origin import OK
from .wire import WAIT_S


class Busy:
    """The script of an origin: each request stays until it is let go (or, with
    `seconds`, for so long).

    now   requests that are there
    peak  the most that were there at once
    """

    def __init__(self, seconds=None):
        self.seconds = seconds
        self.lock = threading.Condition()
        self.now = self.peak = 0
        self.order = []
        self.tickets = 0
        self.is_open = False

    def __call__(self, conn, request):
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            self.order.append(request.target)
            self.lock.notify_all()
            if self.seconds is None:
                self.lock.wait_for(lambda: self.is_open or self.tickets,
                                   WAIT_S)
                self.tickets -= not self.is_open
            else:
                self.lock.wait_for(lambda: False, self.seconds)
            self.now -= 1
        conn.send(OK)

    def let_go(self, n=1):
        """So many requests are answered."""
        with self.lock:
            self.tickets += n
            self.lock.notify_all()

    def open(self):
        """All are, from now on."""
        with self.lock:
            self.is_open = True
            self.lock.notify_all()

    def has(self, n):
        """Wait until so many are there."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.now >= n, WAIT_S), self.now


def ask(gh, target="/"):
    with gh.client() as c:
        return c.get(target)


class Crowd:
    """Clients, each on a connection of its own and in a thread of its own."""

    def __init__(self, gh, most=256):
        self.gh = gh
        self.pool = concurrent.futures.ThreadPoolExecutor(most)

    def ask(self, n=1, target="/"):
        return [self.pool.submit(ask, self.gh, target) for _ in range(n)]

    def close(self):
        self.pool.shutdown(wait=False, cancel_futures=True)


def limits(gh):
    """What status says of the limits of the one upstream."""
    return admin.status(gh)["upstreams"][0]["limits"]


def statuses(futures):
    return collections.Counter(f.result(WAIT_S).status for f in futures)
