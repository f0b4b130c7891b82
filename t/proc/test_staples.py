"""What is stapled outlives the steward that fetched it, the workers, and the
master: nobody asks the responder again before its time (doc/shm.md 6.5)."""
import signal

import pytest

from lib import admin, ocsp
from lib.certs import Authority
from lib.origin import ok
from lib.procs import end_masters, kill_and_wait, until, wait_gone
from lib.stapled import Held, await_state, chain, naming, staple, state

INI = """
[global]
workers = 2
log_level = info
pid_file = {dir}/pid
shutdown_timeout = 5s
[listen x]
address = 127.0.0.1:{port}
tls = on
[tls]
ocsp_stapling = on
[site a.test]
certificate = {chain}
certificate_key = {key}
respond = 200 worker={worker};
""" + admin.SECTION


@pytest.fixture(scope="module")
def ca():
    return Authority("staples")


@pytest.fixture
def start(gatehouse, origin, ca):
    """A gatehouse that staples; .responder has gone since."""
    masters = []

    def make():
        told = []
        responder = origin(lambda conn, request: conn.send(ok(told[0])))
        pem = naming(ca, f"p{responder.port}",
                     f"http://127.0.0.1:{responder.port}/")
        told.append(ocsp.respond(ca, pem))
        gh = gatehouse(INI, chain=chain(ca, pem.stem),
                       key=pem.with_suffix(".key"))
        await_state(gh, "good")
        assert len(responder.requests) == 1
        gh.responder = responder
        gh.masters = masters
        return gh

    yield make
    end_masters(masters)


def test_a_dead_steward(start, ca):
    gh = start()
    steward = admin.steward(gh)
    kill_and_wait(steward)
    assert "Cert Status: good" in staple(gh, ca)
    until(lambda: admin.steward(gh) not in (None, steward))
    until(lambda: admin.ask(gh, "GET", "/v1/status")[0] == 200)
    # the new one has been told, and knows without asking
    until(lambda: admin.status(gh)["certificates"])
    assert state(gh)["state"] == "good" and "problem" not in state(gh)
    assert len(gh.responder.requests) == 1


def test_dead_workers(start, ca):
    gh = start()
    before = gh.workers()
    for pid in before:
        kill_and_wait(pid)
    until(lambda: len(gh.workers()) == 2 and
          not set(gh.workers()) & set(before))
    for _ in range(4):
        held = Held(gh, ca)
        held.close()
        assert held.is_stapled
    assert len(gh.responder.requests) == 1


def test_an_upgrade(start, ca):
    gh = start()
    old = gh.process.pid
    gh.send_signal(signal.SIGUSR2)
    pid_file = gh.dir / "pid"
    until(lambda: int(pid_file.read_text()) != old, what="a new master")
    gh.masters.append(int(pid_file.read_text()))
    assert "Cert Status: good" in staple(gh, ca)
    wait_gone(old)
    assert "Cert Status: good" in staple(gh, ca)
    until(lambda: admin.status(gh)["certificates"])
    assert state(gh)["state"] == "good"
    assert len(gh.responder.requests) == 1
