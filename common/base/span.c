/* base/span: searching and cutting of borrowed text. */
#include "common/base/span.h"

void
ascii_lower_copy(char *to, span s)
{
	uint64_t w;
	size_t i = 0;

	for (; i + sizeof(w) <= s.len; i += sizeof(w)) {
		memcpy(&w, s.p + i, sizeof(w));
		w = ascii_lower_word(w);
		memcpy(to + i, &w, sizeof(w));
	}
	for (; i < s.len; i++)
		to[i] = ascii_lower(s.p[i]);
}

bool
span_ieq(span a, span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

int
span_cmp(span a, span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool
span_starts(span s, span prefix)
{
	return span_eq(span_first(s, prefix.len), prefix);
}

bool
span_ends(span s, span suffix)
{
	return s.len >= suffix.len &&
	       span_eq(span_from(s, s.len - suffix.len), suffix);
}

bool
span_iends(span s, span suffix)
{
	return s.len >= suffix.len &&
	       span_ieq(span_from(s, s.len - suffix.len), suffix);
}

ptrdiff_t
span_chr(span s, char c)
{
	const char *p = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return p == NULL ? -1 : p - s.p;
}

ptrdiff_t
span_rchr(span s, char c)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.p[i - 1] == c)
			return (ptrdiff_t)(i - 1);
	return -1;
}

ptrdiff_t
span_find(span s, span needle)
{
	const char *p;

	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return -1;
	/* linear, whatever repeats in either */
	p = memmem(s.p, s.len, needle.p, needle.len);
	return p == NULL ? -1 : p - s.p;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

span
span_trim(span s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool
span_cut(span *rest, char sep, span *head)
{
	ptrdiff_t at;

	if (rest->p == NULL)
		return false;
	at = span_chr(*rest, sep);
	if (at < 0) {
		*head = *rest;
		*rest = span_of(NULL, 0);
		return true;
	}
	*head = span_first(*rest, (size_t)at);
	*rest = span_from(*rest, (size_t)at + 1);
	return true;
}

span
span_before(span s, char c)
{
	ptrdiff_t at = span_chr(s, c);

	return at < 0 ? s : span_first(s, (size_t)at);
}

bool
span_word(span *rest, span *word)
{
	while (rest->len > 0 && is_blank(rest->p[0]))
		*rest = span_from(*rest, 1);
	*word = span_before(span_before(*rest, ' '), '\t');
	*rest = span_from(*rest, word->len);
	return word->len > 0;
}

/* Bytes up to a comma that stands outside of quotes. */
static size_t
member_len(span s)
{
	bool is_quoted = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (is_quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (s.p[i] == ',' && !is_quoted)
			break;
	}
	return i < s.len ? i : s.len;
}

bool
span_member(span *rest, span *member)
{
	while (rest->len > 0) {
		size_t n = member_len(*rest);

		*member = span_trim(span_first(*rest, n));
		*rest = span_from(*rest, n + 1);
		if (member->len > 0)
			return true;
	}
	return false;
}

bool
span_u64(span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		digit = (uint64_t)(s.p[i] - '0');
		if (v > (max - digit) / 10 || max < digit)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

size_t
span_utf8_len(span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	size_t left = s.len - at;
	size_t len;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

unsigned
span_utf8_steers(span s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned c;

	if (len == 2) {
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return c < 0xa0 ? c : 0;
	}
	if (len != 3)
		return 0;
	c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? c
									    : 0;
}
