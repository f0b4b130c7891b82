/* Lines of helpers: a question is one line of two words whatever is asked, an
 * answer is one of three words. */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/auth/helper_line.h"

START_TEST(questions_are_escaped)
{
	char room[HELPER_ASK_MAX];
	struct text t;

	text_init(&t, room, sizeof(room));
	helper_write(&t, SPAN_LIT("a n%"), SPAN_LIT("p:\n\xc3\xa4-._9"));
	ck_assert(
	    span_eq(text_span(&t), SPAN_LIT("a%20n%25 p%3A%0A%C3%A4-._9\n")));
}
END_TEST

START_TEST(the_longest_question_has_room)
{
	char all[AUTH_NAME_MAX + PASSWD_MAX];
	char room[HELPER_ASK_MAX];
	struct text t;

	memset(all, 0xff, sizeof(all));
	text_init(&t, room, sizeof(room) - HELPER_NUMBER_MAX - 1);
	helper_write(&t, span_of(all, AUTH_NAME_MAX), span_of(all, PASSWD_MAX));
	ck_assert(!t.is_cut);
	ck_assert_uint_eq(t.len, 3 * sizeof(all) + 2);
}
END_TEST

static bool
answers(const char *line, bool has_number, enum helper_word word, unsigned n)
{
	struct helper_answer a;

	return helper_read(span_str(line), has_number, &a) && a.word == word &&
	       a.number == n;
}

START_TEST(three_words_are_answers)
{
	ck_assert(answers("OK", false, HELPER_OK, 0));
	ck_assert(answers("OK\r", false, HELPER_OK, 0));
	ck_assert(answers("ERR message=\"no\"", false, HELPER_ERR, 0));
	ck_assert(answers("BH x", false, HELPER_BH, 0));
	ck_assert(answers("7 OK", true, HELPER_OK, 7));
	ck_assert(answers("4294967295 ERR", true, HELPER_ERR, UINT32_MAX));
}
END_TEST

START_TEST(nothing_else_is_one)
{
	static const char *const bad[] = {
	    "", " ", "\r", "ok", "OKAY", "O", "ERROR", "7 OK", "=OK"};
	static const char *const unnumbered[] = {
	    "OK", "7", "7 ", "x OK", "-7 OK", "4294967296 OK", "7 7 OK"};
	struct helper_answer a;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert(!helper_read(span_str(bad[i]), false, &a));
	for (size_t i = 0; i < NELEMS(unnumbered); i++)
		ck_assert(!helper_read(span_str(unnumbered[i]), true, &a));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {questions_are_escaped,
	    the_longest_question_has_room, three_words_are_answers,
	    nothing_else_is_one};

	return unit_run("auth_helper", tests, NELEMS(tests));
}
