/* conf/conf_balance: the words of `balance`. */
#include "common/conf/conf_balance.h"

span
conf_balance_name(const struct conf_scope *s)
{
	const struct conf_value *v = conf_get(s, KEY_UPSTREAM_BALANCE);

	return v == NULL || v->n_words == 0 ? conf_text(s, KEY_UPSTREAM_BALANCE)
					    : v->words[0].text;
}

bool
conf_balance_has_weights(span name)
{
	return !span_eq(name, SPAN_LIT("hash")) &&
	       !span_eq(name, SPAN_LIT("ip_hash"));
}
