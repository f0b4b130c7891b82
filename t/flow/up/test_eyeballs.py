"""A name with addresses of both families: IPv6 goes first, and where it leads
nowhere IPv4 serves at once ("happy eyeballs", RFC 8305)."""
import contextlib
import pathlib
import socket
import time

import pytest

from lib.dns import srv
from lib.origin import OK
from lib.procs import until

NAME = "app.test"
# Less than the time in which a connection is given up.
CONNECT = "connect_timeout = 4s"
SOON_S = 3
SYN_SENT = "02"  # proc(5)


@contextlib.contextmanager
def mute(host, port):
    """A port that takes no connection and refuses none: its queue is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        while True:
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.1)
            try:
                filler.connect((host, port))
            except TimeoutError:
                filler.close()
                break
        yield listener


def connecting(port):
    """How many sockets of this machine wait for a connection to the port."""
    lines = "".join(pathlib.Path(f"/proc/net/{name}").read_text()
                    for name in ("tcp", "tcp6")).splitlines()
    return sum(words[2].endswith(":%04X" % port) and words[3] == SYN_SENT
               for words in map(str.split, lines))


def start(front, dns, server, upstream=CONNECT, keep="keepalive = 0",
          **sections):
    return front([server], upstream=f"{keep}\n{upstream}",
                 **{"global": f"dns_servers = {dns.address}", **sections})


def timed(gh, path="/"):
    """(text, seconds) of a request."""
    began = time.monotonic()
    with gh.client() as c:
        return c.get(path).text, time.monotonic() - began


@pytest.fixture
def both(named):
    """(IPv4, IPv6): origins at one port."""
    four = named(b"four")
    return four, named(b"six", host="::1", port=four.port)


def test_ipv6_goes_first(front, dns, both):
    """RFC 8305 4: when both are there, IPv6, whatever comes first in the
    answer; and IPv4 sees nothing of it."""
    four, _ = both
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}), f"{NAME}:{four.port}")
    assert {timed(gh)[0] for _ in range(6)} == {"six"}
    assert not four.conns
    assert {line["tries"] for line in gh.log(6)} == {"1"}


def test_ipv4_serves_while_ipv6_is_silent(front, dns, named):
    """RFC 8305 5: another connection begins 250 ms later and wins; from then
    on that family goes first; no client sees an error."""
    o = named(b"four")
    gh = start(front, dns({NAME: ["::1", "127.0.0.1"]}), f"{NAME}:{o.port}")
    with mute("::1", o.port):
        text, took_s = timed(gh)
        assert text == "four"
        # counted from when the turn of the loop began
        assert 0.24 <= took_s < SOON_S
        assert connecting(o.port) == 0
        assert {timed(gh)[0] for _ in range(5)} == {"four"}
    assert [line["tries"] for line in gh.log(6)] == ["2"] + 5 * ["1"]


def test_ipv6_that_is_late_serves_when_ipv4_is_silent(front, dns, named):
    """RFC 8305 5: the first one goes on beside the second."""
    o = named(b"six", host="::1")
    port = o.port
    o.close()
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}), f"{NAME}:{port}")
    with mute("127.0.0.1", port), mute("::1", port) as listener, \
            gh.client() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: connecting(port) == 2, what="both under way")
        with contextlib.ExitStack() as stack:
            listener.settimeout(SOON_S)
            request = b""
            # first the ones that filled the queue, which say nothing
            while not request:
                conn = stack.enter_context(listener.accept()[0])
                conn.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    request = conn.recv(4096)
            conn.sendall(OK)
            assert c.response().text == "ok"
        assert connecting(port) == 0


def test_a_handshake_is_part_of_the_race(front, dns, tls_origin, origin, ca):
    """RFC 8305 5: a server that takes connections and shakes no hands is
    silent, too; its connection is closed."""
    o = tls_origin(pem=ca.make("eyes", NAME))
    ended = []
    six = origin(lambda conn: ended.append(conn.sock.makefile("rb").read()),
                 raw=True, host="::1", port=o.port)
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}),
               f"https://{NAME}:{o.port}", f"ca = {ca.pem}\n{CONNECT}")
    assert timed(gh)[0] == "ok"
    until(lambda: ended, what="the end of the loser")
    assert len(six.conns) == 1 and len(o.shakes) == 1


def test_http2_races_as_well(front, dns, h2_origin):
    """RFC 8305 5, RFC 9113 3: the connection that wins carries all."""
    o = h2_origin()
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}), f"{NAME}:{o.port}",
               f"protocol = h2\nkeepalive = 8\n{CONNECT}", keep="")
    with mute("::1", o.port):
        assert timed(gh)[1] < SOON_S
        until(lambda: connecting(o.port) == 0, what="the end of the loser")
        assert {timed(gh)[0] for _ in range(5)} == {"ok"}
    assert len(o.conns) == 1


def test_all_who_wait_for_one_connection_go_to_the_winner(
        front, dns, h2_origin):
    """RFC 8305 5: over HTTP/2 many wait for the connection that one of them
    began; none of them waits for what leads nowhere."""
    o = h2_origin()
    gh = start(front, dns({NAME: ["127.0.0.1", "::1"]}), f"{NAME}:{o.port}",
               f"protocol = h2\nkeepalive = 8\n{CONNECT}", keep="")
    began = time.monotonic()
    with mute("::1", o.port), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gh.client()) for _ in range(10)]
        for c in clients:
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert {c.response().text for c in clients} == {"ok"}
        assert time.monotonic() - began < SOON_S
        assert connecting(o.port) == 0
    assert len(o.conns) == 1


def test_both_are_silent(front, dns, named):
    """RFC 8305 5: each has its time, then it is an error; the next server is
    asked."""
    o, other = named(b"x"), named(b"other")
    o.close()
    d = dns({NAME: ["::1", "127.0.0.1"]})
    gh = front([f"{NAME}:{o.port}", f"{other.address} backup"],
               upstream="connect_timeout = 400ms\nkeepalive = 0",
               **{"global": f"dns_servers = {d.address}"})
    with mute("::1", o.port), mute("127.0.0.1", o.port):
        text, took_s = timed(gh)
    assert text == "other"
    assert 0.6 <= took_s < SOON_S
    assert gh.log()[0]["tries"] == "3"


def test_one_refuses_while_the_other_is_silent(front, dns, named):
    """RFC 8305 5: where one fails, the next address begins at once, and the
    one that is waited for may still come about."""
    o = named(b"third", host="127.0.0.3")
    gh = start(front, dns({NAME: ["::1", "127.0.0.2", "127.0.0.3"]}),
               f"{NAME}:{o.port}")
    with mute("::1", o.port):
        text, took_s = timed(gh)
    assert text == "third"
    assert took_s < SOON_S


def test_clients_that_leave_during_the_race(front, dns, named):
    """Both connections go with the client."""
    o = named(b"x")
    o.close()
    d = dns({NAME: ["::1", "127.0.0.1"], "good.test": ["127.0.0.1"]})
    good = named(b"ok")
    gh = start(front, d, f"{NAME}:{o.port}", site=f"""
[route test /good]
upstream = good
[upstream good]
server = good.test:{good.port}
""")
    workers = until(gh.workers)
    with mute("::1", o.port), mute("127.0.0.1", o.port):
        for _ in range(4):
            with gh.client() as c:
                c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                until(lambda: connecting(o.port) == 2, what="both under way")
                c.reset()
            until(lambda: connecting(o.port) == 0, what="the end of both")
        assert len(gh.log(4)) == 4
    assert timed(gh, "/good")[0] == "ok"
    assert gh.workers() == workers


def test_targets_of_another_priority_do_not_race(front, dns, named):
    """RFC 2782: a backup is not asked for because the first one is slow to
    connect, only when it is known to be down."""
    o, backup = named(b"x"), named(b"backup")
    o.close()
    d = dns({"_http._tcp.app.test": [srv(o.port, "one.test", 1),
                                     srv(backup.port, "one.test", 2)],
             "one.test": ["127.0.0.1"]})
    gh = start(front, d, "_http._tcp.app.test", "connect_timeout = 800ms")
    with mute("127.0.0.1", o.port):
        text, took_s = timed(gh)
    assert text == "backup"
    assert 0.8 <= took_s < SOON_S
