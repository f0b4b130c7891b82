"""What comes in bulk through a tunnel goes from socket to socket in a pipe, both
ways (doc/performance.md): nobody can tell but by the worker's descriptors."""
import hashlib
import os
import pwd
import random
import resource
import socket
import threading

import pytest

from lib.procs import open_files, status, until

MUCH = random.Random(1).randbytes(8 << 20)
SUM = hashlib.sha256(MUCH).digest()


def n_pipes(p):
    pid, = p.gh.workers()
    return sum(name.startswith("pipe:") for name in open_files(pid).values())


def down(conn):
    """Much, the end, and what the client says behind it."""
    conn.reader.exactly(1)
    conn.send(MUCH)
    conn.shut()
    conn.late = conn.reader.to_end()


def up(conn):
    """Much, and then its sum."""
    conn.reader.exactly(1)
    conn.send(hashlib.sha256(conn.reader.exactly(len(MUCH))).digest())


def both(conn):
    """Much each way, and the sum."""
    conn.reader.exactly(1)
    writer = threading.Thread(target=conn.send, args=(MUCH,))
    writer.start()
    got = hashlib.sha256(conn.reader.exactly(len(MUCH))).digest()
    writer.join()
    conn.send(got)


def run(c, way):
    """The client's part, which begins."""
    c.send(b"!")
    if way is down:
        assert c.reader.to_end() == MUCH
        c.send(b"late").shut()
        return
    if way is both:
        writer = threading.Thread(target=c.send, args=(MUCH,))
        writer.start()
        assert c.reader.exactly(len(MUCH)) == MUCH
        writer.join()
    else:
        c.send(MUCH)
    assert c.reader.exactly(len(SUM)) == SUM


@pytest.mark.parametrize(
    "way", [down, up, pytest.param(both, marks=pytest.mark.heavy)])
def test_all_of_it_comes_and_is_counted(proxy, origin, way):
    o = origin(way, raw=True)
    p = proxy()
    # one after another: one pipe a direction is enough, whoever is idle has none
    tunnels = [p.connect(o.address)[0] for _ in range(3)]
    for c in tunnels:
        run(c, way)
    assert n_pipes(p) == (4 if way is both else 2)
    for c in tunnels:
        c.close()
    request = f"CONNECT {o.address} HTTP/1.1\r\nHost: {o.address}\r\n\r\n"
    for line in p.lines(3):
        _, fault, _, _, _, come, gone = line.split()
        want = {down: (4, len(MUCH)), up: (len(MUCH), len(SUM)),
                both: (len(MUCH), len(MUCH) + len(SUM))}[way]
        assert fault == "-"
        assert int(come) == len(request) + 1 + want[0]
        assert want[1] < int(gone) < want[1] + 200
    if way is down:
        until(lambda: [getattr(c, "late", None) for c in o.conns] ==
              [b"late"] * 3)


@pytest.mark.parametrize("is_up", [False, True])
def test_who_does_not_read_is_waited_for(proxy, origin, is_up):
    """Nothing is lost, the other side is stopped, memory does not grow; a reset then
    is one for both, and what is left in a pipe is nobody's."""
    go, sent = threading.Event(), []

    def pour(sock):
        sock.settimeout(0.3)
        n = 0
        try:
            while n < 64 << 20:
                n += sock.send(bytes(65536))
        except OSError:
            pass
        sent.append(n)

    def serve(conn):
        if not is_up:
            pour(conn.sock)
        go.wait(30)
        conn.sock.settimeout(30)
        try:
            while conn.sock.recv(65536):
                pass
        except ConnectionResetError:
            sent.append("reset")

    o = origin(serve, raw=True)
    # accepted connections inherit it
    o.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    p = proxy()
    pid, = p.gh.workers()
    c, _ = p.connect(o.address, rcvbuf=4096)
    with c:
        if is_up:
            pour(c.sock)
        until(lambda: sent)
        assert 256 << 10 < sent[0] < 32 << 20
        assert int(status(pid)["VmRSS"].split()[0]) < 64 * 1024
        assert n_pipes(p) == 2
        go.set()
        c.reset()
    until(lambda: n_pipes(p) == 0 or is_up)
    until(lambda: "reset" in sent)
    assert p.lines()[0].split()[1] == "client_gone"


@pytest.mark.parametrize("key, fault", [
    ("tunnel_idle_timeout = 300ms", "tunnel_idle"),
    ("tunnel_timeout = 600ms", "tunnel_timeout")])
def test_limits_hold(proxy, origin, key, fault):
    """One ends when nothing moves any more; the other while much does."""
    def serve(conn):
        conn.send(MUCH)
        try:
            while fault == "tunnel_timeout":
                conn.send(MUCH)
        except OSError:
            return
        conn.sock.recv(1)

    o = origin(serve, raw=True)
    p = proxy(key)
    c, _ = p.connect(o.address)
    with c:
        got = 0
        try:
            while data := c.sock.recv(1 << 20):
                got += len(data)
        except ConnectionResetError:
            pass
    assert got > 256 << 10
    assert p.lines()[0].split()[1] == fault


def test_when_no_pipe_is_to_be_had(proxy, origin):
    """Descriptors run out: bytes are copied."""
    user = pwd.getpwuid(os.getuid()).pw_name
    o = origin(both, raw=True)
    p = proxy(**{"global": f"user = {user}"})
    pid, = p.gh.workers()
    c, _ = p.connect(o.address)
    with c:
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        used = set(open_files(pid))
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
        run(c, both)
        assert n_pipes(p) == 0
