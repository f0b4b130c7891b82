/* exch/tmpl_page: templates that are files of their own: pages, whose styles and
 * scripts are full of braces. Only what is a variable beyond doubt is one. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/tmpl.h"

/* Longest variable with its braces; farther away no brace is looked for. */
#define PAGE_VAR_MAX 128

/* A page while it is read. */
struct page_read {
	struct tmpl *t;
	struct arena *arena;
	span path;
	const struct var_src *src;
	struct diag *d;
	bool ok;
};

static bool
page_is_word(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
			return false;
	return s.len > 0;
}

/* Names of fields, cookies and arguments as they are mostly written. */
static bool
page_is_arg(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return s.len > 0;
}

/* What stands between a brace at `off` and the next closing one, if that is near
 * enough for a variable. */
static bool
page_inside(span text, size_t off, span *out)
{
	span rest = span_first(span_from(text, off), PAGE_VAR_MAX);
	ptrdiff_t end =
	    rest.len > 0 && rest.p[0] == '{' ? span_chr(rest, '}') : -1;

	if (end < 0)
		return false;
	*out = span_of(rest.p + 1, (size_t)end - 1);
	return true;
}

/* Whether this between braces names a variable. */
static bool
page_is_var(span inside)
{
	ptrdiff_t colon = span_chr(inside, ':');
	span name = colon < 0 ? inside : span_first(inside, (size_t)colon);
	enum var_id id;

	if (!var_find(name, &id) || var_takes_arg(id) != (colon >= 0))
		return false;
	return colon < 0 || page_is_arg(span_from(inside, (size_t)colon + 1));
}

/* "path:line:column" of what stands `off` bytes into the page. */
static span
page_place(struct page_read *r, size_t off)
{
	unsigned line = 1;
	size_t begin = 0;

	for (size_t i = 0; i < off; i++) {
		if (r->src->text.p[i] != '\n')
			continue;
		line++;
		begin = i + 1;
	}
	return arena_printf(
	    r->arena, "%.*s:%u:%zu", SPAN_FMT(r->path), line, off - begin + 1);
}

static void
page_add_text(struct page_read *r, size_t from, size_t to)
{
	if (from == to)
		return;
	r->t->parts[r->t->n++] = (struct tmpl_part){
	    .text = span_of(r->src->text.p + from, to - from)};
	r->t->text_len += to - from;
}

static span
page_name(span inside)
{
	ptrdiff_t colon = span_chr(inside, ':');

	return colon < 0 ? inside : span_first(inside, (size_t)colon);
}

/* What page_is_var() took for one. */
static void
page_add_var(struct page_read *r, size_t off, span inside)
{
	struct var_src src = {inside, r->src->at, r->src->when};
	struct tmpl_part part = {.is_var = true};
	span place;

	if (var_find(page_name(inside), &part.var.id) &&
	    var_when(part.var.id) > src.when) {
		place = page_place(r, off);
		diag_error(r->d, src.at,
		    "%.*s: {%.*s} is known only later than this",
		    SPAN_FMT(place), SPAN_FMT(inside));
		r->ok = false;
		return;
	}
	r->ok &= var_parse(&src, &part.var, r->d);
	r->t->parts[r->t->n++] = part;
	r->t->n_vars++;
}

/* The variable that this between braces is a slip of, or NULL. */
static const char *
page_near(span inside)
{
	enum var_id id;

	return page_is_word(inside) && !var_find(inside, &id) ? var_near(inside)
							      : NULL;
}

/* A lone word between braces that is nearly a variable's name. */
static void
page_judge(struct page_read *r, size_t off, span inside)
{
	const char *near = page_near(inside);
	span place;

	if (near == NULL)
		return;
	place = page_place(r, off);
	diag_error(r->d, r->src->at,
	    "%.*s: unknown variable {%.*s}; did you mean {%s}? as text it is "
	    "written {{%.*s}",
	    SPAN_FMT(place), SPAN_FMT(inside), near, SPAN_FMT(inside));
	r->ok = false;
}

/* Parts that it can have at most: text before each brace, and it. */
static size_t
page_bound(span text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '{' ? 2 : 0;
	return size_min(n, TMPL_PARTS_MAX);
}

/* Read on from a brace at *off; *from is where the text that was not yet added
 * begins. */
static void
page_brace(struct page_read *r, size_t *off, size_t *from)
{
	bool is_doubled =
	    *off + 1 < r->src->text.len && r->src->text.p[*off + 1] == '{';
	span inside;

	if (!page_inside(r->src->text, *off + is_doubled, &inside)) {
		*off += 1;
	} else if (is_doubled &&
		   (page_is_var(inside) || page_near(inside) != NULL)) {
		page_add_text(r, *from, *off);
		*from = *off + 1;
		*off += inside.len + 3;
	} else if (!is_doubled && page_is_var(inside)) {
		page_add_text(r, *from, *off);
		page_add_var(r, *off, inside);
		*off += inside.len + 2;
		*from = *off;
	} else {
		if (!is_doubled)
			page_judge(r, *off, inside);
		*off += 1;
	}
}

bool
tmpl_prepare_page(struct tmpl *t, struct arena *a, span path,
    const struct var_src *src, struct diag *d)
{
	struct page_read r = {t, a, path, src, d, true};
	size_t from = 0;
	size_t off = 0;

	memset(t, 0, sizeof(*t));
	t->parts = arena_alloc(a, page_bound(src->text) * sizeof(*t->parts));
	while (off < src->text.len) {
		if (src->text.p[off] != '{') {
			off++;
			continue;
		}
		if (t->n + 3 > TMPL_PARTS_MAX) {
			diag_error(d, src->at,
			    "%.*s: a template of more than %d parts",
			    SPAN_FMT(path), TMPL_PARTS_MAX);
			return false;
		}
		page_brace(&r, &off, &from);
	}
	page_add_text(&r, from, src->text.len);
	return r.ok;
}
