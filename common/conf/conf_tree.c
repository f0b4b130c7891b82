/* conf/conf_tree: finding sections and values. Read-only once loaded. */
#include "common/conf/conf_int.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"

/* Chunks of the tree's arena that wait for reuse: it only grows. */
#define POOL_IDLE 0

struct conf_tree *
conf_tree_new(unsigned part)
{
	struct conf_tree *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->part = part;
	arena_pool_init(&t->pool, POOL_IDLE);
	arena_init(&t->arena, &t->pool);
	for (int i = 0; i < CONF_TYPES; i++)
		map_init(&t->names[i], false);
	for (int k = 0; k < CONF_KEYS; k++)
		t->deflt[k] = conf_value_default(t, (enum conf_key)k);
	return t;
}

void
conf_free(struct conf_tree *t)
{
	if (t == NULL)
		return;
	for (int i = 0; i < CONF_TYPES; i++)
		map_fini(&t->names[i]);
	arena_fini(&t->arena);
	arena_pool_fini(&t->pool);
	free(t);
}

span
conf_section_id(struct conf_tree *t, const struct conf_section *s)
{
	span parts[] = {s->name, SPAN_LIT(" "), s->path};

	if (s->path.len == 0)
		return s->name;
	return arena_concat(&t->arena, parts, NELEMS(parts));
}

void
conf_tree_add(struct conf_tree *t, struct conf_section *s)
{
	REQUIRE(map_put(&t->names[s->type], conf_section_id(t, s), s) == NULL);
	s->next = NULL;
	s->next_in_file = NULL;
	if (t->last[s->type] != NULL)
		t->last[s->type]->next = s;
	else
		t->first[s->type] = s;
	t->last[s->type] = s;
	if (t->in_file_last != NULL)
		t->in_file_last->next_in_file = s;
	else
		t->in_file = s;
	t->in_file_last = s;
}

static void
prune_chain(struct conf_value **at)
{
	while (*at != NULL) {
		if ((*at)->is_broken)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
}

void
conf_tree_prune(struct conf_tree *t)
{
	for (struct conf_section *s = t->in_file; s != NULL;
	     s = s->next_in_file) {
		for (int k = 0; k < CONF_KEYS; k++)
			prune_chain(&s->first[k]);
		prune_chain(&s->ordered);
	}
}

span
conf_brief(span s)
{
	return span_first(s, CONF_BRIEF);
}

void
conf_label(const struct conf_section *s, char out[CONF_LABEL_CAP])
{
	struct text t;

	text_init(&t, out, CONF_LABEL_CAP - 1);
	text_add_char(&t, '[');
	text_add_str(&t, conf_types[s->type].name);
	if (s->name.len > 0) {
		text_add_char(&t, ' ');
		text_add(&t, conf_brief(s->name));
	}
	if (s->path.len > 0) {
		text_add_char(&t, ' ');
		text_add(&t, conf_brief(s->path));
	}
	text_add_char(&t, ']');
	out[t.len] = '\0';
}

void
conf_where(const struct diag *d, struct place there, struct place here,
    char out[CONF_LABEL_CAP])
{
	if (there.file == here.file)
		(void)snprintf(out, CONF_LABEL_CAP, "line %u", there.line);
	else
		diag_where(d, there, out, CONF_LABEL_CAP);
}

const struct conf_section *
conf_first(const struct conf_tree *t, enum conf_type type)
{
	REQUIRE((unsigned)type < CONF_TYPES);
	return t->first[type];
}

static bool
values_mention(const struct conf_value *v, span text)
{
	for (; v != NULL; v = v->next)
		if (span_find(v->text, text) >= 0)
			return true;
	return false;
}

static bool
section_mentions(const struct conf_section *s, span text)
{
	for (unsigned k = 0; k < CONF_KEYS; k++) {
		span name = span_str(conf_rows[k].name);

		if (s->first[k] != NULL &&
		    (span_find(name, text) >= 0 ||
			values_mention(s->first[k], text)))
			return true;
	}
	return values_mention(s->ordered, text);
}

bool
conf_mentions(const struct conf_tree *t, span text)
{
	for (size_t type = 0; type < CONF_TYPES; type++)
		for (const struct conf_section *s = t->first[type]; s != NULL;
		     s = s->next)
			if (section_mentions(s, text))
				return true;
	return false;
}

const struct conf_section *
conf_section(const struct conf_tree *t, enum conf_type type, span name)
{
	REQUIRE((unsigned)type < CONF_TYPES);
	return map_get(&t->names[type], name);
}

static void
scope_add(struct conf_scope *sc, const struct conf_section *s)
{
	if (s != NULL && sc->n < CONF_SCOPE_MAX)
		sc->at[sc->n++] = s;
}

struct conf_scope
conf_scope_of(const struct conf_tree *t, const struct conf_section *s)
{
	struct conf_scope sc = {.tree = t};

	scope_add(&sc, s);
	if (s != NULL && (s->type == CONF_ROUTE || s->type == CONF_RULE))
		scope_add(&sc, conf_section(t, CONF_SITE, s->name));
	/* what holds for own sites says nothing of everybody else's */
	if (s == NULL || (s->type != CONF_DEFAULTS && s->type != CONF_FORWARD))
		scope_add(&sc, t->first[CONF_DEFAULTS]);
	return sc;
}

/* The nearest line of a key, a `none` included. */
static const struct conf_value *
nearest(const struct conf_scope *s, enum conf_key k)
{
	REQUIRE((unsigned)k < CONF_KEYS);
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->at[i] != NULL && s->at[i]->first[k] != NULL)
			return s->at[i]->first[k];
	}
	return NULL;
}

const struct conf_value *
conf_get(const struct conf_scope *s, enum conf_key k)
{
	const struct conf_value *v = nearest(s, k);

	return v != NULL && !v->is_none ? v : NULL;
}

static const struct conf_value *
nearest_or_default(const struct conf_scope *s, enum conf_key k)
{
	const struct conf_value *v = nearest(s, k);

	return v != NULL ? v : s->tree->deflt[k];
}

int64_t
conf_num(const struct conf_scope *s, enum conf_key k)
{
	const struct conf_value *v = nearest_or_default(s, k);

	return v != NULL && !v->is_none ? v->num : 0;
}

bool
conf_bool(const struct conf_scope *s, enum conf_key k)
{
	return conf_num(s, k) != 0;
}

span
conf_text(const struct conf_scope *s, enum conf_key k)
{
	const struct conf_value *v = nearest_or_default(s, k);

	return v != NULL && !v->is_none ? v->text : span_of(NULL, 0);
}

static struct conf_value *
level_first(const struct conf_scope *s, enum conf_key k, uint32_t level)
{
	return s->at[level] != NULL ? s->at[level]->first[k] : NULL;
}

/* Where the walk starts: behind the last `none`, else with the outermost. */
static void
iter_start(const struct conf_scope *s, enum conf_key k, struct conf_iter *it)
{
	it->is_started = true;
	it->at = NULL;
	for (it->level = 0; it->level < s->n; it->level++) {
		struct conf_value *none = NULL;

		for (struct conf_value *v = level_first(s, k, it->level);
		     v != NULL; v = v->next) {
			if (v->is_none)
				none = v;
		}
		if (none != NULL) {
			it->at = none;
			return;
		}
	}
}

static const struct conf_value *
iter_step(const struct conf_scope *s, enum conf_key k, struct conf_iter *it)
{
	if (it->at != NULL)
		it->at = it->at->next;
	while (it->at == NULL && it->level > 0) {
		it->level--;
		it->at = level_first(s, k, it->level);
	}
	return it->at;
}

/* A default that names a section which is not there is none. */
static const struct conf_value *
default_line(const struct conf_tree *t, enum conf_key k)
{
	const struct conf_value *v = t->deflt[k];
	span target = span_str(conf_rows[k].min);

	if (v == NULL || !span_starts(target, SPAN_LIT("[")))
		return v;
	target = span_of(target.p + 1, target.len - 2);
	return conf_section(
		   t, (enum conf_type)conf_type_find(target), v->text) != NULL
		   ? v
		   : NULL;
}

const struct conf_value *
conf_next(const struct conf_scope *s, enum conf_key k, struct conf_iter *it)
{
	if (!it->is_started) {
		if (nearest(s, k) == NULL) {
			it->is_started = true;
			it->level = 0;
			return default_line(s->tree, k);
		}
		iter_start(s, k, it);
	}
	return iter_step(s, k, it);
}

bool
conf_option(const struct conf_value *v, const char *name, span *value)
{
	for (uint32_t i = 1; i < v->n_words; i++) {
		span word = v->words[i].text;
		ptrdiff_t eq = span_chr(word, '=');
		span key = eq < 0 ? word : span_first(word, (size_t)eq);

		if (!span_eq(key, span_str(name)))
			continue;
		if (value != NULL)
			*value = eq < 0 ? span_of(NULL, 0)
					: span_from(word, (size_t)eq + 1);
		return true;
	}
	return false;
}
