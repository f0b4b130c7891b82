/* base/siphash: SipHash-2-4 with 64-bit and 128-bit result (Aumasson, Bernstein:
 * "SipHash: a fast short-input PRF"), so that a peer cannot choose colliding
 * keys. */
#ifndef GH_SIPHASH_H
#define GH_SIPHASH_H

#include <stdint.h>

#include "common/base/span.h"

struct sipkey {
	uint64_t k0;
	uint64_t k1;
};

uint64_t siphash(const struct sipkey *key, span s);
/* The same after lowering ASCII letters. */
uint64_t siphash_lower(const struct sipkey *key, span s);
/* The 128 bits, the first 64 in out[0]: one pass for two hashes of a text. */
void siphash_pair(const struct sipkey *key, span s, uint64_t out[2]);
/* A random key from getrandom(2). */
void sipkey_random(struct sipkey *key);

#endif
