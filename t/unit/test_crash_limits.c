/* Deaths at every step of counting requests by keys, while others do the same:
 * keys come, go for want of places, and none is counted twice. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/store/limits.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

/* Few places for many keys. */
#define KEYS 16u
#define ASKED 64u
#define BURST 5u

struct shared {
	struct segment *s;
	struct slots *t;
	struct limits *l;
	struct limits_rule rule;
	struct limits_flow flow;
};

static void *
limits_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->s = s;
	v->t = t;
	v->l = limits_claim(s, SPAN_LIT("a"), KEYS);
	ck_assert_ptr_nonnull(v->l);
	ck_assert(limits_rule_make(&v->rule, 86400u * 100, BURST, 0));
	v->flow = (struct limits_flow){1000000, LIMITS_UNITS_PER_US};
	return v;
}

static void
limits_tear_down(void *ctx)
{
	struct shared *v = ctx;

	limits_unclaim(v->s, v->l);
	free(v);
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	REQUIRE(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
limits_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	uint64_t wait_us = 0;
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", (unsigned)(*done % ASKED));
	if (limits_take(v->l, v->t, me, span_str(key), &v->rule, now_us()).rc ==
	    LIMITS_OK)
		limits_give_back(v->l, span_str(key), &v->rule, now_us());
	/* bytes of keys that come as often; of a million a second */
	key[0] = 'b';
	if (limits_flow_take(v->l, v->t, me, span_str(key), &v->flow, 1000,
		now_us(), &wait_us) &&
	    wait_us > 0)
		limits_flow_give_back(
		    v->l, span_str(key), &v->flow, 1000, now_us());
	++*done;
}

static bool
limits_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	return limits_repair(v->s, v->t, me, dead);
}

/* After a death every key can be counted again, to its burst and no further. */
static bool
limits_are_whole(void *ctx)
{
	struct shared *v = ctx;
	struct slot_name none = {0, 0};
	struct limits_answer a;
	unsigned n = 0;

	if (!limits_check(v->l))
		return false;
	do {
		a = limits_take(v->l, v->t, none, SPAN_LIT("fresh"), &v->rule,
		    now_us() + UINT64_C(3600000000));
	} while (a.rc == LIMITS_OK && ++n <= 2 * BURST);
	return n <= BURST + 1 && a.rc == LIMITS_REFUSED;
}

START_TEST(a_death_leaves_no_place_held)
{
	static const struct crash_case c = {
	    .name = "limits",
	    .set_up = limits_set_up,
	    .tear_down = limits_tear_down,
	    .work = limits_work,
	    .repair = limits_mend,
	    .check = limits_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 4);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_death_leaves_no_place_held,
	};

	return unit_run("crash_limits", tests, NELEMS(tests));
}
