"""Two generations with different configurations beside each other on one
segment (doc/shm.md 1.2, 2): what has the same name is the same, all else is
apart, and nothing stays behind."""
import collections

import pytest

from lib import admin
from lib.origin import OK
from lib.procs import segment_bytes, until

INI = """
[global]
workers = 1
log_level = info
%s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = %s
[upstream %s]
%s
""" + admin.SECTION

ORIGINS = 6
# Requests that are held in each generation.
HELD = 5
MANY = 1000
RELOADS = 12


def fill(n, run=0):
    """Servers that are never asked: names alone count here."""
    return [f"127.{1 + run}.{i // 250}.{1 + i % 250}:9 backup"
            for i in range(n)]


def ini(servers, name="app", more=""):
    return INI % (more, name, name,
                  "\n".join(f"server = {s}" for s in servers))


class Held:
    """Origins that hold every request, and the truth: how many each of them
    has, by the upstream that the request went through."""

    def __init__(self, origin):
        self.now = []
        self.origins = []
        for _ in range(ORIGINS):
            self.origins.append(origin(self.hold))
        self.addresses = [o.address for o in self.origins]
        self.sent = []

    def hold(self, conn, request):
        at = "%s:%d" % conn.sock.getsockname()
        self.now.append((request.target.strip("/"), at, conn))

    def count(self):
        return collections.Counter((name, at) for name, at, _ in self.now)

    def send(self, gh, name, n=HELD):
        for _ in range(n):
            before = len(self.now)
            client = gh.client()
            client.send(b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
                        % name.encode())
            until(lambda: len(self.now) > before, what="a held request")
            self.sent.append(client)

    def answer(self, n):
        """The n oldest."""
        for _, _, conn in self.now[:n]:
            conn.send(OK)
        del self.now[:n]
        for client in self.sent[:n]:
            assert client.response().text == "ok"
            client.close()
        del self.sent[:n]


def numbers(gh):
    """{(upstream, address): requests now}, without zeros."""
    return collections.Counter(
        {(u["name"], s["address"]): s["active"]
         for u in admin.status(gh)["upstreams"] for s in u["servers"]
         if s["active"]})


def check(gh, held, servers, name):
    """Status says of the servers that serve what the origins have."""
    known = {(name, s.split()[0]) for s in servers}

    def is_right():
        want = +collections.Counter(
            {k: n for k, n in held.count().items() if k in known})
        return numbers(gh) == want
    until(is_right, what=f"{held.count()} instead of {numbers(gh)}")


def generations(gh):
    return [g["state"] for g in admin.status(gh)["generations"]]


def wait_alone(gh):
    until(lambda: generations(gh) == ["serving"], what="the end of all others")


def reload(gh, text):
    """What status says of it, once it does."""
    def told():
        now = admin.status(gh)["reload"]
        return now and now["generation"] > before and now
    last = admin.status(gh)["reload"]
    before = last["generation"] if last else 1
    gh.reload(text)
    return until(told, what="word of the reload")


CHANGES = {
    "added": lambda a: (a[:2], a[:4], "app"),
    "removed": lambda a: (a[:4], a[1:3], "app"),
    "replaced": lambda a: (a[:3], a[3:], "app"),
    "half": lambda a: (a[:4], a[2:], "app"),
    "reordered": lambda a: (a[:4], a[3::-1], "app"),
    "weight": lambda a: (a[:2], [a[0] + " weight=3", a[1]], "app"),
    "renamed": lambda a: (a[:3], a[:3], "other"),
    "many": lambda a: (a[:2], fill(MANY) + a[1:3], "app"),
    "few": lambda a: (fill(MANY) + a[:3], a[1:4], "app"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_numbers_are_right_in_both(gatehouse, origin, change):
    """The old one is busy while the new one serves: a server that both know
    has the requests of both; others are not touched."""
    held = Held(origin)
    old, new, name = CHANGES[change](held.addresses)
    gh = gatehouse(ini(old))
    held.send(gh, "app")
    check(gh, held, old, "app")
    assert reload(gh, ini(new, name))["ok"]
    until(lambda: generations(gh) == ["retiring", "serving"],
          what="two generations")
    check(gh, held, new, name)
    held.send(gh, name)
    assert len(held.now) == 2 * HELD
    check(gh, held, new, name)
    # the old one ends and takes its own along, nothing else
    held.answer(HELD)
    wait_alone(gh)
    check(gh, held, new, name)
    # and back, to names whose ids were free meanwhile
    assert reload(gh, ini(old))["ok"]
    check(gh, held, old, "app")
    held.send(gh, "app")
    check(gh, held, old, "app")
    held.answer(2 * HELD)
    wait_alone(gh)
    check(gh, held, old, "app")
    assert not numbers(gh)


def test_nothing_leaks_over_reloads(gatehouse, origin):
    """Each one has a thousand other names; memory, ids and slots of those that
    are gone serve again."""
    held = Held(origin)
    gh = gatehouse(ini(held.addresses))

    def turn(run):
        assert reload(
            gh, ini(held.addresses[run % 4:] + fill(MANY, run)))["ok"]
        held.send(gh, "app", 1)
        held.answer(1)
        until(lambda: generations(gh) == ["serving"] and
              [w["state"] for w in admin.status(gh)["workers"]] == ["serving"],
              what="the end of what was before")

    for run in range(3):
        turn(run)
    before = segment_bytes(gh.process.pid)
    for run in range(3, RELOADS + 3):
        turn(run)
    assert segment_bytes(gh.process.pid) == before
    assert not numbers(gh)

    def has_low_slots():
        turn(RELOADS)
        return all(w["slot"] < 8 for w in admin.status(gh)["workers"])

    # that of who has ended is free a little later, or is one of many
    until(has_low_slots, what="slots that serve again")


def test_shared_memory_of_a_reload(gatehouse, origin):
    """shared_memory: what needs more is refused with a clear error and the old
    one goes on; raised, it fits; lowered below what is in use, it is refused
    again."""
    held = Held(origin)
    servers = held.addresses[:2]
    small, large = "shared_memory = 8m", "shared_memory = 32m"
    gh = gatehouse(ini(servers, more=small))
    held.send(gh, "app")
    many = servers + fill(8000)
    for _ in range(2):
        told = reload(gh, ini(many, more=small))
        assert not told["ok"] and "raise shared_memory" in told["problems"]
        assert generations(gh)[0] == "serving"
        check(gh, held, servers, "app")
    assert reload(gh, ini(many, more=large))["ok"]
    held.send(gh, "app")
    check(gh, held, many, "app")
    assert segment_bytes(gh.process.pid) > 8 << 20
    assert not reload(gh, ini(many, more=small))["ok"]
    told = reload(gh, ini(servers, more=small))
    assert not told["ok"]
    assert "bytes of shared memory are in use" in told["problems"]
    # the budget is as the one that serves wants it
    assert reload(gh, ini(many + fill(1000, 1), more=large))["ok"]
    held.answer(2 * HELD)
    until(lambda: not numbers(gh))
