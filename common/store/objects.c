/* store/objects: where a cache lies in its range, how much of it may be used,
 * and what a process keeps of it. The layout follows from the size of the range
 * alone, which each process takes from the directory: nothing of it is read
 * from what workers can write. */
#include "common/store/objects.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Name of a cache's range, before its own. */
#define RANGE_PREFIX "cache "
/* Room for a `memory` that becomes more later. */
#define ROOM_FACTOR 4u
/* The longest room there can be: numbers of blocks are 32 bits. */
#define ROOM_MAX (UINT64_C(1) << 40)
/* Purges at once: one for each so much room. */
#define ROOM_PER_PURGE (UINT64_C(1) << 19)
#define PURGES_MIN 8u
#define PURGES_MAX 64u
/* Entries that share one lock of their queues, at least; shards at most. */
#define ENTRIES_PER_SHARD 8192u
#define SHARDS_MAX 16u
/* Rows of the table of uses. */
#define COUNT_ROWS 4u

static_assert(sizeof(struct obj_entry) == 192, "three lines of a CPU's cache");
static_assert(sizeof(struct obj_meta) == 16, "as doc/shm.md has it");
static_assert(sizeof(struct obj_super) <= SEGMENT_PAGE, "its first page");

/* --- layout --------------------------------------------------------------- */

static uint64_t
page_up(uint64_t n)
{
	return (n + SEGMENT_PAGE - 1) & ~(uint64_t)(SEGMENT_PAGE - 1);
}

/* The least power of two that is not below n. */
static uint64_t
power_up(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static uint64_t
bounded(uint64_t n, uint64_t least, uint64_t most)
{
	return u64_min(u64_max(n, least), most);
}

/* The next table, of n elements. */
static void *
map_take(char **next, uint64_t n, size_t size)
{
	char *at = *next;

	*next += page_up(n * size);
	return at;
}

void
obj_map_init(struct obj_map *m, void *at, uint64_t size, uint32_t number)
{
	uint64_t n_blocks = size / OBJ_BLOCK;
	char *next = at;

	m->size = size;
	m->number = number;
	m->max_entries = (uint32_t)(size / OBJ_PER_ENTRY);
	m->n_buckets = (uint32_t)power_up(m->max_entries / ROOM_FACTOR);
	m->n_ghosts = m->n_buckets;
	m->n_counts = m->n_buckets;
	m->n_shards = (uint32_t)bounded(
	    m->max_entries / ENTRIES_PER_SHARD, 1, SHARDS_MAX);
	m->n_purges =
	    (uint32_t)bounded(size / ROOM_PER_PURGE, PURGES_MIN, PURGES_MAX);
	m->n_pools = (uint32_t)((n_blocks + POOL_BLOCKS - 1) / POOL_BLOCKS);
	m->super = map_take(&next, 1, sizeof(*m->super));
	m->stripes = map_take(&next, OBJ_STRIPES, sizeof(*m->stripes));
	m->shards = map_take(&next, m->n_shards, sizeof(*m->shards));
	m->pools = map_take(&next, m->n_pools, sizeof(*m->pools));
	m->purges = map_take(&next, m->n_purges, sizeof(*m->purges));
	m->buckets = map_take(&next, m->n_buckets, sizeof(*m->buckets));
	m->ghosts = map_take(&next, m->n_ghosts, sizeof(*m->ghosts));
	m->counts = map_take(&next, m->n_counts, COUNT_ROWS);
	/* up to here: usable from the start; from here on: as the quota is */
	m->entries = map_take(&next, m->max_entries, sizeof(*m->entries));
	m->idle = map_take(&next, m->max_entries / 64 + 1, sizeof(*m->idle));
	m->bits = map_take(&next, n_blocks / 64 + 1, sizeof(*m->bits));
	m->metas = map_take(&next, n_blocks, sizeof(*m->metas));
	m->blocks = next;
	m->max_blocks =
	    (uint32_t)((size - (uint64_t)(next - (char *)at)) / OBJ_BLOCK);
}

uint32_t
obj_reach(const struct obj_map *m)
{
	return (uint32_t)u64_min(
	    obj_get(&m->super->reach_entries), m->max_entries);
}

uint32_t
obj_quota_blocks(const struct obj_map *m)
{
	return (uint32_t)u64_min(
	    obj_get(&m->super->quota_blocks), m->max_blocks);
}

uint32_t
obj_quota_entries(const struct obj_map *m)
{
	return (uint32_t)u64_min(
	    obj_get(&m->super->quota_entries), m->max_entries);
}

/* --- quota ---------------------------------------------------------------- */

/* What `memory` bytes are enough for. */
struct obj_quota {
	uint32_t entries;
	uint32_t blocks;
};

/* Bytes of what is usable from the start. */
static uint64_t
map_fixed(const struct obj_map *m)
{
	return (uint64_t)((char *)m->entries - (char *)m->super);
}

static struct obj_quota
map_quota(const struct obj_map *m, uint64_t memory)
{
	struct obj_quota q;
	uint64_t entries = u64_min(memory / OBJ_PER_ENTRY, m->max_entries);
	/* each of the four tables and the blocks may begin a page */
	uint64_t rest = memory - map_fixed(m) - UINT64_C(5) * SEGMENT_PAGE -
			entries * sizeof(struct obj_entry) - entries / 8;
	/* a block has 16 bytes of meta and a bit */
	uint64_t blocks =
	    rest * 8 / (8 * (OBJ_BLOCK + sizeof(struct obj_meta)) + 1);

	q.entries = (uint32_t)entries;
	q.blocks = (uint32_t)u64_min(blocks, m->max_blocks);
	return q;
}

static int
map_commit(struct segment *s, const struct obj_map *m, struct obj_quota q)
{
	const struct {
		const void *at;
		uint64_t len;
	} parts[] = {
	    {m->super, map_fixed(m)},
	    {m->entries, (uint64_t)q.entries * sizeof(*m->entries)},
	    {m->idle, q.entries / 64 * 8 + 8},
	    {m->bits, q.blocks / 64 * 8 + 8},
	    {m->metas, (uint64_t)q.blocks * sizeof(*m->metas)},
	    {m->blocks, (uint64_t)q.blocks * OBJ_BLOCK},
	};

	for (size_t i = 0; i < NELEMS(parts); i++)
		if (segment_commit(s, parts[i].at, parts[i].len) < 0)
			return -1;
	return 0;
}

/* Whether it was not made before. */
static bool
super_make(struct obj_super *super)
{
	if (atomic_load(&super->is_made))
		return false;
	sipkey_random(&super->key[0]);
	sipkey_random(&super->key[1]);
	CRASH_POINT();
	atomic_store(&super->is_made, 1);
	return true;
}

static void
super_set_quota(const struct obj_map *m, struct obj_quota q, uint64_t memory)
{
	struct obj_super *super = m->super;

	for (uint32_t i = obj_reach(m); i < q.entries; i++)
		(void)atomic_fetch_or(
		    &m->idle[i / 64], UINT64_C(1) << (i % 64));
	CRASH_POINT();
	if (q.entries > obj_reach(m))
		atomic_store(&super->reach_entries, q.entries);
	if (q.blocks > atomic_load(&super->reach_blocks))
		atomic_store(&super->reach_blocks, q.blocks);
	CRASH_POINT();
	/* what lies above is looked for in a whole walk that begins later */
	if (q.blocks < obj_quota_blocks(m))
		atomic_store(&super->swept_quota,
		    (uint32_t)u64_max(
			atomic_load(&super->swept_quota), obj_quota_blocks(m)));
	CRASH_POINT();
	atomic_store(&super->quota_entries, q.entries);
	atomic_store(&super->quota_blocks, q.blocks);
	atomic_store(&super->memory, memory);
}

int
objects_set_memory(struct objects *o, uint64_t memory)
{
	struct obj_quota q;

	REQUIRE(memory >= OBJECTS_MEMORY_MIN);
	if (memory > o->map.size) {
		errno = ENOSPC;
		return -1;
	}
	q = map_quota(&o->map, memory);
	if (map_commit(o->segment, &o->map, q) < 0)
		return -1;
	o->is_new |= super_make(o->map.super);
	super_set_quota(&o->map, q, memory);
	return 0;
}

uint64_t
objects_memory(const struct objects *o)
{
	return atomic_load(&o->map.super->memory);
}

bool
objects_is_new(const struct objects *o)
{
	return o->is_new;
}

void
objects_use_keys(struct objects *o, const struct sipkey key[2])
{
	REQUIRE(o->is_new);
	memcpy(o->map.super->key, key, sizeof(o->map.super->key));
}

/* --- claiming ------------------------------------------------------------- */

/* Size of the range of that name that has room enough, or 0. */
static uint64_t
range_size(struct segment *s, const char *name, uint64_t memory)
{
	struct segment_found f;
	uint64_t size = 0;
	uint32_t at = 0;

	while (segment_next(s, SEGMENT_KIND_CACHE, OBJECTS_VERSION, &at, &f))
		if (strcmp(f.name, name) == 0 && f.size >= memory &&
		    f.size <= ROOM_MAX)
			size = u64_max(size, f.size);
	return size;
}

/* One user more of the range, which is made when it is not there. */
static void *
range_claim(struct segment *s, const char *name, uint64_t memory)
{
	struct segment_want w = {
	    .kind = SEGMENT_KIND_CACHE,
	    .version = OBJECTS_VERSION,
	    .size = range_size(s, name, memory),
	    .name = name,
	};
	void *at;

	if (w.size > 0)
		return segment_claim(s, &w);
	for (w.size = power_up(memory) * ROOM_FACTOR; w.size >= memory;
	     w.size /= 2) {
		if (w.size > ROOM_MAX)
			continue;
		at = segment_claim(s, &w);
		if (at != NULL || errno != ENOSPC)
			return at;
	}
	errno = ENOSPC;
	return NULL;
}

static struct objects *
objects_new(struct segment *s, const struct segment_found *f)
{
	struct objects *o = calloc(1, sizeof(*o));

	REQUIRE(o != NULL);
	o->segment = s;
	memcpy(o->range, f->name, sizeof(o->range));
	obj_map_init(&o->map, f->at, f->size, f->number);
	return o;
}

/* The handle of a range that is there. */
static struct objects *
objects_of(struct segment *s, const void *range)
{
	struct segment_found f;
	uint32_t at = 0;

	while (segment_next(s, SEGMENT_KIND_CACHE, OBJECTS_VERSION, &at, &f))
		if (f.at == range)
			return objects_new(s, &f);
	return NULL;
}

struct objects *
objects_claim(struct segment *s, span name, uint64_t memory)
{
	char text[SEGMENT_NAME_CAP];
	struct objects *o;
	void *at;
	int err;

	REQUIRE(memory >= OBJECTS_MEMORY_MIN);
	errno = ENOSPC;
	if ((size_t)snprintf(text, sizeof(text), RANGE_PREFIX "%.*s",
		SPAN_FMT(name)) >= sizeof(text) ||
	    memory > ROOM_MAX)
		return NULL;
	at = range_claim(s, text, memory);
	if (at == NULL)
		return NULL;
	o = objects_of(s, at);
	if (o != NULL && objects_set_memory(o, memory) == 0)
		return o;
	err = errno;
	segment_unclaim(s, at);
	free(o);
	errno = err;
	return NULL;
}

void
objects_unclaim(struct segment *s, struct objects *o)
{
	if (o == NULL)
		return;
	segment_unclaim(s, o->map.super);
	free(o);
}

enum hold {
	HOLD_OK,
	HOLD_BUSY, /* another one is in it */
	HOLD_NONE /* it is no cache */
};

/* Whether a range can be a cache, and is held from now on. */
static enum hold
found_hold(struct segment *s, const struct segment_found *f,
    const struct slots *slots, struct slot_name me)
{
	if (f->size < OBJECTS_MEMORY_MIN || f->size > ROOM_MAX)
		return HOLD_NONE;
	if ((f->holder != 0 && slot_is_alive(slots, slot_of_word(f->holder))) ||
	    !segment_hold(s, f, slot_word(me)))
		return HOLD_BUSY;
	if (atomic_load(&((struct obj_super *)f->at)->is_made))
		return HOLD_OK;
	segment_let_go(s, f, slot_word(me));
	return HOLD_NONE;
}

struct objects *
objects_walk(struct segment *s, const struct slots *slots, struct slot_name me,
    uint32_t *at, bool *is_partial)
{
	struct segment_found f;

	while (segment_next(s, SEGMENT_KIND_CACHE, OBJECTS_VERSION, at, &f)) {
		switch (found_hold(s, &f, slots, me)) {
		case HOLD_OK:
			return objects_new(s, &f);
		case HOLD_BUSY:
			*is_partial = true;
			break;
		case HOLD_NONE:
			break;
		}
	}
	return NULL;
}

void
objects_walk_end(struct objects *o, struct slot_name me)
{
	struct segment_found f = {.at = o->map.super, .number = o->map.number};

	segment_let_go(o->segment, &f, slot_word(me));
	free(o);
}

span
objects_name(const struct objects *o)
{
	return span_from(span_str(o->range), sizeof(RANGE_PREFIX) - 1);
}

/* --- a process's view ----------------------------------------------------- */

struct objects_view *
objects_view_new(struct objects *o, struct slots *slots,
    const struct wake_fds *wakes, struct slot_name me)
{
	struct objects_view *v = calloc(1, sizeof(*v));

	REQUIRE(v != NULL && me.slot < SLOTS_MAX);
	v->m = o->map;
	v->slots = slots;
	v->wakes = wakes;
	v->me = me;
	memcpy(v->key, o->map.super->key, sizeof(v->key));
	/* as many as there can be some day; untouched pages cost nothing */
	v->pins = calloc(v->m.max_entries, sizeof(*v->pins));
	REQUIRE(v->pins != NULL);
	/* processes begin in different places, so that they seldom meet */
	v->idle_at = me.slot * 7u;
	v->pool_at = me.slot;
	v->shard_at = me.slot;
	return v;
}

void
objects_view_free(struct objects_view *v)
{
	if (v == NULL)
		return;
	free(v->pins);
	free(v);
}

/* --- keys and tokens ------------------------------------------------------ */

struct obj_key
objects_key(const struct objects_view *v, span text)
{
	return (struct obj_key){
	    {siphash(&v->key[0], text), siphash(&v->key[1], text)}};
}

uint64_t
objects_label(const struct objects_view *v, span text)
{
	return objects_key(v, text).h[0];
}

struct obj_key
objects_key_of(const struct objects_view *v, struct obj_key base, span variant)
{
	const struct sipkey k[2] = {
	    {v->key[0].k0 ^ base.h[0], v->key[0].k1 ^ base.h[1]},
	    {v->key[1].k0 ^ base.h[0], v->key[1].k1 ^ base.h[1]}};

	return (struct obj_key){
	    {siphash(&k[0], variant), siphash(&k[1], variant)}};
}

uint64_t
objects_token(const struct objects_view *v, struct obj_ref r)
{
	return ((uint64_t)v->m.number + 1) << 32 | r.at;
}

uint32_t
objects_token_cache(uint64_t token)
{
	return (uint32_t)(token >> 32) - 1;
}

uint32_t
objects_token_at(uint64_t token)
{
	return (uint32_t)token;
}

uint32_t
objects_number(const struct objects *o)
{
	return o->map.number;
}

/* --- numbers for people --------------------------------------------------- */

void
objects_stats(const struct objects *o, struct obj_stats *out)
{
	const struct obj_map *m = &o->map;

	memset(out, 0, sizeof(*out));
	out->memory = obj_get(&m->super->memory);
	out->evicted = obj_get(&m->super->n_evicted);
	out->broken = obj_get(&m->super->n_broken);
	out->repaired = obj_get(&m->super->n_repaired);
	out->purges = obj_get(&m->super->n_purges);
	for (uint32_t i = 0; i < m->n_pools; i++)
		out->used += (uint64_t)obj_get(&m->pools[i].used) * OBJ_BLOCK;
	for (uint32_t i = 0; i < m->n_shards; i++)
		for (uint32_t q = QUEUE_SMALL; q < QUEUES; q++)
			out->objects += obj_get(&m->shards[i].q[q].n);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		out->filling += obj_get(&m->super->ledger[i].n_filling);
}
