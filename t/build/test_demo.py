"""./bootstrap demo, as a newcomer meets it (README, "Set-up")."""
import os
import pathlib
import pty
import re
import select
import signal
import socket
import tempfile
import time

import pytest

from conftest import ENV, call
from lib.procs import until

PORT = 8080
LIMIT_S = 300
CTRL_C = b"\x03"
READY = "Ctrl-C ends it."
ORIGINS = {"origin one answers", "origin two answers"}


def is_taken():
    """Whether another listener has the demonstration's port."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", PORT))
        except OSError:
            return True
    return False


def session(leader):
    """The live processes of a terminal's session."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(pid))
    return found


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *args, cwd, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                os.execvpe(args[0], args, env)
            finally:
                os._exit(127)
        self.text = ""
        self.status = None

    def read(self, timeout):
        """What came; "" at its end."""
        if not select.select([self.fd], [], [], timeout)[0]:
            raise TimeoutError(self.text)
        try:
            came = os.read(self.fd, 65536).decode()
        except OSError:  # EIO: nobody has the terminal any more
            came = ""
        self.text += came.replace("\r", "")
        return came

    def wait_for(self, word):
        end = time.monotonic() + LIMIT_S
        while word not in self.text:
            assert self.read(end - time.monotonic()), self.text

    def wait_end(self):
        """Its exit status as a shell shows it."""
        while self.read(LIMIT_S):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        for pid in session(self.pid) if self.status is None else []:
            os.kill(pid, signal.SIGKILL)
        if self.status is None:
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def sockets():
    """Where the demonstration makes its folder; anybody may pass through."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture
def demo(lean, sockets):
    """The demonstration of what is built already, serving."""
    if is_taken():
        pytest.skip(f"127.0.0.1:{PORT} is in use by another program")
    terminal = Terminal("./bootstrap", "demo", cwd=lean[0],
                        env={**ENV, "TMPDIR": str(sockets)})
    try:
        terminal.wait_for(READY)
        until(lambda: is_open() or not session(terminal.pid),
              what="the demonstration")
        yield terminal
    finally:
        terminal.close()


def is_open():
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", PORT)) == 0


def is_front_page(text):
    """A response with its head, from one of the origins."""
    return (text.startswith("HTTP/1.1 200 ") and
            text.rpartition("\n\n")[2].strip() in ORIGINS)


def is_each_origin(text):
    """Two bodies: the servers take turns."""
    return {o for o in ORIGINS if text.count(o) == 1} == ORIGINS


def is_redirect(text):
    return (text.startswith("HTTP/1.1 301 ") and
            f"\nlocation: http://127.0.0.1:{PORT}/new\n" in text.lower())


def is_misdirected(text):
    return text.startswith("HTTP/1.1 421 ")


# What the answer to each line that is printed must be.
LINES = {
    f"curl -i http://127.0.0.1:{PORT}/": is_front_page,
    f"curl -s http://127.0.0.1:{PORT}/ http://127.0.0.1:{PORT}/":
        is_each_origin,
    f"curl -i http://127.0.0.1:{PORT}/old": is_redirect,
    f"curl -i -H 'Host: nobody.example' http://127.0.0.1:{PORT}/":
        is_misdirected,
}


def test_the_demo_keeps_what_it_promises(demo, sockets, tmp_path):
    """Every curl line that is printed answers as it should; Ctrl-C ends it
    with status 0, and no process, port or file is left."""
    assert f"http://127.0.0.1:{PORT}" in demo.text
    lines = re.findall(r"^ +(curl .*)$", demo.text, re.M)
    assert sorted(lines) == sorted(LINES)
    for line in lines:
        done = call("sh", "-c", line, cwd=tmp_path)
        assert LINES[line](done.stdout.replace("\r", "")), done.stdout
    (folder,) = sockets.iterdir()
    assert {p.name for p in folder.iterdir()} == {"one.sock", "two.sock"}

    os.write(demo.fd, CTRL_C)
    assert demo.wait_end() == 0
    assert session(demo.pid) == []
    assert not is_open()
    assert list(sockets.iterdir()) == []
