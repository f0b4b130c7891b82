/* bench/trace: which names are asked for, the same in every run, and the LRU
 * that a cache is compared with. */
#ifndef GH_TRACE_H
#define GH_TRACE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

/* --- chance (splitmix64) -------------------------------------------------- */

static inline uint64_t
trace_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* In [0, 1). */
static inline double
trace_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	return (double)(trace_mix(*state) >> 11) / (double)(UINT64_C(1) << 53);
}

/* --- Zipf ----------------------------------------------------------------- */

struct zipf {
	uint32_t n;
	double *sum; /* of the weights up to each name */
};

static inline void
zipf_init(struct zipf *z, uint32_t n, double alpha)
{
	double sum = 0;

	z->n = n;
	z->sum = calloc(n, sizeof(*z->sum));
	REQUIRE(z->sum != NULL);
	for (uint32_t i = 0; i < n; i++)
		z->sum[i] = sum += 1 / pow(i + 1, alpha);
}

static inline void
zipf_fini(struct zipf *z)
{
	free(z->sum);
}

/* A name below n; the lower the likelier. */
static inline uint32_t
zipf_next(const struct zipf *z, uint64_t *state)
{
	double x = trace_random(state) * z->sum[z->n - 1];
	uint32_t low = 0;
	uint32_t high = z->n - 1;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (z->sum[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- an LRU --------------------------------------------------------------- */

/* One place of the ring, that of a name; place 0 is the ring's own. */
struct lru_place {
	uint32_t prev;
	uint32_t next;
	uint32_t cost; /* 0: not in it */
};

struct lru {
	uint64_t cap; /* of all costs */
	uint64_t used;
	struct lru_place *at;
};

static inline void
lru_init(struct lru *l, uint64_t cap, uint32_t n_names)
{
	l->cap = cap;
	l->used = 0;
	l->at = calloc((size_t)n_names + 1, sizeof(*l->at));
	REQUIRE(l->at != NULL);
}

static inline void
lru_fini(struct lru *l)
{
	free(l->at);
}

static inline void
lru_out(struct lru *l, uint32_t i)
{
	l->at[l->at[i].prev].next = l->at[i].next;
	l->at[l->at[i].next].prev = l->at[i].prev;
	l->used -= l->at[i].cost;
	l->at[i].cost = 0;
}

/* Ask for a name, which is in it afterwards. Whether it was. */
static inline bool
lru_use(struct lru *l, uint32_t name, uint32_t cost)
{
	uint32_t i = name + 1;
	bool is_hit = l->at[i].cost != 0;

	if (is_hit)
		lru_out(l, i);
	while (l->used + cost > l->cap && l->at[0].prev != 0)
		lru_out(l, l->at[0].prev);
	l->at[i] = (struct lru_place){0, l->at[0].next, cost};
	l->at[l->at[0].next].prev = i;
	l->at[0].next = i;
	l->used += cost;
	return is_hit;
}

#endif
