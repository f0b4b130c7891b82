/* store/bans: addresses that are not heard until a time, seen by all workers at
 * once. An IPv6 address stands for its /64, which a client is given as a whole.
 * To ask costs no lock, and next to nothing while nobody is banned. Survives
 * reloads, upgrades and deaths. Protocol and repair: doc/shm.md 6.12. */
#ifndef GH_BANS_H
#define GH_BANS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Bans at once. In a full table, or where its places are all taken, a new one
 * takes the place of the one that would end first. */
#define BANS_MAX 40960u
/* The longest: a year. */
#define BANS_MS_MAX (UINT64_C(366) * 86400 * 1000)

enum ban_why {
#define BAN_WHY(id, name) BAN_WHY_##id,
#include "common/store/ban_why.def"
#undef BAN_WHY
	BAN_WHY_N
};

struct bans;

/* In the segment; may_make in the master only. NULL with errno. */
struct bans *bans_map(struct segment *s, bool may_make);

/* Whether it is banned at now_ms (CLOCK_MONOTONIC). */
bool bans_has(const struct bans *b, const struct ip *ip, uint64_t now_ms);

/* Ban it for so long, at most BANS_MS_MAX; one that is banned already is banned
 * until the later of the two. false: its places are held by one who is dead or
 * busy, and nothing was done. */
bool bans_add(struct bans *b, const struct slots *slots, struct slot_name me,
    const struct ip *ip, enum ban_why why, uint64_t now_ms, uint64_t for_ms);

enum bans_rc { BANS_OK, BANS_NONE /* it is not banned */, BANS_BUSY };

enum bans_rc bans_lift(struct bans *b, const struct slots *slots,
    struct slot_name me, const struct ip *ip, uint64_t now_ms);

struct ban {
	struct ip ip; /* of IPv6 the first of its network */
	enum ban_why why;
	uint64_t until_ms;
};

/* Walk all that hold at now_ms, in no order: *at begins with 0. */
bool bans_next(
    const struct bans *b, uint64_t now_ms, uint32_t *at, struct ban *out);
const char *ban_why_name(enum ban_why why);

/* Sums since the table was made. */
uint64_t bans_added(const struct bans *b);
/* Bans that ended before their time, for want of places. */
uint64_t bans_evicted(const struct bans *b);

/* Mend what a dead process left. Steward only; may be repeated. */
void bans_repair(struct bans *b, const struct slots *slots, struct slot_name me,
    uint32_t dead);
/* Whether all is whole, while nobody works. */
bool bans_check(const struct bans *b);

#endif
