/* http/h2: HTTP/2 on the wire (RFC 9113), server and client, around nghttp2,
 * which knows frames, HPACK, stream states and windows. This module knows what
 * a message is: every rule of RFC 9113 8 is checked here, so that nothing that
 * an HTTP/2 peer says can become another message, field or framing on a
 * connection of another version. Bytes in, events out, bytes out: no
 * descriptor, no clock; its memory comes from a pool per connection that is
 * bounded by H2_MEM_MAX.
 *
 * A session and its streams call back only from h2_session_recv() and
 * h2_session_gather(). The owner may call everything but these two and
 * h2_session_free() from within an event; a stream's memory stays until the
 * event has returned. */
#ifndef GH_H2_H
#define GH_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/http/h1.h"
#include "common/http/msg.h"

/* Memory of a session, HPACK tables, streams and frames that wait included.
 * Over it the connection ends with ENHANCE_YOUR_CALM. Measured in
 * t/unit/test_h2_mem.c: a session of 128 streams with answers of 1 KiB of
 * fields each needs less than half of it. */
#define H2_MEM_MAX (512u * 1024)
/* Heads that wait for h2_session_gather() before H2_RC_LATER. */
#define H2_QUEUE_MAX (128u * 1024)
/* Most bytes of DATA in one frame: what every peer must take (4.2). */
#define H2_FRAME_MAX 16384u
/* What a client sends first (3.4). */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN 24

enum h2_code {
#define H2_CODE(name, number) H2_##name = number,
#include "common/http/h2_code.def"
#undef H2_CODE
	H2_CODE_N
};

/* "PROTOCOL_ERROR"; "UNKNOWN" when there is no such code. */
const char *h2_code_name(uint32_t code);

/* Why a message was refused: h2_bad.def. */
enum h2_bad {
	H2_BAD_NONE = 0,
#define H2_BAD(name, status, text) H2_BAD_##name,
#include "common/http/h2_bad.def"
#undef H2_BAD
	H2_BAD_N
};

/* 0: the stream is reset with PROTOCOL_ERROR. Not for H2_BAD_NONE. */
unsigned h2_bad_status(enum h2_bad bad);
const char *h2_bad_text(enum h2_bad bad);

/* What a peer that was told ENHANCE_YOUR_CALM did: h2_calm.def. */
enum h2_calm {
#define H2_CALM(name, cost, text) H2_CALM_##name,
#include "common/http/h2_calm.def"
#undef H2_CALM
	H2_CALM_N
};

struct h2_session;

/* One stream, in memory of the owner's, zeroed; valid for the session until
 * h2_stream_leave(), also when the stream is long closed. */
struct h2_stream {
	struct h2_session *session; /* NULL: not open, or left */
	struct arena *arena; /* set by the owner: heads live in it */
	/* Set by the owner before its content ends; or NULL. Must live until
	 * on_sent. Fields that are no trailers are left out. */
	const struct http_fields *trailers;
	int32_t id;
	uint32_t unconsumed; /* bytes told by on_data, not yet consumed */
	uint64_t length; /* of the content, if it was announced */
	uint64_t got; /* content so far */
	uint64_t wire_in; /* bytes of its frames, both directions */
	uint64_t wire_out;
	/* the session's own */
	bool has_length;
	bool has_head; /* the peer's (final) head is complete */
	bool is_recv_over; /* the peer has ended its direction */
	bool is_answering; /* our head was submitted */
	bool is_send_over; /* our END_STREAM was gathered */
	bool is_waiting; /* for content; see h2_stream_resume() */
	bool is_without; /* client: the answer has no content */
	bool is_to_head; /* client: the request was HEAD */
	bool is_tunnel; /* CONNECT: DATA is no content */
	bool is_closed; /* no frame comes or goes any more */
	bool was_told; /* that it is broken */
};

/* What a session tells its owner. Only on_open, content and take are needed by
 * every owner of a server, on_open by none of a client; all others must be
 * there. */
struct h2_events {
	/* Server: a client begins a request. The stream, zeroed but for its
	 * arena; NULL: it is refused (REFUSED_STREAM). */
	struct h2_stream *(*on_open)(void *self);
	/* A head is complete; *m is the owner's to copy, its text and table are
	 * in the stream's arena (static text for known names).
	 *
	 * At a server: a request. m->form, authority, host, port, path, query
	 * as of HTTP/1 (a Host field is always there), m->body from
	 * Content-Length and the end of the stream, m->protocol for extended
	 * CONNECT, want_continue; several Cookie lines are one. `bad` says why
	 * it is to be refused with h2_bad_status(); of *m only method_text is
	 * then certain, if at all.
	 *
	 * At a client: an answer, interim (1xx, more follow) or final; `bad` is
	 * H2_BAD_NONE. */
	void (*on_head)(void *self, struct h2_stream *st, struct http_msg *m,
	    enum h2_bad bad);
	/* Content. `data` lies in what h2_session_recv() was given. It counts
	 * against the windows until h2_stream_consume(), at a client against
	 * that of its stream alone. Never empty. */
	void (*on_data)(void *self, struct h2_stream *st, span data);
	/* The peer's message is complete. `trailers` (in the arena, to be
	 * copied) or NULL. */
	void (*on_end)(void *self, struct h2_stream *st,
	    const struct http_fields *trailers);
	/* The stream is broken before both messages were complete: by the peer
	 * (RST_STREAM, GOAWAY before it was served) or because of it. `bad`
	 * says what was malformed; NONE: something else. It comes once, the
	 * last event of a stream. is_unserved: the peer has certainly not
	 * acted on the request (8.7). */
	void (*on_reset)(void *self, struct h2_stream *st, uint32_t code,
	    enum h2_bad bad, bool is_unserved);
	/* How many bytes of content the owner has at hand (0 .. `max` is
	 * enough). *is_last: with them the content is complete. 0 and not
	 * last: the stream waits for h2_stream_resume(). */
	size_t (*content)(
	    void *self, struct h2_stream *st, size_t max, bool *is_last);
	/* Copy the next n of them to `to`: they are sent. */
	void (*take)(void *self, struct h2_stream *st, char *to, size_t n);
	/* All of our message was gathered. */
	void (*on_sent)(void *self, struct h2_stream *st);
	/* The peer's settings changed, or it acknowledged ours. */
	void (*on_settings)(void *self);
	/* The peer will serve nothing new (6.8). Streams that it never saw are
	 * told by on_reset. */
	void (*on_goaway)(void *self, uint32_t code);
	/* The answer to h2_session_ping() came. */
	void (*on_pong)(void *self);
};

enum h2_role { H2_SERVER, H2_CLIENT };

struct h2_config {
	enum h2_role role;
	/* head_max counts name + value + 32 for each field (6.5.2), fields_max
	 * lines, line_max method and path of a request. */
	const struct h1_limits *limits; /* must outlive the session */
	uint32_t window; /* bytes of a stream, 65535 .. 2^31-1 */
	uint32_t connection_window; /* of all streams, 65535 .. 2^31-1 */
	uint32_t streams_max; /* that the peer may have open */
	bool has_connect_protocol; /* server: extended CONNECT is served */
};

/* A session with its SETTINGS in the queue. NULL: no memory. */
struct h2_session *h2_session_new(
    const struct h2_config *c, const struct h2_events *ev, void *self);
/* All streams must have been left. */
void h2_session_free(struct h2_session *s);

enum h2_rc {
	H2_RC_OK,
	H2_RC_LATER, /* again after the next h2_session_gather() */
	H2_RC_OVER /* the session or the stream cannot do it any more */
};

/* Take bytes of the wire, all of them. now_ms: any clock that only grows; it
 * pays for frames that are of no use. H2_RC_OVER: the connection is at its end
 * (what h2_session_gather() still gives, GOAWAY, is worth sending); no event
 * comes any more. */
enum h2_rc h2_session_recv(struct h2_session *s, span in, uint64_t now_ms);
/* Put up to cap (at least 512) bytes of what is to be sent into out: frames of
 * all streams in the order of their priority (RFC 9218), content asked of the
 * owner. Returns how many; less than 256 bytes under cap means that there is no
 * more for now. */
size_t h2_session_gather(struct h2_session *s, char *out, size_t cap);
/* Whether h2_session_gather() may have something (cheap, may err to true). */
bool h2_session_wants_send(const struct h2_session *s);
/* Whether all is said: nothing to send, and nothing that could come is of
 * interest. The connection may be closed when what was gathered is out. */
bool h2_session_is_over(const struct h2_session *s);
/* Why h2_session_recv() or _gather() came to its end: an enum h2_code of ours,
 * and text for logs; NO_ERROR and "" while all is well. */
uint32_t h2_session_code(const struct h2_session *s);
const char *h2_session_why(const struct h2_session *s);
/* With ENHANCE_YOUR_CALM of ours: for what; else H2_CALM_N. */
enum h2_calm h2_session_calm(const struct h2_session *s);

/* Streams that are open, those included whose owner has left. */
uint32_t h2_session_streams(const struct h2_session *s);
/* Client: how many requests could be begun now. 0 after a GOAWAY of either
 * side. */
uint32_t h2_session_room(const struct h2_session *s);
/* Client: how many streams at once the peer takes, as far as it has told. */
uint32_t h2_session_streams_max(const struct h2_session *s);
/* Bytes of the pool in use, and the highest they were. */
size_t h2_session_memory(const struct h2_session *s);
size_t h2_session_memory_peak(const struct h2_session *s);
/* Whether the peer serves extended CONNECT (RFC 8441 3). */
bool h2_session_may_tunnel(const struct h2_session *s);
/* Whether the peer has acknowledged our SETTINGS. */
bool h2_session_is_settled(const struct h2_session *s);

/* First step of an end that loses no stream (6.8): tell the peer that it is
 * near, and ask for a PONG, after which nothing that crossed it is under way.
 * Idempotent. */
void h2_session_warn(struct h2_session *s);
/* Second step, or the only one: streams that begin from now on are ignored;
 * those that run go on. Idempotent. */
void h2_session_goaway(struct h2_session *s, enum h2_code code);
/* End it at once, with this code. */
void h2_session_end(struct h2_session *s, enum h2_code code, const char *why);
/* Ask for a sign of life. */
void h2_session_ping(struct h2_session *s);

/* Client: begin a request. `st` zeroed but for its arena; target is :path. Of m
 * are used: method, scheme, authority, protocol (extended CONNECT), fields (in
 * lower case on the wire; Host, connection-specific ones and what is gone are
 * left out). has_content: content() will be asked. */
enum h2_rc h2_stream_request(struct h2_session *s, struct h2_stream *st,
    const struct http_msg *m, span target, bool has_content);
/* Server: the answer's head: m->status and fields, as above. */
enum h2_rc h2_stream_answer(
    struct h2_stream *st, const struct http_msg *m, bool has_content);
/* Server: an interim answer (1xx, but 101). */
enum h2_rc h2_stream_info(struct h2_stream *st, const struct http_msg *m);
/* There is content again, or its end. */
void h2_stream_resume(struct h2_stream *st);
/* n bytes that on_data told are done with: the peer may send as many. */
void h2_stream_consume(struct h2_stream *st, uint32_t n);
/* The owner needs it no more and its memory may go. What is not complete is
 * broken off with that code; a server that has answered a request that still
 * comes says NO_ERROR (8.1). Harmless when left already. */
void h2_stream_leave(struct h2_stream *st, enum h2_code code);

#endif
