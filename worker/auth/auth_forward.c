/* auth/auth_forward: scheme `forward`: a server says who somebody is. It is
 * asked by an exchange of its own with what the client sent but its content;
 * of its answer the status and a few fields count. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/auth/auth_int.h"
#include "worker/exch/handler.h"
#include "worker/exch/hop.h"
#include "worker/exch/internal.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"

#define MAGIC_AUTH_CALL MAGIC('A', 'C', 'A', 'L')

/* Longer than this nobody waits. */
#define FORWARD_MS_MAX 10000u
/* Of the content of its answer, before the rest is not worth the reading. */
#define FORWARD_ANSWER_MAX (64u * 1024)
#define FORWARD_IOV 16
/* Longest name that is compared as CGI would see it. */
#define FORWARD_NAME_MAX 64u

/* What an exchange asked, and was answered; in its arena. */
struct auth_asked {
	const struct plan_auth *auth;
	struct auth_call *call; /* NULL: it is over */
	unsigned status; /* 0: there was no answer */
	struct http_fields fields; /* of the answer, those that count */
};

/* The exchange that asks, as its front. */
struct auth_call {
	uint32_t magic;
	struct list node; /* of the worker's */
	struct exch *x; /* who waits; NULL: nobody does any more */
	struct exch *y;
	uint64_t n_read;
	bool has_local;
	struct sock_addr local;
};

/* --- names ---------------------------------------------------------------- */

/* Whether two names are one to a server that knows no hyphens (RFC 3875
 * 4.1.18). */
static bool
forward_is_same(span a, span b)
{
	if (a.len != b.len || a.len > FORWARD_NAME_MAX)
		return span_ieq(a, b);
	for (size_t i = 0; i < a.len; i++) {
		char one = a.p[i] == '_' ? '-' : ascii_lower(a.p[i]);
		char two = b.p[i] == '_' ? '-' : ascii_lower(b.p[i]);

		if (one != two)
			return false;
	}
	return true;
}

static void
forward_del(struct http_fields *f, span name)
{
	fields_foreach(fld, f)
	{
		if (forward_is_same(fld->name, name))
			fld->is_gone = true;
	}
}

/* What a server is told by us, whatever the client says of it. */
static void
forward_tell(struct exch *y, span name, span value)
{
	forward_del(&y->req.fields, name);
	if (value.len > 0)
		fields_add_known(
		    &y->req.fields, &y->arena, field_lookup(name), name, value);
}

/* Whether a field of the answer counts. */
static bool
forward_counts(const struct auth_conf *c, const struct http_field *f)
{
	if (f->id == FIELD_WWW_AUTHENTICATE || span_ieq(f->name, c->user_field))
		return true;
	for (uint32_t i = 0; i < c->source.n; i++)
		if (span_ieq(f->name, c->source.names[i]))
			return true;
	return false;
}

/* --- as a front ----------------------------------------------------------- */

/* Tell who waits; status 0: there is no answer. */
static void
call_settle(struct auth_call *call, unsigned status)
{
	struct exch *x = call->x;
	struct auth_asked *asked;

	if (x == NULL)
		return;
	asked = x->auth_asked;
	call->x = NULL;
	asked->call = NULL;
	asked->status = status;
	fields_init(&asked->fields, &x->arena, 4);
	fields_foreach(f, &call->y->resp.fields)
	{
		if (status != 0 && forward_counts(asked->auth->conf, f))
			fields_add_known(&asked->fields, &x->arena,
			    (enum field_id)f->id,
			    arena_span(&x->arena, f->name),
			    arena_span(&x->arena, f->value));
	}
	exch_kick(x);
}

/* The head is there. What follows is read, so that the connection can serve the
 * next one. */
static bool
call_send(void *self, struct exch *y)
{
	struct auth_call *call = self;
	struct iovec iov[FORWARD_IOV];
	uint64_t bytes;
	bool moved = false;

	OBJ_CHECK(call, MAGIC_AUTH_CALL);
	/* one that was made here says that there was none */
	call_settle(call, y->is_own_answer ? 0 : y->resp.status);
	if (y->resp_body.state == BODY_ABORTED) {
		exch_fault(y, y->resp_body.fault, 0);
		return true;
	}
	while (body_peek(&y->resp_body, iov, FORWARD_IOV, UINT64_MAX, &bytes) >
	       0) {
		body_consume(&y->resp_body, bytes);
		call->n_read += bytes;
		moved = true;
	}
	if (body_is_done(&y->resp_body))
		y->is_sent = true;
	else if (call->n_read > FORWARD_ANSWER_MAX)
		exch_fault(y, F_CLIENT_GONE, 0);
	return moved || y->is_sent || y->is_failing;
}

static void
call_done(void *self, struct exch *y)
{
	struct auth_call *call = self;

	OBJ_CHECK(call, MAGIC_AUTH_CALL);
	(void)y;
	call_settle(call, 0);
	list_del(&call->node);
	call->magic = 0;
	free(call);
}

static bool
call_local_addr(void *self, struct sock_addr *out)
{
	const struct auth_call *call = self;

	*out = call->local;
	return call->has_local;
}

static const struct front_ops call_front = {
    .name = "internal",
    .pull = internal_pull,
    .send = call_send,
    .send_info = internal_send_info,
    .abort = internal_abort,
    .done = call_done,
    .local_addr = call_local_addr,
};

void
forward_end(struct list *calls)
{
	list_foreach_safe (n, calls)
		exch_kill(LIST_ENTRY(n, struct auth_call, node)->y, F_SHUTDOWN);
}

void
forward_close(struct exch *x)
{
	struct auth_asked *asked = x->auth_asked;

	x->auth_asked = NULL;
	if (asked == NULL || asked->call == NULL)
		return;
	asked->call->x = NULL;
	exch_kill(asked->call->y, F_CLIENT_GONE);
}

/* --- the question --------------------------------------------------------- */

/* It asks the server of the section, and not for ever. */
static void
call_set(struct exch *y, const struct auth_conf *c)
{
	struct plan_settings *set = arena_zalloc(&y->arena, sizeof(*set));

	set->handler = c->handler;
	set->handler_conf = c->handler_conf;
	set->handler_at = y->set->handler_at;
	set->timeout_ms = FORWARD_MS_MAX;
	if (y->set->timeout_ms > 0)
		set->timeout_ms = u64_min(set->timeout_ms, y->set->timeout_ms);
	set->logs = y->set->logs;
	y->set = set;
}

/* A GET of the same, or of the path that the section names. A tunnel has none. */
static void
call_target(struct exch *y, const struct auth_conf *c)
{
	internal_get(y);
	if (c->uri.len > 0)
		internal_path(y, c->uri);
	else if (y->req.path.len == 0)
		internal_path(y, SPAN_LIT("/"));
}

/* What belongs to the client's message or its connection says nothing of who it
 * is; what it says of itself for others to believe is told anew. */
static bool
call_fields(struct exch *y, const struct exch *x)
{
	static const enum field_id not_meant[] = {FIELD_CONTENT_LENGTH,
	    FIELD_TRANSFER_ENCODING, FIELD_EXPECT, FIELD_TRAILER, FIELD_RANGE,
	    FIELD_IF_RANGE, FIELD_IF_MATCH, FIELD_IF_NONE_MATCH,
	    FIELD_IF_MODIFIED_SINCE, FIELD_IF_UNMODIFIED_SINCE, FIELD_FORWARDED,
	    FIELD_X_ORIGINAL_URL, FIELD_X_REWRITE_URL};
	struct http_fields *f = &y->req.fields;
	char ip[IP_TEXT_CAP];

	if (!hop_remove(f, false))
		return false;
	for (size_t i = 0; i < NELEMS(not_meant); i++)
		forward_del(f, field_name(not_meant[i]));
	forward_tell(y, SPAN_LIT("X-Forwarded-Method"), x->req.method_text);
	forward_tell(y, SPAN_LIT("X-Forwarded-Uri"),
	    arena_span(&y->arena, msg_uri(&x->req, &y->arena)));
	forward_tell(y, SPAN_LIT("X-Forwarded-Host"), y->req.authority);
	forward_tell(y, SPAN_LIT("X-Forwarded-Proto"), y->client.scheme);
	forward_tell(y, SPAN_LIT("X-Forwarded-For"),
	    exch_client_has_ip(&x->client)
		? arena_span(
		      &y->arena, span_of(ip, ip_format(&x->client.ip, ip)))
		: span_of(NULL, 0));
	forward_tell(y, SPAN_LIT("X-Request-Id"), y->request_id);
	fields_add_id(
	    f, &y->arena, FIELD_VIA, plan_via(x->listen, x->req.version));
	if (y->req.authority.len > 0)
		fields_set(f, &y->arena, FIELD_HOST, y->req.authority);
	return true;
}

static enum verdict
forward_begin(struct exch *x, const struct plan_auth *a)
{
	struct auth_asked *asked = arena_zalloc(&x->arena, sizeof(*asked));
	struct auth_call *call = calloc(1, sizeof(*call));

	REQUIRE(call != NULL);
	call->magic = MAGIC_AUTH_CALL;
	call->x = x;
	call->has_local = x->front->local_addr(x->front_self, &call->local);
	list_init(&call->node);
	list_push_back(auth_calls(x->w->auth), &call->node);
	call->y = exch_spawn(x, &call_front, call);
	asked->auth = a;
	asked->call = call;
	x->auth_asked = asked;
	call_set(call->y, a->conf);
	call_target(call->y, a->conf);
	counter_add(x->w->counters, COUNTER_AUTH_CHECKS, 1);
	if (!call_fields(call->y, x)) {
		exch_fault_as(
		    x, F_CLIENT_BAD, 0, "Connection names too many fields");
		return VERDICT_FAULT;
	}
	exch_kick(call->y);
	return VERDICT_WAIT;
}

/* --- the answer ----------------------------------------------------------- */

/* The request goes on with what the server says, and with nothing that the
 * client says under the same names. */
static enum verdict
forward_let_on(struct exch *x, const struct auth_asked *asked)
{
	const struct auth_conf *c = asked->auth->conf;
	const struct http_field *user =
	    fields_find_name(&asked->fields, c->user_field);
	span name = user != NULL ? user->value : span_of(NULL, 0);

	forward_del(&x->req.fields, c->user_field);
	for (uint32_t i = 0; i < c->source.n; i++)
		forward_del(&x->req.fields, c->source.names[i]);
	fields_foreach(f, &asked->fields)
	{
		if (f->id != FIELD_WWW_AUTHENTICATE)
			fields_add_known(&x->req.fields, &x->arena,
			    (enum field_id)f->id, f->name, f->value);
	}
	if (auth_name_fault(name) != NULL)
		name = SPAN_LIT("-");
	return auth_let_on(x, asked->auth, name);
}

/* 401 and 403 are the server's, with its ways of asking. */
static enum verdict
forward_refuse(struct exch *x, const struct auth_asked *asked)
{
	bool is_proxy = x->kind == STAGE_FORWARD;

	counter_add(x->w->counters, COUNTER_AUTH_REFUSED, 1);
	exch_reply_status(
	    x, is_proxy && asked->status == 401 ? 407 : asked->status);
	fields_foreach(f, &asked->fields)
	{
		if (f->id == FIELD_WWW_AUTHENTICATE)
			fields_add_id(&x->resp.fields, &x->arena,
			    is_proxy ? FIELD_PROXY_AUTHENTICATE
				     : FIELD_WWW_AUTHENTICATE,
			    f->value);
	}
	return VERDICT_REPLY;
}

enum verdict
forward_ask(struct exch *x, const struct plan_auth *a)
{
	const struct auth_asked *asked;

	if (x->w->auth == NULL) {
		sink_note(x, "auth", a->at,
		    "%.*s asks a server, which is taken to let it on",
		    SPAN_FMT(a->name));
		return auth_let_on(x, a, SPAN_LIT("-"));
	}
	if (x->auth_asked != NULL && x->auth_asked->auth != a)
		forward_close(x);
	asked = x->auth_asked;
	if (asked == NULL)
		return forward_begin(x, a);
	if (asked->call != NULL)
		return VERDICT_WAIT;
	if (asked->status >= 200 && asked->status < 300)
		return forward_let_on(x, asked);
	if (asked->status == 401 || asked->status == 403)
		return forward_refuse(x, asked);
	return auth_busy(x, "who is asked did not say yes or no");
}
