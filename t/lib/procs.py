"""Processes as the kernel shows them, and load that notices every failure."""
import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from .gatehouse import BINARY, Notify, children, free_port
from .wire import WAIT_S

POLL_S = 0.01


def until(check, timeout=WAIT_S, what="what was awaited", pause=POLL_S):
    """Ask again and again, for things that the kernel tells nobody; with a
    longer pause where asking is much work. Returns the first true answer."""
    never = threading.Event()
    end = time.monotonic() + timeout
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what} did not happen"
        never.wait(pause)


def wait_gone(pid, timeout=WAIT_S):
    """Wait for the end of any process."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([fd], [], [], timeout)
        assert ready, f"{pid} did not end"
    finally:
        os.close(fd)


def kill_and_wait(pid, sig=signal.SIGKILL):
    """End it and wait until its parent has noticed, too."""
    os.kill(pid, sig)
    wait_gone(pid)


def is_refused(port):
    """Whether nobody listens there. A connection that was made right before the
    listening ended is reset: that is not yet so."""
    try:
        socket.create_connection(("127.0.0.1", port), WAIT_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def status(pid):
    """/proc/PID/status as a dict; ProcessLookupError if it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError as err:
        raise ProcessLookupError(pid) from err
    return {k: v.strip() for k, v in
            (line.split(":", 1) for line in text.splitlines())}


def stop(pid):
    """Stop it (SIGSTOP) and wait until it does nothing any more; an error if it
    has ended."""
    os.kill(pid, signal.SIGSTOP)

    def is_stopped():
        state = status(pid)["State"]
        if state.startswith("Z"):
            raise ProcessLookupError(pid)
        return state.startswith("T")
    until(is_stopped, what="its stop")


def worker_pids(gh):
    """{worker's number: pid}."""
    return {int(title.rsplit(" ", 1)[1]): pid
            for pid, title in gh.children("worker").items()}


def settled(gh, workers=2):
    """{pid: title} below the master: the nursery, the steward and so many
    workers. Who forked a worker may end behind its first word."""
    return until(lambda: len(found := gh.children()) == workers + 2 and found,
                 what="these processes alone")


def open_files(pid):
    """{fd: what it is} of a process; what it closes meanwhile is left out, and
    one that is gone has none."""
    found = {}
    folder = pathlib.Path(f"/proc/{pid}/fd")
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[int(path.name)] = os.readlink(path)
    return found


def segment_bytes(pid):
    """What the kernel has allocated for the shared segment of this master.
    Letters to the steward are memory of that name, too, small, and closed."""
    found = []
    for fd, name in open_files(pid).items():
        if name.startswith("/memfd:gatehouse"):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.stat(f"/proc/{pid}/fd/{fd}"))
    return max(found, key=lambda st: st.st_size).st_blocks * 512


def replace_master(gh):
    """USR2: another master takes over from the one that was started, whose INI
    tells `pid_file = {dir}/pid`; it is put into gh.masters."""
    old = gh.process.pid
    pid_file = gh.dir / "pid"
    gh.send_signal(signal.SIGUSR2)
    until(lambda: int(pid_file.read_text()) != old, what="a new master")
    gh.masters.append(int(pid_file.read_text()))
    wait_gone(old)


def end_masters(pids):
    """End masters whose parents have ended, with all that is below them."""
    for pid in pids:
        left = [pid, *children(pid)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        for one in left:
            wait_gone(one)


# More connections than one worker takes while another gets no CPU time.
MEET_MAX = 100


def meet_workers(visit, n=2):
    """[(worker's number, connection), ...] of n workers: visit() makes one and
    tells where it went. They stay open meanwhile: who has more of them than
    the others leaves the next ones to these, as soon as they get CPU time; when
    none does for a hundred, it begins anew."""
    met = []

    def look():
        while met:
            met.pop()[1].close()
        while len(met) < MEET_MAX and len({who for who, _ in met}) < n:
            met.append(visit())
        return len({who for who, _ in met}) == n
    until(look, what="a connection to each worker")
    return met


def is_listening(port):
    """Whether somebody does, on 127.0.0.1."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def abort_on_close(sock):
    """Make close() send a reset, so that no port waits."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))


class Daemon:
    """gatehouse with `daemon = on`: the starting command has ended when this
    is made; .result is what came of it."""

    def __init__(self, folder, ini, **names):
        self.dir = pathlib.Path(folder)
        self.dir.chmod(0o755)
        self.port = free_port()
        self.ini = self.dir / "gatehouse.ini"
        self.pid_file = self.dir / "pid"
        self.names = names
        self.write(ini)
        self.notify = Notify(self.dir / "notify")
        self.result = subprocess.run(
            [BINARY, "-c", str(self.ini)], text=True, capture_output=True,
            timeout=WAIT_S, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": self.notify.path})

    def write(self, ini):
        for key, value in {"port": self.port, "dir": self.dir,
                           **self.names}.items():
            ini = ini.replace("{%s}" % key, str(value))
        self.ini.write_text(ini)

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def children(self, title=None):
        return children(self.pid, title)

    def workers(self):
        return list(self.children("worker"))

    def signal(self, sig):
        os.kill(self.pid, sig)

    def close(self):
        self.notify.close()
        if not self.pid_file.exists():
            return
        pid = self.pid
        pids = [pid, *self.children()]
        os.kill(pid, signal.SIGTERM)
        for one in pids:
            wait_gone(one)


class Load:
    """Clients that ask without pause, each on a thread: half of them over
    connections that they keep, half over a new one for each request. Every
    answer that is not a whole 200 is a failure: (kind, what, answers so far on
    that connection). With `tls` (an ssl.SSLContext) through TLS."""

    def __init__(self, port, keepers=4, shots=4, path="/", tls=None,
                 name="test"):
        self.address = ("127.0.0.1", port)
        self.tls, self.name = tls, name
        self.request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\n".encode()
        self.is_over = threading.Event()
        self.failures = []
        self.answers = 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(way,))
                        for way in [self._keep] * keepers +
                        [self._shot] * shots]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a client hangs"

    def _connect(self):
        sock = socket.create_connection(self.address, WAIT_S)
        if self.tls is None:
            return sock
        return self.tls.wrap_socket(sock, server_hostname=self.name)

    def _run(self, way):
        while not self.is_over.is_set():
            done = [0]
            try:
                with self._connect() as sock:
                    way(sock, done)
            except (OSError, ValueError) as err:
                with self.lock:
                    self.failures.append((way.__name__, repr(err), done[0]))

    def _answer(self, stream, done):
        """Read one; whether it is the last of its connection."""
        line = stream.readline()
        if not line.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"answer {line!r}")
        length = None
        is_last = False
        while True:
            field = stream.readline()
            if field == b"\r\n":
                break
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"connection" and b"close" in value:
                is_last = True
        if length is None or len(stream.read(length)) != length:
            raise ValueError("truncated")
        done[0] += 1
        with self.lock:
            self.answers += 1
        return is_last

    def _keep(self, sock, done):
        with sock.makefile("rb") as stream:
            while not self.is_over.is_set():
                sock.sendall(self.request + b"\r\n")
                if self._answer(stream, done):
                    return

    def _shot(self, sock, done):
        with sock.makefile("rb") as stream:
            sock.sendall(self.request + b"Connection: close\r\n\r\n")
            self._answer(stream, done)
            if stream.read():
                raise ValueError("bytes behind the answer")

    def refused(self):
        return [f for f in self.failures if "ConnectionRefused" in f[1]]

    def wait_answers(self, more):
        """Until so many more answers came."""
        goal = self.answers + more
        until(lambda: self.answers >= goal, what=f"{more} more answers")
