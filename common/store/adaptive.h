/* store/adaptive: how many requests at once the servers of an upstream bear,
 * found from the time that answers take: a gradient limiter. The limit is
 * multiplied by least time / present time and grows by its square root. Knows
 * nothing of servers; its words lie in the upstream's row of store/upqueue,
 * shared by all workers. Times are CLOCK_MONOTONIC in us. */
#ifndef GH_ADAPTIVE_H
#define GH_ADAPTIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds of the limit, and where it begins. */
#define ADAPTIVE_MIN 4u
#define ADAPTIVE_MAX 10000u
#define ADAPTIVE_START 20u
/* Answers of so long are judged together, if there are enough of them. */
#define ADAPTIVE_WINDOW_US 100000u
#define ADAPTIVE_SAMPLES_MIN 10u
/* The least time is looked for anew so often, with ADAPTIVE_MIN at once. */
#define ADAPTIVE_PROBE_EVERY_US 30000000u
/* A probe ends at last after so long, and the old least time holds. */
#define ADAPTIVE_PROBE_MAX_US 1000000u

/* What stands in the words. */
struct adaptive {
	_Atomic uint64_t limit; /* 0: ADAPTIVE_START */
	_Atomic uint64_t least_us; /* 0: not known */
	_Atomic uint64_t probe_at; /* when the next one begins; 0: not set */
	_Atomic uint64_t probe_since; /* 0: none goes on */
	_Atomic uint64_t window_end; /* 0: none was begun */
	_Atomic uint64_t samples; /* 44 bits sum of us, 20 their number */
};

/* How many may be under way now. */
uint32_t adaptive_limit(const struct adaptive *a);
/* An answer to a request of `began_us` came, while n_active were under way.
 * true: the limit may have grown. */
bool adaptive_sample(
    struct adaptive *a, uint64_t began_us, uint64_t now_us, uint32_t n_active);

#endif
