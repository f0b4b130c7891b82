"""Conditions: those of clients, which the cache answers (RFC 9111 4.3.2), its
own (4.3.1, 4.3.3), and what a 304 or a HEAD changes (4.3.4, 4.3.5, 3.2)."""
from lib.cachecase import (CACHE, CHECKED, ORIGIN, UNEXPECTED, cache, checked,
                           origin, renewed, row, rows)

FRESH = "Cache-Control: max-age=60"
STALE = "Cache-Control: max-age=0"
TAG, OTHER = 'ETag: "a"', 'ETag: "b"'
MADE = "Last-Modified: {-5000}"
TAGS = (
    # what is stored, what is asked, whether it is a 304
    ("the-same", '"a"', '"a"', True),
    ("another", '"a"', '"b"', False),
    ("star", '"a"', "*", True),
    ("first-of-a-list", '"a"', '"a", "b"', True),
    ("last-of-a-list", '"a"', '"b", "c", "a"', True),
    ("not-in-a-list", '"a"', '"b", "c"', False),
    ("list-without-blanks", '"a"', '"b","a"', True),
    ("list-with-empty-elements", '"a"', ', "b",, "a",', True),
    ("long-list", '"a"', ", ".join(f'"{i}"' for i in range(100)) + ', "a"',
     True),
    ("asked-weakly", '"a"', 'W/"a"', True),
    ("stored-weakly", 'W/"a"', '"a"', True),
    ("both-weak", 'W/"a"', 'W/"a"', True),
    ("weak-and-another", 'W/"a"', 'W/"b"', False),
    ("weak-in-a-list", '"a"', 'W/"b", W/"a"', True),
    ("case-counts", '"a"', '"A"', False),
    ("empty", '""', '""', True),
    ("empty-and-another", '"a"', '""', False),
    ("comma", '"a,b"', '"a,b"', True),
    ("comma-in-a-list", '"a,b"', '"c", "a,b"', True),
    ("comma-is-no-end", '"a"', '"a,b"', False),
    ("longer", '"a"', '"aa"', False),
    ("shorter", '"aa"', '"a"', False),
    ("obs-text", '"\xe9\xff"', '"\xe9\xff"', True),
    ("obs-text-and-another", '"\xe9"', '"\xe8"', False),
    ("backslash", r'"a\b"', r'"a\b"', True),
    ("unquoted", '"a"', "a", False),
    ("half-quoted", '"a"', '"a', False),
    ("star-in-quotes", '"a"', '"*"', False),
    ("long", '"' + "x" * 2000 + '"', '"' + "x" * 2000 + '"', True),
)


def on_tag(name, stored, asked, is_same):
    return row(f"9110-13.1.2-{name}", origin(FRESH, f"ETag: {stored}"),
               cache(f"If-None-Match: {asked}",
                     status=304 if is_same else 200))


def since(name, made, asked, status, *more):
    return row(f"9110-13.1.3-{name}", origin(FRESH, *made),
               cache(f"If-Modified-Since: {asked}", *more, status=status))


@rows(
    [on_tag(*one) for one in TAGS],
    row("9110-13.1.2-two-lines", origin(FRESH, TAG),
        cache('If-None-Match: "b"', 'If-None-Match: "a"', status=304)),
    row("9110-13.1.2-no-tag-stored", origin(FRESH, MADE),
        cache('If-None-Match: "a"', status=200)),
    row("9110-13.1.2-no-tag-stored-and-star", origin(FRESH, MADE),
        cache("If-None-Match: *", status=304)),
    row("9110-13.1.2-HEAD", origin(FRESH, TAG),
        cache('If-None-Match: "a"', method="HEAD", status=304)),
    row("9110-13.1.2-HEAD-and-another", origin(FRESH, TAG),
        cache('If-None-Match: "b"', method="HEAD", status=200)),
    row("9110-13.2.1-not-for-404", origin(FRESH, TAG, code=404),
        cache('If-None-Match: "a"', status=404)),
    row("9110-13.2.1-not-for-301", origin(FRESH, TAG, code=301),
        cache('If-None-Match: "a"', status=301)),
    since("the-same", (MADE,), "{-5000}", 304),
    since("later", (MADE,), "{-4999}", 304),
    since("earlier", (MADE,), "{-5001}", 200),
    since("in-RFC-850", (MADE,), "{-5000:850}", 304),
    since("in-asctime", (MADE,), "{-5000:asc}", 304),
    since("earlier-in-RFC-850", (MADE,), "{-5001:850}", 200),
    since("stored-in-RFC-850", ("Last-Modified: {-5000:850}",), "{-5000}",
          304),
    since("stored-in-asctime", ("Last-Modified: {-5000:asc}",), "{-5000}",
          304),
    since("invalid", (MADE,), "yesterday", 200),
    since("a-number", (MADE,), "99999999999", 200),
    since("two-dates", (MADE,), "{-5000}, {-5000}", 200),
    since("empty", (MADE,), "", 200),
    since("Date-where-nothing-else-is-stored", ("Date: {-30}",), "{-30}", 304),
    since("before-Date", ("Date: {-30}",), "{-40}", 200),
    row("9110-13.2.1-If-Modified-Since-not-for-404",
        origin(FRESH, MADE, code=404),
        cache("If-Modified-Since: {-5000}", status=404)),
    since("behind-If-None-Match-of-another", (TAG, MADE), "{-5000}", 200,
          'If-None-Match: "b"'),
    since("earlier-behind-If-None-Match-of-the-same", (TAG, MADE), "{-9000}",
          304, 'If-None-Match: "a"'),
    since("both-the-same", (TAG, MADE), "{-5000}", 304, 'If-None-Match: "a"'),
    since("both-another", (TAG, MADE), "{-9000}", 200, 'If-None-Match: "b"'),
    since("behind-If-None-Match-without-a-tag", (MADE,), "{-5000}", 200,
          'If-None-Match: "a"'),
)
def test_client(play, row):
    play(row)


def one_304(got, play):
    assert got.body == b"" and not got.all("transfer-encoding")
    assert got.get("content-length") in (None, "0", str(len(play.bodies[0])))


SHOWN = ("ETag: \"a\"", "Cache-Control: max-age=60, foo", "Expires: {+60}",
         "Vary: X-A", "Content-Location: /elsewhere", "Date: {-10}")


@rows(
    [row(f"9110-15.4.5-304-carries-{field.split(':')[0]}",
         origin(*SHOWN), cache('If-None-Match: "a"', status=304,
                               has=(field,))) for field in SHOWN],
    row("9110-15.4.5-304-has-no-content", origin(FRESH, TAG),
        cache('If-None-Match: "a"', status=304, check=one_304)),
    row("9110-15.4.5-304-of-a-chunked-answer", origin(
        FRESH, TAG, framing="chunked"),
        cache('If-None-Match: "a"', status=304, check=one_304)),
    row("9111-4.3.2-304-by-date-carries-Last-Modified", origin(FRESH, MADE),
        cache("If-Modified-Since: {-5000}", status=304, has=(MADE,))),
    row("9111-4.3.2-what-is-stored-stays", origin(FRESH, TAG),
        cache('If-None-Match: "a"', status=304), cache(),
        cache('If-None-Match: "b"'), cache()),
    row("9111-4.3.2-If-Match-is-the-origins", origin(FRESH, TAG),
        origin(FRESH, TAG, ask=('If-Match: "a"',), asked=('If-Match: "a"',))),
    row("9111-4.3.2-If-Match-failed", origin(FRESH, TAG),
        origin(code=412, ask=('If-Match: "b"',), asked=('If-Match: "b"',)),
        cache(of=0)),
    row("9111-4.3.2-If-Unmodified-Since-is-the-origins", origin(FRESH, MADE),
        origin(FRESH, MADE, ask=("If-Unmodified-Since: {-5000}",),
               asked=("If-Unmodified-Since: {-5000}",))),
    row("9111-4.3.2-If-Unmodified-Since-failed", origin(FRESH, MADE),
        origin(code=412, ask=("If-Unmodified-Since: {-9000}",),
               asked=("If-Unmodified-Since: {-9000}",)), cache(of=0)),
    row("9111-4.3.2-a-304-of-the-origin-is-no-answer-for-others",
        origin(FRESH, TAG, ask=('If-None-Match: "a"',), judges=True,
               status=304, via=(CHECKED, ORIGIN), text=b""),
        cache(via=(CACHE, ORIGIN), body=b"whole", status=200,
              check=lambda got, play: got.body in play.bodies)),
    row("9111-4.3.2-a-condition-that-fails-fills",
        origin(FRESH, OTHER, ask=('If-None-Match: "a"',)), cache()),
    row("9111-4.3.2-If-Modified-Since-that-fails-fills",
        origin(FRESH, MADE, ask=("If-Modified-Since: {-9000}",)), cache()),
    row("9111-4.3.2-412-is-not-stored",
        origin(FRESH, code=412, ask=('If-Match: "b"',)), origin(FRESH)),
    row("9111-4.3.3-stale-and-the-client-has-the-same", origin(STALE, TAG),
        origin(FRESH, TAG, judges=True, ask=('If-None-Match: "a"',),
               status=304, via=(CHECKED, ORIGIN), text=b"")),
    row("9111-4.3.3-stale-and-the-client-has-another", origin(STALE, TAG),
        origin(FRESH, TAG, judges=True, ask=('If-None-Match: "z"',), of=0,
               status=200, via=(CHECKED, ORIGIN))),
    row("9111-4.3.3-stale-and-the-client-has-the-new-one", origin(STALE, TAG),
        origin(FRESH, OTHER, judges=True, ask=('If-None-Match: "b"',),
               status=304, via=(CHECKED, ORIGIN), text=b"")),
    row("9111-4.3.4-the-clients-304-renews-no-other", origin(STALE, TAG),
        origin(FRESH, OTHER, judges=True, ask=('If-None-Match: "b"',),
               status=304, via=(CHECKED, ORIGIN), text=b""),
        cache(via=(CACHE, ORIGIN), status=200, fields=(FRESH,), check=lambda
              got, play: got.body in play.bodies[1:])),
)
def test_304(play, row):
    play(row)


@rows(
    [renewed(f"9111-4.3.1-what-is-stale-by-{name}-is-kept-for-it", *fields)
     for name, fields in (
         ("max-age-0", (STALE,)),
         ("s-maxage-0", ("Cache-Control: s-maxage=0",)),
         ("Age", ("Cache-Control: max-age=50", "Age: 100")),
         ("Date", ("Cache-Control: max-age=50", "Date: {-100}")),
         ("Expires", ("Expires: {-60}",)), ("Expires-0", ("Expires: 0",)),
         ("no-lifetime-at-all", ()))],
    renewed("9111-4.3.1-404", STALE, code=404),
    renewed("9111-4.3.1-301", STALE, "Location: /x", code=301),
    row("9111-4.3.1-by-a-weak-tag", origin(STALE, 'ETag: W/"a"'),
        checked(asked=('If-None-Match: W/"a"',))),
    row("9111-4.3.1-by-a-tag-with-obs-text", origin(STALE, 'ETag: "\xe9\xff"'),
        checked(asked=('If-None-Match: "\xe9\xff"',))),
    row("9111-4.3.1-by-a-tag-with-a-comma", origin(STALE, 'ETag: "a,b"'),
        checked(asked=('If-None-Match: "a,b"',))),
    row("9111-4.3.1-by-an-empty-tag", origin(STALE, 'ETag: ""'),
        checked(asked=('If-None-Match: ""',))),
    row("9111-4.3.1-by-date", origin(STALE, MADE),
        checked(asked=("If-Modified-Since: {-5000}",))),
    row("9111-4.3.1-by-date-as-it-came-RFC-850",
        origin(STALE, "Last-Modified: {-5000:850}"),
        checked(asked=("If-Modified-Since: {-5000:850}",))),
    row("9111-4.3.1-by-date-as-it-came-asctime",
        origin(STALE, "Last-Modified: {-5000:asc}"),
        checked(asked=("If-Modified-Since: {-5000:asc}",))),
    row("9111-4.3.1-by-both", origin(STALE, TAG, MADE),
        checked(asked=('If-None-Match: "a"',
                       "If-Modified-Since: {-5000}"))),
    row("9111-4.3.1-by-none", origin(STALE),
        origin(STALE, unasked=("if-none-match",))),
    row("9111-4.3.3-200-takes-its-place", origin(STALE, TAG),
        origin(FRESH, OTHER), cache(has=(OTHER,))),
    row("9111-4.3.3-404-takes-its-place", origin(STALE, TAG),
        origin(FRESH, code=404), cache()),
    row("9111-4.3.3-no-store-takes-its-place", origin(STALE, TAG),
        origin(*UNEXPECTED), origin(FRESH, OTHER)),
    row("careful-503-is-passed-on", origin(STALE, TAG), origin(code=503),
        checked(of=0, via=(CHECKED, ORIGIN)), site="careful"),
    row("9111-4.3.3-304-makes-it-fresh", origin(STALE, TAG),
        checked(FRESH, TAG), cache()),
    row("9111-4.3.3-304-again-and-again", origin(STALE, TAG),
        checked(STALE), checked(STALE), checked(FRESH), cache()),
    row("9111-4.3.3-304-without-fields", origin(STALE, TAG),
        checked(), checked()),
    row("9111-4.3.3-304-to-HEAD", origin(STALE, TAG),
        checked(FRESH, TAG, method="HEAD", via=(CHECKED, ORIGIN))),
    row("9111-4.3.3-304-with-no-store", origin(STALE, TAG),
        checked("Cache-Control: no-store"),
        checked(via=(CHECKED, ORIGIN))),
)
def test_own(play, row):
    play(row)


def update(name, before, after, has, lacks=()):
    """Fields before, those of the 304, those at once and later."""
    return row(f"9111-3.2-{name}", origin(STALE, TAG, *before),
               checked(FRESH, TAG, *after, has=has, lacks=lacks),
               cache(has=has, lacks=lacks))


def has_lines(name, *values):
    def check(got, play):
        assert got.all(name) == list(values), got.fields
    return check


def whole(got, play):
    """The content has the length that it is said to have."""
    assert got.get("content-length") in (None, str(len(play.bodies[0])))


@rows(
    update("changed", ("X-A: 1",), ("X-A: 2",), ("X-A: 2",)),
    update("added", (), ("X-A: 2",), ("X-A: 2",)),
    update("left-alone", ("X-A: 1",), (), ("X-A: 1",)),
    update("name-in-another-case", ("X-A: 1",), ("x-a: 2",), ("X-A: 2",)),
    row("9111-3.2-lines-are-replaced",
        origin(STALE, TAG, "X-A: 1", "X-A: 2", "X-A: 3"),
        checked(FRESH, "X-A: 4", "X-A: 5", check=has_lines("x-a", "4", "5")),
        cache(check=has_lines("x-a", "4", "5"))),
    row("9111-3.2-Cache-Control-is-replaced",
        origin(STALE, "Cache-Control: foo", TAG),
        checked(FRESH, check=has_lines("cache-control", "max-age=60")),
        cache(check=has_lines("cache-control", "max-age=60"))),
    update("Expires", ("Expires: {-60}",), ("Expires: {+90}",),
           ("Expires: {+90}",)),
    update("Last-Modified", (MADE,), ("Last-Modified: {-100}",),
           ("Last-Modified: {-100}",)),
    update("Content-Type", ("Content-Type: text/plain",),
           ("Content-Type: text/html",), ("Content-Type: text/html",)),
    update("Content-Language", ("Content-Language: de",),
           ("Content-Language: en",), ("Content-Language: en",)),
    update("Link", ("Link: </a>",), ("Link: </b>",), ("Link: </b>",)),
    update("Access-Control-Allow-Origin", (),
           ("Access-Control-Allow-Origin: *",),
           ("Access-Control-Allow-Origin: *",)),
    update("Date", ("Date: {-50}",), ("Date: {-5}",), ("Date: {-5}",)),
    update("not-Content-Encoding", ("Content-Encoding: gzip",),
           ("Content-Encoding: br",), ("Content-Encoding: gzip",)),
    update("not-Content-Encoding-that-was-not", (),
           ("Content-Encoding: br",), (), ("content-encoding",)),
    update("not-Content-Range", (), ("Content-Range: bytes 0-1/2",), (),
           ("content-range",)),
    row("9111-3.2-not-Content-Length", origin(STALE, TAG),
        checked(FRESH, "Content-Length: 999", check=whole),
        cache(check=whole)),
    row("9111-3.2-not-Content-Length-0", origin(STALE, TAG),
        checked(FRESH, "Content-Length: 0", check=whole), cache(check=whole)),
    update("not-what-Connection-names", ("X-A: 1",),
           ("Connection: X-A", "X-A: 2"), ("X-A: 1",)),
    update("not-Keep-Alive", (), ("Keep-Alive: timeout=5",), (),
           ("keep-alive",)),
    row("9111-5.1-Age-begins-anew",
        origin("Cache-Control: max-age=100", "Age: 150", TAG),
        checked("Cache-Control: max-age=100", "Age: 0"), cache(age=(0, 0))),
    row("9111-5.1-Age-begins-anew-without-a-word",
        origin("Cache-Control: max-age=100", "Age: 150", TAG),
        checked("Cache-Control: max-age=100"), cache(age=(0, 0))),
    row("9111-5.1-Age-of-the-304",
        origin("Cache-Control: max-age=100", "Age: 150", TAG),
        checked("Cache-Control: max-age=100", "Age: 30"),
        cache(age=(30, 30))),
    row("9111-4.3.4-the-304-brings-no-cache", origin(STALE, TAG),
        checked("Cache-Control: max-age=60, no-cache"), checked(FRESH)),
    row("9111-4.3.4-the-lifetime-of-the-304-by-Expires",
        origin("Expires: {-60}", TAG), checked("Expires: {+60}"), cache()),
    row("9111-4.3.4-by-Last-Modified-alone", origin(STALE, MADE),
        checked(FRESH, MADE, "X-A: 2"), cache(has=("X-A: 2",))),
    row("9111-4.3.4-a-304-without-validators-for-the-only-one",
        origin(STALE, TAG), checked(FRESH, "X-A: 2"),
        cache(has=("X-A: 2",))),
    row("9111-4.3.4-a-304-of-a-weak-tag", origin(STALE, 'ETag: W/"a"'),
        checked(FRESH, 'ETag: W/"a"', "X-A: 2"), cache(has=("X-A: 2",))),
)
def test_update(play, row):
    play(row)


def heads(*fields, **kwargs):
    return origin(*fields, method="HEAD", ask=("Cache-Control: no-cache",),
                  **kwargs)


BODY = {"body": b"hello"}


@rows(
    row("9111-4.3.5-HEAD-makes-it-fresh", origin(STALE, TAG, **BODY),
        heads(FRESH, TAG, **BODY, via=(ORIGIN, CHECKED)), cache(of=0)),
    row("9111-4.3.5-HEAD-updates", origin(STALE, TAG, "X-A: 1", **BODY),
        heads(FRESH, TAG, "X-A: 2", **BODY), cache(of=0, has=("X-A: 2",))),
    row("9111-4.3.5-HEAD-of-another-tag", origin(FRESH, TAG, **BODY),
        heads(FRESH, OTHER, **BODY),
        checked(of=0, via=(ORIGIN, CHECKED))),
    row("9111-4.3.5-HEAD-of-another-length", origin(FRESH, TAG, **BODY),
        heads(FRESH, TAG, body=b"hello!"),
        checked(of=0, via=(ORIGIN, CHECKED))),
    row("9111-4.3.5-HEAD-of-another-date", origin(FRESH, MADE, **BODY),
        heads(FRESH, "Last-Modified: {-100}", **BODY),
        checked(of=0, via=(ORIGIN, CHECKED))),
    row("9111-4.3.5-HEAD-with-an-error-changes-nothing",
        origin(FRESH, TAG, **BODY), heads(code=503), cache(of=0)),
    row("9111-4.3.5-HEAD-alone-is-no-GET", heads(FRESH, TAG, **BODY),
        origin(FRESH, TAG)),
)
def test_head(play, row):
    play(row)
