/* The words of `eject`: what they mean, and what is said of those that mean
 * nothing. */
#include "common/base/check.h"
#include "common/conf/conf_health.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define HEAD "[site s]\nupstream = u\n[upstream u]\nserver = a:1\n"

static struct conf_eject
eject_of(const char *line)
{
	char text[256];
	struct conf_eject e;
	struct conf_scope s;
	struct loaded l;

	(void)snprintf(text, sizeof(text), HEAD "%s\n", line);
	l = conf_must_load(text);
	s = conf_scope_of(l.tree, conf_first(l.tree, CONF_UPSTREAM));
	conf_eject_read(&s, &e, NULL);
	loaded_free(&l);
	return e;
}

START_TEST(eject_is_read_with_its_defaults)
{
	struct conf_eject e = eject_of("");

	ck_assert(!e.is_on);
	ck_assert(!eject_of("eject = none").is_on);
	e = eject_of("eject = 5xx>=5");
	ck_assert(e.is_on);
	ck_assert_uint_eq(e.most[EJECT_5XX], 5);
	ck_assert_uint_eq(e.most[EJECT_RESET], 0);
	ck_assert_uint_eq(e.most[EJECT_SLOW], 0);
	ck_assert_uint_eq(e.window_ms, 10000);
	ck_assert_uint_eq(e.for_ms, 30000);
	ck_assert_uint_eq(e.max_tenths, 500);
	e = eject_of("eject = max=10% for=1m window=2s slow>=250ms reset>=3");
	ck_assert_uint_eq(e.most[EJECT_5XX], 0);
	ck_assert_uint_eq(e.most[EJECT_RESET], 3);
	ck_assert_uint_eq(e.most[EJECT_SLOW], 5);
	ck_assert_uint_eq(e.slow_ms, 250);
	ck_assert_uint_eq(e.window_ms, 2000);
	ck_assert_uint_eq(e.for_ms, 60000);
	ck_assert_uint_eq(e.max_tenths, 100);
}
END_TEST

START_TEST(eject_in_two_lines_is_one)
{
	struct conf_eject e = eject_of("eject = 5xx>=5\neject = for=1s");

	ck_assert_uint_eq(e.most[EJECT_5XX], 5);
	ck_assert_uint_eq(e.for_ms, 1000);
}
END_TEST

#define NAMES \
	"expected 5xx>=N, reset>=N, slow>=TIME, window=TIME, for=TIME or " \
	"max=SHARE\n"

START_TEST(each_wrong_word_of_eject_is_named_in_its_place)
{
	static const struct refusal rows[] = {
	    {HEAD "eject = 5xx>=5 resets>=3\n",
		"5:16: eject: unknown word 'resets>=3'; did you mean "
		"'reset'?\n"},
	    {HEAD "eject = xyzzy 5xx>=1\n",
		"5:9: eject: unknown word 'xyzzy'; " NAMES},
	    {HEAD "eject = 5xx>=1 \"\"\n",
		"5:16: eject = : an empty word\n"
		"5:16: eject: unknown word ''; " NAMES},
	    {HEAD "eject = 5xx=5\n", "5:9: eject: write 5xx>=VALUE\n"},
	    {HEAD "eject = 5xx>5\n", "5:9: eject: write 5xx>=VALUE\n"},
	    {HEAD "eject = 5xx>=\n", "5:9: eject: write 5xx>=VALUE\n"},
	    {HEAD "eject = 5xx\n", "5:9: eject: write 5xx>=VALUE\n"},
	    {HEAD "eject = 5xx>=1 for>=3s\n", "5:16: eject: write for=VALUE\n"},
	    {HEAD "eject = 5xx>=x\n",
		"5:9: eject: 5xx>=x: expected a whole number\n"},
	    {HEAD "eject = 5xx>=-1\n",
		"5:9: eject: 5xx>=-1: expected a whole number\n"},
	    {HEAD "eject = 5xx>=0\n", "5:9: eject: 5xx>=0: at least 1\n"},
	    {HEAD "eject = reset>=1001\n",
		"5:9: eject: reset>=1001: at most 1000\n"},
	    {HEAD "eject = slow>=500\n",
		"5:9: eject: slow>=500: a duration needs a unit, for example "
		"10s\n"},
	    {HEAD "eject = slow>=0ms\n",
		"5:9: eject: slow>=0ms: at least 1ms\n"},
	    {HEAD "eject = 5xx>=5 window=1ms\n",
		"5:16: eject: window=1ms: at least 100ms\n"},
	    {HEAD "eject = 5xx>=5 for=2d\n",
		"5:16: eject: for=2d: at most 1d\n"},
	    {HEAD "eject = 5xx>=5 max=50\n",
		"5:16: eject: max=50: a share is a number and %, for example "
		"20%\n"},
	    {HEAD "eject = 5xx>=5 max=101%\n",
		"5:16: eject: max=101%: at most 100%\n"},
	    {HEAD "eject = 5xx>=5 5xx>=6\n",
		"5:16: eject: '5xx' stands twice\n"},
	    {HEAD "eject = 5xx>=5\neject = 5xx>=6\n",
		"6:9: eject: '5xx' stands twice\n"},
	    {HEAD "eject = for=30s max=50%\n",
		"5:9: eject says not what for: 5xx>=N, reset>=N or "
		"slow>=TIME\n"},
	    {HEAD "panic = 50\n",
		"5:9: panic = 50: a share needs a unit, for example 50% (50 "
		"what? write 50%)\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    eject_is_read_with_its_defaults,
	    eject_in_two_lines_is_one,
	    each_wrong_word_of_eject_is_named_in_its_place,
	};

	return unit_run("conf_health", tests, NELEMS(tests));
}
