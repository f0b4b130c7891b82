"""Other shared caches in front of an origin, each set to follow RFC 9111 as far
as it can. A row that all of them fail is looked at twice before gatehouse is
blamed."""
import os

from . import h2peers

NGINX = """
{user}
daemon off; pid {dir}/pid; error_log {dir}/error.log; worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    proxy_cache_path {dir}/cache keys_zone=z:8m use_temp_path=off;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{origin};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_cache z;
            proxy_cache_key $host$request_uri;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
            proxy_cache_use_stale error timeout invalid_header updating;
        }}
    }}
}}
"""

VARNISH = """
vcl 4.1;
backend app {{ .host = "127.0.0.1"; .port = "{origin_port}"; }}
"""

SQUID = """
http_port 127.0.0.1:{port} accel vhost
cache_peer 127.0.0.1 parent {origin_port} 0 no-query originserver
http_access allow all
never_direct allow all
cache_mem 64 MB
cache_log {dir}/cache.log
access_log none
pid_filename {dir}/pid
coredump_dir {dir}
shutdown_lifetime 0 seconds
netdb_filename none
pinger_enable off
workers 1
refresh_pattern . 0 10% 525600
"""


def nginx(where, names):
    conf = where / "conf"
    # who started it owns the folders above
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX.format(user=user, **names))
    return ["nginx", "-e", where / "start.log", "-p", where, "-c", conf]


def varnish(where, names):
    """Without the lifetimes that it would invent."""
    conf = where / "conf"
    port = names["origin"].split(":")[1]
    conf.write_text(VARNISH.format(origin_port=port))
    return ["varnishd", "-F", "-j", "none", "-n", where / "work", "-f", conf,
            "-a", f"127.0.0.1:{names['port']}", "-s", "malloc,64m",
            "-p", "default_ttl=0", "-p", "default_grace=0",
            "-p", "default_keep=3600", "-p", "shortlived=0"]


def squid(where, names):
    conf = where / "conf"
    port = names["origin"].split(":")[1]
    where.chmod(0o777)  # it takes another user's rights
    conf.write_text(SQUID.format(origin_port=port, **names))
    return ["squid", "-N", "-n", f"gh{names['port']}", "-f", conf]


class Peer(h2peers.Peer):
    """One of them, running."""

    kinds = {f.__name__: f for f in (nginx, varnish, squid)}
