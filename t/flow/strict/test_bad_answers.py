"""Answers of origins that are malformed, have two readings or break off: the
same suspicion as towards clients (RFC 9112 4 to 7)."""
import pytest

from lib.strict import BAD, EVIL, Answer, ids, may_split, send_split

OK = b"HTTP/1.1 200 OK\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
CL = b"Content-Length: "
EMPTY = b"0\r\n\r\n"
FINE = OK + CL + b"2\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"


def line(name, text):
    return Answer("status line: " + name, text + b"\r\n" + CL + b"2\r\n\r\nok")


def field(name, lines, want=502, **more):
    return Answer("field: " + name,
                  OK + lines + b"\r\n" + CL + b"2\r\n\r\nok", want, **more)


def framed(name, lines, body=b"", want=502, **more):
    return Answer("framing: " + name, OK + lines + b"\r\n\r\n" + body, want,
                  **more)


def chunk(name, data, want=BAD, **more):
    return Answer("chunk: " + name, OK + TE + b"\r\n" + data, want, **more)


# RFC 9112 4
LINES = [
    line("version in lower case", b"http/1.1 200 OK"),
    line("version of HTTP/2", b"HTTP/2 200 OK"),
    line("version 2.0", b"HTTP/2.0 200 OK"),
    line("version 0.9", b"HTTP/0.9 200 OK"),
    line("version without minor", b"HTTP/1 200 OK"),
    line("version 1.10", b"HTTP/1.10 200 OK"),
    line("version missing", b"200 OK"),
    line("other protocol", b"ICY 200 OK"),
    line("other protocol with slash", b"RTSP/1.0 200 OK"),
    line("status missing", b"HTTP/1.1"),
    line("status missing behind blank", b"HTTP/1.1 "),
    line("status missing, reason there", b"HTTP/1.1 OK"),
    line("status empty", b"HTTP/1.1  OK"),
    line("status of two digits", b"HTTP/1.1 20 OK"),
    line("status of four digits", b"HTTP/1.1 2000 OK"),
    line("status with letter", b"HTTP/1.1 2x0 OK"),
    line("status with sign", b"HTTP/1.1 +20 OK"),
    line("status negative", b"HTTP/1.1 -20 OK"),
    line("status of 000", b"HTTP/1.1 000 OK"),
    line("status of 099", b"HTTP/1.1 099 OK"),
    line("status of 600", b"HTTP/1.1 600 OK"),
    line("status of 999", b"HTTP/1.1 999 OK"),
    line("status in quotes", b'HTTP/1.1 "200" OK'),
    line("two blanks before the status", b"HTTP/1.1  200 OK"),
    line("tab before the status", b"HTTP/1.1\t200 OK"),
    line("tab behind the status", b"HTTP/1.1 200\tOK"),
    line("blank before the version", b" HTTP/1.1 200 OK"),
    line("no blank between", b"HTTP/1.1200 OK"),
    line("NUL in the reason", b"HTTP/1.1 200 O\0K"),
    line("control byte in the reason", b"HTTP/1.1 200 O\x01K"),
    line("bare CR in the reason", b"HTTP/1.1 200 OK\rX: y"),
    line("bare LF in the reason", b"HTTP/1.1 200 OK\nX: y"),
    line("empty line before", b"\r\nHTTP/1.1 200 OK"),
    line("a request for an answer", b"GET / HTTP/1.1"),
    Answer("status line: none, content at once (HTTP/0.9)",
           b"<html>evil</html>"),
    Answer("status line: none, content and close", b"<html>", end="close"),
    Answer("status line: bytes of TLS", b"\x15\x03\x03\x00\x02\x02\x46"),
    Answer("status line: settings of HTTP/2", b"\0\0\0\4\0\0\0\0\0"),
    Answer("status line: without end", OK[:-2] + b"a" * 100000),
    Answer("status line: all lines end in LF",
           b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    Answer("status line: without reason",
           b"HTTP/1.1 200 \r\n" + CL + b"2\r\n\r\nok", (200, "ok"), reuse=True),
    Answer("status line: without reason and its blank",
           b"HTTP/1.1 200\r\n" + CL + b"2\r\n\r\nok", (200, "ok"), reuse=True),
    Answer("status line: reason of obs-text",
           b"HTTP/1.1 200 \xc3\xa9\xff\r\n" + CL + b"2\r\n\r\nok",
           (200, "ok"), reuse=True),
]

# RFC 9112 5, RFC 9110 5.5
FIELDS = [
    field("without colon", b"X"),
    field("name empty", b": y"),
    field("name with blank inside", b"X Y: z"),
    field("name with NUL", b"X\0: y"),
    field("name with control byte", b"X\x01: y"),
    field("name with obs-text", b"X\xe9: y"),
    field("name with at", b"X@Y: z"),
    field("name in quotes", b'"X": y'),
    field("blank before the first", b" X: y"),
    field("obs-fold", b"X: y\r\n z"),
    field("obs-fold with tab", b"X: y\r\n\tz"),
    field("obs-fold of blanks", b"X: y\r\n "),
    field("obs-fold that hides a length", b"X: y\r\n Content-Length: 5"),
    field("bare LF in a value", b"X: y\nZ: a"),
    field("bare LF injects a cookie", b"X: y\nSet-Cookie: a=evil"),
    field("bare CR in a value", b"X: y\rz"),
    field("bare CR injects a cookie", b"X: y\rSet-Cookie: a=evil"),
    field("CR CR LF", b"X: y\r"),
    field("NUL in a value", b"X: y\0z"),
    field("control byte in a value", b"X: y\x0bz"),
    field("DEL in a value", b"X: y\x7fz"),
    field("bare LF and an answer", b"X: y\n\n" + EVIL),
    field("Connection names Content-Length", b"Connection: Content-Length"),
    field("Connection names Host", b"Connection: Host"),
    field("Connection names Cookie", b"Connection: close, cookie"),
    field("Connection names more fields than are looked for",
          b"Connection: " + b",".join(b"x%d" % i for i in range(200)),
          reuse=None),
    Answer("field: value without end", OK + b"X: " + b"y" * 100000),
    Answer("field: lines without end", OK + b"X: y\r\n" * 20000),
    field("more than are taken", b"X: y\r\n" * 300 + b"X: y"),
    field("blank before a colon is removed", b"X : y", (200, "ok"), reuse=True),
    field("tab before a colon is removed", b"X\t: y", (200, "ok"), reuse=True),
    field("value of obs-text", b"X: \xc3\xa9\xff", (200, "ok"), reuse=True),
    Answer("field: blank before the colon of a length counts",
           OK + b"Content-Length : 2\r\n\r\nok", (200, "ok"), reuse=True),
    Answer("field: blank before the colon of a coding counts",
           OK + b"Transfer-Encoding : chunked\r\n\r\n2\r\nok\r\n" + EMPTY,
           (200, "ok"), reuse=True),
]

# RFC 9112 6.3
FRAMINGS = [
    framed("length and coding", CL + b"4\r\n" + TE[:-2], EMPTY + EVIL),
    framed("coding and length", TE + CL + b"4", EMPTY + EVIL),
    framed("coding and length of 0", TE + CL + b"0", EMPTY + EVIL),
    framed("length twice, the same", CL + b"2\r\n" + CL + b"2", b"ok"),
    framed("length twice, different", CL + b"2\r\n" + CL + b"0", b"ok"),
    framed("length list", CL + b"2, 2", b"ok"),
    framed("length empty", b"Content-Length:", b"ok"),
    framed("length negative", CL + b"-1", b"ok"),
    framed("length with sign", CL + b"+2", b"ok"),
    framed("length in hex", CL + b"0x2", b"ok"),
    framed("length with fraction", CL + b"2.0", b"ok"),
    framed("length with unit", CL + b"2 bytes", b"ok"),
    framed("length in quotes", CL + b'"2"', b"ok"),
    framed("length of 2^63", CL + b"9223372036854775808", b"ok"),
    framed("length of 2^64 + 2", CL + b"18446744073709551618", b"ok"),
    framed("length with NUL", CL + b"2\0", b"ok"),
    framed("coding empty", b"Transfer-Encoding:", EMPTY),
    framed("coding unknown", b"Transfer-Encoding: x", EMPTY),
    framed("coding identity", b"Transfer-Encoding: identity", b"ok"),
    framed("coding gzip, then chunked", b"Transfer-Encoding: gzip, chunked",
           EMPTY),
    framed("coding chunked, then gzip", b"Transfer-Encoding: chunked, gzip",
           EMPTY),
    framed("coding chunked twice", b"Transfer-Encoding: chunked, chunked",
           EMPTY),
    framed("coding in two lines", TE + TE[:-2], EMPTY),
    framed("coding in quotes", b'Transfer-Encoding: "chunked"', EMPTY),
    framed("coding with parameter", b"Transfer-Encoding: chunked;q=1", EMPTY),
    framed("coding behind vertical tab", b"Transfer-Encoding:\x0bchunked",
           EMPTY),
    Answer("framing: coding in HTTP/1.0",
           b"HTTP/1.0 200 OK\r\n" + TE + b"\r\n2\r\nok\r\n" + EMPTY),
    framed("content longer than its length", CL + b"2", b"ok" + EVIL,
           (200, "ok")),
    framed("content behind a length of 0", CL + b"0", EVIL, (200, "")),
    framed("one byte behind the content", CL + b"2", b"ok\n", (200, "ok")),
    framed("line end behind the content", CL + b"2", b"ok\r\n", (200, "ok")),
    framed("answer behind chunked content", TE[:-2],
           b"2\r\nok\r\n" + EMPTY + EVIL, (200, "ok")),
    framed("content shorter than its length", CL + b"3", b"ok", BAD,
           end="close"),
    framed("no content, and close", CL + b"3", b"", BAD, end="close"),
    framed("content shorter than its length, reset", CL + b"3", b"ok", BAD,
           end="reset"),
    framed("until close", b"X: y", b"ok", (200, "ok"), end="close"),
    framed("until close that is a reset", b"X: y", b"ok", BAD, end="reset"),
    framed("until close with Connection: keep-alive",
           b"Connection: keep-alive", b"ok", (200, "ok"), end="close"),
    framed("coding in capitals", b"TRANSFER-ENCODING: CHUNKED",
           b"2\r\nok\r\n" + EMPTY, (200, "ok"), reuse=True),
    framed("coding named by Connection",
           b"Connection: transfer-encoding\r\n" + TE[:-2],
           b"2\r\nok\r\n" + EMPTY, (200, "ok"), reuse=True),
    framed("Connection: close with length", b"Connection: close\r\n" + CL +
           b"2", b"ok", (200, "ok")),
    Answer("framing: HTTP/1.0 with length",
           b"HTTP/1.0 200 OK\r\n" + CL + b"2\r\n\r\nok", (200, "ok")),
    Answer("framing: HTTP/1.0 with keep-alive",
           b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CL +
           b"2\r\n\r\nok", (200, "ok"), reuse=True),
    Answer("framing: a good answer", FINE, (200, "ok"), reuse=True),
]

# RFC 9112 7.1: extensions of answers are skipped, all else is by the grammar
CHUNKS = [
    chunk("size empty", b"\r\nok\r\n" + EMPTY),
    chunk("size with 0x", b"0x2\r\nok\r\n" + EMPTY),
    chunk("size with sign", b"+2\r\nok\r\n" + EMPTY),
    chunk("size negative", b"-2\r\nok\r\n" + EMPTY),
    chunk("size of another alphabet", b"z\r\nok\r\n" + EMPTY),
    chunk("size with blank before", b" 2\r\nok\r\n" + EMPTY),
    chunk("size with blank inside", b"0 2\r\nok\r\n" + EMPTY),
    chunk("size with NUL", b"2\0\r\nok\r\n" + EMPTY),
    chunk("size of 2^63", b"8000000000000000\r\nok\r\n" + EMPTY),
    chunk("size of 2^64 + 2", b"10000000000000002\r\nok\r\n" + EMPTY),
    chunk("size of 17 digits", b"0" * 16 + b"2\r\nok\r\n" + EMPTY),
    chunk("size without end", b"0" * 100000),
    chunk("line ends in LF", b"2\nok\r\n" + EMPTY),
    chunk("line ends in CR", b"2\rok\r\n" + EMPTY),
    chunk("content ends in LF", b"2\r\nok\n" + EMPTY),
    chunk("content ends in nothing", b"2\r\nok" + EMPTY),
    chunk("content longer than its size", b"2\r\nokay\r\n" + EMPTY),
    chunk("content shorter than its size", b"4\r\nok\r\n" + EMPTY),
    chunk("last ends in LF", b"2\r\nok\r\n0\n\n"),
    chunk("last ends in CRLF LF", b"2\r\nok\r\n0\r\n\n"),
    chunk("no chunks at all", b"ok"),
    chunk("extension with LF", b"2;a\nok\r\n" + EMPTY),
    chunk("extension with CR", b"2;a\rok\r\n" + EMPTY),
    chunk("extension with NUL", b"2;a\0\r\nok\r\n" + EMPTY),
    chunk("extension without end", b"2;" + b"a" * 100000),
    chunk("word behind a blank", b"2 a\r\nok\r\n" + EMPTY),
    chunk("trailer without colon", b"2\r\nok\r\n0\r\nX\r\n\r\n"),
    chunk("trailer with obs-fold", b"2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n"),
    chunk("trailer with bare LF", b"2\r\nok\r\n0\r\nX: y\nSet-Cookie: evil"
          b"\r\n\r\n"),
    chunk("trailer with NUL", b"2\r\nok\r\n0\r\nX: y\0\r\n\r\n"),
    chunk("trailer without end", b"2\r\nok\r\n0\r\nX: " + b"y" * 100000),
    chunk("trailers without end", b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 20000),
    chunk("last is missing", b"2\r\nok\r\n", end="close"),
    chunk("last is missing, reset", b"2\r\nok\r\n", end="reset"),
    chunk("line end behind the last is missing", b"2\r\nok\r\n0\r\n",
          end="close"),
    chunk("cut in a size", b"2", end="close"),
    chunk("cut in the content", b"4\r\nok", end="close"),
    chunk("cut in a trailer", b"2\r\nok\r\n0\r\nX: y\r\n", end="close"),
    chunk("none, and close", b"", end="close"),
    chunk("extension is skipped", b'2;a="b";c\r\nok\r\n0;d\r\n\r\n',
          (200, "ok"), reuse=True),
    chunk("trailers that frame are left out",
          b"2\r\nok\r\n0\r\nContent-Length: 9\r\nSet-Cookie: evil\r\n\r\n",
          (200, "ok"), reuse=True),
]

# RFC 9112 6.3 item 1: nothing follows these heads
BARES = [
    Answer("bare: 204 with content", b"HTTP/1.1 204 No Content\r\n" + CL +
           b"%d\r\n\r\n" % len(EVIL) + EVIL, (204, "")),
    Answer("bare: 204 with chunks", b"HTTP/1.1 204 No Content\r\n" + TE +
           b"\r\n4\r\nevil\r\n" + EMPTY, (204, "")),
    Answer("bare: 204 with an answer behind",
           b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL, (204, "")),
    Answer("bare: 304 with content", b"HTTP/1.1 304 Not Modified\r\n" + CL +
           b"%d\r\n\r\n" % len(EVIL) + EVIL, (304, "")),
    Answer("bare: 304 with chunks", b"HTTP/1.1 304 Not Modified\r\n" + TE +
           b"\r\n4\r\nevil\r\n" + EMPTY, (304, "")),
    Answer("bare: 304 with an answer behind",
           b"HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL, (304, "")),
    Answer("bare: HEAD with content",
           OK + CL + b"%d\r\n\r\n" % len(EVIL) + EVIL, (200, ""),
           method="HEAD"),
    Answer("bare: HEAD with chunks",
           OK + TE + b"\r\n4\r\nevil\r\n" + EMPTY, (200, ""), method="HEAD"),
    Answer("bare: HEAD with an answer behind", OK + b"\r\n" + EVIL, (200, ""),
           method="HEAD"),
    Answer("bare: HEAD with both lengths", OK + CL + b"4\r\n" + TE + b"\r\n",
           method="HEAD"),
    Answer("bare: HEAD with a bad length", OK + CL + b"x\r\n\r\n",
           method="HEAD"),
    Answer("bare: HEAD with a length", OK + CL + b"4\r\n\r\n", (200, ""),
           reuse=True, method="HEAD"),
    Answer("bare: HEAD with a coding", OK + TE + b"\r\n", (200, ""),
           reuse=True, method="HEAD"),
    Answer("bare: 304 with a length",
           b"HTTP/1.1 304 Not Modified\r\n" + CL + b"4\r\n\r\n", (304, ""),
           reuse=True),
    Answer("bare: 205 with a length of 0",
           b"HTTP/1.1 205 Reset Content\r\n" + CL + b"0\r\n\r\n", (205, ""),
           reuse=True),
]

# RFC 9110 15.2, 7.8
INTERIMS = [
    Answer("interim: without end", HINTS * 1000),
    Answer("interim: 100 without end",
           b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    Answer("interim: and close", HINTS, end="close"),
    Answer("interim: and reset", HINTS, BAD, end="reset"),
    Answer("interim: with content",
           b"HTTP/1.1 103 Early Hints\r\n" + CL + b"4\r\n\r\nevil" + FINE, BAD),
    Answer("interim: with chunks",
           b"HTTP/1.1 103 Early Hints\r\n" + TE + b"\r\n4\r\nevil\r\n" +
           EMPTY + FINE, BAD),
    Answer("interim: both lengths",
           b"HTTP/1.1 103 Early Hints\r\n" + TE + CL + b"4\r\n\r\n" + FINE,
           BAD),
    Answer("interim: bad field",
           b"HTTP/1.1 103 Early Hints\r\nX\0: y\r\n\r\n" + FINE, BAD),
    Answer("interim: bad answer behind", HINTS + b"HTTP/1.1 20 OK\r\n\r\n",
           BAD),
    Answer("interim: 101 that nobody asked for",
           SWITCH + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\nevil"),
    Answer("interim: 101 to h2c",
           SWITCH + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\nevil"),
    Answer("interim: 101 without Upgrade", SWITCH + b"\r\nevil"),
    Answer("interim: 101 behind hints", HINTS + SWITCH + b"\r\nevil", BAD),
    Answer("interim: 101 and an answer", SWITCH + b"\r\n" + EVIL),
    Answer("interim: 100 that nobody asked for",
           b"HTTP/1.1 100 Continue\r\n\r\n" + FINE, (200, "ok"), reuse=True),
    Answer("interim: several", HINTS * 3 + FINE, (200, "ok"), reuse=True),
]

# a head or an answer that ends too early (RFC 9112 8)
CUTS = [
    # (a GET would be asked again elsewhere, RFC 9110 9.2.2)
    Answer("cut: nothing at all, and close", b"", end="close", method="POST"),
    Answer("cut: nothing at all, and reset", b"", end="reset", method="POST"),
    Answer("cut: in the status line", b"HTTP/1.1 20", end="close"),
    Answer("cut: behind the status line", OK, end="close"),
    Answer("cut: in a field", OK + b"Content-Le", end="close"),
    Answer("cut: before the empty line", OK + CL + b"2\r\n", end="close"),
    Answer("cut: in the empty line", OK + CL + b"2\r\n\r", end="close"),
    Answer("cut: in a field, reset", OK + b"Content-Le", BAD, end="reset"),
]

# an HTTP/1.0 client reads until close: only a reset shows that it is cut
OLD = [
    Answer("1.0: chunked", OK + TE + b"\r\n2\r\nok\r\n" + EMPTY, (200, "ok"),
           reuse=True, version="1.0"),
    Answer("1.0: chunked, last is missing", OK + TE + b"\r\n2\r\nok\r\n", BAD,
           end="close", version="1.0"),
    Answer("1.0: chunked, bad", OK + TE + b"\r\n2\r\nok\r\nevil", BAD,
           version="1.0"),
    Answer("1.0: until close", OK + b"\r\nok", (200, "ok"), end="close",
           version="1.0"),
    Answer("1.0: until close that is a reset", OK + b"\r\nok", BAD,
           end="reset", version="1.0"),
    Answer("1.0: content shorter than its length", OK + CL + b"3\r\n\r\nok",
           BAD, end="close", version="1.0"),
    Answer("1.0: hints", HINTS + FINE, (200, "ok"), reuse=True,
           version="1.0"),
]

ROWS = (LINES + FIELDS + FRAMINGS + CHUNKS + BARES + INTERIMS + CUTS + OLD)


@pytest.mark.parametrize("row", ids(ROWS))
def test_row(judge_answer, row):
    """RFC 9112 4, 5, 6.3, 7.1: an answer that is not by the grammar is a 502 or
    breaks off visibly; its connection ends and serves nobody else."""
    judge_answer(row)


@pytest.mark.parametrize("row", ids(may_split(ROWS)))
def test_row_byte_by_byte(judge_answer, row):
    """RFC 9112 2.2: how the bytes were cut changes no verdict."""
    judge_answer(row, send_split)
