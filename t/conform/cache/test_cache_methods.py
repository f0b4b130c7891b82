"""HEAD, POST and the rest, and what they invalidate (RFC 9111 2, 4, 4.4; RFC
9110 9.3.3)."""
from lib.cachecase import (CACHE, CHECKED, ORIGIN, UNEXPECTED, cache, origin,
                           row, rows)

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
OLD = "Last-Modified: {-100000}"
UNSAFE = ("PUT", "POST", "DELETE", "PATCH", "FOO", "MKCOL", "LOCK",
          "X-UNKNOWN", "MERGE")
WITH_CONTENT = ("PUT", "POST", "PATCH")


def does(method, *fields, **kwargs):
    """What the origin alone may do."""
    if method in WITH_CONTENT:
        kwargs.setdefault("sends", b"content")
    return origin(*fields, method=method, **kwargs)


def again(*ask, path="", **kwargs):
    """What is asked for anew, by a condition or not; the origin has changed
    it."""
    return origin(FRESH, 'ETag: "new"', ask=ask, path=path, **kwargs)


def invalidates(name, *steps, path=""):
    """What was stored is not used after this."""
    return row(f"9111-4.4-{name}", origin(FRESH, TAG, path=path), *steps,
               again(path=path), cache(path=path))


def spares(name, *steps, path="", **kwargs):
    """It is."""
    return row(f"9111-4.4-{name}", origin(FRESH, TAG, path=path, **kwargs),
               *steps, cache(path=path, of=0, **kwargs))


def head_of(got, play):
    assert got.body == b""
    assert got.get("content-length") in (None, str(len(play.bodies[0])))


@rows(
    row("9111-4-HEAD-from-GET", origin(FRESH, TAG),
        cache(method="HEAD", check=head_of)),
    row("9111-4-HEAD-has-the-fields", origin(FRESH, TAG, "X-A: 1"),
        cache(method="HEAD", has=(FRESH, TAG, "X-A: 1"))),
    row("9111-4-HEAD-has-the-length", origin(FRESH, body=b"12345"),
        cache(method="HEAD", has=("Content-Length: 5",))),
    row("9111-4-HEAD-of-a-chunked-answer",
        origin(FRESH, framing="chunked"), cache(method="HEAD",
                                                check=head_of)),
    row("9111-4-HEAD-has-Age", origin(FRESH, "Age: 30"),
        cache(method="HEAD", age=(30, 30))),
    row("9111-4-HEAD-of-404", origin(FRESH, code=404), cache(method="HEAD")),
    row("9111-4-HEAD-of-what-is-stale",
        origin("Cache-Control: max-age=0", TAG),
        origin(FRESH, TAG, method="HEAD", judges=True, status=200,
               via=(ORIGIN, CHECKED))),
    row("9111-4-HEAD-then-GET-again", origin(FRESH), cache(method="HEAD"),
        cache()),
    row("9111-4-HEAD-then-GET", origin(FRESH, method="HEAD"), origin(FRESH)),
    row("9111-4-HEAD-then-HEAD", origin(FRESH, method="HEAD"),
        cache(method="HEAD", via=(CACHE, ORIGIN), fields=(FRESH,))),
    row("9111-4-GET-with-Content-Length-0", origin(FRESH),
        cache("Content-Length: 0")),
)
def test_head(play, row):
    play(row)


def posts(*fields, **kwargs):
    return does("POST", *fields, **kwargs)


HERE = "Content-Location: {url}"


@rows(
    row("9110-9.3.3-POST-is-written-through", posts(FRESH, HERE),
        posts(FRESH, HERE)),
    row("9110-9.3.3-GET-is-no-answer-to-POST", origin(FRESH),
        posts(*UNEXPECTED)),
    row("9110-9.3.3-POST-for-GET", posts(FRESH, HERE), cache()),
    row("9110-9.3.3-POST-for-GET-by-s-maxage",
        posts("Cache-Control: s-maxage=60", HERE), cache()),
    row("9110-9.3.3-POST-for-GET-by-Expires", posts("Expires: {+60}", HERE),
        cache()),
    row("9110-9.3.3-POST-for-HEAD", posts(FRESH, HERE),
        cache(method="HEAD")),
    row("9110-9.3.3-POST-for-GET-by-a-whole-URI",
        posts(FRESH, "Content-Location: http://rfc.test{url}"), cache()),
    row("9110-9.3.3-POST-without-Content-Location", posts(FRESH),
        origin(FRESH)),
    row("9110-9.3.3-POST-with-another-Content-Location",
        posts(FRESH, "Content-Location: {url}/x"), origin(FRESH),
        origin(FRESH, path="/x")),
    row("9110-9.3.3-POST-with-a-foreign-Content-Location",
        posts(FRESH, "Content-Location: http://evil.test{url}"),
        origin(FRESH)),
    row("9110-9.3.3-POST-not-by-heuristics", posts(OLD, HERE), origin(FRESH)),
    row("9110-9.3.3-POST-not-with-no-store",
        posts("Cache-Control: no-store", HERE), origin(FRESH)),
    row("9110-9.3.3-POST-not-with-private",
        posts("Cache-Control: private, max-age=60", HERE), origin(FRESH)),
    row("9110-9.3.3-POST-stale-on-arrival",
        posts("Cache-Control: max-age=0", HERE), origin(FRESH)),
    row("9110-9.3.3-POST-is-the-newer", origin(FRESH), posts(FRESH, HERE),
        cache(of=1)),
    [row(f"9111-3-{method}-is-not-stored",
         does(method, FRESH, HERE), origin(FRESH))
     for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FOO")],
    [row(f"9111-3-{method}-twice", does(method, FRESH), does(method, FRESH))
     for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FOO", "PROPFIND",
                    "QUERY")],
    [row(f"9111-4-GET-is-no-answer-to-{method}", origin(FRESH),
         does(method, *UNEXPECTED))
     for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FOO")],
)
def test_others(play, row):
    play(row)


@rows(
    [invalidates(f"by-{method}", does(method)) for method in UNSAFE],
    [invalidates(f"by-POST-and-{code}", does("POST", code=code))
     for code in (200, 201, 202, 204, 205, 299, 301, 302, 303, 307, 308)],
    [invalidates(f"by-{method}-and-204", does(method, code=204))
     for method in ("PUT", "DELETE", "PATCH", "FOO")],
    [spares(f"not-by-{method}-and-{code}", does(method, code=code))
     for method in ("POST", "PUT", "DELETE", "FOO")
     for code in (400, 403, 404, 409, 412, 500, 503)],
    spares("not-by-OPTIONS", does("OPTIONS")),
    spares("not-by-GET-of-another", origin(FRESH, path="/x")),
    spares("not-by-POST-of-a-path-below", does("POST", path="/x")),
    spares("not-by-POST-of-a-path-above", does("POST"), path="/x"),
    spares("not-by-POST-with-another-query", does("POST", path="?a=1")),
    spares("not-by-POST-without-the-query", does("POST"), path="?a=1"),
    spares("not-by-POST-of-another-site", does("POST", host="other.test")),
    spares("not-by-Location-of-GET",
           origin(FRESH, "Location: {url}", "Content-Location: {url}",
                  path="/x", code=302)),
    invalidates("with-its-query", does("POST", path="?a=1"), path="?a=1"),
    invalidates("by-a-chunked-answer", does("POST", framing="chunked")),
    row("9111-4.4-HEAD-too", origin(FRESH, TAG), does("POST"),
        origin(FRESH, method="HEAD")),
    row("9111-4.4-every-variant", origin(FRESH, "Vary: X-A", TAG,
                                         ask=("X-A: 1",)),
        origin(FRESH, "Vary: X-A", TAG, ask=("X-A: 2",)),
        does("POST"), origin(*UNEXPECTED, ask=("X-A: 1",)),
        origin(*UNEXPECTED, ask=("X-A: 2",))),
    row("9111-4.4-the-stale-one-too",
        origin("Cache-Control: max-age=50, stale-while-revalidate=1000", TAG,
               "Age: 100"),
        does("POST"), again(), cache()),
    row("9111-4.4-parts-too",
        origin(FRESH, TAG, body=b"0123456789", ranged=True, status=206,
               ask=("Range: bytes=0-4",), text=b"01234"),
        does("POST"),
        origin(FRESH, 'ETag: "b"', body=b"abcdefghij", ranged=True,
               ask=("Range: bytes=0-4",), status=206, text=b"abcde")),
)
def test_invalidation(play, row):
    play(row)


def elsewhere(name, field, fields_too=(), spared=False, code=201,
              method="POST", **kwargs):
    """What else one request takes with it."""
    build = spares if spared else invalidates
    return build(f"{name}", does(method, field, *fields_too, code=code,
                                 path="/other", **kwargs))


BOTH = ("Location", "Content-Location")


@rows(
    [elsewhere(f"{name}-path", f"{name}: {{url}}") for name in BOTH],
    [elsewhere(f"{name}-whole-URI", f"{name}: http://rfc.test{{url}}")
     for name in BOTH],
    [elsewhere(f"{name}-host-in-another-case",
               f"{name}: http://RFC.test{{url}}") for name in BOTH],
    [elsewhere(f"{name}-scheme-in-another-case",
               f"{name}: HTTP://rfc.test{{url}}") for name in BOTH],
    [elsewhere(f"{name}-without-scheme", f"{name}: //rfc.test{{url}}")
     for name in BOTH],
    [elsewhere(f"{name}-with-a-fragment", f"{name}: {{url}}#there")
     for name in BOTH],
    [elsewhere(f"{name}-relative", f"{name}: ../x/..{{url}}") for name in BOTH],
    [elsewhere(f"{name}-of-{method}", f"{name}: {{url}}", method=method)
     for name in BOTH for method in ("PUT", "DELETE", "FOO")],
    [elsewhere(f"{name}-of-{code}", f"{name}: {{url}}", code=code)
     for name in BOTH for code in (200, 204, 303)],
    elsewhere("both-fields-the-second-is-it", "Location: {url}/z",
              ("Content-Location: {url}",)),
    [elsewhere(f"not-{name}-of-another-host",
               f"{name}: http://other.test{{url}}", spared=True)
     for name in BOTH],
    [elsewhere(f"not-{name}-of-another-port",
               f"{name}: http://rfc.test:81{{url}}", spared=True)
     for name in BOTH],
    [elsewhere(f"not-{name}-of-another-scheme",
               f"{name}: https://rfc.test{{url}}", spared=True)
     for name in BOTH],
    [elsewhere(f"not-{name}-of-a-host-that-begins-so",
               f"{name}: http://rfc.test.evil.test{{url}}", spared=True)
     for name in BOTH],
    [elsewhere(f"not-{name}-with-a-user-of-that-name",
               f"{name}: http://rfc.test@evil.test{{url}}", spared=True)
     for name in BOTH],
    [elsewhere(f"not-{name}-and-{code}", f"{name}: {{url}}", code=code,
               spared=True) for name in BOTH for code in (400, 404, 500)],
    [elsewhere(f"not-{name}-that-is-no-URI", f"{name}: http://[{{url}}",
               spared=True) for name in BOTH],
    [elsewhere(f"not-{name}-that-is-empty", f"{name}:", spared=True)
     for name in BOTH],
    # what is asked for and what Location names, in one host that is foreign
    [row(f"9111-4.4-not-what-{name}-names-on-a-foreign-host",
         origin(FRESH, TAG, host="other.test"),
         does("POST", f"{name}: http://other.test{{url}}", code=201,
              path="/x"),
         cache(host="other.test", of=0)) for name in BOTH],
)
def test_elsewhere(play, row):
    play(row)
