/* store/objects_index: chains of entries by key. Who searches takes no lock:
 * entries are always entries, so that a walk that was led astray ends, and what
 * it found is pinned and looked at again; that it found nothing counts when
 * nothing was taken out of the stripe meanwhile. A chain changes by one store
 * under the lock of its stripe, so it is whole at every moment. */
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Searching again when it was changed meanwhile, before it counts as a miss. */
#define FIND_TRIES 8u

struct obj_key
obj_key_at(const struct obj_entry *e)
{
	return (struct obj_key){{obj_get(&e->key[0]), obj_get(&e->key[1])}};
}

static bool
key_is(const struct obj_entry *e, const struct obj_key *k)
{
	return obj_get(&e->key[0]) == k->h[0] && obj_get(&e->key[1]) == k->h[1];
}

static struct obj_stripe *
stripe_of(const struct obj_map *m, const struct obj_key *k)
{
	return &m->stripes[obj_bucket(m, k) % OBJ_STRIPES];
}

/* --- searching ------------------------------------------------------------ */

/* What stands under a key, not pinned. */
struct found {
	struct obj_ref ready; /* the newest */
	struct obj_ref filling;
};

/* Whether the entry is of that key, and in what state. Life comes first: what
 * is to be found has its key since before it was. */
static void
found_look(const struct obj_entry *e, uint32_t at, const struct obj_key *k,
    struct found *f)
{
	uint64_t life = atomic_load_explicit(&e->life, memory_order_acquire);
	struct obj_ref r = {at, life_gen(life)};

	if (!life_is_found(life) || !key_is(e, k))
		return;
	if (life_state(life) == LIFE_FILLING && f->filling.at == 0)
		f->filling = r;
	if (life_state(life) == LIFE_READY && f->ready.at == 0)
		f->ready = r;
}

static void
chain_search(
    const struct obj_map *m, const struct obj_key *k, struct found *out)
{
	uint32_t at = atomic_load_explicit(
	    &m->buckets[obj_bucket(m, k)], memory_order_acquire);
	const struct obj_entry *e;

	*out = (struct found){{0, 0}, {0, 0}};
	for (uint32_t i = 0; i < CHAIN_MAX; i++) {
		e = obj_entry(m, at);
		if (e == NULL)
			return;
		found_look(e, at, k, out);
		at = atomic_load_explicit(&e->next, memory_order_acquire);
	}
}

/* Drop what a purge named, which the sweep has not come to yet. */
static bool
found_is_purged(struct objects_view *v, struct obj_ref r)
{
	/* a purge that has returned has stored this number before */
	return atomic_load(&v->m.super->n_purges) > 0 &&
	       obj_purge_obey(v, r) == VERDICT_DROP;
}

/* Pin what was found, if it still counts. A purge that has ended since it was
 * pinned is seen by nobody any more, but has taken it out before. */
static bool
found_pin(struct objects_view *v, struct obj_ref r)
{
	if (r.at == 0 || !obj_pin(v, r.at, r.gen))
		return false;
	if (!found_is_purged(v, r) &&
	    life_is_found(atomic_load(&obj_entry(&v->m, r.at)->life)))
		return true;
	objects_unpin(v, r);
	return false;
}

enum obj_state
objects_find(struct objects_view *v, const struct obj_key *k,
    struct obj_ref *out, bool *is_updating)
{
	struct obj_stripe *s = stripe_of(&v->m, k);
	uint64_t life;

	*is_updating = false;
	for (uint32_t i = 0; i < FIND_TRIES; i++) {
		struct found f;
		uint32_t seen;
		bool is_quiet = version_read(&s->version, &seen);

		chain_search(&v->m, k, &f);
		*out = f.ready.at != 0 ? f.ready : f.filling;
		if (found_pin(v, *out)) {
			life = atomic_load(&obj_entry(&v->m, out->at)->life);
			if (life_state(life) == LIFE_FILLING)
				return OBJ_FILLING;
			*is_updating = f.ready.at != 0 && f.filling.at != 0;
			return OBJ_READY;
		}
		if (out->at == 0 && is_quiet && version_is(&s->version, seen))
			break;
	}
	*out = (struct obj_ref){0, 0};
	return OBJ_NONE;
}

/* --- changing ------------------------------------------------------------- */

/* MAKING(me) -> FILLING(me), first in its chain. false: it was taken from us.
 */
static bool
chain_put(struct objects_view *v, uint32_t at, const struct obj_key *k)
{
	_Atomic uint32_t *bucket = &v->m.buckets[obj_bucket(&v->m, k)];
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);

	obj_set(&e->next, obj_get(bucket));
	/* its key stands: whoever stumbles over it may find it */
	if (life_state(life) != LIFE_MAKING || life_slot(life) != v->me.slot ||
	    !atomic_compare_exchange_strong(&e->life, &life,
		life_make(life_gen(life), v->me.slot, 0, LIFE_FILLING)))
		return false;
	CRASH_POINT();
	atomic_store_explicit(bucket, at, memory_order_release);
	CRASH_POINT();
	return true;
}

enum obj_begin
obj_index_put(struct objects_view *v, uint32_t at, const struct obj_key *k,
    struct obj_ref *other)
{
	struct obj_stripe *s = stripe_of(&v->m, k);

	for (uint32_t i = 0; i < FIND_TRIES; i++) {
		bool is_put = false;
		struct found f;

		if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
			return OBJ_NO_ROOM;
		chain_search(&v->m, k, &f);
		if (f.filling.at == 0)
			is_put = chain_put(v, at, k);
		lock_release(&s->lock, v->me);
		if (f.filling.at == 0)
			return is_put ? OBJ_BEGUN : OBJ_NO_ROOM;
		/* pinning may have to take other locks; what cannot be pinned
		 * has just come to its end */
		*other = f.filling;
		if (found_pin(v, *other))
			return OBJ_OTHER;
	}
	return OBJ_NO_ROOM;
}

/* The word that names the entry in its chain, or NULL. */
static _Atomic uint32_t *
chain_link(const struct obj_map *m, const struct obj_key *k, uint32_t at)
{
	_Atomic uint32_t *link = &m->buckets[obj_bucket(m, k)];

	for (uint32_t i = 0; i < CHAIN_MAX; i++) {
		uint32_t next = obj_get(link);
		struct obj_entry *e = obj_entry(m, next);

		if (next == at)
			return link;
		if (e == NULL)
			return NULL;
		link = &e->next;
	}
	return NULL;
}

/* Its own `next` stays: who stands on it walks on. */
static void
chain_cut(struct objects_view *v, struct obj_stripe *s, const struct obj_key *k,
    uint32_t at)
{
	_Atomic uint32_t *link = chain_link(&v->m, k, at);

	version_open(&s->version);
	CRASH_POINT();
	if (link != NULL)
		atomic_store_explicit(link,
		    obj_get(&obj_entry(&v->m, at)->next), memory_order_release);
	CRASH_POINT();
	version_close(&s->version);
}

bool
obj_index_remove(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	struct obj_key k = obj_key_at(e);
	struct obj_stripe *s = stripe_of(&v->m, &k);
	uint64_t life;

	if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
		return false;
	/* somebody else may have done it: then it is not this stripe's, and
	 * while it is LEAVING nobody can have put it into another chain */
	life = atomic_load(&e->life);
	if (life_state(life) == LIFE_LEAVING && life_gen(life) == gen) {
		chain_cut(v, s, &k, at);
		CRASH_POINT();
		(void)atomic_compare_exchange_strong(&e->life, &life,
		    life_make(gen, 0, life_flags(life), LIFE_GONE));
	}
	lock_release(&s->lock, v->me);
	return true;
}

/* FILLING(me) -> READY; a flag may be set meanwhile. */
static bool
life_ready(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);

	while (life_state(life) == LIFE_FILLING && life_gen(life) == gen &&
	       life_slot(life) == v->me.slot &&
	       (life_flags(life) & LIFE_DOOMED) == 0)
		if (atomic_compare_exchange_weak(&e->life, &life,
			life_make(gen, 0, life_flags(life), LIFE_READY)))
			return true;
	return false;
}

/* The next READY one of that key after `at` is LEAVING from now on. */
static struct obj_ref
chain_leave_older(struct objects_view *v, const struct obj_key *k, uint32_t at)
{
	uint32_t next = at;

	for (uint32_t i = 0; i < CHAIN_MAX; i++) {
		struct obj_entry *e = obj_entry(&v->m, next);
		uint64_t life;

		if (e == NULL)
			break;
		life = atomic_load(&e->life);
		while (next != at && key_is(e, k) &&
		       life_state(life) == LIFE_READY) {
			if (obj_leave(v, next, life, 0))
				return (struct obj_ref){next, life_gen(life)};
			life = atomic_load(&e->life);
		}
		next = obj_get(&e->next);
	}
	return (struct obj_ref){0, 0};
}

bool
obj_index_ready(
    struct objects_view *v, uint32_t at, uint32_t gen, struct obj_ref *old)
{
	struct obj_key k = obj_key_at(obj_entry(&v->m, at));
	struct obj_stripe *s = stripe_of(&v->m, &k);
	bool is_ready;

	*old = (struct obj_ref){0, 0};
	if (lock_take(&s->lock, v->slots, v->me) != LOCK_OK)
		return false;
	is_ready = life_ready(v, at, gen);
	CRASH_POINT();
	/* it stands before older ones in the chain: those who search find the
	 * first, so there is no moment without one */
	if (is_ready)
		*old = chain_leave_older(v, &k, at);
	lock_release(&s->lock, v->me);
	return is_ready;
}

/* --- after a death -------------------------------------------------------- */

/* The dead one may have made one READY and not come to the one before. */
static void
bucket_mend(struct objects_view *v, uint32_t bucket)
{
	uint32_t at = obj_get(&v->m.buckets[bucket]);

	for (uint32_t i = 0; i < CHAIN_MAX; i++) {
		struct obj_entry *e = obj_entry(&v->m, at);
		struct obj_key k;

		if (e == NULL)
			return;
		k = obj_key_at(e);
		if (life_state(atomic_load(&e->life)) == LIFE_READY)
			(void)chain_leave_older(v, &k, at);
		at = obj_get(&e->next);
	}
}

void
obj_stripe_mend(struct objects_view *v, uint32_t stripe)
{
	struct obj_stripe *s = &v->m.stripes[stripe];

	for (uint32_t b = stripe; b < v->m.n_buckets; b += OBJ_STRIPES)
		bucket_mend(v, b);
	CRASH_POINT();
	if (atomic_load(&s->version.n) % 2 != 0)
		version_close(&s->version);
}
