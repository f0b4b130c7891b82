/* exch/told: fields in which an answer tells of its own way. */
#ifndef GH_TOLD_H
#define GH_TOLD_H

#include "common/base/span.h"

struct exch;

/* Of an own answer for a fault: which one, in Proxy-Status (RFC 9209), as that
 * name. */
void told_status(struct exch *x, span name);
/* Server-Timing (https://www.w3.org/TR/server-timing/): how a cache met it, and
 * milliseconds until a connection, then the head of the answer, then now. */
void told_timing(struct exch *x);

#endif
