/* fuzz/secpm: lines as phrases, as far as an empty one, and the rest as the text
 * they are looked for in, held against a search for each of them; any line as
 * an argument of each operator that reads one. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_pm.h"

#define PHRASES_MAX 64

struct phrases {
	span at[PHRASES_MAX];
	unsigned n;
};

/* Where the phrase ends that ends first in the text; 0: nowhere. */
static size_t
first_end(const struct phrases *p, span text)
{
	for (size_t end = 1; end <= text.len; end++) {
		for (unsigned i = 0; i < p->n; i++) {
			size_t len = p->at[i].len;

			if (len <= end && span_ieq(p->at[i],
					      span_of(text.p + end - len, len)))
				return end;
		}
	}
	return 0;
}

static void
fuzz_search(const struct phrases *p, span text)
{
	struct sec_pm *pm = sec_pm_new();
	size_t end = first_end(p, text);
	span hit;

	for (unsigned i = 0; i < p->n; i++)
		REQUIRE(sec_pm_add(pm, p->at[i]));
	sec_pm_done(pm);
	REQUIRE(sec_pm_find(pm, text, &hit) == (end > 0));
	if (end > 0) {
		REQUIRE(hit.len <= end);
		REQUIRE(
		    span_ieq(hit, span_of(text.p + end - hit.len, hit.len)));
		/* and none without its last byte */
		REQUIRE(!sec_pm_find(pm, span_first(text, end - 1), NULL));
	}
	sec_pm_free(pm);
}

static void
fuzz_argument(enum sec_op op, span argument, span text)
{
	const struct sec_test_env env = {.match_limit = 1000};
	struct diag *d = diag_new();
	struct place at = {.line = 1};
	struct sec_test *t = sec_test_new(op, argument, &env, at, d);
	struct sec_hits hits;

	REQUIRE((t == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	if (t != NULL)
		(void)sec_test_run(t, argument, text, &hits);
	sec_test_free(t);
	diag_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sec_op ops[] = {SEC_OP_PM, SEC_OP_STR_MATCH,
	    SEC_OP_IP_MATCH, SEC_OP_VALIDATE_BYTE_RANGE, SEC_OP_EQ,
	    SEC_OP_CONTAINS_WORD, SEC_OP_WITHIN};
	span in = fuzz_dup(span_of((const char *)data, size));
	struct phrases p = {.n = 0};
	span rest = in;
	span line;

	while (
	    p.n < PHRASES_MAX && span_cut(&rest, '\n', &line) && line.len > 0)
		p.at[p.n++] = line;
	if (rest.p == NULL)
		rest = span_of(in.p, 0);
	fuzz_search(&p, rest);
	for (size_t i = 0; i < NELEMS(ops) && p.n > 0; i++)
		fuzz_argument(ops[i], p.at[0], rest);
	fuzz_free(in);
	return 0;
}
