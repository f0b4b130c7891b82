/* base/zone: what clocks on walls show: a time zone as the list of its changes,
 * read once at load, because nobody who serves may open a file. */
#ifndef GH_ZONE_H
#define GH_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* Years that are known from the first on, and changes in them; behind the last
 * the clock stays as it is. A zone that changes four times a year fits. */
#define ZONE_YEARS 60
#define ZONE_CHANGES_MAX 256

struct zone_change {
	int64_t from_s; /* seconds since 1970 */
	int32_t ahead_s; /* of UTC, from then on */
};

struct zone {
	struct zone_change at[ZONE_CHANGES_MAX];
	uint32_t n; /* at least 1 */
};

/* A wall clock. */
struct zone_time {
	unsigned weekday; /* 0: Sunday */
	unsigned second; /* of the day, 0 .. 86399 */
};

/* Read a zone of the system's database ("Europe/Berlin"), or for an empty name
 * the system's own, from `from_s` on; before that it is as it was then. Changes
 * TZ of the process for a moment: for programs of one thread. false: there is
 * none of that name. */
bool zone_load(struct zone *z, span name, int64_t from_s);
/* What the clock shows at this time. Pure. */
struct zone_time zone_at(const struct zone *z, int64_t s);

/* The number of the day there, since 1970; days begin `from_s` seconds after
 * midnight. Pure. */
int32_t zone_day(const struct zone *z, int64_t s, unsigned from_s);

#endif
