"""One gatehouse with three listens in front of one recording origin: who the
client is depends on the listen it comes to."""
import socket

import pytest

from lib.procs import until
from lib.wire import Client

INI = """
[global]
workers = 1
[log ids]
path = {dir}/ids.log
format = {request_id} {client_ip} {client_port} {peer_ip} {scheme}
buffer = none
[listen stranger]
address = 127.0.0.1:{port}
trusted_proxies = 192.0.2.0/24 2001:db8::/32
access_log = ids
[listen trusting]
address = 127.0.0.1:{port1}
trusted_proxies = 127.0.0.0/8 192.0.2.0/24 2001:db8::/32
access_log = ids
[listen local]
address = unix:{dir}/local.sock
access_log = ids
[listen believed]
address = unix:{dir}/believed.sock
trusted_proxies = unix: 192.0.2.0/24
access_log = ids
[site s]
hosts = *
upstream = {origin}
"""


class Setup:
    """gh, o, and the four ways in."""

    def __init__(self, gh, o):
        self.gh = gh
        self.o = o
        self.log = gh.dir / "ids.log"

    def client(self, way):
        if way == "stranger":
            return self.gh.client()
        if way == "trusting":
            return self.gh.client(self.gh.ports[1])
        return Client(str(self.gh.dir / f"{way}.sock"))

    def ask(self, way="stranger", extra=b"", **kwargs):
        """What the origin saw of one request."""
        before = len(self.o.requests)
        with self.client(way) as c:
            self.answer = c.get("/", extra=extra, **kwargs)
            self.port = None
            if c.sock.family == socket.AF_INET:
                self.port = c.sock.getsockname()[1]
        assert self.answer.status == 200, self.answer.text
        return self.o.requests[before]

    def logged(self, request):
        """The words of the log's line about what the origin saw. It is written
        after the answer."""
        name = request.get("x-request-id")
        return until(lambda: self._find(name), what=f"a line of {name}")

    def _find(self, name):
        for line in self.log.read_text().splitlines():
            if line.split()[0] == name:
                return line.split()
        return None


@pytest.fixture(scope="module")
def setup(shared_gatehouse, shared_origin):
    o = shared_origin()
    return Setup(shared_gatehouse(INI, ports=2, origin=o.address), o)
