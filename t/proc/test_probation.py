"""reload_window: a new configuration is on probation, and the one before it
comes back when the new one's workers crash."""
import os
import signal

import pytest

from lib.procs import until, wait_gone

INI = """
[global]
workers = 2
log_level = info
reload_window = 1m
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
"""


def get(gh):
    with gh.client() as c:
        return c.get().text


def victim_of(gh):
    """One of those that serve, when the old ones have ended."""
    return until(lambda: len(pids := gh.workers()) == 2 and pids,
                 what="two workers")[0]


def crash(gh, n):
    """n workers crash, one after the other."""
    for _ in range(n):
        victim = victim_of(gh)
        os.kill(victim, signal.SIGSEGV)
        wait_gone(victim)
        until(lambda: len(gh.workers()) >= 2 and victim not in gh.workers(),
              what="another worker")


def test_the_one_before_comes_back_when_workers_crash(gatehouse):
    """Three crashes in the window: what was kept serves again, not the file."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("200 one", "200 two"))
    assert get(gh) == "two"
    assert "generation=2 from=starting to=probation" in gh.stderr()
    crash(gh, 2)
    assert get(gh) == "two"
    os.kill(victim_of(gh), signal.SIGSEGV)
    until(lambda: "to=serving" in gh.stderr().partition("rolled back")[2]
          and get(gh) == "one", what="the way back")
    assert "reload rolled back generation=2" in gh.stderr()
    # what was gone back to is not on probation, and crashes are only crashes
    crash(gh, 4)
    assert get(gh) == "one"
    assert gh.stderr().count("rolled back") == 1
    # a mended file is read as ever
    gh.reload(INI.replace("200 one", "200 three"))
    until(lambda: get(gh) == "three", what="the mended one")


def test_a_proven_one_stays(gatehouse):
    """After the window crashes are only crashes."""
    gh = gatehouse(INI.replace("1m", "1s"))
    gh.reload(INI.replace("1m", "1s").replace("200 one", "200 two"))
    until(lambda: "from=probation to=serving" in gh.stderr(),
          what="the end of the window")
    crash(gh, 4)
    assert get(gh) == "two"
    assert "rolled back" not in gh.stderr()


def test_the_proven_one_is_kept_over_an_unproven_one(gatehouse):
    """A reload on probation is no ground to stand on: what comes back is what
    was proven before."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("200 one", "200 two"))
    gh.reload(INI.replace("200 one", "200 three"))
    crash(gh, 2)
    os.kill(victim_of(gh), signal.SIGSEGV)
    until(lambda: get(gh) == "one", what="the way back")


def test_a_stop_on_probation_frees_what_was_kept(gatehouse):
    """The end is as clean as any (what is lost, a build with sanitizers tells)."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("200 one", "200 two"))
    assert gh.stop() == 0
    assert "from=starting to=probation" in gh.stderr()
    assert "LeakSanitizer" not in gh.stderr()


@pytest.mark.parametrize("window", ["reload_window = none", ""])
def test_without_a_window_there_is_no_way_back(gatehouse, window):
    """As ever: the new one serves, and crashes are respawned."""
    ini = INI.replace("reload_window = 1m", window)
    gh = gatehouse(ini)
    gh.reload(ini.replace("200 one", "200 two"))
    crash(gh, 4)
    assert get(gh) == "two"
    assert "probation" not in gh.stderr()
