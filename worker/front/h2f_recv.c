/* front/h2f_recv: requests of HTTP/2 become exchanges: heads, content, ends and
 * resets. Called by the session while it reads, but for h2f_pull(). */
#include "worker/front/h2f.h"

#include <assert.h>

#include <openssl/evp.h>

#include "common/base/siphash.h"
#include "worker/exch/hop.h"
#include "worker/exch/stage.h"

#define KEY_BYTES 16
/* 16 bytes in base64. */
#define KEY_TEXT 24

static struct h2f_stream *
stream_of(struct h2_stream *st)
{
	struct h2f_stream *s = LIST_ENTRY(st, struct h2f_stream, h2);

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	return s;
}

/* --- deadlines ------------------------------------------------------------ */

/* Nobody waits for the client. */
static void
stream_rest(struct h2f_stream *s)
{
	uint64_t now_us = worker_clock(s->x->w)->mono_us;

	pace_earn(&s->in_pace, s->x->listen, now_us, 0);
	pace_earn(&s->out_pace, s->x->listen, now_us, 0);
}

static void
stream_due(void *self)
{
	struct h2f_stream *s = self;
	struct exch *x = s->x;
	enum h2f_wait what = s->wait;
	uint64_t now_us = worker_clock(x->w)->mono_us;
	bool is_slow = pace_is_over(&s->in_pace, x->listen, now_us) ||
		       pace_is_over(&s->out_pace, x->listen, now_us);

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	stream_rest(s);
	s->wait = H2F_WAIT_NOTHING;
	switch (what) {
	case H2F_WAIT_NOTHING:
		return;
	case H2F_WAIT_HEAD:
		body_abort(&x->req_body, F_CLIENT_HEADER_TIMEOUT);
		exch_fault(x, F_CLIENT_HEADER_TIMEOUT, 0);
		break;
	case H2F_WAIT_CONTENT:
		body_abort(&x->req_body,
		    is_slow ? F_CLIENT_SLOW : F_CLIENT_BODY_TIMEOUT);
		exch_fault(
		    x, is_slow ? F_CLIENT_SLOW : F_CLIENT_BODY_TIMEOUT, 0);
		break;
	case H2F_WAIT_WINDOW:
		/* while the kernel is full nobody can be blamed */
		if (s->front->unsent.p != NULL)
			return;
		counter_add(x->w->counters, COUNTER_H2_STALLED, 1);
		exch_fault(
		    x, is_slow ? F_CLIENT_SLOW : F_CLIENT_SEND_TIMEOUT, 0);
		break;
	}
	exch_kick(x);
}

void
h2f_wait(struct h2f_stream *s, enum h2f_wait what)
{
	const struct plan_listen *l = s->x->listen;
	struct loop *loop = s->x->w->loop;
	uint64_t now_us = worker_clock(s->x->w)->mono_us;

	s->wait = what;
	stream_rest(s);
	switch (what) {
	case H2F_WAIT_NOTHING:
		loop_timer_clear(loop, &s->timer);
		return;
	case H2F_WAIT_HEAD:
		loop_timer_set(loop, &s->timer, l->header_timeout_ms);
		return;
	case H2F_WAIT_CONTENT:
		loop_timer_set(loop, &s->timer,
		    pace_wait(&s->in_pace, l, now_us, l->body_timeout_ms));
		return;
	case H2F_WAIT_WINDOW:
		loop_timer_set(loop, &s->timer,
		    pace_wait(&s->out_pace, l, now_us, l->send_timeout_ms));
		return;
	}
	UNREACHED();
}

/* --- heads ---------------------------------------------------------------- */

static struct h2_stream *
h2f_open(void *self)
{
	struct h2_front *f = self;
	struct conn *k = f->conn;
	const struct clock *now = worker_clock(k->w);
	struct exch *x = exch_new(k->w, &h2f_ops, NULL, k->listen);
	struct h2f_stream *s = arena_zalloc(&x->arena, sizeof(*s));

	s->magic = MAGIC_H2F_STREAM;
	s->h2.arena = &x->arena;
	s->front = f;
	s->x = x;
	s->code = H2_INTERNAL_ERROR;
	s->tail = (struct h2_tail){.w = k->w, .window = H2F_WINDOW};
	list_init(&s->turn);
	timer_init(&s->timer, stream_due, s);
	x->front_self = s;
	x->req.version = HTTP_2;
	conn_tell(k, &x->client);
	x->t.begin_us = x->t.head_us = now->mono_us;
	x->t.begin_wall_us = now->wall_us;
	list_push_back(&f->streams, &s->node);
	f->n_streams++;
	f->opening = s;
	if (f->n_streams == 1 && f->unsent.p == NULL)
		loop_timer_clear(k->w->loop, &k->timer);
	f->is_used = true;
	counter_add(k->w->counters, COUNTER_H2_STREAMS, 1);
	return &s->h2;
}

/* A request that cannot be served as it is. */
static void
stream_refuse(
    struct h2f_stream *s, enum fault_id why, unsigned status, const char *text)
{
	struct exch *x = s->x;

	if (why == F_CLIENT_BAD || why == F_CLIENT_BODY_BAD)
		counter_add(x->w->counters, COUNTER_BAD_REQUESTS, 1);
	body_abort(&x->req_body, why);
	exch_fault_as(x, why, status, text);
}

/* A key as RFC 6455 4.1 wants one of whoever speaks HTTP/1 to the origin. */
static span
stream_key(struct exch *x)
{
	unsigned char *p = arena_alloc(&x->arena, KEY_TEXT + 1);
	struct sipkey random;

	static_assert(sizeof(random) == KEY_BYTES, "two words");
	sipkey_random(&random);
	REQUIRE(EVP_EncodeBlock(p, (const unsigned char *)&random, KEY_BYTES) ==
		KEY_TEXT);
	return span_of((const char *)p, KEY_TEXT);
}

/* What comes before the tunnel is granted waits for that; the request itself has
 * ended. */
static void
stream_keep_early(struct h2f_stream *s)
{
	struct exch *x = s->x;

	s->early = arena_alloc(&x->arena, sizeof(*s->early));
	body_init(s->early, x->req_body.high);
	body_end(&x->req_body);
}

/* Extended CONNECT (RFC 8441) is the request that HTTP/1.1 makes with Upgrade:
 * from here on it goes the same way. */
static void
stream_begin_tunnel(struct h2f_stream *s)
{
	struct exch *x = s->x;

	if (!span_ieq(x->req.protocol, SPAN_LIT("websocket"))) {
		stream_refuse(s, F_METHOD_REFUSED, 501,
		    "the protocol of the CONNECT is not served here");
		return;
	}
	x->req.method = METHOD_GET;
	x->req.method_text = method_name(METHOD_GET);
	x->req.want_upgrade = true;
	x->req.body = LENGTH_NONE;
	(void)fields_del(&x->req.fields, FIELD_CONTENT_LENGTH);
	fields_add_id(
	    &x->req.fields, &x->arena, FIELD_UPGRADE, SPAN_LIT("websocket"));
	fields_set(
	    &x->req.fields, &x->arena, FIELD_SEC_WEBSOCKET_KEY, stream_key(x));
	stream_keep_early(s);
}

/* A CONNECT that only a forward proxy serves: what follows is no content. */
static void
stream_begin_connect(struct h2f_stream *s)
{
	struct exch *x = s->x;

	x->req.body = LENGTH_NONE;
	(void)fields_del(&x->req.fields, FIELD_CONTENT_LENGTH);
	stream_keep_early(s);
}

static void
h2f_head(void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct h2_front *f = self;
	struct h2f_stream *s = stream_of(st);
	struct exch *x = s->x;

	f->opening = NULL;
	if (s->wait != H2F_WAIT_NOTHING)
		h2f_wait(s, H2F_WAIT_NOTHING);
	x->req = *m;
	x->t.head_us = worker_clock(x->w)->mono_us;
	x->bytes_in = st->wire_in;
	if (bad != H2_BAD_NONE)
		stream_refuse(s,
		    bad == H2_BAD_EXPECTATION ? F_EXPECTATION : F_CLIENT_BAD,
		    h2_bad_status(bad), h2_bad_text(bad));
	else if (m->protocol.len > 0)
		stream_begin_tunnel(s);
	else if (x->req.method == METHOD_CONNECT && x->kind == STAGE_FORWARD)
		stream_begin_connect(s);
	/* announced to be empty, but not ended: if content comes after all, no
	 * origin should have seen the request */
	if (bad == H2_BAD_NONE && x->req.body == LENGTH_KNOWN &&
	    x->req.length == 0)
		h2f_wait(s, H2F_WAIT_CONTENT);
	else
		exch_kick(x);
}

/* --- content -------------------------------------------------------------- */

static void
h2f_data(void *self, struct h2_stream *st, span data)
{
	struct h2f_stream *s = stream_of(st);
	struct exch *x = s->x;

	(void)self;
	x->bytes_in += data.len;
	pace_earn(
	    &s->in_pace, x->listen, worker_clock(x->w)->mono_us, data.len);
	if (s->wait == H2F_WAIT_CONTENT)
		h2f_wait(s, H2F_WAIT_NOTHING);
	if (x->req_body.state == BODY_OPEN)
		h2_tail_push(&s->tail, &x->req_body, s->front->reading, data);
	else if (s->early != NULL && s->early->state == BODY_OPEN)
		h2_tail_push(&s->tail, s->early, s->front->reading, data);
	else
		h2_stream_consume(st, (uint32_t)data.len);
	exch_kick(x);
}

static void
h2f_ended(void *self, struct h2_stream *st, const struct http_fields *trailers)
{
	struct h2f_stream *s = stream_of(st);
	struct exch *x = s->x;

	(void)self;
	s->is_heard = true;
	x->bytes_in = st->wire_in;
	if (s->wait == H2F_WAIT_CONTENT)
		h2f_wait(s, H2F_WAIT_NOTHING);
	if (trailers != NULL) {
		x->req.trailers = *trailers;
		hop_remove_trailers(&x->req);
	}
	if (x->req_body.state == BODY_OPEN)
		body_end(&x->req_body);
	exch_kick(x);
}

static void
h2f_reset(void *self, struct h2_stream *st, uint32_t code, enum h2_bad bad,
    bool is_unserved)
{
	struct h2_front *f = self;
	struct h2f_stream *s = stream_of(st);
	struct exch *x = s->x;
	bool is_late = st->has_head;

	(void)code;
	(void)is_unserved;
	if (f->opening == s)
		f->opening = NULL;
	s->is_broken = true;
	if (bad != H2_BAD_NONE) {
		stream_refuse(s, is_late ? F_CLIENT_BODY_BAD : F_CLIENT_BAD,
		    400, h2_bad_text(bad));
	} else {
		body_abort(&x->req_body, F_CLIENT_GONE);
		exch_fault(x, F_CLIENT_GONE, 0);
	}
	exch_kick(x);
}

static void
h2f_settings(void *self)
{
	(void)self;
}

static void
h2f_goaway(void *self, uint32_t code)
{
	(void)self;
	(void)code;
}

/* What the client sent before it knew that the worker retires is here. */
static void
h2f_pong(void *self)
{
	struct h2_front *f = self;

	if (f->conn->w->is_retiring)
		h2_session_goaway(f->h2, H2_NO_ERROR);
}

const struct h2_events h2f_events = {
    .on_open = h2f_open,
    .on_head = h2f_head,
    .on_data = h2f_data,
    .on_end = h2f_ended,
    .on_reset = h2f_reset,
    .content = h2f_content,
    .take = h2f_take_content,
    .on_sent = h2f_sent,
    .on_settings = h2f_settings,
    .on_goaway = h2f_goaway,
    .on_pong = h2f_pong,
};

/* --- for the exchange ----------------------------------------------------- */

/* What came before the tunnel was granted. */
static bool
pull_early(struct h2f_stream *s)
{
	struct exch *x = s->x;
	struct body *early = s->early;
	bool moved = false;

	if (early == NULL || x->state != EXCH_TUNNEL ||
	    x->req_body.state != BODY_OPEN)
		return false;
	for (; early->n > 0 && body_room(&x->req_body) > 0; moved = true) {
		struct slice *q = &early->q[early->first];
		uint32_t len = q->len;
		struct slice piece = {q->buf, q->p, len};

		if (piece.buf != NULL)
			(void)buf_ref(piece.buf);
		body_push(&x->req_body, &piece);
		body_consume(early, len);
	}
	if (early->n > 0)
		return moved;
	s->early = NULL;
	if (s->is_heard)
		body_end(&x->req_body);
	return true;
}

bool
h2f_pull(void *self, struct exch *x)
{
	struct h2f_stream *s = self;
	struct body *b = &x->req_body;
	bool moved = pull_early(s);
	uint64_t done = body_taken(b);

	OBJ_CHECK(s, MAGIC_H2F_STREAM);
	exch_check_content(x);
	if (done > s->told) {
		h2_stream_consume(&s->h2, (uint32_t)(done - s->told));
		s->told = done;
		if (h2_session_wants_send(s->front->h2))
			h2f_want_flush(s->front);
	}
	/* half a window is open in any case: the client could send */
	if (b->state == BODY_OPEN && s->wait == H2F_WAIT_NOTHING &&
	    x->state != EXCH_TUNNEL && b->total - s->told < H2F_WINDOW / 2)
		h2f_wait(s, H2F_WAIT_CONTENT);
	return moved;
}
