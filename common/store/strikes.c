/* store/strikes: sets of a few entries, each under a lock of its own. An entry
 * that is not recorded to the end has no time, and so is none. */
#include "common/store/strikes.h"

#include <assert.h>

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define STRIKES_SETS 4096u
#define STRIKES_WAYS 10u

struct strike {
	uint64_t hash[2];
	uint64_t until_ms; /* CLOCK_REALTIME; over, or 0: the place is free */
};

struct strikes_set {
	struct shm_lock lock;
	struct strike at[STRIKES_WAYS];
} __attribute__((aligned(64)));

static_assert(STRIKES_SETS * STRIKES_WAYS == STRIKES_MAX, "what is promised");

struct strikes {
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	_Atomic uint64_t from_ms; /* CLOCK_REALTIME of what is known; 0: the
	                             sets have no memory */
	_Atomic uint64_t latest_ms; /* CLOCK_REALTIME as anybody saw it last */
	struct strikes_set set[STRIKES_SETS];
};

static const struct segment_want strikes_want = {
    .kind = SEGMENT_KIND_STRIKES,
    .version = 1,
    .size = sizeof(struct strikes),
    .commit = SEGMENT_PAGE,
    .name = "strikes",
};

struct strikes *
strikes_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &strikes_want)
			: segment_find(s, &strikes_want);
}

bool
strikes_ready(struct strikes *t, struct segment *s, uint64_t wall_ms)
{
	if (atomic_load(&t->from_ms) != 0)
		return true;
	if (segment_commit(s, t, sizeof(*t)) < 0)
		return false;
	sipkey_random(&t->key[0]);
	sipkey_random(&t->key[1]);
	atomic_store(&t->latest_ms, wall_ms);
	atomic_store(&t->from_ms, wall_ms + STRIKES_WINDOW_MS);
	return true;
}

/* The latest time that anybody saw, this one included; false: that one is in
 * the past. */
static bool
strikes_time(struct strikes *t, uint64_t wall_ms, uint64_t *now_ms)
{
	uint64_t latest = atomic_load(&t->latest_ms);

	/* each turn that fails found another one's later time */
	while (wall_ms > latest &&
	       !atomic_compare_exchange_weak(&t->latest_ms, &latest, wall_ms))
		continue;
	*now_ms = u64_max(wall_ms, latest);
	return *now_ms - wall_ms <= STRIKES_SLACK_MS;
}

static bool
strike_is(const struct strike *e, const uint64_t hash[2])
{
	return e->hash[0] == hash[0] && e->hash[1] == hash[1];
}

/* Record it in a free place, unless it stands in one. */
static bool
set_take(struct strikes_set *set, const uint64_t hash[2], uint64_t now_ms)
{
	struct strike *place = NULL;

	for (uint32_t i = 0; i < STRIKES_WAYS; i++) {
		struct strike *e = &set->at[i];

		if (e->until_ms <= now_ms)
			place = e;
		else if (strike_is(e, hash))
			return false;
	}
	if (place == NULL)
		return false;
	place->until_ms = 0;
	CRASH_POINT();
	place->hash[0] = hash[0];
	CRASH_POINT();
	place->hash[1] = hash[1];
	CRASH_POINT();
	place->until_ms = now_ms + STRIKES_WINDOW_MS;
	CRASH_POINT();
	return true;
}

bool
strikes_take(struct strikes *t, const struct slots *slots, struct slot_name me,
    span text, uint64_t wall_ms)
{
	uint64_t from_ms = atomic_load(&t->from_ms);
	uint64_t hash[2];
	uint64_t now_ms;
	struct strikes_set *set;
	bool is_fresh;

	if (from_ms == 0 || !strikes_time(t, wall_ms, &now_ms) ||
	    now_ms < from_ms)
		return false;
	hash[0] = siphash(&t->key[0], text);
	hash[1] = siphash(&t->key[1], text);
	set = &t->set[hash[0] % STRIKES_SETS];
	if (lock_take(&set->lock, slots, me) != LOCK_OK)
		return false;
	is_fresh = set_take(set, hash, now_ms);
	lock_release(&set->lock, me);
	return is_fresh;
}

void
strikes_repair(struct strikes *t, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	if (atomic_load(&t->from_ms) == 0)
		return;
	for (uint32_t i = 0; i < STRIKES_SETS; i++) {
		struct shm_lock *l = &t->set[i].lock;
		uint64_t owner = atomic_load(&l->owner);

		/* what it wrote is whole at each step */
		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(l, slots, me))
			lock_release(l, me);
	}
}

/* Whether two places remember the same. */
static bool
set_has_twice(const struct strikes_set *set)
{
	for (uint32_t i = 0; i < STRIKES_WAYS; i++)
		for (uint32_t k = i + 1; k < STRIKES_WAYS; k++)
			if (set->at[i].until_ms != 0 &&
			    set->at[i].until_ms == set->at[k].until_ms &&
			    strike_is(&set->at[i], set->at[k].hash))
				return true;
	return false;
}

bool
strikes_check(const struct strikes *t)
{
	uint64_t most_ms = atomic_load(&t->latest_ms) + STRIKES_WINDOW_MS;

	for (uint32_t i = 0; i < STRIKES_SETS; i++) {
		const struct strikes_set *set = &t->set[i];

		if (atomic_load(&set->lock.owner) != 0 || set_has_twice(set))
			return false;
		for (uint32_t k = 0; k < STRIKES_WAYS; k++)
			if (set->at[k].until_ms > most_ms)
				return false;
	}
	return true;
}
