/* What is known of servers' health: counts in a row, ejections and their times,
 * by the clock that the test gives. */
#include <check.h>

#include "common/base/check.h"
#include "common/store/history.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define SERVERS 3
#define SLOT 255
#define NOW 1000000u

static struct segment *seg;
static struct upstate *u;

static const struct conf_eject rule = {
    .is_on = true,
    .most = {[EJECT_5XX] = 3, [EJECT_RESET] = 1},
    .window_ms = 100,
    .for_ms = 1000,
    .max_tenths = 500,
};

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

static struct health
look(uint32_t id, uint64_t now_ms)
{
	struct health h;

	health_look(u, id, now_ms, &h);
	return h;
}

/* Eject as a worker does; how long it is out. */
static uint64_t
eject(uint32_t id, uint64_t now_ms)
{
	struct health_claim c;

	ck_assert(health_eject_claim(u, SLOT, id, &rule, now_ms, &c));
	health_eject_confirm(u, id, &c, EJECT_5XX, now_ms);
	ck_assert_uint_eq(look(id, now_ms).until_ms, now_ms + c.for_ms);
	return c.for_ms;
}

START_TEST(so_many_in_a_row_are_told_once)
{
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW));
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW));
	/* of another kind, of another server */
	ck_assert(health_count(u, 0, EJECT_RESET, &rule, NOW));
	ck_assert(!health_count(u, 1, EJECT_5XX, &rule, NOW));
	ck_assert(health_count(u, 0, EJECT_5XX, &rule, NOW + 100));
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW + 100));
}
END_TEST

START_TEST(a_good_one_ends_the_row)
{
	for (int i = 0; i < 10; i++) {
		ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW));
		ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW));
		health_count_ends(u, 0, EJECT_5XX);
	}
}
END_TEST

START_TEST(the_window_begins_with_the_first)
{
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW));
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW + 100));
	/* too late: it is the first of the next row */
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW + 101));
	ck_assert(!health_count(u, 0, EJECT_5XX, &rule, NOW + 150));
	ck_assert(health_count(u, 0, EJECT_5XX, &rule, NOW + 201));
}
END_TEST

START_TEST(each_ejection_that_follows_soon_is_twice_as_long)
{
	static const uint64_t times[] = {1, 2, 4, 8, 16, 16, 16};
	uint64_t now = NOW;

	for (size_t i = 0; i < NELEMS(times); i++) {
		ck_assert_uint_eq(eject(0, now), times[i] * rule.for_ms);
		ck_assert_int_eq(look(0, now).state, HEALTH_EJECTED);
		/* well for as long as it was out is still soon */
		now += 2 * times[i] * rule.for_ms;
		ck_assert_int_eq(look(0, now).state, HEALTH_UP);
	}
	ck_assert_uint_eq(eject(0, now + 1), rule.for_ms);
}
END_TEST

START_TEST(an_ejection_ends_by_the_clock)
{
	struct health h;

	ck_assert_uint_eq(look(0, NOW).back_ms, 0);
	(void)eject(0, NOW);
	h = look(0, NOW + 999);
	ck_assert_int_eq(h.state, HEALTH_EJECTED);
	ck_assert_int_eq(h.run, EJECT_5XX);
	ck_assert_uint_eq(h.since_ms, NOW);
	h = look(0, NOW + 1000);
	ck_assert_int_eq(h.state, HEALTH_UP);
	ck_assert_uint_eq(h.back_ms, NOW + 1000);
	ck_assert_int_eq(look(1, NOW).state, HEALTH_UP);
}
END_TEST

START_TEST(a_claim_counts_and_has_no_effect)
{
	struct health_claim c;
	struct health_claim other;

	ck_assert(health_eject_claim(u, SLOT, 0, &rule, NOW, &c));
	ck_assert(health_is_ejected(u, 0, NOW));
	ck_assert_int_eq(look(0, NOW).state, HEALTH_UP);
	ck_assert(!health_eject_claim(u, SLOT, 0, &rule, NOW, &other));
	health_eject_drop(u, 0, &c);
	ck_assert(!health_is_ejected(u, 0, NOW));
	/* as if nothing had been */
	ck_assert_uint_eq(eject(0, NOW), rule.for_ms);
}
END_TEST

START_TEST(a_claim_of_a_dead_one_is_dropped)
{
	struct health_claim c;

	ck_assert(health_eject_claim(u, SLOT, 0, &rule, NOW, &c));
	health_repair(u, SLOT - 1);
	ck_assert(health_is_ejected(u, 0, NOW));
	health_repair(u, SLOT);
	ck_assert(!health_is_ejected(u, 0, NOW));
	/* what is out stays out */
	(void)eject(1, NOW);
	health_repair(u, SLOT);
	ck_assert_int_eq(look(1, NOW).state, HEALTH_EJECTED);
}
END_TEST

START_TEST(a_check_that_is_bad_takes_a_server_out)
{
	struct health h;

	ck_assert_int_eq(health_checked(u, 0), HEALTH_UNKNOWN);
	health_check_set(u, 0, HEALTH_WHY_NONE, 0, NOW);
	ck_assert_int_eq(health_checked(u, 0), HEALTH_GOOD);
	/* it was never otherwise */
	ck_assert_uint_eq(look(0, NOW).back_ms, 0);
	health_check_set(u, 0, HEALTH_WHY_STATUS, 599, NOW + 5);
	h = look(0, NOW + 5);
	ck_assert_int_eq(h.state, HEALTH_DOWN);
	ck_assert_int_eq(h.why, HEALTH_WHY_STATUS);
	ck_assert_uint_eq(h.detail, 599);
	ck_assert_uint_eq(h.since_ms, NOW + 5);
	health_check_set(u, 0, HEALTH_WHY_NONE, 0, NOW + 9);
	h = look(0, NOW + 9);
	ck_assert_int_eq(h.state, HEALTH_UP);
	ck_assert_uint_eq(h.back_ms, NOW + 9);
	ck_assert_uint_eq(h.since_ms, NOW + 9);
}
END_TEST

START_TEST(results_of_another_check_are_forgotten)
{
	health_check_adopt(u, 0, 17);
	health_check_set(u, 0, HEALTH_WHY_CONNECT, 0, NOW);
	health_check_adopt(u, 0, 17);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_DOWN);
	health_check_adopt(u, 0, 18);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_UP);
	health_check_set(u, 0, HEALTH_WHY_CONNECT, 0, NOW);
	health_check_adopt(u, 0, 0);
	ck_assert_int_eq(health_checked(u, 0), HEALTH_UNKNOWN);
}
END_TEST

START_TEST(an_order_comes_before_checks_and_those_before_ejection)
{
	(void)eject(0, NOW);
	health_check_set(u, 0, HEALTH_WHY_TIME, 0, NOW);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_DOWN);
	health_order_set(u, 0, HEALTH_ORDER_UP, NOW + 1);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_UP);
	health_order_set(u, 0, HEALTH_ORDER_DRAIN, NOW + 2);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_DRAINING);
	health_order_set(u, 0, HEALTH_ORDER_DOWN, NOW + 3);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_OFF);
	ck_assert_uint_eq(look(0, NOW).since_ms, NOW + 3);
	health_order_set(u, 0, HEALTH_ORDER_AUTO, NOW + 4);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_DOWN);
	health_check_set(u, 0, HEALTH_WHY_NONE, 0, NOW);
	ck_assert_int_eq(look(0, NOW).state, HEALTH_EJECTED);
	ck_assert_uint_eq(
	    look(0, NOW + rule.for_ms).back_ms, NOW + rule.for_ms);
	for (int i = 0; i < HEALTH_ORDERS; i++)
		ck_assert_int_eq(health_order_find(span_str(
				     health_order_name((enum health_order)i))),
		    i);
	ck_assert_int_eq(health_order_find(SPAN_LIT("Up")), HEALTH_ORDERS);
}
END_TEST

/* Of its server alone, beside other orders, until its place is another's. */
START_TEST(an_ordered_weight_stays_until_it_is_dropped)
{
	uint32_t before = upstate_changes(u);

	ck_assert_uint_eq(health_weight(u, 1), 0);
	health_weight_set(u, 1, HEALTH_WEIGHT_MAX);
	ck_assert_uint_ne(upstate_changes(u), before);
	health_order_set(u, 1, HEALTH_ORDER_AUTO, NOW);
	ck_assert_uint_eq(health_weight(u, 1), HEALTH_WEIGHT_MAX);
	ck_assert_uint_eq(health_weight(u, 0), 0);
	health_weight_set(u, 1, 0);
	ck_assert_uint_eq(health_weight(u, 1), 0);
	health_weight_set(u, 1, 7);
	ck_assert(upstate_ready(u, 1));
	ck_assert_uint_eq(health_weight(u, 1), 0);
	/* no worker can make it more than it may be */
	atomic_store(upstate_word(u, 1, UPSTATE_WEIGHT), HEALTH_WEIGHT_MAX + 1);
	ck_assert_uint_eq(health_weight(u, 1), 0);
}
END_TEST

/* Each change once, the newest first, and never more than so many. */
START_TEST(the_last_changes_are_remembered)
{
	struct history_change got[HISTORY_MAX];

	history_note(u, 0, NOW);
	ck_assert_uint_eq(history_read(u, 0, got), 0);
	health_check_set(u, 0, HEALTH_WHY_STATUS, 503, NOW + 1);
	history_note(u, 0, NOW + 2);
	history_note(u, 0, NOW + 3);
	ck_assert_uint_eq(history_read(u, 0, got), 1);
	ck_assert_int_eq(got[0].from, HEALTH_UP);
	ck_assert_int_eq(got[0].to.state, HEALTH_DOWN);
	ck_assert_int_eq(got[0].to.why, HEALTH_WHY_STATUS);
	ck_assert_uint_eq(got[0].to.detail, 503);
	ck_assert_uint_eq(got[0].to.since_ms, NOW + 1);
	for (unsigned i = 0; i < 3 * HISTORY_MAX; i++) {
		health_order_set(u, 0,
		    i % 2 == 0 ? HEALTH_ORDER_DRAIN : HEALTH_ORDER_DOWN,
		    NOW + 10 + i);
		history_note(u, 0, NOW + 10 + i);
	}
	ck_assert_uint_eq(history_read(u, 0, got), HISTORY_MAX);
	for (unsigned i = 0; i < HISTORY_MAX; i++) {
		ck_assert_uint_eq(
		    got[i].to.since_ms, NOW + 10 + 3 * HISTORY_MAX - 1 - i);
		ck_assert_int_eq(
		    got[i].to.state, i % 2 == 0 ? HEALTH_OFF : HEALTH_DRAINING);
	}
	/* the other servers have theirs */
	ck_assert_uint_eq(history_read(u, 1, got), 0);
}
END_TEST

/* The end of an ejection is a change of nothing but time; one that follows
 * another one is noted, too. */
START_TEST(ejections_and_their_ends_are_changes)
{
	struct history_change got[HISTORY_MAX];
	uint64_t for_ms = eject(0, NOW);

	history_note(u, 0, NOW + 1);
	history_note(u, 0, NOW + for_ms);
	(void)eject(0, NOW + for_ms + 1);
	history_note(u, 0, NOW + for_ms + 2);
	ck_assert_uint_eq(history_read(u, 0, got), 3);
	ck_assert_int_eq(got[0].to.state, HEALTH_EJECTED);
	ck_assert_int_eq(got[0].to.run, EJECT_5XX);
	ck_assert_int_eq(got[1].to.state, HEALTH_UP);
	ck_assert_int_eq(got[2].to.state, HEALTH_EJECTED);
	ck_assert_uint_gt(got[0].to.since_ms, got[1].to.since_ms);
	ck_assert_uint_gt(got[1].to.since_ms, got[2].to.since_ms);
}
END_TEST

START_TEST(panic_is_below_the_share_of_the_usual_servers)
{
	static const struct {
		struct health_class usual;
		struct health_class backup;
		uint32_t tenths;
		bool panics;
	} rows[] = {
	    {{2, 1}, {0, 0}, 500, false},
	    {{3, 1}, {0, 0}, 500, true},
	    {{3, 1}, {2, 2}, 500, true},
	    {{3, 0}, {2, 1}, 500, false},
	    {{3, 0}, {2, 0}, 500, true},
	    {{3, 0}, {0, 0}, 0, false},
	    {{3, 2}, {0, 0}, 1000, true},
	    {{3, 3}, {0, 0}, 1000, false},
	    /* all were taken out by the operator */
	    {{0, 0}, {0, 0}, 500, false},
	};
	struct health_class c = {0, 0};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(health_panics(&rows[i].usual, &rows[i].backup,
				  rows[i].tenths) == rows[i].panics,
		    "row %zu", i);
	for (int s = HEALTH_UP; s <= HEALTH_OFF; s++)
		health_class_add(
		    &c, &(struct health){.state = (enum health_state)s});
	ck_assert_uint_eq(c.n, 3);
	ck_assert_uint_eq(c.n_fit, 1);
}
END_TEST

START_TEST(changes_are_told_and_a_successor_is_well)
{
	uint32_t before = upstate_changes(u);

	(void)eject(2, NOW);
	ck_assert_uint_ne(upstate_changes(u), before);
	ck_assert(!health_count(u, 2, EJECT_5XX, &rule, NOW));
	ck_assert(upstate_ready(u, 2));
	ck_assert_int_eq(look(2, NOW).state, HEALTH_UP);
	ck_assert(!health_count(u, 2, EJECT_5XX, &rule, NOW));
	ck_assert(!health_count(u, 2, EJECT_5XX, &rule, NOW));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    so_many_in_a_row_are_told_once,
	    a_good_one_ends_the_row,
	    the_window_begins_with_the_first,
	    each_ejection_that_follows_soon_is_twice_as_long,
	    an_ejection_ends_by_the_clock,
	    a_claim_counts_and_has_no_effect,
	    a_claim_of_a_dead_one_is_dropped,
	    a_check_that_is_bad_takes_a_server_out,
	    results_of_another_check_are_forgotten,
	    an_order_comes_before_checks_and_those_before_ejection,
	    an_ordered_weight_stays_until_it_is_dropped,
	    the_last_changes_are_remembered,
	    ejections_and_their_ends_are_changes,
	    panic_is_below_the_share_of_the_usual_servers,
	    changes_are_told_and_a_successor_is_well,
	};

	return unit_run_in("health", tests, NELEMS(tests), set_up, tear_down);
}
