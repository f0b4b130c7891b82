/* preset/moves: long lists of places that are elsewhere now (redirect_file),
 * found by hash. */
#include "common/base/check.h"
#include "common/http/uri.h"
#include "worker/exch/exch.h"
#include "worker/exch/pct.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/textfile.h"
#include "worker/exch/trail.h"
#include "worker/preset/preset.h"

/* Largest list; 100,000 lines of the usual length are a tenth of it. */
#define MOVES_FILE_MAX (64u * 1024 * 1024)
#define MOVES_STATUS 301
#define MOVES_PROBLEMS_MAX 10
/* The byte order mark that some editors begin a text with. */
#define MOVES_BOM SPAN_LIT("\xef\xbb\xbf")

struct move {
	span to;
	span fragment; /* with its mark; behind the query */
	uint32_t line;
	uint16_t status;
	bool has_query; /* its own: the request's goes */
};

struct moves {
	struct map by_place; /* "/path", or "/path?query" */
	bool has_queries; /* some place has one */
	struct place at;
};

/* A list while it is read. */
struct moves_read {
	struct moves *moves;
	struct arena *arena;
	struct diag *d;
	struct place at;
	span path; /* of the file */
	uint32_t line;
	uint32_t n_problems;
};

static void
moves_problem(struct moves_read *r, const char *what, span word)
{
	if (r->n_problems++ < MOVES_PROBLEMS_MAX)
		diag_error(r->d, r->at, "%.*s:%u: '%.*s' %s", SPAN_FMT(r->path),
		    (unsigned)r->line, SPAN_FMT(span_first(word, 60)), what);
}

/* The place in the one form that requests are compared in: what is no ASCII is
 * written as browsers send it. */
static bool
moves_read_from(struct moves_read *r, span line_word, span *out)
{
	span word = pct_encode(r->arena, line_word);
	ptrdiff_t mark = span_chr(word, '?');
	span path = mark < 0 ? word : span_first(word, (size_t)mark);
	char *p = arena_alloc(r->arena, word.len);
	size_t len;

	if (path.len == 0 || path.p[0] != '/' || span_chr(word, '#') >= 0 ||
	    uri_normalize_path(path, p, &len) == URI_PATH_AMBIGUOUS) {
		moves_problem(
		    r, "is no plain path that begins with '/'", line_word);
		return false;
	}
	if (mark >= 0) {
		memcpy(p + len, word.p + mark, word.len - (size_t)mark);
		len += word.len - (size_t)mark;
		r->moves->has_queries = true;
	}
	*out = span_of(p, len);
	return true;
}

static bool
moves_read_to(struct moves_read *r, span word, struct move *m)
{
	bool is_path = span_starts(word, SPAN_LIT("/")) &&
		       !span_starts(word, SPAN_LIT("//")) &&
		       !span_starts(word, SPAN_LIT("/\\"));
	bool is_url = span_starts(word, SPAN_LIT("https://")) ||
		      span_starts(word, SPAN_LIT("http://"));
	ptrdiff_t mark = span_chr(word, '#');

	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.p[i];

		is_path &= c > ' ' && c != 0x7f;
		is_url &= c > ' ' && c < 0x7f;
	}
	if (!is_path && !is_url) {
		moves_problem(
		    r, "is no path and no http(s) URL in ASCII", word);
		return false;
	}
	m->to = mark < 0 ? word : span_first(word, (size_t)mark);
	m->fragment = span_from(word, m->to.len);
	m->has_query = span_chr(m->to, '?') >= 0;
	return true;
}

static bool
moves_read_status(struct moves_read *r, span word, struct move *m)
{
	static const uint16_t known[] = {301, 302, 303, 307, 308};
	uint64_t status;

	m->status = MOVES_STATUS;
	if (word.len == 0)
		return true;
	if (span_u64(word, UINT16_MAX, &status))
		for (size_t i = 0; i < NELEMS(known); i++)
			if (status == known[i]) {
				m->status = known[i];
				return true;
			}
	moves_problem(r, "is none of 301, 302, 303, 307, 308", word);
	return false;
}

static void
moves_put(struct moves_read *r, span from, struct move *m)
{
	const struct move *other = map_put(&r->moves->by_place, from, m);

	if (other != NULL && r->n_problems++ < MOVES_PROBLEMS_MAX)
		diag_error(r->d, r->at,
		    "%.*s:%u: '%.*s' stands in line %u, too", SPAN_FMT(r->path),
		    (unsigned)r->line, SPAN_FMT(span_first(from, 60)),
		    (unsigned)other->line);
}

/* "FROM TO [STATUS]". */
static void
moves_read_line(struct moves_read *r, span line)
{
	struct move *m;
	span from_word;
	span to = span_of(NULL, 0);
	span status = span_of(NULL, 0);
	span from;

	if (!span_word(&line, &from_word) || from_word.p[0] == '#')
		return;
	if (!span_word(&line, &to)) {
		moves_problem(r, "goes nowhere: FROM TO [STATUS]", from_word);
		return;
	}
	(void)span_word(&line, &status);
	m = arena_zalloc(r->arena, sizeof(*m));
	m->line = r->line;
	if (!moves_read_from(r, from_word, &from) || !moves_read_to(r, to, m) ||
	    !moves_read_status(r, status, m))
		return;
	line = span_trim(line);
	if (line.len > 0)
		moves_problem(r, "is more than FROM TO [STATUS]", line);
	else if (span_eq(from, m->to))
		moves_problem(r, "goes to itself", from_word);
	else
		moves_put(r, from, m);
}

struct moves *
moves_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct moves *m = arena_zalloc(a, sizeof(*m));
	struct moves_read r = {m, a, d, v->at, v->text, 0, 0};
	span rest = span_of(NULL, 0);
	span line;

	map_init(&m->by_place, false);
	m->at = v->at;
	if (!textfile_read(v->text, v->at, MOVES_FILE_MAX, a, d, &rest))
		return m;
	if (span_starts(rest, MOVES_BOM))
		rest = span_from(rest, MOVES_BOM.len);
	while (span_cut(&rest, '\n', &line)) {
		r.line++;
		if (span_ends(line, SPAN_LIT("\r")))
			line.len--;
		moves_read_line(&r, line);
	}
	return m;
}

void
moves_fini(struct moves *m)
{
	map_fini(&m->by_place);
}

static const struct move *
moves_find(const struct moves *m, struct exch *x)
{
	const struct move *found = NULL;

	if (m->has_queries && x->req.has_query) {
		span parts[3] = {x->path, SPAN_LIT("?"), x->req.query};

		found = map_get(&m->by_place,
		    arena_concat(&x->arena, parts, NELEMS(parts)));
	}
	return found != NULL ? found : map_get(&m->by_place, x->path);
}

/* The place without its fragment, its escapes made: what a client who is sent
 * there asks for. */
static span
moves_to(const struct move *m, struct exch *x)
{
	span parts[3] = {m->to, SPAN_LIT("?"), x->req.query};

	return pct_encode(
	    &x->arena, m->has_query || !x->req.has_query
			   ? m->to
			   : arena_concat(&x->arena, parts, NELEMS(parts)));
}

enum verdict
stage_moves(struct exch *x)
{
	const struct moves *m = x->set->moves;
	const struct move *found;
	span to;

	if (m == NULL || x->path_is_ambiguous)
		return VERDICT_NEXT;
	found = moves_find(m, x);
	if (found == NULL)
		return VERDICT_NEXT;
	to = moves_to(found, x);
	if (exch_is_place(x, to))
		return VERDICT_NEXT;
	trail_note(x, DECISION_MOVES, m->at, "line %u: %u to %.*s",
	    (unsigned)found->line, (unsigned)found->status,
	    SPAN_FMT(found->to));
	to = arena_printf(
	    &x->arena, "%.*s%.*s", SPAN_FMT(to), SPAN_FMT(found->fragment));
	canon_redirect(x, found->status, to);
	return VERDICT_REPLY;
}
