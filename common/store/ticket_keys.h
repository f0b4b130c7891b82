/* store/ticket_keys: the keys of TLS session tickets, the same for all workers,
 * generations and masters, so that a session goes on wherever it comes back.
 * Knows nothing of TLS but the sizes of keys. The master draws the first key
 * before any worker is born; the steward adds the next one early, and readers
 * go over to it by the clock. Protocol: doc/shm.md 6.3. */
#ifndef GH_TICKET_KEYS_H
#define GH_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"

#define TICKET_NAME_LEN 16u
#define TICKET_AES_LEN 32u /* AES-256 */
#define TICKET_HMAC_LEN 32u /* HMAC-SHA256 */
/* A ticket is good for so long (RFC 8446 4.6.1 allows a week). */
#define TICKET_LIFE_MS (UINT64_C(2) * 3600 * 1000)
/* Places for keys: at the fastest rotation, one a minute, 120 that tickets may
 * still name, the current one, the next one, and the one being added. */
#define TICKET_KEYS_MAX 128u

/* A copy of one key; whoever has it wipes it. */
struct ticket_key {
	uint8_t name[TICKET_NAME_LEN];
	uint8_t aes[TICKET_AES_LEN];
	uint8_t hmac[TICKET_HMAC_LEN];
};

struct ticket_keys;

/* Map them; in the master (may_make) the first key is drawn when there is none.
 * NULL with errno. Its memory is the segment's: nothing is to be freed. */
struct ticket_keys *ticket_keys_map(struct segment *s, bool may_make);

/* Times are CLOCK_MONOTONIC, which all processes of a machine share and nobody
 * sets; the segment does not outlive the machine's run. */

/* The key to encrypt with. false: there is none at hand, give no ticket. */
bool ticket_keys_current(
    const struct ticket_keys *t, uint64_t now_ms, struct ticket_key *out);

enum ticket_find {
	TICKET_UNKNOWN, /* no such key, or its last ticket has ended */
	TICKET_CURRENT,
	TICKET_RENEW /* good, but the client should get a new ticket */
};

/* The key that a ticket names. */
enum ticket_find ticket_keys_find(const struct ticket_keys *t,
    const uint8_t name[TICKET_NAME_LEN], uint64_t now_ms,
    struct ticket_key *out);

/* Have a next key, which takes over `rotation_ms` after the one before it.
 * Steward with the lease only; cheap when there is nothing to do. Returns how
 * many keys were added, 0 also when it could not be done now. */
uint32_t ticket_keys_rotate(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, uint64_t now_ms, uint64_t rotation_ms);
/* Add the key that takes over at from_ms, but not before the one before it:
 * what a rotation does when it has drawn one. false: another writer is at
 * work. */
bool ticket_keys_add(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, const struct ticket_key *key, uint64_t from_ms);

/* Mend what a dead writer held; the key that it was adding is dropped. Steward
 * only; may be repeated. */
void ticket_keys_repair(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool ticket_keys_check(const struct ticket_keys *t);

#endif
