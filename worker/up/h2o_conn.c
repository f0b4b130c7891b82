/* up/h2o_conn: the life of a connection to an origin that speaks HTTP/2: its
 * opening, bytes in, frames of all streams out, and its end. */
#include <errno.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/tls/tls_stream.h"
#include "worker/exch/plan.h"
#include "worker/up/h2o.h"

/* Reads, and writes, before other connections get their turn. */
#define H2O_TURNS 4

#define TO(s) (1u << (s))

static const uint16_t h2o_edges[] = {
    [H2O_OPENING] = TO(H2O_OPEN) | TO(H2O_CLOSED),
    [H2O_OPEN] = TO(H2O_LAST) | TO(H2O_CLOSED),
    [H2O_LAST] = TO(H2O_CLOSED),
    [H2O_CLOSED] = 0,
};

static void
h2o_goto(struct h2_origin *c, enum h2o_state to)
{
	REQUIRE(h2o_edges[c->state] & TO(to));
	c->state = to;
}

static struct worker *
conn_worker(const struct h2_origin *c)
{
	return c->server->group->w;
}

static void
conn_count(const struct h2_origin *c, enum counter_id id)
{
	counter_add(conn_worker(c)->counters, id, 1);
}

/* --- the end -------------------------------------------------------------- */

/* Out of what exchanges find. */
static void
conn_unlist(struct h2_origin *c)
{
	struct up_server *s = c->server;

	if (!list_is_linked(&c->node))
		return;
	list_del(&c->node);
	s->n_conns--;
	/* there may be another one now */
	h2o_kick_waiting(s, H2O_STREAMS_MAX);
}

static void
conn_free(void *self)
{
	free(self);
}

/* No event comes after it; memory goes at the end of the batch. */
static void
conn_close(struct h2_origin *c)
{
	REQUIRE(c->n_streams == 0);
	h2o_conn_wake(c);
	loop_timer_clear(c->stream.loop, &c->timer);
	h2o_goto(c, H2O_CLOSED);
	conn_unlist(c);
	stream_close(&c->stream);
	inbuf_drop(&c->in);
	h2_unsent_free(&c->unsent);
	h2_session_free(c->h2);
	c->magic = 0;
	task_cancel(&c->task);
	task_init(&c->task, conn_free, c);
	loop_reap(c->stream.loop, &c->task);
}

/* It did not come about: those who wait for it are told. */
static void
conn_fail(struct h2_origin *c, const struct origin_failure *f)
{
	list_foreach_safe (n, &c->streams) {
		struct h2o_stream *s = LIST_ENTRY(n, struct h2o_stream, node);

		s->failure = *f;
		h2o_detach(s, H2_CANCEL);
		exch_kick(s->base.x);
	}
	conn_close(c);
}

/* Nothing more comes for any stream. A request that was not begun looks for
 * another connection, but if this one has never served. */
static void
conn_break(struct h2_origin *c, enum fault_id why, int err, const char *detail)
{
	list_foreach_safe (n, &c->streams) {
		struct h2o_stream *s = LIST_ENTRY(n, struct h2o_stream, node);
		struct exch *x = s->base.x;

		if (detail != NULL)
			detail = arena_span(&x->arena, span_str(detail)).p;
		if (!s->is_begun && !c->is_used)
			s->failure = (struct origin_failure){why, err, detail};
		else if (s->is_begun && !s->is_ended && s->broken.why == F_NONE)
			s->broken = (struct h2o_break){why, err, detail};
		h2o_detach(s, H2_CANCEL);
		exch_kick(x);
	}
}

/* The origin ended the connection, or it broke. */
static void
conn_lost(struct h2_origin *c, ssize_t rc)
{
	int err = rc == STREAM_RC_ERROR ? stream_errno(&c->stream) : 0;
	bool is_tls = c->server->remote != NULL;

	conn_break(c, F_ORIGIN_RESET, err,
	    rc == STREAM_RC_ERROR && is_tls ? tls_stream_why(&c->stream)
					    : NULL);
	conn_close(c);
}

/* The session is at its end, not by our will. */
static void
conn_refuse(struct h2_origin *c)
{
	const struct up_group *g = c->server->group;
	const char *why = h2_session_why(c->h2);

	conn_count(c, COUNTER_ORIGIN_H2_ERRORS);
	log_msg(LOG_INFO,
	    "connection closed upstream=%.*s server=%.*s code=%s "
	    "why=\"HTTP/2: %s\"",
	    SPAN_FMT(g->conf->name), SPAN_FMT(c->server->conf->text),
	    h2_code_name(h2_session_code(c->h2)), why);
	h2o_conn_last(c);
	conn_break(c, F_ORIGIN_BAD, 0, why);
	h2o_conn_want_flush(c);
}

/* --- idle ones ------------------------------------------------------------ */

void
h2o_conn_wake(struct h2_origin *c)
{
	if (!c->is_idle)
		return;
	c->is_idle = false;
	c->server->n_idle--;
	loop_timer_clear(c->stream.loop, &c->timer);
}

static bool
conn_may_idle(const struct h2_origin *c)
{
	const struct up_server *s = c->server;
	const struct up_group *g = s->group;

	return c->state == H2O_OPEN && !g->is_retiring && !c->is_private &&
	       g->conf->keepalive > s->n_idle && !c->stream.got_rdhup &&
	       up_server_is_at(s, &c->at);
}

void
h2o_conn_rest(struct h2_origin *c)
{
	if (!conn_may_idle(c)) {
		h2o_conn_end(c);
		return;
	}
	c->is_idle = true;
	c->server->n_idle++;
	loop_timer_set(
	    c->stream.loop, &c->timer, c->server->group->conf->idle_timeout_ms);
	h2o_conn_want_flush(c);
}

void
h2o_conn_last(struct h2_origin *c)
{
	if (c->state != H2O_OPEN)
		return;
	h2o_conn_wake(c);
	h2o_goto(c, H2O_LAST);
	conn_unlist(c);
	if (c->n_streams == 0)
		h2o_conn_want_flush(c);
}

/* --- sending -------------------------------------------------------------- */

void
h2o_conn_want_flush(struct h2_origin *c)
{
	if (c->h2 != NULL && !task_is_queued(&c->task))
		loop_defer_batch(c->stream.loop, &c->task);
}

/* Write what there is. true: there is more, and it is not blocked. */
static bool
conn_write(struct h2_origin *c)
{
	struct worker *w = conn_worker(c);
	enum h2_io_rc rc = H2_IO_MORE;

	if (c->unsent.p != NULL)
		(void)h2_unsent_write(&c->unsent, &c->stream);
	if (c->unsent.p != NULL)
		return false;
	for (int turn = 0; rc == H2_IO_MORE && turn < H2O_TURNS; turn++)
		rc = h2_io_gather(&c->unsent, c->h2, &c->stream, w);
	return rc == H2_IO_MORE;
}

void
h2o_conn_end(struct h2_origin *c)
{
	if (c->h2 != NULL) {
		h2_session_goaway(c->h2, H2_NO_ERROR);
		(void)conn_write(c);
	}
	conn_close(c);
}

/* Heads that had no room in the session may have it now. */
static void
conn_kick_later(struct h2_origin *c)
{
	if (!c->has_later || c->unsent.p != NULL)
		return;
	c->has_later = false;
	list_foreach (n, &c->streams)
		exch_kick(LIST_ENTRY(n, struct h2o_stream, node)->base.x);
}

/* Whatever was to be said is with the kernel, or nobody waits for it. */
static void
conn_flush(struct h2_origin *c)
{
	bool has_more = conn_write(c);

	if (c->stream.err != 0) {
		conn_lost(c, STREAM_RC_ERROR);
		return;
	}
	if (h2_session_code(c->h2) != H2_NO_ERROR &&
	    (c->n_streams > 0 || c->state == H2O_OPEN))
		conn_refuse(c);
	conn_kick_later(c);
	if (c->n_streams == 0 && c->state == H2O_LAST && !has_more)
		h2o_conn_end(c);
	else if (has_more)
		loop_yield(c->stream.loop, &c->task);
}

/* --- receiving ------------------------------------------------------------ */

/* Whether the session has found an error, which it tells with its last frame:
 * before anybody else wants to begin there. */
static bool
conn_is_ending(const struct h2_origin *c)
{
	return c->state == H2O_OPEN && h2_session_room(c->h2) == 0 &&
	       h2_session_streams(c->h2) < h2_session_streams_max(c->h2);
}

static void
conn_feed(struct h2_origin *c)
{
	uint64_t now_ms = clock_mono_ms(worker_clock(conn_worker(c)));
	enum h2_rc rc;

	c->heard_ms = now_ms;
	c->reading = c->in.buf;
	rc = h2_session_recv(c->h2, inbuf_span(&c->in), now_ms);
	c->reading = NULL;
	inbuf_drop(&c->in);
	if (rc == H2_RC_OVER && h2_session_code(c->h2) != H2_NO_ERROR)
		conn_refuse(c);
	if (conn_is_ending(c))
		conn_flush(c);
	else if (h2_session_wants_send(c->h2) || h2_session_is_over(c->h2))
		h2o_conn_want_flush(c);
}

void
h2o_conn_read(struct h2_origin *c)
{
	for (int turn = 0; turn < H2O_TURNS; turn++) {
		ssize_t n =
		    inbuf_fill(&c->in, conn_worker(c), &c->stream, BUF_CAP);

		if (n == STREAM_RC_AGAIN)
			return;
		if (n <= 0) {
			conn_lost(c, n);
			return;
		}
		conn_feed(c);
		if (c->state == H2O_CLOSED)
			return;
	}
	if (!task_is_queued(&c->task))
		loop_yield(c->stream.loop, &c->task);
}

/* --- the beginning -------------------------------------------------------- */

/* The handshake must have chosen what will be spoken (RFC 9113 3.2). */
static bool
conn_is_chosen(const struct h2_origin *c)
{
	return c->server->remote == NULL ||
	       span_eq(tls_stream_alpn(&c->stream), SPAN_LIT("h2"));
}

/* Those who wait for others that still open may come here. */
static void
conn_kick_slower(const struct h2_origin *c)
{
	list_foreach (n, &c->server->conns) {
		struct h2_origin *other = LIST_ENTRY(n, struct h2_origin, node);

		if (other->state != H2O_OPENING)
			continue;
		list_foreach (m, &other->streams)
			exch_kick(
			    LIST_ENTRY(m, struct h2o_stream, node)->base.x);
	}
}

static void
conn_begin(struct h2_origin *c)
{
	struct h2_config conf = {
	    .role = H2_CLIENT,
	    .limits = &up_limits,
	    .window = H2O_WINDOW,
	    .connection_window = H2O_CONNECTION_WINDOW,
	};

	loop_timer_clear(c->stream.loop, &c->timer);
	c->h2 = h2_session_new(&conf, &h2o_events, c);
	REQUIRE(c->h2 != NULL);
	h2o_goto(c, H2O_OPEN);
	conn_count(c, COUNTER_ORIGIN_H2_CONNECTIONS);
	if (c->server->remote == NULL && c->first.len > 0)
		h2_unsent_keep(&c->unsent, c->first.p, c->first.len);
	list_foreach (n, &c->streams)
		exch_kick(LIST_ENTRY(n, struct h2o_stream, node)->base.x);
	h2o_kick_waiting(c->server, H2O_STREAMS_MAX);
	conn_kick_slower(c);
	h2o_conn_want_flush(c);
}

void
h2o_conn_open(struct h2_origin *c)
{
	struct origin_failure f = {F_ORIGIN_CONNECT, 0, NULL};

	switch (origin_open(c->server, &c->stream, c->first, &f)) {
	case ORIGIN_WAIT:
		return;
	case ORIGIN_FAILED:
		conn_fail(c, &f);
		return;
	case ORIGIN_READY:
		break;
	}
	if (conn_is_chosen(c)) {
		conn_begin(c);
		return;
	}
	f = (struct origin_failure){F_ORIGIN_ALPN, 0, NULL};
	conn_fail(c, &f);
}

/* --- what the loop says --------------------------------------------------- */

static void
conn_on_event(void *self, unsigned events)
{
	struct h2_origin *c = self;

	OBJ_CHECK(c, MAGIC_H2O);
	if (c->state == H2O_OPENING)
		h2o_conn_open(c);
	if (c->state != H2O_OPEN && c->state != H2O_LAST)
		return;
	if ((events & STREAM_WRITABLE) && c->unsent.p != NULL)
		h2o_conn_want_flush(c);
	h2o_conn_read(c);
}

static void
conn_on_task(void *self)
{
	struct h2_origin *c = self;

	OBJ_CHECK(c, MAGIC_H2O);
	if (c->stream.may_read)
		h2o_conn_read(c);
	if (c->state != H2O_CLOSED)
		conn_flush(c);
}

static void
conn_on_timer(void *self)
{
	static const struct origin_failure late = {
	    F_ORIGIN_CONNECT_TIMEOUT, 0, NULL};
	struct h2_origin *c = self;

	OBJ_CHECK(c, MAGIC_H2O);
	if (c->state == H2O_OPENING)
		conn_fail(c, &late);
	else
		h2o_conn_end(c);
}

struct h2_origin *
h2o_conn_new(struct up_server *s, const struct sock_addr *to, span first)
{
	struct h2_origin *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->magic = MAGIC_H2O;
	c->state = H2O_OPENING;
	c->server = s;
	c->to = *to;
	c->first = first;
	c->is_private = s->group->conf->send_proxy != 0;
	list_init(&c->node);
	list_init(&c->streams);
	timer_init(&c->timer, conn_on_timer, c);
	task_init(&c->task, conn_on_task, c);
	if (origin_connect(s, to, &c->stream, conn_on_event, c, &c->at) < 0) {
		int err = errno;

		free(c);
		errno = err;
		return NULL;
	}
	loop_timer_set(
	    c->stream.loop, &c->timer, s->group->conf->connect_timeout_ms);
	if (!c->is_private) {
		list_push_back(&s->conns, &c->node);
		s->n_conns++;
	}
	return c;
}
