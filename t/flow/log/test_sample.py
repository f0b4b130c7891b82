"""[log] sample: a share of the lines by a hash of the request's id, and what is
kept always (CONFIG)."""
import subprocess
import threading

import pytest

from lib import admin
from lib.gatehouse import run
from lib.procs import until

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[log access]
path = {dir}/access.log
format = {request_id} {status}
sample = %s
buffer = none
[site test]
hosts = *
respond = 200 x
[route test /bad]
respond = 404
[route test /slow]
upstream = app
[upstream app]
server = {origin}
""" + admin.SECTION
WHOLE = INI.replace("hosts = *", "hosts = *\naccess_log = access whole") + """
[log whole]
path = {dir}/whole.log
format = {request_id} {duration}
buffer = none
"""
N = 300


def ask(gh, path, name):
    with gh.client() as c:
        return c.get(path, extra=b"X-Request-Id: %s\r\n" % name.encode())


def lines(gh):
    assert gh.stop() == 0
    return (gh.dir / "access.log").read_text().splitlines()


def test_the_same_requests_are_kept_everywhere(gatehouse):
    """Whichever worker of whichever gatehouse answers; what is left out is
    counted."""
    kept = []

    def told(gh):
        """Of the last one it is told behind its answer."""
        left_out = admin.status(gh)["counters"]["log_lines_left_out_total"]
        return (gh.dir / "access.log").read_text().count("\n") + left_out
    for _ in range(2):
        gh = gatehouse(INI % "10%", origin="127.0.0.1:1")
        for i in range(N):
            ask(gh, "/", f"r-{i}")
        until(lambda: told(gh) == N)
        kept.append(lines(gh))
    assert sorted(kept[0]) == sorted(kept[1])
    assert 0 < len(kept[0]) < N // 2


def test_what_is_kept_always(gatehouse, origin):
    """unless: any of the conditions; `time` is how long it took, of which a log
    that keeps everything tells."""
    slow = origin(lambda conn, request: (
        threading.Event().wait(0.15), conn.send(b"HTTP/1.1 200 OK\r\n"
                                    b"Content-Length: 0\r\n\r\n")))
    rule = "0% unless status>=400 or time>100ms or path = /me"
    gh = gatehouse(WHOLE % rule, origin=slow.address)
    for path in ("/", "/bad", "/slow", "/me"):
        ask(gh, path, path[1:] or "plain")
    kept = lines(gh)
    took = {name: float(seconds) for name, seconds in
            map(str.split, (gh.dir / "whole.log").read_text().splitlines())}
    assert sorted(took) == ["bad", "me", "plain", "slow"]
    assert took["slow"] > 0.1
    # on a machine that has no time even this one takes so long
    plain = ["plain 200"] if took["plain"] > 0.1 else []
    # two workers write in the order in which they get to it
    assert sorted(kept) == sorted([*plain, "bad 404", "slow 200", "me 200"])


BLOCKED = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[log access]
path = {dir}/access.log
format = {request_id} {blocked}
sample = 0%% unless blocked
buffer = none
[limit few]
key = {path}
rate = 1/m
[users people]
file = {dir}/people
[auth known]
scheme = basic
users = people
[waf w]
rules = {rules}
audit_log = {dir}/audit.log
[site test]
hosts = *
respond = 200 x
waf = w
[route test /limit]
respond = 200
rate_limit = few
[route test /auth]
respond = 200
auth = known
[route test /work]
respond = 200
challenge = on
[route test /deny]
respond = 200
deny = all
[route test /404]
respond = 404
"""


def test_blocked_is_what_a_rule_refused(gatehouse, tmp_path):
    """A log of its own for them; the same id is in the audit log."""
    rules = tmp_path / "rules.conf"
    rules.write_text('SecRule ARGS "@contains attack" '
                     '"id:1,phase:1,deny,log,msg:\'m\'"\n')
    people = tmp_path / "people"
    hashed = subprocess.run(["openssl", "passwd", "-5", "x"], text=True,
                            check=True, stdout=subprocess.PIPE).stdout
    people.write_text(f"anna:{hashed}")
    gh = gatehouse(BLOCKED.replace("%%", "%").replace(
        "{dir}/people", str(people)), rules=rules)
    for path in ("/limit", "/404", "/", "/limit", "/auth", "/work", "/deny",
                 "/?a=attack"):
        ask(gh, path, path[1:].replace("?", "-") or "plain")
    assert gh.stop() == 0
    assert (gh.dir / "access.log").read_text().splitlines() == [
        "limit limit", "auth auth", "work challenge", "deny access_denied",
        "-a=attack waf"]
    assert '"request_id":"-a=attack"' in (gh.dir / "audit.log").read_text()


@pytest.mark.parametrize("text, col, words", [
    ("1", 10, "expected a share"),
    ("1% if status>=400", 13, "expected 'unless'"),
    ("1% unless time>10", 25, "10"),
    ("1% unless fault or stauts>=400", 29, "did you mean {status}"),
])
def test_what_is_wrong_is_shown(tmp_path, text, col, words):
    """At its place in the line, also behind a name that is put in."""
    ini = tmp_path / "x.ini"
    ini.write_text("[log access]\npath = /tmp/x.log\n"
                   f"sample = {text}\n[site s]\nrespond = 200 x\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert f"x.ini:3:{col}: error: " in done.stderr
    assert words in done.stderr
