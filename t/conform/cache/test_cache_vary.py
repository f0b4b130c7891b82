"""Which of several answers a request may get (RFC 9111 4.1)."""
from lib.cachecase import (CACHE, CHECKED, ORIGIN, UNEXPECTED, Row, cache,
                           checked, kept, origin, row, rows, unkept)

FRESH = "Cache-Control: max-age=60"
VARY = "Vary: X-A"
KEPT = (FRESH, VARY)


def a(*values):
    return tuple(f"X-A: {v}" for v in values)


def both(name, field, one, other, vary=None):
    """Two values of a request field that mean the same."""
    return row(name, origin(FRESH, f"Vary: {vary or field}",
                            ask=(f"{field}: {one}",)),
               cache(f"{field}: {other}"))


def apart(name, field, one, other):
    """Two that do not."""
    return row(name, origin(FRESH, f"Vary: {field}", ask=(f"{field}: {one}",)),
               origin(*UNEXPECTED, ask=(f"{field}: {other}",)))


@rows(
    unkept("9111-4.1-star", FRESH, "Vary: *"),
    unkept("9111-4.1-star-in-front", FRESH, "Vary: *, X-A"),
    unkept("9111-4.1-star-behind", FRESH, "Vary: X-A, *"),
    unkept("9111-4.1-star-without-blanks", FRESH, "Vary: X-A,*,X-B"),
    unkept("9111-4.1-star-in-the-second-line", FRESH, VARY, "Vary: *"),
    unkept("9111-4.1-star-in-the-first-line", FRESH, "Vary: *", VARY),
    unkept("9111-4.1-star-among-empty-elements", FRESH, "Vary: , *,"),
    unkept("9111-4.1-star-and-s-maxage", "Cache-Control: s-maxage=60",
           "Vary: *"),
    kept("9111-4.1-empty", FRESH, "Vary:"),
    kept("9111-4.1-empty-elements", FRESH, "Vary: ,"),
)
def test_star(play, row):
    play(row)


def variants(n):
    """n of them, all kept, each found again."""
    return Row(f"9111-4.1-{n}-variants", (
        *(origin(*KEPT, ask=a(i)) for i in range(n)),
        *(cache(*a(i), of=i) for i in reversed(range(n)))))


@rows(
    row("9111-4.1-the-same-value", origin(*KEPT, ask=a("1")), cache(*a("1"))),
    row("9111-4.1-another-value", origin(*KEPT, ask=a("1")),
        origin(*KEPT, ask=a("2"))),
    row("9111-4.1-the-field-is-gone", origin(*KEPT, ask=a("1")),
        origin(*KEPT)),
    row("9111-4.1-the-field-has-come", origin(*KEPT),
        origin(*KEPT, ask=a("1"))),
    row("9111-4.1-absent-in-both", origin(*KEPT), cache()),
    row("9111-4.1-absent-is-not-empty", origin(*KEPT),
        origin(*KEPT, ask=("X-A:",))),
    row("9111-4.1-empty-is-not-absent", origin(*KEPT, ask=("X-A:",)),
        origin(*KEPT)),
    row("9111-4.1-empty-in-both", origin(*KEPT, ask=("X-A:",)),
        cache("X-A:")),
    variants(2), variants(3), variants(10), variants(30),
    row("9111-4.1-absent-is-a-variant", origin(*KEPT),
        origin(*KEPT, ask=a("1")), cache(of=0), cache(*a("1"), of=1)),
    row("9111-4.1-what-is-not-named-does-not-count",
        origin(*KEPT, ask=("X-B: 1", *a("1"))), cache("X-B: 2", *a("1"))),
    row("9111-4.1-name-in-another-case",
        origin(FRESH, "Vary: x-a", ask=("X-A: 1",)),
        origin(FRESH, "Vary: x-a", ask=("X-A: 2",)),
        cache("x-A: 1", of=0)),
    row("9111-4.1-two-names", origin(FRESH, "Vary: X-A, X-B",
                                     ask=("X-A: 1", "X-B: 1")),
        origin(FRESH, "Vary: X-A, X-B", ask=("X-A: 1", "X-B: 2")),
        origin(FRESH, "Vary: X-A, X-B", ask=("X-A: 2", "X-B: 1")),
        cache("X-A: 1", "X-B: 1", of=0), cache("X-B: 2", "X-A: 1", of=1),
        cache("X-A: 2", "X-B: 1", of=2)),
    row("9111-4.1-two-names-in-two-lines", origin(
        FRESH, "Vary: X-A", "Vary: X-B", ask=("X-A: 1", "X-B: 1")),
        origin(FRESH, "Vary: X-A", "Vary: X-B", ask=("X-A: 1", "X-B: 2")),
        cache("X-A: 1", "X-B: 1", of=0)),
    row("9111-4.1-values-do-not-change-places", origin(
        FRESH, "Vary: X-A, X-B", ask=("X-A: 1", "X-B: 2")),
        origin(*UNEXPECTED, ask=("X-A: 2", "X-B: 1"))),
    row("9111-4.1-values-do-not-flow-together", origin(
        FRESH, "Vary: X-A, X-B", ask=("X-A: 12", "X-B: 3")),
        origin(*UNEXPECTED, ask=("X-A: 1", "X-B: 23"))),
    row("9111-4.1-a-value-that-holds-the-next", origin(
        FRESH, "Vary: X-A, X-B", ask=("X-A: 1, x-b: 2",)),
        origin(*UNEXPECTED, ask=("X-A: 1", "X-B: 2"))),
    row("9111-4.1-obs-text", origin(*KEPT, ask=a("\xe9")),
        origin(*KEPT, ask=a("\xe8")), cache(*a("\xe9"), of=0)),
    row("9111-4.1-a-long-value", origin(*KEPT, ask=a("x" * 3000 + "1")),
        origin(*KEPT, ask=a("x" * 3000 + "2")),
        cache(*a("x" * 3000 + "1"), of=0)),
    row("9111-4.1-Cookie", origin(FRESH, "Vary: Cookie", ask=("Cookie: a=1",)),
        origin(FRESH, "Vary: Cookie", ask=("Cookie: a=2",)),
        cache("Cookie: a=1", of=0)),
    row("9111-4.1-Origin", origin(FRESH, "Vary: Origin",
                                  ask=("Origin: http://a.test",)),
        origin(FRESH, "Vary: Origin", ask=("Origin: http://b.test",)),
        cache("Origin: http://a.test", of=0)),
    row("9111-4.1-User-Agent", origin(FRESH, "Vary: User-Agent",
                                      ask=("User-Agent: a",)),
        origin(FRESH, "Vary: User-Agent", ask=("User-Agent: b",)),
        cache("User-Agent: a", of=0)),
    row("9111-4.1-HEAD-chooses-too", origin(*KEPT, ask=a("1")),
        origin(*KEPT, ask=a("2")), cache(*a("1"), method="HEAD", of=0)),
    row("9111-4.1-one-variant-may-be-stale", origin(*KEPT, ask=a("1")),
        origin("Cache-Control: max-age=0", VARY, ask=a("2")),
        cache(*a("1"), of=0), origin(*UNEXPECTED, ask=a("2"))),
    row("9111-4.1-one-variant-may-not-be-stored", origin(*KEPT, ask=a("1")),
        origin("Cache-Control: no-store", VARY, ask=a("2")),
        cache(*a("1"), of=0), origin(*UNEXPECTED, ask=a("2"))),
    row("9111-4.1-variants-of-different-status", origin(*KEPT, ask=a("1")),
        origin(*KEPT, ask=a("2"), code=404), cache(*a("1"), of=0),
        cache(*a("2"), of=1)),
    row("9111-4.1-one-with-Vary-goes-before-a-newer-one-without",
        origin(*KEPT, "Date: {-10}", ask=a("1")), origin(FRESH, ask=a("2")),
        cache(*a("1"), via=(CACHE, ORIGIN), of=0)),
    row("9111-4.1-Vary-is-passed-on", origin(*KEPT, ask=a("1")),
        cache(*a("1"), has=(VARY,))),
    row("9111-4.1-other-names-for-each-answer",
        origin(FRESH, "Vary: X-A", ask=("X-A: 1", "X-B: 1")),
        origin(FRESH, "Vary: X-A, X-B", ask=("X-A: 2", "X-B: 1")),
        cache("X-A: 1", "X-B: 1", of=0), cache("X-A: 2", "X-B: 1", of=1)),
)
def test_variants(play, row):
    play(row)


CODES, TONGUES = "Accept-Encoding", "Accept-Language"


@rows(
    both("9111-4.1-blanks-around-a-value", "X-A", "1", "  1\t "),
    row("9111-4.1-lines-are-a-list", origin(*KEPT, ask=a("1, 2")),
        cache("X-A: 1", "X-A: 2")),
    apart("9111-4.1-case-of-an-unknown-field", "X-A", "a", "A"),
    apart("9111-4.1-order-of-an-unknown-field", "X-A", "1, 2", "2, 1"),
    both("9111-4.1-encoding-the-same", CODES, "gzip", "gzip"),
    both("9111-4.1-encoding-blanks", CODES, "gzip, br", "gzip,br"),
    both("9111-4.1-encoding-more-blanks", CODES, "gzip,br", "gzip\t,  br"),
    both("9111-4.1-encoding-case", CODES, "gzip", "GZip"),
    both("9111-4.1-encoding-order", CODES, "gzip, br", "br, gzip"),
    both("9111-4.1-encoding-blanks-of-a-weight", CODES, "gzip;q=0.5",
         "gzip; q=0.5"),
    both("9111-4.1-encoding-case-of-a-weight", CODES, "gzip;q=0.5",
         "gzip;Q=0.5"),
    both("9111-4.1-encoding-order-with-weights", CODES, "gzip;q=0.5, br",
         "br, gzip;q=0.5"),
    both("9111-4.1-encoding-empty-elements", CODES, "gzip, br", ",gzip,,br"),
    both("9111-4.1-encoding-name-in-Vary-in-another-case", CODES, "gzip",
         "gzip", vary="ACCEPT-ENCODING"),
    row("9111-4.1-encoding-lines",
        origin(FRESH, f"Vary: {CODES}", ask=(f"{CODES}: gzip, br",)),
        cache(f"{CODES}: gzip", f"{CODES}: br")),
    apart("9111-4.1-encoding-another", CODES, "gzip", "br"),
    apart("9111-4.1-encoding-one-more", CODES, "gzip", "gzip, br"),
    apart("9111-4.1-encoding-one-less", CODES, "gzip, br", "br"),
    apart("9111-4.1-encoding-forbidden", CODES, "gzip, br", "gzip, br;q=0"),
    apart("9111-4.1-encoding-other-weight", CODES, "gzip;q=1, br;q=0.1",
          "gzip;q=0.1, br;q=1"),
    apart("9111-4.1-encoding-identity-forbidden", CODES, "gzip",
          "gzip, identity;q=0"),
    row("9111-4.1-encoding-absent-is-not-empty",
        origin(FRESH, f"Vary: {CODES}"),
        origin(*UNEXPECTED, ask=(f"{CODES}:",))),
    both("9111-4.1-language-the-same", TONGUES, "de, en;q=0.5",
         "de, en;q=0.5"),
    both("9111-4.1-language-blanks", TONGUES, "de, en", "de,en"),
    both("9111-4.1-language-case", TONGUES, "de-DE", "de-de"),
    both("9111-4.1-language-order-with-weights", TONGUES, "de, en;q=0.5",
         "en;q=0.5, de"),
    both("9111-4.1-language-blanks-of-a-weight", TONGUES, "de, en;q=0.5",
         "de, en ; q=0.5"),
    apart("9111-4.1-language-another", TONGUES, "de", "en"),
    apart("9111-4.1-language-subtag", TONGUES, "de", "de-AT"),
    apart("9111-4.1-language-other-weights", TONGUES, "de;q=0.9, en;q=0.1",
          "de;q=0.1, en;q=0.9"),
    apart("9111-4.1-language-forbidden", TONGUES, "de, en", "de, en;q=0"),
)
def test_normalisation(play, row):
    play(row)


def names_both(got, play):
    """4.3.1: the tags of all that is stored."""
    tags = ",".join(play.requests[-1].all("if-none-match"))
    assert '"a"' in tags and '"b"' in tags, tags


@rows(
    row("9111-4.3.1-all-variants-are-offered",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin(*KEPT, 'ETag: "b"', ask=a("2")),
        checked(FRESH, VARY, 'ETag: "a"', ask=a("3"), of=0,
                check=names_both)),
    row("9111-4.3.3-a-304-selects-the-first-variant",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin(*KEPT, 'ETag: "b"', ask=a("2")),
        checked(FRESH, VARY, 'ETag: "a"', ask=a("3"), of=0)),
    row("9111-4.3.3-a-304-selects-the-second-variant",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin(*KEPT, 'ETag: "b"', ask=a("2")),
        checked(FRESH, VARY, 'ETag: "b"', ask=a("3"), of=1)),
    row("9111-4.3.4-the-others-stay-what-they-are",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin(*KEPT, 'ETag: "b"', ask=a("2")),
        checked(FRESH, VARY, 'ETag: "b"', ask=a("3"), of=1),
        cache(*a("1"), of=0), cache(*a("2"), of=1)),
    row("9111-4.3.3-a-200-is-one-more-variant",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin(*KEPT, 'ETag: "b"', ask=a("2")),
        origin(*KEPT, 'ETag: "c"', ask=a("3")),
        cache(*a("1"), of=0), cache(*a("2"), of=1), cache(*a("3"), of=2)),
    row("9111-4.3.4-a-stale-variant-is-renewed-alone",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin("Cache-Control: max-age=0", VARY, 'ETag: "b"', ask=a("2")),
        checked(FRESH, VARY, 'ETag: "b"', ask=a("2"), of=1),
        cache(*a("1"), of=0), cache(*a("2"), of=1)),
    row("9111-4.3.4-a-304-for-another-variant-than-the-stale-one",
        origin(*KEPT, 'ETag: "a"', ask=a("1")),
        origin("Cache-Control: max-age=0", VARY, 'ETag: "b"', ask=a("2")),
        origin(*KEPT, 'ETag: "a"', ask=a("2"), of=0, judges=True,
               via=(CHECKED, ORIGIN))),
)
def test_304(play, row):
    play(row)
