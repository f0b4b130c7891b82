"""A worker that is out of descriptors cannot connect to a server: that is said,
and says nothing of the server."""
import os
import pwd
import resource

import pytest

from lib import admin
from lib.origin import ok
from lib.procs import open_files, until

INI = """
[global]
workers = 1
user = {user}
error_log = {dir}/error.log
[listen x]
address = 127.0.0.1:{port}
[admin]
listen = unix:{dir}/admin.sock
[log access]
path = {dir}/access.log
format = {status} {fault} {tries} {server}
buffer = none
[site one]
hosts = *
upstream = pair
proxy_status = on
[route one /own]
respond = 204
access_log = none
[upstream pair]
server = {one} weight=100
server = {two}
keepalive = none
eject = reset>=1 5xx>=1 for=1h
"""
REQUESTS = 5


@pytest.mark.parametrize("how", ["http/1.1", "h2"])
def test_no_descriptor(gatehouse, origin, how):
    """503 and one line for all; no server is asked, ejected or counted as failing.
    When there are descriptors again, so is the answer."""
    one, two = (origin(lambda conn, request: conn.send(ok(b"there")))
                for _ in range(2))
    # whose limits a test may change
    user = pwd.getpwuid(os.getuid()).pw_name
    text = INI.replace("{user}", user).replace("{one}", one.address)
    gh = gatehouse(text.replace("{two}", two.address) + f"protocol = {how}\n")
    pid, = gh.workers()
    with gh.client() as c:
        assert c.get("/own").status == 204
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (max(open_files(pid)) + 1, limits[1]))
        for _ in range(REQUESTS):
            r = c.get("/")
            assert r.status == 503
            assert "proxy_internal_error" in r.get("proxy-status")
        log = gh.dir / "access.log"
        until(lambda: log.read_text().count("\n") == REQUESTS, what="the log")
        assert log.read_text() == f"503 no_socket 1 {one.address}\n" * REQUESTS
        lines = [line for line in
                 (gh.dir / "error.log").read_text().splitlines()
                 if "no socket for a server" in line]
        assert len(lines) == 1
        assert f"upstream=pair server={one.address}" in lines[0]
        assert "Too many open files" in lines[0]
        counters = admin.status(gh)["counters"]
        assert counters["origin_starved_total"] == REQUESTS
        assert counters["origin_failures_total"] == 0
        assert one.requests == two.requests == []
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        if how == "http/1.1":
            assert c.get("/").body == b"there"
            assert len(one.requests) == 1
    assert "ejected" not in (gh.dir / "error.log").read_text()
