/* front/h1f_recv: the content of requests, read while the exchange has room
 * for it. Decides what a stop of the wire means. Called by the exchange's
 * driver. */
#include "worker/front/h1f.h"

/* What is read and dropped at most to keep a connection whose request content
 * nobody wanted. */
#define DRAIN_MAX (64u * 1024)

/* The wire has no more for now, or ended. */
static void
recv_stopped(struct h1_front *c, ssize_t rc)
{
	struct exch *x = c->x;
	bool is_raw = c->m->in.how == WIRE_IN_RAW;

	if (rc == STREAM_RC_AGAIN) {
		/* set already: nothing came since then */
		if (!is_raw && !c->is_send_blocked &&
		    !timer_is_set(&c->conn.timer))
			loop_timer_set(c->conn.w->loop, &c->conn.timer,
			    pace_wait(&c->m->in_pace, c->conn.listen,
				h1f_now_us(c),
				c->conn.listen->body_timeout_ms));
		return;
	}
	if (rc == STREAM_RC_EOF && is_raw) {
		c->m->in.how = WIRE_IN_DONE;
		body_end(&x->req_body);
		return;
	}
	if (rc == STREAM_RC_EOF) {
		body_abort(&x->req_body, F_CLIENT_CUT);
		exch_fault(x, F_CLIENT_CUT, 0);
		return;
	}
	body_abort(&x->req_body, F_CLIENT_GONE);
	exch_fault(x, F_CLIENT_GONE, stream_errno(&c->conn.stream));
}

/* Read once. false when nothing came. */
static bool
recv_fill(struct h1_front *c)
{
	ssize_t n = inbuf_fill(&c->conn.in, c->conn.w, &c->conn.stream,
	    c->conn.listen->limits.head_max);

	wire_in_came(&c->m->in, n, &c->conn.stream);
	if (n <= 0) {
		recv_stopped(c, n);
		return false;
	}
	pace_earn(&c->m->in_pace, c->conn.listen, h1f_now_us(c), (uint64_t)n);
	if (!c->is_send_blocked)
		loop_timer_clear(c->conn.w->loop, &c->conn.timer);
	return true;
}

/* Whether what is still to come goes through a pipe: of a tunnel, much of it, and
 * nothing of it was read yet. */
static bool
recv_can_pipe(const struct h1_front *c)
{
	const struct body *b = &c->x->req_body;

	return b->pipes != NULL && c->m->in.how == WIRE_IN_RAW &&
	       c->conn.in.buf == NULL && stream_can_splice(&c->conn.stream) &&
	       (b->piped > 0 || c->m->in.is_bulk);
}

/* Returns whether something moved; *is_over: it cannot go on now. */
static bool
recv_pipe(struct h1_front *c, bool *is_over)
{
	struct exch *x = c->x;
	ssize_t n = body_fill_pipe(&x->req_body, &c->conn.stream, UINT64_MAX);

	wire_in_came(&c->m->in, n, &c->conn.stream);
	*is_over = n < 0;
	if (n < 0)
		recv_stopped(c, n);
	x->bytes_in = c->m->head_len + x->req_body.total;
	return n > 0;
}

bool
h1f_pull(void *self, struct exch *x)
{
	struct h1_front *c = self;
	struct wire_in *in = &c->m->in;
	bool moved = false;

	OBJ_CHECK(c, MAGIC_H1F);
	while (in->how != WIRE_IN_DONE && !x->is_failing &&
	       body_room(&x->req_body) > 0) {
		bool is_over;

		if (recv_can_pipe(c)) {
			moved |= recv_pipe(c, &is_over);
			if (is_over)
				break;
			continue;
		}
		switch (wire_in_step(in, &c->conn.in, &x->req_body, &x->req,
		    &x->arena, &c->conn.listen->limits)) {
		case WIRE_IN_OK:
			moved = true;
			x->bytes_in = c->m->head_len + x->req_body.total;
			exch_check_content(x);
			break;
		case WIRE_IN_MORE:
			if (!recv_fill(c))
				return moved;
			break;
		case WIRE_IN_BAD:
			body_abort(&x->req_body, F_CLIENT_BODY_BAD);
			exch_fault_as(x, F_CLIENT_BODY_BAD,
			    h1_bad_status(in->bad), h1_bad_text(in->bad));
			break;
		}
	}
	/* nobody waits for it: there is no room, or no more to come */
	pace_earn(&c->m->in_pace, c->conn.listen, h1f_now_us(c), 0);
	if (!c->is_send_blocked)
		loop_timer_clear(c->conn.w->loop, &c->conn.timer);
	return moved;
}

/* The client waits to be told to send: it will not, and need not. */
static bool
recv_is_unsent(const struct h1_front *c)
{
	return c->x->req.want_continue && c->x->req_body.total == 0 &&
	       inbuf_span(&c->conn.in).len == 0;
}

bool
h1f_drain(struct h1_front *c)
{
	struct exch *x = c->x;
	struct wire_in *in = &c->m->in;

	if (in->how == WIRE_IN_DONE)
		return true;
	if (x->req_body.state != BODY_OPEN || recv_is_unsent(c) ||
	    (in->how == WIRE_IN_LENGTH && in->left > DRAIN_MAX))
		return false;
	body_forget(&x->req_body);
	do {
		body_consume(&x->req_body, x->req_body.len);
	} while (
	    x->req_body.total < DRAIN_MAX && h1f_pull(c, x) && !x->is_failing);
	/* what is wrong with content that nobody wanted is nobody's concern:
	 * the connection ends, the answer stays */
	x->is_failing = false;
	return in->how == WIRE_IN_DONE;
}
