"""max_connections: no server, and no upstream, has more requests at once than
it may, whatever worker they came to; what finds no place is a 503."""
import pytest

from lib import admin
from lib.busy import Busy, ask, limits, statuses
from lib.gatehouse import run
from lib.origin import OK
from lib.procs import abort_on_close, until

BAD = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"


def idle(gh):
    """All places are given back."""
    until(lambda: limits(gh)["active"] == 0 and
          all(s["active"] == 0
              for s in admin.status(gh)["upstreams"][0]["servers"]))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("where", ["server", "upstream"])
def test_it_is_never_exceeded(front, origin, crowd, workers, where):
    """Many at once: the origin never sees more, and some are refused."""
    busy = Busy(seconds=0.01)
    o = origin(busy)
    gh = front([f"{o.address} max_connections=3" if where == "server" else o],
               workers=workers, site=admin.SECTION, upstream=""
               if where == "server" else "max_connections = 3")
    got = statuses(crowd(gh, 64).ask(200))
    assert busy.peak <= 3
    assert got[200] + got[503] == 200
    assert got[200] >= 3
    assert limits(gh)["refused"] == got[503]
    idle(gh)


def test_a_refusal_says_when_to_come_again(front, origin, crowd):
    busy = Busy()
    gh = front([origin(busy)], upstream="max_connections = 1",
               site=admin.SECTION)
    first = crowd(gh, 64).ask()
    busy.has(1)
    r = ask(gh)
    assert (r.status, r.get("Retry-After")) == (503, "1")
    assert gh.log()[0]["fault"] == "upstream_full"
    assert limits(gh) == {
        "max_connections": 1, "adaptive": False, "queue": 0, "limit": 1,
        "active": 1, "waiting": 0, "waited": 0, "refused": 1, "timeouts": 0}
    text = admin.cli(gh).stdout
    assert "LIMITS" in text and "REFUSED" in text
    busy.open()
    assert statuses(first) == {200: 1}
    assert ask(gh).status == 200


def test_a_full_server_is_passed_over(front, origin, named, crowd):
    """The others are asked, at last the backup."""
    busy = Busy()
    gh = front([f"{origin(busy).address} max_connections=1",
                f"{named(b'backup').address} backup"])
    first = crowd(gh, 64).ask()
    busy.has(1)
    assert ask(gh).body == b"backup"
    busy.open()
    assert statuses(first) == {200: 1}
    assert ask(gh).body == b"ok"


def test_a_client_that_leaves_gives_its_place_back(front, origin):
    busy = Busy()
    gh = front([origin(busy)], upstream="max_connections = 1",
               site=admin.SECTION)
    c = gh.client()
    c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    busy.has(1)
    abort_on_close(c.sock)
    c.close()
    idle(gh)
    busy.open()
    assert ask(gh).status == 200


def test_a_try_again_keeps_one_place(front, origin):
    """The status of the first server sends it to the second, though the
    upstream may have one request alone."""
    gh = front([origin(lambda conn, r: conn.send(BAD)), origin()],
               upstream="max_connections = 1\nretry = 503",
               site=admin.SECTION)
    assert [ask(gh).status for _ in range(4)] == [200] * 4
    idle(gh)


def test_a_try_again_needs_a_place_too(front, origin, crowd):
    """The next server is full: the answer stands."""
    busy = Busy()
    gh = front([f"{origin(busy).address} max_connections=1",
                f"{origin(lambda conn, r: conn.send(BAD)).address} backup"],
               upstream="retry = 503", site=admin.SECTION)
    first = crowd(gh, 64).ask()
    busy.has(1)
    assert ask(gh).status == 503
    assert gh.log()[0]["fault"] == "-"
    busy.open()
    assert statuses(first) == {200: 1}
    idle(gh)


ASK = (b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n"
       b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")


@pytest.mark.parametrize("where", ["server", "upstream"])
def test_a_tunnel_counts_until_it_ends(front, origin, where):
    """It has its place as long as it lives; its end, from either side, gives
    it back."""
    def script(conn):
        while True:
            head = conn.reader.head()
            if head.get("upgrade") is None:
                conn.send(OK)
                continue
            conn.send(SWITCH)
            conn.send(conn.reader.exactly(4))
            assert conn.reader.sock.recv(10) == b""
            conn.close()
            return

    o = origin(script, raw=True)
    gh = front([f"{o.address} max_connections=1" if where == "server" else o],
               upstream="" if where == "server" else "max_connections = 1",
               site=admin.SECTION)
    for _ in range(2):
        with gh.client() as c:
            assert c.send(ASK).response().status == 101
            assert c.send(b"ping").reader.exactly(4) == b"ping"
            assert limits(gh)["active"] == 1
            assert [ask(gh).status for _ in range(2)] == [503] * 2
        idle(gh)
        assert ask(gh).status == 200


def test_explain_speaks_of_it(front, origin):
    o = origin()
    gh = front([f"{o.address} max_connections=3"],
               upstream="max_connections = 7\nqueue = 9 timeout=2s\n"
               "adaptive = on")
    out = run("explain", "GET", "http://a/", "-c", gh.ini).stdout
    assert "7 requests at once to all servers" in out
    assert f"3 requests at once to {o.address}" in out
    assert "9 requests may wait for a place, 2000ms each" in out
    assert "as servers were found to bear" in out
