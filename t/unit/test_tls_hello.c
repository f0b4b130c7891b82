/* unit/test_tls_hello: ClientHello messages and their fingerprints. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/tls/tls_hello.h"
#include "common/tls/tls_ja4.h"
#include "t/unit/unit.h"

/* The example of JA4.md: Chrome's suites, extensions and algorithms. */
static const uint16_t chrome_ciphers[] = {0x0a0a, 0x1301, 0x1302, 0x1303,
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
    0x009d, 0x002f, 0x0035};
static const uint16_t chrome_exts[] = {0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010,
    0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
    0x000b, 0x000a, 0x0015, 0x3a3a};
static const char sni_ext[] = "\0\x0e\0\0\x0b"
			      "Example.ORG";
static const char alpn_ext[] = "\0\x0c\x02h2\x08http/1.1";
static const char versions_ext[] = "\x06\x4a\x4a\x03\x04\x03\x03";
static const char signatures_ext[] =
    "\0\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01";

struct made {
	char p[4096];
	size_t n;
};

static void
put(struct made *m, const char *p, size_t n)
{
	ck_assert_uint_le(m->n + n, sizeof(m->p));
	if (n > 0)
		memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void
put_num(struct made *m, size_t v, int n)
{
	while (n-- > 0) {
		char c = (char)(v >> 8 * n);

		put(m, &c, 1);
	}
}

static span
ext_content(uint16_t type)
{
	switch (type) {
	case 0:
		return span_of(sni_ext, sizeof(sni_ext) - 1);
	case 13:
		return span_of(signatures_ext, sizeof(signatures_ext) - 1);
	case 16:
		return span_of(alpn_ext, sizeof(alpn_ext) - 1);
	case 43:
		return span_of(versions_ext, sizeof(versions_ext) - 1);
	default:
		return span_of("", 0);
	}
}

/* The message with its four bytes, of these parts. */
static void
make(struct made *m, const uint16_t *ciphers, size_t n_ciphers,
    const struct made *exts)
{
	struct made b = {.n = 0};

	put_num(&b, 0x0303, 2);
	for (int i = 0; i < 32; i++)
		put_num(&b, (size_t)i, 1);
	put_num(&b, 0, 1);
	put_num(&b, 2 * n_ciphers, 2);
	for (size_t i = 0; i < n_ciphers; i++)
		put_num(&b, ciphers[i], 2);
	put_num(&b, 0x0100, 2);
	put_num(&b, exts->n, 2);
	put(&b, exts->p, exts->n);
	m->n = 0;
	put_num(m, 1, 1);
	put_num(m, b.n, 3);
	put(m, b.p, b.n);
}

static void
add_ext(struct made *exts, uint16_t type, span content)
{
	put_num(exts, type, 2);
	put_num(exts, content.len, 2);
	put(exts, content.p, content.len);
}

static void
make_chrome(struct made *m)
{
	struct made exts = {.n = 0};

	for (size_t i = 0; i < NELEMS(chrome_exts); i++)
		add_ext(&exts, chrome_exts[i], ext_content(chrome_exts[i]));
	make(m, chrome_ciphers, NELEMS(chrome_ciphers), &exts);
}

/* In records of `size` bytes. */
static void
make_wire(struct made *wire, const struct made *m, size_t size)
{
	wire->n = 0;
	for (size_t at = 0; at < m->n; at += size) {
		size_t n = m->n - at < size ? m->n - at : size;

		put_num(wire, 0x160301, 3);
		put_num(wire, n, 2);
		put(wire, m->p + at, n);
	}
}

static enum tls_hello_rc
read_wire(const char *p, size_t n, struct tls_hello *h)
{
	static char room[TLS_HELLO_MAX];

	return tls_hello_read(span_of(p, n), room, h);
}

/* One extension alone. */
static enum tls_hello_rc
read_ext(uint16_t type, const char *p, size_t n, struct tls_hello *h)
{
	struct made exts = {.n = 0}, m, wire;

	add_ext(&exts, type, span_of(p, n));
	make(&m, chrome_ciphers, NELEMS(chrome_ciphers), &exts);
	make_wire(&wire, &m, m.n);
	return read_wire(wire.p, wire.n, h);
}

START_TEST(it_is_read_from_records_of_any_size)
{
	struct made m, wire;
	struct tls_hello h;
	char name[TLS_NAME_MAX + 1];
	size_t len;

	make_chrome(&m);
	for (size_t size = 1; size <= m.n; size += size < 60 ? 1 : 97) {
		/* byte by byte it is five times as long */
		if (size == 1)
			size = 3;
		make_wire(&wire, &m, size);
		for (size_t n = 0; n < wire.n; n++)
			ck_assert_int_eq(
			    read_wire(wire.p, n, &h), TLS_HELLO_MORE);
		ck_assert_int_eq(read_wire(wire.p, wire.n, &h), TLS_HELLO_OK);
		ck_assert_uint_eq(h.n_exts, NELEMS(chrome_exts));
		ck_assert(tls_hello_name(&h, name, &len));
		ck_assert(span_eq(span_of(name, len), SPAN_LIT("example.org")));
	}
}
END_TEST

START_TEST(what_is_no_tls_is_known_by_its_first_bytes)
{
	static const char *const bad[] = {"G", "GET / HTTP/1.1\r\n", "SSH-2.0-",
	    "\x16\x02", "\x17\x03\x03", "\x16\x03\x01\x40\x01",
	    "\x16\x03\x01\x01\x05\x02"};
	struct tls_hello h;

	ck_assert_int_eq(read_wire("", 0, &h), TLS_HELLO_MORE);
	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_int_eq(
		    read_wire(bad[i], strlen(bad[i]), &h), TLS_HELLO_BAD);
	/* an empty record, one that says that it is too long */
	ck_assert_int_eq(read_wire("\x16\x03\x01\0\0", 5, &h), TLS_HELLO_BAD);
	ck_assert_int_eq(read_wire("\x16\x03\x01\0\x05\x01\x01\0\0\0", 10, &h),
	    TLS_HELLO_BAD);
}
END_TEST

START_TEST(parts_that_do_not_fit_are_refused)
{
	struct made m, wire, cut;
	struct tls_hello h;

	make_chrome(&m);
	/* the message is shorter than its parts say, or longer */
	for (size_t n = 4; n < m.n; n++) {
		cut = m;
		cut.n = n;
		cut.p[2] = (char)((n - 4) >> 8);
		cut.p[3] = (char)(n - 4);
		make_wire(&wire, &cut, cut.n);
		/* clients of old end before the extensions */
		if (read_wire(wire.p, wire.n, &h) == TLS_HELLO_OK)
			ck_assert_uint_eq(h.n_exts, 0);
	}
	put(&m, "x", 1);
	make_wire(&wire, &m, m.n);
	ck_assert_int_eq(read_wire(wire.p, wire.n, &h), TLS_HELLO_BAD);
}
END_TEST

START_TEST(names_are_one_host_name)
{
	static const struct {
		const char *p;
		size_t n;
		const char *name; /* NULL: refused */
	} rows[] = {
	    {"\0\x06\0\0\x03"
	     "a.b",
		8, "a.b"},
	    {"\0\x07\0\0\x04"
	     "A.B.",
		9, "a.b"},
	    {"\0\x05\0\0\x03"
	     "a.b",
		8, NULL},
	    {"\0\x06\x01\0\x03"
	     "a.b",
		8, NULL},
	    {"\0\x06\0\0\x02"
	     "a.b",
		8, NULL},
	    {"\0\x06\0\0\x03"
	     "a\0b",
		8, NULL},
	    {"\0\x03\0\0\0", 5, NULL},
	    {"\0\x04\0\0\x01.", 6, NULL},
	    {"", 0, NULL},
	};
	struct tls_hello h;
	char name[TLS_NAME_MAX + 1];
	size_t len;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert_int_eq(
		    read_ext(0, rows[i].p, rows[i].n, &h), TLS_HELLO_OK);
		ck_assert_int_eq(
		    tls_hello_name(&h, name, &len), rows[i].name != NULL);
		if (rows[i].name != NULL)
			ck_assert(span_eq(
			    span_of(name, len), span_str(rows[i].name)));
	}
}
END_TEST

START_TEST(malformed_lists_are_refused)
{
	struct tls_hello h;

	ck_assert_int_eq(read_ext(16, "\0\x03\x02h2", 5, &h), TLS_HELLO_OK);
	ck_assert_int_eq(read_ext(16, "\0\x03\x03h2", 5, &h), TLS_HELLO_BAD);
	ck_assert_int_eq(read_ext(16, "\0\x01\0", 3, &h), TLS_HELLO_BAD);
	ck_assert_int_eq(read_ext(16, "\0\0", 2, &h), TLS_HELLO_BAD);
	ck_assert_int_eq(read_ext(43, "\x02\x03\x04", 3, &h), TLS_HELLO_OK);
	ck_assert_int_eq(read_ext(43, "\x01\x03", 2, &h), TLS_HELLO_BAD);
	ck_assert_int_eq(
	    read_ext(13, "\0\x03\x04\x03\x08", 5, &h), TLS_HELLO_BAD);
}
END_TEST

START_TEST(an_extension_comes_once_and_there_are_not_too_many)
{
	struct tls_hello h = {0};
	uint16_t type = 100;

	while (h.n_exts < TLS_HELLO_EXTS_MAX)
		ck_assert(tls_hello_ext(&h, type++, span_of("", 0)));
	ck_assert(!tls_hello_ext(&h, type, span_of("", 0)));
	memset(&h, 0, sizeof(h));
	ck_assert(tls_hello_ext(&h, 21, span_of("", 0)));
	ck_assert(!tls_hello_ext(&h, 21, span_of("", 0)));
}
END_TEST

static void
check_ja4(const struct tls_hello *h, const char *want)
{
	char got[TLS_JA4_LEN + 1] = {0};

	tls_ja4(h, got);
	ck_assert_str_eq(got, want);
}

START_TEST(the_fingerprint_is_that_of_the_definition)
{
	struct made m, wire;
	struct tls_hello h;

	make_chrome(&m);
	make_wire(&wire, &m, m.n);
	ck_assert_int_eq(read_wire(wire.p, wire.n, &h), TLS_HELLO_OK);
	check_ja4(&h, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}
END_TEST

START_TEST(a_hello_without_anything_has_a_fingerprint)
{
	static const char two[] = "\x13\x01";
	struct tls_hello h = {.version = 0x0303};

	check_ja4(&h, "t12i000000_000000000000_000000000000");
	h.version = 0x0777;
	h.alpn = span_of("\x01\xab", 2);
	h.ciphers = span_of(two, 2);
	/* SHA-256 of "1301" */
	check_ja4(&h, "t00i0100ab_0f2cb44170f4_000000000000");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    it_is_read_from_records_of_any_size,
	    what_is_no_tls_is_known_by_its_first_bytes,
	    parts_that_do_not_fit_are_refused,
	    names_are_one_host_name,
	    malformed_lists_are_refused,
	    an_extension_comes_once_and_there_are_not_too_many,
	    the_fingerprint_is_that_of_the_definition,
	    a_hello_without_anything_has_a_fingerprint,
	};

	return unit_run("tls_hello", tests, NELEMS(tests));
}
