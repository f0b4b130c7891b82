/* store/upstate: what all workers know together of the servers of upstreams:
 * how many requests each one has at this moment, and how it did. A server is
 * known by the id of its name (shm/registry, kind "server"). Protocol and
 * repair: doc/shm.md 6.1. */
#ifndef GH_UPSTATE_H
#define GH_UPSTATE_H

#include <stdatomic.h>
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

/* The server is another one from now on: what is known of health, and what was
 * counted, is 0. Requests that are under way go on counting, and what an
 * operator wants, what is checked and what is kept for the whole upstream
 * stays. */
void upstate_renew(struct upstate *u, uint32_t id);

/* A request to the server begins, ends; `slot` is the caller's own. */
void upstate_begin(struct upstate *u, uint32_t slot, uint32_t id);
void upstate_end(struct upstate *u, uint32_t slot, uint32_t id);
/* The same as upstate_begin(), if there are fewer than `most` by then: however
 * many processes do so at once, it is never exceeded. false: nothing began. */
bool upstate_try_begin(
    struct upstate *u, uint32_t slot, uint32_t id, uint32_t most);
/* Requests that the server has now, of all workers. */
uint32_t upstate_active(const struct upstate *u, uint32_t id);

enum upstate_count {
	UPSTATE_REQUESTS, /* tries begun */
	UPSTATE_FAILURES, /* tries without a complete answer */
	UPSTATE_COUNTS
};

/* What is known of a server, a word each; store/health, store/budget and
 * store/latency know what is in them. All are 0 when a server is new. */
enum upstate_word {
	UPSTATE_RUN_5XX, /* bad answers in a row, by enum conf_eject_run */
	UPSTATE_RUN_RESET,
	UPSTATE_RUN_SLOW,
	UPSTATE_EJECTED, /* until when workers leave it out */
	UPSTATE_EJECTED_AT, /* since when, and what for; told to people */
	UPSTATE_CHECKED, /* what the steward's checks say */
	UPSTATE_CHECK_ID, /* of which check that is the result */
	UPSTATE_ORDER, /* what the operator wants */
	UPSTATE_WEIGHT, /* the weight that the operator wants */
	UPSTATE_BUDGET_EVEN, /* of the first server of an upstream: what its
	                        tries again are paid from (store/budget) */
	UPSTATE_BUDGET_ODD,
	UPSTATE_LATENCY, /* until the head of an answer (store/latency) */
	UPSTATE_TAIL, /* of the first server of an upstream: what most of its
	                 answers do not exceed (store/latency) */
	UPSTATE_AWAITED, /* of the first server of an upstream: requests wait
	                    until one can be reached (store/reach) */
	UPSTATE_REACHED, /* the same: when one was */
	UPSTATE_WORDS
};

/* What happened to a server, in words of their own, all 0 when it is new;
 * store/history knows what is in them. */
#define UPSTATE_PAST_WORDS 18u

/* Ids below it were given out at some time. */
uint32_t upstate_used(const struct upstate *u);
_Atomic uint64_t *upstate_word(
    struct upstate *u, uint32_t id, enum upstate_word which);
/* The first of UPSTATE_PAST_WORDS. */
_Atomic uint64_t *upstate_past(struct upstate *u, uint32_t id);
/* Some server is to be looked at anew; how often that was said. */
void upstate_change(struct upstate *u);
uint32_t upstate_changes(const struct upstate *u);

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
