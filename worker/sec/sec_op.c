/* sec_op: operators, made ready and asked. Those that compare texts and numbers
 * are here; see sec_op_int.h for the others. */
#include "worker/sec/sec_op.h"

#include <limits.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/iptrie.h"
#include "common/http/chars.h"
#include "worker/sec/sec_op_int.h"
#include "worker/sec/sec_pm.h"
#include "worker/sec/sec_rx.h"
#include "worker/sec/sec_scan.h"

/* Numbers of one text that verifyCC looks at. */
#define CARD_TRIES 1000

struct sec_test {
	enum sec_op op;
	bool is_late; /* rx, whose pattern comes with the question */
	struct sec_rx *rx;
	struct sec_pm *pm;
	struct iptrie *ips;
	struct sec_byte_ranges *ranges;
	char *phrase; /* of strmatch */
	span phrase_text;
};

/* --- made ready ----------------------------------------------------------- */

static bool
ready_rx(struct sec_test *t, span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	t->is_late = t->op == SEC_OP_RX && sec_has_macros(argument);
	if (t->is_late)
		t->rx = sec_rx_new_late(env);
	else
		t->rx = sec_rx_new(argument,
		    t->op == SEC_OP_RX ? SEC_RX_PLAIN : SEC_RX_LINES, env, at,
		    d);
	return t->rx != NULL;
}

static bool
ready_phrase(struct sec_test *t, span argument, struct place at, struct diag *d)
{
	t->phrase = malloc(argument.len + 1);
	REQUIRE(t->phrase != NULL);
	if (sec_op_phrase(
		sec_op_unquoted(argument), t->phrase, &t->phrase_text))
		return true;
	diag_error(d, at,
	    "the phrase has an escape that does not exist: a "
	    "backslash stands before : ; \\ or a quote");
	return false;
}

static bool
ready_ranges(struct sec_test *t, span argument, struct place at, struct diag *d)
{
	t->ranges = malloc(sizeof(*t->ranges));
	REQUIRE(t->ranges != NULL);
	return sec_op_ranges(argument, t->ranges, at, d);
}

static bool
ready(struct sec_test *t, span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	switch ((unsigned)t->op) {
	case SEC_OP_RX:
	case SEC_OP_VERIFY_CC:
		return ready_rx(t, argument, env, at, d);
	case SEC_OP_PM:
		t->pm = sec_op_pm(argument, at, d);
		return t->pm != NULL;
	case SEC_OP_PM_FROM_FILE:
		t->pm = sec_op_pm_from_file(argument, env, at, d);
		return t->pm != NULL;
	case SEC_OP_IP_MATCH:
		t->ips = sec_op_ips(argument, at, d);
		return t->ips != NULL;
	case SEC_OP_IP_MATCH_FROM_FILE:
		t->ips = sec_op_ips_from_file(argument, env, at, d);
		return t->ips != NULL;
	case SEC_OP_VALIDATE_BYTE_RANGE:
		return ready_ranges(t, argument, at, d);
	case SEC_OP_STR_MATCH:
		return ready_phrase(t, argument, at, d);
	default:
		return true;
	}
}

struct sec_test *
sec_test_new(enum sec_op op, span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	struct sec_test *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	REQUIRE(op < SEC_N_OPS && op != SEC_OP_RBL && op != SEC_OP_GEO_LOOKUP);
	t->op = op;
	if (ready(t, argument, env, at, d))
		return t;
	sec_test_free(t);
	return NULL;
}

void
sec_test_free(struct sec_test *t)
{
	if (t == NULL)
		return;
	sec_rx_free(t->rx);
	sec_pm_free(t->pm);
	iptrie_free(t->ips);
	free(t->ranges);
	free(t->phrase);
	free(t);
}

const struct sec_pm *
sec_test_phrases(const struct sec_test *t)
{
	return t->pm;
}

/* --- numbers -------------------------------------------------------------- */

/* As the reference reads them: white space, a sign and digits as far as they
 * go, held within a long and cut to an int. */
static int32_t
number(span s)
{
	bool is_negative = false;
	uint64_t v = 0;
	size_t i = 0;

	while (i < s.len && sec_white(s.p[i]))
		i++;
	if (i < s.len && (s.p[i] == '-' || s.p[i] == '+'))
		is_negative = s.p[i++] == '-';
	for (; i < s.len && char_is_digit(s.p[i]); i++) {
		unsigned digit = (unsigned)(s.p[i] - '0');

		if (v > ((uint64_t)LONG_MAX - digit) / 10) {
			v = (uint64_t)LONG_MAX + is_negative;
			break;
		}
		v = v * 10 + digit;
	}
	return (int32_t)(uint32_t)(is_negative ? -v : v);
}

static bool
compares(enum sec_op op, int32_t left, int32_t right)
{
	switch ((unsigned)op) {
	case SEC_OP_EQ:
		return left == right;
	case SEC_OP_GE:
		return left >= right;
	case SEC_OP_GT:
		return left > right;
	case SEC_OP_LE:
		return left <= right;
	default:
		return left < right;
	}
}

/* --- texts ---------------------------------------------------------------- */

static bool
is_word_byte(span s, size_t at)
{
	char c;

	if (at >= s.len)
		return false;
	c = ascii_lower(s.p[at]);
	return char_is_digit(c) || (c >= 'a' && c <= 'z') || c == '_';
}

/* Whether the word stands somewhere, with none of its kind beside it. */
static bool
contains_word(span text, span word)
{
	size_t from = 0;

	if (word.len == 0)
		return true;
	for (;;) {
		ptrdiff_t at = span_find(span_from(text, from), word);
		size_t begin = from + (size_t)at;

		if (at < 0)
			return false;
		if ((begin == 0 || !is_word_byte(text, begin - 1)) &&
		    !is_word_byte(text, begin + word.len))
			return true;
		from = begin + 1;
	}
}

/* --- asked ---------------------------------------------------------------- */

static enum sec_rc
run_rx(
    const struct sec_test *t, span argument, span text, struct sec_hits *hits)
{
	/* a pattern that its macros broke matches nothing */
	if (t->is_late && !sec_rx_set(t->rx, argument))
		return SEC_NO;
	return sec_rx_find(t->rx, text, 0, hits);
}

static enum sec_rc
run_card(const struct sec_test *t, span text, struct sec_hits *hits)
{
	struct sec_hits found = {.n = 0};
	unsigned n_tries = 0;

	for (size_t from = 0; from < text.len; from++) {
		enum sec_rc rc = sec_rx_find(t->rx, text, from, &found);

		if (n_tries++ == CARD_TRIES)
			return SEC_LIMIT;
		if (rc != SEC_YES || found.n == 0)
			return rc;
		if (sec_op_is_card(found.at[0])) {
			for (unsigned i = 1; i < found.n; i++)
				found.at[i] = found.at[0];
			if (hits != NULL)
				*hits = found;
			return SEC_YES;
		}
		from = (size_t)(found.at[0].p - text.p);
	}
	return SEC_NO;
}

static enum sec_rc
run_pm(const struct sec_test *t, span text, struct sec_hits *hits)
{
	span hit;

	if (!sec_pm_find(t->pm, text, &hit))
		return SEC_NO;
	if (hits != NULL) {
		hits->at[0] = hit;
		hits->n = 1;
	}
	return SEC_YES;
}

static enum sec_rc
run_sqli(span text, struct sec_hits *hits)
{
	char told[SEC_HITS_TOLD];

	if (!sec_sqli_find(text, hits != NULL ? hits->told : told))
		return SEC_NO;
	if (hits != NULL) {
		hits->at[0] = span_str(hits->told);
		hits->n = 1;
	}
	return SEC_YES;
}

static enum sec_rc
run_xss(span text, struct sec_hits *hits)
{
	if (!sec_xss_find(text))
		return SEC_NO;
	if (hits != NULL) {
		hits->at[0] = span_of(text.p, sec_chr(text, 0, '\0'));
		hits->n = 1;
	}
	return SEC_YES;
}

static bool
holds(const struct sec_test *t, span argument, span text)
{
	switch ((unsigned)t->op) {
	case SEC_OP_BEGINS_WITH:
		return span_starts(text, argument);
	case SEC_OP_ENDS_WITH:
		return span_ends(text, argument);
	case SEC_OP_STREQ:
		return span_eq(text, argument);
	case SEC_OP_CONTAINS:
		return span_find(text, argument) >= 0;
	case SEC_OP_CONTAINS_WORD:
		return contains_word(text, argument);
	case SEC_OP_WITHIN:
		return span_find(argument, text) >= 0;
	case SEC_OP_STR_MATCH:
		return span_find(text, t->phrase_text) >= 0;
	case SEC_OP_IP_MATCH:
	case SEC_OP_IP_MATCH_FROM_FILE:
		return sec_op_ip_match(t->ips, text);
	case SEC_OP_VALIDATE_BYTE_RANGE:
		return !sec_op_is_in_ranges(t->ranges, text);
	case SEC_OP_VALIDATE_URL_ENCODING:
		return !sec_op_is_url_encoded(text);
	case SEC_OP_VALIDATE_UTF8_ENCODING:
		return !sec_op_is_utf8(text);
	case SEC_OP_UNCONDITIONAL_MATCH:
		return true;
	case SEC_OP_NO_MATCH:
		return false;
	default:
		return compares(t->op, number(text), number(argument));
	}
}

enum sec_rc
sec_test_run(
    const struct sec_test *t, span argument, span text, struct sec_hits *hits)
{
	if (t->op == SEC_OP_RX)
		return run_rx(t, argument, text, hits);
	if (t->op == SEC_OP_PM || t->op == SEC_OP_PM_FROM_FILE)
		return run_pm(t, text, hits);
	if (t->op == SEC_OP_DETECT_SQLI)
		return run_sqli(text, hits);
	if (t->op == SEC_OP_DETECT_XSS)
		return run_xss(text, hits);
	if (t->op == SEC_OP_VERIFY_CC)
		return run_card(t, text, hits);
	if (!holds(t, argument, text))
		return SEC_NO;
	if (hits != NULL)
		hits->n = 0;
	return SEC_YES;
}
