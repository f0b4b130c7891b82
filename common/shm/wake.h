/* shm/wake: tell another process to look again at something it waits for. A
 * token names the thing and carries no truth; the same token twice may arrive
 * once, and order is not kept (doc/shm.md 4). */
#ifndef GH_WAKE_H
#define GH_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/slot.h"

/* Tokens that mean something everywhere; others are the tenants' own. */
enum {
	WAKE_DEATH = 1, /* to a steward: a slot is DEAD */
	WAKE_ACCEPT, /* to a worker: connections wait that another leaves it */
	WAKE_PLACE, /* to a worker: a server may have room for who waits first */
	WAKE_REACHED /* to a worker: a server that was away was reached */
};

/* One eventfd for each slot, made before the first fork and inherited. */
struct wake_fds {
	int at[SLOTS_MAX];
};

/* Make all of them, close-on-exec. -1 with errno; then none is left. */
int wake_open(struct wake_fds *f);
void wake_close(struct wake_fds *f);

/* Put a token (not 0) to a process and make its eventfd readable. A name that
 * no longer fits is ignored. */
void wake_send(struct slots *t, const struct wake_fds *f, struct slot_name to,
    uint64_t token);

typedef void wake_f(void *self, uint64_t token);

/* Hand every token of the caller's own slot to fn; token 0: some were lost,
 * look at everything. Called when the eventfd is readable and at each
 * heartbeat. */
void wake_take(struct slots *t, const struct wake_fds *f, uint32_t slot,
    wake_f *fn, void *self);

#endif
