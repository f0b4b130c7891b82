"""waf: what the rules of a [waf] judge, and what clients, origins and the audit
log see of it."""
import gzip
import json
import re
import subprocess

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

RULES = r"""
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecResponseBodyLimit 1000
SecResponseBodyLimitAction Reject
SecRule ARGS "@contains attack" \
    "id:1,phase:2,deny,status:406,log,msg:'bad %{MATCHED_VAR_NAME}',\
    logdata:'%{MATCHED_VAR}',severity:CRITICAL,tag:'t/one',tag:'t/two'"
SecRule REQUEST_HEADERS:X-Bad "@streq yes" "id:2,phase:1,deny,log,msg:'head'"
SecRule REQUEST_HEADERS:X-Go "@rx ^/(.*)" \
    "id:3,phase:1,capture,redirect:'https://a.test/%{tx.1}',status:307,nolog"
SecRule REQUEST_HEADERS:X-Drop "@streq yes" "id:4,phase:1,drop,log,msg:'drop'"
SecRule FILES "@endsWith .php" "id:5,phase:2,deny,log,msg:'file'"
SecRule REQUEST_BODY "@rx raw-[0-9]+" "id:6,phase:2,deny,log,msg:'raw'"
SecRule RESPONSE_HEADERS:X-Leak "@streq yes" "id:7,phase:3,deny,log,msg:'leak'"
SecRule RESPONSE_HEADERS:Content-Encoding "@pm gzip br" \
    "id:18,phase:4,pass,nolog,skipAfter:COMPRESSED"
SecRule RESPONSE_BODY "@contains secret" "id:8,phase:4,deny,log,msg:'said'"
SecMarker COMPRESSED
SecRule REQUEST_HEADERS:Content-Type "json" \
    "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule RESPONSE_HEADERS:X-Moved "@streq yes" \
    "id:16,phase:3,redirect:'https://a.test/late',status:403,nolog"
SecRule REMOTE_ADDR|SERVER_ADDR "!@ipMatch 127.0.0.1" "id:10,phase:1,deny,log"
SecRule REQUEST_HEADERS:Host "!@rx ^[a-z.0-9:]+$" "id:11,phase:1,deny,log"
SecRule TX:level "@eq 3" "id:12,phase:1,deny,log,msg:'fixed'"
SecRule REQUEST_HEADERS:X-Part "." \
    "id:14,phase:1,pass,log,ctl:auditLogParts=+BF"
SecRule REQUEST_HEADERS:X-Part "@streq -F" \
    "id:15,phase:1,pass,nolog,ctl:auditLogParts=-F"
SecAction "id:13,phase:5,pass,log,msg:'end of %{REQUEST_METHOD}',setvar:tx.x=1,\
    chain"
SecRule REQUEST_HEADERS:X-End "@streq yes"
SecRule RESPONSE_BODY "@contains elsewhere" \
    "id:17,phase:4,redirect:'https://a.test/%{REQUEST_BASENAME}',status:308,log"
""" + "".join(f"""
SecRule ARGS_GET_NAMES "@streq m" "id:100000{i},phase:2,pass,log,msg:'m'"
""" for i in range(5))

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[waf w]
rules = {rules}
body_limit = 10k
audit_log = {dir}/audit.log
exclude = 1 at /free
exclude = 1 at /some arg:ok
[waf watch]
rules = {rules}
mode = detect
audit_log = {dir}/watch.log
[site test]
hosts = *
upstream = app
waf = w
[route test /watch]
waf = watch
[rule test off]
match = header:X-Rule = off
waf = none
[upstream app]
server = {origin}
""" + admin.SECTION


# what servers compress
CODED = {"/gz-secret": gzip.compress(b"<p>a secret</p>"),
         "/gz-fine": gzip.compress(b"<p>nothing</p>"),
         "/gz-empty": b"",
         "/gz-fits": gzip.compress(b"y" * 1000),
         "/gz-long": gzip.compress(b"y" * 1001),
         "/gz-bomb": gzip.compress(b"y" * 3000000, 9),
         "/gz-cut": gzip.compress(b"<p>a secret</p>")[:-9],
         "/gz-junk": b"a secret"}
NAMES = [name[1:] for name in CODED]


def answer(conn, request):
    path = request.target.split("?")[0]
    extra = {"/leak": b"X-Leak: yes\r\n", "/moved": b"X-Moved: yes\r\n", "/odd":
             b"Content-Type: text/html\r\nContent-Encoding: deflate\r\n",
             "/plain": b"Content-Type: text/plain\r\n"}
    body = {"/said": b"<p>a secret</p>", "/plain": b"a secret",
            "/odd": b"a secret", "/away": b"is elsewhere", "/long": b"x" * 2000,
            "/fits": b"x" * 1000, **CODED}
    if path.rsplit("/")[-1] in NAMES:
        path = "/" + path.rsplit("/")[-1]
        extra[path] = (b"Content-Type: text/html\r\n"
                       b"Content-Encoding: gzip\r\n")
    conn.send(ok(body.get(path, b"ok"),
                 extra.get(path, b"Content-Type: text/html\r\n")))


@pytest.fixture
def front(gatehouse, origin, tmp_path):
    rules = tmp_path / "rules.conf"
    rules.write_text(RULES)
    o = origin(answer)
    gh = gatehouse(INI, origin=o.address, rules=rules)
    gh.origin, gh.rules = o, rules
    return gh


def ask(gh, target="/", body=b"", fields=(), method=None):
    method = method or ("POST" if body else "GET")
    head = f"{method} {target} HTTP/1.1\r\nHost: a.test\r\n"
    head += "".join(f"{k}: {v}\r\n" for k, v in fields)
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    with gh.client() as c:
        c.send(head.encode() + b"\r\n" + body)
        return c.response(method)


def audit(gh, n, name="audit.log"):
    path = gh.dir / name
    until(lambda: path.read_text().count("\n") >= n)
    return [json.loads(line) for line in path.read_text().splitlines()]


FORM = [("Content-Type", "application/x-www-form-urlencoded")]
PARTS = [("Content-Type", "multipart/form-data; boundary=b")]
JSON = [("Content-Type", "application/json")]


def part(head, value):
    return (f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
            "--b--\r\n").encode()


CASES = [
    # target, body, fields, status
    ("/?a=fine", b"", [], 200),
    ("/?a=an+attack", b"", [], 406),
    ("/?a=%61ttack", b"", [], 406),
    ("/free/x?a=attack", b"", [], 200),
    ("/freedom?a=attack", b"", [], 406),
    ("/some?ok=attack", b"", [], 200),
    ("/some?no=attack", b"", [], 406),
    ("/watch?a=attack", b"", [], 200),
    ("/?a=attack", b"", [("X-Rule", "off")], 200),
    ("/", b"a=attack", FORM, 406),
    ("/", b"a=fine", FORM, 200),
    ("/some", b"ok=attack", FORM, 200),
    ("/", b"x raw-12", FORM, 403),
    ("/", part('name="a"', "attack"), PARTS, 406),
    ("/", part('name="a"; filename="x.php"', "q"), PARTS, 403),
    ("/", part('name="a"; filename="x.txt"', "attack"), PARTS, 200),
    ("/", b'{"a":["attack"]}', JSON, 406),
    ("/", b'{"a":["\\u0061ttack"]}', JSON, 406),
    ("/", b'{"attack":1}', JSON, 200),
    ("/", b"attack", [("Content-Type", "text/plain")], 200),
    ("/", b"a=" + b"x" * 10238, FORM, 200),
    ("/", b"a=" + b"x" * 10239, FORM, 413),
    ("/", b"", [("X-Bad", "yes")], 403),
    ("/", b"", [("X-Bad", "no")], 200),
    ("/leak", b"", [], 403),
    ("/said", b"", [], 403),
    ("/plain", b"", [], 200),
    ("/odd", b"", [], 403),
    ("/gz-secret", b"", [], 403),
    ("/gz-fine", b"", [], 200),
    ("/gz-empty", b"", [], 200),
    ("/gz-fits", b"", [], 200),
    ("/gz-long", b"", [], 403),
    ("/gz-bomb", b"", [], 403),
    ("/gz-cut", b"", [], 403),
    ("/gz-junk", b"", [], 403),
    ("/watch/gz-junk", b"", [], 200),
    ("/fits", b"", [], 200),
    ("/long", b"", [], 403),
    ("/watch/said", b"", [], 200),
]


def test_who_is_refused(front):
    wrong = []
    for target, body, fields, status in CASES:
        before = len(front.origin.requests)
        got = ask(front, target, body, fields)
        if got.status != status:
            wrong.append((target, body[:40], fields, status, got.status))
        if status == 200:
            assert front.origin.requests[-1].body == body, target
        elif target not in ("/leak", "/said", "/long", "/odd", *CODED):
            assert len(front.origin.requests) == before, target
        assert b"secret" not in got.body or status == 200
        if status == 200 and target in CODED:
            assert got.body == CODED[target]
    assert wrong == []


def rules_of(gh, word):
    """{number: count} of /metrics."""
    with admin.connect(gh) as c:
        text = c.get("/metrics").text
    return {rule: int(n) for rule, n in re.findall(
        rf'gatehouse_waf_rule_{word}_total{{rule="(\w+)"}} (\d+)', text)}


def test_each_rule_is_counted_by_its_number(front):
    """Issue 11: also where its section only tells; no rule, no row."""
    assert rules_of(front, "matched") == {}
    for target, fields in (("/?a=attack", []), ("/?b=attack", []),
                           ("/watch?a=attack", []),
                           ("/", [("X-Bad", "yes")]), ("/", [])):
        ask(front, target, fields=fields)
    until(lambda: rules_of(front, "matched") == {"1": 3, "2": 1})
    assert rules_of(front, "refused") == {"1": 2, "2": 1}


def test_the_audit_log_tells_who_what_and_why(front):
    got = ask(front, "/x?a=an+attack&b=attack", method="GET")
    assert got.status == 406
    line, = audit(front, 1)
    assert line["client"] == "127.0.0.1"
    assert line["method"] == "GET"
    assert line["uri"] == "/x?a=an+attack&b=attack"
    assert line["site"] == "test"
    assert line["waf"] == "w"
    assert (line["action"], line["anomaly_score"]) == ("deny", 0)
    assert line["rule_ids"] == [1]
    assert line["messages"] == [
        {"id": 1, "msg": "bad ARGS:a", "data": "an attack", "var": "ARGS:a",
         "severity": 2, "tags": ["t/one", "t/two"]}]
    assert len(line["request_id"]) > 10
    assert got.get("x-request-id") in (None, line["request_id"])


def test_parts_of_the_audit_log_are_asked_for(front):
    assert ask(front, "/", fields=[("X-Part", "-F"), ("X-Bad", "no"),
                                   ("Cookie", "a=secret"),
                                   ("Authorization", "Basic x")]).status == 200
    line, = audit(front, 1)
    assert line["request_headers"] == [
        ["Host", "a.test"], ["X-Part", "-F"], ["X-Bad", "no"],
        ["Cookie", "***"], ["Authorization", "***"]]
    assert "response_headers" not in line
    assert ask(front, "/", fields=[("X-Part", "F")]).status == 200
    assert ["Content-Type", "text/html"] in audit(front, 2)[1][
        "response_headers"]


def test_who_matches_thousands_of_times_has_a_line_too(front):
    """Of which what does not fit is left out."""
    assert ask(front, "/?" + "&".join(["m"] * 999)).status == 200
    line, = audit(front, 1)
    assert line["is_cut"] is True and len(line["messages"]) > 100
    assert set(line["rule_ids"]) < set(range(1000000, 1000005))
    assert len(line["rule_ids"]) > 1000


def test_detecting_tells_and_lets_through(front):
    assert ask(front, "/watch?a=attack").status == 200
    line, = audit(front, 1, "watch.log")
    assert (line["action"], line["rule_ids"]) == ("pass", [1])


def test_what_a_server_compressed_is_looked_into(front):
    assert ask(front, "/watch/gz-secret").status == 200
    assert ask(front, "/watch/gz-bomb").status == 200
    assert ask(front, "/watch/gz-junk").status == 200
    lines = audit(front, 3, "watch.log")
    assert [line["rule_ids"] for line in lines] == [[8], [], []]
    assert [line.get("bound") for line in lines] == [
        None, "response_body", "response_body"]
    counters = admin.status(front)["counters"]
    assert counters["waf_unread_total"] == 1
    assert counters["waf_bounds_total"] == 2


def test_rules_of_the_last_phase_tell(front):
    assert ask(front, "/", fields=[("X-End", "yes")]).status == 200
    line, = audit(front, 1)
    assert line["messages"][0]["msg"] == "end of GET"


def test_a_redirect_goes_where_the_rule_says(front):
    got = ask(front, "/", fields=[("X-Go", "/over/there")])
    assert got.status == 307
    assert got.get("location") == "https://a.test/over/there"


def test_an_answer_may_become_a_redirect(front):
    got = ask(front, "/moved")
    assert (got.status, got.get("location")) == (302, "https://a.test/late")
    assert got.get("x-moved") is None
    got = ask(front, "/away")
    assert (got.status, got.get("location")) == (308, "https://a.test/away")
    assert b"elsewhere" not in got.body
    assert audit(front, 1)[0]["action"] == "redirect"


def test_a_drop_ends_the_connection(front):
    """Without an answer, as with ModSecurity 2.9."""
    with front.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Drop: yes\r\n\r\n")
        assert c.is_closed()
    line, = audit(front, 1)
    assert line["action"] == "drop"


def test_content_in_the_smallest_chunks_is_judged_whole(front):
    def send(text):
        with front.client() as c:
            c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\n"
                   b"Content-Type: application/x-www-form-urlencoded\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n" +
                   b"".join(b"1\r\n%c\r\n" % b for b in text) + b"0\r\n\r\n")
            return c.response("POST").status

    assert send(b"a=" + b"x" * 3000 + b"attack") == 406
    assert send(b"a=" + b"x" * 3000) == 200
    assert front.origin.requests[-1].body == b"a=" + b"x" * 3000
    assert send(b"a=" + b"x" * 11000) == 413
    assert audit(front, 2)[1]["bound"] == "request_body"


def test_what_takes_too_long_is_not_let_through(front):
    """Patterns whose time grows by the square of the text, many of them."""
    front.rules.write_text("SecPcreMatchLimit 1000000000\n" + "".join(
        f'SecRule ARGS "@rx (?:\\s|w)*q(?!z|{i})" "id:{i + 1},phase:2,deny"\n'
        for i in range(3000)))
    front.reload()
    text = b"a=" + b"+" * 9000 + b"qz"
    assert ask(front, "/", text, FORM).status == 403
    assert ask(front, "/watch", text, FORM).status == 200
    assert ask(front, "/", b"a=+", FORM).status == 200
    for name in ("audit.log", "watch.log"):
        line, = audit(front, 1, name)
        assert line["bound"] == "time"
        assert 1 <= line["bound_rule"] <= 3000
        assert line["rule_ids"] == [] and line["request_id"]


def test_a_pattern_that_gives_up_is_told(front):
    front.rules.write_text(
        'SecPcreMatchLimit 5\nSecRule ARGS "@rx (?:a+)+b(?=c)" '
        '"id:77,phase:2,deny"\n')
    front.reload()
    assert ask(front, "/?a=" + "a" * 50 + "b").status == 200
    line, = audit(front, 1)
    assert (line["bound"], line["bound_rule"]) == ("pattern", 77)


def test_content_that_never_ends_is_no_answer(front):
    with front.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n"
               b"a=")
        c.shut()
        assert c.response("POST").status == 400
    assert front.origin.requests == []


def test_http2(front):
    def curl(*args):
        return subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
             "--http2-prior-knowledge", *args], capture_output=True, text=True,
            timeout=20).stdout

    url = f"http://127.0.0.1:{front.port}/"
    assert curl(url) == "200"
    assert curl(url + "?a=attack") == "406"
    assert curl("-d", "a=attack", url) == "406"
    assert curl("-d", "a=fine", url) == "200"
    assert curl("-F", "a=attack", url) == "406"


def test_a_broken_rule_file_keeps_the_old_rules(front):
    good = front.rules.read_text()
    front.rules.write_text(good + 'SecRule ARGS "@nothing" "id:99"\n')
    front.reload()
    assert "unknown operator" in front.stderr()
    assert ask(front, "/?a=attack").status == 406
    front.rules.write_text(good.replace("@contains attack", "@contains other"))
    front.reload()
    assert ask(front, "/?a=attack").status == 200
    assert ask(front, "/?a=other").status == 406


def test_the_log_is_opened_again(front):
    import signal
    ask(front, "/?a=attack")
    audit(front, 1)
    (front.dir / "audit.log").rename(front.dir / "old.log")
    front.send_signal(signal.SIGUSR1)
    until(lambda: (front.dir / "audit.log").exists())
    until(lambda: ask(front, "/?a=attack").status == 406 and
          (front.dir / "audit.log").read_text() != "")
    assert audit(front, 1)[0]["rule_ids"] == [1]


FIXED = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[waf w]
setup = {dir}/../setup.conf
rules = {dir}/../*.rules
paranoia = 2
anomaly_threshold = 7
audit_log = none
[site a]
hosts = *
respond = 200 ok
waf = w
"""
SETUP = """
SecAction "id:1,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=1,\
setvar:tx.inbound_anomaly_score_threshold=5"
"""
KEPT = """
SecCollectionTimeout 600
SecAction "id:1,phase:1,pass,log,initcol:ip=%{REMOTE_ADDR},\
initcol:session=%{REQUEST_HEADERS.X-Session},setvar:ip.n=+1,\
msg:'%{ip.n} %{ip.update_counter} %{ip.is_new}'"
SecRule ARGS:block "@streq yes" "id:2,phase:2,pass,nolog,\
setvar:session.blocked=1,expirevar:session.blocked=1"
SecRule SESSION:blocked "@eq 1" "id:3,phase:1,deny,nolog"
"""


def test_collections_are_kept_for_all_workers_and_over_a_reload(
        gatehouse, tmp_path):
    """IP counts exactly, whoever counts; SESSION forgets what expires."""
    (tmp_path / "a.rules").write_text(KEPT)
    gh = gatehouse(
        FIXED.replace("setup = {dir}/../setup.conf\n", "")
        .replace("audit_log = none", "audit_log = {dir}/audit.log")
        .replace("workers = 1", "workers = 2"))
    for i in range(20):
        assert ask(gh).status == 200
        if i == 10:
            gh.reload()
    said = sorted((line["messages"][0]["msg"].split(" ")
                   for line in audit(gh, 20)), key=lambda m: int(m[0]))
    assert [m[0] for m in said] == [str(i + 1) for i in range(20)]
    assert [m[1] for m in said] == [str(i) for i in range(20)]
    assert [m[2] for m in said] == ["1"] + [""] * 19
    mine, other = [("X-Session", "mine")], [("X-Session", "other")]
    assert ask(gh, "/?block=yes", fields=mine).status == 200
    assert ask(gh, fields=mine).status == 403
    assert ask(gh, fields=other).status == 200
    until(lambda: ask(gh, fields=mine).status == 200)


LEVELS = """
SecRule TX:blocking_paranoia_level "!@eq 2" "id:2,phase:1,deny,status:410"
SecRule TX:inbound_anomaly_score_threshold "!@eq 7" "id:3,phase:1,deny,status:411"
"""


def test_levels_of_the_section_stand_above_those_of_the_files(
        gatehouse, tmp_path):
    (tmp_path / "setup.conf").write_text(SETUP)
    (tmp_path / "a.rules").write_text(LEVELS)
    gh = gatehouse(FIXED)
    assert ask(gh).status == 200


@pytest.mark.parametrize("line, words", [
    ("exclude = x", "not an exclusion"),
    ("exclude = 1 at x", "not an exclusion"),
    ("exclude = 5-1", "not an exclusion"),
    ("exclude = 1 at /a cookie:", "not an exclusion"),
    ("rules = {dir}/none*.conf", "no file matches"),
    ("rules = {dir}/none.conf", "none.conf"),
])
def test_what_a_section_cannot_say(gatehouse, tmp_path, line, words):
    (tmp_path / "a.rules").write_text("")
    ini = FIXED.replace("setup = {dir}/../setup.conf\n", "").replace(
        "paranoia = 2", line)
    if line.startswith("rules"):
        ini = ini.replace("rules = {dir}/../*.rules\n", "", 1)
    gh = gatehouse(ini, wait=False)
    assert gh.process.wait(10) != 0
    gh.expect_bad_end = True
    assert words in gh.stderr()


@pytest.mark.parametrize("ids, is_known", [
    ("3", True), ("2-9", True), ("4", False), ("30-39 at /a arg:b", False)])
def test_an_exclusion_of_no_rule_is_told(tmp_path, ids, is_known):
    (tmp_path / "a.rules").write_text('SecAction "id:3,phase:1,pass"\n')
    ini = tmp_path / "g.ini"
    ini.write_text("[listen x]\naddress = 127.0.0.1:1\n[site s]\nhosts = *\n"
                   f"respond = 200 a\nwaf = w\n[waf w]\nexclude = {ids}\n"
                   f"rules = {tmp_path}/a.rules\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 0
    assert ("no rule of [waf w] has this id" in done.stderr) != is_known
