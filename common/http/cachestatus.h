/* http/cachestatus: this cache's member of Cache-Status (RFC 9211). Pure. */
#ifndef GH_CACHESTATUS_H
#define GH_CACHESTATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Why a request went forward (RFC 9211 2.2). */
enum cache_fwd {
	CACHE_FWD_NONE, /* it did not */
	CACHE_FWD_BYPASS, /* configured so */
	CACHE_FWD_METHOD, /* the method requires it */
	CACHE_FWD_URI_MISS, /* nothing stored for the URI */
	CACHE_FWD_VARY_MISS, /* stored, but other variants */
	CACHE_FWD_MISS, /* nothing that could be used */
	CACHE_FWD_REQUEST, /* the request's directives asked for it */
	CACHE_FWD_STALE, /* what is stored is stale */
	CACHE_FWD_PARTIAL, /* what is stored lacks some of the range */
	CACHE_FWD_N
};

struct cache_status {
	span name; /* of the cache: a token, else it is quoted */
	bool is_hit; /* answered from the cache, nothing went forward */
	enum cache_fwd fwd; /* CACHE_FWD_NONE when is_hit */
	uint16_t fwd_status; /* the next hop's answer; 0: not told */
	bool is_stored; /* with fwd only */
	bool is_collapsed; /* with fwd only */
	bool has_ttl;
	int64_t ttl_s; /* may be negative; clamped to an Integer's range */
	span key; /* empty: not told */
	span detail; /* empty: not told; a token, else it is quoted */
};

/* Write the member, no NUL. Returns its length, 0 when it is more than cap or
 * the name is not printable ASCII. A key or detail that is not printable ASCII
 * or has no room is left out. */
size_t cachestatus_write(const struct cache_status *s, char *out, size_t cap);

#endif
