/* Deaths at every step of counting requests, of taking tries again from their
 * share, of noting how long answers took and of adding up what was counted by
 * name, while others do the same. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/budget.h"
#include "common/store/latency.h"
#include "common/store/tally.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define SHARE_TENTHS 500u
/* All happens in one window; an even one. */
#define NOW (UINT64_C(1000) * BUDGET_WINDOW_MS)
#define FLOOR (BUDGET_FLOOR_RPS * BUDGET_WINDOW_MS / 1000)
/* What answers take. */
#define TOOK_US 5000u
#define TAIL_PERCENT 95
#define TOOK_KINDS 100u
/* Of a word: 24 bits of requests, 24 of tries again, 16 of the window. */
#define REQUESTS_OF(word) ((word) >> 40)
#define TRIES_OF(word) ((word) >> 16 & 0xffffff)

struct shared {
	struct upstate *u;
	struct tallies *tallies;
};

static void *
budget_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	(void)t;
	ck_assert_ptr_nonnull(v);
	v->u = upstate_open(s, true);
	ck_assert_ptr_nonnull(v->u);
	ck_assert(upstate_ready(v->u, 0));
	v->tallies = tallies_open(s, true);
	ck_assert_ptr_nonnull(v->tallies);
	ck_assert(tallies_ready(v->tallies, 0));
	return v;
}

static void
budget_tear_down(void *ctx)
{
	struct shared *v = ctx;

	tallies_free(v->tallies);
	upstate_free(v->u);
	free(v);
}

/* What is done is counted besides: requests before, tries behind it. */
static void
budget_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	/* in this order */
	struct tally once = {.status = {[2] = 1}, .bytes_in = 1};

	(void)me;
	tallies_add(v->tallies, 0, &once);
	upstate_add(v->u, 0, UPSTATE_REQUESTS);
	budget_count(v->u, 0, NOW);
	if (budget_take(v->u, 0, SHARE_TENTHS, NOW))
		upstate_add(v->u, 0, UPSTATE_FAILURES);
	latency_note(v->u, 0, TOOK_US + *done % TOOK_KINDS, NOW);
	latency_tail_note(v->u, 0, TAIL_PERCENT, TOOK_US + *done % TOOK_KINDS);
	++*done;
}

static bool
budget_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	(void)ctx;
	(void)me;
	(void)dead;
	return true;
}

/* Nothing was counted that did not happen, and no more was given than the share
 * of what was counted; what an answer took is what one took. */
static bool
budget_check(void *ctx)
{
	struct shared *v = ctx;
	uint64_t word = atomic_load(upstate_word(v->u, 0, UPSTATE_BUDGET_EVEN));
	uint64_t requests = REQUESTS_OF(word);
	uint64_t tries = TRIES_OF(word);
	uint32_t us = latency_us(v->u, 0, NOW);
	struct tally t;

	tallies_get(v->tallies, 0, &t);
	if (t.status[2] < t.bytes_in)
		return false;
	if (us != 0 && (us < TOOK_US || us >= TOOK_US + TOOK_KINDS))
		return false;
	us = latency_tail_us(v->u, 0);
	if (us != 0 && (us < TOOK_US || us >= TOOK_US + TOOK_KINDS))
		return false;
	return requests <= upstate_get(v->u, 0, UPSTATE_REQUESTS) &&
	       tries >= upstate_get(v->u, 0, UPSTATE_FAILURES) &&
	       tries <= FLOOR + requests * SHARE_TENTHS / 1000;
}

START_TEST(no_death_gives_more_than_the_share)
{
	static const struct crash_case c = {
	    .name = "budget",
	    .set_up = budget_set_up,
	    .tear_down = budget_tear_down,
	    .work = budget_work,
	    .repair = budget_repair,
	    .check = budget_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 3);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    no_death_gives_more_than_the_share,
	};

	return unit_run("crash_budget", tests, NELEMS(tests));
}
