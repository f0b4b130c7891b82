"""Clients of the admin socket that mean harm: bounded in bytes, connections
and time, whatever they do."""
import os
import pathlib
import socket

import pytest

from lib import admin
from lib.procs import kill_and_wait, open_files, until

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 one
""" + admin.SECTION

CLIENTS = 50
CONNS_MAX = 64  # doc/admin.md
BEGINS = [
    b"",
    b"GET /v1/st",
    b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX: ",
    b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nx",
    b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"ffff\r\nx",
    b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"\r\n" * 2000,
    b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 2000,
]


def connect(gh):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(admin.path(gh))
    sock.settimeout(0.05)
    return sock


def say(sock, data):
    """As much as goes; what the other end did does not matter."""
    try:
        sock.sendall(data)
    except OSError:
        pass


def duties_are_done(gh):
    """The steward lives, answers, and mends what a dead worker left."""
    old = gh.workers()[0]
    before = admin.status(gh)
    kill_and_wait(old)

    def is_mended():
        workers = admin.status(gh)["workers"]
        return len(workers) == 2 and old not in [w["pid"] for w in workers] \
            and {w["state"] for w in workers} == {"serving"}
    until(is_mended, what="the repair of the dead worker's slot")
    after = admin.status(gh)
    assert after["steward"]["incarnation"] == before["steward"]["incarnation"]
    assert after["steward"]["heartbeat_age_ms"] < 5000


@pytest.mark.heavy
def test_fifty_slow_or_hostile_clients_hurt_nobody(gatehouse):
    """They say what they like and then a byte at a time; nobody reads."""
    gh = gatehouse(INI)
    until(lambda: admin.steward(gh))
    socks = [connect(gh) for _ in range(CLIENTS)]
    try:
        for i, sock in enumerate(socks):
            say(sock, BEGINS[i % len(BEGINS)])
        for _ in range(3):
            for sock in socks:
                say(sock, b"x")
            duties_are_done(gh)
        with gh.client() as c:
            assert c.get().text == "one"
    finally:
        for sock in socks:
            sock.close()
    assert admin.status(gh)["state"] == "running"


def test_more_than_there_is_room_for_do_not_lock_the_door(gatehouse):
    """Who owes a request longest makes room for who comes."""
    gh = gatehouse(INI)
    until(lambda: admin.steward(gh))
    socks = []
    try:
        for i in range(3 * CONNS_MAX):
            socks.append(connect(gh))
            say(socks[-1], BEGINS[1 + i % 4])
        duties_are_done(gh)
    finally:
        for sock in socks:
            sock.close()


METRICS_INI = """
[global]
workers = 1
[admin]
listen = unix:{dir}/admin.sock 127.0.0.1:{port1}
metrics = prometheus
token = 0123456789abcdef-token
[listen x]
address = 127.0.0.1:{port}
""" + "".join(f"[site s{i}]\nupstream = u{i}\n[upstream u{i}]\n"
              "server = 127.0.0.1:1\n" for i in range(150))
PAGE_MIN = 2 << 20


def resident(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_pages_of_metrics_that_nobody_takes_are_few(gatehouse, monkeypatch):
    """They are large, and may be asked for without a token: memory is that of some
    pages, whatever the number of connections, and the socket answers."""
    # a sanitizer must not hold back what was freed
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") +
                       ":quarantine_size_mb=0")
    gh = gatehouse(METRICS_INI, ports=2)
    pid = until(lambda: admin.steward(gh))
    with gh.client(gh.ports[1]) as c:
        host = f"127.0.0.1:{gh.ports[1]}"
        assert len(c.get("/metrics", host=host).body) > PAGE_MIN
    before = resident(pid)
    socks = []
    try:
        for _ in range(CONNS_MAX):
            sock = socket.socket()
            socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", gh.ports[1]))
            say(sock, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert admin.status(gh)["state"] == "running"
        assert resident(pid) < before + CONNS_MAX // 3 * PAGE_MIN
    finally:
        for sock in socks:
            sock.close()


def test_early_ends_at_every_byte_leave_nothing(gatehouse):
    """However a request ends, the next client is served."""
    gh = gatehouse(INI)
    until(lambda: admin.steward(gh))
    text = (b"POST /v1/reopen HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    for n in range(len(text) + 1):
        sock = connect(gh)
        say(sock, text[:n])
        sock.close()
    assert admin.status(gh)["state"] == "running"
    pid = admin.steward(gh)

    def n_sockets():
        return sum(name.startswith("socket:")
                   for name in open_files(pid).values())
    # control and admin sockets, a notification socket of the log perhaps
    until(lambda: n_sockets() <= 4, what="the end of all connections")
