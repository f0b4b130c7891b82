/* conf/conf_health: `eject`, judged word by word. Each word is a term: a name,
 * its sign and a value. */
#include "common/conf/conf_health.h"

#include "common/base/check.h"
#include "common/conf/conf_int.h"

/* Answers in a row that are slow: `slow>=` says how slow, not how many. */
#define SLOW_RUN 5

#define TERMS_MAX 8

/* A word that a line may hold, once. */
struct term {
	const char *name;
	const char *sign;
	enum conf_kind kind;
	const char *min;
	const char *max;
};

/* What the terms of a line say; by the table's index. */
struct terms {
	const struct term *table;
	size_t n;
	const char *key; /* for messages */
	const char *expected; /* all of them, for people */
	struct diag *d; /* or NULL */
	int64_t num[TERMS_MAX];
	bool is_set[TERMS_MAX];
};

#define terms_error(t, at, ...) \
	do { \
		if ((t)->d != NULL) \
			diag_error((t)->d, at, __VA_ARGS__); \
	} while (0)

/* The name at the front of a word: what stands before its sign. */
static span
term_name(span word)
{
	size_t n = 0;

	while (n < word.len && strchr("=<>~!:", word.p[n]) == NULL)
		n++;
	return span_first(word, n);
}

static int
term_find(const struct terms *t, span name)
{
	for (size_t i = 0; i < t->n; i++)
		if (span_eq(name, span_str(t->table[i].name)))
			return (int)i;
	return -1;
}

static void
term_refuse_name(const struct terms *t, const struct conf_word *w, span name)
{
	const char *known[TERMS_MAX];
	const char *near;

	for (size_t i = 0; i < t->n; i++)
		known[i] = t->table[i].name;
	near = diag_suggest(name, known, t->n);
	terms_error(t, w->at, "%s: unknown word '%.*s'; %s%s%s%s", t->key,
	    SPAN_FMT(conf_brief(w->text)), near ? "did you mean '" : "",
	    near ? near : "expected ", near ? "'?" : "",
	    near ? "" : t->expected);
}

/* The bound that a row states. */
static int64_t
term_bound(const struct term *row, const char *text)
{
	const char *why;
	int64_t n = 0;

	REQUIRE(conf_parse_number(row->kind, span_str(text), &n, &why));
	return n;
}

static void
term_number(struct terms *t, int i, const struct conf_word *w, span text)
{
	const struct term *row = &t->table[i];
	const char *why = NULL;
	int64_t n = 0;

	if (!conf_parse_number(row->kind, text, &n, &why))
		terms_error(t, w->at, "%s: %.*s: %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), why);
	else if (n < term_bound(row, row->min))
		terms_error(t, w->at, "%s: %.*s: at least %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), row->min);
	else if (n > term_bound(row, row->max))
		terms_error(t, w->at, "%s: %.*s: at most %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), row->max);
	else
		t->num[i] = n;
}

static void
term_read(struct terms *t, const struct conf_word *w)
{
	span name = term_name(w->text);
	int i = term_find(t, name);
	span rest = span_from(w->text, name.len);
	const struct term *row;

	if (i < 0) {
		term_refuse_name(t, w, name);
		return;
	}
	row = &t->table[i];
	if (t->is_set[i]) {
		terms_error(
		    t, w->at, "%s: '%s' stands twice", t->key, row->name);
		return;
	}
	t->is_set[i] = true;
	if (!span_starts(rest, span_str(row->sign)) ||
	    rest.len == strlen(row->sign)) {
		terms_error(t, w->at, "%s: write %s%sVALUE", t->key, row->name,
		    row->sign);
		return;
	}
	term_number(t, i, w, span_from(rest, strlen(row->sign)));
}

/* --- eject ---------------------------------------------------------------- */

enum { TERM_5XX, TERM_RESET, TERM_SLOW, TERM_WINDOW, TERM_FOR, TERM_MAX };

static const struct term eject_terms[] = {
    [TERM_5XX] = {"5xx", ">=", KIND_NUM, "1", "1000"},
    [TERM_RESET] = {"reset", ">=", KIND_NUM, "1", "1000"},
    [TERM_SLOW] = {"slow", ">=", KIND_DURATION, "1ms", "1h"},
    [TERM_WINDOW] = {"window", "=", KIND_DURATION, "100ms", "1h"},
    [TERM_FOR] = {"for", "=", KIND_DURATION, "100ms", "1d"},
    [TERM_MAX] = {"max", "=", KIND_PERCENT, "0%", "100%"},
};

void
conf_eject_read(
    const struct conf_scope *s, struct conf_eject *out, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_UPSTREAM_EJECT);
	struct conf_iter it = {NULL, 0, false};
	struct terms t = {
	    .table = eject_terms,
	    .n = NELEMS(eject_terms),
	    .key = "eject",
	    .expected = "5xx>=N, reset>=N, slow>=TIME, window=TIME, for=TIME "
			"or max=SHARE",
	    .d = d,
	    .num =
		{[TERM_WINDOW] = 10000, [TERM_FOR] = 30000, [TERM_MAX] = 500},
	};

	*out = (struct conf_eject){.is_on = false};
	if (v == NULL)
		return;
	for (const struct conf_value *l = conf_next(s, v->key, &it); l != NULL;
	     l = conf_next(s, v->key, &it))
		for (uint32_t i = 0; i < l->n_words; i++)
			term_read(&t, &l->words[i]);
	out->is_on =
	    t.is_set[TERM_5XX] || t.is_set[TERM_RESET] || t.is_set[TERM_SLOW];
	if (!out->is_on)
		terms_error(&t, v->at,
		    "eject says not what for: 5xx>=N, reset>=N or slow>=TIME");
	out->most[EJECT_5XX] = (uint32_t)t.num[TERM_5XX];
	out->most[EJECT_RESET] = (uint32_t)t.num[TERM_RESET];
	out->most[EJECT_SLOW] = t.num[TERM_SLOW] > 0 ? SLOW_RUN : 0;
	out->slow_ms = (uint64_t)t.num[TERM_SLOW];
	out->window_ms = (uint64_t)t.num[TERM_WINDOW];
	out->for_ms = (uint64_t)t.num[TERM_FOR];
	out->max_tenths = (uint32_t)t.num[TERM_MAX];
}
