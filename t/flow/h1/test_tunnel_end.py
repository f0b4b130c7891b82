"""Tunnels of an old configuration (RFC 9110 7.8)."""
import queue
import signal

from lib.wire import WAIT_S

ASK = (b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\n"
       b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")


def tunnel(pair, limits):
    """gatehouse and a client with a tunnel through it; what the origin read
    of it at its end comes through the queue."""
    def script(conn):
        conn.reader.head()
        conn.send(SWITCH)
        conn.send(conn.reader.exactly(4))
        try:
            ended.put(conn.reader.sock.recv(10))
        except ConnectionResetError:
            ended.put(b"")

    ended = queue.Queue()
    gh, _ = pair(script, raw=True, **{"global": limits})
    c = gh.client()
    assert c.send(ASK).response().status == 101
    assert c.send(b"ping").reader.exactly(4) == b"ping"
    return gh, c, ended


def test_a_tunnel_ends_when_its_time_after_a_reload_is_over(pair):
    """tunnel_timeout_on_reload counts from the end of shutdown_timeout."""
    gh, c, ended = tunnel(
        pair, "shutdown_timeout = 50ms\ntunnel_timeout_on_reload = 100ms")
    with c:
        gh.reload()
        c.is_closed()
        assert ended.get(timeout=WAIT_S) == b""


def test_a_fast_stop_ends_tunnels(pair):
    """TERM: tunnels end with the worker."""
    gh, c, ended = tunnel(pair, "shutdown_timeout = 1m")
    with c:
        assert gh.stop(signal.SIGTERM) == 0
        c.is_closed()
        assert ended.get(timeout=WAIT_S) == b""
