/* auth/signed: URLs that somebody who has a secret signed, so that whoever is
 * given one may use it until a time. A URL carries the proof in arguments of
 * its query; doc/auth.md tells how they are made. */
#ifndef GH_SIGNED_H
#define GH_SIGNED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"

/* A secret of fewer bytes than its hash has can be guessed (RFC 2104 3). */
#define SIGNED_SECRET_MIN 32u

/* What the arguments say; without escapes but for the query. */
struct signed_url {
	span expires; /* decimal seconds since 1970, as written */
	span user; /* empty: none is named */
	span ip; /* address or network it is for; empty: any */
	span signature; /* base64url, as written */
	span query; /* all other arguments, as written and in their order */
};

/* What else is signed. */
struct signed_request {
	span method;
	span host; /* in its one spelling (uri_normalize_host()) */
	span path; /* as it came */
};

/* Whether an argument of the query has a name that begins with `prefix`. */
bool signed_is_any(span query, span prefix);

/* Take the query of a request apart by arguments whose names begin with
 * `prefix`. Pieces point into it and into the arena. NULL: all is there that
 * must be, once, and nothing else under that prefix; else why not, valid
 * forever, and *out holds nothing. Nothing is known of its truth. */
const char *signed_read(
    span query, span prefix, struct arena *a, struct signed_url *out);

/* The text that is signed, in the arena: a line each for method, host, path,
 * query, expiry, user and address. GET and HEAD are the same. */
span signed_text(const struct signed_url *u, const struct signed_request *r,
    struct arena *a);

/* Whether its signature is HMAC-SHA256 (RFC 2104) of the text under the secret;
 * takes as long whichever byte of it is wrong. */
bool signed_is_by(const struct signed_url *u, span text, span secret);

/* Whether it has ended at now_s (seconds since 1970), by clocks that may differ
 * by skew_s; also when its expiry is no number. */
bool signed_is_over(
    const struct signed_url *u, uint64_t now_s, uint64_t skew_s);

#endif
