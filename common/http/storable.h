/* http/storable: what a shared cache may keep of an exchange (RFC 9111 3),
 * which fields of it, how newer fields change what is kept (3.2), and what it
 * has to forget (4.4). Pure. */
#ifndef GH_STORABLE_H
#define GH_STORABLE_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/http/freshness.h"
#include "common/http/msg.h"

/* Why a response is not stored. */
enum storable {
	STORABLE_YES,
	STORABLE_NO_METHOD, /* not GET, nor POST by RFC 9110 9.3.3 */
	STORABLE_NO_STATUS, /* not final, 304, or an answer to a condition */
	STORABLE_NO_PARTIAL, /* a 206 that cannot be kept */
	STORABLE_NO_UNDERSTOOD, /* must-understand, and it is not */
	STORABLE_NO_STORE, /* the response's directive */
	STORABLE_NO_REQUEST, /* the request's no-store */
	STORABLE_NO_PRIVATE,
	STORABLE_NO_AUTHORIZATION, /* RFC 9111 3.5 */
	STORABLE_NO_COOKIE, /* COOKIES_BYPASS */
	STORABLE_NO_VARY, /* "*", not to be read (vary.h), or without the
	                     dictionary that its coding needs */
	STORABLE_NO_RULE, /* neither explicit nor heuristically cacheable */
	STORABLE_NO_USE, /* stale at once, and nothing to validate it with */
	STORABLE_N
};

/* A word for logs, and for the detail of Cache-Status. */
span storable_word(enum storable s);

/* Whether the response may be stored under the request's key for later GET and
 * HEAD. *out is filled for STORABLE_YES only. HEAD: STORABLE_NO_METHOD;
 * freshen_judge_head() of conditional.h tells what it may update. The
 * Content-Location of an answer to POST must be the target (host, port, path
 * and query as they are in req). Fields are judged as the origin sent them:
 * before anything is stripped. */
enum storable storable_judge(const struct http_msg *req,
    const struct http_msg *resp, const struct cache_policy *policy,
    const struct cache_facts *facts, struct freshness *out);

/* Whether an answer that says what is kept is still good (a 304, or one to
 * HEAD) may change it for everybody. `updated`: what would be kept, with the stored
 * status and the fields as storable_merge() made them. What is for one client
 * alone is told by RFC 9111 3 and 3.5; freshness is not asked about. */
enum storable storable_judge_update(const struct http_msg *req,
    const struct http_msg *updated, const struct cache_policy *policy);

/* Whether a field of a response is kept (RFC 9111 3.1): not those of one hop,
 * not what Connection names, not what proxies say to each other, not Age (it is
 * in struct freshness), not Set-Cookie or fields that no-cache and private
 * name when `flags` (FRESH_...) say so. `f`: the response's table. */
bool storable_field(
    const struct http_fields *f, const struct http_field *fld, unsigned flags);

/* Whether a field of a 304 or of a HEAD's answer may replace the stored one
 * (RFC 9111 3.2): storable_field(), and none that describes the stored bytes:
 * Content-Length, Content-Encoding, Content-Range. */
bool storable_updates(
    const struct http_fields *f, const struct http_field *fld, unsigned flags);

/* Replace in `stored` all fields that `newer` has and may update. Fields that
 * `newer` has not are left. Of `flags` FRESH_STRIP_COOKIE counts; which fields
 * are named, `newer` tells. Text is borrowed from both. Age is not among what
 * is stored: freshness_of() needs that of the newer answer. */
void storable_merge(struct http_fields *stored, struct arena *a,
    const struct http_fields *newer, unsigned flags);

/* One URL of the request's own origin to forget. */
struct forget {
	span path; /* as uri_normalize_path() writes it */
	span query;
	bool has_query;
};

/* The target, Location, Content-Location. */
#define FORGET_MAX 3

/* URLs that an answer makes doubtful (RFC 9111 4.4): on 2xx and 3xx to a method
 * that is not known to be safe, the target, and Location and Content-Location
 * when they are of the target's scheme, host and port. Returns how many: 0 for
 * an error or a safe method. Several equal ones are told once. `scheme`: the
 * request's, "http" or "https". Text is the request's or in the arena. */
unsigned storable_forget(const struct http_msg *req, span scheme,
    const struct http_msg *resp, struct arena *a,
    struct forget out[FORGET_MAX]);

/* The next word between blanks and commas: tags of an answer by which it can be
 * purged. *rest begins with the whole; false at its end. */
bool storable_next_tag(span *rest, span *tag);

#endif
