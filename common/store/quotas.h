/* store/quotas: how much of what a name may use of a day is used, counted once
 * for all workers, and for whoever writes it to a file. A name that is not met
 * on a later day has used nothing. Knows nothing of HTTP, clocks or zones: days
 * are numbers. Protocol and repair: doc/shm.md 6.15. */
#ifndef GH_QUOTAS_H
#define GH_QUOTAS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Names at once; where its places are all taken, a new one takes the place of
 * the one that was met on the earliest day and then has used least. */
#define QUOTAS_MAX 16384u
/* Bytes of a name; of longer ones the first tell them from others. */
#define QUOTA_NAME_MAX 104u
/* The most that is counted. */
#define QUOTA_USED_MAX (UINT64_C(1) << 60)

struct quotas;

/* In the segment; may_make in the master only. NULL with errno. */
struct quotas *quotas_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation counts. false: there is none.
 * Master only. */
bool quotas_ready(struct quotas *q, struct segment *s);
bool quotas_is_ready(const struct quotas *q);

/* Add what it used on that day; *used is what it has used of it then. A day
 * that is one earlier than it was met on is that day. false: its place is held
 * by one who is dead or busy, and nothing was counted. */
bool quotas_spend(struct quotas *q, const struct slots *slots,
    struct slot_name me, span name, int32_t day, uint64_t bytes,
    uint64_t *used);

struct quota {
	int32_t day;
	uint32_t len;
	uint64_t used;
	char name[QUOTA_NAME_MAX];
};

/* What a file remembered: added, unless a later day has begun for the name. */
bool quotas_restore(struct quotas *q, const struct slots *slots,
    struct slot_name me, const struct quota *from);

/* Walk all, in no order: *at begins with 0. Places that are busy are left out.
 */
bool quotas_next(struct quotas *q, const struct slots *slots,
    struct slot_name me, uint32_t *at, struct quota *out);

/* Sums since the table was made: names forgotten before their day was over;
 * what could not be counted; changes. */
uint64_t quotas_evicted(const struct quotas *q);
uint64_t quotas_missed(const struct quotas *q);
uint64_t quotas_changes(const struct quotas *q);

/* Whether a file was read into it, or need not be. */
bool quotas_is_loaded(const struct quotas *q);
void quotas_set_loaded(struct quotas *q);

/* Mend what a dead process left. Steward only; may be repeated. */
void quotas_repair(struct quotas *q, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool quotas_check(const struct quotas *q);

#endif
