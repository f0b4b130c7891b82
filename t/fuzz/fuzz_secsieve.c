/* fuzz/secsieve: the first line as a pattern, the rest as a text: what PCRE2
 * finds the sieve lets through, with any memory. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_sieve.h"

#define PATTERN_LEN_MAX 200
#define EFFORT_MAX 20000
#define ROOMY ((size_t)65536)
#define TIGHT ((size_t)1500)

static bool
pcre_finds(pcre2_code *code, span text)
{
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	int rc;

	REQUIRE(match != NULL && limits != NULL);
	(void)pcre2_set_match_limit(limits, EFFORT_MAX);
	rc = pcre2_match(
	    code, (PCRE2_SPTR)text.p, text.len, 0, 0, match, limits);
	pcre2_match_context_free(limits);
	pcre2_match_data_free(match);
	return rc >= 0;
}

static bool
sieve_lets_through(const struct sec_sieve *s, size_t bytes, span text)
{
	struct sec_sieve_memo *memo = sec_sieve_memo_new(s, bytes);
	uint64_t once = 0, again = 0;

	sec_sieve_run(memo, text, &once);
	sec_sieve_run(memo, text, &again);
	/* with a memory that was full it may know less, and never more */
	REQUIRE(once == again || sec_sieve_memo_fills(memo) > 0);
	sec_sieve_memo_free(memo);
	return (once & again) != 0;
}

static void
fuzz_pattern(span pattern, span text)
{
	struct sec_sieve *s = sec_sieve_new();
	size_t off;
	int err;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.len,
	    PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &err, &off, NULL);
	int32_t number = sec_sieve_add(s, pattern);

	sec_sieve_done(s);
	if (code != NULL && number == 0 && pcre_finds(code, text)) {
		REQUIRE(sieve_lets_through(s, ROOMY, text));
		REQUIRE(sieve_lets_through(s, TIGHT, text));
	}
	pcre2_code_free(code);
	sec_sieve_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span rest = span_of((const char *)data, size), pattern;
	span text;

	if (!span_cut(&rest, '\n', &pattern) || pattern.len > PATTERN_LEN_MAX)
		return 0;
	pattern = fuzz_dup(pattern);
	text = fuzz_dup(rest);
	fuzz_pattern(pattern, text);
	fuzz_free(text);
	fuzz_free(pattern);
	return 0;
}
