"""waf: what a client did of late, for rules and `match`; rules hand requests over
to the proof of work (doc/waf.md, doc/challenge.md)."""
import hashlib
import re

import pytest

from lib.procs import until

RULES = r"""
SecRule CLIENT_NOT_FOUND_RATE "@gt 5" "id:1,phase:1,deny,status:429,log,\
    msg:'%{CLIENT_NOT_FOUND_RATE} were not there'"
SecRule CLIENT_PATH_RATE "@gt 30" "id:2,phase:1,pass,nolog,\
    setvar:tx.challenge=1"
SecRule ARGS:asked "@rx ^\d$" "id:3,phase:2,pass,nolog,\
    setvar:tx.challenge=%{MATCHED_VAR}"
"""
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.0/8
[challenge]
difficulty = 8
status = 401
[waf w]
rules = {rules}
[waf watch]
rules = {rules}
mode = detect
[site a]
hosts = a.test
waf = w
challenge = suspicious
respond = 200 in
[route a /none]
respond = 404 no
[route a /off]
challenge = off
respond = 200 in
[route a /watch]
waf = watch
respond = 200 in
[rule a scans]
match = not_found_rate >= 3
response_header = X-Scans: {not_found_rate}
[rule a walks]
match = path_rate > 10
response_header = X-Walks: yes
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "rules.conf"
    rules.write_text(RULES)
    return shared_gatehouse(INI, rules=rules)


def ask(c, path, ip, more=b""):
    return c.get(path, host="a.test", extra=b"X-Forwarded-For: "
                 + ip.encode() + b"\r\n" + more)


def test_who_asks_for_what_is_not_there_is_known_to_all_workers(gh):
    with gh.client() as c:
        assert [ask(c, f"/none/{i}", "192.0.2.1").status
                for i in range(8)] == [404] * 6 + [429] * 2
        r = ask(c, "/", "192.0.2.1")
        assert (r.status, r.get("x-scans")) == (429, "6")
        # of IPv6 it is the network of a client, and others are others
        assert [ask(c, "/none", f"2001:db8::{i}").status
                for i in range(7)] == [404] * 6 + [429]
        assert ask(c, "/", "2001:db8:0:1::1").get("x-scans") is None
        assert ask(c, "/", "192.0.2.2").get("x-scans") is None
    for _ in range(6):
        with gh.client() as c:
            until(lambda: ask(c, "/", "192.0.2.1").status == 429)


def test_who_walks_through_the_paths_has_to_work(gh):
    with gh.client() as c:
        seen = [ask(c, f"/{i}", "192.0.2.3") for i in range(60)]
        r = seen[-1]
        assert r.status == 401
        assert seen[0].status == 200
        assert seen[5].get("x-walks") is None
        assert r.get("x-walks") == "yes"
        # one path again and again is no walk
        assert {ask(c, "/", "192.0.2.4").status
                for _ in range(60)} == {200}


def solve(task):
    bits, nonce = int(task.split(".")[2]), 0
    while 256 - int.from_bytes(hashlib.sha256(
            f"{task}.{nonce}".encode()).digest(), "big").bit_length() < bits:
        nonce += 1
    return f"{task}.{nonce}"


def test_a_rule_asks_for_the_proof_of_work(gh):
    with gh.client() as c:
        for path, status in [("/?asked=1", 401), ("/?asked=0", 200),
                             ("/off?asked=1", 200), ("/watch?asked=1", 200)]:
            assert ask(c, path, "192.0.2.5").status == status, path
        page = ask(c, "/?asked=1", "192.0.2.5").text
        proof = solve(re.search(r'data-task="([^"]*)"', page).group(1))
        assert ask(c, "/?asked=1", "192.0.2.5", b"Cookie: gh_challenge="
                   + proof.encode() + b"\r\n").status == 200
