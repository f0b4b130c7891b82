/* fuzz/secset: any bytes as a rule file. A set that nothing is said against is
 * whole: every number in it points to something. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_set.h"

static void
check_text(const struct sec_set *set, const struct sec_text *t)
{
	for (uint32_t i = 0; i < t->n_parts; i++) {
		const struct sec_part *p = &t->parts[i];

		REQUIRE(p->is_literal || p->var < SEC_N_VARS);
		REQUIRE(p->slot < (int32_t)set->n_tx_names);
		REQUIRE(!p->is_literal || p->text.len > 0);
	}
}

static void
check_target(const struct sec_set *set, const struct sec_target *t)
{
	REQUIRE(t->var < SEC_N_VARS);
	REQUIRE(t->slot < (int32_t)set->n_tx_names);
	REQUIRE(t->slot < 0 || t->var == SEC_VAR_TX);
	REQUIRE((t->select == SEC_SELECT_REGEX) == (t->regex != NULL));
	REQUIRE((t->select == SEC_SELECT_ALL) == (t->key.len == 0));
}

static void
check_acts(const struct sec_set *set, const struct sec_rule *r)
{
	for (uint32_t i = 0; i < r->n_sets; i++) {
		REQUIRE(sec_var_shape(r->sets[i].store) == SEC_SHAPE_STORE);
		REQUIRE(r->sets[i].slot < (int32_t)set->n_tx_names);
		check_text(set, &r->sets[i].name);
		check_text(set, &r->sets[i].value);
	}
	for (uint32_t i = 0; i < r->n_opens; i++)
		check_text(set, &r->opens[i].key);
	for (uint32_t i = 0; i < r->n_ctls; i++) {
		REQUIRE(r->ctls[i].kind < SEC_N_CTLS);
		REQUIRE(r->ctls[i].first <= r->ctls[i].last);
		check_target(set, &r->ctls[i].target);
	}
	check_text(set, &r->msg);
	check_text(set, &r->logdata);
	check_text(set, &r->redirect);
	check_text(set, &r->argument);
}

static void
check_rule(const struct sec_set *set, uint32_t i)
{
	const struct sec_rule *r = &set->rules[i];

	REQUIRE(r->chain < set->n_chains);
	REQUIRE(r->at.line > 0 && r->at.col > 0);
	REQUIRE(i + r->n_chained < set->n_rules);
	REQUIRE(i > 0 || !r->is_chained);
	REQUIRE((r->id == 0) == (r->is_chained || r->kind == SEC_KIND_MARKER));
	REQUIRE(r->blocks_as != SEC_DISRUPT_BLOCK);
	REQUIRE(r->kind == SEC_KIND_MARKER ||
		(r->phase >= 1 && r->phase <= SEC_PHASES));
	for (uint32_t k = 1; k <= r->n_chained; k++)
		REQUIRE(r[k].is_chained && r[k].phase == r->phase);
	if (r->skip_to > 0) {
		REQUIRE(r->skip_to > i && r->skip_to <= set->n_rules);
		REQUIRE(r->skip_to == set->n_rules ||
			!set->rules[r->skip_to].is_chained);
	}
	for (uint32_t k = 0; k < r->n_targets; k++)
		check_target(set, &r->targets[k]);
	check_acts(set, r);
}

static void
check_set(const struct sec_set *set)
{
	for (uint32_t i = 0; i < set->n_rules; i++)
		check_rule(set, i);
	for (uint32_t i = 1; i < set->n_chains; i++) {
		const struct sec_chain *c = &set->chains[i];

		REQUIRE(c->before < i && c->n_steps > 0);
		REQUIRE(set->chains[c->before].n_steps == c->n_steps - 1);
	}
	for (uint32_t p = 0; p < SEC_PHASES; p++)
		for (uint32_t i = 0; i < set->n_by_phase[p]; i++) {
			uint32_t at = set->by_phase[p][i];

			REQUIRE(i == 0 || at > set->by_phase[p][i - 1]);
			REQUIRE(!set->rules[at].is_chained);
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct diag *d = diag_new();
	/* files beside it are not there */
	struct sec_set *set = sec_set_new_text("fuzz", in, "/nowhere", d);

	REQUIRE((set == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	if (set != NULL)
		check_set(set);
	free(diag_render(d));
	sec_set_free(set);
	diag_free(d);
	fuzz_free(in);
	return 0;
}
