/* exch/h2_io: blocks of frames to the kernel, pieces of content into bodies. */
#include "worker/exch/h2_io.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Bytes put together for one write. */
#define GATHER_CAP (64u * 1024)
/* A piece of content stays where it was read when it is at least so long; the
 * block that it pins is then at most twice as large. */
#define PIECE_MIN (BUF_CAP / 2)

void
h2_unsent_keep(struct h2_unsent *u, const char *p, size_t n)
{
	REQUIRE(u->p == NULL);
	u->p = malloc(n);
	REQUIRE(u->p != NULL);
	memcpy(u->p, p, n);
	u->len = n;
	u->at = 0;
}

void
h2_unsent_free(struct h2_unsent *u)
{
	free(u->p);
	u->p = NULL;
}

static size_t
io_write(struct stream *s, char *p, size_t n)
{
	struct iovec iov = {.iov_base = p, .iov_len = n};
	ssize_t rc = stream_writev(s, &iov, 1);

	return rc < 0 ? 0 : (size_t)rc;
}

size_t
h2_unsent_write(struct h2_unsent *u, struct stream *s)
{
	size_t n = io_write(s, u->p + u->at, u->len - u->at);

	u->at += n;
	if (u->at == u->len)
		h2_unsent_free(u);
	return n;
}

static char *
io_block(struct worker *w)
{
	if (w->gather == NULL)
		w->gather = buf_new_sized(NULL, GATHER_CAP);
	return w->gather->data;
}

enum h2_io_rc
h2_io_gather(struct h2_unsent *u, struct h2_session *h2, struct stream *s,
    struct worker *w)
{
	char *block = io_block(w);
	size_t n = h2_session_gather(h2, block, GATHER_CAP);
	size_t done;

	if (n == 0)
		return H2_IO_DONE;
	done = io_write(s, block, n);
	if (done == n)
		return H2_IO_MORE;
	h2_unsent_keep(u, block + done, n - done);
	return H2_IO_BLOCKED;
}

/* --- content -------------------------------------------------------------- */

/* Slices of a body that pieces may be; the rest is for blocks that small ones
 * are collected in. */
static unsigned
tail_pieces_max(const struct h2_tail *t)
{
	return BODY_SLICES - 2 - t->window / BUF_CAP;
}

/* Put a piece into a block of the stream's own. */
static void
tail_collect(struct h2_tail *t, struct body *b, span data)
{
	while (data.len > 0) {
		struct slice piece;
		size_t n;

		/* lets go of what was kept for a second try */
		(void)body_room(b);
		if (t->buf == NULL || buf_room(t->buf) == 0) {
			buf_unref(t->buf);
			t->buf = buf_new(&t->w->bufs);
		}
		n = size_min(data.len, buf_room(t->buf));
		memcpy(t->buf->data + t->buf->used, data.p, n);
		t->buf->used += (uint32_t)n;
		piece =
		    slice_of(t->buf, t->buf->used - (uint32_t)n, (uint32_t)n);
		body_push(b, &piece);
		data = span_from(data, n);
	}
}

void
h2_tail_push(struct h2_tail *t, struct body *b, struct buf *from, span data)
{
	struct slice piece;

	(void)body_room(b);
	if (data.len < PIECE_MIN || b->n >= tail_pieces_max(t)) {
		tail_collect(t, b, data);
		return;
	}
	piece =
	    slice_of(from, (uint32_t)(data.p - from->data), (uint32_t)data.len);
	body_push(b, &piece);
}
