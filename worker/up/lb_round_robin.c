/* up/lb_round_robin: smooth weighted round robin: in each turn every server
 * gains its weight, the one with the most is chosen and pays the sum of all.
 * Heavy servers come up evenly spread instead of in bursts. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/up/up_group.h"

/* What each server has gained so far. */
static void *
rr_open(const struct up_group *g)
{
	int64_t *gained = calloc(g->conf->n_servers, sizeof(*gained));

	REQUIRE(gained != NULL);
	return gained;
}

static int
rr_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	int64_t *gained = state;
	int64_t sum = 0;
	int best = -1;

	(void)x;
	for (uint32_t i = 0; i < g->conf->n_servers; i++) {
		const struct up_server_conf *s = &g->conf->servers[i];

		if (s->is_backup != is_backup || lb_is_skipped(skip, i))
			continue;
		gained[i] += s->weight;
		sum += s->weight;
		if (best < 0 || gained[i] > gained[best])
			best = (int)i;
	}
	if (best >= 0)
		gained[best] -= sum;
	return best;
}

const struct lb_ops lb_round_robin = {
    .name = "round_robin",
    .open = rr_open,
    .close = free,
    .pick = rr_pick,
};
