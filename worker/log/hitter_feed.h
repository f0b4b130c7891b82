/* log/hitter_feed: tells the shared tables of heavy hitters of a sample of the
 * exchanges: whose they were, for what, with which user agent. */
#ifndef GH_HITTER_FEED_H
#define GH_HITTER_FEED_H

#include "worker/exch/exch.h"
#include "worker/exch/worker.h"

/* Exchanges that one of the sample stands for. */
#define HITTER_SAMPLE 16u

/* As the configuration has it; when it is off, what others left is forgotten.
 * In a worker that serves, before the first exchange. */
void hitter_feed_open(struct worker *w);

/* Note an exchange that is over. */
void hitter_feed_note(struct exch *x);

/* The exchange is over: one of HITTER_SAMPLE is noted, by chance. */
static inline void
hitter_feed(struct exch *x)
{
	struct hitter_turn *t = &x->w->hitter_turn;

	/* 0: none ever is */
	if (t->left != 0 && --t->left == 0)
		hitter_feed_note(x);
}

#endif
