/* http/ranges: byte ranges (RFC 9110 14 and 15.3.7): Range, Content-Range, the
 * parts of multipart/byteranges, and arithmetic of parts (RFC 9111 3.3, 3.4).
 * Pure; allocates nothing. */
#ifndef GH_RANGES_H
#define GH_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Parts of one answer, after those that touch were joined. */
#define RANGES_MAX 16
/* Ranges that are looked at in one field; one with more is ignored as an
 * attack (RFC 9110 17.15). */
#define RANGES_ASKED_MAX 64
/* Parts with a gap that is not longer are sent as one: about what the head of
 * a part costs (RFC 9110 15.3.7.2). */
#define RANGES_GAP 80

#define RANGE_LEN_UNKNOWN UINT64_MAX

/* Bytes first .. last, both included. */
struct range {
	uint64_t first;
	uint64_t last; /* >= first, < UINT64_MAX */
};

struct ranges {
	unsigned n;
	struct range at[RANGES_MAX]; /* in the order that was asked */
};

enum ranges_rc {
	RANGES_IGNORE, /* answer with the whole, 200 */
	RANGES_OK, /* 206; one: plain, several: multipart */
	RANGES_UNSATISFIABLE /* 416 */
};

/* The value of a Range field for a representation of `len` bytes. Another unit,
 * bad syntax, too many ranges or parts: RANGES_IGNORE. Ranges that overlap,
 * touch or nearly touch become one. A suffix of an empty representation is
 * ignored, too: there is no Content-Range for it. */
enum ranges_rc ranges_parse(span value, uint64_t len, struct ranges *out);
/* Sum of the parts. */
uint64_t ranges_total(const struct ranges *r);

/* From the first byte of any part to the last one. */
struct range ranges_hull(const struct ranges *r);

static inline uint64_t
range_len(struct range r)
{
	return r.last - r.first + 1;
}

/* Whether `inner` lies in `outer`. */
bool range_holds(struct range outer, struct range inner);
/* Both as one when they overlap or touch; false when bytes are missing between
 * them. */
bool range_join(struct range a, struct range b, struct range *out);
/* What of `want` is not in `have`: 0, 1 or 2 ranges. */
unsigned range_missing(
    struct range want, struct range have, struct range out[2]);

struct content_range {
	bool is_unsatisfied; /* an asterisk for the range, of a 416 */
	struct range range;
	uint64_t complete_len; /* RANGE_LEN_UNKNOWN for an asterisk */
};

/* RFC 9110 14.4. false: another unit, or invalid: the message is not to be
 * combined with anything. */
bool content_range_parse(span value, struct content_range *out);

/* Room for any Content-Range value. */
#define CONTENT_RANGE_CAP 72
/* Returns the bytes written, no NUL. */
size_t content_range_write(struct range r, uint64_t complete_len, char *out);
/* The value for a 416. */
size_t content_range_write_unsatisfied(uint64_t complete_len, char *out);

/* How a multipart/byteranges is framed (RFC 9110 14.6). */
struct multipart {
	span boundary; /* 1 .. 70 token bytes, in none of the parts */
	span content_type; /* of the representation; empty: told by no part */
	uint64_t complete_len;
};

/* What stands before a part's bytes: delimiter, fields, empty line. Returns
 * its length; writes only when that is at most `cap`. */
size_t multipart_head(const struct multipart *m, struct range part,
    bool is_first, char *out, size_t cap);
/* The closing delimiter, likewise. */
size_t multipart_tail(const struct multipart *m, char *out, size_t cap);
/* Length of the whole content: heads, bytes, tail. */
uint64_t multipart_len(const struct multipart *m, const struct ranges *r);
/* Value of its Content-Type field, likewise. */
size_t multipart_type(const struct multipart *m, char *out, size_t cap);

#endif
