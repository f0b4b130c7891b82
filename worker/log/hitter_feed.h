/* log/hitter_feed: tells the shared tables of heavy hitters of a sample of the
 * exchanges: whose they were, for what, with which user agent. */
#ifndef GH_HITTER_FEED_H
#define GH_HITTER_FEED_H

#include "worker/exch/exch.h"
#include "worker/exch/worker.h"

/* Exchanges that one of the sample stands for. */
#define HITTER_SAMPLE 16u
/* Bytes that one byte stands for: what costs more to count than it moves is
 * seldom counted, and nothing of what is large is missed. */
#define HITTER_BYTES (64u * 1024)

/* As the configuration has it; when it is off, what others left is forgotten.
 * In a worker that serves, before the first exchange. */
void hitter_feed_open(struct worker *w);

/* Note an exchange that is over. */
void hitter_feed_note(struct exch *x);
/* Note what it moved, for a forward proxy: one of HITTER_BYTES bytes, whose
 * ever it is, stands for all of them. */
void hitter_feed_bytes(struct exch *x);

/* The exchange is over: one of HITTER_SAMPLE is noted, by chance. */
static inline void
hitter_feed(struct exch *x)
{
	struct hitter_turn *t = &x->w->hitter_turn;

	/* none ever is */
	if (t->left == 0)
		return;
	if (x->destination != NULL)
		hitter_feed_bytes(x);
	if (--t->left == 0)
		hitter_feed_note(x);
}

#endif
