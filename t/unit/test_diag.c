/* Collected problems: order, bounds, how they look, how they travel. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/diag.h"
#include "t/unit/unit.h"

static struct diag *d;
static uint16_t file;

static void
set_up(void)
{
	d = diag_new();
	file = diag_file(
	    d, "a.ini", SPAN_LIT("one\ntwo\twords\r\n\x01three\n\nlast"));
}

static void
tear_down(void)
{
	diag_free(d);
}

static struct place
at(uint32_t line, uint16_t col, uint16_t len)
{
	return (struct place){file, col, len, line};
}

static void
check_said(const char *want)
{
	char *said = diag_render(d);

	ck_assert_str_eq(said, want);
	free(said);
}

START_TEST(nothing_wrong_says_nothing)
{
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 0);
	check_said("");
	diag_free(NULL);
}
END_TEST

START_TEST(a_secret_is_not_shown)
{
	diag_hide(d, at(2, 5, 5));
	diag_hide(d, at(5, 2, 90));
	diag_error(d, at(2, 5, 5), "is short");
	diag_error(d, at(5, 1, 1), "is last");
	check_said("a.ini:2:5: error: is short\n"
		   "    2 | two\t*****\n"
		   "      |    \t^~~~~\n"
		   "a.ini:5:1: error: is last\n"
		   "    5 | l***\n"
		   "      | ^\n");
}
END_TEST

START_TEST(problems_stand_in_the_order_of_the_file)
{
	diag_error(d, at(5, 1, 4), "fourth");
	diag_warning(d, at(2, 5, 5), "third");
	diag_error(d, at(2, 1, 0), "second");
	diag_error(d, ((struct place){0}), "first");
	check_said("error: first\n"
		   "a.ini:2:1: error: second\n"
		   "    2 | two\twords\n"
		   "      | ^\n"
		   "a.ini:2:5: warning: third\n"
		   "    2 | two\twords\n"
		   "      |    \t^~~~~\n"
		   "a.ini:5:1: error: fourth\n"
		   "    5 | last\n"
		   "      | ^~~~\n");
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 3);
	ck_assert_uint_eq(diag_count(d, DIAG_WARNING), 1);
}
END_TEST

START_TEST(places_of_one_column_keep_the_order_of_arrival)
{
	diag_error(d, at(1, 1, 0), "b");
	diag_error(d, at(1, 1, 0), "a");
	check_said("a.ini:1:1: error: b\n    1 | one\n      | ^\n"
		   "a.ini:1:1: error: a\n    1 | one\n      | ^\n");
}
END_TEST

START_TEST(control_bytes_do_not_reach_the_terminal)
{
	diag_error(d, at(3, 2, 5), "x");
	check_said("a.ini:3:2: error: x\n    3 | ?three\n      |  ^~~~~\n");
}
END_TEST

START_TEST(what_steers_a_terminal_is_not_shown)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
	    {"a\tb\x7f\xff", "a\tb??"},
	    {"\xc2\x9b"
	     "31m",
		"?31m"},
	    {"a\xe2\x80\xae"
	     "b",
		"a?b"},
	    {"\xe2\x80\xa8\xe2\x81\xa9", "??"},
	    {"\xc2\xa0\xe2\x80\xaf", "\xc2\xa0\xe2\x80\xaf"},
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		ck_assert_ptr_nonnull(out);
		text_print(span_str(cases[i].text), out);
		ck_assert_int_eq(fclose(out), 0);
		ck_assert_str_eq(text, cases[i].shown);
		free(text);
	}
}
END_TEST

START_TEST(places_that_are_not_there_show_no_line)
{
	diag_error(d, at(99, 1, 1), "x");
	diag_error(d, ((struct place){7, 1, 1, 1}), "y");
	diag_error(d, at(1, 0, 1), "z");
	diag_error(d, at(1, 60000, 5), "far");
	check_said("a.ini:1:0: error: z\na.ini:1:60000: error: far\n"
		   "a.ini:99:1: error: x\n:1:1: error: y\n");
}
END_TEST

START_TEST(a_long_line_is_shown_up_to_a_bound)
{
	char line[1000];
	char *said;
	uint16_t other;

	memset(line, 'x', sizeof(line));
	other = diag_file(d, "b.ini", span_of(line, sizeof(line)));
	diag_error(d, ((struct place){other, 190, 900, 1}), "long");
	said = diag_render(d);
	ck_assert_uint_lt(strlen(said), 2 * 220 + 40);
	free(said);
}
END_TEST

START_TEST(the_same_problem_is_told_once)
{
	for (int i = 0; i < 3; i++)
		diag_error(d, at(1, 1, 1), "again");
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 1);
	diag_error(d, at(1, 2, 1), "again");
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 2);
}
END_TEST

START_TEST(what_is_over_the_bound_is_counted)
{
	char *said;

	for (int i = 0; i < DIAG_MAX + 7; i++)
		diag_error(d, at(1, 1, 0), "problem %d", i);
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), DIAG_MAX + 7);
	said = diag_render(d);
	ck_assert_ptr_nonnull(strstr(said, "problem 199\n"));
	ck_assert_ptr_null(strstr(said, "problem 200\n"));
	ck_assert_ptr_nonnull(strstr(said, "(7 more are not shown)\n"));
	free(said);
	diag_forget(d);
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 0);
	check_said("");
}
END_TEST

START_TEST(a_place_can_be_named)
{
	char out[16];

	diag_where(d, at(12, 1, 1), out, sizeof(out));
	ck_assert_str_eq(out, "a.ini:12");
	diag_where(d, at(12, 1, 1), out, 4);
	ck_assert_str_eq(out, "a.i");
	diag_where(d, (struct place){0}, out, sizeof(out));
	ck_assert_str_eq(out, "-");
	ck_assert_str_eq(diag_file_path(d, file), "a.ini");
	ck_assert_str_eq(diag_file_path(d, 77), "");
}
END_TEST

START_TEST(problems_travel_to_another_process)
{
	struct diag *other = diag_new();
	char *here, *there, *wire;
	size_t len;

	(void)diag_file(
	    other, "a.ini", SPAN_LIT("one\ntwo\twords\r\n\x01three\n\nlast"));
	diag_error(d, at(2, 5, 5), "two\nlines");
	diag_warning(d, at(1, 1, 0), "%s", "");
	diag_error(d, ((struct place){0}), "no place");
	wire = diag_serialize(d, &len);
	ck_assert(diag_merge(other, wire, len));
	ck_assert(diag_merge(other, wire, len));
	here = diag_render(d);
	there = diag_render(other);
	/* a line end would end the entry */
	*strchr(strstr(here, "two\nlines"), '\n') = ' ';
	ck_assert_str_eq(here, there);
	free(here);
	free(there);
	free(wire);
	diag_free(other);
}
END_TEST

START_TEST(files_that_one_process_knows_alone_travel_too)
{
	struct diag *other = diag_new();
	struct place there = {.line = 7, .col = 2, .len = 1};
	char *said, *wire;
	size_t len;

	(void)diag_file(other, "a.ini", SPAN_LIT("one\ntwo\n"));
	(void)diag_file(other, "b.ini", SPAN_LIT("x\n"));
	diag_error(d, at(1, 1, 1), "in the first");
	there.file = diag_file(d, "unnamed", SPAN_LIT("a\n"));
	there.file = diag_file(d, "list.txt", SPAN_LIT("b\n"));
	diag_error(d, there, "in a list");
	wire = diag_serialize(d, &len);
	ck_assert_ptr_null(strstr(wire, "unnamed"));
	ck_assert(diag_merge(other, wire, len));
	said = diag_render(other);
	ck_assert_ptr_nonnull(strstr(said, "a.ini:1:1: error: in the first"));
	ck_assert_ptr_nonnull(strstr(said, "list.txt:7:2: error: in a list"));
	free(said);
	free(wire);
	diag_free(other);
}
END_TEST

START_TEST(garbage_from_another_process_is_refused)
{
	static const char *const rows[] = {"x", "2 0 1 1 1 x\n",
	    "0 65536 1 1 1 x\n", "0 0 1 65536 1 x\n", "0 0 4294967296 1 1 x\n",
	    "0 0 1 1\n", "0 0 1 1 1\n", "-1 0 1 1 1 x\n", "0  0 1 1 1 x\n",
	    "\n", "+", "+\n", "+1\n", "+65536 x\n", "+x y\n"};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(
		    !diag_merge(d, rows[i], strlen(rows[i])), "%s", rows[i]);
	ck_assert(diag_merge(d, "", 0));
	/* cut at each byte: nothing is read behind it */
	for (size_t len = 0; len < 13; len++) {
		char *copy = malloc(len + 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, "0 0 1 1 1 xy\n", len);
		copy = realloc(copy, len > 0 ? len : 1);
		(void)diag_merge(d, copy, len);
		free(copy);
	}
}
END_TEST

START_TEST(a_likely_slip_is_guessed)
{
	static const char *const words[] = {
	    "balance", "backup", "server", "serve", "x"};
	static const struct {
		const char *word;
		const char *meant;
	} rows[] = {
	    {"balence", "balance"},
	    {"blaance", "balance"},
	    {"BALANCE", "balance"},
	    {"bal", NULL},
	    {"servers", "server"},
	    {"sevre", "serve"},
	    {"zzzzz", NULL},
	    {"y", NULL},
	    {"", NULL},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "a",
		NULL},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *got =
		    diag_suggest(span_str(rows[i].word), words, NELEMS(words));

		ck_assert_pstr_eq(got, rows[i].meant);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    nothing_wrong_says_nothing,
	    a_secret_is_not_shown,
	    problems_stand_in_the_order_of_the_file,
	    places_of_one_column_keep_the_order_of_arrival,
	    control_bytes_do_not_reach_the_terminal,
	    what_steers_a_terminal_is_not_shown,
	    places_that_are_not_there_show_no_line,
	    a_long_line_is_shown_up_to_a_bound,
	    the_same_problem_is_told_once,
	    what_is_over_the_bound_is_counted,
	    a_place_can_be_named,
	    problems_travel_to_another_process,
	    files_that_one_process_knows_alone_travel_too,
	    garbage_from_another_process_is_refused,
	    a_likely_slip_is_guessed,
	};

	return unit_run_in("diag", tests, NELEMS(tests), set_up, tear_down);
}
