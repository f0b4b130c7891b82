"""gatehouse top: what the dashboard shows, in a terminal (doc/admin.md)."""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from lib import admin
from lib.gatehouse import BINARY, run
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
[listen web]
address = 127.0.0.1:{port}
[site shop]
hosts = *
upstream = app
[route shop /one]
respond = 200 one
[route shop /shut]
deny = all
respond = 200 none
[upstream app]
server = 127.0.0.1:1
""" + admin.SECTION


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse(INI)
    with gh.client() as c:
        for _ in range(100):
            assert c.get("/one").status == 200
        for _ in range(3):
            assert c.get("/shut").status == 403
    until(lambda: admin.ask(gh, "GET", "/v1/traffic")[1]["total"]["requests"]
          == 103, what="all of it to be counted")
    return gh


def test_json_is_what_the_interface_tells(gh):
    got = json.loads(run("top", "--once", "--json", "-c", gh.ini).stdout)
    assert list(got) == ["status", "traffic", "why"]
    assert got["traffic"]["total"] == \
        admin.ask(gh, "GET", "/v1/traffic")[1]["total"]
    assert got["traffic"]["total"]["status"]["2xx"] == 100
    assert list(got["status"]) == list(admin.status(gh))
    assert [d["status"] for d in got["why"]["decisions"]] == [403] * 3


def test_text_has_the_same_numbers(gh):
    """--once, and where there is no terminal."""
    for args in (["--once"], []):
        out = run("top", *args, "-c", gh.ini)
        assert (out.returncode, out.stderr) == (0, "")
        assert "in all 103 requests  2xx 100  3xx 0  4xx 3  5xx 0  none 0\n" \
            in out.stdout
        assert re.search(r"^now    \d+\.\d requests/s  p50 (-|[\d.]+ ms)", out.stdout,
                         re.M)
        for pid in gh.workers():
            assert re.search(r"^\d+\.\d+ +%d +1  serving" % pid, out.stdout,
                             re.M)
        assert re.search(r"^up +0 +0 +0  app 127\.0\.0\.1:1$", out.stdout, re.M)
        assert re.search(r"^    3  access_denied: access .*\(.*:12\)$",
                         out.stdout, re.M), out.stdout
        assert "\033" not in out.stdout


def test_on_a_terminal_q_quits_and_leaves_it_as_it_was(gh):
    """It is drawn on a screen of its own, in as many columns as there are."""
    master, slave = pty.openpty()
    was = subprocess.run(["stty", "-g"], stdin=slave, capture_output=True,
                         check=True).stdout
    subprocess.run(["stty", "rows", "30", "cols", "60"], stdin=slave,
                   check=True)
    with subprocess.Popen([BINARY, "top", "-c", str(gh.ini)], stdin=slave,
                          stdout=slave, stderr=slave) as top:
        seen = b""
        end = time.monotonic() + WAIT_S
        while b"q quits" not in seen and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
        os.write(master, b"q")
        assert top.wait(WAIT_S) == 0
    seen += os.read(master, 65536)
    now = subprocess.run(["stty", "-g"], stdin=slave, capture_output=True,
                         check=True).stdout
    os.close(slave)
    os.close(master)
    assert now == was
    assert seen.startswith(b"\033[?1049h")
    assert seen.rstrip().endswith(b"\033[?1049l")
    lines = [line.split(b"\033[H")[-1] for line in seen.split(b"\033[K\r\n")]
    assert 5 < len(lines) <= 30
    assert max(len(line) for line in lines[:-1]) <= 60


def drawn(gh, rows, cols):
    """The first lines on a terminal of that size."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", str(rows), "cols", str(cols)], stdin=slave,
                   check=True)
    with subprocess.Popen([BINARY, "top", "-c", str(gh.ini)], stdin=slave,
                          stdout=slave, stderr=slave) as top:
        os.close(slave)
        seen = b""
        end = time.monotonic() + WAIT_S
        while b"\033[J" not in seen and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
        os.write(master, b"q")
        assert top.wait(WAIT_S) == 0
    os.close(master)
    text = seen.split(b"\033[H", 1)[-1].split(b"\033[J", 1)[0].decode()
    return text.split("\033[K\r\n")


def test_a_terminal_without_a_size_has_the_usual_one(gh):
    """tty_ioctl(4): of serial lines and in containers all may be 0."""
    lines = drawn(gh, 0, 0)
    assert lines[0].startswith("gatehouse ") and lines[-1] == "q quits"
    assert 5 < len(lines) <= 24


def test_long_lists_leave_room_for_what_is_behind_them(gatehouse):
    """Servers that are not up come first; what else there is, is told."""
    many = "".join(f"server = 127.0.0.{i}:1\n" for i in range(1, 61))
    gh = gatehouse(INI.replace("server = 127.0.0.1:1\n", many))
    until(lambda: admin.steward(gh))
    done = run("server", "app", "127.0.0.50:1", "down", "-c", gh.ini)
    assert done.returncode == 0, done.stderr
    with gh.client() as c:
        assert c.get("/shut").status == 403
    until(lambda: admin.status(gh)["blocked"]["of"])
    lines = drawn(gh, 36, 80)
    at = next(i for i, line in enumerate(lines) if line.startswith("HEALTH"))
    assert re.fullmatch("off .* app 127.0.0.50:1", lines[at + 1]), lines
    assert re.fullmatch("up .* app 127.0.0.1:1", lines[at + 2]), lines
    assert lines[at + 13] == "and 48 more"
    assert any(line.startswith("TIMES  REFUSED") for line in lines), lines
    once = run("top", "--once", "-c", gh.ini).stdout
    assert once.count(" app 127.0.0.") == 60 and " more\n" not in once


@pytest.mark.parametrize("args", [["--json"], ["-c"], ["x"], ["--often"]])
def test_what_it_does_not_know_is_refused(gh, args):
    out = run("top", *args)
    assert out.returncode == 2
    assert "usage: gatehouse top" in out.stderr


def test_it_says_that_nobody_answers(tmp_path):
    ini = tmp_path / "a.ini"
    ini.write_text(INI.replace("{port}", "1").replace("{dir}", str(tmp_path)))
    out = run("top", "--once", "-c", ini)
    assert (out.returncode, out.stdout) == (1, "")
    assert "no gatehouse runs behind unix:" in out.stderr
