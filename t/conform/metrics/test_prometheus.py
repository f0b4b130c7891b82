"""A real Prometheus scrapes a gatehouse and is asked what it knows; promtool looks
at the page, at the alerts, and at what the page of Grafana asks."""
import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from lib.gatehouse import free_port

TOP = pathlib.Path(__file__).resolve().parents[3]
METRICS = TOP / "etc" / "metrics"
TOKEN = "a-token-for-prometheus"
WAIT_S = 30
INI = """
[global]
workers = 2
[listen web]
address = 127.0.0.1:{port}
[site shop]
hosts = *
upstream = app
[site guarded]
hosts = guarded.test
waf = rules
respond = 200 in
[waf rules]
rules = {rules}
mode = block
[upstream app]
server = {a}
max_connections = 5
[cache c]
memory = 4m
[listen proxy]
address = 127.0.0.1:{port2}
mode = forward
policy = office
[forward office]
allow = all
[admin]
listen = 127.0.0.1:{port1}
token = %s
""" % TOKEN

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None,
                                reason="no prometheus")


@pytest.fixture(scope="module")
def scraped(shared_gatehouse, shared_origin, tmp_path_factory):
    """(gatehouse, ask): ask(query) is what Prometheus answers."""
    a = shared_origin()
    folder = tmp_path_factory.mktemp("prometheus")
    folder.chmod(0o755)
    (folder / "rules").write_text(
        'SecRuleEngine On\n'
        'SecRule ARGS "@streq bad" "id:7001,phase:1,deny,status:403"\n')
    gh = shared_gatehouse(INI, ports=3, a=a.address, rules=folder / "rules")
    (folder / "token").write_text(TOKEN)
    # metrics are not open: the token is needed
    (folder / "p.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s"},
        "rule_files": [str(METRICS / "alerts.yml")],
        "scrape_configs": [{
            "job_name": "gatehouse",
            "authorization": {"credentials_file": str(folder / "token")},
            "static_configs": [{"targets": [f"127.0.0.1:{gh.ports[1]}"]}]}]}))
    port = free_port()
    with open(folder / "log", "wb") as log, subprocess.Popen(
            ["prometheus", f"--config.file={folder}/p.yml",
             f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log) as p:
        with gh.client() as c:
            for _ in range(7):
                assert c.get().status == 200
            assert c.get("/?a=bad", host="guarded.test").status == 403

        def ask(query, path="query"):
            at = f"http://127.0.0.1:{port}/api/v1/{path}?" + \
                urllib.parse.urlencode({"query": query})
            with urllib.request.urlopen(at, timeout=WAIT_S) as answer:
                return json.load(answer)["data"]

        yield gh, ask
        p.terminate()
        p.wait(timeout=WAIT_S)


def value(ask, query):
    """Once there is one: its first scrape is its own business."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            found = ask(query)["result"]
        except (urllib.error.URLError, ConnectionError):
            found = []
        if found:
            return float(found[0]["value"][1])
        assert time.monotonic() < end, query
        time.sleep(0.1)


def test_what_it_scrapes_is_what_was_counted(scraped):
    _, ask = scraped
    assert value(ask, 'gatehouse_site_requests_total{site="shop",'
                 'status="2xx"} == 7') == 7
    assert value(ask, "gatehouse_requests_total == 8") == 8
    assert value(ask, 'gatehouse_upstream_duration_seconds_count{'
                 'upstream="app"} == 7') == 7
    assert 0 < value(ask, "histogram_quantile(0.99, sum by (le) "
                     "(gatehouse_upstream_first_byte_seconds_bucket))") < 10
    assert value(ask, 'gatehouse_waf_rule_refused_total{rule="7001"}') == 1
    assert value(ask, "up") == 1


def test_alerts_are_of_numbers_that_are_there(scraped):
    done = subprocess.run(["promtool", "check", "rules",
                           str(METRICS / "alerts.yml")], text=True,
                          capture_output=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    known(scraped, (METRICS / "alerts.yml").read_text())


RULE_CASES = """
rule_files: [%s]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'gatehouse_waf_rule_refused_total{rule="1"}', values: '0+60x1500'}
  - {series: 'gatehouse_waf_rule_refused_total{rule="2"}',
     values: '0+1x1470 1470+60x30'}
  - {series: 'gatehouse_waf_rule_refused_total{rule="3"}',
     values: '_x1470 0+60x30'}
  - {series: 'gatehouse_waf_rule_refused_total{rule="4"}',
     values: '_x1470 0+1x30'}
  alert_rule_test:
  - eval_time: 1490m
    alertname: GatehouseRuleRefusesMore
    exp_alerts:
    - exp_labels: {rule: "2", severity: warning}
      exp_annotations:
        summary: Rule 2 refuses ten times as much as in the last day
    - exp_labels: {rule: "3", severity: warning}
      exp_annotations:
        summary: Rule 3 refuses ten times as much as in the last day
"""


def play(tmp_path, text):
    """Cases that the alerts are tested by."""
    cases = tmp_path / "cases.yml"
    cases.write_text(text % (METRICS / "alerts.yml"))
    done = subprocess.run(["promtool", "test", "rules", str(cases)], text=True,
                          capture_output=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_refuses_more_than_before_is_told(tmp_path):
    """Not one that always does, nor one that does a little; also a new one."""
    play(tmp_path, RULE_CASES)


# a is upgraded and stays, b ends; a's server is up, that of b is down
SEVERAL_CASES = """
rule_files: [%s]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'gatehouse_info{job="g", instance="a", version="1"}',
     values: '1x20 stale'}
  - {series: 'gatehouse_info{job="g", instance="a", version="2"}',
     values: '_x20 1x100'}
  - {series: 'gatehouse_info{job="g", instance="b", version="1"}',
     values: '1x30 stale'}
  - {series: 'gatehouse_server_up{job="g", instance="a", upstream="u",
              server="s"}', values: '1x130'}
  - {series: 'gatehouse_server_up{job="g", instance="b", upstream="u",
              server="s"}', values: '0x30 stale'}
  alert_rule_test:
  - eval_time: 25m
    alertname: GatehouseSilent
    exp_alerts: []
  - eval_time: 25m
    alertname: GatehouseUpstreamDown
    exp_alerts:
    - exp_labels: {job: g, instance: b, upstream: u, severity: critical}
      exp_annotations: {summary: No server of u is up for b}
  - eval_time: 35m
    alertname: GatehouseSilent
    exp_alerts:
    - exp_labels: {job: g, instance: b, severity: critical}
      exp_annotations: {summary: No gatehouse answers at b}
  - eval_time: 120m
    alertname: GatehouseSilent
    exp_alerts: []
- interval: 1m
  input_series: []
  alert_rule_test:
  - eval_time: 5m
    alertname: GatehouseSilent
    exp_alerts:
    - exp_labels: {severity: critical}
      exp_annotations: {summary: No gatehouse answers}
"""


def test_one_of_several_is_told_when_it_is_silent_or_has_no_server(tmp_path):
    """The others do not hide it; an upgrade is no silence."""
    play(tmp_path, SEVERAL_CASES)


def test_the_page_of_grafana_asks_for_numbers_that_are_there(scraped):
    text = (METRICS / "grafana.json").read_text()
    known(scraped, text)
    # each kind of proxy has its own
    assert {"site", "forward"} <= set(re.findall(
        r"gatehouse_(\w+?)_requests_total", text))
    _, ask = scraped
    for panel in json.loads(text)["panels"]:
        for target in panel["targets"]:
            ask(target["expr"].replace("$__rate_interval", "5m")
                .replace("$site", ".*"))


# what only some have: a reload, certificates
SELDOM = {"gatehouse_reload_ok", "gatehouse_certificate_ends_timestamp_seconds"}


def known(scraped, text):
    _, ask = scraped
    value(ask, "gatehouse_info")
    names = set(re.findall(r"\bgatehouse_[a-z0-9_]+", text)) - SELDOM
    assert len(names) > 5
    for name in names:
        value(ask, name)
