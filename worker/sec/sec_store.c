/* sec_store: names that rules write and read: TX, whose constant names are
 * slots, and the rest of it and of the other collections in a list. */
#include "worker/sec/sec_tx_int.h"

static struct sec_named *
named_find(const struct sec_tx *tx, enum sec_var store, span name)
{
	for (struct sec_named *n = tx->named; n != NULL; n = n->next)
		if (n->store == store && span_ieq(n->name, name))
			return n;
	return NULL;
}

int32_t
sec_store_find(const struct sec_set *set, span name)
{
	for (uint32_t i = 0; i < set->n_tx_names; i++)
		if (span_ieq(set->tx_names[i], name))
			return (int32_t)i;
	return -1;
}

struct sec_value *
sec_store_get(const struct sec_tx *tx, enum sec_var store, span name)
{
	const struct sec_named *n;

	if (store == SEC_VAR_TX) {
		int32_t slot = sec_store_find(tx->set, name);

		if (slot >= 0)
			return tx->slots[slot];
	}
	n = named_find(tx, store, name);
	return n == NULL ? NULL : n->value;
}

void
sec_store_slot(struct sec_tx *tx, int32_t slot, struct sec_value *value)
{
	if (!tx->plan->is_fixed[slot])
		tx->slots[slot] = value;
}

void
sec_store_put(
    struct sec_tx *tx, enum sec_var store, span name, struct sec_value *value)
{
	struct sec_named *n;

	if (store == SEC_VAR_TX) {
		int32_t slot = sec_store_find(tx->set, name);

		if (slot >= 0) {
			sec_store_slot(tx, slot, value);
			return;
		}
	}
	n = named_find(tx, store, name);
	if (n == NULL) {
		n = arena_alloc(tx->a, sizeof(*n));
		*n = (struct sec_named){
		    .store = store, .name = name, .next = tx->named};
		tx->named = n;
	}
	n->value = value;
}
