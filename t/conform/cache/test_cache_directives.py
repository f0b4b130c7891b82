"""Cache-Control of answers, its syntax and meaning (RFC 9111 4.2.1, 5.2.2), and
CDN-Cache-Control (RFC 9213)."""
from lib.cachecase import (CACHE, CHECKED, ORIGIN, UNEXPECTED, cache, checked,
                           kept, origin, renewed, row, rows, stale, unkept)

FRESH = "Cache-Control: max-age=60"
OLD = "Last-Modified: {-100000}"


def cc(value):
    return f"Cache-Control: {value}"


def all_kept(section, values):
    return [kept(f"{section}-{name}", cc(value))
            for name, value in values.items()]


def all_stale(section, values):
    return [stale(f"{section}-{name}", cc(value))
            for name, value in values.items()]


def all_unkept(section, values):
    return [unkept(f"{section}-{name}", cc(value))
            for name, value in values.items()]


@rows(
    all_kept("9111-5.2", {
        "max-age-in-mixed-case": "Max-Age=60",
        "max-age-in-upper-case": "MAX-AGE=60",
        "s-maxage-in-upper-case": "S-MAXAGE=60, max-age=0",
        "max-age-quoted": 'max-age="60"',
        "s-maxage-quoted": 's-maxage="60", max-age=0',
        "max-age-with-zeros": "max-age=0060",
        "no-blanks": "public,max-age=60,foo",
        "a-tab": "public,\tmax-age=60",
        "blanks-around-commas": "public  ,  max-age=60  ,  foo",
        "empty-elements": ", ,max-age=60,, ,",
        "an-unknown-directive-before": "foo, max-age=60",
        "an-unknown-directive-behind": "max-age=60, foo=bar",
        "an-unknown-directive-quoted": 'max-age=60, foo="bar baz"',
        "no-store-in-a-quoted-string": 'foo="no-store", max-age=60',
        "no-store-in-a-quoted-list": 'foo="bar, no-store, x", max-age=60',
        "max-age-0-in-a-quoted-list": 'foo="x, max-age=0", max-age=60',
        "private-behind-a-quoted-quote": r'foo="a\", private, b", max-age=60',
        "a-quoted-backslash-at-the-end": r'foo="a\\", max-age=60',
        "a-name-that-begins-with-no-store": "no-storex, max-age=60",
        "a-name-that-ends-with-no-store": "x-no-store, max-age=60",
        "a-name-that-begins-with-private": "privatex, max-age=60",
        "a-name-that-ends-with-private": "non-private, max-age=60",
        "a-name-that-begins-with-no-cache": "no-cachet, max-age=60",
        "a-name-that-ends-with-s-maxage": "max-age=60, xs-maxage=0",
        "a-name-that-ends-with-max-age": "x-max-age=0, max-age=60",
        "a-name-that-begins-with-max-age": "max-age-x=0, max-age=60",
        "no-store-as-a-value": "foo=no-store, max-age=60",
    }),
    row("9111-5.2-a-line-each", origin(FRESH, cc("public"), cc("foo")),
        cache()),
    row("9111-5.2-max-age-in-the-second-line", origin(cc("public"), FRESH),
        cache()),
    row("9111-5.2-no-store-in-the-second-line", origin(FRESH, cc("no-store")),
        origin(*UNEXPECTED)),
    row("9111-5.2-an-empty-line-too", origin("Cache-Control:", FRESH),
        cache()),
    kept("9111-5.2-empty-beside-Expires", "Cache-Control:", "Expires: {+60}"),
    kept("9111-5.2-a-field-name-in-any-case", "cACHE-cONTROL: max-age=60"),
    all_stale("9111-5.2-no-max-age", {
        "a-name-that-ends-with-it": "x-max-age=60",
        "a-name-that-begins-with-it": "max-age-x=60",
        "in-a-quoted-string": 'foo="max-age=60"',
        "in-a-quoted-list": 'foo="x, max-age=60, y"',
        "as-a-value": "foo=max-age=60",
    }),
    all_kept("9111-1.2.2-delta-of", {
        f"{age}": f"max-age={age}" for age in (
            "2147483647", "2147483648", "4294967295", "4294967296",
            "4294967297", "99999999999", "9223372036854775807",
            "9223372036854775808", "18446744073709551616",
            "18446744073709551617", "9" * 40)}),
    all_kept("9111-1.2.2-s-maxage-of", {
        f"{age}": f"s-maxage={age}, max-age=0" for age in (
            "2147483648", "4294967296", "99999999999", "9" * 40)}),
    all_stale("9111-4.2.1-invalid-max-age", {
        "negative": "max-age=-60", "fraction": "max-age=60.5",
        "fraction-of-0": "max-age=60.0", "a-word": "max-age=abc",
        "a-unit": "max-age=60s", "empty": "max-age=",
        "without-a-value": "max-age", "quoted-empty": 'max-age=""',
        "quoted-word": 'max-age="abc"', "sign": "max-age=+60",
        "exponent": "max-age=6e1", "hexadecimal": "max-age=0x60",
        "single-quotes": "max-age='60'", "blank-before-=": "max-age =60",
        "blank-behind-=": "max-age= 60", "colon": "max-age:60",
        "half-a-quoted-string": 'max-age="60',
        "two-numbers": "max-age=60 60",
    }),
    all_stale("9111-4.2.1-invalid-s-maxage", {
        "negative": "s-maxage=-60", "fraction": "s-maxage=60.5",
        "a-word": "s-maxage=abc", "empty": "s-maxage=",
        "without-a-value": "s-maxage",
    }),
    all_stale("9111-4.2.1-0", {
        "max-age": "max-age=0", "s-maxage": "s-maxage=0",
        "zeros": "max-age=000", "quoted": 'max-age="0"',
        "twice": "max-age=0, max-age=0",
        "before-60": "max-age=0, max-age=60",
        "s-maxage-before-60": "s-maxage=0, s-maxage=60",
    }),
    stale("9111-4.2.1-0-in-a-line-before-60", cc("max-age=0"), FRESH),
    row("9111-4.2.1-60-before-0", origin(cc("max-age=60, max-age=0")),
        cache(via=(CACHE, ORIGIN))),
    row("9111-4.2.1-60-twice", origin(cc("max-age=60, max-age=60")),
        cache(via=(CACHE, ORIGIN))),
)
def test_syntax(play, row):
    play(row)


@rows(
    all_unkept("9111-5.2.2.5", {
        "no-store": "no-store", "no-store-before-max-age":
        "no-store, max-age=60", "no-store-behind-max-age":
        "max-age=60, no-store", "no-store-beside-s-maxage":
        "s-maxage=60, no-store", "no-store-in-mixed-case":
        "No-Store, max-age=60", "no-store-in-upper-case":
        "max-age=60, NO-STORE", "no-store-beside-public":
        "public, max-age=60, no-store", "no-store-among-empty-elements":
        ",,no-store,,max-age=60",
        "no-store-behind-a-quoted-comma": 'foo=",", no-store, max-age=60',
        "no-store-behind-a-quoted-quote": r'foo="\"", no-store, max-age=60',
    }),
    unkept("9111-5.2.2.5-no-store-with-Expires", cc("no-store"),
           "Expires: {+60}"),
    all_unkept("9111-5.2.2.7", {
        "private": "private", "private-beside-max-age": "private, max-age=60",
        "private-behind-max-age": "max-age=60, private",
        "private-beside-s-maxage": "s-maxage=60, private",
        "private-beside-public": "public, private, max-age=60",
        "private-in-mixed-case": "Private, max-age=60",
        "private-in-upper-case": "max-age=60, PRIVATE",
    }),
    [row(f"9111-5.2.2.7-private-{name}-hides-at-least-the-field",
         origin(cc(value), "X-Private: secret"),
         cache(via=(CACHE, ORIGIN), lacks=("x-private",)))
     for name, value in (("quoted", 'private="X-Private", max-age=60'),
                         ("token", "private=X-Private, max-age=60"),
                         ("in-a-list", 'max-age=60, private="x-a, x-private"'),
                         ("in-any-case", 'max-age=60, private="x-PRIVATE"'))],
    [row(f"9111-5.2.2.4-no-cache-{name}-hides-at-least-the-field",
         origin(cc(value), "X-Fleeting: once", 'ETag: "a"'),
         checked(via=(CACHE, CHECKED, ORIGIN), lacks=("x-fleeting",)))
     for name, value in (("quoted", 'no-cache="X-Fleeting", max-age=60'),
                         ("token", "no-cache=X-Fleeting, max-age=60"),
                         ("in-a-list",
                          'max-age=60, no-cache="x-a, x-fleeting"'))],
    [renewed(f"9111-5.2.2.4-no-cache-{name}", cc(value))
     for name, value in (("alone", "no-cache"),
                         ("before-max-age", "no-cache, max-age=60"),
                         ("behind-max-age", "max-age=60, no-cache"),
                         ("beside-s-maxage", "s-maxage=60, no-cache"),
                         ("beside-public", "public, no-cache, max-age=60"),
                         ("beside-immutable",
                          "no-cache, immutable, max-age=60"))],
    stale("9111-5.2.2.4-no-cache-in-mixed-case", cc("No-Cache, max-age=60")),
    stale("9111-5.2.2.4-no-cache-in-upper-case", cc("max-age=60, NO-CACHE")),
    row("9111-5.2.2.4-no-cache-each-time",
        origin(cc("no-cache, max-age=60"), 'ETag: "a"'), checked(), checked(),
        checked()),
    unkept("9111-5.2.2.4-no-cache-without-validators",
           cc("no-cache, max-age=60")),
    kept("9111-5.4-Pragma-of-an-answer-means-nothing", FRESH,
         "Pragma: no-cache"),
    kept("9111-5.2.2.2-must-revalidate-while-fresh",
         cc("max-age=60, must-revalidate")),
    kept("9111-5.2.2.8-proxy-revalidate-while-fresh",
         cc("max-age=60, proxy-revalidate")),
    renewed("9111-5.2.2.2-must-revalidate", cc("max-age=0, must-revalidate")),
    renewed("9111-5.2.2.8-proxy-revalidate",
            cc("max-age=0, proxy-revalidate")),
    kept("9111-5.2.2.9-public", cc("public, max-age=60")),
    kept("9111-5.2.2.6-no-transform", cc("no-transform, max-age=60")),
    kept("8246-2-immutable", cc("immutable, max-age=60")),
    stale("8246-2-immutable-is-no-lifetime", cc("immutable")),
    stale("8246-2-immutable-and-stale", cc("immutable, max-age=0")),
    kept("9111-5.2.2.3-must-understand-of-200",
         cc("must-understand, max-age=60")),
    kept("9111-5.2.2.3-must-understand-over-no-store-of-200",
         cc("must-understand, no-store, max-age=60")),
    kept("9111-5.2.2.3-must-understand-behind-no-store",
         cc("no-store, max-age=60, must-understand")),
    kept("9111-5.2.2.3-must-understand-over-no-store-of-404",
         cc("must-understand, no-store, max-age=60"), code=404),
    kept("9111-5.2.2.3-must-understand-in-mixed-case",
         cc("Must-Understand, No-Store, max-age=60")),
    unkept("9111-5.2.2.3-must-understand-of-299",
           cc("must-understand, max-age=60"), code=299),
    unkept("9111-5.2.2.3-must-understand-of-599",
           cc("must-understand, max-age=60"), code=599),
    unkept("9111-5.2.2.3-must-understand-and-no-store-of-599",
           cc("must-understand, no-store, max-age=60"), code=599),
    unkept("9111-5.2.2.3-must-understand-and-private",
           cc("must-understand, no-store, private, max-age=60")),
)
def test_meaning(play, row):
    play(row)


def cdn(value):
    return f"CDN-Cache-Control: {value}"


@rows(
    kept("9213-2.2-over-no-store", cdn("max-age=60"), cc("no-store")),
    kept("9213-2.2-over-private", cdn("max-age=60"), cc("private")),
    kept("9213-2.2-over-no-cache", cdn("max-age=60"), cc("no-cache")),
    kept("9213-2.2-over-max-age", cdn("max-age=60"), cc("max-age=0")),
    kept("9213-2.2-over-s-maxage", cdn("max-age=60"), cc("s-maxage=0")),
    kept("9213-2.2-over-Expires", cdn("max-age=60"), "Expires: {-60}"),
    kept("9213-2.2-over-an-invalid-Expires", cdn("max-age=60"), "Expires: 0"),
    kept("9213-2.2-alone", cdn("max-age=60")),
    kept("9213-2.2-s-maxage", cdn("s-maxage=60"), cc("max-age=0")),
    kept("9213-2.2-for-302", cdn("max-age=60"), code=302),
    stale("9213-2.2-0-over-max-age", cdn("max-age=0"), FRESH),
    stale("9213-2.2-0-over-s-maxage", cdn("max-age=0"), cc("s-maxage=60")),
    stale("9213-2.2-0-over-Expires", cdn("max-age=0"), "Expires: {+60}"),
    unkept("9213-2.2-no-store-over-max-age", cdn("no-store"), FRESH),
    unkept("9213-2.2-private-over-max-age", cdn("private"), FRESH),
    renewed("9213-2.2-no-cache-over-max-age", cdn("no-cache"), FRESH),
    unkept("9213-2.2-no-store-over-Expires", cdn("no-store"),
           "Expires: {+60}"),
    stale("9213-2.2-unknown-directives-win-too", cdn("foo"), FRESH),
    stale("9213-2.2-must-revalidate-wins-too", cdn("must-revalidate"),
          FRESH),
    kept("9213-2.2-heuristics-where-it-says-nothing", cdn("foo"),
         cc("no-store"), OLD),
    stale("9213-2.2-Age-counts", cdn("max-age=50"), cc("max-age=1000"),
          "Age: 100"),
    row("9213-2.2-Age-is-told", origin(cdn("max-age=50"), "Age: 30"),
        cache(age=(30, 30))),
    stale("9213-2.2-Date-counts", cdn("max-age=50"), cc("max-age=1000"),
          "Date: {-100}"),
    row("9213-2.2-Cache-Control-is-passed-on",
        origin(cdn("max-age=60"), cc("no-store"),
               has=(cc("no-store"),)), cache(has=(cc("no-store"),))),
    kept("9213-2.1-parameters-are-ignored", cdn("max-age=60;x=y;z"),
         cc("no-store")),
    unkept("9213-2.1-parameters-of-no-store", cdn("no-store;x"), FRESH),
    kept("9213-2.1-the-last-of-two-counts", cdn("max-age=0, max-age=60"),
         cc("no-store")),
    stale("9213-2.1-the-last-of-two-counts-0", cdn("max-age=60, max-age=0"),
          FRESH),
    kept("9213-2.1-two-lines", cdn("max-age=60"), cdn("foo"), cc("no-store")),
    kept("9213-2.1-the-last-of-two-lines-counts", cdn("max-age=0"),
         cdn("max-age=60"), cc("no-store")),
    unkept("9213-2.1-no-store-in-the-second-line", cdn("max-age=60"),
           cdn("no-store")),
    kept("9213-2.1-no-store-in-a-string", cdn('max-age=60, foo="no-store"')),
    kept("9213-2.1-an-inner-list", cdn("foo=(a b), max-age=60"),
         cc("no-store")),
    [unkept(f"9213-2.1-unparsable-{name}-lets-no-store-count", cdn(value),
            cc("no-store"))
     for name, value in (
         ("empty", ""), ("comma-behind", "max-age=60,"),
         ("empty-element", "max-age=60,,public"),
         ("upper-case", "Max-Age=60"), ("blank-before-=", "max-age =60"),
         ("blank-behind-=", "max-age= 60"), ("half-a-string", 'max-age=60, "'),
         ("semicolon-behind", "max-age=60;"), ("no-comma", "max-age=60 foo"),
         ("digits", "max-age=1234567890123456"), ("=", "=60"),
         ("half-an-inner-list", "max-age=60, foo=(a"),
         ("obs-text", "max-age=60, \xe9"))],
    [kept(f"9213-2.1-unparsable-{name}-lets-max-age-count", cdn(value), FRESH)
     for name, value in (
         ("empty", ""), ("comma-behind", "no-store,"),
         ("empty-element", "no-store,,private"), ("upper-case", "No-Store"),
         ("half-a-string", 'no-store, "'), ("semicolon-behind", "no-store;"),
         ("no-comma", "no-store foo"))],
    [stale(f"9213-2.1-max-age-{name}-is-no-lifetime", cdn(f"max-age={value}"))
     for name, value in (("negative", "-60"), ("decimal", "60.5"),
                         ("a-token", "abc"), ("a-list", "(60)"))],
    stale("9213-2.1-max-age-without-a-value-is-no-lifetime", cdn("max-age")),
)
def test_cdn(play, row):
    play(row)


WITH = ("Authorization: Basic YTpi",)


def authorized(name, value, *then):
    return row(f"9111-3.5-{name}", origin(cc(value), ask=WITH), *then)


@rows(
    authorized("not-without-a-word", "max-age=60", origin(*UNEXPECTED)),
    authorized("not-for-the-same-user", "max-age=60",
               origin(*UNEXPECTED, ask=WITH)),
    authorized("not-by-proxy-revalidate", "max-age=60, proxy-revalidate",
               origin(*UNEXPECTED)),
    authorized("not-by-no-transform", "max-age=60, no-transform",
               origin(*UNEXPECTED)),
    authorized("not-by-a-word-that-is-like-public", "max-age=60, publicx",
               origin(*UNEXPECTED)),
    authorized("not-by-private", "private, max-age=60", origin(*UNEXPECTED)),
    row("9111-3.5-not-by-Expires", origin("Expires: {+60}", ask=WITH),
        origin(*UNEXPECTED)),
    row("9111-3.5-not-by-heuristics", origin(OLD, ask=WITH),
        origin(*UNEXPECTED)),
    authorized("by-public", "max-age=60, public", cache()),
    authorized("by-public-for-another-user", "max-age=60, public",
               cache("Authorization: Basic Yzpk")),
    authorized("by-s-maxage", "s-maxage=60", cache()),
    authorized("by-s-maxage-over-max-age", "max-age=0, s-maxage=60", cache()),
    authorized("by-s-maxage-quoted", 's-maxage="60"', cache()),
    authorized("by-must-revalidate", "max-age=60, must-revalidate", cache()),
    authorized("by-PUBLIC", "max-age=60, PUBLIC", cache()),
    authorized("by-must-revalidate-not-when-stale",
               "max-age=0, must-revalidate", origin(*UNEXPECTED)),
    row("9111-3.5-the-field-reaches-the-origin",
        origin(cc("max-age=60"), ask=WITH,
               asked=("Authorization: Basic YTpi",))),
    row("9111-3.5-public-by-CDN-Cache-Control",
        origin(cdn("public, max-age=60"), ask=WITH), cache()),
    row("9111-3.5-not-by-public-that-CDN-Cache-Control-hides",
        origin(cdn("max-age=60"), cc("public"), ask=WITH),
        origin(*UNEXPECTED)),
)
def test_authorization(play, row):
    play(row)


COOKIE = "Set-Cookie: a=b"


@rows(
    row("9111-7.3-kept-by-the-letter", origin(FRESH, COOKIE),
        cache(has=(COOKIE,))),
    row("9111-7.3-two-are-kept", origin(FRESH, COOKIE, "Set-Cookie: c=d"),
        cache(has=(COOKIE, "Set-Cookie: c=d"))),
    row("9111-7.3-kept-by-heuristics", origin(OLD, COOKIE),
        cache(has=(COOKIE,))),
    unkept("9111-7.3-not-with-private", cc("private, max-age=60"), COOKIE),
    row("9111-7.3-a-request-with-cookies", origin(FRESH, ask=("Cookie: a=1",)),
        cache("Cookie: a=2"), cache()),
    row("careful-cookies-are-not-kept", origin(FRESH, COOKIE, has=(COOKIE,)),
        origin(FRESH, COOKIE, has=(COOKIE,)), site="careful"),
    unkept("careful-cookies-are-not-kept-with-public",
           cc("public, max-age=60"), COOKIE, site="careful"),
    kept("careful-without-cookies", FRESH, site="careful"),
    row("strip-cookies-are-taken-off-what-is-kept", origin(FRESH, COOKIE),
        cache(lacks=("set-cookie",)), site="strip"),
    row("store-cookies-are-kept", origin(FRESH, COOKIE), cache(has=(COOKIE,)),
        site="store"),
    row("store-not-against-private", origin(cc("private"), COOKIE),
        origin(*UNEXPECTED), site="store"),
)
def test_cookies(play, row):
    play(row)
