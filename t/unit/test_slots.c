/* What slots say about a process that went wrong, and counters that outlive
 * their process. How slots are taken is in test_shm. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/shm/counters.h"
#include "t/unit/unit.h"

#define BUDGET (64u << 20)

static struct segment *seg;

static void
set_up(void)
{
	seg = segment_new(BUDGET);
	ck_assert_ptr_nonnull(seg);
}

static void
tear_down(void)
{
	segment_free(seg);
}

START_TEST(a_panic_text_is_bounded_and_harmless)
{
	struct slots *t = slots_map(seg, true);
	char out[PANIC_TEXT_CAP * 4 + 1];
	struct slot *s;

	ck_assert_ptr_nonnull(t);
	s = &t->at[1];
	ck_assert_uint_eq(slot_panic_text(s, out, sizeof(out)), 0);
	ck_assert_str_eq(out, "");
	memcpy(s->panic, "a\n\"b", 5);
	ck_assert_uint_eq(slot_panic_text(s, out, sizeof(out)), 10);
	ck_assert_str_eq(out, "a\\x0a\\x22b");
	ck_assert_uint_eq(slot_panic_text(s, out, 5), 1);
	ck_assert_str_eq(out, "a");
	ck_assert_uint_eq(slot_panic_text(s, out, 1), 0);
	ck_assert_str_eq(out, "");
	/* without an end */
	memset(s->panic, 0xff, sizeof(s->panic));
	ck_assert_uint_eq(
	    slot_panic_text(s, out, sizeof(out)), sizeof(out) - 1);
}
END_TEST

START_TEST(counters_are_summed_and_survive_their_process)
{
	struct counters *c = counters_map(seg, true);

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_eq(counters_map(seg, false), c);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		counter_add(&c->slot[i], COUNTER_REQUESTS, i);
		counter_add(&c->slot[i], COUNTER_TUNNELS, 1);
	}
	ck_assert_uint_eq(counters_sum(c, COUNTER_REQUESTS), 255 * 128);
	counters_fold(c, 200);
	ck_assert_uint_eq(c->slot[200].v[COUNTER_REQUESTS], 0);
	ck_assert_uint_eq(counters_sum(c, COUNTER_REQUESTS), 255 * 128);
	counters_fold(c, 200);
	ck_assert_uint_eq(counters_sum(c, COUNTER_TUNNELS), SLOTS_MAX);
	ck_assert_uint_eq(counters_sum(c, COUNTER_RETRIES), 0);
}
END_TEST

START_TEST(every_counter_has_a_name_and_a_help)
{
	for (unsigned i = 0; i < COUNTER_N; i++) {
		enum counter_id id = (enum counter_id)i;

		ck_assert(
		    span_ends(span_str(counter_name(id)), SPAN_LIT("_total")));
		ck_assert_int_gt(strlen(counter_help(id)), 9);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_panic_text_is_bounded_and_harmless,
	    counters_are_summed_and_survive_their_process,
	    every_counter_has_a_name_and_a_help,
	};

	return unit_run_in("slots", tests, NELEMS(tests), set_up, tear_down);
}
