"""Programs that people really use, in place of our own client."""
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


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], capture_output=True,
                          timeout=LIMIT_S, check=True, **kwargs).stdout


def curl(gh, path, *args, **kwargs):
    return run("curl", "-sS", "--noproxy", "*", "--max-time", LIMIT_S,
               *args, f"http://127.0.0.1:{gh.port}{path}", **kwargs)


def node(script, *args, **kwargs):
    return subprocess.Popen(
        ["node", str(TOP / "t/lib" / script), *map(str, args)],
        env=NODE_ENV, text=True, stdout=subprocess.PIPE, **kwargs)


@pytest.fixture(params=["plain", "deflate"])
def ws_server(request):
    """(port, way, process) of a server of the `ws` package."""
    process = node("ws_server.js", request.param)
    yield int(process.stdout.readline()), request.param, process
    process.kill()
    process.communicate()


def test_ws_on_both_sides(gatehouse, ws_server):
    """RFC 6455: client and server of the `ws` package, texts, 8 MiB at once,
    ping, subprotocols, extensions, closing handshake with a code."""
    port, way, server = ws_server
    gh = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = 127.0.0.1:%d
""" % port)
    client = node("ws_client.js", f"ws://127.0.0.1:{gh.port}/chat?a=b",
                  8 << 20, way)
    out, _ = client.communicate(timeout=LIMIT_S)
    assert client.returncode == 0
    told = json.loads(out)
    assert told["url"] == "/chat?a=b"
    assert told["host"] == f"127.0.0.1:{gh.port}"
    assert told["via"].startswith("1.1 ")
    assert ("permessage-deflate" in told["extensions"]) == (way == "deflate")
    assert server.stdout.readline() == "closed 4001 enough\n"


def test_curl_reuses_its_connection(pair):
    """RFC 9112 9.3: two transfers of one curl share a connection."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.target.encode())))
    out = run("curl", "-sS", "--noproxy", "*", "-w", "%{num_connects},",
              f"http://127.0.0.1:{gh.port}/a",
              f"http://127.0.0.1:{gh.port}/b")
    assert out == b"/a1,/b0,"
    assert len(o.conns) == 1


def test_curl_uploads_with_expectation(pair):
    """RFC 9110 10.1.1: curl asks before it sends, and gets its answer."""
    def script(conn):
        assert conn.reader.head().get("expect") == "100-continue"
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.send(ok(b"%d" % len(conn.reader.exactly(3 << 20))))

    gh, _ = pair(script, raw=True)
    out = curl(gh, "/", "-X", "POST", "-H", "Expect: 100-continue",
               "--expect100-timeout", "30", "--data-binary", "@-",
               input=b"x" * (3 << 20))
    assert out == b"%d" % (3 << 20)


def test_curl_uploads_chunked(pair):
    """RFC 9112 7.1: an upload of unknown length arrives whole."""
    gh, o = pair(lambda conn, r: conn.send(ok(r.framing.encode())))
    data = os.urandom(1 << 20)
    assert curl(gh, "/", "-T", "-", "-H", "Expect:", input=data) == b"chunked"
    assert o.requests[0].body == data


def test_curl_sees_an_early_refusal(pair):
    """RFC 9110 15.5.14: curl gets the 413 although it would send for long."""
    gh, o = pair(site="max_body = 1k")
    out = curl(gh, "/", "-H", "Expect:", "-o", "/dev/null", "-w",
               "%{http_code}", "--data-binary", "@-", input=b"x" * (16 << 20))
    assert out == b"413"
    assert not o.requests


@pytest.mark.parametrize("option", ["--http1.0", "--http1.1", "--http2"])
def test_curl_of_each_version(pair, option):
    """RFC 9113 3.1: curl --http2 asks for h2c by Upgrade and is served HTTP/1.1
    all the same."""
    gh, _ = pair()
    assert curl(gh, "/", option, "-w", " %{http_code}") == b"ok 200"


def test_curl_head_and_options(pair):
    """RFC 9110 9.3.2, 9.3.7."""
    gh, _ = pair()
    assert b"HTTP/1.1 200" in curl(gh, "/", "-I")
    assert b"llow: " in curl(gh, "/", "-i", "-X", "OPTIONS",
                             "--request-target", "*")


def test_wrk_meets_no_failure(gatehouse):
    """Issue 2: load by wrk, with keep-alive: every answer is whole."""
    ini = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
%s
[log access]
path = {dir}/access.log
format = {status} {fault}
"""
    # one for each side: this one serves until the other has ended
    back = gatehouse(ini % "respond = 200 hello")
    gh = gatehouse(ini % f"upstream = 127.0.0.1:{back.port}")
    out = run("wrk", "-t", 1, "-c", 32, "-d", 2, "--timeout", 30,
              f"http://127.0.0.1:{gh.port}/").decode()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    served = int(re.search(r"(\d+) requests in", out).group(1))
    assert served > 32
    assert gh.stop() == 0 and back.stop() == 0
    lines = []
    for each in gh, back:
        lines += (each.dir / "access.log").read_text().splitlines()
    # both log, and what was under way when wrk left is cut
    assert lines.count("200 -") >= 2 * served
    assert {line for line in lines if line != "200 -"} <= \
        {"200 client_gone", "499 client_gone"}
