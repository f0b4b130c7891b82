/* http/h1: HTTP/1.x on the wire (RFC 9112). Pure codec: bytes in, messages
 * out; no descriptor, no clock, no allocation but the arena handed in. What is
 * ambiguous is refused, never repaired.
 *
 * A head is taken in two steps: h1_scan() finds its end in bytes that arrive
 * piece by piece, checking only lines and limits; h1_parse_*() reads the
 * complete head once, from memory that lives as long as the message. */
#ifndef GH_H1_H
#define GH_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/http/msg.h"

enum h1_rc { H1_OK, H1_MORE, H1_BAD };

/* Why a message was refused: h1_bad.def rows H1_BAD_x(name, status, text). */
enum h1_bad {
	H1_BAD_NONE = 0,
#define H1_BAD(name, status, text) H1_BAD_##name,
#include "common/http/h1_bad.def"
#undef H1_BAD
	H1_BAD_N
};

/* Status to answer with (400, 414, 417, 431, 501, 505; 502 for what only a
 * response can do wrong) and text for logs. Not for H1_BAD_NONE. */
unsigned h1_bad_status(enum h1_bad bad);
const char *h1_bad_text(enum h1_bad bad);

struct h1_limits {
	uint32_t line_max; /* bytes of the first line */
	uint32_t head_max; /* bytes of the whole head or trailer section */
	uint32_t fields_max; /* field lines */
};

/* Progress through a head; zero to begin. */
struct h1_scan {
	uint32_t at; /* bytes looked at */
	uint32_t line_start;
	uint32_t n_lines; /* complete lines, the first one included */
	uint32_t skipped; /* leading empty line tolerated before a request */
	enum h1_bad bad;
};

enum h1_kind { H1_REQUEST, H1_RESPONSE, H1_TRAILERS };

/* Look for the end of a head in `in`, which holds all bytes since its start
 * (the same and more at each call). H1_OK: the head with its empty line is
 * in[s->skipped .. s->at). H1_BAD: s->bad, as early as it is certain: a first
 * byte that no message begins with, a bare LF or CR, a NUL, a request line
 * without version (HTTP/0.9), a line, a head or a number of fields over its
 * limit. */
enum h1_rc h1_scan(
    struct h1_scan *s, enum h1_kind kind, span in, const struct h1_limits *lim);

/* Read a complete request head (from its first byte to the empty line, both
 * included). Fills all of *m: form, authority by RFC 9112 3.2 (an absolute
 * target wins over Host), framing by 6.3, want_*. Checks everything the issue
 * of strictness names: Host, obs-fold, blanks before colons, Content-Length,
 * Transfer-Encoding, nominations. Text points into `head`; the field table is
 * in the arena. H1_OK or H1_BAD with *bad. */
enum h1_rc h1_parse_request(
    span head, struct arena *a, struct http_msg *m, enum h1_bad *bad);

/* Read a complete response head to a request with method `to`. Framing by RFC
 * 9112 6.3; LENGTH_OPEN with *is_chunked false means until close. 1xx and 204
 * and 304 and answers to HEAD have LENGTH_NONE (a length that a HEAD or 304
 * states stays in its field). want_close is also set when the connection cannot
 * be used again: content until close, or a 204 that announces content.
 * Whitespace before a colon is removed (5.1). */
enum h1_rc h1_parse_response(span head, enum http_method to, struct arena *a,
    struct http_msg *m, bool *is_chunked, enum h1_bad *bad);

/* Whether a request's body is chunked on the wire (after h1_parse_request). */
bool h1_is_chunked(const struct http_msg *m);

/* Read a complete trailer section (field lines and the empty line) into
 * m->trailers; fields that must not be there (field flags) are left out. */
enum h1_rc h1_parse_trailers(
    span section, struct arena *a, struct http_msg *m, enum h1_bad *bad);

/* Chunked coding (7.1), decoder; zero to begin, then may_have_ext as wanted:
 * false for requests, where chunk extensions are refused, true for responses,
 * where they are skipped, H1_CHUNK_EXT_MAX bytes a chunk at most. A size line
 * has 16 digits at most, leading zeros included. */
#define H1_CHUNK_EXT_MAX 256
struct h1_chunk {
	uint64_t left; /* bytes left of the current chunk */
	uint16_t state;
	uint16_t line_len; /* bytes of the current size line's part */
	bool may_have_ext;
};

enum h1_chunk_rc {
	H1_CHUNK_MORE, /* all of `in` used */
	H1_CHUNK_DATA, /* *data is a piece of content */
	H1_CHUNK_LAST, /* the last chunk's line is read: a trailer section
	                  (at least its CRLF) follows, h1_scan(H1_TRAILERS) */
	H1_CHUNK_BAD
};

/* Decode from the start of `in`; *used bytes are done with (for DATA, the piece
 * included; it is never empty). Sizes up to 2^63-1. LAST and BAD repeat. */
enum h1_chunk_rc h1_chunk_step(
    struct h1_chunk *c, span in, size_t *used, span *data);

/* Room for one chunk-size line, "ffffffffffffffff\r\n". */
#define H1_CHUNK_LINE_CAP 18
/* Write the line before a chunk of n > 0 bytes; the chunk is followed by CRLF.
 * Returns its length. */
size_t h1_chunk_line(uint64_t n, char out[H1_CHUNK_LINE_CAP]);

/* Bytes that h1_write_*() may need at most. */
size_t h1_request_size(const struct http_msg *m, span target);
size_t h1_response_size(const struct http_msg *m);
/* Write a head: first line, all fields that are not gone in their order, and
 * the empty line. Framing fields and Connection are the caller's, as fields of
 * the table. The first line says HTTP/1.0 for a message of that version, else
 * HTTP/1.1. The caller has made sure that no text holds CR, LF or NUL. Return
 * bytes written. */
size_t h1_write_request(const struct http_msg *m, span target, char *out);
size_t h1_write_response(const struct http_msg *m, char *out);
/* Last chunk, trailers that are not gone, and the empty line. */
size_t h1_trailers_size(const struct http_fields *trailers);
size_t h1_write_trailers(const struct http_fields *trailers, char *out);

#endif
