/* base/span: text that somebody else owns, as pointer and length. Never
 * NUL-terminated by contract; a span of length 0 may have p == NULL. */
#ifndef GH_SPAN_H
#define GH_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct span {
	const char *p;
	size_t len;
} span;

/* A span over a string literal. */
#define SPAN_LIT(s) ((span){(s), sizeof(s) - 1})
/* printf helpers: printf("%.*s", SPAN_FMT(s)). */
#define SPAN_FMT(s) (int)(s).len, (s).p

static inline span
span_of(const char *p, size_t len)
{
	return (span){p, len};
}

/* A NUL-terminated string; NULL gives the empty span. */
static inline span
span_str(const char *s)
{
	return (span){s, s ? strlen(s) : 0};
}

static inline bool
span_eq(span a, span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII only, as protocol names want it; no locale. */
static inline char
ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

/* The same for eight bytes: bit 7 of a byte is carried into by exactly the
 * additions below when the byte is a capital, and becomes bit 5. */
static inline uint64_t
ascii_lower_word(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t low = w & 0x7f * ones;
	uint64_t from_a = low + (0x80 - 'A') * ones;
	uint64_t past_z = low + (0x7f - 'Z') * ones;

	return w | ((from_a & ~past_z & ~w & 0x80 * ones) >> 2);
}

/* Write s.len bytes. */
void ascii_lower_copy(char *to, span s);

/* Equal but for ASCII case. */
bool span_ieq(span a, span b);

/* The order of memcmp, the shorter first when one begins the other. */
int span_cmp(span a, span b);

bool span_starts(span s, span prefix);
bool span_ends(span s, span suffix);
bool span_iends(span s, span suffix);

/* Index of the first `c`, or -1. */
ptrdiff_t span_chr(span s, char c);
/* Index of the last `c`, or -1. */
ptrdiff_t span_rchr(span s, char c);
/* Index of the first occurrence of `needle`, or -1. Empty needle: 0. */
ptrdiff_t span_find(span s, span needle);

/* Without leading and trailing blanks (space and tab only). */
span span_trim(span s);

/* The rest of `s` from byte `n` on; n is capped to the length. */
static inline span
span_from(span s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return (span){s.p + n, s.len - n};
}

/* The first `n` bytes; n is capped to the length. */
static inline span
span_first(span s, size_t n)
{
	return (span){s.p, n < s.len ? n : s.len};
}

/* What stands before the first `c`; all when there is none. */
span span_before(span s, char c);

/* Take the text before the first `sep` off the front of *rest and put it into
 * *head; *rest is left after the separator. false when *rest was already used
 * up (p == NULL). The last part is what has no separator behind it. */
bool span_cut(span *rest, char sep, span *head);

/* Take the next word off the front of *rest: words are separated by spaces and
 * tabs. false when none is left. */
bool span_word(span *rest, span *word);

/* Take the next member of a comma-separated field value (RFC 9110 5.6.1) off
 * the front of *rest: empty members are skipped, blanks trimmed, commas inside
 * quoted strings do not separate. false when none is left. */
bool span_member(span *rest, span *member);

/* Decimal digits only, no sign, at least one: 0 .. max. false on anything
 * else. */
bool span_u64(span s, uint64_t max, uint64_t *out);

/* Length of the UTF-8 sequence at s.p[at] (RFC 3629), at < s.len; 0 when it is
 * broken. */
size_t span_utf8_len(span s, size_t at);
/* The number of a character of `len` bytes (span_utf8_len()) at the start that shows nothing and steers a terminal (C1, with a CSI of one character), or
 * the order or the ends of its lines (U+2028 to 202E, U+2066 to 2069); 0 for all
 * others. */
unsigned span_utf8_steers(span s, size_t len);

#endif
