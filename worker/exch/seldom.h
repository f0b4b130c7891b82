/* exch/seldom: what may come in floods is told to the log once in a while, with
 * its number. */
#ifndef GH_SELDOM_H
#define GH_SELDOM_H

#include <stdint.h>

/* Lines of one kind are so far apart, in each worker. */
#define SELDOM_TELL_MS 10000u

/* Zeroed to begin. */
struct seldom {
	uint64_t told_ms; /* CLOCK_MONOTONIC; 0: never */
	uint64_t n; /* since then */
};

/* It came once more. Returns 0, or of how many the log is to be told now. */
static inline uint64_t
seldom_count(struct seldom *s, uint64_t now_ms)
{
	uint64_t n = ++s->n;

	if (s->told_ms != 0 && now_ms - s->told_ms < SELDOM_TELL_MS)
		return 0;
	*s = (struct seldom){.told_ms = now_ms};
	return n;
}

#endif
