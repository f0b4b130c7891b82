/* http/h1_frame: what the fields of a parsed HTTP/1.x head mean for the
 * connection: how long the content is, whether the connection goes on, what was
 * asked of it. Called by h1_parse only. */
#ifndef GH_H1_FRAME_H
#define GH_H1_FRAME_H

#include <stdbool.h>

#include "common/http/h1.h"

/* Set m->body, m->length and the want_* of a request whose line and fields are
 * read. Returns why it is refused, or H1_BAD_NONE. */
enum h1_bad h1_frame_request(struct http_msg *m);

/* The same for a response to a request with method `to`. */
enum h1_bad h1_frame_response(
    struct http_msg *m, enum http_method to, bool *is_chunked);

#endif
