"""When what is stale may be served (RFC 9111 4.2.4, RFC 5861), and when an
origin that fails may not hide it."""
import pytest

from lib.cachecase import (ANY, BROKEN, CHECKED, FAILED, ORIGIN, behind, cache,
                           checked, failed, origin, row, rows)
from lib.cacheplay import Book, Play

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LAST = 1000  # the rows' window, which has 950 s left
ASKED = (CHECKED, ORIGIN)  # who waits for the origin


def gone(directives, *fields, **kwargs):
    """Stale for 50 s on arrival."""
    return origin(f"Cache-Control: max-age=100, {directives}", TAG, "Age: 150",
                  *fields, **kwargs)


def waits(**kwargs):
    """The client must wait for the origin's word."""
    return checked(FRESH, TAG, via=ASKED, **kwargs)


SWR = f"stale-while-revalidate={LAST}"
# the newer answer, once it is there
RENEWED = {"again": True}


@rows(
    row("5861-3-at-once", gone(SWR), behind(FRESH, 'ETag: "b"')),
    row("5861-3-of-what-became-stale",
        origin(f"Cache-Control: max-age=1, {SWR}", TAG),
        behind(FRESH, after_s=2.1)),
    row("5861-3-then-the-new-one", gone(SWR), behind(FRESH, 'ETag: "b"'),
        cache(of=1, **RENEWED)),
    row("5861-3-Age-of-what-is-stale", gone(SWR),
        behind(FRESH, age=(150, 150))),
    row("5861-3-in-another-case", gone(f"Stale-While-Revalidate={LAST}"),
        behind(FRESH)),
    row("5861-3-quoted", gone(f'stale-while-revalidate="{LAST}"'),
        behind(FRESH)),
    row("5861-3-huge", gone("stale-while-revalidate=99999999999"),
        behind(FRESH)),
    row("5861-3-with-Expires",
        origin(f"Cache-Control: {SWR}", "Expires: {-50}", TAG),
        behind(FRESH)),
    row("5861-3-of-404", gone(SWR, code=404), behind(FRESH)),
    row("5861-3-HEAD", gone(SWR), behind(FRESH, method="HEAD")),
    row("5861-3-while-fresh", origin(f"Cache-Control: max-age=60, {SWR}"),
        cache()),
    row("5861-3-a-failure-behind-changes-nothing", gone(SWR),
        behind(code=503), behind(FRESH, of=0, again=True)),
    row("5861-3-a-silent-failure-behind-changes-nothing", gone(SWR),
        behind(breaks="silent"), behind(FRESH, of=0, again=True)),
    row("5861-3-over-the-time", gone("stale-while-revalidate=20"), waits()),
    row("5861-3-of-0", gone("stale-while-revalidate=0"), waits()),
    row("5861-3-without-a-value", gone("stale-while-revalidate"), waits()),
    row("5861-3-invalid", gone("stale-while-revalidate=abc"), waits()),
    row("5861-3-negative", gone("stale-while-revalidate=-5"), waits()),
    row("9111-4.2.4-while-revalidate-not-with-must-revalidate",
        gone(f"{SWR}, must-revalidate"), waits()),
    row("9111-4.2.4-while-revalidate-not-with-proxy-revalidate",
        gone(f"{SWR}, proxy-revalidate"), waits()),
    row("9111-4.2.4-while-revalidate-not-with-no-cache",
        gone(f"{SWR}, no-cache"), waits()),
    row("9111-4.2.4-while-revalidate-not-with-s-maxage",
        origin(f"Cache-Control: s-maxage=100, {SWR}", TAG, "Age: 150"),
        waits()),
    row("9111-5.2.1.4-while-revalidate-not-with-no-cache-asked", gone(SWR),
        waits(ask=("Cache-Control: no-cache",))),
    row("9111-5.2.1.1-while-revalidate-not-with-max-age-asked", gone(SWR),
        waits(ask=("Cache-Control: max-age=10",))),
    row("9213-2-while-revalidate-of-CDN-Cache-Control",
        origin(f"CDN-Cache-Control: max-age=100, {SWR}", TAG, "Age: 150"),
        behind(FRESH)),
    row("9213-2-while-revalidate-that-CDN-Cache-Control-hides",
        origin("CDN-Cache-Control: max-age=100", TAG, "Age: 150",
               f"Cache-Control: {SWR}"), waits()),
    row("late-while-revalidate-by-configuration",
        origin("Cache-Control: max-age=100", TAG, "Age: 120"),
        behind(FRESH), cache(of=1, **RENEWED), site="late"),
    row("late-while-revalidate-by-configuration-over-the-time",
        origin("Cache-Control: max-age=100", TAG, "Age: 200"), waits(),
        site="late"),
    row("late-while-revalidate-not-with-must-revalidate",
        origin("Cache-Control: max-age=100, must-revalidate", TAG,
               "Age: 120"), waits(), site="late"),
    row("late-while-revalidate-not-with-no-cache",
        origin("Cache-Control: no-cache", TAG), waits(), site="late"),
    row("careful-none-without-a-word",
        origin("Cache-Control: max-age=100", TAG, "Age: 120"), waits(),
        site="careful"),
)
def test_while_revalidate(play, row):
    play(row)


SIE = f"stale-if-error={LAST}"
FAILS = {"500": {"code": 500}, "502": {"code": 502}, "503": {"code": 503},
         "504": {"code": 504}, "silence": {"breaks": "silent"},
         "half-a-head": {"breaks": "head"}, "garbage": {"breaks": "garbage"}}
CUT_OFF = {k: v for k, v in FAILS.items() if not k.isdigit()}


def error(**fail):
    """What the client gets when the stale one may not be used: the origin's
    error, or the gateway's where the origin said nothing."""
    return origin(**fail, status=(500, 502, 503, 504), text=ANY)


@rows(
    [row(f"5861-4-{name}", gone(SIE), failed(**fail))
     for name, fail in FAILS.items()],
    row("5861-4-of-what-became-stale",
        origin(f"Cache-Control: max-age=1, {SIE}", TAG),
        failed(code=503, after_s=2.1)),
    row("5861-4-then-the-origin-is-back", gone(SIE), failed(code=503),
        origin(FRESH), cache(of=2)),
    row("5861-4-again-and-again", gone(SIE), failed(code=503),
        failed(code=503, of=0), failed(code=503, of=0)),
    row("5861-4-Age-of-what-is-stale", gone(SIE),
        failed(code=503, age=(150, 150))),
    row("5861-4-in-another-case", gone(f"STALE-IF-ERROR={LAST}"),
        failed(code=503)),
    row("5861-4-quoted", gone(f'stale-if-error="{LAST}"'), failed(code=503)),
    row("5861-4-huge", gone("stale-if-error=99999999999"), failed(code=503)),
    row("5861-4-without-validators",
        origin(f"Cache-Control: max-age=100, {SIE}", "Age: 150"),
        failed(code=503)),
    [row(f"5861-4-not-for-{code}", gone(SIE), origin(code=code))
     for code in (400, 403, 404, 410, 501)],
    row("5861-4-not-for-200", gone(SIE), origin(FRESH), cache(of=1)),
    row("5861-4-over-the-time-503", gone("stale-if-error=20"),
        error(code=503)),
    row("5861-4-of-0-503", gone("stale-if-error=0"), error(code=503)),
    row("5861-4-invalid-503", gone("stale-if-error=abc"), error(code=503)),
    [row(f"9111-4.2.4-{name}-not-hidden-with-{word}",
         gone(f"{SIE}, {word}"), error(**fail))
     for word in ("must-revalidate", "proxy-revalidate", "no-cache")
     for name, fail in FAILS.items()],
    [row(f"9111-4.2.4-{name}-not-hidden-with-s-maxage",
         origin(f"Cache-Control: s-maxage=100, {SIE}", TAG, "Age: 150"),
         error(**fail)) for name, fail in FAILS.items()],
    [row(f"9111-4.2.4-cut-off-by-{name}",
         origin("Cache-Control: max-age=100", TAG, "Age: 150"),
         failed(**fail)) for name, fail in CUT_OFF.items()],
    [row(f"9111-4.2.4-cut-off-by-{name}-and-must-revalidate",
         gone("must-revalidate"), error(**fail))
     for name, fail in CUT_OFF.items()],
    row("9111-4.3.3-an-error-is-not-kept-in-its-place", gone(SIE),
        failed(code=503), checked(FRESH, TAG, of=0, via=ASKED)),
    row("9111-4.2.4-an-error-with-nothing-stored", error(code=503),
        origin(FRESH)),
    [row(f"9111-4.2.4-{name}-with-nothing-stored", error(**fail),
         origin(FRESH)) for name, fail in CUT_OFF.items()],
    row("5861-4-another-variant-is-no-substitute",
        gone(SIE, "Vary: X-A", ask=("X-A: 1",)),
        error(code=503, ask=("X-A: 2",))),
    row("5861-4-fresh-is-not-asked-for",
        origin(f"Cache-Control: max-age=60, {SIE}"), cache(code=503)),
    row("9213-2-if-error-of-CDN-Cache-Control",
        origin(f"CDN-Cache-Control: max-age=100, {SIE}", TAG, "Age: 150"),
        failed(code=503)),
    row("9213-2-if-error-against-must-revalidate-of-CDN-Cache-Control",
        origin("CDN-Cache-Control: max-age=100, must-revalidate",
               f"Cache-Control: {SIE}", TAG, "Age: 150"), error(code=503)),
    row("careful-503-is-not-hidden-without-a-word",
        origin("Cache-Control: max-age=100", TAG, "Age: 150"),
        error(code=503), site="careful"),
    row("lasting-if-error-by-configuration",
        origin("Cache-Control: max-age=100", TAG, "Age: 120"),
        failed(code=503), site="lasting"),
    row("lasting-if-error-by-configuration-over-the-time",
        origin("Cache-Control: max-age=100", TAG, "Age: 200"),
        error(code=503), site="lasting"),
    row("lasting-if-error-not-with-must-revalidate",
        origin("Cache-Control: max-age=100, must-revalidate", TAG,
               "Age: 120"), error(code=503), site="lasting"),
)
def test_if_error(play, row):
    play(row)


def whole_or_broken(got, play):
    """Never less than what was said, and never a mixture."""
    assert got.error or got.body in play.bodies, got


def cut(*fields, **kwargs):
    """An answer that breaks in its middle: the client sees it broken, or the
    gateway's error if nothing had been passed on."""
    return origin(FRESH, *fields, breaks="body", via=(BROKEN, ORIGIN),
                  status=(502, 504), text=ANY, **kwargs)


FRAMED = ("length", "chunked")


@rows(
    [row(f"9111-3.3-{framing}-that-broke-is-asked-for-again",
         cut(TAG, framing=framing),
         origin(FRESH, TAG), cache(of=1)) for framing in FRAMED],
    [row(f"9111-3.3-{framing}-that-broke-with-s-maxage",
         cut("Cache-Control: s-maxage=60", framing=framing),
         origin(FRESH)) for framing in FRAMED],
    [row(f"9111-3.3-{framing}-that-broke-does-not-replace-the-stale-one",
         gone(SIE),
         origin(FRESH, 'ETag: "b"', framing=framing, breaks="body",
                via=(BROKEN, FAILED), check=whole_or_broken),
         origin(FRESH, 'ETag: "c"', check=whole_or_broken))
     for framing in FRAMED],
    [row(f"9111-3.3-{framing}-that-broke-behind-does-not-replace-it",
         gone(SWR), behind(FRESH, framing=framing, breaks="body"),
         behind(FRESH, 'ETag: "c"', of=0, again=True))
     for framing in FRAMED],
    row("9112-6.3-content-to-the-end-of-the-connection-is-whole",
        origin(FRESH, framing="close"), cache()),
    row("9112-6.3-content-of-HTTP/1.0",
        origin(FRESH, framing="close", version="HTTP/1.0"), cache()),
)
def test_broken(play, row):
    play(row)


@pytest.mark.parametrize("directives, is_used", [
    ("max-age=100", True), (f"max-age=100, {SIE}", True),
    ("max-age=100, must-revalidate", False),
    ("max-age=100, proxy-revalidate", False), ("s-maxage=100", False),
    (f"s-maxage=100, {SIE}", False), ("no-cache", False)])
def test_unreachable(make_address, directives, is_used):
    """9111-4.2.4: what is stale is used while nobody listens at the origin's
    address, unless it says no."""
    book = Book()
    play = Play(book, make_address(book))
    play.site = "rfc"
    play.begin(origin(f"Cache-Control: {directives}", TAG, "Age: 150"))
    assert play.ask(play.step).body == play.bodies[0]
    book.close()
    got = play.ask(cache())
    if is_used:
        assert (got.status, got.body) == (200, play.bodies[0]), got
    else:
        assert got.status in (502, 503, 504), got
