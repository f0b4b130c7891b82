/* forward/forward_parent: which requests go through another proxy, and what is
 * judged of them here all the same. That proxy looks names up itself: an address
 * is judged where the target is one, or a rule had to know it. */
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/forward/forward_int.h"

/* ".corp.example" is that domain and all below. */
static bool
domain_suits(span domain, span host)
{
	if (domain.len == 0 || domain.p[0] != '.')
		return span_ieq(domain, host);
	if (span_ieq(span_from(domain, 1), host))
		return true;
	return host.len > domain.len &&
	       span_ieq(span_from(host, host.len - domain.len), domain);
}

static bool
parent_suits(const struct forward_parent *p, span host)
{
	span rest = p->hosts;
	span domain;

	if (rest.len == 0)
		return true;
	while (span_cut(&rest, ',', &domain))
		if (domain_suits(domain, host))
			return true;
	return false;
}

bool
forward_has_parent(struct exch *x)
{
	const struct forward *f = x->listen->forward;
	struct exch_destination *to = x->destination;

	for (uint32_t i = 0; i < f->n_parents; i++) {
		const struct forward_parent *p = &f->parents[i];

		if (!parent_suits(p, to->host))
			continue;
		trail_note(x, DECISION_PARENT, p->at,
		    p->upstream == NULL ? "direct" : "asks in our place");
		to->parent = p->upstream;
		break;
	}
	return to->parent != NULL;
}

/* Names that lead to the machine that looks them up (RFC 6761 6.3). */
static bool
is_own_name(span host)
{
	return domain_suits(SPAN_LIT(".localhost"), host);
}

/* What a rule had to know: of several addresses any may be the one that the parent
 * takes, and of a name without one it cannot have judged any. */
static enum verdict
parent_judge_known(struct exch *x, const struct forward_request *r)
{
	if (r->to.n_ips < r->n_judged && !x->set->access.is_log_only)
		exch_fault_as(x, F_ACCESS_DENIED, 0,
		    "not all addresses of the host are allowed");
	else if (r->why != F_NONE)
		exch_fault(x, r->why, 0);
	else
		return VERDICT_NEXT;
	return VERDICT_FAULT;
}

enum verdict
forward_guard_parent(struct exch *x)
{
	const struct forward *f = x->listen->forward;
	struct forward_request *r = forward_request(x);

	if (r->has_address && !r->to.is_resolved)
		forward_judge(x, &r->address, 1);
	/* who looks the host up is who is asked for it */
	r->to.is_claimed = false;
	if (!f->allows_private && is_own_name(r->to.host))
		r->why_not = "the proxy's own machine";
	if (r->why_not == NULL)
		return parent_judge_known(x, r);
	trail_note(x, DECISION_PRIVATE, f->private_at, "it is %s", r->why_not);
	exch_fault_as(x, F_PRIVATE_ADDRESS, 0, r->why_not);
	return VERDICT_FAULT;
}
