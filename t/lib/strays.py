"""Masters that outlive the test that they were made in: daemons, and those that
took over by an upgrade. Their parent has ended, which makes them ours."""
import contextlib
import ctypes
import os
import pathlib
import signal

from .gatehouse import Gatehouse
from .procs import until, wait_gone

PR_SET_CHILD_SUBREAPER = 36
# One that has said its last word still has to end.
LEAVE_S = 10


def adopt():
    """Orphans below this process are its children from now on (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def orphans():
    """{pid: command line, empty when it has ended} of adopted gatehouses."""
    found = {}
    for path in pathlib.Path("/proc/self/task").glob("*/children"):
        pids = []
        # a thread may end meanwhile
        with contextlib.suppress(FileNotFoundError):
            pids = path.read_text().split()
        for pid in map(int, pids):
            proc = pathlib.Path(f"/proc/{pid}")
            with contextlib.suppress(FileNotFoundError):
                if pid not in Gatehouse.pids and \
                        proc.joinpath("comm").read_text() == "gatehouse\n":
                    found[pid] = proc.joinpath("cmdline").read_text()
    return found


def masters():
    return [pid for pid, title in orphans().items()
            if title.startswith("gatehouse: master\0")]


def end():
    """End what is left; an error if that is a master that does not end by
    itself."""
    left = []
    with contextlib.suppress(AssertionError):
        until(lambda: not masters(), timeout=LEAVE_S)
    for pid, title in orphans().items():
        if title.startswith("gatehouse: master\0"):
            left.append(pid)
            os.kill(pid, signal.SIGTERM)
        wait_gone(pid)
        os.waitpid(pid, 0)
    assert not left, f"masters were left: {left}"
