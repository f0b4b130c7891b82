/* OCSP answers in the segment: what is found, until when, and where it stands
 * when others are in the way. */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/staples.h"
#include "t/unit/unit.h"

/* Some time of the day. */
#define T0 INT64_C(1700000000)

static struct segment *seg;
static struct slots *slots;
static struct staples *staples;
static struct slot_name me;
static char room[STAPLE_CAP];

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_STEWARD, 1, 1);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	staples = staples_map(seg, true);
	ck_assert_ptr_nonnull(staples);
	ck_assert(staples_ready(staples, seg));
}

static void
tear_down(void)
{
	ck_assert(staples_check(staples));
	segment_free(seg);
}

/* A certificate whose window begins at `first`. */
static const uint8_t *
print_of(uint32_t first, uint8_t rest)
{
	static uint8_t print[STAPLE_PRINT_LEN];

	memset(print, rest, sizeof(print));
	memcpy(print, &first, sizeof(first));
	return print;
}

static bool
put(const uint8_t *print, const char *text, int64_t until_s)
{
	struct staple s = {span_str(text), T0, until_s};

	return staples_put(staples, slots, me, print, &s, T0);
}

static bool
has(const struct staples *t, const uint8_t *print, int64_t now_s,
    const char *text)
{
	struct staple found;

	return staples_find(t, print, now_s, room, &found) &&
	       span_eq(found.der, span_str(text)) && found.since_s == T0;
}

START_TEST(what_is_put_is_found_until_its_end)
{
	const uint8_t *print = print_of(7, 1);

	ck_assert(!has(staples, print, T0, "a"));
	ck_assert(put(print, "a", T0 + 10));
	ck_assert(has(staples, print, T0 + 9, "a"));
	ck_assert(!has(staples, print, T0 + 10, "a"));
	ck_assert(!has(staples, print_of(7, 2), T0, "a"));
	ck_assert(!has(staples, print_of(8, 1), T0, "a"));
}
END_TEST

START_TEST(the_next_one_takes_its_place)
{
	const uint8_t *print = print_of(7, 1);

	ck_assert(put(print, "longer", T0 + 10));
	ck_assert(put(print, "next", T0 + 20));
	ck_assert(has(staples, print, T0 + 15, "next"));
	/* once it is over, too */
	ck_assert(put(print, "old", T0 - 1));
	ck_assert(!has(staples, print, T0, "old"));
	ck_assert(put(print, "new", T0 + 5));
	ck_assert(has(staples, print, T0, "new"));
}
END_TEST

START_TEST(the_largest_is_whole)
{
	static char der[STAPLE_CAP];
	struct staple s = {span_of(der, sizeof(der)), T0, T0 + 10};
	struct staple found;

	memset(der, 'x', sizeof(der));
	ck_assert(staples_put(staples, slots, me, print_of(1, 1), &s, T0));
	ck_assert(staples_find(staples, print_of(1, 1), T0, room, &found));
	ck_assert_uint_eq(found.der.len, sizeof(der));
	ck_assert_mem_eq(found.der.p, der, sizeof(der));
}
END_TEST

START_TEST(what_is_dropped_is_gone)
{
	const uint8_t *print = print_of(7, 1);

	ck_assert(put(print, "a", T0 + 10));
	ck_assert(staples_drop(staples, slots, me, print));
	ck_assert(!has(staples, print, T0, "a"));
	ck_assert(staples_drop(staples, slots, me, print));
	ck_assert(put(print, "b", T0 + 10));
	ck_assert(has(staples, print, T0, "b"));
}
END_TEST

/* A window that begins at the last place goes on at the first. */
START_TEST(others_in_the_way_are_stepped_over)
{
	uint32_t last = STAPLES_MAX - 1;

	for (uint8_t i = 0; i < STAPLE_WINDOW; i++)
		ck_assert(put(print_of(last, i), "a", T0 + 10 + i));
	for (uint8_t i = 0; i < STAPLE_WINDOW; i++)
		ck_assert(has(staples, print_of(last, i), T0, "a"));
	/* all of them are good */
	ck_assert(!put(print_of(last, 100), "b", T0 + 10));
	ck_assert(staples_drop(staples, slots, me, print_of(last, 3)));
	ck_assert(put(print_of(last, 100), "b", T0 + 10));
	ck_assert(has(staples, print_of(last, 100), T0, "b"));
	ck_assert(has(staples, print_of(last, STAPLE_WINDOW - 1), T0, "a"));
}
END_TEST

/* It stands behind a place that has become free: not twice. */
START_TEST(one_is_not_put_twice)
{
	ck_assert(put(print_of(5, 1), "a", T0 + 10));
	ck_assert(put(print_of(5, 2), "b", T0 + 10));
	ck_assert(staples_drop(staples, slots, me, print_of(5, 1)));
	ck_assert(put(print_of(5, 2), "c", T0 + 10));
	ck_assert(staples_check(staples));
	ck_assert(has(staples, print_of(5, 2), T0, "c"));
}
END_TEST

START_TEST(what_nobody_asked_for_costs_a_page)
{
	struct segment *small = segment_new(UINT64_C(4) << 20);
	struct staples *t;
	struct staple found;

	ck_assert_ptr_nonnull(small);
	t = staples_map(small, true);
	ck_assert_ptr_nonnull(t);
	ck_assert(!staples_find(t, print_of(1, 1), T0, room, &found));
	ck_assert(staples_drop(t, slots, me, print_of(1, 1)));
	ck_assert(staples_check(t));
	/* four of four are too many */
	ck_assert(!staples_ready(t, small));
	ck_assert(!staples_find(t, print_of(1, 1), T0, room, &found));
	segment_free(small);
}
END_TEST

START_TEST(a_master_behind_this_one_finds_it)
{
	struct segment *next;

	ck_assert(put(print_of(9, 9), "a", T0 + 10));
	next = segment_open(dup(segment_fd(seg)));
	ck_assert_ptr_nonnull(next);
	ck_assert(has(staples_map(next, true), print_of(9, 9), T0, "a"));
	segment_free(next);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_is_put_is_found_until_its_end,
	    the_next_one_takes_its_place,
	    the_largest_is_whole,
	    what_is_dropped_is_gone,
	    others_in_the_way_are_stepped_over,
	    one_is_not_put_twice,
	    what_nobody_asked_for_costs_a_page,
	    a_master_behind_this_one_finds_it,
	};

	return unit_run_in("staples", tests, NELEMS(tests), set_up, tear_down);
}
