/* Deaths at every step of taking a place, waiting for one, judging samples and
 * telling that a server was reached, while others do the same. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/adaptive.h"
#include "common/store/reach.h"
#include "common/store/upqueue.h"
#include "common/store/upstate.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define PLACES 2u
#define SAMPLE_US 1000u

struct shared {
	struct slots *t;
	struct upstate *u;
	struct upqueue *q;
	struct wake_fds fds;
};

static void *
queue_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->u = upstate_open(s, true);
	v->q = upqueue_open(s, true);
	ck_assert(v->u != NULL && v->q != NULL);
	ck_assert(upstate_ready(v->u, 0) && upqueue_ready(v->q, 0));
	ck_assert_int_eq(wake_open(&v->fds), 0);
	return v;
}

static void
queue_tear_down(void *ctx)
{
	struct shared *v = ctx;

	wake_close(&v->fds);
	upqueue_free(v->q);
	upstate_free(v->u);
	free(v);
}

static void
queue_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct adaptive *a = (struct adaptive *)upqueue_words(v->q, 0);

	upqueue_show(v->q, 0, me.slot, upqueue_ticket(v->q, 0));
	if (upstate_try_begin(v->u, me.slot, 0, PLACES)) {
		REQUIRE(upstate_active(v->u, 0) <= PLACES);
		upstate_end(v->u, me.slot, 0);
	}
	upqueue_show(v->q, 0, me.slot, 0);
	for (uint32_t i = 0; i < ADAPTIVE_SAMPLES_MIN; i++)
		(void)adaptive_sample(
		    a, 0, SAMPLE_US + *done * ADAPTIVE_WINDOW_US, PLACES);
	reach_await(v->u, 0);
	reach_tell(v->u, 0, v->t, &v->fds, me.slot, ++*done);
}

static bool
queue_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	(void)me;
	if (!upstate_repair(v->u, v->t, dead))
		return false;
	upqueue_repair(v->q, v->t, &v->fds, dead);
	return true;
}

/* No place and no turn is the dead one's, and the limit is one. */
static bool
queue_check(void *ctx)
{
	struct shared *v = ctx;
	uint32_t limit =
	    adaptive_limit((struct adaptive *)upqueue_words(v->q, 0));

	return upstate_active(v->u, 0) == 0 && upstate_check(v->u, v->t) &&
	       upqueue_check(v->q, v->t) && limit >= ADAPTIVE_MIN &&
	       limit <= ADAPTIVE_MAX;
}

START_TEST(no_death_keeps_a_place_or_a_turn)
{
	static const struct crash_case c = {
	    .name = "upqueue",
	    .set_up = queue_set_up,
	    .tear_down = queue_tear_down,
	    .work = queue_work,
	    .repair = queue_repair,
	    .check = queue_check,
	    .others_go_on = true,
	    .repair_stride = 4,
	};

	ck_assert_uint_ge(crash_run(&c), 12);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    no_death_keeps_a_place_or_a_turn,
	};

	return unit_run("crash_upqueue", tests, NELEMS(tests));
}
