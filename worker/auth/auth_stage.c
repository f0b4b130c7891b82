/* auth/auth_stage: stage `auth`, and how whoever asked is answered. */
#include "common/base/check.h"
#include "worker/auth/auth_int.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/exch/trail.h"

static bool
auth_is_proxy(const struct exch *x)
{
	return x->kind == STAGE_FORWARD;
}

enum field_id
auth_field(const struct exch *x)
{
	return auth_is_proxy(x) ? FIELD_PROXY_AUTHORIZATION
				: FIELD_AUTHORIZATION;
}

static enum verdict
auth_ask_again(struct exch *x, const struct plan_auth *a, span challenge)
{
	bool is_proxy = auth_is_proxy(x);
	unsigned status = is_proxy ? 407 : 401;

	trail_note(x, DECISION_AUTH, a->at, "%.*s asks who it is: %u",
	    SPAN_FMT(a->name), status);
	exch_reply_status(x, status);
	fields_add_id(&x->resp.fields, &x->arena,
	    is_proxy ? FIELD_PROXY_AUTHENTICATE : FIELD_WWW_AUTHENTICATE,
	    challenge);
	return VERDICT_REPLY;
}

enum verdict
auth_challenge(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;

	return auth_ask_again(x, a, c->challenge);
}

enum verdict
auth_refuse_genuine(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;

	counter_add(x->w->counters, COUNTER_AUTH_REFUSED, 1);
	trail_note(x, DECISION_AUTH, a->at,
	    "%.*s does not know these credentials", SPAN_FMT(a->name));
	return auth_ask_again(x, a, c->refusal);
}

enum verdict
auth_refuse(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;

	offence_note(x, &c->guess);
	return auth_refuse_genuine(x, a);
}

enum verdict
auth_busy(struct exch *x, const char *why)
{
	counter_add(x->w->counters, COUNTER_AUTH_BUSY, 1);
	exch_fault_as(x, F_AUTH_BUSY, 0, why);
	return VERDICT_FAULT;
}

enum verdict
auth_let_on_as(struct exch *x, const struct plan_auth *a, struct exch_user *u)
{
	const struct auth_conf *c = a->conf;
	const struct users_entry *e = NULL;
	span parts[] = {a->name, SPAN_LIT(" knows "), u->name};

	u->auth = a->name;
	if (c->users != NULL && c->users->has_groups && u->n_groups == 0)
		e = users_find(c->users, u->name);
	if (e != NULL) {
		u->groups = e->group_names;
		u->n_groups = e->groups.n;
	}
	x->user = u;
	trail_join(x, DECISION_AUTH, &a->at, parts, NELEMS(parts));
	return VERDICT_NEXT;
}

enum verdict
auth_let_on(struct exch *x, const struct plan_auth *a, span name)
{
	struct exch_user *u = arena_zalloc(&x->arena, sizeof(*u));

	u->name = name;
	return auth_let_on_as(x, a, u);
}

enum verdict
stage_auth(struct exch *x)
{
	const struct plan_auth *a = x->set->auth;
	const struct auth_conf *c;
	enum verdict v;

	if (a == NULL)
		return VERDICT_NEXT;
	/* a rule may have named another one since somebody asked */
	if (x->user != NULL && !span_eq(x->user->auth, a->name))
		x->user = NULL;
	v = identity_need_user(x);
	if (v != VERDICT_NEXT)
		return v;
	c = a->conf;
	if (!c->passes)
		c->strip(c, x);
	return VERDICT_NEXT;
}
