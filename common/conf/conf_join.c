/* conf/conf_join: the sections that were read become the tree's. A section that
 * stands twice is an error, unless the second says `extend = on`; what is
 * implied by the grammar is added as if it were written. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"

static bool
is_extension(const struct conf_section *s)
{
	const struct conf_value *v = s->first[KEY_UPSTREAM_EXTEND];

	return v != NULL && v->num != 0;
}

/* A [global] of an included file that only includes more. */
static bool
is_only_include(const struct conf_section *s)
{
	const struct conf_value *v = s->first[KEY_GLOBAL_INCLUDE];
	uint32_t n = 0;

	for (; v != NULL; v = v->next)
		n++;
	return s->type == CONF_GLOBAL && n == s->n_lines;
}

/* Whether the header gave all the names it needs; if not, that was said. */
static bool
is_named(const struct conf_section *s)
{
	switch (conf_types[s->type].names) {
	case NAMES_NONE:
	case NAMES_MAYBE:
		return true;
	case NAMES_ONE:
		return s->name.len > 0;
	case NAMES_ROUTE:
	case NAMES_RULE:
		return s->path.len > 0;
	}
	UNREACHED();
}

static struct conf_section *
find(struct conf_tree *t, const struct conf_section *s)
{
	return map_get(&t->names[s->type], conf_section_id(t, s));
}

static void
join_whole(struct conf_reader *r, struct conf_section *s)
{
	struct conf_section *old = find(r->tree, s);
	char label[CONF_LABEL_CAP];
	char where[CONF_LABEL_CAP];

	if (old == NULL) {
		conf_tree_add(r->tree, s);
		return;
	}
	conf_label(s, label);
	conf_where(r->d, old->at, s->at, where);
	diag_error(r->d, s->at, "%s stands twice, first in %s%s", label, where,
	    conf_is_in(KEY_UPSTREAM_EXTEND, s->type)
		? "; `extend = on` in one of them lets it add to the other"
		: "");
}

/* Move one key's lines to the section that is extended. */
static void
extend_key(struct conf_reader *r, struct conf_section *to,
    struct conf_section *from, enum conf_key k)
{
	struct conf_value **at = &to->first[k];
	char label[CONF_LABEL_CAP];
	char where[CONF_LABEL_CAP];

	if (from->first[k] == NULL)
		return;
	if (*at != NULL && conf_is_scalar(conf_rows[k].kind)) {
		conf_label(to, label);
		conf_where(r->d, (*at)->key_at, from->first[k]->key_at, where);
		diag_error(r->d, from->first[k]->key_at,
		    "'%s' is set twice in %s, first in %s", conf_rows[k].name,
		    label, where);
		return;
	}
	/* thousands may add to one: their end is remembered */
	if (r->chain == at)
		at = &r->chain_last->next;
	r->chain = &to->first[k];
	while (*at != NULL)
		at = &(*at)->next;
	*at = from->first[k];
	for (r->chain_last = *at; r->chain_last->next != NULL;)
		r->chain_last = r->chain_last->next;
}

static void
join_extension(struct conf_reader *r, struct conf_section *s)
{
	struct conf_section *to = find(r->tree, s);
	char label[CONF_LABEL_CAP];

	if (to == NULL) {
		conf_label(s, label);
		diag_error(r->d, s->first[KEY_UPSTREAM_EXTEND]->key_at,
		    "there is no other %s to extend", label);
		/* what names it is not wrong because of that */
		conf_tree_add(r->tree, s);
		return;
	}
	for (int k = 0; k < CONF_KEYS; k++) {
		if (k != KEY_UPSTREAM_EXTEND)
			extend_key(r, to, s, (enum conf_key)k);
	}
	to->n_lines += s->n_lines;
}

/* A line that nobody wrote. */
static void
imply_value(struct conf_tree *t, struct conf_section *s, enum conf_key k,
    span text, struct place at)
{
	struct conf_value *v = arena_zalloc(&t->arena, sizeof(*v));

	v->key = k;
	v->text = text;
	v->at = at;
	v->key_at = at;
	v->words = arena_zalloc(&t->arena, sizeof(*v->words));
	v->words[0] = (struct conf_word){text, at};
	v->n_words = 1;
	s->first[k] = v;
}

static struct conf_section *
imply_listen(struct conf_tree *t, span name, span address)
{
	struct conf_section *s = arena_zalloc(&t->arena, sizeof(*s));

	s->type = CONF_LISTEN;
	s->name = name;
	imply_value(t, s, KEY_LISTEN_ADDRESS, address, s->at);
	conf_tree_add(t, s);
	return s;
}

static bool
has_certificate(const struct conf_tree *t)
{
	for (const struct conf_section *s = t->first[CONF_SITE]; s != NULL;
	     s = s->next) {
		struct conf_scope scope = conf_scope_of(t, s);
		struct conf_iter it = {NULL, 0, false};

		if (conf_next(&scope, KEY_SITE_CERTIFICATE, &it) != NULL)
			return true;
	}
	return false;
}

/* Without any: the ports of http, and of https when there is a certificate. */
static void
imply_listens(struct conf_tree *t)
{
	struct conf_section *s;

	if (t->first[CONF_LISTEN] != NULL)
		return;
	(void)imply_listen(t, span_of(NULL, 0), SPAN_LIT(":80"));
	if (!has_certificate(t))
		return;
	s = imply_listen(t, SPAN_LIT("https"), SPAN_LIT(":443"));
	imply_value(t, s, KEY_LISTEN_TLS, SPAN_LIT("on"), s->at);
	s->first[KEY_LISTEN_TLS]->num = 1;
}

/* `upstream = 127.0.0.1:3000` names a section that stands for that server. */
static void
imply_upstream(struct conf_reader *r, const struct conf_value *v)
{
	struct conf_tree *t = r->tree;
	struct conf_section *s;
	const char *why = NULL;
	bool is_address =
	    span_chr(v->text, ':') >= 0 || span_chr(v->text, '/') >= 0;

	if (v->is_none || !is_address ||
	    conf_section(t, CONF_UPSTREAM, v->text) != NULL)
		return;
	if (!conf_shape_check(conf_rows[v->key].max, t->part, v->text, &why))
		diag_error(r->d, v->at, "%s = %.*s: %s", conf_rows[v->key].name,
		    SPAN_FMT(conf_brief(v->text)), why);
	s = arena_zalloc(&t->arena, sizeof(*s));
	s->type = CONF_UPSTREAM;
	s->name = v->text;
	s->at = v->at;
	s->at.line = 0;
	imply_value(t, s, KEY_UPSTREAM_SERVER, v->text, v->at);
	conf_tree_add(t, s);
}

static void
imply_upstreams(struct conf_reader *r)
{
	for (struct conf_section *s = r->tree->in_file; s != NULL;
	     s = s->next_in_file) {
		const struct conf_value *v = s->first[KEY_SCOPE_UPSTREAM];

		if (v != NULL)
			imply_upstream(r, v);
	}
}

void
conf_join(struct conf_reader *r)
{
	struct conf_section *includer = NULL;

	for (uint32_t i = 0; i < r->sections.n; i++) {
		struct conf_section *s = r->sections.at[i];

		if (s == NULL || !is_named(s) || is_extension(s))
			continue;
		if (is_only_include(s) &&
		    (includer != NULL || s->n_lines > 0)) {
			includer = s;
			continue;
		}
		join_whole(r, s);
	}
	for (uint32_t i = 0; i < r->sections.n; i++) {
		struct conf_section *s = r->sections.at[i];

		if (s != NULL && is_named(s) && is_extension(s))
			join_extension(r, s);
	}
	if (r->tree->first[CONF_GLOBAL] == NULL && includer != NULL)
		conf_tree_add(r->tree, includer);
	imply_upstreams(r);
	imply_listens(r->tree);
}
