/* exch/inbuf: the bytes of a connection that were read and not yet used. They
 * stay in the block they were read into; a connection without any owns no
 * block. */
#ifndef GH_INBUF_H
#define GH_INBUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "common/net/stream.h"
#include "worker/exch/worker.h"

struct inbuf {
	struct buf *buf; /* NULL: nothing at hand */
	uint32_t at;
};

/* What is at hand; valid until the next call that changes it. */
static inline span
inbuf_span(const struct inbuf *in)
{
	if (in->buf == NULL)
		return span_of(NULL, 0);
	return span_of(in->buf->data + in->at, in->buf->used - in->at);
}

/* A counted piece of what is at hand. */
static inline struct slice
inbuf_slice(const struct inbuf *in, size_t off, size_t len)
{
	return slice_of(in->buf, in->at + (uint32_t)off, (uint32_t)len);
}

/* Use up n bytes; the block is let go when it is empty. */
void inbuf_use(struct inbuf *in, size_t n);
/* Use up everything. */
void inbuf_drop(struct inbuf *in);
/* Read once from the stream, behind what is at hand. What is at hand may grow
 * to `cap` bytes and the rest of a read. > 0 bytes read, or enum stream_rc. */
ssize_t inbuf_fill(
    struct inbuf *in, struct worker *w, struct stream *s, size_t cap);

#endif
