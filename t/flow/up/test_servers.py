"""Which server gets which request."""
import collections

from lib.gatehouse import free_port


def ask(gh, n, path="/"):
    """Who answers n requests, one after the other."""
    with gh.client() as c:
        return [c.get(path).text for _ in range(n)]


def test_v4_address(front, named):
    """RFC 9110 7.3.1: a server by its IPv4 address."""
    assert ask(front([named(b"four")]), 2) == ["four"] * 2


def test_v6_address(front, named):
    """RFC 9110 7.3.1, RFC 3986 3.2.2: by its IPv6 address in brackets."""
    gh = front([named(b"six", host="::1")])
    assert ask(gh, 2) == ["six"] * 2


def test_unix_socket(front, unix_origin):
    """A server behind a unix socket."""
    gh = front([unix_origin(b"unix")])
    assert ask(gh, 2) == ["unix"] * 2


def test_all_kinds_together(front, named, unix_origin):
    """Servers of different families share one upstream."""
    gh = front([named(b"4"), named(b"6", host="::1"), unix_origin(b"u")])
    assert sorted(ask(gh, 6)) == sorted("46u" * 2)


def test_plain_round_robin(front, named):
    """Equal weights: each in its turn, in the order of the file."""
    gh = front([named(b"a"), named(b"b"), named(b"c")])
    assert "".join(ask(gh, 9)) == "abcabcabc"


def test_smooth_weighted_round_robin(front, named):
    """Weights 5 1 1 give the even spread a a b a c a a, again and again."""
    gh = front([named(b"a").address + " weight=5", named(b"b"), named(b"c")])
    assert "".join(ask(gh, 21)) == "aabacaa" * 3


def test_weights_hold_over_connections(front, named):
    """The turn belongs to the worker, not to a client's connection."""
    gh = front([named(b"a").address + " weight=2", named(b"b")])
    got = collections.Counter(ask(gh, 1)[0] for _ in range(30))
    assert got == {"a": 20, "b": 10}


def test_weights_hold_over_workers(front, named):
    """Each worker keeps its own turn: the sum is right within one round of
    each."""
    workers, rounds = 3, 20
    gh = front([named(b"a").address + " weight=3", named(b"b")],
               workers=workers)
    got = collections.Counter(ask(gh, 1)[0] for _ in range(4 * rounds))
    assert abs(got["a"] - 3 * rounds) <= 3 * workers
    assert got["a"] + got["b"] == 4 * rounds


def test_backup_rests_while_another_can_be_used(front, named):
    """backup: used only when no other server can be."""
    gh = front([named(b"a"), named(b"spare").address + " backup"])
    assert set(ask(gh, 10)) == {"a"}


def test_backup_serves_when_all_others_are_down(front, named):
    """backup: it takes over, request by request."""
    gh = front(["127.0.0.1:%d" % free_port(), "127.0.0.1:%d" % free_port(),
                named(b"spare").address + " backup"])
    assert set(ask(gh, 6)) == {"spare"}
    assert {line["tries"] for line in gh.log(6)} == {"3"}


def test_backups_share(front, named):
    """Several backups take turns by their weights."""
    gh = front(["127.0.0.1:%d" % free_port(),
                named(b"x").address + " backup weight=2",
                named(b"y").address + " backup"])
    assert collections.Counter(ask(gh, 9)) == {"x": 6, "y": 3}


def test_backup_gives_back(front, named, origin):
    """A first server that comes back is used again at once."""
    port = free_port()
    gh = front([f"127.0.0.1:{port}", named(b"spare").address + " backup"])
    assert ask(gh, 1) == ["spare"]
    named(b"first", port=port)
    assert ask(gh, 3) == ["first"] * 3


def test_dead_servers_turns_go_to_the_others(front, named):
    """RFC 9110 9.2.2: nothing was sent, so the next server is asked; no
    client sees the dead one."""
    gh = front([named(b"a"), "127.0.0.1:%d" % free_port(), named(b"b")])
    got = collections.Counter(ask(gh, 30))
    assert got["a"] + got["b"] == 30
    assert min(got.values()) >= 10


def test_server_written_as_url(front, named):
    """http:// before a server is allowed."""
    assert ask(front(["http://" + named(b"a").address]), 1) == ["a"]
