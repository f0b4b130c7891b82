/* base/num: numbers as text. */
#include "common/base/num.h"

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
