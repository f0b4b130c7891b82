/* Responses: what is refused, and how long the rest is (RFC 9112 4, 5.1, 6.3).
 * Trailer sections of both directions (7.1.2). */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define OK(fields) "HTTP/1.1 200 OK\r\n" fields "\r\n"
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
		    feed_refusal(H1_RESPONSE, METHOD_GET, rows[i].text);

		ck_assert_msg(bad == rows[i].bad, "reason %d, not %d: %.*s",
		    bad, rows[i].bad, SPAN_FMT(rows[i].text));
	}
}

static void
take(struct feed *f, enum http_method to, span text)
{
	enum h1_bad bad = feed_refusal(H1_RESPONSE, to, text);

	ck_assert_msg(bad == H1_BAD_NONE, "%s: %.*s",
	    bad == H1_BAD_NONE ? "" : h1_bad_text(bad), SPAN_FMT(text));
	feed_message(f, H1_RESPONSE, to, text, 0);
	ck_assert_int_eq(f->rc, H1_OK);
}

START_TEST(malformed_status_lines_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT("\r\n" OK("")), H1_BAD_START},
	    {TEXT("ICY 200 OK\r\n\r\n"), H1_BAD_START},
	    {TEXT("http/1.1 200 OK\r\n\r\n"), H1_BAD_START},
	    {TEXT("HTTP 200 OK\r\n\r\n"), H1_BAD_START},
	    {TEXT("<html>\r\n\r\n"), H1_BAD_START},
	    {TEXT("HTTP/1 200 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/11 200 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/2 200 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/2.0 200 OK\r\n\r\n"), H1_BAD_VERSION_MAJOR},
	    {TEXT("HTTP/0.9 200 OK\r\n\r\n"), H1_BAD_VERSION_MAJOR},
	    {TEXT("HTTP/1.1\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 \r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1  200 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1\t200 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 20 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 2000 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 200OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 200\tOK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 +20 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 2x0 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 OK\r\n\r\n"), H1_BAD_STATUS_LINE},
	    {TEXT("HTTP/1.1 099 OK\r\n\r\n"), H1_BAD_STATUS_CODE},
	    {TEXT("HTTP/1.1 000 OK\r\n\r\n"), H1_BAD_STATUS_CODE},
	    {TEXT("HTTP/1.1 600 OK\r\n\r\n"), H1_BAD_STATUS_CODE},
	    {TEXT("HTTP/1.1 999 OK\r\n\r\n"), H1_BAD_STATUS_CODE},
	    {TEXT("HTTP/1.1 200 O\0K\r\n\r\n"), H1_BAD_CONTROL},
	    {TEXT("HTTP/1.1 200 O\rK\r\n\r\n"), H1_BAD_BARE_CR},
	    {TEXT("HTTP/1.1 200 OK\n\r\n"), H1_BAD_BARE_LF},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(malformed_fields_and_lengths_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT(OK("A: b\r\n c\r\n")), H1_BAD_FOLD},
	    {TEXT(OK(" A: b\r\n")), H1_BAD_FOLD},
	    {TEXT(OK(": b\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(OK(" : b\r\n")), H1_BAD_FOLD},
	    {TEXT(OK("A b\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(OK("A b : c\r\n")), H1_BAD_FIELD_NAME},
	    {TEXT(OK("A: b\0\r\n")), H1_BAD_CONTROL},
	    {TEXT(OK("A: b\rSet-Cookie: c\r\n")), H1_BAD_BARE_CR},
	    {TEXT(OK("A: b\nSet-Cookie: c\r\n")), H1_BAD_BARE_LF},
	    {TEXT(OK("Content-Length: 5\r\nContent-Length: 5\r\n")),
		H1_BAD_LENGTH_TWICE},
	    {TEXT(OK("Content-Length: 5, 5\r\n")), H1_BAD_LENGTH},
	    {TEXT(OK("Content-Length: 5,5\r\n")), H1_BAD_LENGTH},
	    {TEXT(OK("Content-Length: -1\r\n")), H1_BAD_LENGTH},
	    {TEXT(OK("Content-Length: 9223372036854775808\r\n")),
		H1_BAD_LENGTH},
	    {TEXT(OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
		H1_BAD_LENGTH_CODED},
	    {TEXT(OK("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n")),
		H1_BAD_LENGTH_CODED},
	    {TEXT(OK("Transfer-Encoding: gzip\r\n")), H1_BAD_CODING_UNKNOWN},
	    {TEXT(OK("Transfer-Encoding: gzip, chunked\r\n")),
		H1_BAD_CODING_UNKNOWN},
	    {TEXT(OK("Transfer-Encoding: chunked, chunked\r\n")),
		H1_BAD_CODING},
	    {TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		H1_BAD_CODING_1_0},
	    {TEXT(OK("Connection: Content-Length\r\n")), H1_BAD_NOMINATION},
	    {TEXT("HTTP/1.1 304 x\r\nContent-Length: 1\r\n"
		  "Content-Length: 2\r\n\r\n"),
		H1_BAD_LENGTH_TWICE},
	};
	check_refused(rows, NELEMS(rows));
}
END_TEST

START_TEST(reason_and_the_space_before_it_may_be_missing)
{
	struct feed f;

	take(&f, METHOD_GET, TEXT("HTTP/1.1 200\r\n\r\n"));
	ck_assert_uint_eq(f.m.status, 200);
	ck_assert_uint_eq(f.m.reason.len, 0);
	feed_fini(&f);
	take(&f, METHOD_GET, TEXT("HTTP/1.1 200 \r\n\r\n"));
	ck_assert_uint_eq(f.m.reason.len, 0);
	feed_fini(&f);
	take(&f, METHOD_GET, TEXT("HTTP/1.0 599 a\tb \xe9\r\n\r\n"));
	ck_assert_uint_eq(f.m.status, 599);
	ck_assert_int_eq(f.m.version, HTTP_1_0);
	ck_assert_span_eq(f.m.reason, "a\tb \xe9");
	feed_fini(&f);
}
END_TEST

START_TEST(blanks_before_a_colon_are_removed)
{
	struct feed f;

	take(&f, METHOD_GET, TEXT(OK("Content-Length \t : 5\r\n")));
	ck_assert_int_eq(f.m.body, LENGTH_KNOWN);
	ck_assert_uint_eq(f.m.length, 5);
	ck_assert_span_eq(f.m.fields.at[0].name, "Content-Length");
	feed_fini(&f);
}
END_TEST

START_TEST(harmless_repetitions_are_taken)
{
	struct feed f;

	take(&f, METHOD_GET,
	    TEXT(OK("Content-Type: a/b\r\nContent-Type: a/b\r\n"
		    "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
		    "Connection: Transfer-Encoding\r\n")));
	ck_assert_uint_eq(f.m.fields.n, 5);
	feed_fini(&f);
}
END_TEST

struct length_row {
	span text;
	enum http_method to;
	enum http_length body;
	uint64_t length;
	bool is_chunked;
	bool want_close;
};

#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define FIVE "Content-Length: 5\r\n"

START_TEST(framing_follows_status_method_and_fields)
{
	static const struct length_row rows[] = {
	    {TEXT(OK(FIVE)), METHOD_GET, LENGTH_KNOWN, 5, false, false},
	    {TEXT(OK("Content-Length: 0\r\n")), METHOD_GET, LENGTH_KNOWN, 0,
		false, false},
	    {TEXT(OK(FIVE "Connection: close\r\n")), METHOD_GET, LENGTH_KNOWN,
		5, false, true},
	    {TEXT(OK(CHUNKED)), METHOD_GET, LENGTH_OPEN, 0, true, false},
	    {TEXT(OK("")), METHOD_GET, LENGTH_OPEN, 0, false, true},
	    {TEXT(OK("")), METHOD_OTHER, LENGTH_OPEN, 0, false, true},
	    {TEXT("HTTP/1.0 200 OK\r\n" FIVE "\r\n"), METHOD_GET, LENGTH_KNOWN,
		5, false, true},
	    {TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" FIVE "\r\n"),
		METHOD_GET, LENGTH_KNOWN, 5, false, false},
	    {TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"),
		METHOD_GET, LENGTH_OPEN, 0, false, true},
	    {TEXT(OK(FIVE)), METHOD_HEAD, LENGTH_NONE, 0, false, false},
	    {TEXT(OK(CHUNKED)), METHOD_HEAD, LENGTH_NONE, 0, false, false},
	    {TEXT(OK("")), METHOD_HEAD, LENGTH_NONE, 0, false, false},
	    {TEXT("HTTP/1.1 304 x\r\n" FIVE "\r\n"), METHOD_GET, LENGTH_NONE, 0,
		false, false},
	    {TEXT("HTTP/1.1 204 x\r\n\r\n"), METHOD_GET, LENGTH_NONE, 0, false,
		false},
	    {TEXT("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n"), METHOD_GET,
		LENGTH_NONE, 0, false, false},
	    {TEXT("HTTP/1.1 204 x\r\n" FIVE "\r\n"), METHOD_GET, LENGTH_NONE, 0,
		false, true},
	    {TEXT("HTTP/1.1 204 x\r\n" CHUNKED "\r\n"), METHOD_GET, LENGTH_NONE,
		0, false, true},
	    {TEXT("HTTP/1.1 100 x\r\n\r\n"), METHOD_POST, LENGTH_NONE, 0, false,
		false},
	    {TEXT("HTTP/1.1 103 x\r\nLink: y\r\n\r\n"), METHOD_GET, LENGTH_NONE,
		0, false, false},
	    {TEXT("HTTP/1.1 205 x\r\n" FIVE "\r\n"), METHOD_GET, LENGTH_KNOWN,
		5, false, false},
	    {TEXT(OK(FIVE)), METHOD_CONNECT, LENGTH_NONE, 0, false, false},
	    {TEXT(OK(FIVE CHUNKED)), METHOD_CONNECT, LENGTH_NONE, 0, false,
		false},
	    {TEXT("HTTP/1.1 407 x\r\n" FIVE "\r\n"), METHOD_CONNECT,
		LENGTH_KNOWN, 5, false, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const struct length_row *r = &rows[i];
		struct feed f;

		take(&f, r->to, r->text);
		ck_assert_msg(f.m.body == r->body && f.m.length == r->length &&
				  f.is_chunked == r->is_chunked &&
				  f.m.want_close == r->want_close,
		    "row %zu: body %d length %lu chunked %d close %d", i,
		    f.m.body, (unsigned long)f.m.length, f.is_chunked,
		    f.m.want_close);
		feed_fini(&f);
	}
}
END_TEST

START_TEST(an_upgrade_is_wanted_when_both_fields_say_so)
{
	struct feed f;

	take(&f, METHOD_GET,
	    TEXT("HTTP/1.1 101 x\r\nConnection: upgrade\r\n"
		 "Upgrade: websocket\r\n\r\n"));
	ck_assert(f.m.want_upgrade);
	ck_assert_int_eq(f.m.body, LENGTH_NONE);
	feed_fini(&f);
	take(&f, METHOD_GET, TEXT(OK("Upgrade: h2c\r\n")));
	ck_assert(!f.m.want_upgrade);
	feed_fini(&f);
}
END_TEST

START_TEST(truncated_heads_are_refused_without_reading_on)
{
	feed_truncated_parse(H1_RESPONSE,
	    TEXT("HTTP/1.1 200 OK\r\nContent-Length : 5\r\nVia: \tx \r\n"
		 "Connection: close, x\r\n\r\n"));
}
END_TEST

static enum h1_rc
trailers(span text, size_t split, struct feed *f)
{
	struct h1_scan s = {.at = 0};

	feed_init(f);
	f->rc = feed_scan(&s, H1_TRAILERS, text, split);
	f->bad = s.bad;
	if (f->rc != H1_OK)
		return f->rc;
	f->copy = feed_dup(span_first(text, s.at));
	f->rc = h1_parse_trailers(
	    span_of(f->copy, s.at), &f->arena, &f->m, &f->bad);
	return f->rc;
}

START_TEST(trailers_keep_what_may_stand_there)
{
	span text = TEXT("Server-Timing: x\r\nContent-Length: 5\r\nX-Sum: y\r\n"
			 "Transfer-Encoding: chunked\r\nHost: a\r\n"
			 "Authorization: b\r\nSet-Cookie: c\r\n"
			 "Connection: d\r\nContent-Type: e\r\n\r\nGET /");

	for (size_t split = 0; split <= text.len; split++) {
		struct feed f;

		ck_assert_int_eq(trailers(text, split, &f), H1_OK);
		ck_assert_uint_eq(f.m.trailers.n, 2);
		ck_assert_int_eq(f.m.trailers.at[0].id, FIELD_SERVER_TIMING);
		ck_assert_span_eq(f.m.trailers.at[1].name, "X-Sum");
		feed_fini(&f);
	}
}
END_TEST

START_TEST(a_truncated_trailer_section_is_never_whole)
{
	span text = TEXT("X-Sum: y\r\nServer-Timing: x\r\n\r\n");

	for (size_t len = 0; len < text.len; len++) {
		struct feed f;
		span part = span_first(text, len);

		ck_assert_int_eq(trailers(part, len / 2, &f), H1_MORE);
		feed_fini(&f);
		/* nor when its end is not looked for first */
		feed_init(&f);
		f.copy = feed_dup(part);
		ck_assert_int_eq(h1_parse_trailers(span_of(f.copy, len),
				     &f.arena, &f.m, &f.bad),
		    H1_BAD);
		feed_fini(&f);
	}
}
END_TEST

START_TEST(an_empty_trailer_section_is_one_crlf)
{
	struct feed f;

	ck_assert_int_eq(trailers(TEXT("\r\n\r\n"), 1, &f), H1_OK);
	ck_assert_uint_eq(f.m.trailers.n, 0);
	feed_fini(&f);
	ck_assert_int_eq(trailers(TEXT("\r"), 0, &f), H1_MORE);
	feed_fini(&f);
}
END_TEST

START_TEST(malformed_trailers_are_refused)
{
	static const struct bad_row rows[] = {
	    {TEXT("\n"), H1_BAD_BARE_LF},
	    {TEXT("A: b\n\r\n"), H1_BAD_BARE_LF},
	    {TEXT("A : b\r\n\r\n"), H1_BAD_NAME_BLANK},
	    {TEXT("A\r\n\r\n"), H1_BAD_FIELD_NAME},
	    {TEXT(" A: b\r\n\r\n"), H1_BAD_FOLD},
	    {TEXT("A: b\0\r\n\r\n"), H1_BAD_CONTROL},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		for (size_t n = 0; n <= rows[i].text.len; n++) {
			struct feed f;

			ck_assert_int_eq(trailers(rows[i].text, n, &f), H1_BAD);
			ck_assert_int_eq(f.bad, rows[i].bad);
			feed_fini(&f);
		}
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    malformed_status_lines_are_refused,
	    malformed_fields_and_lengths_are_refused,
	    reason_and_the_space_before_it_may_be_missing,
	    blanks_before_a_colon_are_removed,
	    harmless_repetitions_are_taken,
	    framing_follows_status_method_and_fields,
	    an_upgrade_is_wanted_when_both_fields_say_so,
	    truncated_heads_are_refused_without_reading_on,
	    trailers_keep_what_may_stand_there,
	    a_truncated_trailer_section_is_never_whole,
	    an_empty_trailer_section_is_one_crlf,
	    malformed_trailers_are_refused,
	};

	return unit_run("h1_response", tests, NELEMS(tests));
}
