/* Unit tests of store/tally: where times are counted, and that what is added by
 * many is there for all. */
#include "common/base/check.h"
#include "common/store/tally.h"
#include "t/unit/unit.h"

#define BUDGET (UINT64_C(8) << 20)

static struct segment *seg;
static struct tallies *tallies;

static void
set_up(void)
{
	seg = segment_new(BUDGET);
	ck_assert_ptr_nonnull(seg);
	tallies = tallies_open(seg, true);
	ck_assert_ptr_nonnull(tallies);
}

static void
tear_down(void)
{
	tallies_free(tallies);
	segment_free(seg);
}

/* The step in which a time is counted. */
static uint32_t
step_of(uint64_t us)
{
	struct tally t = {0};

	tally_note(&t, TALLY_CONNECT, us);
	for (uint32_t i = 0; i <= TALLY_STEPS; i++)
		if (t.times[TALLY_CONNECT].n[i] == 1)
			return i;
	ck_abort_msg("counted nowhere");
}

START_TEST(a_step_ends_at_a_power_of_two_of_a_second)
{
	ck_assert_uint_eq(step_of(0), 0);
	/* 2^-14 s is 61.04 us, 2^-13 s 122.07 us */
	ck_assert_uint_eq(step_of(61), 0);
	ck_assert_uint_eq(step_of(62), 1);
	ck_assert_uint_eq(step_of(122), 1);
	ck_assert_uint_eq(step_of(123), 2);
	/* what ends where a step does belongs to it */
	ck_assert_uint_eq(step_of(500000), 13);
	ck_assert_uint_eq(step_of(500001), 14);
	ck_assert_uint_eq(step_of(1000000), 14);
	ck_assert_uint_eq(step_of(64000000), TALLY_STEPS - 1);
	ck_assert_uint_eq(step_of(64000001), TALLY_STEPS);
}
END_TEST

START_TEST(no_time_is_longer_than_a_day)
{
	struct tally t = {0};

	tally_note(&t, TALLY_TOTAL, UINT64_MAX);
	ck_assert_uint_eq(t.times[TALLY_TOTAL].n[TALLY_STEPS], 1);
	ck_assert_uint_eq(
	    t.times[TALLY_TOTAL].sum_us, UINT64_C(86400) * 1000000);
}
END_TEST

START_TEST(what_is_added_adds_up)
{
	struct tally t = {.status = {[2] = 3, [5] = 1}, .bytes_out = 7};
	struct tally got;

	ck_assert(tallies_ready(tallies, 0));
	ck_assert(tallies_ready(tallies, 5));
	tally_note(&t, TALLY_QUEUE, 10);
	tallies_add(tallies, 5, &t);
	tallies_add(tallies, 5, &t);
	tallies_get(tallies, 5, &got);
	ck_assert_uint_eq(got.status[2], 6);
	ck_assert_uint_eq(got.status[5], 2);
	ck_assert_uint_eq(got.bytes_out, 14);
	ck_assert_uint_eq(got.times[TALLY_QUEUE].n[0], 2);
	ck_assert_uint_eq(got.times[TALLY_QUEUE].sum_us, 20);
	tallies_get(tallies, 0, &got);
	ck_assert_uint_eq(got.status[2], 0);
}
END_TEST

START_TEST(an_id_that_is_given_again_begins_at_nothing)
{
	struct tally t = {.bytes_in = 1};
	struct tally got;

	ck_assert(tallies_ready(tallies, 0));
	tallies_add(tallies, 0, &t);
	ck_assert(tallies_ready(tallies, 0));
	tallies_get(tallies, 0, &got);
	ck_assert_uint_eq(got.bytes_in, 0);
	/* one that nobody was ever given */
	tallies_get(tallies, UINT32_MAX, &got);
	ck_assert_uint_eq(got.bytes_in, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_said)
{
	segment_set_budget(seg, segment_committed(seg));
	ck_assert(!tallies_ready(tallies, 100));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_step_ends_at_a_power_of_two_of_a_second,
	    no_time_is_longer_than_a_day,
	    what_is_added_adds_up,
	    an_id_that_is_given_again_begins_at_nothing,
	    what_does_not_fit_is_said,
	};

	return unit_run_in("tally", tests, NELEMS(tests), set_up, tear_down);
}
