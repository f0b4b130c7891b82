/* up/up_group: one worker's view of its upstreams. */
#include "worker/up/up_group.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/tls/tls_client.h"
#include "worker/exch/plan.h"
#include "worker/up/mirror.h"
#include "worker/up/origin.h"
#include "worker/up/up_any.h"
#include "worker/up/up_queue.h"
#include "worker/up/up_sticky.h"

void
up_group_open(struct up_group *g, struct worker *w, const struct upstream *u,
    struct up_server *servers)
{
	g->w = w;
	g->conf = u;
	g->servers = servers;
	for (uint32_t i = 0; i < u->n_servers; i++) {
		struct up_server *s = &servers[i];

		s->group = g;
		list_init(&s->idle);
		list_init(&s->conns);
		s->streams_max = UINT32_MAX;
		list_init(&s->waiting);
	}
	up_queue_init(g);
	pause_init(g);
	up_weights_open(g);
	g->lb_state = u->lb->open(g);
	g->fitness = up_fitness_new(g);
	g->sticky = up_sticky_new(g);
}

void
up_group_drain(struct up_group *g)
{
	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		g->conf->wire->drain(&g->servers[i]);
}

void
up_group_close(struct up_group *g)
{
	up_queue_fini(g);
	up_group_drain(g);
	for (uint32_t k = 0; k < g->conf->n_servers; k++) {
		up_name_free(g->servers[k].name);
		tls_remote_free(g->servers[k].remote);
	}
	g->conf->lb->close(g->lb_state);
	up_weights_close(g);
	up_fitness_free(g->fitness);
	up_sticky_free(g->sticky);
}

/* That of an [upstream]. */
static void
group_open(struct up_group *g, struct worker *w, const struct upstream *u)
{
	struct up_server *servers = calloc(u->n_servers, sizeof(*servers));

	REQUIRE(servers != NULL);
	for (uint32_t i = 0; i < u->n_servers; i++)
		servers[i].conf = &u->servers[i];
	up_group_open(g, w, u, servers);
	for (uint32_t i = 0; i < u->n_servers; i++) {
		struct up_server *s = &servers[i];

		if (s->conf->host.len > 0 && s->conf->spot == 0)
			up_name_open(s);
		if (s->conf->is_tls)
			s->remote = tls_remote_new(u->tls, s->conf->tls_name);
	}
}

struct up_worker *
up_worker_new(struct worker *w)
{
	struct up_worker *u = calloc(1, sizeof(*u));

	REQUIRE(u != NULL);
	u->w = w;
	list_init(&u->mirrors);
	u->n_groups = w->plan->n_upstreams;
	u->groups = calloc(u->n_groups + 1u, sizeof(*u->groups));
	REQUIRE(u->groups != NULL);
	for (uint32_t i = 0; i < u->n_groups; i++)
		group_open(&u->groups[i], w, w->plan->upstreams[i]);
	u->any = up_any_new(w);
	return u;
}

void
up_worker_retire(struct up_worker *u)
{
	for (uint32_t i = 0; i < u->n_groups; i++) {
		u->groups[i].is_retiring = true;
		up_group_drain(&u->groups[i]);
	}
	up_any_retire(u->any);
}

void
up_worker_free(struct up_worker *u)
{
	mirror_expire(u);
	for (uint32_t i = 0; i < u->n_groups; i++) {
		up_group_close(&u->groups[i]);
		free(u->groups[i].servers);
	}
	up_any_free(u->any);
	free(u->groups);
	free(u);
}

/* A usual one, else a backup; -1: none. */
static int
group_pick_of(struct up_group *g, struct exch *x, const uint64_t *unfit)
{
	const struct lb_ops *lb = g->conf->lb;
	int i = lb->pick(g->lb_state, g, x, unfit, false);

	return i >= 0 ? i : lb->pick(g->lb_state, g, x, unfit, true);
}

/* The policy's choice, or -1: of the zone whose turn it is first, and of those
 * that came back none that had its share. */
static int
group_balance(struct up_group *g, struct exch *x, const uint64_t *unfit)
{
	const struct lb_ops *lb = g->conf->lb;
	const uint64_t *slow = up_group_slow(g);
	const uint64_t *near;
	int i = -1;

	up_group_aim(g);
	if (slow != NULL && (near = up_group_near(g, slow)) != NULL)
		i = lb->pick(g->lb_state, g, x, near, false);
	if (i < 0 && (near = up_group_near(g, unfit)) != NULL)
		i = lb->pick(g->lb_state, g, x, near, false);
	if (i < 0 && slow != NULL)
		i = lb->pick(g->lb_state, g, x, slow, false);
	return i >= 0 ? i : group_pick_of(g, x, unfit);
}

/* Who is asked when i was chosen; NULL for -1. */
static struct up_server *
group_chose(struct up_group *g, struct exch *x, const uint64_t *skip, int i)
{
	return i < 0 ? NULL : &g->servers[up_sticky_chose(g, x, skip, i)];
}

struct up_server *
up_group_pick(struct up_group *g, struct exch *x, const uint64_t *skip)
{
	const uint64_t *unfit = up_group_unfit(g, skip);
	int i = up_sticky_find(g, x, skip);

	if (i < 0)
		i = group_balance(g, x, unfit);
	return group_chose(g, x, skip, i);
}

struct up_server *
up_group_pick_unfit(struct up_group *g, struct exch *x, const uint64_t *skip)
{
	if (g->conf->panic_tenths == 0)
		return NULL;
	return group_chose(
	    g, x, skip, group_pick_of(g, x, up_group_off(g, skip)));
}
