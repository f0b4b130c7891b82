/* exch/match_read: compiles the text of a condition. Tells at its place what
 * does not fit the type of the variable. */
#include "worker/exch/match_int.h"

#include "common/base/check.h"
#include "common/conf/conf.h"

/* What is being read. */
struct match_reader {
	struct match *m;
	const struct var_src *src;
	struct arena *a;
	struct diag *d;
	size_t at; /* bytes of the text that are done with */
	span op_text;
};

static const struct {
	const char *text;
	enum match_op op;
	bool is_negated;
} ops[] = {
    /* a longer one stands before its beginning */
    {"!=", MATCH_OP_EQ, true},
    {"!~", MATCH_OP_REGEX, true},
    {"^=", MATCH_OP_BEGINS, false},
    {"$=", MATCH_OP_ENDS, false},
    {"*=", MATCH_OP_HOLDS, false},
    {"<=", MATCH_OP_MOST, false},
    {">=", MATCH_OP_LEAST, false},
    {"=", MATCH_OP_EQ, false},
    {"~", MATCH_OP_REGEX, false},
    {"<", MATCH_OP_LESS, false},
    {">", MATCH_OP_MORE, false},
};

#define MATCH_OPS "= != ~ !~ ^= $= *= < <= > >= in"

static bool
match_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static span
match_rest(const struct match_reader *r)
{
	return span_from(r->src->text, r->at);
}

static void
match_skip_blanks(struct match_reader *r)
{
	while (
	    r->at < r->src->text.len && match_is_blank(r->src->text.p[r->at]))
		r->at++;
}

static struct place
match_place(const struct match_reader *r, span part)
{
	return var_src_place(
	    r->src, (size_t)(part.p - r->src->text.p), part.len);
}

/* Index of the operator that the text begins with, or -1. */
static int
match_op_at(span s)
{
	for (size_t i = 0; i < NELEMS(ops); i++)
		if (span_starts(s, span_str(ops[i].text)))
			return (int)i;
	return -1;
}

static bool
match_read_subject(struct match_reader *r)
{
	struct var_src name = {.when = r->src->when};
	size_t start;

	match_skip_blanks(r);
	if (span_starts(match_rest(r), SPAN_LIT("!")) &&
	    match_op_at(match_rest(r)) < 0) {
		r->m->is_negated = true;
		r->at++;
		match_skip_blanks(r);
	}
	start = r->at;
	while (r->at < r->src->text.len &&
	       !match_is_blank(r->src->text.p[r->at]) &&
	       match_op_at(match_rest(r)) < 0)
		r->at++;
	name.text = span_of(r->src->text.p + start, r->at - start);
	name.at = var_src_place(r->src, start, r->at - start);
	if (name.text.len == 0) {
		diag_error(r->d, var_src_place(r->src, start, 1),
		    "a condition begins with what is judged, for example "
		    "path ^= /api");
		return false;
	}
	if (name.text.p[0] == '{') {
		diag_error(r->d, name.at,
		    "a condition names its variable without braces");
		return false;
	}
	if (!var_parse(&name, &r->m->var, r->d))
		return false;
	r->m->folds_case = var_kind(r->m->var.id) == VAR_KIND_NAME;
	return true;
}

/* "==", as programs write it. */
static bool
match_is_doubled(const struct match_reader *r)
{
	return r->m->op == MATCH_OP_EQ &&
	       span_starts(match_rest(r), SPAN_LIT("="));
}

static bool
match_read_op(struct match_reader *r)
{
	span rest;
	span word;
	int i;

	match_skip_blanks(r);
	rest = match_rest(r);
	i = match_op_at(rest);
	if (rest.len == 0)
		return true;
	if (i >= 0) {
		r->m->op = ops[i].op;
		r->m->is_negated ^= ops[i].is_negated;
		r->op_text = span_first(rest, strlen(ops[i].text));
	} else {
		(void)span_word(&rest, &word);
		if (!span_eq(word, SPAN_LIT("in"))) {
			diag_error(r->d, match_place(r, word),
			    "'%.*s' is no operator; there are " MATCH_OPS,
			    SPAN_FMT(word));
			return false;
		}
		r->m->op = MATCH_OP_IN;
		r->op_text = word;
	}
	r->at += r->op_text.len;
	if (match_is_doubled(r)) {
		diag_error(r->d, var_src_place(r->src, r->at - 1, 2),
		    "equal is written with one '='");
		return false;
	}
	match_skip_blanks(r);
	if (match_rest(r).len == 0) {
		diag_error(r->d, match_place(r, r->op_text),
		    "'%.*s' needs a value", SPAN_FMT(r->op_text));
		return false;
	}
	return true;
}

static bool
match_refuse_op(const struct match_reader *r, const char *what)
{
	diag_error(r->d, match_place(r, r->op_text),
	    "'%.*s' does not fit: {%s} is %s", SPAN_FMT(r->op_text),
	    var_name(r->m->var.id), what);
	return false;
}

/* Take the next word; double quotes keep blanks and are taken off. *raw is the
 * word as it stands there. 1: a word, 0: none is left, -1: a mistake. */
static int
match_next_word(struct match_reader *r, span *word, span *raw)
{
	span rest;
	char *out;
	size_t n = 0;
	size_t i = 0;
	bool is_quoted = false;

	match_skip_blanks(r);
	rest = match_rest(r);
	if (rest.len == 0)
		return 0;
	out = arena_alloc(r->a, rest.len);
	for (; i < rest.len && (is_quoted || !match_is_blank(rest.p[i])); i++) {
		if (rest.p[i] == '"')
			is_quoted = !is_quoted;
		else
			out[n++] = rest.p[i];
	}
	*raw = span_first(rest, i);
	*word = span_of(out, n);
	r->at += i;
	if (!is_quoted)
		return 1;
	diag_error(r->d, match_place(r, *raw), "the closing '\"' is missing");
	return -1;
}

/* Upper bound of the words that are left. */
static size_t
match_count_words(const struct match_reader *r)
{
	span rest = match_rest(r);
	span word;
	size_t n = 0;

	while (span_word(&rest, &word))
		n++;
	return n;
}

/* --- by type -------------------------------------------------------------- */

static bool
match_read_texts(struct match_reader *r)
{
	struct match *m = r->m;
	span raw;
	int rc;

	if (m->op == MATCH_OP_REGEX) {
		span pattern = span_trim(match_rest(r));

		m->re = regex_new(
		    pattern, m->folds_case, match_place(r, pattern), r->d);
		return m->re != NULL;
	}
	if (m->op > MATCH_OP_REGEX)
		return match_refuse_op(r, "text");
	m->words = arena_alloc(r->a, match_count_words(r) * sizeof(span));
	while ((rc = match_next_word(r, &m->words[m->n_words], &raw)) > 0) {
		span *w = &m->words[m->n_words++];

		if (w->len == 0 && m->op != MATCH_OP_EQ) {
			diag_error(r->d, match_place(r, raw),
			    "empty text is in everything");
			return false;
		}
		if (m->var.id == VAR_HOST && span_ends(*w, SPAN_LIT(".")))
			w->len--;
	}
	return rc == 0;
}

static bool
match_parse_number(enum var_kind kind, span s, uint64_t *out, const char **why)
{
	int64_t n = 0;
	bool ok;

	*why = "expected a number";
	if (kind == VAR_KIND_NUMBER)
		return span_u64(s, INT64_MAX, out);
	ok = kind == VAR_KIND_SIZE ? conf_parse_size(s, &n, why)
				   : conf_parse_duration(s, &n, why);
	*out = (uint64_t)n;
	return ok && n >= 0;
}

/* "10", or "10-20" behind `in`. */
static bool
match_read_range(struct match_reader *r, span word, span raw)
{
	struct match_range *range = &r->m->ranges[r->m->n_ranges++];
	enum var_kind kind = var_kind(r->m->var.id);
	ptrdiff_t dash = r->m->op == MATCH_OP_IN ? span_chr(word, '-') : -1;
	span low = dash < 0 ? word : span_first(word, (size_t)dash);
	const char *why;

	if (match_parse_number(kind, low, &range->low, &why)) {
		range->high = range->low;
		if (dash < 0)
			return true;
		if (match_parse_number(kind, span_from(word, (size_t)dash + 1),
			&range->high, &why) &&
		    range->low <= range->high)
			return true;
	} else if (span_chr(word, '-') > 0 && dash < 0) {
		why = "a range is written behind `in`";
	}
	diag_error(r->d, match_place(r, raw), "'%.*s': %s", SPAN_FMT(word),
	    dash > 0 && range->low > range->high ? "the range is empty" : why);
	return false;
}

/* The comparing operators are ranges, too. */
static void
match_open_range(struct match *m)
{
	struct match_range *range = &m->ranges[0];
	uint64_t n = range->low;

	switch ((unsigned)m->op) {
	case MATCH_OP_LESS:
		m->n_ranges = n > 0;
		*range = (struct match_range){0, n - 1};
		return;
	case MATCH_OP_MOST:
		*range = (struct match_range){0, n};
		return;
	case MATCH_OP_MORE:
		*range = (struct match_range){n + 1, UINT64_MAX};
		return;
	case MATCH_OP_LEAST:
		*range = (struct match_range){n, UINT64_MAX};
		return;
	default:
		return;
	}
}

static bool
match_read_numbers(struct match_reader *r)
{
	struct match *m = r->m;
	bool is_one = m->op >= MATCH_OP_LESS && m->op <= MATCH_OP_LEAST;
	span word;
	span raw;
	int rc;

	if (m->op != MATCH_OP_EQ && m->op != MATCH_OP_IN && !is_one)
		return match_refuse_op(r, "a number");
	m->ranges =
	    arena_alloc(r->a, match_count_words(r) * sizeof(*m->ranges));
	while ((rc = match_next_word(r, &word, &raw)) > 0) {
		if (is_one && m->n_ranges == 1) {
			diag_error(r->d, match_place(r, raw),
			    "'%.*s' compares with one number",
			    SPAN_FMT(r->op_text));
			return false;
		}
		if (!match_read_range(r, word, raw))
			return false;
	}
	if (rc == 0)
		match_open_range(m);
	return rc == 0;
}

static bool
match_read_addresses(struct match_reader *r)
{
	struct match *m = r->m;
	span word;
	span raw;
	int rc;

	if (m->op != MATCH_OP_EQ && m->op != MATCH_OP_IN)
		return match_refuse_op(r, "an address; compare it by =, != or "
					  "in");
	m->nets = iptrie_new();
	while ((rc = match_next_word(r, &word, &raw)) > 0) {
		struct ip_prefix prefix;

		if (span_eq(word, SPAN_LIT("unix:"))) {
			m->has_unix = true;
			continue;
		}
		if (!ip_prefix_parse(word, &prefix)) {
			diag_error(r->d, match_place(r, raw),
			    "'%.*s' is no address and no network such as "
			    "10.0.0.0/8, whose bits behind the prefix are 0",
			    SPAN_FMT(word));
			return false;
		}
		iptrie_add(m->nets, &prefix);
	}
	iptrie_done(m->nets);
	return rc == 0;
}

static bool
match_read_values(struct match_reader *r)
{
	if (r->m->op == MATCH_OP_IS_SET)
		return true;
	if (var_is_number(r->m->var.id))
		return match_read_numbers(r);
	if (var_kind(r->m->var.id) == VAR_KIND_ADDRESS)
		return match_read_addresses(r);
	return match_read_texts(r);
}

struct match *
match_new(struct arena *a, const struct var_src *src, struct diag *d)
{
	struct match_reader r = {
	    .m = arena_zalloc(a, sizeof(struct match)),
	    .src = src,
	    .a = a,
	    .d = d,
	};

	if (match_read_subject(&r) && match_read_op(&r) &&
	    match_read_values(&r))
		return r.m;
	match_free(r.m);
	return NULL;
}

void
match_free(struct match *m)
{
	if (m == NULL)
		return;
	iptrie_free(m->nets);
	regex_free(m->re);
}
