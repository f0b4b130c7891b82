"""Who goes over a limit with `ban` is not heard any more, whoever asks and
wherever: `[limit] ban`, `gatehouse ban`."""
import re
import subprocess

import pytest

from lib import admin
from lib.gatehouse import BINARY
from lib.h2 import Conn
from lib.procs import until
from lib.wire import WAIT_S, Client

INI = """
[global]
workers = 2
error_log = {dir}/error.log
log_level = info
[log access]
path = {dir}/access.log
format = {status} {fault} {client_ip}
buffer = none
[listen x]
address = 127.0.0.1:{port}
h2c = on
trusted_proxies = 127.0.0.1
[listen told]
address = 127.0.0.1:{port1}
proxy_protocol = on
[limit strict]
rate = 1/h
ban = 1h
[limit dry]
rate = 1/h
ban = 1h
mode = dry_run
[site test]
hosts = *
respond = 200 served
[route test /strict]
rate_limit = strict
[route test /dry]
rate_limit = dry
""" + admin.SECTION
GET = b"GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n"


@pytest.fixture
def gh(gatehouse):
    return gatehouse(INI, ports=2)


def come(gh, source, path="/"):
    """A connection from an address of its own: the answer's status, or what
    became of it."""
    try:
        with Client(("127.0.0.1", gh.port), source=source) as c:
            return c.get(path).status
    except (ConnectionResetError, BrokenPipeError):
        return "reset"


def told(gh, client, path="/", **kwargs):
    """A connection from the trusted proxy that tells of a client."""
    with gh.client(**kwargs) as c:
        return c.get(path, extra=f"X-Forwarded-For: {client}\r\n".encode())


def ban(gh, *words):
    return subprocess.run([BINARY, "ban", *words, "-c", str(gh.ini)],
                          text=True, capture_output=True, timeout=WAIT_S,
                          check=False)


def counter(gh, name):
    return admin.status(gh)["counters"][name]


def test_who_goes_over_it_is_reset_from_then_on(gh):
    """The answer that bans ends its connection; nobody else feels it."""
    with Client(("127.0.0.1", gh.port), source="127.0.0.2") as c:
        assert c.get("/strict").status == 200
        with Client(("127.0.0.1", gh.port), source="127.0.0.2") as other:
            assert other.get("/").status == 200
            r = c.get("/strict")
            assert (r.status, r.get("connection")) == (429, "close")
            assert c.is_closed()
            # one that was connected before is told, and closed
            r = other.get("/")
            assert (r.status, r.get("connection")) == (403, "close")
            assert other.is_closed()
    assert [come(gh, "127.0.0.2") for _ in range(4)] == ["reset"] * 4
    assert come(gh, "127.0.0.3") == 200
    # two workers, which count and write behind their answers
    until(lambda: [counter(gh, f"{name}_total") for name in (
        "bans", "connections_banned", "requests_banned")] == [1, 4, 1],
        what="the counters")
    until(lambda: "403 banned 127.0.0.2" in
          (gh.dir / "access.log").read_text(), what="the line of the refusal")
    log = (gh.dir / "error.log").read_text()
    assert "client banned client=127.0.0.2 why=limit for_s=3600" in log
    # a flood of connections is no flood of lines
    assert 1 <= log.count("connections reset why=banned listen=x "
                          "peer=127.0.0.2") <= 2


def test_clients_of_a_trusted_proxy_are_told_apart(gh):
    """The proxy's connections live on, and itself is never banned."""
    with gh.client() as c:
        def get(client, path):
            extra = f"X-Forwarded-For: {client}\r\n".encode()
            return c.get(path, extra=extra).status
        assert [get("192.0.2.1", "/strict") for _ in range(2)] == [200, 429]
        assert get("192.0.2.1", "/") == 403
        assert get("192.0.2.2", "/") == 200
        # a network of IPv6 is one client
        assert [get("2001:db8:1:2::1", "/strict") for _ in range(2)] == \
            [200, 429]
        assert get("2001:db8:1:2:ffff::1", "/") == 403
        assert get("2001:db8:1:3::1", "/") == 200
        # without a client the proxy itself goes over it: 429, and no more
        assert [c.get("/strict").status for _ in range(3)] == [200, 429, 429]
        assert c.get("/").status == 200
    assert counter(gh, "bans_total") == 2


def test_a_limit_that_only_tells_bans_nobody(gh):
    assert [come(gh, "127.0.0.2", "/dry") for _ in range(3)] == [200] * 3
    assert counter(gh, "bans_total") == 0


def test_a_connection_of_http2_ends_with_the_ban(gh):
    """RFC 9113 6.8: GOAWAY, after the answer."""
    with Client(("127.0.0.1", gh.port), source="127.0.0.2") as c:
        assert c.get("/strict").status == 200
    with Conn(("127.0.0.1", gh.port), source="127.0.0.2") as c:
        assert c.get("/strict").status == 429
        assert c.pump(lambda: c.goaway)
        assert c.goaway[0] == "ENHANCE_YOUR_CALM"


def test_addresses_of_proxy_headers_are_found(gh):
    """proxy-protocol.txt: the client is known before its first byte."""
    assert ban(gh, "add", "192.0.2.7", "1h").returncode == 0
    head = b"PROXY TCP4 %s 192.0.2.9 1000 80\r\n"
    with gh.client(gh.ports[1]) as c:
        c.send(head % b"192.0.2.7" + GET % (b"/", b""))
        assert c.sock.recv(100) == b""
    with gh.client(gh.ports[1]) as c:
        c.send(head % b"192.0.2.8" + GET % (b"/", b""))
        assert c.response().status == 200


def test_the_operator_bans_and_lifts(gh):
    assert ban(gh, "list").stdout == ""
    assert ban(gh, "add", "127.0.0.2", "10m").returncode == 0
    assert ban(gh, "add", "2001:db8::1", "1h").returncode == 0
    assert come(gh, "127.0.0.2") == "reset"
    lines = sorted(ban(gh, "list").stdout.splitlines())
    assert re.fullmatch(r"127\.0\.0\.2 +operator +until 2\S+Z", lines[0])
    assert re.fullmatch(r"2001:db8::/64 +operator +until 2\S+Z", lines[1])
    told_of = admin.status(gh)["bans"]
    assert (told_of["count"], told_of["added"], told_of["evicted"]) == (2, 2, 0)
    assert {b["address"] for b in told_of["list"]} == \
        {"127.0.0.2", "2001:db8::/64"}
    left = [b["left_s"] for b in told_of["list"]
            if b["address"] == "127.0.0.2"]
    assert 590 <= left[0] <= 600
    assert "bans         2 now, 2 in all" in admin.cli(gh).stdout
    assert ban(gh, "remove", "127.0.0.2").returncode == 0
    assert come(gh, "127.0.0.2") == 200
    log = (gh.dir / "error.log").read_text()
    assert "ban ordered client=127.0.0.2 order=add" in log
    assert "ban ordered client=127.0.0.2 order=remove" in log


@pytest.mark.parametrize("words, status, said", [
    (["remove", "192.0.2.1"], 1, "this address is not banned"),
    (["add", "nonsense", "1h"], 1, "this is no address"),
    (["add", "192.0.2.1", "10y"], 1, "from 1ms to a year"),
    (["add", "192.0.2.1", "10"], 2, "needs a unit, for example 10s"),
    (["add", "192.0.2.1", "0s"], 2, "longer than that"),
    (["add", "192.0.2.1"], 2, "usage: gatehouse ban"),
    (["lift", "192.0.2.1"], 2, "usage: gatehouse ban"),
    ([], 2, "usage: gatehouse ban"),
])
def test_orders_that_are_none(gh, words, status, said):
    done = ban(gh, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert admin.status(gh)["bans"]["added"] == 0


def test_status_tells_of_each_limit(gh):
    """What passed, and what did not."""
    for _ in range(3):
        come(gh, "127.0.0.2", "/dry")
    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        told(gh, client, "/strict")
    limits = {row["name"]: row for row in admin.status(gh)["limits"]}
    assert {k: limits["strict"][k] for k in ("passed", "held", "refused")} == \
        {"passed": 2, "held": 0, "refused": 1}
    assert limits["dry"]["passed"] == 1 and limits["dry"]["refused"] == 2
    assert re.search(r"(?m)^strict +2 +0 +1 +0 +0$", admin.cli(gh).stdout)


def test_explain_tells_of_it(gh):
    done = subprocess.run(
        [BINARY, "explain", "GET", f"http://127.0.0.1:{gh.port}/strict", "-c",
         str(gh.ini)], text=True, capture_output=True, timeout=WAIT_S,
        check=False)
    assert "and bans the client that goes over it" in done.stdout
