/* exch/blocked: whether a rule of the configuration refused an exchange, and
 * which kind of rule. */
#ifndef GH_BLOCKED_H
#define GH_BLOCKED_H

#include "common/base/span.h"

struct exch;

/* The word of the access log for it (waf, banned, limit, auth ...), or the empty
 * span: it was let on, or failed for another reason. From the answer on. */
span exch_blocked(const struct exch *x);

#endif
