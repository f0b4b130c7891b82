"""The soak of the cache: simulated traffic on a gatehouse whose workers are
killed and whose configuration is changed meanwhile; every byte is judged."""
import contextlib
import os
import random
import signal
import threading
import time

from . import admin
from .gatehouse import children
from .procs import end_masters, segment_bytes, until, wait_gone
from .soak_clients import LOST, SoakClient
from .soak_day import PUBLISHED, PURGES
from .soak_h2 import AT_ONCE, SoakH2Client
from .soak_hours import MIB, RESULTS, Hours
from .soak_origin import SoakOrigin
from .soak_world import FOLDERS, HOST, SLICE, TAGS, World
from .wire import WAIT_S, Truncated

INI = """
[global]
workers = 2
shared_memory = 256m
shutdown_timeout = 30s
pid_file = {dir}/pid
[admin]
listen = unix:{dir}/admin.sock
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site soak.test]
upstream = app
cache = pages
cache_cookies = bypass
[upstream app]
server = {origin}
keepalive = 64
retry = none
[cache pages]
memory = {memory}m
max_object = 4m
slice = {slice}b
purge_allow = 127.0.0.0/8
status_header = on
"""
# In MiB; things are larger together, so that some have to leave.
MEMORIES = (16, 32, 12, 24)
OTHER_MEMORY = 16
# One client of so many speaks HTTP/2.
H2_EVERY = 3
# How long workers that retire may take, and the next master.
UPGRADE_S = 40
# How often each is done.
PURGE_KINDS = ("url",) * 6 + ("folder",) * 2 + ("tag",) * 2 + ("all",)


class Soak:
    """One run of a day (None: the short one); tell(line) hears of its
    hours."""

    def __init__(self, gatehouse, seed, day=None, clients=6,
                 tell=lambda line: None):
        self.seed = seed
        self.world = World(seed, day)
        self.day = self.world.day
        self.origin = SoakOrigin(self.world)
        self.hours = Hours(self, tell)
        self.most_bytes = 0
        self.gh = gatehouse(self._ini(MEMORIES[0]),
                            origin=self.origin.address)
        self.master = self.gh.process.pid
        self.clients = [(SoakH2Client if i % H2_EVERY == 1 else SoakClient)(
            self.world, self.gh.port, i, clients) for i in range(clients)]

    @staticmethod
    def _ini(memory):
        return INI.replace("{memory}", str(memory)).replace(
            "{slice}", str(SLICE))

    def run(self):
        """Until the day is over or something is wrong; then judge the rest.
        AssertionError tells the seed."""
        jobs = [c.run for c in self.clients] + [
            self._safely(job) for job in (self._publish, self._purge,
                                          self._disturb)]
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        self.day.start()
        for thread in threads:
            thread.start()
        try:
            try:
                self.hours.play()
            finally:
                self.world.over.set()
                for thread in threads:
                    thread.join(WAIT_S)
            left = [t.name for t in threads if t.is_alive()]
            assert not left, f"{left} hang"
            assert not self.world.wrongs, self.world.wrongs[0]
            self._judge_end()
        except AssertionError as err:
            events = "\n  ".join(self.world.journal)
            raise AssertionError(f"seed {self.seed}: {err}\n  {events}\n"
                                 f"{dict(self.world.counts)}") from err
        finally:
            if self.master != self.gh.process.pid:
                end_masters([self.master])
            self.origin.close()
        return self.world.counts

    def _safely(self, job):
        """A job whose failure ends the run."""
        rng = random.Random(f"{self.seed} {job.__name__}")

        def run():
            try:
                job(rng)
            except Exception as err:  # pylint: disable=broad-except
                self.world.wrong(None, f"{job.__name__}: {err!r}")
        return run

    def _publish(self, rng):
        """New versions, the popular ones more often."""
        while not self.world.over.wait(self.day.pause(rng, PUBLISHED)):
            self.world.publish(self.world.choose(rng))

    # purges
    def _purge(self, rng):
        while not self.world.over.wait(self.day.pause(rng, PURGES)):
            kind = rng.choice(PURGE_KINDS)
            is_soft = rng.random() < 0.3
            thing = self.world.choose(rng)
            things = {"url": [thing], "all": self.world.things,
                      "folder": [t for t in self.world.things if
                                 (t.index - thing.index) % FOLDERS == 0],
                      "tag": [t for t in self.world.things if
                              (t.index - thing.index) % TAGS == 0]}[kind]
            for one in rng.sample(things, min(len(things), 10)):
                self.world.publish(one)
            since = time.monotonic()
            what = ("soft " if is_soft else "hard ") + kind
            if self._was_purged(thing, kind, is_soft):
                self.world.purged(things, since, is_soft, what)

    def _was_purged(self, thing, kind, is_soft):
        """Whether gatehouse says so; one that was killed says nothing."""
        path = {"folder": thing.path.rpartition("/")[0] + "/*",
                "url": thing.path}.get(kind, "/")
        words = ["soft"] * is_soft + ["all"] * (kind == "all")
        fields = f"Purge: {', '.join(words)}\r\n" if words else ""
        if kind == "tag":
            fields += f"Cache-Tag: {thing.tag}\r\n"
        begun = time.monotonic()
        try:
            with self.gh.client() as c:
                status = c.get(path, HOST, fields.encode(), "PURGE").status
        except LOST:
            assert self.world.is_explained(thing, begun), "a purge was lost"
            self.world.count("purges lost")
            return False
        assert status in (200, 503), status
        self.world.count(f"purges {status}")
        return status == 200

    # violence
    def _disturb(self, rng):
        """Kills, reloads with other sizes, upgrades."""
        jobs = {"kill": self._kill, "reload": self._reload,
                "upgrade": self._upgrade}
        for at, what in self.day.accidents():
            if self.world.over.wait(at - time.monotonic()):
                return
            jobs[what](rng)
            self._look()

    def _reload(self, rng):
        memory = rng.choice(MEMORIES)
        self.gh.write(self._ini(memory))
        os.kill(self.master, signal.SIGHUP)
        self.gh.notify.wait("RELOADING=1")
        self.gh.notify.wait("READY=1")
        self.world.note(self.world, f"reloaded, memory {memory}m")
        self.world.count("reloads")

    def _pid(self):
        return int((self.gh.dir / "pid").read_text().splitlines()[0])

    def _upgrade(self, _rng):
        """The same program takes over what the old one shares."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        self.master = until(lambda: self._pid() != old and self._pid(),
                            UPGRADE_S, "a new master")
        self.world.note(self.world, f"upgrade to {self.master}")
        if old == self.gh.process.pid:
            self.gh.process.wait(UPGRADE_S)
        else:
            wait_gone(old, UPGRADE_S)
        self.world.count("upgrades")

    def _kill(self, rng):
        pids = until(lambda: list(children(self.master, "worker")),
                     what="a live worker")
        pid = rng.choice(pids)
        self.world.killed(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _look(self):
        """The segment's memory stays below what the largest cache may take."""
        now = segment_bytes(self.master)
        self.most_bytes = max(self.most_bytes, now)
        most = (max(MEMORIES) + OTHER_MEMORY) * MIB
        assert now <= most, f"segment of {now} bytes, not {most}"

    # the end
    def _is_answered(self):
        """What a worker that was killed last was filling breaks off once more:
        until the steward has told that it will not become whole."""
        self.world.count("asked")
        try:
            with self.gh.client() as c:
                msg = c.get(self.world.things[0].path, HOST)
        except Truncated:
            return False
        assert msg.status < 500, f"{msg.first!r} at the end"
        return True

    def _judge_end(self):
        until(lambda: len(children(self.master)) == 4,
              what="two workers, nursery and steward alone")
        self._look()
        until(self._is_answered, what="a whole answer at the end")
        shown = admin.cli(self.gh)
        assert shown.returncode == 0, f"gatehouse status: {shown.stderr}"
        self._judge_counters(admin.status(self.gh)["counters"])

    def _judge_counters(self, counters):
        """What met the cache ended in one of its ways, the rest were purges
        and POSTs; who was killed counted what it had done, but may have been
        about to count one thing of one exchange."""
        counts = self.world.counts
        results = {name: counters[f"cache_{name}_total"] for name in RESULTS}
        counts.update({f"gatehouse {k}": v for k, v in results.items()})
        counts["most MiB of the segment"] = self.most_bytes // MIB
        met, kills = sum(results.values()), counts["kills"]
        others = counters["requests_total"] - met
        known = counts["POST"] + counts["purges 200"] + counts["purges 503"]
        lost = counts["excused losses"] + counts["kept connections lost"] + \
            counts["excused errors"] + counts["purges lost"]
        assert known - kills <= others <= known + lost + kills, \
            f"{others} requests met no cache, but {known} should have"
        answers = sum(n for what, n in counts.items()
                      if what.startswith("answers "))
        at_once = len(self.clients) * (1 + max(AT_ONCE))
        assert answers - kills * at_once <= met <= counts["asked"], \
            f"{met} requests met the cache: {answers} answered, " \
            f"{counts['asked']} asked"
        assert results["hits"] > counts["asked"] // 10, "hardly a hit"
