"""A running gatehouse: started from an INI text, watched through its service
manager socket, ended and checked."""
import collections
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest

from .wire import WAIT_S, Client

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("GATEHOUSE", str(TOP / "gatehouse"))
POLL_S = 0.1
# More than a line of /proc/PID/stat has.
STAT_MAX = 4096
HAS_IPV6 = os.path.exists("/proc/net/if_inet6")
HELD_PORTS = collections.deque(maxlen=256)
# What a build that lacks a part says of a configuration that needs it.
WITHOUT = "this gatehouse was built without"
# What no run may leave in its error output.
FORBIDDEN = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "panic")


def free_port():
    """A port that the kernel chose and nobody else gets at any address of either
    family: a socket stays bound to it, without listening, until many others were
    asked for. Who binds it with SO_REUSEADDR may (socket(7)), and until then it
    refuses connections."""
    held = socket.socket(socket.AF_INET6 if HAS_IPV6 else socket.AF_INET)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if HAS_IPV6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    held.bind(("", 0))
    HELD_PORTS.append(held)
    return held.getsockname()[1]


def run(*args, stdin=None, env=None, timeout=WAIT_S):
    """Run the binary to its end: CompletedProcess with text output."""
    return subprocess.run([BINARY, *map(str, args)], input=stdin, text=True,
                          capture_output=True, timeout=timeout, check=False,
                          env={**os.environ, **(env or {})})


def parent(pid):
    """Its parent's pid; 0 when it is gone. Without a stream, whose making would
    be most of the work: every process is asked, and often."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return 0
    try:
        stat = os.read(fd, STAT_MAX)
    except OSError:
        return 0
    finally:
        os.close(fd)
    return int(stat.rpartition(b")")[2].split(None, 2)[1])


def descendants(pid):
    """Pids of all that live below it."""
    parents = {p: parent(p) for p in
               map(int, filter(str.isdigit, os.listdir("/proc")))}
    found, more = set(), {pid}
    while more:
        more = {p for p, above in parents.items() if above in more} - found
        found |= more
    return found


def children(master, title=None):
    """{pid: title} of the live processes below it. A new worker has another
    parent for a moment, so all that are below count. Each process is asked for
    its parent: /proc/PID/task/PID/children leaves some out while others end
    (proc(5))."""
    found = {}
    for pid in sorted(descendants(master)):
        try:
            text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        text = text.rstrip(b"\0").decode()
        if text and (title is None or title in text):
            found[pid] = text
    return found


class Notify:
    """The service manager's end of NOTIFY_SOCKET: reads all the time."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.path = str(path)
        self.came = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while text := self.sock.recv(4096):
            self.came.put(text.decode())

    def wait(self, word, timeout=WAIT_S, is_alive=lambda: True):
        """The first message that holds the word, as a dict; a sender that has
        ended is not waited for."""
        end = time.monotonic() + timeout
        while True:
            was_alive = is_alive()
            try:
                text = self.came.get(timeout=POLL_S)
            except queue.Empty as err:
                if was_alive and time.monotonic() < end:
                    continue
                raise TimeoutError(word) from err
            if word in text:
                return dict(line.split("=", 1)
                            for line in text.splitlines() if "=" in line)

    def close(self):
        # an empty message ends the thread
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.path)
        self.thread.join()
        self.sock.close()


class Gatehouse:
    """One running gatehouse. `port` is the first free port; `ports` more."""

    count = 0
    pids = set()  # of all that were started
    binary = None  # BINARY, as it is when one is started

    def __init__(self, folder, ini, ports=1, env=None, wait=True,
                 binary=None, **names):
        Gatehouse.count += 1
        self.dir = pathlib.Path(folder) / f"gh{Gatehouse.count}"
        self.dir.mkdir()
        self.dir.chmod(0o755)
        pathlib.Path(folder).chmod(0o755)
        self.ports = [free_port() for _ in range(ports)]
        self.names = names
        self.ini = self.dir / "gatehouse.ini"
        self.stderr_path = self.dir / "stderr"
        self.write(ini)
        self.notify = Notify(self.dir / "notify")
        self.expect_bad_end = False
        with open(self.stderr_path, "wb") as err, \
                open(self.dir / "stdout", "wb") as out:
            self.process = subprocess.Popen(
                [binary or self.binary or BINARY, "-c", str(self.ini)],
                stderr=err, stdout=out,
                env={**os.environ, "NOTIFY_SOCKET": self.notify.path,
                     **(env or {})})
        Gatehouse.pids.add(self.process.pid)
        if wait:
            self._wait_ready()

    @property
    def port(self):
        return self.ports[0]

    def fill(self, text):
        """{port}, {port1}.., {dir} and the names given at the start."""
        for i, port in enumerate(self.ports):
            text = text.replace("{port%s}" % (i or ""), str(port))
        text = text.replace("{dir}", str(self.dir))
        for key, value in self.names.items():
            text = text.replace("{%s}" % key, str(value))
        return text

    def write(self, ini):
        """Replace the configuration file; nothing notices before reload()."""
        self.ini.write_text(self.fill(ini))

    def _wait_ready(self):
        try:
            self.notify.wait("READY=1",
                             is_alive=lambda: self.process.poll() is None)
        except OSError as err:
            self.process.kill()
            if WITHOUT in self.stderr():
                pytest.skip("a part is not in this build")
            raise AssertionError(
                f"not ready: {err}\n{self.stderr()}") from err

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def stdout(self):
        return (self.dir / "stdout").read_text(errors="replace")

    def send_signal(self, sig):
        self.process.send_signal(sig)

    def reload(self, ini=None):
        """HUP and wait until it serves again (the new or the old)."""
        if ini is not None:
            self.write(ini)
        begin_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send_signal(signal.SIGHUP)
        # nobody may have read of those before
        while int(self.notify.wait("RELOADING=1")["MONOTONIC_USEC"]) < begin_us:
            pass
        return self.notify.wait("READY=1")

    def client(self, port=None, **kwargs):
        """A raw connection to it."""
        return Client(("127.0.0.1", port or self.port), **kwargs)

    def children(self, title=None):
        """{pid: title} of its live processes below the master."""
        return children(self.process.pid, title)

    def workers(self):
        return list(self.children("worker"))

    def stop(self, sig=signal.SIGQUIT):
        """End it; returns the exit status."""
        if self.process.poll() is None:
            self.send_signal(sig)
        return self.process.wait(WAIT_S)

    def close(self):
        pids = []
        if self.process.poll() is None:
            pids = list(self.children())
            self.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.notify.close()
        left = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
        assert not left, f"processes are left: {left}"
        if not self.expect_bad_end:
            bad = [line for line in self.stderr().splitlines()
                   if any(word in line for word in FORBIDDEN)]
            assert not bad, self.stderr()
