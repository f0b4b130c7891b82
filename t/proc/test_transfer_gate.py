"""Gate: what is streamed does not stay. Four GiB each way pass through workers
whose memory stays within 64 MiB of what it was."""
import os
import subprocess
import sys
import textwrap

import pytest

from lib.procs import status

SIZE = 4 << 30
ROOM_KIB = 64 << 10
TRANSFER_S = 300
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = {origin}
"""

# The ends cost little beside what is measured: a file in memory is sent
# without being read, and what comes is dropped in the kernel.
ENDS = """
    import os, socket, sys

    def make_file():
        fd = os.memfd_create("content")
        os.write(fd, bytes(CHUNK))
        return fd

    CHUNK = 1 << 20
    ZEROS = make_file()

    def send(sock, size):
        while size > 0:
            size -= os.sendfile(sock.fileno(), ZEROS, 0, min(size, CHUNK))

    def drop(sock, size):
        while size > 0:
            n = len(sock.recv(min(size, CHUNK), socket.MSG_TRUNC))
            assert n > 0, size
            size -= n

    def head(sock):
        data = b""
        while not data.endswith(b"\\r\\n\\r\\n"):
            data += sock.recv(1)
        return data
"""
ORIGIN = ENDS + """
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    size = int(sys.argv[1])
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.fork() > 0:
            sock.close()
            continue
        listener.close()
        if head(sock).startswith(b"POST"):
            drop(sock, size)
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n"
                         b"\\r\\nok")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n"
                         % size)
            send(sock, size)
        sock.recv(1)
        os._exit(0)
"""
CLIENT = ENDS + """
    port, size, method = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sock = socket.create_connection(("127.0.0.1", port))
    if method == "POST":
        sock.sendall(b"POST / HTTP/1.1\\r\\nHost: test\\r\\n"
                     b"Content-Length: %d\\r\\n\\r\\n" % size)
        send(sock, size)
        assert head(sock).startswith(b"HTTP/1.1 200")
        drop(sock, 2)
    else:
        sock.sendall(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
        assert head(sock).startswith(b"HTTP/1.1 200")
        drop(sock, size)
    print("whole")
"""


def python(program, *args):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, args)],
        stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture
def fast_origin():
    process = python(ORIGIN, SIZE)
    yield "127.0.0.1:" + process.stdout.readline().strip()
    # the parent and whoever still serves for it
    os.killpg(process.pid, 9)
    process.wait()
    process.stdout.close()


def kib(pid, what):
    return int(status(pid)[what].split()[0])


def test_four_gib_each_way_stay_in_bounded_memory(gatehouse, fast_origin):
    """Issue 2, gate: a worker's peak of memory in use (VmHWM) is less than 64
    MiB over what it used before."""
    gh = gatehouse(INI, origin=fast_origin)
    before = {pid: kib(pid, "VmRSS") for pid in gh.workers()}
    assert len(before) == 2
    clients = [python(CLIENT, gh.port, SIZE, method)
               for method in ("POST", "GET")]
    try:
        for client in clients:
            assert client.communicate(timeout=TRANSFER_S)[0] == "whole\n"
    finally:
        for client in clients:
            client.kill()
            client.wait()
    after = {pid: kib(pid, "VmHWM") for pid in gh.workers()}
    assert before.keys() == after.keys()
    for pid, start in before.items():
        assert after[pid] - start < ROOM_KIB
