/* exch/wire_in: the content of an HTTP/1 message, from a connection's bytes
 * into a body (RFC 9112 6, 7). The same for requests and answers. */
#ifndef GH_WIRE_IN_H
#define GH_WIRE_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http/h1.h"
#include "worker/exch/body.h"
#include "worker/exch/inbuf.h"

enum wire_in_how {
	WIRE_IN_DONE,
	WIRE_IN_LENGTH,
	WIRE_IN_CHUNKED,
	WIRE_IN_TRAILERS,
	WIRE_IN_RAW /* until the peer's end */
};

struct wire_in {
	enum wire_in_how how;
	uint64_t left; /* with LENGTH */
	uint32_t run; /* with RAW: bytes since its last pause */
	bool is_bulk; /* its last runs were long */
	struct h1_chunk chunk;
	struct h1_scan scan; /* of the trailer section */
	enum h1_bad bad;
};

enum wire_in_rc {
	WIRE_IN_OK, /* bytes were used */
	WIRE_IN_MORE, /* what is at hand does not suffice */
	WIRE_IN_BAD /* w->bad says why */
};

/* Begin; `is_raw_open`: LENGTH_OPEN means until close, else chunked. Ends the
 * body at once when the message has none. Extensions of chunks are tolerated
 * in answers only. */
void wire_in_init(struct wire_in *w, struct body *b, const struct http_msg *m,
    bool is_raw_open, bool is_answer);
/* One piece from `in` into the body, which must have room. Trailers go into m
 * and the arena. At the end the body is LAST and how is DONE. */
enum wire_in_rc wire_in_step(struct wire_in *w, struct inbuf *in,
    struct body *b, struct http_msg *m, struct arena *a,
    const struct h1_limits *lim);

/* Note what reading from the stream gave (bytes, or enum stream_rc): is_bulk then
 * says whether what is RAW is worth a pipe. */
void wire_in_came(struct wire_in *w, ssize_t n, const struct stream *s);

#endif
