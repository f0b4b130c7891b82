"""One connection does not keep the others waiting."""
import os
import signal

from lib.procs import until

N = 2000
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[log access]
path = {dir}/access.log
buffer = none
format = {path}
[site test]
hosts = *
respond = 200 x
"""


def test_a_long_pipeline_takes_turns(gatehouse):
    """RFC 9112 9.3.2: requests of one client are answered in order; those of
    another client need not wait for the last of them."""
    gh = gatehouse(INI)
    worker, = until(gh.workers)
    with gh.client() as greedy, gh.client() as modest:
        assert greedy.get("/first").text == "x"
        assert modest.get("/first").text == "x"
        os.kill(worker, signal.SIGSTOP)
        try:
            greedy.send(b"GET /greedy HTTP/1.1\r\nHost: test\r\n\r\n" * N)
            modest.send(b"GET /modest HTTP/1.1\r\nHost: test\r\n\r\n")
        finally:
            os.kill(worker, signal.SIGCONT)
        assert modest.response().text == "x"
        for _ in range(N):
            assert greedy.response().text == "x"
    log = (gh.dir / "access.log").read_text().split()
    assert log.index("/modest") < 100
