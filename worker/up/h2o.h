/* up/h2o: origins that speak HTTP/2 (RFC 9113). A connection carries as many
 * exchanges as the origin allows, each on a stream of its own. It drives
 * itself: opens, reads, writes, ends, and tells its streams what became of
 * them; an exchange finds all that it needs in its stream. */
#ifndef GH_H2O_H
#define GH_H2O_H

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/http/h2.h"
#include "common/net/stream.h"
#include "worker/exch/h2_io.h"
#include "worker/exch/inbuf.h"
#include "worker/up/origin.h"
#include "worker/up/up_try.h"

#define MAGIC_H2O MAGIC('H', '2', 'O', 'R')
#define MAGIC_H2O_STREAM MAGIC('H', '2', 'O', 'S')

/* Exchanges on a connection at once, however many the origin allows: what it
 * should allow at least (6.5.2), and what is taken for its limit before it has
 * told one. */
#define H2O_STREAMS_MAX 100u
/* Connections of a worker to one server; over it exchanges wait for a stream.
 * As many as are kept by default when nobody uses them. */
#define H2O_CONNS_MAX 64u
/* Content that an origin may send ahead on one stream: twice what makes the
 * body of an exchange full (64 KiB), so that the origin fills one half while
 * the client takes the other. This bounds what a slow client costs; and since a
 * body has slices for no more than 224 KiB, it could not be much larger. */
#define H2O_WINDOW (128u * 1024)
/* The same on all streams of a connection together. What came counts no more
 * (the streams' windows bound memory), so this is only what may be under way:
 * 4 MiB are 400 MB/s at 10 ms. */
#define H2O_CONNECTION_WINDOW (4u * 1024 * 1024)

enum h2o_state {
	H2O_OPENING,
	H2O_OPEN,
	H2O_LAST, /* takes no new streams; ends with its last one */
	H2O_CLOSED
};

struct h2_origin {
	uint32_t magic;
	enum h2o_state state;
	struct up_server *server;
	struct h2_session *h2; /* NULL while it opens */
	struct stream stream;
	struct sock_addr to;
	struct up_at at; /* where it was opened to */
	struct list node; /* in the server's conns while it takes streams */
	struct list
	    streams; /* h2o_stream.node: of those that are placed here */
	uint32_t n_streams;
	struct timer timer; /* of an opening, and of an idle one */
	struct task task; /* writing; then freeing */
	struct inbuf in;
	struct buf *reading; /* what h2_session_recv() was given */
	struct h2_unsent unsent;
	span first; /* a PROXY header, in the arena of its one exchange */
	uint64_t heard_ms; /* when the origin said anything last */
	bool is_private; /* speaks for one client alone */
	bool is_used; /* had a request */
	bool is_idle; /* in the server's n_idle */
	bool has_settings; /* the origin has told its own */
	bool has_later; /* a head waits for room in the session */
};

/* A head that came and was not looked at yet. */
struct h2o_head {
	struct h2o_head *next;
	struct http_msg m;
};

/* Why a stream broke. */
struct h2o_break {
	enum fault_id why; /* F_NONE: it did not */
	int err;
	const char *detail; /* lives as long as the exchange; or NULL */
};

/* The place of one try, in the exchange's arena. */
struct h2o_stream {
	struct origin base;
	struct h2_stream h2;
	uint32_t magic;
	struct up_try *t;
	struct h2_origin *conn; /* NULL: waits for room, or broke */
	struct list node; /* in its connection's streams or the server's waiting
	                   */
	struct sock_addr to;
	struct origin_failure failure; /* to open; why F_NONE: none */
	struct h2o_break broken;
	struct h2o_head *heads; /* oldest first */
	struct h2o_head *last_head;
	uint32_t n_heads; /* that ever came */
	struct http_fields trailers;
	struct h2_tail tail;
	uint64_t told; /* bytes consumed, as far as the session knows */
	uint64_t seen; /* bytes that came, as far as the pump knows */
	uint64_t taken; /* bytes of the request that were gathered */
	uint64_t shown; /* of these, as far as the pump knows */
	bool is_begun; /* the request was handed to the session */
	bool is_ended; /* the answer is complete */
};

extern const struct origin_ops h2o_ops;

static inline struct h2o_stream *
h2o_of(struct origin *o)
{
	struct h2o_stream *s = LIST_ENTRY(o, struct h2o_stream, base);

	OBJ_CHECK(s, MAGIC_H2O_STREAM);
	return s;
}

static inline struct h2o_stream *
h2o_stream_of(struct h2_stream *st)
{
	struct h2o_stream *s = LIST_ENTRY(st, struct h2o_stream, h2);

	OBJ_CHECK(s, MAGIC_H2O_STREAM);
	return s;
}

/* --- connections: h2o_conn.c ---------------------------------------------- */

/* A connection that begins to open, without streams. NULL with errno. */
struct h2_origin *h2o_conn_new(
    struct up_server *s, const struct sock_addr *to, span first);
/* Go on with opening it; its streams are told what becomes of it. */
void h2o_conn_open(struct h2_origin *c);
/* Read what is there already; it may be closed behind it. */
void h2o_conn_read(struct h2_origin *c);
/* Something is to be sent: at the end of this batch. */
void h2o_conn_want_flush(struct h2_origin *c);
/* No new streams from now on; the end comes with the last one. */
void h2o_conn_last(struct h2_origin *c);
/* Its last stream has left: it is kept, or ends. */
void h2o_conn_rest(struct h2_origin *c);
/* End one without streams, now. Not from an event of the session. */
void h2o_conn_end(struct h2_origin *c);
/* One that was kept is used again. */
void h2o_conn_wake(struct h2_origin *c);

/* --- places of streams: h2o_place.c --------------------------------------- */

struct origin *h2o_take(struct up_try *t, enum origin_care care);
struct origin *h2o_connect(struct up_try *t, const struct sock_addr *to);
enum origin_rc h2o_poll(struct origin *o, struct origin_failure *f);
void h2o_release(struct origin *o, bool can_reuse);
void h2o_close(struct origin *o);
void h2o_drain(struct up_server *s);
/* Take a stream off its connection, whatever state it is in. */
void h2o_detach(struct h2o_stream *s, enum h2_code code);
/* Room has come about, or may have: the first n who wait look again. */
void h2o_kick_waiting(struct up_server *s, uint32_t n);

/* --- one exchange on a stream --------------------------------------------- */

/* What all tries of an exchange send; t->wire. */
struct h2o_wire {
	struct http_msg m;
	span target;
	span accept; /* of a WebSocket handshake of HTTP/1.1 */
	bool has_content;
};

static inline struct h2o_wire *
h2o_wire(const struct up_try *t)
{
	return t->wire;
}

/* h2o_send.c */
bool h2o_prepare(struct up_try *t);
void h2o_explain(const struct up_try *t);
void h2o_begin(struct up_try *t);
bool h2o_send(struct up_try *t);
bool h2o_is_sent(const struct up_try *t);
void h2o_shut(struct up_try *t);
size_t h2o_content(void *self, struct h2_stream *st, size_t max, bool *is_last);
void h2o_take_content(void *self, struct h2_stream *st, char *to, size_t n);
void h2o_sent(void *self, struct h2_stream *st);
/* h2o_recv.c */
extern const struct h2_events h2o_events;
bool h2o_recv_head(struct up_try *t);
bool h2o_recv_body(struct up_try *t);

#endif
