/* conf/conf_read: from files to sections with typed values. inih joins sections
 * and keys; it is given only what it cannot blur: our own line reader stands
 * between it and the files, keeps headers and raw values in tables and hands
 * inih short lines with their numbers:
 *     [shop]             ->  [17]
 *     balance = a ; b    ->  balance=42
 * so that neither its bounds on lines and names nor its comments, continuation
 * lines and merged sections can touch what was written. */
#include "common/conf/conf_int.h"

#include <ini.h>
#include <stdlib.h>

#include "common/base/check.h"

/* What a handed-on line needs: key, '=', a number, line end. */
#define SURROGATE_MAX (CONF_KEY_LEN_MAX + 16)

static struct place
line_place(const struct conf_source *s, size_t off, size_t len)
{
	struct place at = {.file = s->file, .line = s->line};

	at.col = (uint16_t)(off + 1);
	at.len = (uint16_t)(off + len < CONF_LINE_MAX ? len : 1);
	return at;
}

/* Take the next line, without its end, off the source. false at its end. */
static bool
next_line(struct conf_source *s, span *line)
{
	span rest = span_of(s->text + s->at, s->len - s->at);
	ptrdiff_t end;

	if (rest.len == 0)
		return false;
	end = span_chr(rest, '\n');
	*line = end < 0 ? rest : span_first(rest, (size_t)end);
	s->at += line->len + (end >= 0);
	s->line++;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* A header: a new section, which inih is told by its number. */
static bool
take_header(struct conf_reader *r, const struct conf_line *l, span line)
{
	struct conf_source *s = r->top;
	struct conf_section *section;

	if (l->why != NULL)
		diag_error(
		    r->d, line_place(s, l->bad_at, l->bad_len), "%s", l->why);
	if (r->sections.n >= CONF_SECTIONS_MAX) {
		diag_error(
		    r->d, line_place(s, 0, line.len), "too many sections");
		s->at = s->len;
		return false;
	}
	section = conf_head_parse(r, l->head, line_place(s, 0, line.len));
	s->section = (int32_t)r->sections.n;
	s->is_headless_told = true;
	vec_push(&r->sections, section);
	return true;
}

/* A variable may have brought blanks to the ends. */
static void
trim_expanded(struct conf_expanded *e)
{
	span text = span_trim(e->text);

	if (e->map != NULL && text.len > 0)
		e->map += text.p - e->text.p;
	e->text = text;
}

/* A pair: kept under its number, which is all of the value inih gets. Returns
 * NULL when there is nothing to hand on. */
static struct conf_pair *
take_pair(struct conf_reader *r, const struct conf_line *l, span line)
{
	struct conf_source *s = r->top;
	struct conf_pair *p;
	size_t value_off = (size_t)(l->value.p - line.p);

	if (s->section < 0) {
		if (!s->is_headless_told)
			diag_error(r->d, line_place(s, 0, l->head.len),
			    "'%.*s' stands before any [section]%s",
			    SPAN_FMT(l->head),
			    s->parent ? "; an included file begins with one"
				      : "");
		s->is_headless_told = true;
		return NULL;
	}
	p = arena_zalloc(&r->tree->arena, sizeof(*p));
	p->key = arena_span(&r->tree->arena, l->head);
	p->key_at = line_place(s, 0, l->head.len);
	p->at = line_place(s, value_off, l->value.len);
	p->dir = s->dir;
	if (!conf_expand(r, l->value, p->at, &p->value))
		return NULL;
	trim_expanded(&p->value);
	if (p->value.text.len == 0) {
		diag_error(r->d, p->at,
		    "%.*s: the value is empty; `none` empties a key",
		    SPAN_FMT(p->key));
		return NULL;
	}
	vec_push(&r->pairs, p);
	return p;
}

/* A line of the current section was lost. */
static void
break_section(const struct conf_reader *r)
{
	struct conf_section *s = NULL;

	if (r->top->section >= 0)
		s = r->sections.at[r->top->section];
	if (s != NULL)
		s->is_broken = true;
}

/* One line of the top source. Writes what inih shall see and returns true, or
 * returns false when that is nothing. */
static bool
feed_line(struct conf_reader *r, span line, char *out, size_t cap)
{
	struct conf_source *s = r->top;
	struct conf_line l;
	struct conf_pair *p;

	if (line.len >= CONF_LINE_MAX) {
		diag_error(r->d, line_place(s, 0, 1),
		    "the line is longer than %d bytes", CONF_LINE_MAX - 1);
		break_section(r);
		return false;
	}
	conf_line_split(line, &l);
	switch (l.what) {
	case LINE_EMPTY:
		return false;
	case LINE_BAD:
		diag_error(
		    r->d, line_place(s, l.bad_at, l.bad_len), "%s", l.why);
		break_section(r);
		return false;
	case LINE_HEADER:
		if (!take_header(r, &l, line))
			return false;
		(void)snprintf(out, cap, "[%u]\n", r->sections.n - 1);
		return true;
	case LINE_PAIR:
		p = take_pair(r, &l, line);
		if (p == NULL) {
			break_section(r);
			return false;
		}
		(void)snprintf(
		    out, cap, "%.*s=%u\n", SPAN_FMT(p->key), r->pairs.n - 1);
		return true;
	}
	UNREACHED();
}

/* fgets() for inih. */
static char *
feed(char *out, int cap, void *stream)
{
	struct conf_reader *r = stream;
	span line;

	REQUIRE(cap > SURROGATE_MAX);
	while (r->top != NULL) {
		struct conf_source *s = r->top;

		if (!s->is_open) {
			if (!conf_source_open(r))
				conf_source_pop(r);
			continue;
		}
		if (r->is_header_due) {
			r->is_header_due = false;
			if (s->section >= 0) {
				(void)snprintf(
				    out, (size_t)cap, "[%d]\n", s->section);
				return out;
			}
		}
		if (!next_line(s, &line)) {
			conf_source_pop(r);
			/* the section of the file below goes on */
			r->is_header_due = true;
		} else if (feed_line(r, line, out, (size_t)cap)) {
			return out;
		}
	}
	return NULL;
}

static void
unknown_key(struct conf_reader *r, const struct conf_section *s,
    const struct conf_pair *p)
{
	char label[CONF_LABEL_CAP];
	/* what is not shown needs no suggestion */
	bool is_shown = diag_count(r->d, DIAG_ERROR) < DIAG_MAX;
	const char *near = is_shown ? conf_key_suggest(s->type, p->key) : NULL;
	const char *other =
	    is_shown && near == NULL ? conf_key_elsewhere(p->key) : NULL;

	conf_label(s, label);
	if (near != NULL)
		diag_error(r->d, p->key_at,
		    "unknown key '%.*s' in %s; did you mean '%s'?",
		    SPAN_FMT(p->key), label, near);
	else if (other != NULL)
		diag_error(r->d, p->key_at,
		    "unknown key '%.*s' in %s; it is one of [%s]",
		    SPAN_FMT(p->key), label, other);
	else
		diag_error(r->d, p->key_at, "unknown key '%.*s' in %s",
		    SPAN_FMT(p->key), label);
}

/* Put a value behind those of its key. false: it stands twice. */
static bool
value_add(struct conf_reader *r, struct conf_section *s, struct conf_value *v)
{
	enum conf_kind kind = conf_rows[v->key].kind;
	struct conf_value **at =
	    kind == KIND_ORDERED ? &s->ordered : &s->first[v->key];
	char label[CONF_LABEL_CAP];
	char where[CONF_LABEL_CAP];

	if (*at != NULL && conf_is_scalar(kind)) {
		conf_label(s, label);
		conf_where(r->d, (*at)->key_at, v->key_at, where);
		diag_error(r->d, v->key_at,
		    "'%s' is set twice in %s, first in %s",
		    conf_rows[v->key].name, label, where);
		return false;
	}
	if (r->chain == at)
		at = &r->chain_last->next;
	else
		r->chain = at;
	while (*at != NULL)
		at = &(*at)->next;
	*at = v;
	r->chain_last = v;
	return true;
}

static void
take_value(
    struct conf_reader *r, struct conf_section *s, const struct conf_pair *p)
{
	struct arena *a = &r->tree->arena;
	int key = conf_key_find(s->type, p->key);
	uint32_t n_errors = diag_count(r->d, DIAG_ERROR);
	struct conf_value *v;

	s->n_lines++;
	if (key < 0) {
		s->is_broken = true;
		unknown_key(r, s, p);
		return;
	}
	v = arena_zalloc(a, sizeof(*v));
	v->key = (enum conf_key)key;
	v->text = p->value.text;
	v->at = p->at;
	v->key_at = p->key_at;
	if (!value_add(r, s, v) || conf_types[s->type].part > r->tree->part)
		return;
	if (conf_rows[key].part > r->tree->part) {
		char label[CONF_LABEL_CAP];

		conf_label(s, label);
		diag_error(r->d, v->key_at,
		    "key '%s' in %s is not built yet (it comes with a later "
		    "version)",
		    conf_rows[key].name, label);
		v->is_broken = true;
		s->is_broken = true;
		return;
	}
	conf_value_parse(r, p, v);
	v->is_broken = diag_count(r->d, DIAG_ERROR) > n_errors;
	s->is_broken |= v->is_broken;
	if (v->key == KEY_GLOBAL_INCLUDE && !v->is_none && !v->is_broken)
		conf_source_include(r, v, p->dir);
}

/* inih's handler: 1 is success. */
static int
deliver(void *user, const char *section, const char *name, const char *value)
{
	struct conf_reader *r = user;
	uint64_t s;
	uint64_t p;
	struct conf_pair *pair;

	if (r->sections.n == 0 || r->pairs.n == 0 ||
	    !span_u64(span_str(section), r->sections.n - 1, &s) ||
	    !span_u64(span_str(value), r->pairs.n - 1, &p))
		return 0;
	pair = r->pairs.at[p];
	if (!span_eq(span_str(name), pair->key))
		return 0;
	r->n_delivered++;
	if (r->sections.at[s] != NULL)
		take_value(r, r->sections.at[s], pair);
	return 1;
}

static void
read_sources(struct conf_reader *r)
{
	int rc = ini_parse_stream(feed, r, deliver, r);

	if (rc != 0 || r->n_delivered != r->pairs.n)
		diag_error(r->d, (struct place){.line = 0},
		    "the INI library took %u of %u lines (status %d)",
		    r->n_delivered, r->pairs.n, rc);
	while (r->top != NULL)
		conf_source_pop(r);
}

static struct conf_tree *
conf_read_part(const char *path, const char *name, span text, unsigned part,
    struct diag *d)
{
	struct conf_reader r = {.d = d};
	struct conf_tree *t;

	r.tree = conf_tree_new(part);
	r.scratch = malloc(CONF_LINE_MAX);
	r.scratch_map = malloc(CONF_LINE_MAX * sizeof(*r.scratch_map));
	REQUIRE(r.scratch != NULL && r.scratch_map != NULL);
	vec_init(&r.sections);
	vec_init(&r.pairs);
	if (path != NULL)
		conf_source_push(
		    &r, span_str(path), (struct place){.line = 0}, false);
	else
		conf_source_push_text(&r, name, text);
	read_sources(&r);
	t = r.tree;
	conf_join(&r);
	conf_check_names(t, d);
	conf_check(t, d);
	conf_tree_prune(t);
	vec_fini(&r.sections);
	vec_fini(&r.pairs);
	free(r.scratch);
	free(r.scratch_map);
	return t;
}

struct conf_tree *
conf_load_part(const char *path, const char *name, span text, unsigned part,
    struct diag *d)
{
	struct conf_tree *t = conf_read_part(path, name, text, part, d);

	if (diag_count(d, DIAG_ERROR) == 0)
		return t;
	conf_free(t);
	return NULL;
}

struct conf_tree *
conf_read(const char *path, struct diag *d)
{
	return conf_read_part(path, NULL, span_of(NULL, 0), CONF_PART, d);
}

struct conf_tree *
conf_read_text(const char *name, span text, struct diag *d)
{
	return conf_read_part(NULL, name, text, CONF_PART, d);
}

struct conf_tree *
conf_load(const char *path, struct diag *d)
{
	return conf_load_part(path, NULL, span_of(NULL, 0), CONF_PART, d);
}

struct conf_tree *
conf_load_text(const char *name, span text, struct diag *d)
{
	return conf_load_part(NULL, name, text, CONF_PART, d);
}
