/* exch/wire_out: a message onto an HTTP/1 connection: a rendered head, then a
 * body plain or in chunks (RFC 9112 7.1), in as few writes as possible. The
 * same for requests and answers. */
#ifndef GH_WIRE_OUT_H
#define GH_WIRE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http/h1.h"
#include "common/net/stream.h"
#include "worker/exch/body.h"

enum wire_out_how {
	WIRE_OUT_BARE, /* no content, whatever the body holds */
	WIRE_OUT_PLAIN,
	WIRE_OUT_CHUNKED
};

struct wire_out {
	enum wire_out_how how;
	span head; /* what is not yet written of it */
	uint64_t chunk_left; /* content left of the chunk being written */
	char line[H1_CHUNK_LINE_CAP];
	uint8_t line_at;
	uint8_t line_len;
	bool is_last_begun; /* the last chunk is in `tail` or out */
	span tail; /* what follows the chunk's content, not yet written */
};

/* Put more head behind what is not yet written; borrowed. */
void wire_out_head(struct wire_out *w, struct arena *a, span head);
/* Write once what is there. > 0 bytes; 0: nothing to write now; or enum
 * stream_rc. `trailers` may be NULL. */
ssize_t wire_out_step(struct wire_out *w, struct stream *s, struct body *b,
    const struct http_fields *trailers, struct arena *a);
/* Whether all of the message that will ever be is with the kernel. A body that
 * was aborted is never done. */
bool wire_out_is_done(const struct wire_out *w, const struct body *b);

#endif
