/* store/reach: that a server of an upstream which none of its servers could be
 * connected to was reached, told to the workers whose requests wait for that.
 * Two words of the upstream's first server (store/upstate), each changed by one
 * atomic step; who dies in between leaves others to their own timers
 * (doc/shm.md 6.1). */
#ifndef GH_REACH_H
#define GH_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/slot.h"
#include "common/shm/wake.h"
#include "common/store/upstate.h"

/* Some request waits in the caller: who reaches a server is to say so. */
void reach_await(struct upstate *u, uint32_t id);
/* Whether anybody waits; cheap, for each new connection. */
bool reach_is_awaited(struct upstate *u, uint32_t id);
/* A server was reached at now_ms (CLOCK_MONOTONIC): every other worker is woken
 * (WAKE_REACHED), once for those that asked up to now. */
void reach_tell(struct upstate *u, uint32_t id, struct slots *t,
    const struct wake_fds *wakes, uint32_t me, uint64_t now_ms);
/* When that was said last; 0: never. */
uint64_t reach_last_ms(struct upstate *u, uint32_t id);

#endif
