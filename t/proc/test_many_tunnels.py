"""Tunnels live over reloads, however many of both."""
import resource
import signal

import pytest

from lib.echo import ASK, EchoOrigin
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
log_level = info
shutdown_timeout = 1s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = {origin}
"""

TUNNELS = 1000
RELOADS = 40


@pytest.fixture
def echo():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)),
                                                hard))
    made = EchoOrigin()
    yield made
    made.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_tunnel(gh):
    c = gh.client(timeout=WAIT_S)
    c.send(ASK)
    assert c.response().status == 101
    return c


def test_a_thousand_tunnels_over_forty_reloads(gatehouse, echo):
    """25 new ones in each generation: none is dropped, all still carry bytes,
    and the last connection of a generation is its end."""
    gh = gatehouse(INI, origin=echo.address)
    held = []
    for i in range(RELOADS):
        held += [open_tunnel(gh) for _ in range(TUNNELS // RELOADS)]
        gh.reload()
    assert len(held) == TUNNELS
    for i, c in enumerate(held):
        c.send(b"%06d" % i)
    for i, c in enumerate(held):
        assert c.reader.exactly(6) == b"%06d" % i
    until(lambda: gh.stderr().count("to=keeping_tunnels") == RELOADS,
          what="old generations that only keep tunnels")
    for c in held:
        c.close()
    until(lambda: len(gh.children()) == 4, what="the end of the old ones")
    until(lambda: gh.stderr().count("to=gone") == RELOADS,
          what="what is said of it")


def test_a_reload_waits_while_old_generations_hold_all_slots(gatehouse, echo):
    """There are 256 slots: the reload that finds too few is said to wait, is
    done when there are enough, and hurts nobody."""
    ini = INI.replace("workers = 2", "workers = 120")
    gh = gatehouse(ini, origin=echo.address)
    held = []
    reloads = 0
    while "reload waits" not in gh.stderr():
        assert reloads < 10
        # more than workers: fairness gives each of them some
        held += [open_tunnel(gh) for _ in range(240)]
        gh.write(ini + f"# {reloads}\n")
        gh.send_signal(signal.SIGHUP)
        reloads += 1
        until(lambda: "reload waits" in gh.stderr() or
              gh.stderr().count("serving generation=") == reloads + 1,
              what="the reload, or that it waits")
    served = gh.stderr().count("serving generation=")
    held.append(open_tunnel(gh))
    for c in held:
        c.send(b"x")
        assert c.reader.exactly(1) == b"x"
    assert gh.stderr().count("reload waits") == 1
    for c in held:
        c.close()
    until(lambda: gh.stderr().count("serving generation=") == served + 1,
          what="the reload that waited")
