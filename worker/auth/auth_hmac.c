/* auth/auth_hmac: scheme `hmac`: a URL that was signed for a while. It is not
 * asked for credentials, because nobody has any to type: who has no such URL
 * is refused, and only logs tell why. */
#include "common/http/uri.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/signed.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"

/* Whether it is for an address that the client has. */
static bool
hmac_is_for(const struct signed_url *u, const struct exch *x)
{
	struct ip_prefix p;

	return u->ip.len == 0 ||
	       (exch_client_has_ip(&x->client) && ip_prefix_parse(u->ip, &p) &&
		   ip_prefix_has(&p, &x->client.ip));
}

/* NULL: it is signed, and for this request, now and here. *is_genuine: that it
 * is signed. */
static const char *
hmac_judge(struct exch *x, const struct auth_hmac *h,
    const struct signed_url *u, bool *is_genuine)
{
	struct signed_request r = {
	    .method = x->req.method_text, .path = x->req.path};
	char host[URI_HOST_CAP];
	struct ip ip;

	if (uri_normalize_host(x->req.host, host, &r.host.len, &ip) ==
	    URI_HOST_AMBIGUOUS)
		return "the host can be read in more than one way";
	r.host.p = host;
	if (!signed_is_by(u, signed_text(u, &r, &x->arena), h->secret))
		return "the signature is another one";
	*is_genuine = true;
	if (signed_is_over(
		u, (uint64_t)clock_wall_s(worker_clock(x->w)), h->skew_s))
		return "it has ended";
	return hmac_is_for(u, x) ? NULL : "it is for another address";
}

static enum verdict
hmac_refuse(
    struct exch *x, const struct plan_auth *a, bool is_genuine, const char *why)
{
	const struct auth_conf *c = a->conf;

	if (signed_is_any(x->req.query, c->hmac.prefix)) {
		counter_add(x->w->counters, COUNTER_AUTH_REFUSED, 1);
		/* an old link is no guess */
		if (!is_genuine)
			offence_note(x, &c->guess);
	}
	trail_note(x, DECISION_AUTH, a->at, "%.*s refuses the URL: %s",
	    SPAN_FMT(a->name), why);
	exch_fault_as(x, F_URL_NOT_SIGNED, 0, why);
	return VERDICT_FAULT;
}

enum verdict
hmac_ask(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;
	bool is_genuine = false;
	struct signed_url u;
	const char *why =
	    signed_read(x->req.query, c->hmac.prefix, &x->arena, &u);

	if (why == NULL)
		why = hmac_judge(x, &c->hmac, &u, &is_genuine);
	if (why != NULL)
		return hmac_refuse(x, a, is_genuine, why);
	return auth_let_on(x, a, u.user.len > 0 ? u.user : SPAN_LIT("-"));
}

void
hmac_strip(const struct auth_conf *c, struct exch *x)
{
	struct signed_url u;

	/* they may be gone already: an exchange that another one made */
	if (signed_read(x->req.query, c->hmac.prefix, &x->arena, &u) != NULL)
		return;
	x->req.query = u.query;
	x->req.has_query = u.query.len > 0;
}
