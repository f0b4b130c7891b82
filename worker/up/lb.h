/* up/lb: which server is next. A policy sees the servers of one upstream and
 * which of them cannot be used for this exchange; it knows nothing of
 * connections. */
#ifndef GH_LB_H
#define GH_LB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

struct up_group;
struct up_server_conf;
struct upstream;
struct exch;

struct lb_ops {
	const char *name; /* first word of `balance =` */
	bool is_keyed; /* the same key finds the same server */
	/* What all workers share, made with the plan (u->lb_shared) from the
	 * servers and the other words of the line; what is in the arena stays
	 * with it. Never NULL; problems go to d. Without it there are no other
	 * words. */
	void *(*prepare)(const struct upstream *u, const struct conf_value *v,
	    struct arena *a, struct diag *d);
	void (*unprepare)(void *shared);
	/* One worker's state. */
	void *(*open)(const struct up_group *g);
	void (*close)(void *state);
	/* Index of a server whose bit in `skip` is 0 and whose backup-ness is
	 * is_backup; -1 when there is none. */
	int (*pick)(void *state, const struct up_group *g, struct exch *x,
	    const uint64_t *skip, bool is_backup);
};

extern const struct lb_ops lb_round_robin;
extern const struct lb_ops lb_least_conn;
extern const struct lb_ops lb_least_time;
extern const struct lb_ops lb_random_two;
extern const struct lb_ops lb_hash;
extern const struct lb_ops lb_ip_hash;
/* Of an upstream with one server, which no configuration names (up_any.c). */
extern const struct lb_ops lb_only;

/* The policy of that name, or NULL. */
const struct lb_ops *lb_find(span name);

static inline bool
lb_is_skipped(const uint64_t *skip, uint32_t i)
{
	return (skip[i / 64] >> (i % 64)) & 1;
}

/* Server a costs less than b for its weight, without division. A cost times a
 * weight must fit. */
static inline bool
lb_is_cheaper(
    uint64_t a_cost, uint32_t a_weight, uint64_t b_cost, uint32_t b_weight)
{
	return a_cost * b_weight < b_cost * a_weight;
}

/* The same by requests in flight and the one to come. */
static inline bool
lb_is_less(
    uint64_t a_active, uint32_t a_weight, uint64_t b_active, uint32_t b_weight)
{
	return lb_is_cheaper(a_active + 1, a_weight, b_active + 1, b_weight);
}

/* --- policies that take the one that costs least: lb_least.c -------------- */

struct lb_least {
	uint32_t next; /* where to begin */
};

/* What one more request costs at this server. */
typedef uint64_t lb_cost_f(
    const struct up_group *g, const struct up_server_conf *s);

/* A struct lb_least; free() closes it. */
void *lb_least_open(const struct up_group *g);
/* As lb_ops.pick: exact up to 64 servers, of more the least of 64 in turn. */
int lb_least_pick(struct lb_least *l, const struct up_group *g, lb_cost_f *cost,
    const uint64_t *skip, bool is_backup);

#endif
