/* sec_rx: see the header. The match block and the pattern of a late one are
 * what changes while serving: each process has its own copies after fork. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "worker/sec/sec_rx.h"

#include <pcre2.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/base/regex.h"

/* Room for the library's message. */
#define RX_WHY_CAP 128
/* The reference has numbers for fifteen groups; with more it captures none. */
#define RX_GROUPS 15
/* Stack of compiled patterns. Measured on 32 KiB of one piece again and again
 * with the patterns of the core rules: none takes more. */
#define RX_DEEP_MIN ((size_t)64 << 10)
#define RX_DEEP_MAX ((size_t)4 << 20)

struct sec_deep {
	pcre2_jit_stack *stack;
};

struct sec_rx {
	pcre2_code *code; /* NULL: not ready */
	pcre2_match_data *match;
	pcre2_match_context *limits;
	pcre2_match_context *deep; /* NULL: there is no such stack */
	bool is_compiled; /* to machine code */
	bool is_anchored; /* begins where the text does, or nowhere */
	uint32_t limit; /* steps of a match from one place */
	enum sec_rx_kind kind;
	char *pattern; /* of a late one */
	size_t len;
};

struct sec_deep *
sec_deep_new(void)
{
	struct sec_deep *deep = calloc(1, sizeof(*deep));

	REQUIRE(deep != NULL);
	/* NULL without machine code: nothing asks for it then */
	deep->stack = pcre2_jit_stack_create(RX_DEEP_MIN, RX_DEEP_MAX, NULL);
	return deep;
}

void
sec_deep_free(struct sec_deep *deep)
{
	if (deep == NULL)
		return;
	pcre2_jit_stack_free(deep->stack);
	free(deep);
}

static pcre2_match_context *
new_limits(void)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);

	REQUIRE(limits != NULL);
	return limits;
}

struct sec_rx *
sec_rx_new_late(const struct sec_test_env *env)
{
	struct sec_rx *rx = calloc(1, sizeof(*rx));

	REQUIRE(rx != NULL);
	rx->match = pcre2_match_data_create(RX_GROUPS + 1, NULL);
	REQUIRE(rx->match != NULL);
	rx->limit = env->match_limit > 0 ? env->match_limit : REGEX_MATCH_LIMIT;
	rx->limits = new_limits();
	if (env->deep != NULL && env->deep->stack != NULL) {
		rx->deep = new_limits();
		pcre2_jit_stack_assign(rx->deep, NULL, env->deep->stack);
	}
	return rx;
}

static pcre2_code *
compile(span pattern, enum sec_rx_kind kind, int *err, size_t *off)
{
	uint32_t how = PCRE2_USE_OFFSET_LIMIT | PCRE2_DOTALL;

	how |= kind == SEC_RX_LINES ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY;
	/* an empty pattern may have no address at all */
	return pcre2_compile((PCRE2_SPTR)(pattern.len == 0 ? "" : pattern.p),
	    pattern.len, how, err, off, NULL);
}

static bool
code_is_anchored(const pcre2_code *code)
{
	uint32_t how = 0;

	(void)pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &how);
	return (how & PCRE2_ANCHORED) != 0;
}

struct sec_rx *
sec_rx_new(span pattern, enum sec_rx_kind kind, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	char why[RX_WHY_CAP];
	size_t off;
	int err;
	pcre2_code *code = compile(pattern, kind, &err, &off);
	struct sec_rx *rx;

	if (code == NULL) {
		(void)pcre2_get_error_message(
		    err, (PCRE2_UCHAR *)why, sizeof(why));
		at.col = (uint16_t)size_min(at.col + off, UINT16_MAX);
		at.len = 1;
		diag_error(d, at, "the pattern is malformed: %s", why);
		return NULL;
	}
	rx = sec_rx_new_late(env);
	rx->code = code;
	rx->kind = kind;
	rx->is_compiled = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
	rx->is_anchored = code_is_anchored(code);
	return rx;
}

void
sec_rx_free(struct sec_rx *rx)
{
	if (rx == NULL)
		return;
	pcre2_match_data_free(rx->match);
	pcre2_match_context_free(rx->limits);
	pcre2_match_context_free(rx->deep);
	pcre2_code_free(rx->code);
	free(rx->pattern);
	free(rx);
}

bool
sec_rx_set(struct sec_rx *rx, span pattern)
{
	size_t off;
	int err;

	if (pattern.len > SEC_RX_PATTERN_MAX)
		return false;
	if (rx->pattern != NULL &&
	    span_eq(span_of(rx->pattern, rx->len), pattern))
		return rx->code != NULL;
	if (rx->pattern == NULL)
		rx->pattern = malloc(SEC_RX_PATTERN_MAX);
	REQUIRE(rx->pattern != NULL);
	if (pattern.len > 0)
		memcpy(rx->pattern, pattern.p, pattern.len);
	rx->len = pattern.len;
	pcre2_code_free(rx->code);
	rx->code = compile(pattern, rx->kind, &err, &off);
	rx->is_anchored = rx->code != NULL && code_is_anchored(rx->code);
	return rx->code != NULL;
}

/* Places where it may begin, and steps that each of them may have. */
struct part {
	size_t from, n;
	uint32_t steps;
};

static void
set_limits(pcre2_match_context *c, const struct part *part)
{
	(void)pcre2_set_match_limit(c, part->steps);
	(void)pcre2_set_offset_limit(c, part->from + part->n - 1);
}

static int
match(struct sec_rx *rx, span text, const struct part *part)
{
	/* an empty text may have no address at all */
	PCRE2_SPTR p = (PCRE2_SPTR)(text.len == 0 ? "" : text.p);
	uint32_t how = rx->kind == SEC_RX_LINES ? PCRE2_NOTEMPTY : 0;
	int rc;

	set_limits(rx->limits, part);
	if (!rx->is_compiled)
		return pcre2_match(rx->code, p, text.len, part->from, how,
		    rx->match, rx->limits);
	rc = pcre2_jit_match(
	    rx->code, p, text.len, part->from, how, rx->match, rx->limits);
	if (rc != PCRE2_ERROR_JIT_STACKLIMIT || rx->deep == NULL)
		return rc;
	set_limits(rx->deep, part);
	return pcre2_jit_match(
	    rx->code, p, text.len, part->from, how, rx->match, rx->deep);
}

/* Of a long text, places are tried some at a time: one, then so many times as many as
 * before while that takes less than so long, and at most as many that about so many
 * bytes are looked at by a pattern that reads to the end from each. */
#define RX_LOOK_US 1000
#define RX_MORE 4u
#define RX_BYTES_AT_ONCE ((size_t)4 << 20)
#define RX_STARTS_MIN 64u
/* A pattern may read to the end in each of its steps, too: a place has as many of
 * them as look at so many bytes, and where these are too few, more. */
#define RX_STEP_BYTES ((size_t)100 << 20)
#define RX_STEPS_MIN 64u
#define RX_LONG 1024u
#define US_PER_MS 1000

/* What is tried next after an answer that took so long. false: the answer is the
 * last one. */
static bool
go_on(const struct sec_rx *rx, struct part *part, int rc, uint64_t us)
{
	if (rc == PCRE2_ERROR_MATCHLIMIT && part->steps < rx->limit) {
		part->steps =
		    (uint32_t)size_min((size_t)part->steps * 2, rx->limit);
		part->n = 1;
		return true;
	}
	if (rc != PCRE2_ERROR_NOMATCH || rx->is_anchored)
		return false;
	part->from += part->n;
	if (us < RX_LOOK_US)
		part->n *= RX_MORE;
	else if (part->n > 1)
		part->n /= 2;
	return true;
}

static int
match_long(struct sec_rx *rx, span text, size_t from)
{
	size_t most = RX_BYTES_AT_ONCE / text.len + RX_STARTS_MIN;
	uint32_t few = (uint32_t)size_min(
	    RX_STEP_BYTES / text.len + RX_STEPS_MIN, rx->limit);
	struct part part = {.from = from, .n = 1, .steps = few};
	uint64_t before, now = clock_mono_us();
	uint64_t until = now + SEC_RX_MS_MAX * US_PER_MS;
	int rc;

	do {
		part.n = size_min(part.n, most);
		rc = match(rx, text, &part);
		before = now;
		now = clock_mono_us();
		if (!go_on(rx, &part, rc, now - before))
			return rc;
	} while (part.from <= text.len && now <= until);
	return part.from > text.len ? rc : PCRE2_ERROR_MATCHLIMIT;
}

/* `n`: the highest group that took part, and one; 0: there are too many. */
static void
take_hits(const struct sec_rx *rx, span text, unsigned n, struct sec_hits *hits)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(rx->match);

	if (n > RX_GROUPS)
		n = 0;
	hits->n = (uint8_t)size_min(n, SEC_HITS_MAX);
	for (unsigned i = 0; i < hits->n; i++) {
		PCRE2_SIZE begin = at[2 * i];
		PCRE2_SIZE end = at[2 * i + 1];

		/* \K can put the begin behind the end */
		hits->at[i] = begin == PCRE2_UNSET || begin >= end
				  ? span_of(text.p, 0)
				  : span_of(text.p + begin, end - begin);
	}
}

enum sec_rc
sec_rx_find(struct sec_rx *rx, span text, size_t from, struct sec_hits *hits)
{
	struct part all = {
	    .from = from, .n = text.len + 1 - from, .steps = rx->limit};
	int rc = text.len > RX_LONG ? match_long(rx, text, from)
				    : match(rx, text, &all);

	if (rc == PCRE2_ERROR_NOMATCH)
		return SEC_NO;
	if (rc < 0)
		return SEC_LIMIT;
	if (hits != NULL)
		take_hits(rx, text, (unsigned)rc, hits);
	return SEC_YES;
}
