"""Answers of name servers, with two generations of different configurations
beside each other on one segment (doc/shm.md 6.2): an answer is known by its
name alone, so what both know is one, and what one lacks is the other's."""
import time

import pytest

from lib import admin
from lib.dns import Dns
from lib.procs import segment_bytes, until

INI = """
[global]
workers = 1
dns_servers = %s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 404
%s
""" + admin.SECTION

# More than the section holds (128 sets of 4).
MANY = 600


def ini(dns, names, port, prefix="u"):
    """A route to each name."""
    return INI % (dns.address, "\n".join(f"""
[route test /{name}]
upstream = {prefix}-{name}
[upstream {prefix}-{name}]
server = {name}.test:{port}""" for name in names))


@pytest.fixture
def dns():
    made = Dns(ttl=60)
    yield made
    made.close()


@pytest.fixture
def hosts(dns, origin):
    """Three hosts that answer with their number, at one port; names a, b and
    c are theirs."""
    def say(conn, _):
        text = conn.sock.getsockname()[0].encode()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                  % (len(text), text))
    first = origin(say)
    for i in (2, 3):
        origin(say, host=f"127.0.0.{i}", port=first.port)
    for i, name in enumerate("abc", 1):
        dns.zone[f"{name}.test"] = [f"127.0.0.{i}"]
    return first.port


def asked(dns):
    """Names that were asked for since the last time, sorted: each is A and
    AAAA."""
    found = sorted(name for name, _ in dns.asked)
    dns.asked.clear()
    return [name.removesuffix(".test") for name in found[::2]]


def states(gh):
    return [g["state"] for g in admin.status(gh)["generations"]]


def is_right(dns, client, name):
    return client.get(f"/{name}").text == dns.zone[f"{name}.test"][0]


def two_generations(gh, text):
    gh.reload(text)
    until(lambda: states(gh) == ["retiring", "serving"],
          what="two generations")


CHANGES = {
    "added": ("a", "abc", "u"),
    "removed": ("abc", "b", "u"),
    "replaced": ("ab", "c", "u"),
    "half": ("ab", "bc", "u"),
    "renamed": ("ab", "ab", "other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_answers_are_right_in_both(gatehouse, dns, hosts, change):
    """The new one asks for what is new to it alone; the old one, whose clients
    are still connected, goes on with what it knows."""
    old, new, prefix = CHANGES[change]
    gh = gatehouse(ini(dns, old, hosts))
    kept = {name: gh.client() for name in old}
    assert all(is_right(dns, c, name) for name, c in kept.items())
    assert asked(dns) == list(old)
    two_generations(gh, ini(dns, new, hosts, prefix))
    for name in new:
        with gh.client() as c:
            assert is_right(dns, c, name)
    assert asked(dns) == sorted(set(new) - set(old))
    # idle connections of the old one have one more answer
    for name, client in kept.items():
        assert is_right(dns, client, name)
        client.close()
    assert asked(dns) == []
    until(lambda: states(gh) == ["serving"], what="the end of the old one")
    # and back: what was not asked for meanwhile is known all the same
    gh.reload(ini(dns, old, hosts))
    until(lambda: states(gh)[-1] == "serving" and
          admin.status(gh)["reload"]["generation"] == 3, what="the way back")
    for name in old:
        with gh.client() as c:
            assert is_right(dns, c, name)
    assert asked(dns) == []


def test_the_end_of_an_answer_is_one_for_both(gatehouse, dns, hosts):
    """RFC 1035 3.2.1: when its time is over the new one asks, and the old one
    learns what it was told."""
    dns.ttl = 1
    gh = gatehouse(ini(dns, "a", hosts))
    kept = gh.client()
    assert is_right(dns, kept, "a")
    two_generations(gh, ini(dns, "abc", hosts))
    with gh.client() as c:
        assert is_right(dns, c, "a")
        dns.ttl = 60
        dns.zone["a.test"] = ["127.0.0.3"]
        until(lambda: is_right(dns, c, "a"), what="the move")
        asked(dns)
        assert is_right(dns, kept, "a")
        # the other names may be a second old
        assert "a" not in asked(dns)
    kept.close()


def test_resolve_of_one_moves_the_servers_of_both(gatehouse, dns, hosts):
    """`resolve =` of a generation bounds what it believes itself; where the
    name is by then, is one for both: the old one does not ask, and has the
    new address, with its numbers, all the same."""
    began = time.monotonic()
    gh = gatehouse(ini(dns, "a", hosts))
    kept = gh.client()
    assert is_right(dns, kept, "a")
    two_generations(gh, ini(dns, "a", f"{hosts} resolve=1s"))
    dns.zone["a.test"] = ["127.0.0.2"]
    with gh.client() as c:
        until(lambda: is_right(dns, c, "a"), what="the move")
        n = len(dns.asked)
        # at the start and a second behind that; the next time is another one on
        assert n == 4 or time.monotonic() - began > 2
        assert kept.get("/a").text == "127.0.0.2"
    assert set(asked(dns)) == {"a"}
    server, = admin.status(gh)["upstreams"][0]["servers"]
    assert server["at"] == [f"127.0.0.2:{hosts}"]
    kept.close()


def test_more_names_than_there_is_room_for(gatehouse, dns, hosts):
    """What was pushed out is asked for again for a configuration that is new; no
    answer is wrong, and no memory is taken for it. A question that is answered
    late is asked twice."""
    names = [f"n{i}" for i in range(MANY)]
    for i, name in enumerate(names):
        dns.zone[f"{name}.test"] = [f"127.0.0.{1 + i % 3}"]
    gh = gatehouse(ini(dns, names, hosts))
    with gh.client() as kept:
        assert is_right(dns, kept, "n0")
        before = segment_bytes(gh.process.pid)
        assert all(is_right(dns, kept, name) for name in names)
        assert 2 * MANY <= len(dns.asked) < 3 * MANY
        # nobody asks again for what is known
        assert all(is_right(dns, kept, name) for name in names)
        assert len(dns.asked) < 3 * MANY
        # names alone; upstreams of the new one have room of their own
        assert segment_bytes(gh.process.pid) == before
        two_generations(gh, ini(dns, names[::-1], hosts))
        with gh.client() as c:
            assert all(is_right(dns, c, name) for name in names)
        n = len(dns.asked)
        assert 2 * MANY < n < 5 * MANY
        assert is_right(dns, kept, names[-1])
        assert len(dns.asked) < n + MANY
