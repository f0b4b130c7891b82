/* exch/h2_io: what fronts and origins have in common that speak HTTP/2: frames
 * of all streams go out in as few writes as there are, and content of a stream
 * goes into a body. Knows nothing of what the streams are. */
#ifndef GH_H2_IO_H
#define GH_H2_IO_H

#include <stddef.h>

#include "common/http/h2.h"
#include "common/net/stream.h"
#include "worker/exch/body.h"
#include "worker/exch/worker.h"

/* Gathered, and not taken by the kernel; zeroed: nothing. */
struct h2_unsent {
	char *p; /* NULL: nothing */
	size_t len;
	size_t at;
};

/* Keep a copy of n bytes, when there are none yet. */
void h2_unsent_keep(struct h2_unsent *u, const char *p, size_t n);
void h2_unsent_free(struct h2_unsent *u);
/* Write of it what the kernel takes. Returns how many bytes; u->p is NULL when
 * all are gone. */
size_t h2_unsent_write(struct h2_unsent *u, struct stream *s);

enum h2_io_rc {
	H2_IO_MORE, /* all that was gathered is with the kernel: once more */
	H2_IO_DONE, /* there is nothing to send */
	H2_IO_BLOCKED /* a part is kept in *u */
};

/* Gather once and write; while nothing is kept in *u. */
enum h2_io_rc h2_io_gather(struct h2_unsent *u, struct h2_session *h2,
    struct stream *s, struct worker *w);

/* Where small pieces of a stream's content are collected. */
struct h2_tail {
	struct buf *buf; /* or NULL; to be let go of by the owner */
	struct worker *w;
	uint32_t window; /* of the stream: the content that b may come to hold,
	                    if nobody waits for the whole of it; at most
	                    H2_IO_WINDOW_MAX */
};

/* What the slices of a body hold whatever its pieces are. */
#define H2_IO_WINDOW_MAX ((BODY_SLICES - 2u) * BUF_CAP)

/* Put a piece, which lies in the block `from`, into an open body. */
void h2_tail_push(
    struct h2_tail *t, struct body *b, struct buf *from, span data);

#endif
