/* serve/fetch: connect, send, take the answer, close. A connection serves one
 * request: who fetches seldom gains nothing from keeping it, and what stands
 * behind an answer is then always wrong. */
#include "common/serve/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/net/stream.h"
#include "common/serve/fetch_h2.h"
#include "common/serve/recv.h"
#include "common/tls/tls_client.h"

#define MAGIC_FETCH MAGIC('F', 'E', 'T', 'C')

/* Interim answers that are skipped before the final one. */
#define INFOS_MAX 16
/* Bytes read at once, at least. */
#define BUF_MIN 4096u
/* What is read in one turn of the loop. */
#define TURN_READS 16
/* Until the next try at a queue that is full. */
#define RETRY_MS 10u

enum fetch_state {
	FETCH_CONNECTING,
	FETCH_SHAKING, /* TLS */
	FETCH_SENDING, /* and reading: an answer may come early */
	FETCH_HEAD,
	FETCH_BODY,
	FETCH_CLOSED
};

struct fetch {
	uint32_t magic;
	enum fetch_state state;
	struct loop *loop;
	struct stream stream;
	struct timer timer;
	struct timer again; /* the next turn of reading, the next try */
	struct task task; /* a failure to start; at the end, its memory */
	fetch_done_f *fn;
	void *self;
	struct sock_addr to;
	struct tls_remote *remote; /* NULL: no TLS */
	struct tls_io *io;
	bool is_probe;
	struct h1_limits limits;
	size_t body_max;
	enum http_method method;
	char *out;
	size_t out_len;
	size_t out_at;
	size_t first_len; /* of out: goes in plain, ahead of a handshake */
	int err; /* of a connection that could not be begun */
	uint32_t n_infos;
	struct fetch_h2 *h2; /* NULL: HTTP/1.1 is spoken */
	struct h1_scan scan;
	struct recv_buf in;
	struct arena_pool pool;
	struct arena arena;
	struct http_msg answer;
	struct recv_body body;
};

#define TO(s) (1u << (s))

static const uint16_t fetch_edges[] = {
    [FETCH_CONNECTING] =
	TO(FETCH_SHAKING) | TO(FETCH_SENDING) | TO(FETCH_CLOSED),
    [FETCH_SHAKING] = TO(FETCH_SENDING) | TO(FETCH_CLOSED),
    [FETCH_SENDING] = TO(FETCH_HEAD) | TO(FETCH_BODY) | TO(FETCH_CLOSED),
    [FETCH_HEAD] = TO(FETCH_BODY) | TO(FETCH_CLOSED),
    [FETCH_BODY] = TO(FETCH_CLOSED),
    [FETCH_CLOSED] = 0,
};

/* The one deadline is of the whole fetch. */
static void
fetch_goto(struct fetch *f, enum fetch_state to)
{
	REQUIRE(fetch_edges[f->state] & TO(to));
	f->state = to;
}

static void
fetch_free(void *self)
{
	struct fetch *f = self;

	fetch_h2_free(f->h2);
	recv_body_fini(&f->body);
	recv_buf_fini(&f->in);
	arena_fini(&f->arena);
	arena_pool_fini(&f->pool);
	free(f->out);
	free(f);
}

void
fetch_cancel(struct fetch *f)
{
	OBJ_CHECK(f, MAGIC_FETCH);
	fetch_goto(f, FETCH_CLOSED);
	if (f->stream.ops != NULL)
		stream_close(&f->stream);
	loop_timer_clear(f->loop, &f->timer);
	loop_timer_clear(f->loop, &f->again);
	task_cancel(&f->task);
	f->magic = 0;
	task_init(&f->task, fetch_free, f);
	loop_reap(f->loop, &f->task);
}

static void
fetch_end(struct fetch *f, enum fetch_rc rc, int err, enum h1_bad bad)
{
	struct fetch_result r = {.rc = rc, .err = err, .bad = bad};

	if (rc == FETCH_TLS) {
		r.tls = tls_stream_why(&f->stream);
		r.is_mistrusted = tls_stream_is_mistrusted(&f->stream);
	}
	if ((rc == FETCH_OK || rc == FETCH_LARGE) && !f->is_probe)
		r.answer = f->h2 != NULL ? fetch_h2_answer(f->h2) : &f->answer;
	if (rc == FETCH_OK && !f->is_probe)
		r.content = f->h2 != NULL ? fetch_h2_content(f->h2)
					  : recv_body_span(&f->body);
	if (f->h2 != NULL)
		r.trailers = fetch_h2_trailers(f->h2);
	/* closed before the call: fn may start the next one */
	fetch_cancel(f);
	f->fn(f->self, &r);
}

/* --- the answer ----------------------------------------------------------- */

static void
fetch_complete(struct fetch *f)
{
	/* nothing more was asked for on this connection */
	if (recv_buf_span(&f->in).len > 0)
		fetch_end(f, FETCH_BAD, 0, H1_BAD_START);
	else
		fetch_end(f, FETCH_OK, 0, H1_BAD_NONE);
}

static void
fetch_begin_body(struct fetch *f, bool is_chunked)
{
	fetch_goto(f, FETCH_BODY);
	switch (recv_body_init(
	    &f->body, &f->answer, is_chunked, true, f->body_max)) {
	case RECV_RC_DONE:
		fetch_complete(f);
		return;
	case RECV_RC_LARGE:
		fetch_end(f, FETCH_LARGE, 0, H1_BAD_NONE);
		return;
	case RECV_RC_MORE:
		return;
	case RECV_RC_BAD:
		break;
	}
	UNREACHED();
}

/* The head of an answer is complete: an interim one is skipped. */
static void
fetch_head(struct fetch *f)
{
	span head = arena_span(
	    &f->arena, span_first(recv_buf_span(&f->in), f->scan.at));
	enum h1_bad bad;
	bool is_chunked;

	recv_buf_use(&f->in, f->scan.at);
	memset(&f->scan, 0, sizeof(f->scan));
	memset(&f->answer, 0, sizeof(f->answer));
	if (h1_parse_response(head, f->method, &f->arena, &f->answer,
		&is_chunked, &bad) != H1_OK) {
		fetch_end(f, FETCH_BAD, 0, bad);
		return;
	}
	if (f->answer.status >= 200) {
		fetch_begin_body(f, is_chunked);
		return;
	}
	/* 101 answers what was not asked */
	if (f->answer.status == 101 || ++f->n_infos > INFOS_MAX)
		fetch_end(f, FETCH_BAD, 0, H1_BAD_STATUS_CODE);
}

/* Use what is at hand. false: more bytes are needed. */
static bool
fetch_take_head(struct fetch *f)
{
	switch (
	    h1_scan(&f->scan, H1_RESPONSE, recv_buf_span(&f->in), &f->limits)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		fetch_end(f, FETCH_BAD, 0, f->scan.bad);
		return true;
	case H1_OK:
		fetch_head(f);
		return true;
	}
	UNREACHED();
}

static bool
fetch_take_body(struct fetch *f)
{
	switch (recv_body_step(
	    &f->body, &f->in, &f->answer, &f->arena, &f->limits)) {
	case RECV_RC_MORE:
		return false;
	case RECV_RC_DONE:
		fetch_complete(f);
		return true;
	case RECV_RC_LARGE:
		fetch_end(f, FETCH_LARGE, 0, H1_BAD_NONE);
		return true;
	case RECV_RC_BAD:
		fetch_end(f, FETCH_BAD, 0, f->body.bad);
		return true;
	}
	UNREACHED();
}

static void
fetch_stopped(struct fetch *f, ssize_t rc)
{
	if (rc == STREAM_RC_AGAIN)
		return;
	if (rc == 0)
		/* a full buffer without an end */
		fetch_end(f, FETCH_BAD, 0, H1_BAD_HEAD_LARGE);
	else if (rc == STREAM_RC_EOF && f->state == FETCH_BODY &&
		 f->body.how == RECV_CLOSE)
		fetch_end(f, FETCH_OK, 0, H1_BAD_NONE);
	else
		fetch_end(f, FETCH_BROKEN,
		    rc == STREAM_RC_EOF ? 0 : stream_errno(&f->stream),
		    H1_BAD_NONE);
}

static void
fetch_read(struct fetch *f)
{
	int n_reads = 0;

	while (f->state != FETCH_CLOSED) {
		ssize_t n;

		if (f->state == FETCH_BODY ? fetch_take_body(f)
					   : fetch_take_head(f))
			continue;
		if (n_reads++ == TURN_READS) {
			loop_timer_set(f->loop, &f->again, 0);
			return;
		}
		n = recv_buf_fill(&f->in, &f->stream);
		if (n <= 0) {
			fetch_stopped(f, n);
			return;
		}
	}
}

/* --- the request ---------------------------------------------------------- */

/* Write up to there. false: it takes no more now. */
static bool
fetch_write(struct fetch *f, size_t to)
{
	while (f->out_at < to) {
		struct iovec v = {f->out + f->out_at, to - f->out_at};
		ssize_t n = stream_writev(&f->stream, &v, 1);

		if (n < 0)
			return false;
		f->out_at += (size_t)n;
	}
	return true;
}

static void
fetch_send(struct fetch *f)
{
	/* an error is told by reading, after what came before it */
	if (!fetch_write(f, f->out_len))
		return;
	if (f->state == FETCH_SENDING)
		fetch_goto(f, FETCH_HEAD);
}

/* Room for what goes first and `more` behind it; where that begins. */
static char *
fetch_write_first(struct fetch *f, const struct fetch_spec *spec, size_t more)
{
	size_t cap;

	REQUIRE(size_add(spec->first.len, more, &cap));
	f->out = malloc(cap + 1);
	REQUIRE(f->out != NULL);
	if (spec->first.len > 0)
		memcpy(f->out, spec->first.p, spec->first.len);
	f->first_len = f->out_len = spec->first.len;
	return f->out + f->first_len;
}

static void
fetch_write_request(struct fetch *f, const struct fetch_spec *spec)
{
	struct http_msg m = {
	    .version = HTTP_1_1,
	    .method = spec->method,
	    .method_text = method_name(spec->method),
	};
	struct arena *a = &f->arena;
	char *at;
	size_t cap;

	fields_init(&m.fields, a, spec->n_fields + 3);
	fields_add_id(&m.fields, a, FIELD_HOST, spec->host);
	fields_add_id(&m.fields, a, FIELD_CONNECTION, SPAN_LIT("close"));
	for (uint32_t i = 0; i < spec->n_fields; i++)
		fields_add(
		    &m.fields, a, spec->fields[i].name, spec->fields[i].value);
	if (spec->content.p != NULL)
		fields_add_id(&m.fields, a, FIELD_CONTENT_LENGTH,
		    arena_printf(a, "%zu", spec->content.len));
	REQUIRE(size_add(
	    h1_request_size(&m, spec->target), spec->content.len, &cap));
	at = fetch_write_first(f, spec, cap);
	at += h1_write_request(&m, spec->target, at);
	if (spec->content.len > 0)
		memcpy(at, spec->content.p, spec->content.len);
	f->out_len = (size_t)(at - f->out) + spec->content.len;
}

/* --- HTTP/2 --------------------------------------------------------------- */

static void
fetch_run_h2(struct fetch *f)
{
	static const enum fetch_rc rcs[] = {
	    [FETCH_H2_DONE] = FETCH_OK,
	    [FETCH_H2_LARGE] = FETCH_LARGE,
	    [FETCH_H2_BAD] = FETCH_BAD,
	    [FETCH_H2_BROKEN] = FETCH_BROKEN,
	};
	enum fetch_h2_rc rc;

	/* an error is told by reading, after what came before it */
	if (!fetch_write(f, f->out_len))
		return;
	rc = fetch_h2_step(
	    f->h2, &f->stream, clock_mono_ms(loop_clock(f->loop)));
	if (rc == FETCH_H2_MORE)
		loop_timer_set(f->loop, &f->again, 0);
	else if (rc != FETCH_H2_WAIT)
		fetch_end(f, rcs[rc],
		    rc == FETCH_H2_BROKEN ? stream_errno(&f->stream) : 0,
		    H1_BAD_NONE);
}

/* --- events --------------------------------------------------------------- */

/* The connection is there: TLS, if it is spoken, behind what goes first. What
 * the fresh socket does not take at once it never will. */
static void
fetch_opened(struct fetch *f)
{
	if (f->remote == NULL) {
		fetch_goto(f, FETCH_SENDING);
		return;
	}
	fetch_goto(f, FETCH_SHAKING);
	if (!fetch_write(f, f->first_len) ||
	    !tls_remote_connect(f->remote, &f->stream, f->io))
		fetch_end(
		    f, FETCH_BROKEN, stream_errno(&f->stream), H1_BAD_NONE);
}

static void
fetch_shake(struct fetch *f)
{
	switch (tls_stream_shake(&f->stream)) {
	case TLS_RC_MORE:
		return;
	case TLS_RC_DONE:
		if (f->h2 != NULL &&
		    !span_eq(tls_stream_alpn(&f->stream), SPAN_LIT("h2")))
			fetch_end(f, FETCH_BAD, 0, H1_BAD_NONE);
		else
			fetch_goto(f, FETCH_SENDING);
		return;
	case TLS_RC_FAILED:
		tls_remote_forget(f->remote);
		fetch_end(f, FETCH_TLS, 0, H1_BAD_NONE);
		return;
	case TLS_RC_EARLY:
		/* of the server's side */
		break;
	}
	UNREACHED();
}

/* Send and read, whichever protocol. */
static void
fetch_move(struct fetch *f)
{
	if (f->h2 != NULL) {
		fetch_run_h2(f);
		return;
	}
	fetch_send(f);
	fetch_read(f);
}

static void
fetch_on_event(void *self, unsigned events)
{
	struct fetch *f = self;

	OBJ_CHECK(f, MAGIC_FETCH);
	if (f->state == FETCH_CONNECTING) {
		if (events & STREAM_OPEN)
			fetch_opened(f);
		else if (events & STREAM_DEAD)
			fetch_end(f, FETCH_CONNECT, stream_errno(&f->stream),
			    H1_BAD_NONE);
	}
	if (f->state == FETCH_SHAKING)
		fetch_shake(f);
	if (f->state == FETCH_CONNECTING || f->state == FETCH_SHAKING ||
	    f->state == FETCH_CLOSED)
		return;
	if (f->is_probe) {
		(void)fetch_write(f, f->out_len);
		fetch_end(f, FETCH_OK, 0, H1_BAD_NONE);
		return;
	}
	fetch_move(f);
}

static void
fetch_on_timer(void *self)
{
	struct fetch *f = self;

	OBJ_CHECK(f, MAGIC_FETCH);
	fetch_end(f, FETCH_TIME, 0, H1_BAD_NONE);
}

/* The connection could not even be begun. */
static void
fetch_not_started(void *self)
{
	struct fetch *f = self;

	OBJ_CHECK(f, MAGIC_FETCH);
	fetch_end(f, FETCH_CONNECT, f->err, H1_BAD_NONE);
}

static bool
fetch_connect(struct fetch *f, const struct sock_addr *to)
{
	bool is_done;
	int fd = sock_connect(to, &is_done);

	if (fd < 0)
		return false;
	/* also a connection that is there already is told by an event */
	if (stream_open_connecting(
		&f->stream, f->loop, fd, fetch_on_event, f) == 0)
		return true;
	f->err = errno;
	(void)close(fd);
	errno = f->err;
	return false;
}

static void
fetch_try(struct fetch *f)
{
	if (fetch_connect(f, &f->to))
		return;
	f->err = errno;
	/* the queue of a unix socket is full, and the kernel does not tell
	 * when it is no longer (connect(2)) */
	if (f->err == EAGAIN)
		loop_timer_set(f->loop, &f->again, RETRY_MS);
	else
		loop_defer(f->loop, &f->task);
}

static void
fetch_on_again(void *self)
{
	struct fetch *f = self;

	OBJ_CHECK(f, MAGIC_FETCH);
	if (f->state == FETCH_CONNECTING)
		fetch_try(f);
	else if (f->h2 != NULL)
		fetch_run_h2(f);
	else
		fetch_read(f);
}

struct fetch *
fetch_start(
    struct loop *l, const struct fetch_spec *spec, fetch_done_f *fn, void *self)
{
	struct fetch *f = calloc(1, sizeof(*f));
	uint32_t cap = spec->head.head_max + 1;

	REQUIRE(f != NULL);
	f->magic = MAGIC_FETCH;
	f->loop = l;
	f->fn = fn;
	f->self = self;
	f->to = spec->to;
	f->limits = spec->head;
	f->body_max = spec->body_max;
	f->method = spec->method;
	f->remote = spec->remote;
	f->io = spec->io;
	f->is_probe = spec->is_probe;
	timer_init(&f->timer, fetch_on_timer, f);
	timer_init(&f->again, fetch_on_again, f);
	task_init(&f->task, fetch_not_started, f);
	recv_buf_init(&f->in, cap > BUF_MIN ? cap : BUF_MIN);
	arena_pool_init(&f->pool, 0);
	arena_init(&f->arena, &f->pool);
	if (f->is_probe || spec->is_h2)
		(void)fetch_write_first(f, spec, 0);
	else
		fetch_write_request(f, spec);
	if (spec->is_h2)
		f->h2 = fetch_h2_new(spec, &f->arena);
	loop_timer_set(l, &f->timer, spec->time_ms);
	fetch_try(f);
	return f;
}

const char *
fetch_why(const struct fetch_result *r)
{
	switch (r->rc) {
	case FETCH_OK:
		return "nothing";
	case FETCH_CONNECT:
		return strerror(r->err);
	case FETCH_TLS:
		return r->tls;
	case FETCH_BROKEN:
		return r->err != 0 ? strerror(r->err)
				   : "the connection ended too early";
	case FETCH_BAD:
		return r->bad == H1_BAD_NONE ? "no good HTTP/2 is spoken"
					     : h1_bad_text(r->bad);
	case FETCH_LARGE:
		return "the answer is larger than allowed";
	case FETCH_TIME:
		return "there was no answer in time";
	}
	UNREACHED();
}
