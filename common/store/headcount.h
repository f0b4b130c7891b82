/* store/headcount: how many connections an address holds, counted once for all
 * workers and exactly: two that come at once never both get the last place. An
 * IPv6 address stands for its /64, which a client is given as a whole. Knows
 * nothing of sockets. Protocol and repair: doc/shm.md 6.13. */
#ifndef GH_HEADCOUNT_H
#define GH_HEADCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Pairs of an address and a process that can be counted. */
#define HEADCOUNT_PLACES 262144u

struct headcount;

/* In the segment; may_make in the master only. NULL with errno. */
struct headcount *headcount_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation counts. false: there is none.
 * Master only. */
bool headcount_ready(struct headcount *h, struct segment *s);

enum headcount_rc {
	HEADCOUNT_OK,
	HEADCOUNT_REFUSED, /* the address has as many as it may */
	HEADCOUNT_UNKNOWN /* not counted: no place, or who holds it is dead */
};

/* One connection more of the address, of which `max` may be in all. `name` is
 * of what counts (a listen): each counts by itself. *place is what leave wants,
 * 0 when nothing was counted. */
enum headcount_rc headcount_enter(struct headcount *h,
    const struct slots *slots, struct slot_name me, span name,
    const struct ip *ip, uint32_t max, uint32_t *place);
/* It has ended, for the process that entered it. 0 is nothing. */
void headcount_leave(struct headcount *h, struct slot_name me, uint32_t place);

/* All that is counted now, for tests and people. */
uint64_t headcount_sum(const struct headcount *h);

/* The connections of a dead process are none. Steward only; may be repeated. */
void headcount_repair(struct headcount *h, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool headcount_check(const struct headcount *h);

#endif
