"""Sticky sessions outlive workers, stewards, generations and masters (doc/shm.md
6.9): cookies and what is remembered alike."""
import signal

import pytest

from lib import admin
from lib.origin import ok
from lib.procs import end_masters, kill_and_wait, until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = {a}
server = {b}
server = {c}
sticky = %s
""" + admin.SECTION


class Clients:
    """Each came once, and knows who answered."""

    def __init__(self, gh, how):
        self.gh, self.how = gh, how
        self.known = [self.ask(i, None) for i in range(9)]
        assert {text for text, _ in self.known} == set("abc")

    def ask(self, i, cookie):
        extra = b"X-User: %d\r\n" % i
        if cookie is not None:
            extra += f"Cookie: {cookie}\r\n".encode()
        with self.gh.client() as c:
            answer = c.get(extra=extra)
        told = answer.get("set-cookie")
        return answer.text, told.split(";")[0] if told else cookie

    def check(self):
        """All find their servers, and nobody is given another cookie."""
        for _ in range(2):
            assert [self.ask(i, cookie) for i, (_, cookie)
                    in enumerate(self.known)] == self.known


@pytest.fixture(params=["cookie gh_srv", "header X-User"])
def clients(request, gatehouse, origin):
    a, b, c = (origin(lambda conn, _, n=n: conn.send(ok(n.encode())))
               for n in "abc")
    gh = gatehouse(INI % request.param, a=a.address, b=b.address,
                   c=c.address)
    return Clients(gh, request.param)


def test_sessions_outlive_workers_and_the_steward(clients):
    gh = clients.gh
    for pid in gh.workers():
        kill_and_wait(pid)
    clients.check()
    kill_and_wait(admin.steward(gh))
    clients.check()
    until(lambda: admin.steward(gh))
    gh.reload()
    clients.check()


def test_sessions_outlive_an_upgrade(clients):
    gh = clients.gh
    gh.send_signal(signal.SIGUSR2)
    new = int(gh.notify.wait("MAINPID=")["MAINPID"])
    try:
        clients.check()
        assert gh.process.wait(WAIT_S) == 0
        clients.check()
    finally:
        end_masters([new])
