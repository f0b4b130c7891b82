/* http/cc: cache directives of a request or a response as bits and numbers:
 * Cache-Control, CDN-Cache-Control, Pragma. Pure; allocates nothing. */
#ifndef GH_CC_H
#define GH_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http/msg.h"

enum cc_id {
	CC_OTHER = 0, /* not in cc.def */
#define CC(id, name, kind) CC_##id,
#include "common/http/cc.def"
#undef CC
	CC_N
};

#define CC_BIT(id) ((uint32_t)1 << (id))

/* Pragma: no-cache, in `seen` beside the CC_NO_CACHE that it stands for. */
#define CC_PRAGMA CC_BIT(CC_OTHER)

/* What delta-seconds are clamped to (RFC 9111 1.2.2). */
#define CC_SECONDS_MAX ((uint32_t)1 << 31)

/* Names that one no-cache="..." or private="..." may list; more count as the
 * form without names, which forbids more. */
#define CC_NAMES_MAX 64

struct cc {
	uint32_t seen; /* CC_BITs of directives that hold for the whole */
	/* CC_BITs of no-cache and private met with names of fields; `seen` has
	 * the bit, too, when the form without names was met */
	uint32_t named;
	/* by enum cc_id; meaningful when seen. CC_SECONDS_MAX for a max-stale
	 * without a number */
	uint32_t seconds[CC_N];
};

static inline bool
cc_has(const struct cc *cc, enum cc_id id)
{
	return (cc->seen & CC_BIT(id)) != 0;
}

/* All Cache-Control lines of a message (RFC 9111 5.2). Names in any case,
 * arguments as token or quoted-string. Of several numbers for one directive the
 * first counts (4.2.1); what is no number (negative, fraction, absent, blanks
 * around '=') is 0, which makes stale, but a min-fresh like that is not seen. A
 * malformed member counts when its directive forbids something. After a
 * quote that is never closed, commas separate again. */
void cc_parse(const struct http_fields *f, struct cc *out);

/* cc_parse() and, when there is no Cache-Control at all, Pragma: no-cache (RFC
 * 9111 5.4): a request's directives. */
void cc_parse_request(const struct http_fields *f, struct cc *out);

/* CDN-Cache-Control (RFC 9213 2.1), a Dictionary of RFC 9651; parameters and
 * unknown members are ignored, of several members of one name the last counts;
 * an empty line beside others is none.
 * false: absent, empty, unparsable, or a known directive of another type than
 * its own: the field is to be ignored as a whole. */
bool cc_parse_cdn(const struct http_fields *f, struct cc *out);

/* The directives that a shared cache obeys for this response: those of
 * CDN-Cache-Control when cc_parse_cdn() takes it (true), else those of
 * Cache-Control (false). With true neither Cache-Control nor Expires may be
 * looked at (RFC 9213 2.2). */
bool cc_parse_response(const struct http_fields *f, struct cc *out);

/* Whether a no-cache="..." or private="..." of that response names the field
 * (RFC 9111 5.2.2.4 and 5.2.2.7), in the field that cc_parse_response() used
 * (is_cdn: what it returned). To be asked only when cc.named is not 0. */
bool cc_names(const struct http_fields *f, bool is_cdn, span name);

#endif
