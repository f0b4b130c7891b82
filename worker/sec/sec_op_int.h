/* sec_op_int: the operators that have files of their own, and what they read
 * out of arguments. */
#ifndef GH_SEC_OP_INT_H
#define GH_SEC_OP_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/sec/sec_op.h"

struct iptrie;
struct sec_pm;

/* --- sec_op_list.c: phrases and networks ---------------------------------- */

/* A phrase as pm and strmatch write it: |41 42| are bytes, a backslash stands
 * before one of : ; \ and a quote. What it says is written to `room`, of s.len
 * bytes, as far as a NUL. false: an escape that does not exist. */
bool sec_op_phrase(span s, char *room, span *out);
/* An argument without white space and quotes around it. */
span sec_op_unquoted(span argument);
struct sec_pm *sec_op_pm(span argument, struct place at, struct diag *d);
struct sec_pm *sec_op_pm_from_file(span argument,
    const struct sec_test_env *env, struct place at, struct diag *d);
struct iptrie *sec_op_ips(span argument, struct place at, struct diag *d);
struct iptrie *sec_op_ips_from_file(span argument,
    const struct sec_test_env *env, struct place at, struct diag *d);
bool sec_op_ip_match(const struct iptrie *ips, span text);

/* --- sec_op_check.c: what a text may be ----------------------------------- */

/* Ranges of bytes that are allowed, in order, apart from one another. */
struct sec_byte_ranges {
	uint8_t low[128];
	uint8_t more[128]; /* up to low + more */
	uint8_t n;
	bool is_allowed[256];
};

/* false with a message. */
bool sec_op_ranges(span argument, struct sec_byte_ranges *out, struct place at,
    struct diag *d);
bool sec_op_is_in_ranges(const struct sec_byte_ranges *r, span text);
bool sec_op_is_utf8(span text);
bool sec_op_is_url_encoded(span text);
/* Whether its digits, whatever is between them, pass the Luhn test. */
bool sec_op_is_card(span text);

#endif
