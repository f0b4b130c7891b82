/* up/lb_round_robin: in turn, by weight. Each server has a time at which it is
 * due; the one that is due first is chosen and is due again after a step that is
 * the shorter the heavier it is (earliest deadline first, in a time of its own).
 * Heavy servers come up evenly spread instead of in bursts, and a choice costs
 * the logarithm of their number: the next is the top of a heap.
 *
 * One that cannot be used loses its turn, so that what comes back is not
 * flooded. Where less than one in RR_TURNS can be used, a choice may look at all
 * of them. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/up/up_group.h"

/* The step of weight 1. Times wrap: only differences count, and those are less
 * than two steps. */
#define RR_STEP (UINT64_C(1) << 32)
/* Turns that are lost before all are looked at. */
#define RR_TURNS 64u

/* The usual servers, or the backups. */
struct rr_class {
	uint32_t n;
	uint32_t *heap; /* indexes of servers; the first is due first */
};

struct round_robin {
	const struct up_group *g;
	uint64_t seed;
	uint32_t weights_no; /* of the group, when turns began */
	uint64_t *due; /* of each server */
	struct rr_class usual;
	struct rr_class backup;
};

static uint64_t
rr_step(const struct round_robin *r, uint32_t server)
{
	uint32_t weight = up_server_weight(r->g, server);

	/* one that is not there loses its turns as others do */
	return weight > 0 ? RR_STEP / weight : RR_STEP;
}

/* --- the heap ------------------------------------------------------------- */

static bool
rr_is_before(const struct round_robin *r, uint32_t a, uint32_t b)
{
	int64_t by = (int64_t)(r->due[a] - r->due[b]);

	return by < 0 || (by == 0 && a < b);
}

/* The one at `at` became due later. */
static void
rr_sink(const struct round_robin *r, struct rr_class *c, uint32_t at)
{
	uint32_t server = c->heap[at];

	for (uint32_t next; (next = 2 * at + 1) < c->n; at = next) {
		if (next + 1 < c->n &&
		    rr_is_before(r, c->heap[next + 1], c->heap[next]))
			next++;
		if (!rr_is_before(r, c->heap[next], server))
			break;
		c->heap[at] = c->heap[next];
	}
	c->heap[at] = server;
}

static void
rr_order(const struct round_robin *r, struct rr_class *c)
{
	for (uint32_t at = c->n / 2; at-- > 0;)
		rr_sink(r, c, at);
}

/* Those of the same weight share the first step evenly, so that they come up
 * between the turns of heavier ones and not in a row behind them. */
static void
rr_begin(struct round_robin *r, const struct rr_class *c)
{
	uint32_t n_of[UP_WEIGHT_MAX + 1] = {0};
	uint32_t seen[UP_WEIGHT_MAX + 1] = {0};

	for (uint32_t k = 0; k < c->n; k++)
		n_of[up_server_weight(r->g, c->heap[k])]++;
	for (uint32_t k = 0; k < c->n; k++) {
		uint32_t server = c->heap[k];
		uint32_t weight = up_server_weight(r->g, server);

		r->due[server] =
		    rr_step(r, server) * ++seen[weight] / (n_of[weight] + 1);
	}
}

static void
rr_fill(struct round_robin *r, struct rr_class *c, bool is_backup)
{
	const struct upstream *u = r->g->conf;

	c->heap = calloc(u->n_servers + 1u, sizeof(*c->heap));
	REQUIRE(c->heap != NULL);
	for (uint32_t i = 0; i < u->n_servers; i++)
		if (u->servers[i].is_backup == is_backup)
			c->heap[c->n++] = i;
}

/* With other weights, turns begin anew: a server that had a long step does not
 * wait for the end of it. */
static void
rr_begin_all(struct round_robin *r)
{
	r->weights_no = r->g->weights_no;
	rr_begin(r, &r->usual);
	rr_order(r, &r->usual);
	rr_begin(r, &r->backup);
	rr_order(r, &r->backup);
}

static void *
rr_open(const struct up_group *g)
{
	struct round_robin *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->g = g;
	r->seed = 1;
	r->due = calloc(g->conf->n_servers + 1u, sizeof(*r->due));
	REQUIRE(r->due != NULL);
	rr_fill(r, &r->usual, false);
	rr_fill(r, &r->backup, true);
	rr_begin_all(r);
	return r;
}

static void
rr_close(void *state)
{
	struct round_robin *r = state;

	free(r->usual.heap);
	free(r->backup.heap);
	free(r->due);
	free(r);
}

/* --- picking -------------------------------------------------------------- */

/* Half a step to one and a half: one that may be used now and then must not meet
 * that moment always, or never. xorshift64, as in lb_random_two. */
static uint64_t
rr_lost(struct round_robin *r, uint32_t server)
{
	uint64_t step = rr_step(r, server);

	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return step / 2 + r->seed % step;
}

static int
rr_take(struct round_robin *r, struct rr_class *c)
{
	uint32_t server = c->heap[0];

	r->due[server] += rr_step(r, server);
	rr_sink(r, c, 0);
	return (int)server;
}

/* Bring the first that can be used to the top. false: there is none. */
static bool
rr_look_at_all(struct round_robin *r, struct rr_class *c, const uint64_t *skip)
{
	uint32_t first = UINT32_MAX;
	uint64_t now;

	for (uint32_t at = 0; at < c->n; at++)
		if (!lb_is_skipped(skip, c->heap[at]) &&
		    (first == UINT32_MAX ||
			rr_is_before(r, c->heap[at], first)))
			first = c->heap[at];
	if (first == UINT32_MAX)
		return false;
	now = r->due[first];
	for (uint32_t at = 0; at < c->n; at++)
		if (lb_is_skipped(skip, c->heap[at]) &&
		    rr_is_before(r, c->heap[at], first))
			r->due[c->heap[at]] = now + rr_lost(r, c->heap[at]);
	rr_order(r, c);
	return true;
}

static int
rr_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	struct round_robin *r = state;
	struct rr_class *c = is_backup ? &r->backup : &r->usual;

	(void)x;
	if (c->n == 0)
		return -1;
	if (r->weights_no != g->weights_no)
		rr_begin_all(r);
	for (uint32_t turn = 0; turn < RR_TURNS; turn++) {
		uint32_t server = c->heap[0];

		if (!lb_is_skipped(skip, server))
			return rr_take(r, c);
		r->due[server] += rr_lost(r, server);
		rr_sink(r, c, 0);
	}
	return rr_look_at_all(r, c, skip) ? rr_take(r, c) : -1;
}

const struct lb_ops lb_round_robin = {
    .name = "round_robin",
    .open = rr_open,
    .close = rr_close,
    .pick = rr_pick,
};
