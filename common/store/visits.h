/* store/visits: how often of late a client asked for what is not there, and for
 * how many different paths, in memory that does not grow. Knows nothing of
 * HTTP: a client and a path are texts. What cannot be noted at once is not.
 * Protocol and repair: doc/shm.md 6.19. */
#ifndef GH_VISITS_H
#define GH_VISITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Clients at once, if chance spreads them evenly; a new one takes the place of
 * one that was not there for the longest time. */
#define VISITS_MAX 32768u
/* What is told is of so long. */
#define VISITS_WINDOW_MS 60000u
/* Different paths of a window are counted by this many bits: by some hundreds
 * within a tenth, and never as more than VISITS_PATHS_MAX. */
#define VISITS_BITS 256u
#define VISITS_PATHS_MAX 1568u

struct visits;

struct visits_rates {
	uint32_t missing; /* times that it was not there, in a window */
	uint32_t paths; /* different ones, in a window */
};

/* In the segment; may_make in the master only. NULL with errno. */
struct visits *visits_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation asks. false: there is none.
 * Master only. */
bool visits_ready(struct visits *v, struct segment *s);
bool visits_is_ready(const struct visits *v);

/* Who asks, and when: CLOCK_MONOTONIC. */
struct visits_by {
	const struct slots *slots;
	struct slot_name me;
	uint64_t now_ms;
};

/* The client asked for the path. */
void visits_note(struct visits *v, const struct visits_by *by, span client,
    span path, bool is_missing);
/* What was noted before; nothing of who is not known, or cannot be had. */
struct visits_rates visits_read(
    struct visits *v, const struct visits_by *by, span client);

/* Mend what a dead process left. Steward only; may be repeated. */
void visits_repair(struct visits *v, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool visits_check(const struct visits *v);

#endif
