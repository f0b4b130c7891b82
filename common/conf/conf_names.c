/* conf/conf_names: whether what is named exists. Runs when all sections are
 * known, in whatever order the files were read. */
#include "common/conf/conf_int.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/ip.h"

/* Names that are compared for suggestions in one run: enough for dozens of
 * mistakes among ten thousand names, and a bound on the time. */
#define COMPARE_MAX 500000u

struct names {
	struct conf_tree *tree;
	struct diag *d;
	size_t n_compared;
};

/* The named section that is likely meant, or NULL. */
static const struct conf_section *
nearest_name(struct names *n, enum conf_type type, span word)
{
	const struct conf_section *s;
	const char **names;
	const char *near;
	size_t count = 0;

	/* beyond that nobody reads the suggestions */
	if (diag_count(n->d, DIAG_ERROR) >= DIAG_MAX ||
	    n->n_compared >= COMPARE_MAX)
		return NULL;
	for (s = n->tree->first[type]; s != NULL; s = s->next)
		count++;
	names = malloc((count + 1) * sizeof(*names));
	REQUIRE(names != NULL);
	count = 0;
	for (s = n->tree->first[type]; s != NULL; s = s->next) {
		if (s->name.len > 0 && s->at.line > 0)
			names[count++] = arena_span(&n->tree->arena, s->name).p;
	}
	n->n_compared += count;
	near = diag_suggest(word, names, count);
	free(names);
	return near ? conf_section(n->tree, type, span_str(near)) : NULL;
}

static void
undefined(struct names *n, const struct conf_section *s, enum conf_type type,
    span word, struct place at)
{
	const struct conf_section *near = nearest_name(n, type, word);
	char label[CONF_LABEL_CAP];
	char where[CONF_LABEL_CAP];

	conf_label(s, label);
	if (near != NULL) {
		conf_where(n->d, near->at, at, where);
		diag_error(n->d, at,
		    "%s: %s '%.*s' is not defined; did you mean '%.*s' (%s)?",
		    label, conf_types[type].name, SPAN_FMT(conf_brief(word)),
		    SPAN_FMT(conf_brief(near->name)), where);
		return;
	}
	diag_error(n->d, at, "%s: %s '%.*s' is not defined%s", label,
	    conf_types[type].name, SPAN_FMT(conf_brief(word)),
	    type == CONF_UPSTREAM && span_chr(word, '.') >= 0
		? "; an address is written with its port, name:80"
		: "");
}

/* Words that name no acl where one may stand: `all`, addresses, networks, and
 * what is to become of the line. */
static bool
is_literal_term(span word)
{
	struct ip_prefix prefix;

	return span_eq(word, SPAN_LIT("all")) ||
	       span_eq(word, SPAN_LIT("log-only")) ||
	       span_eq(word, SPAN_LIT("unix:")) ||
	       ip_prefix_parse(word, &prefix);
}

static void
check_word(struct names *n, const struct conf_section *s,
    const struct conf_value *v, span word, struct place at)
{
	span target = span_str(conf_rows[v->key].min);
	int type = conf_type_find(span_of(target.p + 1, target.len - 2));

	REQUIRE(type >= 0);
	if (type == CONF_ACL) {
		if (span_starts(word, SPAN_LIT("!")))
			word = span_from(word, 1);
		if (is_literal_term(word))
			return;
	}
	if (conf_section(n->tree, (enum conf_type)type, word) == NULL)
		undefined(n, s, (enum conf_type)type, word, at);
}

/* Beside the name on a line: a share, or an option. */
static bool
is_no_name(span word)
{
	return span_ends(word, SPAN_LIT("%")) || span_chr(word, '=') >= 0;
}

static void
check_line(
    struct names *n, const struct conf_section *s, const struct conf_value *v)
{
	const struct conf_row *row = &conf_rows[v->key];

	if (row->min[0] != '[' || v->is_none || row->part > n->tree->part)
		return;
	if (row->kind == KIND_NAME)
		check_word(n, s, v, v->text, v->at);
	for (uint32_t i = 0; i < v->n_words; i++) {
		span word = v->words[i].text;

		/* among other words it was refused already */
		if (!span_eq(word, SPAN_LIT("none")) &&
		    !(row->kind == KIND_LINES && is_no_name(word)))
			check_word(n, s, v, word, v->words[i].at);
	}
}

static void
check_section(struct names *n, const struct conf_section *s)
{
	if (conf_types[s->type].part > n->tree->part)
		return;
	if ((s->type == CONF_ROUTE || s->type == CONF_RULE) &&
	    conf_section(n->tree, CONF_SITE, s->name) == NULL)
		undefined(n, s, CONF_SITE, s->name, s->name_at);
	for (int k = 0; k < CONF_KEYS; k++) {
		for (const struct conf_value *v = s->first[k]; v != NULL;
		     v = v->next)
			check_line(n, s, v);
	}
	for (const struct conf_value *v = s->ordered; v != NULL; v = v->next)
		check_line(n, s, v);
}

void
conf_check_names(struct conf_tree *t, struct diag *d)
{
	struct names n = {t, d, 0};

	for (const struct conf_section *s = t->in_file; s != NULL;
	     s = s->next_in_file)
		check_section(&n, s);
}
