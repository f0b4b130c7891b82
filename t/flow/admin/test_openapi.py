"""doc/openapi.json is what a running gatehouse answers: each route, each status
that is asked for here, each key (doc/admin.md)."""
import json
import os
import pathlib
import re

import pytest
from lib import admin
from lib.certs import Authority
from lib.procs import until
from lib.schema import Schemas

TOP = pathlib.Path(__file__).resolve().parents[3]
API = json.loads((TOP / "doc/openapi.json").read_text())
SCHEMAS = Schemas(API)
ROUTE = re.compile(r'^ADMIN_ROUTE\((\w+), "([^"]+)", \w+\)', re.M)
TOKEN = "0123456789abcdef-token"
BEARER = f"Authorization: Bearer {TOKEN}\r\n"
JSON = "Content-Type: application/json\r\n"
INI = """
[global]
workers = 2
log_level = notice
[listen web]
address = 127.0.0.1:{port}
[listen tls]
address = 127.0.0.1:{port2}
tls = on
[site shop]
hosts = shop.test
certificate = {pem}
certificate_key = {key}
upstream = app
cache = pages
[route shop /one]
respond = 200 one
[route shop /shut]
deny = all
respond = 200 none
[upstream app]
server = 127.0.0.1:1 weight=2
max_connections = 10
retry = none
[cache pages]
memory = 4m
[route shop /limited]
respond = 200 x
rate_limit = once
[limit once]
key = {header:X-Key}
rate = 1/h
[limit few]
key = {client_ip}
rate = 100/s
[admin]
listen = unix:{dir}/admin.sock 127.0.0.1:{port1}
token = %s
dashboard = on
""" % TOKEN


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    ca = Authority()
    pem = ca.make("a", "shop.test")
    gh = shared_gatehouse(INI, ports=3, pem=pem, key=pem.with_suffix(".key"))
    with gh.client() as c:
        assert c.get("/one", host="shop.test").status == 200
        assert c.get("/shut", host="shop.test").status == 403
        assert c.get("/none", host="shop.test").status == 502
    until(lambda: admin.status(gh)["blocked"]["of"] == 2)
    yield gh
    del ca


def tcp(gh):
    return gh.client(gh.ports[1])


def ask(gh, method, target, content=None, fields="", where=None):
    with where or admin.connect(gh) as c:
        body = b"" if content is None else content.encode()
        c.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}"
               f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return c.response(method)


def test_no_route_is_missing_in_it():
    """The table of routes is the list of paths."""
    rows = ROUTE.findall((TOP / "master/admin_route.def").read_text())
    assert len(rows) > 15
    assert {(m.lower(), path) for m, path in rows} == {
        (m, path) for path, ops in API["paths"].items() for m in ops}


def test_each_key_of_the_status_is_told_of():
    """doc/admin.md has a row for it."""
    text = (TOP / "doc/admin.md").read_text().partition("### The status")[2]
    rows = re.findall(r"`(\w+)`", "".join(
        re.findall(r"^\| (`[^|]*) \|", text, re.M)))
    schema = SCHEMAS.look_up("#/components/schemas/Status")
    assert set(rows) == set(schema["properties"])


GETS = ["/v1/cache?url=http://shop.test/kept", "/v1/cache?url=x", "/v1/cache",
        "/v1/cache?url=http://shop.test/*", "/metrics", "/v1/status", "/v1/status?only=top,blocked",
        "/v1/status?only=none", "/v1/status?all", "/v1/traffic",
        "/v1/traffic?last=3", "/v1/traffic?last=301", "/v1/traffic?last=x",
        "/v1/upstreams", "/v1/limits", "/v1/certificates", "/v1/generations",
        "/v1/config", "/v1/bans", "/v1/why?last=9", "/v1/why?last=9&refused",
        "/v1/why?id=x", "/v1/why", "/dashboard", "/dashboard.css",
        "/dashboard.js"]
POSTS = [
    ("server", '{"upstream": "app", "server": "127.0.0.1:1"}', 200),
    ("server", '{"upstream": "app", "server": "127.0.0.1:1", '
     '"order": "weight", "weight": 3}', 200),
    ("server", '{"upstream": "app", "server": "127.0.0.1:1", '
     '"order": "auto"}', 200),
    ("server", '{"upstream": "app", "server": "127.0.0.1:2"}', 404),
    ("server", "[]", 400),
    ("ban", "", 400),
    ("purge", '{"all": true}', 200),
    ("purge", '{"url": "http://shop.test/a", "cache": "none"}', 404),
    ("purge", '{"tags": []}', 400),
    ("maintenance", '{"site": "shop", "order": "off"}', 200),
    ("maintenance", '{"site": "shop", "order": "auto"}', 200),
    ("maintenance", '{"site": "shop", "order": "shut"}', 400),
    ("maintenance", '{"site": "none", "order": "on"}', 404),
    ("loglevel", '{"level": "debug"}', 200),
    ("loglevel", '{"level": "auto"}', 200),
    ("loglevel", '{"level": "loud"}', 400),
    ("loglevel", '{"level": "debug", "level": "auto"}', 400),
    ("reopen", None, 202),
    ("reload", None, 200),
]


def check(op, answer):
    """What came is described there."""
    said = op["responses"][str(answer.status)]["content"]
    kind = answer.get("content-type").split(";")[0]
    assert kind in said
    value = json.loads(answer.text) if kind == "application/json" \
        else answer.text
    assert SCHEMAS.problems(value, said[kind]["schema"]) == []
    return value


@pytest.mark.parametrize("key", ["upstreams", "limits", "certificates",
                                 "generations"])
def test_parts_have_paths_of_their_own(gh, key):
    part = json.loads(ask(gh, "GET", f"/v1/{key}").text)
    assert list(part) == [key] and len(part[key]) > 0
    assert part[key][0].keys() == admin.status(gh)[key][0].keys()


@pytest.mark.parametrize("target", GETS)
def test_what_is_asked_is_answered_as_described(gh, target):
    """200 and 400 and 404, over the socket; over TCP also 401 without token."""
    op = API["paths"][target.split("?")[0]]["get"]
    for where in (None, tcp(gh)):
        answer = ask(gh, "GET", target, where=where,
                     fields=BEARER if where else "")
        value = check(op, answer)
    is_open = target.startswith("/dashboard")
    answer = ask(gh, "GET", target, where=tcp(gh))
    assert answer.status == (200 if is_open else 401)
    check(op, answer)
    if target == "/v1/status":
        schema = SCHEMAS.look_up("#/components/schemas/Status")
        assert set(value) == set(schema["properties"])


def check_order(gh, word, content, status):
    op = API["paths"]["/v1/" + word]["post"]
    answer = ask(gh, "POST", "/v1/" + word, content)
    assert answer.status == status, answer.text
    check(op, answer)
    if status == 200 and content:
        schema = op["requestBody"]["content"]["application/json"]["schema"]
        assert SCHEMAS.problems(json.loads(content), schema) == []


@pytest.mark.parametrize("word, content, status", POSTS)
def test_what_is_ordered_is_answered_as_described(gh, word, content, status):
    check_order(gh, word, content, status)


def test_a_ban_and_its_end_are_answered_as_described(gh):
    lift = '{"address": "192.0.2.1", "lift": true}'
    check_order(gh, "ban", '{"address": "192.0.2.1", "for_ms": 60000}', 200)
    check_order(gh, "ban", lift, 200)
    check_order(gh, "ban", lift, 404)


@pytest.mark.parametrize("fields, status", [
    (JSON, 401),
    (BEARER, 415),
    (BEARER + "Content-Type: text/plain\r\n", 415),
    (BEARER + "Content-Type: application/x-www-form-urlencoded\r\n", 415),
    (BEARER + JSON + "Origin: http://evil.test\r\n", 403),
    (BEARER + JSON + "Origin: null\r\n", 403),
    (BEARER + JSON + "Origin: http://x.evil.test\r\n", 403),
    (BEARER + JSON + "Sec-Fetch-Site: cross-site\r\n", 403),
    (BEARER + JSON + "Sec-Fetch-Site: same-site\r\n", 403),
    (BEARER + JSON + "Origin: https://x\r\nSec-Fetch-Site: same-origin\r\n",
     200),
    (BEARER + "Content-Type: Application/JSON; charset=utf-8\r\n", 200),
])
def test_no_page_of_another_site_orders_anything(gh, fields, status):
    """Fetch 3.2.5, Fetch Metadata: the origin, the site, and a type that no form
    sends; all behind the token."""
    order = '{"site": "shop", "order": "auto"}'
    answer = ask(gh, "POST", "/v1/maintenance", order, fields, tcp(gh))
    assert answer.status == status, answer.text
    check(API["paths"]["/v1/maintenance"]["post"], answer)


ORDERS = [
    ("server", '{"upstream": "app", "server": "127.0.0.1:1", "order": "auto"}',
     "server ordered upstream=app server=127.0.0.1:1 order=auto"),
    ("ban", '{"address": "192.0.2.9", "for_ms": 1}',
     "ban ordered client=192.0.2.9 order=add"),
    ("purge", '{"url": "http://shop.test/who"}',
     "purged what=url count=1 soft=no caches=1"),
    ("maintenance", '{"site": "shop", "order": "auto"}',
     "maintenance ordered site=shop order=auto"),
    ("loglevel", '{"level": "auto"}', "log level ordered level=auto"),
    ("reopen", "", "ordered what=reopen"),
    ("reload", "", "ordered what=reload"),
]


@pytest.mark.parametrize("word, content, line", ORDERS)
def test_the_log_says_who_ordered(gh, word, content, line):
    """Over a unix socket the user, over TCP the address: nobody has a user there."""
    for where, fields, who in ((None, "", f"uid={os.getuid()}"),
                               (tcp(gh), BEARER + JSON, "peer=127.0.0.1")):
        answer = ask(gh, "POST", "/v1/" + word, content, fields, where)
        assert answer.status < 300, answer.text
        until(lambda: f"{line} {who}\n" in gh.stderr(), what=who)


@pytest.mark.parametrize("said, status", [
    ("GET /v1/none HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ("DELETE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ("GET /v1/status HTTP/1.1\r\n\r\n", 400),
    ("X\r\n\r\n", 400),
    ("GET /v1/status HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("POST /v1/ban HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", 413),
    (f"GET /{'a' * 5000} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (f"GET / HTTP/1.1\r\nHost: x\r\nX: {'a' * 17000}\r\n\r\n", 431),
])
def test_what_http_refuses_is_an_error_like_others(gh, said, status):
    """A program reads why, whatever it did wrong."""
    with admin.connect(gh) as c:
        c.send(said.encode())
        answer = c.response("GET")
    assert answer.status == status, answer.text
    assert answer.get("content-type") == "application/json"
    schema = {"$ref": "#/components/schemas/Error"}
    assert SCHEMAS.problems(json.loads(answer.text), schema) == []


def test_nothing_is_changed_by_get(gh):
    """RFC 9110 9.2.1: each order is POST alone."""
    for path, ops in API["paths"].items():
        if "post" in ops:
            assert list(ops) == ["post"]
            assert ask(gh, "GET", path).status == 405


def test_the_configuration_is_told_without_secrets(gh):
    """As -T prints it."""
    got = admin.ask(gh, "GET", "/v1/config")[1]
    assert "[upstream app]\n" in got["effective"]
    assert "token = ***\n" in got["effective"]
    assert TOKEN not in json.dumps(got)
    assert TOKEN not in json.dumps(admin.status(gh))


def test_a_certificate_has_names_and_an_end(gh):
    one = admin.status(gh)["certificates"][0]
    assert one["names"] == ["shop.test"]
    assert one["ends"] > "2026"


def test_lines_that_refuse_are_counted(gh):
    """What decided, where it stands, and the fault that it came to."""
    lines = admin.status(gh)["blocked"]["lines"]
    denied = next(x for x in lines if x["fault"] == "access_denied")
    assert (denied["what"], denied["count"]) == ("access", 1)
    assert denied["file"] == str(gh.ini)
    assert {x["fault"] for x in lines} >= {"access_denied", "origin_connect"}


def test_one_line_that_refuses_many_is_one(gh):
    """A text that holds who it was makes no lines of one each."""
    def limited():
        return [x for x in admin.status(gh)["blocked"]["lines"]
                if x["what"] == "limit"]
    with gh.client() as c:
        for client in range(4):
            for _ in range(2):
                c.get("/limited", host="shop.test",
                      extra=b"X-Key: %d\r\n" % client)
    until(lambda: limited() and limited()[0]["count"] == 4)
    line, = limited()
    assert line["text"] == "once refuses '3'"


def test_another_level_of_the_log_is_everybodys_at_once(gh):
    """debug: workers tell more; it outlives a reload; auto: as configured."""
    def level(word):
        answer = ask(gh, "POST", "/v1/loglevel", '{"level": "%s"}' % word)
        return json.loads(answer.text)
    assert level("error") == {"configured": "notice", "order": "error"}
    before = gh.stderr()
    assert admin.ask(gh, "POST", "/v1/reload")[0] == 200
    assert admin.status(gh)["log_level"]["order"] == "error"
    assert gh.stderr() == before
    assert level("auto") == {"configured": "notice", "order": None}
    assert admin.ask(gh, "POST", "/v1/reload")[0] == 200
    assert "notice" in gh.stderr()[len(before):]


def test_reloads_are_told_the_newest_first(gh):
    """A refused one tells its first problem."""
    text = gh.ini.read_text()
    try:
        gh.ini.write_text(text + "[upstream y]\nsevrer = 1\n")
        assert admin.ask(gh, "POST", "/v1/reload")[0] == 422
    finally:
        gh.ini.write_text(text)
    assert admin.ask(gh, "POST", "/v1/reload")[0] == 200
    one, two = admin.status(gh)["reloads"][:2]
    assert (one["ok"], one["problem"]) == (True, None)
    assert not two["ok"]
    assert "unknown key 'sevrer'" in two["problem"]


def test_traffic_is_told_by_seconds(gh):
    """What was added in each; the sum is the total; percentiles are within the
    step of their histogram."""
    def traffic():
        return admin.ask(gh, "GET", "/v1/traffic?last=300")[1]

    def outside(t):
        """What no second has: of before the first one, or of just now."""
        return t["total"]["status"]["2xx"] - sum(
            s["status"]["2xx"] for s in t["seconds"])
    until(lambda: traffic()["seconds"])
    before = traffic()
    with gh.client() as c:
        for _ in range(20):
            assert c.get("/one", host="shop.test").status == 200

    def is_there():
        t = traffic()
        # of requests before these, some may be counted now
        return t["total"]["status"]["2xx"] >= before["total"]["status"][
            "2xx"] + 20 and outside(t) <= outside(before)
    until(is_there, what="a second with all of it")
    t = traffic()
    numbers = [s["number"] for s in t["seconds"]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    last = [s for s in t["seconds"] if s["status"]["2xx"]][-1]
    assert 0 < last["p50_ms"] <= last["p90_ms"] <= last["p99_ms"] < 64000
    assert t["now"]["requests_per_s"] == pytest.approx(
        t["now"]["requests"] * 1000 / t["now"]["took_ms"], rel=0.01)
