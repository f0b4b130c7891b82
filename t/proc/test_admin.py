"""The administration and its process: what survives whose death, who may use
it, and that the master never waits for the steward."""
import ctypes
import errno
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from lib import admin
from lib.gatehouse import BINARY
from lib.procs import (Load, kill_and_wait, open_files, stop, until,
                       wait_gone)
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
shutdown_timeout = 1s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
""" + admin.SECTION

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def test_status_across_reloads(gatehouse):
    """Old generations are listed until they are gone."""
    gh = gatehouse(INI.replace("= 1s", "= 30s"))
    with gh.client() as c:
        c.get()
        assert admin.post(gh, "reload")[0] == 200
        s = admin.status(gh)
        assert [(g["number"], g["state"]) for g in s["generations"]] == [
            (1, "retiring"), (2, "serving")]
        assert {w["generation"] for w in s["workers"]} == {1, 2}
        # its next answer is its last
        assert c.get().get("connection") == "close"
    until(lambda: [g["number"] for g in admin.status(gh)["generations"]] ==
          [2], what="the end of the first generation")
    until(lambda: {w["generation"] for w in admin.status(gh)["workers"]} ==
          {2})


def test_a_reload_that_was_rolled_back_is_not_ok(gatehouse):
    """reload_window: what serves again is not what the file says."""
    ini = INI.replace("[global]", "[global]\nreload_window = 1m")
    gh = gatehouse(ini)
    gh.write(ini.replace("one", "two"))
    assert admin.post(gh, "reload")[0] == 200
    assert [g["state"] for g in admin.status(gh)["generations"]
            if g["number"] == 2] == ["probation"]
    for _ in range(3):
        # when those of before have ended
        victim = until(lambda: len(pids := gh.workers()) == 2 and pids)[0]
        kill_and_wait(victim)
        until(lambda: victim not in gh.workers())
    r = until(lambda: (lambda r: not r["ok"] and r)(
        admin.status(gh)["reload"]), what="the way back")
    assert r["generation"] == 3
    assert "its workers crashed" in r["problems"]


def test_the_steward_killed_comes_back_and_who_asks_waits(gatehouse):
    """The socket is the master's: a connection in between is answered by the
    next one, which knows everything again."""
    gh = gatehouse(INI)
    gh.write(INI.replace("respond", "respnod"))
    before = admin.post(gh, "reload")[1]
    assert before["ok"] is False
    for _ in range(3):
        old = until(lambda: admin.steward(gh))
        kill_and_wait(old)
        s = admin.status(gh)
        assert s["steward"]["pid"] not in (0, old)
        assert s["reload"] == before
        assert s["state"] == "running"
    assert len(gh.workers()) == 2


def test_an_ask_that_dies_with_the_steward_is_not_answered(gatehouse):
    """The connection ends; the next one asks anew and is not mixed up."""
    gh = gatehouse(INI)
    old = until(lambda: admin.steward(gh))
    admin.status(gh)
    stop(old)
    with admin.connect(gh) as c:
        c.send(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n")
        kill_and_wait(old)
    code, answer = admin.post(gh, "reload")
    assert (code, answer["ok"]) == (200, True)


def test_a_stopped_steward_keeps_nobody(gatehouse):
    """The master reloads as ever and tells it afterwards."""
    ini = INI.replace("[global]", "[global]\nworker_watchdog = none")
    gh = gatehouse(ini)
    pid = until(lambda: admin.steward(gh))
    admin.status(gh)
    stop(pid)
    try:
        for i in range(100):
            gh.reload(ini.replace("200 one", f"200 text{i}"))
        with gh.client() as c:
            assert c.get().text == "text99"
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: (admin.status(gh)["reload"] or {}).get("generation") == 101,
          what="the newest state")
    assert admin.status(gh)["steward"]["pid"] == pid


def test_a_steward_that_dies_while_drained_ends_nobody(gatehouse):
    """There is no configuration to make one of; a reload brings both back."""
    gh = gatehouse(INI)
    assert admin.post(gh, "drain")[0] == 202
    until(lambda: admin.status(gh)["generations"] == [])
    kill_and_wait(admin.steward(gh))
    # longer than it takes to respawn one
    with pytest.raises(subprocess.TimeoutExpired):
        gh.process.wait(3)
    gh.reload()
    until(lambda: admin.steward(gh), what="a steward")
    assert admin.status(gh)["state"] == "running"


def test_the_masters_death_ends_the_steward(gatehouse):
    """Killed, it leaves the file; the next start takes its place."""
    gh = gatehouse(INI)
    pid = until(lambda: admin.steward(gh))
    workers = gh.workers()
    gh.process.kill()
    gh.process.wait()
    for one in [pid, *workers]:
        wait_gone(one)
    out = admin.cli(gh)
    assert out.returncode == 1
    assert "no gatehouse runs behind" in out.stderr
    with subprocess.Popen([BINARY, "-c", str(gh.ini)],
                          stderr=subprocess.DEVNULL) as again:
        try:
            until(lambda: admin.cli(gh).returncode == 0, what="the next one")
            assert admin.status(gh)["pid"] == again.pid
        finally:
            again.terminate()
            again.wait()


# --- who may ----------------------------------------------------------------

@pytest.fixture
def open_dir():
    """A folder that every user may enter, for sockets."""
    path = tempfile.mkdtemp(prefix="gh-admin-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def ids():
    """Worker's user, a user of no group of ours, the group."""
    worker = pwd.getpwnam("nobody")
    return worker.pw_uid, pwd.getpwnam("bin").pw_uid, \
        pwd.getpwnam("daemon").pw_gid


def curl(path, uid, gid, groups=()):
    """HTTP status, or "no" without a connection, as another user."""
    out = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
         "--unix-socket", path, "http://x/v1/status"], text=True, cwd="/",
        stdout=subprocess.PIPE, check=False, user=uid, group=gid,
        extra_groups=list(groups))
    return "no" if out.returncode == 7 else out.stdout


@needs_root
def test_without_a_group_only_root_may(gatehouse, open_dir):
    """Mode 0600: others cannot even connect."""
    gh = gatehouse(INI.replace("{dir}/admin.sock", open_dir + "/s"))
    worker, other, group = ids()
    path = open_dir + "/s"
    assert admin.status(gh, path)["state"] == "running"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert curl(path, 0, 0) == "200"
    for uid in worker, other:
        assert curl(path, uid, group) == "no"
        assert curl(path, uid, 0) == "no"


@needs_root
def test_members_of_the_group_may_but_never_the_workers_user(
        gatehouse, open_dir):
    """By the group of the process or a supplementary one (SO_PEERCRED and
    SO_PEERGROUPS, unix(7)); kept over a reload that changes it."""
    path = open_dir + "/s"
    ini = INI.replace("{dir}/admin.sock", path + "\ngroup = daemon")
    gh = gatehouse(ini)
    worker, other, group = ids()
    assert admin.status(gh, path)["state"] == "running"
    assert os.stat(path).st_mode & 0o777 == 0o660
    assert os.stat(path).st_gid == group
    assert curl(path, other, group) == "200"
    assert curl(path, other, other, [group]) == "200"
    assert curl(path, other, other) == "no"
    assert curl(path, worker, group) == "403"
    assert curl(path, worker, worker, [group]) == "403"
    gh.reload(ini.replace("\ngroup = daemon", ""))
    until(lambda: curl(path, other, group) == "no")
    assert curl(path, 0, 0) == "200"
    gh.reload(ini)
    until(lambda: curl(path, other, group) == "200")


@needs_root
def test_permission_ends_on_open_connections(gatehouse, open_dir):
    """Each request is judged by the configuration that serves."""
    path = open_dir + "/s"
    ini = INI.replace("{dir}/admin.sock", path + "\ngroup = daemon")
    gh = gatehouse(ini)
    _, other, group = ids()
    assert admin.status(gh, path)["state"] == "running"
    mine, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        # connects as the other user, hands the connection over
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(other)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                socket.send_fds(theirs, [b"x"], [s.fileno()])
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    _, fds, _, _ = socket.recv_fds(mine, 1, 1)
    mine.close()
    theirs.close()
    with socket.socket(fileno=fds[0]) as conn:
        conn.settimeout(WAIT_S)

        def code():
            conn.sendall(b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            return conn.recv(4096).split()[1]
        assert code() == b"200"
        gh.reload(ini.replace("\ngroup = daemon", ""))
        until(lambda: code() == b"403", what="the refusal")


@needs_root
def test_the_command_says_that_permission_is_missing(gatehouse, open_dir):
    """Exit status 1 and who may."""
    path = open_dir + "/s"
    gh = gatehouse(INI.replace("{dir}/admin.sock", path))
    admin.status(gh, path)
    ini = pathlib.Path(open_dir) / "a.ini"
    ini.write_text(gh.ini.read_text())
    _, other, group = ids()
    binary = pathlib.Path(open_dir) / "gatehouse"
    shutil.copy(BINARY, binary)
    out = subprocess.run([str(binary), "status", "-c", str(ini)], text=True,
                         capture_output=True, check=False, cwd="/",
                         user=other, group=group, extra_groups=[])
    assert out.returncode == 1
    assert "no permission to use unix:" in out.stderr


# --- a steward that means harm ----------------------------------------------

SYS_PIDFD_GETFD = 438
ASK_REOPEN = 2


def ctl_ask():
    """The number of CTL_ASK, from its header."""
    text = (TOP / "common/ipc/ctl.h").read_text()
    text = text[text.index("enum ctl_type"):]
    names = [w for line in text[:text.index("};")].splitlines()
             for w in line.split("/*")[0].replace(",", " ").split()
             if w.startswith("CTL_")]
    return names.index("CTL_ASK") + 1


def control_of(pid):
    """The steward's end of its control socket, as if we were it."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        for fd, name in open_files(pid).items():
            if not name.startswith("socket:"):
                continue
            copy = libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
            if copy < 0 and ctypes.get_errno() == errno.EBADF:
                continue
            assert copy >= 0, os.strerror(ctypes.get_errno())
            sock = socket.socket(fileno=copy)
            if sock.type == socket.SOCK_SEQPACKET:
                return sock
            sock.close()
    finally:
        os.close(pidfd)
    raise AssertionError("no control socket")


@needs_root
def test_a_flooding_steward_does_not_reach_the_master(gatehouse):
    """It is heard 32 times a second; signals and workers are served as ever."""
    gh = gatehouse(INI)
    sock = control_of(until(lambda: admin.steward(gh)))
    words = [struct.pack("IIIIQ", ctl_ask(), 0, 0, 0, ASK_REOPEN),
             struct.pack("IIIIQ", ctl_ask(), 0, 0, 0, 99),
             struct.pack("IIIIQ", 77, 1, 2, 0, 3)]
    is_over = threading.Event()

    def flood():
        sock.setblocking(False)
        while not is_over.is_set():
            for word in words:
                try:
                    sock.send(word)
                except BlockingIOError:
                    is_over.wait(0.001)
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        until(lambda: "steward says too much" in gh.stderr())
        with Load(gh.port, 1, 1) as load:
            for i in range(3):
                gh.reload(INI.replace("one", f"text{i}"))
                load.wait_answers(5)
            old = gh.workers()[0]
            kill_and_wait(old)
            until(lambda: old not in gh.workers() and len(gh.workers()) == 2)
        assert not load.refused()
    finally:
        is_over.set()
        thread.join()
    lines = gh.stderr().splitlines()
    beats = sum("steward says too much" in line for line in lines)
    assert sum("reopen logs" in line for line in lines) <= 32 * (beats + 1)
    sock.close()
    until(lambda: admin.status(gh)["state"] == "running")


@needs_root
@pytest.mark.parametrize("word", [
    b"x", struct.pack("IIIIQ", 1, 0, 0, 9, 0),
    struct.pack("IIIIQ", 1, 0, 0, 0xffffffff, 0), b"\0" * 40000,
], ids=["short", "long", "huge", "large"])
def test_malformed_words_cost_the_steward_only(gatehouse, word):
    """The master hangs up; the next one is well."""
    gh = gatehouse(INI)
    old = until(lambda: admin.steward(gh))
    with control_of(old) as sock:
        sock.send(word)
    wait_gone(old)
    assert until(lambda: admin.steward(gh)) != old
    assert admin.status(gh)["state"] == "running"
    assert len(gh.workers()) == 2


def test_the_socket_goes_to_the_next_binary(gatehouse):
    """USR2: the path is never without an answer; in the end it is the new
    master's, and goes with that."""
    pid_file = "[global]\npid_file = {dir}/pid\n"
    gh = gatehouse(INI.replace("[global]\n", pid_file))
    old = until(lambda: admin.status(gh)["pid"])
    gh.send_signal(signal.SIGUSR2)
    new = until(lambda: (lambda pid: pid != old and pid)(
        admin.status(gh)["pid"]), what="the new master")
    assert gh.process.wait(WAIT_S) == 0
    assert admin.status(gh)["pid"] == new
    code, answer = admin.post(gh, "reload")
    assert (code, answer["ok"]) == (200, True)
    assert admin.post(gh, "quit")[0] == 202
    wait_gone(new)
    assert not (gh.dir / "admin.sock").exists()
