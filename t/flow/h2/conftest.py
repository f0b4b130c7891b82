"""One gatehouse with a listen of each kind that speaks HTTP/2: by TLS on
{port}, by prior knowledge on {port1}."""
import pytest

from lib.certs import Authority

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
format = {status} {protocol} {path}
buffer = none
[site a.test]
hosts = *
certificate = {pem}
certificate_key = {key}
upstream = app
[route a.test /own]
respond = 200 hello
[upstream app]
server = {origin}
"""


@pytest.fixture(scope="session")
def ca():
    made = Authority()
    made.make("a", "a.test", "localhost")
    return made


@pytest.fixture
def h2(gatehouse, ca):
    """h2(origin's address) gives the gatehouse."""
    return lambda address: gatehouse(
        INI, ports=2, origin=address, pem=ca.dir / "a.pem",
        key=ca.dir / "a.key")
