/* Unit tests of files/files_name: from a path to the name of a file. */
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/files/files_int.h"

/* NULL: no name. */
static void
expect(const char *path, const char *want)
{
	struct arena_pool pool;
	struct arena a;
	span got;

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	got = files_name(&a, span_str(path));
	if (want == NULL)
		ck_assert_msg(got.p == NULL, "%s", path);
	else
		ck_assert_msg(
		    got.p != NULL && span_eq(got, span_str(want)), "%s", path);
	arena_fini(&a);
	arena_pool_fini(&pool);
}

START_TEST(a_path_names_what_is_below)
{
	expect("/", "");
	expect("/a.txt", "a.txt");
	expect("/d/", "d/");
	expect("/a..b/c.", "a..b/c.");
	expect("/%61%20%25%3F%c3%A4", "a %?\xc3\xa4");
	expect("/.well-known/x", ".well-known/x");
}
END_TEST

START_TEST(nothing_that_leads_elsewhere_is_a_name)
{
	expect("", NULL);
	expect("*", NULL);
	expect("a", NULL);
	expect("//a", NULL);
	expect("/a//b", NULL);
	expect("/a//", NULL);
	expect("/.", NULL);
	expect("/..", NULL);
	expect("/a/../b", NULL);
	expect("/%2e%2e/b", NULL);
	expect("/a%2Fb", NULL);
	expect("/a%00", NULL);
}
END_TEST

START_TEST(hidden_files_have_no_name)
{
	expect("/.git/config", NULL);
	expect("/d/.htpasswd", NULL);
	expect("/%2eenv", NULL);
	expect("/d/.well-known/x", NULL);
	expect("/.well-known/.x", NULL);
}
END_TEST

START_TEST(an_escape_that_is_cut_or_none_is_refused)
{
	expect("/%", NULL);
	expect("/%4", NULL);
	expect("/%4g", NULL);
	expect("/%g4", NULL);
}
END_TEST

START_TEST(a_name_is_as_long_as_a_path_may_be)
{
	char path[FILES_NAME_MAX + 2];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[FILES_NAME_MAX] = '\0';
	expect(path, path + 1);
	path[FILES_NAME_MAX] = 'x';
	path[FILES_NAME_MAX + 1] = '\0';
	expect(path, NULL);
}
END_TEST

START_TEST(escapes_make_no_name_longer)
{
	char path[3 * FILES_NAME_MAX + 2] = "/";
	char name[FILES_NAME_MAX];

	memset(name, 0xc3, FILES_NAME_MAX - 1);
	name[FILES_NAME_MAX - 1] = '\0';
	for (size_t i = 0; i < FILES_NAME_MAX - 1; i++)
		memcpy(path + 1 + 3 * i, "%C3", 3);
	expect(path, name);
	memcpy(path + 1 + 3 * (FILES_NAME_MAX - 1), "%C3", 3);
	expect(path, NULL);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_path_names_what_is_below,
	    nothing_that_leads_elsewhere_is_a_name,
	    hidden_files_have_no_name,
	    an_escape_that_is_cut_or_none_is_refused,
	    a_name_is_as_long_as_a_path_may_be,
	    escapes_make_no_name_longer,
	};

	return unit_run("files/files_name", tests, NELEMS(tests));
}
