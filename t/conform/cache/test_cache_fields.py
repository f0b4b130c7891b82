"""What is stored of an answer and what is sent of it again (RFC 9111 3.1, 4,
5.1; RFC 9110 7.6, 15.2)."""
from lib.cachecase import UNEXPECTED, cache, origin, row, rows

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'


def keeps(*fields, name=None):
    name = name or fields[0].split(":")[0]
    return row(f"9111-3.1-{name}-is-kept", origin(FRESH, *fields, has=fields),
               cache(has=fields))


def drops(name, *fields, lacks, now=True):
    """Neither passed on nor kept."""
    return row(f"9111-3.1-{name}-is-not-kept",
               origin(FRESH, *fields, lacks=lacks if now else ()),
               cache(lacks=lacks))


def lines(name, *values):
    def check(got, play):
        assert got.all(name) == list(values), got.fields
    return check


def same_date(got, play):
    assert got.all("date") == [play.fill("{-20}")], got.fields


@rows(
    [keeps(field) for field in (
        "X-Unknown: value", "Content-Type: text/html; charset=utf-8",
        "Content-Language: de, en", "Content-Encoding: gzip",
        "Content-Disposition: attachment; filename=a",
        "Content-Location: /elsewhere", 'Link: </a>; rel="next"',
        "Last-Modified: {-100}", "Expires: {+100}", 'ETag: W/"a"',
        "Vary: X-A", "Retry-After: 10", "Location: /there",
        "Allow: GET, HEAD", "Accept-Ranges: bytes", "Pragma: x",
        "Access-Control-Allow-Origin: *", "Set-Cookie: a=b; Path=/",
        "Strict-Transport-Security: max-age=1",
        "Content-Security-Policy: default-src 'self'",
        "Cache-Tag: one, two", "Surrogate-Key: x", "Digest: x",
        "WWW-Authenticate: Basic realm=\"x\"",
        "X-Content-Type-Options: nosniff", "Refresh: 5",
        "Timing-Allow-Origin: *", "Alt-Svc: clear", "Nel: x")],
    keeps("X-A: v\xe4\xff", name="obs-text"),
    keeps("X-A:", name="an-empty-value"),
    keeps("X-A: " + "x" * 4000, name="a-long-value"),
    keeps("x-a: 1", name="a-name-in-lower-case"),
    keeps("X-" + "a" * 200 + ": 1", name="a-long-name"),
    keeps("X-A: a,b , c;d=\"e,f\"", name="a-list-as-it-is"),
    keeps(*(f"X-Many-{i}: {i}" for i in range(60)), name="sixty-fields"),
    row("9111-3.1-lines-stay-lines-in-order",
        origin(FRESH, "Link: </1>", "X-B: 1", "Link: </2>", "Link: </3>"),
        cache(check=lines("link", "</1>", "</2>", "</3>"))),
    row("9111-3.1-WWW-Authenticate-of-401",
        origin(FRESH, 'WWW-Authenticate: Basic realm="a"',
               'WWW-Authenticate: Bearer', code=401),
        cache(check=lines("www-authenticate", 'Basic realm="a"', "Bearer"))),
    row("9110-6.6.1-Date-is-untouched", origin(FRESH, "Date: {-20}"),
        cache(check=same_date)),
    row("9110-6.6.1-Date-is-untouched-later", origin(FRESH, "Date: {-20}"),
        cache(after_s=1.1, check=same_date)),
    row("9111-5.5-no-Warning-is-generated", origin(FRESH, "Age: 1"),
        cache(lacks=("warning",))),
    row("9111-5.5-no-Warning-of-what-is-stale",
        origin("Cache-Control: max-age=50", TAG, "Age: 100"),
        cache("Cache-Control: max-stale", lacks=("warning",))),
)
def test_kept(play, row):
    play(row)


@rows(
    drops("Keep-Alive", "Keep-Alive: timeout=5, max=9",
          lacks=("keep-alive",), now=False),
    drops("Proxy-Connection", "Proxy-Connection: keep-alive",
          lacks=("proxy-connection",)),
    drops("TE", "TE: trailers", lacks=("te",)),
    drops("Proxy-Authenticate", 'Proxy-Authenticate: Basic realm="x"',
          lacks=("proxy-authenticate",), now=False),
    drops("Proxy-Authentication-Info", "Proxy-Authentication-Info: x",
          lacks=("proxy-authentication-info",), now=False),
    drops("Proxy-Authorization", "Proxy-Authorization: x",
          lacks=("proxy-authorization",), now=False),
    drops("Upgrade", "Connection: Upgrade", "Upgrade: foo",
          lacks=("upgrade",)),
    drops("what-Connection-names", "Connection: X-Hop", "X-Hop: 1",
          lacks=("x-hop",)),
    drops("what-Connection-names-in-another-case", "Connection: x-HOP",
          "X-Hop: 1", lacks=("x-hop",)),
    drops("what-Connection-names-in-a-list", "Connection: a, X-Hop ,b",
          "X-Hop: 1", "A: 2", lacks=("x-hop", "a")),
    drops("what-Connection-names-in-lines", "Connection: X-Hop",
          "Connection: X-Two", "X-Hop: 1", "X-Two: 2",
          lacks=("x-hop", "x-two")),
    drops("what-Connection-names-behind-it", "X-Hop: 1", "Connection: X-Hop",
          "X-Hop: 2", lacks=("x-hop",)),
    row("9111-3.1-Connection-may-not-take-Cache-Control-away",
        origin("Cache-Control: no-store", "Connection: Cache-Control"),
        origin(*UNEXPECTED)),
    row("9111-3.1-a-name-like-the-one-in-Connection",
        origin(FRESH, "Connection: X-Ho", "X-Hop: 1"),
        cache(has=("X-Hop: 1",))),
)
def test_dropped(play, row):
    play(row)


def length_is(n):
    def check(got, play):
        assert len(got.body) == n, len(got.body)
        assert got.get("content-length") in (None, str(n))
    return check


def trails(got, play):
    assert not got.all("x-trail"), "a trailer among the fields"


def hinted(got, play):
    assert [(s, dict(f).get("link")) for s, f in got.infos] == \
        [(103, "</a>")], got.infos


def unhinted(got, play):
    assert not got.infos and not got.all("link"), got


@rows(
    [row(f"9111-3-{framing}-of-{n}", origin(FRESH, framing=framing,
                                            body=b"x" * n),
         cache(check=length_is(n)))
     for framing in ("length", "chunked", "close")
     for n in (0, 1, 1000, 16384, 65536, 300000, 1 << 20)],
    row("9111-3-every-octet", origin(FRESH, body=bytes(range(256)) * 10),
        cache()),
    row("9111-3-content-that-looks-like-an-answer",
        origin(FRESH, body=b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), cache()),
    row("9111-3-of-HTTP/1.0", origin(FRESH, version="HTTP/1.0"), cache()),
    row("9111-3-a-slice-of-a-large-one",
        origin(FRESH, TAG, body=bytes(range(256)) * 4096),
        cache("Range: bytes=500000-500255", status=206,
              text=(bytes(range(256)) * 4096)[500000:500256])),
    row("9110-6.5-trailers-are-no-fields",
        origin(FRESH, "Trailer: X-Trail", framing="chunked",
               trailers=("X-Trail: 1",), check=trails),
        cache(check=trails)),
    row("9110-6.5-trailers-change-no-lifetime",
        origin("Cache-Control: max-age=0", framing="chunked",
               trailers=("Cache-Control: max-age=60",)),
        origin(*UNEXPECTED)),
    row("9110-15.2-103-is-passed-on",
        origin(FRESH, infos=((103, ("Link: </a>",)),), check=hinted),
        cache(check=unhinted)),
    row("9110-15.2-103-with-no-store-changes-nothing",
        origin(FRESH, infos=((103, ("Cache-Control: no-store",)),)),
        cache()),
    row("9110-15.2-103-with-max-age-changes-nothing",
        origin(infos=((103, ("Cache-Control: max-age=60",)),)),
        origin(*UNEXPECTED)),
    row("9110-15.2-two-interim-answers",
        origin(FRESH, infos=((102, ()), (103, ("Link: </a>",)))),
        cache(check=unhinted)),
    row("9111-3-204-has-no-content", origin(FRESH, code=204),
        cache(check=length_is(0))),
)
def test_content(play, row):
    play(row)


def key(name, one, other, is_same, section="9111-2"):
    """Two requests: whether they are for the same thing."""
    return row(f"{section}-{name}", origin(FRESH, **one),
               cache(**other) if is_same
               else origin(FRESH, **other))


@rows(
    key("the-path", {"path": "/a"}, {"path": "/b"}, False),
    key("case-of-the-path", {"path": "/a"}, {"path": "/A"}, False),
    key("a-slash-behind", {"path": "/a"}, {"path": "/a/"}, False),
    key("the-query", {"path": "?a=1"}, {"path": "?a=2"}, False),
    key("a-query-and-none", {"path": "?a=1"}, {"path": ""}, False),
    key("case-of-the-query", {"path": "?a=b"}, {"path": "?a=B"}, False),
    key("order-of-the-query", {"path": "?a=1&b=2"}, {"path": "?b=2&a=1"},
        False),
    key("where-the-query-begins", {"path": "/a?b"}, {"path": "/a%3Fb"},
        False),
    key("a-second-question-mark", {"path": "?a?b"}, {"path": "?a%3Fb"},
        False),
    key("the-host", {}, {"host": "other.test"}, False),
    key("case-of-the-host", {}, {"host": "RFC.Test"}, True),
    key("the-default-port", {}, {"host": "rfc.test:80"}, True),
    key("the-whole-URI", {}, {"target": "http://rfc.test{url}"}, True),
    key("the-whole-URI-and-another-Host", {},
        {"target": "http://rfc.test{url}", "host": "other.test"}, True),
    key("the-same-query", {"path": "?a=1"}, {"path": "?a=1"}, True),
    key("a-long-query", {"path": "?" + "a" * 2000 + "1"},
        {"path": "?" + "a" * 2000 + "2"}, False),
)
def test_key(play, row):
    play(row)


def test_user_agent_and_more_do_not_count(play):
    """9111-4: fields that Vary does not name do not choose."""
    play(row("9111-4-other-fields", origin(FRESH, ask=("User-Agent: a",)),
             cache("User-Agent: b", "Accept: text/html",
                   "Accept-Encoding: br", "Referer: http://x.test/",
                   "Cookie: a=b", "X-Forwarded-For: 10.0.0.1")))
