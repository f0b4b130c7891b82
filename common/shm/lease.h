/* shm/lease: which steward repairs and checks when there are two of them, as
 * while an upgrade is under way (doc/shm.md 6). */
#ifndef GH_LEASE_H
#define GH_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Hold it or take it: true when `me` has it now. To be called at least once a
 * second while it is wanted. */
bool lease_hold(struct segment_lease *l, const struct slots *t,
    struct slot_name me, uint64_t now_ms);
/* Let it go if `me` has it. */
void lease_drop(struct segment_lease *l, struct slot_name me);

#endif
