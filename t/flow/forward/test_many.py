"""What is promised of many: names of a list, and tunnels in which nothing moves."""
import json
import resource
import socket
import subprocess

import pytest

from lib.gatehouse import BINARY
from lib.wire import WAIT_S

NAMES = 1000000
LINES = 200000
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


def log_line(i):
    return json.dumps({
        "method": "GET", "scheme": "http", "host": f"www.host-{i:x}.none.test",
        "uri": f"http://www.host-{i:x}.none.test/", "client_ip": "203.0.113.1",
        "listen": "p", "request_id": "-"}) + "\n"


@pytest.mark.heavy
def test_a_million_names(tmp_path):
    """Loaded in 2 s and looked up in 1 us where the machine is quiet: judged is
    CPU time, with room for one that is not, beside a list of one name."""
    confs = {}
    for name, count in (("one", 1), ("many", NAMES)):
        names = tmp_path / f"{name}.txt"
        with names.open("w") as out:
            out.writelines(f".host-{i * 2654435761 % 2**32:x}.example"
                           f"{i % 100}.test\n" for i in range(count))
        confs[name] = tmp_path / f"{name}.ini"
        confs[name].write_text(POLICY % names)
    for name, count in (("few", 1), ("lines", LINES)):
        with (tmp_path / name).open("w") as out:
            out.writelines(map(log_line, range(count)))
    load = cpu_s("-t", "-c", confs["many"]) - cpu_s("-t", "-c", confs["one"])

    def look(conf):
        """One more request that a log tells of, us; nothing is denied, so that
        the same configuration twice says nothing."""
        args = ("diff", confs[conf], confs[conf], "--log")
        return 1e6 * (cpu_s(*args, tmp_path / "lines") -
                      cpu_s(*args, tmp_path / "few")) / LINES / 2

    one, many = (min(look(conf) for _ in range(3)) for conf in ("one", "many"))
    print(f"load {load:.2f} s, a look {many - one:.2f} us of {many:.2f} us")
    assert load < 2 * 3
    assert many - one < 1 * 3


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
