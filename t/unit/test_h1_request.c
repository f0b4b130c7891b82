/* Requests: what is refused and why (RFC 9112 3, 5, 6), and what is read. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define HOST "Host: a.example\r\n"
#define GET(fields) "GET / HTTP/1.1\r\n" HOST fields "\r\n"
#define POST(fields) "POST /p HTTP/1.1\r\n" HOST fields "\r\n"
#define LINE(line) line "\r\n" HOST "\r\n"
/* 40 bytes */
#define LONG_TOKEN "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJ"
#define TEXT(s) SPAN_LIT(s)

struct bad_row {
	span text;
	enum h1_bad bad;
};

static void
check_refused(const struct bad_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum h1_bad bad =
		    feed_refusal(H1_REQUEST, METHOD_OTHER, rows[i].text);

		ck_assert_msg(bad == rows[i].bad, "reason %d, not %d: %.*s",
		    bad, rows[i].bad, SPAN_FMT(rows[i].text));
	}
}

/* A request that must be taken, parsed once whole. */
static void
take(struct feed *f, span text)
{
	enum h1_bad bad = feed_refusal(H1_REQUEST, METHOD_OTHER, text);

	ck_assert_msg(bad == H1_BAD_NONE, "%s: %.*s",
	    bad == H1_BAD_NONE ? "" : h1_bad_text(bad), SPAN_FMT(text));
	feed_message(f, H1_REQUEST, METHOD_OTHER, text, text.len);
	ck_assert_int_eq(f->rc, H1_OK);
}

START_TEST(bytes_that_no_line_may_hold_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT("\x16\x03\x01\x02"), H1_BAD_START},
	    {TEXT("\n" GET("")), H1_BAD_START},
	    {TEXT(" " GET("")), H1_BAD_START},
	    {TEXT("\r\n\r\n" GET("")), H1_BAD_START},
	    {TEXT("\rGET / HTTP/1.1\r\n"), H1_BAD_BARE_CR},
	    {TEXT("GET / HTTP/1.1\n" HOST "\r\n"), H1_BAD_BARE_LF},
	    {TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), H1_BAD_BARE_LF},
	    {TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"), H1_BAD_BARE_LF},
	    {TEXT("GET / HTTP/1.1\r\nHost: a\r\n\rX"), H1_BAD_BARE_CR},
	    {TEXT(GET("A: b\rc: d\r\n")), H1_BAD_BARE_CR},
	    {TEXT(GET("A: b\r\r\n")), H1_BAD_BARE_CR},
	    {TEXT("GET / HTTP/1.1\r\r\n" HOST "\r\n"), H1_BAD_BARE_CR},
	    {TEXT(GET("A: b\0c\r\n")), H1_BAD_CONTROL},
	    {TEXT(GET("A: \x01\r\n")), H1_BAD_CONTROL},
	    {TEXT(GET("A: b\x7f\r\n")), H1_BAD_CONTROL},
	    {TEXT(GET("A: b\x0b\r\n")), H1_BAD_CONTROL},
	    {TEXT(GET("A\0: b\r\n")), H1_BAD_CONTROL},
	    {TEXT("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), H1_BAD_CONTROL},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(malformed_request_lines_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(LINE("GET /")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / ")), H1_BAD_VERSION},
	    {TEXT(LINE("GET")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/1.1 ")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/1.10")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/11")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/1,1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/1.x")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/x.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/+1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / http/1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTPS/1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET /\tHTTP/1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET / HTTP/2.0")), H1_BAD_VERSION_MAJOR},
	    {TEXT(LINE("GET / HTTP/0.9")), H1_BAD_VERSION_MAJOR},
	    {TEXT(LINE("GET / HTTP/3.1")), H1_BAD_VERSION_MAJOR},
	    {TEXT(LINE("PRI * HTTP/2.0")), H1_BAD_VERSION_MAJOR},
	    {TEXT(LINE("GET  / HTTP/1.1")), H1_BAD_TARGET},
	    {TEXT(LINE("GET /  HTTP/1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET /a b HTTP/1.1")), H1_BAD_VERSION},
	    {TEXT(LINE("GET\t/ HTTP/1.1")), H1_BAD_METHOD},
	    {TEXT(LINE("GE(T / HTTP/1.1")), H1_BAD_METHOD},
	    {TEXT(LINE("GET\xc3 / HTTP/1.1")), H1_BAD_METHOD},
	    {TEXT(LINE(LONG_TOKEN " / HTTP/1.1")), H1_BAD_METHOD_LONG},
	    {TEXT(LINE("GET /#top HTTP/1.1")), H1_BAD_TARGET},
	    {TEXT(LINE("GET /caf\xc3\xa9 HTTP/1.1")), H1_BAD_TARGET},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(targets_of_a_wrong_form_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(LINE("GET * HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("OPTIONS ** HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET a.example HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET ?q HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET a.example:80 HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET http:/x HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET ://a/ HTTP/1.1")), H1_BAD_TARGET_FORM},
	    {TEXT(LINE("GET http:///x HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET 1http://a/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://u@a/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://u:p@a/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://a:x/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://a:65536/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://a\\b/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("GET http://[::1/ HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT a.example HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT a.example: HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT a.example:0 HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT :443 HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT / HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT * HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT http://a:443 HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT u@a:443 HTTP/1.1")), H1_BAD_AUTHORITY},
	    {TEXT(LINE("CONNECT a:443/x HTTP/1.1")), H1_BAD_AUTHORITY},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(malformed_field_lines_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(GET("A: b\r\n c\r\n")), H1_BAD_FOLD},
	    {TEXT(GET("A: b\r\n\tc: d\r\n")), H1_BAD_FOLD},
	    {TEXT(GET("A: b\r\n \r\n")), H1_BAD_FOLD},
	    {TEXT("GET / HTTP/1.1\r\n " HOST "\r\n"), H1_BAD_FOLD},
	    {TEXT(GET("A : b\r\n")), H1_BAD_NAME_BLANK},
	    {TEXT(GET("A\t: b\r\n")), H1_BAD_NAME_BLANK},
	    {TEXT(GET("Transfer-Encoding : chunked\r\n")), H1_BAD_NAME_BLANK},
	    {TEXT(GET(": b\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("A\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("A b\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("A b: c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("A(b): c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("\"A\": c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("A\xc3\xa9: c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("\xef\xbb\xbfHost: c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(GET("Content-Type: a/b\r\ncontent-type: a/c\r\n")),
		H1_BAD_FIELD_TWICE},
	    {TEXT(GET("Authorization: x\r\nAUTHORIZATION: x\r\n")),
		H1_BAD_FIELD_TWICE},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(host_must_be_there_once_and_well_formed)
{
	static const struct bad_row rows[] = {
	    {TEXT("GET / HTTP/1.1\r\n\r\n"), H1_BAD_HOST_MISSING},
	    {TEXT("GET / HTTP/1.1\r\nHosts: a\r\n\r\n"), H1_BAD_HOST_MISSING},
	    {TEXT("GET http://a/ HTTP/1.1\r\n\r\n"), H1_BAD_HOST_MISSING},
	    {TEXT("CONNECT a:443 HTTP/1.1\r\n\r\n"), H1_BAD_HOST_MISSING},
	    {TEXT(GET(HOST)), H1_BAD_HOST_TWICE},
	    {TEXT(GET("host: b.example\r\n")), H1_BAD_HOST_TWICE},
	    {TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.0\r\nHost: \r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: a\xc3\xa9\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"), H1_BAD_HOST},
	    {TEXT("GET http://a/ HTTP/1.1\r\nHost: u@a\r\n\r\n"), H1_BAD_HOST},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(ambiguous_lengths_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(POST("Content-Length: 5\r\nContent-Length: 5\r\n")),
		H1_BAD_LENGTH_TWICE},
	    {TEXT(POST("Content-Length: 5\r\nContent-Length: 6\r\n")),
		H1_BAD_LENGTH_TWICE},
	    {TEXT(POST("Content-Length: 5, 5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 5,5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length:\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: +5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: -5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 0x5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 5a\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 5 5\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 5.0\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: \"5\"\r\n")), H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 9223372036854775808\r\n")),
		H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 18446744073709551617\r\n")),
		H1_BAD_LENGTH},
	    {TEXT(POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
		H1_BAD_LENGTH_CODED},
	    {TEXT(POST("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")),
		H1_BAD_LENGTH_CODED},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(codings_other_than_one_chunked_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(POST("Transfer-Encoding: gzip\r\n")), H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: gzip, chunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: identity\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: xchunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: gzip;q=1, chunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: gzip\r\n"
		       "Transfer-Encoding: chunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: chunked, gzip\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked, identity\r\n")),
		H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked, chunked\r\n")),
		H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked\r\n"
		       "Transfer-Encoding: chunked\r\n")),
		H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked\r\n"
		       "Transfer-Encoding: identity\r\n")),
		H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding:\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: ,chunked\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked,\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: chunked;a=b\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: \"chunked\"\r\n")), H1_BAD_CODING},
	    {TEXT(POST("Transfer-Encoding: 'chunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(POST("Transfer-Encoding: chunked\xa0\r\n")), H1_BAD_CODING},
	    {TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		H1_BAD_CODING_1_0},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(connection_cannot_nominate_what_all_must_see)
{
	static const struct bad_row rows[] = {
	    {TEXT(GET("Connection: host\r\n")), H1_BAD_NOMINATION},
	    {TEXT(GET("Connection: close, Content-Length\r\n")),
		H1_BAD_NOMINATION},
	    {TEXT(GET("Connection: x\r\nConnection: transfer-encoding\r\n")),
		H1_BAD_NOMINATION},
	    {TEXT(GET("Connection: AUTHORIZATION\r\n")), H1_BAD_NOMINATION},
	    {TEXT(GET("Connection: keep-alive,cookie\r\n")), H1_BAD_NOMINATION},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(expect_other_than_continue_is_refused_with_417)
{
	static const struct bad_row rows[] = {
	    {TEXT(GET("Expect: 200-ok\r\n")), H1_BAD_EXPECTATION},
	    {TEXT(GET("Expect: 100-continue, x\r\n")), H1_BAD_EXPECTATION},
	    {TEXT(GET("Expect:\r\n")), H1_BAD_EXPECTATION},
	    {TEXT(GET("Expect: 100-continue\r\nExpect: x\r\n")),
		H1_BAD_EXPECTATION},
	};
	check_refused(rows, NELEMS(rows));
	ck_assert_uint_eq(h1_bad_status(H1_BAD_EXPECTATION), 417);
}
END_TEST

START_TEST(statuses_of_refusals_are_those_of_the_rfc)
{
	ck_assert_uint_eq(h1_bad_status(H1_BAD_HOST), 400);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_LINE_LONG), 414);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_HEAD_LARGE), 431);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_FIELDS_MANY), 431);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_METHOD_LONG), 501);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_CODING_UNKNOWN), 501);
	ck_assert_uint_eq(h1_bad_status(H1_BAD_VERSION_MAJOR), 505);
	for (int bad = H1_BAD_NONE + 1; bad < H1_BAD_N; bad++) {
		ck_assert_uint_ge(h1_bad_status((enum h1_bad)bad), 400);
		ck_assert_ptr_nonnull(h1_bad_text((enum h1_bad)bad));
	}
}
END_TEST

START_TEST(origin_form_is_split_at_its_first_question_mark)
{
	struct feed f;

	take(&f, TEXT(LINE("GET /a/b?c=d?e HTTP/1.1")));
	ck_assert_int_eq(f.m.method, METHOD_GET);
	ck_assert_int_eq(f.m.form, TARGET_ORIGIN);
	ck_assert_int_eq(f.m.version, HTTP_1_1);
	ck_assert_span_eq(f.m.raw_target, "/a/b?c=d?e");
	ck_assert_span_eq(f.m.path, "/a/b");
	ck_assert_span_eq(f.m.query, "c=d?e");
	ck_assert(f.m.has_query);
	ck_assert_span_eq(f.m.authority, "a.example");
	ck_assert_span_eq(f.m.host, "a.example");
	ck_assert_uint_eq(f.m.port, 0);
	ck_assert_uint_eq(f.m.scheme.len, 0);
	ck_assert_int_eq(f.m.body, LENGTH_NONE);
	ck_assert(!f.m.want_close);
	feed_fini(&f);
	take(&f, TEXT(LINE("GET /a? HTTP/1.1")));
	ck_assert(f.m.has_query);
	ck_assert_uint_eq(f.m.query.len, 0);
	feed_fini(&f);
	take(&f, TEXT(LINE("GET //b.example/x HTTP/1.1")));
	ck_assert_span_eq(f.m.path, "//b.example/x");
	ck_assert_span_eq(f.m.host, "a.example");
	feed_fini(&f);
}
END_TEST

START_TEST(every_visible_byte_but_the_hash_may_stand_in_a_target)
{
	char text[] = LINE("GET /x HTTP/1.1");
	struct feed f;

	for (int c = 1; c < 256; c++) {
		bool is_good = c > ' ' && c < 0x7f && c != '#';
		enum h1_bad bad;

		text[sizeof("GET /") - 1] = (char)c;
		bad = feed_refusal(H1_REQUEST, METHOD_OTHER, TEXT(text));
		ck_assert_msg((bad == H1_BAD_NONE) == is_good, "byte %d", c);
		if (!is_good)
			continue;
		feed_message(&f, H1_REQUEST, METHOD_OTHER, TEXT(text), 7);
		ck_assert_uint_eq(f.m.raw_target.len, 2);
		ck_assert_int_eq(f.m.raw_target.p[1], c);
		feed_fini(&f);
	}
}
END_TEST

START_TEST(absolute_form_wins_over_host)
{
	struct feed f;

	take(&f, TEXT(LINE("GET HtTp://B.example:81/x?y HTTP/1.1")));
	ck_assert_int_eq(f.m.form, TARGET_ABSOLUTE);
	ck_assert_span_eq(f.m.scheme, "HtTp");
	ck_assert_span_eq(f.m.authority, "B.example:81");
	ck_assert_span_eq(f.m.host, "B.example");
	ck_assert_uint_eq(f.m.port, 81);
	ck_assert_span_eq(f.m.path, "/x");
	ck_assert_span_eq(f.m.query, "y");
	feed_fini(&f);
	take(&f, TEXT(LINE("GET ftp://[2001:db8::1]?y HTTP/1.1")));
	ck_assert_span_eq(f.m.scheme, "ftp");
	ck_assert_span_eq(f.m.host, "2001:db8::1");
	ck_assert_span_eq(f.m.path, "/");
	ck_assert_span_eq(f.m.query, "y");
	feed_fini(&f);
	take(&f, TEXT(LINE("OPTIONS http://b.example HTTP/1.1")));
	ck_assert_span_eq(f.m.path, "*");
	feed_fini(&f);
	take(&f, TEXT("GET http://b/ HTTP/1.0\r\n\r\n"));
	ck_assert_span_eq(f.m.host, "b");
	feed_fini(&f);
}
END_TEST

START_TEST(connect_and_asterisk_have_forms_of_their_own)
{
	struct feed f;

	take(&f, TEXT(LINE("CONNECT b.example:443 HTTP/1.1")));
	ck_assert_int_eq(f.m.method, METHOD_CONNECT);
	ck_assert_int_eq(f.m.form, TARGET_AUTHORITY);
	ck_assert_span_eq(f.m.host, "b.example");
	ck_assert_uint_eq(f.m.port, 443);
	ck_assert_uint_eq(f.m.path.len, 0);
	feed_fini(&f);
	take(&f, TEXT(LINE("CONNECT [::1]:8443 HTTP/1.1")));
	ck_assert_span_eq(f.m.host, "::1");
	ck_assert_uint_eq(f.m.port, 8443);
	feed_fini(&f);
	take(&f, TEXT(LINE("OPTIONS * HTTP/1.1")));
	ck_assert_int_eq(f.m.form, TARGET_ASTERISK);
	ck_assert_span_eq(f.m.path, "*");
	ck_assert_span_eq(f.m.host, "a.example");
	feed_fini(&f);
}
END_TEST

START_TEST(unknown_methods_and_higher_minor_versions_are_taken)
{
	struct feed f;

	take(&f, TEXT(LINE("M-SEARCH!#$ / HTTP/1.9")));
	ck_assert_int_eq(f.m.method, METHOD_OTHER);
	ck_assert_span_eq(f.m.method_text, "M-SEARCH!#$");
	ck_assert_int_eq(f.m.version, HTTP_1_1);
	feed_fini(&f);
	take(&f, TEXT(LINE("get / HTTP/1.1")));
	ck_assert_int_eq(f.m.method, METHOD_OTHER);
	feed_fini(&f);
	take(&f, TEXT("\r\n" GET("")));
	ck_assert_int_eq(f.m.method, METHOD_GET);
	feed_fini(&f);
}
END_TEST

START_TEST(values_lose_their_outer_blanks_only)
{
	struct http_field *fld;
	struct feed f;

	take(&f, TEXT(GET("A: \t b\t\xff c \t\r\nB:\r\nC:   \r\nVia:x\r\n")));
	ck_assert_uint_eq(f.m.fields.n, 5);
	fld = fields_find_name(&f.m.fields, SPAN_LIT("a"));
	ck_assert_ptr_nonnull(fld);
	ck_assert_span_eq(fld->value, "b\t\xff c");
	ck_assert_span_eq(f.m.fields.at[2].value, "");
	ck_assert_span_eq(f.m.fields.at[3].value, "");
	fld = fields_find(&f.m.fields, FIELD_VIA);
	ck_assert_ptr_nonnull(fld);
	ck_assert_span_eq(fld->value, "x");
	feed_fini(&f);
}
END_TEST

START_TEST(fields_that_are_lists_may_be_repeated)
{
	struct feed f;

	take(&f,
	    TEXT(GET("Accept: a\r\nAccept: b\r\nCookie: a=b\r\nCookie: c=d\r\n"
		     "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: x\r\n"
		     "Via: 1.1 a\r\nVia: 1.1 b\r\n")));
	ck_assert_uint_eq(f.m.fields.n, 9);
	feed_fini(&f);
}
END_TEST

START_TEST(content_length_is_taken_up_to_its_bound)
{
	struct feed f;

	take(&f, TEXT(POST("Content-Length: 0\r\n")));
	ck_assert_int_eq(f.m.body, LENGTH_KNOWN);
	ck_assert_uint_eq(f.m.length, 0);
	ck_assert(!h1_is_chunked(&f.m));
	feed_fini(&f);
	take(&f, TEXT(POST("Content-Length: 9223372036854775807\r\n")));
	ck_assert_int_eq(f.m.body, LENGTH_KNOWN);
	ck_assert_uint_eq(f.m.length, INT64_MAX);
	feed_fini(&f);
	take(&f, TEXT(POST("Transfer-Encoding: CHUNKED\r\n")));
	ck_assert_int_eq(f.m.body, LENGTH_OPEN);
	ck_assert(h1_is_chunked(&f.m));
	feed_fini(&f);
	take(&f, TEXT(GET("Transfer-Encoding:chunked \r\n")));
	ck_assert_int_eq(f.m.body, LENGTH_OPEN);
	feed_fini(&f);
}
END_TEST

struct close_row {
	span text;
	bool want_close;
	bool want_upgrade;
	bool want_continue;
};

START_TEST(connection_options_and_version_say_what_is_wanted)
{
	static const struct close_row rows[] = {
	    {TEXT(GET("")), false, false, false},
	    {TEXT(GET("Connection: Close\r\n")), true, false, false},
	    {TEXT(GET("Connection: x, close\r\n")), true, false, false},
	    {TEXT(GET("Connection: x\r\nConnection: close\r\n")), true, false,
		false},
	    {TEXT(GET("Connection: closed\r\n")), false, false, false},
	    {TEXT(GET("Connection: keep-alive, close\r\n")), true, false,
		false},
	    {TEXT("GET / HTTP/1.0\r\n\r\n"), true, false, false},
	    {TEXT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), false,
		false, false},
	    {TEXT("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
		true, false, false},
	    {TEXT(GET("Connection: Upgrade\r\nUpgrade: websocket\r\n")), false,
		true, false},
	    {TEXT(GET("Upgrade: websocket\r\n")), false, false, false},
	    {TEXT(GET("Connection: upgrade\r\n")), false, false, false},
	    {TEXT("GET / HTTP/1.0\r\nConnection: upgrade\r\n"
		  "Upgrade: websocket\r\n\r\n"),
		true, false, false},
	    {TEXT(POST("Content-Length: 1\r\nExpect: 100-Continue\r\n")), false,
		false, true},
	    {TEXT(POST("Transfer-Encoding: chunked\r\n"
		       "Expect: 100-continue\r\n")),
		false, false, true},
	    {TEXT(POST("Content-Length: 0\r\nExpect: 100-continue\r\n")), false,
		false, false},
	    {TEXT("POST / HTTP/1.0\r\nContent-Length: 1\r\n"
		  "Expect: 100-continue\r\n\r\n"),
		true, false, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct feed f;

		take(&f, rows[i].text);
		ck_assert_msg(f.m.want_close == rows[i].want_close &&
				  f.m.want_upgrade == rows[i].want_upgrade &&
				  f.m.want_continue == rows[i].want_continue,
		    "%.*s", SPAN_FMT(rows[i].text));
		feed_fini(&f);
	}
}
END_TEST

START_TEST(truncated_heads_are_refused_without_reading_on)
{
	feed_truncated_parse(H1_REQUEST,
	    TEXT("POST http://b:8/p?q HTTP/1.1\r\nHost: a.example\r\n"
		 "Content-Length: 5\r\nConnection: close, x\r\nA:\t\r\n"
		 "Expect: 100-continue\r\n\r\n"));
}
END_TEST

START_TEST(text_behind_the_head_is_no_part_of_it)
{
	struct arena_pool pool;
	struct arena a;
	struct http_msg m;
	enum h1_bad bad;

	arena_pool_init(&pool, 1);
	arena_init(&a, &pool);
	ck_assert_int_eq(
	    h1_parse_request(TEXT(GET("") "X"), &a, &m, &bad), H1_BAD);
	ck_assert_int_eq(bad, H1_BAD_CUT);
	arena_fini(&a);
	arena_pool_fini(&pool);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    bytes_that_no_line_may_hold_are_refused,
	    malformed_request_lines_are_refused,
	    targets_of_a_wrong_form_are_refused,
	    malformed_field_lines_are_refused,
	    host_must_be_there_once_and_well_formed,
	    ambiguous_lengths_are_refused,
	    codings_other_than_one_chunked_are_refused,
	    connection_cannot_nominate_what_all_must_see,
	    expect_other_than_continue_is_refused_with_417,
	    statuses_of_refusals_are_those_of_the_rfc,
	    origin_form_is_split_at_its_first_question_mark,
	    every_visible_byte_but_the_hash_may_stand_in_a_target,
	    absolute_form_wins_over_host,
	    connect_and_asterisk_have_forms_of_their_own,
	    unknown_methods_and_higher_minor_versions_are_taken,
	    values_lose_their_outer_blanks_only,
	    fields_that_are_lists_may_be_repeated,
	    content_length_is_taken_up_to_its_bound,
	    connection_options_and_version_say_what_is_wanted,
	    truncated_heads_are_refused_without_reading_on,
	    text_behind_the_head_is_no_part_of_it,
	};

	return unit_run("h1_request", tests, NELEMS(tests));
}
