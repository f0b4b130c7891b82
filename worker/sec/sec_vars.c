/* sec_vars: what a rule looks at: the values of its targets, in the order of
 * the rule, without what it or ctl excludes. Lists that several rules have in
 * common are made once a phase. */
#include "worker/sec/sec_tx_int.h"

#include "common/base/check.h"
#include "common/base/regex.h"
#include "common/base/text.h"

#define ITEMS_FIRST 8u

void
sec_items_add(struct sec_tx *tx, struct sec_items *l, struct sec_item item)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap == 0 ? ITEMS_FIRST : l->cap * 2;
		struct sec_item *at = arena_alloc(tx->a, cap * sizeof(*at));

		if (l->n > 0)
			memcpy(at, l->at, l->n * sizeof(*at));
		l->at = at;
		l->cap = cap;
	}
	l->at[l->n++] = item;
}

void
sec_vars_item(struct sec_tx *tx, enum sec_var var, span key, span value)
{
	sec_items_add(tx, &tx->many[var],
	    (struct sec_item){
		.var = var, .key = key, .value = sec_value_of(tx, value)});
}

void
sec_vars_argument(struct sec_tx *tx, enum sec_var from, span name, span value)
{
	sec_vars_item(tx, from, name, value);
	sec_vars_item(tx, SEC_VAR_ARGS, name, value);
	sec_vars_item(tx,
	    from == SEC_VAR_ARGS_GET ? SEC_VAR_ARGS_GET_NAMES
				     : SEC_VAR_ARGS_POST_NAMES,
	    name, name);
	sec_vars_item(tx, SEC_VAR_ARGS_NAMES, name, name);
}

/* --- selecting ------------------------------------------------------------ */

static bool
key_is_selected(const struct sec_target *t, span key)
{
	switch (t->select) {
	case SEC_SELECT_ALL:
		return true;
	case SEC_SELECT_KEY:
		/* a name ends with a NUL, as with 2.9 */
		return span_ieq(t->key, key) ||
		       (key.len > t->key.len && key.p[t->key.len] == '\0' &&
			   span_ieq(t->key, span_first(key, t->key.len)));
	case SEC_SELECT_REGEX:
		return regex_find(t->regex, key) == REGEX_YES;
	}
	UNREACHED();
}

static void
collect_slots(
    struct sec_tx *tx, const struct sec_target *t, struct sec_items *to)
{
	for (uint32_t i = 0; i < tx->set->n_tx_names; i++) {
		span name = tx->set->tx_names[i];

		if (tx->slots[i] != NULL && key_is_selected(t, name))
			sec_items_add(tx, to,
			    (struct sec_item){.var = SEC_VAR_TX,
				.key = name,
				.value = tx->slots[i]});
	}
}

static void
collect_store(
    struct sec_tx *tx, const struct sec_target *t, struct sec_items *to)
{
	if (t->slot >= 0) {
		if (tx->slots[t->slot] != NULL)
			sec_items_add(tx, to,
			    (struct sec_item){.var = SEC_VAR_TX,
				.key = t->key,
				.value = tx->slots[t->slot]});
		return;
	}
	if (t->var == SEC_VAR_TX)
		collect_slots(tx, t, to);
	for (const struct sec_named *n = tx->named; n != NULL; n = n->next)
		if (n->store == t->var && n->value != NULL &&
		    key_is_selected(t, n->name))
			sec_items_add(tx, to,
			    (struct sec_item){.var = t->var,
				.key = n->name,
				.value = n->value});
}

static bool
is_of_matches(enum sec_var var)
{
	return var == SEC_VAR_MATCHED_VARS || var == SEC_VAR_MATCHED_VARS_NAMES;
}

/* What a variable of many has; of two, what matched in this chain. */
static const struct sec_items *
items_of(const struct sec_tx *tx, enum sec_var var)
{
	return is_of_matches(var) ? &tx->matched : &tx->many[var];
}

/* The i-th of them; what matched, under its whole name. */
static struct sec_item
item_at(struct sec_tx *tx, enum sec_var var, uint32_t i)
{
	struct sec_item item = items_of(tx, var)->at[i];

	if (!is_of_matches(var))
		return item;
	item = (struct sec_item){
	    .var = var, .key = sec_item_name(tx, &item), .value = item.value};
	if (var == SEC_VAR_MATCHED_VARS_NAMES)
		item.value = sec_value_of(tx, item.key);
	return item;
}

static void
collect_many(
    struct sec_tx *tx, const struct sec_target *t, struct sec_items *to)
{
	uint32_t n = items_of(tx, t->var)->n;

	for (uint32_t i = 0; i < n; i++) {
		struct sec_item item = item_at(tx, t->var, i);

		if (key_is_selected(t, item.key))
			sec_items_add(tx, to, item);
	}
}

const struct sec_value *
sec_vars_first(struct sec_tx *tx, enum sec_var var, span key)
{
	uint32_t n = items_of(tx, var)->n;

	for (uint32_t i = 0; i < n; i++) {
		struct sec_item item = item_at(tx, var, i);

		if (key.len == 0 || span_ieq(item.key, key))
			return item.value;
	}
	return NULL;
}

static void
collect(struct sec_tx *tx, const struct sec_target *t, struct sec_items *to)
{
	struct sec_value *v;

	switch (sec_var_shape(t->var)) {
	case SEC_SHAPE_ONE:
		v = sec_vars_one(tx, t->var);
		if (v != NULL)
			sec_items_add(tx, to,
			    (struct sec_item){.var = t->var, .value = v});
		return;
	case SEC_SHAPE_STORE:
		collect_store(tx, t, to);
		return;
	case SEC_SHAPE_MANY:
	case SEC_SHAPE_DOC:
		collect_many(tx, t, to);
		return;
	}
	UNREACHED();
}

static void
collect_target(
    struct sec_tx *tx, const struct sec_target *t, struct sec_items *to)
{
	if (!t->is_count) {
		collect(tx, t, to);
		return;
	}
	tx->counted.n = 0;
	collect(tx, t, &tx->counted);
	sec_items_add(tx, to,
	    (struct sec_item){.var = t->var,
		.key = t->key,
		.value = sec_value_number(tx, tx->counted.n),
		.is_count = true});
}

static void
take_away(struct sec_items *l, const struct sec_target *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->at[i].var != t->var || !key_is_selected(t, l->at[i].key))
			l->at[n++] = l->at[i];
	l->n = n;
}

static void
resolve(struct sec_tx *tx, const struct sec_list *list, struct sec_items *to)
{
	to->n = 0;
	/* an exclusion means what stands before it */
	for (uint32_t i = 0; i < list->n; i++)
		if (list->targets[i].is_excluded)
			take_away(to, &list->targets[i]);
		else
			collect_target(tx, &list->targets[i], to);
}

/* --- what ctl takes away -------------------------------------------------- */

static const struct sec_rule *
rule_first(const struct sec_rule *r)
{
	while (r->is_chained)
		r--;
	return r;
}

static bool
is_meant(const struct sec_tx *tx, const struct sec_removal *m,
    const struct sec_rule *first)
{
	size_t i = (size_t)(first - tx->set->rules);

	if (m->meant != NULL)
		return (m->meant->rules[i / 64] >> (i % 64) & 1) != 0;
	return sec_act_means(m->ctl, first);
}

/* A copy without what was taken away from the rule; the list itself, if nothing
 * was. */
static const struct sec_items *
without_removed(
    struct sec_tx *tx, const struct sec_rule *r, const struct sec_items *l)
{
	const struct sec_rule *first = rule_first(r);
	bool is_changed = false;

	for (const struct sec_removal *m = tx->removals; m != NULL;
	     m = m->next) {
		if (!is_meant(tx, m, first))
			continue;
		if (!is_changed) {
			tx->left.n = 0;
			for (uint32_t i = 0; i < l->n; i++)
				sec_items_add(tx, &tx->left, l->at[i]);
		}
		is_changed = true;
		take_away(&tx->left, &m->ctl->target);
	}
	return is_changed ? &tx->left : l;
}

const struct sec_items *
sec_vars_of_list(struct sec_tx *tx, uint32_t list)
{
	struct sec_resolved *known = &tx->lists[list];

	if (known->stamp != tx->stamp || !tx->plan->lists[list].is_steady) {
		resolve(tx, &tx->plan->lists[list], &known->items);
		known->stamp = tx->stamp;
	}
	return &known->items;
}

const struct sec_items *
sec_vars_of_rule(struct sec_tx *tx, const struct sec_rule *r)
{
	const struct sec_items *l =
	    sec_vars_of_list(tx, tx->plan->list_of[r - tx->set->rules]);

	return tx->removals == NULL ? l : without_removed(tx, r, l);
}

/* What stands behind the backslash for a byte of a name that is written
 * otherwise; '\0': none, it is written in hexadecimal digits. */
static char
escape_of(char c)
{
	static const char from[] = "\b\n\r\t\v\\";
	static const char to[] = "bnrtv\\";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	return at == NULL ? '\0' : to[at - from];
}

static bool
is_plain(char c)
{
	return (uint8_t)c >= ' ' && (uint8_t)c < 0x7f && c != '\\';
}

#define ESCAPED_BYTES 4

/* As ModSecurity writes a name, which may hold any bytes. */
static span
escaped_name(struct sec_tx *tx, span key)
{
	static const char digits[] = "0123456789abcdef";
	struct text t;
	size_t n = 0;

	while (n < key.len && is_plain(key.p[n]))
		n++;
	if (n == key.len)
		return key;
	text_init(&t, arena_alloc(tx->a, key.len * ESCAPED_BYTES),
	    key.len * ESCAPED_BYTES);
	for (size_t i = 0; i < key.len; i++) {
		char c = key.p[i];

		if (!is_plain(c))
			text_add_char(&t, '\\');
		if (is_plain(c)) {
			text_add_char(&t, c);
		} else if (escape_of(c) != '\0') {
			text_add_char(&t, escape_of(c));
		} else {
			text_add_char(&t, 'x');
			text_add_char(&t, digits[(uint8_t)c >> 4]);
			text_add_char(&t, digits[(uint8_t)c & 0xf]);
		}
	}
	return text_span(&t);
}

span
sec_item_name(struct sec_tx *tx, const struct sec_item *item)
{
	span parts[3];

	/* the name of a matched variable is a whole one already */
	if (is_of_matches(item->var))
		return item->key;
	parts[0] = span_str(sec_var_name(item->var));
	if (item->key.len == 0 &&
	    (item->is_count || sec_var_shape(item->var) != SEC_SHAPE_MANY))
		return parts[0];
	parts[1] = SPAN_LIT(":");
	parts[2] = escaped_name(tx, item->key);
	return arena_concat(tx->a, parts, NELEMS(parts));
}

span
sec_matched_name(struct sec_tx *tx)
{
	if (tx->matched_name.len == 0 && tx->matched_item.value != NULL)
		tx->matched_name = sec_item_name(tx, &tx->matched_item);
	return tx->matched_name;
}
