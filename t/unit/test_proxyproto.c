/* The PROXY protocol, both versions, both directions. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/net/proxyproto.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define TEXT(s) SPAN_LIT(s)
#define IP4 "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"

static enum proxyproto_rc
parse(span in, struct proxyproto *out, size_t *used)
{
	char *copy = feed_dup(in);
	enum proxyproto_rc rc =
	    proxyproto_parse(span_of(copy, in.len), out, used);

	free(copy);
	return rc;
}

static void
check_addr(const struct sock_addr *a, const char *want)
{
	char text[SOCK_ADDR_TEXT_CAP];

	ck_assert_span_eq(span_of(text, sock_addr_format(a, text)), want);
}

/* A header that must be taken; each beginning of it asks for more, and what
 * follows is left alone. src == NULL: without addresses. */
static void
check_good(span in, const char *src, const char *dst)
{
	struct proxyproto pp;
	size_t used;
	char *more = malloc(in.len + 4);

	ck_assert_ptr_nonnull(more);
	for (size_t len = 0; len < in.len; len++)
		ck_assert_msg(
		    parse(span_first(in, len), &pp, &used) == PROXYPROTO_MORE,
		    "at %zu: %.*s", len, SPAN_FMT(in));
	memcpy(more, in.p, in.len);
	memcpy(more + in.len, "GET ", 4);
	ck_assert_msg(
	    parse(span_of(more, in.len + 4), &pp, &used) == PROXYPROTO_OK,
	    "%.*s", SPAN_FMT(in));
	free(more);
	ck_assert_uint_eq(used, in.len);
	ck_assert_int_eq(parse(in, &pp, &used), PROXYPROTO_OK);
	ck_assert_int_eq(pp.has_addrs, src != NULL);
	if (src != NULL) {
		check_addr(&pp.src, src);
		check_addr(&pp.dst, dst);
	}
}

/* Refused as a whole, and no beginning of it is taken. */
static void
check_bad(span in)
{
	bool was_bad = false;

	for (size_t len = 0; len <= in.len; len++) {
		struct proxyproto pp;
		size_t used;
		enum proxyproto_rc rc = parse(span_first(in, len), &pp, &used);

		ck_assert_int_ne(rc, PROXYPROTO_OK);
		ck_assert_msg(!was_bad || rc == PROXYPROTO_BAD,
		    "asks for more after a refusal: %.*s", SPAN_FMT(in));
		was_bad = rc == PROXYPROTO_BAD;
	}
	ck_assert_msg(was_bad, "%.*s", SPAN_FMT(in));
}

START_TEST(version_1_headers_are_read)
{
	check_good(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n"), "1.2.3.4:80",
	    "5.6.7.8:443");
	check_good(TEXT("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"),
	    "255.255.255.255:65535", "0.0.0.0:0");
	check_good(TEXT("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
	    "[2001:db8::1]:1", "[::1]:2");
	check_good(TEXT("PROXY UNKNOWN\r\n"), NULL, NULL);
	check_good(TEXT("PROXY UNKNOWN ffff::1 x y z\r\n"), NULL, NULL);
	check_good(
	    TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    NULL, NULL);
}
END_TEST

START_TEST(malformed_version_1_headers_are_refused)
{
	check_bad(TEXT("GET / HTTP/1.1\r\n"));
	check_bad(TEXT("PROXY\r\n"));
	check_bad(TEXT("PROXY \r\n"));
	check_bad(TEXT("proxy TCP4 1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY\tTCP4 1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY UNKNOWNX\r\n"));
	check_bad(TEXT("PROXY tcp4 1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY UDP4 1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 443 \r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 443 x\r\n"));
	check_bad(TEXT("PROXY TCP4  1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 443\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 443\rx"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80\r443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.256 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.04 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 ::1 ::2 80 443\r\n"));
	check_bad(TEXT("PROXY TCP6 1.2.3.4 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP6 ::1 5.6.7.8 80 443\r\n"));
	check_bad(TEXT("PROXY TCP6 [::1] ::2 80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 65536 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 080 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 +80 443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 80 44x\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4 5.6.7.8  443\r\n"));
	check_bad(TEXT("PROXY TCP4 1.2.3.4\0 5.6.7.8 80 443\r\n"));
}
END_TEST

START_TEST(version_1_lines_are_bounded)
{
	char text[120];

	memset(text, 'x', sizeof(text));
	memcpy(text, "PROXY UNKNOWN ", 14);
	memcpy(text + 105, "\r\n", 2);
	check_good(span_of(text, 107), NULL, NULL);
	text[105] = 'x';
	memcpy(text + 106, "\r\n", 2);
	check_bad(span_of(text, 108));
}
END_TEST

#define V2(cmd, fam, len, rest) TEXT(SIG cmd fam len rest)

START_TEST(version_2_headers_are_read)
{
	static const char six[] =
	    SIG "\x21\x21\x00\x24"
		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x01\xff\xff";

	check_good(
	    V2("\x21", "\x11", "\x00\x0c", IP4), "1.2.3.4:80", "5.6.7.8:443");
	check_good(TEXT(six), "[2001:db8::1]:1", "[::2]:65535");
	/* with TLVs: ALPN, and an empty NOOP */
	check_good(
	    V2("\x21", "\x11", "\x00\x14", IP4 "\x01\x00\x02h2\x04\x00\x00"),
	    "1.2.3.4:80", "5.6.7.8:443");
	/* health checks of the sender itself */
	check_good(V2("\x20", "\x00", "\x00\x00", ""), NULL, NULL);
	check_good(V2("\x20", "\x11", "\x00\x0c", IP4), NULL, NULL);
	check_good(V2("\x20", "\xff", "\x00\x03", "abc"), NULL, NULL);
	check_good(V2("\x21", "\x00", "\x00\x02", "ab"), NULL, NULL);
	/* no connection has datagram addresses */
	check_good(V2("\x21", "\x12", "\x00\x0c", IP4), NULL, NULL);
}
END_TEST

START_TEST(version_2_unix_addresses_are_read)
{
	char text[16 + 216] = SIG "\x21\x31\x00\xd8";
	struct proxyproto pp;
	size_t used;

	memcpy(text + 16, "/run/a", 6);
	/* a path may fill its field */
	memset(text + 16 + 108, 'b', 108);
	check_good(span_of(text, sizeof(text)), "unix:/run/a",
	    "unix:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	ck_assert_int_eq(
	    parse(span_of(text, sizeof(text)), &pp, &used), PROXYPROTO_OK);
	ck_assert_int_eq(pp.src.u.sa.sa_family, AF_UNIX);
}
END_TEST

START_TEST(malformed_version_2_headers_are_refused)
{
	check_bad(TEXT("\r\n\r\n\0\r\nQUIT\r"));
	check_bad(V2("\x11", "\x11", "\x00\x0c", IP4));
	check_bad(V2("\x22", "\x11", "\x00\x0c", IP4));
	check_bad(V2("\x31", "\x11", "\x00\x0c", IP4));
	check_bad(V2("\x21", "\x10", "\x00\x0c", IP4));
	check_bad(V2("\x21", "\x01", "\x00\x0c", IP4));
	check_bad(V2("\x21", "\x13", "\x00\x0c", IP4));
	check_bad(V2("\x21", "\x41", "\x00\x0c", IP4));
	/* shorter than the addresses */
	check_bad(V2("\x21", "\x11", "\x00\x0b", IP4));
	check_bad(V2("\x21", "\x21", "\x00\x0c", IP4));
	check_bad(V2("\x21", "\x31", "\x00\x0c", IP4));
	/* longer than is taken: 4081 + 16 */
	check_bad(V2("\x21", "\x11", "\x0f\xf1", IP4));
	check_bad(V2("\x20", "\x00", "\xff\xff", ""));
	/* TLVs that do not end with the header */
	check_bad(V2("\x21", "\x11", "\x00\x0e", IP4 "\x01\x00"));
	check_bad(V2("\x21", "\x11", "\x00\x10", IP4 "\x01\x00\x02h"));
}
END_TEST

START_TEST(a_checksum_is_held_against_the_header)
{
	char good[] = SIG "\x21\x11\x00\x13" IP4 "\x03\x00\x04\x5c\x04\x43\xc9";
	span in = span_of(good, sizeof(good) - 1);

	check_good(in, "1.2.3.4:80", "5.6.7.8:443");
	for (size_t i = 16; i < in.len; i++) {
		struct proxyproto pp;
		size_t used;

		/* its own type byte: another type makes it another TLV */
		if (i == 28)
			continue;
		good[i] ^= 0x40;
		ck_assert_int_ne(parse(in, &pp, &used), PROXYPROTO_OK);
		good[i] ^= 0x40;
	}
	check_bad(
	    V2("\x21", "\x11", "\x00\x12", IP4 "\x03\x00\x03\x01\x02\x03"));
}
END_TEST

static void
addr_of(const char *text, struct sock_addr *out)
{
	ck_assert_msg(sock_addr_parse(span_str(text), out), "%s", text);
}

/* Written, then read again. */
static void
check_written(const char *src, const char *dst, const char *v1, bool in_v2)
{
	char out[PROXYPROTO_WRITE_CAP];
	struct sock_addr a, b;
	size_t len;

	addr_of(src, &a);
	addr_of(dst, &b);
	len = proxyproto_write(1, &a, &b, out);
	ck_assert_uint_le(len, sizeof(out));
	ck_assert_span_eq(span_of(out, len), v1);
	check_good(span_of(out, len), v1[6] == 'U' ? NULL : src,
	    v1[6] == 'U' ? NULL : dst);
	len = proxyproto_write(2, &a, &b, out);
	ck_assert_uint_le(len, sizeof(out));
	check_good(span_of(out, len), in_v2 ? src : NULL, in_v2 ? dst : NULL);
}

START_TEST(what_is_written_is_read_as_the_same)
{
	check_written("1.2.3.4:80", "5.6.7.8:65535",
	    "PROXY TCP4 1.2.3.4 5.6.7.8 80 65535\r\n", true);
	check_written("[2001:db8::1]:1", "[::1]:2",
	    "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", true);
	check_written("[2001:db8::1]:1", "1.2.3.4:2",
	    "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 1 2\r\n", true);
	check_written("unix:/run/a", "1.2.3.4:2", "PROXY UNKNOWN\r\n", false);
	check_written("unix:/run/a", "unix:/run/b", "PROXY UNKNOWN\r\n", true);
}
END_TEST

START_TEST(an_unnamed_unix_peer_has_an_empty_path)
{
	char out[PROXYPROTO_WRITE_CAP];
	struct proxyproto pp;
	struct sock_addr src = {.len = sizeof(sa_family_t)};
	struct sock_addr dst;
	size_t used;

	src.u.sa.sa_family = AF_UNIX;
	/* behind its length there is nothing to send */
	memset(src.u.un.sun_path, 'x', sizeof(src.u.un.sun_path));
	addr_of("unix:/run/b", &dst);
	ck_assert_uint_eq(proxyproto_write(2, &src, &dst, out), sizeof(out));
	ck_assert_int_eq(
	    parse(span_of(out, sizeof(out)), &pp, &used), PROXYPROTO_OK);
	ck_assert_int_eq(pp.src.u.un.sun_path[0], '\0');
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    version_1_headers_are_read,
	    malformed_version_1_headers_are_refused,
	    version_1_lines_are_bounded,
	    version_2_headers_are_read,
	    version_2_unix_addresses_are_read,
	    malformed_version_2_headers_are_refused,
	    a_checksum_is_held_against_the_header,
	    what_is_written_is_read_as_the_same,
	    an_unnamed_unix_peer_has_an_empty_path,
	};

	return unit_run("proxyproto", tests, NELEMS(tests));
}
