/* GCRA: what a rule lets on, one process and several at once, and what a table
 * without room does. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/limits.h"
#include "t/unit/unit.h"

#define SECOND UINT64_C(1000000)
#define PER_DAY(per_second) ((uint64_t)86400 * (per_second))
/* Some time after the machine's start. */
#define T0 (1000 * SECOND)
#define KEYS 4096u
#define FORKS 4

static struct segment *seg;
static struct slots *slots;
static struct limits *table;
static struct slot_name me;

static struct slot_name
take_slot(void)
{
	int slot = slots_take(slots, SLOT_WORKER, 1, 1);

	ck_assert_int_ge(slot, 0);
	return (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
}

static void
set_up(void)
{
	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	me = take_slot();
	table = limits_claim(seg, SPAN_LIT("a"), KEYS);
	ck_assert_ptr_nonnull(table);
}

static void
tear_down(void)
{
	ck_assert(limits_check(table));
	limits_unclaim(seg, table);
	segment_free(seg);
}

static struct limits_rule
rule(uint64_t per_day, uint64_t burst, uint64_t delay)
{
	struct limits_rule r;

	ck_assert(limits_rule_make(&r, per_day, burst, delay));
	return r;
}

static struct limits_answer
take(const char *key, const struct limits_rule *r, uint64_t now_us)
{
	return limits_take(table, slots, me, span_str(key), r, now_us);
}

START_TEST(a_burst_then_the_rate)
{
	struct limits_rule r = rule(PER_DAY(10), 3, 0);
	struct limits_answer a;

	for (int i = 0; i < 3; i++) {
		a = take("k", &r, T0);
		ck_assert_int_eq(a.rc, LIMITS_OK);
		ck_assert_uint_eq(a.left, 2 - i);
	}
	a = take("k", &r, T0);
	ck_assert_int_eq(a.rc, LIMITS_REFUSED);
	ck_assert_uint_ge(a.wait_us, 100000);
	ck_assert_uint_le(a.wait_us, 100002);
	/* refusals cost nothing: the next place comes when it was said */
	ck_assert_int_eq(take("k", &r, T0 + 99999).rc, LIMITS_REFUSED);
	ck_assert_int_eq(take("k", &r, T0 + 100001).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0 + 100002).rc, LIMITS_REFUSED);
	/* who was idle has all of it again */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(take("k", &r, T0 + SECOND).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0 + SECOND).rc, LIMITS_REFUSED);
	ck_assert_uint_eq(limits_count(table, LIMITS_COUNT_REFUSED), 4);
}
END_TEST

START_TEST(keys_do_not_meet)
{
	struct limits_rule r = rule(PER_DAY(1), 1, 0);
	char key[16];

	for (unsigned i = 0; i < KEYS / 16; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		ck_assert_int_eq(take(key, &r, T0).rc, LIMITS_OK);
	}
	for (unsigned i = 0; i < KEYS / 16; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		ck_assert_int_eq(take(key, &r, T0).rc, LIMITS_REFUSED);
	}
	ck_assert_uint_eq(limits_count(table, LIMITS_COUNT_EVICTED), 0);
}
END_TEST

START_TEST(what_is_above_the_burst_is_held_back_in_order)
{
	struct limits_rule r = rule(PER_DAY(10), 1, 2);
	struct limits_answer a;

	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	for (unsigned i = 1; i <= 2; i++) {
		a = take("k", &r, T0);
		ck_assert_int_eq(a.rc, LIMITS_HELD);
		ck_assert_uint_ge(a.wait_us, i * 100000);
		ck_assert_uint_le(a.wait_us, i * 100000 + 1);
	}
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_REFUSED);
	ck_assert_uint_eq(limits_count(table, LIMITS_COUNT_HELD), 2);
}
END_TEST

START_TEST(what_is_given_back_can_be_taken)
{
	struct limits_rule r = rule(PER_DAY(1), 2, 0);

	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	limits_give_back(table, SPAN_LIT("k"), &r, T0);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_REFUSED);
	/* nobody can have more than a burst by giving back */
	for (int i = 0; i < 10; i++)
		limits_give_back(table, SPAN_LIT("k"), &r, T0);
	limits_give_back(table, SPAN_LIT("never seen"), &r, T0);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_REFUSED);
}
END_TEST

START_TEST(rules_have_bounds)
{
	struct limits_rule r;

	/* once a day, and a million at once: thousands of years */
	ck_assert(!limits_rule_make(&r, 1, 1000000, 0));
	ck_assert(!limits_rule_make(&r, 1, 1, 1000000));
	ck_assert(!limits_rule_make(&r, 1, UINT64_MAX, 0));
	ck_assert(limits_rule_make(&r, 1, 700, 0));
	ck_assert(limits_rule_make(&r, PER_DAY(1000000), 1000000, 1000000));
	ck_assert_uint_eq(r.gap, LIMITS_UNITS_PER_US);
	/* never more than the rate */
	ck_assert(limits_rule_make(&r, PER_DAY(700000), 1, 0));
	ck_assert_uint_ge(r.gap * 700000, LIMITS_UNITS_PER_US * SECOND);
}
END_TEST

/* A key that was idle is forgotten for nothing; when all places are in use the
 * one that is over first goes, which is counted and told once a minute. */
START_TEST(a_full_table_says_so)
{
	struct limits_rule r = rule(PER_DAY(1), 1, 0);
	struct limits *small = limits_claim(seg, SPAN_LIT("b"), 8);
	char key[16];

	ck_assert_ptr_nonnull(small);
	ck_assert(!limits_may_tell(small, T0));
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		ck_assert_int_eq(limits_take(small, slots, me, span_str(key),
				     &r, T0 + 2 * i * SECOND)
				     .rc,
		    LIMITS_OK);
	}
	ck_assert_uint_eq(limits_count(small, LIMITS_COUNT_EVICTED), 0);
	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		ck_assert_int_ne(limits_take(small, slots, me, span_str(key),
				     &r, T0 + 3000 * SECOND)
				     .rc,
		    LIMITS_UNKNOWN);
	}
	ck_assert_uint_gt(limits_count(small, LIMITS_COUNT_EVICTED), 9000);
	ck_assert(limits_may_tell(small, T0 + 3000 * SECOND));
	ck_assert(!limits_may_tell(small, T0 + 3600 * SECOND));
	ck_assert(limits_check(small));
	limits_unclaim(seg, small);
}
END_TEST

/* The same name and size is the same table, whatever the generation. */
START_TEST(a_table_is_found_by_its_name)
{
	struct limits_rule r = rule(PER_DAY(1), 1, 0);
	struct limits *again = limits_claim(seg, SPAN_LIT("a"), KEYS);
	struct limits *other = limits_claim(seg, SPAN_LIT("a"), 2 * KEYS);

	ck_assert_int_eq(take("k", &r, T0).rc, LIMITS_OK);
	ck_assert_int_eq(
	    limits_take(again, slots, me, SPAN_LIT("k"), &r, T0).rc,
	    LIMITS_REFUSED);
	ck_assert_int_eq(
	    limits_take(other, slots, me, SPAN_LIT("k"), &r, T0).rc, LIMITS_OK);
	limits_unclaim(seg, other);
	limits_unclaim(seg, again);
	ck_assert_ptr_null(limits_claim(seg, SPAN_LIT("big"), 64u << 20));
}
END_TEST

/* What one process of several got, as fast as it could ask. */
static void
ask_fast(_Atomic uint64_t *n_ok, const struct limits_rule *r)
{
	struct slot_name own = take_slot();
	char key[16];
	uint64_t n = 0;

	for (unsigned i = 0; i < 40000; i++) {
		/* a hot key, and others that push each other out of the way */
		(void)snprintf(key, sizeof(key), "%u", i % 8);
		if (limits_take(table, slots, own,
			i % 2 ? span_str(key) : SPAN_LIT("hot"), r, T0 + i / 40)
			    .rc == LIMITS_OK &&
		    i % 2 == 0)
			n++;
	}
	(void)atomic_fetch_add(n_ok, n);
	_exit(0);
}

START_TEST(all_processes_together_get_what_one_would)
{
	/* 1,000 a second in a millisecond, and 100 at once */
	struct limits_rule r = rule(PER_DAY(1000), 100, 0);
	_Atomic uint64_t *n_ok = mmap(NULL, sizeof(*n_ok),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(n_ok, MAP_FAILED);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			ask_fast(n_ok, &r);
	}
	for (int i = 0; i < FORKS; i++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_ge(atomic_load(n_ok), 100);
	ck_assert_uint_le(atomic_load(n_ok), 101);
	ck_assert_uint_eq(limits_count(table, LIMITS_COUNT_UNKNOWN), 0);
	(void)munmap((void *)n_ok, sizeof(*n_ok));
}
END_TEST

static struct limits_flow
flow(uint64_t rate)
{
	return (struct limits_flow){
	    rate, UINT64_C(1) * LIMITS_FLOW_AHEAD_US * LIMITS_UNITS_PER_US};
}

static uint64_t
go(const struct limits_flow *f, uint64_t bytes, uint64_t now_us)
{
	uint64_t wait_us = UINT64_MAX;

	ck_assert(limits_flow_take(
	    table, slots, me, SPAN_LIT("k"), f, bytes, now_us, &wait_us));
	return wait_us;
}

/* An eighth of a second at once, then each piece when its time has come. */
START_TEST(bytes_go_at_their_rate)
{
	struct limits_flow f = flow(80000);
	uint64_t tat = 0;

	ck_assert_uint_eq(go(&f, 5000, T0), 0);
	ck_assert_uint_eq(go(&f, 5000, T0), 0);
	for (unsigned i = 1; i <= 10; i++) {
		uint64_t wait_us = go(&f, 800, T0);

		ck_assert_uint_ge(wait_us, i * 10000);
		ck_assert_uint_le(wait_us, i * 10000 + 1);
	}
	ck_assert_uint_eq(go(&f, 10000, T0 + SECOND), 0);
	/* the same for who counts alone */
	ck_assert_uint_eq(limits_flow_pass(&f, &tat, 10000, T0), 0);
	ck_assert_uint_ge(limits_flow_pass(&f, &tat, 800, T0), 10000);
}
END_TEST

START_TEST(bytes_that_did_not_go_are_given_back)
{
	struct limits_flow f = flow(80000);

	ck_assert_uint_eq(go(&f, 10000, T0), 0);
	ck_assert_uint_gt(go(&f, 80000, T0), SECOND);
	limits_flow_give_back(table, SPAN_LIT("k"), &f, 80000, T0);
	ck_assert_uint_le(go(&f, 800, T0), 10001);
	for (int i = 0; i < 10; i++)
		limits_flow_give_back(table, SPAN_LIT("k"), &f, 80000, T0);
	ck_assert_uint_eq(go(&f, 10000, T0), 0);
	ck_assert_uint_gt(go(&f, 1, T0), 0);
}
END_TEST

/* From a byte a second to very many, in pieces as large as they come: nothing
 * overflows, and never is the rate passed. */
START_TEST(flows_have_bounds)
{
	static const uint64_t rates[] = {
	    1, 2, 7, 1000, 1000003, UINT64_C(1) << 30};

	for (size_t i = 0; i < NELEMS(rates); i++) {
		struct limits_flow f = flow(rates[i]);
		uint64_t tat = 0;
		uint64_t wait_us = 0;
		uint64_t bytes = 1 + rates[i] / 16;

		if (bytes > 65536)
			bytes = 65536;
		for (unsigned n = 1; n <= 1000; n++) {
			wait_us = limits_flow_pass(&f, &tat, bytes, T0);
			ck_assert_uint_ge(
			    (wait_us + LIMITS_FLOW_AHEAD_US + 1) * rates[i],
			    n * bytes * SECOND);
		}
		/* and within 1 per cent of it */
		ck_assert_uint_le(wait_us * rates[i],
		    1010 * bytes * SECOND + rates[i] * 1010);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_burst_then_the_rate,
	    keys_do_not_meet,
	    what_is_above_the_burst_is_held_back_in_order,
	    what_is_given_back_can_be_taken,
	    rules_have_bounds,
	    a_full_table_says_so,
	    a_table_is_found_by_its_name,
	    all_processes_together_get_what_one_would,
	    bytes_go_at_their_rate,
	    bytes_that_did_not_go_are_given_back,
	    flows_have_bounds,
	};

	return unit_run_in("limits", tests, NELEMS(tests), set_up, tear_down);
}
