/* exch/share: turns are the fractional parts of the multiples of an irrational
 * number, which fill the unit evenly however many are looked at (Weyl). Two
 * uses take two numbers that are independent of each other, or all copies would
 * come from the same share of a split. */
#include "worker/exch/share.h"

#include "common/base/siphash.h"
#include "worker/exch/worker.h"

/* 1/p and 1/p^2 of the plastic number p in units of 2^-64 (Roberts, "The
 * Unreasonable Effectiveness of Quasirandom Sequences"). */
static const uint64_t share_steps[SHARE_USES] = {
    [SHARE_SPLIT] = 0xc13fa9a902a6328f,
    [SHARE_MIRROR] = 0x91e10da5c79e7b1d,
};

/* Fixed: keys stay where they are over reloads and on other machines. Not the
 * one of `balance = hash`, which would put a share on few servers. */
static const struct sipkey share_key = {0x7368617265, 0x6761746568};

/* The upper half of the number as a fraction. */
static uint32_t
share_of(uint64_t v)
{
	return (uint32_t)((v >> 32) * SHARE_WHOLE >> 32);
}

uint32_t
share_turn(struct worker *w, enum share_use use)
{
	/* where a worker begins is chance: many that serve little would
	 * otherwise all begin alike */
	if (w->shares[use] == 0) {
		struct sipkey key;

		sipkey_random(&key);
		w->shares[use] = key.k0;
	}
	w->shares[use] += share_steps[use];
	return share_of(w->shares[use]);
}

uint32_t
share_place(span key)
{
	return share_of(siphash(&share_key, key));
}
