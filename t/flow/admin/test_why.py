"""`gatehouse why`: what was decided about requests of late, and by which lines."""
import json
import os
import signal
import subprocess

import pytest

from lib import admin
from lib.gatehouse import BINARY, run
from lib.procs import until
from lib.wire import WAIT_S

RULES = """
SecRule ARGS "@contains attack" "id:17,phase:1,deny,log,msg:'an attack'"
"""
INI = """
[global]
workers = 1
recent_decisions = %(on)s
[admin]
listen = unix:{dir}/admin.sock
[log access]
path = {dir}/access.log
format = json
buffer = none
[listen web]
address = 127.0.0.1:{port}
[limit few]
key = {client_ip}
rate = 1/h
[limit bykey]
key = {client_ip}{host} of {header:X-Api-Key}
rate = 1/h
[waf w]
rules = {dir}/rules.conf
audit_log = none
[site shop]
hosts = shop.test
respond = 200 hello
[route shop /closed]
deny = all
[route shop /few]
rate_limit = few
[route shop /bykey]
rate_limit = bykey
[route shop /waf]
waf = w
[route shop /down]
upstream = app
[upstream app]
server = 127.0.0.1:{port1}
retry = none
connect_timeout = 1s
%(more)s
"""
ON = INI % {"on": "on", "more": ""}


def why(gh, *args, code=0):
    done = subprocess.run([BINARY, "why", *args, "-c", str(gh.ini)], text=True,
                          capture_output=True, timeout=WAIT_S)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def last(gh, n, *flags):
    return json.loads(why(gh, "--last", str(n), "--json", *flags))["decisions"]


def over(c, answer):
    """The answer, when what was decided is kept: before the other end closes."""
    assert c.shut().is_closed()
    return answer


def get(gh, path, extra=b""):
    with gh.client() as c:
        return over(c, c.get(path, host="shop.test", extra=extra))


def at(gh, line, text=ON):
    return f"({gh.ini}:{1 + text.split(chr(10)).index(line)})"


def said(text, word):
    """What stands behind a word, one blank between its parts."""
    return [" ".join(line.split()[1:]) for line in text.splitlines()
            if line.split()[0] == word]


@pytest.fixture(scope="module")
def served(shared_gatehouse, tmp_path_factory):
    rules = tmp_path_factory.mktemp("why") / "rules.conf"
    rules.write_text(RULES)
    return shared_gatehouse(ON.replace("{dir}/rules.conf", str(rules)), ports=2)


def test_an_id_of_the_log_tells_all(served):
    gh = served
    assert get(gh, "/closed/x?secret=1").status == 403
    # other tests have lines, too
    line = until(lambda: [json.loads(text) for text in
                          (gh.dir / "access.log").read_text().splitlines()
                          if "/closed/x" in text])[-1]
    text = why(gh, line["request_id"])
    assert said(text, "request") == ["GET shop.test/closed/x"]
    assert said(text, "from")[0].startswith("127.0.0.1 at 20")
    assert said(text, "listen") == ["web " + at(gh, "[listen web]")]
    assert said(text, "site") == ["shop " + at(gh, "[site shop]")]
    assert said(text, "route") == ["/closed " + at(gh, "[route shop /closed]")]
    assert said(text, "access") == ["deny = all " + at(gh, "deny = all")]
    assert said(text, "fault") == [
        "access_denied: this is not for this client, or not now"]
    assert said(text, "answer")[0].startswith("403, after ")
    assert "secret" not in text


def test_what_a_request_took_of_one_turn_is_told(served):
    """The clock of the loop stands still in a turn, in which it is refused."""
    assert get(served, "/waf?q=attack").status == 403
    took_us = until(lambda: last(served, 1))[0]["took_us"]
    assert 0 < took_us < WAIT_S * 1000000


def test_what_lets_somebody_in_is_not_told(served):
    """A key of a limit is shown, of a credential in it no more than its begin."""
    for _ in range(2):
        get(served, "/bykey", b"X-Api-Key: abcdefgh\r\n")
    one, = last(served, 1, "--refused")
    assert ("limit", "bykey refuses '127.0.0.1 shop.test of abcd...'") in [
        (d["what"], d["text"]) for d in one["lines"]]


def test_each_way_to_be_refused_names_its_line(served):
    gh = served
    assert [get(gh, path).status for path in
            ("/few", "/few", "/waf?q=attack", "/down")] == [200, 429, 403, 502]
    down, waf, over = last(gh, 3, "--refused")
    lines = [(d["what"], d["text"]) for d in over["lines"]]
    assert ("limit", "few refuses '127.0.0.1'") in lines
    place = [(d["file"], d["line"]) for d in over["lines"]
             if d["what"] == "limit"]
    assert place == [(str(gh.ini), 1 + ON.split("\n").index("[limit few]"))]
    rule = [d for d in waf["lines"] if d["text"] == "rule 17: an attack"]
    assert rule[0]["file"].endswith("rules.conf") and rule[0]["line"] == 2
    assert ("fault", "origin_connect: the server did not accept the connection"
            ) in [(d["what"], d["text"]) for d in down["lines"]]
    server = [d for d in down["lines"] if d["what"] == "server"]
    assert server[0]["text"] == f"127.0.0.1:{gh.ports[1]}"
    assert server[0]["line"] == 1 + ON.split("\n").index("server = 127.0.0.1:{port1}")


def test_what_clients_say_is_escaped(served):
    gh = served
    with gh.client() as c:
        c.send(b"GET /\xff\"x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        over(c, c.response("GET"))
    assert last(gh, 1)[0]["method"] == "GET"
    text = why(gh, "--last", "1").replace("\n", "")
    assert text.isascii() and text.isprintable()


def test_deaths_and_reloads_leave_what_was_kept(served):
    gh = served
    assert get(gh, "/closed").status == 403
    before = last(gh, 1)[0]
    old = admin.serving(gh)
    gh.expect_bad_end = True
    os.kill(old[0], signal.SIGKILL)
    until(lambda: admin.serving(gh) not in (None, old))
    assert last(gh, 1)[0] == before
    moved = "\n" * 10 + gh.ini.read_text().replace("deny = all", "deny = all ")
    gh.ini.write_text(moved)
    gh.reload()
    assert last(gh, 1)[0] == before
    assert get(gh, "/closed").status == 403
    after = last(gh, 1)[0]
    assert after["generation"] == before["generation"] + 1
    assert [d["line"] for d in after["lines"][:3]] == [
        d["line"] + 10 for d in before["lines"][:3]]


def test_what_is_not_understood_or_not_kept(served):
    gh = served
    assert "no request of that id is kept" in why(gh, "nobody", code=1)
    for args in ([], ["--last", "0"], ["--last", "1001"], ["a&b"], ["a", "b"],
                 ["a", "--last", "1"], ["--refused"], ["\n"]):
        assert run("why", *args, "-c", gh.ini).returncode == 2, args
    for query in ("", "?", "?id=", "?last=0", "?last=1001", "?last=x", "?a=b",
                  "?id=a&last=1", "?last=1&id=a", "?last=1&&"):
        assert admin.ask(gh, "GET", "/v1/why" + query)[0] == 400, query


def test_nothing_is_kept_where_it_is_off(served):
    gh = served
    get(gh, "/closed")
    before = last(gh, 5)
    gh.reload(gh.ini.read_text().replace("decisions = on", "decisions = off"))
    get(gh, "/closed")
    assert last(gh, 5) == before
