/* unit/conf_text: configurations from texts, and what is said about them. */
#ifndef GH_CONF_TEXT_H
#define GH_CONF_TEXT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/conf/conf_int.h"

/* A tree that must be there, with its diag. */
struct loaded {
	struct diag *d;
	struct conf_tree *tree;
};

static inline struct loaded
conf_must_load_part(const char *text, unsigned part)
{
	struct loaded l = {.d = diag_new()};

	l.tree = conf_load_part(NULL, "t", span_str(text), part, l.d);
	if (l.tree == NULL) {
		char *why = diag_render(l.d);

		ck_abort_msg("not loaded:\n%s\n%s", text, why);
	}
	ck_assert_uint_eq(diag_count(l.d, DIAG_ERROR), 0);
	return l;
}

static inline struct loaded
conf_must_load(const char *text)
{
	return conf_must_load_part(text, CONF_PART);
}

static inline void
loaded_free(struct loaded *l)
{
	conf_free(l->tree);
	diag_free(l->d);
}

/* The lines of a rendered list that state problems, without the name of the
 * file "t", without "error: "; one a line. malloc'd. */
static inline char *
conf_problems(const struct diag *d)
{
	char *all = diag_render(d);
	char *out = calloc(1, strlen(all) + 1);
	span rest = span_str(all);
	span line;

	while (span_cut(&rest, '\n', &line)) {
		ptrdiff_t at = span_find(line, SPAN_LIT(" error: "));

		if (at < 0 || line.p[0] == ' ')
			continue;
		if (span_starts(line, SPAN_LIT("t:"))) {
			line = span_from(line, 2);
			at -= 2;
		}
		(void)strncat(out, line.p, (size_t)at + 1);
		(void)strncat(out, line.p + at + 8, line.len - (size_t)at - 8);
		(void)strcat(out, "\n");
	}
	free(all);
	return out;
}

/* Everything that is said about a text of `len` bytes. malloc'd. */
static inline char *
conf_refusal(const char *text, size_t len, unsigned part)
{
	struct diag *d = diag_new();
	char *said;

	ck_assert_ptr_null(
	    conf_load_part(NULL, "t", span_of(text, len), part, d));
	said = conf_problems(d);
	diag_free(d);
	return said;
}

/* A text and all that must be said about it, "line:col: text\n" each. */
struct refusal {
	const char *text;
	const char *said;
};

static inline void
check_refusals(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *said =
		    conf_refusal(rows[i].text, strlen(rows[i].text), CONF_PART);

		if (strcmp(said, rows[i].said) != 0)
			ck_abort_msg("row %zu:\n%s\n-- said:\n%s-- not:\n%s", i,
			    rows[i].text, said, rows[i].said);
		free(said);
	}
}

/* The dump of a tree. malloc'd. */
static inline char *
conf_dumped(const struct conf_tree *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	conf_dump(t, f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

#define ck_assert_span(s, text) \
	do { \
		span got_ = (s); \
		ck_assert_msg(span_eq(got_, span_str(text)), \
		    "'%.*s' is not '%s'", SPAN_FMT(got_), (text)); \
	} while (0)

#endif
