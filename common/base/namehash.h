/* base/namehash: the hash of a host's name, from its last byte to its first, so
 * that one walk over a host makes those of all the names that it is below. For
 * base/domains and base/catdb; the seed is random, so that nobody can choose
 * names that meet. */
#ifndef GH_NAMEHASH_H
#define GH_NAMEHASH_H

#include <stdint.h>

#include "common/base/span.h"

/* Odd, and no pattern in its bits: the golden ratio, as in Knuth's
 * multiplicative hashing. */
#define NAMEHASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define NAMEHASH_SHIFT 32

/* The state after the byte before: begin with the seed. */
static inline uint64_t
namehash_step(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * NAMEHASH_FACTOR;
}

/* The hash of what was stepped over. */
static inline uint32_t
namehash_end(uint64_t h)
{
	return (uint32_t)((h ^ h >> NAMEHASH_SHIFT) * NAMEHASH_FACTOR >>
			  NAMEHASH_SHIFT);
}

/* Of a whole name. */
static inline uint32_t
namehash(uint64_t seed, span name)
{
	uint64_t h = seed;

	for (size_t i = name.len; i-- > 0;)
		h = namehash_step(h, name.p[i]);
	return namehash_end(h);
}

#endif
