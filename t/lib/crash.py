"""A gatehouse with crash points (common/shm/crash.h): its workers and its
steward die, or turn in a circle, at the step of the test's choice."""
import ctypes
import pathlib
import signal
import subprocess

from . import admin
from .gatehouse import BINARY, Gatehouse
from .procs import meet_workers, until, worker_pids
from .wire import Closed, Truncated

DIE = signal.SIGRTMIN
SPIN = signal.SIGRTMIN + 1
MAKE_S = 600
LOST = (Closed, Truncated, OSError)


def build():
    """Path of the program; make knows whether there is anything to do."""
    folder = pathlib.Path(BINARY).resolve().parent
    program = "t/proc/gatehouse_crash"
    subprocess.run(["make", "-s", program], cwd=folder, timeout=MAKE_S,
                   check=True, stdout=subprocess.DEVNULL)
    return str(folder / program)


def arm(pid, n, how=DIE):
    """At its n-th step from now on; 0: never."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigqueue(pid, int(how), ctypes.c_void_p(n)) < 0:
        raise OSError(ctypes.get_errno(), "sigqueue")


class Crashing(Gatehouse):
    """{worker} is what a request to no site in particular is answered."""

    def settled(self):
        """Two workers serve, there is a steward, nobody is dead."""
        def is_settled():
            try:
                return len(admin.serving(self) or ()) == 2
            except LOST:
                return False
        until(is_settled, what="two workers, all repaired")

    def pair(self):
        """{number: a connection to that worker}, of both."""
        def visit():
            client = self.client()
            return int(client.get().text), client
        found = {}
        for who, client in meet_workers(visit):
            if who in found:
                client.close()
            else:
                found[who] = client
        return found

    def pid_of(self, number):
        return worker_pids(self)[number]

    def numbers(self, upstream):
        """{active, requests, failures} of all its servers together."""
        found, = [u for u in admin.status(self)["upstreams"]
                  if u["name"] == upstream]
        return {key: sum(s[key] for s in found["servers"])
                for key in ("active", "requests", "failures")}

    def wait_active(self, upstream, n):
        def is_so():
            try:
                return self.numbers(upstream)["active"] == n
            except LOST:
                return False
        until(is_so, what=f"{n} requests in flight")


def is_lost(client, host, pid):
    """Ask the worker; whether no whole answer comes, or it dies behind it."""
    try:
        assert client.get(host=host).text == "ok"
        client.get()
        # what is asked now has no step to die at
        arm(pid, 0)
        client.get()
        return False
    except LOST:
        return True

