/* What the operator orders of sites: a word each, in any number of tables' worth
 * of names, whole whoever dies. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/closures.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define BUDGET (UINT64_C(8) << 20)

static struct segment *segment;
static struct closures *t;

static void
set_up(void)
{
	segment = segment_new(BUDGET);
	ck_assert_ptr_nonnull(segment);
	t = closures_map(segment, true);
	ck_assert_ptr_nonnull(t);
}

static void
tear_down(void)
{
	segment_free(segment);
}

static uint64_t
id_of(unsigned i)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "site-%u.test", i);
	return closure_id(span_str(name));
}

START_TEST(an_order_holds_until_the_next)
{
	ck_assert_int_eq(closures_get(t, id_of(1)), CLOSURE_AUTO);
	ck_assert(closures_set(t, id_of(1), CLOSURE_ON));
	ck_assert(closures_set(t, id_of(2), CLOSURE_OFF));
	ck_assert_int_eq(closures_get(t, id_of(1)), CLOSURE_ON);
	ck_assert_int_eq(closures_get(t, id_of(2)), CLOSURE_OFF);
	ck_assert_int_eq(closures_get(t, id_of(3)), CLOSURE_AUTO);
	ck_assert(closures_set(t, id_of(1), CLOSURE_AUTO));
	ck_assert_int_eq(closures_get(t, id_of(1)), CLOSURE_AUTO);
	ck_assert(closures_check(t));
}
END_TEST

START_TEST(who_maps_it_later_finds_the_orders)
{
	ck_assert(closures_set(t, id_of(1), CLOSURE_ON));
	ck_assert_ptr_eq(closures_map(segment, false), t);
	ck_assert_ptr_eq(closures_map(segment, true), t);
	ck_assert_int_eq(closures_get(t, id_of(1)), CLOSURE_ON);
}
END_TEST

START_TEST(a_full_table_refuses_and_what_is_dropped_makes_room)
{
	for (unsigned i = 0; i < CLOSURES_MAX; i++)
		ck_assert(closures_set(
		    t, id_of(i), i % 2 == 0 ? CLOSURE_ON : CLOSURE_OFF));
	ck_assert(!closures_set(t, id_of(CLOSURES_MAX), CLOSURE_ON));
	ck_assert_int_eq(closures_get(t, id_of(CLOSURES_MAX)), CLOSURE_AUTO);
	/* those that are there can still be changed */
	ck_assert(closures_set(t, id_of(7), CLOSURE_AUTO));
	ck_assert(closures_set(t, id_of(CLOSURES_MAX), CLOSURE_OFF));
	for (unsigned i = 0; i <= CLOSURES_MAX; i++)
		ck_assert_int_eq(
		    closures_get(t, id_of(i)), i == 7 ? CLOSURE_AUTO
					       : i == CLOSURES_MAX ? CLOSURE_OFF
					       : i % 2 == 0        ? CLOSURE_ON
							    : CLOSURE_OFF);
	ck_assert(closures_check(t));
}
END_TEST

START_TEST(words_that_nobody_writes_are_no_orders)
{
	memset(t, 0xff, CLOSURES_MAX * sizeof(uint64_t));
	ck_assert_int_eq(closures_get(t, id_of(1)), CLOSURE_AUTO);
	ck_assert_int_eq(closures_get(t, ~UINT64_C(3)), CLOSURE_AUTO);
	ck_assert(!closures_check(t));
	ck_assert(!closures_set(t, id_of(1), CLOSURE_ON));
}
END_TEST

START_TEST(words_have_names)
{
	ck_assert_int_eq(closure_order_find(SPAN_LIT("on")), CLOSURE_ON);
	ck_assert_int_eq(closure_order_find(SPAN_LIT("off")), CLOSURE_OFF);
	ck_assert_int_eq(closure_order_find(SPAN_LIT("auto")), CLOSURE_AUTO);
	ck_assert_int_eq(closure_order_find(SPAN_LIT("On")), CLOSURE_ORDERS);
	ck_assert_int_eq(closure_order_find(SPAN_LIT("")), CLOSURE_ORDERS);
	ck_assert_str_eq(closure_order_name(CLOSURE_OFF), "off");
}
END_TEST

/* --- deaths --------------------------------------------------------------- */

/* More than find room, so that places change hands. */
#define NAMES (CLOSURES_MAX + 64)

/* Of a name only one order is ever given. */
static enum closure_order
order_of(unsigned name)
{
	return name % 2 == 0 ? CLOSURE_ON : CLOSURE_OFF;
}

static void *
deaths_set_up(struct segment *s, struct slots *slots)
{
	struct closures *c = closures_map(s, true);

	(void)slots;
	ck_assert_ptr_nonnull(c);
	for (unsigned i = 0; i < CLOSURES_MAX - 2; i++)
		ck_assert(closures_set(c, id_of(i), order_of(i)));
	return c;
}

static void
deaths_work(void *ctx, struct slot_name me, uint64_t *done)
{
	unsigned name = (unsigned)(*done * 31 % NAMES);

	(void)me;
	(void)closures_set(
	    ctx, id_of(name), *done % 3 == 0 ? CLOSURE_AUTO : order_of(name));
	++*done;
}

/* No process ever reads what nobody ordered. */
static void
deaths_look(void *ctx, struct slot_name me, uint64_t *done)
{
	unsigned name = (unsigned)(*done * 7 % NAMES);
	enum closure_order got = closures_get(ctx, id_of(name));

	(void)me;
	REQUIRE(got == CLOSURE_AUTO || got == order_of(name));
	++*done;
}

static bool
deaths_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	(void)ctx;
	(void)me;
	(void)dead;
	return true;
}

static bool
deaths_check(void *ctx)
{
	return closures_check(ctx);
}

static void
deaths_tear_down(void *ctx)
{
	(void)ctx;
}

START_TEST(whoever_dies_leaves_the_word_before_or_after)
{
	static const struct crash_case c = {
	    .name = "closures",
	    .set_up = deaths_set_up,
	    .tear_down = deaths_tear_down,
	    .work = deaths_work,
	    .look = deaths_look,
	    .repair = deaths_mend,
	    .check = deaths_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 2);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_order_holds_until_the_next,
	    who_maps_it_later_finds_the_orders,
	    a_full_table_refuses_and_what_is_dropped_makes_room,
	    words_that_nobody_writes_are_no_orders,
	    words_have_names,
	    whoever_dies_leaves_the_word_before_or_after,
	};

	return unit_run_in("closures", tests, NELEMS(tests), set_up, tear_down);
}
