/* front/h2f_conn: the life of a client connection that speaks HTTP/2: bytes in,
 * frames of all streams out, deadlines of the connection, and its end. */
#include "worker/front/h2f.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/num.h"
#include "worker/exch/memory.h"

/* Reads, and writes, before other connections get their turn. */
#define H2F_TURNS 4

#define TO(s) (1u << (s))

static const uint16_t h2f_edges[] = {
    [H2F_OPEN] = TO(H2F_LINGER) | TO(H2F_CLOSED),
    [H2F_LINGER] = TO(H2F_CLOSED),
    [H2F_CLOSED] = 0,
};

static void
h2f_goto(struct h2_front *f, enum h2f_state to)
{
	REQUIRE(h2f_edges[f->state] & TO(to));
	f->state = to;
}

static struct loop *
h2f_loop(const struct h2_front *f)
{
	return f->conn->w->loop;
}

static struct h2_front *
h2f_of(const struct conn *k)
{
	struct h2_front *f = k->front;

	OBJ_CHECK(f, MAGIC_H2F);
	return f;
}

static uint64_t
h2f_now_us(const struct h2_front *f)
{
	return worker_clock(f->conn->w)->mono_us;
}

/* What its session holds has changed. */
static void
h2f_count(struct h2_front *f)
{
	size_t n = h2_session_memory(f->h2);

	f->conn->w->h2_bytes += n - f->counted;
	f->counted = n;
}

/* While something waits for the kernel, the client owes to take of it; without
 * a stream, to send a request. */
static void
h2f_set_deadline(struct h2_front *f)
{
	const struct plan_listen *l = f->conn->listen;
	struct timer *t = &f->conn->timer;

	if (f->unsent.p != NULL)
		loop_timer_set(h2f_loop(f), t,
		    pace_wait(&f->pace, l, h2f_now_us(f), l->send_timeout_ms));
	else if (f->n_streams > 0)
		loop_timer_clear(h2f_loop(f), t);
	else
		loop_timer_set(h2f_loop(f), t,
		    f->is_used ? l->idle_timeout_ms : l->header_timeout_ms);
}

void
h2f_want_flush(struct h2_front *f)
{
	if (f->state == H2F_OPEN && !task_is_queued(&f->conn->task))
		loop_defer_batch(h2f_loop(f), &f->conn->task);
}

void
h2f_left(struct h2_front *f)
{
	f->n_streams--;
	if (f->state != H2F_OPEN)
		return;
	if (f->n_streams == 0 && f->unsent.p == NULL)
		h2f_set_deadline(f);
	if (h2_session_wants_send(f->h2) || h2_session_is_over(f->h2))
		h2f_want_flush(f);
}

/* --- the end -------------------------------------------------------------- */

/* All exchanges end; tunnels too when `all`. */
static void
h2f_kill(struct h2_front *f, enum fault_id why, bool all)
{
	list_foreach_safe (n, &f->streams) {
		struct h2f_stream *s = LIST_ENTRY(n, struct h2f_stream, node);

		if (all || s->x->state != EXCH_TUNNEL)
			exch_kill(s->x, why);
	}
}

static void
h2f_gone(struct h2_front *f)
{
	struct conn *k = f->conn;

	h2f_goto(f, H2F_CLOSED);
	h2f_kill(f, F_CLIENT_GONE, true);
	k->w->h2_bytes -= f->counted;
	h2_session_free(f->h2);
	h2_unsent_free(&f->unsent);
	f->magic = 0;
	k->front = NULL;
	free(f);
	conn_gone(k);
}

static void
h2f_close(struct h2_front *f)
{
	stream_close(&f->conn->stream);
	h2f_gone(f);
}

static void
h2f_count_end(const struct h2_front *f)
{
	struct counter_set *c = f->conn->w->counters;
	enum h2_calm calm = h2_session_calm(f->h2);

	if (calm == H2_CALM_N) {
		counter_add(c, COUNTER_H2_ERRORS, 1);
		return;
	}
	counter_add(c, COUNTER_H2_CALM, 1);
	counter_add(
	    c, (enum counter_id)(COUNTER_H2_CALM_RESETS + (unsigned)calm), 1);
}

static void
h2f_log_end(const struct h2_front *f)
{
	char peer[IP_TEXT_CAP] = "unix:";

	if (!log_is_on(LOG_INFO))
		return;
	if (!f->conn->is_unix)
		(void)ip_format(&f->conn->peer, peer);
	log_msg(LOG_INFO,
	    "connection closed peer=%s code=%s why=\"HTTP/2: %s\"", peer,
	    h2_code_name(h2_session_code(f->h2)), h2_session_why(f->h2));
}

/* The session is over and its last word is with the kernel. */
static void
h2f_end(struct h2_front *f)
{
	if (h2_session_code(f->h2) != H2_NO_ERROR) {
		h2f_count_end(f);
		h2f_log_end(f);
	}
	h2f_kill(f, F_CLIENT_GONE, true);
	h2f_goto(f, H2F_LINGER);
	if (!conn_linger_begin(f->conn))
		h2f_close(f);
}

/* --- sending -------------------------------------------------------------- */

/* Write what was kept. false: it is not all gone. */
static bool
h2f_write_kept(struct h2_front *f)
{
	size_t n = h2_unsent_write(&f->unsent, &f->conn->stream);

	if (n > 0) {
		if (f->conn->listen->min_rate > 0)
			pace_earn(&f->pace, f->conn->listen, h2f_now_us(f),
			    conn_taken(f->conn, n));
		h2f_set_deadline(f);
	}
	return f->unsent.p == NULL;
}

/* Gather once and write. false: there is nothing more, or it is blocked. */
static bool
h2f_write_more(struct h2_front *f)
{
	struct conn *k = f->conn;

	switch (h2_io_gather(&f->unsent, f->h2, &k->stream, k->w)) {
	case H2_IO_MORE:
		return true;
	case H2_IO_DONE:
		return false;
	case H2_IO_BLOCKED:
		conn_note_unsent(k);
		h2f_set_deadline(f);
		return false;
	}
	UNREACHED();
}

/* What had no room before may be tried again. */
static void
h2f_kick_later(struct h2_front *f)
{
	list_foreach_safe (n, &f->later) {
		struct h2f_stream *s = LIST_ENTRY(n, struct h2f_stream, turn);

		list_del(&s->turn);
		exch_kick(s->x);
	}
}

/* All that could be gathered was: those who still have content have no window.
 */
static void
h2f_note_stalls(struct h2_front *f)
{
	list_foreach_safe (n, &f->ready) {
		struct h2f_stream *s = LIST_ENTRY(n, struct h2f_stream, turn);

		if (s->x->state != EXCH_TUNNEL && s->wait != H2F_WAIT_WINDOW)
			h2f_wait(s, H2F_WAIT_WINDOW);
	}
}

static void
h2f_flush(struct h2_front *f)
{
	h2f_count(f);
	bool more = f->unsent.p == NULL || h2f_write_kept(f);

	for (int turn = 0; more && turn < H2F_TURNS; turn++)
		more = h2f_write_more(f);
	if (f->unsent.p != NULL) {
		if (f->conn->stream.err != 0)
			h2f_close(f);
		return;
	}
	h2f_kick_later(f);
	if (more)
		loop_yield(h2f_loop(f), &f->conn->task);
	else if (h2_session_is_over(f->h2))
		h2f_end(f);
	else
		h2f_note_stalls(f);
}

/* --- receiving ------------------------------------------------------------ */

/* Hand over what was read. */
static void
h2f_feed(struct h2_front *f)
{
	struct inbuf *in = &f->conn->in;
	const struct clock *now = worker_clock(f->conn->w);

	f->reading = in->buf;
	(void)h2_session_recv(f->h2, inbuf_span(in), clock_mono_ms(now));
	f->reading = NULL;
	h2f_count(f);
	inbuf_drop(in);
	if (f->opening != NULL && f->opening->wait == H2F_WAIT_NOTHING)
		h2f_wait(f->opening, H2F_WAIT_HEAD);
	if (h2_session_wants_send(f->h2) || h2_session_is_over(f->h2))
		h2f_want_flush(f);
}

/* Read what there is. false: the connection is closed. */
static bool
h2f_read(struct h2_front *f)
{
	struct conn *k = f->conn;

	for (int turn = 0; turn < H2F_TURNS; turn++) {
		ssize_t n = inbuf_fill(&k->in, k->w, &k->stream, BUF_CAP);

		if (n == STREAM_RC_AGAIN)
			return true;
		if (n <= 0) {
			h2f_close(f);
			return false;
		}
		h2f_feed(f);
	}
	if (!task_is_queued(&k->task))
		loop_yield(h2f_loop(f), &k->task);
	return true;
}

/* --- what the worker and the loop say ------------------------------------- */

static void
h2f_linger(struct h2_front *f)
{
	if (!conn_linger(f->conn))
		h2f_close(f);
}

static void
h2f_on_event(struct conn *k, unsigned events)
{
	struct h2_front *f = h2f_of(k);

	if (f->state == H2F_LINGER) {
		h2f_linger(f);
		return;
	}
	if (!h2f_read(f))
		return;
	if (events & STREAM_WRITABLE && f->unsent.p != NULL)
		h2f_want_flush(f);
}

static void
h2f_on_task(struct conn *k)
{
	struct h2_front *f = h2f_of(k);

	if (f->state == H2F_LINGER) {
		h2f_linger(f);
		return;
	}
	if (f->conn->stream.may_read && !h2f_read(f))
		return;
	/* what was read is answered in the same pass, if it can be */
	h2f_flush(f);
}

/* The client took nothing for long, or too little. */
static void
h2f_send_due(struct h2_front *f)
{
	size_t n = conn_taken(f->conn, 0);

	if (n > 0) {
		pace_earn(&f->pace, f->conn->listen, h2f_now_us(f), n);
		h2f_set_deadline(f);
	}
	if (pace_is_over(&f->pace, f->conn->listen, h2f_now_us(f)))
		h2f_kill(f, F_CLIENT_SLOW, true);
	else if (n == 0)
		h2f_kill(f, F_CLIENT_SEND_TIMEOUT, true);
	else
		return;
	stream_reset(&f->conn->stream);
	h2f_gone(f);
}

/* No next request is waited for. One that has come is answered, though: events
 * that tell of it may still stand in line behind who says that it ends. */
static void
h2f_end_idle(struct h2_front *f)
{
	(void)stream_is_fresh(&f->conn->stream);
	if (!h2f_read(f))
		return;
	h2_session_goaway(f->h2, H2_NO_ERROR);
	h2f_want_flush(f);
}

static void
h2f_on_timer(struct conn *k)
{
	struct h2_front *f = h2f_of(k);

	if (f->state == H2F_LINGER) {
		h2f_close(f);
		return;
	}
	if (f->unsent.p != NULL) {
		h2f_send_due(f);
		return;
	}
	h2f_end_idle(f);
}

static void
h2f_close_idle(struct conn *k)
{
	struct h2_front *f = h2f_of(k);

	if (f->state == H2F_OPEN && f->n_streams == 0)
		h2f_end_idle(f);
}

static void
h2f_expire(struct conn *k, bool all, enum fault_id why)
{
	struct h2_front *f = h2f_of(k);

	if (f->state != H2F_OPEN) {
		h2f_close(f);
		return;
	}
	h2f_kill(f, why, all);
	h2_session_goaway(f->h2, H2_NO_ERROR);
	h2f_flush(f);
	if (k->front == f && f->n_streams == 0)
		h2f_close(f);
}

static void
h2f_retire(struct conn *k)
{
	struct h2_front *f = h2f_of(k);

	if (f->state != H2F_OPEN)
		return;
	h2_session_warn(f->h2);
	h2f_want_flush(f);
}

static size_t
h2f_holds(const struct conn *k)
{
	const struct h2_front *f = h2f_of(k);
	size_t n = f->counted + f->unsent.len;

	list_foreach_safe (at, &f->streams) {
		const struct h2f_stream *s =
		    LIST_ENTRY(at, struct h2f_stream, node);

		n += memory_of_exch(s->x);
	}
	return n;
}

static const struct conn_ops h2f_conn_ops = {
    .name = "HTTP/2.0",
    .on_event = h2f_on_event,
    .on_timer = h2f_on_timer,
    .on_task = h2f_on_task,
    .close_idle = h2f_close_idle,
    .expire = h2f_expire,
    .holds = h2f_holds,
    .retire = h2f_retire,
};

/* --- the beginning -------------------------------------------------------- */

void
h2f_take(struct conn *k)
{
	struct h2_config c = {
	    .role = H2_SERVER,
	    .limits = &k->listen->limits,
	    .window = H2F_WINDOW,
	    .connection_window = H2F_CONNECTION_WINDOW,
	    .streams_max = H2F_STREAMS_MAX,
	    .has_connect_protocol = true,
	};
	struct h2_front *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	f->magic = MAGIC_H2F;
	f->state = H2F_OPEN;
	f->conn = k;
	list_init(&f->streams);
	list_init(&f->ready);
	list_init(&f->later);
	f->h2 = h2_session_new(&c, &h2f_events, f);
	REQUIRE(f->h2 != NULL);
	k->front = f;
	k->ops = &h2f_conn_ops;
	counter_add(k->w->counters, COUNTER_H2_CONNECTIONS, 1);
	if (k->w->is_retiring)
		h2_session_warn(f->h2);
	h2f_set_deadline(f);
	if (k->in.buf != NULL)
		h2f_feed(f);
	(void)h2f_read(f);
}
