/* base/num: numbers as text. */
#include "common/base/num.h"

#include <endian.h>
#include <string.h>

/* Both digits of each number below 100. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

/* Counted first, digits need not be copied: most numbers here are short. */
static size_t
digits_of(uint64_t v)
{
	size_t len = 1;

	for (; v >= 10000; v /= 10000)
		len += 4;
	return len + (v >= 10) + (v >= 100) + (v >= 1000);
}

size_t
u64_format(uint64_t v, char *out)
{
	size_t len, at;

	if (v < 10) {
		out[0] = (char)('0' + v);
		return 1;
	}
	len = digits_of(v);
	at = len;
	for (; v >= 100; v /= 100)
		memcpy(out + (at -= 2), pairs + 2 * (v % 100), 2);
	if (at == 1)
		out[0] = (char)('0' + v);
	else
		memcpy(out, pairs + 2 * v, 2);
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
