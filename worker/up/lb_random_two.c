/* up/lb_random_two: of two servers that chance names, by weight, the one with
 * fewer requests in flight for its weight (Mitzenmacher, "The Power of Two
 * Choices in Randomized Load Balancing"). Costs the same for any number of
 * servers, and workers that decide at the same moment do not all choose the
 * same one. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/store/upstate.h"
#include "worker/up/up_group.h"

/* Draws for a server that can be used, before all are asked in turn. */
#define R2_DRAWS 16u

/* Servers to draw from: the usual ones, or the backups. */
struct r2_class {
	uint32_t n;
	uint32_t *servers; /* indexes */
	uint64_t *sums; /* of weights, up to and with each */
};

struct random_two {
	uint64_t seed;
	uint32_t weights_no; /* of the group, when sums were made */
	struct r2_class usual;
	struct r2_class backup;
};

static void
r2_fill(struct r2_class *c, const struct upstream *u, bool is_backup)
{
	c->servers = calloc(u->n_servers + 1u, sizeof(*c->servers));
	c->sums = calloc(u->n_servers + 1u, sizeof(*c->sums));
	REQUIRE(c->servers != NULL && c->sums != NULL);
	for (uint32_t i = 0; i < u->n_servers; i++)
		if (u->servers[i].is_backup == is_backup)
			c->servers[c->n++] = i;
}

static void
r2_sum(struct r2_class *c, const struct up_group *g)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < c->n; k++) {
		sum += up_server_weight(g, c->servers[k]);
		c->sums[k] = sum;
	}
}

static void
r2_sum_all(struct random_two *r, const struct up_group *g)
{
	r->weights_no = g->weights_no;
	r2_sum(&r->usual, g);
	r2_sum(&r->backup, g);
}

static void *
r2_open(const struct up_group *g)
{
	struct random_two *r = calloc(1, sizeof(*r));
	struct sipkey key;

	REQUIRE(r != NULL);
	sipkey_random(&key);
	/* 0 would stay 0 */
	r->seed = key.k0 | 1;
	r2_fill(&r->usual, g->conf, false);
	r2_fill(&r->backup, g->conf, true);
	r2_sum_all(r, g);
	return r;
}

static void
r2_close(void *state)
{
	struct random_two *r = state;

	free(r->usual.servers);
	free(r->usual.sums);
	free(r->backup.servers);
	free(r->backup.sums);
	free(r);
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", triple 13 7 17); nobody gains from
 * foreseeing it. */
static uint64_t
r2_random(struct random_two *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed;
}

/* Place in the class of the server that a number below all weights names. */
static uint32_t
r2_find(const struct r2_class *c, uint64_t at)
{
	uint32_t low = 0;
	uint32_t high = c->n - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (c->sums[mid] > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* One that can be used and is not `other`; -1: there is none. */
static int
r2_draw(struct random_two *r, const struct r2_class *c, const uint64_t *skip,
    int other)
{
	uint64_t all = c->sums[c->n - 1];
	uint32_t at = 0;

	for (uint32_t k = 0; k < R2_DRAWS; k++) {
		at = r2_find(c, r2_random(r) % all);
		if ((int)c->servers[at] != other &&
		    !lb_is_skipped(skip, c->servers[at]))
			return (int)c->servers[at];
	}
	for (uint32_t k = 0; k < c->n; k++) {
		uint32_t i = c->servers[(at + k) % c->n];

		if ((int)i != other && !lb_is_skipped(skip, i))
			return (int)i;
	}
	return -1;
}

static int
r2_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	struct random_two *r = state;
	const struct r2_class *c = is_backup ? &r->backup : &r->usual;
	const struct upstate *u = g->w->boot->upstate;
	int a;
	int b;

	(void)x;
	if (c->n == 0)
		return -1;
	if (r->weights_no != g->weights_no)
		r2_sum_all(r, g);
	a = r2_draw(r, c, skip, -1);
	b = a < 0 ? -1 : r2_draw(r, c, skip, a);
	if (b < 0)
		return a;
	return lb_is_less(upstate_active(u, g->conf->servers[b].id),
		   up_server_weight(g, (uint32_t)b),
		   upstate_active(u, g->conf->servers[a].id),
		   up_server_weight(g, (uint32_t)a))
		   ? b
		   : a;
}

const struct lb_ops lb_random_two = {
    .name = "random_two",
    .open = r2_open,
    .close = r2_close,
    .pick = r2_pick,
};
