/* http/coding: content codings (RFC 9110 8.4.1) and what a client says of them
 * in Accept-Encoding (12.5.3). Pure; allocates nothing. */
#ifndef GH_CODING_H
#define GH_CODING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/http/msg.h"

enum coding {
	CODING_IDENTITY, /* the bytes as they are */
	CODING_GZIP, /* RFC 1952 */
	CODING_BR, /* RFC 7932 */
	CODING_ZSTD, /* RFC 8878 */
	CODING_DCZ, /* RFC 9842: zstd with a dictionary that the client has */
	CODING_DCB, /* the same with brotli */
	CODING_N /* any other */
};

/* The name on the wire, which is also that of the configuration. Not of
 * CODING_N. */
span coding_name(enum coding c);
/* Without case; `x-gzip` is gzip (RFC 9110 8.4.1.3). CODING_N: unknown. */
enum coding coding_find(span name);
/* Whether it codes with a dictionary that the client has (RFC 9842). */
bool coding_has_dictionary(enum coding c);

/* How much each is liked, in thousandths; 0: not at all. */
struct coding_wishes {
	uint16_t q[CODING_N];
};

/* All lines of a request's Accept-Encoding. Without the field, or with an empty
 * one, nothing but identity is liked: who cannot name a coding cannot be relied
 * on to know it. identity that is not told is liked least, unless `*;q=0`
 * excludes it; `*` stands for all that are not told but those with a dictionary,
 * which are liked by name only. Of a member that is told
 * twice the last one counts; one that is malformed is not liked. */
void coding_wishes_read(
    const struct http_fields *req, struct coding_wishes *out);

/* The one of `order` that is liked most, of equal ones the first; IDENTITY when
 * that is liked more, or when none of them is liked. */
enum coding coding_choose(
    const struct coding_wishes *w, const uint8_t *order, uint32_t n);

/* The coding of a message's content: IDENTITY without Content-Encoding; CODING_N
 * when it is unknown or there are several. */
enum coding coding_of(const struct http_fields *f);

#endif
