/* http/h2_session: the life of a session and what it hears. Frames, streams and
 * windows are nghttp2's; what its messages mean, and what a peer costs, is
 * decided here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

/* The window that needs no telling (RFC 9113 6.9.2). */
#define WINDOW_FIRST 65535u
/* Acknowledgements that may wait to be sent. */
#define ACKS_MAX 256
/* How far over its limit a head may be decoded, for nobody. */
#define HEAD_OVER 8u
/* Heads that we may send: twice what an origin of HTTP/1 may. */
#define SEND_HEAD_MAX (128u * 1024)

static const char *const code_names[H2_CODE_N] = {
#define H2_CODE(name, number) [number] = #name,
#include "common/http/h2_code.def"
#undef H2_CODE
};

struct bad_row {
	unsigned status;
	const char *text;
};

static const struct bad_row bad_rows[H2_BAD_N] = {
    [H2_BAD_NONE] = {0, ""},
#define H2_BAD(name, status, text) [H2_BAD_##name] = {status, text},
#include "common/http/h2_bad.def"
#undef H2_BAD
};

const char *
h2_code_name(uint32_t code)
{
	return code < H2_CODE_N ? code_names[code] : "UNKNOWN";
}

unsigned
h2_bad_status(enum h2_bad bad)
{
	REQUIRE(bad > H2_BAD_NONE && bad < H2_BAD_N);
	return bad_rows[bad].status;
}

const char *
h2_bad_text(enum h2_bad bad)
{
	REQUIRE(bad < H2_BAD_N);
	return bad_rows[bad].text;
}

/* --- the end --------------------------------------------------------------- */

void
h2_session_end(struct h2_session *s, enum h2_code code, const char *why)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	s->life = H2_LIFE_ENDING;
	s->code = code;
	s->why = why;
}

void
h2_session_flooded(struct h2_session *s, enum h2_calm what)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	s->calm = what;
	h2_session_end(s, H2_ENHANCE_YOUR_CALM, h2_calm_text(what));
}

bool
h2_session_spend(struct h2_session *s, enum h2_calm what)
{
	if (s->life != H2_LIFE_RUNS)
		return false;
	if (h2_budget_spend(&s->budget, what))
		return true;
	h2_session_flooded(s, what);
	return false;
}

void
h2_session_failed(struct h2_session *s, int rc)
{
	switch (rc) {
	case NGHTTP2_ERR_CALLBACK_FAILURE:
		/* who failed has said why */
		h2_session_end(s, H2_INTERNAL_ERROR, "a callback failed");
		return;
	case NGHTTP2_ERR_NOMEM:
		h2_session_flooded(s, H2_CALM_MEMORY);
		return;
	case NGHTTP2_ERR_FLOODED:
		h2_session_flooded(s, H2_CALM_PINGS);
		return;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		h2_session_end(s, H2_PROTOCOL_ERROR, "no preface of HTTP/2");
		return;
	default:
		/* the library counts CONTINUATION frames by a code that its
		 * older headers do not name */
		h2_session_flooded(s, H2_CALM_CONTINUATIONS);
		return;
	}
}

/* --- streams --------------------------------------------------------------- */

static struct h2_stream *
session_stream(const struct h2_session *s, int32_t id)
{
	return nghttp2_session_get_stream_user_data(s->ng, id);
}

/* The last event of a stream. */
static void
stream_tell_reset(
    struct h2_stream *st, uint32_t code, enum h2_bad bad, bool is_unserved)
{
	struct h2_session *s = st->session;

	if (st->was_told)
		return;
	st->was_told = true;
	s->ev->on_reset(s->self, st, code, bad, is_unserved);
}

void
h2_stream_broken(struct h2_stream *st, uint32_t code, enum h2_bad bad)
{
	struct h2_session *s = st->session;

	if (st->was_told)
		return;
	if (nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, code) !=
	    0)
		h2_session_flooded(s, H2_CALM_MEMORY);
	stream_tell_reset(st, code, bad, false);
}

void
h2_stream_consume(struct h2_stream *st, uint32_t n)
{
	struct h2_session *s = st->session;
	int rc;

	if (s == NULL || n == 0)
		return;
	REQUIRE(n <= st->unconsumed);
	st->unconsumed -= n;
	if (s->life != H2_LIFE_RUNS)
		return;
	rc = st->is_closed ? nghttp2_session_consume_connection(s->ng, n)
			   : nghttp2_session_consume(s->ng, st->id, n);
	if (nghttp2_is_fatal(rc))
		h2_session_failed(s, rc);
}

/* Take it off; what it had not consumed no longer counts. */
static void
stream_detach(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	if (!st->is_closed)
		(void)nghttp2_session_set_stream_user_data(s->ng, st->id, NULL);
	h2_stream_consume(st, st->unconsumed);
	s->n_left--;
	st->session = NULL;
}

void
h2_stream_leave(struct h2_stream *st, enum h2_code code)
{
	struct h2_session *s = st->session;
	bool is_open = s != NULL && s->life == H2_LIFE_RUNS && !st->is_closed;

	if (s == NULL)
		return;
	if (is_open && !(st->is_recv_over && st->is_send_over) &&
	    !st->was_told) {
		if (st->is_send_over && s->config.role == H2_SERVER)
			code = H2_NO_ERROR;
		if (nghttp2_submit_rst_stream(
			s->ng, NGHTTP2_FLAG_NONE, st->id, code) != 0)
			h2_session_flooded(s, H2_CALM_MEMORY);
	}
	stream_detach(st);
}

/* --- what is heard --------------------------------------------------------- */

static int
spent(struct h2_session *s, enum h2_calm what)
{
	return h2_session_spend(s, what) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
hear_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st;
	int32_t id = frame->hd.stream_id;

	(void)ng;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	st = session_stream(s, id);
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		st = s->ev->on_open(s->self);
		if (st == NULL) {
			h2_head_begin(&s->head, NULL, H2_REQUEST_HEAD);
			return nghttp2_submit_rst_stream(s->ng,
				   NGHTTP2_FLAG_NONE, id,
				   H2_REFUSED_STREAM) == 0
				   ? 0
				   : NGHTTP2_ERR_CALLBACK_FAILURE;
		}
		st->session = s;
		st->id = id;
		s->n_left++;
		(void)nghttp2_session_set_stream_user_data(s->ng, id, st);
	}
	if (st != NULL && st->was_told)
		st = NULL;
	h2_head_begin(&s->head, st,
	    st == NULL || st->has_head    ? H2_TRAILERS
	    : s->config.role == H2_SERVER ? H2_REQUEST_HEAD
					  : H2_ANSWER_HEAD);
	return 0;
}

static span
rcbuf_span(nghttp2_rcbuf *b)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(b);
	const char *p;

	memcpy(&p, &v.base, sizeof(p));
	return span_of(p, v.len);
}

static int
hear_field(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *self)
{
	struct h2_session *s = self;
	const struct h1_limits *lim = s->config.limits;

	(void)ng;
	(void)frame;
	(void)flags;
	h2_head_field(&s->head, rcbuf_span(name), rcbuf_span(value), lim);
	if (s->head.size / HEAD_OVER > lim->head_max) {
		h2_session_flooded(s, H2_CALM_BOMB);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	return 0;
}

/* The peer's message is complete. */
static void
hear_end(struct h2_session *s, struct h2_stream *st,
    const struct http_fields *trailers)
{
	st->is_recv_over = true;
	if (st->has_length && !st->is_without && st->got != st->length) {
		h2_stream_broken(st, H2_PROTOCOL_ERROR, H2_BAD_LENGTH_DIFFERS);
		return;
	}
	if (s->config.role == H2_CLIENT)
		h2_budget_earn_answer(&s->budget);
	s->ev->on_end(s->self, st, trailers);
}

static void
hear_priority(struct h2_session *s, const struct h2_head *h)
{
	nghttp2_extpri pri;

	if (h->section == H2_REQUEST_HEAD && h2_head_priority(&h->m, &pri))
		(void)nghttp2_session_change_extpri_stream_priority(
		    s->ng, h->st->id, &pri, 0);
}

/* A section is complete. */
static void
hear_section(struct h2_session *s, bool is_last)
{
	struct h2_head *h = &s->head;
	struct h2_stream *st = h->st;

	if (st == NULL)
		return;
	h2_head_end(h, is_last, s->config.has_connect_protocol);
	if (h->bad != H2_BAD_NONE &&
	    (s->config.role == H2_CLIENT || h->section == H2_TRAILERS ||
		h2_bad_status(h->bad) == 0)) {
		h2_stream_broken(st, H2_PROTOCOL_ERROR, h->bad);
		return;
	}
	if (h->section == H2_TRAILERS) {
		hear_end(s, st, h->m.fields.n > 0 ? &h->m.fields : NULL);
		return;
	}
	hear_priority(s, h);
	/* 1xx: the final one follows */
	st->has_head = h->section == H2_REQUEST_HEAD || h->m.status >= 200;
	s->ev->on_head(s->self, st, &h->m, h->bad);
	if (is_last && !st->was_told && st->session == s)
		hear_end(s, st, NULL);
}

static int
hear_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
    size_t len, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st = session_stream(s, id);
	const char *p;
	int rc = 0;

	(void)flags;
	if (st == NULL || st->was_told) {
		/* nobody will: the window of the others must not shrink */
		rc = nghttp2_session_consume_connection(ng, len);
		return nghttp2_is_fatal(rc) ? rc : 0;
	}
	memcpy(&p, &data, sizeof(p));
	st->got += len;
	st->unconsumed += (uint32_t)len;
	h2_budget_earn_bytes(&s->budget, len);
	if (!st->has_head || st->is_without ||
	    (st->has_length && st->got > st->length)) {
		enum h2_bad bad = st->has_length && !st->is_without
				      ? H2_BAD_LENGTH_DIFFERS
				      : H2_BAD_CONTENT;

		h2_stream_broken(st, H2_PROTOCOL_ERROR, bad);
		return 0;
	}
	s->ev->on_data(s->self, st, span_of(p, len));
	return 0;
}

static int
hear_data_end(struct h2_session *s, const nghttp2_frame *frame)
{
	struct h2_stream *st = session_stream(s, frame->hd.stream_id);
	bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (!is_last && frame->hd.length == frame->data.padlen)
		return spent(s, H2_CALM_EMPTY);
	if (!is_last || st == NULL || st->was_told)
		return 0;
	if (!st->has_head)
		h2_stream_broken(st, H2_PROTOCOL_ERROR, H2_BAD_CONTENT);
	else
		hear_end(s, st, NULL);
	return 0;
}

/* RFC 9218 7.1; the library takes 0 for a stream. */
static int
hear_priority_update(struct h2_session *s, const nghttp2_ext_priority_update *u)
{
	if (u->stream_id != 0)
		return 0;
	h2_session_end(
	    s, H2_PROTOCOL_ERROR, "the priority of what is no stream");
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
hear_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st = session_stream(s, frame->hd.stream_id);

	(void)ng;
	if (st != NULL)
		st->wire_in += frame->hd.length + H2_FRAME_HEAD;
	switch (frame->hd.type) {
	case NGHTTP2_DATA:
		return hear_data_end(s, frame);
	case NGHTTP2_HEADERS:
		hear_section(
		    s, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
		return s->life == H2_LIFE_RUNS ? 0
					       : NGHTTP2_ERR_CALLBACK_FAILURE;
	case NGHTTP2_SETTINGS:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			s->is_settled = true;
		s->ev->on_settings(s->self);
		return 0;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			s->ev->on_pong(s->self);
		return 0;
	case NGHTTP2_PRIORITY_UPDATE:
		return hear_priority_update(s, frame->ext.payload);
	case NGHTTP2_GOAWAY:
		s->has_gone = true;
		s->ev->on_goaway(s->self, frame->goaway.error_code);
		return 0;
	default:
		return 0;
	}
}

static int
hear_close(nghttp2_session *ng, int32_t id, uint32_t code, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st = session_stream(s, id);

	(void)ng;
	if (st == NULL)
		return 0;
	st->is_closed = true;
	if (!st->is_recv_over || !st->is_send_over)
		stream_tell_reset(
		    st, code, H2_BAD_NONE, code == H2_REFUSED_STREAM);
	return 0;
}

/* --- what was said --------------------------------------------------------- */

/* A reset that no owner asked for: those say INTERNAL_ERROR, CANCEL or
 * NO_ERROR. */
static bool
is_provoked(uint32_t code)
{
	return code != H2_NO_ERROR && code != H2_INTERNAL_ERROR &&
	       code != H2_CANCEL;
}

static int
said_reset(struct h2_session *s, const nghttp2_rst_stream *r, int32_t id)
{
	h2_frames_said_reset(s, id);
	/* 6.9.2 asks for it where the library resets the stream alone, and
	 * 5.4.1 allows it everywhere */
	if (r->error_code == H2_FLOW_CONTROL_ERROR) {
		h2_session_end(
		    s, H2_FLOW_CONTROL_ERROR, "a window that is too large");
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	return is_provoked(r->error_code) ? spent(s, H2_CALM_BROKEN) : 0;
}

/* nghttp2 found a connection error. */
static void
said_goaway(struct h2_session *s, const nghttp2_goaway *g)
{
	s->has_gone = g->last_stream_id != INT32_MAX;
	if (g->error_code == H2_NO_ERROR)
		return;
	s->code = g->error_code;
	(void)snprintf(s->why_text, sizeof(s->why_text), "%.*s",
	    (int)g->opaque_data_len, (const char *)g->opaque_data);
	s->why = s->why_text;
}

static int
said_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_GOAWAY:
		said_goaway(s, &frame->goaway);
		return 0;
	case NGHTTP2_RST_STREAM:
		return said_reset(s, &frame->rst_stream, frame->hd.stream_id);
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		break;
	default:
		return 0;
	}
	st = session_stream(s, frame->hd.stream_id);
	if (st == NULL)
		return 0;
	st->wire_out += frame->hd.length + H2_FRAME_HEAD;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		st->is_send_over = true;
		h2_budget_earn_answer(&s->budget);
		s->ev->on_sent(s->self, st);
	}
	return 0;
}

/* --- life ------------------------------------------------------------------ */

static void
session_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    c, hear_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, hear_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, hear_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, hear_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, hear_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, said_frame);
	nghttp2_session_callbacks_set_send_data_callback(c, h2_send_data);
}

static void
session_options(nghttp2_option *o, enum h2_role role)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	/* ours are stricter, and refuse what the library would leave out */
	nghttp2_option_set_no_http_messaging(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_MAX);
	if (role == H2_SERVER)
		nghttp2_option_set_builtin_recv_extension_type(
		    o, NGHTTP2_PRIORITY_UPDATE);
}

static int
session_open(struct h2_session *s)
{
	nghttp2_mem mem = h2_mem_hooks(&s->mem);
	nghttp2_session_callbacks *c;
	nghttp2_option *o;
	int rc;

	rc = nghttp2_session_callbacks_new(&c);
	REQUIRE(rc == 0);
	rc = nghttp2_option_new(&o);
	REQUIRE(rc == 0);
	session_callbacks(c);
	session_options(o, s->config.role);
	if (s->config.role == H2_SERVER)
		rc = nghttp2_session_server_new3(&s->ng, c, s, o, &mem);
	else
		rc = nghttp2_session_client_new3(&s->ng, c, s, o, &mem);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	return rc;
}

static int
session_settle(struct h2_session *s)
{
	const struct h2_config *c = &s->config;
	bool is_server = c->role == H2_SERVER;
	nghttp2_settings_entry iv[] = {
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->window},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits->head_max},
	    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	    {is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
		       : NGHTTP2_SETTINGS_ENABLE_PUSH,
		is_server ? c->streams_max : 0},
	    {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};
	size_t n = NELEMS(iv);

	if (!is_server || !c->has_connect_protocol)
		n--;
	if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, iv, n) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(
	    s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)c->connection_window);
}

struct h2_session *
h2_session_new(
    const struct h2_config *c, const struct h2_events *ev, void *self)
{
	struct h2_session *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	REQUIRE(c->window >= WINDOW_FIRST && c->window <= INT32_MAX);
	REQUIRE(c->connection_window >= WINDOW_FIRST &&
		c->connection_window <= INT32_MAX);
	s->ev = ev;
	s->self = self;
	s->config = *c;
	s->mem.max = H2_MEM_MAX;
	s->why = "";
	s->calm = H2_CALM_N;
	h2_budget_init(&s->budget);
	h2_frames_init(&s->frames, c->role);
	if (session_open(s) == 0 && session_settle(s) == 0)
		return s;
	h2_session_free(s);
	return NULL;
}

void
h2_session_free(struct h2_session *s)
{
	if (s == NULL)
		return;
	REQUIRE(s->n_left == 0);
	nghttp2_session_del(s->ng);
	REQUIRE(s->mem.used == 0);
	free(s);
}

bool
h2_session_feed(struct h2_session *s, span in)
{
	const uint8_t *p;
	ssize_t n;

	if (s->life != H2_LIFE_RUNS)
		return false;
	memcpy(&p, &in.p, sizeof(p));
	n = in.len == 0 ? 0 : nghttp2_session_mem_recv(s->ng, p, in.len);
	if (n < 0)
		h2_session_failed(s, (int)n);
	return s->life == H2_LIFE_RUNS;
}

enum h2_rc
h2_session_recv(struct h2_session *s, span in, uint64_t now_ms)
{
	if (s->life != H2_LIFE_RUNS)
		return H2_RC_OVER;
	h2_budget_tick(&s->budget, now_ms);
	h2_frames_recv(s, in);
	return s->life == H2_LIFE_RUNS ? H2_RC_OK : H2_RC_OVER;
}

/* --- what owners ask ------------------------------------------------------- */

bool
h2_session_is_over(const struct h2_session *s)
{
	if (s->rest_len > 0)
		return false;
	if (s->life != H2_LIFE_RUNS)
		return s->life == H2_LIFE_ENDED;
	return !nghttp2_session_want_read(s->ng) &&
	       !nghttp2_session_want_write(s->ng);
}

bool
h2_session_wants_send(const struct h2_session *s)
{
	if (s->life != H2_LIFE_RUNS)
		return s->rest_len > 0 || s->life == H2_LIFE_ENDING;
	return s->rest_len > 0 || nghttp2_session_want_write(s->ng) != 0;
}

uint32_t
h2_session_code(const struct h2_session *s)
{
	return s->code;
}

const char *
h2_session_why(const struct h2_session *s)
{
	return s->why;
}

enum h2_calm
h2_session_calm(const struct h2_session *s)
{
	return s->calm;
}

uint32_t
h2_session_streams(const struct h2_session *s)
{
	return s->n_left;
}

uint32_t
h2_session_room(const struct h2_session *s)
{
	uint32_t max = nghttp2_session_get_remote_settings(
	    s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	if (s->life != H2_LIFE_RUNS || s->has_gone ||
	    !nghttp2_session_check_request_allowed(s->ng))
		return 0;
	return max > s->n_left ? max - s->n_left : 0;
}

size_t
h2_session_memory(const struct h2_session *s)
{
	return s->mem.used;
}

size_t
h2_session_memory_peak(const struct h2_session *s)
{
	return s->mem.peak;
}

bool
h2_session_may_tunnel(const struct h2_session *s)
{
	return nghttp2_session_get_remote_settings(
		   s->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool
h2_session_is_settled(const struct h2_session *s)
{
	return s->is_settled;
}

/* --- what owners say ------------------------------------------------------- */

void
h2_session_ping(struct h2_session *s)
{
	if (s->life == H2_LIFE_RUNS &&
	    nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
}

void
h2_session_warn(struct h2_session *s)
{
	if (s->life != H2_LIFE_RUNS || s->was_warned || s->has_gone)
		return;
	s->was_warned = true;
	if (nghttp2_submit_shutdown_notice(s->ng) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
	h2_session_ping(s);
}

void
h2_session_goaway(struct h2_session *s, enum h2_code code)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	if (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(s->ng), code, NULL,
		0) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
}
