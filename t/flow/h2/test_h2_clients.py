"""Programs that people really use, by HTTP/2 (RFC 9113)."""
import json
import os
import re
import subprocess

import pytest

from lib.gatehouse import TOP
from lib.origin import ok

LIMIT_S = 60
# Debian keeps packages there; other builds of node do not look.
NODE_ENV = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
WAYS = ["tls", "plain"]


def run(*args, **kwargs):
    done = subprocess.run([str(a) for a in args], capture_output=True,
                          timeout=LIMIT_S, check=False, **kwargs)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def echo(conn, r):
    """What was asked, or what was sent, or its trailers."""
    if r.target == "/back":
        body = r.body
    elif r.target == "/trailers":
        body = b"\n".join(k + b" " + v for k, v in r.trailers)
    else:
        body = f"{r.method} {r.target} ".encode() + r.body
    conn.send(ok(b"" if r.method == "HEAD" else body))


@pytest.fixture
def gh(h2, origin):
    return h2(origin(echo).address)


def url(gh, way, path="/", host="127.0.0.1"):
    return f"https://{host}:{gh.port}{path}" if way == "tls" else \
        f"http://{host}:{gh.ports[1]}{path}"


def curl(gh, ca, way, path, *args, **kwargs):
    """curl by HTTP/2; what it says at the end is the version."""
    to = url(gh, way, path, "a.test")
    own = ["--http2", "--cacert", ca.pem] if way == "tls" else \
        ["--http2-prior-knowledge"]
    return run("curl", "-sS", "--noproxy", "*", "--max-time", LIMIT_S,
               "--connect-to", "a.test::127.0.0.1:", *own, "-w",
               " %{http_version}", *args, to, **kwargs)


@pytest.mark.parametrize("way", WAYS)
def test_curl(gh, ca, way):
    """curl: GET, HEAD, an upload with a length and one without."""
    assert curl(gh, ca, way, "/a?b") == b"GET /a?b  2"
    assert curl(gh, ca, way, "/own") == b"hello 2"
    assert curl(gh, ca, way, "/a", "-I").startswith(b"HTTP/2 200")
    data = os.urandom(1 << 20)
    for args in ("--data-binary", "@-"), ("-T", "-"):
        out = curl(gh, ca, way, "/back", *args, input=data)
        assert out == data + b" 2"


def test_curl_of_version_1(gh, ca):
    """RFC 7301: who does not offer h2 is served HTTP/1.1, on both."""
    out = curl(gh, ca, "tls", "/a", "--http1.1")
    assert out == b"GET /a  1.1"
    assert run("curl", "-sS", "--http1.1", "-w", " %{http_version}",
               url(gh, "plain", "/a")) == b"GET /a  1.1"


def test_curl_in_parallel(gh, ca):
    """curl -Z: many transfers on one connection."""
    out = run("curl", "-sS", "--http2", "--cacert", ca.pem, "--connect-to",
              "a.test::127.0.0.1:", "-Z", "--parallel-immediate", "-w",
              "%{http_version} %{http_code}\n", "-o", os.devnull,
              *sum((["-o", os.devnull] for _ in range(49)), []),
              f"https://a.test:{gh.port}/[1-50]")
    assert out == b"2 200\n" * 50


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["/own", "/echo"])
def test_h2load(gh, way, path):
    """h2load: 2,000 requests, 32 streams on 8 connections, each answered."""
    out = run("h2load", "-n", 2000, "-c", 8, "-m", 32,
              url(gh, way, path)).decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert "status codes: 2000 2xx" in out, out
    if way == "tls":
        assert "Application protocol: h2" in out


def test_h2load_uploads(gh, tmp_path):
    """h2load -d: windows open again and again."""
    (tmp_path / "data").write_bytes(os.urandom(300000))
    out = run("h2load", "-n", 60, "-c", 2, "-m", 10, "-d", tmp_path / "data",
              url(gh, "plain", "/back")).decode()
    assert "60 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    bytes_in = int(re.search(r"\((\d+)\) data", out)[1])
    assert bytes_in == 60 * 300000


@pytest.mark.parametrize("way", WAYS)
def test_nghttp(gh, way, tmp_path):
    """nghttp: several at once, an upload with trailers, padding, weights."""
    assert run("nghttp", url(gh, way, "/x")) == b"GET /x "
    out = run("nghttp", "-n", "-s", "-m", 20, url(gh, way, "/y")).decode()
    assert out.count(" 200 ") == 20, out
    (tmp_path / "data").write_text("abc")
    # what has a length goes on without its trailers
    assert run("nghttp", "--no-content-length", "-d", tmp_path / "data",
               "--trailer", "x-end: 1", url(gh, way, "/trailers")) == b"x-end 1"
    assert run("nghttp", "-b", 100, "-p", 3, "-d", tmp_path / "data",
               url(gh, way, "/back")) == b"abc"


@pytest.mark.parametrize("way", WAYS)
def test_node(gh, ca, way):
    """node's http2: see t/lib/h2_client.js."""
    out = run("node", TOP / "t/lib/h2_client.js",
              url(gh, way, "/", "localhost"), ca.pem if way == "tls" else "-",
              env=NODE_ENV)
    assert json.loads(out)["alpn"] == ("h2" if way == "tls" else "h2c")


@pytest.fixture
def ws_server():
    """(port, process) of a server of the `ws` package."""
    process = subprocess.Popen(
        ["node", str(TOP / "t/lib/ws_server.js"), "plain"], env=NODE_ENV,
        text=True, stdout=subprocess.PIPE)
    yield int(process.stdout.readline()), process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("scheme", ["wss", "h2", "h2c"])
def test_ws(h2, ca, ws_server, scheme):
    """RFC 8441, RFC 6455: client and server of the `ws` package through TLS,
    and on streams of HTTP/2: texts, 8 MiB at once, ping, the closing handshake
    with its code."""
    port, server = ws_server
    gh = h2(f"127.0.0.1:{port}")
    at = gh.ports[1] if scheme == "h2c" else gh.port
    out = run("node", TOP / "t/lib/ws_client.js",
              f"{scheme}://localhost:{at}/chat?a=b", 8 << 20, "plain",
              *([] if scheme == "h2c" else [ca.pem]), env=NODE_ENV)
    told = json.loads(out)
    assert told["url"] == "/chat?a=b"
    assert told["via"].startswith("1.1 " if scheme == "wss" else "2")
    assert server.stdout.readline() == "closed 4001 enough\n"
