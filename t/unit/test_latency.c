/* The time that a server takes, by the clock that the test gives. */
#include <check.h>

#include "common/store/latency.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define NOW UINT64_C(1000000)
#define HALF LATENCY_HALF_MS

static struct segment *seg;
static struct upstate *u;

static void
set_up(void)
{
	seg = segment_new(16 * MIB);
	ck_assert_ptr_nonnull(seg);
	u = upstate_open(seg, true);
	ck_assert_ptr_nonnull(u);
	ck_assert(upstate_ready(u, 0));
	ck_assert(upstate_ready(u, 1));
}

static void
tear_down(void)
{
	upstate_free(u);
	segment_free(seg);
}

START_TEST(nothing_is_known_of_a_new_one)
{
	ck_assert_uint_eq(latency_us(u, 0, NOW), 0);
	latency_note(u, 0, 0, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), 1);
	ck_assert_uint_eq(latency_us(u, 1, NOW), 0);
	ck_assert(upstate_ready(u, 0));
	ck_assert_uint_eq(latency_us(u, 0, NOW), 0);
}
END_TEST

START_TEST(a_peak_counts_at_once)
{
	latency_note(u, 0, 1000, NOW);
	latency_note(u, 0, 500000, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), 500000);
	/* and a quick answer behind it hides nothing */
	latency_note(u, 0, 1000, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), 500000);
}
END_TEST

START_TEST(quick_answers_count_for_half_after_a_half_time)
{
	latency_note(u, 0, 101000, NOW);
	latency_note(u, 0, 1000, NOW + HALF);
	ck_assert_uint_eq(latency_us(u, 0, NOW + HALF), 51000);
	latency_note(u, 0, 1000, NOW + 2 * HALF);
	ck_assert_uint_eq(latency_us(u, 0, NOW + 2 * HALF), 26000);
}
END_TEST

/* An answer each ms moves a small number too little to be told; it must not
 * stand still for that. */
START_TEST(many_answers_move_it_as_few_do)
{
	uint64_t ms;

	latency_note(u, 0, 2000, NOW);
	for (ms = 1; ms <= 4 * HALF; ms++)
		latency_note(u, 0, 1000, NOW + ms);
	ck_assert_uint_ge(latency_us(u, 0, NOW + ms), 1000);
	ck_assert_uint_le(latency_us(u, 0, NOW + ms), 1200);
}
END_TEST

START_TEST(it_is_forgotten_with_time)
{
	latency_note(u, 0, 80000, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW + HALF / 2), 60000);
	ck_assert_uint_eq(latency_us(u, 0, NOW + HALF), 40000);
	ck_assert_uint_eq(latency_us(u, 0, NOW + 3 * HALF), 10000);
	ck_assert_uint_eq(
	    latency_us(u, 0, NOW + LATENCY_HALVES * HALF - 1) > 0, true);
	ck_assert_uint_eq(latency_us(u, 0, NOW + LATENCY_HALVES * HALF), 0);
	/* the next answer is the first again */
	latency_note(u, 0, 70, NOW + LATENCY_HALVES * HALF);
	ck_assert_uint_eq(latency_us(u, 0, NOW + LATENCY_HALVES * HALF), 70);
}
END_TEST

START_TEST(failures_are_slow_and_grow_within_bounds)
{
	latency_note(u, 0, 10, NOW);
	latency_note_failure(u, 0, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), LATENCY_FAILURE_MIN_US);
	latency_note_failure(u, 0, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), 2 * LATENCY_FAILURE_MIN_US);
	for (int i = 0; i < 40; i++)
		latency_note_failure(u, 0, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), LATENCY_FAILURE_MAX_US);
}
END_TEST

START_TEST(clocks_that_differ_or_wrap_are_borne)
{
	uint64_t wrap = UINT64_C(1) << 32;

	latency_note(u, 0, UINT64_MAX, NOW);
	ck_assert_uint_eq(latency_us(u, 0, NOW), UINT32_MAX);
	ck_assert_uint_eq(latency_us(u, 0, NOW - 10), UINT32_MAX);
	latency_note(u, 1, 4000, wrap - 1);
	ck_assert_uint_eq(latency_us(u, 1, wrap - 1 + HALF), 2000);
}
END_TEST

/* So many answers of 1 .. most us in an order without a pattern. */
static void
note_spread(uint32_t percent, uint32_t n, uint32_t most)
{
	uint32_t at = 1;

	for (uint32_t i = 0; i < n; i++) {
		at = at * UINT32_C(1664525) + UINT32_C(1013904223);
		latency_tail_note(u, 0, percent, 1 + (at >> 8) % most);
	}
}

START_TEST(few_answers_have_no_tail)
{
	for (uint32_t i = 0; i < LATENCY_TAIL_FEW; i++) {
		ck_assert_uint_eq(latency_tail_us(u, 0), 0);
		latency_tail_note(u, 0, 95, i == 3 ? 7000 : 1000);
	}
	ck_assert_uint_eq(latency_tail_us(u, 0), 7000);
	ck_assert_uint_eq(latency_tail_us(u, 1), 0);
}
END_TEST

START_TEST(the_tail_is_where_it_is_said_to_be)
{
	/* within a fifth: it goes on to move with each answer */
	note_spread(95, 5000, 1000000);
	ck_assert_uint_ge(latency_tail_us(u, 0), 850000);
	ck_assert_uint_le(latency_tail_us(u, 0), 1000000);
	note_spread(50, 5000, 1000000);
	ck_assert_uint_ge(latency_tail_us(u, 0), 400000);
	ck_assert_uint_le(latency_tail_us(u, 0), 600000);
}
END_TEST

START_TEST(the_tail_follows_both_ways)
{
	note_spread(95, 1000, 1000);
	ck_assert_uint_le(latency_tail_us(u, 0), 1000);
	/* a hundred answers that are a hundred times slower */
	note_spread(95, 100, 100000);
	ck_assert_uint_ge(latency_tail_us(u, 0), 50000);
	note_spread(95, 2000, 1000);
	ck_assert_uint_le(latency_tail_us(u, 0), 1000);
}
END_TEST

START_TEST(no_time_breaks_the_tail)
{
	for (uint32_t i = 0; i < 2 * LATENCY_TAIL_FEW; i++)
		latency_tail_note(u, 0, 99, UINT64_MAX);
	ck_assert_uint_eq(latency_tail_us(u, 0), UINT32_MAX);
	for (uint32_t i = 0; i < 50000; i++)
		latency_tail_note(u, 0, 99, 0);
	ck_assert_uint_ge(latency_tail_us(u, 0), 1);
	ck_assert_uint_le(latency_tail_us(u, 0), 2000);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    nothing_is_known_of_a_new_one,
	    a_peak_counts_at_once,
	    quick_answers_count_for_half_after_a_half_time,
	    many_answers_move_it_as_few_do,
	    it_is_forgotten_with_time,
	    failures_are_slow_and_grow_within_bounds,
	    clocks_that_differ_or_wrap_are_borne,
	    few_answers_have_no_tail,
	    the_tail_is_where_it_is_said_to_be,
	    the_tail_follows_both_ways,
	    no_time_breaks_the_tail,
	};

	return unit_run_in("latency", tests, NELEMS(tests), set_up, tear_down);
}
