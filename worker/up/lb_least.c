/* up/lb_least: the server that costs least for its weight, among equals the next
 * in turn. What a server costs is its policy's. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/up/up_group.h"

/* Up to so many servers all are compared; of more, a run of that many, which
 * begins where the last one ended. */
#define LEAST_LOOK_MAX 64u

int
lb_least_pick(struct lb_least *l, const struct up_group *g, lb_cost_f *cost,
    const uint64_t *skip, bool is_backup)
{
	uint32_t n = g->conf->n_servers;
	uint32_t n_seen = 0;
	uint32_t k;
	uint64_t best_cost = 0;
	int best = -1;

	for (k = 0; k < n && n_seen < LEAST_LOOK_MAX; k++) {
		uint32_t i = (l->next + k) % n;
		const struct up_server_conf *s = &g->conf->servers[i];
		uint64_t c;

		if (s->is_backup != is_backup || lb_is_skipped(skip, i))
			continue;
		n_seen++;
		c = cost(g, s);
		if (best >= 0 &&
		    !lb_is_cheaper(c, up_server_weight(g, i), best_cost,
			up_server_weight(g, (uint32_t)best)))
			continue;
		best = (int)i;
		best_cost = c;
	}
	if (best >= 0)
		l->next = n > LEAST_LOOK_MAX ? (l->next + k) % n
					     : ((uint32_t)best + 1) % n;
	return best;
}

void *
lb_least_open(const struct up_group *g)
{
	struct lb_least *l = calloc(1, sizeof(*l));

	(void)g;
	REQUIRE(l != NULL);
	return l;
}
