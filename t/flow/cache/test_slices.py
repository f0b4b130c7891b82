"""What is longer than a slice is kept in slices: each is fetched by Range when
it is needed, once for all who wait, and none of two versions is ever mixed
(RFC 9110 14 and 15.3.7.3, RFC 9111 3.3 and 3.4)."""
import collections
import functools
import re
import threading

import pytest

from lib import h2
from lib.gatehouse import run
from lib.soak_origin import range_of
from lib.wire import WAIT_S, Malformed, Truncated

KB = 1 << 10
SLICE = 64 * KB
LIMITS = "memory = 8m\nmax_object = 256k\nslice = 64k"


@functools.lru_cache(4)
def content(n, version=1):
    """Bytes of which each place and version is told from the others."""
    return b"".join(b"%d:%07d " % (version, i) for i in range(n // 10 + 1))[:n]


class Big:
    """An origin with one thing."""

    def __init__(self, size=5 * SLICE + 100, etag=b'"v%d"', fields=b""):
        self.size, self.tag, self.fields = size, etag, fields
        self.version = 1
        self.takes_ranges = True
        self.max_age = 600
        self.hold = None
        self.breaks = 0  # times for each slice but the first
        self.seen = collections.Counter()

    @property
    def etag(self):
        return self.tag and (self.tag % self.version if b"%d" in self.tag
                             else self.tag)

    @property
    def body(self):
        return content(self.size, self.version)

    def __call__(self, conn, request):
        if self.hold and request.get("range", "").startswith(self.hold[0]):
            assert self.hold[1].wait(WAIT_S)
        head = b"Cache-Control: max-age=%d\r\n" % self.max_age + self.fields
        if self.etag:
            head += b"ETag: %s\r\n" % self.etag
        if self.etag and request.get("if-none-match") == self.etag.decode():
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" + head + b"\r\n")
            return
        body, line = self.body, b"200 OK"
        wish = request.get("range")
        if wish and self.takes_ranges:
            found = range_of(wish, len(body))
            if found is None:
                conn.send(b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n"
                          b"Content-Range: bytes */%d\r\n\r\n" % len(body))
                return
            line = b"206 Part"
            head += b"Content-Range: bytes %d-%d/%d\r\n" % (*found, len(body))
            body = body[found[0]:found[1] + 1]
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        if request.method == "HEAD":
            body = b""
        self.seen[wish] += 1
        if wish and not wish.startswith("bytes=0-") and \
                self.seen[wish] <= self.breaks:
            conn.send(b"HTTP/1.1 " + line + b"\r\n" + head + body[:1000])
            conn.reset()
            return
        conn.send(b"HTTP/1.1 " + line + b"\r\n" + head + body)


@pytest.fixture
def big(cached):
    """big(...) gives (gatehouse, origin, thing)."""
    def make(thing=None, limits=LIMITS, **more):
        thing = thing or Big()
        gh, o = cached(thing, limits=limits, **more)
        return gh, o, thing
    return make


def get(gh, extra="", **more):
    with gh.client() as c:
        return c.get("/big", extra=extra.encode(), **more)


def read_slices(client, n):
    """So many slices' bytes of an answer's content."""
    return b"".join(client.reader.exactly(SLICE) for _ in range(n))


def asked(o):
    return [r.get("range") for r in o.requests]


def slices(*numbers, size=0):
    """Of what has this size, which the first question does not know."""
    ends = [(n + 1) * SLICE for n in numbers]
    return [f"bytes={n * SLICE}-{min(end, size or end) - 1}"
            for n, end in zip(numbers, ends)]


def test_all_of_it_is_its_slices(big):
    """In order, each asked for once, and the end is shorter."""
    gh, o, thing = big()
    r = get(gh)
    assert (r.status, r.body) == (200, thing.body)
    assert r.get("content-length") == str(thing.size)
    assert r.get("content-range") is None
    assert r.get("etag") == '"v1"'
    assert asked(o) == slices(0, 1, 2, 3, 4, 5, size=thing.size)
    assert "fwd=uri-miss" in r.get("cache-status")
    r = get(gh)
    assert (r.status, r.body) == (200, thing.body)
    assert re.search("hit.*detail=sliced", r.get("cache-status"))
    assert len(o.requests) == 6


def test_a_range_fetches_the_slices_that_it_lies_in(big):
    gh, o, thing = big()
    first, last = 2 * SLICE + 5, 3 * SLICE + 5
    r = get(gh, f"Range: bytes={first}-{last}\r\n")
    assert (r.status, r.body) == (206, thing.body[first:last + 1])
    assert r.get("content-range") == f"bytes {first}-{last}/{thing.size}"
    assert asked(o) == slices(2, 3)
    r = get(gh, "Range: bytes=-10\r\n")
    assert (r.status, r.body) == (206, thing.body[-10:])
    assert "fwd=partial" in r.get("cache-status")
    assert asked(o) == slices(2, 3, 5, size=thing.size)
    assert get(gh).body == thing.body
    assert sorted(asked(o)) == sorted(
        slices(0, 1, 2, 3, 4, 5, size=thing.size))


@pytest.mark.parametrize("how, first", [
    ("bytes=-100", 0), ("bytes=0-9,200000-200009,100000-100004", 0),
    ("bytes=327000-", 4)])
def test_other_ranges_of_what_is_not_known(big, how, first):
    gh, o, thing = big()
    r = get(gh, f"Range: {how}\r\n")
    assert r.status == 206
    assert asked(o)[0] == slices(first)[0]
    for part in how[6:].split(","):
        a, _, b = part.partition("-")
        want = thing.body[int(a):int(b) + 1 if b else None] if a else \
            thing.body[-int(b):]
        assert want in r.body
    assert "multipart" in (r.get("content-type") or "") or "," not in how


def test_416_and_conditions_and_head_are_answered_from_the_mark(big):
    gh, o, thing = big()
    get(gh, "Range: bytes=0-0\r\n")
    r = get(gh, f"Range: bytes={thing.size}-\r\n")
    assert (r.status, r.get("content-range")) == (416,
                                                  f"bytes */{thing.size}")
    assert get(gh, 'If-None-Match: "v1"\r\n').status == 304
    r = get(gh, method="HEAD")
    assert r.get("content-length") == str(thing.size)
    r = get(gh, 'Range: bytes=5-9\r\nIf-Range: "v1"\r\n')
    assert (r.status, r.body) == (206, thing.body[5:10])
    assert asked(o) == slices(0)
    r = get(gh, 'Range: bytes=5-9\r\nIf-Range: "v2"\r\n')
    assert (r.status, r.body) == (200, thing.body)


@pytest.mark.parametrize("extra, status", [
    (f"Range: bytes={1 << 40}-\r\n", 416), ("Authorization: x\r\n", 200)])
def test_what_one_client_asks_spoils_no_slices(big, extra, status):
    """Behind the end, or what is for itself alone: that is the server's to
    answer, and says nothing of what others ask."""
    gh, o, thing = big()
    assert get(gh, extra).status == status
    n = len(o.requests)
    assert get(gh).body == thing.body
    assert asked(o)[n:] == slices(0, 1, 2, 3, 4, 5, size=thing.size)


def test_one_request_for_each_slice_whoever_asks(big):
    """A hundred clients on both workers, while nothing is there yet."""
    gate = threading.Event()
    thing = Big()
    thing.hold = ("bytes=0-", gate)
    gh, o, thing = big(thing)
    clients = [gh.client() for _ in range(100)]
    for c in clients:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
    o.wait_requests(1)
    gate.set()
    for c in clients:
        assert c.response().body == thing.body
        c.close()
    assert sorted(asked(o)) == sorted(
        slices(0, 1, 2, 3, 4, 5, size=thing.size))


def test_slices_are_fetched_when_they_are_needed(big):
    """One ahead of a client that reads nothing, no more."""
    gh, o, thing = big(Big(size=100 * SLICE))
    with gh.client(rcvbuf=4096) as lazy:
        lazy.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        lazy.reader.response_head()
        # others are served meanwhile, and the lazy one's worker, too
        for _ in range(4):
            assert get(gh, "Range: bytes=0-9\r\n").status == 206
        n = len(o.requests)
        assert n < 90
        assert asked(o)[:n] == slices(*range(n))
        assert read_slices(lazy, 100) == thing.body
    assert len(o.requests) == 100


def test_what_fits_into_a_slice_is_kept_whole(big):
    gh, o, thing = big(Big(size=SLICE))
    for _ in range(2):
        r = get(gh)
        assert (r.status, r.body) == (200, thing.body)
        assert r.get("content-range") is None
    assert "sliced" not in r.get("cache-status")
    r = get(gh, "Range: bytes=9-\r\n")
    assert (r.status, r.body) == (206, thing.body[9:])
    assert asked(o) == slices(0)


@pytest.mark.parametrize("size, n_asked", [(3 * SLICE, 1), (5 * SLICE, 3)])
def test_a_server_that_answers_with_all_of_it(big, size, n_asked):
    """Kept as far as max_object goes, else passed through, which is
    remembered."""
    thing = Big(size=size)
    thing.takes_ranges = False
    gh, o, thing = big(thing)
    for _ in range(3):
        r = get(gh)
        assert (r.status, r.body) == (200, thing.body)
    assert len(o.requests) == n_asked
    assert asked(o) == (slices(0) + [None, None])[:n_asked]


@pytest.mark.parametrize("etag", [b"", b'W/"v%d"'])
@pytest.mark.parametrize("size, n_asked", [(3 * SLICE, 2), (5 * SLICE, 4)])
def test_without_a_strong_validator_there_are_no_slices(
        big, etag, size, n_asked):
    """All of it is asked for again, and that is remembered."""
    gh, o, thing = big(Big(size=size, etag=etag))
    for _ in range(3):
        r = get(gh)
        assert (r.status, r.body) == (200, thing.body)
    assert asked(o) == slices(0) + [None] * (n_asked - 1)


def test_what_may_not_be_kept_is_not(big):
    gh, o, thing = big(Big(fields=b"Cache-Control: private\r\n"))
    for _ in range(3):
        r = get(gh)
        assert (r.status, r.body) == (200, thing.body)
    assert "hit" not in r.get("cache-status")
    r = get(gh, "Range: bytes=5-9\r\n")
    assert (r.status, r.body) == (206, thing.body[5:10])


def test_another_version_breaks_the_answer_and_ends_the_old_slices(big):
    """Nothing of the new one comes into what began as the old one."""
    gate = threading.Event()
    gh, o, thing = big(Big(size=100 * SLICE))
    thing.hold = (f"bytes={90 * SLICE}-", gate)
    old = thing.body
    with gh.client() as c:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        c.reader.response_head()
        assert read_slices(c, 80) == old[:80 * SLICE]
        thing.version = 2
        gate.set()
        with pytest.raises((Truncated, Malformed, ConnectionResetError)):
            rest = read_slices(c, 20)
            assert rest != old[80 * SLICE:], "the origin was too fast"
    got = bytes(c.reader.buf)
    assert b"2:" not in got
    r = get(gh)
    assert (r.status, r.body, r.get("etag")) == (200, thing.body, '"v2"')
    # what the broken answer had begun may have ended just now
    assert get(gh).body == thing.body
    n = len(o.requests)
    assert get(gh).body == thing.body
    assert len(o.requests) == n


def test_a_new_version_is_seen_before_an_answer_begins(big):
    """A mark that is fresh, and a slice that is not there."""
    gh, o, thing = big()
    get(gh, "Range: bytes=0-0\r\n")
    thing.version = 2
    r = get(gh, f"Range: bytes={3 * SLICE}-{3 * SLICE + 9}\r\n")
    assert (r.status, r.get("etag")) == (206, '"v2"')
    assert r.body == thing.body[3 * SLICE:3 * SLICE + 10]
    assert get(gh).body == thing.body


def test_slices_are_validated_together(big):
    thing = Big()
    thing.max_age = 0
    gh, o, thing = big(thing, cache="stale_if_error = none")
    assert get(gh).body == thing.body
    n = len(o.requests)
    assert get(gh).body == thing.body
    assert len(o.requests) == n + 1
    assert o.requests[-1].get("if-none-match") == '"v1"'
    thing.version = 2
    assert get(gh).body == thing.body
    assert asked(o)[n + 1:] == slices(0, 1, 2, 3, 4, 5, size=thing.size)


def test_a_slice_that_breaks_is_fetched_again(big):
    gh, o, thing = big(Big(size=6 * SLICE), upstream="retry = none")
    thing.breaks = 3
    assert get(gh).body == thing.body
    assert len(o.requests) == 6 + 5 * 3
    assert get(gh).body == thing.body
    assert len(o.requests) == 6 + 5 * 3


def test_a_slice_that_breaks_each_time_comes_past_the_cache(big):
    """The rest is asked for once, from where it broke; then the answer ends
    in the middle."""
    gh, o, thing = big(upstream="retry = none")
    thing.breaks = 100
    with gh.client() as c:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        with pytest.raises((Truncated, ConnectionResetError)):
            c.response()
    *tried, rest = asked(o)
    assert set(tried) == set(slices(0, 1)) and len(tried) < 8
    assert int(rest[6:].partition("-")[0]) >= SLICE
    assert rest.endswith(f"-{thing.size - 1}")


@pytest.mark.parametrize("path", ["/big", "/b*", "/"])
def test_purges_reach_slices(big, path):
    gh, o, thing = big(cache="purge_allow = 127.0.0.0/8",
                       thing=Big(fields=b"Cache-Tag: large\r\n"))
    assert get(gh).body == thing.body
    extra = b"" if path != "/" else b"Cache-Tag: large\r\n"
    with gh.client() as c:
        assert c.get(path, method="PURGE", extra=extra).status == 200
    # an origin that lies about its tag: only a purge helps
    thing.tag = b'"v1"'
    thing.version = 2
    assert get(gh).body == thing.body
    assert len(o.requests) == 12


@pytest.mark.heavy
def test_a_cache_without_room_passes_slices_through(big):
    """Clients that do not read have all of its memory pinned."""
    gh, o, thing = big(Big(size=150 * SLICE),
                       "memory = 1m\nmax_object = 128k\nslice = 64k")
    lazy = [gh.client(rcvbuf=4096) for _ in range(24)]
    for i, c in enumerate(lazy):
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n"
               b"Range: bytes=%d-\r\n\r\n" % (i * SLICE))
    for c in lazy:
        assert c.reader.response_head().status == 206
    assert get(gh).body == thing.body
    assert [r for r in asked(o) if r is None or r not in slices(
        *range(150), size=thing.size)], "a slice through no cache"
    for i, c in enumerate(lazy):
        if i % 8 == 0:
            assert read_slices(c, 150 - i) == thing.body[i * SLICE:]
        c.close()


def test_only_if_cached_gets_what_is_there(big):
    gh, o, thing = big()
    only = "Cache-Control: only-if-cached\r\n"
    assert get(gh, only).status == 504
    get(gh, f"Range: bytes=0-{2 * SLICE - 1}\r\n")
    assert get(gh, only).status == 504
    r = get(gh, only + f"Range: bytes=5-{2 * SLICE - 1}\r\n")
    assert (r.status, r.body) == (206, thing.body[5:2 * SLICE])
    assert asked(o) == slices(0, 1)


def test_a_slice_is_read_while_it_grows(big):
    """By who caused it, and by who came later."""
    gate = threading.Event()
    thing = Big(size=2 * SLICE)

    def script(conn, request):
        half = conn.send

        def send(data):
            half(data[:1000])
            assert gate.wait(WAIT_S)
            half(data[1000:])
        conn.send = send
        thing(conn, request)
        del conn.send

    gh, o, _ = big(script)
    clients = [gh.client() for _ in range(8)]
    for c in clients:
        c.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
    for c in clients:
        assert c.reader.response_head().status == 200
        assert c.reader.exactly(100) == thing.body[:100]
    gate.set()
    for c in clients:
        assert c.reader.exactly(thing.size - 100) == thing.body[100:]
        c.close()
    assert asked(o) == slices(0, 1)


def test_another_size_of_slices_begins_anew(big):
    """What is kept in slices of the old one is served on."""
    gh, o, thing = big()
    get(gh, f"Range: bytes=0-{3 * SLICE - 1}\r\n")
    gh.reload(gh.ini.read_text().replace("slice = 64k", "slice = 128k"))
    assert get(gh).body == thing.body
    assert asked(o) == slices(0, 1, 2, 3, 4, 5, size=thing.size)


def test_parts_of_what_has_no_strong_validator_are_kept_as_before(big):
    """RFC 9111 3.3, 3.4: the one that is there is used."""
    gh, o, thing = big(Big(etag=b""))
    for _ in range(3):
        r = get(gh, "Range: bytes=70000-70009\r\n")
        assert (r.status, r.body) == (206, thing.body[70000:70010])
    assert asked(o) == slices(1) + ["bytes=70000-70009"]


def test_http2_gets_slices_too(big):
    gh, o, thing = big()
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        numbers = [c.ask("GET", "/big") for _ in range(3)] + [
            c.ask("GET", "/big", ("range", "bytes=100000-200000"))]
        for number in numbers[:3]:
            assert c.answer(number).body == thing.body
        assert c.answer(numbers[3]).body == thing.body[100000:200001]
    assert sorted(asked(o)) == sorted(
        slices(0, 1, 2, 3, 4, 5, size=thing.size))


def test_what_is_stale_may_answer_while_it_is_renewed(big):
    gh, o, thing = big(Big(fields=b"Cache-Control: "
                           b"stale-while-revalidate=60\r\n"))
    thing.max_age = 0
    assert get(gh).body == thing.body
    old, thing.version = thing.body, 2
    assert get(gh).body == old
    o.wait_requests(7)
    assert asked(o)[6] == slices(0)[0]


def test_variants_have_slices_of_their_own(big):
    class Two(Big):
        def __call__(self, conn, request):
            self.version = 1 + (request.get("accept-language") == "de")
            super().__call__(conn, request)

    gh, o, _ = big(Two(fields=b"Vary: Accept-Language\r\n"))
    for _ in range(2):
        for lang, version in (("en", 1), ("de", 2)):
            r = get(gh, f"Accept-Language: {lang}\r\n")
            assert r.body == content(5 * SLICE + 100, version)
    assert "hit" in r.get("cache-status")
    assert len(o.requests) <= 13


@pytest.mark.parametrize("slice_, limits, why", [
    ("1k", "", "a slice has at least 4k"),
    ("64k", "max_object = 32k", "max_object is less"),
    ("1m", "memory = 4m", "memory has no room for 8 slices")])
def test_slices_that_cannot_be(tmp_path, slice_, limits, why):
    ini = tmp_path / "a.ini"
    ini.write_text(f"[cache c]\nslice = {slice_}\n{limits}\n")
    done = run("-t", "-c", ini)
    assert done.returncode != 0 and why in done.stderr


def test_rules_that_wait_for_the_whole_get_all_slices(cached, tmp_path):
    """Nobody takes any of it before they have seen the last one."""
    rules = tmp_path / "some.conf"
    rules.write_text(
        "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n"
        'SecRule RESPONSE_BODY "@contains 1:0032770" '
        '"id:1,phase:4,deny,status:418,chain"\n'
        'SecRule REQUEST_URI "@contains deny"\n')
    o = Big(fields=b"Content-Type: text/plain\r\n")
    gh, _ = cached(o, limits=LIMITS, site="waf = w",
                   more=f"[waf w]\nrules = {rules}")
    for _ in range(2):
        with gh.client() as c:
            assert c.get("/x").body == o.body
            part = c.get("/x", extra=b"Range: bytes=65000-200000\r\n")
            assert part.status == 206 and part.body == o.body[65000:200001]
            assert c.get("/x?deny").status == 418


@pytest.mark.parametrize("breaks, limit, n", [
    (1, 4096 * KB, 5), (0, 3 * SLICE, 40), (1, 3 * SLICE, 40)])
def test_rules_get_slices_that_break_and_more_than_they_look_at(
        cached, tmp_path, breaks, limit, n):
    """What a broken slice gave of itself is not waited for, nor what follows
    those that rules look at."""
    rules = tmp_path / "some.conf"
    rules.write_text(
        "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n"
        f"SecResponseBodyLimit {limit}\n"
        "SecResponseBodyLimitAction ProcessPartial\n"
        'SecRule RESPONSE_BODY "@contains secret" "id:1,phase:4,deny"\n')
    o = Big(n * SLICE + 100, fields=b"Content-Type: text/plain\r\n")
    o.breaks = breaks
    gh, _ = cached(o, limits=LIMITS, site="waf = w",
                   more=f"[waf w]\nrules = {rules}")
    for _ in range(2):
        answer = get(gh)
        assert (answer.status, answer.body) == (200, o.body)
