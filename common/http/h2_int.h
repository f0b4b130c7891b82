/* http/h2_int: between the files of common/http that make h2.h. */
#ifndef GH_H2_INT_H
#define GH_H2_INT_H

#include <nghttp2/nghttp2.h>

#include "common/http/h2.h"

/* Bytes in front of each frame (RFC 9113 4.1). */
#define H2_FRAME_HEAD 9u

/* --- h2_mem.c: the pool --------------------------------------------------- */

struct h2_mem {
	size_t used; /* live bytes, their headers included */
	size_t peak;
	size_t max;
};

/* Functions that count what nghttp2 takes and refuse what is over m->max. */
nghttp2_mem h2_mem_hooks(struct h2_mem *m);

/* --- h2_calm.c: the peer's budget ----------------------------------------- */

struct h2_budget {
	int32_t points;
	uint32_t bytes; /* of content, not yet turned into points */
	uint32_t windows; /* WINDOW_UPDATEs that our DATA has asked for */
	uint64_t now_ms; /* when time was turned into points last */
};

void h2_budget_init(struct h2_budget *b);
/* Time has passed. */
void h2_budget_tick(struct h2_budget *b, uint64_t now_ms);
/* Content came, a frame of it was sent, an answer was completed. */
void h2_budget_earn_bytes(struct h2_budget *b, size_t n);
void h2_budget_earn_frame(struct h2_budget *b, size_t n);
void h2_budget_earn_answer(struct h2_budget *b);
/* Take its cost off. false: there is none left. */
bool h2_budget_spend(struct h2_budget *b, enum h2_calm what);
const char *h2_calm_text(enum h2_calm what);

/* --- h2_head.c: a field section ------------------------------------------- */

enum h2_section { H2_REQUEST_HEAD, H2_ANSWER_HEAD, H2_TRAILERS };

/* The one that is being read; there is never a second one on a connection. */
struct h2_head {
	struct h2_stream *st; /* NULL: decoded, but for nobody */
	enum h2_section section;
	enum h2_bad bad;
	struct http_msg m;
	uint32_t pseudo; /* bits of those that came */
	bool has_fields;
	size_t size; /* RFC 9113 6.5.2 */
	uint32_t n_fields;
	uint32_t n_cookies;
};

void h2_head_begin(
    struct h2_head *h, struct h2_stream *st, enum h2_section section);
void h2_head_field(
    struct h2_head *h, span name, span value, const struct h1_limits *lim);
/* The section is complete; is_last: so is the message. Fills the rest of h->m
 * and what the stream must know of it; h->bad. */
void h2_head_end(struct h2_head *h, bool is_last, bool has_connect_protocol);
/* Urgency and increments of a Priority field (RFC 9218 4). false: there is
 * none. */
bool h2_head_priority(const struct http_msg *m, nghttp2_extpri *out);

/* --- h2_send.c: heads onto the wire --------------------------------------- */

/* Field lines as nghttp2 wants them. */
struct h2_lines {
	nghttp2_nv *at;
	size_t n;
	size_t cap;
	size_t size; /* bytes of their text */
};

/* --- h2_frames.c: frames before the library sees them --------------------- */

/* Numbers of streams that are remembered, of those that could be used last. */
#define H2_IDS_MAX 1024u
/* What is looked at: the header and the stream that a PRIORITY depends on. */
#define H2_LOOK_MAX (H2_FRAME_HEAD + 4)

struct h2_frames {
	uint8_t look[H2_LOOK_MAX];
	uint8_t n; /* bytes of it that came */
	uint8_t need; /* bytes of it that are looked at */
	uint32_t left; /* bytes of the payload that are still to come */
	int32_t last_id; /* greatest number that the client used */
	uint64_t used[H2_IDS_MAX / 64]; /* bit by half the number */
	uint64_t reset[H2_IDS_MAX / 64]; /* the same: we reset it */
};

void h2_frames_init(struct h2_frames *f, enum h2_role role);
/* Take bytes of the wire, frame by frame. */
void h2_frames_recv(struct h2_session *s, span in);
/* What still comes on this stream is to be ignored. */
void h2_frames_said_reset(struct h2_session *s, int32_t id);

/* --- h2_session.c --------------------------------------------------------- */

enum h2_life {
	H2_LIFE_RUNS,
	H2_LIFE_ENDING, /* our last GOAWAY is to be gathered */
	H2_LIFE_ENDED
};

struct h2_session {
	nghttp2_session *ng;
	const struct h2_events *ev;
	void *self;
	struct h2_config config;
	struct h2_mem mem;
	struct h2_budget budget;
	struct h2_frames frames;
	struct h2_head head;
	enum h2_life life;
	uint32_t code;
	const char *why;
	enum h2_calm calm;
	char why_text[64]; /* nghttp2's, when why points here */
	uint32_t n_left; /* streams that the owner holds */
	size_t queued; /* bytes of heads that wait */
	bool is_settled;
	bool was_warned;
	bool has_gone; /* GOAWAY was sent or came */
	/* h2_session_gather() */
	char *out;
	size_t out_at;
	size_t out_cap;
	const char *rest; /* of a frame that did not fit */
	size_t rest_len;
};

/* A frame was of no use. false: the session is at its end. */
bool h2_session_spend(struct h2_session *s, enum h2_calm what);
/* Bytes for the library. false: the session is at its end. */
bool h2_session_feed(struct h2_session *s, span in);
/* End it with ENHANCE_YOUR_CALM. */
void h2_session_flooded(struct h2_session *s, enum h2_calm what);
/* What a call of nghttp2 that failed for good means. */
void h2_session_failed(struct h2_session *s, int rc);
/* The stream is broken because of what the peer sent. */
void h2_stream_broken(struct h2_stream *st, uint32_t code, enum h2_bad bad);

/* Its last event, once. */
void h2_stream_tell_reset(
    struct h2_stream *st, uint32_t code, enum h2_bad bad, bool is_unserved);

/* h2_hear.c */
void h2_hear_callbacks(nghttp2_session_callbacks *c);

/* h2_send.c: callbacks of nghttp2. */
ssize_t h2_send_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *self);
int h2_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head,
    size_t len, nghttp2_data_source *source, void *self);

#endif
