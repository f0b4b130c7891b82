/* store/objects_fill: an object from its beginning to its end. The filler alone
 * writes; it stores how much is there after the bytes are, so that a reader
 * sees whole bytes only, and a death leaves a beginning that is whole. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* --- beginning ------------------------------------------------------------ */

/* Of one that is MAKING; nobody looks at it yet. Others' bits in pins are of
 * those who were led astray, and fall on their own. Purges behind `moment` mean
 * it. */
static void
entry_init(struct objects_view *v, uint32_t at, const struct obj_key *k,
    uint64_t moment)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	obj_set(&e->key[0], k->h[0]);
	obj_set(&e->key[1], k->h[1]);
	obj_set(&e->length, OBJECTS_OPEN);
	obj_set(&e->filled, 0);
	obj_set(&e->body_room, 0);
	obj_set(&e->uses, 0);
	obj_set(&e->freq, 0);
	obj_set(&e->cost, 0);
	obj_set(&e->born_ms, clock_mono_us() / 1000);
	obj_set(&e->purge_seq, moment);
	obj_set(&e->soft_seq, 0);
	CRASH_POINT();
	pins_set(&e->pins, v->me.slot);
	v->pins[at - 1]++;
	CRASH_POINT();
}

/* It was not begun after all. */
static void
entry_undo(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);

	v->pins[at - 1]--;
	pins_clear(&e->pins, v->me.slot);
	CRASH_POINT();
	if (life_state(life) == LIFE_MAKING && life_slot(life) == v->me.slot)
		obj_entry_free(v, at, life);
}

/* How many this process fills, for people. */
static void
count_filling(struct objects_view *v, uint32_t by)
{
	_Atomic uint32_t *n = &obj_ledger(v)->n_filling;

	obj_set(n, obj_get(n) + by);
}

static enum obj_begin
entry_begin(struct objects_view *v, const struct obj_key *k, uint64_t moment,
    struct obj_ref *out)
{
	uint32_t at = obj_entry_claim(v);
	enum obj_begin rc;

	*out = (struct obj_ref){0, 0};
	if (at == 0)
		return OBJ_NO_ROOM;
	entry_init(v, at, k, moment);
	rc = obj_index_put(v, at, k, out);
	if (rc != OBJ_BEGUN) {
		entry_undo(v, at);
		return rc;
	}
	count_filling(v, 1);
	*out = (struct obj_ref){
	    at, life_gen(atomic_load(&obj_entry(&v->m, at)->life))};
	return OBJ_BEGUN;
}

uint64_t
objects_moment(const struct objects_view *v)
{
	return atomic_load(&v->m.super->purge_seq);
}

uint64_t
objects_moment_of(const struct objects_view *v, struct obj_ref r)
{
	return obj_get(&obj_entry(&v->m, r.at)->purge_seq);
}

enum obj_begin
objects_begin(
    struct objects_view *v, const struct obj_key *k, struct obj_ref *out)
{
	return entry_begin(v, k, objects_moment(v), out);
}

/* What purges that have ended said of `of`. Behind a look at those that go on: one
 * that ended in between has come to `of` before. */
static void
entry_inherit(struct objects_view *v, struct obj_ref r, struct obj_ref of)
{
	const struct obj_entry *e = obj_entry(&v->m, of.at);
	uint64_t life = atomic_load(&e->life);

	if (life_gen(life) != of.gen || !life_is_found(life))
		obj_drop(v, r.at, r.gen);
	else if ((life_flags(life) & LIFE_SOFT) != 0)
		obj_soften(v, r.at, r.gen, atomic_load(&e->soft_seq));
}

enum obj_begin
objects_begin_as(struct objects_view *v, const struct obj_key *k,
    struct obj_ref of, struct obj_ref *out)
{
	enum obj_begin rc = entry_begin(v, k, objects_moment_of(v, of), out);

	if (rc == OBJ_BEGUN) {
		(void)obj_purge_obey(v, *out);
		CRASH_POINT();
		entry_inherit(v, *out, of);
	}
	return rc;
}

/* The caller's own, still being filled; or NULL. */
static struct obj_entry *
entry_filling(struct objects_view *v, struct obj_ref r)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	uint64_t life = e == NULL ? 0 : atomic_load(&e->life);

	return life_state(life) == LIFE_FILLING &&
		       life_slot(life) == v->me.slot && life_gen(life) == r.gen
		   ? e
		   : NULL;
}

/* --- head ----------------------------------------------------------------- */

static void
head_write(char *to, const struct obj_head *h)
{
	struct obj_head_top top = {
	    h->n_labels, (uint32_t)h->name.len, (uint32_t)h->bytes.len, 0};
	size_t labels = h->n_labels * sizeof(uint64_t);

	memcpy(to, &top, sizeof(top));
	to += sizeof(top);
	if (labels > 0)
		memcpy(to, h->labels, labels);
	if (h->name.len > 0)
		memcpy(to + labels, h->name.p, h->name.len);
	if (h->bytes.len > 0)
		memcpy(to + labels + h->name.len, h->bytes.p, h->bytes.len);
}

/* The one that the version does not name is not read by anybody. */
static bool
head_swap(struct objects_view *v, struct obj_ref r, const struct obj_head *h,
    uint32_t n_blocks)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	uint32_t version = obj_get(&e->head_version);
	_Atomic uint32_t *spare = &e->heads[(version + 1) & 1];
	uint32_t run;

	if (obj_get(spare) != 0 && !obj_run_free(v, r, spare))
		return false;
	run = obj_run_new(v, r, n_blocks, true, spare);
	if (run == 0)
		return false;
	head_write(obj_bytes(&v->m, run), h);
	CRASH_POINT();
	obj_intend(v, r.at);
	atomic_store_explicit(
	    &e->head_version, version + 1, memory_order_release);
	CRASH_POINT();
	obj_wake(v, r.at);
	/* a pool that is busy leaves it there for the next one, or the end */
	spare = &e->heads[version & 1];
	if (obj_get(spare) != 0)
		(void)obj_run_free(v, r, spare);
	return true;
}

void
objects_renew(struct objects_view *v, struct obj_ref r, uint64_t moment)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	uint64_t life = atomic_load(&e->life);

	if (life_gen(life) != r.gen || life_state(life) != LIFE_READY ||
	    obj_purge_obey(v, r) == VERDICT_DROP)
		return;
	obj_set(&e->purge_seq, u64_max(obj_get(&e->purge_seq), moment));
	if (atomic_load(&e->soft_seq) > moment)
		return;
	life = atomic_load(&e->life);
	while (life_is_found(life) && (life_flags(life) & LIFE_SOFT) != 0 &&
	       !atomic_compare_exchange_weak(
		   &e->life, &life, life & ~((uint64_t)LIFE_SOFT << 8)))
		continue;
	/* one that came in between */
	if (atomic_load(&e->soft_seq) > moment)
		obj_soften(v, r.at, r.gen, 0);
}

/* Blocks that a head takes, 0: it is too long. */
static uint32_t
head_blocks(const struct obj_head *h)
{
	uint64_t len = sizeof(struct obj_head_top) +
		       (uint64_t)h->n_labels * sizeof(uint64_t) + h->name.len +
		       h->bytes.len;

	if (h->n_labels > OBJECTS_LABELS_MAX || h->name.len > UINT32_MAX ||
	    h->bytes.len > UINT32_MAX || len > OBJECTS_HEAD_MAX)
		return 0;
	return (uint32_t)((len + OBJ_BLOCK - 1) / OBJ_BLOCK);
}

bool
objects_set_head(struct objects_view *v, struct obj_ref r,
    const struct obj_head *head, uint64_t length)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	uint32_t n_blocks = head_blocks(head);
	uint32_t nobody = 0;
	bool is_set;

	REQUIRE(e != NULL);
	if (n_blocks == 0 ||
	    (length != OBJECTS_OPEN &&
		length / OBJ_BLOCK >= obj_quota_blocks(&v->m)) ||
	    !atomic_compare_exchange_strong(
		&e->head_owner, &nobody, v->me.slot + 1))
		return false;
	CRASH_POINT();
	/* its first head; who reads the head then reads this, too */
	if (entry_filling(v, r) != NULL &&
	    obj_get(&e->heads[obj_get(&e->head_version) & 1]) == 0)
		obj_set(&e->length, length);
	is_set = head_swap(v, r, head, n_blocks);
	CRASH_POINT();
	atomic_store(&e->head_owner, 0);
	return is_set;
}

/* --- body ----------------------------------------------------------------- */

/* Blocks of the next run: all that is missing, or twice the last one. */
static uint32_t
body_want(const struct objects_view *v, const struct obj_entry *e, size_t len)
{
	uint64_t length = obj_get(&e->length);
	uint64_t room = obj_get(&e->body_room);
	uint64_t want = obj_run_len(&v->m, obj_get(&e->last)) * UINT64_C(2);

	if (length != OBJECTS_OPEN)
		want = (length - room + OBJ_BLOCK - 1) / OBJ_BLOCK;
	else
		want = u64_max(want, u64_max(RUN_FIRST, len / OBJ_BLOCK));
	return (uint32_t)u64_min(want, RUN_MAX);
}

/* One run more. */
static bool
body_grow(struct objects_view *v, struct obj_ref r, size_t len)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);
	struct obj_meta *last = obj_meta(&v->m, obj_get(&e->last));
	uint32_t run = obj_run_new(v, r, body_want(v, e, len), false,
	    last == NULL ? &e->first : &last->next);

	if (run == 0)
		return false;
	CRASH_POINT();
	obj_set(&e->last, run);
	obj_set(
	    &e->body_room, obj_get(&e->body_room) +
			       (uint64_t)obj_run_len(&v->m, run) * OBJ_BLOCK);
	return true;
}

/* What fits into the last run, up to len bytes. */
static size_t
body_copy(
    struct objects_view *v, struct obj_entry *e, const char *p, size_t len)
{
	uint64_t filled = obj_get(&e->filled);
	uint64_t room = obj_get(&e->body_room);
	uint32_t last = obj_get(&e->last);
	uint64_t cap = (uint64_t)obj_run_len(&v->m, last) * OBJ_BLOCK;

	if (filled >= room || room - filled > cap)
		return 0;
	len = (size_t)u64_min(len, room - filled);
	memcpy(obj_bytes(&v->m, last) + (cap - (room - filled)), p, len);
	CRASH_POINT();
	atomic_store_explicit(&e->filled, filled + len, memory_order_release);
	CRASH_POINT();
	return len;
}

bool
objects_append(
    struct objects_view *v, struct obj_ref r, const void *p, size_t len)
{
	struct obj_entry *e = entry_filling(v, r);
	const char *from = p;

	if (e == NULL || len > obj_get(&e->length) - obj_get(&e->filled))
		return false;
	while (len > 0) {
		size_t n = body_copy(v, e, from, len);

		from += n;
		len -= n;
		if (n == 0 && !body_grow(v, r, len))
			return false;
	}
	obj_wake(v, r.at);
	return true;
}

/* --- end ------------------------------------------------------------------ */

/* Give back what the last run has too much of. */
static void
body_trim(struct objects_view *v, struct obj_entry *e)
{
	uint64_t spare = obj_get(&e->body_room) - obj_get(&e->filled);
	uint32_t last = obj_get(&e->last);
	uint32_t len = obj_run_len(&v->m, last);
	uint32_t too_much = (uint32_t)u64_min(spare / OBJ_BLOCK, len);

	if (too_much == 0 || too_much == len)
		return;
	/* what is not given back now is so with the object */
	if (obj_run_cut(v, last, len - too_much))
		obj_set(&e->body_room,
		    obj_get(&e->body_room) - (uint64_t)too_much * OBJ_BLOCK);
}

/* Whether there is a head and all of the body. */
static bool
entry_is_whole(const struct obj_entry *e)
{
	uint64_t length = obj_get(&e->length);

	return obj_get(&e->heads[obj_get(&e->head_version) & 1]) != 0 &&
	       (length == OBJECTS_OPEN || length == obj_get(&e->filled));
}

/* FILLING -> LEAVING, with flags, and what follows. */
static void
entry_end(struct objects_view *v, struct obj_ref r, uint32_t flags)
{
	struct obj_entry *e;

	obj_intend(v, r.at);
	CRASH_POINT();
	/* another turn when a flag was set meanwhile: there are two */
	while ((e = entry_filling(v, r)) != NULL)
		if (obj_leave(v, r.at, atomic_load(&e->life), flags))
			break;
	obj_wake(v, r.at);
	(void)obj_take_out(v, r.at, r.gen);
}

bool
objects_finish(struct objects_view *v, struct obj_ref r)
{
	struct obj_entry *e = entry_filling(v, r);
	struct obj_ref old;

	if (e == NULL)
		return false;
	if (!entry_is_whole(e)) {
		objects_abandon(v, r);
		return false;
	}
	body_trim(v, e);
	obj_set(&e->length, obj_get(&e->filled));
	obj_set(&e->cost,
	    (uint32_t)((obj_get(&e->body_room) / OBJ_BLOCK) +
		       obj_run_len(&v->m,
			   obj_get(&e->heads[obj_get(&e->head_version) & 1]))));
	count_filling(v, UINT32_MAX);
	obj_intend(v, r.at);
	CRASH_POINT();
	if (!obj_index_ready(v, r.at, r.gen, &old)) {
		/* those who read it have all of it, but nobody else will */
		entry_end(v, r, 0);
		return false;
	}
	obj_wake(v, r.at);
	/* what is busy is left to the sweep */
	(void)obj_queue_add(v, r.at, r.gen);
	if (old.at != 0) {
		obj_wake(v, old.at);
		(void)obj_take_out(v, old.at, old.gen);
	}
	return true;
}

static void
entry_give_up(struct objects_view *v, struct obj_ref r, uint32_t flags)
{
	if (entry_filling(v, r) == NULL)
		return;
	count_filling(v, UINT32_MAX);
	(void)atomic_fetch_add(&v->m.super->n_broken, 1);
	entry_end(v, r, LIFE_BROKEN | flags);
}

void
objects_abandon(struct objects_view *v, struct obj_ref r)
{
	entry_give_up(v, r, 0);
}

void
objects_outgrow(struct objects_view *v, struct obj_ref r)
{
	entry_give_up(v, r, LIFE_OUTGROWN);
}
