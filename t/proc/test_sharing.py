"""Workers share connections fairly, though the kernel wakes mostly one."""
import collections
import os
import signal

import pytest

from lib.procs import stop

INI = """
[global]
workers = 2
worker_watchdog = none
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 {worker}
"""


def shares(gh, n):
    """How many of n connections, made at once, each worker has."""
    clients = [gh.client() for _ in range(n)]
    try:
        return collections.Counter(c.get().text for c in clients)
    finally:
        for c in clients:
            c.close()


@pytest.mark.parametrize("n", [64, 1000])
def test_bursts_are_shared(gatehouse, n):
    """Over some bursts nobody has more than four fifths: with the kernel alone
    it is nineteen of twenty."""
    gh = gatehouse(INI)
    most = sum(max(shares(gh, n).values()) for _ in range(5))
    assert most <= 5 * n * 4 // 5


def test_a_hung_worker_strands_nothing(gatehouse):
    """What it was woken for is taken by the other."""
    gh = gatehouse(INI)
    for victim in gh.workers():
        stop(victim)
        try:
            assert len(shares(gh, 50)) == 1
        finally:
            os.kill(victim, signal.SIGCONT)
