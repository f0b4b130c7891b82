"""Many clients for one thing (RFC 9111 4), PURGE, Cache-Status (RFC 9211), and
the same by HTTP/2."""
import concurrent.futures
import re

import pytest

from lib.cachecase import (ANY, CACHE, CHECKED, NOBODY, ORIGIN, UNEXPECTED,
                           behind, cache, checked, origin, row, rows)
from lib.cacheplay import Play
from lib.wire import WAIT_S, Client

FRESH = "Cache-Control: max-age=60"
STALE = "Cache-Control: max-age=0"
TAG = 'ETag: "a"'
MANY = 20


# --- one request for what many wait for --------------------------------------

@pytest.fixture
def crowd(address, book, peer_name):
    """crowd(step, site): MANY ask at once; the origin answers when it has been
    asked n_asked times. Returns the play and what they got."""
    plays = []

    def ask(step, site="rfc", before=(), n_asked=1):
        if peer_name != "gatehouse" and site != "rfc":
            pytest.skip("of gatehouse only")
        play = Play(book, address)
        play.site = site
        plays.append(play)
        for one in before:
            play.begin(one)
            play.ask(one)
        play.begin(step)
        with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
            asked = [pool.submit(play.ask, step) for _ in range(MANY)]
            with play.changed:
                play.changed.wait_for(lambda: len(play.requests) >= n_asked,
                                      play.hold_s)
            play.gate.set()
            got = [one.result(WAIT_S) for one in asked]
        return play, got

    yield ask
    for play in plays:
        play.close()


def test_many_for_what_is_new(crowd):
    """9111-4: requests are collapsed; who comes late gets it from the cache."""
    play, got = crowd(origin(FRESH, hold=True))
    assert len(play.requests) == 1
    assert all(g.body == play.bodies[0] for g in got), got


def test_many_for_what_is_stale(crowd):
    """9111-4.3: one of them asks whether it still holds."""
    play, got = crowd(checked(FRESH, TAG, hold=True),
                      before=[origin(STALE, TAG)])
    assert len(play.requests) == 1
    assert all(g.body == play.bodies[0] for g in got), got


@pytest.mark.parametrize("field", ["Cache-Control: private", "Vary: *",
                                   "Cache-Control: no-store"])
def test_many_for_what_nobody_may_share(crowd, field):
    """9111-4: what was made for one is not given to another."""
    play, got = crowd(origin(field, hold=True))
    assert all(g.status == 200 for g in got), got
    assert len(play.requests) == MANY


def test_many_each_for_himself(crowd):
    """coalesce = off: everybody who waits has asked."""
    play, got = crowd(origin("Cache-Control: no-store", hold=True),
                      site="apart", n_asked=MANY)
    assert len(play.requests) == MANY
    assert all(g.body == play.bodies[0] for g in got), got


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_many_when_it_breaks(crowd, framing):
    """9111-3.3: nobody gets less than he was told without noticing."""
    _, got = crowd(origin(FRESH, framing=framing, hold=True, breaks="body"))
    assert all(g.error or g.status in (502, 504) for g in got), got


def test_many_when_it_fails(crowd):
    """Nobody waits for ever when the one that was asked for all failed."""
    _, got = crowd(origin(hold=True, breaks="silent"))
    assert all(g.error or g.status in (502, 503, 504) for g in got), got


def test_followers_stream(address, book, of_gatehouse):
    """Who follows gets what has come so far, long before the end."""
    play = Play(book, address)
    play.begin(origin(FRESH, body=b"x" * 200000, pauses=True))
    clients = [Client(address) for _ in range(4)]
    for c in clients:
        c.send(f"GET {play.url} HTTP/1.1\r\nHost: rfc.test\r\n\r\n".encode())
        c.reader.response_head()
        assert c.reader.exactly(100000) == b"x" * 100000
    assert not play.gate.is_set() and len(play.requests) == 1
    play.gate.set()
    for c in clients:
        assert c.reader.exactly(100000) == b"x" * 100000
        c.close()
    play.close()


# --- PURGE -------------------------------------------------------------------

def purge(*ask, path="", status=200, **kwargs):
    """How a purge is asked for: the URL; what begins with it (`*` behind the
    path); what bears a tag (the field of tag_header); everything and softly
    (words of the field Purge)."""
    return cache(*ask, method="PURGE", path=path, status=status, via=NOBODY,
                 **kwargs)


def gone(name, *steps, fields=(FRESH, TAG), path=""):
    """After it, the origin is asked without a condition."""
    return row(f"purge-{name}", origin(*fields, path=path), *steps,
               origin(FRESH, 'ETag: "new"', path=path,
                      unasked=("if-none-match",)),
               cache(path=path), site="purged")


def soft(name, *steps, path=""):
    """After it, the origin is asked whether it still holds."""
    return row(f"purge-soft-{name}", origin(FRESH, TAG, "X-Tags: {url}",
                                            path=path), *steps,
               checked(FRESH, TAG, path=path, of=0), site="purged")


def spared(name, *steps, fields=(FRESH, TAG), path=""):
    return row(f"purge-{name}", origin(*fields, path=path), *steps,
               cache(path=path, of=0), site="purged")


TAGGED = (FRESH, TAG, "X-Tags: one{url}, two{url}")


@rows(
    gone("url", purge()),
    gone("url-with-a-query", purge(path="?a=1"), path="?a=1"),
    gone("twice", purge(), purge()),
    spared("of-another-url", purge(path="/x")),
    spared("of-another-query", purge(path="?a=1")),
    row("purge-of-nothing", purge(), origin(FRESH), site="purged"),
    row("purge-url-with-its-variants",
        origin(FRESH, "Vary: X-A", ask=("X-A: 1",)),
        origin(FRESH, "Vary: X-A", ask=("X-A: 2",)), purge(),
        origin(*UNEXPECTED, ask=("X-A: 1",)),
        origin(*UNEXPECTED, ask=("X-A: 2",)), site="purged"),
    gone("prefix", purge(path="/x/*"), path="/x/y"),
    gone("prefix-far-above", purge(path="/*"), path="/x/y/z"),
    spared("prefix-of-others", purge(path="/x/*"), path="/y/z"),
    spared("prefix-that-is-longer", purge(path="/x/y/*"), path="/x/y"),
    gone("tag", purge("X-Tags: one{url}"), fields=TAGGED),
    gone("second-tag", purge("X-Tags: two{url}"), fields=TAGGED),
    spared("another-tag", purge("X-Tags: three{url}"), fields=TAGGED),
    spared("a-part-of-a-tag", purge("X-Tags: on"), fields=TAGGED),
    gone("everything", purge("Purge: all")),
    soft("url", purge("Purge: soft")),
    soft("prefix", purge("Purge: soft", path="/x/*"), path="/x/y"),
    soft("tag", purge("Purge: soft", "X-Tags: {url}")),
    row("purge-by-who-may-not", origin(FRESH), purge(status=403),
        cache(of=0), site="kept"),
    row("purge-everything-by-who-may-not", origin(FRESH),
        purge("Purge: all", status=403), cache(of=0), site="kept"),
)
def test_purge(play, row):
    play(row)


# --- Cache-Status ------------------------------------------------------------

MEMBER = re.compile(r'\s*([^\s;,"]+|"[^"]*")((?:;[^,"]*(?:"[^"]*")?)*)\s*$')


def ours(got):
    """The parameters of the last member (RFC 9211 2)."""
    last = ",".join(got.all("cache-status")).rsplit(",", 1)[-1]
    found = MEMBER.match(last)
    assert found, got.fields
    pairs = (p.strip().partition("=") for p in found[2].split(";")
             if p.strip())
    return {name: value if eq else True for name, eq, value in pairs}


def told(**want):
    """Parameters that must be so; None: absent; a range: within."""
    def check(got, play):
        given = ours(got)
        for name, value in want.items():
            name = name.replace("_", "-")
            if isinstance(value, range):
                assert int(given[name]) in value, given
            else:
                assert given.get(name) == value, given
    return check


def counted(got, play):
    assert len(",".join(got.all("cache-status")).split(",")) == 2
    assert got.all("cache-status")[0].startswith("Far")


@rows(
    row("9211-2.1-hit", origin(FRESH), cache(check=told(hit=True, fwd=None))),
    row("9211-2.4-ttl", origin("Cache-Control: max-age=100", "Age: 30"),
        cache(check=told(ttl=range(40, 71)))),
    row("9211-2.4-ttl-of-what-is-stale",
        origin("Cache-Control: max-age=100", "Age: 150", TAG),
        cache("Cache-Control: max-stale", check=told(ttl=range(-80, -49)))),
    row("9211-2.2-uri-miss", origin(FRESH, check=told(fwd="uri-miss",
                                                      hit=None))),
    row("9211-2.2-vary-miss", origin(FRESH, "Vary: X-A", ask=("X-A: 1",)),
        origin(FRESH, "Vary: X-A", ask=("X-A: 2",),
               check=told(fwd="vary-miss", hit=None))),
    row("9211-2.2-stale", origin(STALE, TAG),
        checked(FRESH, check=told(fwd="stale", fwd_status="304", hit=None))),
    row("9211-2.2-stale-and-new", origin(STALE, TAG),
        origin(FRESH, 'ETag: "b"', check=told(fwd="stale", hit=None))),
    row("9211-2.2-request", origin(FRESH, TAG),
        checked(FRESH, ask=("Cache-Control: no-cache",),
                via=(CHECKED, ORIGIN), check=told(fwd="request", hit=None))),
    row("9211-2.2-method", origin(method="POST", sends=b"x",
                                  check=told(fwd="method", hit=None))),
    row("9211-2.5-stored", origin(FRESH, check=told(stored=True))),
    row("9211-2.5-not-stored", origin("Cache-Control: no-store",
                                      check=told(stored=None))),
    row("9211-2-what-is-farther-away-stands-first",
        origin(FRESH, "Cache-Status: Far; hit", check=counted),
        cache(check=counted)),
    row("9211-2-not-without-status_header", origin(
        FRESH, lacks=("cache-status",)), cache(lacks=("cache-status",)),
        site="careful"),
)
def test_status(play, row):
    play(row)


# --- HTTP/2 ------------------------------------------------------------------

BODY = bytes(i % 26 + 97 for i in range(100))


@rows(
    row("9113-kept", origin(FRESH), cache(age=(0, 0))),
    row("9113-not-kept", origin(*UNEXPECTED), origin(*UNEXPECTED)),
    row("9113-large", origin(FRESH, body=b"x" * 1000000), cache()),
    row("9113-chunked", origin(FRESH, framing="chunked"),
        cache(lacks=("transfer-encoding",))),
    row("9113-empty", origin(FRESH, body=b""), cache()),
    row("9113-204", origin(FRESH, code=204), cache()),
    row("9113-404", origin(FRESH, code=404), cache()),
    row("9113-HEAD", origin(FRESH), cache(method="HEAD")),
    row("9113-304", origin(FRESH, TAG),
        cache('If-None-Match: "a"', status=304, has=(TAG, FRESH))),
    row("9113-checked", origin(STALE, TAG), checked(FRESH, TAG), cache()),
    row("9113-part", origin(FRESH, TAG, body=BODY),
        cache("Range: bytes=10-19", status=206, text=BODY[10:20],
              has=("Content-Range: bytes 10-19/100",))),
    row("9113-416", origin(FRESH, TAG, body=BODY),
        cache("Range: bytes=100-", status=416, text=ANY)),
    row("9113-variants", origin(FRESH, "Vary: X-A", ask=("X-A: 1",)),
        origin(FRESH, "Vary: X-A", ask=("X-A: 2",)),
        cache("X-A: 1", of=0), cache("X-A: 2", of=1)),
    row("9113-fields", origin(FRESH, "X-A: 1", "Link: </a>", "Link: </b>",
                              "Connection: X-Hop", "X-Hop: 1"),
        cache(has=("X-A: 1", "Link: </a>", "Link: </b>"),
              lacks=("connection", "x-hop"))),
    row("9113-invalidation", origin(FRESH, TAG),
        origin(method="POST", sends=b"x"), origin(FRESH)),
    row("9113-stale-while-revalidate", origin(
        "Cache-Control: max-age=100, stale-while-revalidate=1000", TAG,
        "Age: 150"), behind(FRESH)),
    row("9113-only-if-cached", cache("Cache-Control: only-if-cached",
                                     via=NOBODY, status=504)),
)
def test_h2(play, row):
    play(row, "h2")


def test_h1_and_h2_share(address, book, of_gatehouse):
    """9111-2: what one protocol has brought answers the other."""
    play = Play(book, address)
    play.run(row("h1", origin(FRESH)))
    play.how = "h2"
    step = cache()
    play.begin(step)
    got = play.ask(step)
    assert play.took(step, got) == CACHE and got.body == play.bodies[0]
    play.close()
