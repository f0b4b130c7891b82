/* sec_act: what a rule does each time that it matches, but for refusing: names
 * it writes and what it changes for the rest of this request. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/regex.h"
#include "worker/sec/sec_tx_int.h"

/* --- setvar --------------------------------------------------------------- */

static struct sec_value *
sum(struct sec_tx *tx, const struct sec_value *old, int64_t more)
{
	int64_t n = (old == NULL ? 0 : sec_number(old->text)) + more;

	/* no counter goes below nothing */
	return sec_value_number(tx, n > 0 ? (uint64_t)n : 0);
}

static struct sec_value *
assigned(
    struct sec_tx *tx, const struct sec_assign *s, const struct sec_value *old)
{
	span value = sec_expand(tx, &s->value);

	switch (s->op) {
	case SEC_SET_ASSIGN:
		return sec_value_of(tx, value);
	case SEC_SET_ADD:
		return sum(tx, old, sec_number(value));
	case SEC_SET_SUB:
		return sum(tx, old, -sec_number(value));
	case SEC_SET_UNSET:
		return NULL;
	}
	UNREACHED();
}

static void
assign(struct sec_tx *tx, const struct sec_assign *s)
{
	span name;

	if (s->slot >= 0) {
		sec_store_slot(
		    tx, s->slot, assigned(tx, s, tx->slots[s->slot]));
		return;
	}
	name = sec_expand(tx, &s->name);
	if (sec_shelf_keeps(tx, s->store)) {
		sec_shelf_change(tx, s, name, sec_expand(tx, &s->value));
		return;
	}
	sec_store_put(tx, s->store, name,
	    assigned(tx, s, sec_store_get(tx, s->store, name)));
}

/* --- ctl ------------------------------------------------------------------ */

bool
sec_act_asks_rules(const struct sec_ctl *c)
{
	switch ((int)c->kind) {
	case SEC_CTL_REMOVE_BY_TAG:
	case SEC_CTL_REMOVE_TARGET_BY_TAG:
	case SEC_CTL_REMOVE_BY_MSG:
	case SEC_CTL_REMOVE_TARGET_BY_MSG:
		return true;
	default:
		return false;
	}
}

bool
sec_act_means(const struct sec_ctl *c, const struct sec_rule *r)
{
	switch ((int)c->kind) {
	case SEC_CTL_REMOVE_BY_ID:
	case SEC_CTL_REMOVE_TARGET_BY_ID:
		return r->id >= c->first && r->id <= c->last;
	case SEC_CTL_REMOVE_BY_TAG:
	case SEC_CTL_REMOVE_TARGET_BY_TAG:
		for (uint32_t i = 0; i < r->n_tags; i++)
			if (regex_find(c->regex, r->tags[i]) == REGEX_YES)
				return true;
		return false;
	case SEC_CTL_REMOVE_BY_MSG:
	case SEC_CTL_REMOVE_TARGET_BY_MSG:
		return r->msg.n_parts == 1 && r->msg.parts[0].is_literal &&
		       regex_find(c->regex, r->msg.parts[0].text) == REGEX_YES;
	default:
		return false;
	}
}

static void
remove_rules(
    struct sec_tx *tx, const struct sec_ctl *c, const struct sec_meant *meant)
{
	const struct sec_set *set = tx->set;
	uint32_t n_words = (set->n_rules + 63) / 64;

	if (tx->removed == NULL)
		tx->removed = arena_zalloc(tx->a, n_words * sizeof(uint64_t));
	if (meant != NULL) {
		for (uint32_t i = 0; i < n_words; i++)
			tx->removed[i] |= meant->rules[i];
		return;
	}
	for (uint32_t i = 0; i < set->n_rules; i++)
		if (set->rules[i].id != 0 && sec_act_means(c, &set->rules[i]))
			tx->removed[i / 64] |= UINT64_C(1) << (i % 64);
}

bool
sec_act_is_removed(const struct sec_tx *tx, uint32_t rule)
{
	return tx->removed != NULL &&
	       (tx->removed[rule / 64] >> (rule % 64) & 1) != 0;
}

static void
remove_target(
    struct sec_tx *tx, const struct sec_ctl *c, const struct sec_meant *meant)
{
	struct sec_removal *m = arena_alloc(tx->a, sizeof(*m));

	*m = (struct sec_removal){
	    .ctl = c, .meant = meant, .next = tx->removals};
	tx->removals = m;
}

uint32_t
sec_act_parts(uint32_t before, span letters)
{
	char how = letters.len > 0 ? letters.p[0] : 0;
	uint32_t parts = 0;

	for (size_t i = 0; i < letters.len; i++)
		if (letters.p[i] >= 'A' && letters.p[i] <= 'Z')
			parts |= UINT32_C(1) << (letters.p[i] - 'A');
	if (how == '+')
		return before | parts;
	return how == '-' ? before & ~parts : parts;
}

static void
control(
    struct sec_tx *tx, const struct sec_ctl *c, const struct sec_meant *meant)
{
	switch (c->kind) {
	case SEC_N_CTLS:
		break;
	case SEC_CTL_RULE_ENGINE:
		tx->engine = c->to;
		return;
	case SEC_CTL_REMOVE_BY_ID:
	case SEC_CTL_REMOVE_BY_TAG:
	case SEC_CTL_REMOVE_BY_MSG:
		remove_rules(tx, c, meant);
		return;
	case SEC_CTL_REMOVE_TARGET_BY_ID:
	case SEC_CTL_REMOVE_TARGET_BY_TAG:
	case SEC_CTL_REMOVE_TARGET_BY_MSG:
		remove_target(tx, c, meant);
		return;
	case SEC_CTL_BODY_PROCESSOR:
		tx->processor = c->processor;
		return;
	case SEC_CTL_FORCE_BODY_VARIABLE:
		tx->forces_body_variable = c->to == SEC_ON;
		return;
	case SEC_CTL_AUDIT_ENGINE:
		tx->audit = c->to;
		return;
	case SEC_CTL_AUDIT_PARTS:
		tx->audit_parts = sec_act_parts(tx->audit_parts, c->text);
		return;
	case SEC_CTL_REQUEST_BODY_ACCESS:
		tx->reads_request = c->to;
		return;
	case SEC_CTL_RESPONSE_BODY_ACCESS:
		tx->reads_response = c->to;
		return;
	}
	UNREACHED();
}

void
sec_tx_control(struct sec_tx *tx, const struct sec_ctl *c)
{
	control(tx, c, NULL);
}

void
sec_act_match(struct sec_tx *tx, const struct sec_rule *r)
{
	const struct sec_meant *meant =
	    r->n_ctls == 0 ? NULL : tx->plan->meant_of[r - tx->set->rules];

	for (uint32_t i = 0; i < r->n_opens; i++)
		sec_shelf_open(tx, &r->opens[i]);
	for (uint32_t i = 0; i < r->n_sets; i++)
		assign(tx, &r->sets[i]);
	for (uint32_t i = 0; i < r->n_expires; i++)
		sec_shelf_expire(tx, &r->expires[i]);
	for (uint32_t i = 0; i < r->n_ctls; i++)
		control(tx, &r->ctls[i],
		    meant != NULL && meant[i].rules != NULL ? &meant[i] : NULL);
}
