/* Unit tests of acl/acl_time and base/zone: windows of a week, and what clocks
 * on walls show. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/acl/acl_time.h"

enum { SUN, MON, TUE, WED, THU, FRI, SAT };

#define AT(h, m) ((unsigned)((h)*3600 + (m)*60))

static struct zone zone;

static int64_t
utc(int year, int month, int day, int hour, int minute)
{
	struct tm tm = {.tm_year = year - 1900,
	    .tm_mon = month - 1,
	    .tm_mday = day,
	    .tm_hour = hour,
	    .tm_min = minute};

	return (int64_t)timegm(&tm);
}

START_TEST(a_line_is_days_and_hours)
{
	static const struct {
		const char *line;
		unsigned weekday;
		unsigned second;
		bool holds;
	} rows[] = {
	    {"mon-fri 08:00-24:00", MON, AT(8, 0), true},
	    {"mon-fri 08:00-24:00", MON, AT(8, 0) - 1, false},
	    {"mon-fri 08:00-24:00", FRI, AT(24, 0) - 1, true},
	    {"mon-fri 08:00-24:00", SAT, AT(9, 0), false},
	    {"mon-fri 08:00-24:00", SUN, AT(9, 0), false},
	    {"08:00-12:00 13:00-18:00", SUN, AT(12, 0) - 1, true},
	    {"08:00-12:00 13:00-18:00", SUN, AT(12, 0), false},
	    {"08:00-12:00 13:00-18:00", WED, AT(13, 0), true},
	    {"08:00-12:00 13:00-18:00", WED, AT(18, 0), false},
	    {"sat sun", SAT, 0, true},
	    {"sat sun", SUN, AT(24, 0) - 1, true},
	    {"sat sun", MON, 0, false},
	    {"fri-mon", SAT, 1, true},
	    {"fri-mon", SUN, 1, true},
	    {"fri-mon", TUE, 1, false},
	    {"fri-mon", THU, 1, false},
	    {"mon wed-thu\t00:00-00:01", THU, 59, true},
	    {"mon wed-thu 00:00-00:01", THU, 60, false},
	    {"mon wed-thu 00:00-00:01", TUE, 0, false},
	    {"Mon-FRI", TUE, 0, true},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct zone_time t = {rows[i].weekday, rows[i].second};
		struct acl_time_problem why;
		struct acl_window w;

		ck_assert_msg(acl_window_read(span_str(rows[i].line), &w, &why),
		    "%s: %s", rows[i].line, why.why);
		ck_assert_msg(
		    acl_window_has(&w, t) == rows[i].holds, "%s", rows[i].line);
	}
}
END_TEST

START_TEST(mistakes_are_told_with_their_place)
{
	static const struct {
		const char *line;
		size_t at;
		const char *why;
	} rows[] = {
	    {"", 0, "it is empty"},
	    {"mon 22:00-06:00", 4,
		"a window ends with its day: write 22:00-24:"},
	    {"08:00-08:00", 0, "a window ends with its day"},
	    {"monday", 0, "expected days (mon, mon-fri)"},
	    {"mon,tue", 0, "expected days"},
	    {"mon-", 0, "expected days"},
	    {"8:00-9:00", 0, "expected days"},
	    {"08:00-24:01", 0, "expected days"},
	    {"08:60-09:00", 0, "expected days"},
	    {"mon 08.00-09.00", 4, "expected days"},
	    {"mon 08:00-09:00 tue", 16, "days stand before the hours"},
	    {"mon 00:00-01:00 01:00-02:00 02:00-03:00 03:00-04:00 04:00-05:00 "
	     "05:00-06:00 06:00-07:00 07:00-08:00 08:00-09:00 09:00-10:00 "
	     "10:00-11:00 11:00-12:00 12:00-13:00 13:00-14:00 14:00-15:00 "
	     "15:00-16:00 16:00-17:00",
		196, "more hours than a line may have"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct acl_time_problem why;
		struct acl_window w;

		ck_assert_msg(
		    !acl_window_read(span_str(rows[i].line), &w, &why), "%s",
		    rows[i].line);
		ck_assert_msg(
		    strncmp(why.why, rows[i].why, strlen(rows[i].why)) == 0,
		    "%s: %s", rows[i].line, why.why);
		ck_assert_uint_eq(why.at, rows[i].at);
	}
}
END_TEST

struct shown {
	int64_t s;
	unsigned weekday;
	unsigned second;
};

static void
check_clock(const struct shown *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct zone_time t = zone_at(&zone, rows[i].s);

		ck_assert_msg(
		    t.weekday == rows[i].weekday && t.second == rows[i].second,
		    "row %zu: day %u second %u", i, t.weekday, t.second);
	}
}

/* Directive 2000/84/EC: from the last Sunday in March to that in October, at
 * 01:00 UTC. */
START_TEST(summer_time_begins_and_ends_to_the_second)
{
	int64_t spring = utc(2024, 3, 31, 1, 0);
	int64_t autumn = utc(2024, 10, 27, 1, 0);
	const struct shown rows[] = {
	    {utc(2024, 1, 1, 0, 0), MON, AT(1, 0)},
	    {spring - 1, SUN, AT(2, 0) - 1},
	    {spring, SUN, AT(3, 0)},
	    {utc(2024, 7, 1, 22, 0), TUE, AT(0, 0)},
	    {autumn - 1, SUN, AT(3, 0) - 1},
	    {autumn, SUN, AT(2, 0)},
	    {utc(2024, 12, 31, 23, 30), WED, AT(0, 30)},
	    {utc(2060, 7, 1, 12, 0), THU, AT(14, 0)},
	};

	ck_assert(
	    zone_load(&zone, SPAN_LIT("Europe/Berlin"), utc(2024, 1, 1, 0, 0)));
	check_clock(rows, NELEMS(rows));
}
END_TEST

START_TEST(zones_of_all_kinds_are_known)
{
	static const struct {
		const char *name;
		unsigned weekday;
		unsigned second; /* at 2024-07-01 18:00 UTC, a Monday */
	} rows[] = {
	    {"UTC", MON, AT(18, 0)},
	    {"America/New_York", MON, AT(14, 0)},
	    {"Asia/Kolkata", MON, AT(23, 30)},
	    {"Asia/Kathmandu", MON, AT(23, 45)},
	    {"Pacific/Auckland", TUE, AT(6, 0)},
	    {"Pacific/Kiritimati", TUE, AT(8, 0)},
	    {"Etc/GMT+12", MON, AT(6, 0)},
	    {"Australia/Lord_Howe", TUE, AT(4, 30)},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const struct shown row = {
		    utc(2024, 7, 1, 18, 0), rows[i].weekday, rows[i].second};

		ck_assert_msg(zone_load(&zone, span_str(rows[i].name),
				  utc(2023, 1, 1, 0, 0)),
		    "%s", rows[i].name);
		check_clock(&row, 1);
	}
}
END_TEST

/* A clock that goes on as the library's does, hour by hour. */
START_TEST(each_hour_is_as_the_library_has_it)
{
	static const char *const names[] = {"Africa/Casablanca",
	    "Europe/Dublin", "America/Sao_Paulo", "Antarctica/Troll"};
	int64_t begin = utc(2023, 1, 1, 0, 0);

	for (size_t i = 0; i < NELEMS(names); i++) {
		ck_assert(zone_load(&zone, span_str(names[i]), begin));
		ck_assert_int_eq(setenv("TZ", names[i], 1), 0);
		tzset();
		for (int64_t s = begin; s < begin + 3 * 365 * INT64_C(86400);
		     s += 1800) {
			time_t t = (time_t)s;
			struct zone_time shown = zone_at(&zone, s);
			struct tm tm;

			(void)localtime_r(&t, &tm);
			if (shown.weekday != (unsigned)tm.tm_wday ||
			    shown.second != AT(tm.tm_hour, tm.tm_min))
				ck_abort_msg(
				    "%s at %lld", names[i], (long long)s);
		}
		ck_assert_int_eq(unsetenv("TZ"), 0);
	}
}
END_TEST

START_TEST(the_systems_own_zone_is_that_of_tz)
{
	const struct shown tokyo = {utc(2024, 7, 1, 18, 0), TUE, AT(3, 0)};

	ck_assert_int_eq(setenv("TZ", "Asia/Tokyo", 1), 0);
	ck_assert(zone_load(&zone, SPAN_LIT("UTC"), utc(2024, 1, 1, 0, 0)));
	ck_assert_str_eq(getenv("TZ"), "Asia/Tokyo");
	ck_assert(zone_load(&zone, SPAN_LIT(""), utc(2024, 1, 1, 0, 0)));
	check_clock(&tokyo, 1);
}
END_TEST

START_TEST(what_is_no_zone_is_refused)
{
	static const char *const names[] = {"Europe/Berlinn", "Berlin",
	    "../../../etc/passwd", "/etc/localtime", "Europe", "zone.tab",
	    "a b", "Europe/Berlin\n", "CEST-1",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "a"};

	for (size_t i = 0; i < NELEMS(names); i++)
		ck_assert_msg(
		    !zone_load(&zone, span_str(names[i]), 0), "%s", names[i]);
}
END_TEST

START_TEST(before_1970_days_go_on)
{
	const struct shown rows[] = {
	    {-1, WED, AT(24, 0) - 1},
	    {0, THU, 0},
	    {-86400 * INT64_C(10000) - 1, SAT, AT(24, 0) - 1},
	};

	ck_assert(zone_load(&zone, SPAN_LIT("UTC"), 0));
	check_clock(rows, NELEMS(rows));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_line_is_days_and_hours,
	    mistakes_are_told_with_their_place,
	    summer_time_begins_and_ends_to_the_second,
	    zones_of_all_kinds_are_known,
	    each_hour_is_as_the_library_has_it,
	    the_systems_own_zone_is_that_of_tz,
	    what_is_no_zone_is_refused,
	    before_1970_days_go_on,
	};

	return unit_run("acl/time", tests, NELEMS(tests));
}
