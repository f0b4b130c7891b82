/* base/siphash: SipHash-2-4 after its paper. */
#include "common/base/siphash.h"

#include <endian.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/num.h"

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

/* Eight bytes, the first one lowest. */
static inline uint64_t
sip_load(const char *p)
{
	return le64toh(u64_load(p));
}

/* The last bytes of a text that do not make eight. */
static inline uint64_t
sip_tail(span t)
{
	size_t n = t.len % sizeof(uint64_t);
	const char *p = t.p + t.len - n;
	uint64_t m = 0;

	if (n > 0 && t.len > n)
		return sip_load(t.p + t.len - sizeof(m)) >> (64 - 8 * n);
	for (size_t i = 0; i < n; i++)
		m |= (uint64_t)(uint8_t)p[i] << (8 * i);
	return m;
}

static inline uint64_t
sip_case(uint64_t m, bool is_lower)
{
	return is_lower ? ascii_lower_word(m) : m;
}

static inline struct sip
sip_begin(const struct sipkey *k)
{
	return (struct sip){
	    k->k0 ^ UINT64_C(0x736f6d6570736575),
	    k->k1 ^ UINT64_C(0x646f72616e646f6d),
	    k->k0 ^ UINT64_C(0x6c7967656e657261),
	    k->k1 ^ UINT64_C(0x7465646279746573),
	};
}

static inline void
sip_text(struct sip *s, span t, bool is_lower)
{
	size_t i;

	/* arithmetic on an absent text is undefined */
	if (t.p == NULL)
		t.p = "";
	for (i = 0; i + 8 <= t.len; i += 8)
		sip_word(s, sip_case(sip_load(t.p + i), is_lower));
	sip_word(s, sip_case(sip_tail(t), is_lower) | (uint64_t)t.len << 56);
}

static inline uint64_t
sip_end(struct sip *s)
{
	for (int r = 0; r < 4; r++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t
sip_hash(const struct sipkey *k, span t, bool is_lower)
{
	struct sip s = sip_begin(k);

	sip_text(&s, t, is_lower);
	s.v2 ^= 0xff;
	return sip_end(&s);
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
siphash_pair(const struct sipkey *key, span t, uint64_t out[2])
{
	struct sip s = sip_begin(key);

	s.v1 ^= 0xee;
	sip_text(&s, t, false);
	s.v2 ^= 0xee;
	out[0] = sip_end(&s);
	s.v1 ^= 0xdd;
	out[1] = sip_end(&s);
}

void
sipkey_random(struct sipkey *key)
{
	REQUIRE(getrandom(key, sizeof(*key), 0) == sizeof(*key));
}
