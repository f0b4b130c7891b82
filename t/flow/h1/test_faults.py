"""Each way in which a client can fail has a word in the log: every CLIENT row
of worker/exch/fault.def is provoked here."""
import re
import threading

import pytest

from lib.gatehouse import TOP
from lib.procs import until
from lib.wire import WAIT_S

ROWS = {word: int(status) for side, status, word in re.findall(
    r'^FAULT\(\w+, (\w+), (\d+), \w+, "([^"]+)"',
    (TOP / "worker/exch/fault.def").read_text(), re.MULTILINE)
    if side == "CLIENT"}

GET = b"GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n"
POST = b"POST / HTTP/1.1\r\nHost: test\r\n%s\r\n"
WS = b"Connection: upgrade\r\nUpgrade: websocket\r\n"

# What is sent; a client that ends its direction after it stands in ENDS.
SENT = {
    "client_bad": GET % (b"/", b"A : b\r\n"),
    "client_body_bad": POST % b"Transfer-Encoding: chunked\r\n" + b"zz\r\n",
    "client_cut": b"GET / HTTP/1.1\r\nHo",
    "header_timeout": b"GET / HTTP/1.1\r\nHo",
    "body_timeout": POST % b"Content-Length: 10\r\n" + b"abc",
    "body_too_large": POST % b"Content-Length: 11\r\n" + b"x" * 11,
    "misdirected": b"GET / HTTP/1.1\r\nHost: other\r\n\r\n",
    "expectation": GET % (b"/", b"Expect: tea\r\n"),
    "loop": GET % (b"/", b"Via: {via}\r\n"),
    "method_refused": b"TRACE / HTTP/1.1\r\nHost: test\r\n\r\n",
    "upgrade_bad": GET % (b"/", WS),
    "not_found": b"GET /none HTTP/1.1\r\nHost: routes\r\n\r\n",
    "path_ambiguous": GET % (b"/a%2f..%2fb", b""),
}
ENDS = {"client_cut"}
# certificate_needed: flow/tls/test_handshake.py; too_early:
# flow/tls/test_early_data.py; deadline: flow/grpc/test_grpc.py; banned:
# flow/limit/test_ban.py; min_rate: flow/limit/test_min_rate.py;
# access_denied: flow/acl/test_lists.py; url_not_signed:
# flow/auth/test_signed.py; those of a forward proxy's targets and
# tunnels: flow/forward
ELSEWISE = {"client_gone", "send_timeout", "certificate_needed", "too_early",
            "deadline", "banned", "min_rate",
            "access_denied", "no_target", "target_scheme", "target_host",
            "connect_content", "connect_port", "private_address",
            "tunnel_sni", "url_not_signed", "quota", "waf",
            "waf_drop"}

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
header_timeout = 300ms
body_timeout = 300ms
send_timeout = 300ms
[site test]
upstream = {origin}
max_body = 10b
strip_prefix = /a
[site routes]
[route routes /some]
respond = 200 some
[log access]
path = {dir}/access.log
format = {status} {fault}
buffer = none
"""


def start(gatehouse, origin, script=None):
    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    return gh, o, gh.dir / "access.log"


def wait_lines(path, n=1):
    return until(lambda: len(got := path.read_text().splitlines()) >= n and
                 got, what=f"{n} lines of the log")


def test_every_row_is_here():
    """STYLE: each row of fault.def has a test that provokes it."""
    assert set(ROWS) == set(SENT) | ELSEWISE


@pytest.mark.parametrize("word", SENT)
def test_the_client_is_told_and_the_log(gatehouse, origin, word):
    """RFC 9110 15.5: the row's status goes out, its word into the log, and
    nothing complete to the origin."""
    gh, o, log = start(gatehouse, origin)
    data = SENT[word]
    asked = 0
    if b"{via}" in data:
        with gh.client() as c:
            c.get("/")
        data = data.replace(b"{via}", o.requests[0].get("via").encode())
        asked = 1
    with gh.client() as c:
        c.send(data)
        if word in ENDS:
            c.shut()
        r = c.response()
        assert r.status == ROWS[word]
        assert r.get("content-type") == "text/html; charset=utf-8"
        assert r.get("server") is None
    assert wait_lines(log, asked + 1)[asked:] == [f"{ROWS[word]} {word}"]
    assert len(o.requests) == asked


def test_client_gone(gatehouse, origin):
    """The client's reset ends the exchange; 499 stands for no answer."""
    asked, over = threading.Event(), threading.Event()
    gh, o, log = start(gatehouse, origin,
                       lambda conn, r: (asked.set(), over.wait(WAIT_S)))
    c = gh.client().send(GET % (b"/", b""))
    assert asked.wait(WAIT_S)
    c.reset()
    assert wait_lines(log) == ["499 client_gone"]
    over.set()


def test_send_timeout(gatehouse, origin):
    """Who takes nothing of a large answer is left."""
    cut = threading.Event()

    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                  % (64 << 20))
        try:
            conn.send(bytes(64 << 20))
        except OSError:
            cut.set()
        return False

    gh, _, log = start(gatehouse, origin, script)
    with gh.client(rcvbuf=4096) as c:
        c.send(GET % (b"/", b""))
        assert cut.wait(WAIT_S)
    assert wait_lines(log) == ["200 send_timeout"]
