/* serve/recv: collects content; knows where it ends and how much is too much,
 * not whose it is. */
#include "common/serve/recv.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* The first storage for content whose length is not told. */
#define BODY_CAP_FIRST 1024

void
recv_buf_init(struct recv_buf *b, uint32_t cap)
{
	*b = (struct recv_buf){.cap = cap};
}

void
recv_buf_fini(struct recv_buf *b)
{
	free(b->p);
	*b = (struct recv_buf){.cap = b->cap};
}

ssize_t
recv_buf_fill(struct recv_buf *b, struct stream *s)
{
	ssize_t n;

	if (b->p == NULL) {
		b->p = malloc(b->cap);
		REQUIRE(b->p != NULL);
	}
	if (b->at > 0) {
		memmove(b->p, b->p + b->at, b->end - b->at);
		b->end -= b->at;
		b->at = 0;
	}
	if (b->end == b->cap)
		return 0;
	n = stream_read(s, b->p + b->end, b->cap - b->end);
	if (n > 0)
		b->end += (uint32_t)n;
	return n;
}

enum recv_rc
recv_body_init(struct recv_body *r, const struct http_msg *m, bool is_chunked,
    bool is_answer, size_t max)
{
	*r = (struct recv_body){.max = max};
	r->chunk.may_have_ext = is_answer;
	switch (m->body) {
	case LENGTH_NONE:
		r->how = RECV_DONE;
		break;
	case LENGTH_KNOWN:
		r->left = m->length;
		r->how = m->length > 0 ? RECV_LENGTH : RECV_DONE;
		if (m->length > max)
			return RECV_RC_LARGE;
		break;
	case LENGTH_OPEN:
		r->how = is_chunked ? RECV_CHUNKED : RECV_CLOSE;
		break;
	}
	return r->how == RECV_DONE ? RECV_RC_DONE : RECV_RC_MORE;
}

void
recv_body_fini(struct recv_body *r)
{
	free(r->p);
	*r = (struct recv_body){.how = RECV_DONE};
}

/* Append; false when it would be over the limit. */
static bool
body_take(struct recv_body *r, span data)
{
	size_t cap = r->cap > 0 ? r->cap : BODY_CAP_FIRST;

	if (data.len > r->max - r->len)
		return false;
	while (cap < r->len + data.len)
		cap *= 2;
	if (cap > r->cap) {
		r->p = realloc(r->p, cap);
		REQUIRE(r->p != NULL);
		r->cap = cap;
	}
	memcpy(r->p + r->len, data.p, data.len);
	r->len += data.len;
	return true;
}

static enum recv_rc
body_length(struct recv_body *r, struct recv_buf *b)
{
	span in = recv_buf_span(b);

	if (r->how == RECV_LENGTH)
		in = span_first(in, (size_t)u64_min(in.len, r->left));
	if (!body_take(r, in))
		return RECV_RC_LARGE;
	recv_buf_use(b, in.len);
	if (r->how == RECV_CLOSE)
		return RECV_RC_MORE;
	r->left -= in.len;
	if (r->left > 0)
		return RECV_RC_MORE;
	r->how = RECV_DONE;
	return RECV_RC_DONE;
}

static enum recv_rc
body_chunked(struct recv_body *r, struct recv_buf *b)
{
	for (;;) {
		enum h1_chunk_rc rc;
		span data;
		size_t used;
		bool fits = true;

		rc = h1_chunk_step(&r->chunk, recv_buf_span(b), &used, &data);
		if (rc == H1_CHUNK_DATA)
			fits = body_take(r, data);
		recv_buf_use(b, used);
		switch (rc) {
		case H1_CHUNK_MORE:
			return RECV_RC_MORE;
		case H1_CHUNK_DATA:
			if (!fits)
				return RECV_RC_LARGE;
			break;
		case H1_CHUNK_LAST:
			r->how = RECV_TRAILERS;
			return RECV_RC_MORE;
		case H1_CHUNK_BAD:
			r->bad = H1_BAD_CHUNK;
			return RECV_RC_BAD;
		}
	}
}

static enum recv_rc
body_trailers(struct recv_body *r, struct recv_buf *b, struct http_msg *m,
    struct arena *a, const struct h1_limits *lim)
{
	span in = recv_buf_span(b);
	enum h1_rc rc = h1_scan(&r->scan, H1_TRAILERS, in, lim);

	if (rc == H1_MORE)
		return RECV_RC_MORE;
	r->bad = r->scan.bad;
	if (rc == H1_OK)
		rc = h1_parse_trailers(
		    arena_span(a, span_first(in, r->scan.at)), a, m, &r->bad);
	if (rc != H1_OK)
		return RECV_RC_BAD;
	recv_buf_use(b, r->scan.at);
	r->how = RECV_DONE;
	return RECV_RC_DONE;
}

enum recv_rc
recv_body_step(struct recv_body *r, struct recv_buf *b, struct http_msg *m,
    struct arena *a, const struct h1_limits *lim)
{
	enum recv_rc rc;

	switch (r->how) {
	case RECV_DONE:
		return RECV_RC_DONE;
	case RECV_LENGTH:
	case RECV_CLOSE:
		return body_length(r, b);
	case RECV_CHUNKED:
		rc = body_chunked(r, b);
		if (r->how != RECV_TRAILERS)
			return rc;
		return body_trailers(r, b, m, a, lim);
	case RECV_TRAILERS:
		return body_trailers(r, b, m, a, lim);
	}
	UNREACHED();
}
