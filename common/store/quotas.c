/* store/quotas: buckets of 16 places with a lock each, which a hash of the name
 * tells. A place counts one name and is free while its hash is 0; all is
 * written inside the lock, the hash last, so that a place is whole or free. */
#include "common/store/quotas.h"

#include <string.h>

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define PER_BUCKET 16u
#define BUCKETS (QUOTAS_MAX / PER_BUCKET)

struct quota_place {
	_Atomic uint64_t hash; /* 0: the place is free */
	_Atomic uint64_t used;
	_Atomic int32_t day;
	_Atomic uint32_t len;
	char name[QUOTA_NAME_MAX];
};

struct quota_bucket {
	struct shm_lock lock;
	struct quota_place at[PER_BUCKET];
} __attribute__((aligned(64)));

struct quotas {
	_Atomic uint32_t is_ready;
	_Atomic uint32_t is_loaded;
	struct sipkey key; /* drawn once, so that nobody can aim */
	_Atomic uint64_t n_evicted;
	_Atomic uint64_t n_missed;
	_Atomic uint64_t n_changes;
	struct quota_bucket buckets[BUCKETS]
	    __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want quotas_want = {
    .kind = SEGMENT_KIND_QUOTAS,
    .version = 1,
    .size = sizeof(struct quotas),
    .commit = SEGMENT_PAGE,
    .name = "quotas",
};

struct quotas *
quotas_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &quotas_want)
			: segment_find(s, &quotas_want);
}

bool
quotas_ready(struct quotas *q, struct segment *s)
{
	if (atomic_load(&q->is_ready))
		return true;
	if (segment_commit(s, q, sizeof(*q)) < 0)
		return false;
	sipkey_random(&q->key);
	atomic_store(&q->is_ready, 1);
	return true;
}

bool
quotas_is_ready(const struct quotas *q)
{
	return atomic_load_explicit(&q->is_ready, memory_order_acquire);
}

uint64_t
quotas_evicted(const struct quotas *q)
{
	return atomic_load(&q->n_evicted);
}

uint64_t
quotas_missed(const struct quotas *q)
{
	return atomic_load(&q->n_missed);
}

uint64_t
quotas_changes(const struct quotas *q)
{
	return atomic_load(&q->n_changes);
}

bool
quotas_is_loaded(const struct quotas *q)
{
	return atomic_load(&q->is_loaded) != 0;
}

void
quotas_set_loaded(struct quotas *q)
{
	atomic_store(&q->is_loaded, 1);
}

/* --- a place, inside the lock --------------------------------------------- */

static struct quota_place *
bucket_find(struct quota_bucket *b, uint64_t hash)
{
	for (uint32_t i = 0; i < PER_BUCKET; i++)
		if (atomic_load(&b->at[i].hash) == hash)
			return &b->at[i];
	return NULL;
}

static bool
place_is_before(const struct quota_place *a, const struct quota_place *b)
{
	int32_t day_a = atomic_load(&a->day);
	int32_t day_b = atomic_load(&b->day);

	return day_a != day_b ? day_a < day_b
			      : atomic_load(&a->used) < atomic_load(&b->used);
}

/* One that is free, or whose loss is the least. */
static struct quota_place *
bucket_victim(struct quota_bucket *b)
{
	struct quota_place *best = &b->at[0];

	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		if (atomic_load(&b->at[i].hash) == 0)
			return &b->at[i];
		if (place_is_before(&b->at[i], best))
			best = &b->at[i];
	}
	return best;
}

static struct quota_place *
bucket_insert(struct quotas *q, struct quota_bucket *b, uint64_t hash,
    span name, int32_t day)
{
	struct quota_place *p = bucket_victim(b);

	if (atomic_load(&p->hash) != 0 && atomic_load(&p->day) >= day)
		(void)atomic_fetch_add(&q->n_evicted, 1);
	atomic_store(&p->hash, 0);
	CRASH_POINT();
	atomic_store(&p->used, 0);
	atomic_store(&p->day, day);
	memset(p->name, 0, sizeof(p->name));
	memcpy(p->name, name.p, name.len);
	atomic_store(&p->len, (uint32_t)name.len);
	CRASH_POINT();
	atomic_store(&p->hash, hash);
	CRASH_POINT();
	return p;
}

/* A new day begins with nothing; a clock that was set back begins anew, too. */
static void
place_set_day(struct quota_place *p, int32_t day)
{
	int32_t was = atomic_load(&p->day);

	if (was == day || was == day + 1)
		return;
	atomic_store(&p->used, 0);
	CRASH_POINT();
	atomic_store(&p->day, day);
	CRASH_POINT();
}

static uint64_t
place_add(struct quotas *q, struct quota_place *p, uint64_t bytes)
{
	uint64_t used = atomic_load(&p->used);

	used = u64_min(used + u64_min(bytes, QUOTA_USED_MAX), QUOTA_USED_MAX);
	if (bytes > 0)
		(void)atomic_fetch_add_explicit(
		    &q->n_changes, 1, memory_order_relaxed);
	atomic_store(&p->used, used);
	CRASH_POINT();
	return used;
}

/* --- for everybody -------------------------------------------------------- */

/* The bucket of a name, whose lock is taken; NULL: it cannot be. */
static struct quota_bucket *
quotas_enter(struct quotas *q, const struct slots *slots, struct slot_name me,
    span name, uint64_t *hash)
{
	struct quota_bucket *b;

	*hash = siphash(&q->key, name);
	if (*hash == 0)
		*hash = 1;
	b = &q->buckets[(*hash >> 32) % BUCKETS];
	if (lock_take(&b->lock, slots, me) == LOCK_OK)
		return b;
	(void)atomic_fetch_add(&q->n_missed, 1);
	return NULL;
}

bool
quotas_spend(struct quotas *q, const struct slots *slots, struct slot_name me,
    span name, int32_t day, uint64_t bytes, uint64_t *used)
{
	struct quota_bucket *b;
	struct quota_place *p;
	uint64_t hash;

	*used = 0;
	if (!quotas_is_ready(q))
		return false;
	name = span_first(name, size_min(name.len, QUOTA_NAME_MAX));
	b = quotas_enter(q, slots, me, name, &hash);
	if (b == NULL)
		return false;
	p = bucket_find(b, hash);
	/* who asks how much that is needs no place */
	if (p == NULL && bytes > 0)
		p = bucket_insert(q, b, hash, name, day);
	if (p != NULL) {
		place_set_day(p, day);
		*used = place_add(q, p, bytes);
	}
	lock_release(&b->lock, me);
	return true;
}

bool
quotas_restore(struct quotas *q, const struct slots *slots, struct slot_name me,
    const struct quota *from)
{
	span name = span_of(from->name, from->len);
	struct quota_bucket *b;
	struct quota_place *p;
	uint64_t hash;

	if (!quotas_is_ready(q))
		return false;
	b = quotas_enter(q, slots, me, name, &hash);
	if (b == NULL)
		return false;
	p = bucket_find(b, hash);
	if (p == NULL)
		p = bucket_insert(q, b, hash, name, from->day);
	if (atomic_load(&p->day) == from->day)
		(void)place_add(q, p, from->used);
	lock_release(&b->lock, me);
	return true;
}

bool
quotas_next(struct quotas *q, const struct slots *slots, struct slot_name me,
    uint32_t *at, struct quota *out)
{
	while (quotas_is_ready(q) && *at < QUOTAS_MAX) {
		struct quota_bucket *b = &q->buckets[*at / PER_BUCKET];
		const struct quota_place *p = &b->at[*at % PER_BUCKET];
		bool is_there;

		++*at;
		if (atomic_load(&p->hash) == 0 ||
		    lock_take(&b->lock, slots, me) != LOCK_OK)
			continue;
		is_there = atomic_load(&p->hash) != 0;
		out->day = atomic_load(&p->day);
		out->used = atomic_load(&p->used);
		/* what another process wrote is bounded here */
		out->len =
		    (uint32_t)u64_min(atomic_load(&p->len), QUOTA_NAME_MAX);
		memcpy(out->name, p->name, sizeof(out->name));
		lock_release(&b->lock, me);
		if (is_there)
			return true;
	}
	return false;
}

/* --- repair --------------------------------------------------------------- */

void
quotas_repair(struct quotas *q, const struct slots *slots, struct slot_name me,
    uint32_t dead)
{
	if (!quotas_is_ready(q))
		return;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct shm_lock *l = &q->buckets[i].lock;
		uint64_t owner = atomic_load(&l->owner);

		/* a place is whole or free */
		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(l, slots, me))
			lock_release(l, me);
	}
}

static bool
bucket_is_whole(const struct quota_bucket *b)
{
	if (atomic_load(&b->lock.owner) != 0)
		return false;
	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		uint64_t hash = atomic_load(&b->at[i].hash);

		if (hash == 0)
			continue;
		if (atomic_load(&b->at[i].len) > QUOTA_NAME_MAX)
			return false;
		for (uint32_t k = 0; k < i; k++)
			if (atomic_load(&b->at[k].hash) == hash)
				return false;
	}
	return true;
}

bool
quotas_check(const struct quotas *q)
{
	for (uint32_t i = 0; quotas_is_ready(q) && i < BUCKETS; i++)
		if (!bucket_is_whole(&q->buckets[i]))
			return false;
	return true;
}
