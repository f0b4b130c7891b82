/* store/collections: buckets of 8 places with a lock each, which a hash of the
 * key tells. A place holds one collection and is free while its hash is 0; who
 * changes one works on a copy, and writes it back whole, the hash last. */
#include "common/store/collections.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define PER_BUCKET 8u
#define BUCKETS (COLLECTIONS_MAX / PER_BUCKET)

struct collection_place {
	_Atomic uint64_t hash; /* 0: the place is free */
	struct collection it;
};

static_assert(sizeof(struct collection_place) == 1024, "a power of two");

struct collection_bucket {
	struct shm_lock lock;
	struct collection_place at[PER_BUCKET];
} __attribute__((aligned(64)));

struct collections {
	_Atomic uint32_t is_ready;
	struct sipkey key; /* drawn once, so that nobody can aim */
	_Atomic uint64_t n_evicted;
	_Atomic uint64_t n_missed;
	_Atomic uint64_t n_full;
	struct collection_bucket buckets[BUCKETS]
	    __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want collections_want = {
    .kind = SEGMENT_KIND_COLLECTIONS,
    .version = 1,
    .size = sizeof(struct collections),
    .commit = SEGMENT_PAGE,
    .name = "collections",
};

struct collections *
collections_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &collections_want)
			: segment_find(s, &collections_want);
}

bool
collections_ready(struct collections *c, struct segment *s)
{
	if (atomic_load(&c->is_ready))
		return true;
	if (segment_commit(s, c, sizeof(*c)) < 0)
		return false;
	sipkey_random(&c->key);
	atomic_store(&c->is_ready, 1);
	return true;
}

bool
collections_is_ready(const struct collections *c)
{
	return atomic_load_explicit(&c->is_ready, memory_order_acquire);
}

uint64_t
collections_evicted(const struct collections *c)
{
	return atomic_load(&c->n_evicted);
}

uint64_t
collections_missed(const struct collections *c)
{
	return atomic_load(&c->n_missed);
}

uint64_t
collections_full(const struct collections *c)
{
	return atomic_load(&c->n_full);
}

/* --- a copy --------------------------------------------------------------- */

/* What stands before the bytes of a name and of its value. */
struct var_head {
	uint64_t until_s;
	uint16_t value_len;
	uint8_t name_len;
} __attribute__((packed));

bool
collection_next(
    const struct collection *c, uint32_t *at, struct collection_var *out)
{
	uint32_t len = (uint32_t)u64_min(c->len, COLLECTION_ROOM);
	struct var_head h;
	const char *p = c->bytes + *at;

	if (*at > len || len - *at < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	if (len - *at - sizeof(h) < (size_t)h.name_len + h.value_len)
		return false;
	p += sizeof(h);
	*out = (struct collection_var){.name = span_of(p, h.name_len),
	    .value = span_of(p + h.name_len, h.value_len),
	    .until_s = h.until_s};
	*at += (uint32_t)(sizeof(h) + h.name_len + h.value_len);
	return true;
}

bool
collection_get(
    const struct collection *c, span name, struct collection_var *out)
{
	uint32_t at = 0;

	while (collection_next(c, &at, out))
		if (span_ieq(out->name, name))
			return true;
	return false;
}

static void
cut_out(struct collection *c, uint32_t from, uint32_t to)
{
	memmove(c->bytes + from, c->bytes + to, c->len - to);
	c->len -= to - from;
}

void
collection_drop(struct collection *c, span name)
{
	struct collection_var v;
	uint32_t from = 0, at = 0;

	while (collection_next(c, &at, &v)) {
		if (span_ieq(v.name, name)) {
			cut_out(c, from, at);
			return;
		}
		from = at;
	}
}

/* What is empty may be nowhere (a macro of what is not there). */
static void
append(struct collection *c, span s)
{
	if (s.len > 0)
		memcpy(c->bytes + c->len, s.p, s.len);
	c->len += (uint32_t)s.len;
}

static void
add(struct collection *c, span name, span value, uint64_t until_s)
{
	struct var_head h = {until_s, (uint16_t)value.len, (uint8_t)name.len};

	append(c, span_of((const char *)&h, sizeof(h)));
	append(c, name);
	append(c, value);
}

void
collection_put(struct collection *c, span name, span value)
{
	struct collection_var old = {.until_s = 0};
	bool is_known = collection_get(c, name, &old);
	uint64_t until_s = is_known ? old.until_s : 0;

	value = span_first(value, size_min(value.len, COLLECTION_VALUE_MAX));
	/* what the old value has is room again only when the new one fits */
	if (name.len > COLLECTION_NAME_MAX ||
	    c->len + sizeof(struct var_head) + name.len + value.len >
		COLLECTION_ROOM + (is_known ? sizeof(struct var_head) +
						  old.name.len + old.value.len
					    : 0)) {
		c->n_full++;
		return;
	}
	collection_drop(c, name);
	add(c, name, value, until_s);
}

void
collection_expire(struct collection *c, span name, uint64_t until_s)
{
	struct collection_var v;
	uint32_t from = 0, at = 0;

	while (collection_next(c, &at, &v)) {
		if (span_ieq(v.name, name)) {
			memcpy(c->bytes + from +
				   offsetof(struct var_head, until_s),
			    &until_s, sizeof(until_s));
			return;
		}
		from = at;
	}
}

/* Without what is over, and whole: behind the first thing that is not, nothing
 * counts. */
static void
tidy(struct collection *c, uint64_t now_s)
{
	struct collection_var v;
	uint32_t from = 0, at = 0;

	while (collection_next(c, &at, &v)) {
		if (v.until_s != 0 && v.until_s <= now_s) {
			cut_out(c, from, at);
			at = from;
		}
		from = at;
	}
	c->len = from;
}

static bool
is_over(const struct collection *c, uint64_t now_s)
{
	return c->updated_s + c->timeout_s <= now_s;
}

/* --- a place, inside the lock --------------------------------------------- */

static struct collection_place *
bucket_find(struct collection_bucket *b, uint64_t hash)
{
	for (uint32_t i = 0; i < PER_BUCKET; i++)
		if (atomic_load(&b->at[i].hash) == hash)
			return &b->at[i];
	return NULL;
}

/* One that is free or over, or that changed the longest time ago. */
static struct collection_place *
bucket_victim(
    struct collections *c, struct collection_bucket *b, uint64_t now_s)
{
	struct collection_place *best = &b->at[0];

	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		if (atomic_load(&b->at[i].hash) == 0 ||
		    is_over(&b->at[i].it, now_s))
			return &b->at[i];
		if (b->at[i].it.updated_s < best->it.updated_s)
			best = &b->at[i];
	}
	(void)atomic_fetch_add(&c->n_evicted, 1);
	return best;
}

static void
place_write(
    struct collection_place *p, uint64_t hash, const struct collection *it)
{
	atomic_store(&p->hash, 0);
	CRASH_POINT();
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(&p->it, it, offsetof(struct collection, bytes) + it->len);
	CRASH_POINT();
	atomic_store(&p->hash, hash);
	CRASH_POINT();
}

/* A copy of what stands there. false: nothing that counts. */
static bool
place_read(
    const struct collection_place *p, uint64_t now_s, struct collection *out)
{
	if (p == NULL || is_over(&p->it, now_s))
		return false;
	memcpy(out, &p->it, offsetof(struct collection, bytes));
	out->len = (uint32_t)u64_min(out->len, COLLECTION_ROOM);
	memcpy(out->bytes, p->it.bytes, out->len);
	tidy(out, now_s);
	return true;
}

/* --- for everybody -------------------------------------------------------- */

/* The bucket of a key, whose lock is taken; NULL: it cannot be. */
static struct collection_bucket *
collections_enter(struct collections *c, const struct collections_by *by,
    span key, uint64_t *hash)
{
	struct collection_bucket *b;

	if (!collections_is_ready(c))
		return NULL;
	*hash = siphash(&c->key, key);
	if (*hash == 0)
		*hash = 1;
	b = &c->buckets[(*hash >> 32) % BUCKETS];
	if (lock_take(&b->lock, by->slots, by->me) == LOCK_OK)
		return b;
	(void)atomic_fetch_add(&c->n_missed, 1);
	return NULL;
}

bool
collections_read(struct collections *c, const struct collections_by *by,
    span key, struct collection *out)
{
	struct collection_bucket *b;
	uint64_t hash;
	bool is_there;

	b = collections_enter(c, by, key, &hash);
	if (b == NULL)
		return false;
	is_there = place_read(bucket_find(b, hash), by->now_s, out);
	lock_release(&b->lock, by->me);
	return is_there;
}

bool
collections_edit(struct collections *c, const struct collections_by *by,
    span key, collection_edit_f *fn, void *self)
{
	struct collection_bucket *b;
	struct collection_place *p;
	struct collection it;
	uint64_t hash;

	b = collections_enter(c, by, key, &hash);
	if (b == NULL)
		return false;
	p = bucket_find(b, hash);
	if (!place_read(p, by->now_s, &it)) {
		memset(&it, 0, offsetof(struct collection, bytes));
		it.created_s = by->now_s;
	}
	it.n_full = 0;
	fn(self, &it);
	it.updated_s = by->now_s;
	(void)atomic_fetch_add_explicit(
	    &c->n_full, it.n_full, memory_order_relaxed);
	place_write(p != NULL ? p : bucket_victim(c, b, by->now_s), hash, &it);
	lock_release(&b->lock, by->me);
	return true;
}

/* --- repair --------------------------------------------------------------- */

void
collections_repair(struct collections *c, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	if (!collections_is_ready(c))
		return;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct shm_lock *l = &c->buckets[i].lock;
		uint64_t owner = atomic_load(&l->owner);

		/* a place is whole or free */
		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(l, slots, me))
			lock_release(l, me);
	}
}

static bool
place_is_whole(const struct collection_place *p)
{
	struct collection_var v;
	uint32_t at = 0;

	while (collection_next(&p->it, &at, &v))
		if (v.name.len > COLLECTION_NAME_MAX ||
		    v.value.len > COLLECTION_VALUE_MAX)
			return false;
	return at == p->it.len;
}

static bool
bucket_is_whole(const struct collection_bucket *b)
{
	if (atomic_load(&b->lock.owner) != 0)
		return false;
	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		uint64_t hash = atomic_load(&b->at[i].hash);

		if (hash == 0)
			continue;
		if (!place_is_whole(&b->at[i]))
			return false;
		for (uint32_t k = 0; k < i; k++)
			if (atomic_load(&b->at[k].hash) == hash)
				return false;
	}
	return true;
}

bool
collections_check(const struct collections *c)
{
	for (uint32_t i = 0; collections_is_ready(c) && i < BUCKETS; i++)
		if (!bucket_is_whole(&c->buckets[i]))
			return false;
	return true;
}
