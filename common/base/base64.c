/* base/base64: see base64.h. */
#include "common/base/base64.h"

#define BITS 6
#define MASK 0x3fu

static const char plain[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What a character stands for, or -1. */
static int
digit(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet[62])
		return 62;
	return c == alphabet[63] ? 63 : -1;
}

/* Four of them: three bytes. */
static bool
read_four(const char *p, const char *alphabet, char *out)
{
	int a = digit(p[0], alphabet);
	int b = digit(p[1], alphabet);
	int c = digit(p[2], alphabet);
	int d = digit(p[3], alphabet);

	if ((a | b | c | d) < 0)
		return false;
	out[0] = (char)(a << 2 | b >> 4);
	out[1] = (char)(b << 4 | c >> 2);
	out[2] = (char)(c << 6 | d);
	return true;
}

/* Characters without padding. */
static bool
read_digits(span s, const char *alphabet, char *out, size_t *len)
{
	unsigned held = 0;
	unsigned n_bits = 0;

	*len = 0;
	for (; s.len >= 4; s = span_from(s, 4), out += 3, *len += 3) {
		if (!read_four(s.p, alphabet, out))
			return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		int d = digit(s.p[i], alphabet);

		if (d < 0)
			return false;
		held = held << BITS | (unsigned)d;
		n_bits += BITS;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		*out++ = (char)(held >> n_bits & 0xff);
		(*len)++;
		held &= (1u << n_bits) - 1;
	}
	/* a lone character, or bits of no byte that are not 0 */
	return n_bits < BITS && held == 0;
}

bool
base64_read(span s, char *out, size_t *len)
{
	*len = 0;
	if (s.len % 4 != 0)
		return false;
	for (unsigned i = 0; i < 2 && s.len > 0 && s.p[s.len - 1] == '='; i++)
		s.len--;
	return read_digits(s, plain, out, len);
}

bool
base64url_read(span s, char *out, size_t *len)
{
	return read_digits(s, for_urls, out, len);
}

static size_t
write_digits(span s, const char *alphabet, char *out)
{
	unsigned held = 0;
	unsigned n_bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		held = (held << 8 | (unsigned char)s.p[i]) & 0xffff;
		n_bits += 8;
		while (n_bits >= BITS) {
			n_bits -= BITS;
			out[n++] = alphabet[held >> n_bits & MASK];
		}
	}
	if (n_bits > 0)
		out[n++] = alphabet[held << (BITS - n_bits) & MASK];
	return n;
}

size_t
base64_write(span s, char *out)
{
	size_t n = write_digits(s, plain, out);

	while (n % 4 != 0)
		out[n++] = '=';
	return n;
}

size_t
base64url_write(span s, char *out)
{
	return write_digits(s, for_urls, out);
}
