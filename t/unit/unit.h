/* unit/unit: the main of a unit test program: one suite, one case, all tests in
 * their order. Check forks for each test unless CK_FORK=no. */
#ifndef GH_UNIT_H
#define GH_UNIT_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/base/span.h"

/* Exception: a name of Check's. An assertion that holds would write its place
 * into a file, for the report of a later death: millions of them are more than
 * half of what some programs do. Such a report names the test alone. */
#define _mark_point(file, line) ((void)0)

/* Seconds; a sanitized build on a busy machine is slow. */
#define UNIT_TIMEOUT_S 300

/* Run `n` tests; set_up and tear_down (or NULL) around each. Returns what main
 * returns. */
static inline int
unit_run_in(const char *name, const TTest *const *tests, size_t n,
    void (*set_up)(void), void (*tear_down)(void))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_set_timeout(tc, UNIT_TIMEOUT_S);
	if (set_up != NULL)
		tcase_add_checked_fixture(tc, set_up, tear_down);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int
unit_run(const char *name, const TTest *const *tests, size_t n)
{
	return unit_run_in(name, tests, n, NULL, NULL);
}

#define ck_assert_span_eq(s, text) \
	do { \
		span got = (s); \
		ck_assert_msg(span_eq(got, span_str(text)), \
		    "\"%.*s\" is not \"%s\"", SPAN_FMT(got), (text)); \
	} while (0)

#endif
