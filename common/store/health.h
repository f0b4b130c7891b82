/* store/health: which servers are fit to be asked, as all processes know it
 * together: what workers met (ejection), what the steward's checks say, and what
 * the operator wants. Every change is one atomic step on one word of the
 * server, so nobody can die in the middle of it. Times are CLOCK_MONOTONIC in
 * ms. Protocol: doc/shm.md 6.1. */
#ifndef GH_HEALTH_H
#define GH_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/conf_health.h"
#include "common/store/upstate.h"

/* --- what workers meet ---------------------------------------------------- */

/* One more of its kind. true: that makes `most` of them within the window; told
 * to one process, the count begins anew. */
bool health_count(struct upstate *u, uint32_t id, enum conf_eject_run run,
    const struct conf_eject *e, uint64_t now_ms);
/* An answer that was good in this respect: what came in a row ends. */
void health_count_ends(struct upstate *u, uint32_t id, enum conf_eject_run run);

/* An ejection goes in two steps, so that there are never more than allowed,
 * however many processes eject at once: claimed, it counts for everybody and has
 * no effect; then the claimer looks how many there are, and confirms or drops. */
struct health_claim {
	uint64_t before;
	uint64_t claimed;
	uint64_t for_ms; /* how long it will be out */
	uint32_t times; /* in succession, from 1 */
};

/* In the name of the process's own slot. false: it is out or claimed already. */
bool health_eject_claim(struct upstate *u, uint32_t slot, uint32_t id,
    const struct conf_eject *e, uint64_t now_ms, struct health_claim *out);
/* Whether it is out, or may be in a moment. */
bool health_is_ejected(struct upstate *u, uint32_t id, uint64_t now_ms);
void health_eject_confirm(struct upstate *u, uint32_t id,
    const struct health_claim *c, enum conf_eject_run why, uint64_t now_ms);
void health_eject_drop(
    struct upstate *u, uint32_t id, const struct health_claim *c);

/* Drop what a dead process claimed. Steward only; may be repeated. */
void health_repair(struct upstate *u, uint32_t dead);

/* --- all together --------------------------------------------------------- */

enum health_state { HEALTH_UP, HEALTH_EJECTED };

/* A server as all see it now. */
struct health {
	enum health_state state;
	uint64_t since_ms; /* 0: since it is known */
	uint64_t until_ms; /* EJECTED: when that ends */
	uint64_t back_ms; /* UP: since when, after it was not; 0: never was */
	enum conf_eject_run run; /* EJECTED: what for */
};

void health_look(
    struct upstate *u, uint32_t id, uint64_t now_ms, struct health *out);
/* For logs and people. */
const char *health_state_name(enum health_state s);
const char *health_run_name(enum conf_eject_run run);

#endif
