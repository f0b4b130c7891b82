"""Three real origins of which one at a time breaks: no client of an idempotent
request feels it, but one whose answer had begun (doc/resilience.md). Whatever
broke, nothing is left counted or open."""
import collections
import contextlib
import os
import threading

import pytest

from lib.chaos import (DOWN_S, Clients, H2Load, Namespace, NginxOrigin, Relay,
                       World)
from lib.procs import kill_and_wait, until

# What a busy machine may add to any documented bound.
SLACK_S = 5
RETRY = "retry = connect reset invalid timeout\n"
EJECT = "eject = reset>=3 5xx>=3 for=200ms\n"
# How an answer ends that had begun when its server died, whose first bytes may
# not have left yet; a busy machine takes it in pieces. How many at most.
CUT = {"Truncated", "Closed", "ConnectionResetError"}
CUT_MAX = 4
# of h2load: no status but 2xx
NO_ERRORS = " 0 3xx, 0 4xx, 0 5xx"
CHECK = "health_check = tcp interval=200ms timeout=200ms rise=2 fall=2\n"


@pytest.fixture
def world(tmp_path):
    """world(upstream, ...) gives (world, origins): the first one is `first`
    when that is given."""
    with contextlib.ExitStack() as stack:
        def make(upstream, proto="", first=None, n=3):
            origins = [first] if first else []
            for name in "abc"[len(origins):n]:
                origins.append(NginxOrigin(tmp_path, name, proto))
                stack.callback(origins[-1].close)
            made = World(tmp_path, origins, upstream)
            stack.callback(made.close)
            return made, origins

        yield make


@pytest.fixture
def nginx(tmp_path):
    origin = NginxOrigin(tmp_path, "a")
    yield origin
    origin.close()


@pytest.fixture
def relay(nginx):
    relay = Relay(nginx)
    yield relay
    relay.close()


@contextlib.contextmanager
def load(world, may_cut=False, **kwargs):
    """Clients of both kinds; whoever fails, fails the test. may_cut: not an
    answer that had begun and broke where one could see it."""
    with Clients(world.port, **kwargs) as clients:
        with H2Load(world.port) as h2:
            for origin in world.origins:
                clients.wait_answer(origin.name, SLACK_S)
            yield clients
    cut = [f for f in clients.failures if may_cut and f[0] in CUT]
    assert [f for f in clients.failures if f not in cut] == []
    assert len(cut) <= CUT_MAX
    assert [said for said in h2.failures
            if not (may_cut and NO_ERRORS in said)] == []
    assert h2.runs > 0 and clients.got["ok"] > 0
    world.check_rest()


def rest():
    """The time that something stays broken: it is the case that is tested."""
    threading.Event().wait(DOWN_S)


def recovers(world, clients, origin, bound_s=0):
    """It is asked again as soon as the documents say."""
    clients.wait_answer(
        origin.name, bound_s + world.ejected_ms(origin) / 1000 + SLACK_S)


@pytest.mark.parametrize("upstream, bound_s", [
    ("", 0), (EJECT, 0), (CHECK, 2 * 0.2 + 0.2)],
    ids=["alone", "eject", "health_check"])
def test_killed(world, upstream, bound_s):
    """SIGKILL: connections break and none is taken; back after 0.5 s."""
    w, origins = world(upstream + RETRY)
    with load(w, may_cut=True) as clients:
        for i in range(4):
            one = origins[i % 3]
            one.kill()
            rest()
            one.start()
            recovers(w, clients, one, bound_s)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_only_one_is_killed(world, nginx, method):
    """Nobody else can be asked: requests wait until it is back. What it had of
    a POST is lost with it; all others, and every GET, go on."""
    w, origins = world(RETRY, first=nginx, n=1)
    body = b"x" * 3000 if method == "POST" else b""
    with Clients(w.port, method=method, body=body) as clients:
        for _ in range(3):
            clients.wait_answer("a", SLACK_S)
            origins[0].kill()
            rest()
            origins[0].start()
            clients.wait_answer("a", SLACK_S)
    lost = clients.got[502] if method == "POST" else 0
    assert clients.got == {"ok": clients.got["ok"], **({502: lost} if lost
                                                       else {})}
    assert lost <= 3 * len(clients.threads)
    w.check_rest()


def test_killed_behind_http2(world):
    """Many requests at once break with one connection; nginx sends a head and
    its content apart, so that it may die in between."""
    w, origins = world("protocol = h2\n" + RETRY + EJECT, proto=" http2")
    with load(w, may_cut=True, n=6) as clients:
        for one in origins:
            one.kill()
            rest()
            one.start()
            recovers(w, clients, one)


@pytest.mark.parametrize("upstream", ["", EJECT], ids=["alone", "eject"])
def test_stopped(world, upstream):
    """SIGSTOP: the kernel takes connections, and nobody answers. Who met it is
    answered by another one after try_timeout."""
    w, origins = world(upstream + RETRY + "try_timeout = 200ms")
    with load(w) as clients:
        for one in origins:
            one.stop()
            rest()
            one.go_on()
            recovers(w, clients, one)


@pytest.mark.parametrize("mode", ["slow", "garbage", "cut_head"])
def test_one_talks_nonsense(world, relay, mode):
    """Later than try_timeout, no HTTP at all, half a head."""
    w, _ = world(EJECT + RETRY + "try_timeout = 200ms", first=relay)
    with load(w) as clients:
        for _ in range(3):
            relay.mode = mode
            rest()
            relay.mode = "pass"
            recovers(w, clients, relay)


def test_the_network_is_cut(world, tmp_path):
    """A link goes down: no reset, no refusal, nothing comes back."""
    try:
        net = Namespace(os.getpid())
    except OSError as err:
        pytest.skip(f"no network namespace here: {err}")
    with contextlib.ExitStack() as stack:
        stack.callback(net.close)
        far = NginxOrigin(tmp_path, "a", host=net.host, prefix=net.prefix)
        stack.callback(far.close)
        w, _ = world(EJECT + RETRY + "try_timeout = 200ms", first=far)
        with load(w) as clients:
            for _ in range(2):
                net.cut()
                rest()
                net.join()
                recovers(w, clients, far)


def test_a_begun_body_breaks_visibly(world, relay):
    """The one failure that clients see: and they do see it. No answer that
    broke looks whole, over HTTP/1.1 and HTTP/2."""
    w, _ = world(RETRY, first=relay)
    with Clients(w.port) as clients, H2Load(w.port) as h2:
        clients.wait_answer("a", SLACK_S)
        relay.mode = "cut_body"
        rest()
        relay.mode = "pass"
        clients.wait_answer("a", SLACK_S)
    assert set(clients.got) == {"ok", "Truncated"}
    # the broken ones are not among the good
    assert h2.failures and all(NO_ERRORS in said for said in h2.failures)
    w.check_rest()


def test_what_is_not_idempotent_is_sent_once(world):
    """POST: what reached an origin reaches no other one (RFC 9110 9.2.2), what
    reached none is sent to the next. Its clients may see 502, and nothing
    else."""
    w, origins = world(EJECT + RETRY + "try_timeout = 200ms")
    with Clients(w.port, method="POST", body=b"x" * 3000) as clients:
        for one in origins:
            clients.wait_answer(one.name, SLACK_S)
            one.kill()
            rest()
            one.start()
            recovers(w, clients, one)
            one.stop()
            rest()
            one.go_on()
            recovers(w, clients, one)
    assert set(clients.got) <= {"ok", 502, 504}
    # those whose bytes a server had; the thousands that met no server went on
    assert clients.got[502] + clients.got[504] <= 8 * len(clients.threads)
    asked = sum((one.asked() for one in origins), collections.Counter())
    assert asked and set(asked.values()) == {1}
    w.check_rest()


def test_a_worker_dies_with_requests_at_a_stopped_server(world):
    """Both break at once: what the dead one had under way is counted no more,
    and the next one serves."""
    w, origins = world(RETRY + "try_timeout = 30s")
    origins[0].stop()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(w.gh.client()) for _ in range(12)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        address = origins[0].address
        until(lambda: w.servers()[address]["active"] >= 2,
              what="requests at the stopped one")
        for pid in w.gh.workers():
            kill_and_wait(pid)
    until(lambda: not w.servers()[address]["active"],
          what="no request of the dead ones")
    origins[0].go_on()
    with Clients(w.port) as clients:
        for one in origins:
            clients.wait_answer(one.name, SLACK_S)
    assert clients.failures == []
