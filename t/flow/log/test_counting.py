"""Issue 11: 4 workers write at full rate while their logs are rotated: no line
is lost, none is torn or written twice; as many as requests were answered."""
import re
import shutil
import signal
import subprocess
import time

import pytest

from lib import admin
from lib.procs import until

INI = """
[global]
workers = 4
[log access]
path = {dir}/access.log
format = json
[log second]
path = {dir}/second.log
format = {request_id} {status} {header:X-Long}
buffer = 4k
[listen x]
address = 127.0.0.1:{port}
access_log = access second
[site s]
hosts = *
respond = 200 x
""" + admin.SECTION
LOGS = {
    "access.log": re.compile(
        rb'\{"time":"[^"]{24}","request_id":"([0-9a-f]{32})",[^{}]*"\}'),
    "second.log": re.compile(rb"([0-9a-f]{32}) 200 x{120}"),
}
CLIENTS = 16
EACH = 4000

pytestmark = pytest.mark.skipif(not shutil.which("h2load"),
                                reason="needs h2load, which counts")


class Load:
    """A program that asks EACH times and counts what was answered."""

    def __init__(self, gh):
        self.process = subprocess.Popen(
            ["h2load", "--h1", "-n", str(EACH), "-c", str(CLIENTS), "-H",
             "X-Long: " + "x" * 120, f"http://127.0.0.1:{gh.port}/"],
            stdout=subprocess.PIPE, text=True)

    def is_over(self):
        return self.process.poll() is not None

    def answered(self):
        text, _ = self.process.communicate()
        return int(re.search(r"(\d+) 2xx", text)[1])


def rotate(gh, turn):
    """As logrotate does with `create` and a USR1 behind it."""
    for name in LOGS:
        (gh.dir / name).rename(gh.dir / f"{name}.{turn}")
    gh.send_signal(signal.SIGUSR1)
    until(lambda: all((gh.dir / name).exists() for name in LOGS))


def judge(gh, answered):
    """Every line of all files is whole, and each request has one."""
    assert admin.status(gh)["counters"]["log_lines_dropped_total"] == 0
    assert gh.stop() == 0
    for name, form in LOGS.items():
        ids = []
        for path in gh.dir.glob(name + "*"):
            data = path.read_bytes()
            assert not data or data.endswith(b"\n"), data[-200:]
            for line in data.splitlines():
                whole = form.fullmatch(line)
                assert whole, line
                ids.append(whole[1])
        assert len(ids) == answered
        assert len(set(ids)) == answered


def test_no_line_is_lost_when_logs_are_rotated(gatehouse):
    """Rotated in the middle of the load, three times."""
    gh = gatehouse(INI)
    loads = []
    for turn in range(3):
        until(lambda: is_in_the_middle(gh, loads), what="a load that is seen")
        rotate(gh, turn)
    judge(gh, sum(load.answered() for load in loads))


def is_in_the_middle(gh, loads):
    """Whether one more load is, which may be over before that is seen."""
    before = admin.status(gh)["counters"]["requests_total"]
    load = Load(gh)
    loads.append(load)
    until(lambda: load.is_over() or admin.status(gh)["counters"]
          ["requests_total"] > before + EACH // 4)
    return not load.is_over()


@pytest.mark.heavy
def test_no_line_is_lost_in_twelve_seconds(gatehouse):
    """The same, every second."""
    gh = gatehouse(INI)
    answered = turn = 0
    begin = time.monotonic()
    load = Load(gh)
    while turn < 12:
        if load.is_over():
            answered += load.answered()
            load = Load(gh)
        if time.monotonic() - begin > turn + 1:
            rotate(gh, turn)
            turn += 1
        try:
            load.process.wait(0.05)
        except subprocess.TimeoutExpired:
            pass
    answered += load.answered()
    assert answered > 12 * 1000
    judge(gh, answered)
