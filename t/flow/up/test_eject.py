"""Servers that do badly are left out for a while (doc/config.md, `eject`): what
all workers see counts together."""
import collections
import concurrent.futures
import re
import signal
import threading

import pytest

from lib import admin
from lib.gatehouse import free_port
from lib.origin import OK, ok
from lib.procs import kill_and_wait, until

BAD = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
GARBAGE = b"no HTTP at all\r\n\r\n"
MORE = 20
POLICIES = ["round_robin", "least_conn", "random_two", "hash {header:X-Key}",
            "ip_hash"]
FIELD = re.compile(r"(\w+)=(\S+)")


def ejections(gh):
    """The lines of the log that tell of one, as dicts."""
    return [dict(FIELD.findall(line)) for line in gh.stderr().splitlines()
            if "server ejected" in line]


def ask(gh, key=0):
    """One request on a connection of its own, whichever worker takes it."""
    with gh.client() as c:
        return c.get(extra=b"X-Key: %d\r\n" % key).status


def ask_until(gh, check):
    """Ask until check() is true; the statuses that came meanwhile."""
    got = []

    def look():
        got.append(ask(gh, len(got)))
        return check()
    until(look)
    return got


@pytest.fixture
def bad(origin):
    """One that answers 500, always."""
    return origin(lambda conn, request: conn.send(BAD))


@pytest.mark.parametrize("balance", POLICIES)
def test_a_run_of_500_ejects_in_all_workers(front, bad, named, balance):
    """So many in a row, whoever got them, and it is asked no more: with every
    policy."""
    gh = front([bad, named(b"a"), named(b"b")], workers=3,
               listen="trusted_proxies = 127.0.0.1",
               upstream=f"balance = {balance}\neject = 5xx>=3 for=1h")
    clients = range(1, 100)
    statuses = []
    for i in clients:
        with gh.client() as c:
            statuses.append(c.get(extra=b"X-Key: %d\r\nX-Forwarded-For: "
                                  b"192.0.2.%d\r\n" % (i, i)).status)
    assert len(bad.requests) == 3
    assert collections.Counter(statuses) == {500: 3, 200: len(clients) - 3}
    line, = ejections(gh)
    assert (line["upstream"], line["server"], line["why"], line["count"],
            line["for_ms"], line["times"]) == (
                "app", bad.address, "5xx", "3", "3600000", "1")


def test_refused_connections_eject(front, named):
    """reset: no connection counts; no client sees it."""
    nobody = f"127.0.0.1:{free_port()}"
    gh = front([nobody, named(b"a")], workers=2,
               upstream="eject = reset>=4 for=1h")
    got = ask_until(gh, lambda: ejections(gh))
    tries = [line["tries"] for line in gh.log(len(got))]
    assert tries.count("2") == 4
    got += [ask(gh) for _ in range(MORE)]
    assert set(got) == {200}
    tries = [line["tries"] for line in gh.log(len(got))]
    assert set(tries[-MORE:]) == {"1"}


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le",
                                    ok(b"text")[:-2]])
def test_connections_that_break_eject(front, origin, named, answer):
    """reset: before the answer, in its head, in its content."""
    def script(conn, request):
        conn.send(answer)
        conn.reset()
        return False
    broken = origin(script)
    gh = front([broken, named(b"a")], upstream="eject = reset>=3 for=1h")
    until(lambda: asked(gh) and ejections(gh))
    n = len(broken.requests)
    for _ in range(MORE):
        assert ask(gh) == 200
    assert len(broken.requests) == n == 3
    assert ejections(gh)[0]["why"] == "reset"


def asked(gh):
    """An answer may be cut here."""
    with gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        while c.sock.recv(4096):
            pass
    return True


def test_our_own_502_counts(front, origin, named):
    """5xx: garbage makes us answer 502."""
    broken = origin(lambda conn, request: conn.send(GARBAGE) and False)
    gh = front([broken, named(b"a")], upstream="eject = 5xx>=2 for=1h")
    got = ask_until(gh, lambda: ejections(gh))
    assert got.count(502) == 2
    assert {ask(gh) for _ in range(MORE)} == {200}


def test_slow_heads_eject(front, origin, named):
    """slow: five in a row that took so long, whatever they say."""
    def script(conn, request):
        # nobody can make this faster
        threading.Event().wait(0.4)
        conn.send(ok(b"slow"))
    slow = origin(script)
    gh = front([slow, named(b"a")],
               upstream="eject = slow>=300ms for=1h max=100%\npanic = 0%")
    ask_until(gh, lambda: [line for line in ejections(gh)
                           if line["server"] == slow.address])
    assert len(slow.requests) == 5
    assert {line["why"] for line in ejections(gh)} == {"slow"}


def test_a_good_answer_ends_the_run(front, origin):
    """In a row: one that fails every other time is asked on."""
    turns = []

    def script(conn, request):
        turns.append(request)
        conn.send(BAD if len(turns) % 2 else OK)
    gh = front([origin(script), origin(script)], workers=1,
               upstream="eject = 5xx>=2 for=1h max=100%\npanic = 0%\n"
                        "balance = hash {header:X-Key}")
    assert [ask(gh) for _ in range(MORE)] == [500, 200] * (MORE // 2)
    assert not ejections(gh)


def test_what_is_long_ago_does_not_count(front, bad):
    """window: the run begins with its first one."""
    gh = front([bad], upstream="eject = 5xx>=2 window=100ms max=100%\n"
                               "panic = 0%")
    for _ in range(3):
        assert ask(gh) == 500
        # longer is as good
        threading.Event().wait(0.2)
    assert not ejections(gh)


def test_each_ejection_is_longer(front, bad, named):
    """for: doubled each time that it comes soon after the last one; between
    them the server gets its chance."""
    gh = front([bad, named(b"a")], workers=2,
               upstream="eject = 5xx>=2 for=300ms")
    # which is not soon where asking takes long
    ask_until(gh, lambda: len(ejections(gh)) >= 3 and
              {line["times"] for line in ejections(gh)} != {"1"})
    for line in ejections(gh):
        assert int(line["for_ms"]) == 300 << (int(line["times"]) - 1)
    assert len(bad.requests) == 2 * len(ejections(gh))


@pytest.mark.parametrize("share, n", [("50%", 2), ("70%", 2), ("100%", 4),
                                      ("20%", 0)])
def test_never_more_than_its_share(front, origin, share, n):
    """max: whatever happens at once."""
    servers = [origin(lambda conn, request: conn.send(BAD)) for _ in range(4)]
    gh = front(servers, workers=4, upstream=f"eject = 5xx>=2 for=1h "
               f"max={share}\npanic = 0%")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = collections.Counter(pool.map(lambda i: ask(gh), range(200)))
    # two that eject at once may both have stepped back
    ask_until(gh, lambda: len(ejections(gh)) >= n)
    for _ in range(MORE):
        ask(gh)
    out = {line["server"] for line in ejections(gh)}
    assert len(ejections(gh)) == len(out) == n
    assert set(got) == ({500, 503} if n == 4 else {500})


def test_a_stale_connection_is_no_failure(front, origin):
    """The origin may close what lies in the pool."""
    def script(conn, request):
        conn.send(OK)
        return False
    gh = front([origin(script)], workers=2,
               upstream="eject = reset>=1 5xx>=1 for=1h max=100%\npanic = 0%")
    with gh.client() as c:
        assert {c.get().status for _ in range(50)} == {200}
    assert not ejections(gh)


def test_it_survives_workers_and_reloads(front, bad, named):
    """The state is in the shared memory."""
    gh = front([bad, named(b"a")], workers=2,
               upstream="eject = 5xx>=2 for=1h")
    ask_until(gh, lambda: ejections(gh))
    for pid in gh.workers():
        kill_and_wait(pid, signal.SIGKILL)
    assert {ask(gh) for _ in range(MORE)} == {200}
    gh.reload()
    assert {ask(gh) for _ in range(MORE)} == {200}
    assert len(bad.requests) == 2
    assert len(ejections(gh)) == 1


def test_status_tells_why_and_until_when(front, bad, named):
    """Doc admin.md: health, why, since, until."""
    gh = front([bad, named(b"a")], upstream="eject = 5xx>=2 for=1h\n" +
               admin.SECTION)
    ask_until(gh, lambda: ejections(gh))
    upstream, = admin.status(gh)["upstreams"]
    out, fine = upstream["servers"]
    assert (out["health"], out["why"]) == ("ejected", "5xx")
    assert out["since"] < out["until"]
    assert (fine["health"], fine["why"], fine["since"], fine["until"]) == (
        "up", None, None, None)
    assert re.search(rf"{re.escape(bad.address)}  ejected, 5xx since 20",
                     admin.cli(gh).stdout)
