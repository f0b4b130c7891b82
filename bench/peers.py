"""bench/peers: the proxies that bench/run measures: where their binaries are,
and for each case the configuration that lets them do the least work. Every
*_files function returns the text of the configuration and the arguments that
come before its path."""
import os
import pathlib
import shutil
import subprocess

from cases import CASES

TOP = pathlib.Path(__file__).resolve().parent.parent
PROXY_CONNECTIONS = 12288
# Connections to the origin that are kept: as many as requests run at once in
# any case. HAProxy and h2o keep what they opened.
ORIGIN_KEEP = 256
# What follows the name of a proxy that runs without a log beside one with it.
NO_LOG = "-nolog"
# The certificate and the key of all that speak TLS, in one file above theirs,
# and what they answer by themselves.
PEM = "tls.pem"
OWN_BODY = "x" * 1024

NGINX = """{user}
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log error;
events {{
    worker_connections {connections};
}}
http {{
    access_log {log};
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    proxy_max_temp_file_size 0;
    proxy_buffer_size 16k;
    proxy_buffers 8 32k;
    proxy_busy_buffers_size 64k;
    upstream app {{
        server 127.0.0.1:{origin};
        keepalive {keep};
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096{listen};
{tls}
        location = /own {{
            default_type text/plain;
            return 200 {own};
        }}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

HAPROXY = """global
    nbthread 1
    maxconn {connections}
    no strict-limits
{log_global}
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    http-reuse always
{splice}
{log_defaults}
frontend bench
    bind 127.0.0.1:{port} backlog 4096{tls}
{own}
    default_backend app
backend app
    server origin 127.0.0.1:{origin}
"""

H2O = """num-threads: 1
max-connections: {connections}
http1-request-timeout: 600
http2-idle-timeout: 600
{user}
listen:
  host: 127.0.0.1
  port: {port}
{tls}
hosts:
  default:
    paths:
      "/own":
        file.file: {dir}/own
      "/":
        proxy.reverse.url: "http://127.0.0.1:{origin}/"
        proxy.timeout.keepalive: 600000
"""

GATEHOUSE = """[global]
workers = 1
worker_connections = {connections}
{log}
[listen bench]
address = 127.0.0.1:{port}
idle_timeout = 10m
{listen}

[site bench]
hosts = *
upstream = app
{tls}

[route bench =/own]
respond = 200 {own}

[upstream app]
server = 127.0.0.1:{origin}
keepalive = {keep}
"""


class Failure(Exception):
    """Something that the user has to read; ends the run."""


def nginx_files(where, port, origin, case):
    log = "off"
    if case.is_log:
        log = f"{where}/access.log combined buffer=64k flush=5s"
    user = "user root;" if os.geteuid() == 0 else ""
    listen = (" ssl" if case.is_tls else "") + (" http2" if case.is_h2 else "")
    pem = where.parent / PEM
    tls = f"ssl_certificate {pem}; ssl_certificate_key {pem};\n" \
        "ssl_protocols TLSv1.3;\n" if case.is_tls else ""
    text = NGINX.format(dir=where, port=port, origin=origin, log=log, user=user,
                        connections=PROXY_CONNECTIONS, keep=ORIGIN_KEEP,
                        listen=listen, tls=tls,
                        own=OWN_BODY)
    return text, ["-e", f"{where}/start.log", "-p", str(where), "-c"]


def haproxy_files(where, port, origin, case, splice=False):
    is_log = case.is_log
    alpn = "h2" if case.is_h2 else "http/1.1"
    tls = f" ssl crt {where.parent / PEM} alpn {alpn} ssl-min-ver TLSv1.3"
    own = "    http-request return status 200 content-type text/plain " \
        f"string {OWN_BODY} if {{ path /own }}"
    text = HAPROXY.format(
        port=port, origin=origin, connections=PROXY_CONNECTIONS,
        splice="    option splice-response" if splice else "",
        tls=tls if case.is_tls else "", own=own if case.is_own else "",
        log_global="    log stdout format raw local0" if is_log else "",
        log_defaults="    log global\n    option httplog" if is_log else "")
    return text, ["-db", "-f"]


def haproxy_splice_files(where, port, origin, case):
    return haproxy_files(where, port, origin, case, splice=True)


def h2o_files(where, port, origin, case):
    pem = where.parent / PEM
    (where / "own").write_text(OWN_BODY)
    tls = f"""  ssl:
    certificate-file: {pem}
    key-file: {pem}
    minimum-version: TLSv1.3"""
    text = H2O.format(dir=where, port=port, origin=origin,
                      connections=PROXY_CONNECTIONS,
                      tls=tls if case.is_tls else "",
                      user="user: root" if os.geteuid() == 0 else "")
    return text, ["-c"]


def seen_files(name):
    """Proxied, with an access log in JSON ("logged"), with what is kept of
    decisions, of who comes most often ("hitters"), with all of it and metrics
    ("seen"), or without ("unseen")."""
    def files(where, port, origin, case):
        text, args = gatehouse_files(where, port, origin, case)
        for key, part in (("recent_decisions", "decisions"),
                          ("heavy_hitters", "hitters")):
            if name not in (part, "seen"):
                text = text.replace("[global]\n", f"[global]\n{key} = off\n", 1)
        if name in ("logged", "seen"):
            text = text.replace("access_log = none", "") + f"""
[log access]
path = {where}/access.log
format = json
"""
        if name == "seen":
            text += f"""
[admin]
listen = unix:{where}/admin.sock
metrics = prometheus
"""
        return text, args
    return files


def gatehouse_files(where, port, origin, case):
    log = "\n[defaults]\naccess_log = none\n"
    if case.is_log:
        log = (f"\n[log access]\npath = {where}/access.log\n"
               "format = combined\nbuffer = 64k\n")
    pem = where.parent / PEM
    tls = f"certificate = {pem}\ncertificate_key = {pem}\n"
    listen = "tls = on\nprotocols = " + ("h2" if case.is_h2 else "http/1.1")
    text = GATEHOUSE.format(port=port, origin=origin, log=log,
                            connections=PROXY_CONNECTIONS, keep=ORIGIN_KEEP,
                            own=OWN_BODY,
                            listen=listen if case.is_tls else "",
                            tls=tls if case.is_tls else "")
    return text, ["-c"]


def first_line(argv):
    try:
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"{argv[0]}: {error.strerror}") from error
    lines = (run.stdout + run.stderr).splitlines()
    if run.returncode or not lines:
        raise Failure(f"{' '.join(argv)} tells no version (exit status "
                      f"{run.returncode})")
    return lines[0].strip()


# Name, where its binary is looked for, the files, and what makes it tell its
# version.
PROGRAMS = [("gatehouse", str(TOP / "gatehouse"), gatehouse_files, "-V"),
            ("nginx", "nginx", nginx_files, "-v"),
            ("haproxy", "haproxy", haproxy_files, "-v"),
            ("h2o", "h2o", h2o_files, "-v")]


def find_proxies(options, programs, may_miss=False):
    """[(name, binary, files)] and {name: version}; Failure without one. A peer
    that is not there is a Failure too, unless it may be left out."""
    proxies, versions = [], {}
    for name, _, files, flag in programs:
        binary = getattr(options, name)
        if binary == "none":
            print(f"{name}: left out, as --{name} none asks")
            continue
        path = shutil.which(binary) or shutil.which(
            binary, path="/usr/sbin:/usr/local/sbin")
        if path is None and name == "gatehouse":
            raise Failure(f"{binary}: not there; build it (./bootstrap build), "
                          "name it (--gatehouse PATH) or leave it out "
                          "(--gatehouse none)")
        if path is None and may_miss:
            print(f"{name}: left out, since {binary} is not installed")
            continue
        if path is None:
            raise Failure(f"{binary}: not installed; ./bootstrap deps bench, "
                          f"or --{name} PATH, or --{name} none")
        versions[name] = first_line([path, flag])
        proxies.append((name, os.path.abspath(path), files))
    if not proxies:
        raise Failure("nothing to measure")
    return proxies, versions


def proxies_of(case, proxies):
    """The proxies of a case, with the variants that it shows besides. h2o is
    shown where it is known to be strong."""
    row = CASES[case]
    if not row.is_tls and not row.is_own:
        proxies = [p for p in proxies if p[0] != "h2o"]
    if case == "1m":
        return proxies + [("haproxy-splice", binary, haproxy_splice_files)
                          for name, binary, _ in proxies if name == "haproxy"]
    if not row.is_log:
        return proxies
    pairs = [(row, (row[0] + NO_LOG, row[1], without_log(row[2])))
             for row in proxies]
    return [row for pair in pairs for row in pair]


def without_log(files):
    return lambda where, port, origin, case: files(
        where, port, origin, case._replace(is_log=False))
