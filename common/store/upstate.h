/* store/upstate: what all workers know together of the servers of upstreams:
 * how many requests each one has at this moment, and how it did. A server is
 * known by the id of its name (shm/registry, kind "server"). Protocol and
 * repair: doc/shm.md 6.1. */
#ifndef GH_UPSTATE_H
#define GH_UPSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Servers of all upstreams of all living generations. */
#define UPSTATE_SERVERS_MAX 32768u

struct upstate;

/* Map the table; in the master (may_make) it is made. NULL with errno. */
struct upstate *upstate_open(struct segment *s, bool may_make);
void upstate_free(struct upstate *u);
/* For registry_open(): the numbers of a new server are there and 0. */
bool upstate_ready(void *self, uint32_t id);

/* A request to the server begins, ends; `slot` is the caller's own. */
void upstate_begin(struct upstate *u, uint32_t slot, uint32_t id);
void upstate_end(struct upstate *u, uint32_t slot, uint32_t id);
/* Requests that the server has now, of all workers. */
uint32_t upstate_active(const struct upstate *u, uint32_t id);

enum upstate_count {
	UPSTATE_REQUESTS, /* tries begun */
	UPSTATE_FAILURES, /* tries without a complete answer */
	UPSTATE_COUNTS
};

void upstate_add(struct upstate *u, uint32_t id, enum upstate_count what);
uint64_t upstate_get(
    const struct upstate *u, uint32_t id, enum upstate_count what);

/* Mend what a dead process left. false: the living were too busy, it must be
 * called again. Steward only; may be repeated. */
bool upstate_repair(struct upstate *u, const struct slots *t, uint32_t dead);
/* Whether every total is the sum of what the living counted, while nobody
 * works. For tests and the steward's audit. */
bool upstate_check(const struct upstate *u, const struct slots *t);

#endif
