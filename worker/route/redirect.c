/* route/redirect: answers with another place to go. Values of the request are
 * percent-encoded, so that none can end the field or the host it stands in. */
#include "worker/exch/exch.h"
#include "worker/exch/tmpl.h"
#include "worker/route/route.h"

struct redirect {
	unsigned status;
	struct tmpl to;
};

bool
redirect_status_is_fine(uint64_t status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

const void *
redirect_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct redirect *r = arena_zalloc(a, sizeof(*r));
	struct place at = v->at;
	struct var_src src;
	span rest = v->text;
	uint64_t status;
	span word;

	if (!span_word(&rest, &word) || !span_u64(word, 999, &status) ||
	    !redirect_status_is_fine(status)) {
		diag_error(d, v->at,
		    "redirect = STATUS URL, where STATUS is 301, 302, 303, "
		    "307 or 308");
		return NULL;
	}
	rest = span_trim(rest);
	if (rest.len == 0) {
		diag_error(d, v->at,
		    "redirect: where to? for example 301 https://{host}{uri}");
		return NULL;
	}
	at.col = (uint16_t)(at.col + (rest.p - v->text.p));
	at.len = (uint16_t)rest.len;
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] > ' ' && rest.p[i] != 0x7f)
			continue;
		diag_error(d, at, "redirect: a URL holds visible ASCII only");
		return NULL;
	}
	r->status = (unsigned)status;
	src = (struct var_src){rest, at, VAR_WHEN_REQUEST};
	return tmpl_prepare(&r->to, a, &src, d) ? r : NULL;
}

/* A place that begins with two slashes names another host (RFC 3986 4.2); when
 * the slashes come from the request, the client must not choose it. */
static span
redirect_keep_host(const struct redirect *r, span to)
{
	const struct tmpl_part *first = r->to.parts;

	if (r->to.n == 0 ||
	    (!first->is_var && !span_eq(first->text, SPAN_LIT("/"))))
		return to;
	while (to.len >= 2 && to.p[0] == '/' &&
	       (to.p[1] == '/' || to.p[1] == '\\'))
		to = span_from(to, 1);
	return to;
}

void
redirect_to_https(struct exch *x)
{
	static struct tmpl_part parts[] = {
	    {.text = {"https://", 8}},
	    {.var = {.id = VAR_HOST}, .is_var = true},
	    {.var = {.id = VAR_URI}, .is_var = true},
	};
	static const struct tmpl to = {parts, NELEMS(parts), 2, 8};
	bool is_get =
	    x->req.method == METHOD_GET || x->req.method == METHOD_HEAD;

	exch_reply_status(x, is_get ? 301 : 308);
	fields_add_id(&x->resp.fields, &x->arena, FIELD_LOCATION,
	    tmpl_render(&to, x, TMPL_URI));
}

static enum verdict
redirect_open(struct exch *x)
{
	const struct redirect *r = x->set->handler_conf;
	span to = redirect_keep_host(r, tmpl_render(&r->to, x, TMPL_URI));

	exch_reply_status(x, r->status);
	fields_add_id(&x->resp.fields, &x->arena, FIELD_LOCATION, to);
	return VERDICT_REPLY;
}

const struct handler redirect_handler = {
    .name = "redirect",
    .is_light = true,
    .open = redirect_open,
};
