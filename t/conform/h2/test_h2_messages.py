"""What makes a message (RFC 9113 8; RFC 9110 where it says so)."""
import pytest

from lib.h2 import (END_HEADERS, END_STREAM, GET, POST, Conn, block, data,
                    headers, literal, request)
from lib.h2case import MALFORMED, Row, opened, rows

SERVED = ("200",)


def asks(*fields, **kwargs):
    return lambda c: c.send(headers(1, block(fields), **kwargs))


def gets(*more, path="/", method="GET", **kwargs):
    return asks(*request(method, path, *more, **kwargs))


def posts(*more, parts=(b"abc",), trailers=None, **kwargs):
    """A POST whose content comes in these parts."""
    def act(c):
        is_last = trailers is None
        # at once, so that no answer comes between
        c.send(headers(1, block(request("POST", "/", *more, **kwargs)),
                       END_HEADERS),
               *(data(1, p, end=is_last and i == len(parts) - 1)
                 for i, p in enumerate(parts)),
               b"" if is_last else headers(1, block(trailers)))
    return act


PSEUDO = (":method", ":scheme", ":authority", ":path")
VALUES = dict(request())


@rows(
    *(Row(f"9113-8.3.1-without-{name[1:]}", asks(
        *((k, v) for k, v in request() if k != name)), MALFORMED)
      for name in (":method", ":scheme", ":path")),
    *(Row(f"9113-8.3-{name[1:]}-twice", asks(
        *request(), (name, VALUES[name])), MALFORMED) for name in PSEUDO),
    *(Row(f"9113-8.3-{name[1:]}-twice-in-front", asks(
        (name, VALUES[name]), *request()), MALFORMED) for name in PSEUDO),
    *(Row(f"9113-8.3-{name[1:]}-behind-a-field", asks(
        *((k, v) for k, v in request() if k != name), ("x-a", "b"),
        (name, VALUES[name])), MALFORMED) for name in PSEUDO),
    *(Row(f"9113-8.3-pseudo-field-{name}", asks(*request(), (name, "x")),
          MALFORMED)
      for name in (":status", ":unknown", ":", ":host", ":protocol",
                   ":Method", ":path ", "::path")),
    Row("9113-8.3-status-alone", asks((":status", "200")), MALFORMED),
    Row("9113-8.3-unknown-pseudo-field-in-front", asks(
        (":x", "y"), *request()), MALFORMED),
    *(Row(f"9113-8.3-pseudo-fields-order-{i}", asks(*(
        request()[i:] + request()[:i])), SERVED) for i in range(1, 4)),
    Row("9113-8.3.1-empty-path", gets(path=""), MALFORMED),
    Row("9113-8.3.1-empty-method", gets(method=""), MALFORMED),
    Row("9113-8.3.1-empty-scheme", gets(scheme=""), MALFORMED),
    Row("9113-8.3.1-path-without-a-slash", gets(path="x"), MALFORMED),
    Row("9113-8.3.1-path-that-is-a-query", gets(path="?x"), MALFORMED),
    Row("9113-8.3.1-asterisk-of-GET", gets(path="*"), MALFORMED),
    Row("9113-8.3.1-asterisk-of-OPTIONS", gets(path="*", method="OPTIONS"),
        SERVED + ("204",)),
    Row("9113-8.3.1-host-in-place-of-authority", gets(
        ("host", "test"), authority=None), SERVED),
    Row("9113-8.3.1-host-that-is-the-authority", gets(("host", "test")),
        SERVED),
    Row("9113-8.3.1-host-that-is-not-the-authority", gets(
        ("host", "evil")), MALFORMED),
    Row("9113-8.3.1-host-twice", gets(
        ("host", "test"), ("host", "test"), authority=None), MALFORMED),
    Row("9113-8.3.1-empty-authority-of-http", gets(authority=""), MALFORMED),
    Row("9113-8.3.1-userinfo-in-authority", gets(authority="u:p@test"),
        MALFORMED),
    Row("9113-8.3.1-neither-authority-nor-host", gets(authority=None),
        MALFORMED),
    Row("9113-8.5-CONNECT-with-path-and-scheme", gets(method="CONNECT"),
        MALFORMED),
    Row("9113-8.5-CONNECT-without-authority", asks((":method", "CONNECT")),
        MALFORMED),
    Row("9113-8.5-CONNECT-with-path", asks(
        (":method", "CONNECT"), (":authority", "test:80"), (":path", "/")),
        MALFORMED),
    Row("9113-8.5-CONNECT-with-scheme", asks(
        (":method", "CONNECT"), (":authority", "test:80"),
        (":scheme", "http")), MALFORMED),
)
def test_pseudo(check, row):
    check(row)


BAD_NAMES = {
    "upper-case": b"X-a", "upper-case-at-the-end": b"x-A",
    "empty": b"", "blank": b"x a", "blank-in-front": b" x",
    "blank-behind": b"x ", "tab": b"x\ta", "colon": b"x:a",
    "colon-behind": b"x:", "nul": b"x\0", "cr": b"x\r", "lf": b"x\n",
    "crlf": b"x\r\ny", "del": b"x\x7f", "obs-text": b"x\x80",
    "obs-text-ff": b"x\xff", "one-of-01": b"\x01", "one-of-1f": b"x\x1f",
}
# RFC 9110 5.1: a name is a token; RFC 9113 8.2.1 bids less and permits more
NO_TOKENS = b'"(),/;<=>?@[\\]{}'
BAD_VALUES = {
    "nul": b"a\0b", "cr": b"a\rb", "lf": b"a\nb", "crlf": b"a\r\nb: c",
    "nul-in-front": b"\0a", "cr-behind": b"a\r", "lf-behind": b"a\n",
    "blank-in-front": b" a", "blank-behind": b"a ", "tab-in-front": b"\ta",
    "tab-behind": b"a\t", "one-blank": b" ", "one-tab": b"\t",
}


@rows(
    *(Row(f"9113-8.2.1-name-{name}", gets((octets, "v")), MALFORMED)
      for name, octets in BAD_NAMES.items()),
    *(Row(f"9110-5.1-name-with-{octet:#x}", gets(
        (b"x" + bytes([octet]), "v")), MALFORMED) for octet in NO_TOKENS),
    *(Row(f"9113-8.2.1-value-{name}", gets(("x-a", octets)), MALFORMED)
      for name, octets in BAD_VALUES.items()),
    *(Row(f"9113-8.2.1-value-of-{pseudo[1:]}-{name}", asks(
        *((k, VALUES[k].encode() + octets if k == pseudo else v)
          for k, v in request())), MALFORMED)
      for pseudo in PSEUDO for name, octets in (
          ("nul", b"\0"), ("cr", b"\r"), ("lf", b"\n"), ("crlf", b"\r\nx: y"),
          ("blank", b" "), ("tab", b"\t"))),
    *(Row(f"9110-5.5-value-with-{octet:#x}", gets(
        ("x-a", b"a" + bytes([octet]) + b"b")), MALFORMED)
      for octet in (0x01, 0x08, 0x0B, 0x1F, 0x7F)),
    Row("9110-5.5-value-of-obs-text", gets(("x-a", b"\x80\xff")), SERVED),
    Row("9110-5.5-empty-value", gets(("x-a", "")), SERVED),
    Row("9110-5.5-tab-amid-a-value", gets(("x-a", "a\tb")), SERVED),
    Row("9113-8.2.1-name-of-every-token-character", gets(
        ("!#$%&'*+-.^_`|~09az", "v")), SERVED),
    *(Row(f"9113-8.2.2-{name}", gets((name, value)), MALFORMED)
      for name, value in (
          ("connection", "close"), ("keep-alive", "timeout=5"),
          ("proxy-connection", "keep-alive"),
          ("transfer-encoding", "chunked"), ("upgrade", "websocket"))),
    *(Row(f"9113-8.2.2-te-{name}", gets(("te", value)), want)
      for name, value, want in (
          ("trailers", "trailers", SERVED), ("Trailers", "Trailers", SERVED),
          ("gzip", "gzip", MALFORMED),
          ("trailers-and-gzip", "trailers, gzip", MALFORMED),
          ("trailers-with-weight", "trailers;q=0.5", MALFORMED),
          ("empty", "", MALFORMED + SERVED))),
    Row("9113-8.2.2-transfer-encoding-identity", gets(
        ("transfer-encoding", "identity")), MALFORMED),
    Row("9113-8.2.3-cookie-in-many-fields", gets(
        *(("cookie", f"a{i}=b") for i in range(50))), SERVED),
    Row("9113-8.2.3-empty-cookie", gets(("cookie", "")), SERVED),
)
def test_field(check, row):
    check(row)


LENGTHS = ("-1", "+3", "3 ", "0x3", "3,3", "3, 3", "three", "3.0", "",
           "18446744073709551616", "99999999999999999999999")


@rows(
    Row("9113-8.1.1-length-that-is-right", posts(("content-length", "3")),
        SERVED),
    Row("9113-8.1.1-length-in-parts", posts(
        ("content-length", "6"), parts=(b"ab", b"", b"cd", b"ef")), SERVED),
    Row("9113-8.1.1-length-then-empty-DATA", posts(
        ("content-length", "3"), parts=(b"abc", b"")), SERVED),
    Row("9113-8.1.1-length-then-trailers", posts(
        ("content-length", "3"), trailers=[("x-end", "1")]), SERVED),
    Row("9113-8.1.1-length-0", gets(("content-length", "0")), SERVED),
    Row("9113-8.1.1-length-0-and-empty-DATA", posts(
        ("content-length", "0"), parts=(b"",)), SERVED),
    Row("9113-8.1.1-less-DATA", posts(("content-length", "4")), MALFORMED),
    Row("9113-8.1.1-less-DATA-in-parts", posts(
        ("content-length", "9"), parts=(b"ab", b"cd", b"")), MALFORMED),
    Row("9113-8.1.1-more-DATA", posts(("content-length", "2")), MALFORMED),
    Row("9113-8.1.1-more-DATA-in-parts", posts(
        ("content-length", "3"), parts=(b"ab", b"cd")), MALFORMED),
    Row("9113-8.1.1-more-DATA-behind-the-length", posts(
        ("content-length", "3"), parts=(b"abc", b"d")), MALFORMED),
    Row("9113-8.1.1-length-and-no-DATA", gets(
        ("content-length", "1"), method="POST"), MALFORMED),
    Row("9113-8.1.1-length-of-GET-and-no-DATA", gets(
        ("content-length", "1")), MALFORMED),
    Row("9113-8.1.1-length-and-empty-DATA", posts(
        ("content-length", "1"), parts=(b"",)), MALFORMED),
    Row("9113-8.1.1-length-0-and-DATA", posts(
        ("content-length", "0"), parts=(b"x",)), MALFORMED),
    Row("9113-8.1.1-less-DATA-then-trailers", posts(
        ("content-length", "4"), trailers=[("x-end", "1")]), MALFORMED),
    Row("9113-8.1.1-two-lengths-that-differ", posts(
        ("content-length", "3"), ("content-length", "4")), MALFORMED),
    *(Row(f"9110-8.6-length-{told!r}", posts(("content-length", told)),
          MALFORMED) for told in LENGTHS),
    Row("9113-8.1.1-length-of-HEAD", gets(("content-length", "0"),
                                          method="HEAD"), SERVED),
)
def test_length(check, row):
    check(row)


@rows(
    Row("9113-8.1-trailers", posts(trailers=[("x-end", "1")]), SERVED),
    Row("9113-8.1-trailers-without-content", lambda c: opened(c).send(
        headers(1, block([("x-end", "1")]))), SERVED),
    Row("9113-8.1-empty-trailers", posts(trailers=[]), SERVED),
    Row("9113-8.1-trailers-without-END_STREAM", lambda c: opened(c).send(
        data(1, b"x"), headers(1, block([("x-end", "1")]), END_HEADERS)),
        MALFORMED),
    *(Row(f"9113-8.1-trailers-with-{name[1:]}", posts(
        trailers=[(name, VALUES.get(name, "200"))]), MALFORMED)
      for name in (*PSEUDO, ":status")),
    Row("9113-8.1-trailers-with-a-pseudo-field-at-the-end", posts(
        trailers=[("x-end", "1"), (":path", "/")]), MALFORMED),
    *(Row(f"9113-8.2.1-trailers-name-{name}", posts(
        trailers=[(BAD_NAMES[name], "v")]), MALFORMED)
      for name in ("upper-case", "blank", "crlf", "colon", "nul", "empty")),
    *(Row(f"9113-8.2.1-trailers-value-{name}", posts(
        trailers=[("x-end", BAD_VALUES[name])]), MALFORMED)
      for name in ("nul", "crlf", "lf", "blank-in-front", "blank-behind")),
    *(Row(f"9113-8.2.2-trailers-{name}", posts(trailers=[(name, value)]),
          MALFORMED)
      for name, value in (("connection", "close"), ("upgrade", "x"),
                          ("transfer-encoding", "chunked"), ("te", "gzip"))),
)
def test_trailers(check, row):
    check(row)


def test_methods(address):
    """9113-8.3.1: every method goes through one pseudo-field."""
    with Conn(address) as c:
        for method in ("GET", "POST", "OPTIONS", "DELETE", "PATCH", "PUT"):
            c.expect_response(c.ask(method))


def test_head(address):
    """9110-9.3.2: an answer to HEAD has a length and no DATA."""
    with Conn(address) as c:
        got = c.expect_response(c.ask("HEAD"))
        assert got.body == b"" and got.get("content-length") == b"5"


def test_answer_is_well_formed(address):
    """9113-8.2.2, 8.3.2: nothing of one connection stands in an answer."""
    with Conn(address) as c:
        names = {k for k, _ in c.get().fields}
        assert not names & {b"connection", b"keep-alive", b"upgrade",
                            b"transfer-encoding", b"proxy-connection"}


@pytest.mark.parametrize("path", ["/", "/a/b?c=d&e", "/%41%2f", "/;a=b,c",
                                  "/?", "/a?b?c", "/:@!$&'()*+,;="])
def test_paths(address, path, peer_name):
    """9113-8.3.1: path and query as RFC 3986 writes them."""
    if peer_name == "nghttpd":
        pytest.skip("serves files")
    with Conn(address) as c:
        got = c.get(path)
        assert got.status in (200, 400) and not c.end, c.told()


def test_long_name_and_value(address):
    """9113-10.5.1: what is too large is answered 431 or refused, and the
    connection's table stays in step."""
    with Conn(address) as c:
        c.send(headers(1, GET + literal("x" * 3000, "y" * 3000, 0x40)))
        c.answer(1)
        c.send(headers(3, GET + literal("x-small", "y", 0x40)))
        c.expect_response(3)
        c.send(headers(5, GET + b"\xbe"))
        c.expect_response(5)


def test_malformed_leaves_the_others(address):
    """9113-8.1.1: it is an error of the stream, also while others run."""
    with Conn(address) as c:
        c.send(headers(1, POST, END_HEADERS))
        for n in range(3, 23, 2):
            c.send(headers(n, GET + literal("X", "y")))
        c.send(data(1, b"x", end=True))
        c.expect_response(1)
        for n in range(3, 23, 2):
            s = c.answer(n)
            assert s.reset == "PROTOCOL_ERROR" or s.status == 400, c.told()
        assert not c.goaway


def test_malformed_block_is_read(address):
    """9113-4.3: the table takes what a malformed block puts into it."""
    with Conn(address) as c:
        c.send(headers(1, block([("X", "y")]) + literal("x-kept", "1", 0x40) +
                       GET, END_STREAM | END_HEADERS))
        c.answer(1)
        c.send(headers(3, GET + b"\xbe"))
        c.expect_response(3)
