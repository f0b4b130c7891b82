/* http/chars: see the header. The table is written out; a test holds it against
 * the grammars it stands for. */
#include "common/http/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Eight bytes of obs-text (RFC 9110 5.5). */
#define OBS8 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04
#define OBS32 OBS8, OBS8, OBS8, OBS8

/* clang-format off */
const uint8_t chars_classes[256] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 00 */
	0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 08 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 10 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 18 */
	0x04, 0x0f, 0x06, 0x05, 0x0f, 0x07, 0x0f, 0x0f, /* 20 */
	0x0e, 0x0e, 0x0f, 0x1f, 0x0e, 0x1f, 0x1f, 0x06, /* 28 */
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, /* 30 */
	0x3f, 0x3f, 0x06, 0x0e, 0x06, 0x0e, 0x06, 0x06, /* 38 */
	0x06, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x1f, /* 40 */
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, /* 48 */
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, /* 50 */
	0x1f, 0x1f, 0x1f, 0x06, 0x06, 0x06, 0x07, 0x0f, /* 58 */
	0x07, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x1f, /* 60 */
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, /* 68 */
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, /* 70 */
	0x1f, 0x1f, 0x1f, 0x06, 0x07, 0x06, 0x0f, 0x00, /* 78 */
	OBS32, OBS32, OBS32, OBS32
};
/* clang-format on */

int
char_hex(char c)
{
	if (char_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *
class_end(const char *p, const char *end, unsigned class)
{
	while (p < end && char_is(*p, class))
		p++;
	return p;
}

const char *
chars_token_end(const char *p, const char *end)
{
	return class_end(p, end, CHAR_TOKEN);
}

/* Exception: conditional code outside loop_*.c, because these two loops read
 * every byte of every head; without SSE2 the table does the same. */
#ifdef __SSE2__

#define VEC ((ptrdiff_t)sizeof(__m128i))

static inline __m128i
vec_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

const char *
chars_target_end(const char *p, const char *end)
{
	const __m128i blank = _mm_set1_epi8(' ');
	const __m128i hash = _mm_set1_epi8('#');
	const __m128i del = _mm_set1_epi8(0x7f);

	for (; end - p >= VEC; p += VEC) {
		__m128i v = vec_load(p);
		/* signed, so obs-text counts as below the blank */
		__m128i ok = _mm_cmpgt_epi8(v, blank);
		__m128i bad = _mm_or_si128(
		    _mm_cmpeq_epi8(v, hash), _mm_cmpeq_epi8(v, del));
		unsigned hits =
		    (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, ok));

		if (hits != 0xffff)
			return p + __builtin_ctz(~hits);
	}
	return class_end(p, end, CHAR_TARGET);
}

const char *
chars_value_end(const char *p, const char *end)
{
	const __m128i low = _mm_set1_epi8(0x1f);
	const __m128i tab = _mm_set1_epi8('\t');
	const __m128i del = _mm_set1_epi8(0x7f);

	for (; end - p >= VEC; p += VEC) {
		__m128i v = vec_load(p);
		__m128i ctl = _mm_cmpeq_epi8(_mm_min_epu8(v, low), v);
		unsigned hits;

		ctl = _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), ctl);
		ctl = _mm_or_si128(ctl, _mm_cmpeq_epi8(v, del));
		hits = (unsigned)_mm_movemask_epi8(ctl);
		if (hits != 0)
			return p + __builtin_ctz(hits);
	}
	return class_end(p, end, CHAR_VALUE);
}

#else

const char *
chars_target_end(const char *p, const char *end)
{
	return class_end(p, end, CHAR_TARGET);
}

const char *
chars_value_end(const char *p, const char *end)
{
	return class_end(p, end, CHAR_VALUE);
}

#endif

bool
chars_all(span s, unsigned class)
{
	return s.len > 0 && class_end(s.p, s.p + s.len, class) == s.p + s.len;
}
