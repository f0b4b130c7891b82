/* base/num: numbers as text. */
#include "common/base/num.h"

#include <endian.h>
#include <string.h>

size_t
u64_format(uint64_t v, char *out)
{
	size_t len = 1;

	/* counting first saves the copy: most numbers here are short */
	for (uint64_t rest = v; rest >= 10; rest /= 10)
		len++;
	for (size_t at = len; at > 0; v /= 10)
		out[--at] = (char)('0' + v % 10);
	return len;
}

size_t
u64_format_hex(uint64_t v, char *out)
{
	char digits[16];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v > 0);
	memcpy(out, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

/* Eight digits at once: each half byte gets a byte of its own, the highest the
 * highest. */
static void
hex_half(uint32_t v, char *out)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t w = v;
	uint64_t is_letter;

	w = (w << 16 | w) & UINT64_C(0x0000ffff0000ffff);
	w = (w << 8 | w) & UINT64_C(0x00ff00ff00ff00ff);
	w = (w << 4 | w) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	is_letter = ((w + 6 * ones) >> 4) & ones;
	w = htobe64(w + '0' * ones + is_letter * ('a' - '0' - 10));
	memcpy(out, &w, sizeof(w));
}

void
u64_format_hex16(uint64_t v, char *out)
{
	hex_half((uint32_t)(v >> 32), out);
	hex_half((uint32_t)v, out + 8);
}
