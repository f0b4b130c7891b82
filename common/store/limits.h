/* store/limits: how fast keys may go on, counted once for all workers. A table
 * per [limit NAME] of cells, one for each key that was met lately; a cell is the
 * theoretical arrival time of GCRA (ITU-T I.371), so that the sum over all
 * workers never passes what the rate allows. Lock-free but for the first request
 * of a key. Knows nothing of HTTP. Protocol and repair: doc/shm.md 6.8. */
#ifndef GH_LIMITS_H
#define GH_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Longest name of a limit. */
#define LIMITS_NAME_MAX ((size_t)(SEGMENT_NAME_CAP - sizeof("limit ")))
/* Times are counted in 64ths of a microsecond. */
#define LIMITS_UNITS_PER_US 64u
/* The longest time that a rule may look ahead: two years. */
#define LIMITS_AHEAD_MAX (UINT64_C(1) << 52)

struct limits;

/* What holds for a key, in units. */
struct limits_rule {
	uint64_t gap; /* between two requests at the full rate; at least 1 */
	uint64_t ahead; /* gap * requests that may come at once */
	uint64_t held; /* more than that, of requests that are held back */
};

/* The rule of so many requests a day, of which `burst` (at least 1) may come at
 * once and `delay` more wait. false: it looks too far ahead. */
bool limits_rule_make(
    struct limits_rule *r, uint64_t per_day, uint64_t burst, uint64_t delay);

/* Bytes that a table of so many keys takes in the segment. */
uint64_t limits_size(uint64_t keys);

/* Find or make the table of a name; counted like segment_claim(), whose errno
 * it gives with NULL. A table of another size is another one and begins empty.
 * Master only; a fork may use it. */
struct limits *limits_claim(struct segment *s, span name, uint64_t keys);
void limits_unclaim(struct segment *s, struct limits *l);

enum limits_rc {
	LIMITS_OK,
	LIMITS_HELD, /* after wait_us */
	LIMITS_REFUSED, /* nothing was counted; wait_us until there is room */
	LIMITS_UNKNOWN /* the key's place is held by who is dead or busy:
	                  nothing was counted */
};

struct limits_answer {
	enum limits_rc rc;
	uint64_t wait_us;
	uint64_t left; /* OK: requests that may still come at once */
};

/* Count a request of the key at now_us (CLOCK_MONOTONIC), unless the rule
 * refuses it. */
struct limits_answer limits_take(struct limits *l, const struct slots *slots,
    struct slot_name me, span key, const struct limits_rule *r,
    uint64_t now_us);
/* A request that was counted did not happen after all. A key that is not there
 * any more is left alone. */
void limits_give_back(
    struct limits *l, span key, const struct limits_rule *r, uint64_t now_us);

/* What holds for a key whose bytes are counted: they go one after the other,
 * each at its time, whoever sends them. */
struct limits_flow {
	uint64_t rate; /* bytes a second; at least 1 */
	uint64_t ahead; /* units of bytes that may go at once */
};

/* Bytes that may go at once to a key that was idle: those of this time. */
#define LIMITS_FLOW_AHEAD_US 125000u

/* So many bytes (at most 2^32) when all before them are gone at `tat`, the time
 * of a cell, which is put on. Microseconds until they may go; 0: now. */
uint64_t limits_flow_pass(const struct limits_flow *f, uint64_t *tat,
    uint64_t bytes, uint64_t now_us);
/* The same for a key of the table; *wait_us as above. false: nothing was
 * counted (LIMITS_UNKNOWN). */
bool limits_flow_take(struct limits *l, const struct slots *slots,
    struct slot_name me, span key, const struct limits_flow *f, uint64_t bytes,
    uint64_t now_us, uint64_t *wait_us);
/* Bytes that were counted did not go after all. */
void limits_flow_give_back(struct limits *l, span key,
    const struct limits_flow *f, uint64_t bytes, uint64_t now_us);

enum limits_count {
	LIMITS_COUNT_REFUSED,
	LIMITS_COUNT_HELD,
	LIMITS_COUNT_EVICTED, /* keys that were forgotten for want of places,
	                         before their time was over */
	LIMITS_COUNT_UNKNOWN,
	LIMITS_COUNT_PASSED, /* at once */
	LIMITS_COUNTS
};

/* A sum since the table was made, of all processes. */
uint64_t limits_count(const struct limits *l, enum limits_count what);

/* The same of a table of any generation, for who has none. */
struct limits_stats {
	char name[SEGMENT_NAME_CAP]; /* NUL-terminated; to be escaped */
	uint64_t counts[LIMITS_COUNTS];
};

/* Walk the tables of the segment: *at begins with 0. One that another process
 * works in just now is left out. */
bool limits_next(struct segment *s, const struct slots *slots,
    struct slot_name me, uint32_t *at, struct limits_stats *out);

/* Whether somebody has to be told that it is not exact, because keys were
 * forgotten or requests not counted since that was told last: to one process
 * a minute. */
bool limits_may_tell(struct limits *l, uint64_t now_us);

/* Mend what a dead process left in all tables of the segment. false: another
 * repairer works in one, call again. Steward only; may be repeated. */
bool limits_repair(struct segment *s, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool limits_check(const struct limits *l);

#endif
