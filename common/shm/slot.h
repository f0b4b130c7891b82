/* shm/slot: one slot for each live process below a master. {slot, incarnation}
 * names a process everywhere; a pid alone never does. A slot is written by its
 * own process and read by others, who trust nothing in it. States and who
 * changes them: doc/shm.md 3. */
#ifndef GH_SLOT_H
#define GH_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/check.h"
#include "common/shm/segment.h"

#define SLOTS_MAX 256
/* Tokens that can wait for one process. */
#define WAKE_CELLS 64

enum slot_state {
	SLOT_FREE = 0,
	SLOT_STARTING,
	SLOT_SERVING,
	SLOT_RETIRING,
	SLOT_DEAD /* to be repaired and folded before it is free again */
};

enum slot_role { SLOT_WORKER = 1, SLOT_STEWARD };

/* Name of a process; the word 0 is nobody. */
struct slot_name {
	uint32_t slot;
	uint32_t incarnation; /* from 1 */
};

/* Where tokens for the process are put (shm/wake). */
struct wake_cells {
	_Atomic uint64_t token[WAKE_CELLS]; /* 0: empty */
	_Atomic uint32_t is_overflown;
};

struct slot {
	_Atomic uint32_t state;
	_Atomic uint32_t incarnation; /* counts up at each use; masters only */
	_Atomic uint32_t generation; /* 0: of none (steward) */
	_Atomic uint32_t role; /* enum slot_role */
	_Atomic uint64_t epoch; /* of its master */
	_Atomic uint32_t repaired; /* incarnation whose death is mended */
	_Atomic uint32_t pid; /* for people, never a name */
	_Atomic uint64_t
	    heartbeat_ms; /* CLOCK_MONOTONIC of the last loop turn */
	_Atomic uint32_t connections; /* clients now */
	_Atomic uint32_t tunnels; /* of those, tunnels */
	_Atomic uint32_t
	    lag_us; /* longest turn of its loop in the last second */
	_Atomic uint32_t can_accept; /* it is not full and not ending */
	struct wake_cells wake;
	char panic[PANIC_TEXT_CAP]; /* not trusted to end with a NUL */
};

struct slots {
	struct slot at[SLOTS_MAX];
};

/* The table in the segment; may_make in the master only. NULL with errno. */
struct slots *slots_map(struct segment *s, bool may_make);
/* Take a free slot, for a master: -1 when none is. Its incarnation is new, its
 * panic text and cells empty. */
int slots_take(
    struct slots *t, enum slot_role role, uint32_t generation, uint64_t epoch);
/* Give it back, for the master that took it: the process never was, or is
 * reaped, repaired and folded. */
void slots_release(struct slots *t, uint32_t slot);
/* How many are free now. */
uint32_t slots_free(const struct slots *t);
/* Whether the name stands for a process that is not known to be dead. */
bool slot_is_alive(const struct slots *t, struct slot_name who);
/* Copy a panic text, made safe for a log line, NUL-terminated. Returns its
 * length, 0 when there is none. */
size_t slot_panic_text(const struct slot *s, char *out, size_t cap);

static inline uint64_t
slot_word(struct slot_name n)
{
	return (uint64_t)n.incarnation << 32 | n.slot;
}

static inline struct slot_name
slot_of_word(uint64_t word)
{
	return (struct slot_name){(uint32_t)word, (uint32_t)(word >> 32)};
}

#endif
