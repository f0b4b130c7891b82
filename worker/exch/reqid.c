/* exch/reqid: unique without asking anybody: the worker's random salt and its
 * own count, mixed so that neighbours do not look alike. */
#include "worker/exch/reqid.h"

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "worker/exch/exch.h"

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection, so that
 * two counts of a worker never give the same name. */
static uint64_t
reqid_mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
	return v ^ (v >> 31);
}

void
reqid_make(struct exch *x)
{
	uint64_t seq;
	char *p;

	if (x->request_id.len > 0)
		return;
	if (x->w->request_seq == 0) {
		struct sipkey key;

		sipkey_random(&key);
		x->w->id_salt = key.k0;
	}
	seq = ++x->w->request_seq;
	p = arena_alloc(&x->arena, REQID_LEN);
	u64_format_hex16(reqid_mix(x->w->id_salt + seq), p);
	u64_format_hex16(
	    reqid_mix(~x->w->id_salt ^ (seq << 32)), p + REQID_LEN / 2);
	x->request_id = span_of(p, REQID_LEN);
}

static bool
reqid_char_is_fine(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("-_.:=+/@", c) != NULL);
}

bool
reqid_is_fine(span s)
{
	if (s.len == 0 || s.len > REQID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!reqid_char_is_fine(s.p[i]))
			return false;
	return true;
}
