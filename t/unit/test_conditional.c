/* Entity tags and conditional requests: RFC 9110 8.8 and 13, RFC 9111 4.3. */
#include <check.h>
#include <stdio.h>

#include "common/http/conditional.h"
#include "t/unit/cache_fixture.h"

#define NOON "Sun, 06 Nov 1994 12:00:00 GMT"
#define MINUTE_BEFORE "Sun, 06 Nov 1994 11:59:00 GMT"
#define MINUTE_AFTER "Sun, 06 Nov 1994 12:01:00 GMT"

static struct validators
validators_in(const char *fields)
{
	struct http_fields f;
	struct validators v;

	fix_fields(&f, fields);
	validators_read(&f, FIX_NOW_S, &v);
	return v;
}

START_TEST(entity_tags_are_quoted)
{
	static const struct {
		const char *text;
		const char *opaque; /* NULL: is none */
		bool is_weak;
	} rows[] = {
	    {"\"abc\"", "\"abc\"", false},
	    {"W/\"abc\"", "\"abc\"", true},
	    {"\"\"", "\"\"", false},
	    {"W/\"\"", "\"\"", true},
	    {"\"a,b;c'\\\"", "\"a,b;c'\\\"", false},
	    {"\"abcdef\xc3\xbc\"", "\"abcdef\xc3\xbc\"", false},
	    {"\"\x80\xff\"", "\"\x80\xff\"", false},
	    {"\"!#~\"", "\"!#~\"", false},
	    {"abc", NULL, false},
	    {"'abc'", NULL, false},
	    {"w/\"abc\"", NULL, false},
	    {"W\\\"abc\"", NULL, false},
	    {"W\"abc\"", NULL, false},
	    {"W/ \"abc\"", NULL, false},
	    {"W/abc", NULL, false},
	    {"W/", NULL, false},
	    {"\"abc", NULL, false},
	    {"abc\"", NULL, false},
	    {"\"", NULL, false},
	    {"", NULL, false},
	    {"*", NULL, false},
	    {"\"a b\"", NULL, false},
	    {"\"a\tb\"", NULL, false},
	    {"\"a\x7f\"", NULL, false},
	    {"\"a\"b\"", NULL, false},
	    {"\"a\" ", NULL, false},
	    {"\"a\", \"b\"", NULL, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct etag tag;

		ck_assert_msg(etag_parse(span_str(rows[i].text), &tag) ==
				  (rows[i].opaque != NULL),
		    "%s", rows[i].text);
		if (rows[i].opaque == NULL)
			continue;
		ck_assert_span_eq(tag.opaque, rows[i].opaque);
		ck_assert_int_eq(tag.is_weak, rows[i].is_weak);
	}
}
END_TEST

/* The table of RFC 9110 8.8.3.2. */
START_TEST(tags_are_compared_strongly_and_weakly)
{
	static const struct {
		const char *a, *b;
		bool is_strong, is_weak;
	} rows[] = {
	    {"W/\"1\"", "W/\"1\"", false, true},
	    {"W/\"1\"", "W/\"2\"", false, false},
	    {"W/\"1\"", "\"1\"", false, true},
	    {"\"1\"", "\"1\"", true, true},
	    {"\"1\"", "\"2\"", false, false},
	    {"\"a\"", "\"A\"", false, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct etag a, b;

		ck_assert(etag_parse(span_str(rows[i].a), &a) &&
			  etag_parse(span_str(rows[i].b), &b));
		ck_assert_int_eq(
		    etag_is_strong_match(&a, &b), rows[i].is_strong);
		ck_assert_int_eq(
		    etag_is_strong_match(&b, &a), rows[i].is_strong);
		ck_assert_int_eq(etag_is_weak_match(&a, &b), rows[i].is_weak);
	}
}
END_TEST

START_TEST(tags_are_taken_off_lists_until_one_is_none)
{
	static const struct {
		const char *list;
		const char *want;
	} rows[] = {
	    {"", ""},
	    {"\"a\"", "\"a\" "},
	    {"\"a\", \"b\",W/\"c\"", "\"a\" \"b\" \"c\" "},
	    {" ,\t\"a\" ,, \"b\" , ", "\"a\" \"b\" "},
	    {"\"a,b\", \"c\\\", \"d\"", "\"a,b\" \"c\\\" \"d\" "},
	    {"a, \"b\"", ""},
	    {"\"a\", b, \"c\"", "\"a\" "},
	    {"\"a\" \"b\"", ""},
	    {"\"a\"x, \"b\"", ""},
	    {"\"a\", \"b", "\"a\" "},
	    {"*, \"a\"", ""},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		span rest = span_str(rows[i].list);
		char got[64] = "";
		struct etag tag;

		while (etag_next(&rest, &tag)) {
			(void)strncat(got, tag.opaque.p, tag.opaque.len);
			(void)strcat(got, " ");
		}
		ck_assert_str_eq(got, rows[i].want);
		ck_assert(!etag_next(&rest, &tag));
	}
}
END_TEST

START_TEST(validators_are_read_from_fields)
{
	struct validators v = validators_in("");

	ck_assert(!v.has_etag && !v.has_modified && !v.has_date);
	ck_assert_int_eq(v.date_s, FIX_NOW_S);
	v = validators_in("ETag: W/\"a\"\nLast-Modified: " MINUTE_BEFORE
			  "\nDate: " MINUTE_AFTER);
	ck_assert(v.has_etag && v.etag.is_weak && v.has_modified);
	ck_assert_int_eq(v.modified_s, FIX_NOW_S - 60);
	ck_assert_span_eq(v.modified, MINUTE_BEFORE);
	ck_assert_int_eq(v.date_s, FIX_NOW_S + 60);
	ck_assert(!validators_in("ETag: \"a\"\nETag: \"b\"").has_etag);
	ck_assert(!validators_in("ETag: a").has_etag);
	ck_assert(!validators_in("Last-Modified: x").has_modified);
}
END_TEST

START_TEST(bytes_are_the_same_under_a_strong_validator_only)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
	    {"ETag: \"a\"", "ETag: \"a\"", true},
	    {"ETag: \"a\"", "ETag: \"b\"", false},
	    {"ETag: W/\"a\"", "ETag: W/\"a\"", false},
	    {"ETag: \"a\"", "ETag: W/\"a\"", false},
	    {"ETag: \"a\"", "", false},
	    {"", "", false},
	    {"Last-Modified: " MINUTE_BEFORE "\nDate: " NOON,
		"Last-Modified: " MINUTE_BEFORE "\nDate: " NOON, true},
	    {"Last-Modified: " MINUTE_BEFORE "\nDate: " NOON,
		"Last-Modified: " NOON "\nDate: " MINUTE_AFTER, false},
	    /* may have changed again within the second */
	    {"Last-Modified: " NOON "\nDate: " NOON,
		"Last-Modified: " NOON "\nDate: " NOON, false},
	    {"Last-Modified: " MINUTE_BEFORE, "Last-Modified: " MINUTE_BEFORE,
		false},
	    {"ETag: \"a\"\nLast-Modified: " MINUTE_BEFORE "\nDate: " NOON,
		"Last-Modified: " MINUTE_BEFORE "\nDate: " NOON, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct validators a = validators_in(rows[i].a);
		struct validators b = validators_in(rows[i].b);

		ck_assert_msg(validators_same_bytes(&a, &b) == rows[i].is_same,
		    "%s / %s", rows[i].a, rows[i].b);
		ck_assert_int_eq(
		    validators_same_bytes(&b, &a), rows[i].is_same);
	}
}
END_TEST

#define TAGGED "ETag: \"a\"\nLast-Modified: " MINUTE_BEFORE "\nDate: " NOON

START_TEST(conditions_of_clients_are_answered_from_what_is_stored)
{
	static const struct {
		const char *method;
		const char *request;
		unsigned status;
		const char *stored;
		enum condition want;
	} rows[] = {
	    {"GET", "", 200, TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: \"a\"", 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"HEAD", "If-None-Match: \"a\"", 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: W/\"a\"", 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: \"b\"", 200, TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: \"b\", \"a\", \"c\"", 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: \"b\"\nIf-None-Match: \"a\"", 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: *", 200, TAGGED, CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: *", 200, "", CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: a", 200, TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match:", 200, TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: \"a\"", 200, "", CONDITION_NONE},
	    {"GET", "If-None-Match: \"a\"", 200, "ETag: W/\"a\"",
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: \"\xc3\xbc\"", 200, "ETag: \"\xc3\xbc\"",
		CONDITION_NOT_MODIFIED},
	    /* it takes precedence */
	    {"GET",
		"If-None-Match: \"a\"\n"
		"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
		200, TAGGED, CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: \"b\"\nIf-Modified-Since: " NOON, 200,
		TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: nonsense\nIf-Modified-Since: " NOON, 200,
		TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: \"a\"\nIf-Modified-Since: " NOON, 200,
		"Last-Modified: " MINUTE_BEFORE, CONDITION_NONE},
	    /* dates */
	    {"GET", "If-Modified-Since: " NOON, 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"HEAD", "If-Modified-Since: " NOON, 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-Modified-Since: " MINUTE_BEFORE, 200, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-Modified-Since: Sunday, 06-Nov-94 11:59:00 GMT", 200,
		TAGGED, CONDITION_NOT_MODIFIED},
	    {"GET", "If-Modified-Since: Sun, 06 Nov 1994 11:58:59 GMT", 200,
		TAGGED, CONDITION_NONE},
	    {"GET", "If-Modified-Since: nonsense", 200, TAGGED, CONDITION_NONE},
	    {"GET", "If-Modified-Since: " NOON "\nIf-Modified-Since: " NOON,
		200, TAGGED, CONDITION_NONE},
	    {"GET", "If-Modified-Since: " NOON, 200, "Date: " NOON,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-Modified-Since: " MINUTE_BEFORE, 200, "Date: " NOON,
		CONDITION_NONE},
	    {"GET", "If-Modified-Since: " NOON, 200, "",
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-Modified-Since: " MINUTE_BEFORE, 200, "",
		CONDITION_NONE},
	    /* only what would be a success is not modified */
	    {"GET", "If-None-Match: \"a\"", 206, TAGGED,
		CONDITION_NOT_MODIFIED},
	    {"GET", "If-None-Match: \"a\"", 404, TAGGED, CONDITION_NONE},
	    {"GET", "If-Modified-Since: " NOON, 301, TAGGED, CONDITION_NONE},
	    {"GET", "If-None-Match: \"a\"", 500, TAGGED, CONDITION_NONE},
	    {"POST", "If-None-Match: \"a\"", 200, TAGGED, CONDITION_NONE},
	    /* the origin's */
	    {"GET", "If-Match: \"a\"", 200, TAGGED, CONDITION_FORWARD},
	    {"GET", "If-Unmodified-Since: " NOON, 200, TAGGED,
		CONDITION_FORWARD},
	    {"GET", "If-None-Match: \"a\"\nIf-Match: \"a\"", 200, TAGGED,
		CONDITION_FORWARD},
	    {"GET", "If-Match: *", 404, "", CONDITION_FORWARD},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct validators v = validators_in(rows[i].stored);
		struct http_msg req;

		fix_request(&req, rows[i].method, "/", rows[i].request);
		ck_assert_msg(condition_judge(&req, rows[i].status, &v,
				  FIX_NOW_S) == rows[i].want,
		    "%s %s %u %s", rows[i].method, rows[i].request,
		    rows[i].status, rows[i].stored);
		ck_assert_int_eq(condition_judge(&req, rows[i].status, NULL,
				     FIX_NOW_S) == CONDITION_FORWARD,
		    rows[i].want == CONDITION_FORWARD);
	}
}
END_TEST

START_TEST(if_range_needs_a_strong_match)
{
	static const struct {
		const char *request;
		const char *stored;
		bool is_allowed;
	} rows[] = {
	    {"", TAGGED, true},
	    {"", "", true},
	    {"If-Range: \"a\"", TAGGED, true},
	    {"If-Range: \"b\"", TAGGED, false},
	    {"If-Range: W/\"a\"", "ETag: W/\"a\"", false},
	    {"If-Range: \"a\"", "ETag: W/\"a\"", false},
	    {"If-Range: \"a\"", "", false},
	    {"If-Range: \"a\", \"b\"", TAGGED, false},
	    {"If-Range: *", TAGGED, false},
	    {"If-Range:", TAGGED, false},
	    {"If-Range: \"a\"\nIf-Range: \"a\"", TAGGED, false},
	    {"If-Range: " MINUTE_BEFORE, TAGGED, true},
	    {"If-Range: " NOON, TAGGED, false},
	    {"If-Range: Sun, 06 Nov 1994 11:58:59 GMT", TAGGED, false},
	    {"If-Range: nonsense", TAGGED, false},
	    {"If-Range: " NOON, "Last-Modified: " NOON "\nDate: " NOON, false},
	    {"If-Range: " MINUTE_BEFORE, "Last-Modified: " MINUTE_BEFORE,
		false},
	    {"If-Range: " NOON, "Date: " NOON, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct validators v = validators_in(rows[i].stored);
		struct http_fields f;

		fix_fields(&f, rows[i].request);
		ck_assert_msg(
		    condition_allows_range(&f, &v) == rows[i].is_allowed,
		    "%s / %s", rows[i].request, rows[i].stored);
	}
}
END_TEST

static void
print_304(const char *fields, char *out)
{
	struct http_fields f;

	out[0] = '\0';
	fix_fields(&f, fields);
	fields_foreach(fld, &f)
	{
		if (!condition_keeps_in_304(&f, fld))
			continue;
		(void)strncat(out, fld->name.p, fld->name.len);
		(void)strcat(out, " ");
	}
}

START_TEST(a_304_carries_what_is_not_of_the_representation)
{
	char got[512];

	print_304("ETag: \"a\"\nDate: x\nVary: a\nCache-Control: a\n"
		  "Expires: x\nContent-Location: /a\nLast-Modified: x\n"
		  "Content-Type: x\nContent-Length: 5\nContent-Encoding: x\n"
		  "Content-Language: x\nContent-Range: x\nContent-MD5: x\n"
		  "CONTENT-Foo: x\nAccept-Ranges: bytes\nRepr-Digest: x\n"
		  "Content-Security-Policy: x\nX-Frame-Options: x\n"
		  "Set-Cookie: a\nCon: x\nX-Content-Foo: x\nTrailer: x\n"
		  "Connection: x\nTransfer-Encoding: chunked\n"
		  "CDN-Cache-Control: max-age=5\n"
		  "Access-Control-Allow-Origin: *",
	    got);
	ck_assert_str_eq(got,
	    "ETag Date Vary Cache-Control Expires Content-Location "
	    "Content-Security-Policy X-Frame-Options Set-Cookie Con "
	    "X-Content-Foo CDN-Cache-Control Access-Control-Allow-Origin ");
	print_304("Last-Modified: x\nContent-Type: y", got);
	ck_assert_str_eq(got, "Last-Modified ");
}
END_TEST

static void
print_asked(const char *request, const char *const *stored, size_t n, char *out,
    size_t cap)
{
	struct validators v[CONDITION_TAGS_MAX + 1];
	struct http_fields f;
	size_t at = 0;

	fix_fields(&f, request);
	for (size_t i = 0; i < n; i++)
		v[i] = validators_in(stored[i]);
	out[0] = '\0';
	if (!condition_ask(&f, &fix_arena, v, n))
		at = (size_t)snprintf(out, cap, "nothing to ask\n");
	fields_foreach(fld, &f) at += (size_t)snprintf(out + at, cap - at,
	    "%.*s: %.*s\n", SPAN_FMT(fld->name), SPAN_FMT(fld->value));
}

START_TEST(origins_are_asked_with_stored_validators)
{
	static const char *const both[] = {TAGGED};
	static const char *const weak[] = {"ETag: W/\"w\""};
	static const char *const date[] = {"Last-Modified: " NOON};
	static const char *const none[] = {"ETag: bad"};
	static const char *const three[] = {
	    "ETag: \"a\"", "Last-Modified: " NOON, "ETag: W/\"c\""};
	char got[512];

	print_asked("A: 1\nIf-None-Match: \"x\"\nIf-Modified-Since: x\n"
		    "If-Range: \"x\"\nRange: bytes=0-1\nB: 2",
	    both, 1, got, sizeof(got));
	ck_assert_str_eq(got, "A: 1\nB: 2\nif-none-match: \"a\"\n"
			      "if-modified-since: " MINUTE_BEFORE "\n");
	print_asked("", weak, 1, got, sizeof(got));
	ck_assert_str_eq(got, "if-none-match: W/\"w\"\n");
	print_asked("", date, 1, got, sizeof(got));
	ck_assert_str_eq(got, "if-modified-since: " NOON "\n");
	print_asked("", three, 3, got, sizeof(got));
	ck_assert_str_eq(got, "if-none-match: \"a\", W/\"c\"\n");
	print_asked("If-None-Match: \"x\"\nRange: bytes=0-1", none, 1, got,
	    sizeof(got));
	ck_assert_str_eq(
	    got, "nothing to ask\nIf-None-Match: \"x\"\nRange: bytes=0-1\n");
	print_asked("A: 1", NULL, 0, got, sizeof(got));
	ck_assert_str_eq(got, "nothing to ask\nA: 1\n");
}
END_TEST

START_TEST(a_request_offers_a_bounded_number_of_tags)
{
	const char *stored[CONDITION_TAGS_MAX + 1];
	char got[512];
	unsigned n = 0;

	for (size_t i = 0; i < NELEMS(stored); i++)
		stored[i] = "ETag: W/\"t\"";
	print_asked("", stored, NELEMS(stored), got, sizeof(got));
	for (const char *p = got; (p = strstr(p, "W/\"t\"")) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, CONDITION_TAGS_MAX);
}
END_TEST

START_TEST(a_304_selects_by_the_strongest_that_it_tells)
{
	static const struct {
		const char *answer;
		const char *stored;
		bool is_only;
		bool is_selected;
	} rows[] = {
	    {"ETag: \"a\"", "ETag: \"a\"", false, true},
	    {"ETag: \"a\"", "ETag: \"b\"", true, false},
	    {"ETag: \"a\"", "ETag: W/\"a\"", true, false},
	    {"ETag: W/\"a\"", "ETag: \"a\"", false, true},
	    {"ETag: W/\"a\"", "ETag: W/\"b\"", true, false},
	    {"ETag: \"a\"", "", true, false},
	    {"ETag: \"a\"\nLast-Modified: " NOON, "Last-Modified: " NOON, true,
		false},
	    {"Last-Modified: " NOON, "ETag: \"a\"\nLast-Modified: " NOON, false,
		true},
	    {"Last-Modified: " NOON, "Last-Modified: " MINUTE_BEFORE, true,
		false},
	    {"Last-Modified: " NOON, "ETag: \"a\"", true, false},
	    {"", "ETag: \"a\"", true, true},
	    {"", "ETag: \"a\"", false, false},
	    {"", "", true, true},
	    {"ETag: bad", "ETag: \"a\"", false, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct validators a = validators_in(rows[i].answer);
		struct validators s = validators_in(rows[i].stored);

		ck_assert_msg(freshen_selects(&a, &s, rows[i].is_only) ==
				  rows[i].is_selected,
		    "%s / %s", rows[i].answer, rows[i].stored);
	}
}
END_TEST

START_TEST(head_updates_or_expires_a_stored_get)
{
	static const struct {
		unsigned status;
		const char *answer;
		const char *stored;
		uint64_t stored_len;
		enum freshen want;
	} rows[] = {
	    {200, "", TAGGED, 5, FRESHEN_UPDATE},
	    {200, "ETag: \"a\"", TAGGED, 5, FRESHEN_UPDATE},
	    {200, "ETag: \"b\"", TAGGED, 5, FRESHEN_EXPIRE},
	    {200, "ETag: W/\"a\"", TAGGED, 5, FRESHEN_EXPIRE},
	    {200, "ETag: W/\"a\"", "ETag: W/\"a\"", 5, FRESHEN_UPDATE},
	    {200, "ETag: \"a\"", "", 5, FRESHEN_EXPIRE},
	    {200, "Last-Modified: " MINUTE_BEFORE, TAGGED, 5, FRESHEN_UPDATE},
	    {200, "Last-Modified: " NOON, TAGGED, 5, FRESHEN_EXPIRE},
	    {200, "Last-Modified: " NOON, "", 5, FRESHEN_EXPIRE},
	    {200, "Content-Length: 5", TAGGED, 5, FRESHEN_UPDATE},
	    {200, "Content-Length: 6", TAGGED, 5, FRESHEN_EXPIRE},
	    {200, "Content-Length: x", TAGGED, 5, FRESHEN_EXPIRE},
	    {200, "Content-Length: 6", TAGGED, UINT64_MAX, FRESHEN_UPDATE},
	    {404, "ETag: \"b\"", TAGGED, 5, FRESHEN_NOTHING},
	    {304, "", TAGGED, 5, FRESHEN_NOTHING},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct validators told = validators_in(rows[i].answer);
		struct validators stored = validators_in(rows[i].stored);
		struct http_msg m;

		fix_response(&m, rows[i].status, rows[i].answer);
		ck_assert_msg(freshen_judge_head(&m, &told, &stored,
				  rows[i].stored_len) == rows[i].want,
		    "%u %s / %s", rows[i].status, rows[i].answer,
		    rows[i].stored);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    entity_tags_are_quoted,
	    tags_are_compared_strongly_and_weakly,
	    tags_are_taken_off_lists_until_one_is_none,
	    validators_are_read_from_fields,
	    bytes_are_the_same_under_a_strong_validator_only,
	    conditions_of_clients_are_answered_from_what_is_stored,
	    if_range_needs_a_strong_match,
	    a_304_carries_what_is_not_of_the_representation,
	    origins_are_asked_with_stored_validators,
	    a_request_offers_a_bounded_number_of_tags,
	    a_304_selects_by_the_strongest_that_it_tells,
	    head_updates_or_expires_a_stored_get,
	};

	return unit_run_in(
	    "conditional", tests, NELEMS(tests), fix_set_up, fix_tear_down);
}
