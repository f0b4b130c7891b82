"""Field lines of requests that are malformed, have two readings, or name what
must not be named (RFC 9112 3.2, 5; RFC 9110 5, 7.6.1, 10.1.1)."""
import pytest

from lib.strict import (FIELDS_MAX, HEAD_MAX, LINE_MAX, Ask, ids, may_split,
                        passes, send_split)

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: test\r\n"
GOOD = GET + HOST + b"\r\n"


def head(lines, first=GET):
    return first + HOST + lines + b"\r\n\r\n"


def bad(name, lines, status=400):
    return Ask(name, head(lines), (status,))


def bad_host(name, value):
    return Ask(name, GET + b"Host:" + value + b"\r\n\r\n")


def fine(name, lines, sees="GET /"):
    return passes(name, head(lines), sees)


# RFC 9112 5: field-line = field-name ":" OWS field-value OWS
NAMES = [
    bad("blank before the colon", b"X : y"),
    bad("tab before the colon", b"X\t: y"),
    bad("blanks before the colon", b"X  \t : y"),
    bad("blank before the colon of a length", b"Content-Length : 5"),
    bad("blank before the colon of a coding", b"Transfer-Encoding : chunked"),
    bad("blank before the colon of Host", b"Host : test"),
    bad("blank in the name", b"X Y: z"),
    bad("name empty", b": y"),
    bad("name empty behind a blank", b" : y"),
    bad("line without colon", b"X"),
    bad("line without colon, with blank", b"X y"),
    bad("name with NUL", b"X\0: y"),
    bad("name with control byte", b"X\x01: y"),
    bad("name with vertical tab", b"Transfer-Encoding\x0b: chunked"),
    bad("name with form feed", b"Transfer-Encoding\x0c: chunked"),
    bad("name with DEL", b"X\x7f: y"),
    bad("name with obs-text", b"X\xe9: y"),
    bad("name with no-break space", b"Transfer-Encoding\xa0: chunked"),
    bad("name with byte order mark", b"\xef\xbb\xbfX: y"),
    bad("name with parenthesis", b"X(1): y"),
    bad("name with slash", b"X/Y: z"),
    bad("name with at", b"X@Y: z"),
    bad("name with comma", b"X,Y: z"),
    bad("name with equals", b"X=Y: z"),
    bad("name with semicolon", b"X;Y: z"),
    bad("name with brackets", b"X[1]: z"),
    bad("name with braces", b"X{1}: z"),
    bad("name with question mark", b"X?: z"),
    bad("name with backslash", b"X\\: z"),
    bad("name in quotes", b'"X": z'),
    bad("a request line among the fields", b"GET /a HTTP/1.1"),
    fine("name of token characters", b"X!#$%&'*+-.^_`|~9: y"),
    fine("no blank behind the colon", b"X:y"),
    fine("blanks around the value", b"X: \t y \t "),
    fine("value empty", b"X:"),
    fine("value nothing but blanks", b"X: \t "),
    fine("value with colons", b"X: y: z"),
    fine("value with obs-text", b"X: \xc3\xa9\xff"),
]

# RFC 9112 2.2, 5.2; RFC 9110 5.5
ENDS = [
    bad("obs-fold with blank", b"X: y\r\n z"),
    bad("obs-fold with tab", b"X: y\r\n\tz"),
    bad("obs-fold to an empty value", b"X:\r\n y"),
    bad("obs-fold of blanks alone", b"X: y\r\n "),
    bad("obs-fold that hides a field", b"X: y\r\n Content-Length: 5"),
    bad("obs-fold of a coding", b"Transfer-Encoding:\r\n chunked"),
    bad("obs-fold of a length", b"Content-Length: 5\r\n 0"),
    bad("obs-fold of a Host", b"Y: z\r\n Host: evil"),
    bad("bare LF behind a value", b"X: y\nZ: a"),
    bad("bare LF in a name", b"X\nY: z"),
    bad("bare LF before the colon", b"X\n: z"),
    bad("bare LF behind the colon", b"X:\n z"),
    bad("bare LF and a request", b"X: y\nGET /a HTTP/1.1"),
    bad("bare CR in a value", b"X: y\rz"),
    bad("bare CR at the end of a value", b"X: y\r\r\nZ: a"),
    bad("bare CR in a name", b"X\rY: z"),
    bad("bare CR before the colon", b"X\r: z"),
    bad("bare CR hides a field", b"X: y\rTransfer-Encoding: chunked"),
    bad("bare CR begins a line", b"\rX: y"),
    bad("NUL in a value", b"X: y\0z"),
    bad("NUL at the end of a value", b"X: y\0"),
    bad("NUL in a length", b"Content-Length: 5\0"),
    bad("control byte in a value", b"X: y\x01z"),
    bad("backspace in a value", b"X: y\x08z"),
    bad("vertical tab in a value", b"X: y\x0bz"),
    bad("escape byte in a value", b"X: y\x1b[2Jz"),
    bad("DEL in a value", b"X: y\x7fz"),
    Ask("head ends in two LFs", GET + b"Host: test\n\n"),
    Ask("head ends in CRLF LF", GET + HOST + b"\n"),
    Ask("head ends in LF CRLF", GET + b"Host: test\n\r\n"),
    Ask("head ends in CRLF CR CR LF", GET + HOST + b"\r\r\n"),
    Ask("head ends in CR CR", GET + b"Host: test\r\r"),
]

# RFC 9112 3.2, RFC 9110 4.2.4, 7.2; RFC 3986 3.2.2
HOSTS = [
    Ask("Host missing", GET + b"\r\n"),
    Ask("Host missing beside others", GET + b"X: y\r\n\r\n"),
    Ask("Host missing with an absolute target",
        b"GET http://test/ HTTP/1.1\r\n\r\n"),
    Ask("Host under a false name", GET + b"X-Host: test\r\n\r\n"),
    Ask("Host with underscore for its name", GET + b"_Host: test\r\n\r\n"),
    bad("Host twice", b"Host: evil"),
    bad("Host twice, the same", b"Host: test"),
    bad("Host twice, other case", b"hOST: evil"),
    bad("Host twice, one empty", b"Host:"),
    bad("Host thrice", b"Host: a\r\nHost: b"),
    Ask("Host twice in HTTP/1.0",
        b"GET / HTTP/1.0\r\nHost: test\r\nHost: evil\r\n\r\n"),
    Ask("Host twice with an absolute target",
        b"GET http://test/ HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n"),
    Ask("Host bad with an absolute target",
        b"GET http://test/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
    bad_host("Host empty", b""),
    bad_host("Host nothing but blanks", b" \t "),
    bad_host("Host with user", b" user@test"),
    bad_host("Host with user and password", b" u:p@test"),
    bad_host("Host with blank", b" test evil"),
    bad_host("Host with tab", b" test\tevil"),
    bad_host("Host list", b" test, evil"),
    bad_host("Host with scheme", b" http://test"),
    bad_host("Host with path", b" test/a"),
    bad_host("Host with query", b" test?a"),
    bad_host("Host with fragment", b" test#a"),
    bad_host("Host with backslash", b" test\\evil"),
    bad_host("Host with escape", b" te%73t"),
    bad_host("Host with NUL", b" test\0evil"),
    bad_host("Host with obs-text", b" t\xc3\xa9st"),
    bad_host("Host with quotes", b' "test"'),
    bad_host("Host with angle brackets", b" <test>"),
    bad_host("Host nothing but port", b" :80"),
    bad_host("Host with port junk", b" test:80x"),
    bad_host("Host with word for port", b" test:http"),
    bad_host("Host with two ports", b" test:80:81"),
    bad_host("Host with signed port", b" test:+80"),
    bad_host("Host with negative port", b" test:-1"),
    bad_host("Host with blank before port", b" test :80"),
    bad_host("Host with blank in port", b" test: 80"),
    bad_host("Host with huge port", b" test:65536"),
    bad_host("Host with wrapped port", b" test:4294967376"),
    bad_host("Host with hex port", b" test:0x50"),
    bad_host("Host with at for port", b" test:@evil"),
    bad_host("Host with open bracket", b" [::1"),
    bad_host("Host with close bracket", b" ::1]"),
    bad_host("Host IPv6 without brackets", b" ::1"),
    bad_host("Host with name in brackets", b" [test]"),
    bad_host("Host with empty brackets", b" []"),
    bad_host("Host with junk behind brackets", b" [::1]evil"),
    bad_host("Host with zone", b" [fe80::1%25lo]"),
    bad_host("Host of 254 bytes", b" " + b"a" * 254),
    passes("Host with port", GET + b"Host: test:80\r\n\r\n", "GET /"),
    passes("Host with empty port", GET + b"Host: test:\r\n\r\n", "GET /"),
    passes("Host IPv6", GET + b"Host: [::1]:80\r\n\r\n", "GET /"),
    passes("Host differs from an absolute target",
           b"GET http://test/ HTTP/1.1\r\nHost: evil\r\n\r\n", "GET /"),
]

# RFC 9110 7.6.1: a nomination takes a field out; these must not go
NOMINATED = [
    bad("Connection names " + name.decode(), b"Connection: " + name)
    for name in (b"Host", b"host", b"Content-Length", b"Transfer-Encoding",
                 b"Authorization", b"Cookie", b"COOKIE")
] + [
    bad("Connection names Host beside close", b"Connection: close, Host"),
    bad("Connection names Host behind empty members",
        b"Connection: , ,\t,Host ,"),
    bad("Connection names Host in its second line",
        b"Connection: close\r\nConnection: Host"),
    bad("Connection names Cookie that is not there", b"Connection: x, cookie"),
    Ask("Connection names the length that is there",
        b"POST / HTTP/1.1\r\n" + HOST +
        b"Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc"),
    Ask("Connection names the coding that is there",
        b"POST / HTTP/1.1\r\n" + HOST + b"Connection: Transfer-Encoding\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Ask("Connection names Host in HTTP/1.0",
        b"GET / HTTP/1.0\r\n" + HOST + b"Connection: Host\r\n\r\n"),
    Ask("Connection names more fields than are looked for",
        head(b"Connection: " + b",".join(b"x%d" % i for i in range(200))),
        is_open=True),
    fine("Connection names others", b"Connection: X-One\r\nX-One: 1"),
]

# fields of which a second value would be read by somebody
SINGLES = [
    bad(name + " twice", name.encode() + b": a\r\n" + name.encode() + b": b")
    for name in ("Authorization", "Content-Type", "Range", "If-Range",
                 "Max-Forwards", "Origin", "Proxy-Authorization",
                 "Sec-WebSocket-Key")
]

# RFC 9110 10.1.1
EXPECTS = [
    bad("Expect something else", b"Expect: 200-ok", 417),
    bad("Expect empty", b"Expect:", 417),
    bad("Expect with parameter", b"Expect: 100-continue;a=b", 417),
    bad("Expect a list", b"Expect: 100-continue, x", 417),
    bad("Expect quoted", b'Expect: "100-continue"', 417),
    bad("Expect without hyphen", b"Expect: 100 continue", 417),
    bad("Expect twice, one unknown",
        b"Expect: 100-continue\r\nExpect: x", 417),
    fine("Expect in other case, no content", b"Expect: 100-Continue"),
]

# RFC 9110 7.8, RFC 9113 3.1: h2c is ignored, never a tunnel
UPGRADES = [
    fine("Upgrade h2c", b"Connection: Upgrade, HTTP2-Settings\r\n"
         b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
    fine("Upgrade h2c without settings", b"Connection: Upgrade\r\nUpgrade: h2c"),
    fine("Upgrade h2", b"Connection: Upgrade\r\nUpgrade: h2"),
    fine("Upgrade TLS", b"Connection: Upgrade\r\nUpgrade: TLS/1.0"),
    fine("Upgrade without Connection", b"Upgrade: websocket"),
    fine("Upgrade named but missing", b"Connection: Upgrade"),
    bad("HTTP2-Settings twice", b"Connection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AA\r\nHTTP2-Settings: AA"),
]


def filler(n):
    """Field lines of n bytes together."""
    return b"X: " + b"y" * (n - len(b"X: \r\n")) + b"\r\n"


TARGET_ROOM = LINE_MAX - len(b"GET / HTTP/1.1")
HEAD_ROOM = HEAD_MAX - len(GOOD)

# issue: limits of line, head and number of fields (RFC 9112 3, RFC 6585 5)
LIMITS = [
    passes("line as long as allowed",
           b"GET /" + b"a" * TARGET_ROOM + b" HTTP/1.1\r\n" + HOST + b"\r\n",
           "GET /" + "a" * TARGET_ROOM),
    Ask("line longer than allowed",
        b"GET /" + b"a" * (TARGET_ROOM + 1) + b" HTTP/1.1\r\n" + HOST +
        b"\r\n", (414,)),
    Ask("line without end", b"GET /" + b"a" * 100000, (414,)),
    Ask("method without end", b"A" * 100000, (414,)),
    passes("head as large as allowed",
           GET + HOST + filler(HEAD_ROOM) + b"\r\n", "GET /"),
    Ask("head larger than allowed",
        GET + HOST + filler(HEAD_ROOM + 1) + b"\r\n", (431,)),
    Ask("value without end", GET + HOST + b"X: " + b"y" * 100000, (431,)),
    Ask("name without end", GET + HOST + b"X" * 100000, (431,)),
    Ask("fields without end", GET + HOST + b"X: y\r\n" * 10000, (431,)),
    passes("as many fields as allowed",
           GET + HOST + b"X: y\r\n" * (FIELDS_MAX - 1) + b"\r\n", "GET /"),
    Ask("more fields than allowed",
        GET + HOST + b"X: y\r\n" * FIELDS_MAX + b"\r\n", (431,)),
]

# RFC 9112 9.3.2: each is judged for itself, in order
PIPELINED = [
    passes("two good ones", GOOD * 2, "GET /", "GET /"),
    Ask("good, then bad", GOOD + head(b"X : y"), (200, 400), ("GET /",)),
    Ask("good, then bad, then good", GOOD + head(b"X\r: y") + GOOD,
        (200, 400), ("GET /",)),
    Ask("bad, then good", head(b"X : y") + GOOD, (400,)),
    Ask("good, then garbage", GOOD + b"\0\1\2\3", (200, 400), ("GET /",)),
    Ask("good with close, then good",
        head(b"Connection: close") + GOOD, (200,), ("GET /",),
        is_broken_word=True),
    Ask("HTTP/1.0 without keep-alive, then good",
        b"GET / HTTP/1.0\r\n\r\n" + GOOD, (200,), ("GET /",),
        is_broken_word=True),
]

ROWS = (NAMES + ENDS + HOSTS + NOMINATED + SINGLES + EXPECTS + UPGRADES +
        LIMITS + PIPELINED)


@pytest.mark.parametrize("row", ids(ROWS))
def test_row(judge_ask, row):
    """RFC 9112 5, RFC 9110 5.5, 7.6.1: field lines that are not by the grammar
    are refused and never forwarded; the connection ends."""
    judge_ask(row)


@pytest.mark.parametrize("row", ids(may_split(ROWS)))
def test_row_byte_by_byte(judge_ask, row):
    """RFC 9112 2.2: how the bytes were cut changes no verdict."""
    judge_ask(row, send_split)
