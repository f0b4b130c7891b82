/* store/objects_pool: blocks of memory, given in runs. What the first block of
 * each run says is the truth; the bits only make the search fast. A run is
 * given, cut or freed, and linked, in one critical section of its pool's lock,
 * whose `pending` names it: after a death that is the only one to be looked at.
 */
#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Gaps that one search looks at; of the pools, before something is evicted. */
#define GAPS_MAX 256u
#define POOLS_TRIED 8u
/* Rounds of evicting for one run, and what each evicts at most. */
#define EVICT_ROUNDS 24u
#define VICTIMS_MAX 16u
#define VICTIM_BLOCKS_MAX 128u

/* --- bits ----------------------------------------------------------------- */

/* The first block from `from` on whose bit is `is_used`, or `end`. */
static uint32_t
bits_next(const struct obj_map *m, uint32_t from, uint32_t end, bool is_used)
{
	while (from < end) {
		uint64_t w = obj_get(&m->bits[from / 64]);

		w = (is_used ? w : ~w) & (UINT64_MAX << (from % 64));
		if (w != 0) {
			from = from / 64 * 64 + (uint32_t)__builtin_ctzll(w);
			return (uint32_t)u64_min(from, end);
		}
		from = from / 64 * 64 + 64;
	}
	return end;
}

static void
bits_write(const struct obj_map *m, uint32_t from, uint32_t n, bool is_used)
{
	uint32_t end = from + n;

	while (from < end) {
		_Atomic uint64_t *w = &m->bits[from / 64];
		uint32_t here = (uint32_t)u64_min(end - from, 64 - from % 64);
		uint64_t mask =
		    (here == 64 ? UINT64_MAX : (UINT64_C(1) << here) - 1)
		    << (from % 64);

		/* all of a pool's words are under its lock */
		obj_set(w, is_used ? obj_get(w) | mask : obj_get(w) & ~mask);
		from += here;
	}
}

/* --- one pool ------------------------------------------------------------- */

static uint32_t
pool_of(uint32_t run)
{
	return (run - 1) / POOL_BLOCKS;
}

/* A gap: blocks from 0. */
struct gap {
	uint32_t at;
	uint32_t len;
};

/* Blocks that are wanted of one run. */
struct want {
	uint32_t least;
	uint32_t most;
};

/* The first block of a pool that may not be given. */
static uint32_t
pool_end(const struct obj_map *m, uint32_t pool)
{
	uint64_t end = ((uint64_t)pool + 1) * POOL_BLOCKS;

	return (uint32_t)u64_min(end, obj_quota_blocks(m));
}

/* The first gap of `want` blocks in [from, end), else the longest. */
static struct gap
gap_find(const struct obj_map *m, uint32_t from, uint32_t end, uint32_t want)
{
	struct gap best = {0, 0};

	for (uint32_t i = 0; i < GAPS_MAX && from < end; i++) {
		uint32_t at = bits_next(m, from, end, false);

		from = bits_next(
		    m, at, (uint32_t)u64_min((uint64_t)at + want, end), true);
		if (from - at > best.len)
			best = (struct gap){at, from - at};
		if (best.len >= want)
			break;
	}
	return best;
}

/* Next fit: what was freed behind the cursor may grow together meanwhile. */
static struct gap
pool_find(const struct obj_map *m, uint32_t pool, uint32_t want)
{
	uint32_t begin = pool * POOL_BLOCKS;
	uint32_t end = pool_end(m, pool);
	uint32_t cursor = obj_get(&m->pools[pool].cursor);
	struct gap after, before;

	if (cursor < begin || cursor >= end)
		cursor = begin;
	after = gap_find(m, cursor, end, want);
	if (after.len >= want)
		return after;
	before = gap_find(m, begin, cursor, want);
	return before.len > after.len ? before : after;
}

/* Give a run of at least `min` blocks, and link it. 0: there is none, or the
 * lock was not to be had. */
static uint32_t
pool_take(struct objects_view *v, uint32_t pool, struct obj_ref owner,
    const struct want *want, _Atomic uint32_t *link)
{
	struct obj_pool *p = &v->m.pools[pool];
	uint32_t run = 0;
	struct gap gap;

	if (lock_take(&p->lock, v->slots, v->me) != LOCK_OK)
		return 0;
	gap = pool_find(&v->m, pool, want->most);
	if (gap.len >= want->least) {
		struct obj_meta *meta = &v->m.metas[gap.at];

		run = gap.at + 1;
		obj_set(&p->pending, run);
		CRASH_POINT();
		obj_set(&meta->gen, owner.gen);
		obj_set(&meta->len, gap.len);
		obj_set(&meta->next, 0);
		CRASH_POINT();
		obj_set(&meta->owner, owner.at);
		CRASH_POINT();
		bits_write(&v->m, gap.at, gap.len, true);
		obj_set(&p->used, obj_get(&p->used) + gap.len);
		obj_set(&p->cursor, gap.at + gap.len);
		CRASH_POINT();
		/* readers of a body follow it as soon as `filled` says so */
		atomic_store_explicit(link, run, memory_order_release);
		CRASH_POINT();
		obj_set(&p->pending, 0);
	}
	lock_release(&p->lock, v->me);
	return run;
}

/* --- a run, from any pool ------------------------------------------------- */

static uint32_t
pools_usable(const struct obj_map *m)
{
	return (obj_quota_blocks(m) + POOL_BLOCKS - 1) / POOL_BLOCKS;
}

static uint32_t
run_try(struct objects_view *v, struct obj_ref owner, const struct want *want,
    _Atomic uint32_t *link)
{
	uint32_t n = pools_usable(&v->m);

	for (uint32_t i = 0; i < n && i < POOLS_TRIED; i++) {
		uint32_t pool = v->pool_at % n;
		uint32_t size = pool_end(&v->m, pool) - pool * POOL_BLOCKS;
		uint32_t used = obj_get(&v->m.pools[pool].used);
		uint32_t run = 0;

		if (used < size && size - used >= want->least)
			run = pool_take(v, pool, owner, want, link);
		if (run != 0)
			return run;
		v->pool_at = pool + 1;
	}
	return 0;
}

/* Make room for about `want` blocks. false: there is nothing to evict. */
static bool
evict_some(struct objects_view *v, uint32_t want)
{
	uint32_t freed = 0;

	for (uint32_t i = 0; i < VICTIMS_MAX; i++) {
		uint32_t n = obj_evict(v);

		if (n == 0)
			break;
		freed += n;
		if (freed >= want || freed >= VICTIM_BLOCKS_MAX)
			break;
	}
	return freed > 0;
}

/* The least length in a round: the longer it took, the less is asked for, so
 * that few pieces are the rule and many the last resort. */
static uint32_t
least(uint32_t want, uint32_t round, bool is_whole)
{
	if (is_whole)
		return want;
	return round >= 8 ? 1 : (uint32_t)u64_max(want >> (2 + round), 1);
}

uint32_t
obj_run_new(struct objects_view *v, struct obj_ref owner, uint32_t want,
    bool is_whole, _Atomic uint32_t *link)
{
	struct want w = {want, want};
	uint32_t run = 0;
	bool has_victims = true;

	for (uint32_t i = 0; run == 0 && has_victims && i < EVICT_ROUNDS; i++) {
		w.least = least(want, i, is_whole);
		run = run_try(v, owner, &w, link);
		if (run == 0)
			has_victims = evict_some(v, want);
	}
	if (run != 0 || is_whole)
		return run;
	w.least = 1;
	return run_try(v, owner, &w, link);
}

/* Whether the run is its owner's, as the first block says. */
static bool
run_is_of(const struct obj_map *m, uint32_t run, struct obj_ref owner)
{
	return obj_run_len(m, run) > 0 &&
	       obj_get(&m->metas[run - 1].owner) == owner.at &&
	       obj_get(&m->metas[run - 1].gen) == owner.gen;
}

bool
obj_run_free(
    struct objects_view *v, struct obj_ref owner, _Atomic uint32_t *link)
{
	uint32_t run = obj_get(link);
	struct obj_meta *meta = obj_meta(&v->m, run);
	struct obj_pool *p;

	if (meta == NULL || !run_is_of(&v->m, run, owner)) {
		/* somebody wrote nonsense here: nothing of ours to free */
		obj_set(link, 0);
		return true;
	}
	p = &v->m.pools[pool_of(run)];
	if (lock_take(&p->lock, v->slots, v->me) != LOCK_OK)
		return false;
	obj_set(&p->pending, run);
	CRASH_POINT();
	obj_set(link, obj_get(&meta->next));
	CRASH_POINT();
	obj_set(&meta->owner, 0);
	CRASH_POINT();
	if (obj_run_len(&v->m, run) > 0) {
		bits_write(&v->m, run - 1, obj_run_len(&v->m, run), false);
		obj_set(&p->used, obj_get(&p->used) - obj_run_len(&v->m, run));
	}
	CRASH_POINT();
	obj_set(&p->pending, 0);
	lock_release(&p->lock, v->me);
	return true;
}

bool
obj_run_cut(struct objects_view *v, uint32_t run, uint32_t len)
{
	uint32_t old = obj_run_len(&v->m, run);
	struct obj_pool *p;

	if (len == 0 || old <= len)
		return true;
	p = &v->m.pools[pool_of(run)];
	if (lock_take(&p->lock, v->slots, v->me) != LOCK_OK)
		return false;
	obj_set(&v->m.metas[run - 1].len, len);
	CRASH_POINT();
	bits_write(&v->m, run - 1 + len, old - len, false);
	obj_set(&p->used, obj_get(&p->used) - (old - len));
	lock_release(&p->lock, v->me);
	return true;
}

/* --- after a death -------------------------------------------------------- */

/* Whether the owner's words name the run. */
static bool
run_is_linked(const struct obj_map *m, uint32_t run)
{
	uint32_t owner = obj_get(&m->metas[run - 1].owner);
	const struct obj_entry *e = obj_entry(m, owner);
	const struct obj_meta *last;

	if (e == NULL)
		return false;
	last = obj_meta(m, obj_get(&e->last));
	/* `last` is one behind when one was just added, and may be free already
	 * when the body is being freed */
	return obj_get(&e->heads[0]) == run || obj_get(&e->heads[1]) == run ||
	       obj_get(&e->first) == run ||
	       (last != NULL && obj_get(&last->owner) == owner &&
		   obj_get(&last->next) == run);
}

/* Whether the owner lives as it did when it got the run. */
static bool
run_has_owner(const struct obj_map *m, const struct obj_meta *meta)
{
	const struct obj_entry *e = obj_entry(m, obj_get(&meta->owner));
	uint64_t life = e == NULL ? 0 : atomic_load(&e->life);

	return e != NULL && life_state(life) != LIFE_FREE &&
	       life_gen(life) == obj_get(&meta->gen);
}

/* Bits as the first blocks say. Returns the blocks in use. */
static uint32_t
pool_count(const struct obj_map *m, uint32_t begin, uint32_t end)
{
	uint32_t used = 0;
	uint32_t at = begin;

	bits_write(m, begin, end - begin, false);
	while (at < end) {
		struct obj_meta *meta = &m->metas[at];
		uint32_t len = obj_run_len(m, at + 1);

		if (obj_get(&meta->owner) != 0 &&
		    (len == 0 || len > end - at || !run_has_owner(m, meta)))
			obj_set(&meta->owner, 0);
		if (obj_get(&meta->owner) == 0) {
			at++;
			continue;
		}
		bits_write(m, at, len, true);
		used += len;
		at += len;
	}
	return used;
}

void
obj_pool_mend(struct objects_view *v, uint32_t pool)
{
	const struct obj_map *m = &v->m;
	struct obj_pool *p = &m->pools[pool];
	uint32_t reach =
	    (uint32_t)u64_min(obj_get(&m->super->reach_blocks), m->max_blocks);
	uint32_t begin = pool * POOL_BLOCKS;
	uint32_t pending = obj_get(&p->pending);

	CRASH_POINT();
	if (pending > begin && pending - begin <= POOL_BLOCKS &&
	    obj_meta(m, pending) != NULL && !run_is_linked(m, pending))
		obj_set(&m->metas[pending - 1].owner, 0);
	CRASH_POINT();
	obj_set(&p->used,
	    begin >= reach
		? 0
		: pool_count(m, begin,
		      (uint32_t)u64_min((uint64_t)begin + POOL_BLOCKS, reach)));
	CRASH_POINT();
	obj_set(&p->pending, 0);
}
