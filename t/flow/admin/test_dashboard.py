"""The dashboard in a browser (doc/admin.md): its numbers are the interface's, its
texts are texts, nothing breaks its policy."""
import decimal

import pytest
from lib import admin
from lib.dashboard import INI, load, log_in, look_anew, visit
from lib.procs import Load, until

# --- numbers ------------------------------------------------------------------

SHOWN = """({
    facts: Object.fromEntries([...document.querySelectorAll("#now dd")].map(
        (d) => [d.id.slice(4), d.textContent])),
    tables: Object.fromEntries([...document.querySelectorAll("table")].map(
        (t) => [t.caption.textContent, [...t.tBodies].flatMap((b) => [...b.rows])
            .map((r) => [...r.cells].map((c) => c.textContent))])),
    servers: [...document.querySelectorAll("#health li")].map(
        (l) => l.textContent),
    drawn: Object.fromEntries([...document.querySelectorAll("figure")].map(
        (f) => [f.querySelector("h3").textContent,
            [...f.querySelectorAll(".key")].map((k) => k.textContent)])),
})"""


def fixed(n, digits):
    """As Number.prototype.toFixed rounds."""
    return str(decimal.Decimal(n).quantize(
        decimal.Decimal(1).scaleb(-digits), decimal.ROUND_HALF_UP))


def rate(n):
    return fixed(n, 1 if n < 100 else 0)


def ms(n):
    return "-" if n is None else fixed(n, 2 if n < 10 else 0) + " ms"


def share(part, whole):
    return fixed(100 * part / whole, 1) + " %" if whole else "-"


def size(n):
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    for i, unit in enumerate(units):
        if n < 1024 or unit == units[-1]:
            return f"{fixed(n, 1 if i else 0)} {unit}"
        n /= 1024


def facts(status, traffic):
    now, total = traffic["now"], traffic["total"]
    return {
        "rps": rate(now["requests_per_s"]),
        **{p: ms(now[p + "_ms"]) for p in ("p50", "p90", "p99")},
        "errors": share(now["status"]["5xx"], now["requests"]),
        "hits": share(now["cache_hits"], now["cache_lookups"]),
        "sent": size(now["sent_bytes_per_s"]),
        "connections": str(sum(w["connections"] for w in status["workers"])),
        "bans": str(status["bans"]["count"]),
        "total": str(total["requests"]),
        **{f"total-{k}": str(total["status"][k]) for k in ("2xx", "4xx", "5xx")},
    }


def drawn(second):
    def a_second(n):
        took = second["took_ms"]
        return rate(n * 1000 / took if took else 0)
    return {
        "Requests a second": ["all " + a_second(second["requests"])],
        "Latency": [f"{p} {ms(second[p + '_ms'])}" for p in
                    ("p50", "p90", "p99")],
        "Answers a second": [f"{k} {a_second(second['status'][k])}" for k in
                             ("2xx", "3xx", "4xx", "5xx", "none")],
        "Cache hits": ["of what was looked up -"],
    }


def rows(made):
    return [["-" if n is None else str(n) for n in row] for row in made]


def tables(status):
    blocked, top = status["blocked"], status["top"]
    return {
        f"What decided, in the last {blocked['of']} of them": rows(
            (b["count"], b["fault"], f"{b['what']} {b['text']}",
             f"{b['file']}:{b['line']}" if b["file"] else None)
            for b in blocked["lines"]),
        "Rules of the firewalls": rows(
            (r["rule"], r["refused"], r["matched"])
            for r in status["waf_rules"]),
        **{name: rows((h["count"], h["name"]) for h in top[key]) for
           key, name in [("clients", "Clients"), ("paths", "Paths"),
                         ("user_agents", "User agents")]},
        "Workers": rows(
            (f"{w['slot']}.{w['incarnation']}", w["pid"], w["generation"],
             w["state"], w["connections"], w["tunnels"],
             ms(w["lag_us"] / 1000), f"{w['heartbeat_age_ms'] // 1000}s ago")
            for w in status["workers"]),
    }


def servers(status):
    return [f"{s['address']}: {s['health']}; {s['active']} active, "
            f"{s['requests']} tries, {s['failures']} failed"
            for u in status["upstreams"] for s in u["servers"]]


def agrees(page):
    """What it shows, when that is what it was told."""
    shown, came = page.evaluate(SHOWN), page.came("/v1/")
    status, traffic = came["/v1/status"], came["/v1/traffic"]
    known = tables(status)
    return shown if shown["facts"] == facts(status, traffic) and \
        shown["servers"] == servers(status) and \
        shown["drawn"] == drawn(traffic["seconds"][-1]) and \
        {k: shown["tables"].get(k) for k in known} == known else None


def counts(gh):
    total = admin.ask(gh, "GET", "/v1/traffic")[1]["total"]
    return {"total": total["requests"],
            **{f"total-{k}": total["status"][k] for k in ("2xx", "4xx", "5xx")}}


def has_drawn(page, before):
    """No less than that, and a second of the charts."""
    facts_now = page.evaluate(SHOWN)["facts"]
    return all(int(facts_now[k]) >= n for k, n in before.items()) and \
        page.came("/v1/")["/v1/traffic"]["seconds"]


def counted(page):
    """(what stands in agreement, its counts)."""
    shown = until(lambda: agrees(page), what="agreement")
    return shown, {k: int(shown["facts"][k]) for k in
                   ("total", "total-2xx", "total-4xx", "total-5xx")}


def test_its_numbers_are_those_of_the_interface(seen, chromium):
    """Under load each number is that of the answer that it was drawn from, and lies
    between what the interface tells before and after it; without load it is
    what the interface tells. No complaint but for the asks without a token."""
    page = log_in(chromium.page(), seen)
    with Load(seen.port, keepers=1, shots=1, path="/one") as busy:
        for _ in range(3):
            busy.wait_answers(50)
            before = counts(seen)
            until(lambda: look_anew(page) or has_drawn(page, before))
            pause = page.by_role("button", "Pause")
            pause.click()
            _, middle = counted(page)
            after = counts(seen)
            assert all(before[k] <= middle[k] <= after[k] for k in after)
            pause.click()
    assert not busy.failures
    load(seen, 50)
    until(lambda: look_anew(page) or counted(page)[1] == counts(seen))
    shown, _ = counted(page)
    decided = next(rows for caption, rows in shown["tables"].items() if
                   caption.startswith("What decided"))
    assert sum(int(n) for n, *_ in decided) > 40
    assert page.title() == "gatehouse"
    assert page.all("main :is(b, img, script)").count() == 0
    assert "<script>" in page.all("#recent").textContent()
    assert all("401" in c for c in page.complaints), page.complaints
    assert page.evaluate("document.cookie + localStorage.length") == "0"


def test_rules_of_firewalls_are_told(seen, chromium):
    """Those that refused first; the same in the interface and on the page."""
    rules = admin.ask(seen, "GET", "/v1/status?only=waf_rules")[1]["waf_rules"]
    assert [(r["rule"], r["refused"]) for r in rules] == \
        [(12, rules[0]["matched"]), (11, 0)]
    assert rules[1]["matched"] >= 300 and rules[0]["matched"] > 0
    page = log_in(chromium.page(), seen)
    table = page.by_role("table", "Rules of the firewalls")
    assert table.by_role("cell").allTextContents() == [
        str(n) for r in rules for n in (r["rule"], r["refused"], r["matched"])]


@pytest.mark.heavy
def test_what_is_shown_stays_while_no_answer_comes(seen, chromium):
    """It says so, and goes on when one comes again."""
    page = log_in(chromium.page(), seen)
    status = page.by_role("status")
    was = status.textContent()
    assert "running" in was
    total = page.all("#now-total").textContent()
    page.do(("context",), ("setOffline", True))
    look_anew(page)
    until(lambda: status.textContent().startswith("no answer: "))
    assert page.all("#now-total").textContent() == total
    page.do(("context",), ("setOffline", False))
    look_anew(page)
    until(lambda: status.textContent() == was)


# --- who may see it ------------------------------------------------------------

@pytest.mark.heavy
@pytest.mark.parametrize("token", ["", "wrong-token-of-sixteen"])
def test_without_the_token_nothing_is_shown(seen, chromium, token):
    page = chromium.page()
    visit(page, seen)
    page.type(token)
    page.press("Enter")
    if token:
        page.by_role("alert").all("text=not the token").waitFor()
    assert page.all("main").isHidden()
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.heavy
def test_its_policy_is_kept_by_the_browser(seen, chromium):
    """CSP3, Trusted Types: what a stranger's text would do is not done, and heard
    here as a complaint."""
    page = chromium.page()
    visit(page, seen)
    page.complaints.clear()
    for tried, named in [
            ("document.body.append(Object.assign(document.createElement('img'), "
             "{src: 'http://127.0.0.1:1/'}))", "Loading the image"),
            ("document.body.append(Object.assign(document.createElement("
             "'style'), {textContent: 'p {}'}))", "inline style"),
            ("void setTimeout(() => { document.body.innerHTML = '<p>' })",
             "TrustedHTML")]:
        page.evaluate(tried)
        page.do(("clock",), ("runFor", 1))
        until(lambda n=named: page.title() and
              any(n in c for c in page.complaints), what=named)


def test_the_page_is_bound_to_itself(seen):
    """CSP3: nothing but its own style, script and questions, and no frame."""
    with seen.client(seen.ports[1]) as c:
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
