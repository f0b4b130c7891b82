/* front/h2f: a client connection that speaks HTTP/2 (RFC 9113). Each stream is
 * an exchange of its own, whose memory holds all that the stream needs here.
 * What the exchanges want to say is gathered once per batch of events, for all
 * streams together, and written in as few calls as there are. */
#ifndef GH_H2F_H
#define GH_H2F_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/http/h2.h"
#include "worker/exch/exch.h"
#include "worker/exch/h2_io.h"
#include "worker/front/conn.h"
#include "worker/front/pace.h"

#define MAGIC_H2F MAGIC('H', '2', 'F', 'R')
#define MAGIC_H2F_STREAM MAGIC('H', '2', 'S', 'T')

/* Streams of a connection at once: what nginx, Apache and h2o allow, and more
 * than any browser uses. */
#define H2F_STREAMS_MAX 128u
/* Content that a client may send ahead on one stream: what the body of an
 * exchange holds. */
#define H2F_WINDOW 65535u
/* The same on all streams of a connection together. */
#define H2F_CONNECTION_WINDOW (1024u * 1024)

enum h2f_state {
	H2F_OPEN,
	H2F_LINGER, /* our last word is written */
	H2F_CLOSED
};

struct h2_front {
	uint32_t magic;
	enum h2f_state state;
	struct conn *conn;
	struct h2_session *h2;
	struct list streams; /* h2f_stream.node: exchanges that run */
	struct list ready; /* h2f_stream.turn: content that waits */
	struct list later; /* h2f_stream.turn: heads that wait */
	uint32_t n_streams;
	struct buf *reading; /* what h2_session_recv() was given */
	struct h2_unsent unsent;
	struct pace pace; /* of the client taking what is sent */
	struct h2f_stream *opening; /* whose head is not complete */
	size_t counted; /* bytes of its session, in worker.h2_bytes */
	bool is_used; /* had a request */
};

/* What a stream waits for, with a deadline. */
enum h2f_wait {
	H2F_WAIT_NOTHING,
	H2F_WAIT_HEAD,
	H2F_WAIT_CONTENT,
	H2F_WAIT_WINDOW
};

struct h2f_stream {
	struct h2_stream h2;
	uint32_t magic;
	struct h2_front *front;
	struct exch *x;
	struct list node;
	struct list turn;
	struct timer timer;
	enum h2f_wait wait;
	struct pace in_pace; /* of its content */
	struct pace out_pace; /* of its window */
	struct h2_tail tail;
	struct body *early; /* what came before a tunnel was granted */
	uint64_t told; /* bytes consumed, as far as the session knows */
	enum h2_code code; /* to break it off with */
	bool is_heard; /* the client has ended its direction */
	bool is_broken; /* nothing can be sent any more */
	bool is_said; /* all of the answer was gathered */
};

/* Go on with a connection whose client speaks HTTP/2. */
void h2f_take(struct conn *k);

/* --- between the files of this folder ------------------------------------- */

/* h2f_conn.c */
/* Something is to be sent: at the end of this batch. */
void h2f_want_flush(struct h2_front *f);
/* A stream's exchange is over: it is out of all lists. */
void h2f_left(struct h2_front *f);

/* h2f_recv.c: what a session tells of streams. */
extern const struct h2_events h2f_events;
/* Set the deadline of what a stream waits for. */
void h2f_wait(struct h2f_stream *s, enum h2f_wait what);
/* front_ops.pull */
bool h2f_pull(void *self, struct exch *x);

/* h2f_send.c: front_ops of a stream. */
extern const struct front_ops h2f_ops;
size_t h2f_content(void *self, struct h2_stream *st, size_t max, bool *is_last);
void h2f_take_content(void *self, struct h2_stream *st, char *to, size_t n);
void h2f_sent(void *self, struct h2_stream *st);

#endif
