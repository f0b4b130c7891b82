"""A gatehouse with a dashboard, and how a browser gets to it."""
from . import admin
from .procs import until

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
EVERY_MS = 2000  # as dashboard.js looks anew


def start(make, folder):
    """One that has refused and answered; make() makes it, rules of its firewall are
    put into the folder."""
    rules = folder / "some.conf"
    rules.write_text(RULES)
    gh = make(INI.replace("[site shop]", f"[waf w]\nrules = {rules}\n"
                          "[site shop]\nwaf = w"), ports=2)
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


def visit(page, gh):
    """Until it asks for the token, on a clock that a test may turn."""
    page.do(("clock",), ("install",))
    page.goto(f"http://127.0.0.1:{gh.ports[1]}/dashboard")
    page.by_role("textbox", "Token of [admin]").waitFor()
    assert page.evaluate("document.activeElement.id") == "token"


def log_in(page, gh):
    visit(page, gh)
    page.type(TOKEN)
    page.press("Enter")
    page.by_role("main").waitFor()
    return page


def look_anew(page):
    page.do(("clock",), ("runFor", EVERY_MS))
