/* auth/auth_basic: schemes `basic` and `helper`: a name and a password of a
 * [users], or that a program knows. */
#include "worker/auth/auth_int.h"
#include "worker/auth/basic.h"
#include "worker/exch/sink.h"

static enum auth_rc
basic_judge(struct exch *x, const struct plan_auth *a, const struct basic *sent)
{
	const struct auth_conf *c = a->conf;
	const struct users_entry *e = users_find(c->users, sent->name);
	struct auth_work work = {
	    .credentials = sent->token,
	    .name = sent->name,
	    .hash = users_hash(c->users, sent->name),
	    .password = sent->password,
	    .is_known = e != NULL && e->hash.len > 0,
	};

	if (work.hash.len == 0)
		return AUTH_BAD;
	return auth_check(x, a, &work);
}

static enum auth_rc
helper_judge(
    struct exch *x, const struct plan_auth *a, const struct basic *sent)
{
	struct auth_work work = {
	    .credentials = sent->token,
	    .name = sent->name,
	    .password = sent->password,
	};

	/* directories take a name without a password for nobody in particular,
	 * and say yes (RFC 4513 5.1.2) */
	if (sent->password.len == 0)
		return AUTH_BAD;
	if (x->w->auth != NULL)
		return auth_check(x, a, &work);
	sink_note(x, "auth", a->at,
	    "%.*s asks a helper, which is taken to know %.*s",
	    SPAN_FMT(a->name), SPAN_FMT(sent->name));
	return AUTH_GOOD;
}

static enum auth_rc
basic_find_out(
    struct exch *x, const struct plan_auth *a, const struct basic *sent)
{
	const struct auth_conf *c = a->conf;
	bool is_good;

	if (auth_recall(x, c, sent->token, &is_good))
		return is_good ? AUTH_GOOD : AUTH_BAD;
	return c->has_helper ? helper_judge(x, a, sent)
			     : basic_judge(x, a, sent);
}

enum verdict
basic_ask(struct exch *x, const struct plan_auth *a)
{
	span value = exch_req_field(x, auth_field(x));
	struct basic sent;

	if (value.len == 0)
		return auth_challenge(x, a);
	if (!basic_read(value, arena_alloc(&x->arena, BASIC_ROOM), &sent))
		return auth_refuse(x, a);
	switch (basic_find_out(x, a, &sent)) {
	case AUTH_GOOD:
		return auth_let_on(x, a, sent.name);
	case AUTH_BAD:
		return auth_refuse(x, a);
	case AUTH_OPEN:
		return VERDICT_WAIT;
	case AUTH_BUSY:
		return auth_busy(x,
		    "as many passwords are being verified as may be, or no "
		    "helper answers");
	}
	UNREACHED();
}
