/* forward/forward_target: reads what a request asks a proxy for, the one way that
 * rules, logs, caches and the server get to see. */
#include "common/base/service_name.h"
#include "common/http/uri.h"
#include "worker/exch/hop.h"
#include "worker/exch/reqid.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/forward/forward_int.h"

#define HTTP_PORT 80u
/* Methods that pass through here (RFC 9110 10.2.1). */
#define FORWARD_ALLOWS "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, CONNECT"

static enum verdict
target_fault(struct exch *x, enum fault_id why, const char *detail)
{
	exch_fault_as(x, why, 0, detail);
	return VERDICT_FAULT;
}

/* What comes before anybody looks at the target. */
static bool
target_is_refused(struct exch *x)
{
	bool is_connect = x->req.method == METHOD_CONNECT;

	/* who does not wait for the 200 sends what is no request */
	x->wants_close |= is_connect;
	if (x->req.method == METHOD_TRACE)
		exch_fault(x, F_METHOD_REFUSED, 0);
	else if (x->client.is_early && !method_is_safe(x->req.method))
		exch_fault(x, F_TOO_EARLY, 0);
	else if (hop_has_passed(&x->req.fields, x->listen->via_name))
		exch_fault(x, F_LOOP, 0);
	else if (is_connect && x->req.body != LENGTH_NONE &&
		 !(x->req.body == LENGTH_KNOWN && x->req.length == 0))
		exch_fault(x, F_CONNECT_CONTENT, 0);
	else
		return false;
	return true;
}

/* HTTP/2 has a scheme and an authority in every request (RFC 9113 8.3.1), which
 * is an absolute form in pieces. */
static bool
target_is_whole(const struct http_msg *m)
{
	return m->form == TARGET_AUTHORITY || m->form == TARGET_ABSOLUTE ||
	       m->scheme.len > 0;
}

/* What is neither plain HTTP nor a tunnel. */
static bool
target_has_other_scheme(const struct http_msg *m)
{
	return m->form != TARGET_AUTHORITY && m->scheme.len > 0 &&
	       !span_ieq(m->scheme, SPAN_LIT("http"));
}

/* "host:0" asks for a port that there is not. */
static bool
target_tells_no_port(const struct http_msg *m)
{
	ptrdiff_t colon = span_rchr(m->authority, ':');

	return m->port == 0 && colon >= 0 &&
	       (size_t)colon + 1 < m->authority.len &&
	       m->authority.p[m->authority.len - 1] != ']';
}

/* Host, port and what is written from them, in one spelling. */
static void
target_write(struct exch *x, struct exch_destination *to)
{
	struct http_msg *m = &x->req;
	bool is_v6 = span_chr(to->host, ':') >= 0;
	bool has_port = m->form == TARGET_AUTHORITY || to->port != HTTP_PORT;

	m->host = to->host;
	m->port = to->port;
	m->authority = arena_printf(&x->arena, "%s%.*s%s", is_v6 ? "[" : "",
	    SPAN_FMT(to->host), is_v6 ? "]" : "");
	if (has_port)
		m->authority = arena_printf(
		    &x->arena, "%.*s:%u", SPAN_FMT(m->authority), to->port);
}

static enum verdict
target_find(struct exch *x)
{
	struct http_msg *m = &x->req;
	struct forward_request *r = arena_zalloc(&x->arena, sizeof(*r));
	char *host = arena_alloc(&x->arena, URI_HOST_CAP);
	size_t len;

	switch (uri_normalize_host(m->host, host, &len, &r->address)) {
	case URI_HOST_AMBIGUOUS:
		return target_fault(x, F_TARGET_HOST, NULL);
	case URI_HOST_ADDRESS:
		r->to.is_literal = r->has_address = true;
		break;
	case URI_HOST_NAME:
		/* its records would tell other hosts and ports */
		if (service_name_is(span_of(host, len)))
			return target_fault(x, F_TARGET_HOST, "a service");
		break;
	}
	if (target_tells_no_port(m))
		return target_fault(x, F_TARGET_HOST, "port 0");
	list_init(&r->wait.node);
	r->to.host = span_of(host, len);
	r->to.port = m->port != 0 ? m->port : HTTP_PORT;
	r->to.resolve = forward_resolve;
	if (x->client.is_intercepted)
		intercept_fix(x, r);
	x->destination = &r->to;
	target_write(x, &r->to);
	sink_note(x, "target", SINK_NOWHERE, "%.*s, port %u",
	    SPAN_FMT(r->to.host), r->to.port);
	return VERDICT_NEXT;
}

enum verdict
stage_target(struct exch *x)
{
	enum verdict v;

	reqid_make(x);
	if (target_is_refused(x))
		return VERDICT_FAULT;
	if (pac_is_asked(x))
		return pac_reply(x);
	/* in a dry run, nobody has sent it here: it goes where its name leads */
	if (x->listen->is_transparent && x->sink == NULL && !intercept_read(x))
		return VERDICT_FAULT;
	if (!x->client.is_intercepted && !target_is_whole(&x->req))
		return target_fault(x, F_NO_TARGET, NULL);
	if (target_has_other_scheme(&x->req))
		return target_fault(x, F_TARGET_SCHEME, NULL);
	v = target_find(x);
	if (v != VERDICT_NEXT)
		return v;
	x->client.scheme = x->req.form == TARGET_AUTHORITY ? span_of(NULL, 0)
							   : SPAN_LIT("http");
	if (x->req.form == TARGET_AUTHORITY) {
		x->path = x->req.path = span_of(NULL, 0);
		return VERDICT_NEXT;
	}
	target_read_path(x);
	if (!hop_is_spent(&x->req))
		return VERDICT_NEXT;
	exch_reply(x, 200, span_of(NULL, 0), span_of(NULL, 0));
	fields_add_id(
	    &x->resp.fields, &x->arena, FIELD_ALLOW, SPAN_LIT(FORWARD_ALLOWS));
	return VERDICT_REPLY;
}
