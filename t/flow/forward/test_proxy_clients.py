"""Programs that people really use, through the proxy."""
import ssl
import subprocess

import pytest

from lib.certs import Authority
from lib.origin import ok
from lib.tls_origin import TlsOrigin

LIMIT_S = 60


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("a", "a.test")
    made.make("p", "localhost")
    return made


def run(*args, **kwargs):
    done = subprocess.run([str(a) for a in args], capture_output=True,
                          timeout=LIMIT_S, check=False, **kwargs)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def curl(ca, *args):
    return run("curl", "-sS", "--cacert", ca.pem, *args)


def echo(conn, request):
    conn.send(ok(f"{request.method} {request.target} ".encode() +
                 request.body))


def test_curl(proxy, origin, ca):
    """Plain, through a tunnel, to a server of TLS, by HTTP/1.0, many requests
    on one connection; and through a proxy that speaks TLS itself."""
    o = origin(echo)
    p = proxy(zone={"a.test": ["127.0.0.1"]})
    q = proxy(zone={"a.test": ["127.0.0.1"]},
              listen=f"tls = on\ncertificate = {ca.dir / 'p.pem'}\n"
                     f"certificate_key = {ca.dir / 'p.key'}\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.dir / "a.pem", ca.dir / "a.key")
    tls = TlsOrigin(context)
    url = f"http://a.test:{o.port}/x?y"
    try:
        for way in ((f"http://127.0.0.1:{p.gh.port}",),
                    (f"https://localhost:{q.gh.port}",
                     "--proxy-cacert", ca.pem)):
            assert curl(ca, "-x", *way, url) == b"GET /x?y "
            assert curl(ca, "-0", "-x", *way, url) == b"GET /x?y "
            assert curl(ca, "-p", "-x", *way, url) == b"GET /x?y "
            assert curl(ca, "-d", "body", "-x", *way, url) == \
                b"POST /x?y body"
            assert curl(ca, "-x", *way, url, url, url) == b"GET /x?y " * 3
            assert curl(ca, "-x", *way,
                        f"https://a.test:{tls.port}/s") == b"ok"
    finally:
        tls.close()
