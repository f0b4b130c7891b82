/* serve/fetch_h2: the request of a fetch and its answer over HTTP/2, on one
 * stream of a connection of its own. Bytes are moved here, connecting and time
 * are the business of fetch.c. */
#ifndef GH_FETCH_H2_H
#define GH_FETCH_H2_H

#include "common/net/stream.h"
#include "common/serve/fetch.h"

struct fetch_h2;

/* Begin with the request of a spec, whose texts are copied to the arena; that
 * must outlive it. Never NULL. */
struct fetch_h2 *fetch_h2_new(const struct fetch_spec *spec, struct arena *a);
void fetch_h2_free(struct fetch_h2 *h);

enum fetch_h2_rc {
	FETCH_H2_WAIT, /* an event will tell */
	FETCH_H2_MORE, /* there is more at hand: call again after others */
	FETCH_H2_DONE, /* the answer is complete */
	FETCH_H2_LARGE, /* its content is over body_max; its head is there */
	FETCH_H2_BAD, /* the peer speaks no good HTTP/2 */
	FETCH_H2_BROKEN /* it ended, or refused the stream */
};

/* Send and read what can be. */
enum fetch_h2_rc fetch_h2_step(
    struct fetch_h2 *h, struct stream *s, uint64_t now_ms);

/* Of an answer that is DONE; in the arena. trailers: NULL when none came. */
const struct http_msg *fetch_h2_answer(const struct fetch_h2 *h);
span fetch_h2_content(const struct fetch_h2 *h);
const struct http_fields *fetch_h2_trailers(const struct fetch_h2 *h);

#endif
