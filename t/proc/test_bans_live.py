"""What is known of addresses outlives whoever knew it: bans, the next
generation, new workers, the next master; connections that are counted are
those of the living."""

import pytest

from lib.procs import (end_masters, kill_and_wait, replace_master, until,
                       worker_pids)
from lib.wire import Client

INI = """
[global]
workers = 2
pid_file = {dir}/pid
shutdown_timeout = 5s
[listen x]
address = 127.0.0.1:{port}
max_connections_per_ip = 2
[limit a]
rate = 1/h
ban = 1h
[site test]
hosts = *
rate_limit = a
respond = 200 served
[route test /free]
rate_limit = none
"""


@pytest.fixture
def gh(gatehouse):
    masters = []
    made = gatehouse(INI)
    made.masters = masters
    yield made
    end_masters(masters)


def come(gh, source, path="/free", held=None):
    """The status, or "reset"; the connection stays when it is to be held."""
    c = Client(("127.0.0.1", gh.port), source=source)
    try:
        got = c.get(path).status
    except (ConnectionResetError, BrokenPipeError):
        got = "reset"
    if held is None:
        c.close()
    else:
        held.append(c)
    return got


def kill_workers(gh):
    before = worker_pids(gh)
    for pid in before.values():
        kill_and_wait(pid)
    until(lambda: (now := worker_pids(gh)) and len(now) == 2 and
          not set(now.values()) & set(before.values()), what="new workers")


def test_a_ban_outlives_whoever_made_it(gh):
    assert [come(gh, "127.0.0.2", "/") for _ in range(3)] == \
        [200, 429, "reset"]
    gh.reload()
    assert come(gh, "127.0.0.2") == "reset"
    kill_workers(gh)
    assert come(gh, "127.0.0.2") == "reset"
    replace_master(gh)
    assert come(gh, "127.0.0.2") == "reset"
    assert come(gh, "127.0.0.3") == 200


def test_connections_of_the_dead_are_given_back(gh):
    held = []
    assert [come(gh, "127.0.0.2", held=held) for _ in range(3)] == \
        [200, 200, "reset"]
    # those that a generation has which retires count on
    gh.reload()
    assert come(gh, "127.0.0.2") in ("reset", 200)
    kill_workers(gh)
    until(lambda: come(gh, "127.0.0.2") == 200, what="the places of the dead")
    for c in held:
        c.close()
