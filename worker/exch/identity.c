/* exch/identity: see identity.h. */
#include "worker/exch/identity.h"

#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

const struct exch_user *
identity_copy(const struct exch_user *u, struct arena *a)
{
	struct exch_user *copy;
	struct exch_claim *claims;
	span *groups;

	if (u == NULL)
		return NULL;
	copy = arena_alloc(a, sizeof(*copy));
	groups = arena_alloc(a, u->n_groups * sizeof(*groups));
	for (uint32_t i = 0; i < u->n_groups; i++)
		groups[i] = arena_span(a, u->groups[i]);
	copy->name = arena_span(a, u->name);
	copy->groups = groups;
	copy->n_groups = u->n_groups;
	copy->auth = arena_span(a, u->auth);
	claims = arena_alloc(a, u->n_claims * sizeof(*claims));
	for (uint32_t i = 0; i < u->n_claims; i++)
		claims[i] =
		    (struct exch_claim){arena_span(a, u->claims[i].name),
			arena_span(a, u->claims[i].value)};
	copy->claims = claims;
	copy->n_claims = u->n_claims;
	return copy;
}

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
