/* Deaths at every step of every operation on shared memory. */
#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"
#include "common/shm/wake.h"
#include "common/store/names.h"
#include "common/store/upstate.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

/* --- a record of two numbers that are always equal, under a lock ---------- */

struct pair {
	struct shm_lock lock;
	struct shm_version version;
	uint64_t a;
	uint64_t b;
};

#define PAIRS 2

struct pairs {
	struct slots *t;
	struct pair *at;
};

static void *
pairs_set_up(struct segment *s, struct slots *t)
{
	struct segment_want want = {.kind = SEGMENT_KIND_UPSTATE,
	    .version = 99,
	    .size = PAIRS * sizeof(struct pair),
	    .commit = PAIRS * sizeof(struct pair),
	    .name = "pairs"};
	struct pairs *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->t = t;
	p->at = segment_claim(s, &want);
	ck_assert_ptr_nonnull(p->at);
	return p;
}

/* Read by version, write by lock; a pair that a dead one holds is passed by. */
static void
pairs_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct pairs *ps = ctx;

	for (uint32_t i = 0; i < PAIRS; i++) {
		struct pair *p = &ps->at[i];
		uint32_t seen;
		uint64_t a, b;

		if (version_read(&p->version, &seen)) {
			a = p->a;
			b = p->b;
			REQUIRE(!version_is(&p->version, seen) || a == b);
		}
		if (lock_take(&p->lock, ps->t, me) != LOCK_OK)
			continue;
		version_open(&p->version);
		CRASH_POINT();
		p->a++;
		CRASH_POINT();
		p->b++;
		CRASH_POINT();
		version_close(&p->version);
		lock_release(&p->lock, me);
		++*done;
	}
}

static bool
pairs_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct pairs *ps = ctx;

	for (uint32_t i = 0; i < PAIRS; i++) {
		struct pair *p = &ps->at[i];
		uint64_t owner = atomic_load(&p->lock.owner);

		if (owner == 0 || slot_of_word(owner).slot != dead ||
		    !lock_seize(&p->lock, ps->t, me))
			continue;
		version_open(&p->version);
		CRASH_POINT();
		p->b = p->a;
		CRASH_POINT();
		version_close(&p->version);
		lock_release(&p->lock, me);
	}
	return true;
}

static bool
pairs_check(void *ctx)
{
	struct pairs *ps = ctx;

	for (uint32_t i = 0; i < PAIRS; i++) {
		struct pair *p = &ps->at[i];

		if (p->a != p->b || atomic_load(&p->lock.owner) != 0 ||
		    atomic_load(&p->version.n) % 2 != 0)
			return false;
	}
	return true;
}

START_TEST(a_lock_of_a_dead_owner_is_seized_and_mended)
{
	static const struct crash_case c = {
	    .name = "lock",
	    .set_up = pairs_set_up,
	    .tear_down = free,
	    .work = pairs_work,
	    .repair = pairs_repair,
	    .check = pairs_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 5 * PAIRS);
}
END_TEST

/* --- numbers of servers --------------------------------------------------- */

#define SERVERS 1

struct servers {
	struct slots *t;
	struct upstate *u;
};

static void *
servers_set_up(struct segment *s, struct slots *t)
{
	struct servers *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->u = upstate_open(s, true);
	ck_assert_ptr_nonnull(v->u);
	for (uint32_t id = 0; id < SERVERS; id++)
		ck_assert(upstate_ready(v->u, id));
	return v;
}

static void
servers_tear_down(void *ctx)
{
	struct servers *v = ctx;

	upstate_free(v->u);
	free(v);
}

static void
servers_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct servers *v = ctx;

	for (uint32_t id = 0; id < SERVERS; id++) {
		upstate_begin(v->u, me.slot, id);
		upstate_begin(v->u, me.slot, id);
		upstate_end(v->u, me.slot, id);
		CRASH_POINT();
		upstate_end(v->u, me.slot, id);
	}
	++*done;
}

static bool
servers_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct servers *v = ctx;

	(void)me;
	return upstate_repair(v->u, v->t, dead);
}

static bool
servers_check(void *ctx)
{
	struct servers *v = ctx;

	for (uint32_t id = 0; id < SERVERS; id++)
		if (upstate_active(v->u, id) != 0)
			return false;
	return upstate_check(v->u, v->t);
}

START_TEST(what_a_dead_one_had_in_flight_is_counted_no_more)
{
	static const struct crash_case c = {
	    .name = "upstate",
	    .set_up = servers_set_up,
	    .tear_down = servers_tear_down,
	    .work = servers_work,
	    .repair = servers_repair,
	    .check = servers_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 12 * SERVERS);
}
END_TEST

/* --- waking --------------------------------------------------------------- */

struct wakes {
	struct slots *t;
	struct wake_fds fds;
	struct slot_name to; /* nobody's process: the checker reads for it */
	uint64_t sum;
};

static void *
wakes_set_up(struct segment *s, struct slots *t)
{
	struct wakes *w = calloc(1, sizeof(*w));
	int slot = slots_take(t, SLOT_WORKER, 1, segment_epoch(s));

	ck_assert_ptr_nonnull(w);
	w->t = t;
	w->to = (struct slot_name){
	    (uint32_t)slot, atomic_load(&t->at[slot].incarnation)};
	ck_assert_int_eq(wake_open(&w->fds), 0);
	return w;
}

static void
wakes_tear_down(void *ctx)
{
	struct wakes *w = ctx;

	wake_close(&w->fds);
	free(w);
}

static void
wakes_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct wakes *w = ctx;

	wake_send(w->t, &w->fds, w->to, me.slot + 1u);
	++*done;
}

static bool
wakes_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	(void)ctx;
	(void)me;
	(void)dead;
	CRASH_POINT();
	return true;
}

static void
wakes_hear(void *self, uint64_t token)
{
	struct wakes *w = self;

	w->sum += token;
}

/* After all that, a token still arrives, once. */
static bool
wakes_check(void *ctx)
{
	struct wakes *w = ctx;

	wake_take(w->t, &w->fds, w->to.slot, wakes_hear, w);
	w->sum = 0;
	wake_send(w->t, &w->fds, w->to, 1000);
	wake_send(w->t, &w->fds, w->to, 1000);
	wake_take(w->t, &w->fds, w->to.slot, wakes_hear, w);
	return w->sum == 1000;
}

START_TEST(a_dead_sender_stops_no_token_of_others)
{
	static const struct crash_case c = {
	    .name = "wake",
	    .set_up = wakes_set_up,
	    .tear_down = wakes_tear_down,
	    .work = wakes_work,
	    .repair = wakes_repair,
	    .check = wakes_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 2);
}
END_TEST

/* --- answers of name servers ---------------------------------------------- */

struct answers {
	struct slots *t;
	struct names *n;
};

static void *
answers_set_up(struct segment *s, struct slots *t)
{
	struct answers *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->n = names_map(s, NAMES_OF_SERVERS, true);
	ck_assert_ptr_nonnull(v->n);
	return v;
}

/* Every answer has as many addresses as its lifetime and its one target say,
 * all of them alike: what was put together of two would show. */
static void
answers_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct answers *v = ctx;
	uint32_t n = 1 + (uint32_t)(*done % DNS_ADDRS_MAX);
	struct dns_answer a = {
	    .rc = DNS_OK,
	    .ttl_s = n,
	    .n = n,
	    .n_targets = 1,
	    .targets = {{.n = (uint16_t)n}},
	};
	struct dns_answer got;
	uint64_t until;

	for (uint32_t i = 0; i < n; i++)
		memset(&a.addrs[i], (int)n, sizeof(a.addrs[i]));
	names_put(v->n, v->t, me, SPAN_LIT("app.example"), &a, 100 + n);
	if (names_get(v->n, SPAN_LIT("APP.example"), 1, &got, &until)) {
		REQUIRE(got.n == got.ttl_s && until == 100 + got.n);
		for (uint32_t i = 1; i < got.n; i++)
			REQUIRE(memcmp(&got.addrs[i], &got.addrs[0],
				    sizeof(got.addrs[0])) == 0);
	}
	++*done;
}

static bool
answers_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct answers *v = ctx;

	names_repair(v->n, v->t, me, dead);
	return true;
}

static bool
answers_check(void *ctx)
{
	struct answers *v = ctx;

	return names_check(v->n);
}

START_TEST(a_dead_writer_leaves_no_half_answer)
{
	static const struct crash_case c = {
	    .name = "names",
	    .set_up = answers_set_up,
	    .tear_down = free,
	    .work = answers_work,
	    .repair = answers_repair,
	    .check = answers_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 5);
}
END_TEST

/* --- a thing that is used again when nobody holds it ---------------------- */

struct thing {
	struct shm_lock lock;
	struct shm_pins pins;
	_Atomic uint64_t version; /* 0: it cannot be found */
	_Atomic uint64_t last; /* newest version */
	_Atomic uint64_t a; /* both are the version */
	_Atomic uint64_t b;
};

struct pinned {
	struct slots *t;
	struct thing *thing;
};

static void *
pinned_set_up(struct segment *s, struct slots *t)
{
	struct segment_want want = {.kind = SEGMENT_KIND_UPSTATE,
	    .version = 96,
	    .size = sizeof(struct thing),
	    .commit = sizeof(struct thing),
	    .name = "thing"};
	struct pinned *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->thing = segment_claim(s, &want);
	ck_assert_ptr_nonnull(v->thing);
	return v;
}

/* What was found stays as it is while it is pinned. */
static void
thing_read(struct thing *g, uint32_t slot)
{
	uint64_t version = atomic_load(&g->version);

	if (version == 0)
		return;
	CRASH_POINT();
	pins_set(&g->pins, slot);
	CRASH_POINT();
	if (atomic_load(&g->version) == version) {
		REQUIRE(atomic_load(&g->a) == version);
		CRASH_POINT();
		(void)sched_yield();
		REQUIRE(atomic_load(&g->b) == version);
	}
	pins_clear(&g->pins, slot);
}

static void
thing_write(struct thing *g)
{
	uint64_t version = atomic_exchange(&g->version, 0);

	CRASH_POINT();
	if (!pins_any(&g->pins)) {
		version = atomic_fetch_add(&g->last, 1) + 1;
		atomic_store(&g->a, version);
		CRASH_POINT();
		atomic_store(&g->b, version);
		CRASH_POINT();
	}
	atomic_store(&g->version, version);
}

static void
pinned_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct pinned *v = ctx;

	thing_read(v->thing, me.slot);
	if (lock_take(&v->thing->lock, v->t, me) == LOCK_OK) {
		thing_write(v->thing);
		lock_release(&v->thing->lock, me);
	}
	thing_read(v->thing, me.slot);
	++*done;
}

/* A thing that cannot be found stays so until the next one writes it. */
static bool
pinned_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct pinned *v = ctx;
	uint64_t owner = atomic_load(&v->thing->lock.owner);

	pins_clear(&v->thing->pins, dead);
	CRASH_POINT();
	if (owner != 0 && slot_of_word(owner).slot == dead &&
	    lock_seize(&v->thing->lock, v->t, me))
		lock_release(&v->thing->lock, me);
	return true;
}

static bool
pinned_check(void *ctx)
{
	const struct thing *g = ((const struct pinned *)ctx)->thing;
	uint64_t version = atomic_load(&g->version);

	return !pins_any(&g->pins) && atomic_load(&g->lock.owner) == 0 &&
	       (version == 0 || (atomic_load(&g->a) == version &&
				    atomic_load(&g->b) == version));
}

START_TEST(what_a_dead_one_pinned_is_free_again)
{
	static const struct crash_case c = {
	    .name = "pins",
	    .set_up = pinned_set_up,
	    .tear_down = free,
	    .work = pinned_work,
	    .repair = pinned_repair,
	    .check = pinned_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 8);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_lock_of_a_dead_owner_is_seized_and_mended,
	    what_a_dead_one_had_in_flight_is_counted_no_more,
	    a_dead_sender_stops_no_token_of_others,
	    a_dead_writer_leaves_no_half_answer,
	    what_a_dead_one_pinned_is_free_again,
	};

	return unit_run("crash", tests, NELEMS(tests));
}
