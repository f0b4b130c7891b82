"""Handshakes that fail are told apart: a counter for each class, and a line at
level info that says why and holds no byte of the peer."""
import socket
import ssl

import pytest

from lib import admin
from lib.certs import Authority
from lib.procs import until


@pytest.fixture
def gh(front, ca):
    return front(
        listen="header_timeout = 300ms", a="respond = 200 a\n"
        "verify = require\nclient_ca = {ca}",
        more=admin.SECTION + "[log error]\npath = {dir}/error.log\n"
        "level = info\n")


def shake(gh, ctx, name):
    """A handshake, and a request: in TLS 1.3 a refusal comes behind ours."""
    sock = socket.create_connection(("127.0.0.1", gh.port), 10)
    with sock, pytest.raises((ssl.SSLError, OSError)):
        tls = ctx.wrap_socket(sock, server_hostname=name)
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if not tls.recv(1):
            raise OSError


def raw(gh, data):
    with socket.create_connection(("127.0.0.1", gh.port), 10) as sock:
        sock.sendall(data)
        try:
            while sock.recv(4096):
                pass
        except OSError:
            pass


def told(gh, word, why):
    log = gh.dir / "error.log"
    until(lambda: why in log.read_text())
    until(lambda: admin.status(gh)["counters"][f"tls_failed_{word}_total"] == 1)
    assert admin.status(gh)["counters"]["tls_failures_total"] == 1


def test_no_tls_at_all(gh):
    raw(gh, b"GET /secret\x1b[31m HTTP/1.1\r\nHost: a.test\r\n\r\n")
    told(gh, "protocol", 'why="TLS: http request"')
    assert "secret" not in (gh.dir / "error.log").read_text()


def test_nothing_in_common(gh, ca):
    ctx = ca.context(alpn=("nothing/1",))
    shake(gh, ctx, "b.test")
    told(gh, "mismatch", 'why="TLS: no application protocol"')


def test_no_certificate(gh, ca):
    shake(gh, ca.context(), "a.test")
    told(gh, "certificate", "peer did not return a certificate")


def test_a_certificate_of_somebody_else(gh, ca):
    other = Authority("stranger")
    who = other.make("stranger", client=True)
    shake(gh, ca.context(cert=who), "a.test")
    told(gh, "certificate", "unable to get local issuer certificate")


def test_a_client_that_does_not_trust_us(gh):
    shake(gh, ssl.create_default_context(), "b.test")
    told(gh, "certificate", "unknown ca")


def test_a_client_that_leaves(gh):
    with socket.create_connection(("127.0.0.1", gh.port), 10) as sock:
        sock.sendall(b"\x16\x03\x01\x02")
    told(gh, "cut", "the connection ended without notice")


def test_a_client_that_waits(gh):
    with socket.create_connection(("127.0.0.1", gh.port), 10) as sock:
        assert sock.recv(1) == b""
        told(gh, "cut", "the handshake took too long")
