"""TLS to servers as people run them: nginx, with sessions, a client's
certificate and content of all sizes."""
import pathlib
import random
import subprocess
import tempfile

import pytest

from lib.gatehouse import free_port
from lib.procs import is_listening, until

SIZES = [0, 1, 16384, 1_500_000]

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
    keepalive_requests 7;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client on;
        ssl_session_cache shared:a:1m;
        ssl_protocols {version};
        root {dir}/www;
        location = /who {{
            return 200 "$ssl_client_s_dn $ssl_protocol $ssl_session_reused";
        }}
    }}
}}
"""


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def nginx(request, ca):
    """Its address, files and version."""
    pem = ca.make("local", "localhost", ips=["127.0.0.1"])
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        for size in SIZES:
            (folder / "www" / str(size)).write_bytes(
                random.Random(size).randbytes(size))
        conf = folder / "nginx.conf"
        conf.write_text(NGINX.format(
            dir=folder, port=port, pem=pem, key=pem.with_suffix(".key"),
            ca=ca.pem, version=request.param))
        with subprocess.Popen(["/usr/sbin/nginx", "-c", str(conf)],
                              stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: is_listening(port), what="nginx")
                yield f"https://localhost:{port}", folder / "www", request.param
            finally:
                process.terminate()


@pytest.mark.heavy
def test_nginx(front, ca, nginx, tmp_path):
    """Content passes whole; connections that nginx ends after some requests
    are followed by resumed ones."""
    address, files, version = nginx
    pem = ca.make("gate", client=True)
    both = tmp_path / "gate.pem"
    both.write_text(pem.read_text() + pem.with_suffix(".key").read_text())
    gh = front([address], upstream=f"ca = {ca.pem}\n"
               f"client_certificate = {both}")
    seen = set()
    with gh.client() as c:
        for _ in range(10):
            for size in SIZES:
                assert c.get(f"/{size}").body == (files /
                                                  str(size)).read_bytes()
            who = c.get("/who").text
            assert who.startswith(f"CN=gate,O=Test {version} ")
            seen.add(who.rsplit(" ", 1)[1])
    assert seen == {".", "r"}
