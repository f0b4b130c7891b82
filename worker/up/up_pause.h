/* up/up_pause: a request that no server of its upstream can be connected to
 * waits a moment and asks them anew (`retry = connect`): what restarts is not
 * felt. Called by up_try.c when nobody is left to ask. */
#ifndef GH_UP_PAUSE_H
#define GH_UP_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "worker/exch/fault.h"

struct up_group;
struct up_try;

/* What one worker knows of an upstream that cannot be reached. */
struct up_away {
	uint64_t reached_ms; /* when a connection came about last */
	uint64_t since_ms; /* none did, if that was later */
	uint64_t seen_ms; /* the last failure */
	uint64_t seed; /* of pauses, never 0 */
	uint64_t told_ms; /* when another worker reached one, as far as seen */
	uint32_t n_waiting; /* in a pause, or trying behind one */
	struct list waiting; /* those that nobody woke, the first first */
};

/* What one exchange has. */
struct up_pause {
	struct list node; /* in up_away.waiting */
	uint32_t n; /* pauses so far */
	uint64_t since_ms; /* with the first one: since when it waits */
	bool is_counted; /* in up_away.n_waiting */
	bool is_resent; /* behind a pause, though it was sent before it */
	int err; /* of the last try that failed, in a pause */
};

void pause_init(struct up_group *g);
/* The last try failed. true: the exchange waits, and goes on by itself. Its
 * place among the requests of the upstream stays. */
bool pause_begin(struct up_try *t, enum fault_id why, int err);
/* The pause is over: all servers may be asked. */
void pause_over(struct up_try *t);
/* The exchange has found a server, or goes away. */
void pause_leave(struct up_try *t);
/* A new connection to a server came about: some of those that wait need wait no
 * longer, and the others when these go on; in all workers. */
void pause_reached(struct up_group *g);
/* Another worker may have said so. */
void pause_look(struct up_group *g);

#endif
