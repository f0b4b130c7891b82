/* store/history: the last changes of a server's state, as a steward saw them.
 * What is no change of words but of time (the end of an ejection) is one as
 * well, so it is looked at and noted, not told by who changes something.
 * Protocol: doc/shm.md 6.1. */
#ifndef GH_HISTORY_H
#define GH_HISTORY_H

#include <stdint.h>

#include "common/store/health.h"

#define HISTORY_MAX 16u

struct history_change {
	enum health_state from;
	struct health to; /* state, why, and since_ms: when */
};

/* Note the state of a server, if it is another one than was noted last; a server
 * begins as up. An ejection that follows another one is noted, too. Stewards
 * only; may be repeated. Times never go back, and are not behind now_ms. */
void history_note(struct upstate *u, uint32_t id, uint64_t now_ms);
/* The last changes, the newest first; how many. */
uint32_t history_read(
    struct upstate *u, uint32_t id, struct history_change out[HISTORY_MAX]);

#endif
