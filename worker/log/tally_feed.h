/* log/tally_feed: counts each exchange that is over under the names of its
 * listen, site, route and upstream. Counted is in memory of the worker's own,
 * which is added to the shared numbers (store/tally) some moments later. */
#ifndef GH_TALLY_FEED_H
#define GH_TALLY_FEED_H

#include "worker/exch/exch.h"
#include "worker/exch/worker.h"

/* How long what was counted stays with the worker; a death loses as much. */
#define TALLY_FEED_MS 200u

struct tally_worker;

/* In a worker that serves, before the first exchange. */
struct tally_worker *tally_worker_new(struct worker *w);
/* Adds what is left; NULL is allowed. */
void tally_worker_free(struct tally_worker *t);

/* The exchange is over: count it. */
void tally_feed(struct exch *x);

#endif
