/* sec_tx_int: what the files of the rule engine share. */
#ifndef GH_SEC_TX_INT_H
#define GH_SEC_TX_INT_H

#include "worker/sec/sec_op.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_trans.h"
#include "worker/sec/sec_tx.h"

/* --- values --------------------------------------------------------------- */

/* A text that rules look at, and what each transformation makes of it once
 * somebody asked. Equal texts are one value. */
struct sec_value {
	span text;
	uint64_t hash;
	struct sec_value *next; /* of its bucket */
	struct sec_value *after[SEC_N_TRANS];
	/* Bits of patterns that may match it (sec_sieve); NULL: not asked. */
	uint64_t *may;
};

/* A value under a name: ARGS:a. */
struct sec_item {
	enum sec_var var;
	span key; /* empty for what has none */
	struct sec_value *value;
	bool is_count; /* of how many there are */
};

struct sec_items {
	struct sec_item *at;
	uint32_t n;
	uint32_t cap;
};

/* --- what is ready before requests ---------------------------------------- */

/* Targets that several rules have in common. */
struct sec_list {
	const struct sec_target *targets;
	uint32_t n;
	/* Its values change only between phases. */
	bool is_steady;
};

/* Rules whose patterns look at the same values: a list, transformed alike. */
struct sec_group {
	uint32_t list;
	uint32_t chain;
};

/* Rules that a ctl means by tags or messages: bits by rule. NULL: it means them
 * by their numbers. */
struct sec_meant {
	uint64_t *rules;
};

struct sec_plan {
	const struct sec_set *set;
	struct sec_sieve *sieve;
	bool asks; /* some rule looks for names */
	bool judges_unread; /* some rule looks at REQBODY_ERROR */
	bool judges_doubtful; /* at MULTIPART_STRICT_ERROR */
	uint32_t n_words; /* of 64 bits for its patterns */
	int32_t *pattern_of; /* by rule: its number in the sieve, or -1 */
	struct sec_group *groups;
	uint32_t n_groups;
	uint32_t *group_of; /* by rule with a pattern */
	struct sec_list *lists;
	uint32_t n_lists;
	uint32_t *list_of; /* by rule */
	/* by rule: never holds, because of what configuration fixes */
	bool *is_never;
	uint32_t *next_of; /* by rule: where its phase goes on when it holds */
	/* by rule: what each of its ctls takes away, or NULL */
	struct sec_meant **meant_of;
	int32_t capture_slots[SEC_HITS_MAX];
	const struct sec_fixed *fixed;
	uint32_t n_fixed;
	int32_t *fixed_slots; /* -1: no rule names it */
	bool *is_fixed; /* by slot */
};

/* --- a request ------------------------------------------------------------ */

#define SEC_BUCKETS 256u
/* Targets that ctl takes away from rules. */
struct sec_removal {
	const struct sec_ctl *ctl;
	const struct sec_meant *meant; /* may be NULL */
	struct sec_removal *next;
};

struct sec_named {
	enum sec_var store;
	span name;
	struct sec_value *value; /* NULL: unset again */
	struct sec_named *next;
};

/* A collection that outlives the request. */
struct sec_shelf {
	bool is_open; /* initcol was */
	bool is_changed; /* by this request */
	span name; /* in the table that is shared */
};
#define SEC_SHELVES 5u /* IP, GLOBAL, SESSION, USER, RESOURCE */

struct sec_resolved {
	struct sec_items items;
	uint8_t stamp; /* of tx->stamp when it was made; 0: never */
};

struct sec_tx {
	const struct sec_plan *plan;
	const struct sec_set *set;
	struct arena *a;
	size_t begun; /* of the arena's bytes */
	const struct sec_request *request;

	struct sec_value *buckets[SEC_BUCKETS];
	char *scratch;
	size_t scratch_cap;

	struct sec_items many[SEC_N_VARS];
	struct sec_value *one[SEC_N_VARS];
	struct sec_value **slots; /* of TX */
	struct sec_named *named; /* other names of TX, and other stores */
	const struct sec_share *share; /* NULL: nothing outlives it */
	struct sec_shelf shelves[SEC_SHELVES];
	struct sec_resolved *lists;
	struct sec_sieve_memo *memo;
	uint64_t **groups; /* bits of any value of a group; NULL: not asked */
	struct sec_items counted; /* for &-targets, each time anew */
	struct sec_items left; /* for rules from which ctl took something */
	uint8_t stamp; /* of what is known: changes with each phase */

	/* of the chain that is being tried */
	struct sec_items matched;
	struct sec_value *matched_value;
	struct sec_item matched_item; /* whose value that was, or made from */
	span matched_name; /* of it, once somebody asked */
	const struct sec_rule *rule; /* what %{RULE.id} means */

	uint8_t phase;
	bool is_waiting; /* for a name; the phase goes on at `at` */
	uint32_t at;
	enum sec_switch engine, reads_request, reads_response, audit;
	bool forces_body_variable;
	enum sec_processor processor;
	span body;
	uint64_t *removed; /* bit by rule; NULL: none */
	struct sec_removal *removals;
	uint32_t audit_parts; /* bit by letter */
	bool is_unread; /* its body is not what its type says */
	bool is_doubtful; /* another reader may find other parts in it */
	bool is_over;
	enum sec_bound bound; /* the first one that rules met */
	const struct sec_rule *bound_rule;
	const struct sec_rule *trying; /* what begins the chain */
	uint64_t spent_us; /* in earlier phases */
	size_t n_asked; /* bytes of texts, since the clock was looked at */
	uint64_t phase_us; /* CLOCK_MONOTONIC: when this one began */
	/* behind half of the time: what the thread computed in earlier phases,
	 * and its clock since when it counts in this one; 0: it does not */
	uint64_t computed_us, thread_us;
	/* how far an `allow` goes: rules of that scope are left out */
	enum sec_disrupt allowed;
	uint8_t allowed_phase;

	enum sec_outcome outcome;
	uint16_t status;
	span redirect;
	const struct sec_rule *refuser;
	struct sec_message *messages;
	struct sec_message **messages_end;
};

/* sec_value.c: the value of a text, which must live as long as the arena. */
struct sec_value *sec_value_of(struct sec_tx *tx, span text);
struct sec_value *sec_value_number(struct sec_tx *tx, uint64_t n);
struct sec_value *sec_value_step(
    struct sec_tx *tx, struct sec_value *v, enum sec_trans t);
struct sec_value *sec_value_chain(
    struct sec_tx *tx, struct sec_value *v, uint32_t chain);
/* Whether the pattern may match the value; false is certain. */
bool sec_value_may(struct sec_tx *tx, struct sec_value *v, int32_t pattern);
/* The number that a text begins with, as the C library's strtol has it; 0
 * without one. */
int64_t sec_number(span text);

/* sec_vars.c */
void sec_items_add(
    struct sec_tx *tx, struct sec_items *l, struct sec_item item);
/* Another argument, of ARGS_GET or ARGS_POST, in all collections that hold it. */
void sec_vars_argument(
    struct sec_tx *tx, enum sec_var from, span name, span value);
void sec_vars_item(struct sec_tx *tx, enum sec_var var, span key, span value);
/* The value of a variable without a selector; NULL when it has none. */
struct sec_value *sec_vars_one(struct sec_tx *tx, enum sec_var var);
/* The first value with that key of a variable of many, without a key the first of
 * all, as in ModSecurity 2; NULL when it has none. */
const struct sec_value *sec_vars_first(
    struct sec_tx *tx, enum sec_var var, span key);
/* What the rule looks at. Valid until the next call. */
const struct sec_items *sec_vars_of_rule(
    struct sec_tx *tx, const struct sec_rule *r);
/* The same of a list, though ctl took something away from its rules. */
const struct sec_items *sec_vars_of_list(struct sec_tx *tx, uint32_t list);
/* Whether the rule may hold: false is certain, and found out for all rules of
 * its group at once. */
bool sec_group_may(struct sec_tx *tx, const struct sec_rule *r);
/* "ARGS:a" */
span sec_item_name(struct sec_tx *tx, const struct sec_item *item);
/* The same of what matched last; empty: nothing did. */
span sec_matched_name(struct sec_tx *tx);

/* sec_facts.c: fill in what a request says. */
void sec_facts_request(struct sec_tx *tx);
void sec_facts_arguments(struct sec_tx *tx, enum sec_var from, span text);

/* sec_ask.c: operators that others answer. */
enum sec_rc sec_ask(struct sec_tx *tx, const struct sec_rule *r, span text);
/* Whether names that the chain needs are still being asked. All are asked before
 * any of its rules is tried, so that none of them does anything twice. */
bool sec_ask_waits(struct sec_tx *tx, const struct sec_rule *first);

/* sec_body.c: what reads the body, by its media type; a rule may say otherwise
 * before it comes. */
enum sec_processor sec_body_processor(const struct sec_tx *tx);
/* The body cannot be read as what it should be. */
void sec_body_fault(struct sec_tx *tx, const char *why);

/* sec_store.c: names that rules write. The slot of a name of TX, or -1. */
int32_t sec_store_find(const struct sec_set *set, span name);
struct sec_value *sec_store_get(
    const struct sec_tx *tx, enum sec_var store, span name);
/* NULL: unset. The name must live as long as the arena. */
void sec_store_put(
    struct sec_tx *tx, enum sec_var store, span name, struct sec_value *value);
void sec_store_slot(struct sec_tx *tx, int32_t slot, struct sec_value *value);

/* sec_shelf.c: whether the store is one that outlives requests; then initcol,
 * setvar and expirevar go there. */
bool sec_shelf_keeps(struct sec_tx *tx, enum sec_var store);
void sec_shelf_open(struct sec_tx *tx, const struct sec_open *o);
void sec_shelf_change(
    struct sec_tx *tx, const struct sec_assign *s, span name, span value);
void sec_shelf_expire(struct sec_tx *tx, const struct sec_assign *s);

/* sec_rules.c: a bound was met, now. */
void sec_bound_met(struct sec_tx *tx, enum sec_bound bound);
/* Whether the request has room for so many bytes more; if not, that is a bound
 * that was met. */
bool sec_bound_room(struct sec_tx *tx, size_t more);

/* sec_expand.c: a text with its macros replaced. */
span sec_expand(struct sec_tx *tx, const struct sec_text *t);
/* The same as a pattern of rx, in which what macros stand for is text. */
span sec_expand_pattern(struct sec_tx *tx, const struct sec_text *t);

/* sec_act.c: what a rule does when it holds, but for refusing. */
void sec_act_match(struct sec_tx *tx, const struct sec_rule *r);
/* Whether a ctl takes away (rules, or their targets) by what rules say of
 * themselves, which is worth to be found out once. */
bool sec_act_asks_rules(const struct sec_ctl *c);
/* Whether a ctl that takes away means the rule that begins a chain. */
bool sec_act_means(const struct sec_ctl *c, const struct sec_rule *r);
/* Parts of the audit log as SecAuditLogParts and ctl write them, of those that
 * were said before. */
uint32_t sec_act_parts(uint32_t before, span letters);
/* Whether ctl took the rule away. */
bool sec_act_is_removed(const struct sec_tx *tx, uint32_t rule);

#endif
