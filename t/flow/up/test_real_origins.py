"""Servers as people run them: content passes byte-exact."""
import gzip
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest

from lib.gatehouse import free_port
from lib.procs import is_listening, until
from lib.wire import WAIT_S

SIZES = [0, 1, 1000, 65536, 1500000]
TEXT = b"all work and no play\n" * 5000

NGINX = """
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    types {{ text/plain txt; }}
    gzip on;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_types text/plain;
    server {{
        listen 127.0.0.1:{port};
        root {dir}/www;
    }}
}}
"""

NODE = """
const http = require('http');
http.createServer((req, res) => {
    const framing = req.headers['content-length'] === undefined ?
        'chunked' : 'length';
    res.setHeader('X-Framing', framing);
    if (framing === 'length')
        res.setHeader('Content-Length', req.headers['content-length']);
    req.pipe(res);
}).listen(Number(process.argv[1]), '127.0.0.1');
"""


@pytest.fixture
def www():
    """A folder that any user may read, with files to serve."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        files = folder / "www"
        files.mkdir()
        for size in SIZES:
            (files / f"{size}.bin").write_bytes(
                random.Random(size).randbytes(size))
        (files / "text.txt").write_bytes(TEXT)
        yield folder


@pytest.fixture
def server(tmp_path):
    """server(port, command...) runs one until the test's end."""
    running = []

    def make(port, *command, **kwargs):
        with open(tmp_path / f"server{port}", "wb") as log:
            running.append(subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                **kwargs))
        until(lambda: is_listening(port) or running[-1].poll() is not None,
              what=f"{command[0]}")
        assert running[-1].poll() is None, \
            (tmp_path / f"server{port}").read_text()
        return f"127.0.0.1:{port}"

    yield make
    for process in running:
        process.terminate()
        process.wait(WAIT_S)


@pytest.fixture
def nginx(server, www):
    """nginx, as Debian packages it."""
    port = free_port()
    conf = www / "nginx.conf"
    conf.write_text(NGINX.format(dir=www, port=port))
    return server(port, shutil.which("nginx") or "/usr/sbin/nginx",
                  "-c", str(conf), "-p", str(www))


def check_files(gh, www):
    """Each file comes whole."""
    for size in SIZES:
        with gh.client() as c:
            r = c.get(f"/{size}.bin")
            assert (r.status, r.body) == (
                200, (www / "www" / f"{size}.bin").read_bytes())
            head = c.get(f"/{size}.bin", method="HEAD")
            assert (head.status, head.get("content-length")) == (
                200, str(size))
            assert c.get("/none").status == 404


def test_nginx_files(front, nginx, www):
    """RFC 9110 9.3.1: GET and HEAD of small and large files."""
    check_files(front([nginx]), www)


def test_nginx_ranges_and_conditions(front, nginx, www):
    """RFC 9110 13, 14: what only the origin decides passes as it is."""
    gh = front([nginx])
    whole = (www / "www" / "65536.bin").read_bytes()
    with gh.client() as c:
        r = c.get("/65536.bin", extra=b"Range: bytes=100-199\r\n")
        assert (r.status, r.body) == (206, whole[100:200])
        assert r.get("content-range") == "bytes 100-199/65536"
        r = c.get("/65536.bin", extra=b"If-None-Match: %s\r\n" %
                  r.get("etag").encode())
        assert (r.status, r.body) == (304, b"")
        assert c.get("/65536.bin").body == whole
        r = c.get("/65536.bin", extra=b"Range: bytes=99999-\r\n")
        assert r.status == 416


def test_nginx_gzip(front, nginx):
    """RFC 9110 8.4: coded content is the origin's; its chunks are ours."""
    with front([nginx]).client() as c:
        r = c.get("/text.txt", extra=b"Accept-Encoding: gzip\r\n")
        assert (r.get("content-encoding"), r.framing) == ("gzip", "chunked")
        assert gzip.decompress(r.body) == TEXT
        r = c.get("/text.txt")
        assert (r.get("content-encoding"), r.body) == (None, TEXT)


def test_nginx_refuses_methods(front, nginx):
    """RFC 9110 15.5.6: an answer to a POST that nginx does not want."""
    with front([nginx]).client() as c:
        c.send(b"POST /1.bin HTTP/1.1\r\nHost: test\r\n"
               b"Content-Length: 100000\r\n\r\n" + bytes(100000))
        assert c.response("POST").status == 405


def test_many_clients_at_once(front, nginx, www):
    """Each client gets its own bytes, over several workers and pools."""
    gh = front([nginx], workers=2)
    failed = []

    def client(i):
        rng = random.Random(i)
        with gh.client(timeout=60) as c:
            for _ in range(5):
                size = rng.choice(SIZES)
                if c.get(f"/{size}.bin").body != files[size]:
                    failed.append((i, size))

    files = {size: (www / "www" / f"{size}.bin").read_bytes()
             for size in SIZES}
    threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {line["fault"] for line in gh.log(40)} == {"-"}


def test_python_http_server(front, server, www):
    """RFC 9112 9.3: a server of HTTP/1.0, one connection for each request."""
    port = free_port()
    address = server(port, sys.executable, "-m", "http.server", str(port),
                     "--bind", "127.0.0.1", "--directory", str(www / "www"))
    check_files(front([address]), www)


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node_echo(front, server):
    """RFC 9112 6: uploads of both framings reach node and come back while
    they are being sent."""
    port = free_port()
    gh = front([server(port, shutil.which("node"), "-e", NODE, str(port))])
    for size in SIZES:
        body = random.Random(size).randbytes(size)
        for framing in ("length", "chunked"):
            if framing == "length":
                data = b"Content-Length: %d\r\n\r\n" % size + body
            else:
                parts = [body[i:i + 50000] for i in range(0, size, 50000)]
                data = b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
                    b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + \
                    b"0\r\n\r\n"
            with gh.client() as c:
                sender = threading.Thread(target=c.send, args=(
                    b"POST / HTTP/1.1\r\nHost: test\r\n" + data,))
                sender.start()
                r = c.response("POST")
                sender.join()
                assert (r.status, r.get("x-framing")) == (200, framing)
                assert r.body == body


def test_nginx_is_checked(front, nginx, named, www):
    """health_check: the page that is asked for is taken away, and brought
    back."""
    gh = front([nginx, named(b"other")], workers=2,
               upstream="health_check = GET /text.txt expect=200 "
                        "interval=100ms timeout=30s")
    page, away = www / "www" / "text.txt", www / "away"

    def answers():
        with gh.client() as c:
            return {c.get("/1000.bin").body for _ in range(4)}
    assert len(answers()) == 2
    page.rename(away)
    until(lambda: 'why="status 404"' in gh.stderr(), what="down")
    assert answers() == {b"other"}
    away.rename(page)
    until(lambda: "server up" in gh.stderr(), what="up")
    assert len(answers()) == 2
