/* store/tally: what was counted and measured of a thing that the configuration
 * names: a [listen], a site, a route, an upstream, a cache. Each worker counts in memory
 * of its own (worker/log/tally_feed) and adds that up here a few times a second,
 * so that no two of them ever write the same line for each request. Knows a
 * thing by its id (shm/registry, kind "tally"). Protocol: doc/shm.md 6.17. */
#ifndef GH_TALLY_H
#define GH_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"

/* Things of all living generations. */
#define TALLIES_MAX 32768u

enum tally_kind {
#define TALLY_KIND(id, word) TALLY_##id,
#include "common/store/tally_kind.def"
#undef TALLY_KIND
	TALLY_KINDS
};

enum tally_curve {
#define TALLY_CURVE(id, name, help) TALLY_##id,
#include "common/store/tally_curve.def"
#undef TALLY_CURVE
	TALLY_CURVES
};

/* What became of a request that met a cache. */
enum cache_result {
	RESULT_NONE,
#define RESULT(id, word) RESULT_##id,
#include "common/store/cache_result.def"
#undef RESULT
	RESULT_N
};

/* Steps of a curve end at powers of two of a second, as those of Prometheus'
 * native histograms of schema 0: 2^-14 s (61 us) to 2^6 s. */
#define TALLY_STEP_FIRST (-14)
#define TALLY_STEPS 21u

/* How many took how long. */
struct tally_times {
	uint64_t n[TALLY_STEPS + 1]; /* by step; the last took longer */
	uint64_t sum_us;
};

/* Nothing but 64-bit numbers that go up. */
struct tally {
	uint64_t status[6]; /* by the first digit; [0]: there was no answer */
	uint64_t bytes_in; /* from clients */
	uint64_t bytes_out; /* to them */
	uint64_t results[RESULT_N]; /* of a cache */
	struct tally_times times[TALLY_CURVES];
};

struct tallies;

/* Map the table; in the master (may_make) it is made. NULL with errno. */
struct tallies *tallies_open(struct segment *s, bool may_make);
void tallies_free(struct tallies *t);
/* For registry_open(): the row of a new thing is there and empty. */
bool tallies_ready(void *self, uint32_t id);

/* Add all of that. By one atomic step for each number: who dies in between has
 * added some of them. */
void tallies_add(struct tallies *t, uint32_t id, const struct tally *more);
/* What there is by now; nothing for an id that was never given. */
void tallies_get(const struct tallies *t, uint32_t id, struct tally *out);

/* Note in a tally of one's own that something took so long. */
void tally_note(struct tally *t, enum tally_curve which, uint64_t took_us);

const char *tally_kind_word(enum tally_kind k);
/* "" for RESULT_NONE. */
const char *cache_result_word(enum cache_result r);
const char *tally_curve_name(enum tally_curve c);
const char *tally_curve_help(enum tally_curve c);

#endif
