/* cache/cache_key: what makes two requests the same. Every piece of a key stands
 * apart from the next, so that no client can make one URL look like another. */
#include "common/base/check.h"
#include "common/http/uri.h"
#include "worker/cache/cache_int.h"

/* Room for most keys. */
#define KEY_CAP 256
/* Arguments of a query that are put in order; one with more stays as it is. */
#define KEY_ARGS_MAX 128

static bool
key_is_ignored(const struct cache *c, span name)
{
	for (uint32_t i = 0; i < c->n_ignored; i++) {
		span p = c->ignored[i];

		if (p.len > 0 && p.p[p.len - 1] == '*'
			? span_starts(name, span_first(p, p.len - 1))
			: span_eq(name, p))
			return true;
	}
	return false;
}

/* Stable, by name: the order of those with one name may mean something. */
static void
key_sort(span *args, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		span one = args[i];
		uint32_t k = i;

		while (k > 0 && span_cmp(span_before(args[k - 1], '='),
				    span_before(one, '=')) > 0) {
			args[k] = args[k - 1];
			k--;
		}
		args[k] = one;
	}
}

/* The query without what does not count. */
static span
key_query(struct exch *x, const struct cache *c, span query)
{
	span args[KEY_ARGS_MAX];
	uint32_t n = 0;
	char *p;
	size_t len = 0;

	if (query.len == 0 || (c->n_ignored == 0 && !c->sorts_query))
		return query;
	for (span rest = query; rest.p != NULL;) {
		ptrdiff_t amp = span_chr(rest, '&');
		span arg = amp < 0 ? rest : span_first(rest, (size_t)amp);

		rest = amp < 0 ? span_of(NULL, 0)
			       : span_from(rest, (size_t)amp + 1);
		if (key_is_ignored(c, span_before(arg, '=')))
			continue;
		if (n == KEY_ARGS_MAX)
			return query;
		args[n++] = arg;
	}
	if (c->sorts_query)
		key_sort(args, n);
	p = arena_alloc(&x->arena, query.len + 1);
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			p[len++] = '&';
		if (args[i].len > 0)
			memcpy(p + len, args[i].p, args[i].len);
		len += args[i].len;
	}
	return span_of(p, len);
}

/* A key that is being written. */
struct key_text {
	struct exch *x;
	char *p;
	size_t len;
	size_t cap;
};

/* Add a piece and what ends it: no piece holds the end of a line. */
static void
key_put(struct key_text *t, span s, bool is_caseless)
{
	if (t->len + s.len + 1 > t->cap) {
		size_t cap = 2 * (t->len + s.len + 1);
		char *p = arena_alloc(&t->x->arena, cap);

		memcpy(p, t->p, t->len);
		t->p = p;
		t->cap = cap;
	}
	if (is_caseless)
		ascii_lower_copy(t->p + t->len, s);
	else if (s.len > 0)
		memcpy(t->p + t->len, s.p, s.len);
	t->len += s.len;
	t->p[t->len++] = '\n';
}

/* A host with the port that servers are told with it: they may write it into
 * what they make. */
static span
key_value(struct exch *x, const struct var *v, char *scratch)
{
	span s = var_get(x, v, scratch);
	unsigned port = x->req.port;

	if (v->id != VAR_HOST || port == 0 ||
	    port == uri_default_port(x->client.scheme))
		return s;
	return arena_printf(&x->arena, "%.*s:%u", SPAN_FMT(s), port);
}

static void
key_put_part(struct key_text *t, const struct tmpl_part *part)
{
	char scratch[VAR_SCRATCH];

	if (part->is_var)
		key_put(t, key_value(t->x, &part->var, scratch),
		    var_kind(part->var.id) == VAR_KIND_NAME);
	else
		key_put(t, part->text, false);
}

/* What stands for the site of a forward proxy's requests: no site is called so.
 */
#define KEY_NO_SITE SPAN_LIT(" ")

/* The template's pieces, and the site's name before them: the same host may be
 * another site on another listen. */
static span
key_render(struct exch *x, const struct cache *c)
{
	struct key_text t = {
	    .x = x, .p = arena_alloc(&x->arena, KEY_CAP), .cap = KEY_CAP};

	key_put(&t, x->site != NULL ? x->site->name : KEY_NO_SITE, false);
	for (uint32_t i = 0; i < c->key.n; i++)
		key_put_part(&t, &c->key.parts[i]);
	return span_of(t.p, t.len);
}

span
cache_origin(struct exch *x)
{
	static const struct var host = {.id = VAR_HOST};
	char scratch[VAR_SCRATCH];

	return arena_printf(&x->arena, "%.*s://%.*s",
	    SPAN_FMT(x->client.scheme), SPAN_FMT(key_value(x, &host, scratch)));
}

/* No site is called so. */
#define KEY_DICTIONARY SPAN_LIT(" dictionary")

struct obj_key
cache_dictionary_key(struct exch *x, struct objects_view *v,
    const unsigned char hash[DICTIONARY_HASH_LEN])
{
	struct key_text t = {
	    .x = x, .p = arena_alloc(&x->arena, KEY_CAP), .cap = KEY_CAP};

	key_put(&t, KEY_DICTIONARY, false);
	key_put(&t, x->site != NULL ? x->site->name : KEY_NO_SITE, false);
	key_put(&t, cache_origin(x), true);
	return objects_key_of(v, objects_key(v, span_of(t.p, t.len)),
	    span_of((const char *)hash, DICTIONARY_HASH_LEN));
}

/* What stands for a query that is there and empty: no query can be a blank. */
#define KEY_NO_QUERY SPAN_LIT(" ")

span
cache_key_text(struct exch *x, const struct cache *c, const struct forget *at)
{
	span path = x->path;
	span query = x->req.query;
	bool had_query = x->req.has_query;
	bool is_bare;
	span text;

	/* as servers get it: some see two paths where rules see one */
	x->path = x->req.path;
	if (at != NULL) {
		x->path = at->path;
		x->req.query = at->query;
		x->req.has_query = at->has_query;
	}
	is_bare = x->req.has_query && x->req.query.len == 0;
	x->req.query = is_bare ? KEY_NO_QUERY : key_query(x, c, x->req.query);
	text = key_render(x, c);
	x->path = path;
	x->req.query = query;
	x->req.has_query = had_query;
	return text;
}

span
cache_url(struct exch *x, const struct cache *c)
{
	struct uri u = {
	    .scheme = x->client.scheme,
	    .host = x->req.host,
	    .path = x->path,
	    .query = key_query(x, c, x->req.query),
	};
	char *out = arena_alloc(&x->arena, uri_name_cap(&u));

	return span_of(out, uri_write_name(&u, out));
}
