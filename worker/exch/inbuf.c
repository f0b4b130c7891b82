/* exch/inbuf: reads go into the worker's one spare block, which is free again
 * as soon as nobody kept a piece of it. */
#include "worker/exch/inbuf.h"

#include "common/base/check.h"

struct buf *
worker_read_buf(struct worker *w)
{
	if (w->spare != NULL && w->spare->refs > 1) {
		buf_unref(w->spare);
		w->spare = NULL;
	}
	if (w->spare == NULL)
		w->spare = buf_new(&w->bufs);
	w->spare->used = 0;
	return w->spare;
}

void
inbuf_use(struct inbuf *in, size_t n)
{
	if (in->buf == NULL) {
		REQUIRE(n == 0);
		return;
	}
	REQUIRE(n <= in->buf->used - in->at);
	in->at += (uint32_t)n;
	if (in->at == in->buf->used)
		inbuf_drop(in);
}

void
inbuf_drop(struct inbuf *in)
{
	buf_unref(in->buf);
	in->buf = NULL;
	in->at = 0;
}

/* Move what is at hand into a block with room behind it. */
static void
inbuf_grow(struct inbuf *in, struct worker *w, size_t cap)
{
	span have = inbuf_span(in);
	struct buf *b = cap < BUF_CAP ? buf_new(&w->bufs)
				      : buf_new_sized(&w->bufs, cap + BUF_CAP);

	REQUIRE(have.len < b->cap);
	memcpy(b->data, have.p, have.len);
	b->used = (uint32_t)have.len;
	buf_unref(in->buf);
	in->buf = b;
	in->at = 0;
}

ssize_t
inbuf_fill(struct inbuf *in, struct worker *w, struct stream *s, size_t cap)
{
	ssize_t n;

	/* nothing to ask the kernel for: no block is needed either */
	if (!s->may_read) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	if (in->buf == NULL) {
		in->buf = buf_ref(worker_read_buf(w));
		in->at = 0;
	} else if (buf_room(in->buf) == 0) {
		inbuf_grow(in, w, cap);
	}
	n = stream_read(s, in->buf->data + in->buf->used, buf_room(in->buf));
	if (n > 0)
		in->buf->used += (uint32_t)n;
	else if (in->at == in->buf->used)
		inbuf_drop(in);
	return n;
}
