/* up/lb_least_time: the server that would answer soonest: the time it takes as
 * all workers meet it (store/latency), for each request in flight and the one to
 * come, by weight. */
#include <assert.h>
#include <stdlib.h>

#include "common/store/latency.h"
#include "worker/up/up_group.h"

/* What a server costs of which nothing is known, while it has a request: more
 * than any that answers. The first request tells, a second would only wait. */
#define LT_UNKNOWN_US UINT32_MAX
/* A cost times a weight must fit 64 bits. */
#define LT_ACTIVE_MAX ((1u << 22) - 1)

static_assert(
    (uint64_t)LT_UNKNOWN_US * LT_ACTIVE_MAX < UINT64_MAX / UP_WEIGHT_MAX,
    "a cost times a weight fits");

static uint64_t
lt_cost(const struct up_group *g, const struct up_server_conf *s)
{
	struct upstate *u = g->w->boot->upstate;
	uint64_t n = (uint64_t)upstate_active(u, s->id) + 1;
	uint32_t us = latency_us(u, s->id, clock_mono_ms(worker_clock(g->w)));

	if (us == 0 && n == 1)
		return 0;
	if (us == 0)
		us = LT_UNKNOWN_US;
	return us * (n < LT_ACTIVE_MAX ? n : LT_ACTIVE_MAX);
}

static int
lt_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	(void)x;
	return lb_least_pick(state, g, lt_cost, skip, is_backup);
}

const struct lb_ops lb_least_time = {
    .name = "least_time",
    .open = lb_least_open,
    .close = free,
    .pick = lt_pick,
};
