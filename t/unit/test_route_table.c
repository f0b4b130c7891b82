/* Unit tests of route/table: which route a path belongs to. */
#include <stdlib.h>

#include "common/base/diag.h"
#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/route/table.h"

#define ROUTES_MAX 4096

struct set {
	struct diag *diag;
	struct route_table *table;
	struct plan_route at[16];
	const struct plan_route *ptr[16];
	struct plan_route bare;
	uint32_t n;
};

static void
set_build(struct set *s, const char *const *texts, bool has_bare)
{
	memset(s, 0, sizeof(*s));
	s->diag = diag_new();
	for (; texts[s->n] != NULL; s->n++) {
		s->at[s->n].text = span_str(texts[s->n]);
		s->ptr[s->n] = &s->at[s->n];
	}
	s->table = table_new(s->ptr, s->n, has_bare ? &s->bare : NULL, s->diag);
}

static void
set_free(struct set *s)
{
	table_free(s->table);
	diag_free(s->diag);
}

/* The text of the route found; "" for the bare site, NULL for none. */
static const char *
set_find(const struct set *s, const char *path)
{
	const struct plan_route *r = NULL;

	switch (table_find(s->table, span_str(path), &r)) {
	case TABLE_FOUND:
		return r == &s->bare ? "" : r->text.p;
	case TABLE_NONE:
		return NULL;
	case TABLE_LIMIT:
		return "limit";
	}
	return NULL;
}

START_TEST(a_prefix_ends_on_a_segment_boundary)
{
	static const char *const texts[] = {"/api", "/x/", NULL};
	struct set s;

	set_build(&s, texts, false);
	ck_assert_str_eq(set_find(&s, "/api"), "/api");
	ck_assert_str_eq(set_find(&s, "/api/"), "/api");
	ck_assert_str_eq(set_find(&s, "/api/v1"), "/api");
	ck_assert_ptr_null(set_find(&s, "/apix"));
	ck_assert_ptr_null(set_find(&s, "/ap"));
	ck_assert_ptr_null(set_find(&s, "/x"));
	ck_assert_str_eq(set_find(&s, "/x/y"), "/x/");
	set_free(&s);
}
END_TEST

START_TEST(the_longest_prefix_wins_whatever_the_order)
{
	static const char *const texts[] = {
	    "/a/b", "/a", "/a/b/c", "/a/bb", "/", NULL};
	struct set s;

	set_build(&s, texts, true);
	ck_assert_str_eq(set_find(&s, "/a/b/c/d"), "/a/b/c");
	ck_assert_str_eq(set_find(&s, "/a/b/cc"), "/a/b");
	ck_assert_str_eq(set_find(&s, "/a/b"), "/a/b");
	ck_assert_str_eq(set_find(&s, "/a/bb/c"), "/a/bb");
	ck_assert_str_eq(set_find(&s, "/a/bbb"), "/a");
	ck_assert_str_eq(set_find(&s, "/b"), "/");
	set_free(&s);
}
END_TEST

START_TEST(an_exact_path_beats_all)
{
	static const char *const texts[] = {
	    "/a/b", "=/a/b", "~ ^/a", "=/", NULL};
	struct set s;

	set_build(&s, texts, true);
	ck_assert_str_eq(set_find(&s, "/a/b"), "=/a/b");
	ck_assert_str_eq(set_find(&s, "/a/b/"), "/a/b");
	ck_assert_str_eq(set_find(&s, "/"), "=/");
	ck_assert_str_eq(set_find(&s, "/z"), "");
	set_free(&s);
}
END_TEST

START_TEST(a_regex_never_beats_a_longer_prefix)
{
	static const char *const texts[] = {
	    "/static/", "~ \\.png$", "~ ^/(img|pic)", "/", NULL};
	struct set s;

	set_build(&s, texts, false);
	ck_assert_str_eq(set_find(&s, "/static/a.png"), "/static/");
	ck_assert_str_eq(set_find(&s, "/img/a.png"), "~ \\.png$");
	ck_assert_str_eq(set_find(&s, "/img/a.gif"), "~ ^/(img|pic)");
	ck_assert_str_eq(set_find(&s, "/a.gif"), "/");
	set_free(&s);
}
END_TEST

START_TEST(a_site_without_its_own_answer_has_none)
{
	static const char *const texts[] = {"/a", NULL};
	struct set s;

	set_build(&s, texts, false);
	ck_assert_ptr_null(set_find(&s, "/b"));
	set_free(&s);
	set_build(&s, texts, true);
	ck_assert_str_eq(set_find(&s, "/b"), "");
	set_free(&s);
}
END_TEST

START_TEST(a_dollar_is_the_very_end)
{
	static const char *const texts[] = {"~ ^/a$", NULL};
	struct set s;

	set_build(&s, texts, false);
	ck_assert_str_eq(set_find(&s, "/a"), "~ ^/a$");
	ck_assert_ptr_null(set_find(&s, "/a\n"));
	set_free(&s);
}
END_TEST

START_TEST(a_regex_that_needs_too_long_is_told_and_not_passed_over)
{
	static const char *const texts[] = {"~ ^/(a+)+$", NULL};
	char path[64];
	struct set s;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[62] = '!';
	path[63] = '\0';
	set_build(&s, texts, true);
	ck_assert_str_eq(set_find(&s, path), "limit");
	set_free(&s);
}
END_TEST

START_TEST(mistakes_are_all_told)
{
	static const char *const texts[] = {"api", "=x", "/a?b", "/a%2fb",
	    "~ (", "/same", "/same", "=/e", "=/%65", NULL};
	char *why;
	struct set s;

	set_build(&s, texts, false);
	ck_assert_ptr_null(s.table);
	ck_assert_uint_eq(diag_count(s.diag, DIAG_ERROR), 7);
	why = diag_render(s.diag);
	ck_assert_ptr_nonnull(strstr(why, "'api' must begin with"));
	ck_assert_ptr_nonnull(strstr(why, "more than one way"));
	ck_assert_ptr_nonnull(strstr(why, "regex is malformed"));
	ck_assert_ptr_nonnull(strstr(why, "same path as '/same'"));
	ck_assert_ptr_nonnull(strstr(why, "same path as '=/e'"));
	free(why);
	set_free(&s);
}
END_TEST

/* What the table must say, by looking at every route. */
static const struct plan_route *
longest(const struct plan_route *at, uint32_t n, span path)
{
	const struct plan_route *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		span t = at[i].text;

		if (!span_starts(path, t) ||
		    (path.len > t.len && t.p[t.len - 1] != '/' &&
			path.p[t.len] != '/'))
			continue;
		if (best == NULL || t.len > best->text.len)
			best = &at[i];
	}
	return best;
}

/* "/c/ab/..." with up to 6 short segments, from a counter. */
static void
make_path(char *out, unsigned seed)
{
	size_t n = 0;

	do {
		out[n++] = '/';
		out[n++] = (char)('a' + seed % 3);
		if (seed % 5 == 0)
			out[n++] = 'b';
		seed /= 4;
	} while (seed > 0 && n < 24);
	out[n] = '\0';
}

START_TEST(thousands_of_prefixes_agree_with_a_look_at_each)
{
	struct plan_route *at = calloc(ROUTES_MAX, sizeof(*at));
	const struct plan_route **ptr = calloc(ROUTES_MAX, sizeof(*ptr));
	char(*texts)[32] = calloc(ROUTES_MAX, sizeof(*texts));
	struct diag *d = diag_new();
	struct route_table *t;
	uint32_t n = 0;

	for (unsigned i = 0; i < ROUTES_MAX; i++) {
		bool is_new = true;

		make_path(texts[n], i * 7);
		for (uint32_t k = 0; k < n && is_new; k++)
			is_new = strcmp(texts[k], texts[n]) != 0;
		if (!is_new)
			continue;
		at[n].text = span_str(texts[n]);
		ptr[n] = &at[n];
		n++;
	}
	ck_assert_uint_gt(n, 500);
	t = table_new(ptr, n, NULL, d);
	ck_assert_ptr_nonnull(t);
	for (unsigned i = 0; i < ROUTES_MAX; i++) {
		const struct plan_route *r = NULL;
		char path[32];
		span p;

		make_path(path, i);
		p = span_str(path);
		(void)table_find(t, p, &r);
		ck_assert_ptr_eq(r, longest(at, n, p));
	}
	table_free(t);
	diag_free(d);
	free(texts);
	free(ptr);
	free(at);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_prefix_ends_on_a_segment_boundary,
	    the_longest_prefix_wins_whatever_the_order,
	    an_exact_path_beats_all,
	    a_regex_never_beats_a_longer_prefix,
	    a_site_without_its_own_answer_has_none,
	    a_dollar_is_the_very_end,
	    a_regex_that_needs_too_long_is_told_and_not_passed_over,
	    mistakes_are_all_told,
	    thousands_of_prefixes_agree_with_a_look_at_each,
	};

	return unit_run("route/table", tests, NELEMS(tests));
}
