/* shm/slot: the table of processes. Only masters take and free slots; two of
 * them may do so at once while an upgrade is under way. */
#include "common/shm/slot.h"

#include <string.h>

#include "common/base/log.h"
#include "common/shm/crash.h"

static const struct segment_want slots_want = {
    .kind = SEGMENT_KIND_SLOTS,
    .version = 4,
    .size = sizeof(struct slots),
    .commit = sizeof(struct slots),
    .name = "slots",
};

struct slots *
slots_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &slots_want)
			: segment_find(s, &slots_want);
}

static void
slot_clear(struct slot *s)
{
	atomic_store(&s->pid, 0);
	atomic_store(&s->heartbeat_ms, 0);
	atomic_store(&s->connections, 0);
	atomic_store(&s->tunnels, 0);
	atomic_store(&s->can_accept, 0);
	for (uint32_t i = 0; i < WAKE_CELLS; i++)
		atomic_store(&s->wake.token[i], 0);
	atomic_store(&s->wake.is_overflown, 0);
	memset(s->panic, 0, sizeof(s->panic));
}

int
slots_take(
    struct slots *t, enum slot_role role, uint32_t generation, uint64_t epoch)
{
	for (int i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &t->at[i];
		uint32_t is_free = SLOT_FREE;

		if (!atomic_compare_exchange_strong(
			&s->state, &is_free, SLOT_STARTING))
			continue;
		CRASH_POINT();
		/* 0 is no incarnation, also after 2^32 of them */
		if (atomic_fetch_add(&s->incarnation, 1) == UINT32_MAX)
			atomic_fetch_add(&s->incarnation, 1);
		CRASH_POINT();
		atomic_store(&s->generation, generation);
		atomic_store(&s->role, role);
		atomic_store(&s->epoch, epoch);
		slot_clear(s);
		return i;
	}
	return -1;
}

void
slots_release(struct slots *t, uint32_t slot)
{
	REQUIRE(slot < SLOTS_MAX);
	atomic_store(&t->at[slot].state, SLOT_FREE);
}

uint32_t
slots_free(const struct slots *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		n += atomic_load(&t->at[i].state) == SLOT_FREE;
	return n;
}

bool
slot_is_alive(const struct slots *t, struct slot_name who)
{
	const struct slot *s;
	uint32_t state;

	if (who.slot >= SLOTS_MAX || who.incarnation == 0)
		return false;
	s = &t->at[who.slot];
	state = atomic_load(&s->state);
	return state != SLOT_FREE && state != SLOT_DEAD &&
	       atomic_load(&s->incarnation) == who.incarnation;
}

size_t
slot_panic_text(const struct slot *s, char *out, size_t cap)
{
	size_t len = strnlen(s->panic, sizeof(s->panic));
	size_t n = log_escape(span_of(s->panic, len), out, cap - 1);

	out[n] = '\0';
	return n;
}
