/* The words of `eject` and `health_check`: what they mean, and what is said of
 * those that mean nothing. */
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

/* --- health_check --------------------------------------------------------- */

/* A check as it was read; its texts are part of *l. */
static struct conf_check
check_of(struct loaded *l, const char *words)
{
	char text[256];
	struct conf_check c;
	struct conf_scope s;
	const struct conf_value *v;

	(void)snprintf(text, sizeof(text), HEAD "health_check = %s\n", words);
	*l = conf_must_load(text);
	s = conf_scope_of(l->tree, conf_first(l->tree, CONF_UPSTREAM));
	v = conf_check_line(&s);
	if (v == NULL)
		return (struct conf_check){.kind = CHECK_NONE};
	conf_check_words(v->words, v->n_words, &c, NULL);
	return c;
}

START_TEST(health_check_is_read_with_its_defaults)
{
	struct loaded l;
	struct conf_check c = check_of(&l, "tcp");

	ck_assert_int_eq(c.kind, CHECK_TCP);
	ck_assert_uint_eq(c.interval_ms, 2000);
	ck_assert_uint_eq(c.timeout_ms, 1000);
	ck_assert_uint_eq(c.rise, 2);
	ck_assert_uint_eq(c.fall, 3);
	loaded_free(&l);
	ck_assert_int_eq(check_of(&l, "none").kind, CHECK_NONE);
	loaded_free(&l);
	c = check_of(&l, "tls interval=1m rise=7 fall=1 timeout=250ms");
	ck_assert_int_eq(c.kind, CHECK_TLS);
	ck_assert_uint_eq(c.interval_ms, 60000);
	ck_assert_uint_eq(c.timeout_ms, 250);
	ck_assert_uint_eq(c.rise, 7);
	ck_assert_uint_eq(c.fall, 1);
	loaded_free(&l);
}
END_TEST

START_TEST(health_check_by_requests)
{
	struct loaded l;
	struct conf_check c = check_of(&l, "GET /healthz");

	ck_assert_int_eq(c.kind, CHECK_HTTP);
	ck_assert(!c.is_head);
	ck_assert_span_eq(c.target, "/healthz");
	ck_assert_uint_eq(c.n_expect, 1);
	ck_assert_uint_eq(c.expect[0].low, 200);
	ck_assert_uint_eq(c.expect[0].high, 399);
	ck_assert_uint_eq(c.body.len, 0);
	loaded_free(&l);
	c = check_of(&l, "HEAD /a?b=c expect=200,204-206,418");
	ck_assert(c.is_head);
	ck_assert_span_eq(c.target, "/a?b=c");
	ck_assert_uint_eq(c.n_expect, 3);
	ck_assert_uint_eq(c.expect[1].low, 204);
	ck_assert_uint_eq(c.expect[1].high, 206);
	ck_assert_uint_eq(c.expect[2].low, 418);
	ck_assert_uint_eq(c.expect[2].high, 418);
	loaded_free(&l);
	c = check_of(&l, "GET / \"body~all (is|was) =well\"");
	ck_assert_span_eq(c.body, "all (is|was) =well");
	loaded_free(&l);
}
END_TEST

#define KINDS \
	"expected tcp, tls, grpc, GET /PATH, HEAD /PATH or command /PATH\n"
#define TERMS \
	"expected expect=STATUS, body~REGEX, service=NAME, interval=TIME, " \
	"rise=N, fall=N or timeout=TIME\n"
#define STATUSES \
	"expected statuses from 200 to 599, for example 200 or " \
	"200-299,304, at most 8 of them\n"
#define LATER " is not built yet (it comes with a later version)"

START_TEST(each_wrong_word_of_a_check_is_named_in_its_place)
{
	static const struct refusal rows[] = {
	    {HEAD "health_check = ping\n", "5:16: health_check = ping: " KINDS},
	    {HEAD "health_check = get /\n", "5:16: health_check = get: " KINDS},
	    {HEAD "health_check = grpc expect=200\n",
		"5:21: health_check: only GET and HEAD have 'expect'\n"},
	    {HEAD "health_check = tcp service=a\n",
		"5:20: health_check: only grpc has 'service'\n"},
	    {HEAD "health_check = grpc \"service=a b\"\n",
		"5:21: health_check: service=a b: expected the name of a "
		"service, of 255 bytes at most\n"},
	    {HEAD "health_check = command\n",
		"5:16: health_check: command needs a path that begins with "
		"'/'\n"},
	    {HEAD "health_check = command true\n",
		"5:24: health_check: command needs a path that begins with "
		"'/'\n"},
	    {HEAD "health_check = command /bin/true rise=0\n",
		"5:34: health_check: rise=0: at least 1\n"},
	    {HEAD "health_check = command /bin/true rise=1 x\n",
		"5:41: health_check: unknown word 'x'; " TERMS},
	    {HEAD "health_check = GET\n",
		"5:16: health_check: GET needs a path that begins with '/'\n"},
	    {HEAD "health_check = GET healthz\n",
		"5:20: health_check: GET needs a path that begins with '/'\n"},
	    {HEAD "health_check = GET \"/a b\"\n",
		"5:20: health_check: GET needs a path that begins with '/'\n"},
	    {HEAD "health_check = GET /a#b\n",
		"5:20: health_check: GET needs a path that begins with '/'\n"},
	    {HEAD "health_check = GET /a\xc3\xa4\n",
		"5:20: health_check: GET needs a path that begins with '/'\n"},
	    {HEAD "health_check = GET / expect=\n",
		"5:22: health_check: write expect=VALUE\n"},
	    {HEAD "health_check = GET / expect=ok\n",
		"5:22: health_check: expect=ok: " STATUSES},
	    {HEAD "health_check = GET / expect=100\n",
		"5:22: health_check: expect=100: " STATUSES},
	    {HEAD "health_check = GET / expect=600\n",
		"5:22: health_check: expect=600: " STATUSES},
	    {HEAD "health_check = GET / expect=299-200\n",
		"5:22: health_check: expect=299-200: " STATUSES},
	    {HEAD "health_check = GET / expect=200,,201\n",
		"5:22: health_check: expect=200,,201: " STATUSES},
	    {HEAD "health_check = GET / "
		  "expect=200,201,202,203,204,205,206,207,208\n",
		"5:22: health_check: "
		"expect=200,201,202,203,204,205,206,207,208: " STATUSES},
	    {HEAD "health_check = GET / body=ok\n",
		"5:22: health_check: write body~VALUE\n"},
	    {HEAD "health_check = GET / body~(ok\n",
		"5:30: the regex is malformed: missing closing "
		"parenthesis\n"},
	    {HEAD "health_check = HEAD / body~ok\n",
		"5:23: health_check: an answer to HEAD has no body\n"},
	    {HEAD "health_check = tcp expect=200 body~ok\n",
		"5:20: health_check: only GET and HEAD have 'expect'\n"
		"5:31: health_check: only GET and HEAD have 'body'\n"},
	    {HEAD "health_check = tcp interval=2\n",
		"5:20: health_check: interval=2: a duration needs a unit, for "
		"example 10s\n"},
	    {HEAD "health_check = tcp interval=99ms\n",
		"5:20: health_check: interval=99ms: at least 100ms\n"},
	    {HEAD "health_check = tcp rise=0 fall=101\n",
		"5:20: health_check: rise=0: at least 1\n"
		"5:27: health_check: fall=101: at most 100\n"},
	    {HEAD "health_check = tcp timeout=0ms\n",
		"5:20: health_check: timeout=0ms: at least 1ms\n"},
	    {HEAD "health_check = tcp rise=2 rise=2\n",
		"5:27: health_check: 'rise' stands twice\n"},
	    {HEAD "health_check = tcp raise=2\n",
		"5:20: health_check: unknown word 'raise=2'; did you mean "
		"'rise'?\n"},
	    {HEAD "health_check = tcp 127.0.0.1:80\n",
		"5:20: health_check: unknown word '127.0.0.1:80'; " TERMS},
	    {HEAD "health_check = tcp\nhealth_check = tls\n",
		"6:1: an upstream has one health_check; the first is in line "
		"5\n"},
	    {HEAD "client_certificate = /c.pem\nhealth_check = tls\n",
		"6:16: health_check with client_certificate" LATER
		"; tcp can be had\n"},
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
	    health_check_is_read_with_its_defaults,
	    health_check_by_requests,
	    each_wrong_word_of_a_check_is_named_in_its_place,
	};

	return unit_run("conf_health", tests, NELEMS(tests));
}
