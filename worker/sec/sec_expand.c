/* sec_expand: texts of rules with macros: %{tx.name}, %{REQUEST_URI},
 * %{REQUEST_HEADERS.Host}, %{rule.id}. What is not set is empty. */
#include "common/base/check.h"
#include "common/base/text.h"
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
	case SEC_SHAPE_DOC:
		return sec_vars_first(tx, p->var, p->text);
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

/* Whether a byte means more than itself in a pattern; `|` parts the words of a list
 * that rules keep in TX, and nothing that a client sends. */
static bool
is_special(const struct sec_part *p, char c)
{
	if (c == '|')
		return sec_var_shape(p->var) != SEC_SHAPE_STORE;
	return c != '\0' && strchr("\\^$.[]()?*+{}#", c) != NULL;
}

/* A client that writes the pattern of a rule could make it match nothing, or take
 * long. */
static span
quoted(struct sec_tx *tx, const struct sec_part *p, span s)
{
	struct text t;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += is_special(p, s.p[i]);
	if (n == 0 || p->is_literal || !sec_bound_room(tx, s.len + n))
		return s;
	text_init(&t, arena_alloc(tx->a, s.len + n), s.len + n);
	for (size_t i = 0; i < s.len; i++) {
		if (is_special(p, s.p[i]))
			text_add_char(&t, '\\');
		text_add_char(&t, s.p[i]);
	}
	return text_span(&t);
}

static span
expand(struct sec_tx *tx, const struct sec_text *t, bool is_pattern)
{
	span parts[PARTS_MAX];
	uint32_t n = t->n_parts < PARTS_MAX ? t->n_parts : PARTS_MAX;
	size_t len = 0;

	if (n == 0)
		return (span){0};
	for (uint32_t i = 0; i < n; i++) {
		parts[i] = part_text(tx, &t->parts[i]);
		if (is_pattern)
			parts[i] = quoted(tx, &t->parts[i], parts[i]);
		len += parts[i].len;
	}
	if (n == 1)
		return parts[0];
	/* a name that is put into itself doubles each time */
	if (!sec_bound_room(tx, len))
		return (span){0};
	return arena_concat(tx->a, parts, n);
}

span
sec_expand(struct sec_tx *tx, const struct sec_text *t)
{
	return expand(tx, t, false);
}

span
sec_expand_pattern(struct sec_tx *tx, const struct sec_text *t)
{
	return expand(tx, t, true);
}
