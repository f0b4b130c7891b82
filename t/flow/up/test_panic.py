"""When too few servers are healthy all are used (doc/config.md, `panic`)."""
import collections

import pytest

from lib import admin
from lib.gatehouse import free_port, run
from lib.procs import until

BAD = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
MORE = 30


def ask(gh):
    with gh.client() as c:
        return c.get().status


def eject_all(gh, servers):
    """Ask until all of these bad ones are ejected."""
    def look():
        ask(gh)
        said = [line for line in gh.stderr().splitlines()
                if "server ejected" in line]
        return {s for s in servers for line in said
                if f"server={s.address} " in line} == set(servers)
    until(look)


@pytest.fixture
def bad(origin):
    """bad(): one that answers 500."""
    return lambda: origin(lambda conn, request: conn.send(BAD))


def counts(gh, servers):
    """How many of MORE requests each of the servers gets."""
    before = [len(s.requests) for s in servers]
    statuses = collections.Counter(ask(gh) for _ in range(MORE))
    return statuses, [len(s.requests) - n for s, n in zip(servers, before)]


EJECT = "eject = 5xx>=2 for=1h max=100%"


def test_below_the_share_all_are_used(front, bad, named):
    """One of three is less than half."""
    servers = [bad(), bad(), named(b"a")]
    gh = front(servers, workers=2, upstream=EJECT)
    eject_all(gh, servers[:2])
    statuses, got = counts(gh, servers)
    assert sum(got) == MORE
    assert min(got) > 0
    assert statuses[500] == got[0] + got[1]


def test_at_the_share_the_healthy_are_used(front, bad, named):
    """One of three is not less than 33 %."""
    servers = [bad(), bad(), named(b"a")]
    gh = front(servers, workers=2, upstream=EJECT + "\npanic = 33%")
    eject_all(gh, servers[:2])
    assert counts(gh, servers) == ({200: MORE}, [0, 0, MORE])


def test_without_panic_nobody_is_asked(front, bad):
    """0%: rather none than one that is not well."""
    servers = [bad(), bad()]
    gh = front(servers, workers=2, upstream=EJECT + "\npanic = 0%")
    eject_all(gh, servers)
    assert counts(gh, servers) == ({503: MORE}, [0, 0])
    assert gh.log(MORE)[-1]["fault"] == "no_server"


def test_backups_come_before_panic(front, bad, named):
    """They are there for the case that no other is left."""
    worse, backup = [bad(), bad()], named(b"a")
    gh = front([*worse, backup.address + " backup"], workers=2, upstream=EJECT)
    eject_all(gh, worse)
    assert counts(gh, [*worse, backup]) == ({200: MORE}, [0, 0, MORE])


def test_all_backups_are_bad_too(front, bad):
    """Then the usual ones are used again."""
    usual, backups = [bad(), bad()], [bad(), bad()]
    gh = front([*usual, *(b.address + " backup" for b in backups)], workers=2,
               upstream=EJECT)
    eject_all(gh, [*usual, *backups])
    statuses, got = counts(gh, [*usual, *backups])
    assert statuses == {500: MORE}
    assert min(got[:2]) > 0 and got[2:] == [0, 0]


# 504: a busy machine, on which being refused takes longer than connect_timeout
REFUSED = {502, 504}


@pytest.mark.parametrize("panic, statuses", [("50%", {200}), ("0%", REFUSED)])
def test_who_was_ejected_is_asked_before_an_error(front, origin, named, panic,
                                                  statuses):
    """The last healthy one does not answer, and no more may be ejected: one
    that was, and is well again, answers instead."""
    port = free_port()
    other = named(b"b")
    gh = front([f"127.0.0.1:{port}", other], workers=2,
               upstream="connect_timeout = 100ms\n"
               f"eject = reset>=2 for=1h\npanic = {panic}")
    until(lambda: ask(gh) and "server ejected" in gh.stderr())
    back = origin(port=port)
    assert {ask(gh) for _ in range(MORE)} == {200}
    assert not back.requests
    other.close()
    assert {ask(gh) for _ in range(MORE)} <= statuses
    assert len(back.requests) == (MORE if 200 in statuses else 0)


def test_who_was_taken_out_is_not_asked(front, named, origin):
    """Not even then: an operator said so."""
    out, other = named(b"a"), named(b"b")
    gh = front([out, other], workers=2, site=admin.SECTION,
               upstream="connect_timeout = 100ms\n"
               "eject = reset>=2 for=1h")
    taken = run("server", "app", out.address, "down", "-c", gh.ini)
    assert taken.returncode == 0, taken.stderr
    other.close()
    assert {ask(gh) for _ in range(MORE)} <= REFUSED
    assert not out.requests
