/* preset/page: pages of the configuration in place of errors. Files are read when
 * the configuration is prepared; what is wrong with one is wrong with the
 * configuration, so that a reload keeps the old one. Servers are asked by
 * preset/page_ask. */
#include "worker/preset/page.h"

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/grpc.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/textfile.h"
#include "worker/preset/preset.h"

#define PAGE_CLASS 100u
#define PAGE_BITS 64u
/* What stands in front of the name of one that is asked. */
#define PAGE_UPSTREAM SPAN_LIT("upstream:")

bool
page_is_for(const struct page_line *l, unsigned status)
{
	unsigned i = status - PAGE_STATUS_MIN;

	return status >= PAGE_STATUS_MIN && status <= PAGE_STATUS_MAX &&
	       (l->statuses[i / PAGE_BITS] >> (i % PAGE_BITS) & 1);
}

static void
page_add_statuses(struct page_line *l, unsigned from, unsigned to)
{
	for (unsigned s = from; s <= to; s++) {
		unsigned i = s - PAGE_STATUS_MIN;

		l->statuses[i / PAGE_BITS] |= UINT64_C(1) << (i % PAGE_BITS);
	}
}

/* "502", "500-504", "5xx". false: it is none of these. */
static bool
page_read_statuses(struct page_line *l, span word)
{
	ptrdiff_t dash = span_chr(word, '-');
	uint64_t from;
	uint64_t to;

	if (span_eq(word, SPAN_LIT("4xx")) || span_eq(word, SPAN_LIT("5xx"))) {
		from = (uint64_t)(word.p[0] - '0') * PAGE_CLASS;
		to = from + PAGE_CLASS - 1;
	} else {
		span first = dash < 0 ? word : span_first(word, (size_t)dash);
		span last = dash < 0 ? word : span_from(word, (size_t)dash + 1);

		if (!span_u64(first, PAGE_STATUS_MAX, &from) ||
		    !span_u64(last, PAGE_STATUS_MAX, &to) ||
		    from < PAGE_STATUS_MIN || from > to)
			return false;
	}
	page_add_statuses(l, (unsigned)from, (unsigned)to);
	return true;
}

/* How values are made fit for a file of that type. false: it is no text that
 * variables could stand in. */
static bool
page_escape(span type, enum tmpl_escape *how)
{
	*how = TMPL_HTML;
	if (span_starts(type, SPAN_LIT("text/html")) ||
	    span_eq(type, SPAN_LIT("application/xml")) ||
	    span_eq(type, SPAN_LIT("image/svg+xml")))
		return true;
	*how = TMPL_JSON;
	if (span_eq(type, SPAN_LIT("application/json")) ||
	    span_starts(type, SPAN_LIT("text/javascript")))
		return true;
	*how = TMPL_PLAIN;
	return span_starts(type, SPAN_LIT("text/plain"));
}

/* Whatever its file is called, what people are to read is a page. */
static span
page_type(span path)
{
	span type = textfile_type(path);

	return span_eq(type, SPAN_LIT(TEXTFILE_UNKNOWN))
		   ? SPAN_LIT("text/html; charset=utf-8")
		   : type;
}

static bool
page_read_file(struct page_file *f, const struct conf_word *w, struct arena *a,
    struct diag *d)
{
	struct var_src src = {.at = w->at, .when = VAR_WHEN_RESPONSE};

	f->type = page_type(w->text);
	if (!textfile_read(w->text, w->at, PAGE_MAX, a, d, &src.text))
		return false;
	if (page_escape(f->type, &f->how))
		return tmpl_prepare_page(&f->text, a, w->text, &src, d);
	tmpl_constant(&f->text, a, src.text);
	return true;
}

/* The file of a word; NULL: it cannot be used. */
static const struct page_file *
page_file(struct map *files, const struct conf_word *w, struct arena *a,
    struct diag *d)
{
	char path[TEXTFILE_PATH_MAX] = "";
	struct page_file *f;

	/* a path that is too long is told when it is read */
	(void)textfile_path(w->text, w->at, d, path);
	f = map_get(files, span_str(path));
	if (f == NULL) {
		f = arena_zalloc(a, sizeof(*f));
		f->is_good = page_read_file(f, w, a, d);
		(void)map_put(files, arena_span(a, span_str(path)), f);
	}
	return f->is_good ? f : NULL;
}

/* Where the page comes from. */
static bool
page_prepare_source(struct page_line *l, const struct conf_word *w,
    const struct page_names *names, struct arena *a, struct diag *d)
{
	l->path = w->text;
	if (!span_starts(w->text, PAGE_UPSTREAM)) {
		l->file = page_file(names->files, w, a, d);
		return l->file != NULL;
	}
	l->server = page_server_prepare(
	    span_from(w->text, PAGE_UPSTREAM.len), w->at, names, a, d);
	return l->server != NULL;
}

const struct page_line *
page_prepare(const struct conf_value *v, const struct page_names *names,
    struct arena *a, struct diag *d)
{
	struct page_line *l = arena_zalloc(a, sizeof(*l));
	uint32_t n = 0;

	l->at = v->at;
	while (n < v->n_words && page_read_statuses(l, v->words[n].text))
		n++;
	if (n > 0 && n + 2 == v->n_words &&
	    span_eq(v->words[n + 1].text, SPAN_LIT("intercept"))) {
		l->is_intercept = true;
	} else if (n == 0 || n + 1 != v->n_words) {
		diag_error(d, n < v->n_words ? v->words[n].at : v->at,
		    "error_page = STATUS... FILE [intercept], where a STATUS "
		    "is 400 .. 599, a range 500-504, 4xx or 5xx, and FILE may "
		    "be upstream:NAME/PATH");
		return NULL;
	}
	return page_prepare_source(l, &v->words[n], names, a, d) ? l : NULL;
}

const struct page_line *
page_prepare_one(const struct conf_value *v, unsigned status, struct map *files,
    struct arena *a, struct diag *d)
{
	struct page_line *l = arena_zalloc(a, sizeof(*l));
	struct conf_word path = {v->text, v->at};

	l->at = v->at;
	l->path = v->text;
	page_add_statuses(l, status, status);
	l->file = page_file(files, &path, a, d);
	return l->file != NULL ? l : NULL;
}

/* The line that was said last and nearest. */
static const struct page_line *
page_find(const struct exch *x)
{
	const struct plan_pages *p = &x->set->pages;

	for (uint32_t i = p->n; i-- > 0;)
		if (page_is_for(p->at[i], x->resp.status) &&
		    (x->is_own_answer || p->at[i]->is_intercept))
			return p->at[i];
	return NULL;
}

/* The page that a server is to make; until it has, ours stands there, so that
 * nothing of an origin is left if it makes none. */
static enum verdict
page_ask_server(struct exch *x, const struct page_line *l)
{
	if (!x->is_own_answer)
		exch_replace_page(x);
	return page_ask(x, l) ? VERDICT_WAIT : VERDICT_NEXT;
}

enum verdict
stage_error_page(struct exch *x)
{
	const struct page_line *l;

	if (page_is_awaited(x))
		return VERDICT_WAIT;
	if (x->page_asked != NULL) {
		page_take(x);
		return VERDICT_NEXT;
	}
	if (x->set->pages.n == 0 || x->resp.status < PAGE_STATUS_MIN ||
	    (x->is_own_answer && !x->is_page) || grpc_is_call(x))
		return VERDICT_NEXT;
	l = page_find(x);
	if (l == NULL)
		return VERDICT_NEXT;
	sink_note(x, "error_page", l->at, "%.*s for %u", SPAN_FMT(l->path),
	    x->resp.status);
	if (l->server != NULL)
		return page_ask_server(x, l);
	exch_replace(
	    x, l->file->type, tmpl_render(&l->file->text, x, l->file->how));
	return VERDICT_NEXT;
}
