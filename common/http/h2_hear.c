/* http/h2_hear: what nghttp2 tells. Frames, streams and windows are its own;
 * what they make of messages is decided here. */
#include <stdio.h>
#include <string.h>

#include "common/http/h2_int.h"

/* How far over its limit a head may be decoded, for nobody. */
#define HEAD_OVER 8u

static struct h2_stream *
session_stream(const struct h2_session *s, int32_t id)
{
	return nghttp2_session_get_stream_user_data(s->ng, id);
}

/* --- what is heard -------------------------------------------------------- */

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
	/* Where nobody will take it, the window of the others must not shrink.
	 * A client decided itself how many streams there are, and each has a
	 * window of its own: one that stalls is not to stall the others. */
	if (st == NULL || st->was_told || s->config.role == H2_CLIENT)
		rc = nghttp2_session_consume_connection(ng, len);
	if (nghttp2_is_fatal(rc))
		return rc;
	if (st == NULL || st->was_told)
		return 0;
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
	/* of a request that never went out nobody knows */
	if (!st->is_recv_over || !st->is_send_over)
		h2_stream_tell_reset(st, code, H2_BAD_NONE,
		    code == H2_REFUSED_STREAM || st->wire_out == 0);
	return 0;
}

/* --- what was said -------------------------------------------------------- */

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

/* --- for the session ------------------------------------------------------ */

void
h2_hear_callbacks(nghttp2_session_callbacks *c)
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
