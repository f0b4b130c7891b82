/* Unit tests of exch/match and base/regex: conditions on exchanges. */
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/exch/match.h"

static struct fixture *fx;
static struct exch *x;

static void
setup(void)
{
	fx = fixture_new("[listen front]\naddress = 127.0.0.1:0\n"
			 "[site a.test]\nrespond = 200\n");
	x = fixture_request(fx,
	    "POST /x/File.zip?b=1&c&d=%20 HTTP/1.1\r\nHost: A.Test.:81\r\n"
	    "Cookie: one=1; two=\r\nCookie: three=3\r\n"
	    "X-List: a\r\nX-List: b c\r\nAccept: x\r\nAccept: y\r\n"
	    "Empty:\r\nContent-Length: 4\r\n\r\n");
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
}

static void
teardown(void)
{
	fixture_free(fx);
}

static struct match *
compile(const char *text, size_t len)
{
	struct var_src src = {
	    span_of(text, len), {.line = 1, .col = 1}, VAR_WHEN_END};
	struct diag *d = diag_new();
	struct match *m = match_new(&x->arena, &src, d);
	char *why = diag_render(d);

	ck_assert_msg((m != NULL) == (diag_count(d, DIAG_ERROR) == 0),
	    "%.*s: %s", (int)len, text, why);
	free(why);
	diag_free(d);
	return m;
}

static enum match_rc
judge(const char *text)
{
	struct match *m = compile(text, strlen(text));
	enum match_rc rc;

	ck_assert_msg(m != NULL, "%s", text);
	rc = match_eval(m, x);
	match_free(m);
	return rc;
}

struct judged {
	const char *text;
	bool is_match;
};

static void
judge_all(const struct judged *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(judge(rows[i].text) ==
				  (rows[i].is_match ? MATCH_YES : MATCH_NO),
		    "%s", rows[i].text);
		/* `!` in front turns each of them around */
		if (rows[i].text[0] != '!') {
			char text[200];

			snprintf(text, sizeof(text), "! %s", rows[i].text);
			ck_assert_msg(
			    judge(text) ==
				(rows[i].is_match ? MATCH_NO : MATCH_YES),
			    "%s", text);
		}
	}
}

START_TEST(text_is_compared_by_each_operator)
{
	static const struct judged rows[] = {
	    {"path = /x/File.zip", true},
	    {"path = /a /x/File.zip /b", true},
	    {"path = /x/file.zip", false},
	    {"path != /x/File.zip", false},
	    {"path != /a /b", true},
	    {"path ^= /x", true},
	    {"path ^= /y /x/", true},
	    {"path ^= /x/File.zip/", false},
	    {"path $= .iso .zip", true},
	    {"path $= /x/File.zip", true},
	    {"path $= //x/File.zip", false},
	    {"path *= File", true},
	    {"path *= file", false},
	    {"path ~ \\.(zip|iso)$", true},
	    {"path ~ ^/x/[a-z]", false},
	    {"path ~ (?i)^/x/[a-z]", true},
	    {"path !~ \\.(zip|iso)$", false},
	    {"path~\\.zip$", true},
	    {"path=/x/File.zip", true},
	    {"method = GET POST", true},
	    {"method = post", false},
	    {"query = \"b=1&c&d=%20\"", true},
	    {"query ~ =1&", true},
	    {"query ~ =1&c d", false},
	    {"listen = front", true},
	    {"site = a.test", true},
	    {"scheme = http", true},
	    {"protocol = HTTP/1.1", true},
	    {"arg:b = 1", true},
	    {"arg:d = %20", true},
	    {"cookie:one = 1 2", true},
	    {"cookie:three = 3", true},
	    {"cookie:two", false},
	    {"cookie:none", false},
	    {"arg:c", false},
	    {"arg:b", true},
	};

	judge_all(rows, NELEMS(rows));
}
END_TEST

START_TEST(a_host_has_no_case_and_no_last_dot)
{
	static const struct judged rows[] = {
	    {"host = a.test", true},
	    {"host = A.TEST.", true},
	    {"host = b.test a.TEST", true},
	    {"host ^= A.", true},
	    {"host $= .TEST", true},
	    {"host *= .tE", true},
	    {"host *= tests", false},
	    {"host ~ ^a\\.test$", true},
	    {"host !~ ^A", false},
	    {"authority = a.test.:81", true},
	};

	judge_all(rows, NELEMS(rows));
}
END_TEST

START_TEST(a_field_matches_by_any_of_its_lines)
{
	static const struct judged rows[] = {
	    {"header:X-List = b \"b c\"", true},
	    {"header:x-list = a", true},
	    {"header:x-list = b", false},
	    {"header:x-list != a", false},
	    {"header:x-list != z", true},
	    {"header:Accept = y", true},
	    {"header:Accept = \"x, y\"", false},
	    {"header:Accept ~ ^y$", true},
	    {"header:X-List", true},
	    {"header:Empty", false},
	    {"header:Empty = \"\"", true},
	    {"header:None", false},
	    {"header:None = \"\"", true},
	    {"header:None != a", true},
	    {"header:None ~ ^$", true},
	    {"header:Accept = \"\"", false},
	    {"header:Cookie *= three", true},
	};

	judge_all(rows, NELEMS(rows));
}
END_TEST

START_TEST(numbers_have_order_and_units)
{
	static const struct judged rows[] = {
	    {"status = 404", true},
	    {"status = 200 404", true},
	    {"status != 404", false},
	    {"status>=400", true},
	    {"status >= 405", false},
	    {"status > 403", true},
	    {"status > 404", false},
	    {"status < 405", true},
	    {"status < 404", false},
	    {"status < 0", false},
	    {"status<=404", true},
	    {"status <= 403", false},
	    {"status in 500-599", false},
	    {"status in 200-299 400-404", true},
	    {"status in 404", true},
	    {"status", true},
	    {"tries = 0", true},
	    {"port = 80", true},
	    {"client_port in 4000-5000", true},
	    {"bytes_out > 1k", true},
	    {"bytes_out >= 2k", true},
	    {"bytes_out > 2k", false},
	    {"bytes_out in 1k-4k", true},
	    {"duration > 1s", true},
	    {"duration >= 1500ms", true},
	    {"duration > 1500ms", false},
	    {"duration_ms in 1s-2s", true},
	    {"connect_ms < 1h", false},
	    {"connect_ms", false},
	    {"origin_status < 600", false},
	    {"time_unix > 1000000", true},
	};

	exch_reply_status(x, 404);
	x->bytes_out = 2048;
	x->t.end_us = x->t.begin_us + 1500999;
	judge_all(rows, NELEMS(rows));
}
END_TEST

START_TEST(addresses_are_in_networks)
{
	static const struct judged rows[] = {
	    {"client_ip in 10.0.0.0/8 198.51.100.0/24", true},
	    {"client_ip in 10.0.0.0/8 2001:db8::/32", false},
	    {"client_ip = 198.51.100.7", true},
	    {"client_ip != 198.51.100.7", false},
	    {"client_ip = 198.51.100.8 unix:", false},
	    {"peer_ip in 0.0.0.0/0", true},
	    {"client_ip", true},
	};
	static const struct judged of_unix[] = {
	    {"peer_ip in 0.0.0.0/0 ::/0", false},
	    {"peer_ip = 10.0.0.1 unix:", true},
	    {"peer_ip", false},
	};

	judge_all(rows, NELEMS(rows));
	x->client.is_unix = true;
	judge_all(of_unix, NELEMS(of_unix));
}
END_TEST

START_TEST(a_term_knows_from_when_on_it_can_be_judged)
{
	static const struct {
		const char *text;
		enum var_when when;
	} rows[] = {
	    {"path = /", VAR_WHEN_REQUEST},
	    {"header:A", VAR_WHEN_REQUEST},
	    {"status = 200", VAR_WHEN_RESPONSE},
	    {"response_header:A ~ x", VAR_WHEN_RESPONSE},
	    {"bytes_out > 1k", VAR_WHEN_END},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct match *m = compile(rows[i].text, strlen(rows[i].text));

		ck_assert_ptr_nonnull(m);
		ck_assert_int_eq(match_when(m), rows[i].when);
		match_free(m);
	}
}
END_TEST

START_TEST(a_regex_that_takes_too_long_is_no_answer)
{
	char path[64];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '!';
	x->path = span_of(path, sizeof(path));
	ck_assert_int_eq(judge("path ~ ^(a+)+$"), MATCH_LIMIT);
	ck_assert_int_eq(judge("!path ~ ^(a+)+$"), MATCH_LIMIT);
	ck_assert_int_eq(judge("path !~ (*NO_JIT)^(a+)+$"), MATCH_LIMIT);
	x->path.len--;
	ck_assert_int_eq(judge("path ~ ^(a+)+$"), MATCH_YES);
}
END_TEST

/* The message and the caret's column for a line that is known too early or
 * wrong. */
static void
expect_refused(const char *text, unsigned col, unsigned len, const char *want)
{
	struct var_src src = {
	    span_str(text), {.line = 1, .col = 9}, VAR_WHEN_RESPONSE};
	struct diag *d = diag_new();
	char line[256];
	char place[64];
	char caret[300];
	char *why;
	int n;

	n = snprintf(line, sizeof(line), "match = %s\n", text);
	src.at.file = diag_file(d, "t.ini", span_of(line, (size_t)n));
	ck_assert_msg(match_new(&x->arena, &src, d) == NULL, "%s", text);
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 1);
	why = diag_render(d);
	snprintf(place, sizeof(place), "t.ini:1:%u:", col + 8);
	ck_assert_msg(strstr(why, place) != NULL, "%s: %s", text, why);
	ck_assert_msg(strstr(why, want) != NULL, "%s: %s", text, why);
	n = snprintf(caret, sizeof(caret), "| %*s^", (int)(col + 7), "");
	for (unsigned i = 1; i < len; i++)
		caret[n++] = '~';
	caret[n++] = '\n';
	caret[n] = '\0';
	ck_assert_msg(strstr(why, caret) != NULL, "%s: %s", text, why);
	free(why);
	diag_free(d);
}

START_TEST(mistakes_are_told_at_their_place)
{
	expect_refused("", 1, 1, "begins with what is judged");
	expect_refused("= /x", 1, 1, "begins with what is judged");
	expect_refused("pth = /x", 1, 3, "did you mean {path}");
	expect_refused("!  metod = GET", 4, 5, "did you mean {method}");
	expect_refused("{path} = /", 1, 6, "without braces");
	expect_refused("header = a", 1, 6, "{header} needs a name");
	expect_refused("path:x = a", 1, 6, "takes nothing behind");
	expect_refused("path is /x", 6, 2, "'is' is no operator");
	expect_refused("path == /x", 6, 2, "one '='");
	expect_refused("path =", 6, 1, "'=' needs a value");
	expect_refused("path ~ ", 6, 1, "'~' needs a value");
	expect_refused("path < 3", 6, 1, "{path} is text");
	expect_refused("path in /x", 6, 2, "{path} is text");
	expect_refused("path = a \"b c", 10, 4, "closing '\"' is missing");
	expect_refused("path *= \"\"", 9, 2, "empty text");
	expect_refused("path ~ a(b", 11, 1, "regex is malformed");
	expect_refused("status ~ 5..", 8, 1, "{status} is a number");
	expect_refused("status ^= 5", 8, 2, "{status} is a number");
	expect_refused("status = 4x4", 10, 3, "expected a number");
	expect_refused("status = 400-499", 10, 7, "behind `in`");
	expect_refused("status in 200 499-400", 15, 7, "the range is empty");
	expect_refused("status in 400-", 11, 4, "expected a number");
	expect_refused("status > 1 2", 12, 1, "compares with one number");
	expect_refused("duration > 10", 12, 2, "unit");
	expect_refused("client_ip ~ 10", 11, 1, "compare it by");
	expect_refused("client_ip = 10.0.0.1/8", 13, 10, "no network");
	expect_refused("bytes_out > 1k", 1, 9, "at the end of the exchange");
}
END_TEST

/* Whatever a line is cut at, it is refused or judged, never worse. */
START_TEST(a_line_cut_anywhere_is_harmless)
{
	static const char *const lines[] = {"!header:X-List ~ ^(a|b)[c]$",
	    "path = \"/a b\" /x \"\"",
	    "! client_ip in 10.0.0.0/8 ::1 unix:", "status in 200-299 404",
	    "duration >= 1h30m"};

	for (size_t i = 0; i < NELEMS(lines); i++) {
		for (size_t n = 0; n <= strlen(lines[i]); n++) {
			struct match *m = compile(lines[i], n);

			if (m != NULL)
				(void)match_eval(m, x);
			match_free(m);
		}
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    text_is_compared_by_each_operator,
	    a_host_has_no_case_and_no_last_dot,
	    a_field_matches_by_any_of_its_lines,
	    numbers_have_order_and_units,
	    addresses_are_in_networks,
	    a_term_knows_from_when_on_it_can_be_judged,
	    a_regex_that_takes_too_long_is_no_answer,
	    mistakes_are_told_at_their_place,
	    a_line_cut_anywhere_is_harmless,
	};

	return unit_run_in("exch/match", tests, NELEMS(tests), setup, teardown);
}
