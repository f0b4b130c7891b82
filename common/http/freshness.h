/* http/freshness: how long a response is fresh, how old it is, and whether a
 * stored one may answer a request, by RFC 9111 4.2 and 5.2.1 and RFC 5861, for
 * a shared cache. Times are seconds since 1970 that the caller tells. Pure;
 * allocates nothing. */
#ifndef GH_FRESHNESS_H
#define GH_FRESHNESS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/http/cc.h"
#include "common/http/msg.h"

enum cookie_policy {
	COOKIES_STRIP, /* store without Set-Cookie */
	COOKIES_STORE, /* as RFC 9111 7.3 allows */
	COOKIES_BYPASS /* a response with Set-Cookie is not stored */
};

/* What the configuration says of a route's cache. All zero is RFC 9111 without
 * heuristics, with Set-Cookie stripped. Seconds up to CC_SECONDS_MAX. */
struct cache_policy {
	/* lifetime of what has none and is heuristically cacheable (or public),
	 * for status codes below 400 and from there on; 0: none is invented */
	uint32_t ttl_s;
	uint32_t negative_ttl_s;
	uint32_t heuristic_max_s; /* longest heuristic lifetime; 0: none */
	/* for responses that do not tell it themselves */
	uint32_t stale_while_revalidate_s;
	uint32_t stale_if_error_s;
	/* request directives that have no say: CC_BITs, CC_PRAGMA */
	uint32_t ignored;
	enum cookie_policy cookies;
	bool stores_partial; /* 206 with one range */
	bool is_authenticated; /* the request said who it is from, by whatever
	                          is or was in it */
};

/* What the messages of an exchange with the origin do not tell. */
struct cache_facts {
	int64_t request_s; /* the request was sent */
	int64_t response_s; /* the response's head arrived */
	span scheme; /* of the request, "http" or "https" */
};

enum {
	/* must-revalidate, proxy-revalidate or s-maxage: no stale use, ever */
	FRESH_MUST_REVALIDATE = 1,
	FRESH_NO_CACHE = 2, /* no use without validation */
	FRESH_EXPLICIT = 4, /* the origin told the lifetime */
	FRESH_HEURISTIC = 8, /* 10 % of the age of Last-Modified */
	FRESH_VALIDATOR = 16, /* condition_ask() has something to offer */
	FRESH_PARTIAL = 32, /* a 206 */
	FRESH_STRIP_COOKIE = 64, /* Set-Cookie is not to be stored */
	FRESH_STRIP_NAMED = 128, /* cc_names() names fields not to be stored */
	FRESH_CDN = 256, /* CDN-Cache-Control ruled */
	FRESH_ERROR_TOLD = 512, /* stale_if_error_s is the origin's word */
	FRESH_NO_TRANSFORM = 1024 /* RFC 9111 5.2.2.6 */
};

/* All that is needed to judge a stored response; plain numbers that live in the
 * shared object's head as they are. */
struct freshness {
	int64_t stored_s; /* when the response arrived */
	uint32_t age_s; /* corrected initial age at stored_s (RFC 9111 4.2.3) */
	uint32_t lifetime_s; /* counted from age 0 */
	uint32_t stale_while_revalidate_s;
	uint32_t stale_if_error_s;
	uint32_t flags; /* FRESH_... */
	uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct freshness) == 32, "is in shared objects");

/* Age: first member of the first line; anything else than digits is ignored
 * (0), what is huge is CC_SECONDS_MAX, and so stale (RFC 9111 5.1, 1.2.2). */
uint32_t freshness_age_field(const struct http_fields *f);
/* The date of the first field of that id. false: absent or no date of RFC 9110
 * 5.6.7. */
bool freshness_date(
    const struct http_fields *f, enum field_id id, int64_t now_s, int64_t *out);

/* Lifetime, age, windows and flags of a response (RFC 9111 4.2): s-maxage,
 * max-age, Expires less Date (invalid: 0), heuristic, configuration.
 * FRESH_STRIP_... and FRESH_PARTIAL are told, too. Says nothing about whether
 * it may be stored: storable_judge() does, and calls this. `cc` is what
 * cc_parse_response() gave, is_cdn what it returned. */
void freshness_of(const struct http_msg *resp, const struct cc *cc, bool is_cdn,
    const struct cache_policy *policy, const struct cache_facts *facts,
    struct freshness *out);

/* Age at now_s (RFC 9111 4.2.3), for the field that an answer gets: 0 ..
 * CC_SECONDS_MAX. A clock that went back adds nothing. */
uint32_t freshness_age(const struct freshness *f, int64_t now_s);
/* Seconds that are left, negative once stale: ttl of RFC 9211 2.6. */
int64_t freshness_ttl(const struct freshness *f, int64_t now_s);
/* Take all that is left of the lifetime away: a soft purge, or RFC 9111
 * 4.3.5. Windows for stale use begin at now_s. */
void freshness_expire(struct freshness *f, int64_t now_s);

enum reuse {
	REUSE_HIT, /* answer with it */
	REUSE_STALE_WHILE_REVALIDATE, /* answer with it, then validate it */
	REUSE_VALIDATE, /* ask the origin first */
	REUSE_MISS, /* nothing is stored: fetch */
	REUSE_TIMEOUT /* only-if-cached: 504 (RFC 9111 5.2.1.7) */
};

struct reuse_verdict {
	enum reuse how;
	uint32_t age_s; /* value of the Age field */
	int64_t ttl_s;
	bool is_stale; /* at now_s, whatever `how` says */
	bool is_asked; /* the request, not the response, wanted validation */
	/* whether the stored response may still answer when the origin then
	 * answers with 500, 502, 503 or 504: within stale-if-error of the
	 * response, the configuration or the request (RFC 5861 4) */
	bool may_answer_error;
	/* when it cannot be reached or breaks off (RFC 9111 4.2.4): the same,
	 * and however stale when nobody told a window */
	bool may_answer_lost;
};

/* Whether a stored response that was selected (method, key, Vary) may answer.
 * stored: NULL for none. req: parsed by cc_parse_request(). A request's
 * no-store forbids to store, not to use what is stored (RFC 9111 5.2.1.5).
 * max-age=0 always validates. */
void freshness_judge(const struct freshness *stored, const struct cc *req,
    const struct cache_policy *policy, int64_t now_s,
    struct reuse_verdict *out);

#endif
