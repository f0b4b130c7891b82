/* conf/conf_dump: the effective configuration as one file without includes and
 * variables. Read again it gives the same tree. Defaults are written out where
 * nothing is inherited through them: in [global], [defaults], listens,
 * upstreams and logs; a site, route or rule shows its own lines. */
#include "common/conf/conf_int.h"
#include "common/conf/conf_logs.h"

struct dumper {
	const struct conf_tree *tree;
	const struct conf_section *section;
	FILE *out;
};

/* A text such that reading it gives the same: ${ would be replaced. */
static void
put_text(FILE *out, span s)
{
	ptrdiff_t at;

	while ((at = span_find(s, SPAN_LIT("${"))) >= 0) {
		(void)fwrite(s.p, 1, (size_t)at, out);
		(void)fputs("$${", out);
		s = span_from(s, (size_t)at + 2);
	}
	if (s.len > 0)
		(void)fwrite(s.p, 1, s.len, out);
}

bool
conf_is_credential(span name)
{
	static const char *const names[] = {
	    "Authorization", "Cookie", "X-Api-Key"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(name, span_str(names[i])))
			return true;
	return false;
}

/* Whether a line of headers has one. */
static bool
has_credential(const struct conf_value *v)
{
	return conf_rows[v->key].kind == KIND_HEADER && v->n_words >= 2 &&
	       v->words[1].text.len > 0 && conf_is_credential(v->words[0].text);
}

static void
put_line(const struct dumper *u, const struct conf_value *v)
{
	const struct conf_row *row = &conf_rows[v->key];
	bool is_hidden = has_credential(v);
	span text = v->text;

	if (v->is_none)
		text = SPAN_LIT("none");
	else if (row->kind == KIND_SECRET)
		text = v->n_words > 0 ? v->words[0].text : SPAN_LIT("***");
	(void)fprintf(u->out, "%s = ", row->name);
	if (is_hidden)
		text = span_first(text, (size_t)(v->words[1].text.p - text.p));
	put_text(u->out, text);
	if (is_hidden)
		(void)fputs("***", u->out);
	(void)fputc('\n', u->out);
}

static bool
is_scope(enum conf_type type)
{
	return type == CONF_SITE || type == CONF_ROUTE || type == CONF_RULE;
}

/* The short forms of [global], when [log error] has its own. */
static bool
is_shadowed(const struct dumper *u, enum conf_key k)
{
	const struct conf_section *log =
	    conf_section(u->tree, CONF_LOG, SPAN_LIT("error"));

	if (log == NULL)
		return false;
	return (k == KEY_GLOBAL_ERROR_LOG &&
		   log->first[KEY_LOG_PATH] != NULL) ||
	       (k == KEY_GLOBAL_LOG_LEVEL && log->first[KEY_LOG_LEVEL] != NULL);
}

static void
dump_scalar(const struct dumper *u, enum conf_key k)
{
	const struct conf_value *v = u->section->first[k];

	if (v == NULL && !is_scope(u->section->type) && !is_shadowed(u, k)) {
		const struct conf_section *d = u->tree->first[CONF_DEFAULTS];

		if (d != NULL && conf_is_in(k, CONF_DEFAULTS))
			v = d->first[k];
		if (v == NULL)
			v = u->tree->deflt[k];
	}
	if (v != NULL)
		put_line(u, v);
}

static void
dump_lines(const struct dumper *u, enum conf_key k)
{
	const struct conf_value *v = u->section->first[k];

	/* an inherited default, written out, would be added to */
	if (v == NULL && !conf_is_in(k, CONF_DEFAULTS) &&
	    !is_scope(u->section->type))
		v = u->tree->deflt[k];
	for (; v != NULL; v = v->next)
		put_line(u, v);
}

/* What was included and extended stands in its place already. */
static bool
is_done(enum conf_key k)
{
	return k == KEY_GLOBAL_INCLUDE || k == KEY_UPSTREAM_EXTEND;
}

static void
dump_section(struct dumper *u, const struct conf_section *s)
{
	u->section = s;
	(void)fprintf(u->out, "\n[%s%s", conf_types[s->type].name,
	    s->name.len > 0 ? " " : "");
	put_text(u->out, s->name);
	if (s->path.len > 0)
		(void)fputc(' ', u->out);
	put_text(u->out, s->path);
	(void)fputs("]\n", u->out);
	for (int i = 0; i < CONF_KEYS; i++) {
		enum conf_key k = (enum conf_key)i;

		if (!conf_is_in(k, s->type) ||
		    conf_rows[k].part > u->tree->part || is_done(k) ||
		    (s->type == CONF_LOG && !conf_log_takes(s, k)))
			continue;
		if (conf_is_scalar(conf_rows[k].kind))
			dump_scalar(u, k);
		else
			dump_lines(u, k);
	}
	for (const struct conf_value *v = s->ordered; v != NULL; v = v->next)
		put_line(u, v);
}

void
conf_dump(const struct conf_tree *t, FILE *out)
{
	static const enum conf_type first[] = {CONF_GLOBAL, CONF_DEFAULTS};
	struct dumper u = {.tree = t, .out = out};

	(void)fputs("# The effective configuration.\n", out);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct conf_section none = {.type = first[i]};

		dump_section(
		    &u, t->first[first[i]] ? t->first[first[i]] : &none);
	}
	for (const struct conf_section *s = t->in_file; s != NULL;
	     s = s->next_in_file) {
		if (s->type != CONF_GLOBAL && s->type != CONF_DEFAULTS)
			dump_section(&u, s);
	}
}
