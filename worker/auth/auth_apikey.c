/* auth/auth_apikey: scheme `apikey`: a key of a file, in a field or in the
 * query. */
#include "worker/auth/auth_int.h"

enum verdict
apikey_ask(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;
	span token;
	span name;

	switch (auth_source_find(&c->source, x, &token)) {
	case AUTH_SENT_NOTHING:
		return auth_challenge(x, a);
	case AUTH_SENT_TWO:
		return auth_refuse(x, a);
	case AUTH_SENT_TOKEN:
		break;
	}
	name = keys_find(&c->keys, token);
	return name.len > 0 ? auth_let_on(x, a, name) : auth_refuse(x, a);
}
