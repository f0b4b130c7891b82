/* up/up_queue: the limits of an upstream: a place for a request at a server and
 * among those of its upstream, or its turn in the queue of the machine. */
#ifndef GH_UP_QUEUE_H
#define GH_UP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "worker/exch/fault.h"

struct up_group;
struct up_server;
struct up_try;

/* What one exchange has. */
struct up_place {
	struct list node; /* in up_group.queued while it waits */
	uint64_t ticket; /* meanwhile */
	bool is_counted; /* in the upstream's requests in flight */
};

enum up_place_rc {
	UP_PLACE_FOUND, /* the server counts it: up_server_leave() */
	UP_PLACE_WAIT, /* the exchange is kicked when it may be worth a look,
	                  and t->timer runs */
	UP_PLACE_FULL, /* the servers may take no more */
	UP_PLACE_NONE /* there is no server to be asked */
};

void up_place_init(struct up_try *t);
/* A server for the first try, the policy's choice among those that have a
 * place; behind all that wait. *why: the fault when there is none. */
enum up_place_rc up_place_find(
    struct up_try *t, struct up_server **out, enum fault_id *why);
/* For t->told, at once: never waits. *why as above. */
enum up_place_rc up_place_told(struct up_try *t, enum fault_id *why);
/* The same for another try, at once: never waits. The exchange keeps its place
 * among those of the upstream. may_be_unfit: rather one that is ejected or whose
 * checks fail than none. */
enum up_place_rc up_place_again(
    struct up_try *t, bool may_be_unfit, struct up_server **out);
/* The time to wait is over: the fault. */
void up_place_late(struct up_try *t);
/* The exchange waits no more and asks no more: its place is free. */
void up_place_leave(struct up_try *t);
/* A request to the server ended; its place is free. */
void up_server_leave(struct up_server *s);
/* What the limiter learns from: a final head came; a try failed. */
void up_place_answered(struct up_try *t);
void up_place_failed(struct up_try *t, enum fault_id why);

void up_queue_init(struct up_group *g);
void up_queue_fini(struct up_group *g);

#endif
