/* shm/counters: numbers that only go up. A set of pages per slot, one writer,
 * no atomics; the reader sums all slots and the retired total. */
#ifndef GH_COUNTERS_H
#define GH_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"

enum counter_id {
#define COUNTER(id, name, help) COUNTER_##id,
#include "common/shm/counters.def"
#undef COUNTER
	COUNTER_N
};

/* One process's own set, padded so that two never share a cache line. */
struct counter_set {
	uint64_t v[(COUNTER_N + 7) / 8 * 8];
} __attribute__((aligned(64)));

struct counters {
	struct counter_set
	    retired; /* sum of slots that are gone; master only */
	struct counter_set slot[SLOTS_MAX];
};

struct counters *counters_map(struct segment *s, bool may_make);
/* Add a dead slot's set to the retired total and clear it. Master only. */
void counters_fold(struct counters *c, unsigned slot);
uint64_t counters_sum(const struct counters *c, enum counter_id id);
const char *counter_name(enum counter_id id);
const char *counter_help(enum counter_id id);

static inline void
counter_add(struct counter_set *set, enum counter_id id, uint64_t n)
{
	set->v[id] += n;
}

#endif
