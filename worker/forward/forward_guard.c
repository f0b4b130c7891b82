/* forward/forward_guard: where a request goes, as addresses, and whether it may
 * go there. The addresses that are judged here are the ones that are connected
 * to: nobody looks the name up again, so that a name which leads elsewhere the
 * next time (DNS rebinding) leads nowhere. */
#include "common/base/check.h"
#include "common/base/ip_special.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/exch/trail.h"
#include "worker/forward/forward_int.h"

/* --- addresses ------------------------------------------------------------ */

/* What stands against an address; NULL: nothing. */
static const char *
guard_why_not(const struct exch *x, const struct ip *ip)
{
	const struct forward *f = x->listen->forward;

	for (uint32_t i = 0; i < f->n_own; i++)
		if (f->own[i].port == x->destination->port &&
		    ip_eq(&f->own[i].ip, ip) &&
		    (f->own[i].is_proxy || !f->allows_private))
			return "this proxy's own";
	return f->allows_private ? NULL : ip_special(ip);
}

void
forward_judge(struct exch *x, const struct ip *ips, uint32_t n)
{
	struct forward_request *r = forward_request(x);
	uint32_t at[2] = {0, 0}; /* of the next one by ip_is_v4() */
	bool is_v4 = false;

	/* in turn of both families: what does not fit is of the one that has
	 * more */
	for (uint32_t i = 0; i < 2 * n && r->to.n_ips < DESTINATION_IPS_MAX;
	     i++, is_v4 = !is_v4) {
		uint32_t *k = &at[is_v4];
		const char *why_not;

		while (*k < n && ip_is_v4(&ips[*k]) != is_v4)
			++*k;
		if (*k == n)
			continue;
		why_not = guard_why_not(x, &ips[*k]);
		if (why_not == NULL)
			r->to.ips[r->to.n_ips++] = ips[*k];
		else
			r->why_not = why_not;
		++*k;
	}
	if (r->to.n_ips == 0 && r->why == F_NONE)
		r->why = r->why_not != NULL ? F_PRIVATE_ADDRESS : F_ORIGIN_NAME;
	r->n_judged = r->to.n_ips;
	r->to.is_resolved = true;
}

static void
guard_take(struct exch *x, const struct dns_answer *a)
{
	if (a->rc == DNS_TIMEOUT)
		forward_request(x)->why = F_NAME_TIMEOUT;
	else if (a->rc != DNS_OK)
		forward_request(x)->why = F_ORIGIN_NAME;
	forward_judge(x, a->addrs, a->rc == DNS_OK ? a->n : 0);
}

static void
guard_on_name(void *self, const struct dns_answer *a)
{
	struct exch *x = self;

	OBJ_CHECK(x, MAGIC_EXCH);
	guard_take(x, a);
	exch_kick(x);
}

enum verdict
forward_resolve(struct exch *x)
{
	struct forward_request *r = forward_request(x);
	struct dns_answer a;

	if (list_is_linked(&r->wait.node))
		return VERDICT_WAIT;
	if (r->has_address) {
		forward_judge(x, &r->address, 1);
		return VERDICT_NEXT;
	}
	if (x->sink != NULL) {
		sink_note(x, "address", SINK_NOWHERE, "is asked for: %.*s",
		    SPAN_FMT(r->to.host));
		r->to.is_resolved = true;
		return VERDICT_NEXT;
	}
	r->wait.fn = guard_on_name;
	r->wait.self = x;
	switch (forward_names_find(x->w->forward, r->to.host, &r->wait, &a)) {
	case NAMES_FOUND:
		guard_take(x, &a);
		return VERDICT_NEXT;
	case NAMES_WAIT:
		return VERDICT_WAIT;
	case NAMES_FULL:
		exch_fault_as(
		    x, F_INTERNAL, 503, "too many names are asked for");
		return VERDICT_FAULT;
	}
	UNREACHED();
}

void
guard_close(struct exch *x)
{
	if (x->destination != NULL && x->kind == STAGE_FORWARD)
		list_del(&forward_request(x)->wait.node);
}

/* --- the stage ------------------------------------------------------------ */

static bool
guard_has_port(const struct exch *x)
{
	const struct forward *f = x->listen->forward;
	uint16_t port = x->destination->port;

	for (uint32_t i = 0; i < f->n_connect_ports; i++)
		if (port >= f->connect_ports[i].from &&
		    port <= f->connect_ports[i].to)
			return true;
	return false;
}

static void
guard_note(const struct exch *x)
{
	const struct exch_destination *to = x->destination;
	char text[IP_TEXT_CAP];

	for (uint32_t i = 0; i < to->n_ips; i++) {
		(void)ip_format(&to->ips[i], text);
		sink_note(x, "address", SINK_NOWHERE, "%s", text);
	}
}

enum verdict
stage_guard(struct exch *x)
{
	const struct forward *f = x->listen->forward;
	struct forward_request *r = forward_request(x);
	enum verdict v;

	if (x->req.method == METHOD_CONNECT && !guard_has_port(x)) {
		trail_note(x, DECISION_PORTS, f->connect_ports_at,
		    "port %u is none of them", r->to.port);
		exch_fault(x, F_CONNECT_PORT, 0);
		return VERDICT_FAULT;
	}
	if (intercept_is_nameless(x)) {
		exch_fault_as(x, F_TUNNEL_SNI, 0, "it names no host");
		return VERDICT_FAULT;
	}
	if (f->n_parents > 0 && forward_has_parent(x))
		return forward_guard_parent(x);
	v = identity_need_address(x);
	if (v != VERDICT_NEXT)
		return v;
	if (x->sink != NULL)
		guard_note(x);
	if (r->to.n_ips > 0 || r->why == F_NONE)
		return r->to.is_claimed ? intercept_prove(x) : VERDICT_NEXT;
	if (r->why == F_PRIVATE_ADDRESS)
		trail_note(
		    x, DECISION_PRIVATE, f->private_at, "it is %s", r->why_not);
	exch_fault_as(x, r->why, 0, r->why_not);
	return VERDICT_FAULT;
}
