"""Ranges out of what is stored, and parts that are (RFC 9110 14, RFC 9111
3.3, 3.4)."""
import re

from lib.cachecase import (ANY, BROKEN, CACHE, CHECKED, ORIGIN, cache, checked,
                           origin, row, rows)

FRESH = "Cache-Control: max-age=60"
STALE = "Cache-Control: max-age=0"
TAG, OTHER, WEAK = 'ETag: "a"', 'ETag: "b"', 'ETag: W/"a"'
MADE = "Last-Modified: {-5000}"
TYPE = "Content-Type: text/plain"
BODY = bytes(i % 26 + 97 for i in range(100))
PARTED = re.compile(r'^multipart/byteranges;\s*boundary="?([^"]+)"?$')


def stored(*fields, **kwargs):
    return origin(FRESH, *fields, body=BODY, **kwargs)


def part(first, last, size=100):
    """What a 206 with this part must be."""
    return {"status": 206, "text": BODY[first:last + 1],
            "has": (f"Content-Range: bytes {first}-{last}/{size}",)}


def single(name, spec, first, last):
    return row(f"9110-14.1.2-{name}", stored(TAG),
               cache(f"Range: {spec}", **part(first, last)))


def whole(name, *ask, **kwargs):
    return row(f"9110-14.2-{name}", stored(TAG, **kwargs),
               cache(*ask, status=kwargs.get("code", 200)))


def invalid(name, ask):
    """RFC 9110 14.2: ignored or rejected."""
    def check(got, play):
        assert got.status != 200 or got.body == BODY, got
    return row(f"9110-14.2-{name}", stored(TAG),
               cache(ask, status=(200, 400, 416), text=ANY, check=check))


def parts_of(got):
    """[(first, last)] of a multipart/byteranges, each looked at."""
    boundary = PARTED.match(got.get("content-type"))[1].encode("latin-1")
    pieces = got.body.split(b"--" + boundary)
    assert pieces[-1].startswith(b"--"), got.body
    found = []
    for piece in pieces[1:-1]:
        head, content = piece.split(b"\r\n\r\n", 1)
        told = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/100", head)
        first, last = int(told[1]), int(told[2])
        assert content == BODY[first:last + 1] + b"\r\n", piece
        assert re.search(rb"(?i)content-type: text/plain", head), head
        found.append((first, last))
    return found


def multi(name, spec, *expected, more=()):
    """The parts one by one; RFC 9110 14.2, 15.3.7.2 let a server join them or
    send all."""
    def check(got, play):
        if got.status == 416:
            return
        if got.status == 200:
            assert got.body == BODY
        elif got.get("content-range"):
            first, last = map(int, re.match(
                r"bytes (\d+)-(\d+)/100$", got.get("content-range")).groups())
            assert got.body == BODY[first:last + 1]
            assert all(first <= a and b <= last for a, b in expected)
        else:
            found = parts_of(got)
            assert all(any(a <= c and d <= b for a, b in found)
                       for c, d in expected), found
    return row(f"9110-14.6-{name}", stored(TAG, TYPE),
               cache(f"Range: {spec}", status=(200, 206, *more), text=ANY,
                     check=check))


def refused(name, spec):
    return row(f"9110-15.5.17-{name}", stored(TAG),
               cache(f"Range: {spec}", status=416, text=ANY,
                     has=("Content-Range: bytes */100",)))


@rows(
    single("first-ten", "bytes=0-9", 0, 9),
    single("first-one", "bytes=0-0", 0, 0),
    single("from-the-middle", "bytes=40-59", 40, 59),
    single("last-one", "bytes=99-99", 99, 99),
    single("all", "bytes=0-99", 0, 99),
    single("open", "bytes=90-", 90, 99),
    single("open-from-0", "bytes=0-", 0, 99),
    single("open-from-the-last", "bytes=99-", 99, 99),
    single("suffix", "bytes=-10", 90, 99),
    single("suffix-of-one", "bytes=-1", 99, 99),
    single("suffix-of-all", "bytes=-100", 0, 99),
    single("suffix-longer-than-all", "bytes=-1000", 0, 99),
    single("end-behind-the-end", "bytes=90-1000", 90, 99),
    single("end-is-the-length", "bytes=90-100", 90, 99),
    single("end-huge", "bytes=90-99999999999999999999", 90, 99),
    single("zeros", "bytes=0010-0019", 10, 19),
    single("unit-in-another-case", "Bytes=0-9", 0, 9),
    single("an-empty-element", "bytes=,0-9", 0, 9),
    refused("begins-at-the-end", "bytes=100-"),
    refused("begins-behind-the-end", "bytes=1000-1001"),
    refused("begins-far-behind", "bytes=99999999999999999999-"),
    refused("suffix-of-0", "bytes=-0"),
    refused("none-of-two", "bytes=100-, 200-300"),
    whole("unknown-unit", "Range: lines=0-9"),
    [invalid(name, f"Range: {value}") for name, value in (
        ("no-unit", "0-9"),
        ("nothing", "bytes="), ("a-dash", "bytes=-"),
        ("last-before-first", "bytes=9-0"), ("negative", "bytes=-1-9"),
        ("a-word", "bytes=a-b"), ("no-dash", "bytes=9"),
        ("fraction", "bytes=0.5-9"), ("empty", ""),
        ("hexadecimal", "bytes=0x0-0x9"), ("blank-inside", "bytes=0 -9"))],
    row("9110-14.2-HEAD-has-no-ranges", stored(TAG),
        cache("Range: bytes=0-9", method="HEAD", status=200,
              lacks=("content-range",))),
    whole("not-of-404", "Range: bytes=0-9", code=404),
    multi("two-parts", "bytes=0-9, 50-59", (0, 9), (50, 59)),
    multi("two-parts-without-blanks", "bytes=0-9,50-59", (0, 9), (50, 59)),
    multi("three-parts", "bytes=0-9, 50-59, -10", (0, 9), (50, 59), (90, 99)),
    multi("parts-in-another-order", "bytes=50-59, 0-9", (50, 59), (0, 9)),
    multi("parts-that-meet", "bytes=0-9, 10-19", (0, 9), (10, 19)),
    multi("parts-that-overlap", "bytes=0-20, 10-30", (0, 20), (10, 30)),
    multi("one-of-two-is-behind-the-end", "bytes=0-9, 200-210", (0, 9)),
    multi("first-of-two-is-behind-the-end", "bytes=200-210, 0-9", (0, 9)),
    multi("the-same-a-hundred-times", "bytes=" + ",".join(["0-99"] * 100),
          (0, 99), more=(416,)),
    multi("many-bytes", "bytes=" + ",".join(
        f"{i}-{i}" for i in range(0, 100, 2)), (0, 0), more=(416,)),
)
def test_parts(play, row):
    play(row)


CARRIED = (TAG, FRESH, "Expires: {+60}", "Vary: X-A", "Date: {-10}",
           "Content-Location: /elsewhere")


@rows(
    [row(f"9110-15.3.7-206-carries-{field.split(':')[0]}",
         origin(*CARRIED, body=BODY),
         cache("Range: bytes=0-9", **{**part(0, 9), "has": (field,)}))
     for field in CARRIED],
    row("9110-15.3.7-206-has-its-own-length", stored(TAG),
        cache("Range: bytes=0-9", **{**part(0, 9), "has": (
            "Content-Length: 10",)})),
    row("9110-15.3.7-206-of-a-chunked-answer",
        stored(TAG, framing="chunked"), cache("Range: bytes=0-9",
                                              **part(0, 9))),
    row("9110-15.3.7-206-of-a-heuristic-answer",
        origin("Last-Modified: {-100000}", body=BODY),
        cache("Range: bytes=-10", **part(90, 99))),
    row("9110-15.3.7-the-whole-stays", stored(TAG),
        cache("Range: bytes=0-9", **part(0, 9)), cache()),
    row("9110-15.3.7-Age-of-206", origin("Cache-Control: max-age=100", TAG,
                                         "Age: 30", body=BODY),
        cache("Range: bytes=0-9", age=(30, 30), **part(0, 9))),
    row("9110-15.5.17-416-is-not-stored", stored(TAG),
        cache("Range: bytes=100-", status=416, text=ANY), cache()),
    row("9110-13.2.2-If-None-Match-over-Range", stored(TAG),
        cache("Range: bytes=0-9", 'If-None-Match: "a"', status=304)),
    row("9110-13.2.2-If-None-Match-of-another-and-Range", stored(TAG),
        cache("Range: bytes=0-9", 'If-None-Match: "b"', **part(0, 9))),
    row("9110-13.2.2-If-Modified-Since-over-Range", stored(MADE),
        cache("Range: bytes=0-9", "If-Modified-Since: {-5000}", status=304)),
    row("9111-4.3.3-a-range-of-what-was-checked",
        origin(STALE, TAG, body=BODY),
        checked(FRESH, TAG, ask=("Range: bytes=0-9",), **part(0, 9)),
        cache()),
)
def test_206(play, row):
    play(row)


def if_range(name, fields, value, is_part):
    expected = part(0, 9) if is_part else {"status": 200}
    return row(f"9110-13.1.5-{name}", stored(*fields),
               cache("Range: bytes=0-9", f"If-Range: {value}", **expected))


@rows(
    if_range("the-same", (TAG,), '"a"', True),
    if_range("another", (TAG,), '"b"', False),
    if_range("asked-weakly", (TAG,), 'W/"a"', False),
    if_range("stored-weakly", (WEAK,), '"a"', False),
    if_range("both-weak", (WEAK,), 'W/"a"', False),
    if_range("case-counts", (TAG,), '"A"', False),
    if_range("obs-text", ('ETag: "\xe9"',), '"\xe9"', True),
    if_range("a-list-is-none", (TAG,), '"b", "a"', False),
    if_range("a-star-is-none", (TAG,), "*", False),
    if_range("a-tag-where-none-is-stored", (MADE,), '"a"', False),
    if_range("the-same-date", (MADE,), "{-5000}", True),
    if_range("a-later-date", (MADE,), "{-4000}", False),
    if_range("an-earlier-date", (MADE,), "{-6000}", False),
    if_range("a-date-where-none-is-stored", (TAG,), "{-5000}", False),
    if_range("an-invalid-date", (MADE,), "yesterday", False),
    if_range("a-date-too-near-to-Date",
             ("Date: {-10}", "Last-Modified: {-10}"), "{-10}", False),
    row("9110-13.1.5-nothing-without-Range", stored(TAG),
        cache('If-Range: "a"')),
    row("9110-13.1.5-another-without-Range", stored(TAG),
        cache('If-Range: "b"')),
)
def test_if_range(play, row):
    play(row)


RANGED = {"body": BODY, "ranged": True}


def first_part(*fields, spec="0-49", **kwargs):
    """A miss with a range, whether the cache asks for all or for the part."""
    low, high = map(int, spec.split("-"))
    kwargs = {**RANGED, **part(low, min(high, 99)), **kwargs}
    return origin(*(fields or (FRESH, TAG)), ask=(f"Range: bytes={spec}",),
                  **kwargs)


def raw_part(tag, body, spec, size=100):
    """A 206 from the origin as it stands here, if it is asked for a part; a
    cache that asks for more gets it, too."""
    return origin(FRESH, tag, f"Content-Range: bytes {spec}/{size}", code=206,
                  ask=(f"Range: bytes={spec}",), body=body, status=206)


def complete(got, play):
    assert got.status == 200 and got.body == BODY, got


@rows(
    row("9110-14.2-a-miss", first_part()),
    row("9111-3.3-a-part-is-not-the-whole", first_part(),
        origin(FRESH, TAG, **RANGED, status=200, text=BODY,
               via=(ORIGIN, CACHE), check=complete)),
    row("9111-3.3-nor-is-it-a-HEAD", first_part(),
        origin(FRESH, TAG, **RANGED, method="HEAD", status=200,
               via=(ORIGIN, CACHE), lacks=("content-range",))),
    row("9111-3.3-the-same-part", first_part(),
        cache("Range: bytes=0-49", **part(0, 49))),
    row("9111-3.3-a-part-of-the-part", first_part(),
        cache("Range: bytes=10-19", **part(10, 19))),
    row("9111-3.3-the-end-of-the-part", first_part(),
        cache("Range: bytes=40-49", **part(40, 49))),
    row("9111-3.3-a-part-from-the-middle", first_part(spec="30-59"),
        cache("Range: bytes=40-49", **part(40, 49))),
    row("9111-3.3-a-suffix-in-the-part", first_part(spec="50-99"),
        cache("Range: bytes=-10", **part(90, 99))),
    row("9111-3.3-an-open-one-in-the-part", first_part(spec="50-99"),
        cache("Range: bytes=90-", **part(90, 99))),
    row("9111-3.3-more-than-the-part", first_part(),
        origin(FRESH, TAG, **RANGED, ask=("Range: bytes=40-59",),
               via=(ORIGIN, CACHE), **part(40, 59))),
    row("9111-3.3-another-part", first_part(),
        origin(FRESH, TAG, **RANGED, ask=("Range: bytes=60-69",),
               via=(ORIGIN, CACHE), **part(60, 69))),
    row("9111-3.3-by-heuristics",
        first_part("Last-Modified: {-100000}", TAG),
        cache("Range: bytes=10-19", **part(10, 19))),
    row("9111-3.3-without-validators", first_part(FRESH),
        cache("Range: bytes=10-19", via=(CACHE, ORIGIN), **{
            **RANGED, "fields": (FRESH,), **part(10, 19)})),
    row("9111-3.3-not-with-no-store", first_part("Cache-Control: no-store"),
        origin(FRESH, TAG, **RANGED, ask=("Range: bytes=10-19",),
               **part(10, 19))),
    row("9111-3.3-stale", first_part(STALE, TAG),
        checked(FRESH, TAG, ask=("Range: bytes=10-19",),
                via=(CHECKED, ORIGIN), text=ANY, status=(206, 200))),
    row("9111-3.3-Age-of-a-part-of-the-part",
        first_part("Cache-Control: max-age=100", TAG, "Age: 30"),
        cache("Range: bytes=10-19", age=(30, 30), **part(10, 19))),
    row("9111-3.4-two-parts-are-the-whole", first_part(),
        first_part(spec="50-99", via=(ORIGIN, CACHE)),
        cache(text=BODY, status=200, lacks=("content-range",))),
    row("9111-3.4-in-the-other-order", first_part(spec="50-99"),
        first_part(via=(ORIGIN, CACHE)),
        cache(text=BODY, status=200, lacks=("content-range",))),
    row("9111-3.4-parts-that-overlap", first_part(spec="0-59"),
        first_part(spec="40-99", via=(ORIGIN, CACHE)),
        cache(text=BODY, status=200)),
    row("9111-3.4-three-parts", first_part(spec="0-29"),
        first_part(spec="60-99", via=(ORIGIN, CACHE)),
        first_part(spec="30-59", via=(ORIGIN, CACHE)),
        origin(FRESH, TAG, **RANGED, status=200, text=BODY,
               via=(ORIGIN, CACHE), lacks=("content-range",))),
    row("9111-3.4-a-range-over-two-parts", first_part(),
        first_part(spec="50-99", via=(ORIGIN, CACHE)),
        cache("Range: bytes=40-59", **part(40, 59))),
    row("9111-3.4-a-whole-ends-the-parts", first_part(),
        origin(FRESH, OTHER, body=BODY[::-1], ask=("Cache-Control: no-cache",),
               status=200),
        cache("Range: bytes=0-9", status=206, text=BODY[::-1][:10])),
    [row(f"9111-3.4-not-{name}",
         raw_part(one, BODY[:50], "0-49"),
         raw_part(other, BODY[50:].upper(), "50-99"),
         origin(FRESH, 'ETag: "whole"', body=BODY[::-1], status=200,
                text=BODY[::-1]))
     for name, one, other in (("of-different-tags", TAG, OTHER),
                              ("of-weak-tags", WEAK, WEAK),
                              ("of-a-tag-and-none", TAG, "X-A: 1"),
                              ("without-validators", "X-A: 1", "X-A: 1"))],
    row("9111-3.4-not-of-different-lengths",
        raw_part(TAG, BODY[:50], "0-49"),
        raw_part(TAG, BODY[50:], "50-99", size=120),
        origin(FRESH, TAG, body=BODY[::-1], status=200, text=BODY[::-1])),
    row("9111-3.3-a-part-that-nobody-asked-for",
        origin(FRESH, TAG, "Content-Range: bytes 0-49/100", code=206,
               body=BODY[:50], status=(206, 502), text=ANY),
        origin(FRESH, TAG, body=BODY, status=200, text=BODY)),
    row("9111-3.3-a-part-without-Content-Range",
        origin(FRESH, TAG, code=206, ask=("Range: bytes=0-49",),
               body=BODY[:50], status=(206, 502), text=ANY),
        origin(FRESH, TAG, body=BODY, status=200, text=BODY)),
    row("9111-3.3-a-part-with-a-bad-Content-Range",
        origin(FRESH, TAG, "Content-Range: bytes 9-0/100", code=206,
               ask=("Range: bytes=0-9",), body=BODY[:10],
               status=(206, 502), text=ANY),
        origin(FRESH, TAG, body=BODY[::-1], ranged=True,
               ask=("Range: bytes=0-9",), status=206, text=BODY[::-1][:10])),
    row("9111-3.3-a-part-that-is-longer-than-it-says",
        origin(FRESH, TAG, "Content-Range: bytes 0-9/100", code=206,
               ask=("Range: bytes=0-9",), body=BODY[:20],
               status=(206, 502), text=ANY),
        origin(FRESH, TAG, **RANGED, ask=("Range: bytes=5-9",),
               **part(5, 9))),
    row("9110-15.3.7-parts-from-the-origin-are-passed-on",
        origin(FRESH, TAG, "Content-Type: multipart/byteranges; boundary=x",
               ask=("Range: bytes=0-0,2-2",), code=206, status=206,
               body=b"--x\r\nContent-Range: bytes 0-0/100\r\n\r\na\r\n--x\r\n"
                    b"Content-Range: bytes 2-2/100\r\n\r\nc\r\n--x--\r\n",
               via=(ORIGIN,)),
        origin(FRESH, TAG, body=BODY, status=200, text=BODY)),
    row("9110-15.5.17-the-origins-416",
        origin("Content-Range: bytes */100", code=416,
               ask=("Range: bytes=100-",), status=416),
        origin(FRESH, TAG, body=BODY, status=200)),
    row("9110-15.5.17-the-origins-416-with-max-age-is-not-the-whole",
        origin(FRESH, "Content-Range: bytes */100", code=416,
               ask=("Range: bytes=100-",), status=416),
        origin(FRESH, TAG, body=BODY, status=200)),
    row("9110-14.2-an-origin-without-ranges",
        origin(FRESH, TAG, body=BODY, ask=("Range: bytes=0-9",),
               status=(200, 206), text=ANY),
        cache("Range: bytes=10-19", **part(10, 19)),
        cache(text=BODY, status=200)),
    row("9111-3.3-what-broke-is-not-the-whole",
        origin(FRESH, TAG, breaks="body", via=(BROKEN, ORIGIN),
               status=(502, 504), text=ANY),
        origin(FRESH, TAG)),
)
def test_stored_parts(play, row):
    play(row)
