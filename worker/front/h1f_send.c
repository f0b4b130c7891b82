/* front/h1f_send: answers onto the wire. Decides framing and whether the
 * connection persists (RFC 9112 6, 9.3). */
#include "worker/front/h1f.h"

#include "common/base/num.h"
#include "worker/exch/meter.h"

/* An answer that has no content whatever its fields say (RFC 9112 6.3). */
static bool
send_is_bare(const struct exch *x)
{
	unsigned status = x->resp.status;

	return x->is_tacit || x->req.method == METHOD_HEAD || status < 200 ||
	       status == 204 || status == 304;
}

/* An answer that must not even speak of a length (RFC 9110 8.6). */
static bool
send_has_no_length(unsigned status)
{
	return status < 200 || status == 204;
}

static bool
send_must_close(struct h1_front *c)
{
	const struct exch *x = c->x;

	if (x->wants_close || x->is_unwelcome || x->req.want_close ||
	    c->conn.w->is_retiring)
		return true;
	if (c->m->in.how == WIRE_IN_DONE)
		return false;
	/* an own answer leaves content unread; an origin that answers early may
	 * still be reading it, but nobody does after the answer */
	return !x->is_own_answer || !h1f_drain(c);
}

static void
send_frame_length(struct exch *x)
{
	char *p;

	if (x->resp.status == 304 ||
	    fields_find(&x->resp.fields, FIELD_CONTENT_LENGTH) != NULL)
		return;
	p = arena_alloc(&x->arena, sizeof("18446744073709551615"));
	fields_add_id(&x->resp.fields, &x->arena, FIELD_CONTENT_LENGTH,
	    span_of(p, u64_format(x->resp.length, p)));
}

/* Fields of framing and persistence; all hop-by-hop ones are gone by now. */
static void
send_frame(struct h1_front *c)
{
	struct exch *x = c->x;
	struct h1f_msg *m = c->m;
	struct http_fields *f = &x->resp.fields;
	bool is_bare = send_is_bare(x);

	m->wants_close = send_must_close(c);
	m->out.how = is_bare ? WIRE_OUT_BARE : WIRE_OUT_PLAIN;
	if (send_has_no_length(x->resp.status)) {
		(void)fields_del(f, FIELD_CONTENT_LENGTH);
	} else if (x->resp.body == LENGTH_KNOWN ||
		   (x->resp.body == LENGTH_NONE && !is_bare)) {
		/* to the client an end must be told, also where the origin's
		 * stream just ended */
		send_frame_length(x);
	} else if (x->resp.body == LENGTH_OPEN && !is_bare) {
		fields_del(f, FIELD_CONTENT_LENGTH);
		m->is_close_delimited = x->req.version == HTTP_1_0;
		if (m->is_close_delimited) {
			m->wants_close = true;
		} else {
			m->out.how = WIRE_OUT_CHUNKED;
			fields_add_id(f, &x->arena, FIELD_TRANSFER_ENCODING,
			    SPAN_LIT("chunked"));
		}
	}
	/* RFC 9110 7.8: who sends Upgrade says so in Connection */
	if (fields_find(f, FIELD_UPGRADE) != NULL)
		fields_add_id(
		    f, &x->arena, FIELD_CONNECTION, SPAN_LIT("upgrade"));
	if (m->wants_close)
		fields_add_id(
		    f, &x->arena, FIELD_CONNECTION, SPAN_LIT("close"));
	else if (x->req.version == HTTP_1_0)
		fields_add_id(
		    f, &x->arena, FIELD_CONNECTION, SPAN_LIT("keep-alive"));
}

/* From here on both directions are raw bytes. */
static void
send_frame_tunnel(struct h1_front *c)
{
	struct exch *x = c->x;

	c->m->out.how = WIRE_OUT_PLAIN;
	c->m->is_close_delimited = true;
	c->m->wants_close = true;
	c->m->in.how = WIRE_IN_RAW;
	loop_timer_clear(c->conn.w->loop, &c->conn.timer);
	if (x->resp.status == 101)
		fields_add_id(&x->resp.fields, &x->arena, FIELD_CONNECTION,
		    SPAN_LIT("upgrade"));
	/* RFC 9110 8.6 */
	(void)fields_del(&x->resp.fields, FIELD_CONTENT_LENGTH);
}

static void
send_queue_head(struct h1_front *c, const struct http_msg *msg)
{
	struct arena *a = &c->x->arena;
	char *p = arena_alloc(a, h1_response_size(msg));

	wire_out_head(&c->m->out, a, span_of(p, h1_write_response(msg, p)));
}

static void
send_render(struct h1_front *c)
{
	if (c->x->state == EXCH_TUNNEL)
		send_frame_tunnel(c);
	else
		send_frame(c);
	/* ours, whatever the origin's was (RFC 9110 2.5) */
	c->x->resp.version = HTTP_1_1;
	if (!c->x->is_tacit)
		send_queue_head(c, &c->x->resp);
	if (c->m->out.how == WIRE_OUT_PLAIN &&
	    stream_can_splice(&c->conn.stream))
		body_take_pipes(
		    c->x->out, &c->conn.w->pipes, meter_pipe_cap(c->x));
	c->m->has_head = true;
}

void
h1f_await_room(struct h1_front *c)
{
	const struct plan_listen *l = c->conn.listen;

	loop_timer_set(c->conn.w->loop, &c->conn.timer,
	    pace_wait(&c->m->out_pace, l, h1f_now_us(c), l->send_timeout_ms));
}

static void
send_blocked(struct h1_front *c)
{
	if (c->is_send_blocked)
		return;
	c->is_send_blocked = true;
	conn_note_unsent(&c->conn);
	/* what is owed at once may be owed for longer now */
	pace_earn(&c->m->in_pace, c->conn.listen, h1f_now_us(c), 0);
	if (c->x->state != EXCH_TUNNEL)
		h1f_await_room(c);
}

static void
send_progressed(struct h1_front *c, size_t n)
{
	if (!c->is_send_blocked)
		return;
	c->is_send_blocked = false;
	if (c->conn.listen->min_rate > 0)
		pace_earn(&c->m->out_pace, c->conn.listen, h1f_now_us(c),
		    conn_taken(&c->conn, n));
	loop_timer_clear(c->conn.w->loop, &c->conn.timer);
}

/* Write what is at hand once. Whether anything went out. */
static bool
send_once(struct h1_front *c)
{
	struct exch *x = c->x;
	ssize_t rc;

	if (x->resp.trailers.n > 0)
		conn_fit_trailers(x);
	rc = wire_out_step(
	    &c->m->out, &c->conn.stream, x->out, &x->resp.trailers, &x->arena);
	if (rc == 0)
		return false;
	if (rc == STREAM_RC_AGAIN) {
		send_blocked(c);
		return false;
	}
	if (rc < 0) {
		exch_fault(x, F_CLIENT_GONE, stream_errno(&c->conn.stream));
		return false;
	}
	send_progressed(c, (size_t)rc);
	x->bytes_out += (uint64_t)rc;
	return true;
}

bool
h1f_send(void *self, struct exch *x)
{
	struct h1_front *c = self;
	bool moved = false;

	OBJ_CHECK(c, MAGIC_H1F);
	if (!c->m->has_head)
		send_render(c);
	while (!wire_out_is_done(&c->m->out, x->out) && send_once(c))
		moved = true;
	if (x->is_failing)
		return moved;
	if (wire_out_is_done(&c->m->out, x->out)) {
		if (x->state == EXCH_TUNNEL)
			(void)stream_shutdown(&c->conn.stream);
		x->is_sent = true;
		return true;
	}
	if (x->out->state == BODY_ABORTED)
		exch_fault(x, x->out->fault, 0);
	return moved;
}

void
h1f_send_info(void *self, struct exch *x, struct http_msg *info)
{
	struct h1_front *c = self;
	struct body none;
	ssize_t rc;

	OBJ_CHECK(c, MAGIC_H1F);
	if (x->req.version == HTTP_1_0 || x->is_begun)
		return;
	(void)fields_del(&info->fields, FIELD_CONTENT_LENGTH);
	send_queue_head(c, info);
	body_init(&none, 0);
	c->m->out.how = WIRE_OUT_BARE;
	/* what the kernel does not take now goes out before the answer */
	rc = wire_out_step(&c->m->out, &c->conn.stream, &none, NULL, &x->arena);
	if (rc > 0)
		x->bytes_out += (uint64_t)rc;
}
