/* sec_rules: the rules of a phase, in order: chains hold when all their rules
 * do, each value of a target that matches is a match of its own, and what skips
 * or allows is followed. After ModSecurity 2.9: what a rule writes it writes
 * when itself matches, though the rest of its chain may not. */
#include <assert.h>

#include "common/base/check.h"
#include "worker/sec/sec_rx.h"
#include "worker/sec/sec_tx_int.h"

/* What is asked of one value. */
struct trial {
	const struct sec_rule *rule;
	const struct sec_rule *first; /* what begins its chain */
	bool is_last; /* of its chain */
	int32_t pattern; /* in the sieve, or -1 */
	span argument;
	const struct sec_item *item;
};

/* --- a match -------------------------------------------------------------- */

static void
capture(struct sec_tx *tx, const struct sec_hits *hits)
{
	for (uint32_t i = 0; i < SEC_HITS_MAX; i++) {
		int32_t slot = tx->plan->capture_slots[i];

		if (slot < 0)
			continue;
		/* what an operator tells lies in the hits themselves */
		sec_store_slot(tx, slot,
		    i < hits->n
			? sec_value_of(tx, arena_span(tx->a, hits->at[i]))
			: NULL);
	}
}

static void
tell(struct sec_tx *tx, const struct sec_rule *first)
{
	struct sec_message *m = arena_alloc(tx->a, sizeof(*m));

	*m = (struct sec_message){.rule = first,
	    .phase = tx->phase,
	    .is_count = tx->matched_item.is_count,
	    .msg = sec_expand(tx, &first->msg),
	    .data = sec_expand(tx, &first->logdata),
	    .var = sec_matched_name(tx),
	    .value = tx->matched_value == NULL ? (span){0}
					       : tx->matched_value->text};
	*tx->messages_end = m;
	tx->messages_end = (struct sec_message **)(uintptr_t)&m->next;
}

static enum sec_outcome
outcome_of(enum sec_disrupt d)
{
	switch (d) {
	case SEC_DISRUPT_DENY:
		return SEC_OUTCOME_DENY;
	case SEC_DISRUPT_DROP:
		return SEC_OUTCOME_DROP;
	case SEC_DISRUPT_REDIRECT:
		return SEC_OUTCOME_REDIRECT;
	case SEC_DISRUPT_NONE:
	case SEC_DISRUPT_PASS:
	case SEC_DISRUPT_BLOCK:
	case SEC_DISRUPT_ALLOW:
	case SEC_DISRUPT_ALLOW_PHASE:
	case SEC_DISRUPT_ALLOW_REQUEST:
		return SEC_OUTCOME_PASS;
	}
	UNREACHED();
}

#define STATUS_FORBIDDEN 403
#define STATUS_FOUND 302
#define PHASE_LOGGING 5

/* Nothing more needs to be looked at: but for the phase of logging, whose rules
 * see what was refused, too. */
static bool
is_decided(const struct sec_tx *tx)
{
	return tx->outcome != SEC_OUTCOME_PASS && tx->phase != PHASE_LOGGING;
}

/* What sends a client elsewhere; another status, as one of SecDefaultAction, is
 * meant for refusals. */
static uint16_t
redirect_status(uint16_t status)
{
	switch (status) {
	case 301:
	case 303:
	case 307:
	case 308:
		return status;
	default:
		return STATUS_FOUND;
	}
}

static void
refuse(struct sec_tx *tx, const struct sec_rule *first, enum sec_outcome o)
{
	tx->outcome = o;
	tx->status = first->status == 0 ? STATUS_FORBIDDEN : first->status;
	tx->refuser = first;
	if (o != SEC_OUTCOME_REDIRECT)
		return;
	tx->status = redirect_status(first->status);
	tx->redirect = sec_expand(tx, &first->redirect);
}

static void
disrupt(struct sec_tx *tx, const struct sec_rule *first)
{
	enum sec_disrupt d = first->disrupt;
	enum sec_outcome o;

	if (tx->engine != SEC_ON || tx->phase == PHASE_LOGGING)
		return;
	if (d == SEC_DISRUPT_BLOCK)
		d = first->blocks_as;
	if (d == SEC_DISRUPT_ALLOW || d == SEC_DISRUPT_ALLOW_PHASE ||
	    d == SEC_DISRUPT_ALLOW_REQUEST) {
		tx->allowed = d;
		tx->allowed_phase = tx->phase;
		return;
	}
	o = outcome_of(d);
	if (o != SEC_OUTCOME_PASS)
		refuse(tx, first, o);
}

static void
matched(struct sec_tx *tx, const struct trial *t, struct sec_value *v,
    const struct sec_hits *hits)
{
	if (t->item != NULL) {
		tx->matched_value = v;
		tx->matched_item = *t->item;
		tx->matched_name = (span){0};
		sec_items_add(tx, &tx->matched,
		    (struct sec_item){
			.var = t->item->var, .key = t->item->key, .value = v});
	}
	if ((t->rule->flags & SEC_RULE_CAPTURES) != 0 && hits != NULL &&
	    hits->n > 0)
		capture(tx, hits);
	tx->rule = t->rule->id != 0 ? t->rule : t->first;
	sec_act_match(tx, t->rule);
	if (!t->is_last)
		return;
	if ((t->first->flags & SEC_RULE_LOGS) != 0)
		tell(tx, t->first);
	disrupt(tx, t->first);
}

/* --- bounds --------------------------------------------------------------- */

#define US_PER_S 1000000u
#define NS_PER_US 1000u
#define US_PER_MS 1000u

static uint64_t
now_us(clockid_t clock)
{
	struct timespec t;

	REQUIRE(clock_gettime(clock, &t) == 0);
	return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / NS_PER_US;
}

static uint64_t
passed_us(const struct sec_tx *tx)
{
	return tx->spent_us + now_us(CLOCK_MONOTONIC) - tx->phase_us;
}

#define HALF_US (SEC_TX_MS_MAX * US_PER_MS / 2)

/* The clock on the wall is cheap to look at, but goes on while the machine does
 * something else, which is no fault of the request: behind half of the time
 * that of this thread counts. */
static bool
is_late(struct sec_tx *tx)
{
	uint64_t now;

	if (passed_us(tx) <= HALF_US)
		return false;
	now = now_us(CLOCK_THREAD_CPUTIME_ID);
	if (tx->thread_us == 0)
		tx->thread_us = now;
	return tx->computed_us + now - tx->thread_us > HALF_US;
}

static void
phase_end(struct sec_tx *tx)
{
	tx->spent_us = passed_us(tx);
	if (tx->thread_us == 0)
		return;
	tx->computed_us += now_us(CLOCK_THREAD_CPUTIME_ID) - tx->thread_us;
	tx->thread_us = 0;
}

/* Bytes of texts that are asked between two looks at the clock. */
#define LOOK_EACH 4096u

/* Some patterns need time that grows by the square of a text, which no bound of
 * PCRE2's counts. */
static_assert(SEC_RX_MS_MAX >= SEC_TX_MS_MAX,
    "a pattern that was stopped has used up the time of its request");

void
sec_bound_met(struct sec_tx *tx, enum sec_bound bound)
{
	/* without that pattern the others go on */
	if (bound != SEC_BOUND_PATTERN)
		tx->is_over = true;
	if (tx->bound != SEC_BOUND_NONE && tx->bound != SEC_BOUND_PATTERN)
		return;
	tx->bound = bound;
	tx->bound_rule = tx->trying;
}

bool
sec_bound_room(struct sec_tx *tx, size_t more)
{
	if (tx->a->used - tx->begun + more <= SEC_TX_BYTES_MAX)
		return true;
	sec_bound_met(tx, SEC_BOUND_MEMORY);
	return false;
}

static void
look_at_bounds(struct sec_tx *tx)
{
	(void)sec_bound_room(tx, 0);
	if (tx->n_asked < LOOK_EACH)
		return;
	tx->n_asked = 0;
	if (is_late(tx))
		sec_bound_met(tx, SEC_BOUND_TIME);
}

/* --- one rule ------------------------------------------------------------- */

static bool
value_holds(struct sec_tx *tx, const struct trial *t, struct sec_value *v)
{
	struct sec_hits hits;
	enum sec_rc rc;
	bool is_negated = (t->rule->flags & SEC_RULE_IS_NEGATED) != 0;

	hits.n = 0;
	if (t->pattern >= 0 && !sec_value_may(tx, v, t->pattern)) {
		rc = SEC_NO;
	} else if (t->rule->test == NULL) {
		rc = sec_ask(tx, t->rule, v->text);
	} else {
		rc = sec_test_run(t->rule->test, t->argument, v->text, &hits);
		tx->n_asked += v->text.len;
	}
	if (rc == SEC_LIMIT) {
		sec_bound_met(tx, passed_us(tx) > SEC_TX_MS_MAX * US_PER_MS
				      ? SEC_BOUND_TIME
				      : SEC_BOUND_PATTERN);
		return false;
	}
	if ((rc == SEC_YES) == is_negated)
		return false;
	matched(tx, t, v, is_negated ? NULL : &hits);
	return true;
}

/* How many characters are written as %uXXXX. */
static unsigned
escapes(span s)
{
	unsigned n = 0;
	ptrdiff_t at;

	while ((at = span_find(s, SPAN_LIT("%u"))) >= 0) {
		s = span_from(s, (size_t)at + 1);
		n++;
	}
	return n;
}

/* Whether ModSecurity 2.9 says that a transformation changed something: some
 * say so always, one when it made the text shorter, one not when it only left
 * bytes out. What is asked again is counted again. */
static bool
is_changed(
    enum sec_trans t, const struct sec_value *from, const struct sec_value *to)
{
	switch ((int)t) {
	case SEC_TRANS_CMD_LINE:
	case SEC_TRANS_LENGTH:
	case SEC_TRANS_SQL_HEX_DECODE:
		return true;
	case SEC_TRANS_COMPRESS_WHITESPACE:
		return to->text.len != from->text.len;
	case SEC_TRANS_UTF8_TO_UNICODE:
		return escapes(from->text) != escapes(to->text);
	default:
		return to != from;
	}
}

/* Each step of the transformations that changes something is asked. */
static bool
steps_hold(struct sec_tx *tx, const struct trial *t, struct sec_value *v)
{
	const struct sec_chain *c = &tx->set->chains[t->rule->chain];
	bool is_held = value_holds(tx, t, v);

	for (uint32_t i = 0; i < c->n_steps; i++) {
		struct sec_value *next = sec_value_step(tx, v, c->steps[i]);
		bool is_new = is_changed(c->steps[i], v, next);

		v = next;
		if (is_new && !is_decided(tx) && value_holds(tx, t, v))
			is_held = true;
	}
	return is_held;
}

static bool
item_holds(struct sec_tx *tx, const struct trial *t)
{
	struct sec_value *v = t->item->value;

	if ((t->rule->flags & SEC_RULE_MULTI_MATCH) != 0)
		return steps_hold(tx, t, v);
	return value_holds(tx, t, sec_value_chain(tx, v, t->rule->chain));
}

static bool
rule_holds(struct sec_tx *tx, struct trial *t)
{
	const struct sec_rule *r = t->rule;
	const struct sec_items *items;
	bool is_held = false;

	if (r->kind == SEC_KIND_ACTION) {
		matched(tx, t, NULL, NULL);
		return true;
	}
	if (!sec_group_may(tx, r))
		return false;
	items = sec_vars_of_rule(tx, r);
	if (items->n == 0)
		return false;
	t->argument = r->argument.raw;
	if ((r->flags & SEC_RULE_HAS_MACROS) != 0)
		t->argument = r->op == SEC_OP_RX
				  ? sec_expand_pattern(tx, &r->argument)
				  : sec_expand(tx, &r->argument);
	for (uint32_t i = 0; i < items->n; i++) {
		struct sec_item item = items->at[i];

		t->item = &item;
		if (item_holds(tx, t))
			is_held = true;
		look_at_bounds(tx);
		if (is_decided(tx) || tx->is_over)
			break;
	}
	return is_held;
}

/* --- chains and phases ---------------------------------------------------- */

static bool
chain_holds(struct sec_tx *tx, uint32_t first)
{
	const struct sec_rule *r = &tx->set->rules[first];

	if (tx->plan->is_never[first])
		return false;
	tx->matched.n = 0;
	tx->trying = r;
	for (uint32_t i = 0; i <= r->n_chained; i++) {
		struct trial t = {.rule = r + i,
		    .first = r,
		    .is_last = i == r->n_chained,
		    .pattern = tx->plan->pattern_of[first + i]};

		if (!rule_holds(tx, &t))
			return false;
	}
	return true;
}

static bool
is_allowed(const struct sec_tx *tx)
{
	switch ((int)tx->allowed) {
	case SEC_DISRUPT_ALLOW:
		return tx->phase != PHASE_LOGGING;
	case SEC_DISRUPT_ALLOW_PHASE:
		return tx->phase == tx->allowed_phase;
	case SEC_DISRUPT_ALLOW_REQUEST:
		return tx->phase <= 2;
	default:
		return false;
	}
}

static bool
goes_on(const struct sec_tx *tx)
{
	return tx->engine != SEC_OFF && !is_decided(tx) && !tx->is_over &&
	       !is_allowed(tx);
}

/* Where it begins, or goes on. */
static uint32_t
phase_begin(struct sec_tx *tx, uint8_t phase)
{
	bool goes_on = tx->is_waiting && phase == tx->phase;

	REQUIRE((goes_on || phase > tx->phase) && phase <= SEC_PHASES);
	tx->is_waiting = false;
	tx->phase_us = now_us(CLOCK_MONOTONIC);
	if (goes_on)
		return tx->at;
	tx->phase = phase;
	tx->stamp++;
	memset(tx->groups, 0, tx->plan->n_groups * sizeof(*tx->groups));
	return 0;
}

/* Whether the rule cannot be tried yet. */
static bool
must_wait(struct sec_tx *tx, const struct sec_rule *r, uint32_t number)
{
	return tx->plan->asks && tx->phase != PHASE_LOGGING &&
	       r->kind != SEC_KIND_MARKER && !sec_act_is_removed(tx, number) &&
	       sec_ask_waits(tx, r);
}

enum sec_outcome
sec_tx_phase(struct sec_tx *tx, uint8_t phase)
{
	const uint32_t *list = tx->set->by_phase[phase - 1];
	uint32_t n = tx->set->n_by_phase[phase - 1];
	uint32_t i = phase_begin(tx, phase);

	while (i < n && goes_on(tx)) {
		const struct sec_rule *r = &tx->set->rules[list[i]];

		if (must_wait(tx, r, list[i])) {
			tx->is_waiting = true;
			tx->at = i;
			break;
		}
		if (r->kind != SEC_KIND_MARKER &&
		    !sec_act_is_removed(tx, list[i]) &&
		    chain_holds(tx, list[i]))
			i = tx->plan->next_of[list[i]];
		else
			i++;
		look_at_bounds(tx);
	}
	phase_end(tx);
	return tx->is_waiting ? SEC_OUTCOME_WAIT : tx->outcome;
}
