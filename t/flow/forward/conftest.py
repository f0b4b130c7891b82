"""Fixtures of the forward proxy: one worker, a recording origin, and a name
server whose zone is the test's."""
import pytest

from lib.dns import Dns
from lib.procs import until

INI = """
[global]
workers = 1
dns_servers = {dns}
%(global)s
[log access]
path = {dir}/access.log
format = {status} {fault} {method} {target} {server} {bytes_in} {bytes_out}
buffer = none
[listen proxy]
address = 127.0.0.1:{port}
mode = forward
policy = main
%(listen)s
[forward main]
%(forward)s
%(more)s
"""
# What most tests need: their origins are on this machine.
OPEN = "private_networks = allow\nconnect_ports = 1-65535\n"


class Proxy:
    """A running forward proxy.

    gh, dns   the daemon, and the name server that it asks
    """

    def __init__(self, gh, dns):
        self.gh = gh
        self.dns = dns

    def client(self, **kwargs):
        return self.gh.client(**kwargs)

    def get(self, url, *fields, host="elsewhere.test", version="1.1",
            method="GET"):
        """The answer, on a connection of its own."""
        lines = [f"{method} {url} HTTP/{version}"]
        lines += [f"Host: {host}"] if host else []
        with self.client() as c:
            c.send("\r\n".join([*lines, *fields, "", ""]).encode("latin-1"))
            return c.response(method)

    def connect(self, target, *fields, **kwargs):
        """(client, answer) of a CONNECT; the client is to be closed."""
        c = self.client(**kwargs)
        c.send("\r\n".join([f"CONNECT {target} HTTP/1.1", f"Host: {target}",
                            *fields, "", ""]).encode())
        answer = c.reader.response_head()
        if answer.status != 200:
            c.reader._framed(answer, True)
        return c, answer

    def lines(self, n=1):
        """Wait for n lines of the access log."""
        path = self.gh.dir / "access.log"
        return until(lambda: (got := path.read_text().splitlines()) and
                     len(got) >= n and got, what=f"{n} lines of the log")


@pytest.fixture
def proxy(gatehouse):
    """proxy(forward="key = value", zone={name: [address]}, ...)"""
    servers = []

    def make(forward="", zone=None, dns=None, allow="allow = all",
             is_open=True, names=None, **sections):
        server = dns or Dns(zone or {})
        servers.append(server)
        text = INI % {"global": "", "listen": "", "more": "",
                      **sections,
                      "forward": f"{allow}\n{OPEN * is_open}{forward}"}
        return Proxy(gatehouse(text, dns=server.address, **(names or {})),
                     server)

    yield make
    for server in servers:
        server.close()
