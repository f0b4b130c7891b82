"""memory_limit of [global]: what connections may take together; above it idle
ones go first, then the greediest, and new requests are answered 503."""
import contextlib
import re
import threading

import pytest

from lib import admin
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 1
error_log = {dir}/error.log
memory_limit = %s
[listen x]
address = 127.0.0.1:{port}
h2c = on
[log access]
path = {dir}/access.log
format = {status} {fault} {path}
buffer = none
[site test]
hosts = *
respond = 200 served
[route test /moved]
redirect = 302 /
[route test /slow]
upstream = {origin}
""" + admin.SECTION
UPLOAD = b"POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000\r\n\r\n"


@pytest.fixture
def start(gatehouse, origin):
    """start("2m"): a gatehouse whose server takes no content until the end."""
    over = threading.Event()

    def script(conn):
        conn.reader.head()
        over.wait(WAIT_S)

    o = origin(script, raw=True)
    yield lambda limit: gatehouse(INI % limit, origin=o.address)
    over.set()


def counters(gh):
    return admin.status(gh)["counters"]


def fill(c):
    """An upload as far as it is taken."""
    c.send(UPLOAD)
    c.sock.setblocking(False)
    with contextlib.suppress(BlockingIOError, ConnectionError):
        while True:
            c.sock.send(b"x" * 65536)


def test_the_greedy_go_and_others_are_served(start):
    """Idle connections first; then those that hold most; then all is well."""
    with contextlib.ExitStack() as stack:
        gh = start("300k")
        idle = [stack.enter_context(gh.client()) for _ in range(3)]
        for c in idle:
            assert c.get("/").status == 200

        def is_short():
            # whether one comes while others are closed is a matter of luck
            for _ in range(60):
                fill(stack.enter_context(gh.client()))
            n = counters(gh)
            return n["shed_greedy_total"] > 0 and n["memory_refused_total"] > 0
        until(is_short, what="shedding")
        # who was idle was closed, in order
        assert all(c.is_closed() for c in idle)
        assert counters(gh)["shed_idle_total"] == 3

        def is_served():
            with gh.client() as c:
                return c.get("/").status == 200
        until(is_served, what="an answer beside them")
    log = (gh.dir / "error.log").read_text()
    assert re.search(r"memory limit reached used=\d+ share=307200 ", log)
    until(lambda: "503 memory_limit /slow" in
          (gh.dir / "access.log").read_text(), what="the line")


def test_what_no_shedding_helps_is_answered_503(start):
    """A limit below what one exchange takes; the answer says so. Whoever asks
    for our health, and the operator, are answered as ever."""
    gh = start("1k")
    for path, status in (("/", 200), ("/slow", 503), ("/moved", 302), ("/", 200)):
        with gh.client() as c:
            r = c.get(path)
        assert r.status == status
        assert (r.get("connection") == "close") == (status == 503)
    assert counters(gh)["memory_refused_total"] == 1
    until(lambda: "503 memory_limit /slow" in
          (gh.dir / "access.log").read_text(), what="the line")


def test_without_a_limit_nothing_is_shed(start):
    with contextlib.ExitStack() as stack:
        gh = start("none")
        for _ in range(30):
            fill(stack.enter_context(gh.client()))
        with gh.client() as c:
            assert c.get("/").status == 200
    assert counters(gh)["shed_greedy_total"] == 0


def test_files_that_are_kept_are_no_clients(gatehouse, tmp_path):
    """Whoever asked for them has gone: all are served, again and again."""
    tmp_path.chmod(0o755)
    for i in range(60):
        (tmp_path / f"{i}.txt").write_bytes(b"x" * 16000)
    gh = gatehouse(INI.replace("respond = 200 served", f"root = {tmp_path}")
                   % "512k", origin="127.0.0.1:1")
    with gh.client() as c:
        for i in range(60):
            assert c.get(f"/{i}.txt").status == 200
