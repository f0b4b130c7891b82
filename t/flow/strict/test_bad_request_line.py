"""Request lines that are malformed or have two readings (RFC 9112 2, 3)."""
import pytest

from lib.strict import Ask, ids, may_split, passes, send_split

REST = b"Host: test\r\n\r\n"
GOOD = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def line(text):
    return text + b"\r\n" + REST


def bad(name, text, status=400):
    return Ask(name, line(text), (status,))


# RFC 9112 3.1, RFC 9110 9.1: method = token
METHODS = [
    bad("method missing", b" / HTTP/1.1"),
    bad("method missing and its blank", b"/ HTTP/1.1"),
    bad("method with blank before", b" GET / HTTP/1.1"),
    bad("method with tab before", b"\tGET / HTTP/1.1"),
    bad("method with tab behind", b"GET\t/ HTTP/1.1"),
    bad("method with NUL", b"GE\0T / HTTP/1.1"),
    bad("method with control byte", b"GE\x01T / HTTP/1.1"),
    bad("method with DEL", b"GE\x7fT / HTTP/1.1"),
    bad("method with obs-text", b"GE\xffT / HTTP/1.1"),
    bad("method with colon", b"GET: / HTTP/1.1"),
    bad("method with at", b"G@T / HTTP/1.1"),
    bad("method with parenthesis", b"GET( / HTTP/1.1"),
    bad("method quoted", b'"GET" / HTTP/1.1'),
    bad("method with vertical tab", b"GET\x0b / HTTP/1.1"),
    bad("method of 33 bytes", b"A" * 33 + b" / HTTP/1.1", 501),
    passes("method in lower case is another method", line(b"get / HTTP/1.1"),
           "get /"),
    passes("method of token characters", line(b"X!#$%&'*+.^_`|~9 / HTTP/1.1"),
           "X!#$%&'*+.^_`|~9 /"),
]

# RFC 9112 3: exactly one SP, exactly one line
BLANKS = [
    bad("two blanks before the target", b"GET  / HTTP/1.1"),
    bad("two blanks before the version", b"GET /  HTTP/1.1"),
    bad("blank behind the version", b"GET / HTTP/1.1 "),
    bad("tab behind the version", b"GET / HTTP/1.1\t"),
    bad("tab before the version", b"GET /\tHTTP/1.1"),
    bad("form feed before the version", b"GET /\x0cHTTP/1.1"),
    bad("word behind the version", b"GET / HTTP/1.1 x"),
    bad("request line twice", b"GET / HTTP/1.1 GET / HTTP/1.1"),
    bad("blank in the target", b"GET /a b HTTP/1.1"),
    bad("version in the target", b"GET /a HTTP/1.1 HTTP/1.1"),
    bad("nothing but blanks", b"   "),
    bad("nothing but a word", b"GET"),
    bad("nothing but a method and a blank", b"GET "),
]

# RFC 9112 2.3, RFC 9110 2.5
VERSIONS = [
    bad("version missing (HTTP/0.9)", b"GET /"),
    bad("version missing behind a blank", b"GET / "),
    Ask("HTTP/0.9 with nothing behind", b"GET /\r\n"),
    bad("version 0.9", b"GET / HTTP/0.9", 505),
    bad("version 2.0", b"GET / HTTP/2.0", 505),
    bad("version 3.0", b"GET / HTTP/3.0", 505),
    bad("version 9.9", b"GET / HTTP/9.9", 505),
    bad("version without minor", b"GET / HTTP/1"),
    bad("version with empty minor", b"GET / HTTP/1."),
    bad("version without major", b"GET / HTTP/.1"),
    bad("version 1.10", b"GET / HTTP/1.10"),
    bad("version 11.1", b"GET / HTTP/11.1"),
    bad("version 1.01", b"GET / HTTP/1.01"),
    bad("version 01.1", b"GET / HTTP/01.1"),
    bad("version 1,1", b"GET / HTTP/1,1"),
    bad("version 1.x", b"GET / HTTP/1.x"),
    bad("version -1.1", b"GET / HTTP/-1.1"),
    bad("version in lower case", b"GET / http/1.1"),
    bad("version in mixed case", b"GET / Http/1.1"),
    bad("version of another protocol", b"GET / HTTPS/1.1"),
    bad("version of RTSP", b"GET / RTSP/1.0"),
    bad("version without slash", b"GET / HTTP1.1"),
    bad("version with blank inside", b"GET / HTTP /1.1"),
    bad("version with blank behind slash", b"GET / HTTP/ 1.1"),
    bad("version with NUL behind", b"GET / HTTP/1.1\0"),
    bad("version with full-width digit", b"GET / HTTP/1.\xef\xbc\x91"),
    passes("version 1.2 is read as 1.1", line(b"GET / HTTP/1.2"), "GET /"),
]

# RFC 9112 2.2: line ends and what may stand before a request
ENDS = [
    Ask("bare LF behind the request line", b"GET / HTTP/1.1\nHost: test\r\n\r\n"),
    Ask("bare CR behind the request line", b"GET / HTTP/1.1\rHost: test\r\n\r\n"),
    Ask("CR CR LF behind the request line",
        b"GET / HTTP/1.1\r\r\nHost: test\r\n\r\n"),
    Ask("LF CR behind the request line", b"GET / HTTP/1.1\n\rHost: test\r\n\r\n"),
    Ask("bare LF in the target", b"GET /a\nb HTTP/1.1\r\n" + REST),
    Ask("bare CR in the target", b"GET /a\rb HTTP/1.1\r\n" + REST),
    Ask("bare CR in the method", b"GE\rT / HTTP/1.1\r\n" + REST),
    Ask("bare LF behind the method", b"GET\n/ HTTP/1.1\r\n" + REST),
    Ask("all lines end in LF", b"GET / HTTP/1.1\nHost: test\n\n"),
    Ask("NEL for a line end", b"GET / HTTP/1.1\x85Host: test\r\n\r\n"),
    Ask("LF first", b"\n" + GOOD),
    Ask("CR first", b"\r" + GOOD),
    Ask("CR CR LF first", b"\r\r\n" + GOOD),
    Ask("two empty lines first", b"\r\n\r\n" + GOOD),
    Ask("blank line first", b" \r\n" + GOOD),
    Ask("NUL first", b"\0" + GOOD),
    Ask("byte order mark first", b"\xef\xbb\xbf" + GOOD),
    passes("one empty line first", b"\r\n" + GOOD, "GET /"),
    passes("one empty line between two", GOOD + b"\r\n" + GOOD,
           "GET /", "GET /"),
    Ask("two empty lines between two", GOOD + b"\r\n\r\n" + GOOD,
        (200, 400), ("GET /",)),
    Ask("blank between request line and fields",
        b"GET / HTTP/1.1\r\n Host: test\r\n\r\n"),
    Ask("tab between request line and fields",
        b"GET / HTTP/1.1\r\n\tX: y\r\nHost: test\r\n\r\n"),
]

# RFC 9112 3.2
TARGETS = [
    bad("target empty", b"GET  HTTP/1.1"),
    bad("target with fragment", b"GET /a#b HTTP/1.1"),
    bad("target nothing but fragment", b"GET # HTTP/1.1"),
    bad("target with NUL", b"GET /a\0b HTTP/1.1"),
    bad("target with control byte", b"GET /a\x01b HTTP/1.1"),
    bad("target with escape byte", b"GET /a\x1bb HTTP/1.1"),
    bad("target with DEL", b"GET /a\x7fb HTTP/1.1"),
    bad("target with tab", b"GET /a\tb HTTP/1.1"),
    bad("target with obs-text", b"GET /\xc3\xa9 HTTP/1.1"),
    bad("target with obs-text in the query", b"GET /?\xff HTTP/1.1"),
    bad("target without slash", b"GET a HTTP/1.1"),
    bad("target nothing but query", b"GET ?a HTTP/1.1"),
    bad("target nothing but authority", b"GET test HTTP/1.1"),
    bad("target of CONNECT with GET", b"GET test:80 HTTP/1.1"),
    bad("target with backslash for slash", b"GET \\a HTTP/1.1"),
    bad("asterisk with GET", b"GET * HTTP/1.1"),
    bad("asterisk with POST", b"POST * HTTP/1.1"),
    bad("asterisk and more", b"OPTIONS *a HTTP/1.1"),
    bad("asterisk twice", b"OPTIONS ** HTTP/1.1"),
    bad("absolute with one slash", b"GET http:/test/ HTTP/1.1"),
    bad("absolute without slashes", b"GET http:test HTTP/1.1"),
    bad("absolute without host", b"GET http:/// HTTP/1.1"),
    bad("absolute with port and no host", b"GET http://:80/ HTTP/1.1"),
    bad("absolute without scheme", b"GET ://test/ HTTP/1.1"),
    bad("absolute with bad scheme", b"GET 1http://test/ HTTP/1.1"),
    bad("absolute with bad byte in scheme", b"GET ht_tp://test/ HTTP/1.1"),
    bad("absolute with user", b"GET http://user@test/ HTTP/1.1"),
    bad("absolute with user and password", b"GET http://u:p@test/ HTTP/1.1"),
    bad("absolute with backslash in host", b"GET http://test\\@evil/ HTTP/1.1"),
    bad("absolute with escape in host", b"GET http://te%73t/ HTTP/1.1"),
    bad("absolute with two ports", b"GET http://test:80:81/ HTTP/1.1"),
    bad("absolute with signed port", b"GET http://test:+80/ HTTP/1.1"),
    bad("absolute with huge port", b"GET http://test:65536/ HTTP/1.1"),
    bad("absolute with wrapped port", b"GET http://test:4294967376/ HTTP/1.1"),
    bad("absolute with hex port", b"GET http://test:0x50/ HTTP/1.1"),
    bad("absolute with open bracket", b"GET http://[::1/ HTTP/1.1"),
    bad("absolute with name in brackets", b"GET http://[test]/ HTTP/1.1"),
    bad("absolute with fragment", b"GET http://test/#a HTTP/1.1"),
    # RFC 9110 7.4: the scheme is a part of what is asked for
    passes("absolute of another scheme", line(b"GET ftp://test/a HTTP/1.1"),
           want=(421,)),
    passes("absolute of https without TLS",
           line(b"GET https://test/a HTTP/1.1"), want=(421,)),
    bad("CONNECT with path", b"CONNECT / HTTP/1.1"),
    bad("CONNECT without port", b"CONNECT test HTTP/1.1"),
    bad("CONNECT with empty port", b"CONNECT test: HTTP/1.1"),
    bad("CONNECT with port 0", b"CONNECT test:0 HTTP/1.1"),
    bad("CONNECT with user", b"CONNECT u@test:80 HTTP/1.1"),
    bad("CONNECT with absolute target", b"CONNECT http://test:80 HTTP/1.1"),
    # RFC 9110 9.3.6: what follows a CONNECT is not HTTP, in the sender's eyes
    bad("CONNECT refused ends the connection", b"CONNECT test:80 HTTP/1.1", 405),
    passes("absolute becomes origin-form", line(b"GET http://test/a?b HTTP/1.1"),
           "GET /a?b"),
    passes("absolute without path", line(b"GET http://test HTTP/1.1"), "GET /"),
    passes("absolute without path, with query",
           line(b"GET http://test?a HTTP/1.1"), "GET /?a"),
    passes("absolute with scheme in capitals",
           line(b"GET HTTP://test/a HTTP/1.1"), "GET /a"),
    passes("absolute with empty port", line(b"GET http://test:/a HTTP/1.1"),
           "GET /a"),
    passes("absolute with at in the query",
           line(b"GET http://test?@evil/ HTTP/1.1"), "GET /?@evil/"),
    passes("every visible byte in the target",
           line(b"GET /\"<>[]^`{|}~?\"<>[]^`{|}\\ HTTP/1.1"),
           "GET /\"<>[]^`{|}~?\"<>[]^`{|}\\"),
    passes("asterisk with OPTIONS is answered here",
           line(b"OPTIONS * HTTP/1.1"), want=(200,)),
]

# RFC 9113 3.4, RFC 8446 4.1.2, and others that knock on the wrong door
OTHERS = [
    Ask("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
    Ask("HTTP/2 preface with settings",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", (505,)),
    Ask("TLS ClientHello",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\0" * 160),
    Ask("SSL 2 ClientHello", b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10"),
    Ask("PROXY header that is not expected",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + GOOD),
    Ask("PROXY v2 header that is not expected",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12 + GOOD),
    Ask("SMTP greeting", b"EHLO test\r\n" + GOOD),
    Ask("SSH greeting", b"SSH-2.0-OpenSSH_9.2\r\n" + GOOD),
    Ask("an answer for a request", b"HTTP/1.1 200 OK\r\nHost: test\r\n\r\n"),
    Ask("a chunk size for a request", b"0\r\n\r\n" + GOOD),
]

ROWS = METHODS + BLANKS + VERSIONS + ENDS + TARGETS + OTHERS


@pytest.mark.parametrize("row", ids(ROWS))
def test_row(judge_ask, row):
    """RFC 9112 2.2, 3: a request line that is not by the grammar is refused,
    the connection ends, and nothing reaches the origin."""
    judge_ask(row)


@pytest.mark.parametrize("row", ids(may_split(ROWS)))
def test_row_byte_by_byte(judge_ask, row):
    """RFC 9112 2.2: how the bytes were cut changes no verdict."""
    judge_ask(row, send_split)
