/* store/names: answers of name servers that all workers share: who has asked
 * spares the others the question. A place is a set of a few entries under one
 * lock; what does not fit is asked for again (doc/shm.md 6.2). */
#ifndef GH_NAMES_H
#define GH_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/dns.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

struct names;

/* Whose answers: a crowd of clients does not displace those of servers. */
enum names_of {
	NAMES_OF_SERVERS,
	NAMES_OF_CLIENTS /* and whether they are who they say (worker/exch) */
};

/* Map the table; in the master (may_make) it is made. NULL with errno. Its
 * memory is the segment's: nothing is to be freed. */
struct names *names_map(struct segment *s, enum names_of whose, bool may_make);

/* The answer for a name, if one is at hand whose time is not over at now_ms
 * (CLOCK_MONOTONIC); then *good_until_ms is its end. */
bool names_get(const struct names *t, span name, uint64_t now_ms,
    struct dns_answer *out, uint64_t *good_until_ms);
/* Keep one for all, in the place of the one that ends first. May be dropped. */
void names_put(struct names *t, const struct slots *slots, struct slot_name me,
    span name, const struct dns_answer *a, uint64_t good_until_ms);

/* Mend what a dead process held; what it wrote last is dropped. Steward only;
 * may be repeated. */
void names_repair(struct names *t, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool names_check(const struct names *t);

#endif
