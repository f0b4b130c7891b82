"""Answers to plain requests are kept as RFC 9111 has it for shared caches, each
under the whole of its target."""
from lib import h2
from lib.origin import ok

CACHE = "[cache web]\nmemory = 4m\nstatus_header = on\n"
OVER = 3  # exchanges that wait for their clients


def test_what_may_be_kept_is_kept(proxy, origin):
    a = origin(lambda c, r: c.send(ok(r.target.encode(),
                                      b"Cache-Control: max-age=60\r\n")))
    b = origin(lambda c, r: c.send(ok(b"other",
                                      b"Cache-Control: max-age=60\r\n")))
    p = proxy("cache = web", more=CACHE)
    for _ in range(2):
        assert p.get(f"http://{a.address}/x").text == "/x"
        # the same host on another port is another place
        assert p.get(f"http://{b.address}/x").text == "other"
    assert (len(a.requests), len(b.requests)) == (1, 1)
    got = p.get(f"http://{a.address}/x", "Cache-Control: no-cache")
    assert got.text == "/x" and len(a.requests) == 2


def test_what_is_one_clients_is_not_kept(proxy, origin):
    """Neither what sets cookies nor what a name and password open."""
    o = origin(lambda c, r: c.send(ok(
        b"x", b"Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n"
        if r.target == "/set" else b"Cache-Control: max-age=60\r\n")))
    p = proxy("cache = web", more=CACHE)
    for _ in range(2):
        p.get(f"http://{o.address}/set")
        p.get(f"http://{o.address}/mine", "Authorization: Basic eDp5")
    assert len(o.requests) == 4


def test_a_stale_answer_is_renewed_where_it_came_from(proxy, origin):
    """In the background: an exchange without a client goes to the same
    destination."""
    o = origin(lambda c, r: c.send(ok(
        b"%d" % len(o.requests),
        b"Cache-Control: max-age=0, stale-while-revalidate=60\r\n")))
    p = proxy("cache = web", more=CACHE)
    url = f"http://{o.address}/"
    assert p.get(url).text == "1"
    assert p.get(url).text == "1"
    o.wait_requests(2)
    assert o.requests[1].get("host") == o.address


def test_what_a_parent_answers_is_kept(proxy, origin):
    """Names are the parent's to look up, and so when the answer is for the cache:
    that its address is not known here ends no worker. What is stale is renewed
    there, too."""
    o = origin(lambda c, r: c.send(ok(
        r.target.encode(), b"Cache-Control: max-age=60\r\n"
        if "fresh" in r.target else
        b"Cache-Control: max-age=0, stale-while-revalidate=60\r\n")))
    p = proxy(f"cache = web\nparent = http://{o.address}", more=CACHE)
    workers = p.gh.workers()
    for url in ("http://a.test/fresh?x", "http://a.test/stale"):
        assert [p.get(url).text for _ in range(2)] == [url] * 2
    o.wait_requests(3)
    assert [r.target for r in o.requests] == [
        "http://a.test/fresh?x", "http://a.test/stale", "http://a.test/stale"]
    assert not p.dns.asked and p.gh.workers() == workers


def test_the_log_names_the_server_of_a_failure(proxy, origin):
    """The exchange that asked for the cache ends before its client's, which waits
    for room here: what the log says of the server outlives it, also when others
    were served meanwhile."""
    o = origin(lambda c, r: c.send(b"garbage\r\n\r\n") if "bad" in r.target
               else c.send(ok(b"x" * 500)))
    p = proxy("cache = web", more=CACHE, listen="h2c = on")
    with h2.Conn(("127.0.0.1", p.gh.port),
                 settings={h2.INITIAL_WINDOW_SIZE: 0}) as c:
        streams = [c.ask("GET", "/bad", authority=o.address)
                   for _ in range(OVER)]
        c.pump(lambda: all(c.stream(s).status for s in streams))
        assert {c.stream(s).status for s in streams} == {502}
        for i in range(5):
            assert p.get(f"http://{o.address}/{i}",
                         "X-Long: " + "y" * 5000).status == 200
        for s in streams:
            c.send(h2.rst_stream(s))
        lines = [line for line in p.lines(OVER + 5) if "/bad" in line]
    assert [line.split()[4] for line in lines] == [o.address] * OVER
