/* sec_plan: what rules have in common, found once from a set. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/sec/sec_tx_int.h"

static void *
room(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	REQUIRE(p != NULL);
	return p;
}

/* Whether the values of a variable stay the same within a phase. */
static bool
var_is_steady(enum sec_var v)
{
	return sec_var_shape(v) != SEC_SHAPE_STORE &&
	       v != SEC_VAR_MATCHED_VAR && v != SEC_VAR_MATCHED_VARS &&
	       v != SEC_VAR_MATCHED_VARS_NAMES &&
	       v != SEC_VAR_MATCHED_VAR_NAME && v != SEC_VAR_DURATION &&
	       v != SEC_VAR_GEO && v != SEC_VAR_REQBODY_PROCESSOR &&
	       v != SEC_VAR_REQUEST_BODY;
}

static bool
targets_are_equal(
    const struct sec_target *a, const struct sec_target *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (a[i].var != b[i].var || a[i].select != b[i].select ||
		    a[i].is_count != b[i].is_count ||
		    a[i].is_excluded != b[i].is_excluded ||
		    !span_eq(a[i].key, b[i].key))
			return false;
	return true;
}

static uint32_t
list_find(const struct sec_plan *p, const struct sec_rule *r)
{
	for (uint32_t i = 0; i < p->n_lists; i++)
		if (p->lists[i].n == r->n_targets &&
		    targets_are_equal(
			p->lists[i].targets, r->targets, r->n_targets))
			return i;
	return p->n_lists;
}

static void
plan_rule(struct sec_plan *p, uint32_t rule)
{
	const struct sec_rule *r = &p->set->rules[rule];
	uint32_t i = list_find(p, r);

	p->list_of[rule] = i;
	if (i < p->n_lists)
		return;
	p->lists[i] = (struct sec_list){
	    .targets = r->targets, .n = r->n_targets, .is_steady = true};
	for (uint32_t k = 0; k < r->n_targets; k++)
		if (!var_is_steady(r->targets[k].var))
			p->lists[i].is_steady = false;
	p->n_lists++;
}

static uint32_t
group_find(struct sec_plan *p, uint32_t list, uint32_t chain)
{
	uint32_t i = 0;

	while (i < p->n_groups &&
	       (p->groups[i].list != list || p->groups[i].chain != chain))
		i++;
	if (i == p->n_groups)
		p->groups[p->n_groups++] = (struct sec_group){list, chain};
	return i;
}

/* Patterns whose text is known now, and phrases, go into the sieve. */
static void
plan_pattern(struct sec_plan *p, uint32_t rule)
{
	const struct sec_rule *r = &p->set->rules[rule];

	if (r->kind != SEC_KIND_RULE)
		return;
	if (r->op == SEC_OP_RX && (r->flags & SEC_RULE_HAS_MACROS) == 0)
		p->pattern_of[rule] = sec_sieve_add(p->sieve, r->argument.raw);
	else if (r->op == SEC_OP_PM || r->op == SEC_OP_PM_FROM_FILE)
		p->pattern_of[rule] =
		    sec_sieve_add_phrases(p->sieve, sec_test_phrases(r->test));
	if (p->pattern_of[rule] >= 0)
		p->group_of[rule] = group_find(p, p->list_of[rule], r->chain);
}

static void
plan_fixed(struct sec_plan *p)
{
	for (uint32_t i = 0; i < p->n_fixed; i++) {
		p->fixed_slots[i] = sec_store_find(p->set, p->fixed[i].name);
		if (p->fixed_slots[i] >= 0)
			p->is_fixed[p->fixed_slots[i]] = true;
	}
}

/* --- what is known before any request -------------------------------------- */

enum fate { FATE_UNKNOWN, FATE_NEVER, FATE_ALWAYS };

/* A rule about a value that configuration fixes always says the same, as long as
 * it is there. */
static enum fate
fate_of(const struct sec_plan *p, const struct sec_rule *r)
{
	const struct sec_target *t = r->targets;
	bool is_negated = (r->flags & SEC_RULE_IS_NEGATED) != 0;

	if (r->kind != SEC_KIND_RULE || r->test == NULL || r->n_targets != 1 ||
	    t->var != SEC_VAR_TX || t->is_count || t->slot < 0 ||
	    !p->is_fixed[t->slot] || r->chain != 0 ||
	    (r->flags & SEC_RULE_HAS_MACROS) != 0)
		return FATE_UNKNOWN;
	for (uint32_t i = 0; i < p->n_fixed; i++)
		if (p->fixed_slots[i] == t->slot)
			return (sec_test_run(r->test, r->argument.raw,
				    p->fixed[i].value, NULL) == SEC_YES) !=
				       is_negated
				   ? FATE_ALWAYS
				   : FATE_NEVER;
	return FATE_UNKNOWN;
}

/* What a rule that always holds skips is not run, unless a ctl takes that rule
 * away: then it is run without the sieve. */
static void
plan_skipped(const struct sec_plan *p, uint32_t rule, bool *is_skipped)
{
	const struct sec_rule *r = &p->set->rules[rule];

	for (uint32_t i = rule + 1; i < r->skip_to; i++) {
		const struct sec_rule *first = &p->set->rules[i];

		if (first->is_chained || first->phase != r->phase)
			continue;
		for (uint32_t k = 0; k <= first->n_chained; k++)
			is_skipped[i + k] = true;
	}
}

static void
plan_fates(struct sec_plan *p, bool *is_skipped)
{
	for (uint32_t i = 0; i < p->set->n_rules; i++) {
		const struct sec_rule *r = &p->set->rules[i];
		enum fate fate = r->is_chained ? FATE_UNKNOWN : fate_of(p, r);

		p->is_never[i] = fate == FATE_NEVER;
		for (uint32_t k = 0; fate == FATE_NEVER && k <= r->n_chained;
		     k++)
			is_skipped[i + k] = true;
		if (fate == FATE_ALWAYS && r->n_chained == 0)
			plan_skipped(p, i, is_skipped);
	}
}

/* Where each phase goes on when a rule of it holds. */
static void
plan_next(struct sec_plan *p, unsigned phase)
{
	const uint32_t *list = p->set->by_phase[phase];
	uint32_t n = p->set->n_by_phase[phase];

	for (uint32_t i = 0; i < n; i++) {
		const struct sec_rule *r = &p->set->rules[list[i]];
		uint32_t next = i + 1;

		if (r->kind == SEC_KIND_MARKER)
			continue;
		while (next < n && list[next] < r->skip_to)
			next++;
		p->next_of[list[i]] = next;
	}
}

static void
plan_meant(struct sec_plan *p, const struct sec_ctl *c, struct sec_meant *m)
{
	const struct sec_set *set = p->set;

	if (!sec_act_asks_rules(c))
		return;
	m->rules = room((set->n_rules + 63) / 64, sizeof(*m->rules));
	for (uint32_t i = 0; i < set->n_rules; i++)
		if (set->rules[i].id != 0 && sec_act_means(c, &set->rules[i]))
			m->rules[i / 64] |= UINT64_C(1) << (i % 64);
}

static void
plan_ctls(struct sec_plan *p, uint32_t rule)
{
	const struct sec_rule *r = &p->set->rules[rule];

	if (r->n_ctls == 0)
		return;
	p->meant_of[rule] = room(r->n_ctls, sizeof(*p->meant_of[rule]));
	for (uint32_t i = 0; i < r->n_ctls; i++)
		plan_meant(p, &r->ctls[i], &p->meant_of[rule][i]);
}

static void
plan_rules(struct sec_plan *p)
{
	const struct sec_set *set = p->set;
	bool *is_skipped = room(set->n_rules, sizeof(*is_skipped));

	plan_fates(p, is_skipped);
	for (unsigned phase = 0; phase < SEC_PHASES; phase++)
		plan_next(p, phase);
	for (uint32_t i = 0; i < set->n_rules; i++) {
		plan_rule(p, i);
		plan_ctls(p, i);
		p->pattern_of[i] = -1;
		if (!is_skipped[i])
			plan_pattern(p, i);
	}
	free(is_skipped);
}

struct sec_plan *
sec_plan_new(
    const struct sec_set *set, const struct sec_fixed *fixed, uint32_t n_fixed)
{
	struct sec_plan *p = room(1, sizeof(*p));

	*p = (struct sec_plan){.set = set, .fixed = fixed, .n_fixed = n_fixed};
	p->lists = room(set->n_rules, sizeof(*p->lists));
	p->list_of = room(set->n_rules, sizeof(*p->list_of));
	p->fixed_slots = room(n_fixed, sizeof(*p->fixed_slots));
	p->is_fixed = room(set->n_tx_names, sizeof(*p->is_fixed));
	p->sieve = sec_sieve_new();
	p->pattern_of = room(set->n_rules, sizeof(*p->pattern_of));
	p->group_of = room(set->n_rules, sizeof(*p->group_of));
	p->groups = room(set->n_rules, sizeof(*p->groups));
	p->is_never = room(set->n_rules, sizeof(*p->is_never));
	p->next_of = room(set->n_rules, sizeof(*p->next_of));
	p->meant_of = room(set->n_rules, sizeof(*p->meant_of));
	plan_fixed(p);
	plan_rules(p);
	sec_sieve_done(p->sieve);
	p->n_words = sec_sieve_count(p->sieve) / 64 + 1;
	for (uint32_t i = 0; i < set->n_rules; i++) {
		const struct sec_rule *r = &set->rules[i];

		p->asks |= r->kind == SEC_KIND_RULE && r->op == SEC_OP_RBL;
		for (uint32_t k = 0; k < r->n_targets; k++) {
			enum sec_var var = r->targets[k].var;

			p->judges_unread |= var == SEC_VAR_REQBODY_ERROR;
			p->judges_doubtful |=
			    var == SEC_VAR_MULTIPART_STRICT_ERROR;
		}
	}
	for (uint32_t i = 0; i < SEC_HITS_MAX; i++) {
		char digit = (char)('0' + i);

		p->capture_slots[i] = sec_store_find(set, span_of(&digit, 1));
	}
	return p;
}

static void
free_meant(struct sec_plan *p)
{
	for (uint32_t i = 0; i < p->set->n_rules; i++) {
		for (uint32_t k = 0;
		     p->meant_of[i] != NULL && k < p->set->rules[i].n_ctls; k++)
			free(p->meant_of[i][k].rules);
		free(p->meant_of[i]);
	}
	free(p->meant_of);
}

void
sec_plan_free(struct sec_plan *p)
{
	if (p == NULL)
		return;
	sec_sieve_free(p->sieve);
	free_meant(p);
	free(p->is_never);
	free(p->next_of);
	free(p->pattern_of);
	free(p->group_of);
	free(p->groups);
	free(p->lists);
	free(p->list_of);
	free(p->fixed_slots);
	free(p->is_fixed);
	free(p);
}

struct sec_sieve_memo *
sec_plan_memo(const struct sec_plan *p, size_t bytes)
{
	return sec_sieve_memo_new(p->sieve, bytes);
}
