"""Commands that check servers (doc/design.md) end with what they are for:
whatever happens meanwhile, no process of them is left."""
import os
import signal

import pytest

from lib import admin
from lib.commands import Commands, wait_all_gone, zombies
from lib.procs import end_masters, kill_and_wait, until, wait_gone
from lib.wire import WAIT_S

INI = """
[global]
workers = 1
pid_file = {dir}/pid
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = 127.0.0.1:9
health_check = %s interval=100ms timeout=1h
""" + admin.SECTION
# three processes, each of which would stay for long
HANG = "sleep 1000 &\na=$!\n(trap '' TERM HUP; sleep 1000; :) &\n" \
    "printf '%s\\n%s\\n%s\\n' $a $! $$ >>$1/pids\nwait\n"
N = 3


@pytest.fixture
def commands():
    made = Commands()
    yield made
    made.close()


# the folder outlives who runs programs there
@pytest.fixture
def hanging(commands, gatehouse):
    """(gatehouse whose command hangs, the folder, its pids)"""
    gh = gatehouse(INI % commands.make("check", HANG))
    gh.others = []
    yield gh, commands, commands.pids("pids", N)
    end_masters(gh.others)


def test_a_reload_ends_those_of_the_old_configuration(hanging):
    gh, commands, pids = hanging
    gh.reload()
    wait_all_gone(pids)
    # and begins that of the new one
    again = commands.pids("pids", 2 * N)[N:]
    gh.write(INI % commands.make("other", "echo >>$1/said\n"))
    gh.reload()
    wait_all_gone(again)
    until(lambda: commands.read("said").count("\n") > 2)
    until(lambda: not zombies(gh.process.pid))


def test_a_dead_steward_waits_for_none(hanging):
    """The next one has it run anew."""
    gh, commands, pids = hanging
    kill_and_wait(admin.steward(gh))
    wait_all_gone(pids)
    again = commands.pids("pids", 2 * N)[N:]
    until(lambda: not zombies(gh.process.pid))
    assert gh.stop() == 0
    wait_all_gone(again)


@pytest.mark.parametrize("sig", (signal.SIGQUIT, signal.SIGTERM))
def test_the_end_is_theirs_too(hanging, sig):
    gh, _, pids = hanging
    assert gh.stop(sig) == 0
    wait_all_gone(pids)


def test_an_upgrade_ends_them(hanging):
    """The new master has its own."""
    gh, commands, pids = hanging
    old = gh.process.pid
    os.kill(old, signal.SIGUSR2)
    new = until(lambda: (pid := int((gh.dir / "pid").read_text())) != old and
                pid, what="a new master")
    gh.others.append(new)
    assert gh.process.wait(WAIT_S) == 0
    wait_all_gone(pids)
    again = commands.pids("pids", 2 * N)[N:]
    os.kill(new, signal.SIGTERM)
    wait_gone(new)
    wait_all_gone(again)


def test_without_a_master_there_is_none(hanging):
    """Killed, it can tell nobody: the kernel ends what it began itself."""
    gh, _, pids = hanging
    below = gh.children()
    leader = pids[-1]
    gh.process.kill()
    gh.process.wait()
    try:
        wait_gone(leader)
    finally:
        os.killpg(leader, signal.SIGKILL)
    for pid in below:
        wait_gone(pid)
