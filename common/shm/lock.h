/* shm/lock: a lock in shared memory that knows the death of its owner. Waiting
 * is bounded: who does not get it does without (doc/shm.md 5). Inside: no
 * system call, no logging, no unbounded loop, no second lock. */
#ifndef GH_LOCK_H
#define GH_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/shm/slot.h"

struct shm_lock {
	_Atomic uint64_t owner; /* slot_word(); 0: free */
};

enum lock_rc {
	LOCK_OK,
	LOCK_BUSY, /* somebody alive has it longer than we wait */
	LOCK_DEAD /* its owner is dead: only a repairer may have it */
};

/* Take it for `me` if it is free, without waiting. */
bool lock_try(struct shm_lock *l, struct slot_name me);
/* Take it for `me`, waiting a bounded time. */
enum lock_rc lock_take(
    struct shm_lock *l, const struct slots *t, struct slot_name me);
/* For a repairer: from a dead owner, or free, to `me`. false: its owner
 * lives. */
bool lock_seize(struct shm_lock *l, const struct slots *t, struct slot_name me);
void lock_release(struct shm_lock *l, struct slot_name me);

/* A version that readers check (seqlock): odd while its writer, who holds the
 * lock, changes what it stands for. */
struct shm_version {
	_Atomic uint32_t n;
};

static inline void
version_open(struct shm_version *v)
{
	uint32_t n = atomic_load_explicit(&v->n, memory_order_relaxed);

	/* a writer that died left it odd: the next one goes on from there */
	atomic_store_explicit(&v->n, n | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static inline void
version_close(struct shm_version *v)
{
	uint32_t n = atomic_load_explicit(&v->n, memory_order_relaxed);

	atomic_store_explicit(&v->n, n + 1, memory_order_release);
}

/* Begin to read; false: it is being written, do without or try again. */
static inline bool
version_read(const struct shm_version *v, uint32_t *seen)
{
	*seen = atomic_load_explicit(&v->n, memory_order_acquire);
	return (*seen & 1) == 0;
}

/* Whether what was read since version_read() is one whole. */
static inline bool
version_is(const struct shm_version *v, uint32_t seen)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&v->n, memory_order_relaxed) == seen;
}

/* Which processes hold a thing, one bit a slot. */
struct shm_pins {
	_Atomic uint64_t bits[SLOTS_MAX / 64];
};

static inline void
pins_set(struct shm_pins *p, uint32_t slot)
{
	(void)atomic_fetch_or(&p->bits[slot / 64], UINT64_C(1) << (slot % 64));
}

static inline void
pins_clear(struct shm_pins *p, uint32_t slot)
{
	(void)atomic_fetch_and(
	    &p->bits[slot / 64], ~(UINT64_C(1) << (slot % 64)));
}

static inline bool
pins_any(const struct shm_pins *p)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < SLOTS_MAX / 64; i++)
		all |= atomic_load(&p->bits[i]);
	return all != 0;
}

#endif
