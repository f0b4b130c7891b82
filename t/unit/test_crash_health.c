/* Deaths at every step of an ejection, while others eject, too; and of a steward
 * that notes changes, while others note the same. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/history.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define EJECT_SERVERS 4
#define EJECT_MOST 2

struct servers {
	struct upstate *u;
};

static const struct conf_eject eject_rule = {
    .is_on = true,
    .most = {[EJECT_5XX] = 2},
    .window_ms = 1000,
    .for_ms = 10,
};

static void *
ejects_set_up(struct segment *s, struct slots *t)
{
	struct servers *v = calloc(1, sizeof(*v));

	(void)t;
	ck_assert_ptr_nonnull(v);
	v->u = upstate_open(s, true);
	ck_assert_ptr_nonnull(v->u);
	for (uint32_t id = 0; id < EJECT_SERVERS; id++)
		ck_assert(upstate_ready(v->u, id));
	return v;
}

static void
ejects_tear_down(void *ctx)
{
	struct servers *v = ctx;

	upstate_free(v->u);
	free(v);
}

/* A clock that all have in common: it steps on with each turn of anybody. */
static uint64_t
ejects_now_ms(struct servers *v)
{
	return 1000 * (1 + upstate_get(v->u, 0, UPSTATE_REQUESTS));
}

/* As a worker does it. */
static void
ejects_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct servers *v = ctx;
	uint64_t now_ms;

	upstate_add(v->u, 0, UPSTATE_REQUESTS);
	now_ms = ejects_now_ms(v);
	for (uint32_t id = 0; id < EJECT_SERVERS; id++) {
		struct health_claim c;
		uint32_t n = 0;

		(void)health_count(v->u, id, EJECT_5XX, &eject_rule, now_ms);
		if (!health_eject_claim(
			v->u, me.slot, id, &eject_rule, now_ms, &c))
			continue;
		for (uint32_t i = 0; i < EJECT_SERVERS; i++)
			n += health_is_ejected(v->u, i, now_ms);
		if (n > EJECT_MOST)
			health_eject_drop(v->u, id, &c);
		else
			health_eject_confirm(v->u, id, &c, EJECT_5XX, now_ms);
	}
	++*done;
}

static bool
ejects_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct servers *v = ctx;

	(void)me;
	health_repair(v->u, dead);
	return true;
}

/* Nothing is claimed any more, and not too many are out. */
static bool
ejects_check(void *ctx)
{
	struct servers *v = ctx;
	uint64_t now_ms = ejects_now_ms(v);
	uint32_t n = 0;

	for (uint32_t id = 0; id < EJECT_SERVERS; id++) {
		struct health h;

		health_look(v->u, id, now_ms, &h);
		if (health_is_ejected(v->u, id, now_ms) !=
		    (h.state == HEALTH_EJECTED))
			return false;
		n += h.state == HEALTH_EJECTED;
	}
	return n <= EJECT_MOST;
}

START_TEST(never_more_servers_are_out_than_allowed)
{
	static const struct crash_case c = {
	    .name = "eject",
	    .set_up = ejects_set_up,
	    .tear_down = ejects_tear_down,
	    .work = ejects_work,
	    .repair = ejects_repair,
	    .check = ejects_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 3 * EJECT_MOST);
}
END_TEST

/* --- what is remembered --------------------------------------------------- */

/* As two stewards do it, one of which is about to end. */
static void
notes_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct servers *v = ctx;
	uint64_t now_ms;

	(void)me;
	upstate_add(v->u, 0, UPSTATE_REQUESTS);
	now_ms = ejects_now_ms(v);
	health_order_set(v->u, 0,
	    *done % 2 == 0 ? HEALTH_ORDER_DRAIN : HEALTH_ORDER_DOWN, now_ms);
	history_note(v->u, 0, now_ms);
	++*done;
}

static bool
notes_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	(void)ctx;
	(void)me;
	(void)dead;
	return true;
}

/* Whole changes, in order, and the next one is noted as if nobody had died. */
static bool
notes_check(void *ctx)
{
	struct servers *v = ctx;
	struct history_change got[HISTORY_MAX];
	uint64_t now_ms = ejects_now_ms(v) + 1000;
	uint32_t n = history_read(v->u, 0, got);

	for (uint32_t i = 0; i < n; i++)
		if (got[i].to.state == got[i].from ||
		    (i > 0 && got[i].to.since_ms > got[i - 1].to.since_ms))
			return false;
	health_order_set(v->u, 0, HEALTH_ORDER_UP, now_ms);
	history_note(v->u, 0, now_ms);
	n = history_read(v->u, 0, got);
	return n > 0 && got[0].to.state == HEALTH_UP &&
	       got[0].to.since_ms == now_ms;
}

START_TEST(a_dead_steward_notes_nothing_half)
{
	static const struct crash_case c = {
	    .name = "history",
	    .set_up = ejects_set_up,
	    .tear_down = ejects_tear_down,
	    .work = notes_work,
	    .repair = notes_repair,
	    .check = notes_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 2);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    never_more_servers_are_out_than_allowed,
	    a_dead_steward_notes_nothing_half,
	};

	return unit_run("crash_health", tests, NELEMS(tests));
}
