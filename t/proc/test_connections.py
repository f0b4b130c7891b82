"""Many connections: limits of a worker, and an end in order for idle ones."""
import select
import signal

from lib.wire import WAIT_S


INI = """
[global]
workers = 2
worker_connections = 16
shutdown_timeout = {shutdown}
[listen x]
address = 127.0.0.1:{port}
idle_timeout = 10m
header_timeout = 60s
[site test]
hosts = *
respond = 200 {worker}
"""
MANY = 400
QUIET_S = 0.3


def ask(client):
    client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")


def test_a_full_worker_leaves_connections_to_others(gatehouse):
    """worker_connections: nobody is refused while another has room, and who
    finds none waits for it."""
    gh = gatehouse(INI, shutdown="30s")
    clients = [gh.client() for _ in range(32)]
    served = [c.get("/").text for c in clients]
    assert sorted(served) == ["0"] * 16 + ["1"] * 16
    more = [gh.client(timeout=WAIT_S) for _ in range(3)]
    for c in more:
        ask(c)
    assert not select.select([c.sock for c in more], [], [], QUIET_S)[0]
    # room for one: one of them gets it, of the worker that has it
    clients.pop(served.index("1")).close()
    ready, _, _ = select.select([c.sock for c in more], [], [], 30)
    assert len(ready) == 1
    first, = [c for c in more if c.sock in ready]
    assert first.response().text == "1"
    first.close()
    for c in more:
        if c is not first:
            assert c.response().status == 200
            c.close()
    for c in clients:
        assert c.get("/").status == 200
        c.close()


def test_idle_connections_end_in_order(gatehouse):
    """RFC 9112 9.5, 9.6: on QUIT every idle connection is closed, none is reset,
    and nobody waits for shutdown_timeout."""
    gh = gatehouse(INI.replace("worker_connections = 16", ""), shutdown="1h")
    clients = [gh.client() for _ in range(MANY)]
    for c in clients:
        assert c.get("/").get("connection") is None
    assert len(gh.workers()) == 2
    gh.send_signal(signal.SIGQUIT)
    assert all(c.is_closed() for c in clients)
    assert gh.process.wait(WAIT_S) == 0
    for c in clients:
        c.close()
