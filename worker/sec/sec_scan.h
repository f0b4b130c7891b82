/* sec_scan: what the transformations share: looking for the first byte that
 * matters, sixteen at a time, and a result that is not written before it
 * differs from the text. */
#ifndef GH_SEC_SCAN_H
#define GH_SEC_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/span.h"

/* Exception: written with the vectors of the C compilers, which become SSE2,
 * NEON or plain words; so there is no conditional code. */
typedef uint8_t sec_bytes __attribute__((vector_size(16)));

#define SEC_BYTES (sizeof(sec_bytes))
#define SEC_IS_LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Bytes of v that matter become all ones, others 0. */
typedef sec_bytes sec_look_f(sec_bytes v);

#define SEC_INLINE static inline __attribute__((always_inline))

SEC_INLINE sec_bytes
sec_is(sec_bytes v, char c)
{
	return (sec_bytes)(v == (uint8_t)c);
}

/* From a to z, both of them in. */
SEC_INLINE sec_bytes
sec_is_in(sec_bytes v, char a, char z)
{
	return (
	    sec_bytes)(v - (uint8_t)a <= (uint8_t)((uint8_t)z - (uint8_t)a));
}

/* White space of C, and the blank that does not break. */
SEC_INLINE sec_bytes
sec_is_white(sec_bytes v)
{
	return sec_is_in(v, '\t', '\r') | sec_is(v, ' ') | sec_is(v, '\xa0');
}

static inline bool
sec_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline size_t
sec_first_in(uint64_t word)
{
	int bits =
	    SEC_IS_LITTLE ? __builtin_ctzll(word) : __builtin_clzll(word);

	return (size_t)bits / 8;
}

/* Index of the first byte of v that is not 0, or 16. */
SEC_INLINE size_t
sec_first(sec_bytes v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(half));
	if (half[0] != 0)
		return sec_first_in(half[0]);
	return half[1] != 0 ? 8 + sec_first_in(half[1]) : SEC_BYTES;
}

static inline uint64_t
sec_word(const char *p, size_t len)
{
	uint64_t w = 0;

	memcpy(&w, p, len);
	return w;
}

/* Up to seven bytes, the first one lowest: what is read twice is the same. */
static inline uint64_t
sec_short_word(const char *p, size_t len)
{
	if (len >= 4)
		return sec_word(p, 4) | sec_word(p + len - 4, 4)
					    << (len - 4) * 8;
	if (len == 0)
		return 0;
	return (uint64_t)(uint8_t)p[0] |
	       (uint64_t)(uint8_t)p[len / 2] << len / 2 * 8 |
	       (uint64_t)(uint8_t)p[len - 1] << (len - 1) * 8;
}

/* Fewer than sixteen bytes, without a call and without reading past them. */
static inline sec_bytes
sec_short(const char *p, size_t len)
{
	uint64_t half[2] = {0, 0};
	sec_bytes v;

	if (!SEC_IS_LITTLE) {
		memcpy(half, p, len);
	} else if (len < 8) {
		half[0] = sec_short_word(p, len);
	} else {
		half[0] = sec_word(p, 8);
		half[1] = sec_short_word(p + 8, len - 8);
	}
	memcpy(&v, half, sizeof(v));
	return v;
}

/* What is left behind `at`, fewer than sixteen bytes. */
SEC_INLINE size_t
sec_scan_tail(span s, size_t at, sec_look_f look)
{
	const sec_bytes lane = {
	    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	size_t n = s.len - at;
	sec_bytes hits = look(sec_short(s.p + at, n));
	size_t hit = sec_first(hits & (sec_bytes)(lane < (uint8_t)n));

	return hit < SEC_BYTES ? at + hit : s.len;
}

/* The first byte at or behind `at` that matters, s.len when none does. */
SEC_INLINE size_t
sec_scan(span s, size_t at, sec_look_f look)
{
	for (; s.len - at >= SEC_BYTES; at += SEC_BYTES) {
		sec_bytes v;
		size_t hit;

		memcpy(&v, s.p + at, sizeof(v));
		hit = sec_first(look(v));
		if (hit < SEC_BYTES)
			return at + hit;
	}
	return at == s.len ? at : sec_scan_tail(s, at, look);
}

/* The first `c` at or behind `at`, s.len when there is none. */
static inline size_t
sec_chr(span s, size_t at, char c)
{
	const char *p = at < s.len ? memchr(s.p + at, c, s.len - at) : NULL;

	return p == NULL ? s.len : (size_t)(p - s.p);
}

/* A text that is copied but for some of its parts. */
struct sec_edit {
	span in;
	char *out;
	size_t n; /* bytes written */
	size_t from; /* what comes from here on is not copied yet */
};

/* Copy as far as `at`, and leave out the `used` bytes there. */
static inline void
sec_edit_cut(struct sec_edit *e, size_t at, size_t used)
{
	if (at > e->from) {
		memcpy(e->out + e->n, e->in.p + e->from, at - e->from);
		e->n += at - e->from;
	}
	e->from = at + used;
}

/* The same, with a byte in their place. */
static inline void
sec_edit_put(struct sec_edit *e, size_t at, size_t used, char c)
{
	sec_edit_cut(e, at, used);
	e->out[e->n++] = c;
}

static inline span
sec_edit_done(struct sec_edit *e)
{
	if (e->from == 0)
		return e->in;
	sec_edit_cut(e, e->in.len, 0);
	return span_of(e->out, e->n);
}

#endif
