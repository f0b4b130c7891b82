/* sec_plan: what rules have in common, found once from a set. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/sec/sec_tx_int.h"

/* Whether the values of a variable stay the same within a phase. */
static bool
var_is_steady(enum sec_var v)
{
	return sec_var_shape(v) != SEC_SHAPE_STORE &&
	       v != SEC_VAR_MATCHED_VAR && v != SEC_VAR_MATCHED_VARS &&
	       v != SEC_VAR_MATCHED_VARS_NAMES &&
	       v != SEC_VAR_MATCHED_VAR_NAME && v != SEC_VAR_DURATION &&
	       v != SEC_VAR_REQBODY_PROCESSOR && v != SEC_VAR_REQUEST_BODY;
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

/* Patterns whose text is known now go into the sieve. */
static void
plan_pattern(struct sec_plan *p, uint32_t rule)
{
	const struct sec_rule *r = &p->set->rules[rule];

	p->pattern_of[rule] = -1;
	if (r->kind != SEC_KIND_RULE || r->op != SEC_OP_RX ||
	    (r->flags & SEC_RULE_HAS_MACROS) != 0)
		return;
	p->pattern_of[rule] = sec_sieve_add(p->sieve, r->argument.raw);
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

static void *
room(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	REQUIRE(p != NULL);
	return p;
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
	for (uint32_t i = 0; i < set->n_rules; i++) {
		plan_rule(p, i);
		plan_pattern(p, i);
	}
	sec_sieve_done(p->sieve);
	p->n_words = sec_sieve_count(p->sieve) / 64 + 1;
	for (uint32_t i = 0; i < SEC_HITS_MAX; i++) {
		char digit = (char)('0' + i);

		p->capture_slots[i] = sec_store_find(set, span_of(&digit, 1));
	}
	plan_fixed(p);
	return p;
}

void
sec_plan_free(struct sec_plan *p)
{
	if (p == NULL)
		return;
	sec_sieve_free(p->sieve);
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
