/* up/up_weight: the weights of an upstream's servers as policies see them: what
 * is configured, or what the operator wants instead (store/health). */
#include <assert.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/store/health.h"
#include "worker/up/up_group.h"

static_assert(HEALTH_WEIGHT_MAX == UP_WEIGHT_MAX, "one range of weights");

/* With that weight of its line. */
static uint32_t
weight_of(const struct up_group *g, uint32_t i, uint32_t weight)
{
	if (g->conf->servers[i].spots == NULL)
		return weight;
	if (!up_server_is_there(&g->servers[i]))
		return 0;
	return (uint32_t)u64_min(
	    (uint64_t)weight * up_server_share(&g->servers[i]), UP_WEIGHT_MAX);
}

void
up_weights_open(struct up_group *g)
{
	g->weights = calloc(g->conf->n_servers + 1u, sizeof(*g->weights));
	REQUIRE(g->weights != NULL);
	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		g->weights[i] = weight_of(g, i, g->conf->servers[i].weight);
}

void
up_weights_close(struct up_group *g)
{
	free(g->weights);
	g->weights = NULL;
}

void
up_weights_look(struct up_group *g)
{
	bool is_changed = false;

	for (uint32_t i = 0; i < g->conf->n_servers; i++) {
		const struct up_server_conf *s = &g->conf->servers[i];
		uint32_t weight = health_weight(g->w->boot->upstate, s->id);

		if (weight == 0)
			weight = s->weight;
		weight = weight_of(g, i, weight);
		is_changed = is_changed || weight != g->weights[i];
		g->weights[i] = weight;
	}
	g->weights_no += is_changed;
}
