/* sec_set: rule files, read. What a set holds is what the files say, in order,
 * with all names resolved: who runs the rules never looks at their text again.
 * A set is made before the fork and read-only then. Source: ModSecurity 2.9
 * reference manual. */
#ifndef GH_SEC_SET_H
#define GH_SEC_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/sec/sec_names.h"

struct regex;
struct sec_test;
struct sec_unicode;

#define SEC_PHASES 5

/* --- texts with macros: "%{tx.a} in %{MATCHED_VAR_NAME}" ------------------ */

struct sec_part {
	bool is_literal;
	span
	    text; /* the literal; else the selector, as written; may be empty */
	enum sec_var var;
	int32_t slot; /* of TX: see sec_set.tx_names; else -1 */
};

struct sec_text {
	span raw; /* as written; what regexes of messages and tags look at */
	const struct sec_part *parts; /* one literal or none: a constant */
	uint32_t n_parts;
};

/* --- what a rule looks at ------------------------------------------------- */

enum sec_select { SEC_SELECT_ALL, SEC_SELECT_KEY, SEC_SELECT_REGEX };

struct sec_target {
	enum sec_var var;
	enum sec_select select;
	bool is_count; /* & */
	bool is_excluded; /* ! : takes away from the others of its rule */
	span key; /* of KEY, and the path of XML; compared without case */
	int32_t slot; /* TX by key; else -1 */
	const struct regex *regex;
};

/* --- what a rule does ----------------------------------------------------- */

enum sec_disrupt {
	SEC_DISRUPT_NONE, /* a rule inside a chain: its first one says */
	SEC_DISRUPT_PASS,
	SEC_DISRUPT_BLOCK, /* what the default action of the phase says */
	SEC_DISRUPT_DENY,
	SEC_DISRUPT_DROP,
	SEC_DISRUPT_REDIRECT,
	SEC_DISRUPT_ALLOW, /* the rest of all phases but logging */
	SEC_DISRUPT_ALLOW_PHASE,
	SEC_DISRUPT_ALLOW_REQUEST
};

enum sec_set_op { SEC_SET_ASSIGN, SEC_SET_ADD, SEC_SET_SUB, SEC_SET_UNSET };

/* setvar, expirevar */
struct sec_assign {
	enum sec_var store; /* TX, IP, GLOBAL, SESSION, USER, RESOURCE */
	enum sec_set_op op;
	struct sec_text name;
	int32_t slot; /* TX with a constant name; else -1 */
	struct sec_text value; /* of expirevar: seconds */
};

/* initcol, and setsid, setuid (their store is SESSION, USER) */
struct sec_open {
	enum sec_var store;
	bool is_named; /* setsid, setuid: SESSIONID and USERID are it, too */
	struct sec_text key;
};

enum sec_ctl_kind {
#define SEC_CTL(kind, name, value) SEC_CTL_##kind,
#include "worker/sec/sec_ctl.def"
#undef SEC_CTL
	SEC_N_CTLS
};

/* On and Off; DetectionOnly and RelevantOnly are SEC_PARTLY. */
enum sec_switch { SEC_OFF, SEC_ON, SEC_PARTLY };

enum sec_processor {
	SEC_BODY_NONE,
	SEC_BODY_URLENCODED,
	SEC_BODY_MULTIPART,
	SEC_BODY_JSON,
	SEC_BODY_XML
};

struct sec_ctl {
	enum sec_ctl_kind kind;
	enum sec_switch to; /* of switches */
	enum sec_processor processor;
	uint64_t first, last; /* ids, both included */
	const struct regex *regex; /* tags or messages */
	struct sec_target target; /* of REMOVE_TARGET */
	span text; /* parts of the audit log */
};

enum sec_kind {
	SEC_KIND_RULE,
	SEC_KIND_ACTION, /* no operator: always holds */
	SEC_KIND_MARKER /* nothing but a place to skip to */
};

#define SEC_RULE_CAPTURES 1u
#define SEC_RULE_MULTI_MATCH 2u
#define SEC_RULE_LOGS 4u
#define SEC_RULE_AUDITS 8u
#define SEC_RULE_IS_NEGATED 16u
/* The operator's argument has macros: sec_rule.argument. */
#define SEC_RULE_HAS_MACROS 32u

#define SEC_SEVERITY_NONE 8 /* 0 emergency .. 7 debug */

struct sec_rule {
	enum sec_kind kind;
	uint8_t phase; /* 1 to 5 */
	uint8_t severity;
	uint8_t flags;
	/* Rules of this chain that follow in rules[]: the whole holds when all
	 * do. Only what begins a chain counts it. */
	uint16_t n_chained;
	bool is_chained; /* belongs to the one before */
	uint64_t id; /* 0 inside a chain */
	struct place at;
	span file;

	const struct sec_target *targets;
	uint32_t n_targets;
	/* A number for its transformations: sec_set.chains[chain]. */
	uint32_t chain;
	enum sec_op op;
	const struct sec_test *test; /* NULL: rbl, geoLookup */
	struct sec_text argument;

	enum sec_disrupt disrupt;
	/* What `block` means here, never BLOCK itself: what SecDefaultAction
	 * said last for the phase before the rule. */
	enum sec_disrupt blocks_as;
	uint16_t status; /* 0: nobody says */
	struct sec_text redirect;
	/* Index in rules[] of what is next when it holds (skip, skipAfter):
	 * what begins a chain or marks, or n_rules; 0: simply the next. */
	uint32_t skip_to;

	struct sec_text msg, logdata;
	const span *tags;
	uint32_t n_tags;
	span rev, ver;
	const struct sec_assign *sets;
	uint32_t n_sets;
	const struct sec_assign *expires;
	uint32_t n_expires;
	const struct sec_open *opens;
	uint32_t n_opens;
	const struct sec_ctl *ctls;
	uint32_t n_ctls;
};

/* A list of transformations that some rule uses; chain 0 is the empty one. */
struct sec_chain {
	const enum sec_trans *steps;
	uint32_t n_steps;
	/* The chain that is this one without its last step. */
	uint32_t before;
};

enum sec_limit_action { SEC_LIMIT_REJECT, SEC_LIMIT_PARTIAL };

/* Directives that hold for all rules; the last one said counts. */
struct sec_options {
	enum sec_switch engine; /* On unless said */
	enum sec_switch reads_request; /* On unless said */
	enum sec_switch reads_response;
	uint64_t request_max, request_no_files_max, response_max;
	enum sec_limit_action request_over, response_over;
	uint32_t request_json_depth; /* SecRequestBodyJsonDepthLimit */
	uint32_t arguments_max; /* SecArgumentsLimit */
	uint32_t files_max; /* SecUploadFileLimit */
	uint32_t collection_timeout_s;
	uint32_t match_limit; /* of what is read behind it; 0: not said */
	char argument_separator;
	uint8_t cookie_format; /* 0 or 1 */
	span signature; /* SecComponentSignature, joined by blanks */
	const span *response_types;
	uint32_t n_response_types;
	enum sec_switch audit; /* RelevantOnly unless said */
	span audit_parts;
	struct sec_unicode *unicode; /* may be NULL */
};

struct sec_set {
	struct sec_options options;
	/* In order of the files, chains whole; a marker stands where it stood. */
	struct sec_rule *rules;
	uint32_t n_rules;
	/* Indexes of what begins a chain or marks, of each phase, in order;
	 * markers are in all. */
	uint32_t *by_phase[SEC_PHASES];
	uint32_t n_by_phase[SEC_PHASES];
	struct sec_chain *chains;
	uint32_t n_chains;
	/* Constant names of TX that some rule reads or writes, in lower case: a
	 * slot is an index here. */
	span *tx_names;
	uint32_t n_tx_names;
};

/* What else is to be read, and from whom: files in order. */
struct sec_load {
	const char *const *paths;
	uint32_t n_paths;
};

/* Read the files. Problems go to d with file, line and column, all of them;
 * NULL when there was an error. */
struct sec_set *sec_set_new(const struct sec_load *l, struct diag *d);
/* The same of a text (tests, fuzzing); files that it names are looked for in
 * `folder`. */
struct sec_set *sec_set_new_text(
    const char *name, span text, const char *folder, struct diag *d);
/* NULL is allowed. */
void sec_set_free(struct sec_set *set);

#endif
