/* The gradient limiter, by the clock that the test gives. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/adaptive.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(1000000000)
#define BUSY 10000u

static struct adaptive a;
static uint64_t now_us;

static void
set_up(void)
{
	memset(&a, 0, sizeof(a));
	now_us = NOW;
}

/* A window of answers that took so long each. */
static void
window(uint32_t took_us, uint32_t n_active)
{
	for (uint32_t i = 0; i < ADAPTIVE_SAMPLES_MIN; i++) {
		now_us += ADAPTIVE_WINDOW_US / ADAPTIVE_SAMPLES_MIN + 1;
		(void)adaptive_sample(&a, now_us - took_us, now_us, n_active);
	}
}

START_TEST(it_grows_by_its_root_while_time_is_the_least)
{
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_START);
	window(1000, BUSY);
	/* 20 + 4 */
	ck_assert_uint_eq(adaptive_limit(&a), 24);
	window(1200, BUSY);
	ck_assert_uint_eq(adaptive_limit(&a), 28);
}
END_TEST

START_TEST(it_does_not_grow_when_it_is_not_used)
{
	window(1000, 3);
	window(1000, 3);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_START);
}
END_TEST

START_TEST(it_falls_in_proportion_and_never_below_the_least)
{
	window(1000, BUSY);
	window(100000, BUSY);
	/* a half of 24, and its root */
	ck_assert_uint_eq(adaptive_limit(&a), 16);
	for (int i = 0; i < 50; i++)
		window(100000, BUSY);
	ck_assert_uint_ge(adaptive_limit(&a), ADAPTIVE_MIN);
	ck_assert_uint_lt(adaptive_limit(&a), 10);
}
END_TEST

START_TEST(it_never_passes_the_largest)
{
	atomic_store(&a.limit, UINT64_MAX);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_MAX);
	window(1000, BUSY);
	window(1000, BUSY);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_MAX);
}
END_TEST

START_TEST(a_probe_finds_the_least_time_anew)
{
	uint32_t before;

	window(1000, BUSY);
	now_us += ADAPTIVE_PROBE_EVERY_US;
	window(3000, BUSY);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_MIN);
	before = (uint32_t)atomic_load(&a.limit);
	/* what was asked before it says nothing */
	for (uint32_t i = 0; i < 2 * ADAPTIVE_SAMPLES_MIN; i++)
		(void)adaptive_sample(&a, NOW, now_us, BUSY);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_MIN);
	window(3000, ADAPTIVE_MIN);
	window(3000, ADAPTIVE_MIN);
	ck_assert_uint_eq(atomic_load(&a.least_us), 3000);
	ck_assert_uint_ge(adaptive_limit(&a), before);
}
END_TEST

START_TEST(a_probe_that_nobody_answers_ends)
{
	window(1000, BUSY);
	now_us += ADAPTIVE_PROBE_EVERY_US;
	window(1000, BUSY);
	ck_assert_uint_eq(adaptive_limit(&a), ADAPTIVE_MIN);
	now_us += ADAPTIVE_PROBE_MAX_US + 1;
	(void)adaptive_sample(&a, NOW, now_us, BUSY);
	ck_assert_uint_gt(adaptive_limit(&a), ADAPTIVE_MIN);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    it_grows_by_its_root_while_time_is_the_least,
	    it_does_not_grow_when_it_is_not_used,
	    it_falls_in_proportion_and_never_below_the_least,
	    it_never_passes_the_largest,
	    a_probe_finds_the_least_time_anew,
	    a_probe_that_nobody_answers_ends,
	};

	return unit_run_in("adaptive", tests, NELEMS(tests), set_up, NULL);
}
