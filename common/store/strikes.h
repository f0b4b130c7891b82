/* store/strikes: which first flights of TLS with early data were seen already,
 * so that a copy of one is not taken for a new one (RFC 8446 8.2), whichever
 * worker, generation or master it comes to. Knows nothing of TLS: what is
 * recorded is any text that is the client's own. In doubt the answer is that it
 * was seen. Protocol: doc/shm.md 6.4. */
#ifndef GH_STRIKES_H
#define GH_STRIKES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* How long one is remembered. A ClientHello is fresh to OpenSSL for 10 s and a
 * second on either side (its clock counts seconds). */
#define STRIKES_WINDOW_MS 15000u
/* One that is in the past by more than this was set back: then it may be fresh
 * again what was forgotten. */
#define STRIKES_SLACK_MS 1000u
/* How many are remembered, if chance spreads them evenly. */
#define STRIKES_MAX 40960u

struct strikes;

/* Map the register; in the master (may_make) it is made, and usable after
 * strikes_ready(). NULL with errno. Its memory is the segment's. */
struct strikes *strikes_map(struct segment *s, bool may_make);
/* Some generation accepts early data: commit the memory. Nothing is fresh
 * before a window has passed since then, because nobody knows what was seen
 * before. false: no memory. Master only; may be repeated. */
bool strikes_ready(struct strikes *t, struct segment *s, uint64_t wall_ms);

/* Whether nobody was given true for this text before; then it is recorded.
 * false also when that is not known: too early, no place, a lock that a dead
 * process holds, a clock that was set back. wall_ms: CLOCK_REALTIME, because
 * that is what the age of a ticket is measured by. */
bool strikes_take(struct strikes *t, const struct slots *slots,
    struct slot_name me, span text, uint64_t wall_ms);

/* Mend what a dead process held; what it was recording was given to nobody.
 * Steward only; may be repeated. */
void strikes_repair(struct strikes *t, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool strikes_check(const struct strikes *t);

#endif
