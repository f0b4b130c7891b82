/* front/h2f_send: answers of exchanges onto their streams. The head goes to the
 * session at once, content when the session asks for it. */
#include "worker/front/h2f.h"

#include "common/base/num.h"

/* An answer that has no content whatever its fields say (RFC 9110 6.4.1). */
static bool
send_is_bare(const struct exch *x)
{
	unsigned status = x->resp.status;

	return x->req.method == METHOD_HEAD || status < 200 || status == 204 ||
	       status == 304;
}

/* Content-Length: never beside an unknown end, and where RFC 9110 8.6 forbids
 * it. */
static void
send_frame(struct exch *x)
{
	struct http_fields *f = &x->resp.fields;
	char *p;

	if (x->resp.status < 200 || x->resp.status == 204 ||
	    (x->resp.body == LENGTH_OPEN && !send_is_bare(x))) {
		(void)fields_del(f, FIELD_CONTENT_LENGTH);
		return;
	}
	if (x->resp.body != LENGTH_KNOWN || x->resp.status == 304 ||
	    fields_find(f, FIELD_CONTENT_LENGTH) != NULL)
		return;
	p = arena_alloc(&x->arena, sizeof("18446744073709551615"));
	fields_add_id(f, &x->arena, FIELD_CONTENT_LENGTH,
	    span_of(p, u64_format(x->resp.length, p)));
}

/* A granted tunnel is a 200 here (RFC 8441 5.1); the handshake of HTTP/1.1 was
 * between us and the origin. */
static struct http_msg
send_tunnel_head(struct exch *x)
{
	struct http_msg m = x->resp;

	(void)fields_del(&x->resp.fields, FIELD_SEC_WEBSOCKET_ACCEPT);
	(void)fields_del(&x->resp.fields, FIELD_CONTENT_LENGTH);
	m.status = 200;
	return m;
}

static bool
send_has_content(const struct exch *x)
{
	const struct body *b = x->out;

	if (x->state == EXCH_TUNNEL)
		return true;
	if (send_is_bare(x))
		return false;
	return b->state != BODY_LAST || b->len > 0 || x->resp.trailers.n > 0;
}

/* The head. false: not yet. */
static bool
send_head(struct h2f_stream *s)
{
	struct exch *x = s->x;
	struct http_msg m;

	if (x->state == EXCH_TUNNEL) {
		m = send_tunnel_head(x);
	} else {
		send_frame(x);
		m = x->resp;
	}
	switch (h2_stream_answer(&s->h2, &m, send_has_content(x))) {
	case H2_RC_OK:
		return true;
	case H2_RC_LATER:
		if (!list_is_linked(&s->turn))
			list_push_back(&s->front->later, &s->turn);
		return false;
	case H2_RC_OVER:
		exch_fault(x, F_CLIENT_GONE, 0);
		return false;
	}
	UNREACHED();
}

/* Content is at hand, or its end. */
static void
send_offer(struct h2f_stream *s)
{
	struct exch *x = s->x;
	struct body *b = x->out;

	if (b->state == BODY_LAST && s->h2.trailers == NULL &&
	    x->resp.trailers.n > 0) {
		conn_fit_trailers(x);
		s->h2.trailers = &x->resp.trailers;
	}
	if (b->len == 0 && b->state != BODY_LAST)
		return;
	if (!list_is_linked(&s->turn))
		list_push_back(&s->front->ready, &s->turn);
	h2_stream_resume(&s->h2);
}

static bool
h2f_send(void *self, struct exch *x)
{
	struct h2f_stream *s = self;

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	x->bytes_out = s->h2.wire_out;
	/* what is wrong with the request was told by its reset */
	if (s->is_said || s->is_broken) {
		x->is_sent = true;
		return true;
	}
	if (!s->h2.is_answering && !send_head(s))
		return false;
	if (x->out->state == BODY_ABORTED)
		exch_fault(x, x->out->fault, 0);
	else
		send_offer(s);
	h2f_want_flush(s->front);
	return false;
}

static void
h2f_send_info(void *self, struct exch *x, struct http_msg *info)
{
	struct h2f_stream *s = self;

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	if (x->is_begun)
		return;
	(void)fields_del(&info->fields, FIELD_CONTENT_LENGTH);
	(void)h2_stream_info(&s->h2, info);
	h2f_want_flush(s->front);
}

/* --- for the session ------------------------------------------------------ */

static struct h2f_stream *
stream_of(struct h2_stream *st)
{
	struct h2f_stream *s = LIST_ENTRY(st, struct h2f_stream, h2);

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	return s;
}

size_t
h2f_content(void *self, struct h2_stream *st, size_t max, bool *is_last)
{
	const struct body *b = stream_of(st)->x->out;

	(void)self;
	*is_last = b->state == BODY_LAST && b->len <= max;
	return size_min(b->len, max);
}

void
h2f_take_content(void *self, struct h2_stream *st, char *to, size_t n)
{
	struct h2f_stream *s = stream_of(st);
	struct body *b = s->x->out;
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	int pieces = body_peek(b, iov, BODY_SLICES, n, &bytes);

	(void)self;
	REQUIRE(bytes == n);
	for (int i = 0; i < pieces; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	body_consume(b, n);
	pace_earn(
	    &s->out_pace, s->x->listen, worker_clock(s->x->w)->mono_us, n);
	if (s->wait == H2F_WAIT_WINDOW)
		h2f_wait(s, H2F_WAIT_NOTHING);
	if (b->len > 0)
		return;
	list_del(&s->turn);
	if (b->state != BODY_LAST)
		exch_kick(s->x);
}

void
h2f_sent(void *self, struct h2_stream *st)
{
	struct h2f_stream *s = stream_of(st);

	(void)self;
	list_del(&s->turn);
	s->is_said = true;
	exch_kick(s->x);
}

/* --- the end -------------------------------------------------------------- */

/* The reset says so; it is sent when the exchange is over. */
static void
h2f_abort(void *self, struct exch *x)
{
	struct h2f_stream *s = self;

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	if (fault_row(x->fault)->side == SIDE_CLIENT)
		s->code = H2_CANCEL;
}

static void
h2f_done(void *self, struct exch *x)
{
	struct h2f_stream *s = self;
	struct h2_front *f = s->front;

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	counter_add(x->w->counters, COUNTER_BYTES_IN, x->bytes_in);
	counter_add(x->w->counters, COUNTER_BYTES_OUT, x->bytes_out);
	if (f->opening == s)
		f->opening = NULL;
	h2f_wait(s, H2F_WAIT_NOTHING);
	list_del(&s->turn);
	list_del(&s->node);
	if (s->early != NULL)
		body_fini(s->early);
	buf_unref(s->tail.buf);
	h2_stream_leave(&s->h2, s->code);
	s->magic = 0;
	if (x->is_unwelcome)
		h2_session_goaway(f->h2, H2_ENHANCE_YOUR_CALM);
	h2f_left(f);
}

static bool
h2f_local_addr(void *self, struct sock_addr *out)
{
	const struct h2f_stream *s = self;

	return conn_local_addr(s->front->conn, out);
}

const struct front_ops h2f_ops = {
    .name = "HTTP/2.0",
    .pull = h2f_pull,
    .send = h2f_send,
    .send_info = h2f_send_info,
    .abort = h2f_abort,
    .done = h2f_done,
    .local_addr = h2f_local_addr,
};
