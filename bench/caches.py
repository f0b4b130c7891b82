"""bench/caches: the caches that bench/hit measures, and for each the
configuration that its manual recommends for hits. Every *_files function is
what it is in peers.py. All that is in files lies on tmpfs."""
import os

from peers import PROXY_CONNECTIONS, TOP

# One worker that sends files; what it serves is still to come.
NGINX_HEAD = """{user}
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log error;
events {{
    worker_connections {connections};
}}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush {nopush};
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
"""
NGINX = NGINX_HEAD + """    proxy_cache_path {dir}/cache levels=1:2 keys_zone=hits:10m max_size=256m
                     inactive=1d use_temp_path=off;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_cache hits;
            proxy_cache_lock on;
        }}
    }}
}}
"""

HAPROXY = """global
    nbthread 1
    maxconn {connections}
    no strict-limits
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
cache hits
    total-max-size 256
    max-object-size 4194304
    max-age 86400
frontend bench
    bind 127.0.0.1:{port} backlog 4096
    http-request cache-use hits
    http-response cache-store hits
    default_backend app
backend app
    server origin 127.0.0.1:{origin}
"""

VARNISH = """vcl 4.1;
backend app {{
    .host = "127.0.0.1";
    .port = "{origin}";
}}
"""
# As many threads as clients wait for in any case: none is made or ended while
# it is measured.
VARNISH_THREADS = 256

H2O = """num-threads: 1
max-connections: {connections}
http1-request-timeout: 600
{user}
listen:
  host: 127.0.0.1
  port: {port}
hosts:
  default:
    paths:
      "/":
        file.dir: {dir}/files
"""
H2O_FILES = {"kept1k": 1024, "kept10k": 10240, "kept100k": 102400,
             "kept1m": 1048576}

GATEHOUSE = """[global]
workers = 1
worker_connections = {connections}
shared_memory = 512m
[defaults]
access_log = none
[listen bench]
address = 127.0.0.1:{port}
idle_timeout = 10m
[site bench]
hosts = *
upstream = app
cache = hits
[upstream app]
server = 127.0.0.1:{origin}
[cache hits]
memory = 256m
"""


def nginx_files(sendfile, nopush):
    def files(where, port, origin, _):
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(dir=where, port=port, origin=origin, user=user,
                            connections=PROXY_CONNECTIONS, sendfile=sendfile,
                            nopush=nopush)
        return text, ["-e", f"{where}/start.log", "-p", str(where), "-c"]
    return files


def haproxy_files(_, port, origin, __):
    return HAPROXY.format(port=port, origin=origin,
                          connections=PROXY_CONNECTIONS), ["-db", "-f"]


def varnish_files(where, port, origin, _):
    parameters = {"thread_pools": 1, "thread_pool_min": VARNISH_THREADS,
                  "thread_pool_max": VARNISH_THREADS, "timeout_idle": 600}
    args = [arg for key, value in parameters.items()
            for arg in ("-p", f"{key}={value}")]
    return VARNISH.format(origin=origin), [
        "-F", "-a", f"127.0.0.1:{port}", "-s", "malloc,256m", *args,
        "-n", str(where / "varnish"), "-f"]


def h2o_files(where, port, _, __):
    """It has no cache of what it proxies: files."""
    (where / "files").mkdir()
    for name, size in H2O_FILES.items():
        (where / "files" / name).write_text("x" * size)
    return H2O.format(dir=where, port=port, connections=PROXY_CONNECTIONS,
                      user="user: root" if os.geteuid() == 0 else ""), ["-c"]


def gatehouse_files(_, port, origin, __):
    return GATEHOUSE.format(port=port, origin=origin,
                            connections=PROXY_CONNECTIONS), ["-c"]


PROGRAMS = [("gatehouse", str(TOP / "gatehouse"), gatehouse_files, "-V"),
            ("nginx", "nginx", None, "-v"),
            ("haproxy", "haproxy", haproxy_files, "-v"),
            ("varnish", "varnishd", varnish_files, "-V"),
            ("h2o", "h2o", h2o_files, "-v")]
# What nginx's manual leaves to try; sendfile is what nopush needs.
NGINX_VARIANTS = [("nginx", nginx_files("off", "off")),
                  ("nginx-sendfile", nginx_files("on", "off")),
                  ("nginx-nopush", nginx_files("on", "on"))]


def with_variants(proxies):
    return [(name, binary, files) for row, binary, files in proxies
            for name, files in (NGINX_VARIANTS if row == "nginx"
                                else [(row, files)])]
