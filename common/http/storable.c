/* http/storable: RFC 9111 3 and 4.4 as questions about one exchange. */
#include "common/http/storable.h"

#include "common/base/check.h"
#include "common/http/ranges.h"
#include "common/http/uri.h"
#include "common/http/vary.h"

span
storable_word(enum storable s)
{
	static const span words[STORABLE_N] = {
	    [STORABLE_YES] = {"stored", 6},
	    [STORABLE_NO_METHOD] = {"method", 6},
	    [STORABLE_NO_STATUS] = {"status", 6},
	    [STORABLE_NO_PARTIAL] = {"partial", 7},
	    [STORABLE_NO_UNDERSTOOD] = {"must-understand", 15},
	    [STORABLE_NO_STORE] = {"no-store", 8},
	    [STORABLE_NO_REQUEST] = {"request-no-store", 16},
	    [STORABLE_NO_PRIVATE] = {"private", 7},
	    [STORABLE_NO_AUTHORIZATION] = {"authorization", 13},
	    [STORABLE_NO_COOKIE] = {"set-cookie", 10},
	    [STORABLE_NO_VARY] = {"vary", 4},
	    [STORABLE_NO_RULE] = {"no-freshness", 12},
	    [STORABLE_NO_USE] = {"stale-at-once", 13},
	};

	REQUIRE(s < STORABLE_N);
	return words[s];
}

/* --- URLs of the same origin ---------------------------------------------- */

/* Where a reference is resolved: the request's own URL. */
struct base {
	const struct http_msg *req;
	span scheme;
};

static uint16_t
port_of(uint16_t told, span scheme)
{
	return told != 0 ? told : uri_default_port(scheme);
}

/* RFC 6454 5 */
static bool
is_same_origin(const struct base *base, const struct uri *u)
{
	return span_ieq(u->scheme, base->scheme) &&
	       span_ieq(u->host, base->req->host) &&
	       port_of(u->port, u->scheme) ==
		   port_of(base->req->port, base->scheme);
}

/* Take the fragment off and cut path and query. */
static void
split_reference(span ref, struct forget *out)
{
	ptrdiff_t at = span_chr(ref, '#');

	if (at >= 0)
		ref = span_first(ref, (size_t)at);
	at = span_chr(ref, '?');
	*out = (struct forget){.path = ref};
	if (at < 0)
		return;
	out->path = span_first(ref, (size_t)at);
	out->query = span_from(ref, (size_t)at + 1);
	out->has_query = true;
}

/* A URL with a scheme, of the base's origin; path and query as they are. */
static bool
read_absolute(const struct base *base, span ref, struct forget *out)
{
	struct uri u;

	if (!uri_parse(ref, &u) || !is_same_origin(base, &u))
		return false;
	*out = (struct forget){u.path, u.query, u.has_query};
	return true;
}

/* Put a path without root behind the last slash of the request's. */
static span
merge_path(span own, span path, struct arena *a)
{
	ptrdiff_t slash = span_rchr(own, '/');
	const span parts[] = {span_first(own, (size_t)(slash + 1)), path};

	return arena_concat(a, parts, NELEMS(parts));
}

/* Whether a colon stands before the first slash: that of a scheme. */
static bool
has_scheme(span path)
{
	ptrdiff_t colon = span_chr(path, ':');
	ptrdiff_t slash = span_chr(path, '/');

	return colon >= 0 && (slash < 0 || colon < slash);
}

/* Resolve a reference that may have no scheme, no host, no root (RFC 3986
 * 5.2). false: of another origin, or not to be read. */
static bool
resolve(const struct base *base, span ref, struct arena *a, struct forget *out)
{
	const struct http_msg *req = base->req;

	if (span_starts(ref, SPAN_LIT("//"))) {
		const span parts[] = {base->scheme, SPAN_LIT(":"), ref};

		return read_absolute(
		    base, arena_concat(a, parts, NELEMS(parts)), out);
	}
	split_reference(ref, out);
	if (has_scheme(out->path))
		return read_absolute(base, ref, out);
	if (out->path.len == 0 && !out->has_query)
		*out = (struct forget){req->path, req->query, req->has_query};
	else if (out->path.len == 0)
		out->path = req->path;
	else if (out->path.p[0] != '/')
		out->path = merge_path(req->path, out->path, a);
	return true;
}

/* --- storing -------------------------------------------------------------- */

static bool
has_condition(const struct http_fields *f)
{
	return fields_find(f, FIELD_IF_MATCH) != NULL ||
	       fields_find(f, FIELD_IF_NONE_MATCH) != NULL ||
	       fields_find(f, FIELD_IF_MODIFIED_SINCE) != NULL ||
	       fields_find(f, FIELD_IF_UNMODIFIED_SINCE) != NULL ||
	       fields_find(f, FIELD_IF_RANGE) != NULL ||
	       fields_find(f, FIELD_RANGE) != NULL;
}

/* Whether the status says something about the URL, not about conditions that
 * the next request does not make: a 412 kept for all would be poison. */
static bool
is_status_kept(const struct http_msg *req, unsigned status)
{
	if (status < 200 || status == 304)
		return false;
	if (status == 412 || status == 416)
		return !has_condition(&req->fields);
	return true;
}

/* One range, asked for, and as long as its content (RFC 9111 3.3). */
static bool
is_partial_kept(const struct http_msg *req, const struct http_msg *resp,
    const struct cache_policy *policy)
{
	const struct http_field *fld =
	    fields_find(&resp->fields, FIELD_CONTENT_RANGE);
	struct content_range r;

	if (!policy->stores_partial || fld == NULL ||
	    fields_next(&resp->fields, fld) != NULL ||
	    fields_find(&req->fields, FIELD_RANGE) == NULL)
		return false;
	return content_range_parse(fld->value, &r) && !r.is_unsatisfied &&
	       (resp->body != LENGTH_KNOWN ||
		   resp->length == range_len(r.range));
}

/* Whether the names that may not be kept are those without which the rest would
 * mean something else. */
static bool
names_what_is_needed(const struct http_fields *f, bool is_cdn)
{
	static const enum field_id needed[] = {FIELD_VARY, FIELD_CONTENT_TYPE,
	    FIELD_CONTENT_ENCODING, FIELD_CONTENT_RANGE, FIELD_CONTENT_LENGTH};

	for (size_t i = 0; i < NELEMS(needed); i++)
		if (cc_names(f, is_cdn, field_name(needed[i])))
			return true;
	return false;
}

/* The directives of both sides. */
static enum storable
judge_directives(const struct http_msg *req, const struct http_msg *resp,
    const struct cache_policy *policy, const struct cc *cc, bool is_cdn)
{
	bool is_understood = status_reason(resp->status).len > 0;
	struct cc asked;

	cc_parse(&req->fields, &asked);
	if (cc_has(cc, CC_MUST_UNDERSTAND) && !is_understood)
		return STORABLE_NO_UNDERSTOOD;
	/* RFC 9111 5.2.2.3: must-understand, where understood, is stronger */
	if (cc_has(cc, CC_NO_STORE) && !cc_has(cc, CC_MUST_UNDERSTAND))
		return STORABLE_NO_STORE;
	if ((asked.seen & ~policy->ignored & CC_BIT(CC_NO_STORE)) != 0)
		return STORABLE_NO_REQUEST;
	if (cc_has(cc, CC_PRIVATE) ||
	    (cc->named != 0 && names_what_is_needed(&resp->fields, is_cdn)))
		return STORABLE_NO_PRIVATE;
	if ((policy->is_authenticated ||
		fields_find(&req->fields, FIELD_AUTHORIZATION) != NULL) &&
	    !cc_has(cc, CC_PUBLIC) && !cc_has(cc, CC_S_MAXAGE) &&
	    !cc_has(cc, CC_MUST_REVALIDATE))
		return STORABLE_NO_AUTHORIZATION;
	return STORABLE_YES;
}

/* RFC 9110 9.3.3 */
static bool
is_content_at_target(
    const struct http_msg *req, span scheme, const struct http_msg *resp)
{
	const struct http_field *fld =
	    fields_find(&resp->fields, FIELD_CONTENT_LOCATION);
	struct base base = {req, scheme};
	struct forget at;

	if (fld == NULL || fields_next(&resp->fields, fld) != NULL)
		return false;
	if (!read_absolute(&base, fld->value, &at)) {
		if (!span_starts(fld->value, SPAN_LIT("/")) ||
		    span_starts(fld->value, SPAN_LIT("//")))
			return false;
		split_reference(fld->value, &at);
	}
	return span_eq(at.path, req->path) && span_eq(at.query, req->query) &&
	       at.has_query == req->has_query;
}

static enum storable
judge_freshness(
    const struct http_msg *resp, const struct cc *cc, const struct freshness *f)
{
	bool may_be_stale =
	    (f->flags & (FRESH_MUST_REVALIDATE | FRESH_NO_CACHE)) == 0 &&
	    (f->stale_while_revalidate_s > 0 || f->stale_if_error_s > 0);
	bool is_usable =
	    f->lifetime_s > f->age_s && (f->flags & FRESH_NO_CACHE) == 0;

	if ((f->flags & FRESH_EXPLICIT) == 0 && !cc_has(cc, CC_PUBLIC) &&
	    !status_is_heuristic(resp->status) && f->lifetime_s == 0)
		return STORABLE_NO_RULE;
	if (!is_usable && !may_be_stale && (f->flags & FRESH_VALIDATOR) == 0)
		return STORABLE_NO_USE;
	return STORABLE_YES;
}

/* Only who has the dictionary can read it, and it does not say so (RFC 9842 6.2):
 * others would be given what is noise to them. */
static bool
lacks_dictionary(const struct http_fields *f)
{
	return (fields_has_token(f, FIELD_CONTENT_ENCODING, SPAN_LIT("dcz")) ||
		   fields_has_token(
		       f, FIELD_CONTENT_ENCODING, SPAN_LIT("dcb"))) &&
	       !fields_has_token(
		   f, FIELD_VARY, SPAN_LIT("Available-Dictionary"));
}

/* All that does not depend on how long the answer is good. */
static enum storable
judge_sharing(const struct http_msg *req, const struct http_msg *resp,
    const struct cache_policy *policy, const struct cc *cc, bool is_cdn)
{
	enum storable s = judge_directives(req, resp, policy, cc, is_cdn);
	struct vary vary;

	if (s != STORABLE_YES)
		return s;
	if (policy->cookies == COOKIES_BYPASS &&
	    fields_find(&resp->fields, FIELD_SET_COOKIE) != NULL)
		return STORABLE_NO_COOKIE;
	return vary_parse(&resp->fields, &vary) &&
		       !lacks_dictionary(&resp->fields)
		   ? STORABLE_YES
		   : STORABLE_NO_VARY;
}

enum storable
storable_judge_update(const struct http_msg *req,
    const struct http_msg *updated, const struct cache_policy *policy)
{
	struct cc cc;
	bool is_cdn = cc_parse_response(&updated->fields, &cc);

	return judge_sharing(req, updated, policy, &cc, is_cdn);
}

enum storable
storable_judge(const struct http_msg *req, const struct http_msg *resp,
    const struct cache_policy *policy, const struct cache_facts *facts,
    struct freshness *out)
{
	enum storable s;
	struct cc cc;
	bool is_cdn;

	if (req->method != METHOD_GET && req->method != METHOD_POST)
		return STORABLE_NO_METHOD;
	if (!is_status_kept(req, resp->status))
		return STORABLE_NO_STATUS;
	if (resp->status == 206 && !is_partial_kept(req, resp, policy))
		return STORABLE_NO_PARTIAL;
	is_cdn = cc_parse_response(&resp->fields, &cc);
	s = judge_sharing(req, resp, policy, &cc, is_cdn);
	if (s != STORABLE_YES)
		return s;
	freshness_of(resp, &cc, is_cdn, policy, facts, out);
	if (req->method == METHOD_POST &&
	    ((out->flags & FRESH_EXPLICIT) == 0 ||
		!is_content_at_target(req, facts->scheme, resp)))
		return STORABLE_NO_METHOD;
	return judge_freshness(resp, &cc, out);
}

/* --- fields --------------------------------------------------------------- */

bool
storable_field(
    const struct http_fields *f, const struct http_field *fld, unsigned flags)
{
	if ((field_flags(fld->id) & (FIELD_F_HOP | FIELD_F_NOT_STORED)) != 0)
		return false;
	if (fld->id == FIELD_SET_COOKIE && (flags & FRESH_STRIP_COOKIE) != 0)
		return false;
	if (fields_has_token(f, FIELD_CONNECTION, fld->name))
		return false;
	return (flags & FRESH_STRIP_NAMED) == 0 ||
	       !cc_names(f, (flags & FRESH_CDN) != 0, fld->name);
}

bool
storable_updates(
    const struct http_fields *f, const struct http_field *fld, unsigned flags)
{
	return (field_flags(fld->id) & FIELD_F_OF_CONTENT) == 0 &&
	       storable_field(f, fld, flags);
}

/* What newer fields say themselves about which of them may be kept. */
static unsigned
merge_flags(const struct http_fields *newer, unsigned flags)
{
	struct cc cc;
	bool is_cdn = cc_parse_response(newer, &cc);

	flags &= FRESH_STRIP_COOKIE;
	if (cc.named != 0)
		flags |= FRESH_STRIP_NAMED;
	return is_cdn ? flags | FRESH_CDN : flags;
}

void
storable_merge(struct http_fields *stored, struct arena *a,
    const struct http_fields *newer, unsigned flags)
{
	flags = merge_flags(newer, flags);
	fields_foreach(fld, newer) if (storable_updates(newer, fld, flags))(
	    void) fields_del_name(stored, fld->name);
	fields_foreach(fld, newer) if (storable_updates(newer, fld, flags))
	    fields_add_known(
		stored, a, (enum field_id)fld->id, fld->name, fld->value);
}

/* --- forgetting ----------------------------------------------------------- */

static bool
is_told(const struct forget *all, unsigned n, const struct forget *one)
{
	for (unsigned i = 0; i < n; i++)
		if (span_eq(all[i].path, one->path) &&
		    span_eq(all[i].query, one->query) &&
		    all[i].has_query == one->has_query)
			return true;
	return false;
}

/* Add one with its path in the form that keys are made of. */
static unsigned
add_forget(struct forget *all, unsigned n, struct forget one, struct arena *a,
    bool is_target)
{
	char *path = arena_alloc(a, one.path.len);
	size_t len;

	if (uri_normalize_path(one.path, path, &len) == URI_PATH_AMBIGUOUS &&
	    !is_target)
		return n;
	one.path = span_of(path, len);
	if (is_told(all, n, &one))
		return n;
	all[n] = one;
	return n + 1;
}

unsigned
storable_forget(const struct http_msg *req, span scheme,
    const struct http_msg *resp, struct arena *a, struct forget out[FORGET_MAX])
{
	static const enum field_id where[] = {
	    FIELD_LOCATION, FIELD_CONTENT_LOCATION};
	struct base base = {req, scheme};
	struct forget one = {req->path, req->query, req->has_query};
	unsigned n;

	if (method_is_safe(req->method) || req->path.len == 0 ||
	    resp->status < 200 || resp->status >= 400)
		return 0;
	n = add_forget(out, 0, one, a, true);
	for (size_t i = 0; i < NELEMS(where); i++) {
		const struct http_field *fld =
		    fields_find(&resp->fields, where[i]);

		if (fld != NULL && resolve(&base, fld->value, a, &one))
			n = add_forget(out, n, one, a, false);
	}
	return n;
}

/* --- tags ----------------------------------------------------------------- */

static bool
tag_is_end(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

bool
storable_next_tag(span *rest, span *tag)
{
	size_t i = 0;

	while (rest->len > 0 && tag_is_end(rest->p[0]))
		*rest = span_from(*rest, 1);
	while (i < rest->len && !tag_is_end(rest->p[i]))
		i++;
	*tag = span_first(*rest, i);
	*rest = span_from(*rest, i);
	return tag->len > 0;
}
