/* shm/lease: one word that names the holder, and when it was seen last. */
#include "common/shm/lease.h"

#include "common/base/num.h"
#include "common/shm/crash.h"

/* A holder that was not seen for so long has lost it: three missed beats. */
#define LEASE_MS 3000u

/* The clock of a turn of another process may be a little ahead of ours. */
static bool
lease_is_fresh(uint64_t seen_ms, uint64_t now_ms)
{
	return u64_max(seen_ms, now_ms) - u64_min(seen_ms, now_ms) < LEASE_MS;
}

bool
lease_hold(struct segment_lease *l, const struct slots *t, struct slot_name me,
    uint64_t now_ms)
{
	uint64_t owner = atomic_load(&l->owner);
	uint64_t seen_ms = atomic_load(&l->renewed_ms);

	if (owner != slot_word(me)) {
		if (owner != 0 && slot_is_alive(t, slot_of_word(owner)) &&
		    lease_is_fresh(seen_ms, now_ms))
			return false;
		if (!atomic_compare_exchange_strong(
			&l->owner, &owner, slot_word(me)))
			return false;
	}
	CRASH_POINT();
	atomic_store(&l->renewed_ms, now_ms);
	return true;
}

void
lease_drop(struct segment_lease *l, struct slot_name me)
{
	uint64_t mine = slot_word(me);

	(void)atomic_compare_exchange_strong(&l->owner, &mine, 0);
}
