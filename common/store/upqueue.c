/* store/upqueue: one word for each process and upstream, written by that
 * process alone, so that there is nothing that somebody could die in the middle
 * of. How many wait is counted in store/upstate. */
#include "common/store/upqueue.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

struct upqueue_row {
	_Atomic uint64_t ticket; /* given last */
	_Atomic uint64_t count[UPQUEUE_COUNTS];
	_Atomic uint64_t word[UPQUEUE_WORDS];
	_Atomic uint64_t first[SLOTS_MAX]; /* ticket that waits there, or 0 */
} __attribute__((aligned(64)));

struct upqueue_table {
	_Atomic uint32_t used; /* ids below it were made ready at some time */
	struct upqueue_row row[UPQUEUE_MAX];
};

struct upqueue {
	struct segment *segment;
	struct upqueue_table *t;
};

static const struct segment_want upqueue_want = {
    .kind = SEGMENT_KIND_UPQUEUE,
    .version = 1,
    .size = sizeof(struct upqueue_table),
    .commit = sizeof(uint32_t),
    .name = "upqueue",
};

struct upqueue *
upqueue_open(struct segment *s, bool may_make)
{
	struct upqueue *q = calloc(1, sizeof(*q));

	REQUIRE(q != NULL);
	q->segment = s;
	q->t = may_make ? segment_claim(s, &upqueue_want)
			: segment_find(s, &upqueue_want);
	if (q->t != NULL)
		return q;
	free(q);
	return NULL;
}

void
upqueue_free(struct upqueue *q)
{
	free(q);
}

bool
upqueue_ready(void *self, uint32_t id)
{
	struct upqueue *q = self;
	struct upqueue_row *r = &q->t->row[id];

	if (segment_commit(q->segment, r, sizeof(*r)) < 0)
		return false;
	atomic_store(&r->ticket, 0);
	for (uint32_t i = 0; i < UPQUEUE_COUNTS; i++)
		atomic_store(&r->count[i], 0);
	for (uint32_t i = 0; i < UPQUEUE_WORDS; i++)
		atomic_store(&r->word[i], 0);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		atomic_store(&r->first[i], 0);
	if (id >= atomic_load(&q->t->used))
		atomic_store(&q->t->used, id + 1);
	return true;
}

/* --- waiting -------------------------------------------------------------- */

uint64_t
upqueue_ticket(struct upqueue *q, uint32_t id)
{
	REQUIRE(id < UPQUEUE_MAX);
	return atomic_fetch_add(&q->t->row[id].ticket, 1) + 1;
}

void
upqueue_show(struct upqueue *q, uint32_t id, uint32_t slot, uint64_t ticket)
{
	REQUIRE(id < UPQUEUE_MAX && slot < SLOTS_MAX);
	CRASH_POINT();
	atomic_store(&q->t->row[id].first[slot], ticket);
	CRASH_POINT();
}

static bool
slot_takes_turns(const struct slot *s, uint64_t now_ms)
{
	uint32_t state = atomic_load(&s->state);
	uint64_t beat_ms =
	    atomic_load_explicit(&s->heartbeat_ms, memory_order_relaxed);

	return state != SLOT_FREE && state != SLOT_DEAD &&
	       now_ms < beat_ms + UPQUEUE_PATIENCE_MS;
}

bool
upqueue_first(const struct upqueue *q, const struct slots *t, uint32_t id,
    uint64_t now_ms, uint32_t *slot, uint64_t *ticket)
{
	const struct upqueue_row *r = &q->t->row[id];
	uint64_t least = UINT64_MAX;

	REQUIRE(id < UPQUEUE_MAX);
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		uint64_t found = atomic_load(&r->first[i]);

		if (found == 0 || found >= least ||
		    !slot_takes_turns(&t->at[i], now_ms))
			continue;
		least = found;
		*slot = i;
	}
	*ticket = least;
	return least != UINT64_MAX;
}

/* --- numbers -------------------------------------------------------------- */

void
upqueue_add(struct upqueue *q, uint32_t id, enum upqueue_count what)
{
	REQUIRE(id < UPQUEUE_MAX);
	(void)atomic_fetch_add_explicit(
	    &q->t->row[id].count[what], 1, memory_order_relaxed);
}

uint64_t
upqueue_get(const struct upqueue *q, uint32_t id, enum upqueue_count what)
{
	REQUIRE(id < UPQUEUE_MAX);
	return atomic_load_explicit(
	    &q->t->row[id].count[what], memory_order_relaxed);
}

_Atomic uint64_t *
upqueue_words(struct upqueue *q, uint32_t id)
{
	REQUIRE(id < UPQUEUE_MAX);
	return q->t->row[id].word;
}

/* --- repair --------------------------------------------------------------- */

static uint32_t
upqueue_used(const struct upqueue *q)
{
	uint32_t n = atomic_load(&q->t->used);

	return n < UPQUEUE_MAX ? n : UPQUEUE_MAX;
}

/* All of an upstream's: a repair is seldom, and each looks whether it is
 * first. */
static void
row_wake(
    const struct upqueue_row *r, struct slots *t, const struct wake_fds *wakes)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot_name to = {i, atomic_load(&t->at[i].incarnation)};

		if (atomic_load(&r->first[i]) != 0)
			wake_send(t, wakes, to, WAKE_PLACE);
	}
}

void
upqueue_repair(struct upqueue *q, struct slots *t, const struct wake_fds *wakes,
    uint32_t dead)
{
	uint32_t n = upqueue_used(q);

	REQUIRE(dead < SLOTS_MAX);
	for (uint32_t id = 0; id < n; id++) {
		struct upqueue_row *r = &q->t->row[id];

		atomic_store(&r->first[dead], 0);
		CRASH_POINT();
		row_wake(r, t, wakes);
	}
}

bool
upqueue_check(const struct upqueue *q, const struct slots *t)
{
	uint32_t n = upqueue_used(q);

	for (uint32_t id = 0; id < n; id++)
		for (uint32_t i = 0; i < SLOTS_MAX; i++) {
			uint32_t state = atomic_load(&t->at[i].state);

			if ((state == SLOT_FREE || state == SLOT_DEAD) &&
			    atomic_load(&q->t->row[id].first[i]) != 0)
				return false;
		}
	return true;
}
