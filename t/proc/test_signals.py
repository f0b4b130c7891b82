"""Signals and the words of -s: what each asks for (README, "Signals")."""
import os
import signal
import socket
import time

import pytest

from lib import h2
from lib.certs import Authority
from lib.gatehouse import run
from lib.procs import (Load, is_refused, kill_and_wait, status, stop,
                       until, wait_gone)
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
pid_file = {dir}/pid
shutdown_timeout = 30s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
"""
DRAINS = 10
DAEMON = INI.replace("[global]", "[global]\ndaemon = on\n"
                     "error_log = {dir}/error.log")


def proxy(ini, to):
    return ini.replace("respond = 200 one", f"upstream = {to}")


def send(gh, how):
    """By a signal's number, or by the word of -s."""
    if isinstance(how, str):
        done = run("-c", gh.ini, "-s", how)
        assert (done.returncode, done.stderr) == (0, "")
    else:
        gh.send_signal(how)


@pytest.mark.parametrize("how", [signal.SIGHUP, "reload"])
def test_hup_reads_the_configuration_again(gatehouse, how):
    """HUP, -s reload."""
    gh = gatehouse(INI)
    gh.write(INI.replace("200 one", "200 two"))
    send(gh, how)
    gh.notify.wait("RELOADING=1")
    gh.notify.wait("READY=1")
    with gh.client() as c:
        assert c.get().text == "two"


@pytest.mark.parametrize("how", [signal.SIGUSR1, "reopen"])
def test_usr1_opens_the_logs_again(gatehouse, how):
    """USR1, -s reopen: after a rename, lines go to a new file and none is
    lost."""
    gh = gatehouse(INI + "[log access]\npath = {dir}/a.log\n"
                   "format = {path}\nbuffer = none\n[log error]\n"
                   "path = {dir}/e.log\n")
    with gh.client() as c:
        c.get("/before")
        for name in ("a.log", "e.log"):
            (gh.dir / name).rename(gh.dir / (name + ".1"))
        send(gh, how)
        until(lambda: (gh.dir / "a.log").exists() and
              (gh.dir / "e.log").exists(), what="new files")

        def is_new():
            c.get("/after")
            return "/after" in (gh.dir / "a.log").read_text()
        until(is_new)
    assert "/before\n" in (gh.dir / "a.log.1").read_text()
    assert gh.stop() == 0
    assert "graceful stop" in (gh.dir / "e.log").read_text()


@pytest.mark.parametrize("how", [signal.SIGQUIT, "quit"])
def test_quit_finishes_what_runs_and_closes_what_idles(gatehouse, origin, how):
    """QUIT, -s quit: a running exchange gets its whole answer, an idle
    connection ends at once, nobody new is accepted, the status is 0."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(INI, o.address).replace("= 30s", "= 1h"))
    idle = gh.client()
    idle.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    until(lambda: held)
    held.pop().send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert idle.response().status == 200
    with idle, gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        send(gh, how)
        gh.notify.wait("STOPPING=1")
        assert idle.is_closed()
        assert gh.process.poll() is None
        until(lambda: is_refused(gh.port), what="the end of the listening")
        held[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        r = c.response()
        assert (r.text, r.get("connection")) == ("late", "close")
        # far from shutdown_timeout
        assert gh.process.wait(WAIT_S) == 0
    assert not (gh.dir / "pid").exists()


def test_quit_answers_what_has_already_been_sent(gatehouse):
    """Under load of kept connections no request is left without its answer:
    an idle connection is closed only when nothing is waiting in it."""
    gh = gatehouse(INI)
    conns = [gh.client() for _ in range(40)]
    for c in conns:
        assert c.get().status == 200
    workers = gh.workers()
    for pid in workers:
        stop(pid)
    for c in conns:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    gh.send_signal(signal.SIGQUIT)
    gh.notify.wait("STOPPING=1")
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    for c in conns:
        assert c.response().text == "one"
        c.close()
    assert gh.process.wait(WAIT_S) == 0


class Kept:
    """A kept connection that has had its first answer, by either version, in
    the clear or with TLS."""

    def __init__(self, gh, version, ca):
        self.is_h2 = version.startswith("h2")
        if not version.endswith("tls"):
            self.conn = (h2.Conn(("127.0.0.1", gh.port)) if self.is_h2 else
                         gh.client())
        elif self.is_h2:
            self.conn = h2.Conn(("127.0.0.1", gh.ports[1]),
                                tls=h2.tls_context())
        else:
            self.conn = gh.client(gh.ports[1], tls=ca.context(), name="test")
        assert self.status(self.ask()) == 200

    def ask(self):
        if self.is_h2:
            return self.conn.ask()
        return self.conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")

    def status(self, asked):
        if self.is_h2:
            return self.conn.answer(asked).status
        return asked.response().status


# A timeout, in seconds and as it is written; and a time that is longer.
TIME_S, TIME, OVER_S = 0.4, "400ms", 0.5


def stopped_in_time(worker, begin, end):
    """What begin() gives, with the worker stopped before TIME was over; if that
    was too late: end() of it, and once more."""
    def look():
        began = time.monotonic()
        made = begin()
        stop(worker)
        if time.monotonic() - began < TIME_S:
            return made
        os.kill(worker, signal.SIGCONT)
        return end(made)
    return until(look, what="a stop in time")


VERSIONS = pytest.mark.parametrize("version", ["h1", "h2", "h1-tls", "h2-tls"])
ONE = INI.replace("workers = 2", "workers = 1").replace(
    "[site", "h2c = on\n[site")
BOTH = ONE.replace("[site", "{more}[listen y]\naddress = 127.0.0.1:{port1}\n"
                   "tls = on\n{more}[site").replace(
    "hosts = *", "hosts = *\ncertificate = {pem}\ncertificate_key = {key}")


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("test", "test")
    return made


@pytest.fixture
def both(gatehouse, ca):
    """One worker behind a listener in the clear and one with TLS."""
    def start(ini="", more=""):
        return gatehouse(BOTH + ini, ports=2, more=more,
                         pem=ca.dir / "test.pem", key=ca.dir / "test.key")
    return start


@VERSIONS
def test_quit_answers_what_no_event_has_told_of(both, ca, version):
    """The word to end comes before the loop has seen the request."""
    gh = both("[log access]\npath = {dir}/a.log\n"
              "[log error]\npath = {dir}/e.log\n")
    c = Kept(gh, version, ca)
    [worker] = gh.workers()
    stop(worker)
    # the master's words are first in the loop's line then: when the error log
    # is there, the worker has been sent the other
    (gh.dir / "e.log").unlink()
    gh.send_signal(signal.SIGUSR1)
    until((gh.dir / "e.log").exists, what="new files")
    asked = c.ask()
    gh.send_signal(signal.SIGQUIT)
    gh.notify.wait("STOPPING=1")
    os.kill(worker, signal.SIGCONT)
    assert c.status(asked) == 200
    c.conn.close()
    assert gh.process.wait(WAIT_S) == 0


@VERSIONS
def test_an_idle_timeout_ends_no_request(both, ca, version):
    """It came in time, but the worker saw it when the time was over."""
    gh = both(more=f"idle_timeout = {TIME}\n")
    [worker] = gh.workers()
    c = stopped_in_time(worker, lambda: Kept(gh, version, ca),
                        lambda kept: kept.conn.close())
    over = time.monotonic() + OVER_S
    asked = c.ask()
    until(lambda: time.monotonic() > over, what="idle_timeout")
    os.kill(worker, signal.SIGCONT)
    assert c.status(asked) == 200
    c.conn.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_whoever_ends_with_the_master_is_not_replaced(gatehouse, how):
    """Nor told as lost, however long it lived."""
    gh = gatehouse(INI.replace("workers = 2", "workers = 8"))
    old = time.monotonic() + 1.1
    until(lambda: time.monotonic() > old, what="a worker's youth to end")
    assert gh.stop(how) == 0
    assert " error " not in gh.stderr(), gh.stderr()


def test_an_origin_is_not_late_because_the_worker_is(gatehouse, origin):
    """Its answer came in time, but the worker saw it when the time was over."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(ONE, o.address) + f"timeout = {TIME}\n")
    [worker] = gh.workers()

    def ask():
        held.clear()
        c = gh.client()
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        return c
    with stopped_in_time(worker, ask, lambda c: c.close()) as c:
        over = time.monotonic() + OVER_S
        held[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsoon")
        until(lambda: time.monotonic() > over, what="timeout")
        os.kill(worker, signal.SIGCONT)
        assert c.response().text == "soon"


def test_quit_ends_at_the_shutdown_timeout(gatehouse, origin):
    """shutdown_timeout bounds the graceful stop."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(INI, o.address).replace("= 30s", "= 200ms"))
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        assert gh.stop(signal.SIGQUIT) == 0


def test_without_a_shutdown_timeout_a_quit_takes_as_long_as_it_takes(
        gatehouse, origin):
    """`shutdown_timeout = none`: what runs is finished (reload and quit)."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(INI, o.address).replace("= 30s", "= none"))
    with gh.client() as old, gh.client() as c:
        old.send(b"GET /old HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: len(held) == 1)
        gh.reload()
        c.send(b"GET /new HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: len(held) == 2)
        gh.send_signal(signal.SIGQUIT)
        gh.notify.wait("STOPPING=1")
        # longer than the time that a bounded stop would have
        with pytest.raises(TimeoutError):
            gh.notify.wait("nothing", timeout=5)
        for conn in held:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        assert [old.response().text, c.response().text] == ["late"] * 2
    assert gh.process.wait(WAIT_S) == 0


def test_a_quit_tells_nothing_of_a_worker_that_has_ended(gatehouse):
    """QUIT: a worker that ends before it is told to is no failure to tell it;
    that it died is said once."""
    gh = gatehouse(INI)
    dead = gh.workers()[0]
    gh.send_signal(signal.SIGSTOP)
    until(lambda: status(gh.process.pid)["State"].startswith("T"))
    # the master sees the request first, then the death
    gh.send_signal(signal.SIGQUIT)
    os.kill(dead, signal.SIGKILL)
    until(lambda: status(dead)["State"].startswith("Z"))
    gh.send_signal(signal.SIGCONT)
    assert gh.process.wait(WAIT_S) == 0
    assert gh.stderr().count(f"worker died pid={dead} signal=9") == 1
    assert "not told" not in gh.stderr()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "stop"])
def test_term_is_fast(gatehouse, origin, how):
    """TERM, INT, -s stop: what runs is cut, no child is left, status 0."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(INI, o.address).replace("= 30s", "= none"))
    children = list(gh.children())
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        send(gh, how)
        assert gh.process.wait(WAIT_S) == 0
    for pid in children:
        wait_gone(pid)
    assert not (gh.dir / "pid").exists()


def test_term_after_quit_is_fast(gatehouse, origin):
    """Who lost patience with a graceful stop."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(proxy(INI, o.address).replace("= 30s", "= none"))
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held)
        gh.send_signal(signal.SIGQUIT)
        gh.notify.wait("STOPPING=1")
        assert gh.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("sig", [signal.SIGWINCH, signal.SIGTTIN,
                                 signal.SIGTTOU])
def test_the_foreground_ignores_what_terminals_send(gatehouse, sig):
    """WINCH, TTIN and TTOU come from a window and from job control; who sent
    one by hand is told that it did nothing."""
    gh = gatehouse(INI)
    before = sorted(gh.workers())
    gh.send_signal(sig)
    until(lambda: f"signal={int(sig)} ignored" in gh.stderr())
    assert sorted(gh.workers()) == before
    with gh.client() as c:
        assert c.get().status == 200


@pytest.mark.parametrize("how", [signal.SIGWINCH, "drain"])
def test_winch_drains_a_daemon_and_hup_brings_it_back(daemon, how):
    """WINCH, -s drain: workers finish and go, the master stays."""
    d = daemon(DAEMON)
    assert d.result.returncode == 0, d.result.stderr
    old = d.workers()
    if isinstance(how, str):
        assert run("-c", d.ini, "-s", how).returncode == 0
    else:
        d.signal(how)
    for pid in old:
        wait_gone(pid)
    until(lambda: is_refused(d.port), what="the end of the last listening socket")
    # its helper dies meanwhile: nothing to give the next one, no reason to end
    steward, = until(lambda: d.children("(health)"))
    kill_and_wait(steward)
    # what is wrong with the next configuration is still told
    d.write(DAEMON.replace("workers", "wrokers"))
    d.signal(signal.SIGHUP)
    until(lambda: "did you mean 'workers'" in
          (d.dir / "error.log").read_text())
    d.write(DAEMON)
    d.signal(signal.SIGHUP)
    until(lambda: len(d.workers()) == 2, what="new workers")
    until(lambda: not is_refused(d.port), what="service")
    until(lambda: len(d.children("(health)")) == 1, what="a new steward")


def test_a_drain_ends_a_reload_that_is_under_way(daemon):
    """The service manager is told READY=1 for each RELOADING=1, or it waits
    until its own time limit (sd_notify(3))."""
    d = daemon(DAEMON)
    d.notify.wait("READY=1")
    for _ in range(DRAINS):
        d.signal(signal.SIGHUP)
        d.notify.wait("RELOADING=1")
        d.signal(signal.SIGWINCH)
        d.notify.wait("READY=1")
        until(lambda: len(d.children()) == 1, what="the drain")


def test_ttin_and_ttou_change_the_number_of_workers(daemon):
    """One more, one fewer, never none; a reload keeps the difference."""
    d = daemon(DAEMON.replace("30s", "1s"))
    for sig, n in ((signal.SIGTTIN, 3), (signal.SIGTTIN, 4),
                   (signal.SIGHUP, 4), (signal.SIGTTOU, 3),
                   (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)):
        d.signal(sig)
        until(lambda: len(d.workers()) == n, what=f"{n} workers")
    d.signal(signal.SIGTTOU)
    with Load(d.port, 1, 1) as load:
        load.wait_answers(20)
    assert not load.failures
    assert len(d.workers()) == 1


def test_a_worker_that_leaves_does_not_stand_in_for_a_dead_one(daemon, origin):
    """TTOU with a long exchange: the last one that accepts is replaced at
    once when it dies."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    d = daemon(proxy(DAEMON, o.address))
    old = set(d.workers())
    socks = []
    # until both workers hold one
    for _ in range(64):
        s = socket.create_connection(("127.0.0.1", d.port))
        s.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        socks.append(s)
    until(lambda: len(held) == 64)
    d.signal(signal.SIGTTOU)
    log = d.dir / "error.log"
    until(lambda: "workers=1" in log.read_text())
    # the one that stays: the oldest
    stays = min(old, key=lambda pid: d.children()[pid])
    kill_and_wait(stays)
    o.script = lambda conn, request: conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with Load(d.port, 0, 1) as load:
        load.wait_answers(3)
    for s in socks:
        s.close()


@pytest.mark.parametrize("pid_file, words", [
    (None, "names no pid_file"),
    ("none-there", "cannot read"),
    ("stale", "is stale: no gatehouse runs there"),
    ("junk", "is stale"),
    ("empty", "is stale"),
])
def test_s_without_a_running_one_is_a_clear_error(tmp_path, pid_file, words):
    """-s: no pid_file, no such file, nobody behind it."""
    (tmp_path / "stale").write_text(f"{os.getpid()}\n")
    (tmp_path / "junk").write_text("-1\n")
    (tmp_path / "empty").write_text("")
    ini = tmp_path / "x.ini"
    line = f"pid_file = {tmp_path / pid_file}\n" if pid_file else ""
    ini.write_text(f"[global]\n{line}[site s]\nrespond = 200 x\n")
    done = run("-c", ini, "-s", "reload")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith("gatehouse: ")


def test_s_with_an_unknown_word_names_the_known_ones():
    """-s relaod."""
    done = run("-s", "relaod")
    assert done.returncode == 2
    for word in ("relaod", "reload", "reopen", "upgrade", "quit", "stop",
                 "drain"):
        assert word in done.stderr


def test_s_works_with_a_broken_configuration(gatehouse):
    """Its errors are told, but a stop is a stop."""
    gh = gatehouse(INI)
    gh.write(INI + "nonsense = 1\n")
    done = run("-c", gh.ini, "-s", "quit")
    assert done.returncode == 0
    assert "unknown key 'nonsense'" in done.stderr
    assert gh.process.wait(WAIT_S) == 0
