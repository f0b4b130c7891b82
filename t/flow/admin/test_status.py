"""What the running gatehouse tells over its admin socket (doc/admin.md)."""
import json
import re
import socket
import subprocess
import threading

import pytest

from lib import admin
from lib.gatehouse import run
from lib.procs import until

NONE = {"active": 0, "requests": 0, "failures": 0, "health": "up", "why": None,
        "since": None, "until": None, "order": "auto",
        "weight_order": None, "history": [], "at": None}
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
[site other]
hosts = other
upstream = app
[upstream app]
server = 127.0.0.1:1 weight=3
server = [::1]:2 backup
""" + admin.SECTION


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse(INI)
    until(lambda: admin.steward(gh))
    return gh


def test_status_tells_processes_as_the_kernel_does(gh):
    """pid, workers and steward are those that run; the generation serves."""
    s = admin.status(gh)
    assert s["pid"] == gh.process.pid
    assert s["state"] == "running"
    assert s["config"] == str(gh.ini)
    assert s["reload"] is None
    assert sorted(w["pid"] for w in s["workers"]) == sorted(gh.workers())
    assert {w["state"] for w in s["workers"]} == {"serving"}
    assert s["steward"]["pid"] == admin.steward(gh)
    assert [(g["number"], g["state"], g["workers"], g["ready"], g["config"])
            for g in s["generations"]] == [(1, "serving", 2, 2, str(gh.ini))]
    assert 0 <= s["generations"][0]["age_s"] <= s["uptime_s"] < 3600


def test_status_tells_version_and_servers(gh):
    """The version is -V's, the servers are the configuration's."""
    s = admin.status(gh)
    assert f"gatehouse {s['version']}\n" in run("-V").stdout
    assert s["upstreams"] == [{
        "name": "app", "balance": "round_robin", "panic": False, "servers": [
            {"address": "127.0.0.1:1", "weight": 3, "backup": False, **NONE},
            {"address": "[::1]:2", "weight": 1, "backup": True, **NONE}]}]


def test_counters_are_sums_over_all_workers(gh):
    """Each request counts once, whichever worker has it."""
    before = admin.status(gh)["counters"]
    for _ in range(20):
        with gh.client() as c:
            assert c.get().status == 200
    until(lambda: admin.status(gh)["counters"]["requests_total"] ==
          before["requests_total"] + 20, what="20 more requests")
    after = admin.status(gh)["counters"]
    assert after["connections_total"] == before["connections_total"] + 20
    assert list(after) == list(before)


def test_connections_are_those_that_are_open(gh):
    """Of all workers together."""
    def n():
        return sum(w["connections"] for w in admin.status(gh)["workers"])
    until(lambda: n() == 0)
    with gh.client() as one, gh.client() as two:
        one.get()
        two.get()
        assert n() == 2
    until(lambda: n() == 0)


@pytest.mark.parametrize("request_, code, fields", [
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, {}),
    ("GET /v1/status/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, {}),
    ("POST /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 405,
     {"allow": "GET, HEAD"}),
    ("GET /v1/stop HTTP/1.1\r\nHost: x\r\n\r\n", 405, {"allow": "POST"}),
    ("GET /v1/status HTTP/1.1\r\n\r\n", 400, {"connection": "close"}),
    ("GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + "x" * 20000 + "\r\n\r\n",
     431, {"connection": "close"}),
    ("GET /" + "x" * 5000 + " HTTP/1.1\r\nHost: x\r\n\r\n", 414,
     {"connection": "close"}),
    ("POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
     413, {"connection": "close"}),
])
def test_what_is_not_there_is_refused(gh, request_, code, fields):
    """RFC 9110 15.5: 404, 405 with Allow, 413, 414; RFC 6585: 431."""
    with admin.connect(gh) as c:
        c.send(request_.encode())
        answer = c.response()
        assert answer.status == code
        for name, value in fields.items():
            assert answer.get(name) == value
        if "connection" in fields:
            c.shut()
            assert c.is_closed()


def test_one_connection_serves_many_requests(gh):
    """RFC 9112 9.3: it persists; pipelined answers come in order; HEAD has the
    length and no content (RFC 9110 9.3.2)."""
    one = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
    with admin.connect(gh) as c:
        c.send(one * 3 + one.replace(b"GET", b"HEAD") +
               one.replace(b"v1", b"v2") + one)
        for _ in range(3):
            answer = c.response()
            assert json.loads(answer.text)["pid"] == gh.process.pid
            assert answer.get("cache-control") == "no-store"
            assert answer.get("content-type") == "application/json"
        assert int(c.response("HEAD").get("content-length")) > 500
        assert c.response().status == 404
        assert c.response().status == 200


def test_curl_understands_it(gh):
    """A client that is not ours."""
    out = subprocess.run(
        ["curl", "-sS", "--fail", "--unix-socket", admin.path(gh),
         "http://localhost/v1/status"], capture_output=True, check=True)
    assert json.loads(out.stdout)["pid"] == gh.process.pid


def test_the_command_prints_tables(gh):
    """gatehouse status: for people."""
    out = admin.cli(gh)
    assert (out.returncode, out.stderr) == (0, "")
    assert re.match(r"gatehouse \S+ is running, pid %d, up \d+[sm]"
                    % gh.process.pid, out.stdout)
    assert "last reload  none\n" in out.stdout
    for pid in gh.workers():
        assert re.search(r"^\d+\.\d+ +%d +1  serving" % pid, out.stdout, re.M)
    assert re.search(r"^app +3 +0 +0 +0  127\.0\.0\.1:1$", out.stdout, re.M)
    assert re.search(r"^app +1 +0 +0 +0  \[::1\]:2 \(backup\)$", out.stdout, re.M)
    assert re.search(r"^requests_total +\d+$", out.stdout, re.M)


def test_the_command_prints_json(gh):
    """--json: the answer as it came, in any order of the options."""
    out = admin.cli(gh, "--json")
    assert out.returncode == 0
    mine = json.loads(out.stdout)
    assert list(mine) == list(admin.status(gh))
    again = run("status", "--json", "-c", gh.ini)
    assert json.loads(again.stdout)["pid"] == mine["pid"]


@pytest.mark.parametrize("args", [["--jason"], ["-c"], ["x"]])
def test_the_command_refuses_what_it_does_not_know(gh, args):
    """Exit status 2 and the usage."""
    out = admin.cli(gh, *args)
    assert out.returncode == 2
    assert "usage: gatehouse status" in out.stderr


def test_the_command_works_with_a_broken_configuration(gatehouse):
    """It needs nothing but [admin]; the problems are told as well."""
    gh = gatehouse(INI)
    gh.write(INI + "[upstream y]\nsevrer = 1\n")
    out = admin.cli(gh, "--json")
    assert out.returncode == 0
    assert json.loads(out.stdout)["pid"] == gh.process.pid
    assert "unknown key 'sevrer'" in out.stderr


def test_the_command_says_that_nothing_runs(tmp_path):
    """No socket, a socket that nobody listens behind, no [admin]."""
    ini = tmp_path / "a.ini"
    ini.write_text(INI.replace("{port}", "1").replace("{dir}", str(tmp_path)))
    out = run("status", "-c", ini)
    assert out.returncode == 1
    assert "no gatehouse runs behind unix:" in out.stderr
    ini.write_text("[site x]\nrespond = 200\n")
    out = run("status", "-c", ini)
    assert out.returncode == 1
    assert "has no [admin] with a unix socket" in out.stderr


def test_the_command_refuses_a_stranger_behind_the_socket(tmp_path):
    """What answers something else than the interface is an error, no crash."""
    ini = tmp_path / "a.ini"
    ini.write_text(INI.replace("{port}", "1").replace("{dir}", str(tmp_path)))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "admin.sock"))
        s.listen()

        def serve(text):
            conn, _ = s.accept()
            with conn:
                conn.recv(4096)
                conn.sendall(text)
        for text, word in [
                (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "200"),
                (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", "500"),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "early"),
                (b"SSH-2.0-x\r\n", "no message"), (b"", "early")]:
            thread = threading.Thread(target=serve, args=(text,))
            thread.start()
            out = run("status", "-c", ini)
            thread.join()
            assert out.returncode == 1
            assert word in out.stderr, out.stderr


@pytest.mark.parametrize("section, words", [
    ("[admin]\n", "[admin] has no listen"),
    ("[admin]\nlisten = 127.0.0.1:9180\ndashboard = if\n", "expected on or off"),
    ("[admin]\nlisten = unix:rel\n", "needs an absolute path"),
    ("[admin]\nlisten = unix:/tmp/a unix:/tmp/a\n", "is listened on twice"),
    ("[listen y]\naddress = unix:/tmp/a\n[admin]\nlisten = unix:/tmp/a\n",
     "is listened on twice"),
    ("[admin]\nlisten = unix:/tmp/a\ngroup = no-such-group\n",
     "there is no such group"),
    ("[admin]\nlisten = unix:/tmp/a\nallow = everybody\n",
     "expected an address or a network"),
])
def test_sections_that_cannot_be(tmp_path, section, words):
    """-t names them with their place."""
    ini = tmp_path / "a.ini"
    ini.write_text("[site x]\nrespond = 200\n" + section)
    out = run("-c", ini, "-t")
    assert out.returncode == 1
    assert words in out.stderr
    assert str(ini) + ":" in out.stderr
    assert "1 error" in out.stderr


def test_the_version_names_the_library():
    """-V: jansson."""
    assert re.search(r"^library jansson \d", run("-V").stdout, re.M)
