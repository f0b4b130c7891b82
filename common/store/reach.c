/* store/reach: one flag and one time. */
#include "common/store/reach.h"

#include "common/shm/crash.h"

static _Atomic uint64_t *
reach_awaited(struct upstate *u, uint32_t id)
{
	return upstate_word(u, id, UPSTATE_AWAITED);
}

void
reach_await(struct upstate *u, uint32_t id)
{
	if (!reach_is_awaited(u, id))
		atomic_store(reach_awaited(u, id), 1);
}

bool
reach_is_awaited(struct upstate *u, uint32_t id)
{
	return atomic_load_explicit(
		   reach_awaited(u, id), memory_order_relaxed) != 0;
}

void
reach_tell(struct upstate *u, uint32_t id, struct slots *t,
    const struct wake_fds *wakes, uint32_t me, uint64_t now_ms)
{
	/* of many that reach it at once one tells */
	if (atomic_exchange(reach_awaited(u, id), 0) == 0)
		return;
	CRASH_POINT();
	/* first, so that who is woken sees what for */
	atomic_store(upstate_word(u, id, UPSTATE_REACHED), now_ms);
	CRASH_POINT();
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot_name to = {i, atomic_load(&t->at[i].incarnation)};

		if (i != me && atomic_load(&t->at[i].role) == SLOT_WORKER &&
		    slot_is_alive(t, to))
			wake_send(t, wakes, to, WAKE_REACHED);
	}
}

uint64_t
reach_last_ms(struct upstate *u, uint32_t id)
{
	return atomic_load(upstate_word(u, id, UPSTATE_REACHED));
}
