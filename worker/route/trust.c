/* route/trust: who the client is. A peer that the listen's trusted_proxies name
 * may say so in X-Forwarded-For, or in Forwarded when that is missing; the
 * client is the first hop from the right that is not trusted itself. */
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/reqid.h"
#include "worker/exch/sink.h"
#include "worker/route/forwarded.h"
#include "worker/route/route.h"

/* Trusted hops walked over. Real chains have two or three; a client may forge
 * as many as fit into a head. */
#define TRUST_HOPS_MAX 32

/* "http" or "https" as a constant, or the empty span. */
static span
trust_scheme(span s)
{
	if (span_ieq(s, SPAN_LIT("https")))
		return SPAN_LIT("https");
	if (span_ieq(s, SPAN_LIT("http")))
		return SPAN_LIT("http");
	return span_of(NULL, 0);
}

/* Walk the hops of a field. Returns how many of them were believed, counted
 * from the right; *proto is what the last of them says. */
static unsigned
trust_walk(struct exch *x, enum field_id id, span *proto)
{
	bool is_xff = id == FIELD_X_FORWARDED_FOR;
	struct forwarded_iter it;
	struct forwarded_hop hop;
	unsigned n = 0;
	span member;

	forwarded_begin(&it, &x->req.fields, id);
	while (n < TRUST_HOPS_MAX && forwarded_prev(&it, &member)) {
		if (is_xff ? !forwarded_read_xff(member, &hop)
			   : !forwarded_read_rfc7239(member, &hop))
			break;
		n++;
		x->client.ip = hop.ip;
		x->client.port = hop.port;
		*proto = hop.proto;
		if (!plan_trusts(x->listen, &hop.ip, false))
			break;
	}
	return n;
}

/* X-Forwarded-Proto as told by the proxy that told of the client: the n-th from
 * the right, or the first when there are fewer. */
static span
trust_told_scheme(const struct exch *x, unsigned n)
{
	struct forwarded_iter it;
	span member = span_of(NULL, 0);
	span next;

	forwarded_begin(&it, &x->req.fields, FIELD_X_FORWARDED_PROTO);
	do {
		if (!forwarded_prev(&it, &next))
			break;
		member = next;
	} while (n-- > 1);
	return trust_scheme(member);
}

/* What a trusted peer says. */
static void
trust_believe(struct exch *x)
{
	const struct http_fields *f = &x->req.fields;
	span proto = span_of(NULL, 0);
	unsigned n = 0;
	span id;

	if (fields_find(f, FIELD_X_FORWARDED_FOR) != NULL)
		n = trust_walk(x, FIELD_X_FORWARDED_FOR, &proto);
	else if (fields_find(f, FIELD_FORWARDED) != NULL)
		n = trust_walk(x, FIELD_FORWARDED, &proto);
	/* of a forward proxy the target says it */
	proto = x->destination == NULL ? trust_scheme(proto) : span_of(NULL, 0);
	if (proto.len == 0 && x->destination == NULL)
		proto = trust_told_scheme(x, n);
	if (proto.len > 0)
		x->client.scheme = proto;
	id = exch_req_field(x, FIELD_X_REQUEST_ID);
	if (reqid_is_fine(id))
		x->request_id = id;
}

static void
trust_note(struct exch *x)
{
	char ip[IP_TEXT_CAP];

	if (x->sink == NULL)
		return;
	(void)ip_format(&x->client.ip, ip);
	/* a tunnel has no scheme */
	sink_add(x->sink, "client", x->listen->at, "%s%s%.*s%s", ip,
	    x->client.scheme.len > 0 ? ", " : "", SPAN_FMT(x->client.scheme),
	    x->client.is_trusted ? ", as a trusted proxy says" : "");
}

enum verdict
stage_client(struct exch *x)
{
	x->client.ip = x->client.peer;
	x->client.port = x->client.peer_port;
	if (x->client.scheme.len == 0 && x->destination == NULL)
		x->client.scheme = SPAN_LIT("http");
	x->client.is_trusted =
	    plan_trusts(x->listen, &x->client.peer, x->client.is_unix);
	if (x->client.is_trusted)
		trust_believe(x);
	trust_note(x);
	return VERDICT_NEXT;
}
