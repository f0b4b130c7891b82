/* up/h1o_send: a request onto an HTTP/1.1 connection. Decides its framing (RFC
 * 9112 6). */
#include "worker/exch/meter.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/exch/trace.h"
#include "worker/up/h1o.h"

/* --- the request's head --------------------------------------------------- */

/* Framing and connection fields; hop-by-hop ones of the client are gone. */
static void
h1o_frame(struct up_try *t)
{
	struct exch *x = t->x;
	struct http_fields *f = &x->req.fields;
	struct arena *a = &x->arena;

	h1o_wire(t)->out.how = WIRE_OUT_PLAIN;
	if (x->req.body == LENGTH_OPEN) {
		fields_del(f, FIELD_CONTENT_LENGTH);
		fields_add_id(
		    f, a, FIELD_TRANSFER_ENCODING, SPAN_LIT("chunked"));
		h1o_wire(t)->out.how = WIRE_OUT_CHUNKED;
	}
	if (fields_find(f, FIELD_HOST) == NULL)
		fields_add_id(f, a, FIELD_HOST, t->group->conf->name);
	if (x->wants_tunnel) {
		fields_add_id(f, a, FIELD_CONNECTION, SPAN_LIT("upgrade"));
		fields_add_id(f, a, FIELD_UPGRADE, SPAN_LIT("websocket"));
	} else if (!upstream_can_keep(t->group->conf) && t->told == NULL) {
		/* what a second try sends was framed for the first */
		fields_add_id(f, a, FIELD_CONNECTION, SPAN_LIT("close"));
	}
}

static void
h1o_find_trace(const struct exch *x, struct h1o_wire *w, char *head)
{
	ptrdiff_t at;

	if (x->trace == NULL || x->trace->told == NULL)
		return;
	at = span_find(w->head, span_of(x->trace->told, TRACEPARENT_LEN));
	if (at >= 0)
		w->traceparent = head + at;
}

bool
h1o_prepare(struct up_try *t)
{
	return h1o_prepare_for(t, route_target(t->x));
}

bool
h1o_prepare_for(struct up_try *t, span target)
{
	struct exch *x = t->x;
	struct h1o_wire *w = arena_zalloc(&x->arena, sizeof(*w));
	enum http_version told = x->req.version;
	char *p;

	t->wire = w;
	if (target.len == 0) {
		exch_fault(x, F_PATH_AMBIGUOUS, 0);
		return false;
	}
	h1o_frame(t);
	p = arena_alloc(&x->arena, h1_request_size(&x->req, target));
	x->req.version = HTTP_1_1;
	w->head = span_of(p, h1_write_request(&x->req, target, p));
	x->req.version = told;
	h1o_find_trace(x, w, p);
	return true;
}

void
h1o_explain(const struct up_try *t)
{
	span rest = h1o_wire(t)->head;
	span line;

	while (span_cut(&rest, '\n', &line) && line.len > 1)
		sink_note(t->x, "sends", SINK_NOWHERE, "%.*s",
		    SPAN_FMT(span_first(line, line.len - 1)));
}

/* --- a try ---------------------------------------------------------------- */

void
h1o_begin(struct up_try *t)
{
	struct h1o_wire *w = h1o_wire(t);
	struct arena *a = &t->x->arena;
	enum wire_out_how how = w->out.how;

	memset(&w->out, 0, sizeof(w->out));
	memset(&w->scan, 0, sizeof(w->scan));
	w->out.how = how;
	if (w->traceparent != NULL)
		memcpy(w->traceparent, t->x->trace->told, TRACEPARENT_LEN);
	if (t->server->remote == NULL)
		wire_out_head(&w->out, a, try_proxy_header(t));
	wire_out_head(&w->out, a, w->head);
	origin_note(t->x, t->server, &h1o_of(t->o)->at, &h1o_of(t->o)->stream);
}

bool
h1o_is_sent(const struct up_try *t)
{
	return wire_out_is_done(&h1o_wire(t)->out, &t->x->req_body);
}

/* What a client has to say in a tunnel may go through a pipe. */
static void
h1o_take_pipes(struct up_try *t)
{
	struct h1o_wire *w = h1o_wire(t);

	if (w->has_tunnel || t->x->state != EXCH_TUNNEL)
		return;
	w->has_tunnel = true;
	if (stream_can_splice(&h1o_of(t->o)->stream))
		body_take_pipes(
		    &t->x->req_body, &t->x->w->pipes, meter_pipe_cap(t->x));
}

bool
h1o_send(struct up_try *t)
{
	struct exch *x = t->x;
	struct stream *s = &h1o_of(t->o)->stream;
	bool moved = false;

	h1o_take_pipes(t);

	while (!t->is_send_over && !h1o_is_sent(t)) {
		ssize_t rc = wire_out_step(&h1o_wire(t)->out, s, &x->req_body,
		    &x->req.trailers, &x->arena);

		/* of what TLS did not send whole a part may have arrived */
		t->is_any_sent |= rc < 0 && t->server->remote != NULL;
		if (rc == 0 || rc == STREAM_RC_AGAIN)
			break;
		if (rc < 0) {
			/* an early answer may still be waiting to be read */
			t->is_send_over = true;
			if (x->state == EXCH_TUNNEL)
				exch_fault(x, F_ORIGIN_RESET, stream_errno(s));
			break;
		}
		t->is_any_sent = true;
		moved = true;
	}
	return moved;
}

void
h1o_shut(struct up_try *t)
{
	(void)stream_shutdown(&h1o_of(t->o)->stream);
}
