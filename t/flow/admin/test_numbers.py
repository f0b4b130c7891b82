"""What status says of servers: numbers that all workers count together."""
import json
import re

from lib import admin
from lib.origin import OK
from lib.procs import until

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
retry = none
server = {a}
server = {b}
""" + admin.SECTION


def numbers(gh):
    server, = admin.status(gh)["upstreams"]
    return [(s["active"], s["requests"], s["failures"])
            for s in server["servers"]]


def test_requests_and_failures_of_each_server(gatehouse, origin):
    """Doc admin.md: active now, tries begun, tries without a whole answer; the
    command prints the same."""
    held = []
    a = origin(lambda conn, request: held.append(conn))
    b = origin(lambda conn, request: conn.reset())
    gh = gatehouse(INI, a=a.address, b=b.address)
    assert numbers(gh) == [(0, 0, 0), (0, 0, 0)]
    clients = []
    # as many as both workers need to have turned to the first one
    while len(held) < 3:
        client, n = gh.client(), len(a.requests) + len(b.requests)
        clients.append(client)
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: len(a.requests) + len(b.requests) > n)
        until(lambda: len(held) == len(a.requests))
    n_failed = len(b.requests)
    want = [(3, 3, 0), (0, n_failed, n_failed)]
    until(lambda: numbers(gh) == want, what=str(want))
    out = admin.cli(gh)
    assert re.search(rf"app +1 +3 +3 +0 +{re.escape(a.address)}", out.stdout)
    out = json.loads(admin.cli(gh, "--json").stdout)
    assert out["upstreams"][0]["servers"][0] == {
        "address": a.address, "weight": 1, "backup": False, "at": None,
        "active": 3, "requests": 3, "failures": 0, "health": "up", "why": None,
        "since": None, "until": None, "order": "auto",
        "weight_order": None, "history": []}
    for conn in held:
        conn.send(OK)
    want[0] = (0, 3, 0)
    until(lambda: numbers(gh) == want, what="the end of all")
    for client in clients:
        client.close()
