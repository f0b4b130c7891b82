/* up/h1o_recv: the answer of an HTTP/1.1 origin, with the same suspicion as a
 * request: heads, content by length, in chunks, until the end, or through a
 * pipe. */
#include <errno.h>

#include "common/tls/tls_stream.h"
#include "worker/exch/plan.h"
#include "worker/up/h1o.h"

/* What is worth a pipe: a few reads of a block. */
#define H1O_PIPE_MIN (64u * 1024)

static void
h1o_final(struct up_try *t, const struct http_msg *m, bool is_chunked)
{
	struct exch *x = t->x;

	t->can_reuse = !m->want_close && m->status != 101 &&
		       (m->body != LENGTH_OPEN || is_chunked);
	if (try_got_final(t, m))
		wire_in_init(&h1o_wire(t)->in, &x->resp_body, &x->resp,
		    !is_chunked, true);
}

/* A complete head is at hand. */
static void
h1o_head(struct up_try *t, h1o_final_f *final)
{
	struct exch *x = t->x;
	struct h1_scan *scan = &h1o_wire(t)->scan;
	struct inbuf *in = &h1o_of(t->o)->in;
	span head = arena_span(&x->arena, span_first(inbuf_span(in), scan->at));
	struct http_msg m;
	bool is_chunked;
	enum h1_bad bad;

	inbuf_use(in, scan->at);
	memset(scan, 0, sizeof(*scan));
	if (h1_parse_response(head, x->req.method, &x->arena, &m, &is_chunked,
		&bad) != H1_OK) {
		x->fault_detail = h1_bad_text(bad);
		try_failed(t, F_ORIGIN_BAD, 0);
		return;
	}
	if (m.status < 200 && m.status != 101)
		try_got_info(t, &m);
	else
		final(t, &m, is_chunked);
}

/* In TLS 1.3 a server may refuse our certificate behind the handshake. */
static enum fault_id
h1o_why_no_head(const struct up_try *t, int err)
{
	if (t->is_any_got)
		return F_ORIGIN_CUT;
	return err == EPROTO && t->server->remote != NULL ? F_ORIGIN_TLS
							  : F_ORIGIN_RESET;
}

/* The connection gave no more bytes. */
static void
h1o_stopped(struct up_try *t, ssize_t rc)
{
	struct exch *x = t->x;
	struct wire_in *in = &h1o_wire(t)->in;
	const struct stream *s = &h1o_of(t->o)->stream;
	int err = rc == STREAM_RC_ERROR ? stream_errno(s) : 0;

	if (rc == STREAM_RC_ERROR && t->server->remote != NULL)
		x->fault_detail = tls_stream_why(s);
	if (t->state == UP_HEAD) {
		try_failed(t, h1o_why_no_head(t, err), err);
		return;
	}
	if (in->how == WIRE_IN_RAW && rc == STREAM_RC_EOF) {
		in->how = WIRE_IN_DONE;
		body_end(&x->resp_body);
		return;
	}
	try_cut(t, F_ORIGIN_CUT, err);
}

/* Read once. false when nothing came (and what that means was noted). */
static bool
h1o_fill(struct up_try *t)
{
	struct h1_origin *o = h1o_of(t->o);
	ssize_t n = inbuf_fill(&o->in, t->x->w, &o->stream, UP_HEAD_MAX);

	wire_in_came(&h1o_wire(t)->in, n, &o->stream);
	if (n == STREAM_RC_AGAIN)
		return false;
	if (n < 0 || n == 0) {
		h1o_stopped(t, n);
		return false;
	}
	t->is_any_got = true;
	return true;
}

bool
h1o_recv_head(struct up_try *t)
{
	return h1o_recv_head_for(t, h1o_final);
}

bool
h1o_recv_head_for(struct up_try *t, h1o_final_f *final)
{
	struct h1_scan *scan = &h1o_wire(t)->scan;
	struct h1_origin *o = h1o_of(t->o);
	bool moved = false;

	/* an answer to nothing must not become the answer to this request */
	if (o->is_spoilt) {
		/* who had closed before the request came has not served it */
		if (o->stream.got_rdhup)
			t->is_any_sent = false;
		try_failed(t, F_ORIGIN_RESET, 0);
		return true;
	}
	while (t->state == UP_HEAD) {
		switch (h1_scan(
		    scan, H1_RESPONSE, inbuf_span(&o->in), &up_limits)) {
		case H1_OK:
			h1o_head(t, final);
			moved = true;
			break;
		case H1_BAD:
			t->x->fault_detail = h1_bad_text(scan->bad);
			try_failed(t, F_ORIGIN_BAD, 0);
			return true;
		case H1_MORE:
			if (!h1o_fill(t))
				return moved || t->state != UP_HEAD;
			moved = true;
			break;
		}
	}
	return moved;
}

/* Whether what is still to come goes through a pipe: it is much, nothing of it
 * was read yet, and nobody wants to look at it. Messages of tunnels are mostly
 * small. */
static bool
h1o_can_pipe(const struct up_try *t)
{
	const struct exch *x = t->x;
	const struct body *b = &x->resp_body;
	const struct wire_in *in = &h1o_wire(t)->in;
	const struct h1_origin *o = h1o_of(t->o);

	if (b->pipes == NULL || o->in.buf != NULL ||
	    !stream_can_splice(&o->stream))
		return false;
	if (b->piped > 0)
		return true;
	if (in->how == WIRE_IN_LENGTH)
		return in->left >= H1O_PIPE_MIN;
	return in->how == WIRE_IN_RAW && in->is_bulk;
}

/* Returns whether something moved; *is_over: it cannot go on now. */
static bool
h1o_pipe(struct up_try *t, bool *is_over)
{
	struct exch *x = t->x;
	struct wire_in *in = &h1o_wire(t)->in;
	bool has_length = in->how == WIRE_IN_LENGTH;
	ssize_t n = body_fill_pipe(&x->resp_body, &h1o_of(t->o)->stream,
	    has_length ? in->left : UINT64_MAX);

	wire_in_came(in, n, &h1o_of(t->o)->stream);
	*is_over = n < 0;
	if (n == STREAM_RC_AGAIN || n == 0)
		return false;
	if (n < 0) {
		h1o_stopped(t, n);
		return true;
	}
	if (has_length)
		in->left -= (uint64_t)n;
	if (has_length && in->left == 0) {
		in->how = WIRE_IN_DONE;
		body_end(&x->resp_body);
	}
	return true;
}

bool
h1o_recv_body(struct up_try *t)
{
	struct exch *x = t->x;
	struct wire_in *in = &h1o_wire(t)->in;
	bool moved = false;

	while (in->how != WIRE_IN_DONE && body_room(&x->resp_body) > 0 &&
	       t->state == UP_BODY) {
		bool is_over;

		if (h1o_can_pipe(t)) {
			moved |= h1o_pipe(t, &is_over);
			if (is_over)
				break;
			continue;
		}
		switch (wire_in_step(in, &h1o_of(t->o)->in, &x->resp_body,
		    &x->resp, &x->arena, &up_limits)) {
		case WIRE_IN_OK:
			moved = true;
			break;
		case WIRE_IN_MORE:
			if (!h1o_fill(t) && in->how != WIRE_IN_DONE)
				return moved;
			moved = true;
			break;
		case WIRE_IN_BAD:
			x->fault_detail = h1_bad_text(in->bad);
			try_cut(t, F_ORIGIN_BAD, 0);
			return true;
		}
	}
	if (in->how == WIRE_IN_DONE && t->state == UP_BODY)
		try_got_all(t);
	return moved;
}
