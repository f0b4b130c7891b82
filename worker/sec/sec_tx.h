/* sec_tx: one request before the rules of a set, phase after phase. Knows
 * nothing of exchanges, sockets or logs: facts come in as texts, and what the
 * rules say comes out as an outcome and messages. Everything it needs lives in
 * the arena it is given; nothing is freed one by one. */
#ifndef GH_SEC_TX_H
#define GH_SEC_TX_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/shm/slot.h"
#include "worker/sec/sec_set.h"

struct collections;
struct sec_plan;
struct sec_sieve_memo;
struct sec_tx;

/* What is made ready once from a set: which rules look at the same, where the
 * captures go. Values that configuration fixes (`fixed`): rules read them and
 * cannot change them. Both must outlive it. Read-only when made. */
struct sec_fixed {
	span name; /* of TX */
	span value;
};

struct sec_plan *sec_plan_new(
    const struct sec_set *set, const struct sec_fixed *fixed, uint32_t n_fixed);
/* NULL is allowed. */
void sec_plan_free(struct sec_plan *p);
/* What one process remembers of the plan's patterns, in at most `bytes`
 * (sec_sieve_memo_free()). */
struct sec_sieve_memo *sec_plan_memo(const struct sec_plan *p, size_t bytes);

struct sec_field {
	span name;
	span value;
};

/* Of a minute: how often a client asked for what is not there, and for how many
 * different paths. */
struct sec_rates {
	uint32_t not_found;
	uint32_t paths;
};

/* Whether a list of names (RFC 5782) has one. */
enum sec_look {
	SEC_LOOK_NO, /* also when nobody can tell */
	SEC_LOOK_YES,
	SEC_LOOK_WAITS /* it is being asked: try the phase again later */
};

/* Fields that GEO has at most. */
#define SEC_GEO_MAX 16u

/* Facts of a request. The texts must outlive the sec_tx. */
struct sec_request {
	span method;
	span target; /* as the client sent it */
	span protocol; /* "HTTP/1.1" */
	const struct sec_field *fields;
	uint32_t n_fields;
	span remote_addr, server_name;
	span remote_host; /* its name, where it is proved; or empty */
	/* the kernel has to be asked for it, and few rules do; NULL: there is
	 * none. The text must outlive the sec_tx. */
	span (*server_addr)(void *self);
	void *self;
	uint16_t remote_port, server_port;
	/* Whether a name has an address, of a list of senders or hosts (@rbl).
	 * NULL: nobody knows. */
	enum sec_look (*look)(void *self, span name);
	/* where an address is, as fields of GEO; 0: it is not known. The texts
	 * must outlive the sec_tx. NULL: nobody knows. */
	uint32_t (*locate)(
	    void *self, span address, struct sec_field out[SEC_GEO_MAX]);
	/* what the client did of late, for the rules that ask; NULL: it is not
	 * known */
	struct sec_rates (*rates)(void *self);
	span user; /* empty: nobody who is known */
	span id;
	struct timespec now; /* CLOCK_REALTIME */
};

/* Where collections are kept beyond the request (initcol), and who asks. Those
 * of another scope are others. */
struct sec_share {
	struct collections *table;
	const struct slots *slots;
	struct slot_name me;
	span scope;
};

struct sec_answer {
	uint16_t status;
	span reason;
	span protocol;
	const struct sec_field *fields;
	uint32_t n_fields;
};

enum sec_outcome {
	SEC_OUTCOME_PASS,
	SEC_OUTCOME_DENY, /* with sec_tx_status() */
	SEC_OUTCOME_DROP, /* the connection */
	SEC_OUTCOME_REDIRECT, /* to sec_tx_redirect(), with sec_tx_status() */
	SEC_OUTCOME_WAIT /* a name is looked for: run the same phase again, which
	                    goes on where it stopped */
};

/* What was met. */
enum sec_bound {
	SEC_BOUND_NONE,
	SEC_BOUND_PATTERN, /* its effort: it did not match */
	SEC_BOUND_TIME,
	SEC_BOUND_MEMORY,
	SEC_BOUND_ARGUMENTS /* of the request, or parts of its body */
};

/* A rule that logged. */
struct sec_message {
	const struct sec_message *next; /* in the order of matches */
	const struct sec_rule *rule; /* what begins the chain */
	uint8_t phase;
	bool is_count; /* what matched last is how many of `var` there are */
	span msg, data; /* with macros replaced */
	span var; /* name of what matched last: "ARGS:a"; may be empty */
	span value; /* what it was when it matched */
};

/* Bounds of one request: bytes of its arena, and time of all its rules, which is
 * looked at between them, and within those whose pattern takes long over a long
 * text; of its second half only what is computed for it counts. Beyond, no rule
 * is tried any more, and sec_tx_is_over() says so. */
#define SEC_TX_BYTES_MAX (16u << 20)
#define SEC_TX_MS_MAX 500u

/* The memo is the process's, of this plan. */
struct sec_tx *sec_tx_new(const struct sec_plan *p, struct sec_sieve_memo *memo,
    struct arena *a, const struct sec_request *request);

/* Before the first phase; it must outlive tx. Without it collections end with
 * the request. */
void sec_tx_share(struct sec_tx *tx, const struct sec_share *share);
/* Rules never refuse, as with SecRuleEngine DetectionOnly, unless they say
 * themselves that they do. */
void sec_tx_detect(struct sec_tx *tx);
/* As if a rule had done this; it must outlive tx. */
void sec_tx_control(struct sec_tx *tx, const struct sec_ctl *c);

/* The request's body, whole or its first part, before phase 2. */
void sec_tx_body(struct sec_tx *tx, span body);
/* Behind it: its coding could not be taken away, or not to its end. */
void sec_tx_body_is_broken(struct sec_tx *tx);
/* Whether phase 2 and 4 want to see a body, as directives and ctl have it. */
bool sec_tx_wants_body(const struct sec_tx *tx);
bool sec_tx_wants_answer_body(const struct sec_tx *tx, span media_type);
/* The answer, before phase 3, and its body, before phase 4. */
void sec_tx_answer(struct sec_tx *tx, const struct sec_answer *answer);
void sec_tx_answer_body(struct sec_tx *tx, span body);
/* That body is without its coding: for rules from here on the answer has no
 * Content-Encoding, for which sets of rules leave a body out. */
void sec_tx_answer_decoded(struct sec_tx *tx);

/* Run the rules of a phase (1 to 5), each at most once, in order. In phase 5
 * nothing is refused any more, and nobody waits. */
enum sec_outcome sec_tx_phase(struct sec_tx *tx, uint8_t phase);

uint16_t sec_tx_status(const struct sec_tx *tx);
span sec_tx_redirect(const struct sec_tx *tx);
/* The rule that refused, or NULL. */
const struct sec_rule *sec_tx_refuser(const struct sec_tx *tx);
const struct sec_message *sec_tx_messages(const struct sec_tx *tx);
/* The value of a name in TX; empty when it is not set. */
span sec_tx_value(const struct sec_tx *tx, span name);
/* A bound was reached: of memory, of time, or of arguments. What rules were not
 * tried or did not see is unknown. */
bool sec_tx_is_over(const struct sec_tx *tx);
/* The bound that was met, and the rule that began the chain which was tried then
 * (NULL: it was none of a rule's): the one that ended all, or the last of a
 * pattern. */
enum sec_bound sec_tx_bound(
    const struct sec_tx *tx, const struct sec_rule **rule);
/* Whether the request's body could not be read as what it is by its type, so that
 * rules did not see it as arguments, or others may read it otherwise, and none of
 * them asks for that (REQBODY_ERROR; MULTIPART_STRICT_ERROR), while the engine is
 * not off. */
bool sec_tx_is_unread(const struct sec_tx *tx);
/* Whether the engine is on, and not only to tell. */
bool sec_tx_may_refuse(const struct sec_tx *tx);
/* Whether matches of this request are to be told in the audit log. */
bool sec_tx_is_audited(const struct sec_tx *tx);
/* Whether a part of it is wanted: A to Z. */
bool sec_tx_audits_part(const struct sec_tx *tx, char letter);

#endif
