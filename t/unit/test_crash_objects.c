/* Deaths at every step of every operation on a cache. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "t/unit/crash.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MEMORY (UINT64_C(1) << 20)
/* More than the memory holds, so that something is evicted in each turn. */
#define NAMES 14u
#define LEN 70000u
/* A repair has many steps, as have the operations. */
#ifdef __SANITIZE_ADDRESS__
/* a sanitizer makes each death ten times as long */
#define STRIDE 53u
#else
#define STRIDE 7u
#endif

/* What one that waits has seen last, for all processes. */
struct waited {
	_Atomic bool is_waiting;
	_Atomic uint32_t n_turns;
	struct obj_ref ref;
	struct obj_facts seen;
};

struct run {
	struct store store;
	struct objects_view *checker; /* of a slot that lives */
	struct objects_view *view; /* of this process */
	struct slot_name me;
	struct waited *waited;
	uint32_t waiter; /* its slot: it lives, whoever dies for it */
	uint32_t n_heard;
};

/* The view of whoever works in this process now. */
static struct objects_view *
run_view(struct run *r, struct slot_name me)
{
	if (r->view != NULL && slot_word(r->me) == slot_word(me))
		return r->view;
	objects_view_free(r->view);
	r->me = me;
	r->view = objects_view_new(
	    r->store.cache, r->store.slots, &r->store.wakes, me);
	return r->view;
}

static void *
run_set_up(struct segment *s, struct slots *t)
{
	struct run *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	store_open_in(&r->store, s, t, MEMORY);
	r->checker = store_view(&r->store);
	for (uint32_t i = 0; i < 2 * NAMES; i++) {
		struct made m = {i % NAMES, i + 1, LEN, i % 2 == 0};

		ck_assert(made_store(r->checker, &m));
	}
	return r;
}

static void
run_tear_down(void *ctx)
{
	struct run *r = ctx;

	objects_view_free(r->view);
	objects_view_free(r->checker);
	store_close(&r->store);
	free(r);
}

/* Whatever is found is whole. */
static void
run_read(struct objects_view *v, uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;
	struct made m;
	bool is_updating;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return;
	REQUIRE(made_is_whole(v, r, name, &m));
	objects_touch(v, r);
	objects_pin(v, r);
	objects_unpin(v, r);
	objects_unpin(v, r);
}

static bool
run_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	return objects_repair(run_view(ctx, me), dead);
}

/* All is whole, and so is each object. */
static bool
run_check(void *ctx)
{
	struct run *r = ctx;
	const char *why = NULL;
	struct obj_stats stats;
	struct obj_ref ref;
	uint32_t at = 0;
	uint64_t n = 0;

	store_sweep(r->checker);
	if (!objects_check(r->checker, &why)) {
		(void)fprintf(stderr, "%s\n", why);
		return false;
	}
	while (objects_next(r->checker, &at, &ref)) {
		objects_unpin(r->checker, ref);
		n++;
	}
	for (uint32_t i = 0; i < NAMES; i++)
		run_read(r->checker, i);
	objects_stats(r->store.cache, &stats);
	return stats.objects == n && stats.filling == 0;
}

/* --- filling and evicting ------------------------------------------------- */

static void
fill_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct objects_view *v = run_view(ctx, me);
	uint32_t name = (uint32_t)(*done * 5 + me.slot) % NAMES;
	struct made m = {name, (uint32_t)*done + 1, LEN, *done % 2 == 0};

	(void)made_store(v, &m);
	run_read(v, name);
	++*done;
}

static void
look_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct objects_view *v = run_view(ctx, me);
	uint32_t name = (uint32_t)(*done + me.slot) % NAMES;
	struct made m = {name, (uint32_t)*done + 1, 9000, true};

	run_read(v, name);
	if (*done % 3 == 0)
		(void)made_store(v, &m);
	++*done;
}

START_TEST(a_dead_filler_leaves_nothing_half)
{
	static const struct crash_case c = {
	    .name = "fill",
	    .set_up = run_set_up,
	    .tear_down = run_tear_down,
	    .work = fill_work,
	    .look = look_work,
	    .repair = run_repair,
	    .check = run_check,
	    .others_go_on = true,
	    .repair_stride = STRIDE,
	};

	ck_assert_uint_ge(crash_run(&c), 50);
}
END_TEST

/* --- heads ---------------------------------------------------------------- */

static void
head_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct objects_view *v = run_view(ctx, me);
	struct made m = {3, 1, 500, false};
	struct obj_key k = store_key(v, m.name);
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;
	struct obj_ref r;
	bool is_updating;

	++*done;
	while (objects_find(v, &k, &r, &is_updating) != OBJ_READY)
		if (r.at != 0 || !made_store(v, &m)) {
			if (r.at != 0)
				objects_unpin(v, r);
			return;
		}
	REQUIRE(made_is_whole(v, r, m.name, &m));
	if (m.version > 0) {
		made_head(&m, (uint32_t)*done, buf, &h);
		(void)objects_set_head(v, r, &h, OBJECTS_OPEN);
		REQUIRE(made_is_whole(v, r, m.name, &m));
	}
	objects_unpin(v, r);
}

START_TEST(a_head_is_the_one_or_the_other)
{
	static const struct crash_case c = {
	    .name = "head",
	    .set_up = run_set_up,
	    .tear_down = run_tear_down,
	    .work = head_work,
	    .repair = run_repair,
	    .check = run_check,
	    .others_go_on = true,
	    .repair_stride = STRIDE,
	};

	ck_assert_uint_ge(crash_run(&c), 15);
}
END_TEST

/* --- taking out ----------------------------------------------------------- */

static void
abandon_one(struct objects_view *v, uint32_t name, bool is_outgrown)
{
	struct made m = {name, 77, 3000, false};
	struct obj_key k = store_key(v, name);
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;
	struct obj_ref r;

	if (objects_begin(v, &k, &r) != OBJ_BEGUN) {
		if (r.at != 0)
			objects_unpin(v, r);
		return;
	}
	made_head(&m, 77, buf, &h);
	if (objects_set_head(v, r, &h, m.len))
		(void)made_append(v, r, &m, 0, 1000);
	if (is_outgrown)
		objects_outgrow(v, r);
	else
		objects_abandon(v, r);
	objects_unpin(v, r);
}

static void
drop_one(struct objects_view *v, uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;
	bool is_updating;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return;
	objects_drop_softly(v, r);
	objects_drop(v, r);
	objects_unpin(v, r);
}

static void
purge_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct objects_view *v = run_view(ctx, me);
	struct obj_purge prefix = {
	    .what = OBJ_PURGE_PREFIX, .text = SPAN_LIT("/object/12")};
	struct obj_purge label = {
	    .what = OBJ_PURGE_LABEL, .label = 3, .is_soft = true};
	struct obj_purge name = {
	    .what = OBJ_PURGE_NAME, .text = SPAN_LIT("/object/2")};
	const struct obj_purge *const purges[] = {&prefix, &label, &name};

	abandon_one(v, (uint32_t)*done % NAMES, *done % 2 == 1);
	drop_one(v, (uint32_t)*done % NAMES);
	(void)objects_purge(v, purges[*done % NELEMS(purges)]);
	run_read(v, 1);
	(void)objects_sweep(v);
	++*done;
}

START_TEST(what_is_taken_out_is_out)
{
	static const struct crash_case c = {
	    .name = "purge",
	    .set_up = run_set_up,
	    .tear_down = run_tear_down,
	    .work = purge_work,
	    .look = look_work,
	    .repair = run_repair,
	    .check = run_check,
	    .others_go_on = true,
	    .repair_stride = STRIDE,
	};

	ck_assert_uint_ge(crash_run(&c), 30);
}
END_TEST

/* --- waiting -------------------------------------------------------------- */

static struct objects_view *
waiter_view(struct run *r)
{
	return objects_view_new(r->store.cache, r->store.slots, &r->store.wakes,
	    (struct slot_name){r->waiter,
		atomic_load(&r->store.slots->at[r->waiter].incarnation)});
}

static void *
wait_set_up(struct segment *s, struct slots *t)
{
	struct run *r = run_set_up(s, t);
	int slot = slots_take(t, SLOT_WORKER, 1, 1);

	ck_assert_int_ge(slot, 0);
	r->waiter = (uint32_t)slot;
	r->waited = mmap(NULL, sizeof(*r->waited), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(r->waited, MAP_FAILED);
	return r;
}

static void
wait_tear_down(void *ctx)
{
	struct run *r = ctx;

	(void)munmap(r->waited, sizeof(*r->waited));
	run_tear_down(ctx);
}

static void
on_token(void *self, uint64_t token)
{
	struct run *r = self;

	r->n_heard +=
	    token == 0 || objects_token_at(token) == r->waited->ref.at;
}

/* Whether the waiter was told to look again. */
static bool
has_heard(struct run *r)
{
	r->n_heard = 0;
	wake_take(r->store.slots, &r->store.wakes, r->waiter, on_token, r);
	return r->n_heard > 0;
}

static bool
has_changed(const struct obj_facts *a, const struct obj_facts *b)
{
	return a->state != b->state || a->filled != b->filled ||
	       a->has_head != b->has_head || a->is_gone != b->is_gone;
}

/* As one that waits does it. */
static void
wait_begin(struct run *r, struct objects_view *w)
{
	(void)has_heard(r);
	objects_wait(w, r->waited->ref);
	objects_facts(w, r->waited->ref, &r->waited->seen);
	atomic_store(&r->waited->is_waiting, true);
}

static void
wait_end(struct run *r)
{
	atomic_store(&r->waited->is_waiting, false);
	REQUIRE(has_heard(r));
}

static void
wait_fill(struct run *r, struct objects_view *v, struct objects_view *w,
    const struct made *m)
{
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_ref ref = r->waited->ref;
	struct obj_head h;

	made_head(m, 1, buf, &h);
	wait_begin(r, w);
	if (!objects_set_head(v, ref, &h, m->len)) {
		objects_abandon(v, ref);
		return;
	}
	wait_end(r);
	wait_begin(r, w);
	if (!made_append(v, ref, m, 0, m->len)) {
		objects_abandon(v, ref);
		return;
	}
	wait_end(r);
	wait_begin(r, w);
	if (m->name % 2 == 0)
		(void)objects_finish(v, ref);
	else
		objects_abandon(v, ref);
	wait_end(r);
}

static void
wait_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct run *r = ctx;
	struct objects_view *v = run_view(r, me);
	struct objects_view *w = waiter_view(r);
	/* a new name in each turn: what the waiter finds is what is filled now,
	 * and never its own to reclaim, for which it would take locks: nobody
	 * is told that it dies */
	struct made m = {
	    100 + atomic_fetch_add(&r->waited->n_turns, 1), 1, 600, false};
	struct obj_key k = store_key(v, m.name);
	struct obj_ref ref;
	bool is_updating;

	++*done;
	if (objects_begin(v, &k, &ref) == OBJ_BEGUN) {
		r->waited->ref = ref;
		REQUIRE(objects_find(w, &k, &ref, &is_updating) != OBJ_NONE);
		REQUIRE(ref.at == r->waited->ref.at);
		wait_fill(r, v, w, &m);
		atomic_store(&r->waited->is_waiting, false);
		objects_unpin(w, ref);
		objects_drop(v, r->waited->ref);
		objects_unpin(v, r->waited->ref);
	}
	objects_view_free(w);
}

/* Something has happened to what it waits for: then it was told. Its own slot
 * is mended as well, since others did in its name what they could not end. */
static bool
wait_check(void *ctx)
{
	struct run *r = ctx;
	struct slot *s = &r->store.slots->at[r->waiter];
	struct obj_facts f;
	bool is_told = true;

	if (atomic_load(&r->waited->is_waiting)) {
		objects_facts(r->checker, r->waited->ref, &f);
		is_told = !has_changed(&f, &r->waited->seen) || has_heard(r);
	}
	atomic_store(&r->waited->is_waiting, false);
	atomic_store(&s->state, SLOT_DEAD);
	if (!objects_repair(r->checker, r->waiter))
		return false;
	atomic_fetch_add(&s->incarnation, 1);
	atomic_store(&s->state, SLOT_SERVING);
	return is_told && run_check(ctx);
}

START_TEST(who_waits_for_a_dead_one_is_told)
{
	static const struct crash_case c = {
	    .name = "wait",
	    .set_up = wait_set_up,
	    .tear_down = wait_tear_down,
	    .work = wait_work,
	    .look = look_work,
	    .repair = run_repair,
	    .check = wait_check,
	    .others_go_on = true,
	    .repair_stride = STRIDE,
	};

	ck_assert_uint_ge(crash_run(&c), 50);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_dead_filler_leaves_nothing_half,
	    a_head_is_the_one_or_the_other,
	    what_is_taken_out_is_out,
	    who_waits_for_a_dead_one_is_told,
	};

	return unit_run("crash_objects", tests, NELEMS(tests));
}
