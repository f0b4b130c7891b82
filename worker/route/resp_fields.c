/* route/resp_fields: the answer's fields as the client gets them. Framing and
 * Connection are the business of the front. */
#include "worker/exch/exch.h"
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/exch/told.h"
#include "worker/route/allow.h"
#include "worker/route/route.h"

void
allow_add(struct exch *x)
{
	fields_add_id(&x->resp.fields, &x->arena, FIELD_ALLOW,
	    SPAN_LIT("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
}

/* What must be upgraded to is for the client to know (RFC 9110 15.5.22), if it
 * can be had through here. */
static bool
resp_asks_for_websocket(const struct exch *x)
{
	return x->resp.status == 426 && x->set->allows_websocket &&
	       fields_has_token(
		   &x->resp.fields, FIELD_UPGRADE, SPAN_LIT("websocket"));
}

enum verdict
stage_response_fields(struct exch *x)
{
	struct http_fields *f = &x->resp.fields;

	if (x->is_own_answer && x->fault != F_NONE && x->set->tells_status)
		told_status(x, x->listen->via_name);
	if (x->is_own_answer) {
		/* RFC 9110 15.5.6: a 405 says what is allowed */
		if (x->resp.status == 405 &&
		    fields_find(f, FIELD_ALLOW) == NULL)
			allow_add(x);
	} else {
		bool asks = resp_asks_for_websocket(x);

		if (!hop_remove(f, x->resp.status == 101)) {
			exch_fault_as(x, F_ORIGIN_BAD, 0,
			    "Connection names too many fields");
			return VERDICT_FAULT;
		}
		if (asks)
			fields_set(
			    f, &x->arena, FIELD_UPGRADE, SPAN_LIT("websocket"));
		field_rules_apply(&x->set->hidden_fields, x, f);
		fields_add_id(f, &x->arena, FIELD_VIA,
		    plan_via(x->listen, x->resp.version));
	}
	/* RFC 9110 6.6.1: a recipient with a clock adds what is missing */
	if (fields_find(f, FIELD_DATE) == NULL) {
		char *p = arena_alloc(&x->arena, WORKER_DATE_CAP);
		span now = worker_date(x->w);

		memcpy(p, now.p, now.len);
		fields_add_id(f, &x->arena, FIELD_DATE, span_of(p, now.len));
	}
	return VERDICT_NEXT;
}

enum verdict
stage_response_header(struct exch *x)
{
	struct http_fields *f = &x->resp.fields;

	/* RFC 6797 7.2: never without TLS; an own line of it in the
	 * configuration is nearer than the key */
	if (x->set->hsts.len > 0 &&
	    span_eq(x->client.scheme, SPAN_LIT("https")))
		fields_set(f, &x->arena, FIELD_STRICT_TRANSPORT_SECURITY,
		    x->set->hsts);
	if (x->set->tells_timing)
		told_timing(x);
	field_rules_apply(&x->set->response_fields, x, f);
	return VERDICT_NEXT;
}
