/* store/staples: what was fetched and found good, for the workers of all
 * generations and masters: OCSP answers by the steward, to be stapled, and sets
 * of keys (worker/auth/jwks). Found by the SHA-256 of the
 * certificate, or of what names the set; knows nothing of what is in them but the time they are good
 * for. Protocol: doc/shm.md 6.5. */
#ifndef GH_STAPLES_H
#define GH_STAPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

#define STAPLE_PRINT_LEN 32u /* SHA-256 */
/* Bytes of one answer at most. */
#define STAPLE_CAP 8128u
/* Places; nearly all of them can be used, see STAPLE_WINDOW. */
#define STAPLES_MAX 512u
/* Where one may stand: from the place that its first bytes name, so many. */
#define STAPLE_WINDOW 16u

/* Times are seconds since 1970. */
struct staple {
	span der;
	int64_t since_s; /* from when it is good */
	int64_t until_s; /* the first second at which it is not */
};

struct staples;

/* Map them; in the master (may_make) they are made, and usable after
 * staples_ready(). NULL with errno. Its memory is the segment's. */
struct staples *staples_map(struct segment *s, bool may_make);
/* Some generation fetches something: commit the memory (4 MiB). false: no
 * memory. Master only; may be repeated. */
bool staples_ready(struct staples *t, struct segment *s);

/* Copy the answer for a certificate to `out`, of STAPLE_CAP bytes; what is
 * returned points there. false: there is none that ends after now_s, or it is
 * being written. No system call. */
bool staples_find(const struct staples *t,
    const uint8_t print[STAPLE_PRINT_LEN], int64_t now_s, char *out,
    struct staple *found);

/* Keep an answer (at most STAPLE_CAP bytes, not empty) in place of the one
 * before it. false: another is writing, or all places where it may stand hold
 * answers that are good. */
bool staples_put(struct staples *t, const struct slots *slots,
    struct slot_name me, const uint8_t print[STAPLE_PRINT_LEN],
    const struct staple *s, int64_t now_s);
/* The one for this certificate is good no more. false: another is writing. */
bool staples_drop(struct staples *t, const struct slots *slots,
    struct slot_name me, const uint8_t print[STAPLE_PRINT_LEN]);

/* Mend what a dead writer held; the answer that it was writing is dropped.
 * Steward only; may be repeated. */
void staples_repair(struct staples *t, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool staples_check(const struct staples *t);

#endif
