/* route/rewrite: the path that servers are asked for, by regular expressions on
 * the one that clients asked for. What all other stages judge stays the client's:
 * nothing is routed anew, so there are no circles. */
#include "common/base/check.h"
#include "common/base/regex.h"
#include "common/http/uri.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/route/route.h"

/* Pieces of one target: texts, and groups between them. */
#define REWRITE_PIECES_MAX 32
/* What '&', '+', ';' and '=' of a path become in a query. */
#define REWRITE_ESCAPED_LEN 3
/* Which group stands for none. */
#define REWRITE_NO_GROUP UINT32_MAX

struct rewrite_piece {
	span text;
	uint32_t group; /* behind the text; or REWRITE_NO_GROUP */
	bool is_query;
};

struct rewrite {
	struct regex *re; /* owned */
	struct rewrite_piece pieces[REWRITE_PIECES_MAX];
	uint32_t n;
	bool has_query; /* its own: the request's goes */
	struct place at;
	span text;
};

/* --- reading -------------------------------------------------------------- */

/* A target while it is read. */
struct rewrite_read {
	struct rewrite *to;
	const struct conf_word *word;
	struct diag *d;
	bool is_query;
};

static bool
rewrite_wrong(const struct rewrite_read *r, size_t off, const char *what)
{
	struct place at = r->word->at;

	at.col = (uint16_t)(at.col + off);
	at.len = 1;
	diag_error(r->d, at, "rewrite: %s", what);
	return false;
}

static bool
rewrite_add(struct rewrite_read *r, size_t off, span text, uint32_t group)
{
	if (r->to->n == REWRITE_PIECES_MAX)
		return rewrite_wrong(r, off, "more than 32 pieces");
	r->to->pieces[r->to->n++] =
	    (struct rewrite_piece){text, group, r->is_query};
	return true;
}

/* What stands at a '$': its group, or the text `$`. */
static bool
rewrite_read_group(struct rewrite_read *r, size_t off, span text)
{
	span target = r->word->text;
	char c = off + 1 < target.len ? target.p[off + 1] : '\0';
	uint32_t n;

	if (c == '$')
		return rewrite_add(
		    r, off, span_of(text.p, text.len + 1), REWRITE_NO_GROUP);
	if (c < '0' || c > '9')
		return rewrite_wrong(
		    r, off, "behind '$' stands a digit, or another '$'");
	n = (uint32_t)(c - '0');
	if (n > regex_groups(r->to->re))
		return rewrite_wrong(
		    r, off, "the expression has no group of this number");
	return rewrite_add(r, off, text, n);
}

/* Why a character cannot stand in a target, or NULL. */
static const char *
rewrite_why_not(char c)
{
	if (c <= ' ' || c >= 0x7f)
		return "a target is visible ASCII; write other bytes as %XX";
	if (c == '#')
		return "no server is told of what stands behind a '#'";
	if (c == '{' || c == '}')
		return "only what the expression took of the path ($1) can "
		       "stand here, no variables";
	return NULL;
}

static bool
rewrite_read_target(struct rewrite_read *r)
{
	span s = r->word->text;
	size_t from = 0;

	if (s.len == 0 || s.p[0] != '/')
		return rewrite_wrong(r, 0, "a target begins with '/'");
	for (size_t i = 0; i < s.len; i++) {
		span text = span_of(s.p + from, i - from);
		const char *why = rewrite_why_not(s.p[i]);

		if (why != NULL)
			return rewrite_wrong(r, i, why);
		if (s.p[i] == '$') {
			if (!rewrite_read_group(r, i, text))
				return false;
			from = ++i + 1;
		} else if (s.p[i] == '?' && !r->is_query) {
			if (!rewrite_add(r, i, text, REWRITE_NO_GROUP))
				return false;
			r->is_query = r->to->has_query = true;
			from = i + 1;
		}
	}
	return rewrite_add(r, s.len - 1, span_from(s, from), REWRITE_NO_GROUP);
}

const struct rewrite *
rewrite_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct rewrite *r = arena_zalloc(a, sizeof(*r));
	struct rewrite_read read = {.to = r, .d = d};

	r->at = v->at;
	r->text = v->text;
	if (v->n_words != 2) {
		diag_error(d, v->at,
		    "rewrite: expected an expression and a target, for example "
		    "^/old/(.*)$ /new/$1");
		return NULL;
	}
	read.word = &v->words[1];
	r->re = regex_new(v->words[0].text, false, v->words[0].at, d);
	if (r->re == NULL)
		return NULL;
	if (rewrite_read_target(&read))
		return r;
	regex_free(r->re);
	return NULL;
}

void
rewrite_fini(const struct rewrite *r)
{
	regex_free(r->re);
}

/* --- rewriting ------------------------------------------------------------ */

/* What a group took, as one value of a query: it cannot end it, nor begin
 * another one. */
static span
rewrite_value(struct arena *a, span s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(a, s.len * REWRITE_ESCAPED_LEN);
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c != '&' && c != '+' && c != ';' && c != '=') {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '%';
		out[len++] = digits[c >> 4];
		out[len++] = digits[c & 0xf];
	}
	return span_of(out, len);
}

/* The pieces of the path, or those of the query, put together. */
static span
rewrite_join(struct exch *x, const struct rewrite *r, bool is_query)
{
	span parts[2 * REWRITE_PIECES_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct rewrite_piece *p = &r->pieces[i];
		span took;

		if (p->is_query != is_query)
			continue;
		parts[n++] = p->text;
		if (p->group == REWRITE_NO_GROUP)
			continue;
		took = regex_group(r->re, x->path, p->group);
		parts[n++] = is_query ? rewrite_value(&x->arena, took) : took;
	}
	return arena_concat(&x->arena, parts, n);
}

/* The target that the line makes of the path, read anew as if a client had sent
 * it. NULL: that can be read in more than one way. */
static const struct target_new *
rewrite_make(struct exch *x, const struct rewrite *r)
{
	struct target_new *t = arena_alloc(&x->arena, sizeof(*t));
	span path = rewrite_join(x, r, false);
	char *p = arena_alloc(&x->arena, path.len);
	size_t len;

	if (uri_normalize_path(path, p, &len) == URI_PATH_AMBIGUOUS)
		return NULL;
	t->path = span_of(p, len);
	t->has_query = r->has_query || x->req.has_query;
	t->query = r->has_query ? rewrite_join(x, r, true) : x->req.query;
	return t;
}

static enum verdict
rewrite_fault(struct exch *x, enum fault_id id, const char *why)
{
	exch_fault_as(x, id, 0, why);
	return VERDICT_FAULT;
}

static enum verdict
rewrite_by(struct exch *x, const struct rewrite *r)
{
	x->target = rewrite_make(x, r);
	if (x->target == NULL)
		return rewrite_fault(x, F_PATH_AMBIGUOUS,
		    "what `rewrite` made of it is no plain path");
	sink_note(x, "rewrite", r->at, "%.*s: %.*s", SPAN_FMT(r->text),
	    SPAN_FMT(x->target->path));
	return VERDICT_NEXT;
}

enum verdict
stage_rewrite(struct exch *x)
{
	const struct plan_rewrites *lines = &x->set->rewrites;

	if (lines->n == 0 || !span_starts(x->path, SPAN_LIT("/")))
		return VERDICT_NEXT;
	if (x->path_is_ambiguous)
		return rewrite_fault(
		    x, F_PATH_AMBIGUOUS, "`rewrite` judges plain paths only");
	for (uint32_t i = 0; i < lines->n; i++) {
		switch (regex_find(lines->at[i]->re, x->path)) {
		case REGEX_NO:
			continue;
		case REGEX_YES:
			return rewrite_by(x, lines->at[i]);
		case REGEX_LIMIT:
			return rewrite_fault(x, F_INTERNAL,
			    "a regex of `rewrite` needed too many steps for "
			    "this path");
		}
		UNREACHED();
	}
	return VERDICT_NEXT;
}
