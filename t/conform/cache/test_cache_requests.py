"""Cache-Control of requests (RFC 9111 5.2.1) and Pragma (5.4)."""
from lib.cachecase import (CACHE, CHECKED, ORIGIN, UNEXPECTED, cache, checked,
                           failed, nobody, origin, row, rows)

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
AGED = (TAG, "Age: 50")  # with a lifetime of 100, it has 50 left
LEFT = ("Cache-Control: max-age=100", *AGED)
GONE = ("Cache-Control: max-age=100", TAG, "Age: 150")  # stale for 50


def cc(value):
    return f"Cache-Control: {value}"


def asks(value, via=(CHECKED, ORIGIN)):
    """Not from the store without the origin's word, whether by a condition or
    not."""
    return checked(FRESH, TAG, ask=(cc(value),), via=via)


def takes(value, **kwargs):
    return cache(cc(value), **kwargs)


@rows(
    [row(f"9111-5.2.1.4-no-cache-{name}", origin(FRESH, TAG), asks(value))
     for name, value in (("alone", "no-cache"), ("in-mixed-case", "No-Cache"),
                         ("in-upper-case", "NO-CACHE"),
                         ("behind-another", "foo, no-cache"),
                         ("before-another", "no-cache, foo=bar"),
                         ("among-empty-elements", ", no-cache ,"),
                         ("beside-max-stale", "no-cache, max-stale"))],
    row("9111-5.2.1.4-no-cache-in-the-second-line", origin(FRESH, TAG),
        checked(ask=(cc("foo"), cc("no-cache")), via=(CHECKED, ORIGIN))),
    row("9111-5.2.1.4-no-cache-in-a-string", origin(FRESH, TAG),
        takes('foo="no-cache"')),
    row("9111-5.2.1.4-no-cache-in-a-name", origin(FRESH, TAG),
        takes("no-cachet")),
    row("9111-5.2.1.4-no-cache-without-validators", origin(FRESH),
        origin(FRESH, ask=(cc("no-cache"),))),
    row("9111-5.2.1.4-no-cache-brings-the-new-one", origin(FRESH, TAG),
        origin(FRESH, 'ETag: "b"', ask=(cc("no-cache"),)), cache(of=1)),
    row("9111-5.2.1.4-no-cache-of-one-request-only", origin(FRESH, TAG),
        origin(FRESH, TAG, ask=(cc("no-cache"),), judges=True,
               via=(CHECKED, ORIGIN)), cache()),
    row("9111-4.3-no-cache-is-a-check", origin(FRESH, TAG),
        asks("no-cache", CHECKED)),
    row("9111-4.3-Pragma-is-a-check", origin(FRESH, TAG),
        checked(FRESH, ask=("Pragma: no-cache",))),
    row("9111-4.3-max-age-is-a-check", origin(*LEFT),
        asks("max-age=30", CHECKED)),
    row("9111-4.3-min-fresh-is-a-check", origin(*LEFT),
        asks("min-fresh=90", CHECKED)),
    row("9111-5.2.1.4-no-cache-may-fill", origin(FRESH, ask=(cc("no-cache"),)),
        cache()),
    row("9111-5.4-Pragma", origin(FRESH, TAG),
        checked(FRESH, ask=("Pragma: no-cache",), via=(CHECKED, ORIGIN))),
    row("9111-5.4-Pragma-in-mixed-case", origin(FRESH, TAG),
        checked(FRESH, ask=("Pragma: No-Cache",), via=(CHECKED, ORIGIN))),
    row("9111-5.4-Pragma-beside-Cache-Control", origin(FRESH, TAG),
        cache("Pragma: no-cache", cc("max-age=1000"))),
    row("9111-5.4-another-Pragma", origin(FRESH, TAG), cache("Pragma: foo")),
)
def test_no_cache(play, row):
    play(row)


@rows(
    row("9111-5.2.1.5-no-store-keeps-nothing",
        origin(FRESH, ask=(cc("no-store"),)), origin(FRESH), cache(of=1)),
    row("9111-5.2.1.5-no-store-in-mixed-case",
        origin(FRESH, ask=(cc("No-Store"),)), origin(FRESH), cache(of=1)),
    row("9111-5.2.1.5-no-store-behind-another",
        origin(FRESH, ask=(cc("foo, no-store"),)), origin(FRESH),
        cache(of=1)),
    row("9111-5.2.1.5-no-store-over-public",
        origin(cc("public, s-maxage=60"), ask=(cc("no-store"),)),
        origin(*UNEXPECTED)),
    row("9111-5.2.1.5-no-store-leaves-what-is-stored", origin(FRESH),
        cache(cc("no-store"), via=(CACHE, ORIGIN)), cache(of=0)),
    row("9111-5.2.1.5-no-store-and-no-cache-store-nothing", origin(FRESH, TAG),
        origin(FRESH, 'ETag: "b"', ask=(cc("no-store, no-cache"),)),
        cache(of=0)),
    row("9111-5.2.1.6-no-transform-does-not-matter", origin(FRESH),
        takes("no-transform")),
    row("9111-5.2.1-an-unknown-directive", origin(FRESH), takes("foo=bar")),
    row("9111-5.2.1-empty", origin(FRESH), cache("Cache-Control:")),
)
def test_no_store(play, row):
    play(row)


@rows(
    row("9111-5.2.1.1-max-age-0", origin(FRESH, TAG), asks("max-age=0")),
    row("9111-5.2.1.1-max-age-0-without-validators", origin(FRESH),
        origin(FRESH, ask=(cc("max-age=0"),)), cache(of=1)),
    row("9111-5.2.1.1-max-age-below-the-age", origin(*LEFT),
        asks("max-age=30")),
    row("9111-5.2.1.1-max-age-above-the-age", origin(*LEFT),
        takes("max-age=90")),
    row("9111-5.2.1.1-max-age-quoted", origin(*LEFT), asks('max-age="30"')),
    row("9111-5.2.1.1-max-age-in-upper-case", origin(*LEFT),
        asks("MAX-AGE=30")),
    row("9111-5.2.1.1-max-age-extends-nothing", origin(*GONE),
        asks("max-age=1000")),
    [row(f"9111-5.2.1.1-max-age-of-{n}", origin(*LEFT), takes(f"max-age={n}"))
     for n in ("2147483648", "4294967296", "18446744073709551617", "9" * 40)],
    row("9111-5.2.1.1-max-age-invalid", origin(*LEFT),
        cache(cc("max-age=abc"), via=(CACHE, ORIGIN))),
    row("9111-5.2.1.3-min-fresh-that-is-left", origin(*LEFT),
        takes("min-fresh=20")),
    row("9111-5.2.1.3-min-fresh-that-is-not-left", origin(*LEFT),
        asks("min-fresh=90")),
    row("9111-5.2.1.3-min-fresh-0", origin(*LEFT), takes("min-fresh=0")),
    row("9111-5.2.1.3-min-fresh-0-of-what-is-stale", origin(*GONE),
        asks("min-fresh=0")),
    row("9111-5.2.1.3-min-fresh-quoted", origin(*LEFT), asks('min-fresh="90"')),
    row("9111-5.2.1.3-min-fresh-in-upper-case", origin(*LEFT),
        asks("MIN-FRESH=90")),
    row("9111-5.2.1.3-min-fresh-huge", origin(*LEFT),
        asks("min-fresh=99999999999")),
    row("9111-5.2.1-max-age-and-min-fresh-both-met", origin(*LEFT),
        takes("max-age=90, min-fresh=20")),
    row("9111-5.2.1-max-age-met-and-min-fresh-not", origin(*LEFT),
        asks("max-age=90, min-fresh=90")),
    row("9111-5.2.1-min-fresh-met-and-max-age-not", origin(*LEFT),
        asks("max-age=30, min-fresh=20")),
)
def test_age(play, row):
    play(row)


def gone(directives):
    return origin(cc(f"max-age=100, {directives}"), TAG, "Age: 150")


@rows(
    row("9111-5.2.1.2-without-it-none-is-stale", origin(*GONE),
        checked(FRESH, via=(CHECKED, ORIGIN))),
    row("9111-5.2.1.2-max-stale", origin(*GONE), takes("max-stale")),
    row("9111-5.2.1.2-max-stale-in-upper-case", origin(*GONE),
        takes("MAX-STALE")),
    row("9111-5.2.1.2-max-stale-above", origin(*GONE),
        takes("max-stale=90")),
    row("9111-5.2.1.2-max-stale-quoted", origin(*GONE),
        takes('max-stale="90"')),
    row("9111-5.2.1.2-max-stale-huge", origin(*GONE),
        takes("max-stale=99999999999")),
    row("9111-5.2.1.2-max-stale-below", origin(*GONE), asks("max-stale=20")),
    row("9111-5.2.1.2-max-stale-0", origin(*GONE), asks("max-stale=0")),
    row("9111-5.2.1.2-max-stale-of-what-is-fresh", origin(*LEFT),
        takes("max-stale=10")),
    row("9111-5.2.1.2-Age-of-what-is-stale", origin(*GONE),
        takes("max-stale", age=(150, 150))),
    row("9111-5.2.1.2-max-stale-and-max-age-above", origin(*GONE),
        takes("max-stale, max-age=1000")),
    row("9111-5.2.1.2-max-stale-of-Expires", origin("Expires: {-50}", TAG),
        takes("max-stale=90")),
    row("9111-4.2.4-not-against-must-revalidate", gone("must-revalidate"),
        asks("max-stale")),
    row("9111-4.2.4-not-against-proxy-revalidate", gone("proxy-revalidate"),
        asks("max-stale")),
    row("9111-4.2.4-not-against-s-maxage",
        origin(cc("s-maxage=100"), TAG, "Age: 150"), asks("max-stale")),
    row("9111-4.2.4-not-against-no-cache", gone("no-cache"),
        asks("max-stale")),
    row("9111-4.2.4-not-against-MUST-REVALIDATE", gone("MUST-REVALIDATE"),
        asks("max-stale")),
    row("5861-4-stale-if-error-of-a-request", origin(*GONE),
        failed(ask=(cc("stale-if-error=1000"),), code=503)),
    row("5861-4-stale-if-error-of-a-request-too-short", origin(*GONE),
        origin(ask=(cc("stale-if-error=20"),), code=503)),
)
def test_max_stale(play, row):
    play(row)


ONLY = "only-if-cached"


@rows(
    row("9111-5.2.1.7-nothing-stored", nobody(504, cc(ONLY))),
    row("9111-5.2.1.7-in-upper-case", nobody(504, cc(ONLY.upper()))),
    row("9111-5.2.1.7-behind-another", nobody(504, cc(f"foo, {ONLY}"))),
    row("9111-5.2.1.7-fresh", origin(FRESH, TAG), takes(ONLY)),
    row("9111-5.2.1.7-stale", origin(*GONE), nobody(504, cc(ONLY))),
    row("9111-5.2.1.7-stale-and-max-stale", origin(*GONE),
        takes(f"{ONLY}, max-stale")),
    row("9111-5.2.1.7-and-no-cache", origin(FRESH, TAG),
        nobody(504, cc(f"{ONLY}, no-cache"))),
    row("9111-5.2.1.7-and-max-age-0", origin(*LEFT),
        nobody(504, cc(f"{ONLY}, max-age=0"))),
    row("9111-5.2.1.7-and-min-fresh", origin(*LEFT),
        nobody(504, cc(f"{ONLY}, min-fresh=90"))),
    row("9111-5.2.1.7-another-variant",
        origin(FRESH, "Vary: X-A", ask=("X-A: 1",)),
        nobody(504, cc(ONLY), "X-A: 2")),
    row("9111-5.2.1.7-HEAD-of-nothing",
        nobody(504, cc(ONLY), method="HEAD")),
    row("9111-5.2.1.7-HEAD", origin(FRESH), takes(ONLY, method="HEAD")),
    row("9111-5.2.1.7-what-failed-is-not-stored", nobody(504, cc(ONLY)),
        origin(FRESH), takes(ONLY, of=1)),
    row("9111-5.2.1.7-must-revalidate", gone("must-revalidate"),
        nobody(504, cc(f"{ONLY}, max-stale"))),
)
def test_only_if_cached(play, row):
    play(row)
