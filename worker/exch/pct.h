/* exch/pct: percent-encoding (RFC 3986 2.1). */
#ifndef GH_PCT_H
#define GH_PCT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/span.h"

/* Whether the byte may stand in a URI as it is: unreserved, reserved, '%'. */
bool pct_keeps(char c);
/* All other bytes as %XX; the text itself when there are none, else arena. */
span pct_encode(struct arena *a, span s);

#endif
