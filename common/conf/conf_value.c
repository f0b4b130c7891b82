/* conf/conf_value: one value and its type. Everything it needs to know stands
 * in the row of the key. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"
#include "common/base/text.h"

/* Room for a list of words in a message. */
#define WORDS_CAP 256
/* Options that one key has at most. */
#define OPTIONS_MAX 32

/* What is being judged: a value, a word of it, or an option behind it. */
struct subject {
	struct conf_reader *r;
	const struct conf_row *row;
	span text;
	struct place at;
};

static void
refuse(const struct subject *u, const char *why)
{
	diag_error(u->r->d, u->at, "%s = %.*s: %s", u->row->name,
	    SPAN_FMT(conf_brief(u->text)), why);
}

static bool
is_number_kind(enum conf_kind kind)
{
	return kind == KIND_BOOL || kind == KIND_NUM || kind == KIND_DURATION ||
	       kind == KIND_SIZE || kind == KIND_RATE ||
	       kind == KIND_BANDWIDTH || kind == KIND_PERCENT;
}

static bool
is_reference(const struct conf_row *row)
{
	return row->min[0] == '[';
}

static bool
has_shape(const struct conf_row *row)
{
	return row->min[0] == '<';
}

/* Whether the row's `min` lists words that are known. */
static bool
has_words(const struct conf_row *row)
{
	return row->min[0] != '\0' && !is_reference(row) && !has_shape(row);
}

/* --- numbers -------------------------------------------------------------- */

/* The bound that a row states; it is right by the table's test. */
static int64_t
bound_of(const struct conf_row *row, const char *text)
{
	const char *why;
	int64_t n = 0;

	REQUIRE(conf_parse_number(row->kind, span_str(text), &n, &why));
	return n;
}

static bool
may_be_none(const struct conf_row *row)
{
	return row->kind != KIND_BOOL && bound_of(row, row->min) == 0;
}

/* "10" where a unit belongs: say how it is written. */
static bool
refuse_bare(const struct subject *u)
{
	const char *what = NULL;
	const char *unit = NULL;
	uint64_t n;

	if (!span_u64(u->text, INT64_MAX, &n))
		return false;
	if (u->row->kind == KIND_DURATION) {
		what = "a duration";
		unit = "s";
	} else if (u->row->kind == KIND_SIZE) {
		what = "a size";
		unit = "k";
	} else if (u->row->kind == KIND_RATE) {
		what = "a rate";
		unit = "/s";
	} else if (u->row->kind == KIND_BANDWIDTH) {
		what = "a bandwidth";
		unit = "k/s";
	} else if (u->row->kind == KIND_PERCENT) {
		what = "a share";
		unit = "%";
	} else {
		return false;
	}
	diag_error(u->r->d, u->at,
	    "%s = %.*s: %s needs a unit, for example %.*s%s (%.*s what? write "
	    "%.*s%s)",
	    u->row->name, SPAN_FMT(u->text), what, SPAN_FMT(u->text), unit,
	    SPAN_FMT(u->text), SPAN_FMT(u->text), unit);
	return true;
}

static void
parse_number_value(const struct subject *u, int64_t *out)
{
	const struct conf_row *row = u->row;
	const char *why = NULL;

	*out = 0;
	if (strcmp(row->deflt, "auto") == 0 &&
	    span_eq(u->text, SPAN_LIT("auto")))
		return;
	if (!conf_parse_number(row->kind, u->text, out, &why)) {
		if (!refuse_bare(u))
			refuse(u, why);
		return;
	}
	if (row->kind == KIND_BOOL)
		return;
	if (*out < bound_of(row, row->min))
		diag_error(u->r->d, u->at, "%s = %.*s: at least %s", row->name,
		    SPAN_FMT(u->text), row->min);
	else if (*out > bound_of(row, row->max))
		diag_error(u->r->d, u->at, "%s = %.*s: at most %s", row->name,
		    SPAN_FMT(u->text), row->max);
}

/* --- words ---------------------------------------------------------------- */

/* "a, b, c" of the words that are built, and the one that may be meant. */
static void
refuse_word(const struct subject *u)
{
	struct arena *a = &u->r->tree->arena;
	char storage[WORDS_CAP];
	const char *known[WORDS_CAP / 2];
	struct text list;
	span rest = span_str(u->row->min);
	span word;
	unsigned part;
	size_t n = 0;
	const char *near;

	text_init(&list, storage, sizeof(storage));
	while (n < NELEMS(known) && conf_word_next(&rest, &word, &part)) {
		if (part > u->r->tree->part)
			continue;
		if (n > 0)
			text_add_str(&list, ", ");
		text_add(&list, word);
		known[n++] = arena_span(a, word).p;
	}
	near = diag_suggest(u->text, known, n);
	diag_error(u->r->d, u->at, "%s = %.*s: expected one of: %.*s%s%s%s",
	    u->row->name, SPAN_FMT(conf_brief(u->text)),
	    SPAN_FMT(text_span(&list)), near ? "; did you mean '" : "",
	    near ? near : "", near ? "'?" : "");
}

/* Index of the word in the row's list; 0 after an error. */
static int
judge_word(const struct subject *u)
{
	unsigned part = 1;
	int i = conf_word_find(u->row->min, u->text, &part);

	if (i < 0) {
		refuse_word(u);
		return 0;
	}
	if (part > u->r->tree->part)
		diag_error(u->r->d, u->at,
		    "%s = %.*s: '%.*s' is not built yet (it comes with a later "
		    "version)",
		    u->row->name, SPAN_FMT(u->text), SPAN_FMT(u->text));
	return i;
}

static void
judge_shape(const struct subject *u)
{
	const char *why = NULL;

	if (!conf_shape_check(u->row->min, u->r->tree->part, u->text, &why))
		refuse(u, why);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Upper bound of the number of words. */
static uint32_t
count_words(span s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += !is_blank(s.p[i]) && (i == 0 || is_blank(s.p[i - 1]));
	return n;
}

/* Blank-separated words into v; double quotes keep blanks and are taken off. */
static void
split_words(
    const struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	struct arena *a = &u->r->tree->arena;
	char *out = arena_alloc(a, v->text.len + 1);
	size_t i = 0;

	v->words = arena_zalloc(a, count_words(v->text) * sizeof(*v->words));
	while (i < v->text.len) {
		struct conf_word *w = &v->words[v->n_words];
		size_t start = i;
		bool is_quoted = false;
		size_t quote_at = 0;

		if (is_blank(v->text.p[i])) {
			i++;
			continue;
		}
		w->text.p = out;
		for (;
		     i < v->text.len && (is_quoted || !is_blank(v->text.p[i]));
		     i++) {
			if (v->text.p[i] == '"') {
				is_quoted = !is_quoted;
				quote_at = i;
			} else {
				*out++ = v->text.p[i];
			}
		}
		w->text.len = (size_t)(out - w->text.p);
		w->at = conf_expanded_place(&p->value, p->at, start, i - start);
		v->n_words++;
		if (is_quoted)
			diag_error(u->r->d,
			    conf_expanded_place(&p->value, p->at, quote_at, 1),
			    "%s: the closing '\"' is missing", u->row->name);
	}
}

/* What stands behind the first word: options of conf_options.def. */
static void
judge_option(const struct subject *line, const struct conf_value *v, uint32_t i)
{
	struct conf_reader *r = line->r;
	span word = v->words[i].text;
	ptrdiff_t eq = span_chr(word, '=');
	span name = eq < 0 ? word : span_first(word, (size_t)eq);
	const struct conf_option_row *o = conf_option_find(v->key, name);
	struct subject u = {.r = r, .at = v->words[i].at};
	int64_t n;

	if (o == NULL) {
		const char *names[OPTIONS_MAX];
		size_t n_names = 0;
		const char *near;

		for (size_t k = 0; k < conf_n_options; k++) {
			if (conf_options[k].key == v->key &&
			    n_names < NELEMS(names))
				names[n_names++] = conf_options[k].row.name;
		}
		near = diag_suggest(name, names, n_names);
		diag_error(r->d, u.at, "%s: unknown option '%.*s'%s%s%s",
		    line->row->name, SPAN_FMT(conf_brief(name)),
		    near ? "; did you mean '" : "", near ? near : "",
		    near ? "'?" : "");
		return;
	}
	for (uint32_t k = 1; k < i; k++) {
		span other = v->words[k].text;

		if (span_starts(other, name) &&
		    (other.len == name.len || other.p[name.len] == '='))
			diag_error(r->d, u.at, "%s: '%.*s' stands twice",
			    line->row->name, SPAN_FMT(name));
	}
	if (o->row.part > r->tree->part) {
		diag_error(r->d, u.at,
		    "option '%s' of %s is not built yet (it comes with a later "
		    "version)",
		    o->row.name, line->row->name);
		return;
	}
	u.row = &o->row;
	u.text = eq < 0 ? span_of("", 0) : span_from(word, (size_t)eq + 1);
	if (o->row.kind == KIND_BOOL && eq < 0)
		return;
	if (u.text.len == 0)
		diag_error(r->d, u.at, "%s: write %s=VALUE", line->row->name,
		    o->row.name);
	else if (is_number_kind(o->row.kind) &&
		 !(span_eq(u.text, SPAN_LIT("none")) && may_be_none(&o->row)))
		parse_number_value(&u, &n);
}

static bool
has_options(enum conf_key key)
{
	for (size_t i = 0; i < conf_n_options; i++) {
		if (conf_options[i].key == key)
			return true;
	}
	return false;
}

/* LIST: each word; LINES: the first one, and options behind it. */
static void
judge_words(struct subject *u, const struct conf_value *v)
{
	for (uint32_t i = 0; i < v->n_words; i++) {
		bool is_item =
		    v->text.len > 0 && (i == 0 || u->row->kind == KIND_LIST);

		u->text = v->words[i].text;
		u->at = v->words[i].at;
		if (u->text.len == 0)
			refuse(u, "an empty word");
		else if (v->n_words > 1 && span_eq(u->text, SPAN_LIT("none")))
			refuse(u, "`none` stands alone");
		else if (is_item && has_shape(u->row))
			judge_shape(u);
		else if (is_item && has_words(u->row))
			(void)judge_word(u);
		else if (!is_item && has_options(v->key))
			judge_option(u, v, i);
	}
}

/* --- the other kinds ------------------------------------------------------ */

/* `Name: value`, with `+` or `,` in front, or `-Name`. */
static void
parse_header(
    const struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	static const char marks[] = {
	    [CONF_HEADER_ADD] = '+',
	    [CONF_HEADER_APPEND] = ',',
	    [CONF_HEADER_REMOVE] = '-',
	};
	size_t mark = sizeof(marks);
	ptrdiff_t colon = span_chr(u->text, ':');
	const char *why = NULL;
	span name = u->text;
	size_t off;

	while (--mark > 0 && marks[mark] != u->text.p[0])
		;
	v->num = (int64_t)mark;
	off = mark == CONF_HEADER_SET ? 0 : 1;
	name = span_from(name, off);
	if (mark != CONF_HEADER_REMOVE && colon >= 0)
		name = span_of(u->text.p + off, (size_t)colon - off);
	v->words = arena_zalloc(&u->r->tree->arena, 2 * sizeof(*v->words));
	v->n_words = 2;
	v->words[0] = (struct conf_word){
	    name, conf_expanded_place(&p->value, p->at, off, name.len)};
	if (mark != CONF_HEADER_REMOVE && colon >= 0) {
		span value = span_trim(span_from(u->text, (size_t)colon + 1));

		off = (size_t)(value.p - u->text.p);
		v->words[1] = (struct conf_word){value,
		    conf_expanded_place(&p->value, p->at, off, value.len)};
	}
	if ((mark != CONF_HEADER_REMOVE && colon < 0) ||
	    !conf_shape_check("<field>", u->r->tree->part, name, &why))
		refuse(u, "expected `Name: value`, `+Name: value`, "
			  "`,Name: value` or `-Name`");
}

/* Of a key that may name something to be fetched as well. */
static bool
is_url(const struct conf_row *row, span text)
{
	return strcmp(row->min, "<url>") == 0 &&
	       span_find(text, SPAN_LIT("://")) > 0;
}

static void
parse_path(
    const struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	unsigned part;

	if (conf_word_find(u->row->min, u->text, &part) < 0 &&
	    !is_url(u->row, u->text))
		v->text = conf_path_join(u->r->tree, p->dir, u->text);
}

static bool
is_file_list(const struct conf_row *row)
{
	return strcmp(row->min, "<file>") == 0;
}

/* Words that are paths, or `NAME=file:PATH`. */
static void
join_files(
    const struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	struct conf_tree *t = u->r->tree;

	for (uint32_t i = 0; i < v->n_words; i++) {
		span *w = &v->words[i].text;
		span name = span_of(w->p, 0);
		ptrdiff_t eq = span_chr(*w, '=');

		if (eq >= 0 && span_starts(span_from(*w, (size_t)eq + 1),
				   SPAN_LIT("file:")))
			name =
			    span_first(*w, (size_t)eq + sizeof("=file:") - 1);
		if (name.len > 0)
			*w = arena_printf(&t->arena, "%.*s%.*s", SPAN_FMT(name),
			    SPAN_FMT(conf_path_join(
				t, p->dir, span_from(*w, name.len))));
		else
			*w = conf_path_join(t, p->dir, *w);
	}
}

/* `file:PATH` is kept as the one word, the secret as the text. */
static void
parse_secret(
    const struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	struct arena *a = &u->r->tree->arena;
	span path;

	if (!span_starts(u->text, SPAN_LIT("file:"))) {
		diag_hide(u->r->d, u->at);
		return;
	}
	path = conf_path_join(u->r->tree, p->dir, span_from(u->text, 5));
	v->words = arena_zalloc(a, sizeof(*v->words));
	v->n_words = 1;
	v->words[0].at = v->at;
	v->words[0].text = arena_printf(a, "file:%.*s", SPAN_FMT(path));
	(void)conf_secret_read(u->r, path, v->at, &v->text);
}

/* Whether the value is the word that empties its key. */
static bool
takes_none(const struct conf_row *row, span text)
{
	unsigned part;

	if (span_eq(text, SPAN_LIT("off")) &&
	    ((is_reference(row) && row->kind != KIND_ORDERED) ||
		row == &conf_rows[KEY_SCOPE_COMPRESS]))
		return true;
	if (!span_eq(text, SPAN_LIT("none")))
		return false;
	if (is_number_kind(row->kind))
		return may_be_none(row);
	if (row->kind == KIND_ENUM ||
	    (row->kind == KIND_TEXT && has_words(row)))
		return false;
	return !has_words(row) || conf_word_find(row->min, text, &part) < 0;
}

static void
parse_text(struct subject *u, const struct conf_pair *p, struct conf_value *v)
{
	if (has_shape(u->row)) {
		judge_shape(u);
	} else if (has_words(u->row)) {
		split_words(u, p, v);
		u->text = v->words[0].text;
		u->at = v->words[0].at;
		v->num = judge_word(u);
	}
}

void
conf_value_parse(
    struct conf_reader *r, const struct conf_pair *pair, struct conf_value *v)
{
	struct subject u = {
	    .r = r, .row = &conf_rows[v->key], .text = v->text, .at = v->at};

	v->is_none = takes_none(u.row, v->text);
	if (v->is_none)
		return;
	switch (u.row->kind) {
	case KIND_BOOL:
	case KIND_NUM:
	case KIND_DURATION:
	case KIND_SIZE:
	case KIND_RATE:
	case KIND_BANDWIDTH:
	case KIND_PERCENT:
		parse_number_value(&u, &v->num);
		break;
	case KIND_TEXT:
		parse_text(&u, pair, v);
		break;
	case KIND_ENUM:
		v->num = judge_word(&u);
		break;
	case KIND_SECRET:
		parse_secret(&u, pair, v);
		break;
	case KIND_PATH:
		parse_path(&u, pair, v);
		break;
	case KIND_LIST:
	case KIND_LINES:
	case KIND_ORDERED:
		split_words(&u, pair, v);
		judge_words(&u, v);
		if (is_file_list(u.row))
			join_files(&u, pair, v);
		break;
	case KIND_HEADER:
		parse_header(&u, pair, v);
		break;
	case KIND_RAW:
		break; /* filter/substitute */
	case KIND_CONDITION:
		break; /* exch/match */
	case KIND_NAME:
		break; /* conf_check_names() */
	}
}

struct conf_value *
conf_value_default(struct conf_tree *t, enum conf_key k)
{
	const struct conf_row *row = &conf_rows[k];
	struct conf_value *v;
	span rest = span_str(row->deflt);
	span word;
	unsigned part;
	const char *why;

	if (rest.len == 0)
		return NULL;
	v = arena_zalloc(&t->arena, sizeof(*v));
	v->key = k;
	v->text = rest;
	v->is_none = takes_none(row, rest);
	if (v->is_none)
		return v;
	if (is_number_kind(row->kind)) {
		REQUIRE(conf_parse_number(row->kind, rest, &v->num, &why) ||
			span_eq(rest, SPAN_LIT("auto")));
	} else if (has_words(row) && conf_is_scalar(row->kind)) {
		v->num = conf_word_find(row->min, rest, &part);
	}
	v->words =
	    arena_zalloc(&t->arena, count_words(rest) * sizeof(*v->words));
	while (span_word(&rest, &word))
		v->words[v->n_words++].text = word;
	return v;
}
