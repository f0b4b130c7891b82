/* up/up_recv: the answer of an origin, with the same suspicion as a request's:
 * heads, interim answers, content. */
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/up/up_try.h"

/* What an origin may send as a head. */
#define UP_HEAD_MAX (64u * 1024)
#define UP_FIELDS_MAX 256
/* What is worth a pipe: a few reads of a block. */
#define UP_PIPE_MIN (64u * 1024)
/* Interim answers before an origin counts as broken. */
#define UP_INFOS_MAX 16

static const struct h1_limits up_limits = {
    .line_max = 8192,
    .head_max = UP_HEAD_MAX,
    .fields_max = UP_FIELDS_MAX,
};

static bool
try_is_websocket_answer(const struct up_try *t, const struct http_msg *m)
{
	return t->x->wants_tunnel && m->want_upgrade &&
	       fields_has_token(
		   &m->fields, FIELD_UPGRADE, SPAN_LIT("websocket"));
}

/* An interim answer goes on at once; 101 is final. */
static void
try_info(struct up_try *t, struct http_msg *info)
{
	struct exch *x = t->x;

	memset(&t->scan, 0, sizeof(t->scan));
	if (++t->n_infos > UP_INFOS_MAX || !hop_remove(&info->fields, false)) {
		try_failed(t, F_ORIGIN_BAD, 0);
		return;
	}
	info->version = HTTP_1_1;
	field_rules_apply(&x->set->hidden_fields, x, &info->fields);
	/* nobody asked for 100 unless the client did (RFC 9110 10.1.1) */
	if (info->status != 100 || x->req.want_continue)
		x->front->send_info(x->front_self, x, info);
}

static void
try_final(struct up_try *t, const struct http_msg *m, bool is_chunked)
{
	struct exch *x = t->x;

	x->resp = *m;
	x->origin.status = m->status;
	body_forget(&x->req_body);
	t->can_reuse = !m->want_close && m->status != 101 &&
		       (m->body != LENGTH_OPEN || is_chunked);
	if (m->status == 101) {
		if (!try_is_websocket_answer(t, m)) {
			try_failed(t, F_ORIGIN_UPGRADE, 0);
			return;
		}
		x->resp.body = LENGTH_OPEN;
	}
	t->state = UP_BODY;
	wire_in_init(&t->in, &x->resp_body, &x->resp, !is_chunked, true);
	exch_answer(x);
}

/* A complete head is at hand. */
static void
try_head(struct up_try *t)
{
	struct exch *x = t->x;
	span head = arena_span(
	    &x->arena, span_first(inbuf_span(&t->o->in), t->scan.at));
	struct http_msg m;
	bool is_chunked;
	enum h1_bad bad;

	memset(&m, 0, sizeof(m));
	inbuf_use(&t->o->in, t->scan.at);
	if (h1_parse_response(head, x->req.method, &x->arena, &m, &is_chunked,
		&bad) != H1_OK) {
		x->fault_detail = h1_bad_text(bad);
		try_failed(t, F_ORIGIN_BAD, 0);
		return;
	}
	if (m.status < 200 && m.status != 101)
		try_info(t, &m);
	else
		try_final(t, &m, is_chunked);
}

/* The connection gave no more bytes. */
static void
try_stopped(struct up_try *t, ssize_t rc)
{
	struct exch *x = t->x;
	int err = rc == STREAM_RC_ERROR ? stream_errno(&t->o->stream) : 0;

	if (t->state == UP_HEAD) {
		try_failed(
		    t, t->is_any_got ? F_ORIGIN_CUT : F_ORIGIN_RESET, err);
		return;
	}
	if (t->in.how == WIRE_IN_RAW && rc == STREAM_RC_EOF) {
		t->in.how = WIRE_IN_DONE;
		body_end(&x->resp_body);
		return;
	}
	body_abort(&x->resp_body, F_ORIGIN_CUT);
	exch_fault(x, F_ORIGIN_CUT, err);
	t->state = UP_DONE;
}

/* Read once. false when nothing came (and what that means was noted). */
static bool
try_fill(struct up_try *t)
{
	struct h1_origin *o = t->o;
	ssize_t n = inbuf_fill(&o->in, t->x->w, &o->stream, UP_HEAD_MAX);

	if (n == STREAM_RC_AGAIN)
		return false;
	if (n < 0 || n == 0) {
		try_stopped(t, n);
		return false;
	}
	t->is_any_got = true;
	return true;
}

bool
try_recv_head(struct up_try *t)
{
	bool moved = false;

	/* an answer to nothing must not become the answer to this request */
	if (t->o->is_spoilt) {
		try_failed(t, F_ORIGIN_RESET, 0);
		return true;
	}
	while (t->state == UP_HEAD) {
		switch (h1_scan(
		    &t->scan, H1_RESPONSE, inbuf_span(&t->o->in), &up_limits)) {
		case H1_OK:
			try_head(t);
			moved = true;
			break;
		case H1_BAD:
			t->x->fault_detail = h1_bad_text(t->scan.bad);
			try_failed(t, F_ORIGIN_BAD, 0);
			return true;
		case H1_MORE:
			if (!try_fill(t))
				return moved || t->state != UP_HEAD;
			moved = true;
			break;
		}
	}
	return moved;
}

/* The answer is complete: the connection is free before the client has it all.
 */
static void
try_finish_origin(struct up_try *t)
{
	struct exch *x = t->x;
	struct h1_origin *o = t->o;

	if (x->state == EXCH_TUNNEL || x->resp.status == 101)
		return;
	loop_timer_clear(x->w->loop, &t->timer);
	t->state = UP_DONE;
	try_uncount(t);
	t->o = NULL;
	if (t->can_reuse && !t->is_send_over &&
	    wire_out_is_done(&t->out, &x->req_body))
		h1o_release(o);
	else
		h1o_close(o);
}

/* Whether what is still to come goes through a pipe: it is much, nothing of it
 * was read yet, and nobody wants to look at it. Messages of tunnels are mostly
 * small. */
static bool
try_can_pipe(const struct up_try *t)
{
	const struct exch *x = t->x;
	const struct body *b = &x->resp_body;

	if (b->pipes == NULL || t->o->in.buf != NULL ||
	    !stream_can_splice(&t->o->stream))
		return false;
	if (b->piped > 0)
		return true;
	if (t->in.how == WIRE_IN_LENGTH)
		return t->in.left >= UP_PIPE_MIN;
	return t->in.how == WIRE_IN_RAW && b->total >= UP_PIPE_MIN &&
	       x->state != EXCH_TUNNEL;
}

/* Returns whether something moved; *is_over: it cannot go on now. */
static bool
try_pipe(struct up_try *t, bool *is_over)
{
	struct exch *x = t->x;
	bool has_length = t->in.how == WIRE_IN_LENGTH;
	ssize_t n = body_fill_pipe(
	    &x->resp_body, &t->o->stream, has_length ? t->in.left : UINT64_MAX);

	*is_over = n < 0;
	if (n == STREAM_RC_AGAIN)
		return false;
	if (n == 0) {
		/* there is none to be had */
		x->resp_body.pipes = NULL;
		return false;
	}
	if (n < 0) {
		try_stopped(t, n);
		return true;
	}
	if (has_length)
		t->in.left -= (uint64_t)n;
	if (has_length && t->in.left == 0) {
		t->in.how = WIRE_IN_DONE;
		body_end(&x->resp_body);
	}
	return true;
}

bool
try_recv_body(struct up_try *t)
{
	struct exch *x = t->x;
	bool moved = false;

	while (t->in.how != WIRE_IN_DONE && body_room(&x->resp_body) > 0 &&
	       t->state == UP_BODY) {
		bool is_over;

		if (try_can_pipe(t)) {
			moved |= try_pipe(t, &is_over);
			if (is_over)
				break;
			continue;
		}
		switch (wire_in_step(&t->in, &t->o->in, &x->resp_body, &x->resp,
		    &x->arena, &up_limits)) {
		case WIRE_IN_OK:
			moved = true;
			break;
		case WIRE_IN_MORE:
			if (!try_fill(t) && t->in.how != WIRE_IN_DONE)
				return moved;
			moved = true;
			break;
		case WIRE_IN_BAD:
			x->fault_detail = h1_bad_text(t->in.bad);
			body_abort(&x->resp_body, F_ORIGIN_BAD);
			exch_fault(x, F_ORIGIN_BAD, 0);
			t->state = UP_DONE;
			return true;
		}
	}
	if (t->in.how == WIRE_IN_DONE && t->state == UP_BODY)
		try_finish_origin(t);
	return moved;
}
