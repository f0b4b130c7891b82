/* http/freshness: the arithmetic of RFC 9111 4.2 and what follows from it for
 * one request. Knows the clock of nobody. */
#include "common/http/freshness.h"

#include "common/base/date.h"
#include "common/base/num.h"
#include "common/http/conditional.h"

/* The share of Last-Modified's age that is taken for a lifetime (RFC 9111
 * 4.2.2). */
#define HEURISTIC_SHARE 10

/* Longer than any date: "Wednesday, 09-Sep-98 ..." has 33 bytes. */
#define DATE_CAP 40

/* Statuses from here on are errors (RFC 9110 15.5). */
#define STATUS_ERROR 400

static uint32_t
clamp(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return (uint32_t)u64_min((uint64_t)seconds, CC_SECONDS_MAX);
}

uint32_t
freshness_age_field(const struct http_fields *f)
{
	const struct http_field *fld = fields_find(f, FIELD_AGE);
	uint32_t v = 0;
	span member;
	span rest;

	if (fld == NULL)
		return 0;
	rest = fld->value;
	if (!span_member(&rest, &member))
		return 0;
	for (size_t i = 0; i < member.len; i++) {
		if (member.p[i] < '0' || member.p[i] > '9')
			return 0;
		v = clamp((int64_t)v * 10 + (member.p[i] - '0'));
	}
	return v;
}

/* A date in the case that RFC 9110 5.6.7 writes it in: a cache takes any (RFC
 * 9111 4.2). */
static span
date_case(span s, char out[DATE_CAP])
{
	bool is_first = true;

	if (s.len > DATE_CAP)
		return s;
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);
		bool is_letter = c >= 'a' && c <= 'z';

		out[i] = is_letter && is_first ? (char)(c - 'a' + 'A') : c;
		is_first = !is_letter;
	}
	if (s.len >= 3 && span_ieq(span_from(s, s.len - 3), SPAN_LIT("GMT")))
		memcpy(out + s.len - 3, "GMT", 3);
	return span_of(out, s.len);
}

bool
freshness_date(
    const struct http_fields *f, enum field_id id, int64_t now_s, int64_t *out)
{
	const struct http_field *fld = fields_find(f, id);
	char text[DATE_CAP];

	return fld != NULL &&
	       date_parse_http(date_case(fld->value, text), now_s, out);
}

/* --- what a response tells ------------------------------------------------ */

/* Date, or the time of arrival in its place (RFC 9110 6.6.1). */
static int64_t
date_of(const struct http_fields *f, int64_t arrived_s)
{
	int64_t date_s;

	return freshness_date(f, FIELD_DATE, arrived_s, &date_s) ? date_s
								 : arrived_s;
}

/* RFC 9111 4.2.3 */
static uint32_t
initial_age(const struct http_fields *f, const struct cache_facts *facts)
{
	int64_t apparent_s = facts->response_s - date_of(f, facts->response_s);
	int64_t delay_s = facts->response_s - facts->request_s;
	int64_t told_s = (int64_t)freshness_age_field(f) + clamp(delay_s);

	return clamp(apparent_s > told_s ? apparent_s : told_s);
}

/* RFC 9111 4.2.1; false: the origin told no lifetime. */
static bool
explicit_lifetime(const struct http_msg *resp, const struct cc *cc, bool is_cdn,
    int64_t arrived_s, uint32_t *out)
{
	const struct http_fields *f = &resp->fields;
	int64_t expires_s;

	if (cc_has(cc, CC_S_MAXAGE)) {
		*out = cc->seconds[CC_S_MAXAGE];
		return true;
	}
	if (cc_has(cc, CC_MAX_AGE)) {
		*out = cc->seconds[CC_MAX_AGE];
		return true;
	}
	if (is_cdn || fields_find(f, FIELD_EXPIRES) == NULL)
		return false;
	*out = 0;
	if (freshness_date(f, FIELD_EXPIRES, arrived_s, &expires_s))
		*out = clamp(expires_s - date_of(f, arrived_s));
	return true;
}

/* RFC 9111 4.2.2 */
static uint32_t
heuristic_lifetime(
    const struct http_fields *f, int64_t arrived_s, uint32_t max_s)
{
	int64_t modified_s;

	if (!freshness_date(f, FIELD_LAST_MODIFIED, arrived_s, &modified_s))
		return 0;
	return (uint32_t)u64_min(
	    clamp((date_of(f, arrived_s) - modified_s) / HEURISTIC_SHARE),
	    max_s);
}

/* A lifetime that the origin did not tell. */
static void
guess_lifetime(const struct http_msg *resp, const struct cc *cc,
    const struct cache_policy *policy, struct freshness *out)
{
	bool is_error = resp->status >= STATUS_ERROR;
	uint32_t told = is_error ? policy->negative_ttl_s : policy->ttl_s;

	/* errors that are worth a wait are those of every kind */
	if (!status_is_heuristic(resp->status) && !cc_has(cc, CC_PUBLIC) &&
	    !(is_error && told > 0))
		return;
	out->lifetime_s = told;
	if (told > 0)
		return;
	out->lifetime_s = heuristic_lifetime(
	    &resp->fields, out->stored_s, policy->heuristic_max_s);
	if (out->lifetime_s > 0)
		out->flags |= FRESH_HEURISTIC;
}

static uint32_t
flags_of(const struct http_msg *resp, const struct cc *cc, bool is_cdn,
    const struct cache_policy *policy)
{
	struct validators v;
	uint32_t flags = 0;

	if (cc_has(cc, CC_MUST_REVALIDATE) || cc_has(cc, CC_PROXY_REVALIDATE) ||
	    cc_has(cc, CC_S_MAXAGE))
		flags |= FRESH_MUST_REVALIDATE;
	if (cc_has(cc, CC_NO_CACHE))
		flags |= FRESH_NO_CACHE;
	validators_read(&resp->fields, 0, &v);
	if (v.has_etag || v.has_modified)
		flags |= FRESH_VALIDATOR;
	if (resp->status == 206)
		flags |= FRESH_PARTIAL;
	if (policy->cookies == COOKIES_STRIP)
		flags |= FRESH_STRIP_COOKIE;
	if (cc->named != 0)
		flags |= FRESH_STRIP_NAMED;
	if (is_cdn)
		flags |= FRESH_CDN;
	if (cc_has(cc, CC_STALE_IF_ERROR))
		flags |= FRESH_ERROR_TOLD;
	if (cc_has(cc, CC_NO_TRANSFORM))
		flags |= FRESH_NO_TRANSFORM;
	return flags;
}

static uint32_t
seconds_or(const struct cc *cc, enum cc_id id, uint32_t otherwise)
{
	return cc_has(cc, id) ? cc->seconds[id] : otherwise;
}

void
freshness_of(const struct http_msg *resp, const struct cc *cc, bool is_cdn,
    const struct cache_policy *policy, const struct cache_facts *facts,
    struct freshness *out)
{
	*out = (struct freshness){
	    .stored_s = facts->response_s,
	    .age_s = initial_age(&resp->fields, facts),
	    .flags = flags_of(resp, cc, is_cdn, policy),
	    .stale_while_revalidate_s = seconds_or(cc,
		CC_STALE_WHILE_REVALIDATE, policy->stale_while_revalidate_s),
	    .stale_if_error_s =
		seconds_or(cc, CC_STALE_IF_ERROR, policy->stale_if_error_s),
	};
	if (explicit_lifetime(
		resp, cc, is_cdn, facts->response_s, &out->lifetime_s))
		out->flags |= FRESH_EXPLICIT;
	else
		guess_lifetime(resp, cc, policy, out);
}

/* --- what follows for a request ------------------------------------------- */

uint32_t
freshness_age(const struct freshness *f, int64_t now_s)
{
	return clamp((int64_t)f->age_s + clamp(now_s - f->stored_s));
}

int64_t
freshness_ttl(const struct freshness *f, int64_t now_s)
{
	return (int64_t)f->lifetime_s - freshness_age(f, now_s);
}

void
freshness_expire(struct freshness *f, int64_t now_s)
{
	f->lifetime_s =
	    (uint32_t)u64_min(f->lifetime_s, freshness_age(f, now_s));
}

/* CC_BITs of the directives that have a say. */
static uint32_t
wishes(const struct cc *req, const struct cache_policy *policy)
{
	/* a no-cache with names has none to forbid in a request: it is whole */
	uint32_t seen = req->seen | req->named;

	if ((seen & policy->ignored & CC_PRAGMA) != 0)
		seen &= ~CC_BIT(CC_NO_CACHE);
	return seen & ~policy->ignored;
}

/* Whether the request wants an answer that is younger (RFC 9111 5.2.1). */
static bool
asks_validation(
    const struct cc *req, uint32_t seen, const struct reuse_verdict *v)
{
	if ((seen & CC_BIT(CC_NO_CACHE)) != 0)
		return true;
	if ((seen & CC_BIT(CC_MAX_AGE)) != 0 &&
	    (req->seconds[CC_MAX_AGE] == 0 ||
		v->age_s > req->seconds[CC_MAX_AGE]))
		return true;
	return (seen & CC_BIT(CC_MIN_FRESH)) != 0 &&
	       v->ttl_s < (int64_t)req->seconds[CC_MIN_FRESH];
}

static bool
takes_stale(const struct cc *req, uint32_t seen, int64_t stale_s)
{
	if ((seen & CC_BIT(CC_MAX_STALE)) == 0)
		return false;
	return req->seconds[CC_MAX_STALE] == CC_SECONDS_MAX ||
	       stale_s <= (int64_t)req->seconds[CC_MAX_STALE];
}

static enum reuse
judge_stored(const struct freshness *stored, const struct cc *req,
    uint32_t seen, const struct reuse_verdict *v)
{
	int64_t stale_s = -v->ttl_s;

	if (v->is_asked || (stored->flags & FRESH_NO_CACHE) != 0)
		return REUSE_VALIDATE;
	if (!v->is_stale)
		return REUSE_HIT;
	if ((stored->flags & FRESH_MUST_REVALIDATE) != 0)
		return REUSE_VALIDATE;
	if (takes_stale(req, seen, stale_s))
		return REUSE_HIT;
	/* max-age alone wants nothing stale (RFC 9111 5.2.1.1) */
	if ((seen & CC_BIT(CC_MAX_AGE)) == 0 &&
	    stored->stale_while_revalidate_s > 0 &&
	    stale_s <= (int64_t)stored->stale_while_revalidate_s)
		return REUSE_STALE_WHILE_REVALIDATE;
	return REUSE_VALIDATE;
}

/* Which failures of the origin the stored response may cover up. */
static void
judge_failures(const struct freshness *stored, const struct cc *req,
    uint32_t seen, struct reuse_verdict *v)
{
	uint32_t window_s = stored->stale_if_error_s;
	bool is_told = (stored->flags & FRESH_ERROR_TOLD) != 0;

	if ((stored->flags & (FRESH_MUST_REVALIDATE | FRESH_NO_CACHE)) != 0 ||
	    (seen & CC_BIT(CC_NO_CACHE)) != 0)
		return;
	if ((seen & CC_BIT(CC_STALE_IF_ERROR)) != 0)
		window_s = (uint32_t)u64_max(
		    window_s, req->seconds[CC_STALE_IF_ERROR]);
	v->may_answer_error =
	    !v->is_stale || (window_s > 0 && -v->ttl_s <= (int64_t)window_s);
	v->may_answer_lost = v->may_answer_error || (!is_told && window_s == 0);
}

void
freshness_judge(const struct freshness *stored, const struct cc *req,
    const struct cache_policy *policy, int64_t now_s, struct reuse_verdict *out)
{
	uint32_t seen = wishes(req, policy);

	*out = (struct reuse_verdict){.how = REUSE_MISS};
	if (stored != NULL) {
		out->age_s = freshness_age(stored, now_s);
		out->ttl_s = freshness_ttl(stored, now_s);
		out->is_stale = out->ttl_s <= 0;
		out->is_asked = asks_validation(req, seen, out);
		out->how = judge_stored(stored, req, seen, out);
		judge_failures(stored, req, seen, out);
	}
	if ((seen & CC_BIT(CC_ONLY_IF_CACHED)) != 0 &&
	    (out->how == REUSE_MISS || out->how == REUSE_VALIDATE))
		out->how = REUSE_TIMEOUT;
}
