/* base/base64: base64 (RFC 4648 4 and 5), read strictly: one text for each row
 * of bytes, so that nobody has two spellings for what is compared as text. */
#ifndef GH_BASE64_H
#define GH_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/span.h"

/* Room for the bytes of n characters, and for the characters of n bytes. */
#define BASE64_BYTES(n) ((n) / 4 * 3 + 3)
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)

/* Bytes of a text with padding into out (BASE64_BYTES(s.len) bytes); *len: how
 * many. false: a foreign character, padding that is missing or too much, or
 * bits that belong to no byte. */
bool base64_read(span s, char *out, size_t *len);
/* The same in the alphabet for URLs, without padding (RFC 7515 2). */
bool base64url_read(span s, char *out, size_t *len);
/* Write them with padding, BASE64_CHARS(s.len) characters; no NUL. Returns how
 * many. */
size_t base64_write(span s, char *out);
/* In the alphabet for URLs, without padding. */
size_t base64url_write(span s, char *out);

#endif
