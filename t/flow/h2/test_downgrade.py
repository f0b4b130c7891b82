"""No field, pseudo-field, length or trailer of HTTP/2, legal there or not, is a
second request, another field or another framing on the origin's HTTP/1.1
connection (RFC 9113 8.1.1, 8.2.1, 10.3; RFC 9112 11)."""
import pytest

from lib.h2down import INI, SERVED, Judge, bad, fine, get, post
from lib.h2 import Conn, request
from lib.h2case import MALFORMED, rows
from lib.origin import ok

EVIL = b"\r\nContent-Length: 0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test"
AT_MOST_ANSWERED = MALFORMED + ("403", "404", "405", "421", "501")


@pytest.fixture(scope="module")
def judge(shared_gatehouse, shared_origin):
    def answer(conn, request_):
        conn.send(ok(b"" if request_.method == "HEAD" else b"ok"))

    o = shared_origin(answer)
    gh = shared_gatehouse(INI, origin=o.address)
    return Judge(("127.0.0.1", gh.port), o)


@rows(
    *(bad(f"9113-8.2.1-name-{name}", *get((octets, "v"))) for name, octets in (
        ("crlf", b"x\r\nevil"), ("crlf-and-field", b"x: y\r\nevil"),
        ("lf", b"x\nevil"), ("cr", b"x\revil"), ("nul", b"x\0evil"),
        ("colon", b"x:evil"), ("colon-and-blank", b"content-length: 9\r\nx"),
        ("blank", b"x evil"), ("blank-behind", b"transfer-encoding "),
        ("blank-in-front", b" transfer-encoding"), ("tab", b"x\tevil"),
        ("empty", b""), ("upper-case", b"Transfer-Encoding"),
        ("obs-text", b"x\xa0"), ("del", b"x\x7f"), ("control", b"x\x0b"),
        ("whole-request", b"x" + EVIL), ("parenthesis", b"x(y)"),
        ("quote", b'x"y"'), ("comma", b"x,y"), ("slash", b"x/y"))),
    *(bad(f"9113-8.2.1-value-{name}", *get(("x-a", octets)))
      for name, octets in (
          ("crlf", b"a\r\nevil: 1"), ("lf", b"a\nevil: 1"),
          ("cr", b"a\revil: 1"), ("nul", b"a\0b"), ("whole-request", EVIL),
          ("crlf-behind", b"a\r\n"), ("folded", b"a\r\n b"),
          ("crlf-crlf", b"a\r\n\r\n"), ("blank-in-front", b" a"),
          ("blank-behind", b"a "), ("tab-in-front", b"\ta"),
          ("tab-behind", b"a\t"), ("control", b"a\x01b"), ("del", b"a\x7fb"),
          ("vertical-tab", b"a\x0bb"))),
    fine("9110-5.5-value-obs-text", *get(("x-a", b"\x80\xe9\xff")),
         has={"x-a": ["\x80\xe9\xff"]}),
    fine("9110-5.5-value-colons", *get(("x-a", "b: c: d")),
         has={"x-a": ["b: c: d"]}),
    fine("9110-5.5-value-empty", *get(("x-a", "")), has={"x-a": [""]}),
    fine("9110-5.3-name-twice", *get(("x-a", "1"), ("x-a", "2")),
         has={"x-a": ["1", "2"]}),
    fine("9110-5.1-name-all-token-characters", *get(
        ("!#$%&'*+-.^`|~09az", "v")), has={"!#$%&'*+-.^`|~09az": ["v"]}),
    *(fine(f"3875-4.1.18-name-{name}", *post((name, "0")), parts=(b"abc",),
           sees="POST / abc", lacks=(name,), want=SERVED + MALFORMED)
      for name in ("content_length", "transfer_encoding",
                   "x_forwarded_for")),
)
def test_field(judge, row):
    judge(row)


@rows(
    *(bad(f"9113-8.2.2-{name}-{value}", *get((name, value)))
      for name, value in (
          ("connection", "close"), ("connection", "keep-alive"),
          ("connection", "x-a"), ("connection", "upgrade"),
          ("keep-alive", "timeout=5"), ("proxy-connection", "close"),
          ("upgrade", "h2c"), ("upgrade", "websocket"),
          ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"),
          ("transfer-encoding", ""), ("te", "gzip"),
          ("te", "trailers, chunked"))),
    bad("9113-8.2.2-upgrade-as-a-browser-asks-for-WebSocket", *get(
        ("connection", "upgrade"), ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))),
    bad("9113-8.2.2-transfer-encoding-of-a-content", *post(
        ("transfer-encoding", "chunked")), parts=(b"0\r\n\r\n",)),
    bad("9113-8.2.2-transfer-encoding-and-length", *post(
        ("transfer-encoding", "chunked"), ("content-length", "5")),
        parts=(b"0\r\n\r\n",)),
    fine("9113-8.2.2-te-trailers", *get(("te", "trailers")),
         has={"te": ["trailers"]}),
    fine("7540-3.2.1-http2-settings", *get(("http2-settings", "AAMAAABk")),
         want=SERVED + MALFORMED, lacks=("http2-settings",)),
    fine("9110-10.1.1-expect-100", *post(
        ("expect", "100-continue"), ("content-length", "3")), parts=(b"abc",),
        sees="POST / abc"),
    bad("9110-10.1.1-expect-something", *post(("expect", "x")),
        parts=(b"abc",), want=MALFORMED + ("417",)),
    fine("9110-7.6.2-max-forwards", *get(("max-forwards", "5")),
         has={"max-forwards": ["5"]}),
)
def test_hop(judge, row):
    judge(row)


ABC = {"parts": (b"abc",), "sees": "POST / abc"}


@rows(
    fine("9113-8.1.1-length", *post(("content-length", "3")), **ABC,
         has={"content-length": ["3"]}),
    fine("9113-8.1.1-no-length", *post(), **ABC,
         has={"transfer-encoding": ["chunked"], "content-length": []}),
    fine("9113-8.1.1-no-length-of-GET", *get(), parts=(b"abc",),
         sees="GET / abc", has={"content-length": []}),
    fine("9113-8.1.1-content-that-is-a-request", *post(),
         parts=(b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n",),
         sees="POST / GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"),
    fine("9113-8.1.1-content-that-ends-chunks", *post(),
         parts=(b"0\r\n\r\n", b"GET /smuggled HTTP/1.1\r\n\r\n"),
         sees="POST / 0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
    fine("9113-8.1.1-empty-DATA-amid-is-no-last-chunk", *post(),
         parts=(b"ab", b"", b"", b"c"), sees="POST / abc"),
    fine("9113-8.1.1-empty-DATA-only", *post(), parts=(b"",), sees="POST /"),
    fine("9113-8.1.1-length-0", *post(("content-length", "0")),
         sees="POST /", has={"content-length": ["0"]}),
    fine("9113-8.1.1-length-of-GET-0", *get(("content-length", "0")),
         has={"transfer-encoding": []}),
    fine("9110-8.6-length-with-zeros", *post(("content-length", "003")), **ABC,
         has={"content-length": ["3"]}, want=SERVED + MALFORMED),
    fine("9110-8.6-length-twice-the-same", *post(
        ("content-length", "3"), ("content-length", "3")), **ABC,
        has={"content-length": ["3"]}, want=SERVED + MALFORMED),
    bad("9113-8.1.1-more-DATA-in-parts", *post(("content-length", "3")),
        parts=(b"abc", b"GET /smuggled"), early="POST / abc"),
    bad("9113-8.1.1-DATA-and-length-0", *post(("content-length", "0")),
        parts=(b"GET /smuggled HTTP/1.1\r\n\r\n",), early="POST /"),
    *(bad(f"9113-8.1.1-{name}", *post(*(("content-length", n) for n in told)),
          parts=parts)
      for name, told, parts in (
          ("length-twice-different", ("3", "4"), (b"abc",)),
          ("length-twice-the-first-wrong", ("0", "3"), (b"abc",)),
          ("less-DATA", ("10",), (b"abc",)),
          ("less-DATA-in-parts", ("10",), (b"ab", b"c", b"")),
          ("no-DATA", ("3",), None), ("empty-DATA", ("3",), (b"",)),
          ("more-DATA", ("3",), (b"abcGET /smuggled HTTP/1.1\r\n\r\n",)),
          ("length-negative", ("-1",), (b"abc",)),
          ("length-signed", ("+3",), (b"abc",)),
          ("length-hexadecimal", ("0x3",), (b"abc",)),
          ("length-list", ("3, 3",), (b"abc",)),
          ("length-of-words", ("abc",), (b"abc",)),
          ("length-fraction", ("3.0",), (b"abc",)),
          ("length-empty", ("",), (b"abc",)),
          ("length-over-2^64", ("18446744073709551619",), (b"abc",)),
          ("length-and-blank", ("3 ",), (b"abc",)),
          ("length-and-crlf", ("3\r\nx: y",), (b"abc",)))),
    bad("9113-8.1.1-length-of-GET-without-DATA", *get(
        ("content-length", "30"))),
    bad("9113-8.1.1-length-of-HEAD-without-DATA", *request(
        "HEAD", "/", ("content-length", "30"))),
)
def test_length(judge, row):
    judge(row)


@rows(
    *(bad(f"9113-8.3.1-path-{name}", *get(path=path), want=AT_MOST_ANSWERED)
      for name, path in (
          ("crlf", b"/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /smuggled"),
          ("lf", b"/\nevil: 1"), ("nul", b"/\0"),
          ("blank-and-version", b"/ HTTP/1.1"), ("blank", b"/a b"),
          ("tab", b"/a\tb"), ("fragment", b"/a#b"), ("empty", b""),
          ("asterisk", b"*"), ("without-slash", b"a"), ("query-only", b"?a"),
          ("absolute", b"http://evil/"), ("authority", b"test:80"),
          ("control", b"/\x01"), ("del", b"/\x7f"), ("obs-text", b"/\xe9"))),
    *(fine(f"9113-8.3.1-path-{name}", *get(path=path), sees=f"GET {path}",
           want=SERVED + ("400",))
      for name, path in (("bad-percent", "/%zz"), ("percent-nul", "/%00"),
                         ("percent-crlf", "/%0d%0aevil:%20x"),
                         ("percent-slash", "/a%2f..%2fb"))),
    fine("9112-3.2.2-path-with-two-slashes", *get(path="//evil/"),
         sees="GET //evil/", has={"host": ["test"]},
         want=SERVED + ("400", "404")),
    fine("9113-8.3.1-path-with-a-url-inside", *get(path="/http://evil/"),
         sees="GET /http://evil/", want=SERVED + ("400",),
         has={"host": ["test"]}),
    fine("9113-8.3.1-path-with-query", *get(path="/a?b=c&d=/../e"),
         sees="GET /a?b=c&d=/../e"),
    fine("9113-8.3.1-asterisk-of-OPTIONS", *request("OPTIONS", "*"),
         sees=None),
    *(bad(f"9113-8.3.1-method-{name}", *request(method, "/"),
          want=AT_MOST_ANSWERED)
      for name, method in (
          ("with-target", b"GET /smuggled HTTP/1.1\r\nx: y"),
          ("blank", b"GET /x"), ("blank-behind", b"GET "), ("empty", b""),
          ("crlf", b"GET\r\n"), ("nul", b"G\0T"), ("colon", b"GET:"),
          ("slash", b"GET/"), ("obs-text", b"G\xe9T"))),
    fine("9113-11.6-method-of-the-preface", *request("PRI", "/"),
         sees="PRI /", want=SERVED + ("400", "405", "501")),
    fine("9110-9.1-method-in-lower-case", *request("get", "/"), sees="get /",
         want=SERVED + ("400", "405", "501")),
    fine("9110-9.1-method-unknown", *request("M-SEARCH", "/"),
         sees="M-SEARCH /", want=SERVED + ("405", "501")),
    fine("9110-9.3.8-TRACE", *request("TRACE", "/"), sees="TRACE /",
         want=SERVED + ("400", "403", "405", "501")),
    bad("9110-9.3.8-TRACE-with-content", *request("TRACE", "/"),
        parts=(b"abc",), want=AT_MOST_ANSWERED),
    *(bad(f"9113-8.3.1-scheme-{name}", *get(scheme=scheme),
          want=AT_MOST_ANSWERED)
      for name, scheme in (
          ("crlf", b"http\r\nx: y"), ("empty", b""), ("blank", b"ht tp"),
          ("url", b"http://evil/"), ("nul", b"http\0"), ("ftp", b"ftp"),
          ("https-without-TLS", b"https"), ("colon", b"http:"),
          ("digit-in-front", b"1http"))),
    fine("9113-8.3.1-scheme-in-upper-case", *get(scheme="HTTP"),
         want=SERVED + MALFORMED),
)
def test_line(judge, row):
    judge(row)


@rows(
    fine("9113-8.3.1-authority-becomes-Host", *get(authority="a.example:8080"),
         has={"host": ["a.example:8080"]}),
    fine("9113-8.3.1-host-alone", *get(("host", "a.example"), authority=None),
         has={"host": ["a.example"]}),
    fine("9113-8.3.1-host-the-same", *get(("host", "test")),
         has={"host": ["test"]}),
    *(bad(f"9113-8.3.1-host-{name}", *get(*(("host", h) for h in hosts),
                                          authority=authority),
          want=MALFORMED + ("421",))
      for name, authority, hosts in (
          ("another", "test", ("evil",)), ("another-port", "test", (
              "test:81",)), ("twice", None, ("test", "evil")),
          ("twice-the-same", None, ("test", "test")),
          ("twice-beside-authority", "test", ("test", "test")),
          ("missing", None, ()), ("empty", None, ("",)),
          ("empty-beside-authority", "test", ("",)),
          ("with-crlf", None, ("test\r\nx: y",)),
          ("with-blank", None, ("te st",)),
          ("with-path", None, ("test/evil",)),
          ("with-list", None, ("test, evil",)))),
    *(bad(f"9113-8.3.1-authority-{name}", *get(authority=authority),
          want=MALFORMED + ("421",))
      for name, authority in (
          ("empty", b""), ("crlf", b"test\r\nevil: 1"), ("nul", b"test\0"),
          ("blank", b"test evil"), ("userinfo", b"user@test"),
          ("path", b"test/evil"), ("scheme", b"http://test"),
          ("query", b"test?x"), ("fragment", b"test#x"),
          ("port-of-words", b"test:x"), ("port-too-large", b"test:65536"),
          ("two-ports", b"test:80:80"), ("open-bracket", b"[::1"),
          ("tab", b"test\t"),
          ("obs-text", b"t\xe9st"), ("backslash", b"test\\evil"))),
    *(bad(f"9113-8.3-{name}", *fields) for name, fields in (
        ("method-twice", get((":method", "POST"))),
        ("path-twice", [(":path", "/smuggled"), *get()]),
        ("authority-twice", [(":authority", "evil"), *get()]),
        ("scheme-twice", [(":scheme", "https"), *get()]),
        ("path-behind-a-field", get(("x-a", "b"), (":path", "/smuggled"))),
        ("status", get((":status", "200"))),
        ("unknown", [(":evil", "x"), *get()]),
        ("no-path", get(path=None)), ("no-scheme", get(scheme=None)),
        ("no-method", get()[1:]),
        ("protocol-of-GET", [*get(), (":protocol", "websocket")]))),
)
def test_authority(judge, row):
    judge(row)


def connect(*more, authority="test:80"):
    pairs = [(":method", "CONNECT"), (":authority", authority), *more]
    return [(k, v) for k, v in pairs if v is not None]


def extended(protocol, *more, method="CONNECT"):
    return [(":method", method), (":protocol", protocol), (":scheme", "http"),
            (":path", "/"), (":authority", "test"), *more]


@rows(
    *(bad(f"9113-8.5-CONNECT-{name}", *fields, parts=parts,
          want=AT_MOST_ANSWERED)
      for name, fields, parts in (
          ("alone", connect(), None),
          ("with-DATA", connect(), (b"GET /smuggled HTTP/1.1\r\n\r\n",)),
          ("with-path", connect((":path", "/")), None),
          ("with-scheme", connect((":scheme", "http")), None),
          ("with-both", connect((":scheme", "http"), (":path", "/")), None),
          ("without-authority", connect(authority=None), None),
          ("without-port", connect(authority="test"), None),
          ("with-length", connect(("content-length", "5")), (b"abcde",)))),
    *(bad(f"8441-4-{name}", *fields, parts=(b"GET /smuggled",),
          want=AT_MOST_ANSWERED)
      for name, fields in (
          ("protocol-with-crlf", extended("websocket\r\nx: y")),
          ("protocol-empty", extended("")),
          ("protocol-unknown", extended("connect-udp")),
          ("protocol-h2c", extended("h2c")),
          ("protocol-of-GET", extended("websocket", method="GET")),
          ("protocol-without-path", [
              f for f in extended("websocket") if f[0] != ":path"]))),
)
def test_connect(judge, row):
    judge(row)


@rows(
    fine("9113-8.1-trailers", *post(), parts=(b"abc",),
         trailers=[("x-end", "1")], sees="POST / abc", ends=("x-end",)),
    fine("9113-8.1-trailers-behind-a-length", *post(("content-length", "3")),
         parts=(b"abc",), trailers=[("x-end", "1")], sees="POST / abc"),
    fine("9113-8.1-trailers-without-content", *post(), parts=(),
         trailers=[("x-end", "1")], sees="POST /", ends=("x-end",)),
    *(fine(f"9110-6.5.1-trailers-with-{name}", *post(), parts=(b"abc",),
           trailers=[("x-end", "1"), (name, value)], sees="POST / abc",
           ends=("x-end",), want=SERVED + MALFORMED)
      for name, value in (
          ("content-length", "9"), ("host", "evil"), ("cookie", "a=b"),
          ("authorization", "x"), ("x-forwarded-for", "1.2.3.4"),
          ("content_length", "9"), ("expect", "100-continue"),
          ("trailer", "x"), ("max-forwards", "1"), ("te", "trailers"))),
    *(bad(f"9113-8.2-trailers-with-{name}", *post(), parts=(b"abc",),
          trailers=[("x-end", "1"), (field, value)])
      for name, field, value in (
          ("transfer-encoding", "transfer-encoding", "chunked"),
          ("connection", "connection", "x-end"),
          ("upgrade", "upgrade", "websocket"),
          ("path", ":path", "/smuggled"), ("method", ":method", "GET"),
          ("status", ":status", "200"), ("crlf-value", "x", "a\r\nb: c"),
          ("crlf-name", "x\r\ny", "z"), ("lf-value", "x", "a\nb"),
          ("nul", "x", "a\0"), ("request", "x", EVIL),
          ("upper-case", "X-End", "1"), ("empty-name", "", "x"),
          ("blank-name", "x y", "z"), ("blank-behind", "x", "y "))),
)
def test_trailers(judge, row):
    judge(row)


@rows(
    fine("9113-8.2.3-crumbs", *get(("cookie", "a=b"), ("cookie", "c=d"),
                                   ("cookie", "e=f")),
         has={"cookie": ["a=b; c=d; e=f"]}),
    fine("9113-8.2.3-crumbs-with-fields-between", *get(
        ("cookie", "a=b"), ("x-a", "1"), ("cookie", "c=d")),
        has={"cookie": ["a=b; c=d"], "x-a": ["1"]}),
    fine("9113-8.2.3-one-crumb-of-many-pairs", *get(("cookie", "a=b; c=d")),
         has={"cookie": ["a=b; c=d"]}),
    fine("9113-8.2.3-60-crumbs", *get(
        *(("cookie", f"a{i}={i}") for i in range(60))),
        has={"cookie": ["; ".join(f"a{i}={i}" for i in range(60))]}),
    bad("9113-8.2.3-crumb-with-crlf", *get(("cookie", "a=b"),
                                           ("cookie", "c\r\nevil: 1"))),
    bad("9113-10.5.1-crumbs-over-every-limit", *get(
        *(("cookie", "a" * 400) for _ in range(200))),
        want=("431", "stream ENHANCE_YOUR_CALM", "stream PROTOCOL_ERROR",
              "stream REFUSED_STREAM")),
)
def test_cookie(judge, row):
    judge(row)


def test_many_bad_ones_on_one_connection(judge):
    """9113-8.1.1: a malformed request among good ones costs its stream."""
    o = judge.origin
    n = len(o.requests)
    with Conn(judge.address) as c:
        good = []
        for i in range(20):
            good.append(c.ask(path=f"/good{i}"))
            c.ask("GET", "/smuggled", ("x", EVIL))
        for number in good:
            c.expect_response(number)
        assert not c.goaway
    seen = sorted(r.target for r in o.requests[n:])
    assert seen == sorted(f"/good{i}" for i in range(20))
