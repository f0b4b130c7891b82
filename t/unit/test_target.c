/* Unit tests of exch/target: the target that an origin is asked for. */
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/exch/target.h"

/* The target for `path`, NULL when it is refused. */
static char *
target(const char *settings, const char *path)
{
	struct fixture *f;
	struct exch *x;
	char text[512];
	char *out;
	span s;

	snprintf(
	    text, sizeof(text), "[site a.test]\nrespond = 200\n%s", settings);
	f = fixture_new(text);
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    path);
	x = fixture_request(f, text);
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	s = route_target(x);
	out = s.p == NULL ? NULL : strdup(fixture_str(x, s));
	fixture_free(f);
	return out;
}

static void
expect(const char *settings, const char *path, const char *want)
{
	char *got = target(settings, path);

	ck_assert_msg(got != NULL, "%s", path);
	ck_assert_str_eq(got, want);
	free(got);
}

#define STRIP "strip_prefix = /api\n"
#define ADD "add_prefix = /v2\n"

START_TEST(without_rewriting_every_byte_is_kept)
{
	expect("", "/a/../b//%2f%2E?q=%00&", "/a/../b//%2f%2E?q=%00&");
	expect("", "/?", "/?");
	expect("", "http://a.test/x?y", "/x?y");
	expect("", "http://a.test", "/");
	expect("", "http://a.test?q", "/?q");
}
END_TEST

START_TEST(a_prefix_is_stripped_on_its_boundary)
{
	expect(STRIP, "/api/x?q", "/x?q");
	expect(STRIP, "/api", "/");
	expect(STRIP, "/api?", "/?");
	expect(STRIP, "/api/", "/");
	expect(STRIP, "/apix", "/apix");
	expect(STRIP, "/other/api/x", "/other/api/x");
	expect("strip_prefix = /api/\n", "/api/x", "/x");
	expect("strip_prefix = /\n", "/api/x", "/api/x");
}
END_TEST

START_TEST(what_is_left_keeps_the_clients_spelling)
{
	expect(STRIP, "/api/%41/./b%20c//d", "/%41/./b%20c//d");
	expect(STRIP, "/api/a/../b", "/a/../b");
}
END_TEST

START_TEST(another_spelling_of_the_prefix_is_stripped_too)
{
	expect(STRIP, "/%61pi/x", "/x");
	expect(STRIP, "/x/../api/b%20c?d%20e", "/b%20c?d%20e");
	expect(STRIP, "//api/x", "/x");
}
END_TEST

START_TEST(dots_cannot_climb_out_of_what_is_stripped)
{
	expect(STRIP, "/api/../api/x", "/x");
	expect(STRIP, "/api/../secret", "/api/../secret");
	expect(STRIP ADD, "/api/../secret", "/v2/api/../secret");
}
END_TEST

START_TEST(a_prefix_is_added_after_stripping)
{
	expect(ADD, "/x?q", "/v2/x?q");
	expect(ADD, "/", "/v2/");
	expect("add_prefix = /v2/\n", "/x", "/v2/x");
	expect(STRIP ADD, "/api/x", "/v2/x");
	expect(STRIP ADD, "/api", "/v2/");
}
END_TEST

START_TEST(a_path_with_two_readings_is_not_rewritten)
{
	ck_assert_ptr_null(target(STRIP, "/api/a%2fb"));
	ck_assert_ptr_null(target(STRIP, "/api/%zz"));
	ck_assert_ptr_null(target(ADD, "/../x"));
	ck_assert_ptr_null(target(ADD, "/a\\b"));
	expect("", "/api/a%2fb", "/api/a%2fb");
}
END_TEST

static void
expect_refused(const char *line)
{
	char text[256];
	char *why;

	snprintf(
	    text, sizeof(text), "[site a.test]\nrespond = 200\n%s\n", line);
	why = fixture_refused(text);
	ck_assert_msg(strstr(why, "test.ini:3:") != NULL, "%s", why);
	free(why);
}

START_TEST(a_prefix_that_is_no_plain_path_is_refused)
{
	expect_refused("strip_prefix = api");
	expect_refused("strip_prefix = /a?b");
	expect_refused("add_prefix = /a#b");
	expect_refused("add_prefix = /a/../../b");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    without_rewriting_every_byte_is_kept,
	    a_prefix_is_stripped_on_its_boundary,
	    what_is_left_keeps_the_clients_spelling,
	    another_spelling_of_the_prefix_is_stripped_too,
	    dots_cannot_climb_out_of_what_is_stripped,
	    a_prefix_is_added_after_stripping,
	    a_path_with_two_readings_is_not_rewritten,
	    a_prefix_that_is_no_plain_path_is_refused,
	};

	return unit_run("exch/target", tests, NELEMS(tests));
}
