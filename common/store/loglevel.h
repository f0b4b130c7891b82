/* store/loglevel: from which level on all processes write to the error log, when
 * the operator orders another one than is configured. Protocol: doc/shm.md
 * 6.23. */
#ifndef GH_LOGLEVEL_H
#define GH_LOGLEVEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/log.h"
#include "common/shm/segment.h"

struct loglevel {
	_Atomic uint32_t order; /* log_obey() */
};

/* In the segment; may_make in the master only. NULL with errno. */
struct loglevel *loglevel_map(struct segment *s, bool may_make);
/* Order that level. Steward only. */
void loglevel_set(struct loglevel *t, enum log_level level);
/* As configured. Steward only. */
void loglevel_drop(struct loglevel *t);

#endif
