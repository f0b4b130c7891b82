"""Who is slow slows the other side down; nothing is piled up in between."""
import hashlib
import os
import random
import select
import socket
import threading

import pytest

from lib.procs import status, until

SIZE = 64 << 20
# Socket buffers of both connections (net.ipv4.tcp_rmem and tcp_wmem allow 6
# and 4 MiB each) and what a worker holds.
BETWEEN_MAX = 24 << 20
RSS_MAX_KIB = 8 << 10
# A sanitizer must not hold back what was freed: that is what is measured.
FREES = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
         ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}
# No room for so long: the writer is held back.
STALL_S = 0.5
SMALL, LARGE = 16384, 1 << 20
BLOCK = random.Random(3).randbytes(1 << 20)


def rss_kib(gh):
    pid, = gh.workers()
    return int(status(pid)["VmRSS"].split()[0])


def fill(sock, size):
    """Send until nothing more is taken. Returns what was."""
    sent = 0
    while sent < size and select.select([], [sock], [], STALL_S)[1]:
        at = sent % len(BLOCK)
        try:
            sent += sock.send(BLOCK[at:at + 65536][:size - sent],
                              socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
    return sent


def finish(sock, sent, size):
    while sent < size:
        at = sent % len(BLOCK)
        part = BLOCK[at:at + 65536][:size - sent]
        sock.sendall(part)
        sent += len(part)


def digest_of(size):
    d = hashlib.md5()
    for _ in range(size >> 20):
        d.update(BLOCK)
    return d.hexdigest()


def receive(reader, size):
    """So many bytes, as a digest."""
    d = hashlib.md5(reader.buf[:size])
    n = len(reader.buf[:size])
    while n < size:
        data = reader.sock.recv(min(1 << 18, size - n))
        assert data, f"{n} of {size}"
        d.update(data)
        n += len(data)
    return d.hexdigest()


FRAMES = {"length": b"Content-Length: %d\r\n" % SIZE, "close": b""}


@pytest.mark.heavy
@pytest.mark.parametrize("frame", FRAMES)
def test_a_client_that_does_not_read_stops_the_origin(pair, frame):
    """Issue 2: a slow client and a fast origin: bounded bytes in between, and
    all of them arrive in the end."""
    def script(conn, request):
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        conn.send(b"HTTP/1.1 200 OK\r\n" + FRAMES[frame] + b"\r\n")
        sent.append(fill(conn.sock, SIZE))
        stalled.set()
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGE)
        finish(conn.sock, sent[0], SIZE)
        return False

    sent, stalled = [], threading.Event()
    gh, _ = pair(script, env=FREES)
    before = rss_kib(gh)
    with gh.client(rcvbuf=SMALL, timeout=60) as c:
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        assert stalled.wait(60)
        assert sent[0] < BETWEEN_MAX
        assert rss_kib(gh) - before < RSS_MAX_KIB
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LARGE)
        assert c.reader.response_head().status == 200
        assert receive(c.reader, SIZE) == digest_of(SIZE)
    assert rss_kib(gh) - before < RSS_MAX_KIB


@pytest.mark.heavy
def test_an_origin_that_does_not_read_stops_the_client(pair):
    """Issue 2: a slow origin and a fast client: the same the other way."""
    def script(conn):
        conn.reader.head()
        assert go.wait(60)
        digest = receive(conn.reader, SIZE).encode()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                  % len(digest) + digest)

    go = threading.Event()
    gh, _ = pair(script, raw=True, env=FREES)
    before = rss_kib(gh)
    with gh.client(timeout=60) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
               % SIZE)
        sent = fill(c.sock, SIZE)
        assert sent < BETWEEN_MAX
        assert rss_kib(gh) - before < RSS_MAX_KIB
        go.set()
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGE)
        finish(c.sock, sent, SIZE)
        assert c.response().text == digest_of(SIZE)
    assert rss_kib(gh) - before < RSS_MAX_KIB


def test_a_chunked_upload_is_held_back_too(pair):
    """Issue 2: whatever the framing: here many small chunks, of which each is
    a piece to keep."""
    def script(conn):
        conn.reader.head()
        assert go.wait(60)
        got.append(conn.sock.recv(1))

    go, got = threading.Event(), []
    piece = b"3\r\nabc\r\n" * 8192
    gh, _ = pair(script, raw=True, env=FREES)
    before = rss_kib(gh)
    with gh.client() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n")
        sent = 0
        while sent < SIZE and select.select([], [c.sock], [], STALL_S)[1]:
            at = sent % len(piece)
            sent += c.sock.send(piece[at:], socket.MSG_DONTWAIT)
        assert sent < BETWEEN_MAX
        assert rss_kib(gh) - before < RSS_MAX_KIB
        go.set()
        until(lambda: got)


N_SLOW = 100
SLOW_KIB = 128  # a body's room and the block that its last piece lies in


@pytest.mark.heavy
def test_many_slow_clients_cost_little_each(pair):
    """Issue 2, bounded memory: each exchange holds what its bodies may."""
    def script(conn, request):
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        fill(conn.sock, SIZE)
        stalled.release()
        over.wait(60)
        return False

    stalled, over = threading.Semaphore(0), threading.Event()
    gh, _ = pair(script, env=FREES)
    before = rss_kib(gh)
    clients = []
    try:
        for _ in range(N_SLOW):
            clients.append(gh.client(rcvbuf=4096).send(
                b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
        for _ in range(N_SLOW):
            assert stalled.acquire(timeout=60)
        assert rss_kib(gh) - before < N_SLOW * SLOW_KIB
    finally:
        over.set()
        for c in clients:
            c.close()
