/* store/rulehits: how often each rule of a firewall matched, and refused, by its
 * number: a table that all workers add to. What finds no place any more is
 * counted together. Knows nothing of rules. Protocol: doc/shm.md 6.22. */
#ifndef GH_RULEHITS_H
#define GH_RULEHITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"

/* Rules that are counted by themselves, the first ones that matched. */
#define RULEHITS_KEPT 512u

enum rulehit { RULEHIT_MATCHED, RULEHIT_REFUSED, RULEHITS };

struct rulehits_row {
	uint64_t rule; /* 0: all that have no row */
	uint64_t n[RULEHITS];
};

struct rulehits;

/* In the segment; may_make in the master only. NULL with errno. */
struct rulehits *rulehits_map(struct segment *s, bool may_make);
/* rule: not 0. */
void rulehits_add(struct rulehits *t, uint64_t rule, enum rulehit what);
/* The next row at or behind *at (zero to begin), which moves on; in no order,
 * those without a row last. false: no more. */
bool rulehits_next(
    const struct rulehits *t, uint32_t *at, struct rulehits_row *out);

#endif
