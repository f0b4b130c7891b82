"""The dashboard in a browser (doc/admin.md): its numbers are the interface's, its
texts are texts, nothing breaks its policy, and keys are enough."""
import pytest
from lib import admin
from lib.browser import PROGRAM, Page
from lib.procs import until

TOKEN = "0123456789abcdef-token"
INI = """
[global]
workers = 2
[listen web]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site shop]
hosts = *
upstream = app
[route shop /one]
respond = 200 one
[route shop /shut]
deny = all
respond = 200 none
[upstream app]
server = 127.0.0.1:1
retry = none
[admin]
listen = unix:{dir}/admin.sock 127.0.0.1:{port1}
token = %s
dashboard = on
""" % TOKEN
RULES = """
SecRuleEngine On
SecRule REQUEST_URI "@contains one" "id:11,phase:1,pass,log"
SecRule ARGS:a "@streq bad" "id:12,phase:1,deny,log"
"""
ATTACK = "/shut<script>document.title='taken'</script><img/src=x>"
PHONE_WIDTH = 360

pytestmark = pytest.mark.skipif(not PROGRAM, reason="no Chromium")


@pytest.fixture(scope="module")
def gh(shared_gatehouse, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "some.conf"
    rules.write_text(RULES)
    gh = shared_gatehouse(
        INI.replace("[site shop]", f"[waf w]\nrules = {rules}\n[site shop]\n"
                    "waf = w"), ports=2)
    until(lambda: admin.steward(gh))
    load(gh, 300)
    return gh


def load(gh, n):
    """Answers of three kinds, and a path that would like to be markup."""
    one = "GET %s HTTP/1.1\r\nHost: a.test\r\nUser-Agent: <b>bold</b>\r\n\r\n"
    with gh.client() as c:
        for target in ["/one"] * n + [ATTACK] * 40 + ["/none", "/two?a=bad"]:
            c.send((one % target).encode())
            c.response()


def log_in(page, gh):
    page.open(f"http://127.0.0.1:{gh.ports[1]}/dashboard")
    until(lambda: page.run("!document.getElementById('login').hidden"))
    assert page.run("document.activeElement.id") == "token"
    page.type(TOKEN)
    page.press("Enter", "\r")
    until(lambda: page.run("!document.getElementById('main').hidden"))


def number(page, name):
    return int(page.run(f"document.getElementById('now-{name}').textContent"))


def totals(gh):
    return admin.ask(gh, "GET", "/v1/traffic")[1]["total"]


def agrees(page, gh):
    t = totals(gh)
    return number(page, "total") == t["requests"] and all(
        number(page, f"total-{k}") == t["status"][k]
        for k in ("2xx", "4xx", "5xx"))


def test_its_numbers_are_those_of_the_interface(gh, tmp_path):
    """After a login by keys alone; again when there is more; no complaint but for
    the first ask without a token."""
    with Page(tmp_path) as page:
        log_in(page, gh)
        assert agrees(page, gh)
        before = number(page, "total-2xx")
        load(gh, 50)
        until(lambda: totals(gh)["status"]["2xx"] == before + 50)
        until(lambda: agrees(page, gh))
        assert number(page, "total-2xx") == before + 50
        assert page.run("document.title") == "gatehouse"
        assert page.run("document.querySelectorAll('main b, main img, "
                        "main script').length") == 0
        assert "<script>" in page.run(
            "document.getElementById('recent').textContent")
        assert all("401" in c for c in page.complaints), page.complaints
        assert page.run("document.cookie + localStorage.length") == "0"


def test_rules_of_firewalls_are_told(gh, tmp_path):
    """Those that refused first; the same in the interface and on the page."""
    rules = admin.ask(gh, "GET", "/v1/status?only=waf_rules")[1]["waf_rules"]
    assert [(r["rule"], r["refused"]) for r in rules] == \
        [(12, rules[0]["matched"]), (11, 0)]
    assert rules[1]["matched"] >= 300 and rules[0]["matched"] > 0
    with Page(tmp_path) as page:
        log_in(page, gh)
        assert page.run("[...document.querySelectorAll('#rules td')].map("
                        "d => d.textContent)") == [
            str(n) for r in rules
            for n in (r["rule"], r["refused"], r["matched"])]


@pytest.mark.heavy
def test_it_is_usable_by_keys_and_by_readers(gh, tmp_path):
    """WCAG 2.2: landmarks and names, captions, alternatives of charts, a visible
    order; no horizontal scroll at 360 px (1.4.10)."""
    with Page(tmp_path, width=PHONE_WIDTH, height=740) as page:
        log_in(page, gh)
        assert page.run("document.documentElement.scrollWidth") == PHONE_WIDTH
        assert page.run("document.documentElement.lang") == "en"
        assert page.run("document.querySelectorAll('h1').length") == 1
        assert page.run("[...document.querySelectorAll('section')].every("
                        "s => document.getElementById("
                        "s.getAttribute('aria-labelledby')).textContent)")
        assert page.run("[...document.querySelectorAll('table')].every("
                        "t => t.caption && t.caption.textContent)")
        labels = page.run("[...document.querySelectorAll('svg')].map("
                          "s => s.getAttribute('role') + ' ' + "
                          "s.getAttribute('aria-label'))")
        assert len(labels) == 4
        assert all(text.startswith("img ") and "the last second" in text
                   for text in labels)
        assert page.run("document.querySelector('[role=status]').textContent")
        page.open(page.run("location.href"))
        until(lambda: page.run("!document.getElementById('main').hidden"))
        order = []
        for _ in range(40):
            page.press("Tab")
            order.append(page.run("(e => e.id || e.getAttribute('aria-label')"
                                  " || e.className || e.tagName)"
                                  "(document.activeElement)"))
            if order.count("pause") == 1 and order[-1] == "pause":
                page.press("Enter", "\r")
        assert order[:3] == ["skip", "pause", "forget"], order
        assert page.run("document.getElementById('pause').ariaPressed") == \
            "true"
        assert "SUMMARY" in order and "Workers" in order, order


@pytest.mark.heavy
@pytest.mark.parametrize("token", ["", "wrong-token-of-sixteen"])
def test_without_the_token_nothing_is_shown(gh, tmp_path, token):
    with Page(tmp_path) as page:
        page.open(f"http://127.0.0.1:{gh.ports[1]}/dashboard")
        until(lambda: page.run("!document.getElementById('login').hidden"))
        page.type(token)
        page.press("Enter", "\r")
        if token:
            until(lambda: page.run(
                "document.getElementById('refused').textContent"))
        assert page.run("document.getElementById('main').hidden")
        assert page.run("sessionStorage.length") == 0


def test_the_page_is_bound_to_itself(gh):
    """CSP3: nothing but its own style, script and questions, and no frame."""
    with gh.client(gh.ports[1]) as c:
        for path in ("/dashboard", "/dashboard.css", "/dashboard.js"):
            answer = c.get(path)
            assert answer.status == 200
            policy = answer.get("content-security-policy")
            for part in ("default-src 'none'", "script-src 'self'",
                         "style-src 'self'", "connect-src 'self'",
                         "frame-ancestors 'none'", "base-uri 'none'"):
                assert part in policy
            assert "unsafe" not in policy
            assert answer.get("x-content-type-options") == "nosniff"
            assert "style=" not in answer.text
        assert "onclick" not in answer.text


def test_it_is_off_unless_it_is_on(gatehouse):
    gh = gatehouse(INI.replace("dashboard = on", ""), ports=2)
    until(lambda: admin.steward(gh))
    with gh.client(gh.ports[1]) as c:
        assert c.get("/dashboard").status == 404
