/* exch/readings: other ways in which servers read a path than the one form that
 * we compare: without ";x" behind a segment, which some take for parameters of
 * it (RFC 3986 3.3), and decoded once more. Whoever protects a path asks for
 * each of them. Ambiguous paths (x->path_is_ambiguous) are refused before. */
#ifndef GH_READINGS_H
#define GH_READINGS_H

#include <stdbool.h>

#include "common/base/span.h"

struct exch;

/* A walk over them; zero to begin. */
struct path_readings {
	span path;
	unsigned n_decoded;
	bool is_begun;
	bool is_stripped;
	bool is_ambiguous; /* it ended because one cannot be told */
};

/* The next one that is not x->path as it is; lives in the exchange's arena. Most
 * paths have none, and cost nothing. false: there is no more. */
bool path_readings_next(struct exch *x, struct path_readings *r, span *out);

#endif
