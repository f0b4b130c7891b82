/* up/h2o_recv: the answer of an origin that speaks HTTP/2. The session has
 * checked what a message must be (RFC 9113 8); its events are noted in the
 * stream, and what they mean for the exchange is decided when it runs. */
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/up/h2o.h"

/* Heads of one stream that are noted: as many interim ones as are let through,
 * one more, which is refused, and the final one. */
#define HEADS_MAX 18

/* --- what a session tells ------------------------------------------------- */

static void
stream_break(struct h2o_stream *s, enum fault_id why, const char *detail)
{
	if (s->broken.why == F_NONE)
		s->broken = (struct h2o_break){why, 0, detail};
	exch_kick(s->base.x);
}

static void
h2o_on_head(
    void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct h2o_stream *s = h2o_stream_of(st);
	struct h2o_head *h;

	(void)self;
	REQUIRE(bad == H2_BAD_NONE);
	if (++s->n_heads > HEADS_MAX) {
		stream_break(s, F_ORIGIN_BAD, "too many interim answers");
		return;
	}
	h = arena_zalloc(&s->base.x->arena, sizeof(*h));
	h->m = *m;
	if (s->heads == NULL)
		s->heads = h;
	else
		s->last_head->next = h;
	s->last_head = h;
	exch_kick(s->base.x);
}

static void
h2o_on_data(void *self, struct h2_stream *st, span data)
{
	struct h2_origin *c = self;
	struct h2o_stream *s = h2o_stream_of(st);
	struct exch *x = s->base.x;

	if (x->resp_body.state == BODY_OPEN)
		h2_tail_push(&s->tail, &x->resp_body, c->reading, data);
	else
		h2_stream_consume(st, (uint32_t)data.len);
	exch_kick(x);
}

static void
h2o_on_end(void *self, struct h2_stream *st, const struct http_fields *trailers)
{
	struct h2o_stream *s = h2o_stream_of(st);

	(void)self;
	s->is_ended = true;
	if (trailers != NULL)
		s->trailers = *trailers;
	exch_kick(s->base.x);
}

/* A request that the origin did not act on may be sent again, whatever it is
 * (RFC 9113 8.7). A reset without error behind the answer only says that the
 * rest of the request is not wanted (8.1). */
static void
h2o_on_reset(void *self, struct h2_stream *st, uint32_t code, enum h2_bad bad,
    bool is_unserved)
{
	struct h2_origin *c = self;
	struct h2o_stream *s = h2o_stream_of(st);

	/* with the connection, whose end all its streams are told */
	if (h2_session_code(c->h2) != H2_NO_ERROR)
		return;
	if (s->is_ended) {
		exch_kick(s->base.x);
		return;
	}
	if (bad != H2_BAD_NONE) {
		stream_break(s, F_ORIGIN_BAD, h2_bad_text(bad));
		return;
	}
	if (is_unserved && s->n_heads == 0) {
		counter_add(c->server->group->w->counters,
		    COUNTER_ORIGIN_H2_REFUSED, 1);
		stream_break(s, F_ORIGIN_REFUSED, h2_code_name(code));
		return;
	}
	/* it was this stream alone: the connection is not stale */
	s->base.is_reused = false;
	stream_break(s, F_ORIGIN_RESET, h2_code_name(code));
}

/* Those who wait for what settings say: a tunnel, or a stream. */
static void
h2o_on_settings(void *self)
{
	struct h2_origin *c = self;

	c->has_settings = true;
	c->server->streams_max = h2_session_streams_max(c->h2);
	list_foreach (n, &c->streams) {
		struct h2o_stream *s = LIST_ENTRY(n, struct h2o_stream, node);

		if (!s->is_begun)
			exch_kick(s->base.x);
	}
	h2o_kick_waiting(c->server, H2O_STREAMS_MAX);
}

static void
h2o_on_goaway(void *self, uint32_t code)
{
	struct h2_origin *c = self;

	(void)code;
	counter_add(
	    c->server->group->w->counters, COUNTER_ORIGIN_H2_GOAWAYS, 1);
	h2o_conn_last(c);
	list_foreach (n, &c->streams)
		exch_kick(LIST_ENTRY(n, struct h2o_stream, node)->base.x);
}

static void
h2o_on_pong(void *self)
{
	(void)self;
}

const struct h2_events h2o_events = {
    .on_head = h2o_on_head,
    .on_data = h2o_on_data,
    .on_end = h2o_on_end,
    .on_reset = h2o_on_reset,
    .content = h2o_content,
    .take = h2o_take_content,
    .on_sent = h2o_sent,
    .on_settings = h2o_on_settings,
    .on_goaway = h2o_on_goaway,
    .on_pong = h2o_on_pong,
};

/* --- heads ---------------------------------------------------------------- */

/* A tunnel that was granted, as HTTP/1.1 would have said it. */
static void
recv_tunnel_head(struct up_try *t, struct http_msg *m)
{
	struct arena *a = &t->x->arena;

	m->status = 101;
	m->reason = status_reason(m->status);
	m->want_upgrade = true;
	(void)fields_del(&m->fields, FIELD_CONTENT_LENGTH);
	fields_add_id(&m->fields, a, FIELD_UPGRADE, SPAN_LIT("websocket"));
	fields_set(
	    &m->fields, a, FIELD_SEC_WEBSOCKET_ACCEPT, h2o_wire(t)->accept);
}

static void
recv_final(struct up_try *t, struct http_msg *m)
{
	t->can_reuse = true;
	if (t->x->wants_tunnel && m->status / 100 == 2)
		recv_tunnel_head(t, m);
	(void)try_got_final(t, m);
}

static void
recv_one_head(struct up_try *t, struct h2o_stream *s)
{
	struct h2o_head *h = s->heads;

	s->heads = h->next;
	t->is_any_got = true;
	if (h->m.status < 200)
		try_got_info(t, &h->m);
	else
		recv_final(t, &h->m);
}

/* A head was awaited and will not come. */
static void
recv_no_head(struct up_try *t, struct h2o_stream *s)
{
	enum fault_id why = s->broken.why;

	t->is_any_sent = s->h2.wire_out > 0;
	if (why == F_ORIGIN_REFUSED)
		t->is_any_sent = false;
	else if (why == F_ORIGIN_RESET && t->is_any_got)
		why = F_ORIGIN_CUT;
	t->x->fault_detail = s->broken.detail;
	try_failed(t, why, s->broken.err);
}

bool
h2o_recv_head(struct up_try *t)
{
	struct h2o_stream *s = h2o_of(t->o);
	bool moved = false;

	while (t->state == UP_HEAD && s->heads != NULL) {
		recv_one_head(t, s);
		moved = true;
	}
	if (t->state == UP_HEAD && s->broken.why != F_NONE) {
		recv_no_head(t, s);
		return true;
	}
	return moved;
}

/* --- content -------------------------------------------------------------- */

/* What the client has taken the origin may send again. */
static void
recv_consume(struct h2o_stream *s)
{
	const struct body *b = &s->base.x->resp_body;
	uint64_t done = body_taken(b);

	if (s->conn == NULL || done <= s->told)
		return;
	h2_stream_consume(&s->h2, (uint32_t)(done - s->told));
	s->told = done;
	if (h2_session_wants_send(s->conn->h2))
		h2o_conn_want_flush(s->conn);
}

static void
recv_end(struct up_try *t, struct h2o_stream *s)
{
	struct exch *x = t->x;

	x->resp.trailers = s->trailers;
	hop_remove_trailers(&x->resp);
	body_end(&x->resp_body);
	try_got_all(t);
}

bool
h2o_recv_body(struct up_try *t)
{
	struct h2o_stream *s = h2o_of(t->o);
	struct body *b = &t->x->resp_body;
	bool moved = b->total > s->seen;

	s->seen = b->total;
	recv_consume(s);
	if (b->state != BODY_OPEN)
		return moved;
	if (s->is_ended) {
		recv_end(t, s);
		return true;
	}
	if (s->broken.why == F_NONE)
		return moved;
	t->x->fault_detail = s->broken.detail;
	try_cut(t, s->broken.why == F_ORIGIN_BAD ? F_ORIGIN_BAD : F_ORIGIN_CUT,
	    s->broken.err);
	return true;
}
