/* setup: what a process needs to serve exchanges, whether a worker's clients or
 * the one of a dry run. */
#ifndef GH_SETUP_H
#define GH_SETUP_H

#include "worker/exch/worker.h"

/* Loop, pools, resolver and upstreams for the prepared plan of the boot; slot,
 * counters and on_conns are the caller's, and stand already. -1 with errno. */
int setup_open(struct worker *w, const struct boot *b);
/* Give them back. No connection may be left. */
void setup_close(struct worker *w);

#endif
