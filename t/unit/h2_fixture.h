/* h2_fixture: one end of an HTTP/2 connection without a socket: it writes down
 * what its session tells, and what it sends goes where the test says. */
#ifndef GH_H2_FIXTURE_H
#define GH_H2_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

#define END_STREAMS 200
#define END_TEXT 65536
#define END_OUT (256u * 1024)

struct end;

struct end_stream {
	struct h2_stream h2;
	struct end *end;
	struct arena arena;
	struct http_msg head;
	struct http_fields trailers;
	enum h2_bad bad;
	uint32_t code;
	unsigned n_heads;
	unsigned n_infos;
	bool is_unserved;
	bool has_ended;
	bool is_reset;
	bool is_sent;
	bool is_open;
	char got[END_TEXT];
	size_t n_got;
	const char *content; /* to send */
	size_t n_content;
	bool is_last; /* no content comes behind it */
};

struct end {
	struct h2_session *h2;
	struct arena_pool pool;
	struct end_stream *streams[END_STREAMS];
	unsigned n;
	unsigned n_pongs;
	unsigned n_settings;
	unsigned n_goaways;
	bool refuses; /* on_open answers NULL */
	bool consumes; /* what comes is done with at once */
	char out[END_OUT];
	size_t n_out;
};

static struct end_stream *
end_of(struct h2_stream *st)
{
	return LIST_ENTRY(st, struct end_stream, h2);
}

static struct end_stream *
end_new_stream(struct end *e)
{
	struct end_stream *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL && e->n < END_STREAMS);
	s->end = e;
	arena_init(&s->arena, &e->pool);
	s->h2.arena = &s->arena;
	s->is_last = true;
	e->streams[e->n++] = s;
	return s;
}

static struct h2_stream *
end_on_open(void *self)
{
	struct end *e = self;

	return e->refuses ? NULL : &end_new_stream(e)->h2;
}

static void
end_on_head(
    void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct end_stream *s = end_of(st);

	(void)self;
	s->head = *m;
	s->bad = bad;
	s->n_heads++;
	if (m->status >= 100 && m->status < 200)
		s->n_infos++;
}

static void
end_on_data(void *self, struct h2_stream *st, span data)
{
	struct end_stream *s = end_of(st);
	size_t n = size_min(data.len, END_TEXT - s->n_got);
	struct end *e = self;

	REQUIRE(data.len > 0 && !s->has_ended && !s->is_reset);
	memcpy(s->got + s->n_got, data.p, n);
	s->n_got += n;
	if (e->consumes)
		h2_stream_consume(st, (uint32_t)data.len);
}

static void
end_on_end(void *self, struct h2_stream *st, const struct http_fields *trailers)
{
	struct end_stream *s = end_of(st);

	(void)self;
	REQUIRE(!s->has_ended && !s->is_reset && s->n_heads > 0);
	s->has_ended = true;
	if (trailers != NULL)
		s->trailers = *trailers;
}

static void
end_on_reset(void *self, struct h2_stream *st, uint32_t code, enum h2_bad bad,
    bool is_unserved)
{
	struct end_stream *s = end_of(st);

	(void)self;
	REQUIRE(!s->is_reset);
	s->is_reset = true;
	s->code = code;
	s->is_unserved = is_unserved;
	if (bad != H2_BAD_NONE)
		s->bad = bad;
}

static size_t
end_content(void *self, struct h2_stream *st, size_t max, bool *is_last)
{
	struct end_stream *s = end_of(st);

	(void)self;
	*is_last = s->is_last && s->n_content <= max;
	return size_min(s->n_content, max);
}

static void
end_take(void *self, struct h2_stream *st, char *to, size_t n)
{
	struct end_stream *s = end_of(st);

	(void)self;
	REQUIRE(n <= s->n_content);
	if (n > 0)
		memcpy(to, s->content, n);
	s->content += n;
	s->n_content -= n;
}

static void
end_on_sent(void *self, struct h2_stream *st)
{
	(void)self;
	end_of(st)->is_sent = true;
}

static void
end_on_settings(void *self)
{
	((struct end *)self)->n_settings++;
}

static void
end_on_goaway(void *self, uint32_t code)
{
	(void)code;
	((struct end *)self)->n_goaways++;
}

static void
end_on_pong(void *self)
{
	((struct end *)self)->n_pongs++;
}

static const struct h2_events end_events = {
    .on_open = end_on_open,
    .on_head = end_on_head,
    .on_data = end_on_data,
    .on_end = end_on_end,
    .on_reset = end_on_reset,
    .content = end_content,
    .take = end_take,
    .on_sent = end_on_sent,
    .on_settings = end_on_settings,
    .on_goaway = end_on_goaway,
    .on_pong = end_on_pong,
};

static const struct h1_limits end_limits = {
    .line_max = 256,
    .head_max = 2048,
    .fields_max = 24,
};

static struct end *
end_new(enum h2_role role)
{
	struct h2_config c = {
	    .role = role,
	    .limits = &end_limits,
	    .window = 65535,
	    .connection_window = 1u << 20,
	    .streams_max = 100,
	    .has_connect_protocol = true,
	};
	struct end *e = calloc(1, sizeof(*e));

	REQUIRE(e != NULL);
	arena_pool_init(&e->pool, 2);
	e->consumes = true;
	e->h2 = h2_session_new(&c, &end_events, e);
	REQUIRE(e->h2 != NULL);
	return e;
}

static void
end_free(struct end *e)
{
	for (unsigned i = 0; i < e->n; i++) {
		h2_stream_leave(&e->streams[i]->h2, H2_CANCEL);
		arena_fini(&e->streams[i]->arena);
		free(e->streams[i]);
	}
	h2_session_free(e->h2);
	arena_pool_fini(&e->pool);
	free(e);
}

/* What the end has to say now: e->out[0 .. e->n_out). */
static span
end_says(struct end *e)
{
	size_t n;

	e->n_out = 0;
	do {
		n = h2_session_gather(
		    e->h2, e->out + e->n_out, END_OUT - e->n_out);
		e->n_out += n;
	} while (n > 0);
	return span_of(e->out, e->n_out);
}

/* Let both talk until neither has anything to say. */
static inline void
ends_talk(struct end *a, struct end *b)
{
	size_t n;

	do {
		span s = end_says(a);

		n = s.len;
		if (s.len > 0)
			(void)h2_session_recv(b->h2, s, 0);
		s = end_says(b);
		n += s.len;
		if (s.len > 0)
			(void)h2_session_recv(a->h2, s, 0);
	} while (n > 0);
}

/* --- a client that writes frames octet by octet ---------------------------- */

#define RAW_CAP (1u << 20)

struct raw {
	char at[RAW_CAP];
	size_t n;
};

static inline void
raw_frame(struct raw *r, uint8_t type, uint8_t flags, uint32_t id,
    const void *payload, size_t len)
{
	char *p = r->at + r->n;

	REQUIRE(r->n + H2_FRAME_HEAD + len <= RAW_CAP);
	p[0] = (char)(len >> 16);
	p[1] = (char)(len >> 8);
	p[2] = (char)len;
	p[3] = (char)type;
	p[4] = (char)flags;
	for (int i = 0; i < 4; i++)
		p[5 + i] = (char)(id >> (24 - 8 * i));
	if (len > 0)
		memcpy(p + H2_FRAME_HEAD, payload, len);
	r->n += H2_FRAME_HEAD + len;
}

static inline void
raw_begin(struct raw *r)
{
	memcpy(r->at, H2_PREFACE, H2_PREFACE_LEN);
	r->n = H2_PREFACE_LEN;
	raw_frame(r, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* A field as a literal that leaves no trace (RFC 7541 6.2.2). */
static inline size_t
raw_literal(char *to, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	REQUIRE(n < 127 && v < 127);
	to[0] = 0;
	to[1] = (char)n;
	memcpy(to + 2, name, n);
	to[2 + n] = (char)v;
	memcpy(to + 3 + n, value, v);
	return 3 + n + v;
}

/* HEADERS of a GET with END_STREAM and END_HEADERS, or of a POST without. */
static inline void
raw_request(struct raw *r, uint32_t id, bool is_post)
{
	char block[128];
	size_t n = 0;

	n += raw_literal(block + n, ":method", is_post ? "POST" : "GET");
	n += raw_literal(block + n, ":scheme", "http");
	n += raw_literal(block + n, ":path", "/");
	n += raw_literal(block + n, ":authority", "a");
	raw_frame(r, NGHTTP2_HEADERS,
	    (uint8_t)(NGHTTP2_FLAG_END_HEADERS |
		      (is_post ? 0 : NGHTTP2_FLAG_END_STREAM)),
	    id, block, n);
}

static inline enum h2_rc
raw_send(struct raw *r, struct end *to, uint64_t now_ms)
{
	enum h2_rc rc = h2_session_recv(to->h2, span_of(r->at, r->n), now_ms);

	r->n = 0;
	return rc;
}

#endif
