/* store/upqueue: who waits for the servers of an upstream, in the order in which
 * they came to all workers of the machine. Each worker keeps its own waiting
 * requests, in order, and shows the ticket of the first; the lowest of these is
 * first of all. Knows an upstream by the id of its queue (shm/registry, kind
 * "queue"). Protocol and repair: doc/shm.md 6.10. */
#ifndef GH_UPQUEUE_H
#define GH_UPQUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/shm/wake.h"

/* Upstreams with limits of all living generations. */
#define UPQUEUE_MAX 4096u
/* A worker that did not show its heart for so long is passed over: it could not
 * take its turn. */
#define UPQUEUE_PATIENCE_MS 2000u

struct upqueue;

/* Map the table; in the master (may_make) it is made. NULL with errno. */
struct upqueue *upqueue_open(struct segment *s, bool may_make);
void upqueue_free(struct upqueue *q);
/* For registry_open(): the row of a new upstream is there and empty. */
bool upqueue_ready(void *self, uint32_t id);

/* A number that is higher than all that were given for this upstream. */
uint64_t upqueue_ticket(struct upqueue *q, uint32_t id);
/* The lowest ticket that waits in the process with this slot, the caller's
 * own; 0: none does. */
void upqueue_show(
    struct upqueue *q, uint32_t id, uint32_t slot, uint64_t ticket);
/* The slot whose ticket is the lowest of all that are shown by the living;
 * *ticket too. false: nobody waits. */
bool upqueue_first(const struct upqueue *q, const struct slots *t, uint32_t id,
    uint64_t now_ms, uint32_t *slot, uint64_t *ticket);

/* What happened to requests for this upstream. */
enum upqueue_count {
	UPQUEUE_WAITED, /* they had to wait */
	UPQUEUE_REFUSED, /* no place, and no more might wait */
	UPQUEUE_TIMEOUTS, /* they waited as long as they may */
	UPQUEUE_COUNTS
};

void upqueue_add(struct upqueue *q, uint32_t id, enum upqueue_count what);
uint64_t upqueue_get(
    const struct upqueue *q, uint32_t id, enum upqueue_count what);

/* Words of store/adaptive, all 0 in a new row. */
#define UPQUEUE_WORDS 6
_Atomic uint64_t *upqueue_words(struct upqueue *q, uint32_t id);

/* Mend what a dead process left, and wake who is first now: behind
 * upstate_repair(), which gave its places back. Steward only; may be repeated. */
void upqueue_repair(struct upqueue *q, struct slots *t,
    const struct wake_fds *wakes, uint32_t dead);
/* Whether none that is dead is shown to wait. For tests. */
bool upqueue_check(const struct upqueue *q, const struct slots *t);

#endif
