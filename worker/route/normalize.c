/* route/normalize: the first stage: reads the request the one way that all
 * later stages compare with, and answers what is asked of the proxy itself. */
#include "worker/exch/exch.h"
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/exch/reqid.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/exch/trail.h"
#include "worker/route/allow.h"
#include "worker/route/route.h"

/* Rules have seen the path as it came: who attacks by it was told of. */
enum verdict
stage_path(struct exch *x)
{
	if (x->w->plan->normalizes_paths) {
		x->req.path = x->path;
		return VERDICT_NEXT;
	}
	if (!x->path_is_ambiguous)
		return VERDICT_NEXT;
	trail_note(x, DECISION_PATH, x->w->plan->path_policy_at,
	    "the path can be read in more than one way");
	exch_fault(x, F_PATH_AMBIGUOUS, 0);
	return VERDICT_FAULT;
}

/* OPTIONS about this proxy, not about what is behind it. */
static bool
normalize_is_for_us(const struct http_msg *m)
{
	return hop_is_spent(m) ||
	       (m->method == METHOD_OPTIONS && span_eq(m->path, SPAN_LIT("*")));
}

enum verdict
stage_normalize(struct exch *x)
{
	reqid_make(x);
	if (x->req.method == METHOD_CONNECT || x->req.method == METHOD_TRACE) {
		/* who does not wait for the 200 sends what is no request */
		x->wants_close |= x->req.method == METHOD_CONNECT;
		exch_fault(x, F_METHOD_REFUSED, 0);
		return VERDICT_FAULT;
	}
	if (x->client.is_early && !method_is_safe(x->req.method)) {
		exch_fault(x, F_TOO_EARLY, 0);
		return VERDICT_FAULT;
	}
	if (hop_has_passed(&x->req.fields, x->listen->via_name)) {
		exch_fault(x, F_LOOP, 0);
		return VERDICT_FAULT;
	}
	if (normalize_is_for_us(&x->req)) {
		x->path = x->req.path;
		exch_reply(x, 200, span_of(NULL, 0), span_of(NULL, 0));
		allow_add(x);
		return VERDICT_REPLY;
	}
	target_read_path(x);
	return VERDICT_NEXT;
}
