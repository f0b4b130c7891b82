"""What may be stored and how long it is fresh (RFC 9111 3, 4.2)."""
from lib.cachecase import (CACHE, ORIGIN, UNEXPECTED, cache, checked, kept,
                           origin, row, rows, stale, unkept)

# RFC 9110 15.1; 206 is among the ranges
HEURISTIC = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
OTHER = (201, 202, 299, 302, 303, 307, 399, 400, 401, 402, 403, 406, 408, 409,
         411, 413, 415, 418, 421, 422, 429, 431, 451, 499, 500, 502, 503, 504,
         505, 511, 599)
FRESH = "Cache-Control: max-age=60"
OLD = "Last-Modified: {-100000}"  # fresh by heuristics for 10000 s
BAD_DATES = {
    "0": "0", "-1": "-1", "a-number": "60", "a-word": "never", "empty": "",
    "no-zone": "Thu, 01 Jan 2099 00:00:00",
    "zone-UTC": "Thu, 01 Jan 2099 00:00:00 UTC",
    "zone-PST": "Thu, 01 Jan 2099 00:00:00 PST",
    "zone-+0000": "Thu, 01 Jan 2099 00:00:00 +0000",
    "no-seconds": "Thu, 01 Jan 2099 00:00 GMT",
    "hour-24": "Thu, 01 Jan 2099 24:00:00 GMT",
    "minute-60": "Thu, 01 Jan 2099 00:60:00 GMT",
    "day-0": "Thu, 00 Jan 2099 00:00:00 GMT",
    "day-32": "Thu, 32 Jan 2099 00:00:00 GMT",
    "month-unknown": "Thu, 01 Foo 2099 00:00:00 GMT",
    "ISO-8601": "2099-01-01T00:00:00Z",
    "two-dates": "Thu, 01 Jan 2099 00:00:00 GMT, Thu, 01 Jan 2099 00:00:00 "
                 "GMT",
    "something-behind": "Thu, 01 Jan 2099 00:00:00 GMT x",
}


def extra(code):
    """Fields without which the status would be wrong."""
    if code in (401,):
        return ('WWW-Authenticate: Basic realm="x"',)
    if code in (300, 301, 302, 303, 307, 308):
        return ("Location: http://elsewhere.test/",)
    return ()


@rows(
    [kept(f"9111-3-{code}-with-max-age", FRESH, *extra(code), code=code)
     for code in HEURISTIC + OTHER],
    [kept(f"9111-3-{code}-with-s-maxage", "Cache-Control: s-maxage=60",
          code=code) for code in (200, 299, 302, 403, 404, 500, 599)],
    [kept(f"9111-3-{code}-with-Expires", "Expires: {+60}", code=code)
     for code in (200, 299, 302, 403, 404, 500, 599)],
    [unkept(f"9111-3-{code}-with-max-age-0", "Cache-Control: max-age=0",
            code=code) for code in (200, 204, 301, 302, 404, 410, 500)],
    [unkept(f"9111-3-{code}-no-store", "Cache-Control: max-age=60, no-store",
            code=code) for code in (200, 204, 301, 302, 404, 410, 500)],
)
def test_status(play, row):
    play(row)


@rows(
    [kept(f"9111-4.2.2-{code}", OLD, *extra(code), code=code)
     for code in HEURISTIC],
    [unkept(f"9111-4.2.2-{code}-is-none-of-these", OLD, *extra(code),
            code=code) for code in OTHER],
    unkept("9111-4.2.2-no-lifetime-is-invented"),
    unkept("9111-4.2.2-no-lifetime-is-invented-from-an-ETag", 'ETag: "a"'),
    unkept("9111-4.2.2-public-is-no-lifetime", "Cache-Control: public"),
    [unkept(f"9111-4.2.2-no-lifetime-is-invented-for-{code}", *extra(code),
            code=code) for code in (301, 308, 404, 410)],
    row("9111-4.2.2-a-query", origin(OLD, path="?a=1"), cache(path="?a=1")),
    kept("9111-4.2.2-Last-Modified-in-RFC-850",
         "Last-Modified: {-100000:850}"),
    kept("9111-4.2.2-Last-Modified-in-asctime",
         "Last-Modified: {-100000:asc}"),
    unkept("9111-4.2.2-Last-Modified-now", "Last-Modified: {+0}"),
    unkept("9111-4.2.2-Last-Modified-in-the-future", "Last-Modified: {+9999}"),
    unkept("9111-4.2.2-Last-Modified-invalid", "Last-Modified: yesterday"),
    kept("9111-4.2.2-younger-than-a-tenth", "Last-Modified: {-1000}",
         "Age: 50"),
    stale("9111-4.2.2-older-than-a-tenth", "Last-Modified: {-1000}",
          "Age: 150"),
    stale("9111-4.2.2-not-beside-max-age", OLD, "Cache-Control: max-age=0"),
    stale("9111-4.2.2-not-beside-s-maxage", OLD, "Cache-Control: s-maxage=0"),
    stale("9111-4.2.2-not-beside-Expires", OLD, "Expires: {-60}"),
    stale("9111-4.2.2-not-beside-an-invalid-Expires", OLD, "Expires: 0"),
    stale("9111-4.2.2-not-beside-an-invalid-max-age", OLD,
          "Cache-Control: max-age=x"),
    unkept("9111-4.2.2-not-beside-no-store", OLD, "Cache-Control: no-store"),
    unkept("9111-4.2.2-not-beside-private", OLD, "Cache-Control: private"),
    stale("9111-4.2.2-not-beside-no-cache", OLD, "Cache-Control: no-cache"),
    kept("9111-4.2.2-beside-public", OLD, "Cache-Control: public"),
    kept("9111-4.2.2-beside-must-revalidate", OLD,
         "Cache-Control: must-revalidate"),
    kept("9111-4.2.2-beside-what-is-unknown", OLD, "Cache-Control: foo=bar"),
)
def test_heuristics(play, row):
    play(row)


@rows(
    kept("9111-4.2.1-max-age", FRESH),
    kept("9111-4.2.1-s-maxage", "Cache-Control: s-maxage=60"),
    kept("9111-4.2.1-Expires", "Expires: {+60}"),
    kept("9111-4.2.1-s-maxage-before-max-age",
         "Cache-Control: s-maxage=60, max-age=0"),
    kept("9111-4.2.1-s-maxage-behind-max-age",
         "Cache-Control: max-age=0, s-maxage=60"),
    stale("9111-4.2.1-s-maxage-0-before-max-age",
          "Cache-Control: s-maxage=0, max-age=60"),
    stale("9111-4.2.1-s-maxage-0-behind-max-age",
          "Cache-Control: max-age=60, s-maxage=0"),
    kept("9111-4.2.1-s-maxage-over-Expires", "Cache-Control: s-maxage=60",
         "Expires: {-60}"),
    stale("9111-4.2.1-s-maxage-0-over-Expires", "Cache-Control: s-maxage=0",
          "Expires: {+60}"),
    kept("9111-4.2.1-max-age-over-Expires", FRESH, "Expires: {-60}"),
    kept("9111-4.2.1-max-age-over-an-invalid-Expires", FRESH, "Expires: 0"),
    stale("9111-4.2.1-max-age-0-over-Expires", "Cache-Control: max-age=0",
          "Expires: {+60}"),
    kept("9111-4.2.1-all-three", "Cache-Control: max-age=0, s-maxage=60",
         "Expires: {-60}"),
    stale("9111-4.2.1-all-three-against", "Cache-Control: max-age=60, "
          "s-maxage=0", "Expires: {+60}"),
    kept("9111-5.3-Expires-beside-other-directives", "Expires: {+60}",
         "Cache-Control: public, foo"),
    stale("9111-5.3-Expires-in-the-past", "Expires: {-60}"),
    stale("9111-5.3-Expires-that-is-Date", "Date: {+0}", "Expires: {+0}"),
    kept("9111-5.3-Expires-in-RFC-850", "Expires: {+3600:850}"),
    kept("9111-5.3-Expires-in-asctime", "Expires: {+3600:asc}"),
    stale("9111-5.3-Expires-in-the-past-in-RFC-850", "Expires: {-3600:850}"),
    stale("9111-5.3-Expires-in-the-past-in-asctime", "Expires: {-3600:asc}"),
    stale("9110-5.6.7-a-year-of-two-digits-long-gone",
          "Expires: Saturday, 01-Jan-94 00:00:00 GMT"),
    kept("9110-5.6.7-a-year-of-two-digits-to-come",
         "Expires: Friday, 01-Jan-60 00:00:00 GMT"),
    kept("9110-5.6.7-asctime-with-a-day-of-one-digit",
         "Expires: Thu Jan  1 00:00:00 2099"),
    kept("9111-4.2-dates-in-any-case",
         "Expires: thu, 01 jan 2099 00:00:00 gmt"),
    kept("9111-5.3-Expires-in-the-year-9999",
         "Expires: Fri, 31 Dec 9999 23:59:59 GMT"),
    stale("9111-5.3-Expires-in-1970",
          "Expires: Thu, 01 Jan 1970 00:00:00 GMT"),
    stale("9111-5.3-Expires-before-1970",
          "Expires: Wed, 01 Jan 1930 00:00:00 GMT"),
    [stale(f"9111-5.3-Expires-{name}", f"Expires: {value}")
     for name, value in BAD_DATES.items()],
    stale("9111-4.2.1-Expires-twice-the-first-in-the-past", "Expires: {-60}",
          "Expires: {+60}"),
    row("9111-4.2.1-Expires-twice-the-first-in-the-future",
        origin("Expires: {+60}", "Expires: {-60}"),
        cache(via=(CACHE, ORIGIN), body=b"new", fields=UNEXPECTED)),
)
def test_sources(play, row):
    play(row)


@rows(
    kept("9111-4.2.3-Date-old-but-younger-than-max-age",
         "Cache-Control: max-age=100", "Date: {-50}"),
    stale("9111-4.2.3-Date-older-than-max-age", "Cache-Control: max-age=50",
          "Date: {-100}"),
    kept("9111-4.2.3-Date-in-the-future", FRESH, "Date: {+600}"),
    kept("9111-4.2.3-Date-in-RFC-850", "Cache-Control: max-age=100",
         "Date: {-50:850}"),
    stale("9111-4.2.3-Date-old-in-RFC-850", "Cache-Control: max-age=50",
          "Date: {-100:850}"),
    stale("9111-4.2.3-Date-old-in-asctime", "Cache-Control: max-age=50",
          "Date: {-100:asc}"),
    kept("9111-4.2.1-Expires-counts-from-Date", "Date: {-100}",
         "Expires: {+60}"),
    stale("9111-4.2.1-Expires-before-a-Date-in-the-future", "Date: {+120}",
          "Expires: {+60}"),
    stale("9111-4.2.1-Expires-and-Date-both-past", "Date: {-120}",
          "Expires: {-60}"),
    kept("9110-6.6.1-no-Date-with-max-age", FRESH, has_date=False),
    kept("9110-6.6.1-no-Date-with-Expires", "Expires: {+60}",
         has_date=False),
    row("9110-6.6.1-Date-is-added", origin(FRESH, has_date=False),
        cache(has=("Date",))),
    kept("9111-4.2.3-Date-invalid", FRESH, "Date: yesterday"),
    row("9111-5.1-Age-counts-from-Date",
        origin("Cache-Control: max-age=100", "Date: {-50}"),
        cache(age=(50, 50))),
    row("9111-5.1-Age-is-at-least-0", origin(FRESH, "Date: {+600}"),
        cache(age=(0, 0))),
)
def test_date(play, row):
    play(row)


AGED = "Cache-Control: max-age=50"


@rows(
    row("9111-5.1-Age-is-generated", origin(FRESH), cache(age=(0, 0))),
    row("9111-5.1-Age-is-passed-on", origin(FRESH, "Age: 30",
                                            has=("Age: 30",))),
    row("9111-4.2.3-Age-is-counted", origin(AGED, "Age: 30"),
        cache(age=(30, 30))),
    row("9111-4.2.3-the-greater-of-Age-and-Date",
        origin("Cache-Control: max-age=100", "Age: 30", "Date: {-60}"),
        cache(age=(60, 60))),
    row("9111-4.2.3-the-greater-of-Date-and-Age",
        origin("Cache-Control: max-age=100", "Age: 60", "Date: {-30}"),
        cache(age=(60, 60))),
    stale("9111-4.2.3-Age-above-max-age", AGED, "Age: 100"),
    stale("9111-4.2.3-Age-that-is-max-age", AGED, "Age: 50"),
    stale("9111-4.2.3-Age-above-s-maxage", "Cache-Control: s-maxage=50",
          "Age: 100"),
    stale("9111-4.2.3-Age-above-Expires", "Expires: {+50}", "Age: 100"),
    kept("9111-4.2.3-Age-below-Expires", "Expires: {+50}", "Age: 30"),
    kept("9111-5.1-Age-0", AGED, "Age: 0"),
    kept("9111-5.1-Age-with-zeros", AGED, "Age: 0030"),
    stale("9111-5.1-Age-with-zeros-above", AGED, "Age: 00100"),
    kept("9111-5.1-Age-list-the-first-counts", AGED, "Age: 10, 100"),
    stale("9111-5.1-Age-list-the-first-counts-above", AGED, "Age: 100, 10"),
    kept("9111-5.1-Age-lines-the-first-counts", AGED, "Age: 10", "Age: 100"),
    stale("9111-5.1-Age-lines-the-first-counts-above", AGED, "Age: 100",
          "Age: 10"),
    kept("9111-5.1-Age-list-with-an-invalid-first", AGED, "Age: abc, 100"),
    [kept(f"9111-5.1-Age-{name}-is-ignored", AGED, f"Age: {value}")
     for name, value in (("a-word", "abc"), ("negative", "-100"),
                         ("fraction", "100.5"), ("quoted", '"100"'),
                         ("with-a-unit", "100s"), ("with-a-sign", "+100"),
                         ("empty", ""), ("hexadecimal", "0x100"),
                         ("two-numbers", "100 100"))],
    [stale(f"9111-5.1-Age-of-{value}", AGED, f"Age: {value}")
     for value in ("2147483647", "2147483648", "4294967296", "4294967297",
                   "99999999999", "18446744073709551616",
                   "18446744073709551617", "1" + "0" * 40)],
    stale("9111-4.2.3-Age-is-no-less-with-a-Date-in-the-future", AGED,
          "Age: 100", "Date: {+600}"),
    row("9111-4.2.3-the-delay-of-the-answer-is-age",
        origin("Cache-Control: max-age=60", "Age: 10", delay_s=1.1),
        cache(age=(11, 13))),
    row("9111-4.2-time-passes",
        origin("Cache-Control: max-age=100", "Age: 98", 'ETag: "a"'),
        checked("Cache-Control: max-age=100", "Age: 0", after_s=2.1),
        cache(age=(0, 0))),
    row("9111-4.2.3-Age-goes-on", origin(FRESH, "Age: 30"),
        cache(after_s=1.1, age=(31, 31))),
)
def test_age(play, row):
    play(row)
