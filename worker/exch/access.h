/* exch/access: who may and who may not. Lists are compiled and judged by
 * worker/acl; whoever holds one asks it through its own `judge`, so that nobody
 * else knows what the lines say. */
#ifndef GH_ACCESS_H
#define GH_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/exch/verdict.h"

struct acl_line; /* worker/acl */
struct exch;
struct exch_access;

/* Lines of `allow` and `deny`, those of the nearest scope first, in file order
 * within one; the first that matches decides. A list that holds an `allow` ends
 * in deny all, one of only `deny` in allow all; a [forward]'s always ends in
 * deny all. */
struct plan_access {
	/* NULL: there is no list, and everybody is let on. Else as a stage is
	 * called: NEXT: *st tells what was decided; WAIT: it is asked again
	 * with the same *st, zeroed at first; REPLY and FAULT: somebody who was
	 * asked for an identity or an address said so. */
	enum verdict (*judge)(struct exch *x, const struct plan_access *l,
	    struct exch_access *st);
	const struct acl_line *const *at;
	uint32_t n;
	uint32_t n_near; /* of them, those that rules put in front */
	bool has_allow; /* a line of it is one */
	bool is_closed; /* it ends in deny all, whatever its lines */
	bool is_log_only; /* a refusal is only logged */
};

/* What a list said about an exchange, or how far it has come. */
struct exch_access {
	uint32_t line; /* that is judged next; those before it did not match */
	uint32_t
	    late_line; /* 1 + the first that waits for the answer; 0: none */
	bool late_allows; /* one of those that wait is an `allow` */
	bool late_denies; /* one is a `deny` */
	bool knows_user; /* nobody is asked again who it is */
	bool knows_address; /* or where it goes */
	bool is_answer; /* the head of the answer is there */
	bool is_decided;
	bool is_pending; /* let on as far as can be told before the answer */
	bool is_denied; /* also when it was let on nevertheless, and only
	                   logged */
	bool is_doubtful; /* because a line could not be judged */
	span rule; /* the line that decided, as written; or "deny all" */
	span acl; /* the first [acl] of that line; empty: none */
	span category; /* of the host, by which that line decided; or empty */
	struct place at; /* of the line; line 0: the end decided */
	const struct acl_line *tried; /* the first `deny` that held and is only
	                                 logged; or NULL */
};

#endif
