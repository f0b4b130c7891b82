"""Lists of allow and deny: who is let on, what the rest is told, what logs,
counters and explain say of it (doc/acl.md)."""
import subprocess

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

INI = r"""
[global]
workers = 1
[log access]
path = {dir}/access.log
format = {status} {fault} {acl_result} {acl} "{acl_rule}" {path}
buffer = none
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[defaults]
deny = listed
[site test]
hosts = *
upstream = app
[route test /open]
allow = none
[route test /office]
allow = office
[route test /hosts]
deny = hosts
[route test /types]
deny = programs
deny = large
[route test /pictures]
allow = pictures
[rule test boss]
match = header:X-Boss
allow = boss
[upstream app]
server = {origin}
[acl listed]
ip_file = {dir}/bad.txt
[acl office]
ip = 192.0.2.0/24 2001:db8::/32
[acl boss]
ip = 192.0.2.1
method = GET
[acl hosts]
domain_file = {dir}/hosts.txt
[acl programs]
content_type = application/x-msdownload
[acl large]
response_size = >1k
[acl pictures]
content_type = image/*
"""
FILES = {"bad.txt": "203.0.113.0/24\n", "hosts.txt": "0.0.0.0 ads.test\n.evil.test\n"}


def script(conn, request):
    kind = {"/types/a.exe": "application/x-msdownload",
            "/pictures/a.png": "image/png"}.get(request.target, "text/plain")
    conn.send(ok(b"x" * (2000 if request.target.endswith("large") else 5),
                 f"Content-Type: {kind}\r\n".encode()))


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    folder.chmod(0o755)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    o = shared_origin(script)
    gh = shared_gatehouse(
        (INI + admin.SECTION).replace("{dir}/bad", f"{folder}/bad").replace(
            "{dir}/hosts", f"{folder}/hosts"), origin=o.address)
    gh.lists = folder
    return gh, o


def ask(gh, path, client="198.51.100.1", **fields):
    extra = f"X-Forwarded-For: {client}\r\n".encode() + b"".join(
        f"{k.replace('_', '-')}: {v}\r\n".encode() for k, v in fields.items())
    with gh.client() as c:
        return c.get(path, extra=extra)


@pytest.mark.parametrize("path, client, fields, status, said", [
    ("/", "198.51.100.1", {}, 200, 'allowed - "allow all"'),
    ("/", "203.0.113.9", {}, 403, 'denied listed "deny = listed"'),
    ("/open", "203.0.113.9", {}, 200, '- - "-"'),
    ("/office", "192.0.2.7", {}, 200, 'allowed office "allow = office"'),
    ("/office", "2001:db8::7", {}, 200, 'allowed office "allow = office"'),
    ("/office", "198.51.100.1", {}, 403, 'denied - "deny all"'),
    # the nearest decides, and a rule is nearer than a route
    ("/hosts", "192.0.2.1", {"X_Boss": "1"}, 200, 'allowed boss "allow = boss"'),
    ("/hosts", "192.0.2.2", {"X_Boss": "1"}, 403, 'denied - "deny all"'),
    ("/types/a.txt", "198.51.100.1", {}, 200, 'allowed - "allow all"'),
    ("/types/a.exe", "198.51.100.1", {}, 403,
     'denied programs "deny = programs"'),
    ("/types/large", "198.51.100.1", {}, 403, 'denied large "deny = large"'),
    ("/pictures/a.png", "198.51.100.1", {}, 200,
     'allowed pictures "allow = pictures"'),
    ("/pictures/a.txt", "198.51.100.1", {}, 403, 'denied - "deny all"'),
])
def test_a_list_decides_and_logs_tell(world, path, client, fields, status, said):
    gh, o = world
    log = gh.dir / "access.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    n = len(o.requests)
    r = ask(gh, path, client, **fields)
    assert r.status == status
    fault = "-" if status == 200 else "access_denied"
    line = until(lambda: log.read_text().splitlines()[before:],
                 what="a line")[0]
    assert line == f"{status} {fault} {said} {path}"
    # what can be told without the answer never reaches a server
    assert (len(o.requests) > n) == (status == 200 or
                                     path.startswith(("/types", "/pictures")))
    if status == 403:
        assert b"xxxxx" not in r.body


def test_hosts_of_a_file_are_denied(world):
    gh, _ = world
    for host, status in [("ads.test", 403), ("x.ads.test", 200),
                         ("EVIL.test.", 403), ("a.b.evil.test", 403),
                         ("notevil.test", 200)]:
        with gh.client() as c:
            assert c.get("/hosts", host=host).status == status, host


def test_a_refusal_leaves_the_connection(world):
    """It is an answer like others: the next request is read."""
    gh, _ = world
    with gh.client() as c:
        assert [c.get(p).status for p in
                ("/office", "/", "/types/a.exe", "/office", "/")] == [
                    403, 200, 403, 403, 200]


def test_refusals_are_counted(world):
    gh, _ = world
    before = admin.status(gh)["counters"]["access_denied_total"]
    assert [ask(gh, "/office").status for _ in range(3)] == [403] * 3
    until(lambda: admin.status(gh)["counters"]["access_denied_total"] ==
          before + 3, what="the counter")


def test_explain_shows_lines_and_the_end(world):
    gh, _ = world
    done = run("explain", "GET", "http://a/office", "--from", "198.51.100.1",
               "-c", gh.ini)
    lines = [line.split(None, 1) for line in done.stdout.splitlines()]
    said = [text for word, text in lines if word == "access"]
    assert said[0].startswith("allow = office does not match  (")
    assert said[0].endswith(f"{gh.ini}:19)")
    assert said[1].startswith("deny = listed does not match  (")
    assert said[2] == "no line decides, and there is an allow: deny all"
    assert any(word == "fault" and text.startswith("access_denied")
               for word, text in lines)
    done = run("explain", "GET", "http://a/types/x", "-c", gh.ini)
    assert "deny = programs waits for the answer" in done.stdout


def test_a_reload_reads_the_files_again_and_a_broken_one_changes_nothing(world):
    gh, _ = world
    bad = gh.lists / "bad.txt"
    assert ask(gh, "/", "198.18.0.1").status == 200
    bad.write_text("203.0.113.0/24\n198.18.0.0/15\n")
    gh.reload()
    assert ask(gh, "/", "198.18.0.1").status == 403
    bad.write_text("203.0.113.0/24\n198.18.0.1/15\n")
    gh.reload()
    until(lambda: f"{bad}:2:1: error: expected an address" in gh.stderr(),
          what="the mistake")
    assert ask(gh, "/", "198.18.0.1").status == 403
    assert ask(gh, "/", "203.0.113.1").status == 403
    bad.write_text(FILES["bad.txt"])
    gh.reload()
    assert ask(gh, "/", "198.18.0.1").status == 200


def test_clients_on_unix_sockets_have_a_name(gatehouse):
    gh = gatehouse("[listen x]\naddress = unix:{dir}/sock\n"
                   "[site a]\nhosts = *\nrespond = 200\n"
                   "[route a /u]\nrespond = 200\nallow = unix:\n"
                   "[route a /i]\nrespond = 200\nallow = 0.0.0.0/0 ::/0\n")
    codes = [subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
         "--unix-socket", str(gh.dir / "sock"), f"http://a{path}"],
        capture_output=True, text=True, timeout=10, check=True).stdout
        for path in ("/u", "/i")]
    assert codes == ["200", "403"]


def test_a_purge_is_for_whom_a_list_names(gatehouse, origin):
    o = origin(lambda conn, _: conn.send(
        ok(b"x", b"Cache-Control: max-age=60\r\n")))
    gh = gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                   "trusted_proxies = 127.0.0.1\n"
                   "[site a]\nhosts = *\nupstream = app\ncache = c\n"
                   "[upstream app]\nserver = {origin}\n"
                   "[cache c]\nmemory = 4m\npurge_allow = deploy\n"
                   "purge_allow = 192.0.2.9\n"
                   "[acl deploy]\nip = 192.0.2.0/24\nheader = X-Key = k\n",
                   origin=o.address)

    def purge(client, key=""):
        with gh.client() as c:
            return c.send(f"PURGE / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "
                          f"{client}\r\n{key}\r\n".encode()).response().status

    assert purge("192.0.2.1") == 403
    assert purge("192.0.2.1", "X-Key: k\r\n") == 200
    assert purge("198.51.100.1", "X-Key: k\r\n") == 403
    assert purge("192.0.2.9") == 200
