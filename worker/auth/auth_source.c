/* auth/auth_source: see auth_source.h. */
#include "worker/auth/auth_source.h"

#include "common/http/chars.h"
#include "worker/auth/auth_int.h"

void
auth_source_prepare(struct auth_source *s, const struct conf_scope *scope,
    const char *otherwise, struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(scope, KEY_AUTH_HEADER);
	const struct conf_value *query = conf_get(scope, KEY_AUTH_QUERY);
	uint32_t n =
	    v != NULL ? v->n_words : query == NULL && otherwise != NULL;
	span *names = arena_alloc(a, n * sizeof(*names));

	for (uint32_t i = 0; i < n; i++)
		names[i] = v != NULL ? v->words[i].text : span_str(otherwise);
	for (uint32_t i = 0; v != NULL && i < n; i++)
		if (!chars_all(names[i], CHAR_TOKEN))
			diag_error(d, v->words[i].at,
			    "'%.*s' is no name of a field", SPAN_FMT(names[i]));
	s->names = names;
	s->n = n;
	if (query != NULL)
		s->query = query->text;
}

/* The field of that name; for a proxy its own of Authorization. */
static const struct http_field *
source_field(const struct exch *x, span name)
{
	enum field_id id = field_lookup(name);

	if (id == FIELD_AUTHORIZATION)
		id = auth_field(x);
	return id != FIELD_OTHER ? fields_find(&x->req.fields, id)
				 : fields_find_name(&x->req.fields, name);
}

/* Whether another line of the same name follows. */
static bool
source_is_twice(const struct exch *x, const struct http_field *f)
{
	const struct http_fields *all = &x->req.fields;

	for (const struct http_field *o = f + 1; o < all->at + all->n; o++)
		if (!o->is_gone && span_ieq(o->name, f->name))
			return true;
	return false;
}

/* What a field carries; empty: no token. */
static span
source_value(const struct http_field *f)
{
	span rest = f->value;
	span word;

	if (f->id != FIELD_AUTHORIZATION && f->id != FIELD_PROXY_AUTHORIZATION)
		return rest;
	if (!span_word(&rest, &word) || !span_ieq(word, SPAN_LIT("bearer")))
		return span_of(NULL, 0);
	return span_trim(rest);
}

/* The next argument of that name; *rest is behind it. */
static bool
source_arg(span *rest, span name, span *pair)
{
	while (span_cut(rest, '&', pair)) {
		ptrdiff_t eq = span_chr(*pair, '=');

		if (eq >= 0 && span_eq(span_first(*pair, (size_t)eq), name))
			return true;
	}
	return false;
}

enum auth_sent
auth_source_find(const struct auth_source *s, const struct exch *x, span *token)
{
	span rest = x->req.query;
	span pair;

	*token = span_of(NULL, 0);
	for (uint32_t i = 0; i < s->n && token->len == 0; i++) {
		const struct http_field *f = source_field(x, s->names[i]);

		if (f == NULL)
			continue;
		if (source_is_twice(x, f))
			return AUTH_SENT_TWO;
		*token = source_value(f);
	}
	if (token->len == 0 && s->query.len > 0 &&
	    source_arg(&rest, s->query, &pair)) {
		*token = span_from(pair, s->query.len + 1);
		if (source_arg(&rest, s->query, &pair))
			return AUTH_SENT_TWO;
	}
	return token->len > 0 ? AUTH_SENT_TOKEN : AUTH_SENT_NOTHING;
}

/* The query without the arguments of that name. */
static void
source_strip_query(struct exch *x, span name)
{
	struct http_msg *m = &x->req;
	char *out = arena_alloc(&x->arena, m->query.len + 1);
	span rest = m->query;
	size_t len = 0;
	span pair;

	while (span_cut(&rest, '&', &pair)) {
		ptrdiff_t eq = span_chr(pair, '=');

		if (eq >= 0 && span_eq(span_first(pair, (size_t)eq), name))
			continue;
		if (len > 0)
			out[len++] = '&';
		memcpy(out + len, pair.p, pair.len);
		len += pair.len;
	}
	m->query = span_of(out, len);
	m->has_query = len > 0;
}

void
auth_source_strip(const struct auth_source *s, struct exch *x)
{
	span rest = x->req.query;
	span pair;

	for (uint32_t i = 0; i < s->n; i++) {
		enum field_id id = field_lookup(s->names[i]);

		if (id == FIELD_AUTHORIZATION)
			id = auth_field(x);
		if (id != FIELD_OTHER)
			(void)fields_del(&x->req.fields, id);
		else
			(void)fields_del_name(&x->req.fields, s->names[i]);
	}
	if (s->query.len > 0 && source_arg(&rest, s->query, &pair))
		source_strip_query(x, s->query);
}
