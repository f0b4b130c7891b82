"""gatehouse in front of some servers, with an access log that says which one
was asked and what went wrong."""
import contextlib
import pathlib
import socket
import tempfile

import pytest

from lib.busy import Crowd
from lib.certs import Authority
from lib.dns import Dns
from lib.gatehouse import Gatehouse
from lib.h2_origin import H2Origin
from lib.origin import ok
from lib.procs import until
from lib.tls_origin import Server, TlsOrigin, server_context

INI = """
[global]
workers = %(workers)s
%(global)s
[listen x]
address = 127.0.0.1:{port}
%(listen)s
[log access]
path = {dir}/access.log
buffer = none
format = {status} {fault} {tries} {origin_status} {server}
[site test]
hosts = *
upstream = app
%(site)s
[upstream app]
%(servers)s
%(upstream)s
"""


class Front(Gatehouse):
    """One of these."""

    def log(self, n=1):
        """The first n lines of the access log as dicts, once there are so
        many."""
        path = self.dir / "access.log"
        lines = until(lambda: (got := path.read_text().splitlines())
                      and len(got) >= n and got, what=f"{n} lines of log")
        keys = ("status", "fault", "tries", "origin_status", "server")
        return [dict(zip(keys, line.split())) for line in lines]

    def fault(self):
        """The fault of the one exchange that was."""
        lines = self.log()
        assert len(lines) == 1
        return lines[0]["fault"]


@pytest.fixture
def front(tmp_path):
    """front([server, ...], upstream="key = value", ...): a server is an origin
    or the text of a server line."""
    with contextlib.ExitStack() as stack:
        def make(servers, ports=1, wait=True, env=None, **sections):
            lines = {"workers": 1, "global": "", "listen": "", "site": "",
                     "upstream": "", **sections}
            lines["servers"] = "\n".join(
                "server = " + getattr(s, "address", s) for s in servers)
            gh = Front(tmp_path, INI % lines, ports=ports, wait=wait, env=env)
            stack.callback(gh.close)
            return gh

        yield make


@pytest.fixture
def crowd():
    """crowd(gh, most): clients of it, so many at once."""
    with contextlib.ExitStack() as stack:
        def make(*args):
            made = Crowd(*args)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def dns():
    """dns(zone, ...) starts a name server."""
    with contextlib.ExitStack() as stack:
        def make(*args, **kwargs):
            server = Dns(*args, **kwargs)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def named(origin):
    """named(b"text", ...) starts an origin that says its name."""
    return lambda text, **kwargs: origin(
        lambda conn, request: conn.send(ok(text)), **kwargs)


@pytest.fixture
def unix_origin(named):
    """unix_origin(b"text") starts one on a unix socket that workers reach,
    whoever they are."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)

        def make(text):
            path = pathlib.Path(folder) / text.decode()
            made = named(text, path=path)
            path.chmod(0o777)
            return made

        yield make


@pytest.fixture(scope="session")
def ca():
    return Authority()


@pytest.fixture(scope="session")
def below(ca):
    """One that it signed."""
    return Authority("below", under=ca)


@pytest.fixture(scope="session")
def stranger():
    """One that nobody knows."""
    return Authority("stranger")


@pytest.fixture
def tls_origin(ca):
    """tls_origin(script, "NAME" or pem, ...): one behind TLS whose certificate
    is for localhost and 127.0.0.1 unless told."""
    with contextlib.ExitStack() as stack:
        def make(script=None, pem=None, raw=False, before=None, **kwargs):
            pem = pem or ca.make("local", "localhost", ips=["127.0.0.1"])
            o = TlsOrigin(server_context(pem, **kwargs), script, raw=raw,
                          before=before)
            stack.callback(o.close)
            return o

        yield make


@pytest.fixture
def s_server(ca):
    """s_server("-tls1_2", ...): openssl's own, for what scripts cannot do."""
    with contextlib.ExitStack() as stack:
        def make(*args):
            server = Server(ca.make("local", "localhost", ips=["127.0.0.1"]),
                            *args)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def h2_origin():
    """h2_origin(script, ...) starts a raw origin of HTTP/2."""
    with contextlib.ExitStack() as stack:
        def make(*args, **kwargs):
            o = H2Origin(*args, **kwargs)
            stack.callback(o.close)
            return o

        yield make


@pytest.fixture
def h2_front(front):
    """front(), to origins of HTTP/2; its first listen speaks that, too."""
    def make(servers, upstream="", listen="h2c = on", **kwargs):
        return front(servers, upstream="protocol = h2\n" + upstream,
                     listen=listen, **kwargs)

    return make


@pytest.fixture
def deaf():
    """The address of a listening socket whose queue is full: connections to
    it neither open nor fail (listen(2))."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        fillers = []

        def fills():
            filler = socket.socket()
            filler.setblocking(False)
            fillers.append(filler)
            filler.connect_ex(s.getsockname())
            # the ones that still open soon do it at once on loopback
            return filler.connect_ex(s.getsockname()) != 0

        until(lambda: fills() and len(fillers) > 4)
        yield "127.0.0.1:%d" % s.getsockname()[1]
        for filler in fillers:
            filler.close()
