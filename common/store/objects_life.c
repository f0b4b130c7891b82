/* store/objects_life: an entry from FREE to FREE. Each edge is one
 * compare-and-swap of one word, so that a death leaves an entry in one state,
 * and the word says who was to go on; whoever finds one LEAVING or GONE may go
 * on with it.
 *
 * Order of memory. Pinning is "set my bit, then read life"; reclaiming is "life
 * is GONE, then read the bits": both are sequentially consistent, so that one
 * of the two sees the other. Waiting is "set my bit, then read the facts";
 * waking is "change the facts, fence, then read the bits": likewise. */
#include "common/shm/crash.h"
#include "common/store/objects_int.h"

/* Words of the hint that one search for a free entry reads. */
#define IDLE_WORDS 1024u
/* Objects evicted for one entry. */
#define ENTRY_VICTIMS 8u

/* --- waking --------------------------------------------------------------- */

static void
wake_slots(struct objects_view *v, uint32_t at, uint32_t word, uint64_t bits)
{
	struct obj_ref r = {at, 0};

	for (; bits != 0; bits &= bits - 1) {
		uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
		struct slot_name to = {
		    slot, atomic_load(&v->slots->at[slot].incarnation)};

		wake_send(v->slots, v->wakes, to, objects_token(v, r));
	}
}

void
obj_wake(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	/* who dies before the end has said whom it was about to wake */
	obj_intend(v, at);
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < NELEMS(e->waiters.bits); i++) {
		uint64_t bits = obj_get(&e->waiters.bits[i]);

		if (bits == 0)
			continue;
		bits = atomic_exchange(&e->waiters.bits[i], 0);
		CRASH_POINT();
		wake_slots(v, at, i, bits);
	}
	obj_intend(v, 0);
}

void
obj_wake_pinners(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	for (uint32_t i = 0; e != NULL && i < NELEMS(e->pins.bits); i++)
		wake_slots(v, at, i, atomic_load(&e->pins.bits[i]));
}

void
objects_wait(struct objects_view *v, struct obj_ref r)
{
	struct obj_entry *e = obj_entry(&v->m, r.at);

	REQUIRE(e != NULL);
	pins_set(&e->waiters, v->me.slot);
}

/* --- pins ----------------------------------------------------------------- */

/* The bit falls; who was the last may have to clean up. */
static void
pin_clear(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	pins_clear(&e->pins, v->me.slot);
	CRASH_POINT();
	if (life_state(atomic_load(&e->life)) == LIFE_GONE)
		(void)obj_reclaim(v, at);
}

bool
obj_pin(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life;

	if (v->pins[at - 1] == 0) {
		pins_set(&e->pins, v->me.slot);
		CRASH_POINT();
	}
	life = atomic_load(&e->life);
	if (life_gen(life) == gen && life_is_found(life)) {
		v->pins[at - 1]++;
		return true;
	}
	if (v->pins[at - 1] == 0)
		pin_clear(v, at);
	return false;
}

void
objects_pin(struct objects_view *v, struct obj_ref r)
{
	REQUIRE(obj_entry(&v->m, r.at) != NULL && v->pins[r.at - 1] > 0);
	v->pins[r.at - 1]++;
}

void
objects_unpin(struct objects_view *v, struct obj_ref r)
{
	REQUIRE(obj_entry(&v->m, r.at) != NULL && v->pins[r.at - 1] > 0);
	if (--v->pins[r.at - 1] == 0)
		pin_clear(v, r.at);
}

/* --- from FREE ------------------------------------------------------------ */

/* Take one of the entries of a word of the hint. */
static uint32_t
idle_take(struct objects_view *v, uint32_t word, uint64_t mask)
{
	_Atomic uint64_t *w = &v->m.idle[word];
	uint64_t bits;

	while ((bits = obj_get(w) & mask) != 0) {
		uint64_t bit = bits & -bits;
		uint32_t at = word * 64 + (uint32_t)__builtin_ctzll(bits) + 1;
		struct obj_entry *e = obj_entry(&v->m, at);
		uint64_t life;

		/* whether or not it is free: it is not worth a look now */
		(void)atomic_fetch_and(w, ~bit);
		CRASH_POINT();
		life = atomic_load(&e->life);
		if (life_state(life) == LIFE_FREE &&
		    atomic_compare_exchange_strong(&e->life, &life,
			life_make(life_gen(life), v->me.slot, 0, LIFE_MAKING)))
			return at;
	}
	return 0;
}

static uint32_t
idle_find(struct objects_view *v)
{
	uint32_t n = obj_quota_entries(&v->m);
	uint32_t n_words = (n + 63) / 64;

	for (uint32_t i = 0; i < n_words && i < IDLE_WORDS; i++) {
		uint32_t word = v->idle_at % n_words;
		bool is_last = word == n_words - 1 && n % 64 != 0;
		uint32_t at = idle_take(v, word,
		    is_last ? (UINT64_C(1) << (n % 64)) - 1 : UINT64_MAX);

		if (at != 0)
			return at;
		v->idle_at = word + 1;
	}
	return 0;
}

uint32_t
obj_entry_claim(struct objects_view *v)
{
	uint32_t at = idle_find(v);

	for (uint32_t i = 0; at == 0 && i < ENTRY_VICTIMS; i++) {
		if (obj_evict(v) == 0)
			break;
		at = idle_find(v);
	}
	CRASH_POINT();
	return at;
}

void
obj_entry_free(struct objects_view *v, uint32_t at, uint64_t life)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	if (!atomic_compare_exchange_strong(&e->life, &life,
		life_make(life_gen(life) + 1, 0, 0, LIFE_FREE)))
		return;
	CRASH_POINT();
	(void)atomic_fetch_or(
	    &v->m.idle[(at - 1) / 64], UINT64_C(1) << ((at - 1) % 64));
	v->idle_at = (at - 1) / 64;
}

/* --- to FREE -------------------------------------------------------------- */

bool
obj_leave(struct objects_view *v, uint32_t at, uint64_t life, uint32_t flags)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	if (!atomic_compare_exchange_strong(&e->life, &life,
		life_make(life_gen(life), v->me.slot, life_flags(life) | flags,
		    LIFE_LEAVING)))
		return false;
	CRASH_POINT();
	return true;
}

bool
obj_take_off(struct objects_view *v, uint32_t at, uint32_t gen)
{
	if (!obj_index_remove(v, at, gen))
		return false;
	CRASH_POINT();
	return obj_reclaim(v, at);
}

bool
obj_take_out(struct objects_view *v, uint32_t at, uint32_t gen)
{
	return obj_queue_remove(v, at, gen) && obj_take_off(v, at, gen);
}

/* Give back all that one that is FREEING(me) has. */
static bool
reclaim_memory(struct objects_view *v, uint32_t at, uint64_t life)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	struct obj_ref r = {at, life_gen(life)};

	for (uint32_t i = 0; i < NELEMS(e->heads); i++)
		if (obj_get(&e->heads[i]) != 0 &&
		    !obj_run_free(v, r, &e->heads[i]))
			return false;
	/* each one that is freed has been its owner's: this comes to an end */
	while (obj_get(&e->first) != 0)
		if (!obj_run_free(v, r, &e->first))
			return false;
	obj_set(&e->last, 0);
	obj_set(&e->head_owner, 0);
	return true;
}

/* From FREEING(me) on. */
static bool
reclaim_finish(struct objects_view *v, uint32_t at, uint64_t life)
{
	struct obj_entry *e = obj_entry(&v->m, at);

	CRASH_POINT();
	if (reclaim_memory(v, at, life)) {
		CRASH_POINT();
		obj_entry_free(v, at, life);
		return true;
	}
	/* a pool was busy: what is left is still linked, for the sweep */
	(void)atomic_compare_exchange_strong(&e->life, &life,
	    life_make(life_gen(life), 0, life_flags(life), LIFE_GONE));
	return false;
}

bool
obj_reclaim(struct objects_view *v, uint32_t at)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);
	uint64_t mine;

	if (life_state(life) != LIFE_GONE || pins_any(&e->pins))
		return true;
	mine = life_make(
	    life_gen(life), v->me.slot, life_flags(life), LIFE_FREEING);
	if (!atomic_compare_exchange_strong(&e->life, &life, mine))
		return true;
	return reclaim_finish(v, at, mine);
}

bool
obj_reclaim_dead(struct objects_view *v, uint32_t at, uint64_t life)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t mine = life_make(
	    life_gen(life), v->me.slot, life_flags(life), LIFE_FREEING);

	if (!atomic_compare_exchange_strong(&e->life, &life, mine))
		return true;
	return reclaim_finish(v, at, mine);
}

/* --- taking out ----------------------------------------------------------- */

/* One that is being filled is not found any more; those who read it get what
 * comes. */
static bool
life_flag(struct obj_entry *e, uint64_t life, uint32_t flag)
{
	return atomic_compare_exchange_strong(
	    &e->life, &life, life | (uint64_t)flag << 8);
}

void
obj_drop(struct objects_view *v, uint32_t at, uint32_t gen)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);
	bool is_done = false;

	obj_intend(v, at);
	/* a turn that fails has found another state or flag, of which there
	 * are few and no way back */
	while (!is_done && life_gen(life) == gen && life_is_found(life)) {
		if (life_state(life) == LIFE_FILLING) {
			is_done = life_flag(e, life, LIFE_DOOMED);
		} else if (obj_leave(v, at, life, 0)) {
			is_done = true;
			(void)obj_take_out(v, at, gen);
		}
		life = atomic_load(&e->life);
	}
	obj_wake(v, at);
}

void
obj_soften(struct objects_view *v, uint32_t at, uint32_t gen, uint64_t seq)
{
	struct obj_entry *e = obj_entry(&v->m, at);
	uint64_t life = atomic_load(&e->life);
	uint64_t before = atomic_load(&e->soft_seq);

	/* in front of the flag: whoever takes that away looks at this again */
	while (before < seq &&
	       !atomic_compare_exchange_weak(&e->soft_seq, &before, seq))
		continue;
	CRASH_POINT();
	while (life_gen(life) == gen && life_is_found(life) &&
	       (life_flags(life) & LIFE_SOFT) == 0) {
		(void)life_flag(e, life, LIFE_SOFT);
		life = atomic_load(&e->life);
	}
}

void
objects_drop(struct objects_view *v, struct obj_ref r)
{
	if (obj_entry(&v->m, r.at) != NULL)
		obj_drop(v, r.at, r.gen);
}

void
objects_drop_softly(struct objects_view *v, struct obj_ref r)
{
	if (obj_entry(&v->m, r.at) != NULL)
		obj_soften(v, r.at, r.gen, objects_moment(v));
}
