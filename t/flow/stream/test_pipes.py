"""Large content goes from socket to socket in a pipe (doc/performance.md): what
the client sees is the same as when it is copied."""
import hashlib
import os
import pwd
import random
import resource
import socket
import threading

import pytest

from lib.procs import open_files, status, until
from lib.wire import Closed, Truncated

PIPE = 256 * 1024
BLOCK = 16 * 1024
SIZES = [64 * 1024 + d for d in (-1, 0, 1)] + \
    [PIPE + d for d in (-1, 0, 1)] + [PIPE + BLOCK, 3 * PIPE + 7, 5_000_003]
INI = """
[global]
workers = 1
%(global)s
[listen x]
address = 127.0.0.1:{port}
send_timeout = %(send)s
[site test]
hosts = *
upstream = app
[upstream app]
server = {origin}
keepalive = 4
[log access]
path = {dir}/access.log
format = {status} {fault} {body_bytes_out}
buffer = none
"""


def noise(n):
    return random.Random(n).randbytes(n)


def head(n, more=b""):
    return b"HTTP/1.1 200 OK\r\n%s%s\r\n" % (
        b"" if n is None else b"Content-Length: %d\r\n" % n, more)


@pytest.fixture
def serve(gatehouse, origin):
    """serve(script): gatehouse in front of it."""
    def make(script, send="60s", global_=""):
        o = origin(script)
        return gatehouse(INI % {"send": send, "global": global_},
                         origin=o.address)
    return make


def n_pipes(gh):
    pid, = gh.workers()
    return sum(name.startswith("pipe:") for name in open_files(pid).values())


def sized(conn, request):
    n = int(request.target[1:])
    conn.send(head(n) + noise(n))


def test_content_of_many_sizes(serve):
    """On one connection of the client and one of the origin."""
    gh = serve(sized)
    with gh.client() as c:
        for n in SIZES:
            assert c.get(f"/{n}").body == noise(n)
    until(lambda: "200 - 5000003" in (gh.dir / "access.log").read_text(),
          what="its line in the log")
    # one pipe was enough, and it is kept
    assert n_pipes(gh) == 2


def test_content_that_ends_with_the_connection(serve):
    """RFC 9112 6.3: its length is told by nobody."""
    def script(conn, request):
        conn.send(head(None) + noise(3_000_000))
        return False
    gh = serve(script)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.0\r\nHost: t\r\n\r\n")
        assert c.response().body == noise(3_000_000)
    with gh.client() as c:
        assert c.get("/").body == noise(3_000_000)


def test_what_follows_is_not_lost(serve):
    """Pipelined requests, and an answer to HEAD between."""
    gh = serve(lambda conn, r: conn.send(head(300_000) + (
        b"" if r.method == "HEAD" else noise(300_000))))
    get = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
    with gh.client() as c:
        c.send(get + get.replace(b"GET", b"HEAD") + get)
        for method in ("GET", "HEAD", "GET"):
            body = c.response(method).body
            assert body == (b"" if method == "HEAD" else noise(300_000))


@pytest.mark.parametrize("missing", [1, BLOCK, PIPE, 400_000])
@pytest.mark.parametrize("how", ["end", "reset"])
def test_an_origin_that_stops_early(serve, missing, how):
    """RFC 9112 8: the client sees that it is not all; the pipe is closed."""
    n = 1_000_000

    def script(conn, request):
        if request.target == "/ok":
            conn.send(head(n) + noise(n))
            return True
        conn.send(head(n) + noise(n)[:n - missing])
        if how == "reset":
            conn.reset()
        return False
    gh = serve(script)
    with gh.client() as c:
        with pytest.raises((Truncated, Closed, OSError)):
            c.get("/cut")
    with gh.client() as c:
        assert c.get("/ok").body == noise(n)
    log = gh.dir / "access.log"
    until(lambda: "origin_cut" in log.read_text() or
          "origin_reset" in log.read_text())


def test_more_than_was_said_is_not_passed_on(serve):
    """And the connection is used no more."""
    n = 500_000
    gh = serve(lambda conn, r: conn.send(head(n) + noise(n) + b"HTTP/1.1 200 "
                                         b"OK\r\nContent-Length: 1\r\n\r\nx"))
    with gh.client() as c:
        for _ in range(3):
            assert c.get("/").body == noise(n)


@pytest.mark.heavy
def test_a_client_that_does_not_read_costs_a_pipe(serve):
    """Back-pressure: the origin is not read on, memory does not grow."""
    sent, over = [], threading.Event()

    def script(conn, request):
        conn.send(head(64 << 20))
        conn.sock.settimeout(0.5)
        n = 0
        try:
            while n < 64 << 20:
                n += conn.sock.send(bytes(65536))
        except OSError:
            pass
        sent.append(n)
        over.wait(30)
        return False
    gh = serve(script, send="2s")
    pid, = gh.workers()
    c = gh.client(rcvbuf=4096)
    c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    until(lambda: sent)
    assert sent[0] < 32 << 20
    assert int(status(pid)["VmRSS"].split()[0]) < 64 * 1024
    log = gh.dir / "access.log"
    until(lambda: "send_timeout" in log.read_text())
    over.set()
    c.close()
    # what was left in it belongs to nobody
    until(lambda: n_pipes(gh) == 0)


def test_a_client_that_leaves(serve):
    gh = serve(sized)
    for _ in range(20):
        c = gh.client(rcvbuf=4096)
        c.send(b"GET /5000003 HTTP/1.1\r\nHost: t\r\n\r\n")
        c.sock.recv(1000)
        c.reset()
    with gh.client() as c:
        assert c.get("/1000003").body == noise(1_000_003)
    until(lambda: n_pipes(gh) == 2)


def test_when_no_pipe_is_to_be_had(serve):
    """Descriptors run out: content is copied as before."""
    # whose limits a test may change
    user = pwd.getpwuid(os.getuid()).pw_name
    gh = serve(sized, global_=f"user = {user}")
    pid, = gh.workers()
    n = len(open_files(pid))
    with gh.client() as c:
        assert c.get("/1000").body == noise(1000)
        # both connections are open: no room for a pipe
        assert len(open_files(pid)) >= n + 2
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (max(open_files(pid)) + 1, hard))
        for size in SIZES:
            assert c.get(f"/{size}").body == noise(size)
        assert n_pipes(gh) == 0


def test_many_at_once(serve):
    """Each has its own; more idle ones than are kept are closed."""
    gh = serve(sized)
    digests = []

    def fetch(i):
        with gh.client(timeout=60) as c:
            n = 900_000 + i
            body = c.get(f"/{n}").body
            digests.append(hashlib.sha256(body).digest() ==
                           hashlib.sha256(noise(n)).digest())
    threads = [threading.Thread(target=fetch, args=(i,)) for i in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert digests == [True] * 60
    assert n_pipes(gh) % 2 == 0 and n_pipes(gh) <= 128


def test_a_tunnel_is_piped_when_much_comes(serve):
    """Messages are mostly small: RFC 6455 through a 101."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: upgrade\r\n\r\n")
        for _ in range(200):
            conn.send(conn.reader.exactly(1000))
        assert conn.reader.to_end() == b""
        conn.send(noise(500_000))
        return False
    gh = serve(script)
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\n"
               b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
        assert c.reader.response_head().status == 101
        for _ in range(200):
            c.send(bytes(1000))
            assert c.reader.exactly(1000) == bytes(1000)
        assert n_pipes(gh) == 0
        c.sock.shutdown(socket.SHUT_WR)
        got = c.reader.buf
        while data := c.sock.recv(65536):
            got += data
        assert got == noise(500_000)
    assert n_pipes(gh) == 2
