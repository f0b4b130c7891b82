/* route/rewrite: the path that servers are asked for (`rewrite`), or the place that
 * clients are sent to (`redirect_match`), by regular expressions on the path that
 * clients asked for. What all other stages judge stays the client's: nothing is
 * routed anew, so there are no circles. */
#include "common/base/check.h"
#include "common/base/regex.h"
#include "common/http/uri.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/exch/trail.h"
#include "worker/route/route.h"

/* Pieces of one target: texts, and groups between them. */
#define REWRITE_PIECES_MAX 32
/* What '&', '+', ';' and '=' of a path become in a query. */
#define REWRITE_ESCAPED_LEN 3
/* Of a redirect that tells none; no status is larger. */
#define REDIRECT_STATUS 301
#define REDIRECT_STATUS_MAX 999
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
	span front; /* of a redirect: scheme and host; empty: the same */
	uint16_t status; /* of a redirect; or 0 */
	struct place at;
	span text;
};

/* --- reading -------------------------------------------------------------- */

/* A target while it is read. */
struct rewrite_read {
	struct rewrite *to;
	const struct conf_word *word;
	struct diag *d;
	enum conf_key key;
	bool is_query;
};

static bool
rewrite_wrong(const struct rewrite_read *r, size_t off, const char *what)
{
	struct place at = r->word->at;

	at.col = (uint16_t)(at.col + off);
	at.len = 1;
	diag_error(r->d, at, "%s: %s", conf_key_name(r->key), what);
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

/* Scheme and host, which nothing of a request can be a part of: bytes of them; 0:
 * the target has none. */
static size_t
rewrite_front(span s)
{
	span https = SPAN_LIT("https://");
	span http = SPAN_LIT("http://");
	size_t n = span_starts(s, https)  ? https.len
		   : span_starts(s, http) ? http.len
					  : 0;
	ptrdiff_t slash = span_chr(span_from(s, n), '/');

	return n > 0 && slash > 0 ? n + (size_t)slash : 0;
}

static bool
rewrite_read_target(struct rewrite_read *r)
{
	span s = r->word->text;
	size_t from = r->to->status != 0 ? rewrite_front(s) : 0;

	r->to->front = span_first(s, from);
	if (span_chr(r->to->front, '$') >= 0)
		return rewrite_wrong(
		    r, 0, "what a client asks for chooses no host");
	if (from == s.len || s.p[from] != '/')
		return rewrite_wrong(r, 0,
		    r->to->status != 0
			? "a target begins with '/' or https://HOST/"
			: "a target begins with '/'");
	for (size_t i = from; i < s.len; i++) {
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

static bool
rewrite_read_status(struct rewrite *r, const struct conf_value *v)
{
	uint64_t status;

	r->status = REDIRECT_STATUS;
	if (v->n_words < 3)
		return true;
	if (!span_u64(v->words[2].text, REDIRECT_STATUS_MAX, &status) ||
	    !redirect_status_is_fine(status))
		return false;
	r->status = (uint16_t)status;
	return true;
}

const struct rewrite *
rewrite_prepare(const struct conf_value *v, enum conf_key k, struct arena *a,
    struct diag *d)
{
	struct rewrite *r = arena_zalloc(a, sizeof(*r));
	struct rewrite_read read = {.to = r, .d = d, .key = k};
	bool is_redirect = k == KEY_SCOPE_REDIRECT_MATCH;

	r->at = v->at;
	r->text = v->text;
	if (v->n_words < 2 || v->n_words > (is_redirect ? 3 : 2) ||
	    (is_redirect && !rewrite_read_status(r, v))) {
		diag_error(d, v->at,
		    is_redirect
			? "redirect_match: expected an expression, a target "
			  "and "
			  "maybe 301, 302, 303, 307 or 308, for example "
			  "^/old/(.*)$ /new/$1 302"
			: "rewrite: expected an expression and a target, for "
			  "example ^/old/(.*)$ /new/$1");
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

/* Send the client to what the line makes of the path; one that leads to itself
 * leads nowhere. */
static enum verdict
redirect_by(struct exch *x, const struct rewrite *r)
{
	const struct target_new *t = rewrite_make(x, r);
	span to;

	if (t == NULL)
		return rewrite_fault(x, F_PATH_AMBIGUOUS,
		    "what `redirect_match` made of it is no plain path");
	to = arena_printf(&x->arena, "%.*s%.*s%s%.*s", SPAN_FMT(r->front),
	    SPAN_FMT(t->path), t->has_query ? "?" : "", SPAN_FMT(t->query));
	if (exch_is_place(x, to))
		return VERDICT_NEXT;
	trail_note(x, DECISION_REDIRECT, r->at, "%.*s: %u to %.*s",
	    SPAN_FMT(r->text), (unsigned)r->status, SPAN_FMT(to));
	exch_reply_elsewhere(x, r->status, to);
	return VERDICT_REPLY;
}

/* The first line that matches. */
static enum verdict
rewrite_first(struct exch *x, const struct plan_rewrites *lines,
    enum verdict (*by)(struct exch *x, const struct rewrite *r))
{
	if (lines->n == 0 || !span_starts(x->path, SPAN_LIT("/")))
		return VERDICT_NEXT;
	for (uint32_t i = 0; i < lines->n; i++) {
		switch (regex_find(lines->at[i]->re, x->path)) {
		case REGEX_NO:
			continue;
		case REGEX_YES:
			return by(x, lines->at[i]);
		case REGEX_LIMIT:
			return rewrite_fault(x, F_INTERNAL,
			    "a regex of `rewrite` or `redirect_match` needed "
			    "too many steps for this path");
		}
		UNREACHED();
	}
	return VERDICT_NEXT;
}

enum verdict
stage_rewrite(struct exch *x)
{
	if (x->set->rewrites.n > 0 && x->path_is_ambiguous)
		return rewrite_fault(
		    x, F_PATH_AMBIGUOUS, "`rewrite` judges plain paths only");
	return rewrite_first(x, &x->set->rewrites, rewrite_by);
}

enum verdict
stage_redirect_match(struct exch *x)
{
	/* what can be read in two ways has moved nowhere */
	if (x->path_is_ambiguous)
		return VERDICT_NEXT;
	return rewrite_first(x, &x->set->redirects, redirect_by);
}
