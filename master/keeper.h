/* master/keeper: the steward's part in files of caches: it fills and reads the
 * descriptors that the master passes, a piece between two batches of events. */
#ifndef GH_KEEPER_H
#define GH_KEEPER_H

#include <stdbool.h>

#include "common/ipc/boot.h"
#include "common/ipc/ctl.h"

struct keeper;

/* Never NULL. boot.ctl_fd is where it says that it is done. */
struct keeper *keeper_new(const struct boot *b);
/* What was begun stays unfinished. NULL is allowed. */
void keeper_free(struct keeper *k);
/* CTL_CACHE_SAVE or CTL_CACHE_LOAD. Takes fd. One at a time: what was under way
 * before is given up. */
void keeper_hear(struct keeper *k, const struct ctl_msg *m, int fd);
/* A piece. Returns whether there is more to do. */
bool keeper_work(struct keeper *k);

#endif
