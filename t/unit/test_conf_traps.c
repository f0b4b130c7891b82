/* What inih would repair, cut, join or take for something else: each is kept as
 * it was written, or refused with its place. */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define SITE "[site s]\nrespond = 200 x\n"

/* Lines of inih are 200 bytes. */
START_TEST(a_long_value_is_kept_whole)
{
	enum { long_enough = 60000 };
	char *text = malloc(long_enough + 64);
	struct loaded l;
	struct conf_scope sc;
	span got;
	size_t at;

	ck_assert_ptr_nonnull(text);
	at = (size_t)sprintf(text, "[site s]\nrespond = 200 ");
	memset(text + at, 'a', long_enough);
	(void)sprintf(text + at + long_enough, "z\nwebsocket = off\n");
	l = conf_must_load(text);
	sc = conf_scope_of(
	    l.tree, conf_section(l.tree, CONF_SITE, SPAN_LIT("s")));
	got = conf_text(&sc, KEY_SCOPE_RESPOND);
	ck_assert_uint_eq(got.len, 4 + long_enough + 1);
	ck_assert_int_eq(got.p[got.len - 1], 'z');
	ck_assert(!conf_bool(&sc, KEY_SCOPE_WEBSOCKET));
	loaded_free(&l);
	free(text);
}
END_TEST

START_TEST(a_line_beyond_the_bound_is_refused)
{
	char *text = malloc(CONF_LINE_MAX + 64);
	char *said;
	size_t at;

	ck_assert_ptr_nonnull(text);
	at = (size_t)sprintf(text, SITE "[log access]\npath = /x\n");
	memset(text + at, 'a', CONF_LINE_MAX);
	(void)sprintf(text + at + CONF_LINE_MAX, "\nbuffer = 1\n");
	said = conf_refusal(text, strlen(text), CONF_PART);
	ck_assert_str_eq(said,
	    "5:1: the line is longer than 65534 bytes\n"
	    "6:10: buffer = 1: a size needs a unit, for example 1k (1 what? "
	    "write 1k)\n");
	free(said);
	free(text);
}
END_TEST

/* Section names of inih are 49 bytes. */
START_TEST(long_section_names_do_not_meet)
{
#define FIFTY "n1234567890123456789012345678901234567890123456789"
	struct loaded l = conf_must_load("[upstream " FIFTY "a]\nserver = a:1\n"
					 "[upstream " FIFTY "b]\nserver = b:1\n"
					 "[site s]\nupstream = " FIFTY "b\n");
	const struct conf_section *a =
	    conf_section(l.tree, CONF_UPSTREAM, SPAN_LIT(FIFTY "a"));
	const struct conf_section *b =
	    conf_section(l.tree, CONF_UPSTREAM, SPAN_LIT(FIFTY "b"));

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(a->first[KEY_UPSTREAM_SERVER]->next);
	ck_assert_span(b->first[KEY_UPSTREAM_SERVER]->text, "b:1");
	loaded_free(&l);
#undef FIFTY
}
END_TEST

/* A header without its bracket still delivers its keys to the one above. */
START_TEST(a_missing_bracket_is_refused)
{
	static const struct refusal rows[] = {
	    {SITE "[upstream app\nserver = a:1\n",
		"3:14: ']' is missing at the end of the section header\n"},
	    /* and the keys are looked at all the same */
	    {SITE "[upstream app\nserver = a:1\nbalence = x\n",
		"3:14: ']' is missing at the end of the section header\n"
		"5:1: unknown key 'balence' in [upstream app]; did you mean "
		"'balance'?\n"},
	    {SITE "[\n",
		"3:1: the section has no type\n"
		"3:2: ']' is missing at the end of the section header\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

/* " ;" begins a comment for inih. */
START_TEST(semicolons_and_hashes_are_text)
{
	struct loaded l =
	    conf_must_load("; a comment = x\n# [another\n"
			   "[site s]\nrespond = 200 a ; b # c; d\t;e\n"
			   "[route s ~ ^/[;#]+$]\nrespond = 200 \"q\" \n");
	struct conf_scope sc = conf_scope_of(
	    l.tree, conf_section(l.tree, CONF_SITE, SPAN_LIT("s")));

	ck_assert_span(
	    conf_text(&sc, KEY_SCOPE_RESPOND), "200 a ; b # c; d\t;e");
	ck_assert_span(conf_first(l.tree, CONF_ROUTE)->path, "~ ^/[;#]+$");
	sc = conf_scope_of(l.tree, conf_first(l.tree, CONF_ROUTE));
	ck_assert_span(conf_text(&sc, KEY_SCOPE_RESPOND), "200 \"q\"");
	loaded_free(&l);
}
END_TEST

START_TEST(one_section_in_two_blocks_is_refused)
{
	static const struct refusal rows[] = {
	    {SITE "[upstream a]\nserver = a:1\n[log x]\npath = /x\n"
		  "[upstream a]\nserver = b:1\n",
		"7:1: [upstream a] stands twice, first in line 3; `extend = "
		"on` in one of them lets it add to the other\n"},
	    {SITE "[global]\nworkers = 2\n[global]\ndaemon = on\n",
		"5:1: [global] stands twice, first in line 3\n"},
	    {"[global]\n[global]\n",
		"2:1: [global] stands twice, first in line 1\n"},
	    {SITE SITE, "3:1: [site s] stands twice, first in line 1\n"},
	    {SITE "[route s /a]\n[route s =/a]\n[route s  /a]\n",
		"5:1: [route s /a] stands twice, first in line 3\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(an_empty_section_is_seen)
{
	struct loaded l = conf_must_load(
	    "[defaults]\nrespond = 200 x\n[site a]\n[route a /x]\n");

	ck_assert_ptr_nonnull(conf_section(l.tree, CONF_SITE, SPAN_LIT("a")));
	ck_assert_uint_eq(conf_first(l.tree, CONF_SITE)->n_lines, 0);
	ck_assert_ptr_nonnull(conf_first(l.tree, CONF_ROUTE));
	loaded_free(&l);
}
END_TEST

/* For inih an indented line repeats the key above. */
START_TEST(an_indented_line_is_refused)
{
	static const char what[] = "an indented line: each line begins in "
				   "column 1, there are no continuation lines";
	static const char *const lines[] = {
	    " b:1", "\tserver = b:1", "  [log x]", " # comment", "\t;"};

	for (size_t i = 0; i < NELEMS(lines); i++) {
		char text[200];
		char expected[200];
		char *said;

		(void)sprintf(
		    text, SITE "[upstream a]\nserver = a:1\n%s\n", lines[i]);
		(void)sprintf(expected, "5:1: %s\n", what);
		said = conf_refusal(text, strlen(text), CONF_PART);
		ck_assert_str_eq(said, expected);
		free(said);
	}
}
END_TEST

START_TEST(blank_lines_and_line_ends_do_not_matter)
{
	struct loaded l = conf_must_load("\xef\xbb\xbf\r\n \t \r\n[site s]\r\n"
					 "respond\t=\t200 x  \r\n\r\n\t\n"
					 "websocket=off");
	struct conf_scope sc =
	    conf_scope_of(l.tree, conf_first(l.tree, CONF_SITE));

	ck_assert_uint_eq(conf_first(l.tree, CONF_SITE)->at.line, 3);
	ck_assert_uint_eq(conf_first(l.tree, CONF_SITE)->at.col, 1);
	ck_assert_span(conf_text(&sc, KEY_SCOPE_RESPOND), "200 x");
	ck_assert(!conf_bool(&sc, KEY_SCOPE_WEBSOCKET));
	loaded_free(&l);
}
END_TEST

START_TEST(a_colon_is_no_equals_sign)
{
	static const struct refusal rows[] = {
	    {SITE "websocket: off\n",
		"3:10: '=' stands between key and value, not ':'\n"},
	    {SITE "websocket : a = b\n",
		"3:11: '=' stands between key and value, not ':'\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(bytes_that_no_text_holds_are_refused)
{
	static const struct {
		const char *line;
		size_t len;
		const char *said;
	} rows[] = {
	    {"a\0b", 3, "3:2: a NUL byte\n"},
	    {"# \0", 3, "3:3: a NUL byte\n"},
	    {"a = \x01", 5, "3:5: a control character\n"},
	    {"a = \x7f", 5, "3:5: a control character\n"},
	    {"a = b\rc", 7, "3:6: a control character\n"},
	    {"a = \xff", 5, "3:5: not UTF-8\n"},
	    {"a = \xc0\xaf", 6, "3:5: not UTF-8\n"},
	    {"a = \xc3", 5, "3:5: not UTF-8\n"},
	    {"a = \xe0\x80\x80", 7, "3:5: not UTF-8\n"},
	    {"a = \xed\xa0\x80", 7, "3:5: not UTF-8\n"},
	    {"a = \xf4\x90\x80\x80", 8, "3:5: not UTF-8\n"},
	    {"a = \xf0\x8f\x80\x80", 8, "3:5: not UTF-8\n"},
	    {"a = \xe2\x82", 6, "3:5: not UTF-8\n"},
	    {"a = \xe2\x82z", 7, "3:5: not UTF-8\n"},
	    {"; \xef\xbb\xbf \xfe", 7, "3:7: not UTF-8\n"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char text[100];
		size_t at = (size_t)sprintf(text, SITE);
		char *said;

		memcpy(text + at, rows[i].line, rows[i].len);
		said = conf_refusal(text, at + rows[i].len, CONF_PART);
		ck_assert_str_eq(said, rows[i].said);
		free(said);
	}
}
END_TEST

START_TEST(text_in_many_scripts_is_kept)
{
	struct loaded l = conf_must_load(
	    "[site s]\nrespond = 200 \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\n");
	struct conf_scope sc =
	    conf_scope_of(l.tree, conf_first(l.tree, CONF_SITE));

	ck_assert_span(conf_text(&sc, KEY_SCOPE_RESPOND),
	    "200 \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	loaded_free(&l);
}
END_TEST

/* Whatever is cut off, nothing is read behind it. */
START_TEST(a_text_cut_at_every_byte_is_read_within_its_length)
{
	static const char text[] =
	    "\xef\xbb\xbf[global]\nworkers = auto\n[listen a]\n"
	    "address = :80 [::1]:81 unix:/x\ntrusted_proxies = 10.0.0.0/8\n"
	    "[site s]\nhosts = \"a.b\" *.c\nupstream = ${X:-a}\n"
	    "[route s ~ ^/\xc3\xa4]\nredirect = 301 http://{host}/\n"
	    "[upstream a]\nserver = h:1 weight=2 backup\nretry = none\n";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len > 0 ? len : 1);
		struct diag *d = diag_new();
		struct conf_tree *t;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, text, len);
		t = conf_load_text("t", span_of(copy, len), d);
		free(copy);
		ck_assert((t == NULL) == (diag_count(d, DIAG_ERROR) > 0));
		conf_free(t);
		free(diag_render(d));
		diag_free(d);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_long_value_is_kept_whole,
	    a_line_beyond_the_bound_is_refused,
	    long_section_names_do_not_meet,
	    a_missing_bracket_is_refused,
	    semicolons_and_hashes_are_text,
	    one_section_in_two_blocks_is_refused,
	    an_empty_section_is_seen,
	    an_indented_line_is_refused,
	    blank_lines_and_line_ends_do_not_matter,
	    a_colon_is_no_equals_sign,
	    bytes_that_no_text_holds_are_refused,
	    text_in_many_scripts_is_kept,
	    a_text_cut_at_every_byte_is_read_within_its_length,
	};

	return unit_run("conf_traps", tests, NELEMS(tests));
}
