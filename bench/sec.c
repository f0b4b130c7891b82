/* bench/sec: what the transformations and operators of the rule language cost,
 * in nanoseconds for a byte and for a call, on texts as requests have them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_trans.h"

/* Bytes of the long text. */
#define LONG ((size_t)10 << 10)
/* Each row is measured for so long, and the least of the rounds counts. */
#define ROUND_NS 2000000.0
#define ROUNDS 5

struct sample {
	const char *name;
	span text;
};

static double
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What is measured: one call. */
struct job {
	enum sec_trans trans;
	const struct sec_test *test; /* NULL: a transformation */
	span argument;
	char *room;
};

static size_t
run(const struct job *j, span text)
{
	struct sec_hits hits;

	if (j->test == NULL)
		return sec_trans_run(j->trans, text, NULL, j->room).len;
	return (size_t)sec_test_run(j->test, j->argument, text, &hits);
}

static double
measure(const struct job *j, span text)
{
	double least = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		double begin = now_ns();
		double took = 0;
		unsigned n = 0;
		volatile size_t sink = 0;

		while (took < ROUND_NS) {
			for (unsigned i = 0; i < 8; i++)
				sink += run(j, text);
			n += 8;
			took = now_ns() - begin;
		}
		(void)sink;
		if (round == 0 || took / n < least)
			least = took / n;
	}
	return least;
}

static void
print_row(const char *name, const struct job *j, const struct sample *samples,
    size_t n)
{
	(void)printf("%-20s", name);
	for (size_t i = 0; i < n; i++) {
		double ns = measure(j, samples[i].text);

		(void)printf(
		    "  %9.1f %6.2f", ns, ns / (double)samples[i].text.len);
	}
	(void)printf("\n");
}

/* A text again and again, as long as the long one. */
static span
repeated(const char *text)
{
	char *p = malloc(LONG);
	size_t len = strlen(text);

	REQUIRE(p != NULL);
	for (size_t i = 0; i < LONG; i++)
		p[i] = text[i % len];
	return span_of(p, LONG);
}

static void
bench_trans(const struct sample *samples, size_t n, char *room)
{
	static const char *const names[] = {
#define SEC_TRANS(id, name, num, den) name,
#define SEC_TRANS_ALIAS(id, name)
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
	};

	for (unsigned t = 0; t < SEC_N_TRANS; t++) {
		struct job j = {.trans = (enum sec_trans)t, .room = room};

		print_row(names[t], &j, samples, n);
	}
}

static const struct {
	enum sec_op op;
	const char *name;
	const char *argument;
} ops[] = {
    {SEC_OP_RX, "rx", "(?i)\\b(?:union\\s+select|exec\\s+xp_)\\b"},
    {SEC_OP_PM, "pm", "union select sleep benchmark xp_cmdshell waitfor"},
    {SEC_OP_CONTAINS, "contains", "../"},
    {SEC_OP_WITHIN, "within", "GET POST HEAD"},
    {SEC_OP_STREQ, "streq", "POST"},
    {SEC_OP_EQ, "eq", "5"},
    {SEC_OP_IP_MATCH, "ipMatch", "10.0.0.0/8,::1"},
    {SEC_OP_VALIDATE_BYTE_RANGE, "validateByteRange", "9,10,13,32-126"},
    {SEC_OP_VALIDATE_UTF8_ENCODING, "validateUtf8", ""},
    {SEC_OP_VALIDATE_URL_ENCODING, "validateUrl", ""},
    {SEC_OP_DETECT_SQLI, "detectSQLi", ""},
    {SEC_OP_DETECT_XSS, "detectXSS", ""},
};

static void
bench_op(enum sec_op op, const char *name, const char *argument,
    const struct sample *samples, size_t n)
{
	const struct sec_test_env env = {.match_limit = 0};
	struct diag *d = diag_new();
	struct place at = {.line = 1};
	struct job j = {.argument = span_str(argument)};
	struct sec_test *t = sec_test_new(op, j.argument, &env, at, d);

	if (t == NULL) {
		(void)fprintf(stderr, "%s", diag_render(d));
		exit(1);
	}
	j.test = t;
	print_row(name, &j, samples, n);
	sec_test_free(t);
	diag_free(d);
}

/* With an argument: the file of a list for pmFromFile. */
int
main(int argc, char **argv)
{
	const struct sample samples[] = {
	    {"name", SPAN_LIT("bob-smith")},
	    {"prose", repeated("A plain text of words, as people write it in a "
			       "form: it's 5 or 6 lines long. ")},
	    {"escapes", repeated("%3Cb%3E+%u0041 &lt;i&gt; \\x41\\u0042 /*c*/ "
				 "'x' or 1-1 <b> caf\xc3\xa9 ")},
	};
	size_t n = NELEMS(samples);
	char *room = malloc(sec_trans_room(SEC_TRANS_UTF8_TO_UNICODE, LONG));

	REQUIRE(room != NULL);
	(void)printf("%-20s", "ns a call, a byte");
	for (size_t i = 0; i < n; i++)
		(void)printf(
		    "  %9s %6zu", samples[i].name, samples[i].text.len);
	(void)printf("\n");
	bench_trans(samples, n, room);
	for (size_t i = 0; i < NELEMS(ops); i++)
		bench_op(ops[i].op, ops[i].name, ops[i].argument, samples, n);
	if (argc > 1)
		bench_op(
		    SEC_OP_PM_FROM_FILE, "pmFromFile", argv[1], samples, n);
	free(room);
	return 0;
}
