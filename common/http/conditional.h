/* http/conditional: entity tags and conditional requests (RFC 9110 8.8 and 13,
 * RFC 9111 4.3): those that clients send, answered from the cache, and those
 * that the cache sends. Pure. */
#ifndef GH_CONDITIONAL_H
#define GH_CONDITIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/http/msg.h"

struct etag {
	span opaque; /* with its quotes */
	bool is_weak;
};

/* A whole value as one entity tag (RFC 9110 8.8.3): W/ in capitals, obs-text
 * allowed, no escapes. false: it is none. */
bool etag_parse(span s, struct etag *out);
/* Take the next tag off a list; false at its end or at what is none. */
bool etag_next(span *rest, struct etag *out);
/* RFC 9110 8.8.3.2. */
bool etag_is_strong_match(const struct etag *a, const struct etag *b);
bool etag_is_weak_match(const struct etag *a, const struct etag *b);

/* What a stored response is told apart by. Text is borrowed. */
struct validators {
	bool has_etag;
	struct etag etag;
	bool has_modified;
	int64_t modified_s;
	span modified; /* as it came */
	bool has_date;
	int64_t date_s; /* Date, or when it arrived */
};

/* ETag (only when there is exactly one and it is well formed), Last-Modified
 * and Date of a response that arrived at received_s. */
void validators_read(
    const struct http_fields *f, int64_t received_s, struct validators *out);
/* Whether Last-Modified may stand for exactly these bytes: it is at least a
 * second older than Date (RFC 9110 8.8.2.2). */
bool validators_are_strong(const struct validators *v);
/* Whether two responses are of the same bytes (RFC 9110 15.3.7.3, RFC 9111
 * 3.4): the same strong entity tag; when neither has a tag, the same strong
 * Last-Modified. */
bool validators_same_bytes(
    const struct validators *a, const struct validators *b);

enum condition {
	CONDITION_NONE, /* answer as if it was not there */
	CONDITION_NOT_MODIFIED, /* 304 */
	/* If-Match, If-Unmodified-Since: the origin's to judge */
	CONDITION_FORWARD
};

/* What a request's conditions say of a stored answer (RFC 9111 4.3.2): for GET
 * and HEAD with a stored 2xx. If-None-Match before If-Modified-Since; a date
 * that is none, or several, are ignored; without Last-Modified the stored Date
 * is compared. CONDITION_FORWARD: the request may not be answered from the
 * cache at all, whatever is stored (v may be NULL to ask just that). */
enum condition condition_judge(const struct http_msg *req,
    unsigned stored_status, const struct validators *v, int64_t now_s);

/* Whether Range is to be obeyed (RFC 9110 13.1.5): there is no If-Range, or
 * its tag matches strongly, or its date is the strong Last-Modified exactly. */
bool condition_allows_range(
    const struct http_fields *req, const struct validators *v);

/* Whether a stored field goes into a 304 (RFC 9110 15.4.5): all but what
 * describes the representation; ETag, Date, Vary, Cache-Control, Expires and
 * Content-Location do, Last-Modified when there is no ETag. */
bool condition_keeps_in_304(
    const struct http_fields *stored, const struct http_field *fld);

/* Entity tags that one request to the origin offers. */
#define CONDITION_TAGS_MAX 16

/* Make a request to the origin ask about stored responses (RFC 9111 4.3.1): the
 * client's own If-None-Match, If-Modified-Since, If-Range and Range go,
 * If-None-Match with the tags of the first CONDITION_TAGS_MAX comes, and
 * If-Modified-Since of the first one's Last-Modified. Text goes into the arena.
 * false: no validator at all; the fields are as they were. */
bool condition_ask(struct http_fields *req, struct arena *a,
    const struct validators *stored, size_t n);

/* Whether a 304 of the origin freshens a stored response (RFC 9111 4.3.4):
 * by a strong tag, else by a weak one, else by Last-Modified; a 304 without
 * validators is about the only one that was asked about (is_only). */
bool freshen_selects(const struct validators *answer,
    const struct validators *stored, bool is_only);

enum freshen {
	FRESHEN_NOTHING, /* says nothing about the stored one */
	FRESHEN_UPDATE, /* storable_merge(), new freshness */
	FRESHEN_EXPIRE /* it changed: the stored one is stale */
};

/* What a 200 to HEAD says of the stored GET (RFC 9111 4.3.5): told validators
 * and Content-Length must be the stored ones. stored_len: of the complete
 * representation; UINT64_MAX when it is not known. */
enum freshen freshen_judge_head(const struct http_msg *answer,
    const struct validators *told, const struct validators *stored,
    uint64_t stored_len);

#endif
