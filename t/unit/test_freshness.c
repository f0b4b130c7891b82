/* Lifetimes, ages and reuse: RFC 9111 4.2, 5.2.1, RFC 5861, RFC 9213. */
#include <check.h>
#include <stdio.h>

#include "common/base/date.h"
#include "common/http/freshness.h"
#include "t/unit/cache_fixture.h"

#define CACHE(s) "Cache-Control: " s "\n"
#define CDN(s) "CDN-Cache-Control: " s "\n"
#define DAY_S 86400
#define HUGE_S ((int64_t)CC_SECONDS_MAX)

/* Dates around FIX_NOW_S. */
#define NOON "Sun, 06 Nov 1994 12:00:00 GMT"
#define MINUTE_BEFORE "Sun, 06 Nov 1994 11:59:00 GMT"
#define MINUTE_AFTER "Sun, 06 Nov 1994 12:01:00 GMT"
#define HOUR_BEFORE "Sun, 06 Nov 1994 11:00:00 GMT"
#define HOUR_AFTER "Sun, 06 Nov 1994 13:00:00 GMT"
#define TEN_DAYS_BEFORE "Thu, 27 Oct 1994 12:00:00 GMT"
#define DATE_NOON "Date: " NOON "\n"

static struct freshness
freshness_in(unsigned status, const char *fields,
    const struct cache_policy *policy, int64_t delay_s)
{
	struct cache_facts facts = {
	    FIX_NOW_S - delay_s, FIX_NOW_S, SPAN_LIT("http")};
	struct freshness f;
	struct http_msg m;
	struct cc cc;
	bool is_cdn;

	fix_response(&m, status, fields);
	is_cdn = cc_parse_response(&m.fields, &cc);
	freshness_of(&m, &cc, is_cdn, policy, &facts, &f);
	ck_assert_int_eq(f.stored_s, FIX_NOW_S);
	ck_assert_uint_eq(f.reserved, 0);
	return f;
}

static const struct cache_policy plain_policy = {.heuristic_max_s = 7 * DAY_S};

START_TEST(lifetimes_follow_the_order_of_the_rfc)
{
	static const struct {
		unsigned status;
		const char *fields;
		int64_t lifetime_s;
		uint32_t flags; /* of the two that say where it is from */
	} rows[] = {
	    {200, "", 0, 0},
	    {200, CACHE("max-age=60"), 60, FRESH_EXPLICIT},
	    {200, CACHE("s-maxage=60"), 60, FRESH_EXPLICIT},
	    {200, CACHE("max-age=60, s-maxage=5"), 5, FRESH_EXPLICIT},
	    {200, CACHE("s-maxage=500, max-age=60"), 500, FRESH_EXPLICIT},
	    {200, CACHE("s-maxage=0, max-age=60"), 0, FRESH_EXPLICIT},
	    {200, CACHE("s-maxage=x, max-age=60"), 0, FRESH_EXPLICIT},
	    {200, CACHE("max-age=2147483648"), HUGE_S, FRESH_EXPLICIT},
	    {200, CACHE("max-age=99999999999"), HUGE_S, FRESH_EXPLICIT},
	    {200, CACHE("max-age=-1"), 0, FRESH_EXPLICIT},
	    {200, CACHE("max-age=5.5"), 0, FRESH_EXPLICIT},
	    /* Expires */
	    {200, DATE_NOON "Expires: " MINUTE_AFTER, 60, FRESH_EXPLICIT},
	    {200, "Expires: " MINUTE_AFTER, 60, FRESH_EXPLICIT},
	    {200, "Date: " HOUR_BEFORE "\nExpires: " MINUTE_AFTER, 3660,
		FRESH_EXPLICIT},
	    {200, "Date: " HOUR_AFTER "\nExpires: " MINUTE_AFTER, 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: " NOON, 0, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: " MINUTE_BEFORE, 0, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sun Nov  6 12:01:00 1994", 60,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sunday, 06-Nov-94 12:01:00 GMT", 60,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Fri, 31 Dec 9999 23:59:59 GMT", HUGE_S,
		FRESH_EXPLICIT},
	    {200, "Date: nonsense\nExpires: " MINUTE_AFTER, 60, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: 0", 0, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: -1", 0, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires:", 0, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: SUN, 06 nov 1994 12:01:00 gmt", 60,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sun, 06 Nov 1994 12:01:00 UTC", 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sun, 06 Nov 94 12:01:00 GMT", 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sun, 06-Nov-1994 12:01:00 GMT", 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: Sun, 31 Feb 1994 12:01:00 GMT", 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: " MINUTE_AFTER "\nExpires: " HOUR_AFTER,
		60, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: 0\nExpires: " HOUR_AFTER, 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON CACHE("max-age=5") "Expires: " HOUR_AFTER, 5,
		FRESH_EXPLICIT},
	    {200, DATE_NOON CACHE("max-age=3600") "Expires: " MINUTE_BEFORE,
		3600, FRESH_EXPLICIT},
	    {200, DATE_NOON CACHE("max-age=x") "Expires: " HOUR_AFTER, 0,
		FRESH_EXPLICIT},
	    /* heuristic: a tenth of ten days */
	    {200, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, DAY_S,
		FRESH_HEURISTIC},
	    {200, "Last-Modified: " TEN_DAYS_BEFORE, DAY_S, FRESH_HEURISTIC},
	    {200, DATE_NOON "Last-Modified: " MINUTE_BEFORE, 6,
		FRESH_HEURISTIC},
	    {200,
		DATE_NOON CACHE("max-age=5") "Last-Modified: " TEN_DAYS_BEFORE,
		5, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: 0\nLast-Modified: " TEN_DAYS_BEFORE, 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",
		7 * DAY_S, FRESH_HEURISTIC},
	    {200, DATE_NOON "Last-Modified: " HOUR_AFTER, 0, 0},
	    {200, DATE_NOON "Last-Modified: nonsense", 0, 0},
	    {302, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, 0, 0},
	    {599, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, 0, 0},
	    {302, DATE_NOON CACHE("public") "Last-Modified: " TEN_DAYS_BEFORE,
		DAY_S, FRESH_HEURISTIC},
	    {299, CACHE("max-age=60"), 60, FRESH_EXPLICIT},
	    {599, DATE_NOON "Expires: " MINUTE_AFTER, 60, FRESH_EXPLICIT},
	    /* CDN-Cache-Control wins both ways, also over Expires */
	    {200, CACHE("max-age=1") CDN("max-age=3600"), 3600, FRESH_EXPLICIT},
	    {200, CACHE("max-age=3600") CDN("max-age=1"), 1, FRESH_EXPLICIT},
	    {200, CACHE("s-maxage=3600") CDN("max-age=1"), 1, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: " HOUR_AFTER "\n" CDN("max-age=0"), 0,
		FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: 0\n" CDN("max-age=7"), 7, FRESH_EXPLICIT},
	    {200, DATE_NOON "Expires: " HOUR_AFTER "\n" CDN("foo"), 0, 0},
	    {200, CACHE("max-age=5") CDN("max-age=60, &&&"), 5, FRESH_EXPLICIT},
	};
	const uint32_t mask = FRESH_EXPLICIT | FRESH_HEURISTIC;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct freshness f = freshness_in(
		    rows[i].status, rows[i].fields, &plain_policy, 0);

		ck_assert_msg(f.lifetime_s == rows[i].lifetime_s &&
				  (f.flags & mask) == rows[i].flags,
		    "%u %s: %u", rows[i].status, rows[i].fields,
		    (unsigned)f.lifetime_s);
	}
}
END_TEST

START_TEST(heuristics_are_for_the_statuses_of_the_rfc)
{
	static const unsigned heuristic[] = {
	    200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};

	for (unsigned status = 200; status < 600; status++) {
		bool is_one = false;
		struct freshness f = freshness_in(status,
		    DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, &plain_policy,
		    0);

		for (size_t i = 0; i < NELEMS(heuristic); i++)
			is_one |= heuristic[i] == status;
		ck_assert_msg(
		    status_is_heuristic(status) == is_one, "%u", status);
		ck_assert_uint_eq(f.lifetime_s, is_one ? DAY_S : 0);
	}
}
END_TEST

START_TEST(no_lifetime_is_invented_unless_configured)
{
	static const struct {
		unsigned status;
		const char *fields;
		struct cache_policy policy;
		uint32_t lifetime_s;
	} rows[] = {
	    {200, "", {.ttl_s = 30}, 30},
	    {301, "", {.ttl_s = 30}, 30},
	    {404, "", {.ttl_s = 30}, 0},
	    {404, "", {.negative_ttl_s = 7}, 7},
	    {501, "", {.negative_ttl_s = 7}, 7},
	    {200, "", {.negative_ttl_s = 7}, 0},
	    {302, "", {.ttl_s = 30}, 0},
	    {500, "", {.ttl_s = 30, .negative_ttl_s = 7}, 7},
	    {500, "", {.ttl_s = 30}, 0},
	    {500, CACHE("public"), {.negative_ttl_s = 7}, 7},
	    {400, CACHE("public"), {.ttl_s = 30, .negative_ttl_s = 7}, 7},
	    {399, CACHE("public"), {.ttl_s = 30, .negative_ttl_s = 7}, 30},
	    {200, CACHE("max-age=5"), {.ttl_s = 30}, 5},
	    {200, "Expires: 0", {.ttl_s = 30}, 0},
	    {200, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE,
		{.ttl_s = 30, .heuristic_max_s = 9}, 30},
	    {200, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, {.ttl_s = 30},
		30},
	    {200, DATE_NOON "Last-Modified: " TEN_DAYS_BEFORE, {.ttl_s = 0}, 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct freshness f = freshness_in(
		    rows[i].status, rows[i].fields, &rows[i].policy, 0);

		ck_assert_msg(f.lifetime_s == rows[i].lifetime_s, "%u %s: %u",
		    rows[i].status, rows[i].fields, (unsigned)f.lifetime_s);
	}
}
END_TEST

START_TEST(initial_age_is_corrected)
{
	static const struct {
		const char *fields;
		int64_t delay_s;
		int64_t age_s;
	} rows[] = {
	    {"", 0, 0},
	    {DATE_NOON, 0, 0},
	    {"Age: 7", 0, 7},
	    {"Age: 0", 0, 0},
	    {"Age: 007", 0, 7},
	    {"Age: 7", 3, 10},
	    {"", 3, 3},
	    {"", -3, 0},
	    {"Date: " MINUTE_BEFORE, 0, 60},
	    {"Date: " MINUTE_BEFORE, 3, 60},
	    {"Date: " MINUTE_BEFORE "\nAge: 59", 3, 62},
	    {"Date: " MINUTE_BEFORE "\nAge: 50", 3, 60},
	    {"Date: " MINUTE_AFTER, 0, 0},
	    {"Date: " MINUTE_AFTER "\nAge: 5", 0, 5},
	    {"Date: nonsense\nAge: 5", 0, 5},
	    {"Date: Thu, 01 Jan 0001 00:00:00 GMT", 0, HUGE_S},
	    /* the first member; what is no number is ignored; huge is stale */
	    {"Age: 7200, 0", 0, 7200},
	    {"Age: 7200,0", 0, 7200},
	    {"Age: 0, 7200", 0, 0},
	    {"Age: 7200\nAge: 0", 0, 7200},
	    {"Age: 0\nAge: 7200", 0, 0},
	    {"Age: , 5", 0, 5},
	    {"Age:", 0, 0},
	    {"Age: abc", 0, 0},
	    {"Age: -7200", 0, 0},
	    {"Age: +7200", 0, 0},
	    {"Age: 7200.0", 0, 0},
	    {"Age: 7200;foo=1", 0, 0},
	    {"Age: \"7200\"", 0, 0},
	    {"Age: 72 00", 0, 0},
	    {"Age: abc, 7200", 0, 0},
	    {"Age: 2147483647", 0, 2147483647},
	    {"Age: 2147483648", 0, HUGE_S},
	    {"Age: 2147483649", 0, HUGE_S},
	    {"Age: 4294967297", 0, HUGE_S},
	    {"Age: 18446744073709551617", 0, HUGE_S},
	    {"Age: 99999999999999999999999999999999999", 0, HUGE_S},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct freshness f = freshness_in(
		    200, rows[i].fields, &plain_policy, rows[i].delay_s);

		ck_assert_msg(f.age_s == rows[i].age_s, "%s: %u",
		    rows[i].fields, (unsigned)f.age_s);
	}
}
END_TEST

START_TEST(flags_and_windows_are_told)
{
	static const struct cache_policy policy = {
	    .stale_while_revalidate_s = 11,
	    .stale_if_error_s = 12,
	    .cookies = COOKIES_STORE};
	static const struct {
		unsigned status;
		const char *fields;
		uint32_t flags;
		uint32_t swr_s, sie_s;
	} rows[] = {
	    {200, "", 0, 11, 12},
	    {200, CACHE("must-revalidate"), FRESH_MUST_REVALIDATE, 11, 12},
	    {200, CACHE("proxy-revalidate"), FRESH_MUST_REVALIDATE, 11, 12},
	    {200, CACHE("s-maxage=1"), FRESH_MUST_REVALIDATE | FRESH_EXPLICIT,
		11, 12},
	    {200, CACHE("no-cache"), FRESH_NO_CACHE, 11, 12},
	    {200, CACHE("no-cache=\"a\""), FRESH_STRIP_NAMED, 11, 12},
	    {200, CACHE("private=\"a\", no-cache"),
		FRESH_STRIP_NAMED | FRESH_NO_CACHE, 11, 12},
	    {200, CACHE("no-transform"), FRESH_NO_TRANSFORM, 11, 12},
	    {200, "ETag: \"a\"", FRESH_VALIDATOR, 11, 12},
	    {206, "Last-Modified: " NOON, FRESH_PARTIAL | FRESH_VALIDATOR, 11,
		12},
	    {200, CACHE("stale-while-revalidate=3"), 0, 3, 12},
	    {200, CACHE("stale-while-revalidate=0"), 0, 0, 12},
	    {200, CACHE("stale-if-error=4"), FRESH_ERROR_TOLD, 11, 4},
	    {200, CACHE("stale-if-error=x"), FRESH_ERROR_TOLD, 11, 0},
	    {200, CACHE("no-cache") CDN("max-age=5"),
		FRESH_CDN | FRESH_EXPLICIT, 11, 12},
	    {200, CDN("max-age=5, must-revalidate, stale-if-error=9"),
		FRESH_CDN | FRESH_EXPLICIT | FRESH_MUST_REVALIDATE |
		    FRESH_ERROR_TOLD,
		11, 9},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct freshness f =
		    freshness_in(rows[i].status, rows[i].fields, &policy, 0);

		ck_assert_msg(f.flags == rows[i].flags &&
				  f.stale_while_revalidate_s == rows[i].swr_s &&
				  f.stale_if_error_s == rows[i].sie_s,
		    "%s: %x %u %u", rows[i].fields, (unsigned)f.flags,
		    (unsigned)f.stale_while_revalidate_s,
		    (unsigned)f.stale_if_error_s);
	}
	ck_assert_uint_eq(
	    freshness_in(200, "", &plain_policy, 0).flags, FRESH_STRIP_COOKIE);
}
END_TEST

START_TEST(age_grows_with_the_clock_and_never_back)
{
	struct freshness f = {
	    .stored_s = FIX_NOW_S, .age_s = 5, .lifetime_s = 60};

	ck_assert_uint_eq(freshness_age(&f, FIX_NOW_S), 5);
	ck_assert_uint_eq(freshness_age(&f, FIX_NOW_S + 7), 12);
	ck_assert_uint_eq(freshness_age(&f, FIX_NOW_S - 7), 5);
	ck_assert_uint_eq(
	    freshness_age(&f, FIX_NOW_S + 2 * HUGE_S), CC_SECONDS_MAX);
	ck_assert_int_eq(freshness_ttl(&f, FIX_NOW_S), 55);
	ck_assert_int_eq(freshness_ttl(&f, FIX_NOW_S + 100), -45);
	freshness_expire(&f, FIX_NOW_S + 10);
	ck_assert_int_eq(freshness_ttl(&f, FIX_NOW_S + 10), 0);
	ck_assert_int_eq(freshness_ttl(&f, FIX_NOW_S + 15), -5);
	freshness_expire(&f, FIX_NOW_S + 100);
	ck_assert_int_eq(freshness_ttl(&f, FIX_NOW_S + 15), -5);
}
END_TEST

/* What is judged: a response stored with age 0 and lifetime 100, asked for
 * after `age` seconds. */
struct judge_row {
	uint32_t flags;
	uint32_t swr_s, sie_s;
	uint32_t age;
	const char *request;
	enum reuse how;
	/* E: may answer an error, L: a lost origin */
	const char *failures;
};

static void
check_judge(const struct judge_row *row, const struct cache_policy *policy)
{
	struct freshness f = {.stored_s = FIX_NOW_S,
	    .lifetime_s = 100,
	    .flags = row->flags,
	    .stale_while_revalidate_s = row->swr_s,
	    .stale_if_error_s = row->sie_s};
	struct reuse_verdict v;
	struct http_fields req;
	struct cc cc;

	fix_fields(&req, row->request);
	cc_parse_request(&req, &cc);
	freshness_judge(&f, &cc, policy, FIX_NOW_S + row->age, &v);
	ck_assert_msg(
	    v.how == row->how &&
		v.may_answer_error == (strchr(row->failures, 'E') != NULL) &&
		v.may_answer_lost == (strchr(row->failures, 'L') != NULL),
	    "%x age %u, %s: %d %d %d", (unsigned)row->flags, (unsigned)row->age,
	    row->request, (int)v.how, v.may_answer_error, v.may_answer_lost);
	ck_assert_uint_eq(v.age_s, row->age);
	ck_assert_int_eq(v.ttl_s, 100 - (int64_t)row->age);
	ck_assert_int_eq(v.is_stale, row->age >= 100);
}

START_TEST(stored_responses_are_judged_by_both_sides)
{
	static const struct judge_row rows[] = {
	    {0, 0, 0, 0, "", REUSE_HIT, "EL"},
	    {0, 0, 0, 99, "", REUSE_HIT, "EL"},
	    {0, 0, 0, 100, "", REUSE_VALIDATE, "L"},
	    {0, 0, 0, 100000, "", REUSE_VALIDATE, "L"},
	    {FRESH_NO_CACHE, 0, 0, 5, "", REUSE_VALIDATE, ""},
	    {FRESH_NO_CACHE, 50, 50, 105, "", REUSE_VALIDATE, ""},
	    {FRESH_MUST_REVALIDATE, 0, 0, 99, "", REUSE_HIT, ""},
	    {FRESH_MUST_REVALIDATE, 50, 50, 100, "", REUSE_VALIDATE, ""},
	    /* stale-while-revalidate */
	    {0, 50, 0, 99, "", REUSE_HIT, "EL"},
	    {0, 50, 0, 100, "", REUSE_STALE_WHILE_REVALIDATE, "L"},
	    {0, 50, 0, 150, "", REUSE_STALE_WHILE_REVALIDATE, "L"},
	    {0, 50, 0, 151, "", REUSE_VALIDATE, "L"},
	    {0, 50, 0, 110, CACHE("no-cache"), REUSE_VALIDATE, ""},
	    {0, 50, 0, 110, CACHE("max-age=200"), REUSE_VALIDATE, "L"},
	    {0, 50, 0, 110, CACHE("min-fresh=0"), REUSE_VALIDATE, "L"},
	    {0, 50, 0, 110, CACHE("max-stale=5"), REUSE_STALE_WHILE_REVALIDATE,
		"L"},
	    {0, 50, 0, 110, CACHE("only-if-cached"),
		REUSE_STALE_WHILE_REVALIDATE, "L"},
	    /* stale-if-error */
	    {0, 0, 50, 100, "", REUSE_VALIDATE, "EL"},
	    {0, 0, 50, 150, "", REUSE_VALIDATE, "EL"},
	    {0, 0, 50, 151, "", REUSE_VALIDATE, ""},
	    {FRESH_ERROR_TOLD, 0, 0, 101, "", REUSE_VALIDATE, ""},
	    {FRESH_ERROR_TOLD, 0, 50, 150, "", REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 110, CACHE("stale-if-error=20"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 130, CACHE("stale-if-error=20"), REUSE_VALIDATE, ""},
	    {0, 0, 50, 140, CACHE("stale-if-error=20"), REUSE_VALIDATE, "EL"},
	    {FRESH_MUST_REVALIDATE, 0, 0, 110, CACHE("stale-if-error=20"),
		REUSE_VALIDATE, ""},
	    /* the request's directives */
	    {0, 0, 0, 5, CACHE("no-cache"), REUSE_VALIDATE, ""},
	    {0, 0, 0, 5, CACHE("no-cache=\"x\""), REUSE_VALIDATE, ""},
	    {0, 0, 0, 5, "Pragma: no-cache", REUSE_VALIDATE, ""},
	    {0, 0, 0, 5, "Pragma: no-cache\n" CACHE("foo"), REUSE_HIT, "EL"},
	    {0, 0, 0, 5, CACHE("no-store"), REUSE_HIT, "EL"},
	    {0, 0, 0, 0, CACHE("max-age=0"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 5, CACHE("max-age=5"), REUSE_HIT, "EL"},
	    {0, 0, 0, 6, CACHE("max-age=5"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 6, CACHE("max-age=x"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 6, CACHE("max-age=5, max-stale"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 110, CACHE("max-age=500, max-stale=20"), REUSE_HIT, "L"},
	    {0, 0, 0, 40, CACHE("min-fresh=60"), REUSE_HIT, "EL"},
	    {0, 0, 0, 41, CACHE("min-fresh=60"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 41, CACHE("min-fresh=x"), REUSE_HIT, "EL"},
	    {0, 0, 0, 5, CACHE("min-fresh=99999999999"), REUSE_VALIDATE, "EL"},
	    {0, 0, 0, 110, CACHE("max-stale"), REUSE_HIT, "L"},
	    {0, 0, 0, 1000000, CACHE("max-stale"), REUSE_HIT, "L"},
	    {0, 0, 0, 110, CACHE("max-stale=10"), REUSE_HIT, "L"},
	    {0, 0, 0, 111, CACHE("max-stale=10"), REUSE_VALIDATE, "L"},
	    {0, 0, 0, 101, CACHE("max-stale=x"), REUSE_VALIDATE, "L"},
	    {FRESH_MUST_REVALIDATE, 0, 0, 110, CACHE("max-stale"),
		REUSE_VALIDATE, ""},
	    {FRESH_NO_CACHE, 0, 0, 5, CACHE("max-stale"), REUSE_VALIDATE, ""},
	    {0, 0, 0, 5, CACHE("only-if-cached"), REUSE_HIT, "EL"},
	    {0, 0, 0, 110, CACHE("only-if-cached"), REUSE_TIMEOUT, "L"},
	    {0, 0, 0, 110, CACHE("only-if-cached, max-stale"), REUSE_HIT, "L"},
	    {0, 0, 0, 5, CACHE("only-if-cached, no-cache"), REUSE_TIMEOUT, ""},
	    {FRESH_NO_CACHE, 0, 0, 5, CACHE("only-if-cached"), REUSE_TIMEOUT,
		""},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		check_judge(&rows[i], &plain_policy);
}
END_TEST

START_TEST(request_directives_can_be_ignored_one_by_one)
{
	static const struct {
		uint32_t ignored;
		struct judge_row row;
	} rows[] = {
	    {CC_BIT(CC_NO_CACHE),
		{0, 0, 0, 5, CACHE("no-cache"), REUSE_HIT, "EL"}},
	    {CC_BIT(CC_NO_CACHE),
		{0, 0, 0, 5, "Pragma: no-cache", REUSE_HIT, "EL"}},
	    {CC_PRAGMA, {0, 0, 0, 5, "Pragma: no-cache", REUSE_HIT, "EL"}},
	    {CC_PRAGMA, {0, 0, 0, 5, CACHE("no-cache"), REUSE_VALIDATE, ""}},
	    {CC_BIT(CC_MAX_AGE),
		{0, 0, 0, 5, CACHE("max-age=0"), REUSE_HIT, "EL"}},
	    {CC_BIT(CC_MAX_AGE),
		{0, 0, 0, 5, CACHE("max-age=0, no-cache"), REUSE_VALIDATE, ""}},
	    {CC_BIT(CC_MIN_FRESH),
		{0, 0, 0, 5, CACHE("min-fresh=99"), REUSE_HIT, "EL"}},
	    {CC_BIT(CC_MAX_STALE),
		{0, 0, 0, 110, CACHE("max-stale"), REUSE_VALIDATE, "L"}},
	    {CC_BIT(CC_STALE_IF_ERROR),
		{0, 0, 0, 110, CACHE("stale-if-error=50"), REUSE_VALIDATE,
		    "L"}},
	    {CC_BIT(CC_ONLY_IF_CACHED),
		{0, 0, 0, 110, CACHE("only-if-cached"), REUSE_VALIDATE, "L"}},
	    {CC_BIT(CC_NO_CACHE), {FRESH_NO_CACHE, 0, 0, 5, CACHE("no-cache"),
				      REUSE_VALIDATE, ""}},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct cache_policy policy = {.ignored = rows[i].ignored};

		check_judge(&rows[i].row, &policy);
	}
}
END_TEST

START_TEST(who_asked_for_validation_is_told)
{
	struct freshness f = {.stored_s = FIX_NOW_S, .lifetime_s = 100};
	struct cc cc = {.seen = CC_BIT(CC_NO_CACHE)};
	struct reuse_verdict v;

	freshness_judge(&f, &cc, &plain_policy, FIX_NOW_S, &v);
	ck_assert(v.is_asked && !v.is_stale);
	cc.seen = 0;
	freshness_judge(&f, &cc, &plain_policy, FIX_NOW_S + 200, &v);
	ck_assert(!v.is_asked && v.is_stale);
}
END_TEST

START_TEST(nothing_stored_is_a_miss)
{
	struct cc cc = {.seen = 0};
	struct reuse_verdict v;

	freshness_judge(NULL, &cc, &plain_policy, FIX_NOW_S, &v);
	ck_assert_int_eq(v.how, REUSE_MISS);
	ck_assert(!v.may_answer_error && !v.may_answer_lost);
	cc.seen = CC_BIT(CC_ONLY_IF_CACHED);
	freshness_judge(NULL, &cc, &plain_policy, FIX_NOW_S, &v);
	ck_assert_int_eq(v.how, REUSE_TIMEOUT);
}
END_TEST

/* Nothing is fresh for ever. */
START_TEST(the_longest_lifetime_ends)
{
	struct freshness f =
	    freshness_in(200, CACHE("max-age=99999999999"), &plain_policy, 0);
	struct cc cc = {.seen = 0};
	struct reuse_verdict v;

	freshness_judge(&f, &cc, &plain_policy, FIX_NOW_S + HUGE_S - 1, &v);
	ck_assert_int_eq(v.how, REUSE_HIT);
	freshness_judge(&f, &cc, &plain_policy, FIX_NOW_S + HUGE_S, &v);
	ck_assert_int_eq(v.how, REUSE_VALIDATE);
	freshness_judge(&f, &cc, &plain_policy, INT64_MAX / 2, &v);
	ck_assert_int_eq(v.how, REUSE_VALIDATE);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    lifetimes_follow_the_order_of_the_rfc,
	    heuristics_are_for_the_statuses_of_the_rfc,
	    no_lifetime_is_invented_unless_configured,
	    initial_age_is_corrected,
	    flags_and_windows_are_told,
	    age_grows_with_the_clock_and_never_back,
	    stored_responses_are_judged_by_both_sides,
	    request_directives_can_be_ignored_one_by_one,
	    who_asked_for_validation_is_told,
	    nothing_stored_is_a_miss,
	    the_longest_lifetime_ends,
	};

	return unit_run_in(
	    "freshness", tests, NELEMS(tests), fix_set_up, fix_tear_down);
}
