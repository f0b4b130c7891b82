"""Start and end of the processes: daemon, pid file, privileges, limits, CPUs,
titles, words to the service manager."""
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lib.gatehouse import BINARY, children, run
from lib.procs import settled, status, until, wait_gone
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
pid_file = {dir}/pid
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
"""
DAEMON = INI.replace("[global]", "[global]\ndaemon = on")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_setpriv = pytest.mark.skipif(not shutil.which("setpriv"),
                                   reason="needs setpriv")
NOBODY = pwd.getpwnam("nobody")


def session(pid):
    """(process group, session, terminal) of /proc/PID/stat."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    return [int(word) for word in stat.split()[2:5]]


def test_a_daemon_serves_when_its_command_returns(daemon):
    """daemon = on: status 0 means that it serves; a session of its own, no
    terminal, standard streams let go by all its processes."""
    d = daemon(DAEMON)
    assert d.result.returncode == 0, d.result.stderr
    assert "serving generation=1" in d.result.stderr
    pids = [d.pid, *settled(d)]
    for pid in pids:
        assert session(pid)[1] != os.getsid(0)
        assert session(pid)[2] == 0
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    for fd in (0, 1, 2):
        assert os.readlink(f"/proc/{d.pid}/fd/{fd}") == "/dev/null"
    # found again by the absolute path, from the folder it moved to
    d.signal(signal.SIGHUP)
    d.notify.wait("RELOADING=1")
    assert d.notify.wait("READY=1")["STATUS"] == "serving generation 2"


@pytest.mark.parametrize("change, words", [
    (("respond = 200 one", "upstream = app"), "'app' is not defined"),
    (("workers = 2", "workres = 2"), "did you mean 'workers'"),
    (("hosts = *", "hosts = *\n[route test ~ (]"), "regex"),
    (("{dir}/pid", "{dir}/no/pid"), "no/pid: No such file or directory"),
    (("{dir}/pid", "{dir}"), "Is a directory"),
    (("127.0.0.1:{port}", "192.0.2.1:80"), "cannot listen on 192.0.2.1:80"),
], ids=["name", "key", "regex", "pid", "folder", "address"])
def test_a_daemon_that_cannot_start_says_why(daemon, change, words):
    """The command fails, its standard error holds the reason, nothing is
    left."""
    d = daemon(DAEMON.replace(*change))
    assert d.result.returncode == 1
    assert words in d.result.stderr
    assert not d.pid_file.exists()


def test_the_pid_file_is_the_masters(gatehouse):
    """Written before it serves, locked, world-readable, removed at the end."""
    gh = gatehouse(INI)
    path = gh.dir / "pid"
    assert path.read_text() == f"{gh.process.pid}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    gh.reload()
    assert path.read_text() == f"{gh.process.pid}\n"
    assert gh.stop() == 0
    assert not path.exists()


def test_the_pid_file_is_there_before_the_first_answer(gatehouse):
    """Who was answered may signal the master, while other workers are still
    being made."""
    gh = gatehouse(INI.replace("workers = 2", "workers = 60"), wait=False)

    def answer():
        with contextlib.suppress(ConnectionRefusedError), gh.client() as c:
            return c.get()
    until(answer, what="the first answer")
    assert (gh.dir / "pid").read_text() == f"{gh.process.pid}\n"
    gh.notify.wait("READY=1")


def test_a_second_one_is_refused(gatehouse):
    """The lock of the first one holds; its pid file and sockets stay."""
    gh = gatehouse(INI)
    done = run("-c", gh.ini)
    assert done.returncode == 1
    assert "another one runs already" in done.stderr
    assert str(gh.process.pid) in done.stderr
    assert (gh.dir / "pid").read_text() == f"{gh.process.pid}\n"
    with gh.client() as c:
        assert c.get().status == 200


def test_a_stale_pid_file_is_taken_over(gatehouse, tmp_path):
    """What a killed one left does not stop the next one."""
    (tmp_path / "stale").write_text("1\n")
    gh = gatehouse(INI.replace("{dir}/pid", str(tmp_path / "stale")))
    assert (tmp_path / "stale").read_text() == f"{gh.process.pid}\n"


def test_a_killed_master_leaves_a_stale_file_and_s_says_so(gatehouse):
    """The lock went with the process; the number in the file is nobody's."""
    gh = gatehouse(INI)
    gh.expect_bad_end = True
    pids = list(gh.children())
    gh.process.kill()
    gh.process.wait()
    done = run("-c", gh.ini, "-s", "quit")
    assert done.returncode == 1
    assert "is stale" in done.stderr
    for pid in pids:
        wait_gone(pid)


def test_the_pid_file_must_be_a_file(tmp_path):
    """No FIFO, no device."""
    ini = tmp_path / "x.ini"
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", "/dev/null"):
        ini.write_text(f"[global]\npid_file = {path}\n[listen x]\n"
                       f"address = unix:{tmp_path}/s\n"
                       "[site s]\nrespond = 200 x\n")
        done = run("-c", ini)
        assert done.returncode == 1
        assert f"{path}: not a regular file" in done.stderr


def is_bare(pid):
    """No capability, no way to new ones, system calls filtered, which comes
    last; nobody waits for the steward to get there."""
    want = {"NoNewPrivs": "1"}
    if "option seccomp on" in run("-V").stdout:
        want["Seccomp"] = "2"
    s = until(lambda: (lambda s: want.items() <= s.items() and s)(status(pid)),
              what=f"{want}")
    assert [int(s[k], 16) for k in ("CapInh", "CapPrm", "CapEff",
                                    "CapAmb")] == [0] * 4
    return s


def confined(gh):
    """Its workers and its steward."""
    return gh.workers() + until(lambda: list(gh.children("(health)")))


@needs_root
@pytest.mark.parametrize("lines, gid", [
    ("user = nobody", NOBODY.pw_gid), ("user = nobody\ngroup = daemon", 1),
    ("", NOBODY.pw_gid)])
def test_workers_and_steward_are_not_root(gatehouse, lines, gid):
    """user, group: all four ids of both kinds, no supplementary group."""
    gh = gatehouse(INI.replace("[global]", "[global]\n" + lines))
    pids = confined(gh)
    assert len(pids) == 3
    for pid in pids:
        s = is_bare(pid)
        assert s["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert s["Gid"].split() == [str(gid)] * 4
        assert s["Groups"] == ""


@needs_root
def test_staying_root_still_means_no_capability(gatehouse):
    """user = root."""
    gh = gatehouse(INI.replace("[global]", "[global]\nuser = root"))
    for pid in confined(gh):
        is_bare(pid)
    with gh.client() as c:
        assert c.get().status == 200


@pytest.mark.parametrize("line", ["user = nosuchuser", "group = nosuchgroup"])
@needs_root
def test_an_unknown_user_is_refused(gatehouse, line):
    """At the start, by -t, and by a reload."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("[global]", "[global]\n" + line))
    words = f"{line}: there is no such {line.split()[0]}"
    assert words in gh.stderr()
    done = run("-t", "-c", gh.ini)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.fixture
def open_dir():
    """A folder that every user may enter (pytest's are root's)."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@needs_root
@needs_setpriv
@pytest.mark.parametrize("caps", [False, True])
def test_it_runs_without_root(open_dir, caps):
    """Started by a plain user, with or without CAP_NET_BIND_SERVICE from a
    service manager: its workers and its steward hold none."""
    folder = open_dir
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    ini = folder / "x.ini"
    ini.write_text(INI.replace("{dir}", str(folder)).replace(
        "127.0.0.1:{port}", f"unix:{folder}/sock"))
    # a copy that the user may run, wherever the tree is
    shutil.copy(BINARY, folder / "gatehouse")
    extra = ["--inh-caps=+net_bind_service",
             "--ambient-caps=+net_bind_service"] if caps else []
    command = ["setpriv", f"--reuid={NOBODY.pw_uid}",
               f"--regid={NOBODY.pw_gid}", "--clear-groups", *extra,
               str(folder / "gatehouse"), "-c", str(ini)]
    with open(folder / "err", "wb") as err, \
            subprocess.Popen(command, stderr=err) as process:
        until((folder / "pid").exists, what="the start")
        until((folder / "pid").read_text, what="the pid")
        below = until(lambda: len(pids := children(process.pid)) == 4 and
                      pids, what="all processes")
        for pid, title in below.items():
            if "generation" in title:
                continue
            s = is_bare(pid)
            assert s["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        done = subprocess.run([str(folder / "gatehouse"), "-c", str(ini),
                               "-s", "quit"], check=False)
        assert done.returncode == 0
        assert process.wait(WAIT_S) == 0


@needs_root
@needs_setpriv
def test_a_privileged_port_needs_root(open_dir):
    """bind(2): EACCES is told with the address's place. Where the machine
    lets everybody bind low ports there is nothing to see."""
    first = int(pathlib.Path(
        "/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first < 2:
        pytest.skip("no port is privileged here")
    ini = open_dir / "x.ini"
    ini.write_text("[listen x]\naddress = 127.0.0.1:1\n"
                   "[site s]\nrespond = 200 x\n")
    shutil.copy(BINARY, open_dir / "gatehouse")
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups",
         str(open_dir / "gatehouse"), "-c", str(ini)],
        capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 1
    assert "2:11: error: cannot listen on 127.0.0.1:1: Permission denied" \
        in done.stderr


@pytest.mark.parametrize("n", [1, 2])
def test_workers_auto_is_one_for_each_usable_cpu(daemon, n):
    """The affinity mask that the master was started with counts, not the
    machine; cpu_affinity gives each worker one of them."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < n:
        pytest.skip("too few CPUs")
    mask = set(cpus[-n:])
    os.sched_setaffinity(0, mask)
    try:
        d = daemon(DAEMON.replace("workers = 2",
                                  "workers = auto\ncpu_affinity = on"))
    finally:
        os.sched_setaffinity(0, cpus)
    assert d.result.returncode == 0, d.result.stderr
    workers = d.workers()
    assert len(workers) <= n
    if len(workers) == n:
        assert set().union(*map(os.sched_getaffinity, workers)) == mask
    assert all(len(os.sched_getaffinity(pid)) == 1 for pid in workers)


def test_descriptor_limits_follow_worker_connections(gatehouse):
    """Two for each connection and some more; all processes of a generation
    have them, the master keeps its own."""
    gh = gatehouse(INI.replace("[global]",
                               "[global]\nworker_connections = 9k"))
    for pid in gh.workers():
        text = pathlib.Path(f"/proc/{pid}/limits").read_text()
        soft = int(re.search(r"Max open files\s+(\d+)", text).group(1))
        assert soft >= 9 * 1024 * 2


def test_more_connections_than_descriptors_is_told(gatehouse):
    """Where the limit cannot be raised it is named, and service goes on."""
    shell = (f"ulimit -n 500; exec {BINARY} -c $0")
    gh = gatehouse(INI)
    gh.stop()
    text = gh.ini.read_text()
    gh.ini.write_text(text.replace("[global]", "[global]\n"
                                   "worker_connections = 16k"))
    dropped = ["setpriv", "--bounding-set=-sys_resource"] \
        if os.geteuid() == 0 else []
    if dropped and not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    with subprocess.Popen([*dropped, "sh", "-c", shell, str(gh.ini)],
                          stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        assert any("serving generation" in more for more in process.stderr)
        with gh.client() as c:
            assert c.get().status == 200
        process.terminate()
        assert process.wait(WAIT_S) == 0
    assert "few descriptors limit=500 wanted=" in line


def test_each_process_has_a_title(gatehouse):
    """What ps shows."""
    gh = gatehouse(INI)
    until(lambda: sorted(gh.children().values()) == [
        "gatehouse: generation 1", "gatehouse: master (health)",
        "gatehouse: worker 0", "gatehouse: worker 1"], what="their titles")
    own = pathlib.Path(f"/proc/{gh.process.pid}/cmdline").read_bytes()
    assert own.rstrip(b"\0") == b"gatehouse: master"
    # its environment moved, it is not lost
    assert pathlib.Path(f"/proc/{gh.process.pid}/comm").read_text() == \
        "gatehouse\n"


def test_the_service_manager_is_told(gatehouse):
    """sd_notify(3): READY with MAINPID and STATUS, RELOADING with
    MONOTONIC_USEC (Type=notify-reload), STOPPING."""
    gh = gatehouse(INI, wait=False)
    first = gh.notify.wait("READY=1")
    assert first == {"READY": "1", "MAINPID": str(gh.process.pid),
                     "STATUS": "serving generation 1"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    gh.send_signal(signal.SIGHUP)
    again = gh.notify.wait("RELOADING=1")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(again["MONOTONIC_USEC"]) <= after
    assert gh.notify.wait("READY=1")["STATUS"] == "serving generation 2"
    gh.send_signal(signal.SIGQUIT)
    assert gh.notify.wait("STOPPING=1") == {"STOPPING": "1"}
    assert gh.process.wait(WAIT_S) == 0


def test_a_daemon_tells_its_own_pid(daemon):
    """MAINPID is the daemon's, not the command's."""
    d = daemon(DAEMON)
    assert d.notify.wait("READY=1")["MAINPID"] == str(d.pid)


def test_what_only_a_start_can_change_is_told_on_reload(gatehouse):
    """daemon, pid_file: never silently ignored."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("/pid", "/pid2").replace(
        "[global]", "[global]\ndaemon = on"))
    for key in ("daemon", "pid_file"):
        assert f"config: {key} is another now" in gh.stderr()
    assert (gh.dir / "pid").exists()
    assert not (gh.dir / "pid2").exists()
