/* base/num: arithmetic that cannot overflow in silence. */
#ifndef GH_NUM_H
#define GH_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* *out = a * b; false when it does not fit. */
static inline bool
size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* *out = a + b; false when it does not fit. */
static inline bool
size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline uint64_t
u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
i64_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
i64_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t
u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline size_t
size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What stands there, aligned or not, in the machine's own order. */
static inline uint64_t
u64_load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
u32_load(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Decimal text of v without a NUL into out (room for 20 bytes). Returns the
 * number of bytes written. */
size_t u64_format(uint64_t v, char *out);

/* Lower-case hexadecimal text of v without a NUL into out (room for 16 bytes).
 * Returns the number of bytes written. */
size_t u64_format_hex(uint64_t v, char *out);
/* All 16 digits of it, zeros first. */
void u64_format_hex16(uint64_t v, char *out);

#endif
