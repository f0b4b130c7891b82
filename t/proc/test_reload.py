"""HUP: a new configuration comes whole or not at all."""
import contextlib
import os
import signal
import socket
import time

import pytest

from lib import admin
from lib.procs import (Load, is_refused, kill_and_wait, stop, until,
                       wait_gone)

INI = """
[global]
workers = 2
shutdown_timeout = 2s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
"""

# Of what may be over before it is seen.
TRIES = 20
# Of what is seen once in ten times.
MANY = 20


def get(gh, port=None):
    with gh.client(port) as c:
        return c.get().text


def bad_reload(gh, ini):
    """A reload that must be refused; returns what was said about it."""
    before = len(gh.stderr())
    gh.reload(ini)
    return gh.stderr()[before:]


@pytest.mark.parametrize("bad, words", [
    ("[global]\nworkres = 2\nworker_watchdog = 10\n",
     ["did you mean 'workers'", "a duration needs a unit", "2 errors"]),
    (INI.replace("respond = 200 one", "upstream = app"),
     ["upstream 'app' is not defined", "1 error"]),
    (INI + "[route test ~ ^/(]\nrespond = 200 x\n"
     "[route test ~ ^/[]\nrespond = 200 x\n", ["regex", "2 errors"]),
    (INI + "[log access]\npath = {dir}/no/such/log\n",
     ["cannot open the log", "1 error"]),
    (INI + "[listen y]\naddress = 127.0.0.1:{taken}\n",
     ["cannot listen on", "Address already in use", "1 error"]),
    ("", ["1 error"]),
], ids=["reader", "names", "prepare", "log", "listen", "empty"])
def test_a_bad_configuration_changes_nothing(gatehouse, bad, words):
    """Each error is in the log with its place, the old one goes on, with the
    processes it has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gh = gatehouse(INI, taken=taken.getsockname()[1])
        before = sorted(gh.workers())
        if bad == "" :
            gh.ini.unlink()
            gh.ini.mkdir()
            bad = None
        said = bad_reload(gh, bad)
        for word in words:
            assert word in said, said
        assert "(generation 1) was left as it is" in said
        assert sorted(gh.workers()) == before
        assert get(gh) == "one"


def test_after_a_bad_reload_a_good_one_works(gatehouse):
    """Nothing of the failed one stays in the way."""
    gh = gatehouse(INI)
    for _ in range(3):
        bad_reload(gh, INI.replace("respond", "respnod"))
        bad_reload(gh, INI + "[route test ~ (]\nrespond = 200 x\n")
    gh.reload(INI.replace("200 one", "200 two"))
    assert get(gh) == "two"
    until(lambda: len(gh.children()) == 4, what="the end of the old ones")


def test_listen_addresses_come_and_go(gatehouse):
    """The new address serves, the old one refuses, the kept one never does."""
    ini = INI.replace("127.0.0.1:{port}",
                      "127.0.0.1:{port} 127.0.0.1:{port1}")
    gh = gatehouse(ini, ports=3)
    assert [get(gh, p) for p in gh.ports[:2]] == ["one", "one"]
    with Load(gh.port, 1, 2) as load:
        gh.reload(ini.replace("{port1}", "{port2}"))
        load.wait_answers(20)
    assert not load.failures
    assert get(gh, gh.ports[2]) == "one"
    until(lambda: is_refused(gh.ports[1]), what="the end of the old address")


def test_a_reload_ends_when_the_old_ones_accept_nothing_more(gatehouse):
    """One that gets no CPU could still take a connection that comes behind it:
    its word is waited for, but for a second at most."""
    gh = gatehouse(INI + admin.SECTION)
    old = gh.workers()[0]
    stop(old)
    try:
        begin = time.monotonic()
        gh.reload(INI.replace("200 one", "200 two") + admin.SECTION)
        # by a clock of whole milliseconds
        assert time.monotonic() - begin >= 0.999
    finally:
        os.kill(old, signal.SIGCONT)
    until(lambda: (admin.status(gh)["reload"] or {}).get("generation") == 2,
          what="word of the reload")
    wait_gone(old)
    assert get(gh) == "two"


def test_who_connects_behind_a_reload_meets_the_new_one(gatehouse):
    """Under load, which keeps the old ones in the middle of accepting."""
    gh = gatehouse(INI)
    with Load(gh.port, 0, 4):
        for i in range(MANY):
            gh.reload(INI.replace("200 one", f"200 text{i}"))
            assert [get(gh) for _ in range(4)] == [f"text{i}"] * 4


def test_number_of_workers_changes(gatehouse):
    """workers = 1, 3, 2."""
    gh = gatehouse(INI)
    for n in (1, 3, 2):
        gh.reload(INI.replace("workers = 2", f"workers = {n}"))
        until(lambda: len(gh.workers()) == n, what=f"{n} workers")
        assert get(gh) == "one"


def test_log_files_change(gatehouse):
    """Lines go to the log of the configuration that served them."""
    ini = INI + "[log access]\npath = {dir}/a.log\nformat = {path}\n"
    gh = gatehouse(ini)
    with gh.client() as c:
        c.get("/before")
    gh.reload(ini.replace("a.log", "b.log"))
    with gh.client() as c:
        c.get("/after")
    assert gh.stop() == 0
    assert (gh.dir / "a.log").read_text() == "/before\n"
    assert (gh.dir / "b.log").read_text() == "/after\n"


def test_error_log_changes(gatehouse):
    """The error log and its level are the new ones."""
    gh = gatehouse(INI)
    gh.reload(INI.replace("[global]", "[global]\nerror_log = {dir}/e.log\n"
                          "log_level = info"))
    text = (gh.dir / "e.log").read_text()
    assert "serving generation=2" in text
    gh.reload(INI.replace("200 one", "200 two"))
    assert get(gh) == "two"
    assert "serving generation=3" in gh.stderr()
    assert "serving generation=3" not in (gh.dir / "e.log").read_text()


def test_hup_during_hup_is_not_lost(gatehouse):
    """What is asked while a reload runs is done behind it, once."""
    gh = gatehouse(INI)
    for i in range(10):
        gh.write(INI.replace("200 one", f"200 text{i}"))
        gh.send_signal(signal.SIGHUP)
    until(lambda: get(gh) == "text9", what="the last configuration")
    until(lambda: len(gh.children()) == 4, what="the end of the old ones")


def test_a_manager_that_does_not_read_stops_nobody(gatehouse, tmp_path):
    """Its socket is full after a few messages; reloads go on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        gh = gatehouse(INI, wait=False,
                       env={"NOTIFY_SOCKET": str(tmp_path / "deaf")})
        until(lambda: "serving generation" in gh.stderr(), what="the start")
        tries = 0
        while "service manager not told" not in gh.stderr():
            tries += 1
            assert tries < 1000
            gh.write(INI.replace("200 one", f"200 text{tries}"))
            gh.send_signal(signal.SIGHUP)
            until(lambda: get(gh) == f"text{tries}", what="the new text")


def many_routes(text):
    """So many that preparing takes a while."""
    return INI.replace("200 one", f"200 {text}") + "".join(
        f"[route test ~ ^/{i}(a|b)+[c-f]{{2,9}}$]\nrespond = 200 {i}\n"
        for i in range(4000))


def stopped_nursery(gh):
    """HUP, and stop the one that prepares what will be refused. If it has come
    to its end before that: once more."""
    for n in range(2, TRIES + 2):
        gh.send_signal(signal.SIGHUP)
        gh.notify.wait("RELOADING=1")
        pid, = until(lambda n=n: gh.children(f"generation {n}") or
                     gh.stderr().count("was left as it is") == n - 1 and [0])
        with contextlib.suppress(ProcessLookupError):
            if pid:
                stop(pid)
                return pid
        gh.notify.wait("READY=1")
    raise AssertionError("each was too fast")


def test_hup_during_a_failing_hup_is_not_lost(gatehouse):
    """The one under way is refused late; the mended one is read all the
    same."""
    gh = gatehouse(INI)
    gh.write(many_routes("bad") + "[route test ~ (]\nrespond = 200 x\n")
    nursery = stopped_nursery(gh)
    try:
        gh.write(INI.replace("200 one", "200 mended"))
        gh.send_signal(signal.SIGHUP)
        # a signal sent later is read later
        gh.send_signal(signal.SIGUSR1)
        until(lambda: "reopen logs" in gh.stderr())
    finally:
        os.kill(nursery, signal.SIGCONT)
    until(lambda: get(gh) == "mended", what="the mended configuration")
    assert "was left as it is" in gh.stderr()


def test_the_nursery_killed_while_it_prepares_leaves_the_old_one(gatehouse):
    """A crash while preparing never touches what serves."""
    gh = gatehouse(INI)
    gh.write(many_routes("two"))
    gh.send_signal(signal.SIGHUP)
    nursery = until(lambda: list(gh.children("generation 2")))[0]
    kill_and_wait(nursery)
    gh.notify.wait("RELOADING=1")
    ready = gh.notify.wait("READY=1")
    assert ready["STATUS"] in ("serving generation 1",
                               "serving generation 2")
    assert get(gh) in ("one", "two")


def test_status_names_the_generation_that_serves(gatehouse):
    """Also after one was refused."""
    gh = gatehouse(INI)
    assert gh.reload()["STATUS"] == "serving generation 2"
    bad = INI + "[route test ~ (]\nrespond = 200 x\n"
    assert gh.reload(bad)["STATUS"] == "serving generation 2"
    assert gh.reload(INI + "x\n")["STATUS"] == "serving generation 2"


def test_an_idle_connection_survives_and_is_told_to_close(gatehouse):
    """Its next request is answered, with Connection: close."""
    gh = gatehouse(INI.replace("= 2s", "= 30s"))
    with gh.client() as c:
        assert c.get().get("connection") is None
        gh.reload(INI.replace("200 one", "200 two"))
        r = c.get()
        # its worker still has what it was born with
        assert (r.text, r.get("connection")) == ("one", "close")
        assert c.is_closed()
    assert get(gh) == "two"


def test_a_request_that_has_begun_survives(gatehouse):
    """Half of its head was here when the reload came."""
    gh = gatehouse(INI.replace("= 2s", "= 30s"))
    with gh.client() as c:
        c.get()
        c.send(b"GET / HTTP/1.1\r\nHo")
        gh.reload()
        c.send(b"st: test\r\n\r\n")
        assert c.response().text == "one"


def test_shutdown_timeout_ends_what_idles(gatehouse):
    """After it the old workers are gone, and their connections ended in
    order."""
    gh = gatehouse(INI.replace("= 2s", "= 100ms"))
    old = gh.workers()
    with gh.client() as c:
        c.get()
        gh.reload()
        assert c.is_closed()
    for pid in old:
        wait_gone(pid)


def test_a_configuration_that_became_a_pipe_is_given_up(gatehouse):
    """A FIFO that nobody writes holds the master for seconds at most; what
    serves goes on."""
    gh = gatehouse(INI)
    gh.ini.unlink()
    os.mkfifo(gh.ini)
    with Load(gh.port, 1, 1) as load:
        said = bad_reload(gh, None)
        load.wait_answers(10)
    assert not load.failures
    assert "nobody has written it to its end" in said
    assert get(gh) == "one"
