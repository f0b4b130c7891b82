"""What each reload takes it gives back."""
import os
import signal

import pytest

from lib import modsec
from lib.procs import status, until

INI = """
[global]
workers = 2
shutdown_timeout = 100ms
[listen x]
address = 127.0.0.1:{port} unix:{dir}/sock
[log access]
path = {dir}/access.log
[log error]
path = {dir}/error.log
[site test]
hosts = *
upstream = app
[upstream app]
server = 127.0.0.1:1
server = localhost:1
"""
# The allocator's own unevenness, in KiB.
SLACK_KB = 512
# The steward opens /etc/hosts or a name server's socket for a moment, perhaps
# while they are counted: one that leaks with each of 50 reloads is more.
SLACK_FDS = 4


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def settle(gh):
    """Only the newest generation is left: 2 workers, nursery, steward."""
    until(lambda: len(gh.children()) == 4, what="the end of the old ones")


def fds_of_all(gh):
    """{title without its generation: descriptors}, of all processes."""
    settle(gh)
    found = {title.replace("generation", "nursery").rsplit(" ", 1)[0] +
             str(i): fds(pid) for i, (title, pid) in enumerate(
                 sorted((t, p) for p, t in gh.children().items()))}
    return {"master": fds(gh.process.pid), **found}


def test_50_reloads_leave_no_descriptor(gatehouse):
    """Good ones and refused ones; counted in the master and in everybody it
    makes."""
    gh = gatehouse(INI)
    gh.reload()
    before = fds_of_all(gh)
    assert len(before) == 5
    for i in range(50):
        if i % 10 == 9:
            gh.reload(INI.replace("workers", "wrokers"))
            gh.reload(INI + "[route test ~ (]\n")
            gh.write(INI)
        gh.reload()

    def is_as_few():
        return all(count <= before[title] + SLACK_FDS
                   for title, count in fds_of_all(gh).items())
    until(is_as_few, what="as few as before")


def test_80_reloads_leave_the_masters_memory_flat(gatehouse):
    """RSS of the master after 20 reloads and after 80 more; 1,000 are below."""
    gh = gatehouse(INI)

    def rss_kb():
        settle(gh)
        return int(status(gh.process.pid)["VmRSS"].split()[0])
    for _ in range(20):
        gh.reload()
    before = rss_kb()
    for i in range(80):
        if i % 20 == 0:
            gh.reload(INI + "nonsense = 1\n")
            gh.write(INI)
        gh.reload()
    assert rss_kb() <= before + SLACK_KB


def smaps_kb(pid, word):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return sum(int(line.split()[1]) for line in rollup
                   if line.startswith(word))


def test_rules_are_given_back_and_shared(gatehouse, tmp_path):
    """A set of 600 rules, reloaded 20 times: none of it stays in the master, and
    workers have the set from who compiled it, not one each."""
    rules = tmp_path / "rules.conf"
    rules.write_text("".join(
        f'SecRule ARGS "@rx (?i)(?:word{i}|[a-f]{{2,6}}x{i})[^;]*{i}" '
        f'"id:{i + 1},phase:2,deny"\n' for i in range(600)))
    gh = gatehouse(INI.replace("upstream = app", "upstream = app\nwaf = w", 1)
                   + f"[waf w]\nrules = {rules}\n")
    for _ in range(5):
        gh.reload()
    settle(gh)
    before = smaps_kb(gh.process.pid, "Rss:")
    for _ in range(15):
        gh.reload()
    settle(gh)
    assert smaps_kb(gh.process.pid, "Rss:") <= before + SLACK_KB
    titles = {title: pid for pid, title in gh.children().items()}
    own = [smaps_kb(pid, "Private_") for title, pid in titles.items()
           if "worker" in title]
    nursery, = [pid for title, pid in titles.items() if "generation" in title]
    assert len(own) == 2
    assert max(own) < smaps_kb(nursery, "Rss:") / 4, own


def test_drained_reloads_leave_no_descriptor(daemon):
    """WINCH and HUP in turn: no generation is left in between."""
    d = daemon(INI.replace("[global]", "[global]\ndaemon = on\n"
                           "pid_file = {dir}/pid"))
    d.notify.wait("READY=1")
    most = None
    for i in range(6):
        d.signal(signal.SIGWINCH)
        until(lambda: not d.workers(), what="the drain")
        until(lambda: len(d.children()) == 1, what="the nursery's end")
        d.signal(signal.SIGHUP)
        d.notify.wait("READY=1")
        assert len(d.workers()) == 2
        if i == 1:
            most = fds(d.pid)
        elif i > 1:
            # the socket that said READY=1 is closed after that
            until(lambda: fds(d.pid) <= most, what="as few descriptors")


@pytest.mark.heavy
@pytest.mark.skipif(not modsec.rule_sets(), reason="no modsecurity-crs")
def test_1000_reloads_of_the_core_rule_set_leave_memory_flat(gatehouse):
    """What the master and all that it made hold after 50 of them, and after
    1,000."""
    rules = modsec.rule_sets()[-1]
    gh = gatehouse(INI.replace("upstream = app", "upstream = app\nwaf = w", 1)
                   + f"[waf w]\nsetup = {rules.setup}\n"
                   f"rules = {rules.folder}\n")

    def rss_kb():
        settle(gh)
        made = sorted((title, pid) for pid, title in gh.children().items())
        return [smaps_kb(pid, "Rss:")
                for pid in (gh.process.pid, *(pid for _, pid in made))]
    for _ in range(50):
        gh.reload()
    before = rss_kb()
    for _ in range(950):
        gh.reload()
    after = rss_kb()
    print(f"CRS {rules.name}: KiB of the master, the nursery, the steward and "
          f"two workers: {before} {after}")
    assert all(more <= less + SLACK_KB for less, more in zip(before, after))
