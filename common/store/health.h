/* store/health: which servers are fit to be asked, as all processes know it
 * together: what workers met (ejection), what the steward's checks say, and
 * what the operator wants. Every change is one atomic step on one word of the
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
 * however many processes eject at once: claimed, it counts for everybody and
 * has no effect; then the claimer looks how many there are, and confirms or
 * drops. */
struct health_claim {
	uint64_t before;
	uint64_t claimed;
	uint64_t for_ms; /* how long it will be out */
	uint32_t times; /* in succession, from 1 */
};

/* In the name of the process's own slot. false: it is out or claimed. */
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

/* --- what checks say ------------------------------------------------------ */

/* Why a check was bad. */
enum health_why {
	HEALTH_WHY_NONE,
#define HEALTH_WHY(id, text) HEALTH_WHY_##id,
#include "common/store/health_why.def"
#undef HEALTH_WHY
	HEALTH_WHYS
};

/* Steward only, with the lease. The results are those of this check, 0 for
 * none; those of another one are forgotten. */
void health_check_adopt(struct upstate *u, uint32_t id, uint64_t check);

enum health_checked { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD };

enum health_checked health_checked(struct upstate *u, uint32_t id);
/* The result is another one from now on. `detail`: the status of an answer that
 * is not good, or the exit status of a command. */
void health_check_set(struct upstate *u, uint32_t id, enum health_why why,
    uint32_t detail, uint64_t now_ms);

/* --- what the operator wants ---------------------------------------------- */

enum health_order {
	HEALTH_ORDER_AUTO, /* as checks and workers say */
	HEALTH_ORDER_UP, /* it is used, whatever they say */
	HEALTH_ORDER_DRAIN, /* nothing new but what belongs to it */
	HEALTH_ORDER_DOWN, /* nothing */
	HEALTH_ORDERS
};

/* Steward only. Holds over reloads, as long as some generation knows the
 * server. */
void health_order_set(
    struct upstate *u, uint32_t id, enum health_order what, uint64_t now_ms);
/* The word for it, and back: HEALTH_ORDERS when it is none. */
const char *health_order_name(enum health_order what);
enum health_order health_order_find(span name);

#define HEALTH_WEIGHT_MAX 1000u

/* Steward only. The weight 1 .. HEALTH_WEIGHT_MAX, or 0: as configured. It holds
 * as an order does. */
void health_weight_set(struct upstate *u, uint32_t id, uint32_t weight);
/* What was set; 0 at first. */
uint32_t health_weight(struct upstate *u, uint32_t id);

/* --- all together --------------------------------------------------------- */

enum health_state {
	HEALTH_UP,
	HEALTH_EJECTED,
	HEALTH_DOWN, /* its checks say so */
	HEALTH_DRAINING, /* the operator: nothing new but what belongs to it */
	HEALTH_OFF /* the operator */
};

/* A server as all see it now. */
struct health {
	enum health_state state;
	enum health_order order;
	uint64_t since_ms; /* 0: since it is known */
	uint64_t until_ms; /* EJECTED: when that ends */
	uint64_t back_ms; /* UP: since when, after it was not; 0: never was */
	enum conf_eject_run run; /* EJECTED: what for */
	enum health_why why; /* DOWN */
	uint32_t detail; /* DOWN: the status, or 0 */
};

void health_look(
    struct upstate *u, uint32_t id, uint64_t now_ms, struct health *out);
/* Whether checks and workers have nothing against it, whatever the operator
 * wants. */
bool health_is_well(struct upstate *u, uint32_t id, uint64_t now_ms);
/* For logs and people. */
const char *health_state_name(enum health_state s);
const char *health_run_name(enum conf_eject_run run);
const char *health_why_name(enum health_why why);

/* One kind of an upstream's servers: the usual ones, or the backups. */
struct health_class {
	uint32_t n; /* those that the operator took out do not count */
	uint32_t n_fit;
};

void health_class_add(struct health_class *c, const struct health *h);
/* Whether fewer than so many tenths of a per cent are fit. */
bool health_class_is_below(const struct health_class *c, uint32_t tenths);
/* Whether unhealthy ones of the usual servers are used, too: too few are left,
 * and backups, which are there for the case that no other is, cannot help. */
bool health_panics(const struct health_class *usual,
    const struct health_class *backup, uint32_t tenths);

#endif
