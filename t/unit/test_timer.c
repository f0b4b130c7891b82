/* The timer wheel: never early, at most one advance late, whatever is set,
 * cleared and re-armed meanwhile. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/net/timer.h"
#include "t/unit/unit.h"

/* A start that is no round number at any level. */
#define START_MS UINT64_C(0x123456789a)
/* Span of one slot of the top level, and of the whole wheel. */
#define TOP_MS (UINT64_C(1) << 24)
#define WHEEL_MS (UINT64_C(1) << 30)

static struct timer_wheel wheel;

struct probe {
	struct timer t;
	unsigned n_fired;
	uint64_t fired_ms;
	uint64_t again_ms; /* re-arm from the callback; 0: not */
	struct timer *other; /* clear from the callback; NULL: none */
};

static void
on_due(void *self)
{
	struct probe *p = self;

	ck_assert(!timer_is_set(&p->t));
	p->n_fired++;
	p->fired_ms = wheel.now_ms;
	if (p->again_ms > 0)
		timer_set(&wheel, &p->t, p->again_ms);
	if (p->other != NULL)
		timer_clear(&wheel, p->other);
}

static void
probe_init(struct probe *p)
{
	*p = (struct probe){.n_fired = 0};
	timer_init(&p->t, on_due, p);
}

static void
set_up(void)
{
	timer_wheel_init(&wheel, START_MS);
}

static const uint64_t distances[] = {1, 2, 63, 64, 65, 127, 4095, 4096, 4097,
    262143, 262144, 262145, TOP_MS - 1, TOP_MS, TOP_MS + 1, WHEEL_MS - 1,
    WHEEL_MS, WHEEL_MS + 1, WHEEL_MS * 64, WHEEL_MS * 64 + 12345};

/* By one step to the tick before, and one to the tick. */
START_TEST(a_timer_of_any_distance_fires_at_its_tick)
{
	for (size_t i = 0; i < NELEMS(distances); i++) {
		struct probe p;

		timer_wheel_init(&wheel, START_MS);
		probe_init(&p);
		timer_set(&wheel, &p.t, distances[i]);
		ck_assert(timer_is_set(&p.t));
		timer_wheel_advance(&wheel, START_MS + distances[i] - 1);
		ck_assert_uint_eq(p.n_fired, 0);
		timer_wheel_advance(&wheel, START_MS + distances[i]);
		ck_assert_uint_eq(p.n_fired, 1);
		ck_assert_uint_eq(wheel.n, 0);
	}
}
END_TEST

/* As a loop does it: sleep for what the wheel says. */
START_TEST(sleeping_as_long_as_the_wheel_says_is_never_too_long)
{
	for (size_t i = 0; i < NELEMS(distances); i++) {
		struct probe p;
		uint64_t now = START_MS;
		unsigned n_turns = 0;

		timer_wheel_init(&wheel, now);
		probe_init(&p);
		timer_set(&wheel, &p.t, distances[i]);
		while (p.n_fired == 0) {
			uint64_t wait = timer_wheel_wait_ms(&wheel, UINT64_MAX);

			ck_assert_uint_gt(wait, 0);
			now += wait;
			ck_assert_uint_le(now, START_MS + distances[i]);
			timer_wheel_advance(&wheel, now);
			/* once a level, and once a turn of the top one */
			ck_assert_uint_le(++n_turns,
			    TIMER_LEVELS + distances[i] / WHEEL_MS + 1);
		}
		ck_assert_uint_eq(now, START_MS + distances[i]);
	}
}
END_TEST

START_TEST(the_wait_is_capped_and_without_timers_the_cap)
{
	struct probe p;

	probe_init(&p);
	ck_assert_uint_eq(timer_wheel_wait_ms(&wheel, 500), 500);
	timer_set(&wheel, &p.t, 1000000);
	ck_assert_uint_le(timer_wheel_wait_ms(&wheel, 500), 500);
	timer_set(&wheel, &p.t, 5);
	ck_assert_uint_eq(timer_wheel_wait_ms(&wheel, 500), 5);
	timer_clear(&wheel, &p.t);
	ck_assert_uint_eq(timer_wheel_wait_ms(&wheel, 500), 500);
}
END_TEST

START_TEST(zero_fires_at_the_next_advance)
{
	struct probe p;

	probe_init(&p);
	timer_set(&wheel, &p.t, 0);
	timer_wheel_advance(&wheel, START_MS);
	ck_assert_uint_eq(p.n_fired, 0);
	timer_wheel_advance(&wheel, START_MS + 1);
	ck_assert_uint_eq(p.n_fired, 1);
}
END_TEST

START_TEST(time_does_not_go_back)
{
	struct probe p;

	probe_init(&p);
	timer_set(&wheel, &p.t, 10);
	timer_wheel_advance(&wheel, START_MS - 1000);
	ck_assert_uint_eq(wheel.now_ms, START_MS);
	timer_wheel_advance(&wheel, START_MS + 9);
	ck_assert_uint_eq(p.n_fired, 0);
	timer_wheel_advance(&wheel, START_MS + 10);
	ck_assert_uint_eq(p.n_fired, 1);
}
END_TEST

START_TEST(the_farthest_deadline_does_not_wrap)
{
	struct probe p;

	probe_init(&p);
	timer_set(&wheel, &p.t, UINT64_MAX);
	ck_assert_uint_gt(p.t.due_ms, UINT64_MAX / 2);
	timer_wheel_advance(&wheel, START_MS + WHEEL_MS * 64);
	ck_assert_uint_eq(p.n_fired, 0);
	ck_assert(timer_is_set(&p.t));
	timer_clear(&wheel, &p.t);
	ck_assert_uint_eq(wheel.n, 0);
}
END_TEST

START_TEST(a_timer_that_is_set_again_has_one_deadline)
{
	struct probe p;

	probe_init(&p);
	timer_set(&wheel, &p.t, 10);
	timer_set(&wheel, &p.t, 20);
	ck_assert_uint_eq(wheel.n, 1);
	timer_wheel_advance(&wheel, START_MS + 19);
	ck_assert_uint_eq(p.n_fired, 0);
	timer_set(&wheel, &p.t, 5);
	timer_wheel_advance(&wheel, START_MS + 23);
	ck_assert_uint_eq(p.n_fired, 0);
	timer_wheel_advance(&wheel, START_MS + 24);
	ck_assert_uint_eq(p.n_fired, 1);
	timer_clear(&wheel, &p.t);
	timer_clear(&wheel, &p.t);
	ck_assert_uint_eq(wheel.n, 0);
}
END_TEST

/* A loop that was held up must not make a timer of the future late: what is set
 * in a callback counts from the time of the advance. */
START_TEST(what_a_late_callback_sets_is_not_early)
{
	struct probe p;

	probe_init(&p);
	p.again_ms = 10;
	timer_set(&wheel, &p.t, 10);
	timer_wheel_advance(&wheel, START_MS + 1000);
	ck_assert_uint_eq(p.n_fired, 1);
	ck_assert_uint_eq(p.t.due_ms, START_MS + 1010);
	timer_wheel_advance(&wheel, START_MS + 1009);
	ck_assert_uint_eq(p.n_fired, 1);
	timer_wheel_advance(&wheel, START_MS + 1010);
	ck_assert_uint_eq(p.n_fired, 2);
}
END_TEST

START_TEST(a_callback_may_clear_one_of_the_same_tick)
{
	struct probe a, b;

	probe_init(&a);
	probe_init(&b);
	a.other = &b.t;
	b.other = &a.t;
	timer_set(&wheel, &a.t, 100);
	timer_set(&wheel, &b.t, 100);
	timer_wheel_advance(&wheel, START_MS + 100);
	ck_assert_uint_eq(a.n_fired + b.n_fired, 1);
	ck_assert_uint_eq(wheel.n, 0);
}
END_TEST

START_TEST(late_timers_fire_in_the_order_of_their_deadlines)
{
	struct probe p[100];
	uint64_t state = 7;

	for (size_t i = 0; i < NELEMS(p); i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		probe_init(&p[i]);
		timer_set(&wheel, &p[i].t, 1 + (state >> 33) % 5000000);
	}
	timer_wheel_advance(&wheel, START_MS + 5000001);
	for (size_t i = 0; i < NELEMS(p); i++) {
		ck_assert_uint_eq(p[i].n_fired, 1);
		ck_assert_uint_eq(p[i].fired_ms, p[i].t.due_ms);
	}
}
END_TEST

/* --- a model: an array of deadlines --------------------------------------- */

#define N_MODEL 200
#define N_STEPS 30000

struct model {
	struct probe p[N_MODEL];
	uint64_t due_ms[N_MODEL]; /* 0: not set */
	uint64_t state;
};

static uint64_t
model_random(struct model *m)
{
	m->state = m->state * 6364136223846793005u + 1442695040888963407u;
	return m->state >> 32;
}

/* Short ones are frequent, long ones are there. */
static uint64_t
model_distance(struct model *m)
{
	return model_random(m) & ((UINT64_C(2) << model_random(m) % 32) - 1);
}

static void
model_advance(struct model *m, uint64_t by)
{
	uint64_t now = wheel.now_ms + by;
	uint32_t n = 0;

	timer_wheel_advance(&wheel, now);
	ck_assert_uint_eq(wheel.now_ms, now);
	for (size_t i = 0; i < N_MODEL; i++) {
		bool is_due = m->due_ms[i] != 0 && m->due_ms[i] <= now;

		ck_assert_uint_eq(m->p[i].n_fired, is_due);
		if (is_due)
			ck_assert_uint_eq(m->p[i].fired_ms, m->due_ms[i]);
		if (is_due)
			m->due_ms[i] = 0;
		m->p[i].n_fired = 0;
		ck_assert_int_eq(timer_is_set(&m->p[i].t), m->due_ms[i] != 0);
		n += m->due_ms[i] != 0;
	}
	ck_assert_uint_eq(wheel.n, n);
}

START_TEST(the_wheel_agrees_with_a_list_after_any_steps)
{
	struct model *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	for (size_t i = 0; i < N_MODEL; i++)
		probe_init(&m->p[i]);
	for (unsigned step = 0; step < N_STEPS; step++) {
		size_t i = model_random(m) % N_MODEL;
		uint64_t in = model_distance(m);

		switch (model_random(m) % 4) {
		case 0:
			timer_clear(&wheel, &m->p[i].t);
			m->due_ms[i] = 0;
			break;
		case 1:
			model_advance(m, model_random(m) % 16 == 0
					     ? in
					     : model_random(m) % 100);
			break;
		default:
			timer_set(&wheel, &m->p[i].t, in);
			m->due_ms[i] = wheel.now_ms + (in > 0 ? in : 1);
			break;
		}
	}
	model_advance(m, UINT64_C(1) << 33);
	ck_assert_uint_eq(wheel.n, 0);
	free(m);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_timer_of_any_distance_fires_at_its_tick,
	    sleeping_as_long_as_the_wheel_says_is_never_too_long,
	    the_wait_is_capped_and_without_timers_the_cap,
	    zero_fires_at_the_next_advance,
	    time_does_not_go_back,
	    the_farthest_deadline_does_not_wrap,
	    a_timer_that_is_set_again_has_one_deadline,
	    what_a_late_callback_sets_is_not_early,
	    a_callback_may_clear_one_of_the_same_tick,
	    late_timers_fire_in_the_order_of_their_deadlines,
	    the_wheel_agrees_with_a_list_after_any_steps,
	};

	return unit_run_in("timer", tests, NELEMS(tests), set_up, NULL);
}
