/* route/choose: host to site, path to route, and what the route's settings say
 * about this request before anything of it is forwarded. */
#include <inttypes.h>

#include "common/http/chars.h"
#include "common/tls/tls_stream.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/readings.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/route/route.h"
#include "worker/route/table.h"

/* A key of RFC 6455 4.1: 16 bytes in base64. */
#define CHOOSE_WS_KEY_LEN 24

/* Longest host; more cannot be a name (RFC 1035 2.3.4). */
#define CHOOSE_HOST_MAX 253

const struct plan_site *
route_site(const struct plan_listen *l, span host)
{
	const struct plan_site *site;

	if (host.len > 1 && host.p[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len > CHOOSE_HOST_MAX)
		return l->any;
	site = map_get(&l->hosts, host);
	if (site != NULL || l->suffixes.n == 0)
		return site != NULL ? site : l->any;
	for (size_t i = 1; i < host.len; i++) {
		if (host.p[i] != '.')
			continue;
		site = map_get(&l->suffixes, span_from(host, i));
		if (site != NULL)
			return site;
	}
	return l->any;
}

/* Whether the request asks for a WebSocket that may be granted. Any other
 * upgrade is ignored (RFC 9110 7.8): the request is an ordinary one. */
static bool
choose_wants_websocket(const struct exch *x)
{
	return x->req.want_upgrade && x->set->allows_websocket &&
	       x->req.method == METHOD_GET && x->req.version >= HTTP_1_1 &&
	       fields_has_token(
		   &x->req.fields, FIELD_UPGRADE, SPAN_LIT("websocket"));
}

static bool
choose_is_base64(char c)
{
	char low = ascii_lower(c);

	return (low >= 'a' && low <= 'z') || char_is_digit(c) || c == '+' ||
	       c == '/';
}

/* Whether what a handshake must have is there (RFC 6455 4.1, 4.2.1). Which
 * version it is stays between the ends. */
static bool
choose_is_handshake(const struct exch *x)
{
	span key = exch_req_field(x, FIELD_SEC_WEBSOCKET_KEY);

	if (x->req.body != LENGTH_NONE || key.len != CHOOSE_WS_KEY_LEN ||
	    !span_ends(key, SPAN_LIT("==")))
		return false;
	for (size_t i = 0; i < key.len - 2; i++)
		if (!choose_is_base64(key.p[i]))
			return false;
	return exch_req_field(x, FIELD_SEC_WEBSOCKET_VERSION).len > 0;
}

/* Whether an absolute target asks for a resource of another scheme than the one
 * the client came by: nobody here may answer for it (RFC 9110 7.4). */
static bool
choose_is_other_scheme(const struct exch *x)
{
	return x->req.scheme.len > 0 &&
	       !span_ieq(x->req.scheme, x->client.scheme);
}

static enum verdict
choose_fault(struct exch *x, enum fault_id why)
{
	exch_fault(x, why, 0);
	return VERDICT_FAULT;
}

/* A site that asks for certificates is seen only through a handshake in which
 * it did: not by a name that another site was asked for (RFC 9110 7.4), and not
 * without TLS when it insists. */
static bool
choose_may_see(struct exch *x)
{
	if (x->site->needs_certificate && x->client.tls == NULL) {
		exch_fault(x, F_CERTIFICATE_NEEDED, 0);
		return false;
	}
	if (x->site->asks_certificate && x->client.tls != NULL &&
	    x->client.tls->context != x->site->tls) {
		exch_fault_as(x, F_MISDIRECTED, 0,
		    "the TLS handshake was with another site");
		return false;
	}
	return true;
}

/* Whether the listen sends it to https, wherever that is served; a client whose
 * proxy spoke TLS with it is there already. */
static bool
choose_wants_https(const struct exch *x)
{
	return x->listen->redirects_https &&
	       span_eq(x->client.scheme, SPAN_LIT("http"));
}

/* Who names no host (HTTP/1.0) can be sent nowhere, and is not served either. */
static enum verdict
choose_https(struct exch *x)
{
	if (x->req.host.len == 0) {
		exch_fault_as(x, F_MISDIRECTED, 0,
		    "it names no host to be sent to https by");
		return VERDICT_FAULT;
	}
	trail_note(x, DECISION_HTTPS, x->listen->redirects_https_at,
	    "to https://%.*s", SPAN_FMT(x->req.host));
	redirect_to_https(x);
	return VERDICT_REPLY;
}

/* Where routes say who may, a path must not be read as another one by the server
 * behind one that says nothing. */
static bool
choose_is_sure(struct exch *x, const struct plan_route *r)
{
	struct path_readings readings = {.is_begun = false};
	const struct plan_route *other;
	span path;

	if (!x->site->guards_paths)
		return true;
	if (x->path_is_ambiguous)
		return false;
	while (path_readings_next(x, &readings, &path))
		if (table_find(x->site->routes, path, &other) != TABLE_FOUND ||
		    other != r)
			return false;
	return !readings.is_ambiguous;
}

static enum verdict
choose_refuse(struct exch *x)
{
	trail_note(x, DECISION_ACCESS, x->site->at,
	    "denied: the path can be read in more than one way, and lists here "
	    "depend on it");
	counter_add(x->w->counters, COUNTER_ACCESS_DENIED, 1);
	exch_fault_as(x, F_ACCESS_DENIED, 0,
	    "the path can be read in more than one way, and lists depend on "
	    "it");
	return VERDICT_FAULT;
}

enum verdict
stage_route(struct exch *x)
{
	const struct plan_route *r = NULL;
	bool is_ours = !choose_is_other_scheme(x);

	if (choose_wants_https(x))
		return choose_https(x);
	if (is_ours)
		x->site = route_site(x->listen, x->req.host);
	if (x->site == NULL) {
		trail_note(x, DECISION_SITE, x->listen->at,
		    "none is served here for %s '%.*s'",
		    is_ours ? "the host" : "the scheme",
		    SPAN_FMT(is_ours ? x->req.host : x->req.scheme));
		return choose_fault(x, F_MISDIRECTED);
	}
	sink_note(x, "site", x->site->at, "%.*s", SPAN_FMT(x->site->name));
	if (!choose_may_see(x))
		return VERDICT_FAULT;
	x->set = &x->site->set;
	switch (table_find(x->site->routes, x->path, &r)) {
	case TABLE_LIMIT:
		exch_fault_as(x, F_INTERNAL, 0,
		    "a route's regex needed too many steps for this path");
		return VERDICT_FAULT;
	case TABLE_NONE:
		trail_note(x, DECISION_ROUTE, x->site->at,
		    "none serves the path %.*s", SPAN_FMT(x->path));
		return choose_fault(x, F_NOT_FOUND);
	case TABLE_FOUND:
		break;
	}
	sink_note(x, "route", r->at, "%.*s",
	    SPAN_FMT(r->text.len > 0 ? r->text : SPAN_LIT("the site's own")));
	x->route = r;
	x->set = &r->set;
	return choose_is_sure(x, r) ? VERDICT_NEXT : choose_refuse(x);
}

enum verdict
stage_admit(struct exch *x)
{
	const struct plan_settings *set = x->set;

	if (set->max_body > 0 && x->req.body == LENGTH_KNOWN &&
	    x->req.length > set->max_body) {
		trail_note(x, DECISION_BODY, set->max_body_at, "%" PRIu64,
		    set->max_body);
		return choose_fault(x, F_BODY_TOO_LARGE);
	}
	x->wants_tunnel = choose_wants_websocket(x);
	if (x->wants_tunnel && !choose_is_handshake(x))
		return choose_fault(x, F_UPGRADE_BAD);
	return VERDICT_NEXT;
}
