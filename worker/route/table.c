/* route/table: exact paths and prefixes in sorted arrays, regexes in file
 * order. Knows nothing of requests; paths come normalized. */
#include "worker/route/table.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/regex.h"
#include "common/http/uri.h"

/* A literal path. */
struct table_path {
	span text; /* normalized */
	const struct plan_route *route;
	int32_t parent; /* prefixes: the longest other one that begins it */
	uint32_t order; /* of the file, to name duplicates */
	char *own; /* what text points into */
};

struct table_paths {
	struct table_path *at;
	uint32_t n;
};

struct table_regex {
	struct regex *re;
	const struct plan_route *route;
};

struct route_table {
	struct table_paths exact;
	struct table_paths prefixes;
	struct table_regex *regexes;
	uint32_t n_regexes;
	const struct plan_route *root; /* "/", else the bare site, or NULL */
};

static void *
table_calloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	REQUIRE(p != NULL);
	return p;
}

static int
table_cmp(const void *a, const void *b)
{
	const struct table_path *pa = a;
	const struct table_path *pb = b;
	int c = span_cmp(pa->text, pb->text);

	if (c != 0)
		return c;
	return pa->order < pb->order ? -1 : pa->order > pb->order;
}

/* Read one literal path; false with a message when it is none. */
static bool
table_add_path(struct table_paths *ps, span text, const struct plan_route *r,
    struct diag *d)
{
	struct table_path *p = &ps->at[ps->n];
	size_t len;

	if (text.len == 0 || text.p[0] != '/') {
		diag_error(d, r->at,
		    "the path '%.*s' must begin with '/', '=/' or '~ '",
		    SPAN_FMT(r->text));
		return false;
	}
	if (span_chr(text, '?') >= 0 || span_chr(text, '#') >= 0) {
		diag_error(d, r->at,
		    "a route matches the path alone: no '?' "
		    "and no '#'");
		return false;
	}
	p->own = table_calloc(text.len, 1);
	ps->n++;
	p->route = r;
	p->parent = -1;
	p->order = ps->n;
	if (uri_normalize_path(text, p->own, &len) == URI_PATH_AMBIGUOUS) {
		diag_error(d, r->at,
		    "the path '%.*s' can be read in more than one way",
		    SPAN_FMT(text));
		return false;
	}
	p->text = span_of(p->own, len);
	return true;
}

/* Sort, and name routes that are there twice. */
static void
table_sort(struct table_paths *ps, struct diag *d)
{
	char where[64];

	if (ps->n == 0)
		return;
	qsort(ps->at, ps->n, sizeof(*ps->at), table_cmp);
	for (uint32_t i = 1; i < ps->n; i++) {
		if (!span_eq(ps->at[i].text, ps->at[i - 1].text))
			continue;
		diag_where(d, ps->at[i - 1].route->at, where, sizeof(where));
		diag_error(d, ps->at[i].route->at,
		    "the route '%.*s' is the same path as '%.*s' (%s)",
		    SPAN_FMT(ps->at[i].route->text),
		    SPAN_FMT(ps->at[i - 1].route->text), where);
	}
}

/* Point each prefix at the longest other one that it begins with. In a sorted
 * array that is the entry before, or one of that entry's parents. */
static void
table_link(struct table_paths *ps)
{
	for (uint32_t i = 1; i < ps->n; i++) {
		int32_t up = (int32_t)i - 1;

		while (up >= 0 && !span_starts(ps->at[i].text, ps->at[up].text))
			up = ps->at[up].parent;
		ps->at[i].parent = up;
	}
}

static void
table_add_regex(struct route_table *t, span pattern, const struct plan_route *r,
    struct diag *d)
{
	struct place at = r->at;
	struct regex *re;

	at.col = (uint16_t)size_min(
	    at.col + (size_t)(pattern.p - r->text.p), UINT16_MAX);
	re = regex_new(pattern, false, at, d);
	if (re != NULL)
		t->regexes[t->n_regexes++] = (struct table_regex){re, r};
}

static void
table_add(struct route_table *t, const struct plan_route *r, struct diag *d)
{
	span text = r->text;

	if (text.len > 0 && text.p[0] == '~') {
		table_add_regex(t, span_trim(span_from(text, 1)), r, d);
	} else if (text.len > 0 && text.p[0] == '=') {
		(void)table_add_path(
		    &t->exact, span_trim(span_from(text, 1)), r, d);
	} else if (table_add_path(&t->prefixes, text, r, d)) {
		const struct table_path *p = &t->prefixes.at[t->prefixes.n - 1];

		if (p->text.len == 1)
			t->root = r;
	}
}

struct route_table *
table_new(const struct plan_route *const *routes, uint32_t n,
    const struct plan_route *bare, struct diag *d)
{
	struct route_table *t = table_calloc(1, sizeof(*t));
	uint32_t before = diag_count(d, DIAG_ERROR);

	t->exact.at = table_calloc(n, sizeof(*t->exact.at));
	t->prefixes.at = table_calloc(n, sizeof(*t->prefixes.at));
	t->regexes = table_calloc(n, sizeof(*t->regexes));
	t->root = bare;
	for (uint32_t i = 0; i < n; i++)
		table_add(t, routes[i], d);
	table_sort(&t->exact, d);
	table_sort(&t->prefixes, d);
	table_link(&t->prefixes);
	if (diag_count(d, DIAG_ERROR) == before)
		return t;
	table_free(t);
	return NULL;
}

static void
table_free_paths(struct table_paths *ps)
{
	for (uint32_t i = 0; i < ps->n; i++)
		free(ps->at[i].own);
	free(ps->at);
}

void
table_free(struct route_table *t)
{
	if (t == NULL)
		return;
	table_free_paths(&t->exact);
	table_free_paths(&t->prefixes);
	for (uint32_t i = 0; i < t->n_regexes; i++)
		regex_free(t->regexes[i].re);
	free(t->regexes);
	free(t);
}

/* Index of the last entry that is not behind `path`, or -1. */
static int32_t
table_search(const struct table_paths *ps, span path)
{
	uint32_t low = 0;
	uint32_t high = ps->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (span_cmp(ps->at[mid].text, path) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return (int32_t)low - 1;
}

/* Whether the prefix begins the path and ends on a segment's boundary. */
static bool
table_covers(span prefix, span path)
{
	if (!span_starts(path, prefix))
		return false;
	return path.len == prefix.len || prefix.p[prefix.len - 1] == '/' ||
	       path.p[prefix.len] == '/';
}

/* The longest prefix. Every one that begins the path stands at or before the
 * place found, and begins the entry found there: so it is among its parents. */
static const struct table_path *
table_find_prefix(const struct table_paths *ps, span path)
{
	int32_t i = table_search(ps, path);

	while (i >= 0 && !table_covers(ps->at[i].text, path))
		i = ps->at[i].parent;
	return i < 0 ? NULL : &ps->at[i];
}

static enum table_rc
table_find_regex(
    const struct route_table *t, span path, const struct plan_route **out)
{
	for (uint32_t i = 0; i < t->n_regexes; i++) {
		switch (regex_find(t->regexes[i].re, path)) {
		case REGEX_NO:
			continue;
		case REGEX_LIMIT:
			return TABLE_LIMIT;
		case REGEX_YES:
			*out = t->regexes[i].route;
			return TABLE_FOUND;
		}
	}
	return TABLE_NONE;
}

enum table_rc
table_find(
    const struct route_table *t, span path, const struct plan_route **out)
{
	const struct table_path *p;
	enum table_rc rc;
	int32_t i;

	i = t->exact.n == 0 ? -1 : table_search(&t->exact, path);
	if (i >= 0 && span_eq(t->exact.at[i].text, path)) {
		*out = t->exact.at[i].route;
		return TABLE_FOUND;
	}
	p = t->prefixes.n == 0 ? NULL : table_find_prefix(&t->prefixes, path);
	if (p != NULL && p->text.len > 1) {
		*out = p->route;
		return TABLE_FOUND;
	}
	rc = table_find_regex(t, path, out);
	if (rc != TABLE_NONE)
		return rc;
	*out = t->root;
	return t->root == NULL ? TABLE_NONE : TABLE_FOUND;
}
