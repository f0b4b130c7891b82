/* sec_expand: texts of rules with macros: %{tx.name}, %{REQUEST_URI},
 * %{REQUEST_HEADERS.Host}, %{rule.id}. What is not set is empty. */
#include "common/base/check.h"
#include "worker/sec/sec_tx_int.h"

/* Parts of one text; further ones are left out. */
#define PARTS_MAX 64u

static span
rule_word(struct sec_tx *tx, span word)
{
	const struct sec_rule *r = tx->rule;

	if (r == NULL)
		return (span){0};
	if (span_ieq(word, SPAN_LIT("id")))
		return arena_printf(tx->a, "%llu", (unsigned long long)r->id);
	if (span_ieq(word, SPAN_LIT("severity")))
		return arena_printf(tx->a, "%u", r->severity);
	if (span_ieq(word, SPAN_LIT("rev")))
		return r->rev;
	/* a message that names itself is not replaced again */
	if (span_ieq(word, SPAN_LIT("msg")) && r->msg.n_parts == 1 &&
	    r->msg.parts[0].is_literal)
		return r->msg.parts[0].text;
	return (span){0};
}

static const struct sec_value *
part_value(struct sec_tx *tx, const struct sec_part *p)
{
	if (p->slot >= 0)
		return tx->slots[p->slot];
	switch (sec_var_shape(p->var)) {
	case SEC_SHAPE_ONE:
		return sec_vars_one(tx, p->var);
	case SEC_SHAPE_STORE:
		return sec_store_get(tx, p->var, p->text);
	case SEC_SHAPE_MANY:
	case SEC_SHAPE_DOC: {
		const struct sec_items *l = &tx->many[p->var];

		for (uint32_t i = 0; i < l->n; i++)
			if (span_ieq(l->at[i].key, p->text))
				return l->at[i].value;
		return NULL;
	}
	}
	UNREACHED();
}

static span
part_text(struct sec_tx *tx, const struct sec_part *p)
{
	const struct sec_value *v;

	if (p->is_literal)
		return p->text;
	if (p->var == SEC_VAR_RULE)
		return rule_word(tx, p->text);
	v = part_value(tx, p);
	return v == NULL ? (span){0} : v->text;
}

span
sec_expand(struct sec_tx *tx, const struct sec_text *t)
{
	span parts[PARTS_MAX];
	uint32_t n = t->n_parts < PARTS_MAX ? t->n_parts : PARTS_MAX;
	size_t len = 0;

	if (n == 0)
		return (span){0};
	if (n == 1)
		return part_text(tx, &t->parts[0]);
	for (uint32_t i = 0; i < n; i++) {
		parts[i] = part_text(tx, &t->parts[i]);
		len += parts[i].len;
	}
	/* a name that is put into itself doubles each time */
	if (!sec_bound_room(tx, len))
		return (span){0};
	return arena_concat(tx->a, parts, n);
}
