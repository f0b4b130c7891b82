"""`limit_bandwidth`: content goes to clients no faster than the rate, whatever
they speak and wherever it comes from; with `per`, to all of a key together, over
all workers; and not much slower either."""
import concurrent.futures
import time

import pytest

from lib import h2
from lib.certs import Authority
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

RATE = 400 * 1024
# What goes at once: the rate of an eighth of a second.
AHEAD = RATE // 8
SIZE = RATE // 2
BODY = bytes(range(256)) * (SIZE // 256)
# Nothing stands still: a busy machine is slow, but not for so long.
SLACK_S = 3
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
h2c = on
[listen s]
address = 127.0.0.1:{port1}
tls = on
[listen p]
address = 127.0.0.1:{port2}
mode = forward
policy = out
h2c = on
[cache kept]
memory = 4m
[site test]
hosts = *
certificate = {pem}
certificate_key = {key}
upstream = app
limit_bandwidth = 400k/s
[route test /all]
limit_bandwidth = 400k/s per {client_ip}
[route test /kept]
cache = kept
[route test /own]
respond = 200 file:{own}
[route test /mine]
respond = 200 file:{own}
limit_bandwidth = 400k/s per {client_ip}
[route test /free]
limit_bandwidth = none
[rule test quick]
match = query = quick
limit_bandwidth = none
[upstream app]
server = {origin}
[forward out]
allow = all
private_networks = allow
connect_ports = 1-65535
limit_bandwidth = 400k/s per {client_ip}
"""




def serve(conn, request):
    if "chunked" in request.target:
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY))
    else:
        conn.send(ok(BODY, b"Cache-Control: max-age=60\r\n"))


def pour(conn):
    conn.send(BODY)
    conn.shut()


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("s", "test")
    return made


@pytest.fixture(scope="module")
def server(shared_origin):
    return shared_origin(serve)


@pytest.fixture(scope="module")
def tap(shared_origin):
    return shared_origin(pour, raw=True)


@pytest.fixture(scope="module")
def gh(shared_gatehouse, server, ca, tmp_path_factory):
    own = tmp_path_factory.mktemp("own") / "own"
    own.write_bytes(BODY)
    return shared_gatehouse(INI, ports=3, origin=server.address, own=own,
                            pem=ca.dir / "s.pem", key=ca.dir / "s.key")


def h1(gh, path, source="127.0.0.1", **kwargs):
    with gh.client(source=source, **kwargs) as c:
        return c.get(path).body


def h2c(gh, path, source="127.0.0.1", port=None, tls=None):
    with h2.Conn(("127.0.0.1", port or gh.port), source=source, tls=tls,
                 timeout=60) as c:
        return c.get(path).body


def tunnel(gh, target, source):
    with gh.client(gh.ports[2], source=source) as c:
        c.send(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert c.reader.response_head().status == 200
        return c.reader.to_end()


def tunnel_h2(gh, target, source):
    with h2.Conn(("127.0.0.1", gh.ports[2]), source=source, timeout=60) as c:
        s = c.next_stream()
        c.send(h2.headers(s, h2.block([(":method", "CONNECT"),
                                       (":authority", target)])))
        return c.answer(s).body


def timed(*calls):
    """Seconds that the calls take side by side, each of which gives BODY."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        begin = time.monotonic()
        for done in [pool.submit(call) for call in calls]:
            assert done.result() == BODY
        return time.monotonic() - begin


def check(seconds, n):
    """So many bodies went to a key: never more than rate and start allow, by a
    clock of whole milliseconds."""
    least = (n * SIZE - AHEAD) / RATE
    assert least - 0.001 <= seconds < least + SLACK_S


WAYS = {
    "h1": lambda gh, ca: h1(gh, "/x"),
    "chunked": lambda gh, ca: h1(gh, "/chunked"),
    "file": lambda gh, ca: h1(gh, "/own"),
    "h2": lambda gh, ca: h2c(gh, "/x"),
    "tls": lambda gh, ca: h1(gh, "/x", port=gh.ports[1], name="test",
                             tls=ca.context()),
    "tls h2": lambda gh, ca: h2c(gh, "/x", port=gh.ports[1],
                                 tls=h2.tls_context()),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_answer_has_the_rate(gh, ca, way):
    """Three at once: none takes from another."""
    check(timed(*[lambda: WAYS[way](gh, ca)] * 3), 1)


def test_what_comes_from_a_cache_has_it_too(gh, server):
    check(timed(lambda: h1(gh, "/kept")), 1)
    check(timed(lambda: h1(gh, "/kept"), lambda: h2c(gh, "/kept")), 1)
    assert [r.target for r in server.requests].count("/kept") == 1


def test_nothing_is_held_back_elsewhere(gh):
    """`none` of a route and of a rule."""
    assert timed(lambda: h1(gh, "/free")) < SIZE / RATE
    assert timed(lambda: h2c(gh, "/x?quick")) < SIZE / RATE


def test_a_key_has_the_rate_once(gh):
    """Over connections, versions and workers; another key has its own."""
    calls = [lambda: h1(gh, "/all", "127.0.0.2"),
             lambda: h2c(gh, "/all", "127.0.0.2")] * 3
    other = concurrent.futures.ThreadPoolExecutor(1)
    alone = other.submit(timed, lambda: h1(gh, "/all", "127.0.0.3"))

    def is_kept():
        """Within 1 per cent and what timers and we are late by, unless the
        machine stood still meanwhile."""
        seconds = timed(*calls)
        check(seconds, len(calls))
        return seconds < 1.01 * len(calls) * SIZE / RATE + 0.3
    until(is_kept, what="all of the rate")
    check(alone.result(), 1)
    other.shutdown()


def test_who_goes_away_leaves_the_rate_to_others(gh):
    """What was promised to a stream that is reset is given back."""
    with h2.Conn(("127.0.0.1", gh.port), source="127.0.0.4") as c:
        streams = [c.ask(path="/mine") for _ in range(100)]
        assert c.pump(lambda: all(c.stream(s).status for s in streams))
        for s in streams:
            c.send(h2.rst_stream(s))
        c.sync()
    check(timed(lambda: h1(gh, "/mine", "127.0.0.4")), 1)


def test_it_is_the_same_after_a_reload(gh):
    """A key goes on where it was: it does not begin anew."""
    def reload():
        gh.reload()
        return BODY
    check(timed(*[lambda: h1(gh, "/all", "127.0.0.5")] * 2, reload,
                lambda: h1(gh, "/all", "127.0.0.5")), 3)


def test_a_forward_proxy_paces_requests_and_tunnels(gh, server, tap):
    """Together, in both versions."""
    source = "127.0.0.6"

    def plain():
        with gh.client(gh.ports[2], source=source) as c:
            c.send(f"GET http://{server.address}/f HTTP/1.1\r\n"
                   "Host: x\r\n\r\n".encode())
            return c.response().body

    check(timed(plain, lambda: tunnel(gh, tap.address, source),
                lambda: tunnel_h2(gh, tap.address, source)), 3)


def test_what_is_wrong_is_told(tmp_path):
    ini = tmp_path / "x.ini"
    for value, said in (
            ("2m", "2m: a bandwidth is a size a second, for example 2m/s"),
            ("2m/s for {user}", "unknown word 'for'; expected `per {variable}`"),
            ("2m/s per", "behind `per` stands a word"),
            ("2m/s per {user} x", "unknown word 'x'"),
            ("2m/s per {nobody}", "nobody"),
            ("2000g/s", "at most 1024g/s")):
        ini.write_text("[site test]\nrespond = 200 x\n"
                       f"limit_bandwidth = {value}\n")
        done = run("-t", "-c", ini)
        assert done.returncode == 1
        assert said in done.stderr and ":3:" in done.stderr


def test_it_is_explained(gh):
    done = run("explain", "GET", "http://test/all", "-c", gh.ini,
               "--from", "192.0.2.1")
    assert "shared by all of '192.0.2.1'" in done.stdout
    assert "limit_bandwidth" in run("explain", "GET", "http://test/x", "-c",
                                    gh.ini).stdout
