"""Fixtures of TLS: an authority for all tests, a gatehouse with two sites."""
import pytest

from lib.certs import Authority

INI = """
[global]
workers = %(workers)s
[listen x]
address = 127.0.0.1:{port}
tls = on
%(listen)s
[tls]
%(tls)s
[log access]
path = {dir}/access.log
format = {status} {fault} {tls_version} {tls_cipher} {tls_sni} {tls_resumed}
buffer = none
[site a.test]
certificate = {a}
certificate_key = {a_key}
%(a)s
[site b.test]
certificate = {b}
certificate_key = {b_key}
%(b)s
%(more)s
"""


@pytest.fixture(scope="session")
def ca():
    made = Authority()
    made.make("a", "a.test", "*.a.test")
    made.make("b", "b.test")
    return made


@pytest.fixture
def front(gatehouse, ca):
    """front(tls="key = value", ...): sites a.test and b.test."""
    def make(**parts):
        ports = parts.pop("ports", 1)
        names = parts.pop("names", {})
        text = INI % {"workers": 1, "listen": "", "tls": "", "more": "",
                      "a": "respond = 200 a", "b": "respond = 200 b", **parts}
        return gatehouse(text, ports=ports, a=ca.dir / "a.pem",
                         a_key=ca.dir / "a.key", b=ca.dir / "b.pem",
                         b_key=ca.dir / "b.key", ca=ca.pem, **names)
    return make


@pytest.fixture
def visit(ca):
    """visit(gh, host, ...): an open connection through TLS."""
    def make(gh, host="a.test", port=None, ctx=None, session=None, **kwargs):
        return gh.client(port, tls=ctx or ca.context(**kwargs), name=host,
                         session=session)
    return make
