"""Requests of which two readers could disagree where they end (RFC 9112 6, 7):
what request smuggling lives from."""
import pytest

from lib.strict import (BODY_MAX, HEAD_MAX, SMUGGLED, Ask, ids, may_split,
                        passes, send_split)

POST = b"POST / HTTP/1.1\r\nHost: test\r\n"
POST_1_0 = b"POST / HTTP/1.0\r\nHost: test\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
CL = b"Content-Length: "
EMPTY = b"0\r\n\r\n"


def bad(name, lines, status=400, body=EMPTY, first=POST):
    return Ask(name, first + lines + b"\r\n\r\n" + body, (status,))


def length(name, value, body=b"abc"):
    return bad("length " + name, b"Content-Length:" + value, body=body)


def coding(name, value, status=400):
    return bad("coding " + name, b"Transfer-Encoding:" + value, status)


def both(name, lines, status=400):
    """Each reading of the content hides a request from the other."""
    return bad("both: " + name, lines, status, EMPTY + SMUGGLED)


# RFC 9112 6.3: Content-Length = 1*DIGIT, once
LENGTHS = [
    length("empty", b""),
    length("blank", b" "),
    length("negative", b" -3"),
    length("negative zero", b" -0"),
    length("with sign", b" +3"),
    length("in hex", b" 0x3"),
    length("in hex digits", b" a"),
    length("with fraction", b" 3.0"),
    length("with exponent", b" 3e0"),
    length("with underscore", b" 1_0"),
    length("with thousands", b" 1,000"),
    length("with unit", b" 3b"),
    length("with blank inside", b" 3 0"),
    length("with tab inside", b" 3\t0"),
    length("with comma behind", b" 3,"),
    length("with comma before", b" ,3"),
    length("with semicolon", b" 3;"),
    length("with parameter", b" 3;q=1"),
    length("in quotes", b' "3"'),
    length("with NUL", b" 3\0"),
    length("with vertical tab", b" \x0b3"),
    length("with form feed behind", b" 3\x0c"),
    length("with no-break space", b" \xa03"),
    length("with full-width digit", b" \xef\xbc\x93"),
    length("with superscript digit", b" \xb3"),
    length("list of the same", b" 3, 3"),
    length("list of different", b" 3, 0"),
    length("of 2^63", b" 9223372036854775808"),
    length("of 2^64", b" 18446744073709551616"),
    length("of 2^64 + 3", b" 18446744073709551619"),
    length("of 40 digits", b" " + b"9" * 40),
    length("of a thousand digits", b" " + b"1" * 1000),
    bad("length twice, the same", CL + b"3\r\n" + CL + b"3", body=b"abc"),
    bad("length twice, different", CL + b"3\r\n" + CL + b"0", body=b"abc"),
    bad("length twice, different, other order", CL + b"0\r\n" + CL + b"3",
        body=b"abc"),
    bad("length twice, other case", CL + b"3\r\ncontent-length: 0",
        body=b"abc"),
    bad("length twice, one empty", CL + b"3\r\nContent-Length:", body=b"abc"),
    bad("length twice, apart", CL + b"3\r\nX: y\r\n" + CL + b"0",
        body=b"abc"),
    bad("length twice with GET", CL + b"0\r\n" + CL + b"3",
        first=b"GET / HTTP/1.1\r\nHost: test\r\n", body=b"abc"),
    bad("length twice in HTTP/1.0", CL + b"3\r\n" + CL + b"0",
        first=POST_1_0, body=b"abc"),
    Ask("length over the limit", POST + CL + b"%d\r\n\r\n" % (2 * 10 ** 9),
        (413,)),
    Ask("length of 2^63 - 1", POST + CL + b"9223372036854775807\r\n\r\n",
        (413,)),
    passes("length of 0", POST + CL + b"0\r\n\r\n", "POST /"),
    passes("length with blanks around", POST + CL + b" \t 3 \t\r\n\r\nabc",
           "POST / abc"),
    passes("length with GET",
           b"GET / HTTP/1.1\r\nHost: test\r\n" + CL + b"3\r\n\r\nabc",
           "GET / abc"),
    passes("length with HEAD",
           b"HEAD / HTTP/1.1\r\nHost: test\r\n" + CL + b"3\r\n\r\nabc",
           "HEAD / abc", methods=("HEAD",)),
    passes("length that covers a request",
           POST + CL + b"%d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
           "POST / " + SMUGGLED.decode()),
    passes("length as large as allowed",
           POST + CL + b"%d\r\n\r\n" % BODY_MAX + b"a" * BODY_MAX,
           "POST / " + "a" * BODY_MAX),
]

# RFC 9112 6.1: the only coding is chunked, and that last and once; 501 for a
# coding that somebody may know
CODINGS = [
    coding("empty", b""),
    coding("nothing but commas", b" , ,"),
    coding("unknown", b" x", 501),
    coding("identity", b" identity", 501),
    coding("gzip", b" gzip", 501),
    coding("gzip, then chunked", b" gzip, chunked", 501),
    coding("deflate and gzip, then chunked", b" deflate,gzip,chunked", 501),
    coding("chunked, then gzip", b" chunked, gzip"),
    coding("chunked, then identity", b" chunked, identity"),
    coding("identity, then chunked", b" identity, chunked", 501),
    coding("chunked twice", b" chunked, chunked"),
    coding("chunked with empty member", b" chunked,"),
    coding("chunked behind empty member", b" ,chunked"),
    coding("chunked with parameter", b" chunked;q=1"),
    coding("chunked with empty parameter", b" chunked;"),
    coding("chunked in double quotes", b' "chunked"'),
    coding("chunked in single quotes", b" 'chunked'", 501),
    coding("chunked with one quote", b' chunked"'),
    coding("chunked with blank inside", b" chun ked"),
    coding("chunked with tab inside", b" chun\tked"),
    coding("chunked and a word", b" chunked x"),
    coding("chunked with NUL", b" chunked\0"),
    coding("chunked behind NUL", b" \0chunked"),
    coding("chunked behind vertical tab", b" \x0bchunked"),
    coding("chunked with form feed", b" chunked\x0c"),
    coding("chunked with no-break space", b" \xa0chunked"),
    coding("chunked with DEL", b" chunked\x7f"),
    coding("chunked with hyphen", b" -chunked", 501),
    coding("xchunked", b" xchunked", 501),
    coding("chunkedx", b" chunkedx", 501),
    coding("chunke", b" chunke", 501),
    coding("cow", b" cow", 501),
    coding("with colon", b": chunked"),
    bad("coding twice, both chunked", TE + TE[:-2]),
    bad("coding twice, identity second",
        TE + b"Transfer-Encoding: identity"),
    bad("coding twice, identity first",
        b"Transfer-Encoding: identity\r\n" + TE[:-2], 501),
    bad("coding twice, gzip first", b"Transfer-Encoding: gzip\r\n" + TE[:-2],
        501),
    bad("coding twice, one empty", TE + b"Transfer-Encoding:"),
    bad("coding twice, other case", TE + b"tRANSFER-eNCODING: x"),
    bad("coding in HTTP/1.0", TE[:-2], first=POST_1_0),
    bad("coding in HTTP/1.0 with keep-alive",
        TE + b"Connection: keep-alive", first=POST_1_0),
    bad("coding unknown in HTTP/1.0", b"Transfer-Encoding: x",
        first=POST_1_0),
    passes("coding in capitals",
           POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + EMPTY, "POST /"),
    passes("coding in mixed case, blanks around",
           POST + b"transfer-Encoding:\t ChunKed \t\r\n\r\n" + EMPTY,
           "POST /"),
    passes("coding with GET", b"GET / HTTP/1.1\r\nHost: test\r\n" + TE +
           b"\r\n1\r\na\r\n" + EMPTY, "GET / a"),
    # RFC 9110 10.1.4: TE speaks of the answer
    passes("TE of the answer", POST + b"TE: chunked\r\n\r\n", "POST /"),
    # neither frames anything, and neither may reach who thinks it does
    passes("coding under a name with underscore",
           POST + b"Transfer_Encoding: chunked\r\n\r\n", "POST /"),
    passes("length under a name with underscore",
           POST + b"Content_Length: 3\r\n\r\n", "POST /"),
    passes("coding under another name",
           POST + b"X-Transfer-Encoding: chunked\r\n\r\n", "POST /"),
]

# RFC 9112 6.3 item 3
BOTH = [
    both("length, then coding", CL + b"5\r\n" + TE[:-2]),
    both("coding, then length", TE + CL + b"5"),
    both("length of 0, then coding", CL + b"0\r\n" + TE[:-2]),
    both("coding, then length of 0", TE + CL + b"0"),
    both("length of all, then coding",
         CL + b"%d\r\n" % len(EMPTY + SMUGGLED) + TE[:-2]),
    both("apart", CL + b"5\r\nX: y\r\n" + TE[:-2]),
    both("bad length", CL + b"x\r\n" + TE[:-2]),
    both("empty length", b"Content-Length:\r\n" + TE[:-2]),
    both("length twice", CL + b"5\r\n" + CL + b"5\r\n" + TE[:-2]),
    both("length and coding in lower case",
         b"content-length: 5\r\ntransfer-encoding: chunked"),
    both("coding in other case", CL + b"5\r\nTransfer-Encoding: ChuNKed"),
    both("identity", CL + b"5\r\nTransfer-Encoding: identity", 501),
    both("unknown coding", CL + b"5\r\nTransfer-Encoding: xchunked", 501),
    both("empty coding", CL + b"5\r\nTransfer-Encoding:"),
    both("coding with blank before the colon",
         CL + b"5\r\nTransfer-Encoding : chunked"),
    both("coding with tab before the colon",
         CL + b"5\r\nTransfer-Encoding\t: chunked"),
    both("coding behind tab", CL + b"5\r\nTransfer-Encoding:\tchunked"),
    both("coding behind vertical tab",
         CL + b"5\r\nTransfer-Encoding:\x0bchunked"),
    both("coding in an obs-fold", CL + b"5\r\nTransfer-Encoding:\r\n chunked"),
    both("coding in the fold of another field",
         CL + b"5\r\nX: y\r\n Transfer-Encoding: chunked"),
    both("coding behind bare LF", CL + b"5\r\nX: y\nTransfer-Encoding: chunked"),
    both("coding behind bare CR", CL + b"5\r\nX: y\rTransfer-Encoding: chunked"),
    both("length behind bare LF", TE + b"X: y\nContent-Length: 5"),
    both("length behind bare CR", TE + b"X: y\rContent-Length: 5"),
    both("coding behind blank", CL + b"5\r\n Transfer-Encoding: chunked"),
    both("length with blank before the colon", TE + b"Content-Length : 5"),
    both("length with NUL in the name", TE + b"Content-Length\0: 5"),
    both("coding with NUL in the name",
         CL + b"5\r\nTransfer-Encoding\0: chunked"),
    both("coding with obs-text in the name",
         CL + b"5\r\nTransfer-Encoding\xff: chunked"),
    both("coding with quotes around the name",
         CL + b'5\r\n"Transfer-Encoding": chunked'),
    both("coding twice", CL + b"5\r\n" + TE + TE[:-2]),
    both("coding named by Connection",
         CL + b"5\r\nConnection: Transfer-Encoding\r\n" + TE[:-2]),
    both("length named by Connection",
         CL + b"5\r\nConnection: Content-Length\r\n" + TE[:-2]),
    Ask("both: in HTTP/1.0",
        POST_1_0 + CL + b"5\r\n" + TE + b"\r\n" + EMPTY + SMUGGLED),
    Ask("both: with GET", b"GET / HTTP/1.1\r\nHost: test\r\n" + CL + b"5\r\n" +
        TE + b"\r\n" + EMPTY + SMUGGLED),
    Ask("both: with an upgrade to h2c",
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AA\r\n" + CL + b"5\r\n" + TE + b"\r\n" + EMPTY),
    Ask("both: behind a good one",
        b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" + POST + CL + b"5\r\n" + TE +
        b"\r\n" + EMPTY + SMUGGLED, (200, 400), ("GET /",)),
    passes("length with coding under a name with underscore",
           POST + CL + b"5\r\nTransfer_Encoding: chunked\r\n\r\n" + EMPTY,
           "POST / " + EMPTY.decode()),
]


def chunk(name, data, status=400):
    return Ask("chunk " + name, POST + TE + b"\r\n" + data, (status,))


def trailer(name, lines, status=400):
    return Ask("trailer " + name, POST + TE + b"\r\n3\r\nabc\r\n0\r\n" + lines +
               b"\r\n\r\n", (status,))


# RFC 9112 7.1: chunk-size = 1*HEXDIG; extensions are refused, because parsers
# disagree about them
CHUNKS = [
    chunk("size empty", b"\r\nabc\r\n" + EMPTY),
    chunk("size of another alphabet", b"g\r\nabc\r\n" + EMPTY),
    chunk("size with 0x", b"0x3\r\nabc\r\n" + EMPTY),
    chunk("size with 0X", b"0X3\r\nabc\r\n" + EMPTY),
    chunk("size with x", b"x3\r\nabc\r\n" + EMPTY),
    chunk("size with h", b"3h\r\nabc\r\n" + EMPTY),
    chunk("size with plus", b"+3\r\nabc\r\n" + EMPTY),
    chunk("size with minus", b"-3\r\nabc\r\n" + EMPTY),
    chunk("size of minus zero", b"-0\r\n\r\n"),
    chunk("size with blank before", b" 3\r\nabc\r\n" + EMPTY),
    chunk("size with tab before", b"\t3\r\nabc\r\n" + EMPTY),
    chunk("size with blank behind", b"3 \r\nabc\r\n" + EMPTY),
    chunk("size with tab behind", b"3\t\r\nabc\r\n" + EMPTY),
    chunk("size with blank inside", b"0 3\r\nabc\r\n" + EMPTY),
    chunk("size with underscore", b"0_3\r\nabc\r\n" + EMPTY),
    chunk("size with comma", b"3,3\r\nabc\r\n" + EMPTY),
    chunk("size with dot", b"3.0\r\nabc\r\n" + EMPTY),
    chunk("size with NUL", b"3\0\r\nabc\r\n" + EMPTY),
    chunk("size with obs-text", b"3\xb3\r\nabc\r\n" + EMPTY),
    chunk("size in quotes", b'"3"\r\nabc\r\n' + EMPTY),
    chunk("size of 2^63", b"8000000000000000\r\nabc\r\n" + EMPTY),
    chunk("size of 2^64 - 1", b"ffffffffffffffff\r\nabc\r\n" + EMPTY),
    chunk("size of 2^64 + 3", b"10000000000000003\r\nabc\r\n" + EMPTY),
    chunk("size of 17 digits", b"00000000000000003\r\nabc\r\n" + EMPTY),
    chunk("size without end", b"0" * 100000),
    chunk("line ends in LF", b"3\nabc\r\n" + EMPTY),
    chunk("line ends in CR", b"3\rabc\r\n" + EMPTY),
    chunk("line ends in CR CR LF", b"3\r\r\nabc\r\n" + EMPTY),
    chunk("line ends in LF CR", b"3\n\rabc\r\n" + EMPTY),
    chunk("content ends in LF", b"3\r\nabc\n" + EMPTY),
    chunk("content ends in CR", b"3\r\nabc\r" + EMPTY),
    chunk("content ends in nothing", b"3\r\nabc" + EMPTY),
    chunk("content ends in two bytes of content", b"3\r\nabcde" + EMPTY),
    chunk("content longer than its size", b"3\r\nabcd\r\n" + EMPTY),
    chunk("content shorter than its size", b"4\r\nabc\r\n" + EMPTY),
    chunk("content ends in two lines", b"3\r\nabc\r\n\r\n" + EMPTY),
    chunk("last ends in LF", b"3\r\nabc\r\n0\n\n"),
    chunk("last ends in CRLF LF", b"3\r\nabc\r\n0\r\n\n"),
    chunk("last ends in LF CRLF", b"3\r\nabc\r\n0\n\r\n"),
    chunk("last ends in CRLF CR CR LF", b"3\r\nabc\r\n0\r\n\r\r\n"),
    chunk("last behind blank", b"3\r\nabc\r\n 0\r\n\r\n"),
    chunk("last with 0x", b"3\r\nabc\r\n0x0\r\n\r\n"),
    chunk("extension", b"3;a\r\nabc\r\n" + EMPTY),
    chunk("extension with value", b"3;a=b\r\nabc\r\n" + EMPTY),
    chunk("extension empty", b"3;\r\nabc\r\n" + EMPTY),
    chunk("extension behind blank", b"3 ;a\r\nabc\r\n" + EMPTY),
    chunk("extension in quotes", b'3;a="b"\r\nabc\r\n' + EMPTY),
    chunk("extension with line end in quotes",
          b'3;a="\r\nabc\r\n' + EMPTY),
    chunk("extension with LF", b"3;a\nabc\r\n" + EMPTY),
    chunk("extension with CR", b"3;a\rabc\r\n" + EMPTY),
    chunk("extension with LF in front of a size",
          b"2;\nxx\r\n4c\r\n0\r\n\r\n"),
    chunk("extension of the last", b"3\r\nabc\r\n0;a\r\n\r\n"),
    chunk("extension without end", b"3;" + b"a" * 100000),
    chunk("content over the limit",
          b"%x\r\n" % (BODY_MAX + 1) + b"a" * (BODY_MAX + 1) + b"\r\n" + EMPTY,
          413),
    chunk("size of 2^63 - 1", b"7fffffffffffffff\r\n" +
          b"a" * (BODY_MAX + 1), 413),
    Ask("chunk content that is no chunk", POST + TE + b"\r\nabc"),
    passes("chunk size with zeros", POST + TE + b"\r\n0003\r\nabc\r\n" + EMPTY,
           "POST / abc"),
    passes("chunk size in capitals",
           POST + TE + b"\r\nA\r\n0123456789\r\n" + EMPTY, "POST / 0123456789"),
    passes("chunk last with zeros", POST + TE + b"\r\n3\r\nabc\r\n000\r\n\r\n",
           "POST / abc"),
    passes("chunk content of line ends",
           POST + TE + b"\r\n6\r\n\r\n0\r\n\r\r\n" + EMPTY,
           "POST / \r\n0\r\n\r"),
    passes("chunk content of a request",
           POST + TE + b"\r\n%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n" +
           EMPTY, "POST / " + SMUGGLED.decode()),
]

# RFC 9112 7.1.2, RFC 9110 6.5
TRAILERS = [
    trailer("without colon", b"X"),
    trailer("name empty", b": y"),
    trailer("blank before the colon", b"X : y"),
    trailer("obs-fold", b"X: y\r\n z"),
    trailer("obs-fold first", b" X: y"),
    trailer("bare LF", b"X: y\nZ: a"),
    trailer("bare CR", b"X: y\rZ: a"),
    trailer("NUL in the name", b"X\0: y"),
    trailer("NUL in the value", b"X: y\0"),
    trailer("control byte", b"X: y\x01"),
    trailer("obs-text in the name", b"X\xff: y"),
    trailer("a request line", b"GET /a HTTP/1.1"),
    trailer("ends in two LFs", b"X: y\n\n"),
    Ask("trailer value without end",
        POST + TE + b"\r\n0\r\nX: " + b"y" * (2 * HEAD_MAX), (431,)),
    Ask("trailers without end",
        POST + TE + b"\r\n0\r\n" + b"X: y\r\n" * 1000, (431,)),
    passes("trailer", POST + TE + b"\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
           "POST / abc"),
    passes("trailers that frame are left out",
           POST + TE + b"\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\n"
           b"Transfer-Encoding: x\r\nHost: evil\r\nTrailer: x\r\n\r\n",
           "POST / abc"),
]

ROWS = LENGTHS + CODINGS + BOTH + CHUNKS + TRAILERS


@pytest.mark.parametrize("row", ids(ROWS))
def test_row(judge_ask, row):
    """RFC 9112 6.3, 7.1: framing that is not said in exactly one way is
    refused, the connection ends, and nobody sees a second request."""
    judge_ask(row)


@pytest.mark.parametrize("row", ids(may_split(ROWS)))
def test_row_byte_by_byte(judge_ask, row):
    """RFC 9112 2.2: how the bytes were cut changes no verdict."""
    judge_ask(row, send_split)
