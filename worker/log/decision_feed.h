/* log/decision_feed: keeps what was decided about each exchange that is over, in
 * the rings that all workers share (store/decisions). */
#ifndef GH_DECISION_FEED_H
#define GH_DECISION_FEED_H

#include "worker/exch/exch.h"
#include "worker/exch/worker.h"

struct decision_worker;

/* In a worker that serves. NULL: the configuration keeps none. */
struct decision_worker *decision_worker_new(struct worker *w);
/* NULL is allowed. */
void decision_worker_free(struct decision_worker *dw);

/* The exchange is over: keep it, or, of a dry run, put it into x->sink. */
void decision_feed(struct exch *x);

#endif
