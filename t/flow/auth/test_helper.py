"""`scheme = helper`: a program says who is known (doc/auth.md). Whatever becomes
of it nobody is let on for that, and nobody else waits."""
import base64
import concurrent.futures
import itertools
import os
import pathlib
import signal
import subprocess

import pytest

from lib import admin
from lib.commands import Commands, wait_all_gone
from lib.gatehouse import run
from lib.procs import kill_and_wait, stop, until
from lib.wire import Client

SQUID = pathlib.Path(os.environ.get("SQUID_HELPERS", "/usr/lib/squid"))
# knows who has the password "of NAME"; some names make it do other things
PROGRAM = """#!/usr/bin/python3
import os, sys, time, urllib.parse
folder, numbered = sys.argv[1], sys.argv[2] == "numbered"
with open(f"{folder}/pids", "a") as f:
    f.write(f"{os.getpid()}\\n")
held = []
for line in sys.stdin:
    number, line = line.split(" ", 1) if numbered else ("", line)
    name, password = map(urllib.parse.unquote, line.rstrip("\\n").split(" "))
    with open(f"{folder}/asked", "a") as f:
        f.write(f"{line}")
    if name == "crash":
        sys.exit(3)
    if name == "hang":
        time.sleep(1000)
    said = "OK tag=x" if password == f"of {name}" else 'ERR message="no"'
    said = {"maybe": "MAYBE", "bh": "BH", "long": "OK " + "x" * 5000,
            "twice": "OK\\nOK"}.get(name, said)
    held.append(f"{number} {said}".lstrip())
    if name.startswith("pair") and len(held) < 2:
        continue
    print("\\n".join(reversed(held)), flush=True)
    held = []
"""
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[listen proxy]
address = 127.0.0.1:{port1}
mode = forward
policy = office
[forward office]
auth = plain
allow = all
private_networks = allow
connect_ports = 1-65535
[site test]
hosts = *
respond = 200 hello {user}
auth = plain
[route test /numbered]
auth = numbered
[route test /dead]
auth = dead
[route test /groups]
auth = grouped
allow = admins
[acl admins]
group = admins
[users people]
groups_file = {at}/groups
[auth plain]
scheme = helper
helper = {at}/helper {at} plain
helper_children = 1
helper_queue = 1
helper_timeout = 1s
ttl = 1h
realm = Inside
[auth numbered]
scheme = helper
helper = {at}/helper {at} numbered
helper_children = 1
helper_concurrency = 4
[auth dead]
scheme = helper
helper = /bin/false
helper_children = 1
[auth grouped]
scheme = helper
helper = {at}/helper {at} plain
helper_children = 1
users = people
""" + admin.SECTION


def folder():
    made = Commands()
    (made.at / "helper").write_text(PROGRAM)
    (made.at / "helper").chmod(0o755)
    made.say("groups", "admins: boss\n")
    yield made
    made.close()


@pytest.fixture(scope="module")
def at():
    yield from folder()


@pytest.fixture
def own_at():
    yield from folder()


@pytest.fixture(scope="module")
def gh(at, shared_gatehouse):
    return shared_gatehouse(INI, ports=2, at=at.at)


def proof(name, password=None, field="Authorization"):
    pair = f"{name}:{f'of {name}' if password is None else password}"
    return f"{field}: Basic {base64.b64encode(pair.encode()).decode()}\r\n" \
        .encode()


def ask(gh, name, password=None, path="/"):
    with gh.client() as c:
        return c.get(path, extra=proof(name, password))


def wait_good(gh, name, path="/"):
    until(lambda: ask(gh, name, path=path).status == 200,
          what=f"a helper that knows {name}")


def lost(gh):
    return admin.status(gh)["counters"]["auth_helpers_lost_total"]


@pytest.mark.parametrize("path", ["/", "/numbered"])
@pytest.mark.parametrize("name", ["anna", "ä b%\\", "x" * 255])
def test_who_is_known(gh, at, name, path):
    """RFC 7617 2: asked again with 401; a line of each is escaped."""
    wait_good(gh, name, path)
    assert ask(gh, name, path=path).body == f"hello {name}".encode()
    r = ask(gh, name, "other", path)
    assert r.status == 401
    assert r.get("www-authenticate").startswith("Basic realm=")
    assert "%C3%A4%20b%25%5C of%20" in at.read("asked") or "ä" not in name


def test_answers_are_remembered_and_nothing_is_asked_of_nobody(gh, at):
    wait_good(gh, "once")
    before = at.read("asked")
    assert {ask(gh, "once").status for _ in range(3)} == {200}
    # a directory says yes to a name without a password (RFC 4513 5.1.2)
    assert ask(gh, "anna", "").status == 401
    with gh.client() as c:
        assert c.get("/").status == 401
    assert at.read("asked") == before


def test_a_proxy_asks_with_407(gh, shared_origin):
    o = shared_origin()
    wait_good(gh, "anna")
    for target, method in ((f"http://{o.address}/", b"GET"),
                           (o.address, b"CONNECT")):
        for password, status in (("bad", 407), (None, 200)):
            with Client(("127.0.0.1", gh.ports[1])) as c:
                c.send(method + f" {target} HTTP/1.1\r\nHost: {o.address}\r\n"
                       .encode() + proof("anna", password,
                                         "Proxy-Authorization") + b"\r\n")
                assert c.reader.response_head().status == status


def test_numbers_tell_answers_apart(gh):
    """Two questions to one process, answered in the other order."""
    wait_good(gh, "anna", "/numbered")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        good = pool.submit(ask, gh, "pair1", path="/numbered")
        bad = pool.submit(ask, gh, "pair2", "wrong", "/numbered")
        assert good.result().text == "hello pair1"
        assert bad.result().status == 401


@pytest.mark.parametrize("name", ["crash", "maybe", "long", "twice", "bh"])
def test_what_fails_lets_nobody_on(gh, name):
    wait_good(gh, "anna")
    wait_good(gh, "before-" + name)
    before = lost(gh)
    # what answered twice is lost because of the second
    first = ask(gh, name)
    assert first.status == (200 if name == "twice" and first.status == 200
                            else 503)
    assert ask(gh, "anna").status == 200, "it is remembered"
    if name != "bh":
        until(lambda: lost(gh) > before, what="the loss")
    wait_good(gh, "after-" + name)


def test_who_hangs_is_ended_and_the_queue_is_bounded(gh, at):
    """One is asked, one may wait, the third is told at once."""
    wait_good(gh, "before-hang")
    names = itertools.count()

    def third_is_told(pool):
        n = at.read("asked").count("hang ")
        hung = pool.submit(ask, gh, "hang")
        until(lambda: at.read("asked").count("hang ") > n)
        waits = pool.submit(ask, gh, f"waits{n}")
        told = False
        while not hung.done() and not told:
            told = ask(gh, f"third{next(names)}").status == 503
        r = hung.result()
        assert r.status == 503 and r.get("retry-after")
        assert waits.result().status in (200, 503)
        return told

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # a slow machine may miss the second in which the others wait
        until(lambda: third_is_told(pool))
    wait_good(gh, "after-hang")


def test_without_any_nobody_is_let_on(gh):
    """Each is begun after a longer pause than the one before."""
    assert ask(gh, "anna", path="/dead").status == 503
    until(lambda: "why=\"it has ended\" pause_ms=400" in gh.stderr())
    assert ask(gh, "anna", path="/dead").status == 503


def test_users_may_have_groups(gh):
    wait_good(gh, "boss", "/groups")
    assert ask(gh, "anna", path="/groups").status == 403


def test_each_generation_and_worker_has_its_own(gatehouse, own_at):
    at = own_at
    gh = gatehouse(INI.replace("helper_timeout = 1s", "helper_timeout = 1m"),
                   ports=2, at=at.at)
    first = at.pids("pids", 3)
    # as another user in its session, without our descriptors
    names = {os.readlink(f"/proc/{first[0]}/fd/{fd}").split(":")[0]
             for fd in os.listdir(f"/proc/{first[0]}/fd")}
    assert names <= {"socket", "/dev/null"} | {
        str(at.at / "helper")} | {str(at.at / "pids")}
    gh.reload()
    second = at.pids("pids", 6)[3:]
    wait_all_gone(first)
    wait_good(gh, "anna")
    worker, = until(lambda: len(found := gh.workers()) == 1 and found,
                    what="the end of the worker before")
    os.kill(worker, signal.SIGKILL)
    third = at.pids("pids", 9)[6:]
    wait_all_gone(second)
    wait_good(gh, "anna")
    os.kill(third[0], signal.SIGKILL)
    fourth = at.pids("pids", 10)[9]
    wait_good(gh, "ben")
    assert gh.stop() == 0
    wait_all_gone([*third, fourth])


def test_one_that_has_ended_unseen_lets_nobody_on(gatehouse, own_at):
    """The question finds out, or the event that tells of the end: it is answered at
    once, and the worker goes on."""
    at = own_at
    gh = gatehouse(INI, ports=2, at=at.at)
    first = at.pids("pids", 3)
    wait_good(gh, "anna")
    worker, = gh.workers()
    stop(worker)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + proof("ben") + b"\r\n")
        for pid in first:
            kill_and_wait(pid)
        os.kill(worker, signal.SIGCONT)
        assert c.reader.response_head().status == 503
    wait_good(gh, "ben")
    assert gh.stop() == 0


def test_squids_own(gatehouse, at):
    """basic_ncsa_auth of Debian's squid, with a file of `openssl passwd`."""
    helper = SQUID / "basic_ncsa_auth"
    if not helper.exists():
        pytest.skip(f"no {helper}")
    made = subprocess.run(["openssl", "passwd", "-apr1", "-salt", "saltsalt",
                           "of anna"], capture_output=True, check=True)
    at.say("htpasswd", f"anna:{made.stdout.decode()}")
    (at.at / "htpasswd").chmod(0o644)
    ini = INI.replace("{at}/helper {at} plain",
                      f"{helper} {{at}}/htpasswd")
    gh = gatehouse(ini, ports=2, at=at.at)
    wait_good(gh, "anna")
    assert ask(gh, "anna").text == "hello anna"
    assert ask(gh, "anna", "wrong").status == 401
    assert ask(gh, "ben").status == 401


@pytest.mark.parametrize("line,why", [
    ("", "scheme = helper needs helper = PATH, a program"),
    ("helper = helper", "the path of a helper begins with '/'"),
    ("helper = /nowhere/at/all x", "helper: /nowhere/at/all: No such file"),
    ("helper = /etc/passwd", "helper: /etc/passwd: it cannot be executed"),
    ("helper = /bin/true" + " x" * 64, "helper: more than 63 words")])
def test_what_cannot_be_run_is_refused(tmp_path, line, why):
    ini = tmp_path / "x.ini"
    ini.write_text("[site x]\nhosts = *\nrespond = 200\nauth = a\n[auth a]\n"
                   f"scheme = helper\n{line}\n")
    r = run("-t", "-c", ini)
    assert r.returncode == 1 and why in r.stderr
