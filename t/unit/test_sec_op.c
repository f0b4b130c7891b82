/* sec_op: each operator answers as ModSecurity 2.9 does (its reference manual),
 * captures what it captures, and refuses at load what is no argument. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_op.h"

static struct diag *d;
static char folder[64];
static struct sec_test_env env;

static struct sec_test *
make(enum sec_op op, const char *argument)
{
	struct place at = {.line = 7, .col = 5};

	return sec_test_new(op, span_str(argument), &env, at, d);
}

static enum sec_rc
ask(enum sec_op op, const char *argument, span text, struct sec_hits *hits)
{
	struct sec_test *t = make(op, argument);
	enum sec_rc rc;

	ck_assert_ptr_nonnull(t);
	rc = sec_test_run(t, span_str(argument), text, hits);
	sec_test_free(t);
	return rc;
}

#define Q(op, argument, text, rc) \
	{ \
		SEC_OP_##op, argument, {text, sizeof(text) - 1}, SEC_##rc \
	}

static const struct {
	enum sec_op op;
	const char *argument;
	span text;
	enum sec_rc rc;
} questions[] = {
    Q(BEGINS_WITH, "GET", "GET /", YES),
    Q(BEGINS_WITH, "GET", "get /", NO),
    Q(BEGINS_WITH, "", "x", YES),
    Q(BEGINS_WITH, "GET", "GE", NO),
    Q(CONTAINS, "ab", "xxab", YES),
    Q(CONTAINS, "ab", "xxaB", NO),
    Q(CONTAINS, "", "", YES),
    Q(CONTAINS_WORD, "cat", "a cat.", YES),
    Q(CONTAINS_WORD, "cat", "concat", NO),
    Q(CONTAINS_WORD, "cat", "cat_x cat1 concat cat", YES),
    Q(CONTAINS_WORD, "cat", "cat_x cat1 concat", NO),
    Q(CONTAINS_WORD, "", "x", YES),
    Q(ENDS_WITH, ".php", "/a.php", YES),
    Q(ENDS_WITH, ".php", ".phpx", NO),
    Q(EQ, "5", "5", YES),
    Q(EQ, "5", " +5abc", YES),
    Q(EQ, "0", "abc", YES),
    Q(EQ, "0", "", YES),
    Q(EQ, "-1", "99999999999999999999", YES),
    Q(EQ, "0", "-99999999999999999999", YES),
    Q(EQ, "0", "4294967296", YES),
    Q(EQ, "5", "-5", NO),
    Q(GE, "5", "5", YES),
    Q(GE, "5", "4", NO),
    Q(GT, "5", "6", YES),
    Q(GT, "5", "5", NO),
    Q(LE, "-3", "-4", YES),
    Q(LE, "5", "6", NO),
    Q(LT, "5", "4", YES),
    Q(LT, "5", "5", NO),
    Q(IP_MATCH, "10.0.0.0/8, ::1,192.168.1.7/24", "10.1.2.3", YES),
    Q(IP_MATCH, "10.0.0.0/8, ::1,192.168.1.7/24", "192.168.1.200", YES),
    Q(IP_MATCH, "10.0.0.0/8, ::1,192.168.1.7/24", "::1", YES),
    Q(IP_MATCH, "10.0.0.0/8,::1", "11.0.0.1", NO),
    Q(IP_MATCH, "0.0.0.0/0", "::1", NO),
    Q(IP_MATCH, "2001:db8::1/32", "2001:db8:9::", YES),
    Q(IP_MATCH, "10.0.0.0/8", "10.1.2", NO),
    Q(NO_MATCH, "", "x", NO),
    Q(UNCONDITIONAL_MATCH, "", "", YES),
    Q(PM, "attack evil", "an EVIL thing", YES),
    Q(PM, "attack evil", "an atta ckevi l", NO),
    Q(PM, "|41 42|c x:|7c|", "zabCz", YES),
    Q(PM, "|41 42|c x:|7c|", "X:|", YES),
    Q(PM, "\"quoted words\"", "these words", YES),
    Q(PM, "a\\;b", "xA;By", YES),
    Q(PM, "back\\slash", "back\\SLASH", YES),
    Q(PM, "x", "aXa", YES),
    Q(PM, "evil", "", NO),
    Q(RX, "^a.c$", "a\nc", YES),
    Q(RX, "^abc$", "abc\n", NO),
    Q(RX, "^b", "a\nb", NO),
    Q(RX, "", "", YES),
    Q(RX, "\\x00", "a\0b", YES),
    Q(STREQ, "abc", "abc", YES),
    Q(STREQ, "abc", "abC", NO),
    Q(STREQ, "abc", "abcd", NO),
    Q(STREQ, "", "", YES),
    Q(STR_MATCH, "a|20|b", "xa by", YES),
    Q(STR_MATCH, "WebZIP", "webzip", NO),
    Q(VALIDATE_BYTE_RANGE, "10,13,32-126", "plain text of a line\n", NO),
    Q(VALIDATE_BYTE_RANGE, "10, 13, 32 - 126", "plain text\xc3 of a line", YES),
    Q(VALIDATE_BYTE_RANGE, "1-255", "no NUL in it at all, none", NO),
    Q(VALIDATE_BYTE_RANGE, "1-255", "no NUL in it at all\0", YES),
    Q(VALIDATE_BYTE_RANGE, "0-255", "\0\xff", NO),
    Q(VALIDATE_BYTE_RANGE, "1-255", "", NO),
    Q(VALIDATE_URL_ENCODING, "", "a%20b", NO),
    Q(VALIDATE_URL_ENCODING, "", "a%2", YES),
    Q(VALIDATE_URL_ENCODING, "", "a%2g", YES),
    Q(VALIDATE_URL_ENCODING, "", "100%", YES),
    Q(VALIDATE_UTF8_ENCODING, "", "a\xc3\xa9\xe4\xb8\x80\xf0\x9f\x98\x80", NO),
    Q(VALIDATE_UTF8_ENCODING, "", "a\xc3", YES),
    Q(VALIDATE_UTF8_ENCODING, "", "\xc0\x80", YES),
    Q(VALIDATE_UTF8_ENCODING, "", "\xed\xa0\x80", YES),
    Q(VALIDATE_UTF8_ENCODING, "", "\xf5\x80\x80\x80", YES),
    Q(VERIFY_CC, "\\d{13,16}", "card 4012888888881881.", YES),
    Q(VERIFY_CC, "\\d{13,16}", "card 4012888888881882.", NO),
    Q(VERIFY_CC, "(?:\\d[ -]?){16}", "4012 8888-8888 1881", YES),
    Q(VERIFY_CC, "\\d*", "none", NO),
    Q(WITHIN, "GET POST", "POST", YES),
    Q(WITHIN, "GET POST", "PUT", NO),
    Q(WITHIN, "GET POST", "", YES),
    Q(WITHIN, "GET", "GET POST", NO),
};

START_TEST(each_answers_as_the_reference_does)
{
	for (size_t i = 0; i < NELEMS(questions); i++) {
		enum sec_rc rc = ask(questions[i].op, questions[i].argument,
		    questions[i].text, NULL);

		ck_assert_msg(rc == questions[i].rc,
		    "question %zu (\"%s\" of \"%s\"): %d", i,
		    questions[i].argument, questions[i].text.p, (int)rc);
	}
}
END_TEST

/* Beginnings of each text, in memory of exactly their size. */
START_TEST(no_text_is_read_past_its_end)
{
	for (size_t i = 0; i < NELEMS(questions); i++) {
		struct sec_test *t =
		    make(questions[i].op, questions[i].argument);
		span argument = span_str(questions[i].argument);

		for (size_t n = 0; n <= questions[i].text.len; n++) {
			char *copy = malloc(n + (n == 0));

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, questions[i].text.p, n);
			(void)sec_test_run(t, argument, span_of(copy, n), NULL);
			free(copy);
		}
		sec_test_free(t);
	}
}
END_TEST

/* --- captures ------------------------------------------------------------- */

START_TEST(rx_captures_its_groups)
{
	span text = SPAN_LIT("key=value;");
	struct sec_hits hits;

	ck_assert_int_eq(
	    ask(SEC_OP_RX, "(\\w+)=(x)?(\\w+)(y)?", text, &hits), SEC_YES);
	ck_assert_uint_eq(hits.n, 4);
	ck_assert_span_eq(hits.at[0], "key=value");
	ck_assert_span_eq(hits.at[1], "key");
	ck_assert_span_eq(hits.at[2], "");
	ck_assert_span_eq(hits.at[3], "value");
	ck_assert_ptr_eq(hits.at[1].p, text.p);
}
END_TEST

START_TEST(rx_captures_ten_at_most_and_none_of_sixteen)
{
	struct sec_hits hits;
	span text = SPAN_LIT("abcdefghijklmnop");

	ck_assert_int_eq(
	    ask(SEC_OP_RX, "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", text, &hits),
	    SEC_YES);
	ck_assert_uint_eq(hits.n, SEC_HITS_MAX);
	ck_assert_span_eq(hits.at[9], "i");
	ck_assert_int_eq(
	    ask(SEC_OP_RX, "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)",
		text, &hits),
	    SEC_YES);
	ck_assert_uint_eq(hits.n, 0);
}
END_TEST

START_TEST(a_begin_behind_the_end_is_empty)
{
	struct sec_hits hits;

	ck_assert_int_eq(
	    ask(SEC_OP_RX, "a\\Kb", SPAN_LIT("ab"), &hits), SEC_YES);
	ck_assert_span_eq(hits.at[0], "b");
}
END_TEST

START_TEST(verify_cc_captures_the_number_in_each_group)
{
	struct sec_hits hits;

	ck_assert_int_eq(
	    ask(SEC_OP_VERIFY_CC, "(\\d{4})(\\d{12})",
		SPAN_LIT("1234567890123456 4012888888881881"), &hits),
	    SEC_YES);
	ck_assert_uint_eq(hits.n, 3);
	ck_assert_span_eq(hits.at[0], "4012888888881881");
	ck_assert_span_eq(hits.at[2], "4012888888881881");
}
END_TEST

START_TEST(others_capture_nothing)
{
	struct sec_hits hits = {.n = 3};

	ck_assert_int_eq(ask(SEC_OP_STREQ, "a", SPAN_LIT("a"), &hits), SEC_YES);
	ck_assert_uint_eq(hits.n, 0);
}
END_TEST

/* --- rx ------------------------------------------------------------------- */

START_TEST(a_match_that_takes_too_long_is_no_answer)
{
	static char text[4096];
	struct sec_test *t;

	memset(text, 'a', sizeof(text));
	env.match_limit = 1000;
	t = make(SEC_OP_RX, "(?:a+)+b|(a|aa)+$c");
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(
	    sec_test_run(t, SPAN_LIT(""), span_of(text, sizeof(text)), NULL),
	    SEC_LIMIT);
	sec_test_free(t);
}
END_TEST

/* One that nests as deep as the text is long. */
/* A long text is tried from some places at a time: the answer and the captures
 * are those of one try, wherever the match stands. */
START_TEST(a_long_text_is_no_other_one)
{
	enum { LEN = 20000 };
	static char room[LEN];
	static const struct {
		const char *pattern;
		enum sec_rc rc;
	} asks[] = {{"n(e+)dle", SEC_YES}, {"(?<=x)n(ee)", SEC_YES},
	    {"\\bn(ee)", SEC_NO}, {"^x*n(ee)", SEC_YES}, {"^n(ee)", SEC_NO},
	    {"n(ee)dle\\z", SEC_NO}, {"n(ee)dl(?=ex*$)", SEC_YES},
	    {".*n(ee)", SEC_YES}, {"(?<!x)n(ee)", SEC_NO},
	    {"q|n(ee)|z", SEC_YES}, {"(*LF)n(ee)", SEC_YES}};

	for (size_t at = 1; at < LEN - 8; at += 97)
		for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
			struct sec_hits hits = {.n = 0};

			memset(room, 'x', sizeof(room));
			memcpy(room + at, "needle", 6);
			ck_assert_int_eq(ask(SEC_OP_RX, asks[i].pattern,
					     span_of(room, LEN), &hits),
			    asks[i].rc);
			if (asks[i].rc == SEC_YES)
				ck_assert_ptr_eq(hits.at[1].p, room + at + 1);
		}
}
END_TEST

/* Its time grows by the square, and no match is counted against a limit. */
START_TEST(a_pattern_that_reads_to_the_end_from_each_byte_is_stopped)
{
	size_t len = (size_t)2 << 20;
	char *text = malloc(len);

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', len);
	ck_assert_int_eq(
	    ask(SEC_OP_RX, "a*[bc]d", span_of(text, len), NULL), SEC_LIMIT);
	ck_assert_int_eq(
	    ask(SEC_OP_RX, "^a*[bc]d", span_of(text, len), NULL), SEC_NO);
	free(text);
}
END_TEST

/* From each byte its time grows by the square, in steps that each read far. */
START_TEST(a_pattern_that_takes_long_from_one_byte_is_stopped)
{
	static const size_t lengths[] = {4000, 32000, 1000000};
	struct timespec t0, t1;

	for (size_t i = 0; i < NELEMS(lengths); i++) {
		char *text = malloc(lengths[i]);

		ck_assert_ptr_nonnull(text);
		memset(text, '<', lengths[i]);
		ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t0), 0);
		ck_assert_int_eq(ask(SEC_OP_RX,
				     "<[^a-z<>]*(?:[^\\s<>]*:)?[^a-z<>]*[^a-z]*"
				     "?(?:s|i?[^a-z]*?f)",
				     span_of(text, lengths[i]), NULL),
		    SEC_LIMIT);
		ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t1), 0);
		/* half a second, and as much again for the last step */
		ck_assert_int_lt(t1.tv_sec - t0.tv_sec, 3);
		free(text);
	}
}
END_TEST

START_TEST(a_deep_match_takes_the_stack_that_is_shared)
{
	size_t len = (size_t)64 << 10;
	char *text = malloc(len);
	struct sec_deep *deep = sec_deep_new();
	struct sec_test *t = make(SEC_OP_RX, "^(?:a|(b)|c)*$");

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', len);
	ck_assert_int_eq(
	    sec_test_run(t, SPAN_LIT(""), span_of(text, len), NULL), SEC_LIMIT);
	sec_test_free(t);
	env.deep = deep;
	env.match_limit = 10000000;
	t = make(SEC_OP_RX, "^(?:a|(b)|c)*$");
	ck_assert_int_eq(
	    sec_test_run(t, SPAN_LIT(""), span_of(text, len), NULL), SEC_YES);
	sec_test_free(t);
	sec_deep_free(deep);
	free(text);
}
END_TEST

START_TEST(a_pattern_with_macros_comes_with_the_question)
{
	struct sec_test *t = make(SEC_OP_RX, "^%{tx.x}$");
	struct sec_hits hits;

	ck_assert_ptr_nonnull(t);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    sec_test_run(t, SPAN_LIT("^(a)$"), SPAN_LIT("a"), &hits),
		    SEC_YES);
		ck_assert_span_eq(hits.at[1], "a");
		ck_assert_int_eq(
		    sec_test_run(t, SPAN_LIT("^b$"), SPAN_LIT("a"), NULL),
		    SEC_NO);
		ck_assert_int_eq(
		    sec_test_run(t, SPAN_LIT("^(a"), SPAN_LIT("a"), NULL),
		    SEC_NO);
	}
	sec_test_free(t);
}
END_TEST

/* --- pm ------------------------------------------------------------------- */

START_TEST(pm_tells_the_phrase_as_it_is_written)
{
	struct sec_hits hits;

	ck_assert_int_eq(
	    ask(SEC_OP_PM, "Evil evilest Ill", SPAN_LIT("so EVIL"), &hits),
	    SEC_YES);
	ck_assert_uint_eq(hits.n, 1);
	ck_assert_uint_eq(hits.at[0].len, 4);
	/* what is inside of a longer one that was begun ends it */
	ck_assert_int_eq(
	    ask(SEC_OP_PM, "abcd BC", SPAN_LIT("xABCx"), &hits), SEC_YES);
	ck_assert_uint_eq(hits.at[0].len, 3);
}
END_TEST

/* A text in which a phrase must be found by going back twice. */
START_TEST(pm_finds_phrases_that_others_overlap)
{
	ck_assert_int_eq(
	    ask(SEC_OP_PM, "abcd bq cx", SPAN_LIT("abcx"), NULL), SEC_YES);
	ck_assert_int_eq(
	    ask(SEC_OP_PM, "aaab", SPAN_LIT("aaaaaaab"), NULL), SEC_YES);
	ck_assert_int_eq(
	    ask(SEC_OP_PM, "ababc", SPAN_LIT("abababc"), NULL), SEC_YES);
	ck_assert_int_eq(
	    ask(SEC_OP_PM, "ababc", SPAN_LIT("abababd"), NULL), SEC_NO);
}
END_TEST

static void
put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

START_TEST(lists_are_files_beside_the_rules)
{
	char path[128];

	put_file("a.data", "# comment\n\n  two words \r\nx\nback\\slash\n");
	put_file("b.data", "hex|41|\n\"quoted\"\n|23|comment\n");
	ck_assert_int_eq(ask(SEC_OP_PM_FROM_FILE, "a.data b.data",
			     SPAN_LIT("TWO WORDS"), NULL),
	    SEC_YES);
	ck_assert_int_eq(
	    ask(SEC_OP_PM_FROM_FILE, "a.data b.data", SPAN_LIT("hexa"), NULL),
	    SEC_YES);
	ck_assert_int_eq(ask(SEC_OP_PM_FROM_FILE, "a.data b.data",
			     SPAN_LIT("say \"quoted\""), NULL),
	    SEC_YES);
	/* one byte is no phrase; comments are none; quotes are of the text */
	ck_assert_int_eq(ask(SEC_OP_PM_FROM_FILE, "a.data b.data",
			     SPAN_LIT("x #comment quoted two  words"), NULL),
	    SEC_NO);
	(void)snprintf(path, sizeof(path), "%s/a.data", folder);
	ck_assert_int_eq(
	    ask(SEC_OP_PM_FROM_FILE, path, SPAN_LIT("back\\slash"), NULL),
	    SEC_YES);
	put_file("a.data", "10.0.0.0/8 # ours\n2001:db8::/32\n");
	ck_assert_int_eq(ask(SEC_OP_IP_MATCH_FROM_FILE, "a.data",
			     SPAN_LIT("10.9.9.9"), NULL),
	    SEC_YES);
	ck_assert_int_eq(ask(SEC_OP_IP_MATCH_FROM_FILE, "a.data",
			     SPAN_LIT("12.9.9.9"), NULL),
	    SEC_NO);
}
END_TEST

/* --- load errors ---------------------------------------------------------- */

static const struct {
	enum sec_op op;
	const char *argument;
	const char *says;
} mistakes[] = {
    {SEC_OP_RX, "(a", "the pattern is malformed: missing closing"},
    {SEC_OP_VERIFY_CC, "[a", "the pattern is malformed"},
    {SEC_OP_IP_MATCH, "10.0.0.0/8,10.0.0.0/33", "\"10.0.0.0/33\" is no"},
    {SEC_OP_IP_MATCH, "example.com", "is no address or network"},
    {SEC_OP_VALIDATE_BYTE_RANGE, "1-256", "\"1-256\" is no byte"},
    {SEC_OP_VALIDATE_BYTE_RANGE, "9-3", "\"9-3\" is no byte"},
    {SEC_OP_VALIDATE_BYTE_RANGE, "", "\"\" is no byte"},
    {SEC_OP_STR_MATCH, "a\\b", "an escape that does not exist"},
    {SEC_OP_PM_FROM_FILE, "missing.data", "missing.data cannot be opened"},
    {SEC_OP_PM_FROM_FILE, "https://example.com/x", "lists are not fetched"},
    {SEC_OP_PM_FROM_FILE, " ", "the name of a file is missing"},
    {SEC_OP_IP_MATCH_FROM_FILE, "c.data", "\"10.0.0\" is no address"},
};

START_TEST(what_is_no_argument_is_told)
{
	put_file("c.data", "10.0.0.1\n10.0.0\n");
	for (size_t i = 0; i < NELEMS(mistakes); i++) {
		char *text;

		diag_forget(d);
		ck_assert_ptr_null(make(mistakes[i].op, mistakes[i].argument));
		text = diag_render(d);
		ck_assert_msg(strstr(text, mistakes[i].says) != NULL,
		    "mistake %zu: %s", i, text);
		free(text);
	}
}
END_TEST

static void
set_up(void)
{
	d = diag_new();
	(void)snprintf(folder, sizeof(folder), "/tmp/test_sec_op.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	env = (struct sec_test_env){.folder = folder};
}

static void
tear_down(void)
{
	static const char *const names[] = {"a.data", "b.data", "c.data"};
	char path[128];

	for (size_t i = 0; i < NELEMS(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
	diag_free(d);
}

int
main(void)
{
	const TTest *const tests[] = {
	    each_answers_as_the_reference_does,
	    no_text_is_read_past_its_end,
	    rx_captures_its_groups,
	    rx_captures_ten_at_most_and_none_of_sixteen,
	    a_begin_behind_the_end_is_empty,
	    verify_cc_captures_the_number_in_each_group,
	    others_capture_nothing,
	    a_match_that_takes_too_long_is_no_answer,
	    a_long_text_is_no_other_one,
	    a_pattern_that_reads_to_the_end_from_each_byte_is_stopped,
	    a_pattern_that_takes_long_from_one_byte_is_stopped,
	    a_deep_match_takes_the_stack_that_is_shared,
	    a_pattern_with_macros_comes_with_the_question,
	    pm_tells_the_phrase_as_it_is_written,
	    pm_finds_phrases_that_others_overlap,
	    lists_are_files_beside_the_rules,
	    what_is_no_argument_is_told,
	};

	return unit_run_in("sec_op", tests, NELEMS(tests), set_up, tear_down);
}
