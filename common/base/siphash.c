/* base/siphash: SipHash-2-4 after its paper. */
#include "common/base/siphash.h"

#include <endian.h>
#include <sys/random.h>

#include "common/base/check.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

/* Up to eight bytes, the first one lowest. */
static uint64_t
sip_tail(const char *p, size_t n)
{
	uint64_t m = 0;

	for (size_t i = 0; i < n; i++)
		m |= (uint64_t)(uint8_t)p[i] << (8 * i);
	return m;
}

/* The same for eight: one load. */
static uint64_t
sip_load(const char *p)
{
	uint64_t m;

	memcpy(&m, p, sizeof(m));
	return le64toh(m);
}

/* Its ASCII letters lowered, all at once: a letter's high half differs from the
 * other case's by one bit, which bytes that are no letters keep. */
static uint64_t
sip_lower(uint64_t m)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t low = m & 0x7f * ones;
	/* bit 7 of each byte: at least 'A', above 'Z' */
	uint64_t from_a = low + (0x80 - 'A') * ones;
	uint64_t past_z = low + (0x80 - 'Z' - 1) * ones;
	uint64_t is_upper = from_a & ~past_z & ~m & 0x80 * ones;

	return m | is_upper >> 2;
}

static uint64_t
sip_case(uint64_t m, bool is_lower)
{
	return is_lower ? sip_lower(m) : m;
}

static uint64_t
sip_hash(const struct sipkey *k, span t, bool is_lower)
{
	struct sip s = {
	    k->k0 ^ UINT64_C(0x736f6d6570736575),
	    k->k1 ^ UINT64_C(0x646f72616e646f6d),
	    k->k0 ^ UINT64_C(0x6c7967656e657261),
	    k->k1 ^ UINT64_C(0x7465646279746573),
	};
	size_t i;

	/* arithmetic on an absent text is undefined */
	if (t.p == NULL)
		t.p = "";
	for (i = 0; i + 8 <= t.len; i += 8)
		sip_word(&s, sip_case(sip_load(t.p + i), is_lower));
	sip_word(&s, sip_case(sip_tail(t.p + i, t.len - i), is_lower) |
			 (uint64_t)t.len << 56);
	s.v2 ^= 0xff;
	for (int r = 0; r < 4; r++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t
siphash(const struct sipkey *key, span s)
{
	return sip_hash(key, s, false);
}

uint64_t
siphash_lower(const struct sipkey *key, span s)
{
	return sip_hash(key, s, true);
}

void
sipkey_random(struct sipkey *key)
{
	REQUIRE(getrandom(key, sizeof(*key), 0) == sizeof(*key));
}
