"""`gatehouse waf`: a request before the rules, and exclusions of an audit log."""
import json

import pytest

from lib.gatehouse import run

INI = """
[listen x]
address = 127.0.0.1:8080
[waf w]
rules = {rules}
body_limit = 200k
[site a.test]
respond = 200 ok
waf = w
[site free.test]
respond = 200 ok
"""
RULES = r"""
SecRule ARGS "@contains attack" "id:1,phase:2,deny,status:406,log,t:lowercase,\
    msg:'bad %{MATCHED_VAR_NAME}',setvar:tx.anomaly_score=+5"
SecAction "id:2,phase:5,pass,log,msg:'end'"
"""
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def post(body, length=None):
    return (f"POST / HTTP/1.1\r\nHost: a.test\r\n{FORM}Content-Length: "
            f"{length or len(body)}\r\n\r\n{body}")


@pytest.fixture(scope="module")
def ini(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waf")
    (folder / "r.conf").write_text(RULES)
    (folder / "g.ini").write_text(INI.format(rules=folder / "r.conf"))
    return folder / "g.ini"


def tried(ini, raw, *args):
    path = ini.parent / "raw"
    path.write_bytes(raw.encode())
    return run("waf", "test", "-c", str(ini), "--request", str(path), *args)


# what is sent, flags, exit status, words of the answer
TRIALS = [
    ("GET /?a=ATTACK HTTP/1.1\r\nHost: a.test\r\n\r\n", [], 3,
     ['ARGS:a is "attack" by lowercase: bad ARGS:a', "r.conf:2)",
      "verdict          deny, anomaly score 5", "406"]),
    # as an editor writes it
    ("GET /?a=ATTACK HTTP/1.1\nHost: a.test\n\n", [], 3, ["rule 1, phase 2"]),
    ("GET /?a=fine HTTP/1.1\r\nHost: a.test\r\n\r\n", [], 0,
     ["rule 2, phase 5: always: end", "verdict          pass"]),
    (post("a=attack"), [], 3, ["rule 1, phase 2"]),
    (post("b=" + "x" * 100000 + "&a=attack"), [], 3, ["rule 1, phase 2"]),
    (post("b=" + "x" * 250000), [], 3, ["verdict          deny", "413"]),
    (post("a=fine", 100), [], 1, ["client_cut"]),
    ("nonsense\r\n\r\n", [], 1, []),
    ("GET /?a=attack HTTP/1.1\r\nHost: free.test\r\n\r\n", [], 1, []),
    ("GET /?a=attack HTTP/1.1\r\nHost: free.test\r\nX-A: b\r\n\r\n",
     ["--site", "a.test"], 3, ["rule 1, phase 2"]),
    ("GET /?a=fine HTTP/1.1\nHost: free.test\n\n", ["--site", "a.test"], 0,
     ["verdict          pass"]),
]


@pytest.mark.parametrize("raw, args, status, words", TRIALS,
                         ids=range(len(TRIALS)))
def test_what_rules_would_say(ini, raw, args, status, words):
    done = tried(ini, raw, *args)
    assert done.returncode == status, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout
    assert (done.stderr == "") == (status != 1)


@pytest.mark.parametrize("raw, why", [
    ("GET / HTTP/1.1\r\nHost: free.test\r\n\r\n", "no [waf] judges this"),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b\r\n\r\n",
     "refused before a [waf] was asked")])
def test_why_no_rule_judged_is_told(ini, raw, why):
    done = tried(ini, raw)
    assert done.returncode == 1
    assert why in done.stderr


def test_a_count_is_told_as_one(tmp_path):
    rules = tmp_path / "r.conf"
    rules.write_text('SecRule &ARGS "@gt 1" "id:1,phase:1,deny"\n')
    ini = tmp_path / "g.ini"
    ini.write_text(INI.format(rules=rules))
    done = tried(ini, "GET /?a=1&b=2 HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert 'rule 1, phase 1: the number of ARGS is "2"' in done.stdout


def test_as_json_it_is_a_line_of_the_audit_log_and_where_rules_stand(ini):
    done = tried(ini, post("a=ATTACK"), "--json")
    assert done.returncode == 3
    line = json.loads(done.stdout)
    assert (line["action"], line["anomaly_score"]) == ("deny", 5)
    # the one of phase 5 sees what was refused
    assert line["rule_ids"] == [1, 2]
    first = line["messages"][0]
    assert first["file"].endswith("r.conf") and first["line"] == 2
    assert (first["var"], first["value"]) == ("ARGS:a", "attack")
    assert (first["phase"], first["transformations"]) == (2, ["lowercase"])


@pytest.mark.parametrize("args", [
    [], ["test"], ["test", "--request"], ["test", "--nonsense", "x"],
    ["suggest"], ["suggest", "--log"], ["suggest", "--log", "x", "y"]])
def test_what_is_not_understood(args):
    done = run("waf", *args)
    assert done.returncode == 2
    assert "usage: gatehouse waf test" in done.stderr


def test_files_that_are_not_there(ini):
    for args in (["test", "-c", str(ini), "--request", "/none"],
                 ["suggest", "--log", "/none"]):
        done = run("waf", *args)
        assert done.returncode == 1
        assert "/none: No such file" in done.stderr


def hit(uri, var, id=9, action="pass", data="x"):
    return json.dumps({"uri": uri, "waf": "w", "action": action, "messages": [
        {"id": id, "msg": "SQLi", "data": data, "var": var}]})


def suggested(tmp_path, lines, *args):
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join(
        x if isinstance(x, bytes) else x.encode() for x in lines) + b"\n")
    done = run("waf", "suggest", "--log", str(log), *args)
    assert (done.returncode, done.stderr) == (0, "")
    *told, last = done.stdout.splitlines()
    return told, last


def test_hits_become_few_exclusions(tmp_path):
    told, last = suggested(tmp_path, [
        hit("/shop/a/x?q=1", "ARGS:q"), hit("/shop/a/y", "ARGS_GET:q"),
        hit("/shop/ab", "ARGS:q"), hit("/other", "ARGS:q"),
        hit("/other", "ARGS:q", action="deny"),
        hit("/other", "REQUEST_HEADERS:X-A", 7), hit("/c", "REQUEST_COOKIES:s"),
        hit("/c", "REQUEST_URI"), hit("/c", "TX:score", 949110)])
    assert [x for x in told if not x.startswith(";")] == [
        "exclude = 9 at /shop arg:q", "exclude = 7 at /other header:X-A",
        "exclude = 9 at /c cookie:s", "exclude = 9 at /c",
        "exclude = 9 at /other arg:q"]
    assert told[0] == "; [waf w] 3 hits: SQLi, as x"
    assert "7 hits, 5 exclusions" in last and "1 of requests" in last


def test_who_only_met_a_bound_is_no_hit(tmp_path):
    told, last = suggested(tmp_path, [
        json.dumps({"uri": "/a", "waf": "w", "action": action, "bound": bound,
                    "bound_rule": 9, "rule_ids": [], "messages": []})
        for action, bound in (("pass", "time"), ("deny", "request_body"))])
    assert told == []
    assert last.startswith("; 2 lines, 0 hits, 0 exclusions")
    assert "0 lines that are not of an audit log, 1 of requests" in last


def test_all_takes_what_was_refused(tmp_path):
    told, _ = suggested(tmp_path, [hit("/a", "ARGS:q", action="deny")], "--all")
    assert told[1] == "exclude = 9 at /a arg:q"


def test_nothing_in_a_log_is_believed(tmp_path):
    """Each line of what is told stays a comment or a plain exclusion."""
    told, last = suggested(tmp_path, [
        b"", b"nonsense", b"{", b"[" * 9000, b"\xff\x00\n", b"null", b"{}",
        b'{"messages":[1,{}],"uri":"/"}', b"x" * 70000 + b"}",
        b'{"uri":"/","action":"pass","messages":[{"id":-1,"var":"ARGS:q"}]}',
        hit("/a\nmode = off", "ARGS:q\nmode = off", data="\nmode = off\x1b[2J"),
        hit("/a/${HOME}/b", "ARGS:" + "n" * 5000), hit("x", "ARGS:"),
    ] + [hit(f"/p{i}", "ARGS:q") for i in range(5000)])
    assert len(told) == 2 * 4096
    for line in told:
        assert line.startswith("; ") or line.split(" at ")[0] == "exclude = 9"
        assert line.isprintable()
    assert "exclude = 9 at /a" in told
    assert "lines that are not of an audit log" in last
    assert last.endswith("beyond 4096 exclusions")
