"""Many clients ask for one thing that is not there: the origin is asked once,
and everybody reads while it comes (RFC 9111 4)."""
import threading

import pytest

from lib.origin import ok
from lib.procs import wait_gone
from lib.wire import WAIT_S, Truncated

FRESH = b"Cache-Control: max-age=3600\r\n"
MB = 1 << 20
# Of a thousand clients, who read it all.
READERS = 50


def pattern(n):
    """Bytes of which each place is told from its neighbours."""
    line = b"".join(b"%07d " % i for i in range(1 << 13))
    return (line * (n // len(line) + 1))[:n]


class Slowly:
    """An origin's script that sends a part of its answer, and the rest when it
    is let."""

    def __init__(self, body, first, head=None):
        self.head = head or (b"HTTP/1.1 200 OK\r\n" + FRESH +
                             b"Content-Length: %d\r\n\r\n" % len(body))
        self.body, self.first = body, first
        self.go = threading.Event()

    def __call__(self, conn, request):
        conn.send(self.head + self.body[:self.first])
        assert self.go.wait(WAIT_S)
        conn.send(self.body[self.first:])


def begin(gh, n, path="/"):
    """n clients that have asked."""
    clients = [gh.client() for _ in range(n)]
    for c in clients:
        c.send(b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % path.encode())
    return clients


def read_some(client, n):
    """Head of the answer, and at least n bytes of its content."""
    head = client.reader.response_head()
    assert head.status == 200
    return client.reader.exactly(n)


@pytest.mark.heavy
def test_one_request_for_a_thousand_clients(cached):
    body = pattern(10 * MB)
    slowly = Slowly(body, MB)
    gh, o = cached(slowly)
    clients = begin(gh, 1000)
    # everybody has the first bytes while the origin still holds the last
    for c in clients:
        assert read_some(c, 1000) == body[:1000]
    assert len(o.requests) == 1
    # to its end it goes to some of them, since it takes long to compare
    for c in clients[READERS:]:
        c.close()
    slowly.go.set()
    for c in clients[:READERS]:
        for part in range(1000, len(body), MB):
            whole = body[part:part + MB]
            assert c.reader.exactly(len(whole)) == whole
    assert len(o.requests) == 1
    with gh.client() as c:
        r = c.get()
        assert r.body == body
        assert "hit" in r.get("cache-status")
    assert len(o.requests) == 1
    for c in clients[:READERS]:
        c.close()


def test_chunked_content_is_shared_while_it_comes(cached):
    body = pattern(300000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (
        body[i:i + 10000] for i in range(0, len(body), 10000))) + b"0\r\n\r\n"
    slowly = Slowly(chunks, 100000,
                    b"HTTP/1.1 200 OK\r\n" + FRESH +
                    b"Transfer-Encoding: chunked\r\n\r\n")
    gh, o = cached(slowly)
    clients = begin(gh, 20)
    for c in clients:
        while b"0000100 " not in c.reader.buf:
            assert c.reader._more()
    slowly.go.set()
    for c in clients:
        assert c.response().body == body
        c.close()
    with gh.client() as c:
        r = c.get()
        assert r.body == body
        assert r.get("content-length") == str(len(body))
    assert len(o.requests) == 1


@pytest.mark.heavy
def test_a_client_that_does_not_read_stops_nobody(cached):
    """Neither the others nor the fill."""
    body = pattern(8 * MB)
    gh, o = cached(lambda conn, request: conn.send(ok(body, FRESH)))
    lazy = gh.client(rcvbuf=4096)
    lazy.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(1)
    with gh.client() as c:
        assert c.get().body == body
    assert len(o.requests) == 1
    assert lazy.response().body == body
    lazy.close()


def test_the_client_that_caused_it_may_leave(cached):
    body = pattern(MB)
    slowly = Slowly(body, 1000)
    gh, o = cached(slowly)
    first, = begin(gh, 1)
    assert read_some(first, 1000) == body[:1000]
    first.reset()
    others = begin(gh, 5)
    for c in others:
        assert read_some(c, 500) == body[:500]
    slowly.go.set()
    for c in others:
        assert c.reader.exactly(len(body) - 500) == body[500:]
        c.close()
    assert len(o.requests) == 1


def test_a_broken_answer_looks_whole_to_nobody(cached):
    """And nothing of it is kept."""
    def script(conn, request):
        if len(o.requests) > 1:
            conn.send(ok(body, FRESH))
            return
        conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
                  b"Content-Length: %d\r\n\r\n" % len(body) + body[:50000])
        assert go.wait(WAIT_S)
        conn.close()

    body = pattern(100000)
    go = threading.Event()
    gh, o = cached(script)
    clients = begin(gh, 10)
    for c in clients:
        assert read_some(c, 1000) == body[:1000]
    go.set()
    for c in clients:
        try:
            c.reader.exactly(len(body) - 1000)
            raise AssertionError("it looked whole")
        except (Truncated, ConnectionResetError):
            pass
        c.close()
    with gh.client() as c:
        assert c.get().body == body
    assert len(o.requests) == 2


def test_an_origin_that_says_nothing_leaves_nobody_waiting(cached):
    """Who waited gets its own answer when the fill fails before it began."""
    def script(conn, request):
        if len(o.requests) == 1:
            assert go.wait(WAIT_S)
            conn.reset()
        else:
            conn.send(ok(b"second", FRESH))

    go = threading.Event()
    gh, o = cached(script, upstream="retry = none")
    clients = begin(gh, 8)
    o.wait_requests(1)
    go.set()
    answers = [c.response() for c in clients]
    assert sorted({a.status for a in answers}) in ([200], [200, 502])
    assert sum(a.status == 502 for a in answers) <= 1
    for c in clients:
        c.close()


def test_answers_that_cannot_be_shared_are_not(cached):
    """Each client gets its own."""
    def script(conn, request):
        conn.send(ok(request.target.encode() + b" " +
                     request.get("x-who", "nobody").encode(),
                     b"Cache-Control: private\r\n"))

    gh, o = cached(script)
    clients = [gh.client() for _ in range(20)]
    for i, c in enumerate(clients):
        c.send(b"GET /own HTTP/1.1\r\nHost: test\r\nX-Who: %d\r\n\r\n" % i)
    for i, c in enumerate(clients):
        assert c.response().text == f"/own {i}"
        c.close()
    assert len(o.requests) == 20


def test_variants_are_fetched_once_each(cached):
    def script(conn, request):
        lang = request.get("accept-language", "none")
        assert go.wait(WAIT_S)
        conn.send(ok(lang.encode(), FRESH + b"Vary: Accept-Language\r\n"))

    go = threading.Event()
    gh, o = cached(script)
    clients = [gh.client() for _ in range(30)]
    for i, c in enumerate(clients):
        c.send(b"GET /v HTTP/1.1\r\nHost: test\r\nAccept-Language: %s\r\n\r\n"
               % (b"de", b"fr", b"it")[i % 3])
    o.wait_requests(1)
    go.set()
    for i, c in enumerate(clients):
        assert c.response().text == ("de", "fr", "it")[i % 3]
        c.close()
    # one for each variant, and at most one for each that was not known yet
    assert 3 <= len(o.requests) <= 6
    for lang in ("de", "fr", "it"):
        with gh.client() as c:
            r = c.get("/v", extra=f"Accept-Language: {lang}\r\n".encode())
            assert r.text == lang
            assert "hit" in r.get("cache-status")


def test_what_is_too_large_to_keep_goes_through_whole(cached):
    """Also when that is seen only on the way."""
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
                  b"Transfer-Encoding: chunked\r\n\r\n" + chunks)

    body = pattern(3 * MB)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (
        body[i:i + 100000] for i in range(0, len(body), 100000))) + \
        b"0\r\n\r\n"
    gh, o = cached(script, cache="", more="")
    gh.reload(gh.ini.read_text().replace("max_object = 16m",
                                         "max_object = 1m"))
    for _ in range(2):
        with gh.client() as c:
            assert c.get("/large").body == body
    assert len(o.requests) == 2


def test_nothing_is_left_when_clients_leave_in_the_middle(cached):
    """No descriptor, no fill."""
    gh, o = cached(lambda conn, request: conn.send(
        ok(pattern(200000), b"Cache-Control: private\r\n")))
    for _ in range(20):
        with gh.client(rcvbuf=4096) as c:
            c.send(b"GET /p HTTP/1.1\r\nHost: test\r\n\r\n")
            c.reader.response_head()
            c.reset()
    o.wait_requests(20)
    workers = gh.workers()
    gh.stop()
    for pid in workers:
        wait_gone(pid)


def test_content_that_finds_no_room_goes_through_whole(cached):
    """Whatever part of it came into the cache before that was seen."""
    def script(conn, request):
        n = int(request.target[2:])
        body = pattern(700000 + n)
        conn.send(b"HTTP/1.1 200 OK\r\n" + FRESH +
                  b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
                      b"%x\r\n%s\r\n" % (len(p), p) for p in (
                          body[i:i + 30000]
                          for i in range(0, len(body), 30000)))
                  + b"0\r\n\r\n")

    gh, o = cached(script, cache="", more="")
    gh.reload(gh.ini.read_text().replace("memory = 48m", "memory = 1m")
              .replace("pages", "little"))
    # each is pinned by a client that does not read, so there is no victim
    lazy = []
    for i in range(4):
        lazy.append(gh.client(rcvbuf=4096))
        lazy[-1].send(b"GET /p%d HTTP/1.1\r\nHost: test\r\n\r\n"
                      % i)
    for i in range(4, 12):
        with gh.client() as c:
            assert c.get(f"/p{i}").body == pattern(700000 + i)
    for i, c in enumerate(lazy):
        assert c.response().body == pattern(700000 + i)
        c.close()
