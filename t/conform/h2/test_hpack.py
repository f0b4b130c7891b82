"""Header compression (RFC 7541)."""
import pytest

from lib.h2 import (GET, HEADER_TABLE_SIZE, Conn, block, headers, integer,
                    literal, request, settings, string)
from lib.h2case import Row, conn, rows

BROKEN = conn("COMPRESSION_ERROR")
SERVED = ("200",)
# RFC 7541 A: :method GET, :scheme http, :path /, and an authority by name 1
INDEXED = b"\x82\x86\x84\x41" + string(b"test")
TEST_HUFFMAN = b"\x49\x50\x9f"  # "test": 01001 00101 01000 01001, then ones
# RFC 7541 C.4.1, C.4.2
WWW = bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")
NO_CACHE = bytes.fromhex("a8eb10649cbf")
EOS = b"\xff\xff\xff\xff"


def sends(block_, **kwargs):
    return lambda c: c.send(headers(1, block_, **kwargs))


def then(*blocks):
    """Each a request of its own; the last is judged."""
    def act(c):
        for i, one in enumerate(blocks):
            c.send(headers(2 * i + 1, one))
    return act


def resize(n):
    return integer(n, 5, 0x20)


@rows(
    Row("7541-6.1-all-indexed", sends(INDEXED), SERVED),
    Row("7541-6.1-index-0", sends(INDEXED + b"\x80"), BROKEN),
    Row("7541-6.1-index-of-nothing", sends(INDEXED[:3] + b"\xbe"), BROKEN),
    Row("7541-2.3.3-index-behind-the-table", sends(
        INDEXED + integer(63, 7, 0x80)), BROKEN),
    Row("7541-2.3.3-index-of-10000", sends(
        INDEXED + integer(10000, 7, 0x80)), BROKEN),
    Row("7541-2.3.3-name-index-behind-the-table", sends(
        INDEXED + integer(70, 6, 0x40) + string(b"v")), BROKEN),
    Row("7541-2.3.3-name-index-behind-the-table-unindexed", sends(
        INDEXED + integer(70, 4, 0x00) + string(b"v")), BROKEN),
    Row("7541-2.3.3-name-index-behind-the-table-never", sends(
        INDEXED + integer(70, 4, 0x10) + string(b"v")), BROKEN),
    Row("7541-6.2.1-from-the-table", then(
        GET + literal("x-a", "b", 0x40), GET + b"\xbe"), SERVED, on=3),
    Row("7541-6.2.1-name-from-the-table", then(
        GET + literal("x-a", "b", 0x40), GET + b"\x7e" + string(b"c")),
        SERVED, on=3),
    Row("7541-6.2.2-leaves-no-entry", sends(
        INDEXED[:3] + b"\x01" + string(b"test") + b"\xbe"), BROKEN),
    Row("7541-6.2.3-never-indexed", sends(
        GET + literal("authorization", "x", 0x10)), SERVED),
    Row("7541-6.2.3-leaves-no-entry", sends(
        GET + literal("x-a", "b", 0x10) + b"\xbe"), BROKEN),
    Row("7541-4.1-one-entry-twice", then(
        GET + literal("x-a", "b", 0x40) + b"\xbe\xbe"), SERVED),
    Row("7541-4.4-entry-over-the-table-empties-it", then(
        GET + literal("x-a", "b", 0x40) +
        literal("x-b", "y" * 4096, 0x40) + b"\xbe"), BROKEN),
    Row("7541-4.4-old-entries-go", then(
        GET + literal("x-a", "b", 0x40) +
        b"".join(literal(f"x-{i}", "y" * 1000, 0x40) for i in range(4)) +
        integer(66, 7, 0x80)), BROKEN),
    Row("7541-4.4-the-rest-stays", then(
        GET + literal("x-a", "b", 0x40) +
        b"".join(literal(f"x-{i}", "y" * 900, 0x40) for i in range(4)) +
        integer(66, 7, 0x80)), SERVED),
)
def test_index(check, row):
    check(row)


@rows(
    Row("7541-6.3-size-0", sends(resize(0) + GET), SERVED),
    Row("7541-6.3-size-4096", sends(resize(4096) + GET), SERVED),
    Row("7541-6.3-size-0-and-back", sends(
        resize(0) + resize(4096) + GET + literal("x-a", "b", 0x40) + b"\xbe"),
        SERVED),
    Row("7541-4.3-size-0-empties", then(
        GET + literal("x-a", "b", 0x40), resize(0) + GET + b"\xbe"), BROKEN,
        on=3),
    Row("7541-6.3-size-over-the-limit", sends(resize(1 << 20) + GET), BROKEN),
    Row("7541-6.3-size-of-2^31", sends(resize(1 << 31) + GET), BROKEN),
    Row("7541-6.3-size-one-over-the-limit", lambda c: c.send(headers(
        1, resize(c.settings.get(HEADER_TABLE_SIZE, 4096) + 1) + GET)),
        BROKEN),
    Row("7541-4.2-size-at-the-end", sends(GET + resize(4096)), BROKEN),
    Row("7541-4.2-size-in-the-middle", sends(
        GET[:9] + resize(4096) + GET[9:]), BROKEN),
    Row("7541-4.2-size-alone-in-trailers", lambda c: c.send(
        headers(1, block(request("POST")), 4), headers(1, resize(100))),
        SERVED),
    Row("7541-6.3-small-table-keeps-none", sends(
        resize(33) + GET + literal("x-a", "b", 0x40) + b"\xbe"), BROKEN),
    Row("7541-6.3-small-table-keeps-one", sends(
        resize(36) + GET + literal("x-a", "b", 0x40) + b"\xbe"), SERVED),
)
def test_size_update(check, row):
    check(row)


@rows(
    Row("7541-5.2-huffman", sends(
        b"\x82\x86\x84\x41" + string(b"", TEST_HUFFMAN)), SERVED),
    Row("7541-C.4-huffman-of-the-examples", sends(
        INDEXED + literal("x-a", "")[:-1] + string(b"", NO_CACHE) +
        literal("x-b", "")[:-1] + string(b"", WWW)), SERVED),
    Row("7541-5.2-huffman-name", sends(
        GET + b"\0" + string(b"", TEST_HUFFMAN) + string(b"v")), SERVED),
    Row("7541-5.2-empty-huffman-value", sends(
        GET + b"\0" + string(b"x-a") + b"\x80"), SERVED),
    Row("7541-5.2-padding-of-more-than-7-bits", sends(
        GET + b"\0" + string(b"x-a") + string(b"", TEST_HUFFMAN + b"\xff")),
        BROKEN),
    Row("7541-5.2-padding-of-zeros", sends(
        GET + b"\0" + string(b"x-a") + string(b"", b"\x49\x50\x90")), BROKEN),
    Row("7541-5.2-padding-that-begins-with-0", sends(
        GET + b"\0" + string(b"x-a") + string(b"", b"\x49\x50\x97")), BROKEN),
    Row("7541-5.2-EOS", sends(
        GET + b"\0" + string(b"x-a") + string(b"", EOS)), BROKEN),
    Row("7541-5.2-EOS-behind-a-text", sends(
        GET + b"\0" + string(b"x-a") + string(b"", TEST_HUFFMAN + EOS)),
        BROKEN),
    Row("7541-5.2-EOS-in-a-name", sends(
        GET + b"\0" + string(b"", EOS) + string(b"v")), BROKEN),
    Row("7541-5.2-one-octet-of-ones", sends(
        GET + b"\0" + string(b"x-a") + string(b"", b"\xff")), BROKEN),
)
def test_huffman(check, row):
    check(row)


@rows(
    Row("7541-5.1-integer-over-2^32", sends(
        GET + b"\xff" + b"\xff" * 9 + b"\x7f"), BROKEN),
    Row("7541-5.1-integer-without-end", sends(
        GET + b"\xff" + b"\x80" * 200), BROKEN),
    Row("7541-5.1-integer-cut", sends(GET + b"\xff\x80"), BROKEN),
    Row("7541-5.1-length-over-2^32", sends(
        GET + b"\0" + string(b"x-a") + b"\x7f" + b"\xff" * 9 + b"\x7f"),
        BROKEN),
    Row("7541-5.2-string-cut", sends(GET + b"\0\x0ax-a"), BROKEN),
    Row("7541-5.2-value-missing", sends(GET + b"\0\3x-a"), BROKEN),
    Row("7541-5.1-integer-with-zeros-behind", sends(
        GET + b"\0\3x-a" + b"\x7f\x80\0" + b"a" * 127), SERVED + BROKEN),
)
def test_integer(check, row):
    check(row)


@pytest.mark.parametrize("cut", range(1, len(INDEXED)))
def test_block_cut(address, cut):
    """7541-3, 9113-4.3: a block cut within a field breaks the connection, one
    that ends behind a field is only short of fields."""
    with Conn(address) as c:
        c.send(headers(1, INDEXED[:cut]))
        if cut <= 3:
            s = c.answer(1)
            assert s.status == 400 or s.reset == "PROTOCOL_ERROR", c.told()
        else:
            c.expect_connection_error("COMPRESSION_ERROR")


@pytest.mark.parametrize("size", [0, 1, 64, 4096])
def test_our_table_is_kept_to(address, size):
    """7541-4.2, 9113-4.3.1: the server's table is as small as we want it;
    hpack's decoder judges."""
    with Conn(address, settings={HEADER_TABLE_SIZE: size}) as c:
        c.decoder.header_table_size = 4096
        c.decoder.max_allowed_table_size = max(size, 0)
        for _ in range(3):
            assert c.get().status == 200


def test_our_table_changes(address):
    """9113-4.3.1: each block is coded by what was acknowledged before it."""
    with Conn(address) as c:
        for size in (4096, 0, 100, 8192, 0, 4096):
            n = c.n_acks
            c.send(settings({HEADER_TABLE_SIZE: size}))
            c.decoder.max_allowed_table_size = max(
                size, c.decoder.header_table_size)
            assert c.pump(lambda n=n: c.n_acks > n)
            assert c.get().status == 200
            assert c.decoder.header_table_size <= size
