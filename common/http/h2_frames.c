/* http/h2_frames: looks at the header of every frame before the library does.
 * What it costs the peer is decided here, so that frames which the library
 * throws away count, too; and rules that the library leaves out are kept: the
 * numbers of streams (RFC 9113 5.1, 5.1.1), the size of a CONTINUATION (4.2),
 * PRIORITY (6.3). */
#include <string.h>

#include "common/base/num.h"
#include "common/http/h2_int.h"

#define PRIORITY_LEN 5

struct frame {
	uint32_t length;
	uint8_t type;
	uint8_t flags;
	int32_t id;
};

void
h2_frames_init(struct h2_frames *f, enum h2_role role)
{
	*f = (struct h2_frames){
	    .need = H2_FRAME_HEAD,
	    .left = role == H2_SERVER ? H2_PREFACE_LEN : 0,
	};
}

/* --- numbers of streams --------------------------------------------------- */

static uint64_t
id_bit(int32_t id)
{
	return UINT64_C(1) << ((uint32_t)id / 2 % 64);
}

static uint64_t *
id_word(uint64_t *set, int32_t id)
{
	return &set[(uint32_t)id / 2 % H2_IDS_MAX / 64];
}

static bool
id_is_in(uint64_t *set, int32_t id)
{
	return (*id_word(set, id) & id_bit(id)) != 0;
}

/* The client uses a number that is greater than all before: those between are
 * left out for ever. */
static void
ids_advance(struct h2_frames *f, int32_t id)
{
	uint32_t steps = (uint32_t)(id - f->last_id) / 2 + 1;

	if (steps >= H2_IDS_MAX) {
		memset(f->used, 0, sizeof(f->used));
		memset(f->reset, 0, sizeof(f->reset));
	} else {
		for (int32_t i = id; i > f->last_id; i -= 2) {
			*id_word(f->used, i) &= ~id_bit(i);
			*id_word(f->reset, i) &= ~id_bit(i);
		}
	}
	*id_word(f->used, id) |= id_bit(id);
	f->last_id = id;
}

static bool
id_is_remembered(const struct h2_frames *f, int32_t id)
{
	return id > 0 && id % 2 == 1 && id <= f->last_id &&
	       (uint32_t)(f->last_id - id) / 2 < H2_IDS_MAX;
}

void
h2_frames_said_reset(struct h2_session *s, int32_t id)
{
	if (s->config.role == H2_SERVER && id_is_remembered(&s->frames, id))
		*id_word(s->frames.reset, id) |= id_bit(id);
}

/* --- frames --------------------------------------------------------------- */

static uint32_t
look_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
look_frame(const struct h2_frames *f, struct frame *out)
{
	out->length = look_u32(f->look) >> 8;
	out->type = f->look[3];
	out->flags = f->look[4];
	out->id = (int32_t)(look_u32(f->look + 5) & INT32_MAX);
}

/* A frame of a stream that is no more: an error of the connection (5.1), unless
 * it may have been sent before our reset was seen. */
static bool
frame_is_late(struct h2_session *s, int32_t id)
{
	struct h2_frames *f = &s->frames;

	bool is_remembered = id_is_remembered(f, id);

	if (is_remembered && id_is_in(f->reset, id))
		return h2_session_spend(s, H2_CALM_JUNK);
	if (is_remembered && id_is_in(f->used, id))
		h2_session_end(s, H2_STREAM_CLOSED, "a stream that was closed");
	else
		h2_session_end(
		    s, H2_PROTOCOL_ERROR, "a stream number that was left out");
	return false;
}

/* HEADERS or DATA. What came before it must be fed: it may have ended the
 * stream. */
static bool
frame_of_stream(struct h2_session *s, const struct frame *fr)
{
	struct h2_frames *f = &s->frames;

	if (s->config.role == H2_CLIENT || fr->id % 2 == 0)
		return true;
	if (fr->id > f->last_id) {
		if (fr->type == NGHTTP2_HEADERS)
			ids_advance(f, fr->id);
		return true;
	}
	return nghttp2_session_find_stream(s->ng, fr->id) != NULL ||
	       frame_is_late(s, fr->id);
}

static bool
frame_continues(struct h2_session *s, const struct frame *fr)
{
	if (fr->length > H2_FRAME_MAX) {
		h2_session_end(
		    s, H2_FRAME_SIZE_ERROR, "a CONTINUATION that is too long");
		return false;
	}
	return h2_session_spend(s, H2_CALM_CONTINUATIONS);
}

static bool
frame_prioritizes(struct h2_session *s, const struct frame *fr)
{
	const struct h2_frames *f = &s->frames;
	bool is_own =
	    f->n == H2_LOOK_MAX &&
	    (look_u32(f->look + H2_FRAME_HEAD) & INT32_MAX) == (uint32_t)fr->id;

	if (fr->id == 0 || is_own) {
		h2_session_end(s, H2_PROTOCOL_ERROR,
		    is_own ? "a stream that depends on itself"
			   : "PRIORITY of no stream");
		return false;
	}
	return h2_session_spend(s, H2_CALM_PRIORITIES);
}

/* Our SETTINGS refuse pushes, and come before any stream that could have one
 * (8.4): who pushes has read them. The library would wait for their ACK. */
static bool
frame_promises(struct h2_session *s)
{
	h2_session_end(s, H2_PROTOCOL_ERROR, "a push that nobody asked for");
	return false;
}

/* Judge a frame by its header. false: the session is at its end. */
static bool
frame_judge(struct h2_session *s, const struct frame *fr)
{
	bool is_ack = (fr->flags & NGHTTP2_FLAG_ACK) != 0;

	switch (fr->type) {
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		return frame_of_stream(s, fr);
	case NGHTTP2_CONTINUATION:
		return frame_continues(s, fr);
	case NGHTTP2_PRIORITY:
		return frame_prioritizes(s, fr);
	case NGHTTP2_PRIORITY_UPDATE:
		return h2_session_spend(s, H2_CALM_PRIORITIES);
	case NGHTTP2_RST_STREAM:
		return h2_session_spend(s, H2_CALM_RESETS);
	case NGHTTP2_SETTINGS:
		return is_ack || h2_session_spend(s, H2_CALM_SETTINGS);
	case NGHTTP2_PING:
		return h2_session_spend(s, H2_CALM_PINGS);
	case NGHTTP2_PUSH_PROMISE:
		return frame_promises(s);
	case NGHTTP2_WINDOW_UPDATE:
		return h2_session_spend(s, H2_CALM_WINDOWS);
	default:
		return h2_session_spend(s, H2_CALM_JUNK);
	}
}

/* Whether the library must have seen all that came before this frame. */
static bool
frame_is_ordered(const struct h2_session *s, const struct frame *fr)
{
	return fr->type == NGHTTP2_DATA ||
	       (fr->type == NGHTTP2_HEADERS && fr->id <= s->frames.last_id);
}

/* Collect what is looked at. false: more bytes are needed. */
static bool
frames_look(struct h2_frames *f, span in, size_t *at)
{
	size_t n = size_min(in.len - *at, (size_t)(f->need - f->n));

	memcpy(f->look + f->n, in.p + *at, n);
	f->n = (uint8_t)(f->n + n);
	*at += n;
	if (f->n == H2_FRAME_HEAD && f->need == H2_FRAME_HEAD &&
	    f->look[3] == NGHTTP2_PRIORITY &&
	    look_u32(f->look) >> 8 == PRIORITY_LEN) {
		f->need = H2_LOOK_MAX;
		return frames_look(f, in, at);
	}
	return f->n == f->need;
}

void
h2_frames_recv(struct h2_session *s, span in)
{
	struct h2_frames *f = &s->frames;
	size_t fed = 0;
	size_t at = 0;

	while (at < in.len) {
		size_t start = at;
		size_t n = size_min(in.len - at, f->left);
		struct frame fr;

		at += n;
		f->left -= (uint32_t)n;
		if (n > 0)
			continue;
		if (!frames_look(f, in, &at))
			break;
		look_frame(f, &fr);
		if (frame_is_ordered(s, &fr)) {
			if (!h2_session_feed(
				s, span_first(span_from(in, fed), start - fed)))
				return;
			fed = start;
		}
		if (!frame_judge(s, &fr))
			return;
		f->left = fr.length - (f->need - H2_FRAME_HEAD);
		f->n = 0;
		f->need = H2_FRAME_HEAD;
	}
	(void)h2_session_feed(s, span_from(in, fed));
}
