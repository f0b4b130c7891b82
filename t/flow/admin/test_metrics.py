"""GET /metrics: what Prometheus reads, over the socket and over TCP."""
import re
import shutil
import subprocess

import pytest
from lib import admin
from lib.gatehouse import run
from lib.origin import OK
from lib.procs import until

TOKEN = "0123456789abcdef-token"
INI = """
[global]
workers = 2
[listen web]
address = 127.0.0.1:{port}
[site shop]
hosts = shop.test
respond = 404 gone
[route shop /api]
upstream = app
[route shop ~ ^/a"b]
respond = 200 here
[upstream app]
server = {a}
max_connections = 10
[cache store]
memory = 4m
[limit few]
key = {client_ip}
rate = 100/s
[admin]
listen = unix:{dir}/admin.sock 127.0.0.1:{port1}
token = %s
metrics = prometheus
""" % TOKEN
LINE = re.compile(r'^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, labels): number}; no sample may stand twice."""
    values = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = LINE.match(line).groups()
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        assert key not in values, line
        values[key] = float(value)
    return values


def get(values, name, **labels):
    return values[("gatehouse_" + name, tuple(sorted(labels.items())))]


@pytest.fixture(scope="module")
def served(shared_gatehouse, shared_origin):
    a = shared_origin(lambda conn, request: conn.send(OK))
    gh = shared_gatehouse(INI, ports=2, a=a.address)
    with gh.client() as c:
        for _ in range(5):
            assert c.get("/api/x", host="shop.test").status == 200
        for _ in range(3):
            assert c.get("/none", host="shop.test").status == 404
    return gh


def scrape(gh, **fields):
    with admin.connect(gh) as c:
        answer = c.get("/metrics", extra="".join(
            f"{k}: {v}\r\n" for k, v in fields.items()).encode())
        assert answer.status == 200, answer.text
        return answer


def metrics(gh):
    return parse(scrape(gh).text)


def is_counted(gh):
    m = metrics(gh)
    return get(m, "site_requests_total", site="shop", status="2xx") == 5 and \
        get(m, "site_requests_total", site="shop", status="4xx") == 3


def test_everything_is_counted_by_its_name(served):
    until(lambda: is_counted(served))
    m = metrics(served)
    for labels in ({"listen": "web"}, {"site": "shop"}):
        kind = next(iter(labels))
        assert get(m, f"{kind}_requests_total", status="2xx", **labels) == 5
        assert get(m, f"{kind}_requests_total", status="5xx", **labels) == 0
        assert get(m, f"{kind}_received_bytes_total", **labels) > 8 * 30
        assert get(m, f"{kind}_sent_bytes_total", **labels) > 8 * 30
    api = {"site": "shop", "route": "/api"}
    rest = {"site": "shop", "route": ""}
    assert get(m, "route_requests_total", status="2xx", **api) == 5
    assert get(m, "route_requests_total", status="4xx", **rest) == 3
    assert get(m, "upstream_requests_total", upstream="app", status="2xx") == 5
    for curve in ("duration", "queue", "connect", "first_byte"):
        for labels in (api, {"upstream": "app"}):
            name = f"{list(labels)[-1]}_{curve}_seconds"
            assert get(m, name + "_count", **labels) == 5, name
            assert get(m, name + "_bucket", le="+Inf", **labels) == 5
            assert get(m, name + "_bucket", le="64", **labels) == 5
            assert 0 <= get(m, name + "_sum", **labels) < 5
    # nobody was asked
    assert get(m, "route_connect_seconds_count", **rest) == 0
    assert get(m, "route_duration_seconds_count", **rest) == 3


def test_lists_of_the_status_are_there(served):
    m = metrics(served)
    status = admin.status(served)
    server = status["upstreams"][0]["servers"][0]["address"]
    assert get(m, "server_requests_total", upstream="app", server=server) == 5
    assert get(m, "server_up", upstream="app", server=server) == 1
    assert get(m, "upstream_limit", upstream="app") == 10
    assert get(m, "cache_memory_bytes", cache="store") == \
        status["caches"][0]["memory"]
    assert get(m, "limit_refused_by_total", limit="few") == 0
    # what another test asked for is counted behind its answer
    until(lambda: get(metrics(served), "requests_total") ==
          admin.status(served)["counters"]["requests_total"])
    slots = {str(w["slot"]) for w in status["workers"]}
    assert {dict(k[1])["worker"] for k in m
            if k[0] == "gatehouse_worker_lag_seconds"} == slots
    # a name is quoted as the format wants it
    assert get(m, "route_requests_total", site="shop", route='~ ^/a\\"b',
               status="2xx") == 0


def test_counts_go_on_over_a_reload(served):
    until(lambda: is_counted(served))
    served.reload()
    with served.client() as c:
        assert c.get("/api/y", host="shop.test").status == 200
    until(lambda: get(metrics(served), "route_requests_total", site="shop",
                      route="/api", status="2xx") == 6)


def test_openmetrics_for_who_wants_it(served):
    answer = scrape(served, Accept="application/openmetrics-text;version=1.0.0,"
                    "text/plain;version=0.0.4;q=0.5")
    assert answer.get("content-type").startswith(
        "application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("\n# EOF\n")
    # a family of counters is named without the end of its samples
    assert "# TYPE gatehouse_requests counter\n" in answer.text
    assert "\ngatehouse_requests_total " in answer.text
    plain = scrape(served)
    assert plain.get("content-type").startswith("text/plain; version=0.0.4")
    assert "# TYPE gatehouse_requests_total counter\n" in plain.text
    assert "# EOF" not in plain.text
    # the one that is named first is liked best
    first = scrape(served, Accept="text/plain;version=0.0.4;q=0.5,"
                   "application/openmetrics-text;version=1.0.0;q=0.4")
    assert first.get("content-type").startswith("text/plain")


def test_a_name_is_of_one_family_in_either_format(served):
    """OpenMetrics 1.0, MetricFamily: names are unique, also with the ends that
    samples of a type have."""
    ends = {"counter": ["_total", "_created"], "gauge": [""], "histogram": [
        "_bucket", "_count", "_sum", "_created"]}
    text = scrape(served, Accept="application/openmetrics-text").text
    taken = []
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M):
        taken += {name, *(name + end for end in ends[kind])}
    assert [name for name in taken if taken.count(name) > 1] == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
def test_prometheus_finds_nothing_wrong(served):
    done = subprocess.run(["promtool", "check", "metrics"], text=True,
                          input=scrape(served).text, capture_output=True,
                          check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def tcp(gh, target, host=None, token=None, method="GET"):
    extra = b"" if token is None else f"Authorization: {token}\r\n".encode()
    with gh.client(gh.ports[1]) as c:
        answer = c.get(target, method=method, extra=extra,
                       host=host or f"127.0.0.1:{gh.ports[1]}")
        return answer.status


@pytest.mark.parametrize("token,status", [
    (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN} ", 200), (None, 401),
    ("Bearer ", 401), (f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401),
    (f"Basic {TOKEN}", 401), (TOKEN, 401)])
def test_over_tcp_the_token_is_needed(served, token, status):
    assert tcp(served, "/v1/status", token=token) == status


@pytest.mark.parametrize("host,token,status", [
    (None, None, 200), ("localhost:9180", None, 200), ("[::1]:9180", None, 200),
    # a page of another site may let its name lead here
    ("evil.test", None, 401), ("127.0.0.1.evil.test", None, 401),
    ("gw.internal", f"Bearer {TOKEN}", 200)])
def test_metrics_are_open_to_who_asks_an_address(served, host, token, status):
    assert tcp(served, "/metrics", host, token) == status


def test_nothing_is_ordered_without_a_token(served):
    for path in ("/v1/reload", "/v1/stop", "/v1/drain", "/v1/quit"):
        assert tcp(served, path, method="POST") == 401


def test_whom_allow_does_not_name(gatehouse):
    gh = gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n[site s]\n"
                   "hosts = *\nrespond = 200\n[admin]\n"
                   "listen = unix:{dir}/admin.sock 127.0.0.1:{port1}\n"
                   "allow = 10.0.0.0/8\nmetrics = prometheus\n"
                   f"token = {TOKEN}\n", ports=2)
    assert tcp(gh, "/metrics") == 403
    assert tcp(gh, "/v1/status", token=f"Bearer {TOKEN}") == 403
    assert admin.status(gh)["state"] == "running"
    # without metrics there are none without the token
    gh.reload(gh.ini.read_text().replace("metrics = prometheus", "")
              .replace("allow = 10.0.0.0/8", ""))
    until(lambda: tcp(gh, "/metrics") == 401)
    assert tcp(gh, "/metrics", token=f"Bearer {TOKEN}") == 200


def conf_test(tmp_path, lines):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen x]\naddress = 127.0.0.1:1\n[site s]\nhosts = *\n"
                   f"respond = 200\n[admin]\n{lines}\n")
    return run("-t", "-c", ini)


@pytest.mark.parametrize("lines,problem", [
    ("token = short", "a token has 16 characters at least"),
    ("token = 0123456789 123456789", "none of them a blank"),
    ("listen = fd:3", "expected unix:/path, or an address and a port"),
    ("listen = 9180", "a port is written with ':'")])
def test_what_is_wrong_is_told(tmp_path, lines, problem):
    done = conf_test(tmp_path, "listen = unix:/tmp/none.sock\n" + lines)
    assert done.returncode == 1 and problem in done.stderr


@pytest.mark.parametrize("open_to", [
    "192.0.2.1:9180", "0.0.0.0:9180", "[::]:9180", ":9180", "[2001:db8::1]:9180"])
def test_a_token_that_others_can_read_is_warned_of(tmp_path, open_to):
    done = conf_test(tmp_path, f"listen = {open_to} [::1]:9181 127.0.0.1:9182"
                  f"\ntoken = {TOKEN}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the token is readable on its way") == 1
    assert f"to {open_to}" in done.stderr


@pytest.mark.parametrize("lines, is_told", [
    ("dashboard = on", True), ("dashboard = on\nmetrics = prometheus", True),
    ("metrics = off", True), ("metrics = prometheus", False),
    (f"dashboard = on\ntoken = {TOKEN}", False)])
def test_an_address_that_nobody_gets_in_by_is_warned_of(tmp_path, lines,
                                                        is_told):
    """A page that asks for a token that there is not helps nobody."""
    listen = "listen = unix:/tmp/none.sock 127.0.0.1:9180\n"
    done = conf_test(tmp_path, listen + lines)
    assert done.returncode == 0
    told = "without a token 127.0.0.1:9180 gives nothing but metrics"
    assert done.stderr.count(told) == is_told
    only = conf_test(tmp_path, "listen = unix:/tmp/none.sock\n" + lines)
    assert told not in only.stderr


KEPT = """
[global]
workers = 2
[listen web]
address = 127.0.0.1:{port}
[site shop]
hosts = *
upstream = app
cache = store
cache_ttl = 1h
[upstream app]
server = {a}
[cache store]
memory = 4m
[cache other]
memory = 4m
[admin]
listen = unix:{dir}/admin.sock
metrics = prometheus
"""


def test_each_cache_tells_what_became_of_requests(gatehouse, origin):
    """In the metrics and in the status; of another cache nothing."""
    gh = gatehouse(KEPT, a=origin(lambda conn, request: conn.send(OK)).address)
    with gh.client() as c:
        for _ in range(4):
            assert c.get("/kept").status == 200

    def results(cache):
        m = metrics(gh)
        return {dict(labels)["result"]: n for (name, labels), n in m.items()
                if name == "gatehouse_cache_results_total" and
                dict(labels)["cache"] == cache and n > 0}

    until(lambda: results("store") == {"hit": 3, "miss": 1})
    assert results("other") == {}
    assert get(metrics(gh), "cache_requests_total", cache="store",
               status="2xx") == 4
    of = {c["name"]: c["results"] for c in admin.status(gh)["caches"]}
    assert (of["store"]["hit"], of["store"]["miss"]) == (3, 1)
    assert not any(of["other"].values())
    lines = run("status", "-c", str(gh.ini)).stdout.splitlines()
    assert [line.split()[1:4] for line in lines
            if line.split()[:1] == ["store"]] == [["3", "of", "4"]]
