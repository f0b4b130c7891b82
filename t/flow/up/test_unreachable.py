"""None of an upstream's servers can be connected to: requests wait for a moment
instead of failing (doc/resilience.md)."""
import socket
import time

import pytest

from lib import admin
from lib.gatehouse import free_port
from lib.origin import ok
from lib.procs import abort_on_close, until

# of one upstream in one worker (worker/up/up_pause.c)
PAUSED_MAX = 1024
BODY = b"x" * 3000


def send(c, method="GET", body=b""):
    c.send(b"%s / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (
        method, len(body)) + body if body
        else b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")


def ask(gh):
    with gh.client() as c:
        return c.get()


@pytest.fixture
def away():
    """Addresses where nobody listens."""
    return lambda: f"127.0.0.1:{free_port()}"


def numbers(gh):
    return admin.status(gh)["counters"]


def waits(gh, n=1):
    """So many requests found nobody."""
    until(lambda: numbers(gh)["awaited_total"] >= n, what=f"{n} that wait")


def test_a_lone_server_comes_back(front, origin, away):
    """Whatever the method: nothing was sent. Each is sent once."""
    where = away()
    gh = front([where], site=admin.SECTION)
    with gh.client() as get, gh.client() as post:
        send(get)
        send(post, b"POST", BODY)
        waits(gh, 2)
        o = origin(lambda conn, r: conn.send(ok(b"back")),
                   port=int(where.split(":")[1]))
        assert get.response().text == post.response("POST").text == "back"
    assert sorted((r.method, r.body) for r in o.requests) == \
        [("GET", b""), ("POST", BODY)]
    assert all(int(line["tries"]) > 1 for line in gh.log(2))
    assert numbers(gh)["awaited_total"] == 2


def test_one_of_many_comes_back(front, origin, away):
    """More servers than one request asks in a row."""
    servers = [away() for _ in range(11)]
    gh = front(servers, workers=2, site=admin.SECTION)
    with gh.client() as c:
        send(c)
        waits(gh)
        origin(lambda conn, r: conn.send(ok(b"back")),
               port=int(servers[7].split(":")[1]))
        assert c.response().text == "back"


@pytest.mark.parametrize("balance", ["least_conn", "hash {path}"])
def test_more_are_away_than_are_asked_in_a_row(front, origin, away, balance):
    """Those that were not asked come first after a pause."""
    servers = [away() for _ in range(14)]
    gh = front([*servers, origin()], upstream=f"balance = {balance}")
    with gh.client() as c:
        assert [c.get(f"/{i}").status for i in range(8)] == [200] * 8


def crowd(gh, n=8):
    """Clients that wait, at least n of them in each worker."""
    clients = []

    def is_enough():
        c = gh.client()
        clients.append(c)
        send(c)
        return all(w["connections"] >= n for w in admin.status(gh)["workers"])

    before = numbers(gh)["awaited_total"]
    until(is_enough, what="a crowd in each worker")
    waits(gh, before + len(clients))
    return clients


def test_who_reaches_it_tells_the_other_workers(front, origin, away):
    """A crowd waits in both workers; the first connection ends the waits of
    the other one's, too, before their own pauses are over. A worker that got
    no processor until these were over has nobody left to be told of, so that
    a busy machine is asked again."""
    where = away()
    gh = front([where], workers=2, site=admin.SECTION)

    def is_told():
        clients = crowd(gh)
        o = origin(lambda conn, r: conn.send(ok(b"back")),
                   port=int(where.split(":")[1]))
        for c in clients:
            assert c.response().text == "back"
            c.close()
        o.close()
        return numbers(gh)["awaited_told_total"] > 0

    until(is_told, what="the other worker told")


@pytest.mark.parametrize("retry", ["none", "reset timeout"])
def test_who_does_not_want_it_does_not_wait(front, away, retry):
    """retry = connect is what asks for it."""
    gh = front([away()], upstream=f"retry = {retry}\nconnect_timeout = 1h")
    assert ask(gh).status == 502
    assert gh.log()[0]["tries"] == "1"


def test_as_long_as_a_connection_may_take(front, away):
    """Then 502; and who comes later fails at once, until it is back."""
    gh = front([away()], upstream="connect_timeout = 600ms")
    begun = time.monotonic()
    assert ask(gh).status == 502
    assert time.monotonic() - begun >= 0.599
    assert ask(gh).status == 502
    first, second = gh.log(2)
    # pauses of 13, 25, 50 and then 100 ms at least: no busy loop
    assert 4 <= int(first["tries"]) <= 12
    assert second["tries"] == "1"
    assert {first["fault"], second["fault"]} == {"origin_connect"}


def test_no_longer_than_all_tries_may_take(front, away):
    """total_timeout counts while nobody can be reached."""
    gh = front([away()], upstream="total_timeout = 200ms")
    assert ask(gh).status == 504
    assert gh.fault() == "origin_total_timeout"


def test_a_client_that_leaves_ends_it(front, away):
    gh = front([away()], site=admin.SECTION, upstream="connect_timeout = 1h")
    with gh.client() as c:
        send(c)
        waits(gh)
        abort_on_close(c.sock)
    assert gh.fault() == "client_gone"


def test_a_silent_network(front, deaf):
    """Where packets are lost a try ends with try_timeout, and others follow."""
    gh = front([deaf], upstream="try_timeout = 50ms\nconnect_timeout = 400ms")
    assert ask(gh).status == 504
    assert int(gh.log()[0]["tries"]) > 1
    assert gh.fault() == "origin_connect_timeout"


def test_what_was_sent_is_sent_once_more(front, origin):
    """A server that ends with a request under way may have ended because of
    it: the same one gets it twice, not for ever; what is not idempotent never
    (RFC 9110 9.2.2)."""
    o = origin(lambda conn, request: conn.reset())
    gh = front([o])
    assert ask(gh).status == 502
    assert len(o.requests) == 2
    with gh.client() as c:
        send(c, b"POST", BODY)
        assert c.response("POST").status == 502
    assert len(o.requests) == 3
    assert [line["tries"] for line in gh.log(2)] == ["2", "1"]


def test_the_place_stays(front, origin, away):
    """Who waits for a server is one of the upstream's requests."""
    where = away()
    gh = front([where], site=admin.SECTION, upstream="max_connections = 1")
    with gh.client() as c:
        send(c)
        waits(gh)
        assert ask(gh).status == 503
        origin(port=int(where.split(":")[1]))
        assert c.response().status == 200
    assert ask(gh).status == 200


def test_not_more_than_so_many(front, away):
    """The next one gets its error at once; when the first leave there is room
    again."""
    gh = front([away()], site=admin.SECTION,
               upstream="connect_timeout = 1h")
    crowd = [socket.create_connection(("127.0.0.1", gh.port))
             for _ in range(PAUSED_MAX)]
    for s in crowd:
        abort_on_close(s)
        s.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    waits(gh, PAUSED_MAX)
    assert ask(gh).status == 502
    assert gh.fault() == "origin_connect"
    crowd.pop().close()
    until(lambda: len(gh.log()) == 2)
    with gh.client() as c:
        send(c)
        waits(gh, PAUSED_MAX + 1)
    for s in crowd:
        s.close()


def test_a_stale_answer_does_not_wait(front, origin):
    """What may stand in for an error does so at once (RFC 5861 4)."""
    old = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=0, " \
        b"stale-if-error=1000\r\nContent-Length: 3\r\n\r\nold"
    o = origin(lambda conn, request: conn.send(old))
    gh = front([o], upstream="connect_timeout = 1h",
               site="cache = c\n[cache c]\nmemory = 8m\n")
    assert ask(gh).text == "old"
    o.close()
    assert ask(gh).text == "old"
