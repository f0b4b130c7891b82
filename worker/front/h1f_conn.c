/* front/h1f_conn: the life of a client connection: accept, wait for a head,
 * make an exchange of it, then the next, linger, close. */
#include "worker/front/h1f.h"

#include <stdlib.h>

#include "worker/exch/memory.h"
#include "worker/front/h2f.h"

#define TO(s) (1u << (s))

static const uint16_t h1f_edges[] = {
    [H1F_GREETING] = TO(H1F_IDLE) | TO(H1F_TAKEN) | TO(H1F_CLOSED),
    [H1F_IDLE] = TO(H1F_HEAD) | TO(H1F_EXCH) | TO(H1F_CLOSED),
    [H1F_HEAD] = TO(H1F_EXCH) | TO(H1F_CLOSED),
    [H1F_EXCH] = TO(H1F_IDLE) | TO(H1F_LINGER) | TO(H1F_CLOSED),
    [H1F_LINGER] = TO(H1F_CLOSED),
    [H1F_TAKEN] = 0,
    [H1F_CLOSED] = 0,
};

static void
h1f_set_deadline(struct h1_front *c)
{
	struct loop *l = c->conn.w->loop;

	switch (c->state) {
	case H1F_GREETING:
	case H1F_HEAD:
		loop_timer_set(
		    l, &c->conn.timer, c->conn.listen->header_timeout_ms);
		break;
	case H1F_IDLE:
		/* a new connection owes its first request as soon as a head
		 * that has begun */
		loop_timer_set(l, &c->conn.timer,
		    c->is_used ? c->conn.listen->idle_timeout_ms
			       : c->conn.listen->header_timeout_ms);
		break;
	case H1F_EXCH:
	case H1F_LINGER: /* conn_linger() does */
	case H1F_TAKEN:
	case H1F_CLOSED:
		loop_timer_clear(l, &c->conn.timer);
		break;
	}
}

static void
h1f_goto(struct h1_front *c, enum h1f_state to)
{
	REQUIRE(h1f_edges[c->state] & TO(to));
	c->state = to;
	h1f_set_deadline(c);
}

/* No event comes after it; memory goes at the end of the batch. */
static void
h1f_gone(struct h1_front *c)
{
	h1f_goto(c, H1F_CLOSED);
	c->magic = 0;
	conn_gone(&c->conn);
}

static void
h1f_close(struct h1_front *c)
{
	stream_close(&c->conn.stream);
	h1f_gone(c);
}

static struct h1_front *
h1f_of(struct conn *k)
{
	struct h1_front *c = LIST_ENTRY(k, struct h1_front, conn);

	OBJ_CHECK(c, MAGIC_H1F);
	return c;
}

/* Read once; the head may be as long as the listen allows. */
static ssize_t
h1f_fill(struct h1_front *c)
{
	return inbuf_fill(&c->conn.in, c->conn.w, &c->conn.stream,
	    c->conn.listen->limits.head_max);
}

/* --- exchanges ------------------------------------------------------------ */

static void h1f_done(void *self, struct exch *x);
static void h1f_abort(void *self, struct exch *x);
static bool h1f_local_addr(void *self, struct sock_addr *out);

static const struct front_ops h1f_ops = {
    .name = "HTTP/1.1",
    .pull = h1f_pull,
    .send = h1f_send,
    .send_info = h1f_send_info,
    .abort = h1f_abort,
    .done = h1f_done,
    .local_addr = h1f_local_addr,
};

static struct exch *
h1f_exch_new(struct h1_front *c)
{
	struct exch *x = exch_new(c->conn.w, &h1f_ops, c, c->conn.listen);
	const struct clock *now = worker_clock(c->conn.w);

	c->is_used = true;
	c->x = x;
	c->m = arena_zalloc(&x->arena, sizeof(*c->m));
	conn_tell(&c->conn, &x->client);
	x->t.begin_us = c->begin_us;
	x->t.head_us = now->mono_us;
	x->t.begin_wall_us =
	    now->wall_us - (int64_t)(now->mono_us - c->begin_us);
	h1f_goto(c, H1F_EXCH);
	return x;
}

/* A request that could not be read is answered and the connection ends. */
static void
h1f_refuse(struct h1_front *c, enum fault_id why, enum h1_bad bad)
{
	struct exch *x = h1f_exch_new(c);

	if (why == F_CLIENT_BAD)
		counter_add(c->conn.w->counters, COUNTER_BAD_REQUESTS, 1);
	x->req.version = HTTP_1_1;
	x->wants_close = true;
	x->bytes_in = inbuf_span(&c->conn.in).len;
	c->m->in.how = WIRE_IN_DONE;
	body_abort(&x->req_body, why);
	if (bad == H1_BAD_NONE)
		exch_fault(x, why, 0);
	else
		exch_fault_as(x, why, h1_bad_status(bad), h1_bad_text(bad));
	exch_kick(x);
}

/* The head is complete: it moves into the exchange, which begins. */
static void
h1f_begin(struct h1_front *c)
{
	span head = span_from(
	    span_first(inbuf_span(&c->conn.in), c->scan.at), c->scan.skipped);
	struct exch *x = h1f_exch_new(c);
	enum h1_bad bad;

	x->bytes_in = c->m->head_len = c->scan.at;
	head = arena_span(&x->arena, head);
	inbuf_use(&c->conn.in, c->scan.at);
	if (h1_parse_request(head, &x->arena, &x->req, &bad) != H1_OK) {
		counter_add(c->conn.w->counters, COUNTER_BAD_REQUESTS, 1);
		x->req.want_close = false;
		x->wants_close = true;
		c->m->in.how = WIRE_IN_DONE;
		body_abort(&x->req_body, F_CLIENT_BAD);
		exch_fault_as(x,
		    bad == H1_BAD_EXPECTATION ? F_EXPECTATION : F_CLIENT_BAD,
		    h1_bad_status(bad), h1_bad_text(bad));
	} else {
		wire_in_init(&c->m->in, &x->req_body, &x->req, false, false);
	}
	exch_kick(x);
}

/* What the client says goes on as it came, from its first byte. */
static void
h1f_begin_through(struct h1_front *c)
{
	char name[TLS_NAME_MAX + 1];
	struct exch *x;

	c->begin_us = worker_clock(c->conn.w)->mono_us;
	x = h1f_exch_new(c);
	x->is_tacit = true;
	x->wants_close = true;
	x->req.version = HTTP_1_1;
	x->req.method = METHOD_CONNECT;
	x->req.method_text = method_name(METHOD_CONNECT);
	x->req.form = TARGET_AUTHORITY;
	x->req.host = arena_span(&x->arena, conn_hello_name(&c->conn, name));
	wire_in_init(&c->m->in, &x->req_body, &x->req, false, false);
	exch_kick(x);
}

/* Look for a head in what is at hand. false when more bytes are needed. */
static bool
h1f_try_head(struct h1_front *c)
{
	span in = inbuf_span(&c->conn.in);

	if (in.len == 0)
		return false;
	if (c->state == H1F_IDLE) {
		c->begin_us = worker_clock(c->conn.w)->mono_us;
		memset(&c->scan, 0, sizeof(c->scan));
	}
	switch (h1_scan(&c->scan, H1_REQUEST, in, &c->conn.listen->limits)) {
	case H1_OK:
		h1f_begin(c);
		return true;
	case H1_BAD:
		h1f_refuse(c, F_CLIENT_BAD, c->scan.bad);
		return true;
	case H1_MORE:
		if (c->state == H1F_IDLE)
			h1f_goto(c, H1F_HEAD);
		return false;
	}
	UNREACHED();
}

/* The stream gave no more bytes while a head was awaited. */
static void
h1f_head_stopped(struct h1_front *c, ssize_t rc)
{
	if (rc == STREAM_RC_AGAIN)
		return;
	if (rc == STREAM_RC_EOF && c->state == H1F_HEAD)
		h1f_refuse(c, F_CLIENT_CUT, H1_BAD_NONE);
	else
		h1f_close(c);
}

static void
h1f_read_head(struct h1_front *c)
{
	while (!h1f_try_head(c)) {
		ssize_t n = h1f_fill(c);

		if (n <= 0) {
			h1f_head_stopped(c, n);
			return;
		}
	}
}

/* --- after an exchange ---------------------------------------------------- */

static void
h1f_linger(struct h1_front *c)
{
	if (!conn_linger(&c->conn))
		h1f_close(c);
}

/* End our direction. The peer may still be sending: unless it said that it
 * would not, what comes is read and dropped for a while. */
static void
h1f_end(struct h1_front *c, bool may_send_more)
{
	if (!may_send_more && !conn_is_early(&c->conn) &&
	    inbuf_span(&c->conn.in).len == 0) {
		h1f_close(c);
		return;
	}
	h1f_goto(c, H1F_LINGER);
	if (!conn_linger_begin(&c->conn))
		h1f_close(c);
}

static void
h1f_greet(struct h1_front *c)
{
	switch (conn_greet(&c->conn)) {
	case CONN_MORE:
		stream_await(&c->conn.stream);
		return;
	case CONN_H1:
		h1f_goto(c, H1F_IDLE);
		h1f_read_head(c);
		return;
	case CONN_H2:
		h1f_goto(c, H1F_TAKEN);
		c->magic = 0;
		h2f_take(&c->conn);
		return;
	case CONN_TLS_THROUGH:
		h1f_goto(c, H1F_IDLE);
		h1f_begin_through(c);
		return;
	case CONN_BAD:
		h1f_close(c);
		return;
	}
	UNREACHED();
}

static void
h1f_next(struct conn *k)
{
	struct h1_front *c = h1f_of(k);

	if (c->state == H1F_GREETING)
		h1f_greet(c);
	else if (c->state == H1F_IDLE)
		h1f_read_head(c);
	else if (c->state == H1F_LINGER)
		h1f_linger(c);
}

static void
h1f_done(void *self, struct exch *x)
{
	struct h1_front *c = self;
	struct h1f_msg *m = c->m;
	bool may_send_more = m->in.how != WIRE_IN_DONE || !x->req.want_close;

	OBJ_CHECK(c, MAGIC_H1F);
	counter_add(c->conn.w->counters, COUNTER_BYTES_IN, x->bytes_in);
	counter_add(c->conn.w->counters, COUNTER_BYTES_OUT, x->bytes_out);
	c->is_send_blocked = false;
	if (stream_is_closed(&c->conn.stream)) {
		h1f_gone(c);
		return;
	}
	if (!x->is_sent) {
		h1f_abort(c, x);
		h1f_gone(c);
		return;
	}
	c->x = NULL;
	c->m = NULL;
	if (m->wants_close || m->in.how != WIRE_IN_DONE) {
		h1f_end(c, may_send_more);
		return;
	}
	h1f_goto(c, H1F_IDLE);
	/* the next request of a pipeline takes its turn behind other clients */
	if (c->conn.in.buf != NULL || c->conn.stream.may_read)
		loop_yield(c->conn.w->loop, &c->conn.task);
	else
		stream_await(&c->conn.stream);
}

static void
h1f_abort(void *self, struct exch *x)
{
	struct h1_front *c = self;

	OBJ_CHECK(c, MAGIC_H1F);
	/* a framed answer that ends early shows it; others need the reset, and
	 * so does a client that would leave the rest with our kernel */
	if ((x->is_begun && c->m->is_close_delimited) ||
	    x->fault == F_CLIENT_SEND_TIMEOUT || x->fault == F_CLIENT_SLOW)
		stream_reset(&c->conn.stream);
	else
		stream_close(&c->conn.stream);
}

static bool
h1f_local_addr(void *self, struct sock_addr *out)
{
	const struct h1_front *c = self;

	return conn_local_addr(&c->conn, out);
}

/* --- events --------------------------------------------------------------- */

static bool
h1f_is_tunnel(const struct h1_front *c)
{
	return c->state == H1F_EXCH && c->x->state == EXCH_TUNNEL;
}

/* A tunnel whose other side has ended, and so has our direction: that the
 * client's now ends too is no loss, and what it sent before is still read. */
static bool
h1f_has_sent_tunnel(const struct h1_front *c)
{
	return h1f_is_tunnel(c) && c->x->is_sent;
}

static void
h1f_on_event(struct conn *k, unsigned events)
{
	struct h1_front *c = h1f_of(k);

	switch (c->state) {
	case H1F_GREETING:
		h1f_greet(c);
		return;
	case H1F_IDLE:
	case H1F_HEAD:
		h1f_read_head(c);
		return;
	case H1F_EXCH:
		if ((events & STREAM_DEAD) && !h1f_has_sent_tunnel(c))
			exch_fault(
			    c->x, F_CLIENT_GONE, stream_errno(&c->conn.stream));
		exch_kick(c->x);
		return;
	case H1F_LINGER:
		h1f_linger(c);
		return;
	case H1F_TAKEN:
	case H1F_CLOSED:
		return;
	}
	UNREACHED();
}

/* The client took some of the answer, unseen, and fast enough: it is waited for
 * again. */
static bool
h1f_takes(struct h1_front *c)
{
	struct pace *p = &c->m->out_pace;
	size_t n = conn_taken(&c->conn, 0);

	if (n == 0)
		return false;
	pace_earn(p, c->conn.listen, h1f_now_us(c), n);
	h1f_await_room(c);
	return !pace_is_over(p, c->conn.listen, h1f_now_us(c));
}

/* The client neither takes of the answer nor sends of the request. */
static void
h1f_exch_due(struct h1_front *c)
{
	const struct plan_listen *l = c->conn.listen;
	enum fault_id why = F_CLIENT_BODY_TIMEOUT;

	if (c->is_send_blocked) {
		if (h1f_takes(c))
			return;
		why = F_CLIENT_SEND_TIMEOUT;
	}
	if (pace_is_over(&c->m->in_pace, l, h1f_now_us(c)) ||
	    pace_is_over(&c->m->out_pace, l, h1f_now_us(c)))
		why = F_CLIENT_SLOW;
	if (!c->is_send_blocked)
		body_abort(&c->x->req_body, why);
	exch_fault(c->x, why, 0);
	exch_kick(c->x);
}

/* Nothing is there to be waited for. What has come is answered, though: events
 * that tell of it may still stand in line behind who says that it ends. */
static void
h1f_end_idle(struct h1_front *c)
{
	(void)stream_is_fresh(&c->conn.stream);
	h1f_read_head(c);
	if (c->state == H1F_IDLE)
		h1f_close(c);
}

static void
h1f_on_timer(struct conn *k)
{
	struct h1_front *c = h1f_of(k);

	switch (c->state) {
	case H1F_HEAD:
		h1f_refuse(c, F_CLIENT_HEADER_TIMEOUT, H1_BAD_NONE);
		return;
	case H1F_EXCH:
		h1f_exch_due(c);
		return;
	case H1F_GREETING:
		conn_log_late(&c->conn);
		h1f_close(c);
		return;
	case H1F_IDLE:
		h1f_end_idle(c);
		return;
	case H1F_LINGER:
		h1f_close(c);
		return;
	case H1F_TAKEN:
	case H1F_CLOSED:
		return;
	}
	UNREACHED();
}

static void
h1f_close_idle(struct conn *k)
{
	struct h1_front *c = h1f_of(k);

	if (c->state == H1F_IDLE && c->is_used)
		h1f_end_idle(c);
}

static void
h1f_expire(struct conn *k, bool all, enum fault_id why)
{
	struct h1_front *c = h1f_of(k);

	if (!all && h1f_is_tunnel(c))
		return;
	if (c->state == H1F_EXCH)
		exch_kill(c->x, why);
	else
		h1f_close(c);
}

static size_t
h1f_holds(const struct conn *k)
{
	const struct h1_front *c = LIST_ENTRY(k, struct h1_front, conn);
	size_t n = k->in.buf == NULL ? 0 : k->in.buf->cap;

	return c->x == NULL ? n : n + memory_of_exch(c->x);
}

static const struct conn_ops h1f_conn_ops = {
    .name = "HTTP/1.1",
    .on_event = h1f_on_event,
    .on_timer = h1f_on_timer,
    .on_task = h1f_next,
    .close_idle = h1f_close_idle,
    .expire = h1f_expire,
    .holds = h1f_holds,
};

void
h1f_accept(struct worker *w, const struct plan_listen *l, int fd,
    const struct sock_addr *peer, const struct sock_addr *local)
{
	struct h1_front *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	if (!conn_open(&c->conn, &h1f_conn_ops, w, l, fd, peer, local)) {
		free(c);
		return;
	}
	c->magic = MAGIC_H1F;
	c->state = c->conn.greeting == CONN_GREETED ? H1F_IDLE : H1F_GREETING;
	h1f_set_deadline(c);
	/* what it says first is here already (sock_defer_accept()) */
	loop_defer(w->loop, &c->conn.task);
}
