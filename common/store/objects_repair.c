/* store/objects_repair: what the steward does: mend after a death, at once, and
 * walk over all entries, slowly. Both are made of steps that may be taken
 * again. */
#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Entries of one piece of the walk. */
#define SWEEP_PIECE 4096u
/* Runs of one body that are looked at for a lowered quota. */
#define RUNS_LOOKED 65536u

/* --- locks ---------------------------------------------------------------- */

/* Take a lock over from the dead one, if it has it. */
static bool
lock_inherit(struct objects_view *v, struct shm_lock *l, uint32_t dead)
{
	uint64_t owner = atomic_load(&l->owner);

	return owner != 0 && slot_of_word(owner).slot == dead &&
	       lock_seize(l, v->slots, v->me);
}

static void
locks_mend(struct objects_view *v, uint32_t dead)
{
	const struct obj_map *m = &v->m;

	for (uint32_t i = 0; i < m->n_pools; i++)
		if (lock_inherit(v, &m->pools[i].lock, dead)) {
			obj_pool_mend(v, i);
			lock_release(&m->pools[i].lock, v->me);
		}
	for (uint32_t i = 0; i < m->n_shards; i++)
		if (lock_inherit(v, &m->shards[i].lock, dead)) {
			obj_shard_mend(v, i);
			lock_release(&m->shards[i].lock, v->me);
		}
	for (uint32_t i = 0; i < OBJ_STRIPES; i++)
		if (lock_inherit(v, &m->stripes[i].lock, dead)) {
			obj_stripe_mend(v, i);
			lock_release(&m->stripes[i].lock, v->me);
		}
	if (lock_inherit(v, &m->super->purge_lock, dead)) {
		obj_purge_mend(v);
		lock_release(&m->super->purge_lock, v->me);
	}
}

/* --- entries -------------------------------------------------------------- */

/* The bit of a hint that was lost. */
static void
idle_mend(const struct obj_map *m, uint32_t at)
{
	_Atomic uint64_t *w = &m->idle[(at - 1) / 64];
	uint64_t bit = UINT64_C(1) << ((at - 1) % 64);

	/* it may be taken at this moment: then the hint is wrong, no more */
	if ((obj_get(w) & bit) == 0)
		(void)atomic_fetch_or(w, bit);
}

/* Go on with one that nobody has in hand. false: busy. */
static bool
entry_go_on(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);

	switch (life_state(life)) {
	case LIFE_FREE:
		idle_mend(&v->m, at);
		return true;
	case LIFE_READY:
		return obj_get(&e->queue) != QUEUE_NONE ||
		       obj_queue_add(v, at, life_gen(life));
	case LIFE_LEAVING:
		return obj_take_out(v, at, life_gen(life));
	case LIFE_GONE:
		return obj_reclaim(v, at);
	case LIFE_MAKING:
	case LIFE_FILLING:
	case LIFE_FREEING:
		break;
	}
	return true;
}

/* What was filled by the dead one ends here. */
static void
filling_end(struct objects_view *v, uint32_t at, uint64_t life)
{
	/* a flag may be set at this moment: then the next turn */
	if (!obj_leave(v, at, life, LIFE_BROKEN))
		return;
	(void)atomic_fetch_add(&v->m.super->n_broken, 1);
	(void)atomic_fetch_add(&v->m.super->n_repaired, 1);
	CRASH_POINT();
	obj_wake_pinners(v, at);
}

/* Whatever names the dead slot. */
static bool
entry_own(struct objects_view *v, uint32_t at, uint32_t dead)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);

	if (life_slot(life) != dead)
		return true;
	switch (life_state(life)) {
	case LIFE_MAKING:
		obj_entry_free(v, at, life);
		return true;
	case LIFE_FILLING:
		filling_end(v, at, life);
		/* another steward may have died before it woke them */
		return life_state(atomic_load(&e->life)) != LIFE_FILLING;
	case LIFE_LEAVING:
		if ((life_flags(life) & LIFE_BROKEN) != 0)
			obj_wake_pinners(v, at);
		return true;
	case LIFE_FREEING:
		return obj_reclaim_dead(v, at, life);
	case LIFE_FREE:
	case LIFE_READY:
	case LIFE_GONE:
		break;
	}
	return true;
}

/* The head that does not count: it was not made to the end, or not freed. */
static bool
entry_head(struct objects_view *v, uint32_t at, uint32_t dead)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint32_t owner = dead + 1;
	struct obj_ref r = {at, life_gen(atomic_load(&e->life))};
	_Atomic uint32_t *spare;

	if (obj_get(&e->head_owner) != owner)
		return true;
	spare = &e->heads[(atomic_load(&e->head_version) + 1) & 1];
	if (obj_get(spare) != 0 && !obj_run_free(v, r, spare))
		return false;
	CRASH_POINT();
	(void)atomic_compare_exchange_strong(&e->head_owner, &owner, 0);
	return true;
}

static bool
entry_mend(struct objects_view *v, uint32_t at, uint32_t dead)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t bit = UINT64_C(1) << (dead % 64);
	bool is_done = entry_own(v, at, dead);

	/* its pin keeps the object while its head is looked after */
	if (!entry_head(v, at, dead))
		return false;
	if ((atomic_load(&e->pins.bits[dead / 64]) & bit) != 0) {
		pins_clear(&e->pins, dead);
		CRASH_POINT();
	}
	if ((atomic_load(&e->waiters.bits[dead / 64]) & bit) != 0)
		pins_clear(&e->waiters, dead);
	return entry_go_on(v, at) && is_done;
}

bool
objects_repair(struct objects_view *v, uint32_t dead)
{
	struct obj_ledger *l = &v->m.super->ledger[dead];
	uint32_t reach = obj_reach(&v->m);
	uint32_t intent;
	bool is_done = true;

	REQUIRE(dead < SLOTS_MAX);
	locks_mend(v, dead);
	for (uint32_t at = 1; at <= reach; at++)
		is_done &= entry_mend(v, at, dead);
	intent = atomic_load(&l->intent);
	if (obj_entry(&v->m, intent) != NULL)
		obj_wake_pinners(v, intent);
	CRASH_POINT();
	obj_set(&l->n_filling, 0);
	atomic_store(&l->intent, 0);
	return is_done;
}

/* --- the walk ------------------------------------------------------------- */

/* Whether any of it lies where the quota has no more room. */
static bool
entry_is_beyond(const struct obj_map *m, uint32_t at)
{
	const struct obj_entry *e = obj_entry(m, at);
	uint32_t quota = obj_quota_blocks(m);
	uint32_t run = obj_get(&e->first);

	if (at > obj_quota_entries(m) || obj_get(&e->heads[0]) > quota ||
	    obj_get(&e->heads[1]) > quota)
		return true;
	for (uint32_t i = 0; run != 0 && i < RUNS_LOOKED; i++) {
		if (run > quota || run + obj_run_len(m, run) - 1 > quota)
			return true;
		run = obj_get(&m->metas[run - 1].next);
	}
	return false;
}

static void
sweep_found(struct objects_view *v, uint32_t at, bool is_lowered)
{
	uint64_t life = atomic_load(&obj_entry(&v->m, at)->life);
	struct obj_ref r = {at, life_gen(life)};

	if (!life_is_found(life) || !obj_pin(v, at, r.gen))
		return;
	if (is_lowered && life_state(life) == LIFE_READY &&
	    entry_is_beyond(&v->m, at))
		obj_drop(v, at, r.gen);
	(void)obj_purge_obey(v, r);
	objects_unpin(v, r);
}

/* A walk begins. */
static void
sweep_begin(struct objects_view *v)
{
	struct obj_super *super = v->m.super;

	/* what is purged, or lowered, from here on is for the next walk */
	obj_set(&super->sweep_seq, atomic_load(&super->purge_seq));
	obj_set(&super->sweep_quota, obj_quota_blocks(&v->m));
}

/* It has come to the end. */
static void
sweep_end(struct objects_view *v)
{
	struct obj_super *super = v->m.super;

	/* a lock that is busy leaves them for the next walk */
	(void)obj_purge_end(v, obj_get(&super->sweep_seq));
	obj_set(&super->swept_quota, obj_get(&super->sweep_quota));
}

bool
objects_sweep(struct objects_view *v)
{
	struct obj_super *super = v->m.super;
	uint32_t reach = obj_reach(&v->m);
	uint32_t at = obj_get(&super->sweep_at);
	uint32_t end = (uint32_t)u64_min(reach, (uint64_t)at + SWEEP_PIECE);
	bool is_lowered =
	    obj_quota_blocks(&v->m) < obj_get(&super->swept_quota);
	bool is_judged;

	obj_counts_age(v);
	if (at == 0)
		sweep_begin(v);
	is_judged = is_lowered || atomic_load(&super->n_purges) > 0;
	while (at < end) {
		at++;
		if (is_judged)
			sweep_found(v, at, is_lowered);
		(void)entry_go_on(v, at);
	}
	CRASH_POINT();
	if (at >= reach) {
		sweep_end(v);
		at = 0;
	}
	obj_set(&super->sweep_at, at);
	return atomic_load(&super->n_purges) > 0 ||
	       obj_quota_blocks(&v->m) < obj_get(&super->swept_quota);
}
