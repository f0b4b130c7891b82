/* base/regex: a regular expression of the configuration, compiled at load, and
 * bounded when it runs: what a client sends cannot make it expensive. */
#ifndef GH_REGEX_H
#define GH_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"

struct regex;

/* Backtracking steps of one match; a text that needs more is refused instead of
 * being judged one way or the other. */
#define REGEX_MATCH_LIMIT 100000

enum regex_rc { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/* Compile; `at` is where the pattern begins. NULL with a message that points at
 * the offending byte. */
struct regex *regex_new(
    span pattern, bool folds_case, struct place at, struct diag *d);
/* NULL is allowed. */
void regex_free(struct regex *re);
/* Whether it matches somewhere in the text. Allocates nothing. Not for two
 * threads at once. */
enum regex_rc regex_find(const struct regex *re, span text);

/* How many groups the pattern captures. */
uint32_t regex_groups(const struct regex *re);
/* What group n, 0 for all of the match, took of the text that regex_find() said
 * YES to last; empty when it took no part in it. */
span regex_group(const struct regex *re, span text, uint32_t n);

#endif
