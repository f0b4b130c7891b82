/* up/lb_least_conn: the server with the fewest requests in flight for its
 * weight, as all workers count them together. Among equals the next in turn. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/upstate.h"
#include "worker/up/up_group.h"

/* Up to so many servers all are compared; of more, a run of that many, which
 * begins where the last one ended. */
#define LC_LOOK_MAX 64u

struct least_conn {
	uint32_t next; /* where to begin */
};

static void *
lc_open(const struct up_group *g)
{
	struct least_conn *lc = calloc(1, sizeof(*lc));

	(void)g;
	REQUIRE(lc != NULL);
	return lc;
}

static int
lc_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	const struct upstate *u = g->w->boot->upstate;
	struct least_conn *lc = state;
	uint32_t n = g->conf->n_servers;
	uint32_t n_seen = 0;
	uint64_t best_active = 0;
	int best = -1;

	(void)x;
	for (uint32_t k = 0; k < n && n_seen < LC_LOOK_MAX; k++) {
		uint32_t i = (lc->next + k) % n;
		const struct up_server_conf *s = &g->conf->servers[i];
		uint64_t active;

		if (s->is_backup != is_backup || lb_is_skipped(skip, i))
			continue;
		n_seen++;
		active = upstate_active(u, s->id);
		if (best >= 0 && !lb_is_less(active, s->weight, best_active,
				     g->conf->servers[best].weight))
			continue;
		best = (int)i;
		best_active = active;
	}
	if (best >= 0)
		lc->next = n > LC_LOOK_MAX ? (lc->next + LC_LOOK_MAX) % n
					   : ((uint32_t)best + 1) % n;
	return best;
}

const struct lb_ops lb_least_conn = {
    .name = "least_conn",
    .open = lc_open,
    .close = free,
    .pick = lc_pick,
};
