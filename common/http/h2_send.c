/* http/h2_send: messages onto the wire. Heads are handed to nghttp2 as they
 * are; content is asked of the owner when its turn comes and copied once, into
 * the caller's buffer. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

/* Lines of a head that need no memory. */
#define LINES_CAP 48
/* Room that a frame must find in the caller's buffer. */
#define FRAME_ROOM 256u
/* GOAWAY (RFC 9113 6.8): length 8, type 7, stream 0, last stream, code. */
#define GOAWAY_LEN 17

/* --- heads ---------------------------------------------------------------- */

static uint8_t *
bytes_of(const char *p)
{
	uint8_t *bytes;

	memcpy(&bytes, &p, sizeof(bytes));
	return bytes;
}

static void
lines_add(struct h2_lines *l, span name, span value, bool is_static)
{
	REQUIRE(l->n < l->cap);
	l->at[l->n++] = (nghttp2_nv){
	    .name = bytes_of(name.p),
	    .namelen = name.len,
	    .value = bytes_of(value.p),
	    .valuelen = value.len,
	    .flags =
		is_static ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE,
	};
	l->size += name.len + value.len + sizeof(nghttp2_nv);
}

/* Fields that belong to the connection of another version, or are told by a
 * pseudo-field (8.2.2, 8.3.1). */
static bool
is_left_out(const struct http_field *f)
{
	switch (f->id) {
	case FIELD_OTHER:
		return false;
	case FIELD_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_HOST:
		return true;
	case FIELD_TE:
		return !span_ieq(f->value, SPAN_LIT("trailers"));
	default:
		return false;
	}
}

static void
lines_add_fields(struct h2_lines *l, const struct http_fields *fields)
{
	fields_foreach(f, fields)
	{
		if (is_left_out(f))
			continue;
		if (f->id != FIELD_OTHER)
			lines_add(l, field_name((enum field_id)f->id), f->value,
			    true);
		else
			lines_add(l, f->name, f->value, false);
	}
}

static nghttp2_data_provider
provider_of(struct h2_stream *st)
{
	return (nghttp2_data_provider){
	    .source.ptr = st,
	    .read_callback = h2_send_read,
	};
}

/* Whether heads wait already that are worth a pass. */
static bool
session_is_full(const struct h2_session *s)
{
	return s->queued > H2_QUEUE_MAX;
}

static enum h2_rc
send_failed(struct h2_session *s, int rc)
{
	if (nghttp2_is_fatal(rc))
		h2_session_failed(s, rc);
	return H2_RC_OVER;
}

/* ":status" and the fields. */
static int
submit_answer(struct h2_stream *st, const struct http_msg *m,
    struct h2_lines *l, bool is_final, bool has_content)
{
	struct h2_session *s = st->session;
	nghttp2_data_provider content = provider_of(st);
	char status[3] = {
	    (char)('0' + m->status / 100),
	    (char)('0' + m->status / 10 % 10),
	    (char)('0' + m->status % 10),
	};

	lines_add(
	    l, SPAN_LIT(":status"), span_of(status, sizeof(status)), true);
	lines_add_fields(l, &m->fields);
	s->queued += l->size;
	if (!is_final)
		return nghttp2_submit_headers(
		    s->ng, NGHTTP2_FLAG_NONE, st->id, NULL, l->at, l->n, NULL);
	return nghttp2_submit_response(
	    s->ng, st->id, l->at, l->n, has_content ? &content : NULL);
}

/* Lines for a message with so many fields. */
static void
lines_init(struct h2_lines *l, nghttp2_nv *own, struct arena *a, size_t n)
{
	*l = (struct h2_lines){.at = own, .cap = LINES_CAP};
	if (n > LINES_CAP) {
		l->at = arena_alloc(a, n * sizeof(*l->at));
		l->cap = n;
	}
}

static enum h2_rc
send_answer(struct h2_stream *st, const struct http_msg *m, bool is_final,
    bool has_content)
{
	struct h2_session *s = st->session;
	nghttp2_nv own[LINES_CAP];
	struct h2_lines l;
	int rc;

	if (s == NULL || s->life != H2_LIFE_RUNS || st->is_closed ||
	    st->was_told)
		return H2_RC_OVER;
	if (session_is_full(s))
		return H2_RC_LATER;
	REQUIRE(m->status >= 100 && m->status <= 999);
	lines_init(&l, own, st->arena, m->fields.n + 1u);
	rc = submit_answer(st, m, &l, is_final, has_content);
	return rc == 0 ? H2_RC_OK : send_failed(s, rc);
}

enum h2_rc
h2_stream_answer(
    struct h2_stream *st, const struct http_msg *m, bool has_content)
{
	enum h2_rc rc = send_answer(st, m, true, has_content);

	if (rc == H2_RC_OK)
		st->is_answering = true;
	return rc;
}

enum h2_rc
h2_stream_info(struct h2_stream *st, const struct http_msg *m)
{
	return st->is_answering ? H2_RC_OVER : send_answer(st, m, false, false);
}

/* Pseudo-fields of a request; those that are empty are not there. */
static void
lines_add_request(struct h2_lines *l, const struct http_msg *m, span target)
{
	span method =
	    m->method_text.len > 0 ? m->method_text : method_name(m->method);
	bool is_connect = m->method == METHOD_CONNECT && m->protocol.len == 0;

	lines_add(l, SPAN_LIT(":method"), method, true);
	if (!is_connect) {
		lines_add(l, SPAN_LIT(":scheme"), m->scheme, true);
		lines_add(l, SPAN_LIT(":path"), target, true);
	}
	if (m->authority.len > 0)
		lines_add(l, SPAN_LIT(":authority"), m->authority, true);
	if (m->protocol.len > 0)
		lines_add(l, SPAN_LIT(":protocol"), m->protocol, true);
	lines_add_fields(l, &m->fields);
}

#define PSEUDOS_MAX 5u

enum h2_rc
h2_stream_request(struct h2_session *s, struct h2_stream *st,
    const struct http_msg *m, span target, bool has_content)
{
	nghttp2_data_provider content = provider_of(st);
	nghttp2_nv own[LINES_CAP];
	struct h2_lines l;
	int32_t id;

	if (h2_session_room(s) == 0)
		return H2_RC_OVER;
	if (session_is_full(s))
		return H2_RC_LATER;
	lines_init(&l, own, st->arena, m->fields.n + PSEUDOS_MAX);
	lines_add_request(&l, m, target);
	id = nghttp2_submit_request(
	    s->ng, NULL, l.at, l.n, has_content ? &content : NULL, st);
	if (id < 0)
		return send_failed(s, id);
	s->queued += l.size;
	s->n_left++;
	st->session = s;
	st->id = id;
	st->is_answering = true;
	st->is_to_head = m->method == METHOD_HEAD;
	st->is_tunnel = m->method == METHOD_CONNECT;
	return H2_RC_OK;
}

void
h2_stream_resume(struct h2_stream *st)
{
	struct h2_session *s = st->session;
	int rc;

	if (s == NULL || !st->is_waiting || st->is_closed ||
	    s->life != H2_LIFE_RUNS)
		return;
	st->is_waiting = false;
	rc = nghttp2_session_resume_data(s->ng, st->id);
	if (nghttp2_is_fatal(rc))
		h2_session_failed(s, rc);
}

/* --- content -------------------------------------------------------------- */

static bool
is_trailer(const struct http_field *f)
{
	return (field_flags((enum field_id)f->id) &
		   (FIELD_F_NO_TRAILER | FIELD_F_HOP)) == 0;
}

/* The content is complete: trailers end the stream when there are any. */
static int
send_trailers(struct h2_stream *st, uint32_t *flags)
{
	struct h2_session *s = st->session;
	nghttp2_nv own[LINES_CAP];
	struct h2_lines l;

	if (st->trailers == NULL || st->trailers->n == 0)
		return 0;
	lines_init(&l, own, st->arena, st->trailers->n);
	fields_foreach(f, st->trailers)
	{
		if (is_trailer(f))
			lines_add(&l, f->name, f->value, false);
	}
	if (l.n == 0)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return nghttp2_submit_trailer(s->ng, st->id, l.at, l.n);
}

ssize_t
h2_send_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);
	size_t room = s->out_cap - s->out_at;
	bool is_last = false;
	size_t n;
	int rc = 0;

	(void)to;
	(void)source;
	if (room < FRAME_ROOM)
		return NGHTTP2_ERR_PAUSE;
	/* its owner has left, and said so */
	if (st == NULL || st->was_told)
		return NGHTTP2_ERR_DEFERRED;
	/* heads went before */
	s->queued = 0;
	len = size_min(len, room - H2_FRAME_HEAD);
	n = s->ev->content(s->self, st, len, &is_last);
	if (n == 0 && !is_last) {
		st->is_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n > len) {
		n = len;
		is_last = false;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (is_last) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		rc = send_trailers(st, flags);
	}
	if (rc != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return (ssize_t)n;
}

int
h2_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head,
    size_t len, nghttp2_data_source *source, void *self)
{
	struct h2_session *s = self;
	struct h2_stream *st =
	    nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	(void)source;
	REQUIRE(st != NULL);
	REQUIRE(len + H2_FRAME_HEAD <= s->out_cap - s->out_at);
	memcpy(s->out + s->out_at, head, H2_FRAME_HEAD);
	s->out_at += H2_FRAME_HEAD;
	if (len > 0)
		s->ev->take(s->self, st, s->out + s->out_at, len);
	s->out_at += len;
	if (len > 0)
		h2_budget_earn_frame(&s->budget, len);
	return 0;
}

/* --- gathering ------------------------------------------------------------ */

/* As much of what is left of a frame as fits. */
static void
gather_rest(struct h2_session *s)
{
	size_t n = size_min(s->rest_len, s->out_cap - s->out_at);

	if (n > 0)
		memcpy(s->out + s->out_at, s->rest, n);
	s->out_at += n;
	s->rest += n;
	s->rest_len -= n;
}

static void
put_u32(char *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(v >> (24 - 8 * i));
}

/* Our last word. nghttp2 is not asked: it may be out of memory. */
static void
gather_last(struct h2_session *s)
{
	char *to = s->out + s->out_at;

	if (s->out_cap - s->out_at < GOAWAY_LEN)
		return;
	memcpy(to, "\0\0\x08\x07\0\0\0\0\0", H2_FRAME_HEAD);
	put_u32(to + H2_FRAME_HEAD,
	    (uint32_t)nghttp2_session_get_last_proc_stream_id(s->ng));
	put_u32(to + H2_FRAME_HEAD + 4, s->code);
	s->out_at += GOAWAY_LEN;
	s->life = H2_LIFE_ENDED;
}

/* The next frame. false: there is none, or no room. */
static bool
gather_frame(struct h2_session *s)
{
	const uint8_t *p;
	ssize_t n;

	if (s->life != H2_LIFE_RUNS || s->out_cap - s->out_at < FRAME_ROOM)
		return false;
	n = nghttp2_session_mem_send(s->ng, &p);
	if (n < 0)
		h2_session_failed(s, (int)n);
	if (n <= 0)
		return false;
	memcpy(&s->rest, &p, sizeof(p));
	s->rest_len = (size_t)n;
	return true;
}

size_t
h2_session_gather(struct h2_session *s, char *out, size_t cap)
{
	s->out = out;
	s->out_at = 0;
	s->out_cap = cap;
	do {
		gather_rest(s);
	} while (s->rest_len == 0 && gather_frame(s));
	if (s->rest_len == 0 && s->life == H2_LIFE_ENDING)
		gather_last(s);
	if (cap - s->out_at >= FRAME_ROOM)
		s->queued = 0;
	s->out = NULL;
	return s->out_at;
}
