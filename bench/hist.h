/* bench/hist: a histogram of nanoseconds whose cells are 1/64 of their power
 * of two wide, so that a percentile is at most 1.6 % off. */
#ifndef GH_HIST_H
#define GH_HIST_H

#include <stdint.h>

/* Values below 64 have a cell each; every further power of two has 64. */
#define HIST_STEPS 64
#define HIST_STEP_BITS 6
#define HIST_CELLS (HIST_STEPS * (64 - HIST_STEP_BITS + 1))

struct hist {
	uint64_t n;
	uint64_t max;
	uint64_t cells[HIST_CELLS];
};

static inline void
hist_add(struct hist *h, uint64_t ns)
{
	unsigned power = 0;

	if (ns >= HIST_STEPS)
		power = 63u - (unsigned)__builtin_clzll(ns) - HIST_STEP_BITS;
	if (ns >= HIST_STEPS)
		h->cells[power * HIST_STEPS + (ns >> power)]++;
	else
		h->cells[ns]++;
	h->n++;
	if (ns > h->max)
		h->max = ns;
}

/* The least value that `share` (0 to 1) of all are not above, rounded up to
 * its cell's end; 0 when there is none. */
static inline uint64_t
hist_quantile(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n), seen = 0, ns;
	unsigned i, power;

	for (i = 0; i < HIST_CELLS; i++) {
		seen += h->cells[i];
		if (h->cells[i] == 0 || seen < want)
			continue;
		power = i < HIST_STEPS ? 0 : i / HIST_STEPS - 1;
		ns = ((uint64_t)(i - power * HIST_STEPS + 1) << power) - 1;
		return ns < h->max ? ns : h->max;
	}
	return 0;
}

#endif
