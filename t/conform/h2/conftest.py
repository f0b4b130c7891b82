"""What the cases of HTTP/2 are put to: gatehouse in front of an origin that
answers 200, or, to look at the cases themselves, another server that
GH_H2_PEER names (see lib/h2peers.py)."""
import os

import pytest

from lib import h2peers
from lib.h2case import judge
from lib.origin import ok

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
[route test /own]
respond = 200 hello
[upstream app]
server = {origin}
"""


def answer(conn, request):
    if request.method == "HEAD":
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    elif request.target == "/big":
        conn.send(ok(b"x" * 50000))
    else:
        conn.send(ok(b"hello"))


@pytest.fixture(scope="session")
def peer_name():
    return os.environ.get("GH_H2_PEER", "gatehouse")


@pytest.fixture(scope="module")
def address(peer_name, shared_gatehouse, shared_origin, tmp_path_factory):
    """Where the judged server speaks HTTP/2 by prior knowledge."""
    o = shared_origin(answer)
    if peer_name == "gatehouse":
        yield "127.0.0.1", shared_gatehouse(INI, origin=o.address).port
        return
    peer = h2peers.Peer(peer_name, tmp_path_factory.mktemp("peer"), o.address)
    yield "127.0.0.1", peer.port
    peer.close()


@pytest.fixture
def check(address):
    """check(row): do it and judge."""
    return lambda row: judge(address, row)
