/* store/upstate: totals that all change by one atomic step, and ledgers in
 * which each process notes its own share, from which the totals can be counted
 * anew. */
#include "common/store/upstate.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

/* Tries of one recount before it is left for later. */
#define RECOUNT_TRIES 1000

/* Ids whose pages are made usable together: of a process, whole cache lines of
 * its own. */
#define UPSTATE_BLOCK 64u
#define UPSTATE_BLOCKS (UPSTATE_SERVERS_MAX / UPSTATE_BLOCK)

/* A word of {version, count}: each step changes both. */
#define STEP_VERSION (UINT64_C(1) << 32)
#define COUNT_OF(word) ((uint32_t)(word))

struct upstate_server {
	_Atomic uint64_t total; /* requests now */
	_Atomic uint64_t count[UPSTATE_COUNTS];
	_Atomic uint64_t word[UPSTATE_WORDS];
} __attribute__((aligned(64)));

struct upstate_past {
	_Atomic uint64_t word[UPSTATE_PAST_WORDS];
};

/* What one process is about to do; written by it alone. */
struct upstate_intent {
	_Atomic uint64_t id; /* id + 1 of the total it is changing; 0 */
} __attribute__((aligned(64)));

/* What one process did with so many servers; likewise. */
struct upstate_ledger {
	_Atomic uint32_t active[UPSTATE_BLOCK];
} __attribute__((aligned(64)));

/* The ledgers of all of them lie together, so that they are one piece to be
 * made usable. */
struct upstate_block {
	struct upstate_ledger of[SLOTS_MAX];
};

struct upstate_table {
	_Atomic uint32_t used; /* ids below it were made ready at some time */
	_Atomic uint32_t changes; /* of what is known of health */
	struct upstate_intent intent[SLOTS_MAX];
	struct upstate_server server[UPSTATE_SERVERS_MAX];
	struct upstate_past past[UPSTATE_SERVERS_MAX];
	struct upstate_block block[UPSTATE_BLOCKS];
};

struct upstate {
	struct segment *segment;
	uint32_t n_usable; /* master: ids below it have their pages */
	struct upstate_table *t;
};

static const struct segment_want upstate_want = {
    .kind = SEGMENT_KIND_UPSTATE,
    .version = 9,
    .size = sizeof(struct upstate_table),
    .commit = offsetof(struct upstate_table, server),
    .name = "upstate",
};

struct upstate *
upstate_open(struct segment *s, bool may_make)
{
	struct upstate *u = calloc(1, sizeof(*u));

	REQUIRE(u != NULL);
	u->segment = s;
	u->t = may_make ? segment_claim(s, &upstate_want)
			: segment_find(s, &upstate_want);
	if (u->t != NULL)
		return u;
	free(u);
	return NULL;
}

void
upstate_free(struct upstate *u)
{
	free(u);
}

static _Atomic uint32_t *
upstate_share(const struct upstate *u, uint32_t slot, uint32_t id)
{
	struct upstate_block *b = &u->t->block[id / UPSTATE_BLOCK];

	return &b->of[slot].active[id % UPSTATE_BLOCK];
}

/* The pages of the next ids, in the table and in all ledgers. */
static bool
upstate_commit_more(struct upstate *u)
{
	uint32_t from = u->n_usable;

	if (segment_commit(u->segment, &u->t->server[from],
		sizeof(u->t->server[0]) * UPSTATE_BLOCK) < 0 ||
	    segment_commit(u->segment, &u->t->past[from],
		sizeof(u->t->past[0]) * UPSTATE_BLOCK) < 0 ||
	    segment_commit(u->segment, &u->t->block[from / UPSTATE_BLOCK],
		sizeof(u->t->block[0])) < 0)
		return false;
	u->n_usable += UPSTATE_BLOCK;
	return true;
}

bool
upstate_ready(void *self, uint32_t id)
{
	struct upstate *u = self;
	struct upstate_server *v = &u->t->server[id];

	while (id >= u->n_usable)
		if (!upstate_commit_more(u))
			return false;
	if (id >= atomic_load(&u->t->used)) {
		atomic_store(&u->t->used, id + 1);
		return true;
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		atomic_store(upstate_share(u, i, id), 0);
	atomic_store(&v->total, 0);
	for (uint32_t i = 0; i < UPSTATE_COUNTS; i++)
		atomic_store(&v->count[i], 0);
	for (uint32_t i = 0; i < UPSTATE_WORDS; i++)
		atomic_store(&v->word[i], 0);
	for (uint32_t i = 0; i < UPSTATE_PAST_WORDS; i++)
		atomic_store(&u->t->past[id].word[i], 0);
	return true;
}

void
upstate_renew(struct upstate *u, uint32_t id)
{
	/* the others are the operator's, the steward's or the upstream's */
	static const enum upstate_word own[] = {UPSTATE_RUN_5XX,
	    UPSTATE_RUN_RESET, UPSTATE_RUN_SLOW, UPSTATE_EJECTED,
	    UPSTATE_EJECTED_AT, UPSTATE_CHECKED, UPSTATE_LATENCY};
	struct upstate_server *v = &u->t->server[id];

	REQUIRE(id < UPSTATE_SERVERS_MAX);
	for (uint32_t i = 0; i < UPSTATE_COUNTS; i++)
		atomic_store(&v->count[i], 0);
	for (uint32_t i = 0; i < NELEMS(own); i++)
		atomic_store(&v->word[own[i]], 0);
	for (uint32_t i = 0; i < UPSTATE_PAST_WORDS; i++)
		atomic_store(&u->t->past[id].word[i], 0);
}

/* --- counting ------------------------------------------------------------- */

static void
upstate_step(struct upstate *u, uint32_t slot, uint32_t id, int by)
{
	_Atomic uint64_t *intent = &u->t->intent[slot].id;
	_Atomic uint32_t *share = upstate_share(u, slot, id);
	uint32_t own = atomic_load_explicit(share, memory_order_relaxed);

	atomic_store(intent, (uint64_t)id + 1);
	CRASH_POINT();
	/* release: who sees the new count sees the intent, too */
	atomic_store_explicit(share, own + (uint32_t)by, memory_order_release);
	CRASH_POINT();
	/* one less is 2^32 - 1 more: the carry steps the version as well */
	(void)atomic_fetch_add(&u->t->server[id].total,
	    by > 0 ? STEP_VERSION + 1 : STEP_VERSION - 1);
	CRASH_POINT();
	atomic_store(intent, 0);
}

void
upstate_begin(struct upstate *u, uint32_t slot, uint32_t id)
{
	REQUIRE(slot < SLOTS_MAX && id < UPSTATE_SERVERS_MAX);
	upstate_step(u, slot, id, 1);
}

void
upstate_end(struct upstate *u, uint32_t slot, uint32_t id)
{
	REQUIRE(slot < SLOTS_MAX && id < UPSTATE_SERVERS_MAX);
	upstate_step(u, slot, id, -1);
}

/* The place is taken before it is noted, so that a refusal changes nothing that
 * a recount could see. */
bool
upstate_try_begin(struct upstate *u, uint32_t slot, uint32_t id, uint32_t most)
{
	_Atomic uint64_t *intent;
	_Atomic uint32_t *share;
	_Atomic uint64_t *total;
	uint64_t seen;
	uint32_t own;

	REQUIRE(slot < SLOTS_MAX && id < UPSTATE_SERVERS_MAX);
	intent = &u->t->intent[slot].id;
	share = upstate_share(u, slot, id);
	total = &u->t->server[id].total;
	own = atomic_load_explicit(share, memory_order_relaxed);
	seen = atomic_load(total);
	atomic_store(intent, (uint64_t)id + 1);
	do {
		CRASH_POINT();
		if (COUNT_OF(seen) >= most) {
			atomic_store(intent, 0);
			return false;
		}
	} while (!atomic_compare_exchange_weak(
	    total, &seen, seen + STEP_VERSION + 1));
	CRASH_POINT();
	atomic_store(share, own + 1);
	CRASH_POINT();
	atomic_store(intent, 0);
	return true;
}

uint32_t
upstate_active(const struct upstate *u, uint32_t id)
{
	return COUNT_OF(atomic_load_explicit(
	    &u->t->server[id].total, memory_order_relaxed));
}

void
upstate_add(struct upstate *u, uint32_t id, enum upstate_count what)
{
	(void)atomic_fetch_add_explicit(
	    &u->t->server[id].count[what], 1, memory_order_relaxed);
}

uint64_t
upstate_get(const struct upstate *u, uint32_t id, enum upstate_count what)
{
	return atomic_load_explicit(
	    &u->t->server[id].count[what], memory_order_relaxed);
}

/* --- health --------------------------------------------------------------- */

uint32_t
upstate_used(const struct upstate *u)
{
	uint32_t n = atomic_load(&u->t->used);

	return n < UPSTATE_SERVERS_MAX ? n : UPSTATE_SERVERS_MAX;
}

_Atomic uint64_t *
upstate_word(struct upstate *u, uint32_t id, enum upstate_word which)
{
	REQUIRE(id < UPSTATE_SERVERS_MAX && which < UPSTATE_WORDS);
	return &u->t->server[id].word[which];
}

_Atomic uint64_t *
upstate_past(struct upstate *u, uint32_t id)
{
	REQUIRE(id < UPSTATE_SERVERS_MAX);
	return u->t->past[id].word;
}

void
upstate_change(struct upstate *u)
{
	(void)atomic_fetch_add(&u->t->changes, 1);
}

uint32_t
upstate_changes(const struct upstate *u)
{
	return atomic_load_explicit(&u->t->changes, memory_order_acquire);
}

/* --- repair --------------------------------------------------------------- */

static bool
ledger_is_alive(const struct slots *t, uint32_t slot)
{
	uint32_t state = atomic_load(&t->at[slot].state);

	return state != SLOT_FREE && state != SLOT_DEAD;
}

/* Whether somebody alive is in the middle of changing this total. */
static bool
upstate_is_changing(const struct upstate *u, const struct slots *t, uint32_t id)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (ledger_is_alive(t, i) &&
		    atomic_load(&u->t->intent[i].id) == (uint64_t)id + 1)
			return true;
	return false;
}

static uint32_t
upstate_sum(const struct upstate *u, const struct slots *t, uint32_t id)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (ledger_is_alive(t, i))
			sum += atomic_load(upstate_share(u, i, id));
	return sum;
}

/* Count one total anew. false: it changed all the time. */
static bool
upstate_recount(struct upstate *u, const struct slots *t, uint32_t id)
{
	_Atomic uint64_t *total = &u->t->server[id].total;

	for (int i = 0; i < RECOUNT_TRIES; i++) {
		uint64_t seen = atomic_load(total);
		uint64_t truth;

		if (upstate_is_changing(u, t, id))
			continue;
		truth = ((seen + STEP_VERSION) & ~(STEP_VERSION - 1)) |
			upstate_sum(u, t, id);
		if (upstate_is_changing(u, t, id))
			continue;
		CRASH_POINT();
		if (atomic_compare_exchange_strong(total, &seen, truth))
			return true;
	}
	return false;
}

bool
upstate_repair(struct upstate *u, const struct slots *t, uint32_t dead)
{
	uint32_t n = upstate_used(u);
	_Atomic uint64_t *intent = &u->t->intent[dead].id;
	uint64_t was = atomic_load(intent);
	bool is_done = true;

	for (uint32_t id = 0; id < n; id++) {
		if (atomic_load(upstate_share(u, dead, id)) == 0 &&
		    was != (uint64_t)id + 1)
			continue;
		/* the dead one's share counts no more; it is cleared only when
		 * the total is right, so that this can be repeated */
		if (!upstate_recount(u, t, id)) {
			is_done = false;
			continue;
		}
		CRASH_POINT();
		atomic_store(upstate_share(u, dead, id), 0);
	}
	CRASH_POINT();
	if (is_done)
		atomic_store(intent, 0);
	return is_done;
}

bool
upstate_check(const struct upstate *u, const struct slots *t)
{
	uint32_t n = upstate_used(u);

	for (uint32_t id = 0; id < n; id++)
		if (upstate_is_changing(u, t, id) ||
		    upstate_active(u, id) != upstate_sum(u, t, id))
			return false;
	return true;
}
