/* serve/serve_conn: one connection of the server: a request, its call, its
 * answer, then the next. What is pipelined waits unread or in the buffer until
 * the answer before it is written, so one client has one call at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/date.h"
#include "common/base/num.h"
#include "common/serve/serve_int.h"

/* What may stand before a head that is counted: one empty line. */
#define HEAD_MORE 2u
/* Requests of one connection that are read in one turn of the loop. */
#define TURN_REQUESTS 16
/* Reads of dropped bytes in one turn. */
#define LINGER_READS 16
#define TO(s) (1u << (s))

static const uint16_t serve_edges[] = {
    [SERVE_IDLE] = TO(SERVE_HEAD) | TO(SERVE_CLOSED),
    [SERVE_HEAD] = TO(SERVE_BODY) | TO(SERVE_CALL) | TO(SERVE_CLOSED),
    [SERVE_BODY] = TO(SERVE_CALL) | TO(SERVE_CLOSED),
    [SERVE_CALL] = TO(SERVE_SEND) | TO(SERVE_CLOSED),
    [SERVE_SEND] = TO(SERVE_IDLE) | TO(SERVE_LINGER) | TO(SERVE_CLOSED),
    [SERVE_LINGER] = TO(SERVE_CLOSED),
    [SERVE_CLOSED] = 0,
};

static uint32_t
conn_time_ms(const struct serve_call *c)
{
	const struct serve_limits *lim = &c->serve->limits;

	switch (c->state) {
	case SERVE_IDLE:
		return c->is_used ? lim->idle_ms : lim->head_ms;
	case SERVE_HEAD:
		return lim->head_ms;
	case SERVE_BODY:
		return lim->body_ms;
	case SERVE_CALL:
		return lim->call_ms;
	case SERVE_SEND:
		return lim->send_ms;
	case SERVE_LINGER:
		return lim->linger_ms;
	case SERVE_CLOSED:
		break;
	}
	UNREACHED();
}

static bool
conn_owes(const struct serve_call *c)
{
	return c->state <= SERVE_BODY;
}

static void
conn_goto(struct serve_call *c, enum serve_state to)
{
	struct loop *l = c->serve->loop;
	bool is_same_duty = conn_owes(c) && to <= SERVE_BODY;

	REQUIRE(serve_edges[c->state] & TO(to));
	c->state = to;
	if (to == SERVE_CLOSED) {
		loop_timer_clear(l, &c->timer);
		return;
	}
	loop_timer_set(l, &c->timer, conn_time_ms(c));
	/* how long it owes a request is counted from before its first byte */
	if (is_same_duty)
		return;
	list_del(&c->node);
	list_push_back(
	    to == SERVE_CALL ? &c->room->busy : &c->room->waiting, &c->node);
}

static void
conn_free(void *self)
{
	free(self);
}

/* Forget the request and its answer. */
static void
conn_clear(struct serve_call *c)
{
	recv_body_fini(&c->body);
	arena_fini(&c->arena);
	arena_init(&c->arena, &c->serve->arenas);
	free(c->out);
	c->out = NULL;
	serve_text_leave(c);
	c->out_len = c->out_at = 0;
	c->route = NULL;
	c->cancel = NULL;
	memset(&c->scan, 0, sizeof(c->scan));
	memset(&c->req, 0, sizeof(c->req));
	memset(&c->resp, 0, sizeof(c->resp));
}

/* Whoever answers later need not any more. */
static void
conn_cancel(struct serve_call *c)
{
	serve_cancel_f *fn = c->cancel;

	c->cancel = NULL;
	if (fn != NULL)
		fn(c->cancel_self, c);
}

void
serve_conn_close(struct serve_call *c)
{
	struct serve *s = c->serve;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	conn_cancel(c);
	stream_close(&c->stream);
	conn_goto(c, SERVE_CLOSED);
	loop_timer_clear(s->loop, &c->again);
	conn_clear(c);
	recv_buf_fini(&c->in);
	list_del(&c->node);
	c->room->n_conns--;
	c->magic = 0;
	task_cancel(&c->task);
	task_init(&c->task, conn_free, c);
	loop_reap(s->loop, &c->task);
}

struct serve_call *
serve_conn_of(struct list *node)
{
	return LIST_ENTRY(node, struct serve_call, node);
}

/* --- the answer ----------------------------------------------------------- */

static void
conn_linger(struct serve_call *c)
{
	for (int i = 0; i < LINGER_READS; i++) {
		ssize_t n;

		recv_buf_use(&c->in, recv_buf_span(&c->in).len);
		n = recv_buf_fill(&c->in, &c->stream);
		if (n == STREAM_RC_AGAIN)
			return;
		if (n <= 0)
			break;
	}
	serve_conn_close(c);
}

/* End our direction; a reset must not overtake the answer (RFC 9112 9.6). */
static void
conn_end(struct serve_call *c)
{
	if (c->req.want_close && c->body.how == RECV_DONE &&
	    recv_buf_span(&c->in).len == 0) {
		serve_conn_close(c);
		return;
	}
	conn_goto(c, SERVE_LINGER);
	if (stream_shutdown(&c->stream) == STREAM_RC_ERROR)
		serve_conn_close(c);
	else
		conn_linger(c);
}

static void
conn_sent(struct serve_call *c)
{
	c->is_used = true;
	if (c->wants_close) {
		conn_end(c);
		return;
	}
	conn_goto(c, SERVE_IDLE);
	conn_clear(c);
	loop_defer(c->serve->loop, &c->task);
}

/* What is to be sent next of the answer; false: all is. */
static bool
conn_rest(const struct serve_call *c, struct iovec *v)
{
	size_t at = c->out_at;

	if (at < c->out_len) {
		*v = (struct iovec){c->out + at, c->out_len - at};
		return true;
	}
	at -= c->out_len;
	if (c->text == NULL || at == c->text->len)
		return false;
	*v = (struct iovec){c->text->p + at, c->text->len - at};
	return true;
}

static void
conn_send(struct serve_call *c)
{
	struct iovec v;

	while (conn_rest(c, &v)) {
		ssize_t n = stream_writev(&c->stream, &v, 1);

		if (n == STREAM_RC_AGAIN)
			return;
		if (n < 0) {
			serve_conn_close(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	conn_sent(c);
}

/* The fields that are ours. */
static void
conn_frame(struct serve_call *c, span type, size_t len)
{
	struct http_fields *f = &c->resp.fields;
	struct arena *a = &c->arena;
	char date[DATE_HTTP_LEN];

	date_format_http(clock_wall_s(loop_clock(c->serve->loop)), date);
	fields_add_id(
	    f, a, FIELD_DATE, arena_span(a, span_of(date, sizeof(date))));
	if (type.len > 0)
		fields_add_id(f, a, FIELD_CONTENT_TYPE, type);
	fields_add_id(f, a, FIELD_CONTENT_LENGTH, arena_printf(a, "%zu", len));
	if (c->wants_close)
		fields_add_id(f, a, FIELD_CONNECTION, SPAN_LIT("close"));
	else if (c->req.version == HTTP_1_0)
		fields_add_id(f, a, FIELD_CONNECTION, SPAN_LIT("keep-alive"));
}

/* The head of the answer, and room behind it. */
static void
conn_answer(
    struct serve_call *c, unsigned status, span type, size_t len, size_t room)
{
	size_t cap;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	conn_goto(c, SERVE_SEND);
	c->cancel = NULL;
	c->resp.version = HTTP_1_1;
	c->resp.status = (uint16_t)status;
	c->resp.reason = status_reason(status);
	c->wants_close |= c->req.want_close || c->body.how != RECV_DONE;
	conn_frame(c, type, len);
	REQUIRE(size_add(h1_response_size(&c->resp), room, &cap));
	c->out = malloc(cap);
	REQUIRE(c->out != NULL);
	c->out_len = h1_write_response(&c->resp, c->out);
}

void
serve_answer_text(
    struct serve_call *c, unsigned status, span type, struct serve_text *t)
{
	conn_answer(c, status, type, t->len, 0);
	if (c->req.method != METHOD_HEAD)
		serve_text_take(c, t);
	conn_send(c);
}

void
serve_answer(struct serve_call *c, unsigned status, span type, span content)
{
	conn_answer(c, status, type, content.len, content.len);
	if (c->req.method != METHOD_HEAD && content.len > 0) {
		memcpy(c->out + c->out_len, content.p, content.len);
		c->out_len += content.len;
	}
	conn_send(c);
}

/* Answer for the handler; `why` is a text of ours, without anything to escape. */
static void
conn_say(struct serve_call *c, unsigned status, const char *why)
{
	span text = arena_printf(&c->arena, "{\"error\": \"%s\"}\n", why);

	serve_answer(c, status, SPAN_LIT("application/json"), text);
}

/* What cannot be read any further is answered, and the connection ends. */
static void
conn_refuse(struct serve_call *c, unsigned status, const char *why)
{
	c->wants_close = true;
	conn_goto(c, SERVE_CALL);
	conn_say(c, status, why);
}

/* --- the request ---------------------------------------------------------- */

static bool
route_has(const struct serve_route *r, enum http_method m)
{
	return r->method == m || (r->method == METHOD_GET && m == METHOD_HEAD);
}

/* The row that answers, or NULL and what to answer instead. */
static const struct serve_route *
conn_route(struct serve_call *c, unsigned *status)
{
	const struct serve *s = c->serve;
	span allow = {NULL, 0};

	*status = 404;
	for (uint32_t i = 0; i < s->n_routes; i++) {
		const struct serve_route *r = &s->routes[i];

		if (!span_eq(c->req.path, span_str(r->path)))
			continue;
		if (route_has(r, c->req.method))
			return r;
		*status = 405;
		allow = arena_printf(&c->arena, "%.*s%s%.*s%s", SPAN_FMT(allow),
		    allow.len > 0 ? ", " : "", SPAN_FMT(method_name(r->method)),
		    r->method == METHOD_GET ? ", HEAD" : "");
	}
	if (*status == 405)
		serve_field(c, SPAN_LIT("Allow"), allow);
	return NULL;
}

static void
conn_call(struct serve_call *c)
{
	conn_goto(c, SERVE_CALL);
	c->route->fn(c->serve->self, c);
}

/* The client waits to be told to send. */
static bool
conn_say_continue(struct serve_call *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char copy[sizeof(text)];
	struct iovec v = {copy, sizeof(text) - 1};

	memcpy(copy, text, sizeof(text));
	/* nothing else is on its way: a socket that has no room for these few
	 * bytes has no reader */
	return stream_writev(&c->stream, &v, 1) == (ssize_t)v.iov_len;
}

static void
conn_begin_body(struct serve_call *c)
{
	switch (recv_body_init(&c->body, &c->req, h1_is_chunked(&c->req), false,
	    c->serve->limits.body_max)) {
	case RECV_RC_DONE:
		conn_call(c);
		return;
	case RECV_RC_LARGE:
		conn_refuse(c, 413, "the content is larger than allowed");
		return;
	case RECV_RC_MORE:
		conn_goto(c, SERVE_BODY);
		if (c->req.want_continue && recv_buf_span(&c->in).len == 0 &&
		    !conn_say_continue(c))
			serve_conn_close(c);
		return;
	case RECV_RC_BAD:
		break;
	}
	UNREACHED();
}

/* The head is complete. */
static void
conn_head(struct serve_call *c)
{
	span head = span_from(
	    span_first(recv_buf_span(&c->in), c->scan.at), c->scan.skipped);
	enum h1_bad bad;
	unsigned status;

	head = arena_span(&c->arena, head);
	recv_buf_use(&c->in, c->scan.at);
	if (h1_parse_request(head, &c->arena, &c->req, &bad) != H1_OK) {
		c->req.want_close = false;
		conn_refuse(c, h1_bad_status(bad), h1_bad_text(bad));
		return;
	}
	c->route = conn_route(c, &status);
	if (c->route != NULL) {
		conn_begin_body(c);
		return;
	}
	/* content that nobody wants is not read */
	c->wants_close = c->req.body != LENGTH_NONE;
	conn_goto(c, SERVE_CALL);
	conn_say(c, status,
	    status == 404 ? "there is nothing at this path"
			  : "this path has no such method");
}

/* Use what is at hand. false: more bytes are needed. */
static bool
conn_take_head(struct serve_call *c)
{
	span in = recv_buf_span(&c->in);

	if (in.len == 0)
		return false;
	if (c->state == SERVE_IDLE)
		conn_goto(c, SERVE_HEAD);
	switch (h1_scan(&c->scan, H1_REQUEST, in, &c->serve->limits.head)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		conn_refuse(
		    c, h1_bad_status(c->scan.bad), h1_bad_text(c->scan.bad));
		return true;
	case H1_OK:
		conn_head(c);
		return true;
	}
	UNREACHED();
}

static bool
conn_take_body(struct serve_call *c)
{
	switch (recv_body_step(
	    &c->body, &c->in, &c->req, &c->arena, &c->serve->limits.head)) {
	case RECV_RC_MORE:
		return false;
	case RECV_RC_DONE:
		conn_call(c);
		return true;
	case RECV_RC_LARGE:
		conn_refuse(c, 413, "the content is larger than allowed");
		return true;
	case RECV_RC_BAD:
		conn_refuse(
		    c, h1_bad_status(c->body.bad), h1_bad_text(c->body.bad));
		return true;
	}
	UNREACHED();
}

/* The stream gave no bytes. */
static void
conn_stopped(struct serve_call *c, ssize_t rc)
{
	if (rc == STREAM_RC_AGAIN)
		return;
	/* a full buffer without an end: what is scanned is over its limit */
	if (rc == 0)
		conn_refuse(c, h1_bad_status(H1_BAD_HEAD_LARGE),
		    h1_bad_text(H1_BAD_HEAD_LARGE));
	else
		serve_conn_close(c);
}

/* Read while requests are owed, and some of them only in one turn. */
static void
conn_read(struct serve_call *c)
{
	int n_requests = 0;

	while (conn_owes(c)) {
		bool is_taken = c->state == SERVE_BODY ? conn_take_body(c)
						       : conn_take_head(c);
		ssize_t n;

		if (is_taken && ++n_requests == TURN_REQUESTS) {
			if (c->state != SERVE_CLOSED)
				loop_timer_set(c->serve->loop, &c->again, 0);
			return;
		}
		if (is_taken)
			continue;
		n = recv_buf_fill(&c->in, &c->stream);
		if (n <= 0) {
			conn_stopped(c, n);
			return;
		}
	}
}

/* --- events --------------------------------------------------------------- */

/* The next request, when its turn has come. */
static void
conn_next(void *self)
{
	struct serve_call *c = self;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	if (!timer_is_set(&c->again))
		conn_read(c);
}

static void
conn_on_again(void *self)
{
	struct serve_call *c = self;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	conn_read(c);
}

static void
conn_on_event(void *self, unsigned events)
{
	struct serve_call *c = self;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	switch (c->state) {
	case SERVE_IDLE:
	case SERVE_HEAD:
	case SERVE_BODY:
		conn_read(c);
		return;
	case SERVE_CALL:
		if (events & STREAM_DEAD)
			serve_conn_close(c);
		return;
	case SERVE_SEND:
		if (events & STREAM_DEAD)
			serve_conn_close(c);
		else
			conn_send(c);
		return;
	case SERVE_LINGER:
		conn_linger(c);
		return;
	case SERVE_CLOSED:
		return;
	}
	UNREACHED();
}

static void
conn_on_timer(void *self)
{
	struct serve_call *c = self;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	switch (c->state) {
	case SERVE_HEAD:
	case SERVE_BODY:
		conn_refuse(c, 408, "the request did not come in time");
		return;
	case SERVE_CALL:
		conn_cancel(c);
		conn_say(c, 504, "there was no answer in time");
		return;
	case SERVE_IDLE:
	case SERVE_SEND:
	case SERVE_LINGER:
	case SERVE_CLOSED:
		break;
	}
	serve_conn_close(c);
}

void
serve_conn_new(struct serve_room *room, int fd)
{
	struct serve *s = room->serve;
	struct serve_call *c = calloc(1, sizeof(*c));
	socklen_t len = sizeof(c->cred);

	REQUIRE(c != NULL);
	c->magic = MAGIC_SERVE_CALL;
	c->serve = s;
	c->room = room;
	c->has_cred =
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &len) == 0 &&
	    c->cred.pid != 0;
	timer_init(&c->timer, conn_on_timer, c);
	timer_init(&c->again, conn_on_again, c);
	task_init(&c->task, conn_next, c);
	recv_buf_init(&c->in, s->limits.head.head_max + HEAD_MORE);
	arena_init(&c->arena, &s->arenas);
	if (stream_open_fd(&c->stream, s->loop, fd, conn_on_event, c) < 0) {
		(void)close(fd);
		free(c);
		return;
	}
	list_push_back(&room->waiting, &c->node);
	room->n_conns++;
	loop_timer_set(s->loop, &c->timer, conn_time_ms(c));
}
