/* base/regex: PCRE2 with its limits set. The match block is the one thing in it
 * that changes while serving: each process has its own copy after fork and one
 * thread uses it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/base/regex.h"

#include <pcre2.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Room for the library's message. */
#define REGEX_WHY_CAP 128

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

static pcre2_code *
regex_compile(span pattern, bool folds_case, struct place at, struct diag *d)
{
	uint32_t how = PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	char why[REGEX_WHY_CAP];
	pcre2_code *code;
	PCRE2_SIZE off;
	int err;

	if (folds_case)
		how |= PCRE2_CASELESS;
	code = pcre2_compile(
	    (PCRE2_SPTR)pattern.p, pattern.len, how, &err, &off, NULL);
	if (code != NULL)
		return code;
	(void)pcre2_get_error_message(err, (PCRE2_UCHAR *)why, sizeof(why));
	at.col = (uint16_t)size_min(at.col + off, UINT16_MAX);
	at.len = 1;
	diag_error(d, at, "the regex is malformed: %s", why);
	return NULL;
}

struct regex *
regex_new(span pattern, bool folds_case, struct place at, struct diag *d)
{
	pcre2_code *code = regex_compile(pattern, folds_case, at, d);
	struct regex *re;

	if (code == NULL)
		return NULL;
	re = calloc(1, sizeof(*re));
	REQUIRE(re != NULL);
	re->code = code;
	/* without JIT in this build of the library it is interpreted */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	re->match = pcre2_match_data_create_from_pattern(code, NULL);
	re->limits = pcre2_match_context_create(NULL);
	REQUIRE(re->match != NULL && re->limits != NULL);
	(void)pcre2_set_match_limit(re->limits, REGEX_MATCH_LIMIT);
	return re;
}

void
regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_match_data_free(re->match);
	pcre2_match_context_free(re->limits);
	pcre2_code_free(re->code);
	free(re);
}

enum regex_rc
regex_find(const struct regex *re, span text)
{
	/* an empty text may have no address at all */
	PCRE2_SPTR p = (PCRE2_SPTR)(text.len == 0 ? "" : text.p);
	int rc =
	    pcre2_match(re->code, p, text.len, 0, 0, re->match, re->limits);

	if (rc == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	return rc < 0 ? REGEX_LIMIT : REGEX_YES;
}

uint32_t
regex_groups(const struct regex *re)
{
	return pcre2_get_ovector_count(re->match) - 1;
}

span
regex_group(const struct regex *re, span text, uint32_t n)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->match) + 2 * n;

	REQUIRE(n < pcre2_get_ovector_count(re->match));
	/* \K can put the beginning behind the end */
	if (at[0] == PCRE2_UNSET || at[0] > at[1])
		return span_of(NULL, 0);
	return span_of(text.p + at[0], at[1] - at[0]);
}
