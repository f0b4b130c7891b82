/* store/objects_int: bytes of a cache in the segment, and what the files of
 * store/objects share. An entry, a block, a run is known by its number from 1
 * on; 0 is none. Every number that is read from the segment is checked against
 * the bounds in struct obj_map, which is this process's own (doc/shm.md 6.6).
 */
#ifndef GH_OBJECTS_INT_H
#define GH_OBJECTS_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/shm/lock.h"
#include "common/store/objects.h"

/* Layout of the range; another one is another range. */
#define OBJECTS_VERSION 1u

#define OBJ_BLOCK 512u
/* Blocks under one lock: 64 MiB. */
#define POOL_BLOCKS 131072u
/* Blocks of one run: 256 KiB, so that few pieces make a body. */
#define RUN_MAX 512u
/* First run of a body whose length is not known: 4 KiB. */
#define RUN_FIRST 8u
#define OBJ_STRIPES 256u
/* Memory for which there is one entry. */
#define OBJ_PER_ENTRY 2048u
/* More than any chain has by chance (keys are secret). */
#define CHAIN_MAX 1024u

/* --- an entry ------------------------------------------------------------- */

/* Every edge is one compare-and-swap of the word {gen, slot, flags, state}. */
enum life_state {
	LIFE_FREE = 0,
	LIFE_MAKING, /* of a slot; not to be found yet */
	LIFE_FILLING, /* of a slot */
	LIFE_READY,
	LIFE_LEAVING, /* no longer found; in a chain, or a queue, or both */
	LIFE_GONE, /* in neither; somebody may have it pinned */
	LIFE_FREEING /* of a slot; nobody has it pinned */
};

#define LIFE_BROKEN 1u /* it did not become whole */
#define LIFE_DOOMED 2u /* FILLING, but not to be found any more */
#define LIFE_SOFT 4u /* purged softly */
#define LIFE_OUTGROWN 8u /* with BROKEN: it was too long to be kept */

static inline uint64_t
life_make(uint32_t gen, uint32_t slot, uint32_t flags, enum life_state st)
{
	return (uint64_t)gen << 32 | (uint64_t)(slot & 0xffff) << 16 |
	       (uint64_t)(flags & 0xff) << 8 | (uint64_t)st;
}

static inline uint32_t
life_gen(uint64_t life)
{
	return (uint32_t)(life >> 32);
}

static inline uint32_t
life_slot(uint64_t life)
{
	return (uint32_t)(life >> 16) & 0xffff;
}

static inline uint32_t
life_flags(uint64_t life)
{
	return (uint32_t)(life >> 8) & 0xff;
}

static inline enum life_state
life_state(uint64_t life)
{
	return (enum life_state)(life & 0xff);
}

/* Whether a search may give it. */
static inline bool
life_is_found(uint64_t life)
{
	return life_state(life) == LIFE_READY ||
	       (life_state(life) == LIFE_FILLING &&
		   (life_flags(life) & LIFE_DOOMED) == 0);
}

struct obj_entry {
	/* what a search reads */
	_Atomic uint64_t life;
	_Atomic uint64_t key[2];
	_Atomic uint32_t next; /* entry in the same bucket */
	_Atomic uint32_t head_version; /* its lowest bit says which head */
	_Atomic uint32_t heads[2]; /* runs; the other one is being made or
	                              thrown away by head_owner */
	_Atomic uint32_t first; /* run of the body */
	_Atomic uint32_t last; /* written by the filler, for itself */
	_Atomic uint64_t length;
	_Atomic uint64_t filled; /* stored after the bytes */
	/* what a hit writes */
	struct shm_pins pins;
	_Atomic uint64_t born_ms;
	_Atomic uint64_t purge_seq; /* purges up to it do not mean this one */
	_Atomic uint32_t uses;
	_Atomic uint32_t head_owner; /* slot + 1 of who replaces the head */
	_Atomic uint8_t freq; /* hits, up to FREQ_MAX; less when passed over */
	_Atomic uint8_t queue; /* enum obj_queue_id; under the shard's lock */
	uint8_t reserved[6];
	/* what waiting and evicting writes */
	struct shm_pins waiters;
	_Atomic uint32_t queue_prev; /* towards the head */
	_Atomic uint32_t queue_next;
	_Atomic uint32_t cost; /* blocks, as its queue counts them */
	uint32_t reserved_2;
	_Atomic uint64_t body_room; /* bytes of the body's runs; the filler's */
	_Atomic uint64_t soft_seq; /* the newest that made it soft */
} __attribute__((aligned(64)));

/* --- memory --------------------------------------------------------------- */

/* Of a run's first block; of other blocks it is 0. */
struct obj_meta {
	_Atomic uint32_t owner; /* entry; 0: no run begins here */
	_Atomic uint32_t gen; /* of the entry */
	_Atomic uint32_t next; /* run of the same body */
	_Atomic uint32_t len; /* blocks */
};

struct obj_pool {
	struct shm_lock lock;
	_Atomic uint32_t used; /* blocks */
	_Atomic uint32_t cursor; /* where the next search begins */
	_Atomic uint32_t pending; /* run that is being given, cut or freed */
} __attribute__((aligned(64)));

/* --- index and queues ----------------------------------------------------- */

struct obj_stripe {
	struct shm_lock lock;
	struct shm_version version; /* odd while one is taken out */
	uint32_t reserved;
};

enum obj_queue_id { QUEUE_NONE = 0, QUEUE_SMALL, QUEUE_MAIN, QUEUES };

struct obj_queue {
	_Atomic uint32_t head;
	_Atomic uint32_t tail;
	_Atomic uint32_t n;
	_Atomic uint32_t blocks;
};

struct obj_shard {
	struct shm_lock lock;
	struct obj_queue q[QUEUES]; /* that of QUEUE_NONE is not used */
} __attribute__((aligned(64)));

/* Keys that were evicted lately: a hint, written by anybody without a lock. */
struct obj_ghost {
	_Atomic uint64_t word; /* {fingerprint, number of the eviction} */
};

/* --- purges --------------------------------------------------------------- */

struct obj_purge_slot {
	_Atomic uint64_t seq; /* 0: free; stored last */
	_Atomic uint64_t label;
	_Atomic uint32_t what;
	_Atomic uint32_t is_soft;
	_Atomic uint32_t len;
	uint32_t reserved;
	char text[OBJECTS_PURGE_CAP];
};

/* --- the first page ------------------------------------------------------- */

/* What one process tells the one that mends after it; its own to write. */
struct obj_ledger {
	_Atomic uint32_t intent; /* entry whose readers it is going to wake */
	_Atomic uint32_t n_filling;
};

struct obj_super {
	_Atomic uint32_t is_made;
	_Atomic uint32_t n_purges;
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	/* written by the master */
	_Atomic uint64_t memory;
	_Atomic uint32_t quota_blocks; /* no other is given */
	_Atomic uint32_t quota_entries;
	_Atomic uint32_t reach_blocks; /* that were ever committed */
	_Atomic uint32_t reach_entries;
	/* counts, each by an atomic add */
	_Atomic uint64_t n_evicted;
	_Atomic uint64_t n_broken;
	_Atomic uint64_t n_repaired;
	/* purges */
	_Atomic uint64_t purge_seq; /* number of the newest */
	struct shm_lock purge_lock;
	/* steward: how far its walk is */
	_Atomic uint32_t sweep_at;
	_Atomic uint32_t halve_at; /* how far uses are halved */
	_Atomic uint32_t n_counted; /* uses since they were */
	_Atomic uint64_t sweep_seq; /* purges that the whole walk saw */
	_Atomic uint32_t sweep_quota; /* blocks, when the walk began */
	_Atomic uint32_t swept_quota; /* nothing lies above this one */
	struct obj_ledger ledger[SLOTS_MAX];
};

/* --- where all that is, in this process ----------------------------------- */

struct obj_map {
	struct obj_super *super;
	_Atomic uint32_t *buckets;
	struct obj_stripe *stripes;
	struct obj_shard *shards;
	struct obj_ghost *ghosts;
	_Atomic uint8_t *counts;
	struct obj_purge_slot *purges;
	struct obj_pool *pools;
	struct obj_entry *entries;
	_Atomic uint64_t *idle; /* entries that may be free, a bit each */
	_Atomic uint64_t *bits; /* blocks in use, a bit each */
	struct obj_meta *metas;
	char *blocks;
	uint64_t size; /* of the range */
	uint32_t number; /* of the range */
	uint32_t n_buckets; /* these three: powers of two */
	uint32_t n_ghosts;
	uint32_t n_counts; /* of one row */
	uint32_t n_shards;
	uint32_t n_purges;
	uint32_t n_pools;
	uint32_t max_entries;
	uint32_t max_blocks;
};

struct objects {
	struct segment *segment;
	struct obj_map map;
	char range[SEGMENT_NAME_CAP]; /* the range's name */
	bool is_new;
};

/* Where a body was read last. */
struct obj_place {
	struct obj_ref ref;
	uint32_t run;
	uint64_t off; /* of the run's first byte in the body */
};

#define OBJ_PLACES 64u

struct objects_view {
	struct obj_map m;
	struct slots *slots;
	const struct wake_fds *wakes;
	struct slot_name me;
	struct sipkey key[2];
	uint32_t *pins; /* counts of this process, by entry */
	/* where to look first */
	uint32_t idle_at;
	uint32_t pool_at;
	uint32_t shard_at;
	struct obj_place places[OBJ_PLACES];
};

/* --- reading what others write -------------------------------------------- */

#define obj_get(p) atomic_load_explicit((p), memory_order_relaxed)
#define obj_set(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)

/* The entry of that number, or NULL: there can be none. */
static inline struct obj_entry *
obj_entry(const struct obj_map *m, uint32_t at)
{
	return at - 1u < m->max_entries ? &m->entries[at - 1] : NULL;
}

/* The run's first block's, or NULL. */
static inline struct obj_meta *
obj_meta(const struct obj_map *m, uint32_t run)
{
	return run - 1u < m->max_blocks ? &m->metas[run - 1] : NULL;
}

/* Blocks of a run, 0 when it is none that can be. */
static inline uint32_t
obj_run_len(const struct obj_map *m, uint32_t run)
{
	const struct obj_meta *meta = obj_meta(m, run);
	uint32_t len = meta == NULL ? 0 : obj_get(&meta->len);

	return len <= RUN_MAX && len <= m->max_blocks - (run - 1) ? len : 0;
}

static inline char *
obj_bytes(const struct obj_map *m, uint32_t run)
{
	return m->blocks + (uint64_t)(run - 1) * OBJ_BLOCK;
}

static inline struct obj_ledger *
obj_ledger(const struct objects_view *v)
{
	return &v->m.super->ledger[v->me.slot];
}

/* Before the state, head or body of an entry changes: its readers are to be
 * woken, also when this process dies first. obj_wake() ends it. */
static inline void
obj_intend(const struct objects_view *v, uint32_t at)
{
	atomic_store(&obj_ledger(v)->intent, at);
}

uint32_t obj_reach(const struct obj_map *m);
uint32_t obj_quota_blocks(const struct obj_map *m);
uint32_t obj_quota_entries(const struct obj_map *m);

/* --- objects.c ------------------------------------------------------------ */

/* The cache in a range, as obj_map_init() laid it out: pointers only. */
void obj_map_init(struct obj_map *m, void *at, uint64_t size, uint32_t number);

/* --- objects_life.c ------------------------------------------------------- */

/* Wake who waits for it. */
void obj_wake(struct objects_view *v, uint32_t at);
/* Wake all that have it pinned: bits of waiters may have been lost. */
void obj_wake_pinners(struct objects_view *v, uint32_t at);
/* Pin it if it is still of that gen, and to be found. */
bool obj_pin(struct objects_view *v, uint32_t at, uint32_t gen);
/* FREE -> MAKING. 0: no entry, also after evicting. */
uint32_t obj_entry_claim(struct objects_view *v);
/* MAKING -> FREE, FREEING -> FREE, from the life that the caller saw. */
void obj_entry_free(struct objects_view *v, uint32_t at, uint64_t life);
/* READY or FILLING, as `life` says, -> LEAVING. false: it has changed. */
bool obj_leave(
    struct objects_view *v, uint32_t at, uint64_t life, uint32_t flags);
/* What follows on LEAVING: out of queue and chain, GONE, and its memory given
 * back unless it is pinned. false: somebody was busy, the sweep does it. */
bool obj_take_out(struct objects_view *v, uint32_t at, uint32_t gen);
/* The same, for one that is in no queue. */
bool obj_take_off(struct objects_view *v, uint32_t at, uint32_t gen);
/* Give the memory of one that is GONE and not pinned back. false: busy. */
bool obj_reclaim(struct objects_view *v, uint32_t at);
/* Take back FREEING of a dead one, and do the same. */
bool obj_reclaim_dead(struct objects_view *v, uint32_t at, uint64_t life);
/* Not to be found any more, in the life that the caller saw or a later one of
 * the same gen. */
void obj_drop(struct objects_view *v, uint32_t at, uint32_t gen);
void obj_soften(
    struct objects_view *v, uint32_t at, uint32_t gen, uint64_t seq);

/* --- objects_index.c ------------------------------------------------------ */

static inline uint32_t
obj_bucket(const struct obj_map *m, const struct obj_key *k)
{
	return (uint32_t)k->h[0] & (m->n_buckets - 1);
}

struct obj_key obj_key_at(const struct obj_entry *e);
/* Put one that is MAKING in, as FILLING, unless *other is found FILLING there:
 * that one is pinned. */
enum obj_begin obj_index_put(struct objects_view *v, uint32_t at,
    const struct obj_key *k, struct obj_ref *other);
/* FILLING -> READY; the one before it, if any, is LEAVING then: *old. false:
 * busy, or it was taken from the caller. */
bool obj_index_ready(
    struct objects_view *v, uint32_t at, uint32_t gen, struct obj_ref *old);
/* Out of the chain, LEAVING -> GONE. false: busy. */
bool obj_index_remove(struct objects_view *v, uint32_t at, uint32_t gen);
/* While nobody has the lock of the stripe but this one. */
void obj_stripe_mend(struct objects_view *v, uint32_t stripe);

/* --- objects_pool.c ------------------------------------------------------- */

/* A run of up to `want` blocks for one's entry, `is_whole`: not one less;
 * evicts. *link gets its number before the lock is released. 0: none. */
uint32_t obj_run_new(struct objects_view *v, struct obj_ref owner,
    uint32_t want, bool is_whole, _Atomic uint32_t *link);
/* Free the run that *link names; *link is its successor then. false: busy. */
bool obj_run_free(
    struct objects_view *v, struct obj_ref owner, _Atomic uint32_t *link);
/* Keep the first `len` blocks. false: busy. */
bool obj_run_cut(struct objects_view *v, uint32_t run, uint32_t len);
void obj_pool_mend(struct objects_view *v, uint32_t pool);

/* --- objects_evict.c ------------------------------------------------------ */

#define FREQ_MAX 3u

static inline uint32_t
obj_shard_of(const struct obj_map *m, uint32_t at)
{
	return (at - 1) % m->n_shards;
}

/* One READY object goes. Returns its blocks, 0: there is none. */
uint32_t obj_evict(struct objects_view *v);
/* Into the queue that it belongs to, if it is READY and in none. false: busy.
 */
bool obj_queue_add(struct objects_view *v, uint32_t at, uint32_t gen);
/* Out of its queue, if LEAVING and in one. false: busy. */
bool obj_queue_remove(struct objects_view *v, uint32_t at, uint32_t gen);
void obj_shard_mend(struct objects_view *v, uint32_t shard);

/* --- objects_purge.c ------------------------------------------------------ */

enum obj_verdict { VERDICT_KEEP, VERDICT_SOFT, VERDICT_DROP };

/* What the purges that go on mean for one that is pinned, or that the steward
 * looks at. SOFT: *soft_seq is the newest of those. */
enum obj_verdict obj_purge_judge(
    const struct obj_map *m, uint32_t at, uint64_t *soft_seq);
/* Do it: soft, or no longer found. Returns the verdict. */
enum obj_verdict obj_purge_obey(struct objects_view *v, struct obj_ref r);
/* The walk over all entries is over. false: busy. */
bool obj_purge_end(struct objects_view *v, uint64_t seq);
void obj_purge_mend(struct objects_view *v);
/* A piece of what makes uses be forgotten. */
void obj_counts_age(struct objects_view *v);

/* --- objects_read.c ------------------------------------------------------- */

/* What stands before the bytes of a head's run. */
struct obj_head_top {
	uint32_t n_labels;
	uint32_t name_len;
	uint32_t bytes_len;
	uint32_t reserved;
};

typedef void obj_head_f(
    void *self, const struct obj_head_top *top, const char *bytes);

/* Hand the current head to `copy`, which may be called more than once; what it
 * copied last is whole. Labels, name and the caller's bytes follow each other
 * in `bytes`. false: there is none, or it was replaced all the time. */
bool obj_head_copy(const struct obj_map *m, const struct obj_entry *e,
    obj_head_f *copy, void *self);

#endif
