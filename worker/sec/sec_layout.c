/* sec_layout: drafts become the set: arrays in order, with places to skip to,
 * and chains of transformations by number. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_int.h"

static void *
array_new(struct sec_build *b, size_t n, size_t size)
{
	size_t len;

	REQUIRE(size_mul(n, size, &len));
	return arena_zalloc(b->a, len);
}

/* --- where to skip -------------------------------------------------------- */

/* Numbers in the set; what was taken away has that of what comes next. */
static uint32_t
number_drafts(struct sec_build *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->drafts.n; i++) {
		struct sec_draft *r = b->drafts.at[i];

		r->index = n;
		n += r->is_removed ? 0 : 1;
	}
	return n;
}

/* The number of what comes behind the chain that begins with draft i. */
static uint32_t
index_behind(const struct sec_build *b, uint32_t i)
{
	const struct sec_draft *r;

	for (i++; i < b->drafts.n; i++) {
		r = b->drafts.at[i];
		if (!r->is_chained)
			return r->index;
	}
	return b->set->n_rules;
}

/* Markers are called by their name, rules by their id. */
static bool
is_called(const struct sec_draft *r, span name)
{
	uint64_t id;

	if (r->kind == SEC_KIND_MARKER)
		return span_eq(r->marker, name);
	return !r->is_chained && span_u64(name, UINT32_MAX, &id) &&
	       id == r->actions.id;
}

static void
marker_missing(struct sec_build *b, const struct sec_draft *from, span name)
{
	const char **names = calloc(b->drafts.n, sizeof(*names));
	const char *like;
	size_t n = 0;

	REQUIRE(names != NULL);
	for (uint32_t i = 0; i < b->drafts.n; i++) {
		const struct sec_draft *r = b->drafts.at[i];

		if (r->kind == SEC_KIND_MARKER)
			names[n++] = r->marker.p;
	}
	like = diag_suggest(name, names, n);
	diag_error(b->d, from->actions.skip_at,
	    "no marker '%.*s' stands behind the rule%s%s%s", SPAN_FMT(name),
	    like != NULL ? ": is it '" : "", like != NULL ? like : "",
	    like != NULL ? "'?" : "");
	free(names);
}

static uint32_t
skip_after(struct sec_build *b, uint32_t from)
{
	const struct sec_draft *rule = b->drafts.at[from];
	span name = rule->actions.skip_after;

	for (uint32_t i = from + 1; i < b->drafts.n; i++)
		if (is_called(b->drafts.at[i], name))
			return index_behind(b, i);
	marker_missing(b, rule, name);
	return 0;
}

/* So many rules of the same phase, chains counting as one. */
static uint32_t
skip_some(struct sec_build *b, uint32_t from)
{
	const struct sec_draft *rule = b->drafts.at[from];
	uint32_t left = rule->actions.skip;

	for (uint32_t i = from + 1; i < b->drafts.n; i++) {
		const struct sec_draft *r = b->drafts.at[i];

		if (r->is_chained || r->is_removed ||
		    r->kind == SEC_KIND_MARKER ||
		    r->actions.phase != rule->actions.phase)
			continue;
		left--;
		if (left == 0)
			return index_behind(b, i);
	}
	return b->set->n_rules;
}

static uint32_t
skip_to(struct sec_build *b, uint32_t from)
{
	const struct sec_draft *r = b->drafts.at[from];

	if ((r->actions.said & SEC_SAYS_SKIP_AFTER) != 0)
		return skip_after(b, from);
	return (r->actions.said & SEC_SAYS_SKIP) != 0 ? skip_some(b, from) : 0;
}

/* --- chains of transformations -------------------------------------------- */

/* The chain that is `before` and a step. Some hundred are all there are. */
static uint32_t
chain_step(struct sec_build *b, struct sec_list *chains, uint32_t before,
    enum sec_trans step)
{
	struct sec_chain *c = chains->at;
	enum sec_trans *steps;
	uint32_t n = c[before].n_steps;

	for (uint32_t i = before + 1; i < chains->n; i++)
		if (c[i].before == before && c[i].steps[n] == step)
			return i;
	steps = array_new(b, n + 1, sizeof(*steps));
	if (n > 0)
		memcpy(steps, c[before].steps, n * sizeof(*steps));
	steps[n] = step;
	c = sec_list_add(b, chains, sizeof(*c), SPAN_LIT(""));
	if (c == NULL)
		return 0;
	*c = (struct sec_chain){
	    .steps = steps, .n_steps = n + 1, .before = before};
	return chains->n - 1;
}

static uint32_t
chain_of(
    struct sec_build *b, struct sec_list *chains, const struct sec_list *trans)
{
	const uint8_t *t = trans->at;
	uint32_t chain = 0;
	uint32_t i = 0;

	for (uint32_t k = 0; k < trans->n; k++)
		if (t[k] == SEC_TRANS_NONE)
			i = k + 1;
	for (; i < trans->n; i++)
		chain = chain_step(b, chains, chain, (enum sec_trans)t[i]);
	return chain;
}

/* --- rules ---------------------------------------------------------------- */

static void
rule_acts(struct sec_rule *to, const struct sec_actions *a)
{
	to->phase = a->phase;
	to->severity = a->severity;
	to->id = a->id;
	to->disrupt = a->disrupt;
	to->status = a->status;
	to->redirect = a->redirect;
	to->msg = a->msg;
	to->logdata = a->logdata;
	to->rev = a->rev;
	to->ver = a->ver;
	to->tags = a->tags.at;
	to->n_tags = a->tags.n;
	to->sets = a->sets.at;
	to->n_sets = a->sets.n;
	to->expires = a->expires.at;
	to->n_expires = a->expires.n;
	to->opens = a->opens.at;
	to->n_opens = a->opens.n;
	to->ctls = a->ctls.at;
	to->n_ctls = a->ctls.n;
}

static void
rule_make(struct sec_rule *to, const struct sec_draft *r)
{
	*to = (struct sec_rule){.kind = r->kind,
	    .is_chained = r->is_chained,
	    .at = r->at,
	    .file = r->file,
	    .op = r->op,
	    .test = r->test,
	    .argument = r->argument,
	    .targets = r->targets.at,
	    .n_targets = r->targets.n,
	    .blocks_as = r->blocks_as};
	rule_acts(to, &r->actions);
	to->flags = (uint8_t)(r->flags | r->actions.flags);
}

static void
rules_make(struct sec_build *b, struct sec_list *chains)
{
	struct sec_set *set = b->set;
	struct sec_rule *first = NULL;

	for (uint32_t i = 0; i < b->drafts.n; i++) {
		const struct sec_draft *r = b->drafts.at[i];
		struct sec_rule *to = &set->rules[r->index];

		if (r->is_removed)
			continue;
		rule_make(to, r);
		to->chain = chain_of(b, chains, &r->actions.trans);
		if (r->is_chained) {
			first->n_chained++;
			continue;
		}
		first = to;
		to->skip_to = skip_to(b, i);
	}
}

static void
phases_make(struct sec_build *b)
{
	struct sec_set *set = b->set;

	for (uint32_t phase = 0; phase < SEC_PHASES; phase++) {
		uint32_t *to =
		    array_new(b, set->n_rules, sizeof(*set->by_phase[phase]));

		set->by_phase[phase] = to;
		for (uint32_t i = 0; i < set->n_rules; i++) {
			const struct sec_rule *r = &set->rules[i];

			if (!r->is_chained && (r->kind == SEC_KIND_MARKER ||
						  r->phase == phase + 1))
				to[set->n_by_phase[phase]++] = i;
		}
	}
}

void
sec_layout(struct sec_build *b)
{
	struct sec_set *set = b->set;
	struct sec_list chains = {0};

	set->n_rules = number_drafts(b);
	set->rules = array_new(b, set->n_rules, sizeof(*set->rules));
	/* the empty one */
	(void)sec_list_add(b, &chains, sizeof(struct sec_chain), SPAN_LIT(""));
	rules_make(b, &chains);
	phases_make(b);
	set->chains = chains.at;
	set->n_chains = chains.n;
	set->tx_names = b->tx_names.at;
	set->n_tx_names = b->tx_names.n;
}
