/* shm/lock: one word per lock. */
#include "common/shm/lock.h"

#include <sched.h>

#include "common/shm/crash.h"

/* Critical sections take well under a microsecond; an owner that lost its CPU
 * gets it back within a few yields. Then waiting is not worth it. */
#define LOCK_SPINS 200
#define LOCK_YIELDS 50

static bool
lock_swap(struct shm_lock *l, uint64_t *found, struct slot_name me)
{
	*found = 0;
	return atomic_compare_exchange_strong_explicit(&l->owner, found,
	    slot_word(me), memory_order_acquire, memory_order_relaxed);
}

bool
lock_try(struct shm_lock *l, struct slot_name me)
{
	uint64_t found;

	if (!lock_swap(l, &found, me))
		return false;
	CRASH_POINT();
	return true;
}

enum lock_rc
lock_take(struct shm_lock *l, const struct slots *t, struct slot_name me)
{
	uint64_t found;

	for (int i = 0; i < LOCK_SPINS + LOCK_YIELDS; i++) {
		if (lock_swap(l, &found, me)) {
			CRASH_POINT();
			return LOCK_OK;
		}
		if (!slot_is_alive(t, slot_of_word(found)))
			return LOCK_DEAD;
		if (i >= LOCK_SPINS)
			(void)sched_yield();
	}
	return LOCK_BUSY;
}

bool
lock_seize(struct shm_lock *l, const struct slots *t, struct slot_name me)
{
	uint64_t found = atomic_load(&l->owner);

	if (found != 0 && slot_is_alive(t, slot_of_word(found)))
		return false;
	return atomic_compare_exchange_strong(&l->owner, &found, slot_word(me));
}

void
lock_release(struct shm_lock *l, struct slot_name me)
{
	uint64_t mine = slot_word(me);

	CRASH_POINT();
	/* what somebody else wrote into it is not ours to release */
	(void)atomic_compare_exchange_strong_explicit(
	    &l->owner, &mine, 0, memory_order_release, memory_order_relaxed);
}
