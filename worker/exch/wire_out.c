/* exch/wire_out: gathers head, chunk line, content and chunk end into one
 * writev and takes off what the kernel took, in the same order. */
#include "worker/exch/wire_out.h"

#include "common/base/check.h"
#include "common/base/num.h"

/* Pieces of one writev: head, chunk line, content, tail. */
#define OUT_IOV (BODY_SLICES + 3)

static const struct http_fields no_trailers;

void
wire_out_head(struct wire_out *w, struct arena *a, span head)
{
	span parts[2] = {w->head, head};

	w->head =
	    w->head.len == 0 ? head : arena_concat(a, parts, NELEMS(parts));
}

/* What ends the content: the last chunk and the trailers. */
static span
out_last_chunk(const struct http_fields *t, struct arena *a, bool has_content)
{
	char *p = arena_alloc(a, 2 + h1_trailers_size(t));
	size_t n = 0;

	if (has_content) {
		memcpy(p, "\r\n", 2);
		n = 2;
	}
	n += h1_write_trailers(t, p + n);
	return span_of(p, n);
}

/* Begin the next chunk with all content at hand, or the last one. */
static void
out_next_chunk(struct wire_out *w, const struct body *b,
    const struct http_fields *trailers, struct arena *a)
{
	if (w->chunk_left > 0 || w->tail.len > 0 || w->is_last_begun)
		return;
	if (b->len > 0) {
		w->chunk_left = b->len;
		w->line_len = (uint8_t)h1_chunk_line(b->len, w->line);
		w->line_at = 0;
		w->tail = SPAN_LIT("\r\n");
	}
	if (b->state == BODY_LAST) {
		w->tail = out_last_chunk(
		    trailers ? trailers : &no_trailers, a, b->len > 0);
		w->is_last_begun = true;
	}
}

/* iovec has no const; the bytes are only read. */
static void
out_add(struct iovec *iov, int *n, const char *p, size_t len)
{
	if (len == 0)
		return;
	memcpy(&iov[*n].iov_base, &p, sizeof(p));
	iov[*n].iov_len = len;
	*n += 1;
}

static int
out_gather(const struct wire_out *w, const struct body *b, struct iovec *iov)
{
	uint64_t content = 0;
	int n = 0;

	out_add(iov, &n, w->head.p, w->head.len);
	switch (w->how) {
	case WIRE_OUT_BARE:
		break;
	case WIRE_OUT_PLAIN:
		n += body_peek(b, iov + n, BODY_SLICES, UINT64_MAX, &content);
		break;
	case WIRE_OUT_CHUNKED:
		out_add(iov, &n, w->line + w->line_at,
		    (size_t)(w->line_len - w->line_at));
		n +=
		    body_peek(b, iov + n, BODY_SLICES, w->chunk_left, &content);
		if (content == w->chunk_left)
			out_add(iov, &n, w->tail.p, w->tail.len);
		break;
	}
	return n;
}

/* Take `n` written bytes off what was gathered. */
static void
out_wrote(struct wire_out *w, struct body *b, uint64_t n)
{
	uint64_t part = u64_min(n, w->head.len);

	w->head = span_from(w->head, part);
	n -= part;
	if (w->how != WIRE_OUT_CHUNKED) {
		body_consume(b, n);
		return;
	}
	part = u64_min(n, (uint64_t)(w->line_len - w->line_at));
	w->line_at = (uint8_t)(w->line_at + part);
	n -= part;
	part = u64_min(n, w->chunk_left);
	w->chunk_left -= part;
	body_consume(b, part);
	n -= part;
	w->tail = span_from(w->tail, n);
}

/* Whether what is written now has content right behind it. */
static bool
out_has_more(const struct wire_out *w, const struct body *b)
{
	return w->how == WIRE_OUT_PLAIN && b->is_prompt && b->len == 0 &&
	       b->state == BODY_OPEN;
}

ssize_t
wire_out_step(struct wire_out *w, struct stream *s, struct body *b,
    const struct http_fields *trailers, struct arena *a)
{
	struct iovec iov[OUT_IOV];
	ssize_t rc;
	int n;

	if (w->how == WIRE_OUT_CHUNKED)
		out_next_chunk(w, b, trailers, a);
	n = out_gather(w, b, iov);
	if (n == 0 && w->how == WIRE_OUT_PLAIN && b->piped > 0)
		return body_drain_pipe(b, s);
	if (n == 0)
		return 0;
	rc = out_has_more(w, b) ? stream_writev_more(s, iov, n)
				: stream_writev(s, iov, n);
	if (rc > 0)
		out_wrote(w, b, (uint64_t)rc);
	return rc;
}

bool
wire_out_is_done(const struct wire_out *w, const struct body *b)
{
	if (w->head.len > 0 || w->tail.len > 0)
		return false;
	switch (w->how) {
	case WIRE_OUT_BARE:
		return true;
	case WIRE_OUT_PLAIN:
		return body_is_done(b);
	case WIRE_OUT_CHUNKED:
		return w->is_last_begun;
	}
	UNREACHED();
}
