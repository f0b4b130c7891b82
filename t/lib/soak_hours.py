"""What each hour of the soak's day came to: traffic, accidents, memory."""
import contextlib
import statistics
import time

from . import admin
from .gatehouse import children
from .procs import segment_bytes, status, until
from .soak_clients import LOST
from .soak_day import DAY_H

MIB = 1 << 20
LOOKS = 10  # at the memory, in each hour
# What the second half of a day may need at most, of what the first half did.
GROWTH = 1.25
# Of less than these hours nothing is said of growth.
DAY_AT_LEAST_H = 12
RESULTS = ("hits", "stale", "revalidated", "collapsed", "misses", "passed")
HITS = RESULTS[:2]
# (heading, width)
COLUMNS = (("hour", 4), ("requests", 9), ("hit %", 6), ("purges", 7),
           ("kills", 6), ("reloads", 8), ("upgrades", 9), ("MiB judged", 11),
           ("segment MiB", 12), ("private MiB", 12), ("wrong", 6))


def private_bytes(master):
    """Memory that master and all below it have for themselves; who ends
    meanwhile has none."""
    total = 0
    for pid in (master, *children(master)):
        with contextlib.suppress(ProcessLookupError, KeyError):
            total += int(status(pid)["RssAnon"].split()[0]) << 10
    return total


class Hours:
    """The rows of a day; tell(line) hears of each when it is over."""

    def __init__(self, soak, tell):
        self.soak, self.world, self.tell = soak, soak.world, tell
        self.privates = []  # bytes of each hour
        self.before = {}

    def play(self):
        """Until the day is over, or something is wrong."""
        day = self.world.day
        self.tell("".join(name.rjust(width) for name, width in COLUMNS))
        for n in range(day.hours):
            segment, private = self._pass(day.started + n * day.hour_s)
            if self.world.wrongs:
                return
            self.privates.append(private)
            self._tell(day.begin + n, segment, private)
        self._judge_growth()

    def _pass(self, begin):
        """(largest segment, private memory) of the hour: the median, since for
        a moment two generations run side by side, or a worker is missing."""
        day = self.world.day
        segments, privates = [], []
        for i in range(LOOKS):
            end = begin + (i + 1) * day.hour_s / LOOKS
            if self.world.over.wait(end - time.monotonic()):
                break
            master = self.soak.master
            with contextlib.suppress(ProcessLookupError, ValueError):
                segments.append(segment_bytes(master))
                privates.append(private_bytes(master))
        return max(segments, default=0), statistics.median(privates or [0])

    def _results(self):
        """The counters, as soon as somebody tells them."""
        def ask():
            with contextlib.suppress(*LOST):
                return admin.status(self.soak.gh)["counters"]
            return None
        counters = until(ask, what="the counters")
        return {name: counters[f"cache_{name}_total"] for name in RESULTS}

    def _tell(self, hour, segment, private):
        with self.world.lock:
            now = dict(self.world.counts)
        now.update(self._results())
        since = {name: n - self.before.get(name, 0)
                 for name, n in now.items()}
        self.before = now
        met = sum(since[name] for name in RESULTS)
        hits = sum(since[name] for name in HITS)
        cells = (hour % DAY_H, since.get("asked", 0),
                 f"{100 * hits / max(met, 1):.1f}",
                 *(since.get(name, 0) for name in (
                     "purges 200", "kills", "reloads", "upgrades")),
                 *(f"{n / MIB:.1f}" for n in (
                     since.get("bytes judged", 0), segment, private)),
                 len(self.world.wrongs))
        self.tell("".join(str(cell).rjust(width)
                          for cell, (_, width) in zip(cells, COLUMNS)))

    def _judge_growth(self):
        if len(self.privates) < DAY_AT_LEAST_H:
            return
        half = len(self.privates) // 2
        first, second = max(self.privates[:half]), max(self.privates[half:])
        assert second <= first * GROWTH, \
            f"private memory grew from {first} to {second} bytes"
