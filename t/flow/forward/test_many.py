"""What is promised of many: names of a list, and tunnels in which nothing moves."""
import resource
import socket
import subprocess

import pytest

from lib.gatehouse import BINARY
from lib.wire import WAIT_S

NAMES = 1000000
POLICY = """
[listen p]
address = 127.0.0.1:3128
mode = forward
policy = main
[log access]
path = /dev/null
[forward main]
deny = listed
allow = all
[acl listed]
domain_file = %s
"""
TUNNELS = 10000
WAITING = 4000
# Descriptors of a worker beside those of its tunnels.
OTHER = 200
INI = """
[global]
workers = 2
worker_connections = %d
[listen p]
address = 127.0.0.1:{port}
mode = forward
policy = main
access_log = none
[forward main]
private_networks = allow
connect_ports = 1-65535
allow = all
"""


def cpu_s(*args):
    """Of a run of the binary, which ends well."""
    def used():
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        return now.ru_utime + now.ru_stime

    before = used()
    done = subprocess.run([BINARY, *map(str, args)], timeout=10 * WAIT_S,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return used() - before


@pytest.mark.heavy
def test_a_million_names(tmp_path):
    """Loaded in 2 s of a quiet machine: judged is CPU time, with room for one that
    is not. What a look costs, t/unit/test_acl prints."""
    used = []
    for count in (1, NAMES):
        names, conf = tmp_path / "names", tmp_path / "conf"
        with names.open("w") as out:
            out.writelines(f".host-{i * 2654435761 % 2**32:x}.example"
                           f"{i % 100}.test\n" for i in range(count))
        conf.write_text(POLICY % names)
        used.append(cpu_s("-t", "-c", conf))
    assert used[1] - used[0] < 2 * 3


@pytest.mark.heavy
def test_ten_thousand_idle_tunnels(gatehouse):
    """At once, over two workers, and each of them goes on: it takes two descriptors
    of its worker, whatever it does."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < TUNNELS + 2 * OTHER:
        pytest.skip("too few descriptors for the clients")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    gh = gatehouse(INI % TUNNELS)
    servers = [socket.create_server(("127.0.0.1", 0), backlog=WAITING)
               for _ in range(TUNNELS // WAITING + 1)]
    clients = []
    for i in range(TUNNELS):
        at = servers[i // WAITING].getsockname()[1]
        c = socket.create_connection(("127.0.0.1", gh.port), timeout=WAIT_S)
        c.sendall(f"CONNECT 127.0.0.1:{at} HTTP/1.1\r\nHost: x\r\n\r\n"
                  .encode())
        clients.append(c)
        if i >= 100:
            # not all at once
            assert b" 200 " in clients[i - 100].recv(4096), i
    for c in clients[-100:]:
        assert b" 200 " in c.recv(4096)
    for c in clients:
        c.sendall(b"x")
    for i, server in enumerate(servers):
        server.settimeout(WAIT_S)
        for _ in range(min(WAITING, TUNNELS - i * WAITING)):
            conn, _ = server.accept()
            with conn:
                conn.settimeout(WAIT_S)
                assert conn.recv(1) == b"x"
    for s in clients + servers:
        s.close()
