/* Early data is fresh once: what is recorded, when it is forgotten, and what is
 * answered in doubt (RFC 8446 8.2). */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/strikes.h"
#include "t/unit/unit.h"

/* Some time of the day. */
#define T0 UINT64_C(1700000000000)
/* The first time at which anything is known. */
#define T1 (T0 + STRIKES_WINDOW_MS)

static struct segment *seg;
static struct slots *slots;
static struct strikes *strikes;
static struct slot_name me;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	strikes = strikes_map(seg, true);
	ck_assert_ptr_nonnull(strikes);
}

static void
tear_down(void)
{
	segment_free(seg);
}

static bool
take(const char *text, uint64_t wall_ms)
{
	return strikes_take(strikes, slots, me, span_str(text), wall_ms);
}

static void
make_ready(void)
{
	ck_assert(strikes_ready(strikes, seg, T0));
}

START_TEST(what_nobody_asked_for_costs_a_page)
{
	uint64_t before = segment_committed(seg);

	ck_assert(!take("a", T1));
	make_ready();
	ck_assert_uint_ge(segment_committed(seg), before + STRIKES_MAX * 24u);
	before = segment_committed(seg);
	make_ready();
	ck_assert_uint_eq(segment_committed(seg), before);
}
END_TEST

START_TEST(what_does_not_fit_is_said)
{
	struct segment *small = segment_new(UINT64_C(4) << 20);

	ck_assert_ptr_nonnull(small);
	strikes = strikes_map(small, true);
	ck_assert_ptr_nonnull(strikes);
	segment_set_budget(small, segment_committed(small));
	ck_assert(!strikes_ready(strikes, small, T0));
	ck_assert(!take("a", T1));
	segment_free(small);
}
END_TEST

START_TEST(nothing_is_fresh_before_a_window_has_passed)
{
	make_ready();
	ck_assert(!take("a", T0));
	ck_assert(!take("b", T1 - 1));
	ck_assert(take("a", T1));
	ck_assert(take("b", T1));
}
END_TEST

START_TEST(the_same_is_fresh_once)
{
	make_ready();
	ck_assert(take("a", T1));
	ck_assert(!take("a", T1));
	ck_assert(!take("a", T1 + STRIKES_WINDOW_MS - 1));
	/* then it is too old for whoever judges its age */
	ck_assert(take("a", T1 + STRIKES_WINDOW_MS));
}
END_TEST

START_TEST(a_clock_that_was_set_back_knows_nothing)
{
	make_ready();
	ck_assert(take("a", T1));
	ck_assert(take("late", T1 + 3600000));
	ck_assert(!take("b", T1));
	ck_assert(!take("a", T1));
	/* until it has caught up */
	ck_assert(!take("b", T1 + 3600000 - STRIKES_SLACK_MS - 1));
	ck_assert(take("b", T1 + 3600000 - STRIKES_SLACK_MS));
	ck_assert(!take("late", T1 + 3600000 - STRIKES_SLACK_MS));
}
END_TEST

START_TEST(when_a_set_is_full_nothing_more_is_fresh)
{
	uint32_t n_fresh = 0;
	char text[32];

	make_ready();
	for (uint32_t i = 0; i < 3 * STRIKES_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		n_fresh += take(text, T1);
	}
	ck_assert_uint_gt(n_fresh, STRIKES_MAX * 9 / 10);
	ck_assert_uint_le(n_fresh, STRIKES_MAX);
	/* those that are remembered are not pushed out by the others */
	ck_assert(!take("0", T1 + STRIKES_WINDOW_MS - 1));
	ck_assert(strikes_check(strikes));
}
END_TEST

START_TEST(a_master_behind_this_one_remembers)
{
	struct segment *next;

	make_ready();
	ck_assert(take("a", T1));
	next = segment_open(dup(segment_fd(seg)));
	ck_assert_ptr_nonnull(next);
	strikes = strikes_map(next, true);
	/* it does not begin anew, whatever the new configuration says */
	ck_assert(strikes_ready(strikes, next, T1 + 1));
	ck_assert(!take("a", T1 + 1));
	ck_assert(take("b", T1 + 1));
	segment_free(next);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_nobody_asked_for_costs_a_page,
	    what_does_not_fit_is_said,
	    nothing_is_fresh_before_a_window_has_passed,
	    the_same_is_fresh_once,
	    a_clock_that_was_set_back_knows_nothing,
	    when_a_set_is_full_nothing_more_is_fresh,
	    a_master_behind_this_one_remembers,
	};

	return unit_run_in("strikes", tests, NELEMS(tests), set_up, tear_down);
}
