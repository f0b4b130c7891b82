/* http/chars: which bytes may stand where in HTTP text, as one table, and the
 * searches over it that every parser shares. Pure. */
#ifndef GH_CHARS_H
#define GH_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

enum {
	CHAR_TOKEN = 1, /* RFC 9110 5.6.2 tchar */
	CHAR_TARGET = 2, /* visible ASCII but '#' */
	CHAR_VALUE = 4, /* field values: blanks, visible ASCII, obs-text */
	CHAR_HOST = 8, /* RFC 3986 3.2.2 reg-name without escapes */
	CHAR_SCHEME = 16, /* RFC 3986 3.1, not as its first byte */
	CHAR_HEX = 32
};

extern const uint8_t chars_classes[256];

static inline bool
char_is(char c, unsigned class)
{
	return (chars_classes[(uint8_t)c] & class) != 0;
}

static inline bool
char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
char_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Value of a hexadecimal digit, -1 for any other byte. */
int char_hex(char c);

/* First byte at or after p that is not CHAR_TOKEN, `end` when there is none.
 * Nothing at or after `end` is read; so for the others. */
const char *chars_token_end(const char *p, const char *end);
/* The same for CHAR_TARGET and CHAR_VALUE. */
const char *chars_target_end(const char *p, const char *end);
const char *chars_value_end(const char *p, const char *end);

/* Whether all bytes are of the class, and there is at least one. */
bool chars_all(span s, unsigned class);

#endif
