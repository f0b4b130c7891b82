/* sec_rx: the regular expressions of the rule language: PCRE2 as ModSecurity
 * asks it, which takes more patterns than the configuration does. */
#ifndef GH_SEC_RX_H
#define GH_SEC_RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/sec/sec_op.h"

/* Bytes of a pattern that comes out of macros. */
#define SEC_RX_PATTERN_MAX 65536u

/* Time of one question: all that a whole request has (sec_tx.h), so that after
 * it no rule is tried any more. */
#define SEC_RX_MS_MAX 500

struct sec_rx;

/* What PCRE2 is told beside that: "." is any byte, "$" the very end. */
enum sec_rx_kind {
	SEC_RX_PLAIN,
	SEC_RX_LINES /* "^" and "$" at lines; never an empty match (verifyCC) */
};

/* `at` is where the pattern begins. NULL with a message. */
struct sec_rx *sec_rx_new(span pattern, enum sec_rx_kind kind,
    const struct sec_test_env *env, struct place at, struct diag *d);
/* One whose pattern comes with each question. */
struct sec_rx *sec_rx_new_late(const struct sec_test_env *env);
/* NULL is allowed. */
void sec_rx_free(struct sec_rx *rx);

/* Make a late one ready. false: it is no pattern. The last one is kept. */
bool sec_rx_set(struct sec_rx *rx, span pattern);
/* Whether it matches at or behind `from`; *hits may be NULL. Allocates nothing.
 * After SEC_RX_MS_MAX the answer is SEC_LIMIT. Not for two threads at once. */
enum sec_rc sec_rx_find(
    struct sec_rx *rx, span text, size_t from, struct sec_hits *hits);

#endif
