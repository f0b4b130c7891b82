/* preset/cors: which pages of other origins may read answers (the CORS protocol,
 * https://fetch.spec.whatwg.org/#http-cors-protocol). Preflights are answered
 * here; what servers say about it is replaced, so that one place decides. */
#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/http/chars.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/preset/preset.h"

#define CORS_MS_PER_S 1000

/* "https://app.test", or with a star for the first labels. */
struct cors_origin {
	span scheme; /* with "://" */
	span rest; /* host and port; with is_wild from the dot on */
	bool is_wild;
};

struct cors {
	struct place at;
	bool is_any;
	bool has_credentials;
	struct cors_origin *origins;
	uint32_t n;
	/* values of fields; empty: the field is not sent */
	span methods;
	span headers;
	span expose;
	span max_age;
};

/* --- the configuration ---------------------------------------------------- */

/* Host and port as browsers write them: lower case, no path. */
static bool
cors_is_authority(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    strchr("-._:[]", c) == NULL)
			return false;
	}
	return s.len > 0;
}

static bool
cors_read_origin(span word, struct cors_origin *o)
{
	ptrdiff_t sep = span_find(word, SPAN_LIT("://"));

	if (sep <= 0)
		return false;
	o->scheme = span_first(word, (size_t)sep + 3);
	o->rest = span_from(word, (size_t)sep + 3);
	o->is_wild = span_starts(o->rest, SPAN_LIT("*."));
	if (o->is_wild)
		o->rest = span_from(o->rest, 1);
	return cors_is_authority(o->rest) &&
	       cors_is_authority(span_first(word, (size_t)sep));
}

/* "A,B" as the value "A, B"; a star stands alone. */
static bool
cors_read_list(struct arena *a, span list, span *out)
{
	span parts[3] = {SPAN_LIT(""), SPAN_LIT(""), SPAN_LIT("")};
	span rest = list;
	span item;

	while (span_cut(&rest, ',', &item)) {
		if (!chars_all(item, CHAR_TOKEN) ||
		    (span_eq(item, SPAN_LIT("*")) && item.len != list.len))
			return false;
		parts[2] = item;
		parts[0] = arena_concat(a, parts, NELEMS(parts));
		parts[1] = SPAN_LIT(", ");
	}
	*out = parts[0];
	return out->len > 0;
}

/* One word of `cors`; false: it is none. */
static bool
cors_read_word(struct cors *c, struct arena *a, span word)
{
	ptrdiff_t eq = span_chr(word, '=');
	span name = eq < 0 ? word : span_first(word, (size_t)eq);
	span value =
	    eq < 0 ? span_of(NULL, 0) : span_from(word, (size_t)eq + 1);
	const char *why;
	int64_t ms;

	if (span_eq(word, SPAN_LIT("*"))) {
		c->is_any = true;
		return true;
	}
	if (span_eq(word, SPAN_LIT("credentials"))) {
		c->has_credentials = true;
		return true;
	}
	if (eq < 0) {
		if (!cors_read_origin(word, &c->origins[c->n]))
			return false;
		c->n++;
		return true;
	}
	if (span_eq(name, SPAN_LIT("methods")))
		return cors_read_list(a, value, &c->methods);
	if (span_eq(name, SPAN_LIT("headers")))
		return cors_read_list(a, value, &c->headers);
	if (span_eq(name, SPAN_LIT("expose")))
		return cors_read_list(a, value, &c->expose);
	if (!span_eq(name, SPAN_LIT("max_age")) ||
	    !conf_parse_duration(value, &ms, &why))
		return false;
	c->max_age = arena_printf(a, "%lld", (long long)ms / CORS_MS_PER_S);
	return true;
}

/* A star that means everything and credentials exclude each other: it would let
 * any site act in a user's name. */
static bool
cors_check(const struct cors *c, struct diag *d)
{
	bool has_star = c->is_any || span_eq(c->methods, SPAN_LIT("*")) ||
			span_eq(c->headers, SPAN_LIT("*")) ||
			span_eq(c->expose, SPAN_LIT("*"));

	if (c->has_credentials && has_star)
		diag_error(d, c->at,
		    "cors: '*' and credentials exclude each other: any site "
		    "could act in a user's name; name the origins, methods and "
		    "headers");
	else if (!c->is_any && c->n == 0)
		diag_error(d, c->at,
		    "cors: which origins? for example https://app.example.com, "
		    "https://*.example.com or *");
	else
		return true;
	return false;
}

const struct cors *
cors_prepare(const struct conf_scope *s, struct arena *a, struct diag *d)
{
	struct cors *c = arena_zalloc(a, sizeof(*c));
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t n = 0;
	bool ok = true;

	while ((v = conf_next(s, KEY_SCOPE_CORS, &it)) != NULL)
		n += v->n_words;
	if (n == 0)
		return NULL;
	c->origins = arena_alloc(a, n * sizeof(*c->origins));
	c->methods = SPAN_LIT("GET, HEAD, POST");
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(s, KEY_SCOPE_CORS, &it)) != NULL) {
		c->at = v->at;
		for (uint32_t i = 0; i < v->n_words; i++) {
			if (cors_read_word(c, a, v->words[i].text))
				continue;
			ok = false;
			diag_error(d, v->words[i].at,
			    "cors: '%.*s' is no origin "
			    "(https://app.example.com,"
			    " https://*.example.com, *) and none of "
			    "credentials,"
			    " methods=A,B, headers=A,B, expose=A,B, max_age=1h",
			    SPAN_FMT(v->words[i].text));
		}
	}
	return ok && cors_check(c, d) ? c : NULL;
}

/* --- requests and answers ------------------------------------------------- */

static bool
cors_is_labels(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!cors_is_authority(span_of(s.p + i, 1)) ||
		    strchr(":[]", s.p[i]) != NULL)
			return false;
	return s.len > 0;
}

static bool
cors_matches(const struct cors_origin *o, span origin)
{
	span rest;

	if (!span_starts(origin, o->scheme))
		return false;
	rest = span_from(origin, o->scheme.len);
	if (!o->is_wild)
		return span_eq(rest, o->rest);
	return span_ends(rest, o->rest) &&
	       cors_is_labels(span_first(rest, rest.len - o->rest.len));
}

/* The value of Access-Control-Allow-Origin; empty: it may not read. */
static span
cors_allowed(const struct cors *c, const struct exch *x)
{
	span origin = exch_said_field(x, FIELD_ORIGIN);

	if (c->is_any)
		return SPAN_LIT("*");
	for (uint32_t i = 0; i < c->n; i++)
		if (cors_matches(&c->origins[i], origin))
			return origin;
	return span_of(NULL, 0);
}

static void
cors_add(struct exch *x, const char *name, span value)
{
	if (value.len > 0)
		fields_add(&x->resp.fields, &x->arena, span_str(name), value);
}

enum verdict
stage_cors(struct exch *x)
{
	const struct cors *c = x->set->cors;

	if (c == NULL || x->req.method != METHOD_OPTIONS ||
	    exch_req_field(x, FIELD_ORIGIN).len == 0 ||
	    fields_find_name(&x->req.fields,
		SPAN_LIT("access-control-request-method")) == NULL)
		return VERDICT_NEXT;
	trail_note(x, DECISION_CORS, c->at, "the preflight is answered here");
	exch_reply(x, 204, span_of(NULL, 0), span_of(NULL, 0));
	x->resp.body = LENGTH_NONE;
	if (cors_allowed(c, x).len > 0) {
		cors_add(x, "Access-Control-Allow-Methods", c->methods);
		cors_add(x, "Access-Control-Allow-Headers", c->headers);
		cors_add(x, "Access-Control-Max-Age", c->max_age);
	}
	return VERDICT_REPLY;
}

/* What a server says of it. */
static void
cors_remove(struct http_fields *f)
{
	static const char *const names[] = {
	    "access-control-allow-origin",
	    "access-control-allow-credentials",
	    "access-control-allow-methods",
	    "access-control-allow-headers",
	    "access-control-expose-headers",
	    "access-control-max-age",
	};

	for (size_t i = 0; i < NELEMS(names); i++)
		(void)fields_del_name(f, span_str(names[i]));
}

void
cors_apply(struct exch *x)
{
	const struct cors *c = x->set->cors;
	struct http_fields *f = &x->resp.fields;
	span allowed = cors_allowed(c, x);

	if (!x->is_own_answer)
		cors_remove(f);
	if (!c->is_any &&
	    !fields_has_token(f, FIELD_VARY, SPAN_LIT("origin")) &&
	    !fields_has_token(f, FIELD_VARY, SPAN_LIT("*")))
		fields_add_id(f, &x->arena, FIELD_VARY, SPAN_LIT("Origin"));
	sink_note(x, "cors", c->at, "%.*s",
	    SPAN_FMT(allowed.len > 0 ? allowed
				     : SPAN_LIT("the origin may not read it")));
	if (allowed.len == 0)
		return;
	cors_add(x, "Access-Control-Allow-Origin", allowed);
	if (c->has_credentials)
		cors_add(
		    x, "Access-Control-Allow-Credentials", SPAN_LIT("true"));
	cors_add(x, "Access-Control-Expose-Headers", c->expose);
}
