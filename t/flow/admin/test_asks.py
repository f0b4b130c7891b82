"""What the running gatehouse is told over its admin socket (doc/admin.md)."""
import json
import socket
import threading

import pytest

from lib import admin
from lib.gatehouse import run
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
shutdown_timeout = 1s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
""" + admin.SECTION


def get(gh):
    with gh.client() as c:
        return c.get().text


def test_reload_answers_when_it_serves(gatehouse):
    """200 with the new generation; from then on it is the new one."""
    gh = gatehouse(INI)
    for i in range(2, 5):
        gh.write(INI.replace("one", f"text{i}"))
        code, answer = admin.post(gh, "reload")
        assert (code, answer["ok"], answer["generation"],
                answer["problems"]) == (200, True, i, "")
        assert get(gh) == f"text{i}"
        assert admin.status(gh)["reload"] == answer


@pytest.mark.parametrize("bad", [
    INI.replace("workers = 2", "wrokers = 2\nuser = 10").replace(
        "respond", "upstream"),
    INI + "[route test ~ ^/(]\nrespond = 200 x\n",
    "",
], ids=["reader", "prepare", "empty"])
def test_a_refused_reload_answers_what_t_prints(gatehouse, bad):
    """422 with the very text; the old configuration goes on."""
    gh = gatehouse(INI)
    gh.write(bad)
    code, answer = admin.post(gh, "reload")
    assert (code, answer["ok"]) == (422, False)
    assert answer["problems"] == run("-c", gh.ini, "-t").stderr
    assert get(gh) == "one"
    assert admin.status(gh)["reload"] == answer
    gh.write(INI)
    out = admin.cli(gh)
    assert "last reload  FAILED at " in out.stdout
    assert answer["problems"] in out.stdout


def test_a_reload_that_cannot_listen_says_so(gatehouse):
    """What only a start can find is in the answer as well."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gh = gatehouse(INI, taken=taken.getsockname()[1])
        gh.write(INI + "[listen y]\naddress = 127.0.0.1:{taken}\n")
        code, answer = admin.post(gh, "reload")
        assert code == 422
        assert "Address already in use" in answer["problems"]


def test_reloads_asked_at_once_are_all_answered(gatehouse):
    """Each by one that began behind it: nobody is told of an older file."""
    gh = gatehouse(INI)
    wrong = []

    def one():
        code, answer = admin.post(gh, "reload")
        if code != 200 or answer["generation"] < 2:
            wrong.append(answer)
    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    gh.write(INI.replace("one", "two"))
    assert admin.post(gh, "reload")[0] == 200
    assert get(gh) == "two"


def test_who_leaves_changes_nothing(gatehouse):
    """The reload goes on, the next one is answered."""
    gh = gatehouse(INI)
    gh.write(INI.replace("one", "two"))
    with admin.connect(gh) as c:
        c.send(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: get(gh) == "two", what="the reload")
    assert admin.post(gh, "reload")[0] == 200


def test_a_pipelined_status_waits_for_the_reload(gatehouse):
    """Answers come in order (RFC 9112 9.3.2): it tells of the new one."""
    gh = gatehouse(INI)
    with admin.connect(gh) as c:
        c.send(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n"
               b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads(c.response().text)["generation"] == 2
        assert json.loads(c.response().text)["reload"]["generation"] == 2


def test_reopen_opens_new_files(gatehouse):
    """After it lines go to a file of the old name (rotation)."""
    log = "[log access]\npath = {dir}/a.log\nformat = {path}\n"
    gh = gatehouse(INI + log)
    (gh.dir / "a.log").rename(gh.dir / "a.log.1")
    assert admin.post(gh, "reopen") == (202, {"ok": True})
    until((gh.dir / "a.log").exists, what="the new file")


@pytest.mark.parametrize("word", ["stop", "quit"])
def test_the_end_is_answered(gatehouse, word):
    """202, then it ends in order and takes its socket away."""
    gh = gatehouse(INI)
    assert admin.post(gh, word) == (202, {"ok": True})
    assert gh.process.wait(WAIT_S) == 0
    assert not (gh.dir / "admin.sock").exists()


def test_quit_finishes_what_runs_and_can_be_watched(gatehouse):
    """A request that has begun is answered; status tells the state."""
    gh = gatehouse(INI.replace("= 1s", "= 30s"))
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHo")
        until(lambda: sum(w["connections"]
                          for w in admin.status(gh)["workers"]) == 1)
        assert admin.post(gh, "quit")[0] == 202
        assert admin.status(gh)["state"] == "quitting"
        assert admin.post(gh, "reload")[0] == 409
        c.send(b"st: test\r\n\r\n")
        assert c.response().text == "one"
    assert gh.process.wait(WAIT_S) == 0


def test_drain_keeps_the_master_and_reload_starts_again(gatehouse):
    """No worker, no client; the admin socket answers all the time."""
    gh = gatehouse(INI)
    assert admin.post(gh, "drain") == (202, {"ok": True})
    until(lambda: not gh.workers(), what="the end of the workers")
    s = until(lambda: (lambda s: not s["generations"] and s)(
        admin.status(gh)), what="the end of the generation")
    assert s["state"] == "drained"
    until(lambda: admin.status(gh)["workers"] == [])
    with pytest.raises(ConnectionRefusedError):
        gh.client()
    assert admin.post(gh, "reload")[0] == 200
    assert get(gh) == "one"
    assert admin.status(gh)["state"] == "running"


def test_the_socket_moves_with_the_configuration(gatehouse):
    """A reload that changes [admin] takes effect in the process that is there;
    what is connected stays."""
    gh = gatehouse(INI)
    steward = until(lambda: admin.steward(gh))
    other = str(gh.dir / "other.sock")
    with admin.connect(gh) as c:
        assert c.get("/v1/status").status == 200
        gh.write(INI.replace("admin.sock", "other.sock"))
        assert c.get("/v1/reload", method="POST").status == 200
        assert not (gh.dir / "admin.sock").exists()
        assert admin.status(gh, other)["reload"]["generation"] == 2
        assert c.get("/v1/status").status == 200
        # both, then none
        gh.write(INI.replace("admin.sock",
                             "admin.sock unix:{dir}/other.sock"))
        assert c.get("/v1/reload", method="POST").status == 200
        assert admin.status(gh)["pid"] == admin.status(gh, other)["pid"]
        gh.write(INI.replace(admin.SECTION, ""))
        assert c.get("/v1/reload", method="POST").status == 200
    assert not (gh.dir / "admin.sock").exists()
    assert not (gh.dir / "other.sock").exists()
    assert "has no [admin]" in admin.cli(gh).stderr
    gh.reload(INI)
    assert until(lambda: (gh.dir / "admin.sock").exists())
    assert admin.status(gh)["steward"]["pid"] == steward


def test_a_refused_reload_leaves_the_socket(gatehouse):
    """Of a configuration that never served nothing stays."""
    gh = gatehouse(INI)
    gh.write(INI.replace("admin.sock", "other.sock") +
             "[route test ~ ^/(]\nrespond = 200 x\n")
    assert admin.post(gh, "reload")[0] == 422
    assert admin.status(gh)["reload"]["ok"] is False
    until(lambda: not (gh.dir / "other.sock").exists())


def test_clients_addresses_never_become_the_administrations(gatehouse):
    """Not by a reload: its old workers would answer there."""
    ini = INI.replace("127.0.0.1:{port}",
                      "127.0.0.1:{port} unix:{dir}/x.sock")
    gh = gatehouse(ini)
    gh.write(INI.replace("admin.sock", "x.sock"))
    code, answer = admin.post(gh, "reload")
    assert code == 422
    assert "cannot change by a reload" in answer["problems"]
    gh.write(INI.replace("127.0.0.1:{port}",
                         "127.0.0.1:{port} unix:{dir}/admin.sock").replace(
        "unix:{dir}/admin.sock\n[site", "unix:{dir}/admin.sock\n[site", 1)
        .replace(admin.SECTION, ""))
    code, answer = admin.post(gh, "reload")
    assert code == 422
    assert "cannot change by a reload" in answer["problems"]
    assert admin.status(gh)["state"] == "running"
