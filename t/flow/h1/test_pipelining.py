"""Requests sent before earlier ones are answered (RFC 9112 9.3.2)."""
from lib.origin import ok


def echo(conn, request):
    conn.send(ok(request.target.encode() + b" " + request.body))


def ask(target, extra=b"", body=b"", method=b"GET"):
    return (method + b" " + target + b" HTTP/1.1\r\nHost: test\r\n" + extra +
            b"\r\n" + body)


def test_answers_come_in_the_order_of_requests(pair):
    """RFC 9112 9.3.2: responses are sent in the order of the requests."""
    gh, _ = pair(echo)
    n = 50
    with gh.client() as c:
        c.send(b"".join(ask(b"/%d" % i) for i in range(n)))
        assert [c.response().text for _ in range(n)] == \
            [f"/{i} " for i in range(n)]


def test_a_slow_answer_is_not_overtaken(pair):
    """RFC 9112 9.3.2: the second answer waits for the first."""
    def script(conn, request):
        if request.target == "/slow":
            gate.append(conn)
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslo")
        else:
            conn.send(ok(b"fast"))

    gate = []
    gh, o = pair(script)
    with gh.client() as c:
        c.send(ask(b"/slow") + ask(b"/fast"))
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(3) == b"slo"
        assert [r.target for r in o.requests] == ["/slow"]
        gate[0].send(b"w one")
        assert c.reader.exactly(5) == b"w one"
        assert c.response().text == "fast"


def test_request_behind_content_in_one_write(pair):
    """RFC 9112 6: the next request begins where the content ends."""
    gh, o = pair(echo)
    with gh.client() as c:
        c.send(ask(b"/a", b"Content-Length: 3\r\n", b"abc", b"POST") +
               ask(b"/b", b"Transfer-Encoding: chunked\r\n",
                   b"2\r\nxy\r\n0\r\n\r\n", b"POST") + ask(b"/c"))
        assert [c.response().text for _ in range(3)] == \
            ["/a abc", "/b xy", "/c "]
    assert [r.method for r in o.requests] == ["POST", "POST", "GET"]


def test_nothing_is_served_behind_a_close(pair):
    """RFC 9112 9.6: what follows a request with close is not processed."""
    gh, o = pair(echo)
    with gh.client() as c:
        c.send(ask(b"/last", b"Connection: close\r\n") + ask(b"/never"))
        assert c.response().text == "/last "
        assert c.is_closed()
    assert [r.target for r in o.requests] == ["/last"]


def test_head_split_over_the_end_of_the_first(pair):
    """RFC 9112 9.3.2: the start of a request may come with the one before."""
    gh, _ = pair(echo)
    second = ask(b"/b")
    with gh.client() as c:
        c.send(ask(b"/a") + second[:9])
        assert c.response().text == "/a "
        c.send(second[9:])
        assert c.response().text == "/b "


def test_half_close_after_pipelined_requests(pair):
    """RFC 9112 9.6: a client that ends its direction gets all its answers."""
    gh, _ = pair(echo)
    with gh.client() as c:
        c.send(b"".join(ask(b"/%d" % i) for i in range(5))).shut()
        assert [c.response().text for _ in range(5)] == \
            [f"/{i} " for i in range(5)]
        assert c.is_closed()
