"""USR2: another binary takes over while this one serves, or nothing happens."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import stat

import pytest

from lib import admin
from lib.gatehouse import BINARY, children
from lib.procs import (Load, end_masters, segment_bytes, settled, until,
                       wait_gone)
from lib.wire import WAIT_S

PTRACE_SEIZE = 0x4206
WALL = 0x40000000  # wait(2), __WALL: also for whom we trace

INI = """
[global]
workers = 2
log_level = info
pid_file = {dir}/pid
shutdown_timeout = 5s
upgrade_timeout = 20s
[listen x]
address = 127.0.0.1:{port} unix:{dir}/sock
[site test]
hosts = *
respond = 200 one
"""


def pid_of(gh):
    return int((gh.dir / "pid").read_text().splitlines()[0])


def get(gh, port=None):
    with gh.client(port) as c:
        return c.get().text


def upgrade(gh):
    """Ask for it and wait until the new master has the pid file and the old one
    is gone."""
    old = pid_of(gh)
    os.kill(old, signal.SIGUSR2)
    until(lambda: pid_of(gh) != old, what="a new master")
    gh.others.append(pid_of(gh))
    wait_gone(old)
    return pid_of(gh)


@pytest.fixture
def upgradable(gatehouse):
    """upgradable(ini, ...) starts one whose later masters are ended, too."""
    made = []

    def factory(*args, **kwargs):
        gh = gatehouse(*args, **kwargs)
        gh.others = []
        made.append(gh)
        return gh

    yield factory
    for gh in made:
        end_masters(gh.others)


def test_workers_that_have_ended_are_no_workers(upgradable):
    """Doc admin.md: status and metrics tell of those that are there; slots of the
    old master's are not free for some seconds."""
    gh = upgradable(INI + admin.SECTION)
    second = upgrade(gh)

    def serving():
        return {w["pid"] for w in admin.status(gh)["workers"]
                if w["state"] == "serving"} == set(children(second, "worker"))

    until(serving, what="the workers of the new one")
    assert len(admin.status(gh)["workers"]) == 2
    with admin.connect(gh) as c:
        text = c.get("/metrics").text
    assert len(re.findall("^gatehouse_worker_lag_seconds{", text, re.M)) == 2


def test_the_new_one_serves_with_its_configuration(upgradable):
    """The file is read anew; the pid file and the service manager follow."""
    gh = upgradable(INI)
    first = gh.process.pid
    gh.write(INI.replace("200 one", "200 two"))
    second = upgrade(gh)
    assert second != first and get(gh) == "two"
    assert gh.process.wait(WAIT_S) == 0
    assert gh.notify.wait(f"MAINPID={second}")
    assert stat.S_ISSOCK(os.stat(gh.dir / "sock").st_mode)
    assert len(until(lambda: children(second, "worker"))) == 2
    # what it was started with is good for one more
    gh.write(INI.replace("200 one", "200 three"))
    assert upgrade(gh) != second and get(gh) == "three"


def test_rolled_forward_and_back_under_load(upgradable):
    """Twenty times: no request fails, no kept connection is reset."""
    gh = upgradable(INI)
    with Load(gh.port, 4, 4) as load:
        for i in range(20):
            gh.write(INI.replace("200 one", f"200 text{i}"))
            upgrade(gh)
            load.wait_answers(20)
    assert not load.failures, load.failures[:5]
    assert get(gh) == "text19"


def test_counters_go_on(upgradable):
    """What workers counted is kept, and the segment does not grow."""
    gh = upgradable(INI)
    for _ in range(5):
        get(gh)
    sizes = []
    for _ in range(4):
        pid = upgrade(gh)
        get(gh)
        sizes.append(segment_bytes(pid))
    assert sizes[-1] == sizes[0], sizes
    assert "begins empty" not in gh.stderr()


def test_an_order_of_the_log_level_goes_on(upgradable):
    gh = upgradable(INI + admin.SECTION)
    until(lambda: admin.steward(gh))
    assert admin.post(gh, "loglevel", {"level": "error"})[0] == 200
    upgrade(gh)
    until(lambda: admin.status(gh)["log_level"] ==
          {"configured": "info", "order": "error"})


@pytest.mark.parametrize("how, words", [
    ("bad", ["unknown key 'workres'", "it ended before it was ready"]),
    ("port", ["cannot listen on", "it ended before it was ready"]),
    ("regex", ["regex", "it ended before it was ready"]),
    ("pid", ["it ended before it was ready"]),
])
def test_one_that_cannot_start_changes_nothing(upgradable, how, words):
    """The old one goes on, with the same processes, and says why."""
    gh = upgradable(INI)
    before = sorted(settled(gh))
    gh.write({
        "bad": INI.replace("workers", "workres"),
        "port": INI.replace("[site", "[listen y]\naddress = 1.2.3.4:5\n[site"),
        "regex": INI + "[route test ~ (]\nrespond = 200 x\n",
        "pid": INI.replace("workers = 2", "workers = 2\nuser = nobody-here"),
    }[how])
    gh.send_signal(signal.SIGUSR2)
    until(lambda: "upgrade failed" in gh.stderr(), what="the failure")
    for word in words:
        assert word in gh.stderr()
    until(lambda: sorted(gh.children()) == before, what="only the old ones")
    assert pid_of(gh) == gh.process.pid
    assert get(gh) == "one"
    gh.write(INI.replace("200 one", "200 mended"))
    upgrade(gh)
    assert get(gh) == "mended"


HANGS = b"#!/bin/sh\nexec tail -f /dev/null\n"


def replace(binary, data):
    """As an upgrade of packages does it: the file that runs stays what it is."""
    binary.unlink()
    binary.write_bytes(data)
    binary.chmod(0o755)


def test_a_binary_that_is_no_program(gatehouse, tmp_path):
    """It was replaced by junk: the old one says so and goes on."""
    binary = tmp_path / "gatehouse"
    shutil.copy(BINARY, binary)
    gh = gatehouse(INI, binary=binary)
    replace(binary, b"no program")
    gh.send_signal(signal.SIGUSR2)
    until(lambda: "upgrade failed" in gh.stderr(), what="the failure")
    assert "Exec format error" in gh.stderr()
    assert get(gh) == "one"


def test_a_binary_that_hangs_is_ended_in_time(gatehouse, tmp_path):
    """upgrade_timeout: then it is killed, and another try is possible."""
    binary = tmp_path / "gatehouse"
    shutil.copy(BINARY, binary)
    gh = gatehouse(INI.replace("upgrade_timeout = 20s",
                               "upgrade_timeout = 1s"), binary=binary)
    replace(binary, HANGS)
    for i in range(1, 3):
        gh.send_signal(signal.SIGUSR2)
        until(lambda: gh.stderr().count("upgrade_timeout is over") == i,
              what="the end of its time")
        until(lambda: not gh.children("tail"), what="its end")
    assert get(gh) == "one"


def test_a_second_usr2_while_one_runs_is_refused(gatehouse, tmp_path):
    """One at a time."""
    binary = tmp_path / "gatehouse"
    shutil.copy(BINARY, binary)
    gh = gatehouse(INI, binary=binary)
    replace(binary, HANGS)
    gh.send_signal(signal.SIGUSR2)
    until(lambda: gh.children("tail"), what="the new one")
    gh.send_signal(signal.SIGUSR2)
    until(lambda: "upgrade refused reason=\"one is under way\"" in gh.stderr())
    os.kill(next(iter(gh.children("tail"))), signal.SIGKILL)
    until(lambda: "upgrade failed" in gh.stderr(), what="the failure")
    assert get(gh) == "one"


def trace(pid):
    """From now on its end is told to us first, to its parent when we have heard
    of it (ptrace(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_SEIZE, pid, None, None) < 0:
        pytest.skip("it may not be traced")


def test_a_usr2_right_behind_a_failure_is_not_lost(upgradable, tmp_path):
    """That it failed is told when it lets go of its pipe, and before the master
    knows of its end."""
    binary = tmp_path / "gatehouse"
    shutil.copy(BINARY, binary)
    gh = upgradable(INI, binary=binary)
    replace(binary, HANGS)
    gh.send_signal(signal.SIGUSR2)
    failing, = until(lambda: gh.children("tail"), what="the new one")
    trace(failing)
    os.kill(failing, signal.SIGKILL)
    until(lambda: "upgrade failed" in gh.stderr(), what="the failure")
    binary.unlink()
    shutil.copy(BINARY, binary)
    gh.send_signal(signal.SIGUSR2)
    # a signal of a greater number is read later
    gh.send_signal(signal.SIGTTOU)
    until(lambda: f"signal={int(signal.SIGTTOU)} ignored" in gh.stderr())
    os.waitpid(failing, WALL)
    until(lambda: pid_of(gh) != gh.process.pid, what="a new master")
    gh.others.append(pid_of(gh))
    assert gh.process.wait(WAIT_S) == 0
    assert "upgrade refused" not in gh.stderr()


def test_a_binary_of_another_segment_begins_with_an_empty_one(
        upgradable, tmp_path):
    """Its version of the super block is another one: no request is lost."""
    data = pathlib.Path(BINARY).read_bytes()
    binary = tmp_path / "gatehouse"
    binary.write_bytes(data)
    binary.chmod(0o755)
    gh = upgradable(INI, binary=binary)
    # another magic number: as good as another version
    magic = 0x67617465686f7573.to_bytes(8, "little")
    assert magic in data
    replace(binary, data.replace(magic, magic[::-1]))
    with Load(gh.port, 2, 2) as load:
        upgrade(gh)
        load.wait_answers(20)
    assert not load.failures
    assert "shared memory begins empty" in gh.stderr()
    # and back
    replace(binary, data)
    with Load(gh.port, 2, 2) as load:
        upgrade(gh)
        load.wait_answers(20)
    assert not load.failures


def test_tunnels_outlive_the_upgrade(upgradable, origin):
    """The old master ends with its last tunnel, not before."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\n"
                  b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        while data := conn.reader.buf or conn.sock.recv(100):
            conn.reader.buf = b""
            conn.send(data)
        return False

    o = origin(script)
    gh = upgradable(INI.replace("respond = 200 one", "upstream = {origin}")
                    .replace("shutdown_timeout = 5s", "shutdown_timeout = 1s"),
                    origin=o.address)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
               b"Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert c.response().status == 101
        old = pid_of(gh)
        os.kill(old, signal.SIGUSR2)
        until(lambda: pid_of(gh) != old, what="a new master")
        gh.others.append(pid_of(gh))
        until(lambda: "to=keeping_tunnels" in gh.stderr() or
              "upgrade done" in gh.stderr())
        for i in range(3):
            c.send(b"ping%d" % i)
            assert c.reader.exactly(5) == b"ping%d" % i
        assert gh.process.poll() is None
    wait_gone(old)
