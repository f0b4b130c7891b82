"""What gatehouse's own keys change: ignore_query, sort_query, key, cache_ttl,
cache_bypass, cache_min_uses, negative_ttl, max_object, and rules on top of what
is stored."""
from lib.cachecase import (ANY, UNEXPECTED, cache, kept, origin, row, rows,
                           stale, unkept)

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'


def same(name, one, other, site):
    return row(name, origin(FRESH, path=one), cache(path=other), site=site)


def other(name, one, two, site):
    return row(name, origin(FRESH, path=one), origin(FRESH, path=two),
               site=site)


def target_is(suffix):
    def check(got, play):
        assert play.requests[-1].target == play.url + suffix
    return check


@rows(
    same("ignore_query-behind", "?a=1", "?a=1&utm_source=x", "keys"),
    same("ignore_query-in-front", "?a=1", "?utm_source=x&a=1", "keys"),
    same("ignore_query-amid", "?a=1&b=2", "?a=1&utm_source=x&b=2", "keys"),
    same("ignore_query-other-values", "?a=1&utm_id=1", "?a=1&utm_id=2",
         "keys"),
    same("ignore_query-exact-name", "?a=1", "?a=1&fbclid=x", "keys"),
    same("ignore_query-several", "?a=1", "?utm_a=1&a=1&fbclid=2&utm_b=3",
         "keys"),
    same("ignore_query-without-a-value", "?a=1", "?a=1&fbclid", "keys"),
    same("ignore_query-empty-value", "?a=1", "?a=1&fbclid=", "keys"),
    same("ignore_query-nothing-left", "", "?utm_source=x", "keys"),
    same("ignore_query-twice-the-same", "?a=1", "?a=1&fbclid=1&fbclid=2",
         "keys"),
    other("ignore_query-others-count", "?a=1", "?a=2", "keys"),
    other("ignore_query-one-more", "?a=1", "?a=1&b=2", "keys"),
    other("ignore_query-a-name-that-begins-with-the-exact-one", "?a=1",
          "?a=1&fbclidx=1", "keys"),
    other("ignore_query-a-name-that-ends-with-it", "?a=1", "?a=1&xfbclid=1",
          "keys"),
    other("ignore_query-case-counts", "?a=1", "?a=1&FBCLID=1", "keys"),
    other("ignore_query-less-than-the-prefix", "?a=1", "?a=1&utm=1", "keys"),
    other("ignore_query-as-a-value", "?a=1", "?a=1&b=utm_source", "keys"),
    other("ignore_query-not-where-it-is-not-set", "?a=1", "?a=1&utm_x=1",
          "careful"),
    row("ignore_query-the-origin-sees-all",
        origin(FRESH, path="?utm_x=1&b=2&a=1",
               check=target_is("?utm_x=1&b=2&a=1")), site="keys"),
    same("sort_query-two", "?a=1&b=2", "?b=2&a=1", "keys"),
    same("sort_query-three", "?a=1&b=2&c=3", "?c=3&a=1&b=2", "keys"),
    same("sort_query-with-what-is-ignored", "?a=1&b=2",
         "?utm_x=3&b=2&fbclid=y&a=1", "keys"),
    same("sort_query-without-values", "?a&b", "?b&a", "keys"),
    other("sort_query-values-do-not-change-places", "?a=1&b=2", "?a=2&b=1",
          "keys"),
    other("sort_query-a-name-is-no-value", "?a&b=1", "?a=1&b", "keys"),
    other("sort_query-names-do-not-flow-together", "?a=1&b=2", "?a=1b&=2",
          "keys"),
    other("sort_query-twice-is-not-once", "?a=1", "?a=1&a=1", "keys"),
    other("sort_query-not-where-it-is-off", "?a=1&b=2", "?b=2&a=1",
          "careful"),
    row("ignore_query-and-invalidation", origin(FRESH, TAG, path="?a=1"),
        origin(method="POST", sends=b"x", path="?utm_x=1&a=1"),
        origin(FRESH, path="?a=1"), site="keys"),
)
def test_query(play, row):
    play(row)


@rows(
    row("key-the-query-that-it-leaves-out", origin(FRESH, path="?a=1"),
        cache(path="?a=2"), site="tenant"),
    row("key-a-field-that-it-names", origin(FRESH, ask=("X-Tenant: a",)),
        origin(FRESH, ask=("X-Tenant: b",)),
        cache("X-Tenant: a", of=0), cache("X-Tenant: b", of=1),
        site="tenant"),
    row("key-a-field-that-is-not-there", origin(FRESH, ask=("X-Tenant: a",)),
        origin(FRESH), cache(of=1), site="tenant"),
)
def test_template(play, row):
    play(row)


@rows(
    kept("cache_ttl-for-what-does-not-say", site="ttl"),
    row("cache_ttl-Age", origin(), cache(age=(0, 0)), site="ttl"),
    stale("cache_ttl-Age-counts", "Age: 100", site="ttl"),
    kept("cache_ttl-beside-public", "Cache-Control: public", site="ttl"),
    stale("cache_ttl-not-over-max-age", "Cache-Control: max-age=0",
          site="ttl"),
    stale("cache_ttl-not-over-Expires", "Expires: {-60}", site="ttl"),
    stale("cache_ttl-not-over-an-invalid-Expires", "Expires: 0", site="ttl"),
    kept("cache_ttl-max-age-is-longer", "Cache-Control: max-age=1000",
         "Age: 100", site="ttl"),
    unkept("cache_ttl-not-over-no-store", "Cache-Control: no-store",
           site="ttl"),
    unkept("cache_ttl-not-over-private", "Cache-Control: private",
           site="ttl"),
    stale("cache_ttl-not-over-no-cache", "Cache-Control: no-cache",
          site="ttl"),
    unkept("cache_ttl-not-over-cookies", "Set-Cookie: a=b", site="ttl"),
    unkept("cache_ttl-not-for-500", code=500, site="ttl"),
    unkept("cache_ttl-not-for-503", code=503, site="ttl"),
    row("cache_ttl-not-for-Authorization",
        origin(ask=("Authorization: Basic x",)), origin(*UNEXPECTED),
        site="ttl"),
    row("cache_ttl-not-for-POST", origin(method="POST", sends=b"x"),
        origin(), site="ttl"),
    unkept("careful-no-lifetime-is-invented", site="careful"),
    kept("careful-max-age", FRESH, site="careful"),
    kept("careful-heuristics", "Last-Modified: {-100000}", site="careful"),
)
def test_ttl(play, row):
    play(row)


@rows(
    [kept(f"negative_ttl-{code}", code=code, site="negative")
     for code in (404, 410)],
    unkept("negative_ttl-not-for-200", site="negative"),
    unkept("negative_ttl-not-for-302", code=302, site="negative"),
    unkept("negative_ttl-not-over-no-store", "Cache-Control: no-store",
           code=404, site="negative"),
    unkept("negative_ttl-not-over-private", "Cache-Control: private",
           code=404, site="negative"),
    stale("negative_ttl-not-over-max-age", "Cache-Control: max-age=0",
          code=404, site="negative"),
    stale("negative_ttl-Age-counts", "Age: 100", code=404, site="negative"),
    kept("negative_ttl-max-age-of-an-error", FRESH, code=404,
         site="negative"),
    row("negative_ttl-not-for-the-gateways-own-error",
        origin(breaks="silent", status=(502, 503, 504), text=ANY),
        origin(), site="negative"),
    unkept("negative_ttl-not-where-it-is-not-set-404", code=404,
           site="careful"),
    unkept("negative_ttl-not-where-it-is-not-set-500", code=500,
           site="careful"),
)
def test_negative(play, row):
    play(row)


BYPASS = "X-Bypass: 1"


def once_ruled(got, play):
    assert got.all("x-rule") == ["of the site"], got.fields


@rows(
    row("cache_bypass-is-not-answered-from-it", origin(FRESH),
        origin(FRESH, ask=(BYPASS,)), site="bypass"),
    row("cache_bypass-others-are", origin(FRESH), cache(), site="bypass"),
    row("cache_bypass-asks-without-conditions", origin(FRESH, TAG),
        origin(FRESH, TAG, ask=(BYPASS,), unasked=("if-none-match",)),
        site="bypass"),
    row("cache_bypass-not-of-a-stale-one-after-a-failure",
        origin("Cache-Control: max-age=50, stale-if-error=1000", "Age: 100"),
        origin(ask=(BYPASS,), code=503), site="bypass"),
    row("cache_min_uses", origin(FRESH), origin(FRESH), cache(of=1),
        cache(of=1), site="uses"),
    row("cache_min_uses-counts-each-thing", origin(FRESH),
        origin(FRESH, path="/x"), origin(FRESH), cache(of=2),
        origin(FRESH, path="/x"), cache(path="/x", of=4), site="uses"),
    row("max_object-below", origin(FRESH, body=b"x" * 8000), cache(),
        site="small"),
    row("max_object-above", origin(FRESH, body=b"x" * 12000),
        origin(*UNEXPECTED), site="small"),
    row("max_object-above-without-a-length",
        origin(FRESH, body=b"x" * 12000, framing="chunked"),
        origin(*UNEXPECTED), site="small"),
    row("max_object-far-above-without-a-length",
        origin(FRESH, body=b"x" * 3000000, framing="chunked"),
        origin(*UNEXPECTED), site="small"),
    row("max_object-above-does-not-leave-the-old-one",
        origin("Cache-Control: max-age=0", TAG, body=b"x" * 8000),
        origin(FRESH, 'ETag: "b"', body=b"x" * 12000),
        origin(FRESH, body=b"y" * 12000), site="small"),
    row("response_header-on-top", origin(FRESH, has=("X-Rule: of the site",)),
        cache(check=once_ruled), site="rules"),
    row("response_header-on-a-304", origin(FRESH, TAG),
        cache('If-None-Match: "a"', status=304,
              has=("X-Rule: of the site",)), site="rules"),
)
def test_rest(play, row):
    play(row)
