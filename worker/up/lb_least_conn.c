/* up/lb_least_conn: the server with the fewest requests in flight for its
 * weight, as all workers count them together. */
#include <stdlib.h>

#include "common/store/upstate.h"
#include "worker/up/up_group.h"

static uint64_t
lc_cost(const struct up_group *g, const struct up_server_conf *s)
{
	return (uint64_t)upstate_active(g->w->boot->upstate, s->id) + 1;
}

static int
lc_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	(void)x;
	return lb_least_pick(state, g, lc_cost, skip, is_backup);
}

const struct lb_ops lb_least_conn = {
    .name = "least_conn",
    .open = lb_least_open,
    .close = free,
    .pick = lc_pick,
};
