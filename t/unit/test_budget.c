/* Tries again: what they may be of the requests before, by the clock that the
 * test gives. */
#include <check.h>

#include "common/base/check.h"
#include "common/store/budget.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define SERVERS 2
#define SHARE_TENTHS 200u
/* The begin of a window. */
#define NOW (UINT64_C(1000) * BUDGET_WINDOW_MS)
#define FLOOR (BUDGET_FLOOR_RPS * BUDGET_WINDOW_MS / 1000)

static struct segment *seg;
static struct upstate *u;

static void
set_up(void)
{
	seg = segment_new(16 * MIB);
	ck_assert_ptr_nonnull(seg);
	u = upstate_open(seg, true);
	ck_assert_ptr_nonnull(u);
	for (uint32_t id = 0; id < SERVERS; id++)
		ck_assert(upstate_ready(u, id));
}

static void
tear_down(void)
{
	upstate_free(u);
	segment_free(seg);
}

static void
count(uint32_t n, uint64_t now_ms)
{
	while (n-- > 0)
		budget_count(u, 0, now_ms);
}

/* Take all that there are. */
static uint32_t
take_all(uint32_t share_tenths, uint64_t now_ms)
{
	uint32_t n = 0;

	while (budget_take(u, 0, share_tenths, now_ms))
		n++;
	return n;
}

START_TEST(the_floor_is_there_without_traffic)
{
	ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW), FLOOR);
	/* of this upstream alone */
	ck_assert(budget_take(u, 1, SHARE_TENTHS, NOW));
}
END_TEST

START_TEST(the_share_comes_on_top_of_the_floor)
{
	count(1000, NOW);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW), FLOOR + 200);
	count(4, NOW + 1);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW + 1), 0);
	count(1, NOW + 1);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW + 1), 1);
}
END_TEST

START_TEST(a_share_of_nothing_is_the_floor)
{
	count(1000, NOW);
	ck_assert_uint_eq(take_all(0, NOW), FLOOR);
}
END_TEST

START_TEST(all_may_be_sent_again_once)
{
	count(1000, NOW);
	ck_assert_uint_eq(take_all(1000, NOW), FLOOR + 1000);
}
END_TEST

/* What was spent comes back little by little, ten in a second. */
START_TEST(the_floor_comes_back_with_time)
{
	uint64_t next = NOW + BUDGET_WINDOW_MS;

	ck_assert_uint_eq(take_all(SHARE_TENTHS, next - 1), FLOOR);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, next), 0);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, next + 99), 0);
	ck_assert_uint_eq(take_all(SHARE_TENTHS, next + 100), 1);
	ck_assert_uint_eq(
	    take_all(SHARE_TENTHS, next + 1000), BUDGET_FLOOR_RPS - 1);
	ck_assert_uint_eq(
	    take_all(SHARE_TENTHS, next + BUDGET_WINDOW_MS - 1), 89);
}
END_TEST

START_TEST(traffic_is_forgotten_with_time)
{
	uint64_t next = NOW + BUDGET_WINDOW_MS;

	count(1000, NOW);
	ck_assert_uint_eq(
	    take_all(SHARE_TENTHS, next + BUDGET_WINDOW_MS / 2), FLOOR + 100);
	tear_down();
	set_up();
	count(1000, NOW);
	ck_assert_uint_eq(
	    take_all(SHARE_TENTHS, next + BUDGET_WINDOW_MS), FLOOR);
}
END_TEST

/* A word that was not touched for long is of no window. */
START_TEST(an_old_window_is_nothing)
{
	count(1000, NOW);
	(void)take_all(SHARE_TENTHS, NOW);
	for (uint64_t k = 2; k < 6; k++) {
		tear_down();
		set_up();
		count(1000, NOW);
		ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW), FLOOR + 200);
		ck_assert_uint_eq(
		    take_all(SHARE_TENTHS, NOW + k * BUDGET_WINDOW_MS), FLOOR);
	}
}
END_TEST

/* Neither count runs into the other. */
START_TEST(counts_end_at_what_their_bits_hold)
{
	_Atomic uint64_t *word = upstate_word(u, 0,
	    NOW / BUDGET_WINDOW_MS % 2 == 0 ? UPSTATE_BUDGET_EVEN
					    : UPSTATE_BUDGET_ODD);
	uint64_t full;

	count(1, NOW);
	full = atomic_load(word) | ~UINT64_C(0) << 16;
	atomic_store(word, full);
	count(1, NOW);
	ck_assert_uint_eq(atomic_load(word), full);
	ck_assert(!budget_take(u, 0, 1000, NOW));
	ck_assert_uint_eq(atomic_load(word), full);
}
END_TEST

START_TEST(a_new_server_owes_nothing)
{
	(void)take_all(SHARE_TENTHS, NOW);
	ck_assert(upstate_ready(u, 0));
	ck_assert_uint_eq(take_all(SHARE_TENTHS, NOW), FLOOR);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_floor_is_there_without_traffic,
	    the_share_comes_on_top_of_the_floor,
	    a_share_of_nothing_is_the_floor,
	    all_may_be_sent_again_once,
	    the_floor_comes_back_with_time,
	    traffic_is_forgotten_with_time,
	    an_old_window_is_nothing,
	    counts_end_at_what_their_bits_hold,
	    a_new_server_owes_nothing,
	};

	return unit_run_in("budget", tests, NELEMS(tests), set_up, tear_down);
}
