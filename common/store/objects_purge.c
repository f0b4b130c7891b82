/* store/objects_purge: what is to go by name, label or altogether. A purge is
 * written into a table that each search looks into, so it counts everywhere at
 * once; the steward's walk takes out what it means and then ends it. */
#include <string.h>

#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Entries of a row, and entries of the table, in one piece of work. */
#define COUNT_ROWS 4u
/* Uses for each place of a row, after which all are halved. */
#define USES_PER_COUNT 4u
#define HALVED_AT_ONCE 65536u

/* --- a purge -------------------------------------------------------------- */

static void
slot_write(struct obj_purge_slot *s, const struct obj_purge *p)
{
	obj_set(&s->what, (uint32_t)p->what);
	obj_set(&s->is_soft, p->is_soft);
	obj_set(&s->label, p->label);
	obj_set(&s->len, (uint32_t)p->text.len);
	if (p->text.len > 0)
		memcpy(s->text, p->text.p, p->text.len);
}

/* A number above all that there are: a death may have left one that the first
 * page does not know. */
static uint64_t
purge_next(const struct obj_map *m, struct obj_purge_slot **place)
{
	uint64_t seq = obj_get(&m->super->purge_seq);

	*place = NULL;
	for (uint32_t i = 0; i < m->n_purges; i++) {
		seq = u64_max(seq, obj_get(&m->purges[i].seq));
		if (obj_get(&m->purges[i].seq) == 0)
			*place = &m->purges[i];
	}
	return seq + 1;
}

bool
objects_purge(struct objects_view *v, const struct obj_purge *p)
{
	struct obj_super *super = v->m.super;
	struct obj_purge_slot *place;
	uint64_t seq;

	if (p->text.len >= OBJECTS_PURGE_CAP ||
	    lock_take(&super->purge_lock, v->slots, v->me) != LOCK_OK)
		return false;
	seq = purge_next(&v->m, &place);
	if (place != NULL) {
		slot_write(place, p);
		CRASH_POINT();
		/* a search that sees the number looks into the table */
		atomic_store(&super->n_purges, obj_get(&super->n_purges) + 1);
		CRASH_POINT();
		atomic_store(&place->seq, seq);
		CRASH_POINT();
		/* what is begun from here on is not meant */
		atomic_store(&super->purge_seq, seq);
		CRASH_POINT();
	}
	lock_release(&super->purge_lock, v->me);
	return place != NULL;
}

static void
purges_count(const struct obj_map *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_purges; i++)
		n += obj_get(&m->purges[i].seq) != 0;
	atomic_store(&m->super->n_purges, n);
}

bool
obj_purge_end(struct objects_view *v, uint64_t seq)
{
	struct obj_super *super = v->m.super;

	if (obj_get(&super->n_purges) == 0)
		return true;
	if (lock_take(&super->purge_lock, v->slots, v->me) != LOCK_OK)
		return false;
	for (uint32_t i = 0; i < v->m.n_purges; i++) {
		if (obj_get(&v->m.purges[i].seq) > seq)
			continue;
		atomic_store(&v->m.purges[i].seq, 0);
		CRASH_POINT();
	}
	purges_count(&v->m);
	lock_release(&super->purge_lock, v->me);
	return true;
}

void
obj_purge_mend(struct objects_view *v)
{
	purges_count(&v->m);
	CRASH_POINT();
}

/* --- judging -------------------------------------------------------------- */

struct judge {
	const struct obj_purge_slot *slot;
	bool is_meant;
};

static bool
judge_labels(uint64_t label, const struct obj_head_top *top, const char *bytes)
{
	for (uint32_t i = 0; i < top->n_labels; i++) {
		uint64_t one;

		memcpy(&one, bytes + i * sizeof(one), sizeof(one));
		if (one == label)
			return true;
	}
	return false;
}

static bool
judge_name(const struct obj_purge_slot *s, const struct obj_head_top *top,
    const char *bytes)
{
	bool is_prefix = obj_get(&s->what) == OBJ_PURGE_PREFIX;
	uint32_t len = obj_get(&s->len);

	return len < OBJECTS_PURGE_CAP &&
	       (is_prefix ? len <= top->name_len : len == top->name_len) &&
	       memcmp(bytes + top->n_labels * sizeof(uint64_t), s->text, len) ==
		   0;
}

static void
judge_head(void *self, const struct obj_head_top *top, const char *bytes)
{
	struct judge *j = self;

	if (obj_get(&j->slot->what) == OBJ_PURGE_LABEL)
		j->is_meant =
		    judge_labels(obj_get(&j->slot->label), top, bytes);
	else
		j->is_meant = judge_name(j->slot, top, bytes);
}

static bool
slot_means(const struct obj_map *m, const struct obj_purge_slot *s,
    const struct obj_entry *e)
{
	/* one without a head may turn out to be anything */
	struct judge j = {s, true};
	bool has_head = obj_get(&e->heads[obj_get(&e->head_version) & 1]) != 0;

	if (obj_get(&s->what) == OBJ_PURGE_ALL || !has_head)
		return true;
	return !obj_head_copy(m, e, judge_head, &j) || j.is_meant;
}

enum obj_verdict
obj_purge_judge(const struct obj_map *m, uint32_t at, uint64_t *soft_seq)
{
	const struct obj_entry *e = obj_entry(m, at);
	enum obj_verdict verdict = VERDICT_KEEP;

	*soft_seq = 0;
	if (atomic_load(&m->super->n_purges) == 0)
		return VERDICT_KEEP;
	for (uint32_t i = 0; i < m->n_purges; i++) {
		const struct obj_purge_slot *s = &m->purges[i];
		uint64_t seq = atomic_load(&s->seq);
		bool is_soft;

		if (seq <= obj_get(&e->purge_seq) || !slot_means(m, s, e))
			continue;
		is_soft = obj_get(&s->is_soft) != 0;
		atomic_thread_fence(memory_order_acquire);
		/* it ended meanwhile: then all was walked over */
		if (atomic_load(&s->seq) != seq)
			continue;
		if (!is_soft)
			return VERDICT_DROP;
		verdict = VERDICT_SOFT;
		*soft_seq = u64_max(*soft_seq, seq);
	}
	return verdict;
}

enum obj_verdict
obj_purge_obey(struct objects_view *v, struct obj_ref r)
{
	uint64_t soft_seq;
	enum obj_verdict verdict = obj_purge_judge(&v->m, r.at, &soft_seq);

	if (verdict == VERDICT_DROP)
		obj_drop(v, r.at, r.gen);
	else if (verdict == VERDICT_SOFT)
		obj_soften(v, r.at, r.gen, soft_seq);
	return verdict;
}

/* --- uses ----------------------------------------------------------------- */

static _Atomic uint8_t *
count_of(const struct obj_map *m, const struct obj_key *k, uint32_t row)
{
	/* 16 bits of the key more for each row */
	uint64_t h = k->h[1] >> (row * 16 % 64) ^ k->h[0] * (row + 1);

	return &m->counts[row * m->n_counts +
			  ((uint32_t)(h ^ h >> 32) & (m->n_counts - 1))];
}

/* One more, up to what fits. */
static uint8_t
count_add(_Atomic uint8_t *c)
{
	uint8_t n = obj_get(c);

	while (n < UINT8_MAX &&
	       !atomic_compare_exchange_weak(c, &n, (uint8_t)(n + 1)))
		continue;
	return n < UINT8_MAX ? (uint8_t)(n + 1) : n;
}

uint32_t
objects_count_use(struct objects_view *v, const struct obj_key *k)
{
	uint32_t least = UINT8_MAX;

	for (uint32_t row = 0; row < COUNT_ROWS; row++)
		least = (uint32_t)u64_min(
		    least, count_add(count_of(&v->m, k, row)));
	(void)atomic_fetch_add_explicit(
	    &v->m.super->n_counted, 1, memory_order_relaxed);
	return least;
}

/* A piece of halving, once it is due. */
void
obj_counts_age(struct objects_view *v)
{
	struct obj_super *super = v->m.super;
	uint32_t n = v->m.n_counts * COUNT_ROWS;
	uint32_t at = obj_get(&super->halve_at);
	uint32_t end;

	if (at >= n) {
		if (obj_get(&super->n_counted) / USES_PER_COUNT < v->m.n_counts)
			return;
		obj_set(&super->n_counted, 0);
		at = 0;
	}
	end = (uint32_t)u64_min(n, (uint64_t)at + HALVED_AT_ONCE);
	for (; at < end; at++) {
		uint8_t c = obj_get(&v->m.counts[at]);

		/* one that is counted meanwhile is halved the next time */
		if (c > 0)
			(void)atomic_compare_exchange_strong(
			    &v->m.counts[at], &c, c / 2);
	}
	obj_set(&super->halve_at, at);
}
