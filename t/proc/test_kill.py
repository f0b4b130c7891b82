"""Violent deaths: what is lost, what comes back, who follows whom."""
import os
import random
import shutil
import signal
import subprocess

import pytest

from lib.procs import (Load, kill_and_wait, meet_workers, settled, status,
                       until, wait_gone, worker_pids)
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
shutdown_timeout = 1s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 {worker}
"""


def nursery_of(gh):
    """Its pid, when all that it forked has a title of its own."""
    settled(gh)
    nursery, = gh.children("generation")
    return nursery


def respawned(gh, old):
    return until(lambda: len(gh.workers()) == 2 and old not in gh.workers(),
                 what="a new worker")


def test_kill_under_load_refuses_nobody(gatehouse):
    """A worker dies every 500 ms: connections are lost, none is refused."""
    gh = gatehouse(INI)
    clients, kills = 8, 16
    with Load(gh.port, clients // 2, clients // 2) as load:
        for i in range(kills):
            load.is_over.wait(0.5)
            pids = until(gh.workers, what="a live worker")
            kill_and_wait(random.choice(pids))
        load.wait_answers(50)
    assert not load.refused()
    # a client has one connection at a time, and loses it at most once a kill
    assert len(load.failures) <= clients * kills
    assert all(way in ("_keep", "_shot") and
               ("Reset" in what or "BrokenPipe" in what or "answer b''" in what)
               for way, what, _ in load.failures), load.failures


def test_only_its_own_connections_are_lost(gatehouse):
    """Idle connections of the dead worker end, all others go on."""
    gh = gatehouse(INI)

    def visit():
        client = gh.client()
        return int(client.get().text), client
    kept = meet_workers(visit)
    while len(kept) < 8:
        kept.append(visit())
    victim = kept[0][0]
    assert {who for who, _ in kept} == {0, 1}
    old = worker_pids(gh)[victim]
    kill_and_wait(old)
    for who, client in kept:
        if who == victim:
            client.is_closed()
        else:
            assert int(client.get().text) == who
        client.close()
    respawned(gh, old)
    with gh.client() as c:
        assert c.get().status == 200
    assert f"worker died pid={old} signal=9" in gh.stderr()


def test_the_last_worker_is_replaced_and_nobody_is_refused(gatehouse):
    """Without any worker the master's socket still takes connections."""
    gh = gatehouse(INI.replace("workers = 2", "workers = 1"))
    for _ in range(3):
        kill_and_wait(gh.workers()[0])
        with gh.client() as c:
            assert c.get().status == 200


@pytest.mark.parametrize("title", ["(health)", "generation"])
def test_helpers_of_the_master_come_back(gatehouse, title):
    """The steward and the nursery are made anew, workers go on."""
    gh = gatehouse(INI)
    old, = until(lambda: gh.children(title))
    with gh.client() as c:
        c.get()
        kill_and_wait(old)
        assert c.get().status == 200
        new, = until(lambda: [p for p in gh.children(title) if p != old],
                     what=f"a new {title}")
        assert new != old
    worker = gh.workers()[0]
    kill_and_wait(worker)
    respawned(gh, worker)


def test_worker_and_nursery_die_together(gatehouse):
    """The nursery is made first, then the worker."""
    gh = gatehouse(INI)
    nursery = nursery_of(gh)
    worker = gh.workers()[0]
    os.kill(nursery, signal.SIGKILL)
    kill_and_wait(worker)
    respawned(gh, worker)
    with gh.client() as c:
        assert c.get().status == 200


def test_a_reload_follows_the_nurserys_death(gatehouse):
    """A generation that lost its nursery retires like any other."""
    gh = gatehouse(INI)
    kill_and_wait(nursery_of(gh))
    gh.reload()
    with gh.client() as c:
        assert c.get().status == 200


def test_a_nursery_that_cannot_prepare_any_more_does_not_spin(gatehouse):
    """Its file went away after the start: workers go on, and the master waits
    longer and longer before it tries again; when the file is back, a worker
    can be replaced again."""
    gh = gatehouse(INI.replace("hosts = *", "hosts = *\nrespond = none")
                   .replace("respond = none\nrespond = 200 {worker}",
                            "respond = 200 file:page.txt"), wait=False)
    gh.process.wait(WAIT_S)
    page = gh.dir / "page.txt"
    page.write_text("page")
    gh = gatehouse(INI.replace("200 {worker}", f"200 file:{page}"))
    page.unlink()
    kill_and_wait(nursery_of(gh))
    until(lambda: gh.stderr().count("cannot read") >= 3, what="some tries")
    with gh.client() as c:
        tries = gh.stderr().count("cannot read")
        assert c.get().text == "page"
    assert tries < 20
    page.write_text("page")
    worker = gh.workers()[0]
    kill_and_wait(worker)
    respawned(gh, worker)


def test_children_end_when_the_master_is_killed(gatehouse):
    """They notice by themselves: first nobody new, then nobody at all."""
    gh = gatehouse(INI)
    gh.expect_bad_end = True
    children = list(settled(gh))
    gh.process.kill()
    gh.process.wait()
    for pid in children:
        wait_gone(pid)
    with pytest.raises(ConnectionRefusedError):
        gh.client()


def test_a_running_exchange_outlives_the_master(gatehouse, origin):
    """Its worker finishes what runs."""
    o = origin()
    gh = gatehouse(INI.replace("respond = 200 {worker}",
                               "upstream = {origin}")
                   .replace("= 1s", "= 30s"), origin=o.address)
    gh.expect_bad_end = True
    children = list(gh.children())
    held = []
    o.script = lambda conn, request: held.append(conn)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        o.wait_requests()
        until(lambda: held)
        gh.process.kill()
        gh.process.wait()
        held[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        assert c.response().text == "late"
        assert c.is_closed()
    for pid in children:
        wait_gone(pid)


def test_a_worker_that_shows_no_life_is_replaced(gatehouse):
    """worker_watchdog: SIGABRT, then SIGKILL, then as after any death."""
    gh = gatehouse(INI.replace("workers = 2",
                               "workers = 2\nworker_watchdog = 2s"))
    old = gh.workers()[0]
    os.kill(old, signal.SIGSTOP)
    wait_gone(old)
    respawned(gh, old)
    assert f"worker shows no life pid={old}" in gh.stderr()
    with gh.client() as c:
        assert c.get().status == 200


def test_a_steward_that_shows_no_life_is_replaced(gatehouse):
    """worker_watchdog holds for it, too; nobody else notices."""
    gh = gatehouse(INI.replace("workers = 2",
                               "workers = 2\nworker_watchdog = 4s"))
    workers = sorted(gh.workers())
    old, = until(lambda: gh.children("(health)"))
    os.kill(old, signal.SIGSTOP)
    wait_gone(old)
    until(lambda: gh.children("(health)"), what="a new one")
    assert f"steward shows no life pid={old}" in gh.stderr()
    assert sorted(gh.workers()) == workers


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_worker_without_a_first_heartbeat_is_replaced(gatehouse, tmp_path):
    """Who hangs right after its first word, which tells its pid, has lived
    since its birth."""
    gh = gatehouse(INI.replace("workers = 2",
                               "workers = 2\nworker_watchdog = 2s"))
    nursery = nursery_of(gh)
    said = tmp_path / "strace"
    with open(said, "wb") as err, subprocess.Popen(
            ["strace", "-f", "-p", str(nursery), "-e", "trace=sendmsg", "-e",
             "inject=sendmsg:delay_exit=3600s:when=1"],
            stderr=err) as strace:
        until(lambda: status(nursery)["TracerPid"] == str(strace.pid))
        kill_and_wait(gh.workers()[0])
        until(lambda: "worker shows no life" in gh.stderr())
        # which would be told of its end first, and sleeps
        strace.kill()
    until(lambda: gh.stderr().count("worker died") >= 2,
          what="the end of the one that hangs")
    until(lambda: len(gh.workers()) == 2, what="two workers")
    with gh.client() as c:
        assert c.get().status == 200


def test_a_busy_but_living_worker_is_left_alone(gatehouse):
    """The watchdog looks at life, not at traffic: idle workers keep living."""
    gh = gatehouse(INI.replace("workers = 2",
                               "workers = 2\nworker_watchdog = 5s"))
    before = sorted(gh.workers())
    with Load(gh.port, 1, 1) as load:
        # an idle one that did not beat would be long dead
        load.is_over.wait(8)
        load.wait_answers(10)
    assert sorted(gh.workers()) == before
    assert "shows no life" not in gh.stderr()
