/* store/objects_check: whether all is whole while nobody works, for tests and
 * whoever doubts. Counts everything anew and compares. */
#include <stdlib.h>

#include "common/base/num.h"
#include "common/store/objects_int.h"

struct check {
	struct objects_view *v;
	const struct obj_map *m;
	uint32_t reach; /* entries */
	uint32_t n_blocks;
	uint8_t *in_chain; /* by entry */
	uint8_t *in_queue; /* by entry: enum obj_queue_id */
	uint8_t *is_linked; /* by block: a run that an entry names */
	const char *why;
};

static bool
fails(struct check *c, bool is_wrong, const char *why)
{
	if (is_wrong && c->why == NULL)
		c->why = why;
	return c->why != NULL;
}

static bool
slot_lives(const struct objects_view *v, uint32_t slot)
{
	return slot < SLOTS_MAX &&
	       slot_is_alive(
		   v->slots, (struct slot_name){slot,
				 atomic_load(&v->slots->at[slot].incarnation)});
}

/* --- locks ---------------------------------------------------------------- */

static void
check_locks(struct check *c)
{
	const struct obj_map *m = c->m;

	for (uint32_t i = 0; i < m->n_pools; i++) {
		fails(c, atomic_load(&m->pools[i].lock.owner) != 0,
		    "a pool is locked");
		fails(c, obj_get(&m->pools[i].pending) != 0,
		    "a run is half given");
	}
	for (uint32_t i = 0; i < m->n_shards; i++)
		fails(c, atomic_load(&m->shards[i].lock.owner) != 0,
		    "a shard is locked");
	for (uint32_t i = 0; i < OBJ_STRIPES; i++) {
		fails(c, atomic_load(&m->stripes[i].lock.owner) != 0,
		    "a stripe is locked");
		fails(c, atomic_load(&m->stripes[i].version.n) % 2 != 0,
		    "a stripe's version is odd");
	}
	fails(c, atomic_load(&m->super->purge_lock.owner) != 0,
	    "the purges are locked");
}

static void
check_ledgers(struct check *c)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct obj_ledger *l = &c->m->super->ledger[i];

		fails(c, atomic_load(&l->intent) != 0,
		    "somebody is still about to wake");
		fails(c, obj_get(&l->n_filling) != 0 && !slot_lives(c->v, i),
		    "a dead one still fills");
	}
}

static void
check_purges(struct check *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->m->n_purges; i++)
		n += obj_get(&c->m->purges[i].seq) != 0;
	fails(c, n != obj_get(&c->m->super->n_purges),
	    "purges are counted wrongly");
}

/* --- chains --------------------------------------------------------------- */

static void
check_bucket(struct check *c, uint32_t bucket)
{
	const struct obj_map *m = c->m;
	uint32_t at = obj_get(&m->buckets[bucket]);

	for (uint32_t i = 0; at != 0; i++) {
		struct obj_entry *e = obj_entry(m, at);
		struct obj_key k;

		if (fails(c, e == NULL || i >= CHAIN_MAX, "a chain has no end"))
			return;
		k = obj_key_at(e);
		fails(c, obj_bucket(m, &k) != bucket,
		    "an entry is in another's chain");
		fails(
		    c, ++c->in_chain[at - 1] > 1, "an entry is in two chains");
		at = obj_get(&e->next);
	}
}

static bool
keys_equal(const struct obj_entry *a, const struct obj_entry *b)
{
	return obj_get(&a->key[0]) == obj_get(&b->key[0]) &&
	       obj_get(&a->key[1]) == obj_get(&b->key[1]);
}

/* The same key twice is one READY and one FILLING. */
static void
check_twins(struct check *c, uint32_t bucket)
{
	const struct obj_map *m = c->m;
	const struct obj_entry *a = obj_entry(m, obj_get(&m->buckets[bucket]));

	for (; a != NULL; a = obj_entry(m, obj_get(&a->next))) {
		uint64_t la = atomic_load(&a->life);
		const struct obj_entry *b = obj_entry(m, obj_get(&a->next));

		for (; b != NULL; b = obj_entry(m, obj_get(&b->next))) {
			uint64_t lb = atomic_load(&b->life);

			fails(c,
			    keys_equal(a, b) && life_is_found(la) &&
				life_is_found(lb) &&
				life_state(la) == life_state(lb),
			    "a key is there twice");
		}
	}
}

/* --- queues --------------------------------------------------------------- */

static void
check_queue(struct check *c, uint32_t shard, uint8_t id)
{
	const struct obj_queue *q = &c->m->shards[shard].q[id];
	uint32_t at = obj_get(&q->head);
	uint32_t prev = 0, n = 0, blocks = 0;

	while (at != 0) {
		const struct obj_entry *e = obj_entry(c->m, at);

		if (fails(c, e == NULL || n > c->reach, "a queue has no end"))
			return;
		fails(c, obj_get(&e->queue_prev) != prev, "a queue is torn");
		fails(c,
		    obj_get(&e->queue) != id || obj_shard_of(c->m, at) != shard,
		    "an entry is in another's queue");
		fails(c, c->in_queue[at - 1] != QUEUE_NONE,
		    "an entry is in two queues");
		c->in_queue[at - 1] = id;
		blocks += obj_get(&e->cost);
		n++;
		prev = at;
		at = obj_get(&e->queue_next);
	}
	fails(c, obj_get(&q->tail) != prev, "a queue ends elsewhere");
	fails(c, obj_get(&q->n) != n || obj_get(&q->blocks) != blocks,
	    "a queue is counted wrongly");
}

/* --- memory --------------------------------------------------------------- */

/* Mark a run as one that an entry names. Returns its bytes. */
static uint64_t
check_link(struct check *c, uint32_t at, uint32_t gen, uint32_t run)
{
	uint32_t len = obj_run_len(c->m, run);

	if (fails(c, len == 0 || run + len - 1 > c->n_blocks,
		"a run lies outside"))
		return 0;
	fails(c,
	    obj_get(&c->m->metas[run - 1].owner) != at ||
		obj_get(&c->m->metas[run - 1].gen) != gen,
	    "a run is another's");
	fails(c, c->is_linked[run - 1]++ != 0, "a run is named twice");
	return (uint64_t)len * OBJ_BLOCK;
}

/* Bytes of all runs of the body. */
static uint64_t
check_body(struct check *c, uint32_t at, const struct obj_entry *e)
{
	uint32_t gen = life_gen(atomic_load(&e->life));
	uint32_t run = obj_get(&e->first);
	uint64_t room = 0;

	for (uint32_t i = 0; run != 0; i++) {
		if (fails(c, i > c->n_blocks, "a body has no end"))
			break;
		room += check_link(c, at, gen, run);
		if (c->why != NULL)
			break;
		run = obj_get(&c->m->metas[run - 1].next);
	}
	return room;
}

static void
check_pool(struct check *c, uint32_t pool)
{
	const struct obj_map *m = c->m;
	uint32_t begin = pool * POOL_BLOCKS;
	uint32_t end =
	    (uint32_t)u64_min((uint64_t)begin + POOL_BLOCKS, c->n_blocks);
	uint32_t used = 0;
	uint32_t len = 0;

	for (uint32_t b = begin; b < end; b++) {
		bool is_used = (obj_get(&m->bits[b / 64]) >> (b % 64) & 1) != 0;
		bool is_first = obj_get(&m->metas[b].owner) != 0;

		fails(c, is_first && len > 0, "runs lie over each other");
		fails(c, is_first && c->is_linked[b] == 0, "a run has leaked");
		if (is_first)
			len = obj_run_len(m, b + 1);
		fails(c, is_used != (len > 0), "a bit is wrong");
		used += len > 0;
		len -= len > 0;
	}
	fails(c, obj_get(&m->pools[pool].used) != used,
	    "a pool is counted wrongly");
}

/* --- entries -------------------------------------------------------------- */

static void
check_pins(struct check *c, const struct obj_entry *e, bool is_free)
{
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		uint64_t bits = atomic_load(&e->pins.bits[slot / 64]);

		if ((bits >> (slot % 64) & 1) == 0)
			continue;
		fails(c, is_free, "a free entry is pinned");
		fails(c, !slot_lives(c->v, slot), "a dead one pins");
	}
}

static void
check_free(struct check *c, uint32_t at, const struct obj_entry *e)
{
	fails(c,
	    obj_get(&e->heads[0]) != 0 || obj_get(&e->heads[1]) != 0 ||
		obj_get(&e->first) != 0,
	    "a free entry has memory");
	fails(c,
	    (obj_get(&c->m->idle[(at - 1) / 64]) >> ((at - 1) % 64) & 1) == 0,
	    "a free entry is not found");
}

/* What the state promises. */
static void
check_state(struct check *c, uint32_t at, const struct obj_entry *e)
{
	uint64_t life = atomic_load(&e->life);
	enum life_state state = life_state(life);
	bool is_found = state == LIFE_FILLING || state == LIFE_READY;
	uint64_t room = check_body(c, at, e);

	for (uint32_t i = 0; i < NELEMS(e->heads); i++)
		if (obj_get(&e->heads[i]) != 0)
			(void)check_link(
			    c, at, life_gen(life), obj_get(&e->heads[i]));
	fails(c, !is_found && state != LIFE_FREE && state != LIFE_GONE,
	    "an entry is on its way");
	fails(c, state == LIFE_FILLING && !slot_lives(c->v, life_slot(life)),
	    "a dead one fills");
	fails(
	    c, obj_get(&e->head_owner) != 0, "a head is still being replaced");
	fails(c, state == LIFE_GONE && !pins_any(&e->pins),
	    "one that is gone has leaked");
	fails(c, is_found != (c->in_chain[at - 1] != 0),
	    "a chain does not hold what is there");
	fails(c, (state == LIFE_READY) != (c->in_queue[at - 1] != QUEUE_NONE),
	    "a queue does not hold what is there");
	fails(c, obj_get(&e->queue) != c->in_queue[at - 1],
	    "a queue is not what an entry says");
	if (state == LIFE_FREE)
		check_free(c, at, e);
	else
		fails(c, obj_get(&e->filled) > room, "a body is too short");
	fails(c,
	    state == LIFE_READY && obj_get(&e->filled) != obj_get(&e->length),
	    "one that is whole is not");
	check_pins(c, e, state == LIFE_FREE);
}

/* --- all ------------------------------------------------------------------ */

static void
check_all(struct check *c)
{
	check_locks(c);
	check_ledgers(c);
	check_purges(c);
	for (uint32_t b = 0; b < c->m->n_buckets && c->why == NULL; b++)
		check_bucket(c, b);
	for (uint32_t b = 0; b < c->m->n_buckets && c->why == NULL; b++)
		check_twins(c, b);
	for (uint32_t s = 0; s < c->m->n_shards; s++)
		for (uint8_t q = QUEUE_SMALL; q < QUEUES; q++)
			check_queue(c, s, q);
	for (uint32_t at = 1; at <= c->reach && c->why == NULL; at++)
		check_state(c, at, obj_entry(c->m, at));
	for (uint32_t p = 0; p < c->m->n_pools && c->why == NULL; p++)
		if (p * POOL_BLOCKS < c->n_blocks)
			check_pool(c, p);
}

bool
objects_check(struct objects_view *v, const char **why)
{
	struct check c = {
	    .v = v,
	    .m = &v->m,
	    .reach = obj_reach(&v->m),
	    .n_blocks = (uint32_t)u64_min(
		obj_get(&v->m.super->reach_blocks), v->m.max_blocks),
	};

	c.in_chain = calloc(v->m.max_entries, 1);
	c.in_queue = calloc(v->m.max_entries, 1);
	c.is_linked = calloc(v->m.max_blocks, 1);
	REQUIRE(
	    c.in_chain != NULL && c.in_queue != NULL && c.is_linked != NULL);
	check_all(&c);
	free(c.in_chain);
	free(c.in_queue);
	free(c.is_linked);
	if (why != NULL)
		*why = c.why;
	return c.why == NULL;
}
