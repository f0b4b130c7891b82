/* up/h2o_place: on which connection an exchange finds a stream: the oldest one
 * that has room, so that the others can age out; else a new one; else, when
 * there are as many as may be, the next stream that ends. */
#include <errno.h>

#include "worker/exch/plan.h"
#include "worker/up/h2o.h"

/* --- room ----------------------------------------------------------------- */

/* Exchanges that a connection may carry at once. Before it has said so, what
 * the server said on another one is believed. */
static uint32_t
conn_limit(const struct h2_origin *c)
{
	uint32_t max = c->has_settings ? h2_session_streams_max(c->h2)
				       : c->server->streams_max;

	return max < H2O_STREAMS_MAX ? max : H2O_STREAMS_MAX;
}

static bool
conn_has_room(const struct h2_origin *c)
{
	return (c->state == H2O_OPENING || c->state == H2O_OPEN) &&
	       c->n_streams < conn_limit(c);
}

/* Whether a try may go there. After a connection that was stale, one that has
 * served before is not trusted again. */
static bool
conn_serves(const struct h2_origin *c, bool is_fresh)
{
	return conn_has_room(c) && !(is_fresh && c->is_used);
}

/* A connection for one more exchange, or NULL. is_sure: what the origin said
 * meanwhile is read first. */
static struct h2_origin *
place_find(struct up_server *s, bool is_fresh, bool is_sure)
{
	list_foreach_safe (n, &s->conns) {
		struct h2_origin *c = LIST_ENTRY(n, struct h2_origin, node);

		OBJ_CHECK(c, MAGIC_H2O);
		if (!conn_serves(c, is_fresh))
			continue;
		if (!up_server_is_at(s, &c->at)) {
			h2o_conn_last(c);
			continue;
		}
		if (!is_sure || c->state == H2O_OPENING)
			return c;
		h2o_conn_read(c);
		if (conn_serves(c, is_fresh))
			return c;
	}
	return NULL;
}

void
h2o_kick_waiting(struct up_server *s, uint32_t n)
{
	list_foreach (at, &s->waiting) {
		if (n-- == 0)
			return;
		exch_kick(LIST_ENTRY(at, struct h2o_stream, node)->base.x);
	}
}

/* --- placing -------------------------------------------------------------- */

static void
place_on(struct h2o_stream *s, struct h2_origin *c)
{
	h2o_conn_wake(c);
	list_del(&s->node);
	list_push_back(&c->streams, &s->node);
	c->n_streams++;
	s->conn = c;
	s->to = c->to;
	s->base.is_reused = c->is_used;
	s->base.why_late = F_NONE;
}

void
h2o_detach(struct h2o_stream *s, enum h2_code code)
{
	struct h2_origin *c = s->conn;

	list_del(&s->node);
	h2_stream_leave(&s->h2, code);
	s->conn = NULL;
	if (c != NULL)
		c->n_streams--;
}

static struct h2o_stream *
place_new(struct up_try *t)
{
	struct exch *x = t->x;
	struct h2o_stream *s = arena_zalloc(&x->arena, sizeof(*s));

	s->base.ops = &h2o_ops;
	s->base.server = t->server;
	s->base.x = x;
	s->magic = MAGIC_H2O_STREAM;
	s->h2.arena = &x->arena;
	s->t = t;
	s->tail = (struct h2_tail){.w = x->w, .window = H2O_WINDOW};
	list_init(&s->node);
	return s;
}

struct origin *
h2o_take(struct up_try *t, enum origin_care care)
{
	struct h2_origin *c =
	    place_find(t->server, t->avoids_pool, care != ORIGIN_CARE_NONE);
	struct h2o_stream *s;

	if (c == NULL)
		return NULL;
	s = place_new(t);
	place_on(s, c);
	if (s->base.is_reused)
		counter_add(t->x->w->counters, COUNTER_ORIGIN_REUSES, 1);
	return &s->base;
}

/* Whether one more connection is of no use: there are as many as may be, or one
 * that carries nothing has no room either. */
static bool
place_must_wait(const struct h2o_stream *s)
{
	const struct up_server *server = s->base.server;

	if (server->group->conf->send_proxy != 0)
		return false;
	return server->n_conns >= H2O_CONNS_MAX ||
	       (server->n_idle > 0 && !s->t->avoids_pool);
}

/* On a connection of its own to s->to, or into the queue. false with errno. */
static bool
place_connect(struct h2o_stream *s)
{
	struct up_server *server = s->base.server;
	struct h2_origin *c;

	if (place_must_wait(s)) {
		s->base.why_late = F_ORIGIN_BUSY;
		list_del(&s->node);
		list_push_back(&server->waiting, &s->node);
		return true;
	}
	c = h2o_conn_new(server, &s->to, try_proxy_header(s->t));
	if (c == NULL)
		return false;
	place_on(s, c);
	return true;
}

struct origin *
h2o_connect(struct up_try *t, const struct sock_addr *to)
{
	struct h2o_stream *s = place_new(t);

	s->to = *to;
	return place_connect(s) ? &s->base : NULL;
}

/* One that lost its place before it began looks for another. */
static bool
place_again(struct h2o_stream *s, struct origin_failure *f)
{
	struct h2_origin *c = place_find(s->base.server, false, false);

	if (c != NULL) {
		place_on(s, c);
		return true;
	}
	if (place_connect(s))
		return true;
	*f = (struct origin_failure){F_ORIGIN_CONNECT, errno, NULL};
	return false;
}

/* Whether the origin lets WebSocket through (RFC 8441 3), which only its
 * settings say. */
static enum origin_rc
poll_tunnel(const struct h2_origin *c, struct origin_failure *f)
{
	if (!c->has_settings)
		return ORIGIN_WAIT;
	if (h2_session_may_tunnel(c->h2))
		return ORIGIN_READY;
	*f = (struct origin_failure){F_ORIGIN_NO_TUNNEL, 0, NULL};
	return ORIGIN_FAILED;
}

/* Whether those who are placed there may still begin. */
static bool
conn_may_begin(const struct h2_origin *c)
{
	return c->state == H2O_OPENING ||
	       (c->state == H2O_OPEN &&
		   h2_session_streams(c->h2) < conn_limit(c));
}

/* The connection takes no more, or its limit turned out to be lower. */
static void
place_lose(struct h2o_stream *s)
{
	struct h2_origin *c = s->conn;

	h2o_detach(s, H2_CANCEL);
	if (c->n_streams == 0)
		h2o_conn_rest(c);
}

/* Who waits for one that opens goes to another one that came about before it:
 * its address may lead nowhere. */
static void
place_hurry(struct h2o_stream *s)
{
	list_foreach (n, &s->base.server->conns) {
		struct h2_origin *c = LIST_ENTRY(n, struct h2_origin, node);

		if (c->state != H2O_OPEN || !conn_serves(c, s->t->avoids_pool))
			continue;
		place_lose(s);
		place_on(s, c);
		return;
	}
}

enum origin_rc
h2o_poll(struct origin *o, struct origin_failure *f)
{
	struct h2o_stream *s = h2o_of(o);

	if (s->conn != NULL && s->conn->state == H2O_OPENING &&
	    !s->conn->is_private)
		place_hurry(s);
	if (s->conn != NULL && s->conn->state == H2O_OPENING)
		h2o_conn_open(s->conn);
	if (s->failure.why != F_NONE) {
		*f = s->failure;
		return ORIGIN_FAILED;
	}
	if (s->conn != NULL && !conn_may_begin(s->conn))
		place_lose(s);
	if (s->conn == NULL && !place_again(s, f))
		return ORIGIN_FAILED;
	if (s->conn == NULL || s->conn->state == H2O_OPENING)
		return ORIGIN_WAIT;
	return s->t->x->wants_tunnel ? poll_tunnel(s->conn, f) : ORIGIN_READY;
}

/* --- leaving -------------------------------------------------------------- */

/* Whether the connection, and not only the stream, said nothing in most of the
 * time that the exchange waited: then nobody else should. What it said first
 * were settings that crossed the request. */
static bool
leave_is_mute(const struct h2o_stream *s)
{
	const struct up_try *t = s->t;
	const struct upstream *u = t->group->conf;
	enum fault_id why = t->x->fault != F_NONE ? t->x->fault : t->why;
	uint64_t waited_ms;

	if (why == F_ORIGIN_TRY_TIMEOUT)
		waited_ms = u->try_timeout_ms;
	else if (why == F_ORIGIN_TIMEOUT || why == F_ORIGIN_STALL)
		waited_ms = u->response_timeout_ms;
	else
		return false;
	return try_now_ms(t) - s->conn->heard_ms >= waited_ms / 2;
}

static void
place_leave(struct origin *o)
{
	struct h2o_stream *s = h2o_of(o);
	struct h2_origin *c = s->conn;
	struct up_server *server = o->server;

	buf_unref(s->tail.buf);
	s->tail.buf = NULL;
	if (c != NULL && leave_is_mute(s))
		h2o_conn_last(c);
	h2o_detach(s, H2_CANCEL);
	s->magic = 0;
	if (c != NULL && c->n_streams == 0)
		h2o_conn_rest(c);
	else if (c != NULL)
		h2o_conn_want_flush(c);
	/* whether it had a place or was the next to get one */
	h2o_kick_waiting(server, 1);
}

void
h2o_release(struct origin *o, bool can_reuse)
{
	(void)can_reuse;
	place_leave(o);
}

void
h2o_close(struct origin *o)
{
	place_leave(o);
}

void
h2o_drain(struct up_server *s)
{
	list_foreach_safe (n, &s->conns) {
		struct h2_origin *c = LIST_ENTRY(n, struct h2_origin, node);

		if (c->n_streams == 0)
			h2o_conn_end(c);
		else
			h2o_conn_last(c);
	}
}

const struct origin_ops h2o_ops = {
    .prepare = h2o_prepare,
    .explain = h2o_explain,
    .take = h2o_take,
    .connect = h2o_connect,
    .poll = h2o_poll,
    .begin = h2o_begin,
    .send = h2o_send,
    .is_sent = h2o_is_sent,
    .recv_head = h2o_recv_head,
    .recv_body = h2o_recv_body,
    .shut = h2o_shut,
    .release = h2o_release,
    .close = h2o_close,
    .reset = h2o_close,
    .drain = h2o_drain,
    .may_refuse = true,
    .alpn = "\x02h2",
};
