"""Other servers that speak HTTP/2 by prior knowledge, in front of an origin. A
case that several of them fail is looked at twice before gatehouse is blamed."""
import pathlib
import shutil
import socket
import subprocess

from .gatehouse import free_port
from .procs import until

NGINX = """
daemon off; pid {dir}/pid; error_log {dir}/error.log; worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} http2;
        location / {{ proxy_pass http://{origin}; proxy_http_version 1.1; }}
        location /own {{ return 200 hello; }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend x
    bind 127.0.0.1:{port} proto h2
    http-request return status 200 content-type text/plain string hello \
        if {{ path_beg /own }}
    default_backend app
backend app
    server app {origin}
"""

H2O = """
num-threads: 1
listen:
  host: 127.0.0.1
  port: {port}
hosts:
  default:
    paths:
      /:
        proxy.reverse.url: http://{origin}/
"""


def nginx(where, names):
    conf = where / "conf"
    conf.write_text(NGINX.format(**names))
    return ["nginx", "-e", where / "start.log", "-p", where, "-c", conf]


def haproxy(where, names):
    conf = where / "conf"
    conf.write_text(HAPROXY.format(**names))
    return ["haproxy", "-db", "-f", conf]


def h2o(where, names):
    conf = where / "conf"
    conf.write_text(H2O.format(**names))
    return ["h2o", "-c", conf]


def nghttpd(where, names):
    (where / "index.html").write_text("hello")
    (where / "big").write_text("x" * 50000)
    return ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", where,
            names["port"]]


def nghttpx(where, names):
    host, port = names["origin"].split(":")
    return ["nghttpx", f"--frontend=127.0.0.1,{names['port']};no-tls",
            f"--backend={host},{port}", "--workers=1", "--conf=/dev/null"]


PEERS = {f.__name__: f for f in (nginx, haproxy, h2o, nghttpd, nghttpx)}


class Peer:
    """One of them, running."""

    kinds = PEERS

    def __init__(self, name, folder, origin):
        where = pathlib.Path(folder)
        where.chmod(0o755)
        self.port = free_port()
        argv = self.kinds[name](where, {"dir": where, "port": self.port,
                                   "origin": origin})
        path = shutil.which(argv[0], path="/usr/sbin:/usr/bin")
        with open(where / "output", "wb") as out:
            self.process = subprocess.Popen(
                [path, *map(str, argv[1:])], stdout=out, stderr=out)
        until(lambda: self._is_up(where), what=name)

    def _is_up(self, where):
        assert self.process.poll() is None, (where / "output").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def close(self):
        self.process.terminate()
        self.process.wait()
