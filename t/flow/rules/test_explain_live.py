"""`gatehouse explain` says what the live server does: a table of requests, each
sent and explained, and what was decided compared line by line, places included.
The live side is told by `gatehouse why`."""
import base64
import json
import socket
import subprocess

import pytest

from lib.gatehouse import BINARY
from lib.procs import until
from lib.wire import WAIT_S, Reader

USERS = "anna:$apr1$saltsalt$553eXAj/BD3irf9w9nutz/\n"
PASSWORD = "pässword"
WAF = r"""
SecRule ARGS "@contains attack" "id:1,phase:1,deny,log,msg:'an attack'"
SecRule REQUEST_HEADERS:X-Bad "@streq yes" "id:2,phase:1,deny,status:406,log,msg:'head'"
SecRule REQUEST_HEADERS:X-Odd "@streq yes" "id:3,phase:1,pass,log,msg:'odd'"
SecRule REQUEST_HEADERS:X-Go "@streq yes" "id:4,phase:1,redirect:'https://b.test/',nolog"
"""
INI = """
[global]
workers = 1
[admin]
listen = unix:{dir}/admin.sock
[listen web]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.9
[listen secure]
address = 127.0.0.1:{port1}
redirect_https = on
[listen proxy]
address = 127.0.0.1:{port2}
mode = forward
policy = office
[acl office]
ip = 127.0.0.2 192.0.2.0/24
[acl readers]
method = GET HEAD
[acl tools]
header = User-Agent ~ ^curl
[acl anna]
user = anna
[acl never]
time = mon-sun 00:00-24:00
[acl social]
domain = .social.test
[acl origins]
port = {origin_port}
[limit perip]
key = {client_ip}
rate = 1000/s
burst = 10000
[limit perkey]
key = {header:X-Key}
rate = 1000/s
burst = 10000
[cache store]
memory = 4m
[users people]
file = {users}
[auth staff]
scheme = basic
users = people
[waf w]
rules = {waf}
audit_log = none
[upstream app]
server = {origin}
[upstream other]
server = {origin}
[site shop]
hosts = shop.test www.shop.test
upstream = app
rate_limit = perip
redirect_file = {moved}
[route shop /api]
upstream = other
strip_prefix = /api
rate_limit = perkey
[route shop =/exact]
respond = 200 exact
[route shop ~ \\.php$]
respond = 410
[route shop /admin]
allow = office
[route shop /read]
allow = readers
deny = all
[route shop /tools]
deny = tools
[route shop /both]
allow = office readers
[route shop /staff]
auth = staff
[route shop /anna]
auth = staff
allow = anna
[route shop /cached]
cache = store
[route shop /waf]
waf = w
[route shop /small]
max_body = 10b
[route shop /old]
redirect = 301 https://new.test{path}
[route shop /work]
challenge = on
[route shop /cors]
cors = https://a.test
[rule shop api]
match = path ~ ^/api/v[12]/
match = method = GET
response_header = X-Api: yes
[rule shop blocked]
match = header:X-Block = yes
deny = all
[rule shop moved]
match = query ~ ^go=1$
redirect = 302 /gone
[site wild]
hosts = *.wild.test
respond = 200 wild
canonical_host = one.wild.test
[site closed]
hosts = closed.test
maintenance = on
upstream = app
[site other]
hosts = other.test
[route other /only]
respond = 204
[forward office]
deny = social
allow = origins office
allow = readers !social
connect_ports = {origin_port} 443
private_networks = allow
"""
HOSTS = ["shop.test", "www.shop.test", "SHOP.test", "shop.test:81", "a.wild.test",
         "one.wild.test", "closed.test", "other.test", "nobody.test"]
PATHS = ["/", "/x?a=1", "/api", "/api/v1/a", "/apis", "/exact", "/exact/",
         "/a.php", "/admin", "/admin/x", "/administrator", "/old/y?z",
         "/only/x", "/moved", "/moved/on?x=1"]
ODD = ["/a%2fb", "/x/../admin", "/%61dmin", "//admin", "/admin//x", "/admin/.",
       "/admin;x=1", "/ADMIN", "/%2e%2e/admin", "/a%00b", "/admin%2f", "/a\\b",
       "/%zz", "/./api/v1/x", "/api/%2e%2e/staff", "/.", "/a?b%00", "/%C3%A4"]
CLIENTS = ["127.0.0.1", "127.0.0.2", "127.0.0.9"]


def credentials(user, password):
    raw = f"{user}:{password}".encode()
    return "Authorization: Basic " + base64.b64encode(raw).decode()


def table(port):
    """(listen, method, target, host, headers, client address)"""
    rows = []

    def add(method, target, host="shop.test", fields=(), client="127.0.0.1",
            listen="web"):
        rows.append((listen, method, target, host, list(fields), client))

    for host in HOSTS:
        for path in PATHS:
            add("GET", path, host)
    for path in ODD:
        add("GET", path)
        add("GET", path, "other.test", client="127.0.0.2")
    for method in ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        for path in ("/", "/api/v1/a", "/read", "/both", "/exact"):
            add(method, path, fields=["Content-Length: 0"])
    for client in CLIENTS:
        for path in ("/admin", "/both", "/read", "/", "/staff"):
            add("GET", path, client=client)
            add("GET", path, client=client,
                fields=["X-Forwarded-For: 192.0.2.7"])
    for fields in (["User-Agent: curl/8"], ["User-Agent: wget"], ["X-Key: a"],
                   ["X-Block: yes"], ["X-Block: no"], ["X-Key: a", "X-Key: b"]):
        for path in ("/tools", "/api/v2/x", "/?go=1"):
            add("GET", path, fields=fields)
    for fields in ([], [credentials("anna", PASSWORD)], ["Authorization: Basic ?"],
                   [credentials("anna", "wrong")], [credentials("ben", "x")]):
        for path in ("/staff", "/anna", "/anna/x"):
            add("GET", path, fields=fields)
    for field in ("X-Bad: yes", "X-Odd: yes", "X-Go: yes", "X-None: yes"):
        for path in ("/waf", "/waf?q=attack", "/waf?q=peace", "/other?q=attack"):
            add("GET", path, fields=[field])
    for n in range(4):
        add("GET", f"/cached/{n}")
    add("GET", "/cached/a", fields=["Cache-Control: no-store"])
    add("POST", "/cached/b", fields=["Content-Length: 0"])
    add("POST", "/small", fields=["Content-Length: 11"])
    add("GET", "/work")
    add("GET", "/work", fields=["Cookie: a=b"])
    add("OPTIONS", "/cors", fields=["Origin: https://a.test",
                                    "Access-Control-Request-Method: PUT"])
    add("GET", "/cors", fields=["Origin: https://a.test"])
    add("GET", "/cors", fields=["Origin: https://b.test"])
    for path in ("/", "/admin?x", "/staff"):
        add("GET", path, listen="secure")
    here = f"127.0.0.1:{port}"
    for client in CLIENTS[:2]:
        for url in (f"http://{here}/", f"http://{here}/x?y", 
                    "http://a.social.test/", "http://social.test/", "/", "*",
                    "https://a.test/", "http://a.test:x/", "ftp://a.test/"):
            add("GET", url, here, client=client, listen="proxy")
            add("POST", url, here, ["Content-Length: 0"], client, "proxy")
        for target in (here, "127.0.0.1:22", "a.social.test:443", "a.test:25"):
            add("CONNECT", target, target, client=client, listen="proxy")
    return rows


def head(row, name):
    _, method, target, host, fields, _ = row
    return [f"X-Request-Id: {name}", *fields], method, target, host


def last(gh):
    """Which request was kept last."""
    kept = json.loads(tell(gh, "why", "--last", "1", "--json"))["decisions"]
    return [d["request_id"] for d in kept]


def send(gh, row, name):
    """Status, Location and challenge of the answer, when it is over and kept, so
    that what is kept has the order of rows."""
    fields, method, target, host = head(row, name)
    port = gh.ports[["web", "secure", "proxy"].index(row[0])]
    before = last(gh) if method == "CONNECT" else None
    with socket.create_connection(("127.0.0.1", port), WAIT_S,
                                  source_address=(row[5], 0)) as s:
        s.sendall("\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}",
                               *fields, "", ""]).encode("latin-1"))
        r = Reader(s)
        m = r.response_head() if method == "CONNECT" else r.response(method)
        s.shutdown(socket.SHUT_WR)
        while s.recv(4096):
            pass
    if method == "CONNECT":
        # a tunnel is kept behind its end
        until(lambda: last(gh) != before)
    return m.status, m.get("Location"), m.get("WWW-Authenticate")


def logged(row, name):
    fields, method, target, host = head(row, name)
    return json.dumps({"method": method, "uri": target, "host": host,
                       "scheme": "http", "client_ip": row[5], "listen": row[0],
                       "headers": fields})


def answer(explained):
    fields = dict(line.split(": ", 1) for line in explained["answer"][1:])
    fields = {k.lower(): v for k, v in fields.items()}
    return (explained["status"], fields.get("location"),
            fields.get("www-authenticate"))


def decided(d):
    """What both sides must agree on. Which server it is, and what a cache had of
    it, only the living one knows."""
    return [(line["what"], line["text"], line["file"], line["line"])
            for line in d["lines"] if line["what"] not in ("server", "cache")]


def tell(gh, word, *args, stdin=None):
    done = subprocess.run([BINARY, word, *args, "-c", str(gh.ini)], text=True,
                          capture_output=True, timeout=WAIT_S, input=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def served(shared_gatehouse, shared_origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    names = {}
    for name, text in (("users", USERS), ("waf", WAF),
                       ("moved", "/moved /to/here 308\n")):
        (folder / name).write_text(text)
        names[name] = folder / name
    o = shared_origin()
    port = o.address.rsplit(":", 1)[1]
    return shared_gatehouse(INI, ports=3, origin=o.address, origin_port=port,
                            **names), port


def test_the_client_of_a_tunnel_has_no_scheme(served):
    gh, port = served
    lines = tell(gh, "explain", "CONNECT", f"127.0.0.1:{port}").splitlines()
    line, = [line for line in lines if line.startswith("client ")]
    assert line.split("  (")[0].split() == ["client", "127.0.0.1"]


def test_explain_says_what_the_server_does(served):
    gh, port = served
    rows = table(port)
    names = [f"row-{i}" for i in range(len(rows))]
    assert len(rows) >= 200
    live = [send(gh, row, name) for row, name in zip(rows, names)]

    def kept():
        last = json.loads(tell(gh, "why", "--last", "1000", "--json"))
        all_of = last["decisions"]
        return list(reversed(all_of)) if len(all_of) == len(rows) else None

    kept = until(kept)
    dry = [json.loads(line) for line in tell(
        gh, "explain", "--log", "-", "--json",
        stdin="\n".join(map(logged, rows, names))).splitlines()]
    assert len(dry) == len(rows)
    wrong = [(row, was, d["status"], decided(d), decided(k))
             for row, was, d, k in zip(rows, live, dry, kept)
             if was != answer(d) or decided(d) != decided(k) or
             d["status"] != k["status"]]
    assert not wrong, "\n".join(map(str, wrong[:40]))
