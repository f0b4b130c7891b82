/* sec_op: the operators of the rule language, made ready at load and asked with
 * texts. Pure, but for files that are read at load. rbl and geoLookup are not
 * here: who runs the rules asks for them. */
#ifndef GH_SEC_OP_H
#define GH_SEC_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/sec/sec_names.h"

/* Captures of a match: the whole and nine groups (TX:0 to TX:9). */
#define SEC_HITS_MAX 10
/* Bytes of what detectSQLi or another operator may tell of a match. */
#define SEC_HITS_TOLD 64

enum sec_rc {
	SEC_NO,
	SEC_YES,
	SEC_LIMIT /* a bound of effort was reached: neither */
};

struct sec_hits {
	/* Parts of the text that was asked, of `told`, or of the operator (pm);
	 * a group that took no part is empty. */
	span at[SEC_HITS_MAX];
	uint8_t n; /* 0: the operator has none, or rx has too many */
	char told[SEC_HITS_TOLD];
};

/* An operator with its argument. */
struct sec_test;
struct sec_pm;

/* Memory for matches of rx that nest deeply: one for all operators of a set. */
struct sec_deep;

/* What the rules say before an operator is made ready. */
struct sec_test_env {
	const char *folder; /* of the rule file: files of lists are beside it */
	uint32_t match_limit; /* SecPcreMatchLimit; 0: REGEX_MATCH_LIMIT */
	/* Must live longer than the operators; NULL: to nest deeply is a bound
	 * of effort that is reached. */
	struct sec_deep *deep;
};

struct sec_deep *sec_deep_new(void);
/* NULL is allowed. */
void sec_deep_free(struct sec_deep *deep);

/* Make it ready. `at` is where the argument begins. NULL with a message. An
 * argument with %{macros} is allowed for TEXT and for rx: then the text of each
 * request comes with the question. */
struct sec_test *sec_test_new(enum sec_op op, span argument,
    const struct sec_test_env *env, struct place at, struct diag *d);
/* NULL is allowed. */
void sec_test_free(struct sec_test *t);

/* Whether it holds for the text. `argument` is what a TEXT operator compares
 * with (its macros replaced); others ignore it. *hits is written when it is not
 * NULL and the answer is yes. Not for two threads at once. */
enum sec_rc sec_test_run(
    const struct sec_test *t, span argument, span text, struct sec_hits *hits);

/* The phrases of pm and pmFromFile; NULL: it is another operator. */
const struct sec_pm *sec_test_phrases(const struct sec_test *t);

/* detectSQLi and detectXSS (sec_sqli.c, sec_xss.c): whether the text would be
 * an attack if an application put it into a statement or a page. The first
 * tells the fingerprint (lower-case classes of tokens) in `told`, NUL-ended. */
bool sec_sqli_find(span text, char told[SEC_HITS_TOLD]);
bool sec_xss_find(span text);

#endif
