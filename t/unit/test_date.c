/* Dates of HTTP (RFC 9110 5.6.7) and of logs; the clocks. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/date.h"
#include "t/unit/unit.h"

#define DAY_S 86400
/* The RFC's example, and a day in the year of another one. */
#define EXAMPLE_S 784111777
#define NOW_S INT64_C(1700000000) /* 14 Nov 2023 */
#define YEAR_1_S INT64_C(-62135596800)
#define YEAR_9999_S INT64_C(253402300799)

static bool
parse(const char *text, size_t len, int64_t now_s, int64_t *out)
{
	char *copy = malloc(len > 0 ? len : 1);
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	ok = date_parse_http(span_of(copy, len), now_s, out);
	free(copy);
	return ok;
}

START_TEST(the_three_forms_are_one_date)
{
	static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};

	for (size_t i = 0; i < NELEMS(forms); i++) {
		size_t len = strlen(forms[i]);
		int64_t s = 0;

		ck_assert(parse(forms[i], len, NOW_S, &s));
		ck_assert_int_eq(s, EXAMPLE_S);
		for (size_t n = 0; n < len; n++)
			ck_assert_msg(!parse(forms[i], n, NOW_S, &s), "%.*s",
			    (int)n, forms[i]);
	}
}
END_TEST

START_TEST(two_digits_are_not_more_than_fifty_years_ahead)
{
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {
	    {"Sunday, 01-Jan-73 00:00:00 GMT", INT64_C(3250454400)},
	    {"Tuesday, 01-Jan-74 00:00:00 GMT", 126230400},
	    {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		int64_t s;

		ck_assert(parse(rows[i].text, strlen(rows[i].text), NOW_S, &s));
		ck_assert_int_eq(s, rows[i].s);
	}
}
END_TEST

START_TEST(days_that_are_not_in_the_calendar_are_refused)
{
	static const char *const rows[] = {
	    "Sun, 00 Nov 1994 08:49:37 GMT",
	    "Sun, 31 Nov 1994 08:49:37 GMT",
	    "Sun, 29 Feb 1900 08:49:37 GMT",
	    "Sun, 29 Feb 2023 08:49:37 GMT",
	    "Sun, 06 Nov 1994 24:00:00 GMT",
	    "Sun, 06 Nov 1994 08:60:00 GMT",
	    "Sun, 06 Nov 1994 08:49:61 GMT",
	    "Sun, 06 nov 1994 08:49:37 GMT",
	    "sun, 06 Nov 1994 08:49:37 GMT",
	    "Sun, 6 Nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 94 08:49:37 GMT",
	    "Sun, 06 Nov 1994 8:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 UTC",
	    "Sun, 06 Nov 1994 08:49:37 +0000",
	    "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 06 Nov 1994 08:49:37 GMT ",
	    " Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sun, -6 Nov 1994 08:49:37 GMT",
	    "Sun, 06  Nov 1994 08:49:37 GMT",
	    "Sun Nov 6 08:49:37 1994",
	    "Sun Nov 06  08:49:37 1994",
	    "Sunday, 06 Nov 1994 08:49:37 GMT",
	    "Sunday, 06-Nov-1994 08:49:37 GMT",
	    "784111777",
	    "0",
	    "",
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		int64_t s;

		ck_assert_msg(
		    !parse(rows[i], strlen(rows[i]), NOW_S, &s), "%s", rows[i]);
	}
}
END_TEST

START_TEST(leap_days_and_leap_seconds_are_read)
{
	static const char leap_day[] = "Tue, 29 Feb 2000 23:59:60 GMT";
	int64_t s;

	ck_assert(parse(leap_day, sizeof(leap_day) - 1, NOW_S, &s));
	/* POSIX has no leap second: it is the next one */
	ck_assert_int_eq(s, 951868800);
}
END_TEST

/* Every day of 400 years and the ends of what can be written, against the C
 * library. */
START_TEST(what_is_written_is_read_as_the_same)
{
	int64_t s = -INT64_C(11676096000) + 37;
	char http[DATE_HTTP_LEN], want[64], clf[DATE_CLF_LEN];

	for (int day = 0; day < 146097; day++, s += DAY_S + (day % 2)) {
		time_t t = (time_t)s;
		struct tm tm;
		int64_t back = 0;

		date_format_http(s, http);
		date_format_clf(s, clf);
		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		ck_assert_uint_eq(strftime(want, sizeof(want),
				      "%a, %d %b %Y %H:%M:%S GMT", &tm),
		    DATE_HTTP_LEN);
		ck_assert_mem_eq(http, want, DATE_HTTP_LEN);
		ck_assert_uint_eq(strftime(want, sizeof(want),
				      "%d/%b/%Y:%H:%M:%S +0000", &tm),
		    DATE_CLF_LEN);
		ck_assert_mem_eq(clf, want, DATE_CLF_LEN);
		ck_assert(
		    date_parse_http(span_of(http, sizeof(http)), NOW_S, &back));
		ck_assert_int_eq(back, s);
	}
}
END_TEST

START_TEST(the_first_and_the_last_year_can_be_written)
{
	char out[DATE_HTTP_LEN];

	date_format_http(YEAR_1_S, out);
	ck_assert_mem_eq(out, "Mon, 01 Jan 0001 00:00:00 GMT", DATE_HTTP_LEN);
	date_format_http(YEAR_9999_S, out);
	ck_assert_mem_eq(out, "Fri, 31 Dec 9999 23:59:59 GMT", DATE_HTTP_LEN);
}
END_TEST

START_TEST(milliseconds_are_cut_not_rounded)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
	    {0, "1970-01-01T00:00:00.000Z"},
	    {999999, "1970-01-01T00:00:00.999Z"},
	    {-1, "1969-12-31T23:59:59.999Z"},
	    {-1000000, "1969-12-31T23:59:59.000Z"},
	    {EXAMPLE_S * INT64_C(1000000) + 123456, "1994-11-06T08:49:37.123Z"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char out[DATE_ISO_LEN];

		date_format_iso(rows[i].us, out);
		ck_assert_mem_eq(out, rows[i].text, DATE_ISO_LEN);
	}
}
END_TEST

START_TEST(clocks_go_on_in_their_units)
{
	struct clock c = {1999, 2999999};
	struct clock again;
	time_t before = time(NULL);
	time_t after;

	ck_assert_uint_eq(clock_mono_ms(&c), 1);
	ck_assert_int_eq(clock_wall_s(&c), 2);
	clock_update(&c);
	clock_update(&again);
	after = time(NULL);
	ck_assert_uint_ge(again.mono_us, c.mono_us);
	ck_assert_uint_ge(clock_mono_us(), again.mono_us);
	/* time() may be of the tick before */
	ck_assert_int_ge(clock_wall_s(&c), before);
	ck_assert_int_le(clock_wall_s(&again), after + 1);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_three_forms_are_one_date,
	    two_digits_are_not_more_than_fifty_years_ahead,
	    days_that_are_not_in_the_calendar_are_refused,
	    leap_days_and_leap_seconds_are_read,
	    what_is_written_is_read_as_the_same,
	    the_first_and_the_last_year_can_be_written,
	    milliseconds_are_cut_not_rounded,
	    clocks_go_on_in_their_units,
	};

	return unit_run("date", tests, NELEMS(tests));
}
