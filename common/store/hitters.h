/* store/hitters: who comes most often of late, found in memory that does not
 * grow: for each kind a space-saving sketch (Metwally, Agrawal, El Abbadi:
 * "Efficient computation of frequent and top-k elements in data streams").
 * Counts are halved as time goes on. What cannot be noted at once is not. Knows
 * nothing of HTTP. Protocol and repair: doc/shm.md 6.14. */
#ifndef GH_HITTERS_H
#define GH_HITTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Names of a kind that are counted at once: whatever has more than this part of
 * all is among them. */
#define HITTERS_PLACES 256u
/* Bytes of a name that are kept; all of it tells it from others. */
#define HITTERS_TEXT 128u
/* Time after which all counts are halved. */
#define HITTERS_HALF_MS 60000u

enum hitter_kind {
#define HITTER_KIND(id, name, heading, unit) HITTER_##id,
#include "common/store/hitter_kind.def"
#undef HITTER_KIND
	HITTERS_N
};

struct hitters;

/* In the segment; may_make in the master only. NULL with errno. */
struct hitters *hitters_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation counts. false: there is none.
 * Master only. */
bool hitters_ready(struct hitters *h, struct segment *s);

/* A name, in two pieces that are one. */
struct hitter_name {
	span head;
	span tail;
};

/* It came `weight` times at now_ms (CLOCK_MONOTONIC). Never waits: while
 * another process has the kind, it is only counted as dropped. */
void hitters_note(struct hitters *h, struct slot_name me, enum hitter_kind kind,
    const struct hitter_name *name, uint64_t weight, uint64_t now_ms);

struct hitter {
	uint64_t count; /* it came so often, or less */
	uint64_t error; /* less by this at most */
	uint32_t len;
	bool is_cut; /* the name is longer than this */
	char text[HITTERS_TEXT];
};

/* The first of a kind, at most n of them, the most frequent first, as of
 * now_ms. Returns how many; 0 as well while the kind is busy. */
uint32_t hitters_top(struct hitters *h, const struct slots *slots,
    struct slot_name me, enum hitter_kind kind, uint64_t now_ms,
    struct hitter *out, uint32_t n);

/* Notes of all kinds that were dropped. */
uint64_t hitters_dropped(const struct hitters *h);

/* Halve what is due, also when nobody comes any more: what was counted fades
 * until nothing is left of it. */
void hitters_age(struct hitters *h, const struct slots *slots,
    struct slot_name me, uint64_t now_ms);
/* Nothing is left of anybody. */
void hitters_forget(
    struct hitters *h, const struct slots *slots, struct slot_name me);

/* Mend what a dead process left. Steward only; may be repeated. */
void hitters_repair(struct hitters *h, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool hitters_check(const struct hitters *h);

#endif
