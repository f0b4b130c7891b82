"""bench/wafs: gatehouse with the firewall and nginx with libmodsecurity, over the
same rule files, and each without them; and the requests that bench/waf sends."""
import json
import os
import pathlib
import urllib.parse

from cases import Case
from peers import ORIGIN_KEEP, PROXY_CONNECTIONS, Failure

LEVELS = (1, 4)
MODULE = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"
DEBIAN = ("/etc/modsecurity/crs/crs-setup.conf",
          "/usr/share/modsecurity-crs/rules")

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
upstream = app
{line}
[upstream app]
server = 127.0.0.1:{origin}
keepalive = {keep}
{section}
"""
WAF = """[waf crs]
setup = {engine}
rules = {setup} {rules}
paranoia = {level}
mode = detect
audit_log = none
"""

NGINX = """{user}
load_module {module};
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log error;
events {{
    worker_connections {connections};
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_buffer_size 128k;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    upstream app {{
        server 127.0.0.1:{origin};
        keepalive {keep};
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
{lines}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

# What both are told before the rules; matches are counted, none is refused.
ENGINE = """SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecPcreMatchLimit 500000
SecPcreMatchLimitRecursion 500000
SecArgumentSeparator &
SecCookieFormat 0
SecAuditEngine Off
SecTmpDir /tmp/
SecDataDir /tmp/
SecRule REQUEST_HEADERS:Content-Type "^application/json" \\
    "id:200001,phase:1,t:none,t:lowercase,pass,nolog,\\
    ctl:requestBodyProcessor=JSON"
"""
LEVEL = """SecAction "id:900000,phase:1,pass,t:none,nolog,\\
    setvar:tx.blocking_paranoia_level={level},\\
    setvar:tx.detection_paranoia_level={level},\\
    setvar:tx.paranoia_level={level}"
"""


def rule_files():
    """(setup, folder of the rules), of GH_CRS4 or of Debian."""
    four = os.environ.get("GH_CRS4")
    setup, rules = DEBIAN if four is None else (
        f"{four}/crs-setup.conf.example", f"{four}/rules")
    if not pathlib.Path(setup).exists():
        raise Failure(f"no {setup}: install modsecurity-crs, or let GH_CRS4 "
                      "name a folder of CRS 4")
    return setup, rules


def module():
    path = os.environ.get("NGINX_MODSECURITY", MODULE)
    if not pathlib.Path(path).exists():
        raise Failure(f"no {path}: install libnginx-mod-http-modsecurity, or "
                      "let NGINX_MODSECURITY name the module")
    return path


def gatehouse_files(level):
    def files(where, port, origin, _):
        setup, rules = rule_files()
        (where / "engine.conf").write_text(ENGINE)
        section = "" if level is None else WAF.format(
            engine=where / "engine.conf", setup=setup, rules=rules, level=level)
        return GATEHOUSE.format(
            port=port, origin=origin, connections=PROXY_CONNECTIONS,
            keep=ORIGIN_KEEP, section=section,
            line="" if level is None else "waf = crs"), ["-c"]
    return files


def nginx_files(level):
    def files(where, port, origin, _):
        setup, rules = rule_files()
        lines = ""
        if level is not None:
            (where / "rules.conf").write_text(
                f"{ENGINE}Include {setup}\n" + LEVEL.format(level=level) +
                f"Include {rules}/*.conf\n")
            lines = f"modsecurity on; modsecurity_rules_file {where}/rules.conf;"
        text = NGINX.format(
            dir=where, port=port, origin=origin, lines=lines, module=module(),
            user="user root;" if os.geteuid() == 0 else "",
            connections=PROXY_CONNECTIONS, keep=ORIGIN_KEEP)
        return text, ["-e", f"{where}/start.log", "-p", str(where), "-c"]
    return files


# --- requests ----------------------------------------------------------------

HEAD = """Host: shop.example.org
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: en-GB,en;q=0.5
Accept-Encoding: gzip, deflate, br
Referer: https://shop.example.org/
Cookie: session=5f2b8c0e9a7d4e31; theme=dark; seen=1
Upgrade-Insecure-Requests: 1
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
"""
PROSE = """The committee will meet on Thursday at half past three in the larger
room, and everybody who wants to add a point should write it down before; the list
of Mary O'Brien is full. Prices go from 12.50 to 40, with 5% less for members &
friends. More stands at https://www.example.org/news/2024/may?id=17 - or ask in
the caf\u00e9 next door! """
TEN = {"q": "blue widgets", "page": 2, "sort": "price", "order": "asc",
       "lang": "en", "from": "2024-01-31", "cat": "garden tools", "min": 10,
       "max": 250, "ref": "newsletter/may"}


def prose(begin, length):
    text = PROSE.replace("\n", " ") * (2 + length // len(PROSE))
    return text[begin:begin + length]


def json_body(size):
    """Objects as an interface for programs has them, about `size` bytes."""
    items = []
    while len(json.dumps(items)) < size - 100:
        i = len(items)
        items.append({"id": 1000 + i, "name": f"Widget no. {i}",
                      "price": 7.95 + i, "in_stock": i % 3 > 0,
                      "tags": ["blue", "small"], "note": prose(i * 13, 60)})
    return json.dumps(items).encode()


def form_body(size):
    """Some short fields, and two of text."""
    fields = {"name": "Mary O'Brien", "email": "mary@example.org",
              "country": "ie", "age": 42, "subject": prose(0, size // 5),
              "text": ""}
    whole = urllib.parse.urlencode(fields | {"text": prose(100, size)})
    return whole[:size].rstrip("%").encode()


def request(start, kind=None, body=b""):
    head = f"{start} HTTP/1.1\n{HEAD}"
    if kind is not None:
        head += f"Content-Type: {kind}\nContent-Length: {len(body)}\n"
    return (head + "\n").replace("\n", "\r\n").encode() + body


REQUESTS = {
    "get": request("GET /catalogue/garden"),
    "args": request("GET /search?" + urllib.parse.urlencode(TEN)),
    "json": request("POST /api/items", "application/json", json_body(2048)),
    "form": request("POST /comments", "application/x-www-form-urlencoded",
                    form_body(10240)),
}


def cases_of(folder):
    """{name and level: case}; the requests are written to the folder."""
    cases = {}
    for name, text in REQUESTS.items():
        path = folder / name
        path.write_bytes(text)
        for level in LEVELS:
            cases[f"{name}{level}"] = Case(["-f", str(path), "-e", "3"])
    return cases
