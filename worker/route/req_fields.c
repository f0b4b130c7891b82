/* route/req_fields: the request's fields as the next hop gets them. What is
 * meant for us alone goes first (RFC 9110 7.6.1), then what a client could
 * forge, then what we know better is added. Framing and Connection are the
 * business of whoever speaks to the origin. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "worker/exch/exch.h"
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/exch/trace.h"
#include "worker/route/route.h"

/* Longest name that is looked at for underscores in place of hyphens. */
#define REQ_NAME_MAX 32

enum req_class {
	REQ_PLAIN,
	REQ_NEVER, /* never forwarded */
	REQ_OURS, /* made anew for every request */
	REQ_TRUSTED /* a client's own is removed, a trusted proxy's stays */
};

static enum req_class
req_class_of(enum field_id id)
{
	switch ((unsigned)id) {
	case FIELD_PROXY: /* becomes HTTP_PROXY in CGI (httpoxy) */
		return REQ_NEVER;
	case FIELD_X_REAL_IP:
	case FIELD_X_REQUEST_ID:
		return REQ_OURS;
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_PROTO:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PORT:
	case FIELD_X_FORWARDED_PREFIX:
	case FIELD_X_FORWARDED_SERVER:
	case FIELD_FORWARDED:
	case FIELD_CLIENT_IP:
	case FIELD_TRUE_CLIENT_IP:
	case FIELD_X_ORIGINAL_URL:
	case FIELD_X_REWRITE_URL:
		return REQ_TRUSTED;
	default:
		return REQ_PLAIN;
	}
}

/* Whether an unknown name is one of the above to a CGI-like origin, to which
 * "_" and "-" look the same, or another of the X-Forwarded family. */
static enum req_class
req_class_of_name(span name)
{
	char own[REQ_NAME_MAX];
	span s = span_of(own, name.len);

	if (name.len < sizeof("x-") || name.len > sizeof(own))
		return REQ_PLAIN;
	for (size_t i = 0; i < name.len; i++)
		own[i] = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
	if (span_chr(name, '_') < 0)
		return span_starts(s, SPAN_LIT("x-forwarded-")) ? REQ_TRUSTED
								: REQ_PLAIN;
	if (span_starts(s, SPAN_LIT("x-forwarded-")))
		return REQ_NEVER;
	switch ((unsigned)field_lookup(s)) {
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_HOST:
	case FIELD_VIA:
		return REQ_NEVER;
	case FIELD_OTHER:
		return REQ_PLAIN;
	default:
		/* ours under a false name is nobody's: never believed */
		return req_class_of(field_lookup(s)) == REQ_PLAIN ? REQ_PLAIN
								  : REQ_NEVER;
	}
}

static void
req_remove_forged(struct exch *x)
{
	fields_foreach(f, &x->req.fields)
	{
		enum req_class c = f->id == FIELD_OTHER
				       ? req_class_of_name(f->name)
				       : req_class_of((enum field_id)f->id);

		if (c == REQ_NEVER || c == REQ_OURS ||
		    (c == REQ_TRUSTED && !x->client.is_trusted))
			f->is_gone = true;
	}
}

static bool
req_has(const struct exch *x, enum field_id id)
{
	return fields_find(&x->req.fields, id) != NULL;
}

static void
req_add(struct exch *x, enum field_id id, span value)
{
	fields_add_id(&x->req.fields, &x->arena, id, value);
}

/* Leave the lines of a list as they are and add a member of ours behind. */
static void
req_append(struct exch *x, enum field_id id, span value)
{
	span old = fields_joined(&x->req.fields, id, &x->arena);
	span parts[3] = {old, SPAN_LIT(", "), value};

	if (old.len == 0)
		fields_set(&x->req.fields, &x->arena, id, value);
	else
		fields_set(&x->req.fields, &x->arena, id,
		    arena_concat(&x->arena, parts, NELEMS(parts)));
}

/* The client's address as text in the arena. */
static span
req_ip(struct exch *x, const struct ip *ip)
{
	char *p = arena_alloc(&x->arena, IP_TEXT_CAP);

	return span_of(p, ip_format(ip, p));
}

/* The client as believed; most often that is the peer, whose text is there. */
static span
req_real_ip(struct exch *x, span peer)
{
	const struct exch_client *c = &x->client;

	return !c->is_unix && ip_eq(&c->ip, &c->peer) ? peer
						      : req_ip(x, &c->ip);
}

/* One element of Forwarded for our peer (RFC 7239 4). */
static span
req_forwarded(struct exch *x, span peer)
{
	span host = x->req.authority;
	bool is_v6 = span_chr(peer, ':') >= 0;
	/* a host may hold what separates pairs and members here (RFC 3986
	 * 3.2.2), but neither a quote nor a backslash */
	bool is_quoted = host.len > 0 && !chars_all(host, CHAR_TOKEN);
	span quote = is_quoted ? SPAN_LIT("\"") : SPAN_LIT("");
	span parts[] = {
	    is_v6 ? SPAN_LIT("for=\"[") : SPAN_LIT("for="),
	    peer,
	    is_v6 ? SPAN_LIT("]\"") : SPAN_LIT(""),
	    host.len > 0 ? SPAN_LIT(";host=") : SPAN_LIT(""),
	    quote,
	    host,
	    quote,
	    SPAN_LIT(";proto="),
	    x->client.scheme,
	};

	return arena_concat(&x->arena, parts, NELEMS(parts));
}

/* What the client is to us, added to what trusted proxies told before. */
static void
req_add_forwarded(struct exch *x)
{
	bool is_told = x->client.is_trusted;
	span peer = x->client.is_unix ? SPAN_LIT("unknown")
				      : req_ip(x, &x->client.peer);

	if (is_told) {
		/* whoever reads the list next must not stop at a neighbour of
		 * ours that has no address */
		if (!x->client.is_unix || !req_has(x, FIELD_X_FORWARDED_FOR))
			req_append(x, FIELD_X_FORWARDED_FOR, peer);
		req_append(x, FIELD_FORWARDED, req_forwarded(x, peer));
	} else {
		req_add(x, FIELD_X_FORWARDED_FOR, peer);
		req_add(x, FIELD_FORWARDED, req_forwarded(x, peer));
	}
	if (exch_client_has_ip(&x->client))
		req_add(x, FIELD_X_REAL_IP, req_real_ip(x, peer));
	if (!is_told || !req_has(x, FIELD_X_FORWARDED_PROTO))
		req_add(x, FIELD_X_FORWARDED_PROTO, x->client.scheme);
	if (x->req.authority.len > 0 &&
	    (!is_told || !req_has(x, FIELD_X_FORWARDED_HOST)))
		req_add(x, FIELD_X_FORWARDED_HOST, x->req.authority);
	if (x->client.local_port > 0 &&
	    (!is_told || !req_has(x, FIELD_X_FORWARDED_PORT))) {
		char *p = arena_alloc(&x->arena, sizeof("65535"));

		req_add(x, FIELD_X_FORWARDED_PORT,
		    span_of(p, u64_format(x->client.local_port, p)));
	}
}

/* The target wins over Host (RFC 9112 3.2.2); what follows must agree. */
static void
req_set_host(struct exch *x)
{
	if (x->req.authority.len > 0 &&
	    !span_eq(exch_req_field(x, FIELD_HOST), x->req.authority))
		fields_set(
		    &x->req.fields, &x->arena, FIELD_HOST, x->req.authority);
}

/* Keep what the client said: its answer depends on that. */
static void
req_keep_said(struct exch *x)
{
	struct http_fields *said = arena_alloc(&x->arena, sizeof(*said));
	size_t len = x->req.fields.n * sizeof(*said->at);

	*said = x->req.fields;
	said->cap = said->n;
	said->at = arena_alloc(&x->arena, len);
	if (len > 0)
		memcpy(said->at, x->req.fields.at, len);
	x->said = said;
}

enum verdict
stage_request_fields(struct exch *x)
{
	struct http_fields *f = &x->req.fields;
	/* the recipient that TE speaks to is now the origin, and trailers do
	 * pass through here (RFC 9110 10.1.4) */
	bool has_trailers = !x->wants_tunnel &&
			    fields_has_token(f, FIELD_TE, SPAN_LIT("trailers"));

	if (!hop_remove(f, false)) {
		exch_fault_as(
		    x, F_CLIENT_BAD, 0, "Connection names too many fields");
		return VERDICT_FAULT;
	}
	req_remove_forged(x);
	req_set_host(x);
	hop_count(&x->req, &x->arena);
	req_add(x, FIELD_VIA, plan_via(x->listen, x->req.version));
	req_add_forwarded(x);
	/* RFC 8470 5.1 */
	if (x->client.is_early && !req_has(x, FIELD_EARLY_DATA))
		req_add(x, FIELD_EARLY_DATA, SPAN_LIT("1"));
	req_add(x, FIELD_X_REQUEST_ID, x->request_id);
	trace_tell(x);
	if (has_trailers) {
		req_add(x, FIELD_TE, SPAN_LIT("trailers"));
		req_add(x, FIELD_CONNECTION, SPAN_LIT("TE"));
	}
	if (x->set->request_fields.n > 0)
		req_keep_said(x);
	field_rules_apply(&x->set->request_fields, x, f);
	return VERDICT_NEXT;
}
