"""Answers of name servers are shared by all workers; what needs no name server
asks none."""
import pathlib

import pytest

from lib.procs import until

INI = """
[global]
workers = 2
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
"""


def pair(gh):
    """A connection to each of the two workers."""
    found = {}
    while len(found) < 2:
        client = gh.client()
        if found.setdefault(client.get().text, client) is not client:
            client.close()
    return found.values()


def test_both_workers_ask_once_a_ttl(gatehouse, origin, dns):
    """RFC 1035 3.2.1: whoever asks, the answer is all workers' until its time
    is over."""
    d = dns({"app.test": ["127.0.0.1"]}, ttl=60)
    gh = gatehouse(INI, dns=d.address, name="app.test", to=origin().port)
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
    gh = gatehouse(INI, dns=d.address, name="app.test", to=old.port)
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
    gh = gatehouse(INI, dns=d.address, name=name, to=origin().port)
    for client in pair(gh):
        assert client.get(host="app").text == "ok"
        client.close()
    assert not d.asked
