/* route/normalize: the first stage: reads the request the one way that all
 * later stages compare with, and answers what is asked of the proxy itself. */
#include "common/base/num.h"
#include "common/http/uri.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/reqid.h"
#include "worker/route/allow.h"
#include "worker/route/route.h"

/* Whether a Via of the request names us (RFC 9110 7.6.3). Our name is random
 * enough that it is no part of another's. */
static bool
normalize_is_loop(const struct exch *x)
{
	const struct http_field *f = fields_find(&x->req.fields, FIELD_VIA);

	for (; f != NULL; f = fields_next(&x->req.fields, f))
		if (span_find(f->value, x->listen->via_name) >= 0)
			return true;
	return false;
}

/* OPTIONS about this proxy, not about what is behind it. */
static bool
normalize_is_for_us(const struct exch *x)
{
	uint64_t left;

	if (x->req.method != METHOD_OPTIONS)
		return false;
	if (span_eq(x->req.path, SPAN_LIT("*")))
		return true;
	return span_u64(
		   exch_req_field(x, FIELD_MAX_FORWARDS), UINT64_MAX, &left) &&
	       left == 0;
}

static void
normalize_path(struct exch *x)
{
	size_t len;
	char *p = arena_alloc(&x->arena, x->req.path.len);

	x->path_is_ambiguous =
	    uri_normalize_path(x->req.path, p, &len) == URI_PATH_AMBIGUOUS;
	x->path = span_of(p, len);
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
	if (normalize_is_loop(x)) {
		exch_fault(x, F_LOOP, 0);
		return VERDICT_FAULT;
	}
	if (normalize_is_for_us(x)) {
		x->path = x->req.path;
		exch_reply(x, 200, span_of(NULL, 0), span_of(NULL, 0));
		allow_add(x);
		return VERDICT_REPLY;
	}
	normalize_path(x);
	return VERDICT_NEXT;
}
