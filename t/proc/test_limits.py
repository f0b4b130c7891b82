"""A limit is what it says, whoever counts: two workers at full speed, the next
generation, the one behind a dead worker, the next master ([limit])."""
import re
import subprocess
import time

import pytest

from lib.procs import (end_masters, kill_and_wait, replace_master, until,
                       worker_pids)
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
pid_file = {dir}/pid
shutdown_timeout = 5s
[listen x]
address = 127.0.0.1:{port}
[limit a]
%s
[site test]
hosts = *
rate_limit = a
respond = 200 {worker}
"""


@pytest.fixture
def start(gatehouse):
    masters = []

    def make(limit):
        gh = gatehouse(INI % limit)
        gh.masters = masters
        return gh

    yield make
    end_masters(masters)


def ask(gh):
    with gh.client() as c:
        return c.get("/").status


def test_what_was_counted_outlives_whoever_counted_it(start):
    gh = start("rate = 1/h\nburst = 2")
    assert [ask(gh), ask(gh), ask(gh)] == [200, 200, 429]
    gh.reload()
    assert ask(gh) == 429
    before = worker_pids(gh)
    for pid in before.values():
        kill_and_wait(pid)
    until(lambda: (now := worker_pids(gh)) and len(now) == 2 and
          not set(now.values()) & set(before.values()), what="new workers")
    assert ask(gh) == 429
    replace_master(gh)
    assert ask(gh) == 429


def test_a_change_of_the_rate_holds_at_once(start):
    gh = start("rate = 1/h")
    assert [ask(gh), ask(gh)] == [200, 429]
    # the time until there is room is shorter now, and what was used is kept
    gh.reload(INI % "rate = 1/h\nburst = 3")
    assert [ask(gh), ask(gh), ask(gh)] == [200, 200, 429]


def test_two_workers_at_full_speed_let_on_what_the_rate_allows(start):
    """The sum over the workers never passes rate x time + burst, and is within
    1 % of it."""
    # a burst of a second: pauses of a busy machine cost nothing
    rate = burst = 2000
    gh = start(f"rate = {rate}/s\nburst = {burst}")
    begin = time.monotonic()
    out = subprocess.run(
        ["h2load", "--h1", "-c", "32", "-t", "1", "-n", "150000",
         f"http://127.0.0.1:{gh.port}/"], capture_output=True, text=True,
        timeout=WAIT_S, check=True).stdout
    most_s = time.monotonic() - begin
    least_s = float(re.search(r"finished in ([\d.]+)s", out)[1])
    served, refused = map(int, re.search(
        r"status codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, 0 5xx", out).groups())
    assert refused > served  # it was asked for more
    assert 0.99 * (rate * least_s + burst) <= served <= rate * most_s + burst
