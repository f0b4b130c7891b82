/* Random operations beside a model that knows what may be found, and several
 * processes at once, some of which are killed at any moment. */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define NAMES 60u

static struct store store;

static uint64_t
random_next(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x >> 33;
}

/* --- a model -------------------------------------------------------------- */

/* An object that is being filled, or that was pinned and is read. */
struct hand {
	struct obj_ref ref;
	struct made made;
	uint32_t done; /* bytes */
	uint32_t view;
};

#define HANDS 12u
#define OPS 60000u

struct model {
	struct objects_view *view[2];
	uint32_t version; /* of the last body that was begun */
	uint32_t latest[NAMES]; /* finished last; 0: none may be found */
	struct hand filling[HANDS];
	struct hand reading[HANDS];
	uint64_t x;
	uint32_t n_found;
};

static void
model_begin(struct model *m, struct hand *h)
{
	uint32_t name = (uint32_t)random_next(&m->x) % NAMES;
	struct obj_key k;
	struct obj_head head;
	uint64_t buf[STORE_HEAD_CAP / 8];
	enum obj_begin rc;

	h->view = (uint32_t)random_next(&m->x) % 2;
	h->made = (struct made){name, ++m->version,
	    (uint32_t)(random_next(&m->x) % 50000),
	    random_next(&m->x) % 2 == 0};
	h->done = 0;
	k = store_key(m->view[h->view], name);
	rc = objects_begin(m->view[h->view], &k, &h->ref);
	if (rc == OBJ_OTHER)
		objects_unpin(m->view[h->view], h->ref);
	if (rc != OBJ_BEGUN) {
		h->ref.at = 0;
		return;
	}
	made_head(&h->made, h->made.version, buf, &head);
	ck_assert(objects_set_head(m->view[h->view], h->ref, &head,
	    h->made.is_open ? OBJECTS_OPEN : h->made.len));
}

static void
model_fill(struct model *m, struct hand *h)
{
	struct objects_view *v = m->view[h->view];
	uint32_t n = (uint32_t)(random_next(&m->x) % 20000);

	if (n > h->made.len - h->done)
		n = h->made.len - h->done;
	if (random_next(&m->x) % 50 == 0 ||
	    !made_append(v, h->ref, &h->made, h->done, n)) {
		objects_abandon(v, h->ref);
	} else {
		h->done += n;
		if (h->done < h->made.len)
			return;
		if (objects_finish(v, h->ref))
			m->latest[h->made.name] = h->made.version;
	}
	objects_unpin(v, h->ref);
	h->ref.at = 0;
}

/* Anything may have been evicted; what is found must be the last one. */
static void
model_find(struct model *m, struct hand *h)
{
	uint32_t name = (uint32_t)random_next(&m->x) % NAMES;
	struct obj_key k;
	bool is_updating;
	enum obj_state state;

	h->view = (uint32_t)random_next(&m->x) % 2;
	k = store_key(m->view[h->view], name);
	state = objects_find(m->view[h->view], &k, &h->ref, &is_updating);
	if (state == OBJ_NONE)
		return;
	ck_assert(made_is_whole(m->view[h->view], h->ref, name, &h->made));
	if (state == OBJ_READY) {
		ck_assert_uint_ne(m->latest[name], 0);
		ck_assert_uint_eq(h->made.version, m->latest[name]);
		m->n_found++;
	}
	objects_touch(m->view[h->view], h->ref);
}

static void
model_read(struct model *m, struct hand *h)
{
	struct objects_view *v = m->view[h->view];
	uint32_t version = h->made.version;

	ck_assert(made_is_whole(v, h->ref, h->made.name, &h->made));
	ck_assert(version == 0 || version == h->made.version);
	if (random_next(&m->x) % 8 == 0) {
		struct obj_facts f;

		objects_facts(v, h->ref, &f);
		objects_drop(v, h->ref);
		/* it is the one that may be found, or no longer was */
		if (f.state == OBJ_READY)
			m->latest[h->made.name] = 0;
	}
	objects_unpin(v, h->ref);
	h->ref.at = 0;
}

static void
model_purge(struct model *m)
{
	struct obj_purge p = {
	    .what = OBJ_PURGE_LABEL, .label = random_next(&m->x) % 7};

	if (!objects_purge(m->view[0], &p))
		return;
	for (uint32_t i = 0; i < NAMES; i++)
		if (i % 7 == p.label || i == p.label)
			m->latest[i] = 0;
}

static void
model_step(struct model *m)
{
	struct hand *f = &m->filling[random_next(&m->x) % HANDS];
	struct hand *r = &m->reading[random_next(&m->x) % HANDS];

	if (f->ref.at == 0)
		model_begin(m, f);
	else
		model_fill(m, f);
	if (r->ref.at == 0)
		model_find(m, r);
	else
		model_read(m, r);
	if (random_next(&m->x) % 500 == 0)
		model_purge(m);
	if (random_next(&m->x) % 50 == 0)
		(void)objects_sweep(m->view[1]);
}

static void
model_end(struct model *m)
{
	for (uint32_t i = 0; i < HANDS; i++) {
		struct hand *f = &m->filling[i];
		struct hand *r = &m->reading[i];

		if (f->ref.at != 0) {
			objects_abandon(m->view[f->view], f->ref);
			objects_unpin(m->view[f->view], f->ref);
		}
		if (r->ref.at != 0)
			objects_unpin(m->view[r->view], r->ref);
	}
}

START_TEST(what_is_found_is_what_was_finished_last)
{
	static struct model m;

	store_open(&store, 32 * MIB, MIB);
	m.x = 42;
	m.view[0] = store_view(&store);
	m.view[1] = store_view(&store);
	for (uint32_t i = 0; i < OPS; i++) {
		model_step(&m);
		if (i % 2000 == 0)
			store_check(m.view[0]);
	}
	/* it is about finding, so much must have been found */
	ck_assert_uint_gt(m.n_found, OPS / 10);
	model_end(&m);
	store_sweep(m.view[0]);
	store_check(m.view[0]);
	objects_view_free(m.view[0]);
	objects_view_free(m.view[1]);
	store_close(&store);
	segment_free(store.segment);
}
END_TEST

/* --- many processes ------------------------------------------------------- */

#define WORKERS 4u
#define TURNS 4000u
#define DEATHS 150u
#define PATIENCE 20000000u

struct board {
	_Atomic uint64_t done[WORKERS];
	_Atomic uint64_t found[WORKERS];
	_Atomic uint32_t purged; /* bodies up to it are */
	_Atomic bool is_over;
};

static struct board *board;

/* One turn of anything. */
static void
worker_turn(struct objects_view *v, uint32_t i, uint64_t *x)
{
	uint32_t name = (uint32_t)random_next(x) % NAMES;
	struct made m = {name, (uint32_t)random_next(x),
	    (uint32_t)(random_next(x) % 60000), random_next(x) % 2 == 0};
	struct obj_key k = store_key(v, name);
	struct obj_ref r;
	struct made got;
	bool is_updating;

	if (random_next(x) % 4 == 0)
		(void)made_store(v, &m);
	if (objects_find(v, &k, &r, &is_updating) != OBJ_NONE) {
		REQUIRE(made_is_whole(v, r, name, &got));
		objects_touch(v, r);
		if (got.version != 0 && random_next(x) % 16 == 0) {
			uint64_t buf[STORE_HEAD_CAP / 8];
			struct obj_head h;
			struct obj_facts f;

			objects_facts(v, r, &f);
			made_head(&got, (uint32_t)random_next(x), buf, &h);
			if (f.state == OBJ_READY)
				(void)objects_set_head(v, r, &h, 0);
		}
		if (random_next(x) % 32 == 0)
			objects_drop(v, r);
		objects_unpin(v, r);
		atomic_fetch_add(&board->found[i], 1);
	}
	(void)objects_count_use(v, &k);
	atomic_fetch_add(&board->done[i], 1);
}

/* n turns, or without end. */
static pid_t
worker_start(uint32_t i, uint64_t seed, uint32_t n, struct objects_view *v)
{
	pid_t pid = fork();
	uint64_t x = seed;

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	for (uint32_t turn = 0; n == 0 || turn < n; turn++)
		worker_turn(v, i, &x);
	_exit(0);
}

static void
board_open(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(board, MAP_FAILED);
	store_open(&store, 32 * MIB, 2 * MIB);
}

/* All that is left is whole. */
static void
board_close(void)
{
	struct objects_view *v = store_view(&store);
	struct obj_ref r;
	uint32_t at = 0;

	store_sweep(v);
	store_check(v);
	while (objects_next(v, &at, &r)) {
		uint64_t buf[STORE_HEAD_CAP / 8];
		struct obj_head h;
		struct made m;

		ck_assert_int_eq(objects_head(v, r, buf, sizeof(buf), &h), 0);
		ck_assert(made_is_whole(v, r, (uint32_t)h.labels[0], &m));
		objects_unpin(v, r);
	}
	objects_view_free(v);
	store_close(&store);
	segment_free(store.segment);
	(void)munmap(board, sizeof(*board));
}

START_TEST(several_at_once_read_what_was_written)
{
	pid_t pid[WORKERS];
	struct objects_view *v[WORKERS];
	int status;

	board_open();
	for (uint32_t i = 0; i < WORKERS; i++) {
		v[i] = store_view(&store);
		pid[i] = worker_start(i, i + 1, TURNS, v[i]);
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		ck_assert_uint_gt(atomic_load(&board->found[i]), TURNS / 10);
		objects_view_free(v[i]);
	}
	board_close();
}
END_TEST

/* Wait for a few turns of that one. */
static void
worker_wait(uint32_t i, uint64_t n)
{
	uint64_t until = atomic_load(&board->done[i]) + n;

	for (uint32_t k = 0; atomic_load(&board->done[i]) < until; k++) {
		ck_assert_uint_lt(k, PATIENCE);
		(void)sched_yield();
	}
}

static uint32_t slot_of[WORKERS];

static pid_t
worker_spawn(uint32_t i, uint64_t seed)
{
	int slot = slots_take(store.slots, SLOT_WORKER, 1, 1);
	struct objects_view *v;
	pid_t pid;

	ck_assert_int_ge(slot, 0);
	slot_of[i] = (uint32_t)slot;
	v = objects_view_new(store.cache, store.slots, &store.wakes,
	    (struct slot_name){(uint32_t)slot,
		atomic_load(&store.slots->at[slot].incarnation)});
	pid = worker_start(i, seed, 0, v);
	objects_view_free(v);
	return pid;
}

static void
worker_kill(pid_t pid)
{
	int status;

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* not ended by what it found before */
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
worker_bury(struct objects_view *steward, uint32_t slot)
{
	atomic_store(&store.slots->at[slot].state, SLOT_DEAD);
	for (uint32_t k = 0; !objects_repair(steward, slot); k++) {
		ck_assert_uint_lt(k, PATIENCE);
		(void)sched_yield();
	}
	slots_release(store.slots, slot);
}

START_TEST(who_is_killed_at_any_moment_spoils_nothing)
{
	struct objects_view *steward;
	pid_t pid[WORKERS];
	uint64_t x = 7;

	board_open();
	steward = store_view(&store);
	for (uint32_t i = 0; i < WORKERS; i++)
		pid[i] = worker_spawn(i, i + 1);
	for (uint32_t n = 0; n < DEATHS; n++) {
		uint32_t i = n % WORKERS;

		worker_wait(i, random_next(&x) % 20);
		worker_kill(pid[i]);
		worker_bury(steward, slot_of[i]);
		(void)objects_sweep(steward);
		pid[i] = worker_spawn(i, n + 100);
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		worker_wait(i, 1);
		worker_kill(pid[i]);
		worker_bury(steward, slot_of[i]);
	}
	objects_view_free(steward);
	board_close();
}
END_TEST

/* --- purges --------------------------------------------------------------- */

#define PURGES 20000u

/* Search until all is over; what had been purged before must not come. */
static void
search(struct objects_view *v, uint32_t i)
{
	struct obj_key k = store_key(v, 0);
	struct obj_ref r;
	struct made got;
	bool is_updating;

	while (!atomic_load(&board->is_over)) {
		uint32_t purged = atomic_load(&board->purged);

		if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
			continue;
		REQUIRE(made_is_whole(v, r, 0, &got));
		REQUIRE(got.version == 0 || got.version > purged);
		objects_unpin(v, r);
		atomic_fetch_add(&board->found[i], 1);
	}
}

static pid_t
searcher_start(uint32_t i, struct objects_view *v)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		search(v, i);
		_exit(0);
	}
	return pid;
}

START_TEST(what_was_purged_is_found_by_nobody)
{
	/* by name: to look at that takes a while, in which the walk goes on */
	struct obj_purge all = {
	    .what = OBJ_PURGE_PREFIX, .text = span_of("", 0)};
	struct objects_view *v[2], *steward;
	pid_t pid[2];
	int status;

	board_open();
	steward = store_view(&store);
	for (uint32_t i = 0; i < 2; i++) {
		v[i] = store_view(&store);
		pid[i] = searcher_start(i, v[i]);
	}
	for (uint32_t n = 1; n <= PURGES; n++) {
		struct made m = {0, n, 100, false};

		(void)made_store(steward, &m);
		ck_assert(objects_purge(steward, &all));
		atomic_store(&board->purged, n);
		store_sweep(steward);
	}
	atomic_store(&board->is_over, true);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		ck_assert_uint_gt(atomic_load(&board->found[i]), 0);
		objects_view_free(v[i]);
	}
	objects_view_free(steward);
	board_close();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_is_found_is_what_was_finished_last,
	    several_at_once_read_what_was_written,
	    who_is_killed_at_any_moment_spoils_nothing,
	    what_was_purged_is_found_by_nobody,
	};

	return unit_run("objects_stress", tests, NELEMS(tests));
}
