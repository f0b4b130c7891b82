"""challenge: who has worked is served, who has not gets the page."""
import hashlib
import re
import shutil
import subprocess

import pytest

SITE = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.0/8
[log access]
path = {dir}/access.log
format = {status}
buffer = none
[site a]
hosts = a.test b.test
respond = 200 in {cookie:other}
%s
"""
SCRIPT = "/.well-known/gatehouse-challenge.js"


@pytest.fixture
def front(gatehouse):
    def make(site="challenge = on", more="[challenge]\ndifficulty = 8\n"):
        return gatehouse(SITE % site + more)
    return make


def visit(gh, cookie="", path="/", ip="192.0.2.1", host="a.test", method="GET"):
    with gh.client() as c:
        extra = [("X-Forwarded-For", ip)]
        if cookie:
            extra.append(("Cookie", cookie))
        fields = "".join(f"{k}: {v}\r\n" for k, v in extra)
        c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
               .encode())
        return c.response(method)


def task_of(response):
    return re.search(r'data-task="([^"]*)"', response.text).group(1)


def bits_of(text):
    n = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return 256 - n.bit_length()


def solve(task, bits=None):
    bits = bits or int(task.split(".")[2])
    nonce = 0
    while bits_of(f"{task}.{nonce}") < bits:
        nonce += 1
    return f"{task}.{nonce}"


def proof_for(gh, **who):
    return "gh_challenge=" + solve(task_of(visit(gh, **who)))


def test_the_page_and_what_it_asks_for(front):
    gh = front()
    page = visit(gh)
    assert page.status == 403
    assert page.get("cache-control") == "no-store"
    assert SCRIPT in page.text
    assert visit(gh, method="POST").status == 403
    assert visit(gh, path=SCRIPT).get("content-type").startswith(
        "text/javascript")
    assert len(task_of(page) + ".4294967295") <= 55
    with_proof = visit(gh, proof_for(gh) + "; other=1")
    assert (with_proof.status, with_proof.text) == (200, "in 1")
    # it is good for more than one request, and between other cookies
    assert visit(gh, "a=b; " + proof_for(gh)).status == 200


def test_a_proof_is_for_one_client_and_host(front):
    gh = front()
    proof = proof_for(gh)
    assert visit(gh, proof).status == 200
    assert visit(gh, proof, ip="192.0.2.2").status == 403
    assert visit(gh, proof, host="b.test").status == 403
    six = proof_for(gh, ip="2001:db8:1:2::1")
    # of IPv6 for the network that a client is given
    assert visit(gh, six, ip="2001:db8:1:2:ffff::2").status == 200
    assert visit(gh, six, ip="2001:db8:1:3::1").status == 403


def test_what_is_no_proof(front):
    gh = front()
    good = proof_for(gh)
    assert visit(gh, good).status == 200
    name, text = good.split("=")
    version, at, bits, seal, nonce = text.split(".")
    wrong_nonce = next(n for n in range(1000)
                       if bits_of(f"1.{at}.{bits}.{seal}.{n}") < int(bits))
    for bad in ("", ".", text[:-len(nonce)], text + "x", text + ".1",
                f"2.{at}.{bits}.{seal}.{nonce}",
                solve(f"1.{int(at) + 1}.{bits}.{seal}", 8),
                solve(f"1.{at}.9.{seal}", 9), solve(f"1.{at}.1.{seal}", 8),
                f"1.{at}.{bits}.{seal[::-1]}.{nonce}",
                f"1.{at}.{bits}.{seal}.{wrong_nonce}",
                f"1.{at}.{bits}.{seal}.0{nonce}",
                f"1.{at}.{bits}.{seal}.99999999999",
                f"1.0{at}.{bits}.{seal}.{nonce}", "9" * 4000):
        assert visit(gh, f"{name}={bad}").status == 403, bad
    assert 'data-failed="1"' in visit(gh, f"{name}=x").text
    assert 'data-failed="0"' in visit(gh).text


def test_it_lasts_over_a_reload_and_more_work_is_asked_for(front):
    gh = front()
    proof = proof_for(gh)
    gh.reload()
    assert visit(gh, proof).status == 200
    gh.reload(SITE % "challenge = on" + "[challenge]\ndifficulty = 9\n")
    assert visit(gh, proof).status == 403
    assert visit(gh, proof_for(gh)).status == 200


def test_machines_with_one_secret_believe_each_other(front):
    mine = "[challenge]\ndifficulty = 8\nsecret = %s\ncookie = work\n"
    one, two = front(more=mine % "abc"), front(more=mine % "abc")
    other = front(more=mine % "abd")
    proof = "work=" + solve(task_of(visit(one)))
    assert [visit(gh, proof).status for gh in (one, two, other)] == \
        [200, 200, 403]


def test_rules_let_programs_by(front):
    gh = front("challenge = on\n[rule a key]\nmatch = header:X-Key = k1\n"
               "challenge = off\n[route a /free]\nchallenge = off\n"
               "respond = 200 free")
    with gh.client() as c:
        assert c.get(host="a.test", extra=b"X-Key: k1\r\n").status == 200
        assert c.get("/free", host="a.test").status == 200
        assert c.get(host="a.test", extra=b"X-Key: k2\r\n").status == 403


def test_only_the_suspicious_work(front):
    """Whom a limit would refuse, if it were in force."""
    gh = front("challenge = suspicious\nrate_limit = calm",
               "[limit calm]\nkey = {client_ip}\nrate = 1/h\nburst = 3\n"
               "mode = dry_run\n[challenge]\ndifficulty = 8\nstatus = 429\n")
    assert [visit(gh).status for _ in range(5)] == [200] * 3 + [429] * 2
    assert visit(gh, proof_for(gh)).status == 200
    assert visit(gh, ip="192.0.2.9").status == 200


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("chromium-headless-shell"),
                    reason="no Chromium")
def test_chromium_gets_on_by_itself(front):
    gh = front("challenge = on\nresponse_header = Content-Security-Policy: "
               "default-src 'self'", "[challenge]\ndifficulty = 14\n")
    text = subprocess.run(
        ["chromium-headless-shell", "--no-sandbox", "--disable-gpu",
         "--virtual-time-budget=30000", "--host-resolver-rules="
         f"MAP a.test 127.0.0.1:{gh.port}", "--dump-dom", "http://a.test/"],
        check=True, capture_output=True, text=True, timeout=60).stdout
    assert ">in </pre>" in text
