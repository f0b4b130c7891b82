"""Buffering, rotation and failing disks: no line is lost that could be kept,
none is torn, and serving never waits for a log."""
import os
import signal
import threading

import pytest

from lib.gatehouse import free_port, run
from lib.procs import kill_and_wait, open_files, until

INI = """
[global]
workers = %(workers)s
error_log = {dir}/error.log
[log access]
path = %(path)s
format = {path}%(more)s
buffer = %(buffer)s
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200
"""


def ini(buffer="64k", path="{dir}/a.log", workers=1, more=""):
    return INI % {"buffer": buffer, "path": path, "workers": workers,
                  "more": more}


def ask(gh, n, prefix="/"):
    with gh.client() as c:
        for i in range(n):
            assert c.get(f"{prefix}{i}").status == 200


def test_lines_are_written_after_a_while(gatehouse, lines):
    """doc/config: what is collected waits a second at most, without any
    further request."""
    gh = gatehouse(ini())
    ask(gh, 3)
    assert lines(gh.dir / "a.log").wait(3) == \
        [b"/%d" % i for i in range(3)]


def test_a_full_buffer_is_written_at_once(gatehouse, lines):
    """doc/config: lines are collected up to `buffer`, and whole ones are
    written: the file never ends in the middle of one."""
    gh = gatehouse(ini(buffer="1k", more=" {header:X-Long}"))
    log = lines(gh.dir / "a.log")
    with gh.client() as c:
        for i in range(200):
            c.get(f"/{i}", extra=b"X-Long: " + b"y" * (i * 7 % 300) + b"\r\n")
            log.all()
    got = log.wait(200)
    assert [line.split()[0] for line in got] == \
        [b"/%d" % i for i in range(200)]


@pytest.mark.parametrize("sig", [signal.SIGQUIT, signal.SIGTERM])
def test_what_is_collected_is_written_at_the_end(gatehouse, lines, sig):
    """Issue 2: a stop loses no line."""
    gh = gatehouse(ini())
    ask(gh, 20)
    assert gh.stop(sig) == 0
    assert len(lines(gh.dir / "a.log").all()) == 20


def test_a_reload_loses_no_line(gatehouse, lines):
    """Issue 2: old workers write what they collected before they go."""
    gh = gatehouse(ini(workers=2))
    for i in range(4):
        ask(gh, 5, f"/{i}/")
        gh.reload()
    gh.stop()
    got = lines(gh.dir / "a.log").all()
    assert sorted(got) == sorted(
        b"/%d/%d" % (i, k) for i in range(4) for k in range(5))


def test_workers_do_not_tear_each_others_lines(gatehouse, lines):
    """open(2) O_APPEND: writes of several workers do not mix."""
    gh = gatehouse(ini(workers=2, buffer="1k", more=" {header:X-Long}"))
    long = b"X-Long: " + b"z" * 500 + b"\r\n"

    def many(who):
        with gh.client() as c:
            for i in range(100):
                c.get(f"/{who}/{i}", extra=long)

    threads = [threading.Thread(target=many, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    gh.stop()
    got = lines(gh.dir / "a.log").all()
    assert sorted(got) == sorted(b"/%d/%d " % (w, i) + b"z" * 500
                                 for w in range(8) for i in range(100))


def holders(gh, path):
    """Processes of it that have that file open."""
    return [pid for pid in [gh.process.pid, *gh.children()]
            for name in open_files(pid).values() if name == str(path)]


def test_rotation_loses_no_line(gatehouse, lines):
    """README, USR1: under load, every request is in exactly one of the files,
    and the old one is let go by every process."""
    gh = gatehouse(ini(workers=2))
    log = gh.dir / "a.log"
    over = threading.Event()
    sent = [0] * 4

    def load(who):
        with gh.client() as c:
            while not over.is_set():
                assert c.get(f"/{who}/{sent[who]}").status == 200
                sent[who] += 1

    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for turn in range(5):
        before = sum(sent)
        until(lambda: sum(sent) > before + 50)
        os.rename(log, gh.dir / f"a.log.{turn}")
        gh.send_signal(signal.SIGUSR1)
        until(log.exists)
        until(lambda: not holders(gh, gh.dir / f"a.log.{turn}"))
    over.set()
    for t in threads:
        t.join()
    gh.stop()
    got = []
    for path in [log, *(gh.dir / f"a.log.{t}" for t in range(5))]:
        got += lines(path).all()
    want = [b"/%d/%d" % (w, i) for w in range(4) for i in range(sent[w])]
    assert len(got) == len(want)
    assert sorted(got) == sorted(want)


def test_a_worker_born_after_rotation_writes_to_the_new_file(gatehouse, lines):
    """README, USR1: a crash after a rotation does not bring the old file
    back."""
    gh = gatehouse(ini(buffer="none"))
    ask(gh, 1, "/old")
    lines(gh.dir / "a.log").wait()
    os.rename(gh.dir / "a.log", gh.dir / "old")
    gh.send_signal(signal.SIGUSR1)
    until(lambda: not holders(gh, gh.dir / "old"))
    first, = gh.workers()
    kill_and_wait(first)
    gh.expect_bad_end = True
    until(lambda: [pid for pid in gh.workers() if pid != first])
    ask(gh, 1, "/new")
    assert lines(gh.dir / "a.log").wait() == [b"/new0"]
    assert lines(gh.dir / "old").all() == [b"/old0"]
    assert not holders(gh, gh.dir / "old")


def error_log(gh, words):
    """The error log once it holds these words."""
    def found():
        text = (gh.dir / "error.log").read_text()
        return text if words in text else None
    return until(found, what=words)


def test_a_log_that_cannot_be_reopened_goes_on(gatehouse, lines, tmp_path):
    """README, USR1: when the new file cannot be opened the old one stays and
    the reason is logged."""
    folder = tmp_path / "logs"
    folder.mkdir()
    gh = gatehouse(ini(buffer="none", path="{logs}/a.log"), logs=folder)
    ask(gh, 1, "/old")
    folder.rename(tmp_path / "away")
    gh.send_signal(signal.SIGUSR1)
    error_log(gh, "log reopen failed")
    ask(gh, 1, "/new")
    assert lines(tmp_path / "away" / "a.log").wait(2) == [b"/old0", b"/new0"]


def test_a_full_disk_costs_lines_only(gatehouse):
    """Issue 2: a log that cannot be written is told once; serving goes on."""
    gh = gatehouse(ini(path="/dev/full", buffer="none"))
    ask(gh, 300)
    text = error_log(gh, "access log fails log=access")
    assert text.count("access log fails") == 1
    assert "No space left on device" in text
    assert gh.stop() == 0


def test_a_log_that_is_well_again_is_told(gatehouse, lines, tmp_path):
    """Issue 2: and when it goes on, with the number of lines that are
    missing."""
    link = tmp_path / "link"
    link.symlink_to("/dev/full")
    gh = gatehouse(ini(path="{link}", buffer="none"), link=link)
    ask(gh, 7)
    error_log(gh, "access log fails")
    link.unlink()
    link.symlink_to(tmp_path / "file")
    gh.send_signal(signal.SIGUSR1)
    until((tmp_path / "file").exists)
    until(lambda: not holders(gh, "/dev/full"))
    ask(gh, 1, "/new")
    assert lines(tmp_path / "file").wait() == [b"/new0"]
    error_log(gh, "access log goes on log=access lines_lost=7")


def test_a_pipe_without_reader_is_an_error_not_a_wait(tmp_path):
    """fifo(7): opening a pipe for writing waits for its reader; gatehouse does
    not."""
    os.mkfifo(tmp_path / "pipe")
    conf = tmp_path / "x.ini"
    conf.write_text(ini(path=str(tmp_path / "pipe"))
                    .replace("{dir}", str(tmp_path))
                    .replace("{port}", str(free_port())))
    r = run("-c", conf)
    assert r.returncode == 1
    assert "cannot open the log" in r.stderr and "x.ini:6:" in r.stderr


def test_a_slow_reader_of_a_pipe_costs_lines_only(gatehouse, tmp_path):
    """pipe(7): a full pipe takes nothing; whole lines are dropped, none is
    torn, serving never waits."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gh = gatehouse(ini(path="{pipe}", buffer="1k", more=" {header:X-Long}"),
                   pipe=path)
    n = 400
    with gh.client() as c:
        for i in range(n):
            assert c.get(f"/{i}", extra=b"X-Long: " + b"z" * 900 + b"\r\n"
                         ).status == 200
    error_log(gh, "access log fails log=access")
    data = b""

    def drained():
        nonlocal data
        try:
            data += os.read(reader, 1 << 20)
        except BlockingIOError:
            pass
        return data.endswith(b"\n") and b"/last0 -" in data

    # what waited in the buffer comes now, and what is asked from now on
    until(lambda: not drained() and data)
    ask(gh, 1, "/last")
    until(drained)
    os.close(reader)
    got = data.split(b"\n")[:-1]
    assert 64 < len(got) < n
    assert all(line.endswith(b" " + b"z" * 900) for line in got[:-1])
    numbers = [int(line.split()[0][1:]) for line in got[:-1]]
    assert numbers == sorted(set(numbers))


def test_a_pipe_whose_reader_left_costs_lines_only(gatehouse, tmp_path):
    """pipe(7): EPIPE, and no SIGPIPE that would end a worker."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gh = gatehouse(ini(path="{pipe}", buffer="none"), pipe=path)
    before = gh.workers()
    os.close(reader)
    ask(gh, 20)
    error_log(gh, "Broken pipe")
    assert gh.workers() == before
