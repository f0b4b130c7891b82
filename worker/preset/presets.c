/* preset/presets: the stage that fits an answer for those outside: first what
 * names the origin, then what protects browsers. Behind it stand only the lines
 * of response_header, which are nearer than any preset. */
#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/handler.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/preset/cookie_edit.h"
#include "worker/preset/outer_names.h"
#include "worker/preset/preset.h"
#include "worker/preset/security.h"

static void
presets_hide(struct exch *x)
{
	static const char *const names[] = {
#define HIDE(name, doc) name,
#include "worker/preset/hide_origin.def"
#undef HIDE
	};

	for (size_t i = 0; i < NELEMS(names); i++)
		(void)fields_del_name(&x->resp.fields, span_str(names[i]));
}

static struct outer_view
presets_view(const struct exch *x)
{
	const struct plan_settings *set = x->set;
	struct outer_view v = {
	    .names = set->server_names,
	    .server = x->origin.server,
	    .scheme = x->client.scheme,
	    .authority = x->req.authority,
	    .add_prefix = set->add_prefix,
	    .has_paths = set->rewrites_paths,
	};

	/* else it was not taken off either */
	if (span_starts(x->path, set->strip_prefix))
		v.strip_prefix = set->strip_prefix;
	return v;
}

static void
presets_locations(struct exch *x, const struct outer_view *v)
{
	static const enum field_id urls[] = {
	    FIELD_LOCATION, FIELD_CONTENT_LOCATION, FIELD_REFRESH};

	for (size_t i = 0; i < NELEMS(urls); i++) {
		struct http_field *f = fields_find(&x->resp.fields, urls[i]);
		span was;

		if (f == NULL)
			continue;
		was = f->value;
		f->value = urls[i] == FIELD_REFRESH
			       ? outer_refresh(&x->arena, v, was)
			       : outer_url(&x->arena, v, was);
		if (f->value.p != was.p)
			sink_note(x, "rewrite_location", SINK_NOWHERE,
			    "%.*s is %.*s", SPAN_FMT(was), SPAN_FMT(f->value));
	}
}

static void
presets_cookies(struct exch *x, const struct outer_view *v)
{
	const struct plan_cookies *all = &x->set->cookies;
	struct cookie_edit e = {.has_paths = false};
	struct http_field *f = fields_find(&x->resp.fields, FIELD_SET_COOKIE);

	for (uint32_t i = 0; i < all->n; i++)
		cookie_edit_add(&e, all->at[i]);
	for (; f != NULL; f = fields_next(&x->resp.fields, f))
		f->value = cookie_edit_apply(&x->arena, &e, v, f->value);
}

/* What an origin says of itself is rare: most answers have none of it. */
static void
presets_outer(struct exch *x)
{
	const struct http_fields *f = &x->resp.fields;
	bool has_url = fields_find(f, FIELD_LOCATION) != NULL ||
		       fields_find(f, FIELD_CONTENT_LOCATION) != NULL ||
		       fields_find(f, FIELD_REFRESH) != NULL;
	bool has_cookie =
	    x->set->cookies.n > 0 && fields_find(f, FIELD_SET_COOKIE) != NULL;
	struct outer_view v;

	if (!has_url && !has_cookie)
		return;
	v = presets_view(x);
	if (has_url && x->set->rewrites_location)
		presets_locations(x, &v);
	if (has_cookie)
		presets_cookies(x, &v);
}

enum verdict
stage_presets(struct exch *x)
{
	/* what a cache keeps of files of ours is no own answer any more */
	if (!x->is_own_answer && x->set->handler->has_servers) {
		if (x->set->hides_origin)
			presets_hide(x);
		presets_outer(x);
	}
	if (x->set->cors != NULL)
		cors_apply(x);
	if (x->set->security != NULL)
		security_apply(x->set->security, x);
	return VERDICT_NEXT;
}
