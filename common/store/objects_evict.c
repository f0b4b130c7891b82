/* store/objects_evict: which object goes when memory is short: S3-FIFO (Yang
 * and others: "FIFO queues are all you need for cache eviction", SOSP 2023).
 * New ones stand in a small queue, through which most pass only once; those
 * that were used again, or that are asked for again soon after they went, stand
 * in the main one. A hit only counts, so it takes no lock. The queues are cut
 * into shards, each under a lock of its own. */
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Part of a shard's blocks for the small queue: one of so many. */
#define SMALL_PART 10u
/* Hits that bring an object from the small queue into the main one. */
#define FREQ_MOVES 2u
/* Objects that are looked at for one victim, and after how many their hits
 * count no more: when all were used, somebody has to go. */
#define LOOKS_MAX 128u
#define LOOKS_FAIR 64u
/* Places of one fingerprint. */
#define GHOST_WAYS 4u

/* --- ghosts --------------------------------------------------------------- */

static struct obj_ghost *
ghost_set(const struct obj_map *m, const struct obj_key *k)
{
	uint32_t n_sets = m->n_ghosts / GHOST_WAYS;

	return &m->ghosts[((uint32_t)(k->h[1] >> 32) & (n_sets - 1)) *
			  GHOST_WAYS];
}

static uint32_t
ghost_print(const struct obj_key *k)
{
	return (uint32_t)k->h[1] | 1; /* 0: none */
}

/* How many evictions a ghost stays: as many as there are objects. */
static uint32_t
ghost_life(const struct obj_map *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_shards; i++)
		n += obj_get(&m->shards[i].q[QUEUE_MAIN].n) +
		     obj_get(&m->shards[i].q[QUEUE_SMALL].n);
	return n;
}

/* In the place of the one that was evicted first. */
static void
ghost_put(const struct obj_map *m, const struct obj_key *k, uint32_t now)
{
	struct obj_ghost *set = ghost_set(m, k);
	struct obj_ghost *oldest = set;
	uint32_t oldest_age = 0;

	for (uint32_t i = 0; i < GHOST_WAYS; i++) {
		uint64_t word = obj_get(&set[i].word);
		uint32_t age = word == 0 ? UINT32_MAX : now - (uint32_t)word;

		if (age >= oldest_age) {
			oldest = &set[i];
			oldest_age = age;
		}
	}
	obj_set(&oldest->word, (uint64_t)ghost_print(k) << 32 | now);
}

/* Whether the key was evicted lately; it is forgotten then. */
static bool
ghost_take(const struct obj_map *m, const struct obj_key *k, uint32_t now)
{
	struct obj_ghost *set = ghost_set(m, k);

	for (uint32_t i = 0; i < GHOST_WAYS; i++) {
		uint64_t word = obj_get(&set[i].word);

		if (word >> 32 != ghost_print(k))
			continue;
		obj_set(&set[i].word, 0);
		return now - (uint32_t)word <= ghost_life(m);
	}
	return false;
}

/* --- a queue, under the lock of its shard --------------------------------- */

static void
queue_join(
    const struct obj_map *m, struct obj_queue *q, uint32_t prev, uint32_t next)
{
	struct obj_entry *p = obj_entry(m, prev);
	struct obj_entry *n = obj_entry(m, next);

	obj_set(p == NULL ? &q->head : &p->queue_next, next);
	obj_set(n == NULL ? &q->tail : &n->queue_prev, prev);
}

static void
queue_out(const struct obj_map *m, struct obj_shard *s, uint32_t at)
{
	struct obj_entry *e = obj_entry(m, at);
	uint8_t id = obj_get(&e->queue);
	struct obj_queue *q = &s->q[id < QUEUES ? id : QUEUE_NONE];

	obj_set(&e->queue, QUEUE_NONE);
	CRASH_POINT();
	queue_join(m, q, obj_get(&e->queue_prev), obj_get(&e->queue_next));
	obj_set(&q->n, obj_get(&q->n) - 1);
	obj_set(&q->blocks, obj_get(&q->blocks) - obj_get(&e->cost));
	CRASH_POINT();
}

static void
queue_in(const struct obj_map *m, struct obj_shard *s, uint32_t at,
    enum obj_queue_id id)
{
	struct obj_entry *e = obj_entry(m, at);
	struct obj_queue *q = &s->q[id];
	uint32_t first = obj_get(&q->head);

	obj_set(&e->queue, (uint8_t)id);
	CRASH_POINT();
	obj_set(&e->queue_prev, 0);
	obj_set(&e->queue_next, first);
	queue_join(m, q, 0, at);
	CRASH_POINT();
	queue_join(m, q, at, first);
	obj_set(&q->n, obj_get(&q->n) + 1);
	obj_set(&q->blocks, obj_get(&q->blocks) + obj_get(&e->cost));
	CRASH_POINT();
}

/* --- choosing ------------------------------------------------------------- */

/* The queue whose turn it is. */
static enum obj_queue_id
shard_turn(const struct obj_shard *s)
{
	uint64_t small = obj_get(&s->q[QUEUE_SMALL].blocks);
	uint64_t all = small + obj_get(&s->q[QUEUE_MAIN].blocks);

	if (obj_get(&s->q[QUEUE_MAIN].tail) == 0 ||
	    (small * SMALL_PART > all && obj_get(&s->q[QUEUE_SMALL].tail) != 0))
		return QUEUE_SMALL;
	return QUEUE_MAIN;
}

/* Whether the last of a queue may stay; it is put where it belongs then. Pinned
 * ones stay: taking them out would give no memory. */
static bool
shard_spare(
    const struct obj_map *m, struct obj_shard *s, uint32_t at, bool is_fair)
{
	struct obj_entry *e = obj_entry(m, at);
	bool is_small = obj_get(&e->queue) == QUEUE_SMALL;
	uint8_t freq = obj_get(&e->freq);

	if (!pins_any(&e->pins) &&
	    (!is_fair || freq < (is_small ? FREQ_MOVES : 1)))
		return false;
	queue_out(m, s, at);
	if (is_small)
		obj_set(&e->freq, 0);
	else if (freq > 0)
		obj_set(&e->freq, (uint8_t)(freq - 1));
	queue_in(m, s, at, QUEUE_MAIN);
	return true;
}

/* The next to go: LEAVING and in no queue any more. */
static struct obj_ref
shard_victim(struct objects_view *v, struct obj_shard *s)
{
	for (uint32_t i = 0; i < LOOKS_MAX; i++) {
		uint32_t at = obj_get(&s->q[shard_turn(s)].tail);
		struct obj_entry *e = obj_entry(&v->m, at);
		uint64_t life;

		if (e == NULL)
			break;
		life = atomic_load(&e->life);
		if (life_state(life) != LIFE_READY) {
			/* on its way out: this much is done for it */
			queue_out(&v->m, s, at);
			continue;
		}
		if (shard_spare(&v->m, s, at, i < LOOKS_FAIR) ||
		    !obj_leave(v, at, life, 0))
			continue;
		queue_out(&v->m, s, at);
		return (struct obj_ref){at, life_gen(life)};
	}
	return (struct obj_ref){0, 0};
}

static struct obj_ref
shard_evict(struct objects_view *v, uint32_t shard)
{
	struct obj_shard *s = &v->m.shards[shard];
	struct obj_ref r;

	if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
		return (struct obj_ref){0, 0};
	r = shard_victim(v, s);
	lock_release(&s->lock, v->me);
	return r;
}

static uint32_t
shard_blocks(const struct obj_map *m, uint32_t shard)
{
	return obj_get(&m->shards[shard].q[QUEUE_SMALL].blocks) +
	       obj_get(&m->shards[shard].q[QUEUE_MAIN].blocks);
}

/* All in turn; of two neighbours the one that holds more. */
static uint32_t
shard_choose(struct objects_view *v)
{
	uint32_t a = v->shard_at++ % v->m.n_shards;
	uint32_t b = (a + 1) % v->m.n_shards;

	return shard_blocks(&v->m, a) >= shard_blocks(&v->m, b) ? a : b;
}

uint32_t
obj_evict(struct objects_view *v)
{
	struct obj_ref r = {0, 0};
	struct obj_entry *e;
	struct obj_key k;
	uint32_t now, cost, run;

	for (uint32_t i = 0; r.at == 0 && i < v->m.n_shards * 2; i++)
		r = shard_evict(v, shard_choose(v));
	if (r.at == 0)
		return 0;
	e = obj_entry(&v->m, r.at);
	k = obj_key_at(e);
	cost = obj_get(&e->cost);
	run = obj_get(&e->first) != 0 ? obj_get(&e->first)
				      : obj_get(&e->heads[0]);
	now = (uint32_t)atomic_fetch_add(&v->m.super->n_evicted, 1);
	ghost_put(&v->m, &k, now);
	CRASH_POINT();
	(void)obj_take_off(v, r.at, r.gen);
	/* look there first for what was freed */
	if (obj_meta(&v->m, run) != NULL)
		v->pool_at = (run - 1) / POOL_BLOCKS;
	return cost > 0 ? cost : 1;
}

/* --- in and out ----------------------------------------------------------- */

bool
obj_queue_add(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	struct obj_shard *s = &v->m.shards[obj_shard_of(&v->m, at)];
	struct obj_key k = obj_key_at(e);
	enum obj_queue_id id = QUEUE_SMALL;
	uint64_t life;

	if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
		return false;
	/* who takes it out from now on waits for this lock */
	life = atomic_load(&e->life);
	if (life_state(life) == LIFE_READY && life_gen(life) == gen &&
	    obj_get(&e->queue) == QUEUE_NONE) {
		if (ghost_take(
			&v->m, &k, (uint32_t)obj_get(&v->m.super->n_evicted)))
			id = QUEUE_MAIN;
		queue_in(&v->m, s, at, id);
	}
	lock_release(&s->lock, v->me);
	return true;
}

bool
obj_queue_remove(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	struct obj_shard *s = &v->m.shards[obj_shard_of(&v->m, at)];
	uint64_t life;

	/* also when it seems to be in none: somebody may just be adding it */
	if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
		return false;
	life = atomic_load(&e->life);
	if (life_state(life) == LIFE_LEAVING && life_gen(life) == gen &&
	    obj_get(&e->queue) != QUEUE_NONE)
		queue_out(&v->m, s, at);
	lock_release(&s->lock, v->me);
	return true;
}

void
objects_touch(struct objects_view *v, struct obj_ref r)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	uint8_t freq;

	REQUIRE(e != NULL);
	/* two at once count once: this is only a hint */
	freq = obj_get(&e->freq);
	if (freq < FREQ_MAX)
		obj_set(&e->freq, (uint8_t)(freq + 1));
	obj_set(&e->uses, obj_get(&e->uses) + 1);
}

/* --- after a death -------------------------------------------------------- */

void
obj_shard_mend(struct objects_view *v, uint32_t shard)
{
	const struct obj_map *m = &v->m;
	struct obj_shard *s = &m->shards[shard];
	uint32_t reach = obj_reach(m);

	for (uint32_t q = 0; q < QUEUES; q++) {
		obj_set(&s->q[q].head, 0);
		obj_set(&s->q[q].tail, 0);
		obj_set(&s->q[q].n, 0);
		obj_set(&s->q[q].blocks, 0);
	}
	CRASH_POINT();
	/* in the order of the table: theirs is lost, their queue is not */
	for (uint32_t at = shard + 1; at <= reach; at += m->n_shards) {
		struct obj_entry *e = obj_entry(m, at);
		uint8_t id = obj_get(&e->queue);

		obj_set(&e->queue, QUEUE_NONE);
		if (life_state(atomic_load(&e->life)) == LIFE_READY)
			queue_in(m, s, at,
			    id == QUEUE_MAIN ? QUEUE_MAIN : QUEUE_SMALL);
	}
	CRASH_POINT();
}
