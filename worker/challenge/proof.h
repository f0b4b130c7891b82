/* challenge/proof: a proof of work that a browser carries in a cookie. Pure: no
 * clock, no exchange; nothing is remembered of a task that was given.
 *
 *   task   1.TIME.BITS.SEAL    TIME: seconds since 1970; SEAL: 24 hexadecimal
 *                              digits over the rest and who it was given to
 *   proof  TASK.NONCE          SHA-256 of this text begins with BITS zero bits;
 *                              NONCE: decimal, 10 digits at most
 */
#ifndef GH_PROOF_H
#define GH_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/siphash.h"
#include "common/base/span.h"

/* A proof fits into one block of SHA-256, so that browsers are quick. */
#define PROOF_MAX 55u
#define PROOF_TASK_MAX 44u
#define PROOF_BITS_MIN 8u
#define PROOF_BITS_MAX 28u

struct proof_key {
	struct sipkey seal[2];
};

/* From a secret that machines share: SHA-256 of it. */
void proof_key_make(span secret, struct proof_key *out);

/* Whom a task is for: nobody else can use its proof. */
struct proof_for {
	span client; /* address or network, as text */
	span host;
};

/* The task; its length. */
size_t proof_task(const struct proof_key *key, const struct proof_for *who,
    uint64_t now_s, unsigned bits, char out[PROOF_TASK_MAX]);

enum proof_rc {
	PROOF_GOOD,
	PROOF_NONE, /* it is no proof of ours for them */
	PROOF_OLD, /* it was one, or is of another clock */
	PROOF_WEAK /* less work than is asked, or not done */
};

/* What holds now. */
struct proof_rule {
	unsigned bits;
	uint64_t ttl_s;
	uint64_t now_s;
};

enum proof_rc proof_judge(const struct proof_key *key,
    const struct proof_for *who, const struct proof_rule *rule, span text);

#endif
