"""Deaths at every step of what a request does in shared memory, in the real
program under traffic (doc/shm.md 6 and 7)."""
import contextlib
import os
import signal

import pytest

from lib import admin, crash
from lib.dns import Dns
from lib.origin import OK
from lib.procs import until, wait_gone

# The program is made once.
pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.long]
# Upstreams, each of which is used for one death: their names are not known yet.
UPSTREAMS = 60
STEPS_MAX = 40
INI = """
[global]
workers = 2
log_level = info
dns_servers = {dns}
%s
[listen x]
address = 127.0.0.1:{port}
[site who]
hosts = *
respond = 200 {worker}
""" + admin.SECTION + "".join(f"""
[site s{i}]
hosts = u{i}
upstream = u{i}
[upstream u{i}]
balance = least_conn
server = a{i}.test:{{to}}
server = b{i}.test:{{to}}
[site n{i}]
hosts = n{i}
upstream = n{i}
[upstream n{i}]
server = n{i}.test:{{to}}
""" for i in range(UPSTREAMS))


@pytest.fixture(scope="module")
def program():
    return crash.build()


class Scene:
    """One gatehouse, a name server, an origin that holds what asks /hold."""

    def __init__(self, program, folder, origin, stack, more=""):
        self.held = []
        self.origin = origin(self.serve)
        self.dns = Dns({f"{k}{i}.test": ["127.0.0.1"] for k in "abn"
                        for i in range(UPSTREAMS)})
        stack.callback(self.dns.close)
        crash.Crashing.binary = program
        self.gh = crash.Crashing(folder, INI % more,
                                 to=self.origin.port, dns=self.dns.address)
        stack.callback(self.gh.close)
        self.next = 0
        self.last_victim = 1

    def serve(self, conn, request):
        if request.target == "/hold":
            self.held.append(conn)
        else:
            conn.send(OK)

    @contextlib.contextmanager
    def death(self, step, how=crash.DIE, first=lambda: None):
        """One worker is to end at its step while it serves a request, the
        other one has a request that stays. Gives (the upstream, the other
        worker's second connection, the victim's pid or None if it had fewer
        steps); when it ends, all is as before, or else it fails."""
        gh = self.gh
        gh.settled()
        name = f"u{self.next}"
        self.next += 1
        conns, more = gh.pair(), gh.pair()
        self.last_victim = victim = 1 - self.last_victim
        holder, n_held = conns[1 - victim], len(self.held)
        holder.send(b"GET /hold HTTP/1.1\r\nHost: %s\r\n\r\n" % name.encode())
        until(lambda: len(self.held) > n_held, what="a request that is held")
        gh.wait_active(name, 1)
        pid = gh.pid_of(victim)
        first()
        crash.arm(pid, step, how)
        is_lost = self.ask(conns[victim], name, how, pid)
        yield name, more[1 - victim], pid if is_lost else None
        # whatever it did: what it had in flight is counted no more
        gh.settled()
        gh.wait_active(name, 1)
        self.held.pop().send(OK)
        assert holder.response().text == "ok"
        gh.wait_active(name, 0)
        for client in [*conns.values(), *more.values()]:
            client.close()

    def ask(self, client, name, how, pid):
        if how == crash.DIE:
            return crash.is_lost(client, name, pid)
        client.send(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % name.encode())
        return until(lambda: spins(pid), what="a worker in a circle")


def spins(pid):
    """It runs, in user mode, for a while without an end, or is dead of it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return True
    state, utime = fields[0], int(fields[11])
    return state in "ZX" or \
        state == "R" and utime >= os.sysconf("SC_CLK_TCK") // 10


@pytest.fixture
def scene(program, tmp_path, origin):
    with contextlib.ExitStack() as stack:
        yield lambda more="": Scene(program, tmp_path, origin, stack, more)


def check_the_rest(s, name, other, pid):
    """The other worker goes on, at once."""
    wait_gone(pid)
    assert other.get(host=name).text == "ok"
    assert int(other.get().text) == 1 - s.last_victim


def test_a_death_at_every_step_of_a_request(scene):
    """Only its own connections are lost, the numbers of servers come back, and
    the next request is right; none of the steps hangs anybody."""
    s = scene()
    for step in range(1, STEPS_MAX):
        with s.death(step) as (name, other, pid):
            if pid is None:
                break
            check_the_rest(s, name, other, pid)
        with s.gh.client() as c:
            assert c.get(host=name).text == "ok"
        # of the dead one's own try one may be uncounted
        assert s.gh.numbers(name)["requests"] in (3, 4)
        assert s.gh.numbers(name)["failures"] == 0
    # to begin and to end
    assert 8 <= step < STEPS_MAX
    log = s.gh.stderr()
    assert log.count("worker died") == step - 1
    assert log.count("repaired slot=") == step - 1


def test_a_death_of_the_steward_at_every_step_of_repair(scene):
    """What one steward began the next one ends; workers do not wait for it."""
    s = scene()
    for worker_step in (3, 7):
        for step in range(1, 7):
            steward = until(lambda: admin.steward(s.gh))
            with s.death(worker_step,
                         first=lambda: crash.arm(steward, step)) as (
                             name, other, pid):
                check_the_rest(s, name, other, pid)
                wait_gone(steward)
    assert s.gh.stderr().count("steward died") == 12


def test_a_steward_that_dies_with_an_answer_is_mended(scene):
    """It ends at each step of telling what a name server told it: the name
    serves on, its successor asks, and what is said next is known to all."""
    s = scene()
    gh = s.gh
    name, there = "n0.test", ["127.0.0.1"]
    gh.reload(gh.ini.read_text().replace(
        f"{name}:{s.origin.port}", f"{name}:{s.origin.port} resolve=1s"))
    for step in range(1, 7):
        gh.settled()
        steward = until(lambda: admin.steward(gh))
        crash.arm(steward, step)
        s.dns.zone[name] = there + ["127.0.0.2"] * (step % 2)
        wait_gone(steward)
        with gh.client() as c:
            assert c.get(host="n0").text == "ok"
    s.dns.zone[name] = there + ["127.0.0.3"]
    until(lambda: "127.0.0.3" in str(admin.status(gh)["upstreams"]),
          what="the new address")
    with gh.client() as c:
        assert c.get(host="n0").text == "ok"
    assert gh.stderr().count("steward died") == 6


@pytest.mark.parametrize("step", [3, 7])
def test_a_worker_in_a_circle_is_ended(scene, step):
    """worker_watchdog: it does not sleep, but its heart does not beat; whatever
    it holds is mended, and nobody waits for it meanwhile."""
    s = scene("worker_watchdog = 2s")
    with s.death(step, crash.SPIN) as (name, other, pid):
        assert other.get(host=name).text == "ok"
        check_the_rest(s, name, other, pid)
    log = s.gh.stderr()
    assert f"worker shows no life pid={pid}" in log
    assert f"worker died pid={pid} signal={int(signal.SIGABRT)}" in log
    assert "repaired slot=" in log


def test_a_stopped_worker_is_ended_and_mended(scene):
    """worker_watchdog: the requests it had are counted no more."""
    s = scene("worker_watchdog = 2s")
    gh = s.gh
    conns = gh.pair()
    conns[0].send(b"GET /hold HTTP/1.1\r\nHost: u0\r\n\r\n")
    until(lambda: s.held)
    gh.wait_active("u0", 1)
    pid = gh.pid_of(0)
    os.kill(pid, signal.SIGSTOP)
    assert conns[1].get(host="u0").text == "ok"
    wait_gone(pid)
    gh.settled()
    gh.wait_active("u0", 0)
    assert f"worker shows no life pid={pid}" in gh.stderr()
    for client in conns.values():
        client.close()
