/* forward/forward_intercept: requests whose clients know nothing of a proxy: a
 * router redirected to us what they sent to some server. They go on to the
 * address that they were going to and to nowhere else; what they call it (Host,
 * the name in a handshake) is what rules and logs have, but no more than a claim:
 * who says what another server's name is must not get its answers into a cache.
 * So the name is looked up before anything comes of it. */
#include "common/http/uri.h"
#include "worker/exch/plan.h"
#include "worker/forward/forward_int.h"

/* What stands against it; F_NONE: nothing. */
static enum fault_id
intercept_why_not(const struct exch *x, const char **detail)
{
	const struct http_msg *m = &x->req;

	*detail = NULL;
	/* it came to us by itself: there is no place to go on to but here */
	if (!x->client.is_intercepted) {
		*detail = "this proxy's own";
		return F_PRIVATE_ADDRESS;
	}
	if (m->method == METHOD_CONNECT && !x->is_tacit)
		return F_METHOD_REFUSED;
	if (m->port != 0 && m->port != x->client.local_port) {
		*detail = "another port than the connection's";
		return F_TARGET_HOST;
	}
	return F_NONE;
}

bool
intercept_read(struct exch *x)
{
	const char *detail;
	enum fault_id why = intercept_why_not(x, &detail);
	char *text;

	if (why != F_NONE) {
		exch_fault_as(x, why, 0, detail);
		return false;
	}
	if (x->req.host.len > 0)
		return true;
	text = arena_alloc(&x->arena, IP_TEXT_CAP);
	x->req.host = span_of(text, ip_format(&x->client.sent_to, text));
	return true;
}

void
intercept_fix(const struct exch *x, struct forward_request *r)
{
	r->to.is_claimed =
	    !r->to.is_literal || !ip_eq(&r->address, &x->client.sent_to);
	r->to.port = x->client.local_port;
	r->address = x->client.sent_to;
	r->has_address = true;
}

/* --- the claim ------------------------------------------------------------ */

static void
intercept_take(struct exch *x, const struct dns_answer *a)
{
	struct forward_request *r = forward_request(x);

	for (uint32_t i = 0; a->rc == DNS_OK && i < a->n; i++)
		if (ip_eq(&a->addrs[i], &r->address))
			r->to.is_claimed = false;
}

static void
intercept_on_name(void *self, const struct dns_answer *a)
{
	struct exch *x = self;

	OBJ_CHECK(x, MAGIC_EXCH);
	intercept_take(x, a);
	exch_kick(x);
}

bool
intercept_is_nameless(const struct exch *x)
{
	return x->is_tacit && x->destination->is_literal &&
	       x->set->tunnels.checks_sni;
}

/* Whether anything depends on it. */
static bool
intercept_matters(const struct exch *x)
{
	return x->is_tacit ? x->set->tunnels.checks_sni
			   : x->set->cache.cache != NULL;
}

static enum verdict
intercept_ask(struct exch *x)
{
	struct forward_request *r = forward_request(x);
	struct dns_answer a;

	r->is_asked = true;
	r->wait.fn = intercept_on_name;
	r->wait.self = x;
	switch (forward_names_find(x->w->forward, r->to.host, &r->wait, &a)) {
	case NAMES_FOUND:
		intercept_take(x, &a);
		return VERDICT_NEXT;
	case NAMES_WAIT:
		return VERDICT_WAIT;
	case NAMES_FULL:
		/* it stays a claim */
		return VERDICT_NEXT;
	}
	UNREACHED();
}

enum verdict
intercept_prove(struct exch *x)
{
	struct forward_request *r = forward_request(x);

	if (list_is_linked(&r->wait.node))
		return VERDICT_WAIT;
	if (!intercept_matters(x))
		return VERDICT_NEXT;
	if (!r->is_asked && !r->to.is_literal &&
	    intercept_ask(x) == VERDICT_WAIT)
		return VERDICT_WAIT;
	if (!x->is_tacit || !r->to.is_claimed)
		return VERDICT_NEXT;
	exch_fault_as(x, F_TUNNEL_SNI, 0, "the host it names is elsewhere");
	return VERDICT_FAULT;
}
