/* forward/forward_fields: the fields of plain requests and their answers. What is
 * said to a proxy goes no further whatever the configuration says; how much of
 * the client goes on is the level of anonymity. */
#include "common/base/check.h"
#include "worker/exch/hop.h"
#include "worker/exch/told.h"
#include "worker/forward/forward_int.h"

/* Longest name that is looked at. */
#define FIELDS_NAME_MAX 64
/* What stands for a proxy that has no name (RFC 9110 7.6.3). */
#define FIELDS_VIA_1_0 "1.0 proxy"
#define FIELDS_VIA_1_1 "1.1 proxy"
#define FIELDS_VIA_2 "2 proxy"

/* --- what goes ------------------------------------------------------------ */

/* A name in lower case, with hyphens; empty when it is too long to be of any
 * meaning here. */
static span
fields_plain_name(span name, char out[FIELDS_NAME_MAX])
{
	if (name.len > FIELDS_NAME_MAX)
		return span_of(NULL, 0);
	for (size_t i = 0; i < name.len; i++)
		out[i] = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
	return span_of(out, name.len);
}

static bool
fields_tells_client(span name)
{
	static const span names[] = {
#define IDENTITY(text) {text, sizeof(text) - 1},
#include "worker/forward/forward_identity.def"
#undef IDENTITY
	};

	if (span_starts(name, SPAN_LIT("x-forwarded-")))
		return true;
	for (size_t i = 0; i < NELEMS(names); i++)
		if (span_eq(name, names[i]))
			return true;
	return false;
}

/* Proxy-Authorization, Proxy-Connection, and whatever else is for us; and Proxy
 * itself, which becomes HTTP_PROXY in CGI (httpoxy). */
static bool
fields_is_for_proxy(span name)
{
	return span_starts(name, SPAN_LIT("proxy-")) ||
	       span_eq(name, SPAN_LIT("proxy"));
}

/* What frames a message, says what its content is or asks for a WebSocket: a
 * request without it would be another one. */
static bool
fields_is_needed(const struct http_field *f, span name)
{
	switch ((int)f->id) {
	case FIELD_HOST:
	case FIELD_CONTENT_LENGTH:
	case FIELD_CONTENT_TYPE:
	case FIELD_CONTENT_ENCODING:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_EXPECT:
	case FIELD_CONNECTION:
	case FIELD_UPGRADE:
		return true;
	default:
		return span_starts(name, SPAN_LIT("sec-websocket-"));
	}
}

static bool
fields_is_kept(const struct forward *fwd, const struct http_field *f, span name)
{
	for (uint32_t i = 0; i < fwd->n_kept; i++)
		if (span_ieq(fwd->kept[i], name))
			return true;
	return fwd->kept == NULL || fields_is_needed(f, name);
}

/* Beside the name of one client program stand no hints of another. */
static bool
fields_is_of_agent(const struct forward *fwd, span name)
{
	return fwd->user_agent.len > 0 &&
	       span_starts(name, SPAN_LIT("sec-ch-ua"));
}

static void
fields_remove(struct exch *x, bool hides_client)
{
	const struct forward *fwd = x->listen->forward;
	char room[FIELDS_NAME_MAX];

	fields_foreach(f, &x->req.fields)
	{
		span name = fields_plain_name(f->name, room);

		if (fields_is_for_proxy(name) ||
		    !fields_is_kept(fwd, f, name) ||
		    fields_is_of_agent(fwd, name) ||
		    (hides_client && fields_tells_client(name)) ||
		    (hides_client && f->id == FIELD_VIA))
			f->is_gone = true;
	}
}

/* --- what comes ----------------------------------------------------------- */

/* Behind what is there already, as a member of the list. */
static void
fields_append(struct exch *x, enum field_id id, span value)
{
	span old = fields_joined(&x->req.fields, id, &x->arena);
	span parts[3] = {old, SPAN_LIT(", "), value};

	fields_set(&x->req.fields, &x->arena, id,
	    old.len == 0 ? value : arena_concat(&x->arena, parts, 3));
}

/* Who the client is. What it says itself is believed of a trusted proxy only. */
static void
fields_tell_client(struct exch *x)
{
	char *p = arena_alloc(&x->arena, IP_TEXT_CAP);
	span ip = SPAN_LIT("unknown");
	bool is_v6;

	if (!x->client.is_trusted) {
		(void)fields_del(&x->req.fields, FIELD_X_FORWARDED_FOR);
		(void)fields_del(&x->req.fields, FIELD_FORWARDED);
	}
	if (!x->client.is_unix)
		ip = span_of(p, ip_format(&x->client.peer, p));
	is_v6 = span_chr(ip, ':') >= 0;
	fields_append(x, FIELD_X_FORWARDED_FOR, ip);
	fields_append(x, FIELD_FORWARDED,
	    arena_printf(&x->arena, is_v6 ? "for=\"[%.*s]\"" : "for=%.*s",
		SPAN_FMT(ip)));
}

static span
fields_via(const struct exch *x, enum http_version v)
{
	if (x->listen->forward->anonymity == ANONYMITY_NONE)
		return plan_via(x->listen, v);
	if (v == HTTP_2)
		return SPAN_LIT(FIELDS_VIA_2);
	return v == HTTP_1_0 ? SPAN_LIT(FIELDS_VIA_1_0)
			     : SPAN_LIT(FIELDS_VIA_1_1);
}

/* A parent must be able to tell that a tunnel comes through it twice. */
static void
fields_tell_parent(struct exch *x)
{
	span parts[3] = {
	    span_of(NULL, 0), SPAN_LIT(", "), fields_via(x, x->req.version)};

	if (x->listen->forward->anonymity == ANONYMITY_NONE)
		parts[0] = fields_joined(&x->req.fields, FIELD_VIA, &x->arena);
	x->destination->via =
	    parts[0].len == 0 ? parts[2] : arena_concat(&x->arena, parts, 3);
}

/* --- stages --------------------------------------------------------------- */

enum verdict
stage_forward_fields(struct exch *x)
{
	const struct forward *fwd = x->listen->forward;
	struct http_fields *f = &x->req.fields;
	bool has_trailers = !x->wants_tunnel &&
			    fields_has_token(f, FIELD_TE, SPAN_LIT("trailers"));

	if (x->req.method == METHOD_CONNECT) {
		if (x->destination->parent != NULL && fwd->has_via)
			fields_tell_parent(x);
		return VERDICT_NEXT;
	}
	if (!hop_remove(f, false)) {
		exch_fault_as(
		    x, F_CLIENT_BAD, 0, "Connection names too many fields");
		return VERDICT_FAULT;
	}
	fields_remove(x, fwd->anonymity != ANONYMITY_NONE);
	/* the target wins over Host (RFC 9112 3.2.2) */
	if (!span_eq(exch_req_field(x, FIELD_HOST), x->req.authority))
		fields_set(f, &x->arena, FIELD_HOST, x->req.authority);
	hop_count(&x->req, &x->arena);
	if (fwd->has_via)
		fields_add_id(
		    f, &x->arena, FIELD_VIA, fields_via(x, x->req.version));
	if (fwd->anonymity == ANONYMITY_NONE)
		fields_tell_client(x);
	if (fwd->user_agent.len > 0)
		fields_set(f, &x->arena, FIELD_USER_AGENT, fwd->user_agent);
	/* RFC 8470 5.1 */
	if (x->client.is_early && fields_find(f, FIELD_EARLY_DATA) == NULL)
		fields_add_id(f, &x->arena, FIELD_EARLY_DATA, SPAN_LIT("1"));
	if (has_trailers) {
		fields_add_id(f, &x->arena, FIELD_TE, SPAN_LIT("trailers"));
		fields_add_id(f, &x->arena, FIELD_CONNECTION, SPAN_LIT("TE"));
	}
	field_rules_apply(&x->set->request_fields, x, f);
	return VERDICT_NEXT;
}

/* --- Proxy-Status (RFC 9209) ---------------------------------------------- */

static void
answer_tell_status(struct exch *x)
{
	told_status(x, x->listen->forward->anonymity == ANONYMITY_NONE
			   ? x->listen->via_name
			   : SPAN_LIT("proxy"));
}

/* --- answers -------------------------------------------------------------- */

/* What only a proxy may say to its client (RFC 9110 11.7). A challenge that is
 * not ours would make clients tell us what they know of a server. */
static bool
answer_remove(struct exch *x)
{
	struct http_fields *f = &x->resp.fields;

	if (x->resp.status == 407) {
		exch_fault(x, F_ORIGIN_PROXY_AUTH, 0);
		return false;
	}
	if (!hop_remove(f, x->resp.status == 101)) {
		exch_fault_as(
		    x, F_ORIGIN_BAD, 0, "Connection names too many fields");
		return false;
	}
	(void)fields_del(f, FIELD_PROXY_AUTHENTICATE);
	(void)fields_del(f, FIELD_PROXY_AUTHENTICATION_INFO);
	return true;
}

enum verdict
stage_forward_answer(struct exch *x)
{
	struct http_fields *f = &x->resp.fields;

	/* of a tunnel nothing but that there is one (RFC 9110 9.3.6) */
	if (exch_is_granted(x) && x->resp.status != 101)
		return VERDICT_NEXT;
	if (!x->is_own_answer) {
		if (!answer_remove(x))
			return VERDICT_FAULT;
		field_rules_apply(&x->set->hidden_fields, x, f);
		if (x->listen->forward->has_via)
			fields_add_id(f, &x->arena, FIELD_VIA,
			    fields_via(x, x->resp.version));
	}
	if (x->is_own_answer && x->fault != F_NONE &&
	    x->listen->forward->has_proxy_status)
		answer_tell_status(x);
	/* RFC 9110 6.6.1: a recipient with a clock adds what is missing */
	if (fields_find(f, FIELD_DATE) == NULL) {
		char *p = arena_alloc(&x->arena, WORKER_DATE_CAP);
		span now = worker_date(x->w);

		memcpy(p, now.p, now.len);
		fields_add_id(f, &x->arena, FIELD_DATE, span_of(p, now.len));
	}
	field_rules_apply(&x->set->response_fields, x, f);
	return VERDICT_NEXT;
}
