"""One process asks for the names of servers, for all workers; what needs no name
server asks none."""
import os
import pathlib
import signal
import threading
import time

import pytest

from lib import admin
from lib.dns import answer
from lib.procs import kill_and_wait, until

INI = """
[global]
workers = {workers}
dns_servers = {dns}
[listen x]
address = 127.0.0.1:{port}
[site who]
hosts = *
respond = 200 {worker}
[site test]
hosts = app
upstream = app
[upstream app]
keepalive = 0
server = {name}:{to}
""" + admin.SECTION


def pair(gh):
    """A connection to each of the two workers."""
    found = {}
    while len(found) < 2:
        client = gh.client()
        if found.setdefault(client.get().text, client) is not client:
            client.close()
    return found.values()


def test_a_name_is_asked_for_once_a_ttl(gatehouse, origin, dns):
    """RFC 1035 3.2.1: the answer is all workers' until its time is over."""
    d = dns({"app.test": ["127.0.0.1"]}, ttl=60)
    gh = gatehouse(INI, workers=2, dns=d.address, name="app.test", to=origin().port)
    for client in pair(gh):
        for _ in range(3):
            assert client.get(host="app").text == "ok"
        client.close()
    assert len(d.asked) == 2  # A and AAAA


def test_an_answer_whose_time_is_over_is_asked_for_once(
        gatehouse, named, dns):
    """RFC 1035 3.2.1: after the TTL one asks again and the other learns it."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({"app.test": ["127.0.0.1"]}, ttl=1)
    gh = gatehouse(INI, workers=2, dns=d.address, name="app.test", to=old.port)
    one, other = pair(gh)
    for client in (one, other):
        assert client.get(host="app").text == "old"
    d.ttl = 60
    d.zone["app.test"] = ["127.0.0.2"]
    until(lambda: one.get(host="app").text == "new", what="another lookup")
    n_asked = len(d.asked)
    assert other.get(host="app").text == "new"
    assert len(d.asked) == n_asked
    one.close()
    other.close()


def test_as_many_workers_as_there_are_ask_nothing(gatehouse, origin, dns):
    """Nor does it matter whether anybody wants the name: once a second, A and
    AAAA, and no more with four workers."""
    d = dns({"app.test": ["127.0.0.1"]}, ttl=1)
    begin = time.monotonic()
    gh = gatehouse(INI, workers=4, dns=d.address, name="app.test",
                   to=origin().port)
    until(lambda: len(d.asked) >= 6, what="three rounds of questions")
    with gh.client() as c:
        assert c.get(host="app").text == "ok"
    rounds = 1 + (time.monotonic() - begin)
    assert len(d.asked) <= 2 * (rounds + 1)


def test_the_first_request_waits_for_the_first_answer(gatehouse, origin, dns):
    """All of them do, whichever worker they come to, and go on at once."""
    free = threading.Event()

    def script(query):
        free.wait(20)
        return answer(query, ["127.0.0.1"])

    d = dns(script=script)
    gh = gatehouse(INI, workers=2, dns=d.address, name="app.test",
                   to=origin().port)
    clients = [gh.client() for _ in range(6)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    until(lambda: d.asked)
    free.set()
    for client in clients:
        assert client.response().text == "ok"
        client.close()


def test_names_serve_on_without_a_steward(gatehouse, named, dns):
    """Killed, it is made anew, and asks when it is time; stopped, nobody asks
    and the last answer serves."""
    old = named(b"old")
    named(b"new", host="127.0.0.2", port=old.port)
    d = dns({"app.test": ["127.0.0.1"]}, ttl=1)
    gh = gatehouse(INI, workers=2, dns=d.address, name="app.test", to=old.port)
    with gh.client() as c:
        assert c.get(host="app").text == "old"
        steward = admin.steward(gh)
        os.kill(steward, signal.SIGSTOP)
        d.zone["app.test"] = ["127.0.0.2"]
        assert c.get(host="app").text == "old"
        kill_and_wait(steward)
        until(lambda: c.get(host="app").text == "new",
              what="what the next steward was told")


def hosts_name():
    """A name of 127.0.0.1 in the machine's hosts file, not localhost."""
    for line in pathlib.Path("/etc/hosts").read_text().splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["127.0.0.1"]:
            for word in words[1:]:
                if "localhost" not in word:
                    return word
    return None


@pytest.mark.parametrize("name", [
    "localhost", "LocalHost", "app.localhost", hosts_name()])
def test_some_names_need_no_name_server(gatehouse, origin, dns, name):
    """RFC 6761 6.3: localhost and all below it are the loopback, whatever a
    name server would say; hosts(5): what stands there is not asked for."""
    if name is None:
        pytest.skip("the hosts file has no other name of 127.0.0.1")
    d = dns({})
    gh = gatehouse(INI, workers=2, dns=d.address, name=name, to=origin().port)
    for client in pair(gh):
        assert client.get(host="app").text == "ok"
        client.close()
    assert not d.asked
