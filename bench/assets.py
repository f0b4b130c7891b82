"""bench/assets: who serves the files that bench/static asks for, and for each the
configuration that its manual recommends for that. Every *_files function is what
it is in peers.py. The files lie beside the configuration, on tmpfs."""
import os

from caches import NGINX_HEAD
from peers import PROXY_CONNECTIONS, TOP

SIZES = {"1k": 1024, "100k": 102400, "1m": 1048576}

NGINX = NGINX_HEAD + """    open_file_cache max=256;
    open_file_cache_valid 1s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {dir}/files;
    }}
}}
"""

GATEHOUSE = """[global]
workers = 1
worker_connections = {connections}
[defaults]
access_log = none
[listen bench]
address = 127.0.0.1:{port}
idle_timeout = 10m
[site bench]
hosts = *
root = {dir}/files
"""


def write_files(where):
    (where / "files").mkdir(exist_ok=True)
    for name, size in SIZES.items():
        (where / "files" / name).write_text("x" * size)


def nginx_files(sendfile, nopush):
    def files(where, port, _, __):
        write_files(where)
        text = NGINX.format(dir=where, port=port, sendfile=sendfile,
                            user="user root;" if os.geteuid() == 0 else "",
                            connections=PROXY_CONNECTIONS, nopush=nopush)
        return text, ["-e", f"{where}/start.log", "-p", str(where), "-c"]
    return files


def gatehouse_files(where, port, _, __):
    write_files(where)
    return GATEHOUSE.format(dir=where, port=port,
                            connections=PROXY_CONNECTIONS), ["-c"]


PROGRAMS = [("gatehouse", str(TOP / "gatehouse"), gatehouse_files, "-V"),
            ("nginx", "nginx", None, "-v")]
# What nginx's manual leaves to try; sendfile is what nopush needs.
NGINX_VARIANTS = [("nginx", nginx_files("off", "off")),
                  ("nginx-sendfile", nginx_files("on", "off")),
                  ("nginx-nopush", nginx_files("on", "on"))]


def with_variants(proxies):
    return [(name, binary, files) for row, binary, files in proxies
            for name, files in (NGINX_VARIANTS if row == "nginx"
                                else [(row, files)])]
