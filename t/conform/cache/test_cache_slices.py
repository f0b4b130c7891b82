"""What is longer than a slice, in slices: every answer is what it would be if all
of it were kept as one (RFC 9110 13, 14, 15.3.7.3, RFC 9111 3.3, 3.4, 4), and the
origin is asked for what is missing and nothing else."""
import re

from lib.cachecase import (ANY, CACHE, NOBODY, ORIGIN, cache, checked, nobody,
                           origin, row, rows)

SLICE, SIZE = 4096, 10000
FRESH, STALE = "Cache-Control: max-age=60", "Cache-Control: max-age=0"
TAG, OTHER, WEAK = 'ETag: "a"', 'ETag: "b"', 'ETag: W/"a"'
MADE = "Last-Modified: {-5000}"
PLAIN = "Content-Type: text/plain"
BODY = b"".join(b"%07d " % i for i in range(SIZE // 8))
NEW = b"".join(b"%07d-" % i for i in range(SIZE // 8))
PARTED = re.compile(r'^multipart/byteranges;\s*boundary="?([^"]+)"?$')
ALL = (0, 1, 2)
# What is asked for before the length is known.
FIRST = f"bytes=0-{SLICE - 1}"


def wants(*numbers, first=None):
    """The ranges of these slices; of the last one, if it is asked for before
    the length is known, to where a slice would end."""
    ends = [(n + 1) * SLICE - 1 for n in numbers]
    return tuple(
        f"bytes={n * SLICE}-{end if n == first else min(end, SIZE - 1)}"
        for n, end in zip(numbers, ends))


def big(*fields, body=BODY, **kwargs):
    """The origin is asked, and answers with parts of what is large."""
    return origin(*(fields or (FRESH, TAG)), body=body, ranged=True, **kwargs)


def whole(*fields, body=BODY, slices=ALL, **kwargs):
    return big(*fields, body=body, **{"wants": wants(*slices), "status": 200,
                                      "text": body, **kwargs})


def part(first, last, body=BODY, **kwargs):
    """What a 206 with this part must be."""
    return {"status": 206, "text": body[first:last + 1], **kwargs,
            "has": (f"Content-Range: bytes {first}-{last}/{len(body)}",
                    f"Content-Length: {last - first + 1}",
                    *kwargs.get("has", ()))}


def sliced(name, *steps):
    return row(name, *steps, site="sliced")


def both(name, spec, first, last, asked):
    """A range of what nobody has asked for, then all, for which the slices that
    are missing are fetched, then a range of what is there."""
    ask = f"Range: {spec}"
    left = [n for n in ALL if n not in asked]
    return sliced(f"9110-14.1.2-{name}",
                  big(ask=(ask,), wants=wants(*asked, first=asked[0]),
                      **part(first, last)),
                  whole(slices=left) if left else cache(text=BODY, status=200),
                  cache(ask, **part(first, last)))


@rows(
    sliced("9110-15.3.1-the-whole",
           whole(has=("Content-Length: 10000", TAG),
                 lacks=("content-range",)),
           cache(text=BODY, has=("Content-Length: 10000", TAG),
                 lacks=("content-range",))),
    both("in-the-first-slice", "bytes=0-9", 0, 9, (0,)),
    both("in-another", "bytes=5000-5009", 5000, 5009, (1,)),
    both("the-last-byte-of-one", "bytes=4095-4095", 4095, 4095, (0,)),
    both("the-first-byte-of-one", "bytes=4096-4096", 4096, 4096, (1,)),
    both("a-slice", "bytes=4096-8191", 4096, 8191, (1,)),
    both("a-byte-more-before", "bytes=4095-8191", 4095, 8191, (0, 1)),
    both("a-byte-more-behind", "bytes=4096-8192", 4096, 8192, (1, 2)),
    both("over-a-border", "bytes=4090-4100", 4090, 4100, (0, 1)),
    both("over-two-borders", "bytes=4090-8200", 4090, 8200, ALL),
    both("all", "bytes=0-9999", 0, 9999, ALL),
    both("open", "bytes=8000-", 8000, 9999, (1, 2)),
    both("open-from-0", "bytes=0-", 0, 9999, ALL),
    both("open-from-a-border", "bytes=8192-", 8192, 9999, (2,)),
    both("open-from-the-last", "bytes=9999-", 9999, 9999, (2,)),
    both("suffix", "bytes=-10", 9990, 9999, (0, 2)),
    both("suffix-over-a-border", "bytes=-2000", 8000, 9999, ALL),
    both("suffix-of-all", "bytes=-10000", 0, 9999, ALL),
    both("suffix-longer-than-all", "bytes=-99999", 0, 9999, ALL),
    both("end-behind-the-end", "bytes=9000-99999", 9000, 9999, (2,)),
    both("end-huge", "bytes=8191-99999999999999999999", 8191, 9999, (1, 2)),
)
def test_parts(play, row):
    play(row)


def multi(name, spec, *expected, asked=None):
    """RFC 9110 15.3.7.2: each part in one of those that come. asked: None, when
    a slice between two parts may be fetched ahead."""
    def check(got, play):
        boundary = PARTED.match(got.get("content-type"))[1].encode()
        pieces = got.body.split(b"--" + boundary)
        assert pieces[-1].startswith(b"--"), got.body[-50:]
        found = []
        for piece in pieces[1:-1]:
            head, content = piece.split(b"\r\n\r\n", 1)
            told = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/10000",
                             head)
            first, last = int(told[1]), int(told[2])
            assert content == BODY[first:last + 1] + b"\r\n", told
            assert b"text/plain" in head
            found.append((first, last))
        assert all(any(a <= c and d <= b for a, b in found)
                   for c, d in expected), found
    ask = f"Range: bytes={spec}"
    must = {"status": 206, "text": ANY, "check": check}
    return sliced(f"9110-14.6-{name}",
                  big(FRESH, TAG, PLAIN, ask=(ask,),
                      wants=wants(*asked, first=asked[0]) if asked else ANY,
                      **must),
                  cache(ask, **must))


def refused(name, spec):
    return sliced(f"9110-15.5.17-{name}", whole(),
                  cache(f"Range: bytes={spec}", status=416, text=ANY,
                        has=("Content-Range: bytes */10000",)))


@rows(
    multi("of-one-slice", "0-9,100-109", (0, 9), (100, 109), asked=(0,)),
    multi("of-two-slices", "0-9,5000-5009", (0, 9), (5000, 5009),
          asked=(0, 1)),
    multi("over-borders", "4090-4100,8190-8200", (4090, 4100), (8190, 8200),
          asked=ALL),
    multi("with-a-suffix", "0-9,-10", (0, 9), (9990, 9999)),
    refused("begins-at-the-end", "10000-"),
    refused("begins-in-what-a-slice-would-be", "12000-12287"),
    refused("begins-behind-all-slices", "12288-"),
    refused("begins-far-behind", "99999999999999999999-"),
    refused("suffix-of-0", "-0"),
    refused("none-of-two", "10000-,20000-20001"),
    sliced("9110-15.5.17-of-what-nobody-asked-for",
           big(ask=("Range: bytes=50000-",), status=416, text=ANY,
               wants=ANY),
           whole(), cache()),
    sliced("9110-14.2-unknown-unit", whole(), cache("Range: lines=0-9")),
    sliced("9110-14.2-HEAD-has-no-ranges", whole(),
           cache("Range: bytes=0-9", method="HEAD", status=200,
                 has=("Content-Length: 10000",), lacks=("content-range",))),
    sliced("9111-4-HEAD-of-a-part", big(ask=("Range: bytes=0-9",),
                                        wants=wants(0), **part(0, 9)),
           cache(method="HEAD", status=200, has=("Content-Length: 10000", TAG),
                 lacks=("content-range",))),
    sliced("9111-4-HEAD-of-nothing", big(method="HEAD", unasked=("range",)),
           whole(), cache(method="HEAD", has=("Content-Length: 10000",))),
)
def test_many_none_and_head(play, row):
    play(row)


def if_range(name, fields, value, is_part):
    """Of what is there, and of what is not: a slice more is fetched."""
    expected = part(5000, 5009) if is_part else {"status": 200, "text": BODY}
    ask = ("Range: bytes=5000-5009", f"If-Range: {value}")
    first = big(*fields, ask=("Range: bytes=0-9",), wants=wants(0),
                **part(0, 9))
    return sliced(f"9110-13.1.5-{name}", first,
                  big(*fields, ask=ask,
                      wants=wants(1) if is_part else wants(1, 2), **expected),
                  cache(*ask, **expected))


def condition(name, ask, status):
    more = {} if status == 304 else {"text": BODY}
    return sliced(f"9110-13.2.2-{name}",
                  whole(FRESH, TAG, MADE),
                  cache(ask, status=status, has=(TAG,), **more))


@rows(
    if_range("the-same", (FRESH, TAG), '"a"', True),
    if_range("another", (FRESH, TAG), '"b"', False),
    if_range("asked-weakly", (FRESH, TAG), 'W/"a"', False),
    if_range("the-same-date", (FRESH, TAG, MADE), "{-5000}", True),
    if_range("another-date", (FRESH, TAG, MADE), "{-4000}", False),
    condition("If-None-Match", 'If-None-Match: "a"', 304),
    condition("If-None-Match-of-another", 'If-None-Match: "b"', 200),
    condition("If-Modified-Since", "If-Modified-Since: {-5000}", 304),
    condition("modified-since", "If-Modified-Since: {-6000}", 200),
    sliced("9110-13.2.2-If-None-Match-over-Range", whole(),
           cache("Range: bytes=4090-4100", 'If-None-Match: "a"', status=304)),
)
def test_conditions(play, row):
    play(row)


def replaced(name, first, second, body):
    """Another version is at the origin when a slice is missing: nothing of the
    two is mixed, and all that comes later is the new one."""
    def check(got, play):
        assert b" " not in got.body

    return sliced(
        f"9110-15.3.7.3-{name}",
        big(*first, ask=("Range: bytes=0-9",), wants=wants(0), **part(0, 9)),
        big(*second, body=body, ask=("Range: bytes=5000-5009",),
            wants=ANY, check=check, **part(5000, 5009, body)),
        big(*second, body=body, status=200, text=body, via=(ORIGIN, CACHE),
            wants=ANY, lacks=("content-range",)),
        cache("Range: bytes=0-9", **part(0, 9, body)))



@rows(
    replaced("another-tag", (FRESH, TAG), (FRESH, OTHER), NEW),
    replaced("another-tag-and-longer", (FRESH, TAG), (FRESH, OTHER),
             NEW + NEW),
    replaced("another-tag-and-shorter", (FRESH, TAG), (FRESH, OTHER),
             NEW[:6000]),
    replaced("the-same-tag-and-longer", (FRESH, TAG), (FRESH, TAG),
             NEW + b"-"),
    replaced("a-weak-tag", (FRESH, TAG), (FRESH, WEAK), NEW),
    replaced("no-tag", (FRESH, TAG), (FRESH,), NEW),
    sliced("9111-4.3.3-stale-and-the-same", whole(STALE, TAG),
           checked(FRESH, TAG, wants=(FIRST,), asked=('If-None-Match: "a"',)),
           cache(text=BODY), cache("Range: bytes=4090-4100",
                                   **part(4090, 4100))),
    sliced("9111-4.3.3-a-range-of-what-is-stale", whole(STALE, TAG),
           checked(FRESH, TAG, ask=("Range: bytes=4090-4100",),
                   wants=ANY, **part(4090, 4100)), cache(text=BODY)),
    sliced("9111-4.3.3-stale-and-another", whole(STALE, TAG),
           big(FRESH, OTHER, body=NEW, status=200, text=NEW, wants=ANY),
           cache(text=NEW, has=(OTHER,)),
           cache("Range: bytes=4090-4100", **part(4090, 4100, NEW))),
    sliced("9111-5.2.1.4-no-cache-asks-again", whole(),
           checked(FRESH, TAG, ask=("Cache-Control: no-cache",),
                   wants=(FIRST,), text=BODY), cache(text=BODY)),
    sliced("9111-4.4-POST", whole(), origin(method="POST", sends=b"x"),
           whole(FRESH, OTHER, body=NEW), cache(text=NEW)),
)
def test_versions(play, row):
    play(row)


def unsliced(name, fields, *asked, **kwargs):
    """An origin of which no slices can be had gives all of it, which is kept."""
    return sliced(f"9110-14.2-{name}",
                  origin(*fields, body=BODY, wants=asked, status=200,
                         text=BODY, **kwargs),
                  cache(text=BODY),
                  cache("Range: bytes=4090-4100", **part(4090, 4100)))


def unkept(name, *fields, ask=()):
    def one():
        return big(*fields, ask=ask, status=200, text=BODY, wants=ANY)
    return sliced(f"9111-3-{name}", one(), one())


@rows(
    unsliced("an-origin-without-ranges", (FRESH, TAG), FIRST),
    unsliced("without-ranges-and-validators", (FRESH,), FIRST),
    unsliced("a-weak-tag", (FRESH, WEAK), FIRST, None, ranged=True),
    unsliced("a-date-alone", (FRESH, MADE), FIRST, None, ranged=True),
    unsliced("no-validator", (FRESH,), FIRST, None, ranged=True),
    unsliced("chunked", (FRESH, TAG), FIRST, framing="chunked"),
    unsliced("until-the-end", (FRESH, TAG), FIRST, framing="close"),
    sliced("9110-14.2-what-fits-into-a-slice",
           big(body=BODY[:SLICE], wants=(FIRST,), status=200,
               text=BODY[:SLICE], lacks=("content-range",)),
           cache(text=BODY[:SLICE]),
           cache("Range: bytes=9-", **part(9, SLICE - 1, BODY[:SLICE]))),
    sliced("9110-14.2-a-byte-more",
           big(body=BODY[:SLICE + 1],
               wants=(FIRST, f"bytes={SLICE}-{SLICE}"), status=200,
               text=BODY[:SLICE + 1]),
           cache(text=BODY[:SLICE + 1])),
    sliced("9111-4-an-error-of-the-origin",
           origin(FRESH, code=404, body=BODY, wants=(FIRST,)),
           cache(status=404, text=BODY)),
    unkept("no-store", "Cache-Control: no-store", TAG),
    unkept("private", "Cache-Control: private, max-age=60", TAG),
    unkept("a-request-with-no-store", FRESH, TAG,
           ask=("Cache-Control: no-store",)),
    unkept("a-request-with-Authorization", FRESH, TAG,
           ask=("Authorization: Basic eA==",)),
    unkept("Vary-of-all", FRESH, TAG, "Vary: *"),
    sliced("9111-5.2.2.5-a-range-of-what-is-not-stored",
           big("Cache-Control: no-store", TAG, ask=("Range: bytes=4090-4100",),
               wants=ANY, **part(4090, 4100)),
           big(status=200, text=BODY, wants=ANY)),
)
def test_origins(play, row):
    play(row)


VARY = (FRESH, TAG, "Vary: X-A")


def told(*words, without=()):
    def check(got, play):
        said = got.get("cache-status")
        assert all(w in said for w in words), said
        assert not any(w in said for w in without), said
    return check


def purge(*ask, path=""):
    return cache(*ask, method="PURGE", path=path, status=200, via=NOBODY)


def purged(name, *steps, fields=(FRESH, TAG)):
    return sliced(f"purge-{name}", whole(*fields), *steps,
                  whole(FRESH, TAG, body=NEW), cache(text=NEW),
                  cache("Range: bytes=4090-4100", **part(4090, 4100, NEW)))


@rows(
    sliced("9111-4.1-variants",
           whole(*VARY, ask=("X-A: 1",)),
           whole(FRESH, OTHER, "Vary: X-A", ask=("X-A: 2",), body=NEW),
           cache("X-A: 1", text=BODY, has=(TAG,)),
           cache("X-A: 2", text=NEW, has=(OTHER,)),
           cache("X-A: 1", "Range: bytes=4090-4100", **part(4090, 4100)),
           cache("X-A: 2", "Range: bytes=4090-4100",
                 **part(4090, 4100, NEW))),
    sliced("9111-4.1-a-slice-of-one-variant-is-no-others",
           big(*VARY, ask=("X-A: 1", "Range: bytes=0-9"), wants=wants(0),
               **part(0, 9)),
           big(*VARY, ask=("X-A: 2", "Range: bytes=0-9"), wants=wants(0),
               body=NEW, **part(0, 9, NEW)),
           cache("X-A: 1", "Range: bytes=0-9", **part(0, 9))),
    sliced("9111-4.2.3-Age",
           whole("Cache-Control: max-age=100", TAG, "Age: 30"),
           cache(text=BODY, age=(30, 30)),
           cache("Range: bytes=4090-4100", age=(30, 30),
                 **part(4090, 4100))),
    sliced("9111-4.2.3-too-old", whole("Cache-Control: max-age=100", TAG,
                                       "Age: 200"),
           checked(FRESH, TAG, wants=(FIRST,), text=BODY)),
    sliced("9211-2-hit", whole(check=told("fwd=uri-miss")),
           cache(text=BODY, check=told("hit", "detail=sliced",
                                       without=("fwd",)))),
    sliced("9211-2-partial",
           big(ask=("Range: bytes=0-9",), wants=wants(0), **part(0, 9)),
           big(ask=("Range: bytes=5000-5009",), wants=wants(1),
               check=told("fwd=partial", "detail=sliced",
                          without=("hit",)), **part(5000, 5009)),
           cache("Range: bytes=4090-4100", check=told("hit"),
                 **part(4090, 4100))),
    sliced("9211-2-stale", whole(STALE, TAG),
           checked(FRESH, TAG, wants=(FIRST,), text=BODY,
                   check=told("fwd=stale", "fwd-status=304"))),
    sliced("9111-5.2.1.7-only-if-cached", nobody(
        504, "Cache-Control: only-if-cached", text=ANY),
           big(ask=("Range: bytes=0-4200",), wants=wants(0, 1),
               **part(0, 4200)),
           nobody(504, "Cache-Control: only-if-cached", text=ANY),
           cache("Cache-Control: only-if-cached", "Range: bytes=4090-4100",
                 **part(4090, 4100))),
    purged("url", purge()),
    purged("prefix", purge(path="*")),
    purged("tag", purge("X-Tags: one{url}"),
           fields=(FRESH, TAG, "X-Tags: one{url}")),
    sliced("purge-softly", whole(), purge("Purge: soft"),
           checked(FRESH, TAG, wants=(FIRST,), text=BODY), cache(text=BODY)),
)
def test_keys_and_marks(play, row):
    play(row)


@rows(
    sliced("9113-the-whole", whole(), cache(text=BODY)),
    sliced("9113-over-a-border", big(ask=("Range: bytes=4090-4100",),
                                     wants=wants(0, 1), **part(4090, 4100)),
           cache("Range: bytes=4095-4096", **part(4095, 4096)),
           whole(slices=(2,))),
    sliced("9113-416", whole(), cache("Range: bytes=10000-", status=416,
                                      text=ANY)),
    sliced("9113-HEAD", whole(), cache(method="HEAD",
                                       has=("Content-Length: 10000",))),
)
def test_h2(play, row):
    play(row, "h2")
