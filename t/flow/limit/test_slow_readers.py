"""Clients that take nothing of a large answer: of each the kernel holds a bounded
part, the server the rest, and others are served (doc/abuse.md)."""
import pathlib

from lib.procs import until
from lib.wire import Client

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = {origin}
[route test =/own]
respond = 200 served
"""
SLOW = 12
ANSWER = 4 << 20
# What waits to be sent, what was sent ahead of that into the window of a client
# that reads nothing, and a last write.
HELD_EACH = (256 + 64 + 64) << 10
ESTABLISHED = "01"


def held(port):
    """Bytes that the kernel holds for clients of that port, and how many."""
    n = total = 0
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    for words in map(str.split, lines):
        if int(words[1].split(":")[1], 16) == port and words[3] == ESTABLISHED:
            total += int(words[4].split(":")[0], 16)
            n += 1
    return n, total


def test_of_an_answer_that_nobody_reads_a_bounded_part_is_held(gatehouse,
                                                               origin):
    o = origin(lambda conn, r: conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ANSWER +
        b"x" * ANSWER))
    gh = gatehouse(INI, origin=o.address)
    slow = [Client(("127.0.0.1", gh.port), rcvbuf=4096) for _ in range(SLOW)]
    for c in slow:
        c.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(SLOW)
    seen = []

    def is_at_rest():
        seen.append(held(gh.port))
        return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3] and \
            seen[-1][1] > 0
    until(is_at_rest)
    n, total = seen[-1]
    assert n == SLOW
    assert total < SLOW * HELD_EACH
    for _ in range(50):
        with gh.client() as c:
            assert c.get("/own").text == "served"
    # who begins to read gets all of it
    assert len(slow[0].response().body) == ANSWER
    for c in slow:
        c.close()
