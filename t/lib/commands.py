"""Programs that check servers: they run as the user of workers, in a folder that
it may read and write."""
import contextlib
import os
import pathlib
import shutil
import tempfile

from .procs import status, until


class Commands:
    """`at` is the folder. Each program is called with its path in $1, so that
    it can say something in files there."""

    def __init__(self):
        self.at = pathlib.Path(tempfile.mkdtemp())
        self.at.chmod(0o777)

    def make(self, name, text, mode=0o755):
        """The words of a health_check that runs it."""
        path = self.at / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(mode)
        return f"command {path} {self.at}"

    def say(self, name, text):
        """What programs read, whole at any time."""
        new = self.at / (name + ".new")
        new.write_text(text)
        new.replace(self.at / name)

    def read(self, name):
        try:
            return (self.at / name).read_text()
        except FileNotFoundError:
            return ""

    def pids(self, name, n):
        """The first n that it has said there, one a line."""
        text = until(lambda: (got := self.read(name)).count("\n") >= n and got,
                     what=f"{n} lines of {name}, it is {self.read(name)!r}")
        return [int(pid) for pid in text.split()[:n]]

    def close(self):
        shutil.rmtree(self.at)


def is_gone(pid):
    """Nothing is left of it, not even a status that nobody asked for."""
    with contextlib.suppress(ProcessLookupError):
        status(pid)
        return False
    return True


def wait_all_gone(pids):
    until(lambda: all(map(is_gone, pids)), what=f"the end of {pids}")


def zombies(master):
    """Children of a process that have ended without its notice."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(ProcessLookupError):
            s = status(pid)
            if s["PPid"] == str(master) and s["State"].startswith("Z"):
                found.append(pid)
    return found
