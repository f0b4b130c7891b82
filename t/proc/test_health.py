"""What is known of servers' health outlives the process that found it out."""
import collections
import os
import signal

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import OK, ok
from lib.procs import end_masters, kill_and_wait, until
from lib.wire import WAIT_S

MORE = 20
NO = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = {a}
server = {b}
health_check = %s
""" + admin.SECTION
FAST = "GET /healthz interval=100ms timeout=30s"
# the first result, and then nothing for long
ONCE = "GET /healthz interval=1h timeout=30s"


class Server:
    """Its checks are answered as `is_well` says, all else with its name."""

    def __init__(self, origin, name):
        self.name, self.is_well, self.checks = name, True, 0
        self.origin = origin(self)
        self.address = self.origin.address

    def __call__(self, conn, request):
        if request.target != "/healthz":
            conn.send(ok(self.name))
            return
        self.checks += 1
        conn.send(OK if self.is_well else NO)


@pytest.fixture
def servers(origin):
    return Server(origin, b"a"), Server(origin, b"b")


def ask(gh):
    got = collections.Counter()
    for _ in range(MORE):
        with gh.client() as c:
            got[c.get().text] += 1
    return got


def wait_health(gh, server, state):
    def look():
        code, answer = admin.ask(gh, "GET", "/v1/status")
        return code == 200 and {
            s["address"]: s["health"]
            for s in answer["upstreams"][0]["servers"]
        }[server.address] == state
    until(look, what=f"{server.address} {state}")


@pytest.fixture
def sick(gatehouse, servers):
    """sick(check) gives (gatehouse, a, b): b is down."""
    def make(check):
        a, b = servers
        b.is_well = False
        gh = gatehouse(INI % check, a=a.address, b=b.address)
        wait_health(gh, b, "down")
        return gh, a, b
    return make


def test_health_holds_without_a_steward(sick):
    """Killed and stopped: what it said holds meanwhile, and the next one goes
    on from there."""
    gh, a, b = sick(FAST)
    for _ in range(3):
        old = admin.steward(gh)
        kill_and_wait(old)
        assert ask(gh) == {"a": MORE}
        until(lambda: admin.steward(gh) not in (None, old), what="a new one")
        assert ask(gh) == {"a": MORE}
    seen = b.checks
    until(lambda: b.checks > seen + 2, what="checks of the new one")
    assert ask(gh) == {"a": MORE}
    b.is_well = True
    wait_health(gh, b, "up")
    assert set(ask(gh)) == {"a", "b"}
    # said by the first one, never repeated
    assert gh.stderr().count("server down") == 1


def test_a_stopped_steward_stops_nothing(sick):
    gh, a, b = sick(FAST)
    pid = admin.steward(gh)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert ask(gh) == {"a": MORE}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_reload_keeps_what_an_unchanged_check_said(sick):
    """And forgets what another one said."""
    gh, a, b = sick(ONCE)
    assert b.checks == 1
    gh.reload()
    assert ask(gh) == {"a": MORE}
    # it serves: the steward has been told, or is about to be
    wait_health(gh, b, "down")
    b.is_well = True
    gh.reload(INI % (ONCE + " rise=1"))
    wait_health(gh, b, "up")
    assert set(ask(gh)) == {"a", "b"}


def test_a_reload_may_end_checks(sick):
    gh, a, b = sick(ONCE)
    gh.reload((INI % ONCE).replace("health_check", "#"))
    wait_health(gh, b, "up")
    assert set(ask(gh)) == {"a", "b"}


def test_an_upgrade_keeps_health(sick):
    """The next master's steward takes over with the lease; what the operator
    wants holds as well."""
    gh, a, b = sick(FAST)
    assert run("server", "app", a.address, "weight", "7",
               "-c", gh.ini).returncode == 0
    gh.send_signal(signal.SIGUSR2)
    new = int(gh.notify.wait("MAINPID=")["MAINPID"])
    try:
        assert new != gh.process.pid
        assert ask(gh) == {"a": MORE}
        assert gh.process.wait(WAIT_S) == 0
        assert ask(gh) == {"a": MORE}
        seen = b.checks
        until(lambda: b.checks > seen + 2, what="checks of the next one")
        assert ask(gh) == {"a": MORE}
        upstream, = admin.status(gh)["upstreams"]
        assert [s["weight_order"] for s in upstream["servers"]] == [7, None]
        b.is_well = True
        until(lambda: set(ask(gh)) == {"a", "b"}, what="b again")
    finally:
        end_masters([new])
