"""`gatehouse diff`: requests of a log that another configuration answers
otherwise; logs are anybody's bytes."""
import json
import os
import re
import resource
import subprocess

import pytest
from lib.gatehouse import BINARY
from lib.wire import WAIT_S

OLD = """
[listen web]
address = 127.0.0.1:8080
[log access]
path = /dev/null
format = json
[site shop]
hosts = shop.test
upstream = app
[route shop /in]
deny = inner
[route shop /old]
redirect = 301 https://a.test/
[upstream app]
server = 127.0.0.1:1
[acl inner]
ip = 192.0.2.0/24
"""
NEW = OLD.replace("192.0.2.0/24", "198.51.100.0/24").replace(
    "https://a.test/", "https://b.test/")


def line(uri="/", client="203.0.113.1", **more):
    return {"method": "GET", "scheme": "http", "host": "shop.test", "uri": uri,
            "client_ip": client, "listen": "web", "request_id": "id1",
            "user_agent": "-", "referer": "", "origin_status": 200, **more}


def diff(tmp_path, log, *flags, old=OLD, new=NEW):
    paths = []
    for name, text in (("old.ini", old), ("new.ini", new)):
        (tmp_path / name).write_text(text)
        paths.append(str(tmp_path / name))
    return subprocess.run([BINARY, "diff", *paths, "--log", "-", *flags],
                          input=log, capture_output=True, timeout=WAIT_S)


def lines(*all_of):
    return "".join(json.dumps(one) + "\n" for one in all_of).encode()


def test_what_is_answered_otherwise(tmp_path):
    """Who is let on now, who no more, who is sent elsewhere; and nothing else."""
    log = lines(line(), line("/in"), line("/in", "192.0.2.9"),
                line("/in", "198.51.100.9"), line("/old"))
    done = diff(tmp_path, log)
    out = done.stdout.decode()
    assert done.returncode == 3
    assert b"3 of 5 requests would be answered otherwise" in done.stderr
    assert out.startswith("GET http://shop.test/in from 192.0.2.9, id id1\n"
                          "  was 403\n")
    assert (f"access           deny = inner  ({tmp_path}/old.ini:"
            f"{1 + OLD.split(chr(10)).index('deny = inner')})") in out
    assert "  was 301 to https://a.test/\n" in out
    assert "  now 301 to https://b.test/\n" in out
    many = [json.loads(text) for text in
            diff(tmp_path, log, "--json").stdout.splitlines()]
    assert [(d["client"], d["was"]["status"], d["now"]["status"])
            for d in many] == [("192.0.2.9", 403, 200),
                               ("198.51.100.9", 200, 403),
                               ("203.0.113.1", 301, 301)]


def test_the_same_says_nothing(tmp_path):
    """Lines that moved in the file, and names of routes, are no difference."""
    done = diff(tmp_path, lines(line("/in"), line("/x")),
                new="\n\n" + OLD.replace("[route shop /in]", "[route shop /i]"))
    assert (done.returncode, done.stdout) == (0, b"")


def test_hostile_logs_are_data(tmp_path):
    """What is no request is counted, and reaches neither engine nor terminal."""
    bad = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{\"method\":1}",
           b"x" * 70000, b"[" * 60000, *lines(
               line("/a b"), line("/a\r\nHost: b"), line(""), line("/\x7f"),
               line("/", "nobody"), line("/", method="G T"),
               line("/", host="a/b"), line("/", host="a b"),
               line("/", headers=["no colon"]), line("/", headers=["A: b\r\nC: d"]),
               line("/", headers=[1]), line("/", headers=["A: b"] * 65),
               line("/", user_agent="a\nb")).splitlines(),
           b'{"method":"GET","uri":"/","method":"PUT"}',
           b'{"method":"GET","uri":"/\\u0000"}']
    good = lines(line("/in", "192.0.2.9", request_id="\x1b[31m"),
                 line("/", listen="gone"), line("*", method="OPTIONS"),
                 line("http://shop.test/"), line("/%00"),
                 line("/", headers=["X: y", "Host: twice.test"]),
                 line("/" + "x" * 30000), line("/", origin_status="x"))
    done = diff(tmp_path, b"\n".join(bad) + b"\n" + good)
    assert done.returncode == 3
    assert f"1 of {len(good.splitlines())} requests" in done.stderr.decode()
    assert f"{len(bad)} lines are no requests; the first is line 1:" in \
        done.stderr.decode()
    assert b"\x1b" not in done.stdout and b"\\x1b" in done.stdout
    # C1 has a CSI of its own, which is plain JSON
    log = lines(line("/in", "192.0.2.9", request_id="\x9b31m")).replace(
        b"\\u009b", b"\xc2\x9b")
    assert b"\xc2\x9b" in log
    done = diff(tmp_path, log, "--json")
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["request_id"] == "\x9b31m"


@pytest.mark.parametrize("log", [
    b'192.0.2.1 - - [28/Nov/2026:09:45:21 +0000] "GET / HTTP/1.1" 200 8\n' * 9,
    b"\0" * 99, b"[]\n"])
def test_another_log_is_no_all_clear(tmp_path, log):
    """A script that asks whether anything changes must not hear that nothing does
    of a log that tells of no request; an empty one is one without requests."""
    done = diff(tmp_path, log)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"this is no access log in JSON" in done.stderr
    explain = [BINARY, "explain", "--log", "-", "-c", tmp_path / "old.ini"]
    done = subprocess.run(explain, input=log, capture_output=True,
                          timeout=WAIT_S)
    assert done.returncode == 1
    assert diff(tmp_path, b"").returncode == 0


def test_explain_shows_a_terminal_no_names_of_a_log(tmp_path):
    """C0 and C1 controls of what a line says of itself."""
    ini = tmp_path / "g.ini"
    ini.write_text(OLD)
    done = subprocess.run(
        [BINARY, "explain", "--log", "-", "-c", ini], capture_output=True,
        input=lines(line("/", listen="\x1b[2J\x9bm\x07")), timeout=WAIT_S)
    assert b"there is no listen '?[2J?m?'" in done.stderr
    assert not {b"\x1b", b"\x07", b"\xc2\x9b"} & {
        done.stderr[i:i + n] for i in range(len(done.stderr)) for n in (1, 2)}


def test_explain_tells_the_id_that_the_log_has(tmp_path):
    """README: the same for each request of an access log, which is found again
    by its id; one that the log does not tell is made."""
    ini = tmp_path / "g.ini"
    ini.write_text(OLD)
    done = subprocess.run(
        [BINARY, "explain", "--log", "-", "--json", "-c", ini],
        capture_output=True, timeout=WAIT_S,
        input=lines(line("/a"), line("/b", request_id="\x1b[2J\u20ac" * 99),
                    line("/c", request_id="")))
    ids = [json.loads(one)["request_id"] for one in done.stdout.splitlines()]
    assert ids[0] == "id1"
    assert ids[1].startswith("\\x1b[2J\\xe2\\x82\\xac") and len(ids[1]) < 600
    assert re.fullmatch("[0-9a-f]{32}", ids[2])


def test_a_long_log_takes_no_more_memory(tmp_path, monkeypatch):
    """10 times as many requests, and the same."""
    def peak(n):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        diff(tmp_path, lines(line("/in", "192.0.2.9")) * n)
        return before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    # a sanitizer must not hold back what was freed
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") +
                       ":quarantine_size_mb=0")
    _, small = peak(300)
    _, large = peak(3000)
    assert large < small + 4096  # KiB


def test_what_is_wrong_is_told(tmp_path):
    done = diff(tmp_path, b"", new="[site")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"new.ini:1" in done.stderr
    for args in ([], ["a"], ["a", "b"], ["a", "b", "c", "--log", "-"],
                 ["a", "b", "--log"], ["a", "b", "--log", "-", "-x"]):
        done = subprocess.run([BINARY, "diff", *args], capture_output=True,
                              timeout=WAIT_S)
        assert done.returncode == 2, args
    (tmp_path / "old.ini").write_text(OLD)
    done = subprocess.run([BINARY, "diff", tmp_path / "old.ini",
                           tmp_path / "old.ini", "--log", tmp_path / "gone"],
                          capture_output=True, timeout=WAIT_S)
    assert done.returncode == 1 and b"No such file" in done.stderr
