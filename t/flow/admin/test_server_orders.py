"""`gatehouse server UPSTREAM SERVER ORDER`: a server is taken out and back in
while all runs (doc/admin.md)."""
import collections
import json
import signal

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import OK, ok
from lib.procs import kill_and_wait, until

MORE = 20
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = {a}
server = http://{b}
health_check = GET /healthz interval=100ms timeout=30s
""" + admin.SECTION
NO = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def two(gatehouse, origin):
    """(gatehouse, a, b), both of which say their names; b is sick when
    b.is_sick."""
    def script(name):
        def answer(conn, request):
            if request.target != "/healthz":
                conn.send(ok(name))
            else:
                conn.send(NO if name == b"b" and b.is_sick else OK)
        return answer
    a, b = origin(script(b"a")), origin(script(b"b"))
    b.is_sick = False
    return gatehouse(INI, a=a.address, b=b.address), a, b


def order(gh, *words, upstream="app"):
    return run("server", upstream, *words, "-c", gh.ini)


def ask(gh):
    got = collections.Counter()
    for _ in range(MORE):
        with gh.client() as c:
            answer = c.get()
            got[answer.text if answer.status == 200 else answer.status] += 1
    return got


def server(gh, address):
    upstream, = admin.status(gh)["upstreams"]
    found, = [s for s in upstream["servers"] if address in s["address"]]
    return found


@pytest.mark.parametrize("word, state", [("drain", "draining"),
                                         ("down", "off")])
def test_a_server_is_taken_out_and_back_in(two, word, state):
    """Nothing new goes to it, by any worker; also not when that leaves too few
    (panic)."""
    gh, a, b = two
    done = order(gh, b.address, word)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ask(gh) == {"a": MORE}
    told = server(gh, b.address)
    assert (told["health"], told["why"], told["order"]) == (
        state, "operator", word)
    assert told["since"].startswith("20")
    assert f"{b.address}  {state}, operator since" in admin.cli(gh).stdout
    assert order(gh, a.address, word).returncode == 0
    assert ask(gh) == {503: MORE}
    # with and without http:// it is the same server
    assert order(gh, f"http://{b.address}", "auto").returncode == 0
    assert ask(gh) == {"b": MORE}
    assert server(gh, b.address)["health"] == "up"
    assert [line.split("server ordered ")[1]
            for line in gh.stderr().splitlines() if "server ordered" in line][
                0].startswith(f"upstream=app server=http://{b.address} "
                              f"order={word} uid=")


def test_what_runs_goes_on(gatehouse, origin):
    """drain: an exchange that has begun ends as if nothing were."""
    held = []
    o = origin(lambda conn, request: held.append(conn))
    gh = gatehouse(INI.replace("health_check", "#"), a=o.address, b="[::1]:1")
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: held)
        assert order(gh, o.address, "drain").returncode == 0
        held[0].send(OK)
        assert c.response("GET").status == 200


def test_the_last_changes_are_told(two):
    """When, from what, to what and why: of checks and of the operator; they
    outlive reloads and the steward, and there are never more than 16."""
    gh, _, b = two
    assert server(gh, b.address)["history"] == []
    b.is_sick = True
    until(lambda: server(gh, b.address)["health"] == "down")
    assert order(gh, b.address, "drain").returncode == 0
    gh.reload()
    kill_and_wait(admin.steward(gh), signal.SIGKILL)
    until(lambda: admin.steward(gh))
    until(lambda: admin.ask(gh, "GET", "/v1/status")[0] == 200)
    assert order(gh, b.address, "ready").returncode == 0
    changes = server(gh, b.address)["history"]
    assert [(c["from"], c["to"], c["why"]) for c in changes] == [
        ("draining", "down", "status 503"),
        ("down", "draining", "operator"), ("up", "down", "status 503")]
    times = [c["time"] for c in changes]
    assert times == sorted(times, reverse=True)
    told = run("server", "app", b.address, "-c", gh.ini)
    assert told.returncode == 0
    head, body = told.stdout.splitlines()[:4], told.stdout.splitlines()[4:]
    assert head == [f"server   http://{b.address}",
                    "health   down, status 503", "order    auto",
                    "weight   1"]
    assert body == [f"{c['time']}  {c['from']} to {c['to']}, {c['why']}"
                    for c in changes]
    for word in ["drain", "down"] * 9:
        assert order(gh, b.address, word).returncode == 0
    changes = server(gh, b.address)["history"]
    assert len(changes) == 16
    assert (changes[0]["from"], changes[0]["to"]) == ("draining", "off")
    assert (changes[1]["from"], changes[1]["to"]) == ("off", "draining")


def test_up_is_stronger_than_checks(two):
    """up: whatever they say."""
    gh, _, b = two
    b.is_sick = True
    until(lambda: server(gh, b.address)["health"] == "down")
    assert ask(gh) == {"a": MORE}
    assert order(gh, b.address, "up").returncode == 0
    assert set(ask(gh)) == {"a", "b"}
    assert order(gh, b.address, "auto").returncode == 0
    assert ask(gh) == {"a": MORE}


def test_an_order_outlives_reloads_and_deaths(two):
    """It is the operator's word, not a process's."""
    gh, _, b = two
    assert order(gh, b.address, "drain").returncode == 0
    kill_and_wait(admin.steward(gh), signal.SIGKILL)
    for pid in gh.workers():
        kill_and_wait(pid, signal.SIGKILL)
    assert ask(gh) == {"a": MORE}
    gh.reload()
    assert ask(gh) == {"a": MORE}


@pytest.mark.parametrize("upstream, address, word, why", [
    ("nope", "{b}", "drain", "404: there is no upstream of this name"),
    ("app", "127.0.0.1:1", "drain", "404: the upstream has no such server"),
    ("app", "{b}", "stop",
     "400: an order is one of drain, down, up, ready, auto, weight"),
])
def test_what_is_not_there_is_refused(two, upstream, address, word, why):
    gh, _, b = two
    done = order(gh, address.replace("{b}", b.address), word,
                 upstream=upstream)
    assert done.returncode == 1
    assert done.stderr.endswith(f"answers {why}\n")
    assert set(ask(gh)) == {"a", "b"}


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b'{"upstream": "app"}', b'{"upstream": 1, "server": 2, '
    b'"order": 3}', b'{"order": "up", "order": "down"}',
    b'{"upstream": null, "server": "\\u0000", "order": "up"}',
    *(b'{"upstream": "app", "server": "x", "order": %s}' % order for order in (
        b'"weight"', b'"weight", "weight": 0', b'"weight", "weight": 1001',
        b'"weight", "weight": 1.5', b'"weight", "weight": "7"',
        b'"weight", "weight": -1', b'"up", "weight": 7'))])
def test_malformed_orders_are_refused(two, content):
    gh, _, _ = two
    with admin.connect(gh) as c:
        c.send(b"POST /v1/server HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
               b"\r\n\r\n%s" % (len(content), content))
        answer = c.response("POST")
        assert answer.status == 400
        assert "error" in json.loads(answer.text)
    assert set(ask(gh)) == {"a", "b"}


def test_usage():
    """Three words, or a number behind them; nobody there."""
    for words in ([], ["a"], ["a", "b", "c", "d"], ["a", "b", "-x"],
                  ["a", "b", "weight"], ["a", "b", "weight", "x"],
                  ["a", "b", "weight", "-1"], ["a", "b", "weight", "1", "2"],
                  ["a", "b", "c", "--forget"], ["a", "--forget"]):
        done = run("server", *words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: gatehouse server UPSTREAM ")
