/* exch/target: strip_prefix and add_prefix, behind `rewrite`. What the client sent
 * is kept byte for byte wherever that means the same; else the normalized path is
 * sent. A path with two readings is not rewritten. */
#include "worker/exch/target.h"

#include "common/http/uri.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

void
target_copy_rewrites(struct plan_rewrites *lines, struct arena *a)
{
	const struct rewrite **at = arena_alloc(a, lines->n * sizeof(*at));

	for (uint32_t i = 0; i < lines->n; i++)
		at[i] = lines->at[i];
	lines->at = at;
}

/* Whether `path` is the prefix or goes on below it. */
static bool
target_is_below(span path, span prefix)
{
	return span_starts(path, prefix) &&
	       (path.len == prefix.len || path.p[prefix.len] == '/');
}

/* Whether the raw rest behind the prefix, read alone, is the normalized rest.
 * Not so for "/api/../api/x" and its like. */
static bool
target_strips_raw(struct exch *x, span prefix)
{
	span rest = span_from(x->req.path, prefix.len);
	span want = span_from(x->path, prefix.len);
	size_t len;
	char *out;

	if (!target_is_below(x->req.path, prefix))
		return false;
	/* what begins with two slashes is a host to many (RFC 3986 4.2) */
	if (rest.len > 1 && rest.p[0] == '/' && rest.p[1] == '/')
		return false;
	if (span_eq(x->req.path, x->path))
		return true;
	if (rest.len == 0)
		return want.len == 0;
	out = arena_alloc(&x->arena, rest.len);
	if (uri_normalize_path(rest, out, &len) == URI_PATH_AMBIGUOUS)
		return false;
	return span_eq(span_of(out, len), want);
}

/* A normalized path without the prefix. */
static span
target_without(span path, span prefix)
{
	if (prefix.len > 0 && target_is_below(path, prefix))
		return span_from(path, prefix.len);
	return path;
}

/* The path behind the route's strip_prefix, as it will be sent. */
static span
target_stripped(struct exch *x)
{
	span prefix = x->set->strip_prefix;

	if (x->target != NULL)
		return target_without(x->target->path, prefix);
	if (prefix.len == 0 || !target_is_below(x->path, prefix))
		return x->req.path;
	if (target_strips_raw(x, prefix))
		return span_from(x->req.path, prefix.len);
	return span_from(x->path, prefix.len);
}

static span
target_join(struct exch *x, span path)
{
	bool has_query = x->req.has_query;
	span query = x->req.query;
	span parts[5];
	size_t n = 0;

	if (x->target != NULL) {
		has_query = x->target->has_query;
		query = x->target->query;
	}

	parts[n++] = x->set->add_prefix;
	if (path.len == 0 || path.p[0] != '/')
		parts[n++] = SPAN_LIT("/");
	parts[n++] = path;
	if (has_query) {
		parts[n++] = SPAN_LIT("?");
		parts[n++] = query;
	}
	return arena_concat(&x->arena, parts, n);
}

span
route_target(struct exch *x)
{
	const struct plan_settings *set = x->set;
	const struct http_msg *m = &x->req;

	if (m->path.len == 1 && m->path.p[0] == '*')
		return m->path;
	if (set->strip_prefix.len > 0 || set->add_prefix.len > 0 ||
	    x->target != NULL) {
		if (x->path_is_ambiguous)
			return span_of(NULL, 0);
		return target_join(x, target_stripped(x));
	}
	return msg_uri(m, &x->arena);
}

span
target_path(struct exch *x)
{
	const struct plan_settings *set = x->set;
	span path = target_without(
	    x->target != NULL ? x->target->path : x->path, set->strip_prefix);
	span parts[3] = {set->add_prefix};

	if (set->add_prefix.len == 0 && path.len > 0)
		return path;
	parts[1] = path.len == 0 ? SPAN_LIT("/") : SPAN_LIT("");
	parts[2] = path;
	return arena_concat(&x->arena, parts, NELEMS(parts));
}

void
target_read_path(struct exch *x)
{
	size_t len;
	char *p = arena_alloc(&x->arena, x->req.path.len);

	x->path_is_ambiguous =
	    uri_normalize_path(x->req.path, p, &len) == URI_PATH_AMBIGUOUS;
	x->path = span_of(p, len);
}

bool
target_prepare_prefix(span text, struct arena *a, span *out)
{
	size_t len;
	char *p;

	if (text.len == 0 || text.p[0] != '/' || span_chr(text, '?') >= 0 ||
	    span_chr(text, '#') >= 0)
		return false;
	p = arena_alloc(a, text.len);
	if (uri_normalize_path(text, p, &len) == URI_PATH_AMBIGUOUS)
		return false;
	while (len > 0 && p[len - 1] == '/')
		len--;
	*out = span_of(p, len);
	return true;
}
