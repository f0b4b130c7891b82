/* serve/recv: what server and fetch read alike: bytes of a stream in one
 * bounded buffer, and the content of one message collected from them. */
#ifndef GH_RECV_H
#define GH_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/http/h1.h"
#include "common/net/stream.h"

/* Bytes that were read and not used yet. */
struct recv_buf {
	char *p;
	uint32_t at;
	uint32_t end;
	uint32_t cap;
};

/* The first storage is made by the first fill; cap > 0. */
void recv_buf_init(struct recv_buf *b, uint32_t cap);
void recv_buf_fini(struct recv_buf *b);
/* Read once. > 0 bytes, enum stream_rc, or 0 when the buffer is full. */
ssize_t recv_buf_fill(struct recv_buf *b, struct stream *s);

static inline span
recv_buf_span(const struct recv_buf *b)
{
	return span_of(b->p + b->at, b->end - b->at);
}

static inline void
recv_buf_use(struct recv_buf *b, size_t n)
{
	b->at += (uint32_t)n;
}

enum recv_how {
	RECV_DONE, /* all of it is here */
	RECV_LENGTH,
	RECV_CHUNKED,
	RECV_TRAILERS,
	RECV_CLOSE /* until the peer's end */
};

enum recv_rc {
	RECV_RC_DONE,
	RECV_RC_MORE,
	RECV_RC_BAD, /* body.bad says why */
	RECV_RC_LARGE /* more than max bytes */
};

/* The content of one message. */
struct recv_body {
	enum recv_how how;
	enum h1_bad bad;
	char *p;
	size_t len;
	size_t cap;
	size_t max;
	uint64_t left; /* RECV_LENGTH: bytes still to come */
	struct h1_chunk chunk;
	struct h1_scan scan;
};

/* Begin with the content of `m`; at most `max` bytes are collected. How is told
 * by the parser's facts: is_chunked beside m->body. RECV_RC_LARGE when a stated
 * length is over max already. */
enum recv_rc recv_body_init(struct recv_body *r, const struct http_msg *m,
    bool is_chunked, bool is_answer, size_t max);
void recv_body_fini(struct recv_body *r);
/* Take what is at hand. Trailers go to m, their text to the arena. */
enum recv_rc recv_body_step(struct recv_body *r, struct recv_buf *b,
    struct http_msg *m, struct arena *a, const struct h1_limits *lim);

static inline span
recv_body_span(const struct recv_body *r)
{
	return span_of(r->p, r->len);
}

#endif
