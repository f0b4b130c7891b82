/* serve/fetch_h2: one stream, and the connection ends with it. */
#include "common/serve/fetch_h2.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2.h"

/* Windows: an answer is small, and is taken as it comes. */
#define WINDOW 65535u
/* Bytes gathered, and read, at once. */
#define PIECE 16384u
/* What is read in one turn of the loop. */
#define TURN_READS 16
/* Interim answers that are skipped before the final one. */
#define INFOS_MAX 16

struct fetch_h2 {
	struct h2_session *session;
	struct h2_stream stream;
	struct arena *arena;
	struct h1_limits limits;
	struct http_msg request;
	span target;
	span content; /* of the request */
	size_t content_at;
	size_t body_max;
	char *body;
	size_t body_len;
	struct http_msg answer;
	struct http_fields trailers;
	bool has_trailers;
	uint32_t n_infos;
	enum fetch_h2_rc rc; /* WAIT as long as nothing has ended it */
	size_t out_at; /* of what was gathered */
	size_t out_len;
	char out[PIECE];
};

static void
h2_ends(struct fetch_h2 *h, enum fetch_h2_rc rc)
{
	if (h->rc == FETCH_H2_WAIT)
		h->rc = rc;
}

/* --- what the session tells ----------------------------------------------- */

static void
h2_on_head(
    void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct fetch_h2 *h = self;

	(void)st;
	(void)bad;
	if (m->status >= 200)
		h->answer = *m;
	else if (++h->n_infos > INFOS_MAX)
		h2_ends(h, FETCH_H2_BAD);
}

static void
h2_on_data(void *self, struct h2_stream *st, span data)
{
	struct fetch_h2 *h = self;

	h2_stream_consume(st, (uint32_t)data.len);
	if (data.len > h->body_max - h->body_len) {
		h2_ends(h, FETCH_H2_LARGE);
		return;
	}
	memcpy(h->body + h->body_len, data.p, data.len);
	h->body_len += data.len;
}

static void
h2_on_end(void *self, struct h2_stream *st, const struct http_fields *trailers)
{
	struct fetch_h2 *h = self;

	(void)st;
	if (trailers != NULL) {
		h->trailers = *trailers;
		h->has_trailers = true;
	}
	h2_ends(h, FETCH_H2_DONE);
}

static void
h2_on_reset(void *self, struct h2_stream *st, uint32_t code, enum h2_bad bad,
    bool is_unserved)
{
	(void)st;
	(void)code;
	(void)is_unserved;
	h2_ends(self, bad == H2_BAD_NONE ? FETCH_H2_BROKEN : FETCH_H2_BAD);
}

static size_t
h2_content(void *self, struct h2_stream *st, size_t max, bool *is_last)
{
	const struct fetch_h2 *h = self;
	size_t left = h->content.len - h->content_at;

	(void)st;
	*is_last = left <= max;
	return size_min(left, max);
}

static void
h2_take(void *self, struct h2_stream *st, char *to, size_t n)
{
	struct fetch_h2 *h = self;

	(void)st;
	memcpy(to, h->content.p + h->content_at, n);
	h->content_at += n;
}

static void
h2_on_sent(void *self, struct h2_stream *st)
{
	(void)self;
	(void)st;
}

static void
h2_on_nothing(void *self)
{
	(void)self;
}

/* A stream that runs is served all the same. */
static void
h2_on_goaway(void *self, uint32_t code)
{
	(void)self;
	(void)code;
}

static const struct h2_events fetch_h2_events = {
    .on_head = h2_on_head,
    .on_data = h2_on_data,
    .on_end = h2_on_end,
    .on_reset = h2_on_reset,
    .content = h2_content,
    .take = h2_take,
    .on_sent = h2_on_sent,
    .on_settings = h2_on_nothing,
    .on_goaway = h2_on_goaway,
    .on_pong = h2_on_nothing,
};

/* --- the request ---------------------------------------------------------- */

static void
h2_write_request(struct fetch_h2 *h, const struct fetch_spec *spec)
{
	struct http_msg *m = &h->request;
	struct arena *a = h->arena;

	m->method = spec->method;
	m->method_text = method_name(spec->method);
	m->scheme = spec->remote != NULL ? SPAN_LIT("https") : SPAN_LIT("http");
	m->authority = arena_span(a, spec->host);
	fields_init(&m->fields, a, spec->n_fields + 1);
	for (uint32_t i = 0; i < spec->n_fields; i++)
		fields_add(&m->fields, a, arena_span(a, spec->fields[i].name),
		    arena_span(a, spec->fields[i].value));
	if (spec->content.p != NULL)
		fields_add_id(&m->fields, a, FIELD_CONTENT_LENGTH,
		    arena_printf(a, "%zu", spec->content.len));
	h->target = arena_span(a, spec->target);
	h->content = arena_span(a, spec->content);
}

struct fetch_h2 *
fetch_h2_new(const struct fetch_spec *spec, struct arena *a)
{
	struct fetch_h2 *h = calloc(1, sizeof(*h));
	struct h2_config c = {
	    .role = H2_CLIENT,
	    .window = WINDOW,
	    .connection_window = WINDOW,
	};

	REQUIRE(h != NULL);
	h->arena = h->stream.arena = a;
	h->limits = spec->head;
	c.limits = &h->limits;
	h->body_max = spec->body_max;
	h->body = malloc(h->body_max + 1);
	h->session = h2_session_new(&c, &fetch_h2_events, h);
	REQUIRE(h->body != NULL && h->session != NULL);
	h2_write_request(h, spec);
	/* nothing stands before it in the queue */
	REQUIRE(h2_stream_request(h->session, &h->stream, &h->request,
		    h->target, h->content.len > 0) == H2_RC_OK);
	return h;
}

void
fetch_h2_free(struct fetch_h2 *h)
{
	if (h == NULL)
		return;
	h2_stream_leave(&h->stream, H2_CANCEL);
	h2_session_free(h->session);
	free(h->body);
	free(h);
}

/* --- bytes ---------------------------------------------------------------- */

/* false: the socket takes no more now; an error is told by reading. */
static bool
h2_write(struct fetch_h2 *h, struct stream *s)
{
	for (;;) {
		struct iovec v;
		ssize_t n;

		if (h->out_at == h->out_len) {
			h->out_at = 0;
			h->out_len = h2_session_gather(
			    h->session, h->out, sizeof(h->out));
		}
		if (h->out_len == 0)
			return true;
		v = (struct iovec){h->out + h->out_at, h->out_len - h->out_at};
		n = stream_writev(s, &v, 1);
		if (n < 0)
			return false;
		h->out_at += (size_t)n;
	}
}

enum fetch_h2_rc
fetch_h2_step(struct fetch_h2 *h, struct stream *s, uint64_t now_ms)
{
	char in[PIECE];

	for (int i = 0; i < TURN_READS; i++) {
		ssize_t n;

		(void)h2_write(h, s);
		/* we have told it why */
		if (h2_session_is_over(h->session)) {
			h2_ends(h, FETCH_H2_BAD);
			return h->rc;
		}
		n = stream_read(s, in, sizeof(in));
		if (n == STREAM_RC_AGAIN)
			return h->rc;
		if (n < 0) {
			h2_ends(h, FETCH_H2_BROKEN);
			return h->rc;
		}
		if (h2_session_recv(h->session, span_of(in, (size_t)n),
			now_ms) == H2_RC_OVER)
			h2_ends(h, FETCH_H2_BAD);
		if (h->rc != FETCH_H2_WAIT)
			return h->rc;
	}
	return FETCH_H2_MORE;
}

const struct http_msg *
fetch_h2_answer(const struct fetch_h2 *h)
{
	return &h->answer;
}

span
fetch_h2_content(const struct fetch_h2 *h)
{
	return span_of(h->body, h->body_len);
}

const struct http_fields *
fetch_h2_trailers(const struct fetch_h2 *h)
{
	return h->has_trailers ? &h->trailers : NULL;
}
