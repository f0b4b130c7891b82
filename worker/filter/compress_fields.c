/* filter/compress_fields: what fields say of whether content may be coded, and
 * what they have to say when it was. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/cc.h"
#include "common/http/conditional.h"
#include "worker/exch/exch.h"
#include "worker/filter/compress.h"

/* --- whether -------------------------------------------------------------- */

/* A listed type: `a/b` itself, all of `a/` when a star follows, `+b` for all with
 * that suffix (RFC 6838 4.2.8), `*` for all. */
static bool
type_matches(span type, span listed)
{
	span end = span_from(type, type.len - size_min(type.len, listed.len));

	if (span_eq(listed, SPAN_LIT("*")))
		return true;
	if (listed.p[0] == '+')
		return span_ieq(end, listed);
	if (listed.p[listed.len - 1] == '*')
		return type.len >= listed.len &&
		       span_ieq(span_first(type, listed.len - 1),
			   span_first(listed, listed.len - 1));
	return span_ieq(type, listed);
}

bool
compress_knows_type(const struct exch *x, const span *types, uint32_t n)
{
	const struct http_field *f =
	    fields_find(&x->resp.fields, FIELD_CONTENT_TYPE);
	ptrdiff_t semicolon;
	span type;

	if (f == NULL)
		return false;
	semicolon = span_chr(f->value, ';');
	type =
	    semicolon < 0 ? f->value : span_first(f->value, (size_t)semicolon);
	type = span_trim(type);
	for (uint32_t i = 0; i < n; i++)
		if (type_matches(type, types[i]))
			return true;
	return false;
}

bool
compress_is_forbidden(const struct exch *x)
{
	struct cc cc;

	if (fields_find(&x->resp.fields, FIELD_CACHE_CONTROL) != NULL) {
		cc_parse(&x->resp.fields, &cc);
		if (cc_has(&cc, CC_NO_TRANSFORM))
			return true;
	}
	if (fields_find(exch_said(x), FIELD_CACHE_CONTROL) == NULL)
		return false;
	cc_parse(exch_said(x), &cc);
	return cc_has(&cc, CC_NO_TRANSFORM);
}

/* Whether an origin or a URL is of the request's own host. */
static bool
fields_name_own_host(const struct exch *x, span url)
{
	ptrdiff_t at = span_find(url, SPAN_LIT("://"));
	span rest = at < 0 ? span_of(NULL, 0) : span_from(url, (size_t)at + 3);

	return rest.len >= x->req.host.len && x->req.host.len > 0 &&
	       span_ieq(span_first(rest, x->req.host.len), x->req.host) &&
	       (rest.len == x->req.host.len || rest.p[x->req.host.len] == '/' ||
		   rest.p[x->req.host.len] == ':');
}

bool
compress_is_cross_site(const struct exch *x)
{
	span site = exch_said_field(x, FIELD_SEC_FETCH_SITE);
	span from = exch_said_field(x, FIELD_ORIGIN);

	if (site.len > 0)
		return !span_eq(site, SPAN_LIT("same-origin")) &&
		       !span_eq(site, SPAN_LIT("same-site")) &&
		       !span_eq(site, SPAN_LIT("none"));
	if (from.len == 0)
		from = exch_said_field(x, FIELD_REFERER);
	return from.len > 0 && !fields_name_own_host(x, from);
}

/* --- what they say then --------------------------------------------------- */

bool
compress_has_dictionaries(const struct exch *x)
{
	const struct plan_compress *set = &x->set->compress;

	if (x->set->cache.cache == NULL)
		return false;
	for (uint32_t i = 0; i < set->n; i++)
		if (coding_has_dictionary(set->order[i]))
			return true;
	return false;
}

/* Whether the answer's page may be read by who asks from elsewhere. */
static bool
fields_allow_origin(const struct exch *x)
{
	const struct http_field *allowed =
	    fields_find(&x->resp.fields, FIELD_ACCESS_CONTROL_ALLOW_ORIGIN);
	span from = exch_said_field(x, FIELD_ORIGIN);

	return allowed != NULL && from.len > 0 &&
	       (span_eq(allowed->value, SPAN_LIT("*")) ||
		   span_eq(allowed->value, from));
}

bool
compress_is_opaque(const struct exch *x)
{
	span site = exch_said_field(x, FIELD_SEC_FETCH_SITE);
	span mode = exch_said_field(x, FIELD_SEC_FETCH_MODE);

	if (site.len == 0 || mode.len == 0 ||
	    span_eq(site, SPAN_LIT("same-origin")) ||
	    span_eq(mode, SPAN_LIT("navigate")) ||
	    span_eq(mode, SPAN_LIT("same-origin")))
		return false;
	return !span_eq(mode, SPAN_LIT("cors")) || !fields_allow_origin(x);
}

static void
fields_add_vary(struct exch *x, span name)
{
	struct http_fields *f = &x->resp.fields;
	span now = fields_joined(f, FIELD_VARY, &x->arena);

	if (fields_has_token(f, FIELD_VARY, name) ||
	    fields_has_token(f, FIELD_VARY, SPAN_LIT("*")))
		return;
	if (now.len > 0)
		name = arena_printf(
		    &x->arena, "%.*s, %.*s", SPAN_FMT(now), SPAN_FMT(name));
	fields_set(f, &x->arena, FIELD_VARY, name);
}

void
compress_add_vary(struct exch *x)
{
	fields_add_vary(x, SPAN_LIT("Accept-Encoding"));
	if (compress_has_dictionaries(x))
		fields_add_vary(x, SPAN_LIT("Available-Dictionary"));
}

/* RFC 9110 8.8.3.3: other bytes cannot have the same strong tag. What is no tag,
 * or more than one, goes: whoever compares it knows no weak form of it. */
static void
fields_weaken_etag(struct exch *x)
{
	struct http_fields *all = &x->resp.fields;
	struct http_field *f = fields_find(all, FIELD_ETAG);
	struct etag tag;

	if (f == NULL)
		return;
	if (!etag_parse(f->value, &tag) || fields_next(all, f) != NULL)
		(void)fields_del(all, FIELD_ETAG);
	else if (!tag.is_weak)
		f->value =
		    arena_printf(&x->arena, "W/%.*s", SPAN_FMT(f->value));
}

/* What speaks of the bytes as they were goes. */
static void
fields_forget_bytes(struct http_fields *f)
{
	static const enum field_id wrong[] = {
	    FIELD_CONTENT_LENGTH, FIELD_ACCEPT_RANGES, FIELD_CONTENT_ENCODING};

	for (size_t i = 0; i < NELEMS(wrong); i++)
		(void)fields_del(f, wrong[i]);
	fields_del_digests(f);
}

void
compress_describe(struct exch *x, enum coding c)
{
	struct http_fields *f = &x->resp.fields;

	fields_forget_bytes(f);
	if (c != CODING_IDENTITY)
		fields_add_id(
		    f, &x->arena, FIELD_CONTENT_ENCODING, coding_name(c));
	fields_weaken_etag(x);
	x->resp.body = LENGTH_OPEN;
	x->resp.length = 0;
}

/* Whether the client has it under the weak form of this tag. */
static bool
fields_ask_weakly(const struct exch *x, const struct etag *tag)
{
	span rest = exch_said_field(x, FIELD_IF_NONE_MATCH);
	struct etag one;

	while (etag_next(&rest, &one))
		if (one.is_weak && etag_is_weak_match(&one, tag))
			return true;
	return false;
}

bool
compress_weaken_unmodified(struct exch *x)
{
	const struct http_field *f = fields_find(&x->resp.fields, FIELD_ETAG);
	struct etag tag;

	if (f == NULL || !etag_parse(f->value, &tag) || tag.is_weak ||
	    !fields_ask_weakly(x, &tag))
		return false;
	fields_forget_bytes(&x->resp.fields);
	fields_weaken_etag(x);
	x->is_edited = true;
	return true;
}

void
compress_describe_unmodified(struct exch *x)
{
	/* a Vary of its own takes the place of the one that the client was told
	 * (RFC 9111 3.2) */
	if (compress_weaken_unmodified(x) || x->is_edited ||
	    fields_find(&x->resp.fields, FIELD_VARY) != NULL)
		compress_add_vary(x);
}
