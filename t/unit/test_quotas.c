/* What is used of quotas: days, names, a full table; and the file that
 * remembers it: there and back, and everything that is no such file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/zone.h"
#include "common/store/quota_file.h"
#include "common/store/quotas.h"
#include "t/unit/unit.h"

#define DAY 20000

static struct segment *seg;
static struct slots *slots;
static struct quotas *quotas;
static struct slot_name me;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	ck_assert_int_ge(slot, 0);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	quotas = quotas_map(seg, true);
	ck_assert_ptr_nonnull(quotas);
	ck_assert(quotas_ready(quotas, seg));
}

static void
tear_down(void)
{
	ck_assert(quotas_check(quotas));
	segment_free(seg);
}

static uint64_t
spend(const char *name, int32_t day, uint64_t bytes)
{
	uint64_t used = UINT64_MAX;

	ck_assert(
	    quotas_spend(quotas, slots, me, span_str(name), day, bytes, &used));
	return used;
}

START_TEST(each_name_has_its_own)
{
	ck_assert_uint_eq(spend("a", DAY, 0), 0);
	ck_assert_uint_eq(spend("a", DAY, 10), 10);
	ck_assert_uint_eq(spend("b", DAY, 7), 7);
	ck_assert_uint_eq(spend("a", DAY, 5), 15);
	ck_assert_uint_eq(spend("a", DAY, 0), 15);
	ck_assert_uint_eq(quotas_changes(quotas), 3);
}
END_TEST

/* A worker whose clock is behind counts for the day that has begun; a clock
 * that was set back by more begins anew. */
START_TEST(a_day_begins_with_nothing)
{
	ck_assert_uint_eq(spend("a", DAY, 10), 10);
	ck_assert_uint_eq(spend("a", DAY + 1, 0), 0);
	ck_assert_uint_eq(spend("a", DAY, 3), 3);
	ck_assert_uint_eq(spend("a", DAY + 1, 4), 7);
	ck_assert_uint_eq(spend("a", DAY - 5, 2), 2);
}
END_TEST

START_TEST(what_is_counted_has_bounds)
{
	char name[2 * QUOTA_NAME_MAX];

	ck_assert_uint_eq(spend("a", DAY, UINT64_MAX), QUOTA_USED_MAX);
	ck_assert_uint_eq(spend("a", DAY, UINT64_MAX), QUOTA_USED_MAX);
	/* of names that are too long the first bytes count */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_uint_eq(spend(name, DAY, 5), 5);
	name[QUOTA_NAME_MAX] = 'y';
	ck_assert_uint_eq(spend(name, DAY, 5), 10);
	name[QUOTA_NAME_MAX - 1] = 'y';
	ck_assert_uint_eq(spend(name, DAY, 5), 5);
}
END_TEST

/* Those of earlier days go first, then those who used least. */
START_TEST(a_full_table_forgets_who_matters_least)
{
	char name[32];

	for (unsigned i = 0; i < QUOTAS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "old %u", i);
		(void)spend(name, DAY - 1, 1000);
	}
	(void)spend("much", DAY, 1000000);
	for (unsigned i = 0; i < QUOTAS_MAX / 4; i++) {
		(void)snprintf(name, sizeof(name), "new %u", i);
		(void)spend(name, DAY, 1);
	}
	ck_assert_uint_eq(spend("much", DAY, 0), 1000000);
	for (unsigned i = 0; i < 4 * QUOTAS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "more %u", i);
		(void)spend(name, DAY, 1);
	}
	ck_assert_uint_eq(spend("much", DAY, 0), 1000000);
	ck_assert_uint_gt(quotas_evicted(quotas), QUOTAS_MAX);
}
END_TEST

/* --- files ---------------------------------------------------------------- */

static void
restore(void *self, const struct quota *q)
{
	unsigned *n = self;

	ck_assert(quotas_restore(quotas, slots, me, q));
	++*n;
}

START_TEST(a_file_holds_what_was_used)
{
	static const char want[] = "gatehouse quotas 1\n"
				   "20000 12 o%20a%0A%25%C3%A4\n"
				   "20001 34 o%20b\n"
				   "end 2\n";
	struct quota all[8];
	uint32_t at = 0;
	uint32_t n = 0;
	unsigned n_read = 0;
	uint32_t line;
	size_t len;
	char *p;

	(void)spend("o b", DAY + 1, 34);
	(void)spend("o a\n%\xc3\xa4", DAY, 12);
	while (quotas_next(quotas, slots, me, &at, &all[n]))
		n++;
	ck_assert_uint_eq(n, 2);
	/* what a table may hold by mistake is in no file */
	all[2] = all[0];
	all[3] = all[0];
	all[3].day = -1;
	all[4] = (struct quota){.day = DAY, .used = 1};
	p = quota_file_write(all, 5, &len);
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_mem_eq(p, want, len);
	ck_assert_ptr_null(
	    quota_file_read(span_of(p, len), restore, &n_read, &line));
	ck_assert_uint_eq(n_read, 2);
	ck_assert_uint_eq(spend("o b", DAY + 1, 0), 68);
	free(p);
}
END_TEST

/* A day that has begun is not added to. */
START_TEST(what_is_older_is_not_restored)
{
	struct quota q = {DAY, 1, 50, "a"};

	(void)spend("a", DAY + 1, 5);
	ck_assert(quotas_restore(quotas, slots, me, &q));
	ck_assert_uint_eq(spend("a", DAY + 1, 0), 5);
}
END_TEST

#define HEAD "gatehouse quotas 1\n"

START_TEST(what_is_no_such_file_is_refused)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} rows[] = {
	    {"", 1, "no file of quotas"},
	    {"gatehouse quotas 2\nend 0\n", 1, "another version"},
	    {HEAD, 2, "too early"},
	    {HEAD "1 2 a\n", 3, "too early"},
	    {HEAD "end 0", 2, "too early"},
	    {HEAD "end 1\n", 2, "another number"},
	    {HEAD "end 00\n", 2, "another number"},
	    {HEAD "end 0\nx", 2, "behind its end"},
	    {HEAD "1 2\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 \nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1  2 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "-1 2 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "01 2 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1000001 2 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 1152921504606846977 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 99999999999999999999999 a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 a b\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 a%\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 a%2\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 a%0a\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 %61\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 a\r\nend 1\n", 2, "DAY USED NAME"},
	    {HEAD "1 2 b\n1 2 a\nend 2\n", 3, "not in order"},
	    {HEAD "1 2 a\n1 2 a\nend 2\n", 3, "not in order"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		unsigned n = 0;
		uint32_t line = 0;
		const char *why =
		    quota_file_read(span_str(rows[i].text), restore, &n, &line);

		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_nonnull(strstr(why, rows[i].why));
		ck_assert_uint_eq(line, rows[i].line);
		ck_assert_uint_eq(n, 0);
	}
}
END_TEST

/* --- days ----------------------------------------------------------------- */

START_TEST(days_begin_where_and_when_they_are_to)
{
	static struct zone z;
	/* 2026-03-29 01:00 UTC: the clock goes from 02:00 to 03:00 */
	int64_t change = 1774746000;

	ck_assert(zone_load(&z, SPAN_LIT("Europe/Berlin"), change - 86400));
	ck_assert_int_eq(zone_day(&z, change, 0), 20541);
	/* the day began at midnight, an hour ahead of UTC */
	ck_assert_int_eq(zone_day(&z, change - 2 * 3600, 0), 20541);
	ck_assert_int_eq(zone_day(&z, change - 2 * 3600 - 1, 0), 20540);
	/* at 04:00 of the clock, also of one that was put forward */
	ck_assert_int_eq(zone_day(&z, change + 3600 - 1, 4 * 3600), 20540);
	ck_assert_int_eq(zone_day(&z, change + 3600, 4 * 3600), 20541);
	ck_assert(zone_load(&z, SPAN_LIT("UTC"), 0));
	ck_assert_int_eq(zone_day(&z, -1, 0), -1);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    each_name_has_its_own,
	    a_day_begins_with_nothing,
	    what_is_counted_has_bounds,
	    a_full_table_forgets_who_matters_least,
	    a_file_holds_what_was_used,
	    what_is_older_is_not_restored,
	    what_is_no_such_file_is_refused,
	    days_begin_where_and_when_they_are_to,
	};

	return unit_run_in("quotas", tests, NELEMS(tests), set_up, tear_down);
}
