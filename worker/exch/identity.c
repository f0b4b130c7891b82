/* exch/identity: see identity.h. */
#include "worker/exch/identity.h"

#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

enum verdict
identity_need_user(struct exch *x)
{
	const struct plan_auth *a = x->set->auth;

	if (x->user != NULL || a == NULL)
		return VERDICT_NEXT;
	return a->ask(x, a);
}

enum verdict
identity_need_address(struct exch *x)
{
	struct exch_destination *to = x->destination;

	if (to == NULL || to->is_resolved)
		return VERDICT_NEXT;
	return to->resolve(x);
}
