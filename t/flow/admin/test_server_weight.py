"""`gatehouse server UPSTREAM SERVER weight N`: another share of the requests
while all runs (doc/admin.md)."""
import collections
import contextlib
import pathlib
import signal
import tempfile

import pytest

from lib import admin
from lib.gatehouse import run
from lib.procs import kill_and_wait

NAMES = ["a", "b", "c"]
INI = """
[global]
workers = {workers}
[listen x]
address = 127.0.0.1:{port}
[site test]
listen = x
hosts = *
upstream = app
[upstream app]
balance = {balance}
server = unix:{socks}/a
server = unix:{socks}/b weight=1
server = unix:{socks}/c
""" + "".join(f"[listen {n}]\naddress = unix:{{socks}}/{n}\n"
              f"[site {n}]\nlisten = {n}\nhosts = *\nrespond = 200 {n}\n"
              for n in NAMES) + admin.SECTION
# for each worker that is met
ROUND = 60


@pytest.fixture
def front(gatehouse):
    """One whose sockets workers reach, whoever they are."""
    with contextlib.ExitStack() as stack:
        def make(balance="round_robin", workers=1):
            folder = pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            return gatehouse(INI, balance=balance, workers=workers,
                             socks=folder)
        yield make


def order(gh, *words, name="b"):
    return run("server", "app", f"unix:{gh.names['socks']}/{name}", *words, "-c", gh.ini)


def obeyed(gh, *words):
    done = order(gh, *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def shares(gh, workers=1):
    """Answers of a, b, c: to whole rounds on connections of their own."""
    got = collections.Counter()
    with contextlib.ExitStack() as stack:
        for _ in range(4 * workers):
            c = stack.enter_context(gh.client())
            got.update(c.get().text for _ in range(ROUND))
    return [got[n] for n in NAMES]


def told(gh, name="b"):
    upstream, = admin.status(gh)["upstreams"]
    found, = [s for s in upstream["servers"]
              if s["address"].endswith(f"/{name}")]
    return found


# The share of b with weight 4 beside 1 and 1, while one request is under way at
# a time: least_conn takes the one that one request fills least, random_two does
# so of two that it draws; and how far shares may be from that, more than five
# times what chance makes them differ
POLICIES = {"round_robin": (4 / 6, 0.05), "least_conn": (1, 0.05),
            "random_two": (4 / 6 + 2 / 6 * 4 / 5, 0.17)}


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("balance", POLICIES)
def test_a_weight_is_ordered_kept_and_dropped(front, balance, workers):
    """All workers follow at once; reloads and deaths change nothing; --forget
    drops it, in all workers as well."""
    gh = front(balance, workers)
    heavy, off = POLICIES[balance]

    def is_share(share):
        got = shares(gh, workers)
        n = sum(got)
        assert n == 4 * workers * ROUND
        assert abs(got[1] / n - share) <= off, got
        assert abs(got[0] - got[2]) <= 2 * off * n, got
    is_share(1 / 3)
    obeyed(gh, "weight", "4")
    is_share(heavy)
    assert (told(gh)["weight"], told(gh)["weight_order"]) == (1, 4)
    assert told(gh, "a")["weight_order"] is None
    gh.reload()
    is_share(heavy)
    kill_and_wait(admin.steward(gh), signal.SIGKILL)
    for pid in gh.workers():
        with contextlib.suppress(ProcessLookupError):  # the old ones end anyway
            kill_and_wait(pid, signal.SIGKILL)
    is_share(heavy)
    obeyed(gh, "--forget")
    is_share(1 / 3)
    assert told(gh)["weight_order"] is None


def test_ready_keeps_the_weight_and_auto_drops_it(front):
    """States and weights are orders of their own; auto is about both."""
    gh = front()
    obeyed(gh, "weight", "1000")
    obeyed(gh, "drain")
    assert shares(gh)[1] == 0
    assert (told(gh)["order"], told(gh)["weight_order"]) == ("drain", 1000)
    obeyed(gh, "ready")
    assert (told(gh)["order"], told(gh)["weight_order"]) == ("auto", 1000)
    assert shares(gh)[1] > 4 * ROUND * 0.95
    line, = [x for x in admin.cli(gh).stdout.splitlines() if "/b " in x]
    assert line.split()[1] == "1000"
    assert "/b (configured weight 1)" in line
    obeyed(gh, "down")
    obeyed(gh, "auto")
    assert (told(gh)["order"], told(gh)["weight_order"]) == ("auto", None)
    assert " order=weight weight=1000 uid=" in gh.stderr()


def test_an_order_is_stronger_than_what_is_configured_later(front):
    """It holds until the next order."""
    gh = front()
    obeyed(gh, "weight", "4")
    gh.reload(INI.replace("weight=1", "weight=1000"))
    assert abs(shares(gh)[1] - 4 * ROUND * 4 / 6) <= 2
    assert (told(gh)["weight"], told(gh)["weight_order"]) == (1000, 4)
    obeyed(gh, "auto")
    assert shares(gh)[1] > 4 * ROUND * 0.95


@pytest.mark.parametrize("balance", ["ip_hash", "hash {path}"])
def test_a_hash_refuses_another_weight(front, balance):
    """It would send clients of all servers elsewhere. One that was ordered
    under another policy rests, and says so nowhere but in the order."""
    gh = front(balance)
    done = order(gh, "weight", "4")
    assert done.returncode == 1
    assert "answers 409: balance = hash and ip_hash take weights" in done.stderr
    assert told(gh)["weight_order"] is None
    gh.reload(INI.replace("{balance}", "round_robin"))
    obeyed(gh, "weight", "4")
    gh.reload(INI.replace("{balance}", balance))
    assert told(gh)["weight_order"] == 4
    assert "configured weight" not in admin.cli(gh).stdout
    obeyed(gh, "--forget")
    assert told(gh)["weight_order"] is None
