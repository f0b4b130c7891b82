/* master/quotakeeper: the steward's part in the file of quotas: it fills and
 * reads the descriptors that the master passes. */
#ifndef GH_QUOTAKEEPER_H
#define GH_QUOTAKEEPER_H

#include "common/ipc/boot.h"
#include "common/ipc/ctl.h"

/* CTL_QUOTA_SAVE or CTL_QUOTA_LOAD: all of it at once, a few megabytes at most.
 * Takes fd. */
void quotakeeper_hear(const struct boot *b, const struct ctl_msg *m, int fd);

#endif
