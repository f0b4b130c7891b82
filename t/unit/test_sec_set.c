/* Unit tests of sec/sec_set: what rule files say, as a set. */
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"

#define LAST(set) (&(set)->rules[(set)->n_rules - 1])

/* --- lines and words ------------------------------------------------------ */

START_TEST(lines_go_on_behind_a_backslash)
{
	struct sec_set *set = sec_must_load("# a comment \\\n"
					    "  that goes on\n\n"
					    "  SecRule \\\r\n"
					    "\tARGS \"a\\\n"
					    " b\" \"id:1,\\\n"
					    "    pass,\\\n"
					    "    msg:'x y'\"  \n"
					    "SecAction id:2");

	ck_assert_uint_eq(set->n_rules, 2);
	ck_assert_uint_eq(set->rules[0].at.line, 5);
	ck_assert_uint_eq(set->rules[0].at.col, 2);
	ck_assert_span_eq(set->rules[0].file, "t");
	ck_assert_span_eq(set->rules[0].argument.raw, "a b");
	ck_assert_span_eq(set->rules[0].msg.raw, "x y");
	sec_set_free(set);
}
END_TEST

START_TEST(quotes_and_backslashes_are_read_as_apache_does)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS '@rx a\"\\'b\\\\\\d\\\"' \"id:1,msg:'it\\\\'s',"
	    "tag:\\\"x\\\",logdata:'a,b|c'\"\n");
	const struct sec_rule *r = LAST(set);

	ck_assert_span_eq(r->argument.raw, "a\"'b\\\\d\\\"");
	ck_assert_span_eq(r->msg.raw, "it's");
	ck_assert_span_eq(r->tags[0], "\"x\"");
	ck_assert_span_eq(r->logdata.raw, "a,b|c");
	sec_set_free(set);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    lines_go_on_behind_a_backslash,
	    quotes_and_backslashes_are_read_as_apache_does,
	};

	return unit_run("sec_set", tests, sizeof(tests) / sizeof(tests[0]));
}
