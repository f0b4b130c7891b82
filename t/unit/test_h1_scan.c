/* Where heads end, and the limits that they meet on the way there. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define LINE_MAX_TEST 20
#define HEAD_MAX_TEST 60
#define FIELDS_MAX_TEST 3

static const struct h1_limits limits = {
    LINE_MAX_TEST, HEAD_MAX_TEST, FIELDS_MAX_TEST};

/* The answer to all of `in`, which must be the answer to any two parts and to
 * single bytes as well. */
static struct h1_scan
scan(enum h1_kind kind, span in, enum h1_rc want)
{
	struct h1_scan whole = {.at = 0};
	struct h1_scan bytes = {.at = 0};
	enum h1_rc rc = H1_MORE;

	ck_assert_int_eq(h1_scan(&whole, kind, in, &limits), want);
	for (size_t split = 0; split <= in.len; split++) {
		struct h1_scan s = {.at = 0};

		rc = h1_scan(&s, kind, span_first(in, split), &limits);
		if (rc == H1_MORE)
			rc = h1_scan(&s, kind, in, &limits);
		ck_assert_int_eq(rc, want);
		ck_assert_int_eq(s.bad, whole.bad);
		if (rc == H1_OK)
			ck_assert_uint_eq(s.at, whole.at);
	}
	rc = H1_MORE;
	for (size_t n = 0; n <= in.len && rc == H1_MORE; n++) {
		span copy = span_of(feed_dup(span_first(in, n)), n);

		rc = h1_scan(&bytes, kind, copy, &limits);
		free((char *)copy.p);
	}
	ck_assert_int_eq(rc, want);
	ck_assert_int_eq(bytes.bad, whole.bad);
	ck_assert_uint_eq(bytes.n_lines, whole.n_lines);
	return whole;
}

static void
check_bad(enum h1_kind kind, const char *text, enum h1_bad want)
{
	struct h1_scan s = scan(kind, span_str(text), H1_BAD);

	ck_assert_msg(
	    s.bad == want, "reason %d, not %d: %s", s.bad, want, text);
	/* it stays refused */
	ck_assert_int_eq(h1_scan(&s, kind, span_str(text), &limits), H1_BAD);
}

START_TEST(a_head_ends_with_its_empty_line)
{
	struct h1_scan s = scan(H1_REQUEST,
	    SPAN_LIT("GET / HTTP/1.1\r\nA: b\r\n\r\nbody\0\n"), H1_OK);

	ck_assert_uint_eq(s.at, 24);
	ck_assert_uint_eq(s.skipped, 0);
	ck_assert_uint_eq(s.n_lines, 2);
	s = scan(H1_RESPONSE, SPAN_LIT("HTTP/1.1 200 x\r\n\r\n\r\n"), H1_OK);
	ck_assert_uint_eq(s.at, 18);
	s = scan(H1_TRAILERS, SPAN_LIT("\r\nGET"), H1_OK);
	ck_assert_uint_eq(s.at, 2);
	s = scan(H1_TRAILERS, SPAN_LIT("A: b\r\n\r\n"), H1_OK);
	ck_assert_uint_eq(s.at, 8);
	ck_assert_uint_eq(s.n_lines, 1);
}
END_TEST

START_TEST(one_empty_line_before_a_request_is_skipped)
{
	struct h1_scan s =
	    scan(H1_REQUEST, SPAN_LIT("\r\nGET / HTTP/1.1\r\n\r\n"), H1_OK);

	ck_assert_uint_eq(s.skipped, 2);
	ck_assert_uint_eq(s.at, 20);
	check_bad(H1_REQUEST, "\r\n\r\n", H1_BAD_START);
	check_bad(H1_RESPONSE, "\r\nHTTP/1.1 200\r\n", H1_BAD_START);
}
END_TEST

START_TEST(an_incomplete_head_asks_for_more)
{
	(void)scan(H1_REQUEST, SPAN_LIT(""), H1_MORE);
	(void)scan(H1_REQUEST, SPAN_LIT("\r"), H1_MORE);
	(void)scan(H1_REQUEST, SPAN_LIT("\r\n"), H1_MORE);
	(void)scan(H1_REQUEST, SPAN_LIT("GET / HTTP/1.1\r\n"), H1_MORE);
	(void)scan(H1_REQUEST, SPAN_LIT("GET / HTTP/1.1\r\n\r"), H1_MORE);
	(void)scan(H1_RESPONSE, SPAN_LIT("HTT"), H1_MORE);
	(void)scan(H1_TRAILERS, SPAN_LIT("A: b\r\n"), H1_MORE);
}
END_TEST

START_TEST(what_begins_no_message_is_refused_at_its_first_byte)
{
	check_bad(H1_REQUEST, "\x16", H1_BAD_START);
	check_bad(H1_REQUEST, "{", H1_BAD_START);
	check_bad(H1_RESPONSE, "G", H1_BAD_START);
	check_bad(H1_RESPONSE, "HTTX", H1_BAD_START);
	check_bad(H1_RESPONSE, "HTTP ", H1_BAD_START);
}
END_TEST

START_TEST(a_request_line_without_version_is_refused_when_it_ends)
{
	check_bad(H1_REQUEST, "GET /\r\n", H1_BAD_VERSION);
	check_bad(H1_REQUEST, "GET\r\n", H1_BAD_VERSION);
	check_bad(H1_REQUEST, "HTTP/1.1\r\n", H1_BAD_VERSION);
	(void)scan(H1_RESPONSE, SPAN_LIT("HTTP/1.1 200\r\n"), H1_MORE);
}
END_TEST

START_TEST(a_first_line_may_be_as_long_as_its_limit)
{
	/* 20 bytes, and one more */
	(void)scan(H1_REQUEST, SPAN_LIT("GET /aaaaaa HTTP/1.1\r\n\r\n"), H1_OK);
	check_bad(H1_REQUEST, "GET /aaaaaaa HTTP/1.1\r\n", H1_BAD_LINE_LONG);
	check_bad(H1_REQUEST, "GET /aaaaaaa HTTP/1.1", H1_BAD_LINE_LONG);
	check_bad(H1_RESPONSE, "HTTP/1.1 200 aaaaaaaa", H1_BAD_LINE_LONG);
	/* only the first */
	(void)scan(H1_REQUEST,
	    SPAN_LIT("GET / HTTP/1.1\r\nA: aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
	    H1_OK);
	(void)scan(H1_TRAILERS, SPAN_LIT("A: aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
	    H1_OK);
}
END_TEST

#define FORTY "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"

START_TEST(a_head_may_be_as_long_as_its_limit)
{
	/* 16 + 2 + 40 + 2 bytes, and one more */
	(void)scan(H1_REQUEST,
	    SPAN_LIT("\r\nGET /a HTTP/1.1\r\nB:" FORTY "\r\n"), H1_BAD);
	(void)scan(
	    H1_REQUEST, SPAN_LIT("GET / HTTP/1.1\r\nB:" FORTY "\r\n"), H1_OK);
	(void)scan(H1_REQUEST,
	    SPAN_LIT("\r\nGET / HTTP/1.1\r\nB:" FORTY "\r\n"), H1_OK);
	check_bad(H1_REQUEST, "GET / HTTP/1.1\r\nBB:" FORTY "\r\n",
	    H1_BAD_HEAD_LARGE);
	check_bad(H1_REQUEST, "GET / HTTP/1.1\r\nA: b\r\n" FORTY "x",
	    H1_BAD_HEAD_LARGE);
	check_bad(H1_TRAILERS, "B:" FORTY "B:" FORTY "\r\n", H1_BAD_HEAD_LARGE);
}
END_TEST

START_TEST(fields_are_counted)
{
	(void)scan(H1_REQUEST,
	    SPAN_LIT("GET / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\n\r\n"), H1_OK);
	check_bad(H1_REQUEST, "GET / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\nA:\r\n",
	    H1_BAD_FIELDS_MANY);
	(void)scan(H1_TRAILERS, SPAN_LIT("A:\r\nA:\r\nA:\r\n\r\n"), H1_OK);
	check_bad(H1_TRAILERS, "A:\r\nA:\r\nA:\r\nA:\r\n", H1_BAD_FIELDS_MANY);
}
END_TEST

/* Every byte at every place of a line that is longer than a vector. */
START_TEST(control_bytes_are_found_wherever_they_stand)
{
	char text[] = "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";

	for (size_t at = 0; at < sizeof(text) - 5; at++) {
		char was = text[at];

		for (int c = 0; c < 256; c++) {
			bool is_good = (c >= ' ' && c != 0x7f) || c == '\t';
			struct h1_scan s = {.at = 0};
			enum h1_rc rc;

			text[at] = (char)c;
			rc = h1_scan(&s, H1_TRAILERS,
			    span_of(text, sizeof(text) - 1), &limits);
			ck_assert_msg(rc == (is_good ? H1_OK : H1_BAD),
			    "byte %d at %zu", c, at);
		}
		text[at] = was;
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_head_ends_with_its_empty_line,
	    one_empty_line_before_a_request_is_skipped,
	    an_incomplete_head_asks_for_more,
	    what_begins_no_message_is_refused_at_its_first_byte,
	    a_request_line_without_version_is_refused_when_it_ends,
	    a_first_line_may_be_as_long_as_its_limit,
	    a_head_may_be_as_long_as_its_limit,
	    fields_are_counted,
	    control_bytes_are_found_wherever_they_stand,
	};

	return unit_run("h1_scan", tests, NELEMS(tests));
}
