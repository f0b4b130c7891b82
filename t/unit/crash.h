/* unit/crash: kill a process at every step of every operation on shared memory,
 * while others work on the same, and see what is left (doc/shm.md 7). A
 * structure comes here as one struct crash_case. */
#ifndef GH_UNIT_CRASH_H
#define GH_UNIT_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"

struct crash_case {
	const char *name;
	/* Make the structure in the segment. Its handle is inherited by all
	 * processes of the run. */
	void *(*set_up)(struct segment *s, struct slots *t);
	void (*tear_down)(void *ctx);
	/* One operation, or a short run of them, in the name of `me`; leaves
	 * nothing held. Counts up what it did in `done`. */
	void (*work)(void *ctx, struct slot_name me, uint64_t *done);
	/* What the others do meanwhile; NULL: the same. */
	void (*look)(void *ctx, struct slot_name me, uint64_t *done);
	/* Mend what the dead slot left; may be killed itself and is repeated.
	 * false: call again. */
	bool (*repair)(void *ctx, struct slot_name me, uint32_t dead);
	/* Everything is whole, while nobody works. */
	bool (*check)(void *ctx);
	/* Whether those who live must get on before the repair, too: what waits
	 * for the dead one may be refused, but not everything. */
	bool others_go_on;
	/* Of so many steps of a repair one, another one after each step of
	 * `work`, so that all have their turn; 0: each after each. */
	uint32_t repair_stride;
};

/* Run the case at every crash point of `work`, then of `repair`; fails the
 * test. Returns the number of deaths. */
uint32_t crash_run(const struct crash_case *c);

#endif
