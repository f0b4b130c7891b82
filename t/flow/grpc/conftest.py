"""gatehouse between a client and a server of @grpc/grpc-js."""
import contextlib

import pytest

from lib.certs import Authority
from lib.grpc import MODULES, Server
from lib.h2_origin import H2Origin
from lib.procs import until

INI = """
[global]
workers = 1
[listen tls]
address = 127.0.0.1:{port}
tls = on
[listen plain]
address = 127.0.0.1:{port1}
h2c = on
[log access]
path = {dir}/access.log
buffer = none
format = {status} {fault} {tries} {path}
[site localhost]
hosts = *
certificate = {pem}
certificate_key = {key}
upstream = app
%(site)s
[upstream app]
server = {origin}
protocol = h2
ca = {ca}
%(upstream)s
"""


@pytest.fixture(scope="session")
def ca():
    return Authority()


@pytest.fixture(scope="session")
def pem(ca):
    return ca.make("local", "localhost", ips=["127.0.0.1"])


@pytest.fixture
def server():
    """server(pem or None) starts one."""
    if not MODULES.is_dir():
        pytest.skip("no packages of npm here: ./bootstrap deps")
    with contextlib.ExitStack() as stack:
        def make(*args):
            made = Server(*args)
            stack.callback(made.close)
            return made

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
def gate(gatehouse, ca, pem):
    """gate(address, site="key = value", upstream=...) gives the gatehouse."""
    def make(address, site="", upstream=""):
        ini = INI
        if not address.startswith("https"):
            ini = ini.replace("ca = {ca}\n", "")
        return gatehouse(ini % {"site": site, "upstream": upstream}, ports=2,
                         origin=address, pem=pem, key=pem.with_suffix(".key"),
                         ca=ca.pem)

    return make


@pytest.fixture
def log():
    """log(gatehouse, n): n lines of its access log, in words."""
    def read(gh, n=1):
        path = gh.dir / "access.log"
        lines = until(lambda: (got := path.read_text().splitlines()) and
                      len(got) >= n and got, what=f"{n} lines of log")
        return [line.split() for line in lines]

    return read
