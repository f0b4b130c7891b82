"""Programs that people really use speak TLS with us: curl, openssl s_client, the
`ws` package of node; and clients that take their time."""
import hashlib
import json
import os
import random
import select
import socket
import subprocess
import time

import pytest

from lib.certs import Authority
from lib.gatehouse import TOP
from lib.origin import ok
from lib.procs import until

LIMIT_S = 60
LARGE = 3_000_000
# Debian keeps packages there; other builds of node do not look.
NODE_PATH = "/usr/share/nodejs"


def curl(gh, ca, url, *args, **kwargs):
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", str(LIMIT_S),
         "--cacert", ca.pem, "--resolve", f"a.test:{gh.port}:127.0.0.1",
         *map(str, args), f"https://a.test:{gh.port}{url}"],
        capture_output=True, timeout=LIMIT_S + 10, check=False, **kwargs)


def s_client(gh, ca, *args, send=b"", check=True):
    """openssl s_client, which ends with its input."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gh.port}",
         "-servername", "a.test", "-CAfile", ca.pem, *map(str, args)],
        input=send, capture_output=True, timeout=LIMIT_S, check=check).stdout


@pytest.fixture
def mirror(front, origin):
    """An origin that answers with what it was sent."""
    o = origin(lambda conn, request: conn.send(ok(request.body)))
    return front(a="upstream = app",
                 more=f"[upstream app]\nserver = {o.address}\n")


@pytest.mark.parametrize("version", ["--tlsv1.3", "--tls-max"])
def test_curl_both_ways(mirror, ca, version):
    """3 MB up and down, by each version."""
    data = random.Random(1).randbytes(LARGE)
    which = [version, "1.2"] if version == "--tls-max" else [version]
    done = curl(mirror, ca, "/", *which, "--data-binary", "@-", input=data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == \
        hashlib.sha256(data).digest()


def test_curl_with_a_certificate(front, ca):
    who = ca.make("curl", client=True)
    gh = front(a="respond = 200 {tls_client_subject}\nverify = require\n"
                 "client_ca = {ca}")
    done = curl(gh, ca, "/", "--cert", who, "--key", who.with_suffix(".key"))
    assert done.stdout == b"CN=curl,O=Test"
    assert curl(gh, ca, "/").returncode != 0


def test_the_chain_is_shown_whole(front, ca, tmp_path):
    """RFC 8446 4.4.2: a client that knows the root alone can follow it."""
    middle = Authority("middle", under=ca)
    leaf = middle.make("leaf", "a.test")
    chain = tmp_path / "chain.pem"
    chain.write_text(leaf.read_text() + middle.pem.read_text())
    gh = front(listen="certificate = {chain}\ncertificate_key = {key}",
               names={"chain": chain, "key": leaf.with_suffix(".key")})
    said = s_client(gh, ca, "-servername", "nobody.test", "-showcerts")
    assert said.count(b"BEGIN CERTIFICATE") == 2
    assert b"Verify return code: 0 (ok)" in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes(front, ca, tmp_path, version):
    """The session of one run is good for the next."""
    gh = front(a="respond = 200 {tls_resumed}")
    file = tmp_path / "session"
    ask = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    first = s_client(gh, ca, version, "-sess_out", file, "-ign_eof", send=ask)
    assert b"\r\n\r\nno" in first and file.exists()
    second = s_client(gh, ca, version, "-sess_in", file, "-ign_eof", send=ask)
    assert b"\r\n\r\nyes" in second


@pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(front, ca, old):
    """RFC 8996."""
    said = s_client(front(), ca, old, "-cipher", "ALL:@SECLEVEL=0",
                    check=False)
    assert b"Cipher is (NONE)" in said


def test_ws_through_tls(front, ca):
    """RFC 6455 through `wss:`: 2 MiB at once, ping, a close with a code."""
    ca.make("local", "localhost")
    env = {**os.environ, "NODE_PATH": NODE_PATH,
           "NODE_EXTRA_CA_CERTS": str(ca.pem)}

    def node(script, *args):
        return subprocess.Popen(
            ["node", str(TOP / "t/lib" / script), *map(str, args)], env=env,
            text=True, stdout=subprocess.PIPE)
    server = node("ws_server.js", "plain")
    try:
        gh = front(more="[site localhost]\ncertificate = {pem}\n"
                   "certificate_key = {key}\nupstream = 127.0.0.1:"
                   f"{int(server.stdout.readline())}\n",
                   names={"pem": ca.dir / "local.pem",
                          "key": ca.dir / "local.key"})
        client = node("ws_client.js", f"wss://localhost:{gh.port}/chat",
                      2 << 20, "plain")
        out, _ = client.communicate(timeout=LIMIT_S)
        assert client.returncode == 0
        assert json.loads(out)["url"] == "/chat"
        assert server.stdout.readline() == "closed 4001 enough\n"
    finally:
        server.kill()
        server.communicate()


# --- clients that take their time -----------------------------------------------

def test_a_handshake_that_drips_ends_in_time(front, ca):
    """header_timeout is for all of it: a byte now and then buys no more."""
    gh = front(listen="header_timeout = 500ms")
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gh.port), LIMIT_S) as sock:
        sock.sendall(b"\x16\x03\x01\x40\x00")
        with pytest.raises(OSError):
            while True:
                sock.sendall(b"\x01")
                # the end shows as soon as it is there
                ready, _, _ = select.select([sock], [], [], 0.05)
                if ready and not sock.recv(1):
                    raise OSError
    assert time.monotonic() - began < LIMIT_S / 2


def test_half_handshakes_hinder_nobody(front, ca, visit):
    """A hundred that stopped in the middle, and one that is served."""
    gh = front(listen="header_timeout = 30s")
    stuck = []
    for _ in range(100):
        sock = socket.create_connection(("127.0.0.1", gh.port), LIMIT_S)
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        stuck.append(sock)
    with visit(gh) as c:
        assert c.get(host="a.test").status == 200
    for sock in stuck:
        sock.close()
    # and they are forgotten when they leave
    with visit(gh) as c:
        assert c.get(host="a.test").status == 200


def test_an_idle_client_that_just_leaves_is_no_failure(front, visit):
    """Many end TCP without close_notify: between requests that is the end."""
    gh = front(a="respond = 200 {tls_version}", listen="access_log = access")
    c = visit(gh)
    assert c.get(host="a.test").status == 200
    socket.socket(fileno=c.sock.detach()).close()
    with visit(gh) as other:
        assert other.get(host="a.test").status == 200
    log = gh.dir / "access.log"
    until(lambda: len(log.read_text().splitlines()) == 2)
    assert all(line.startswith("200 - ") for line in
               log.read_text().splitlines())
