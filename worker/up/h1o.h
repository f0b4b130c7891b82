/* up/h1o: a connection to an origin that speaks HTTP/1.1: being opened, busy
 * with one exchange, or idle in its server's pool. */
#ifndef GH_H1O_H
#define GH_H1O_H

#include "common/base/check.h"
#include "common/net/stream.h"
#include "worker/exch/inbuf.h"
#include "worker/exch/wire_in.h"
#include "worker/exch/wire_out.h"
#include "worker/up/origin.h"
#include "worker/up/up_try.h"

#define MAGIC_H1O MAGIC('H', '1', 'O', 'R')

enum h1o_state { H1O_OPENING, H1O_BUSY, H1O_IDLE, H1O_CLOSED };

struct h1_origin {
	struct origin base;
	uint32_t magic;
	enum h1o_state state;
	struct stream stream;
	struct up_at at; /* where it was opened to */
	struct list node; /* in the server's idle */
	struct timer timer; /* of an idle one */
	struct task task; /* freeing */
	span first; /* goes ahead of a handshake, in the exchange's arena */
	struct inbuf in;
	uint64_t rested_us; /* since when it is idle */
	uint64_t taken_in; /* batch of the loop in which the pool gave it, if
	                      nobody looked at it then; or 0 */
	bool is_spoilt; /* something came before the request went out */
};

extern const struct origin_ops h1o_ops;

static inline struct h1_origin *
h1o_of(struct origin *o)
{
	struct h1_origin *h = LIST_ENTRY(o, struct h1_origin, base);

	OBJ_CHECK(h, MAGIC_H1O);
	return h;
}

/* --- connections and their pool: h1o.c ------------------------------------ */

struct origin *h1o_connect(struct up_try *t, const struct sock_addr *to);
struct origin *h1o_take(struct up_try *t, enum origin_care care);
enum origin_rc h1o_poll(struct origin *o, struct origin_failure *f);
void h1o_release(struct origin *o, bool can_reuse);
void h1o_close(struct origin *o);
void h1o_reset(struct origin *o);
void h1o_drain(struct up_server *s);

/* --- one exchange on a connection ----------------------------------------- */

/* A struct h1o_wire is t->wire. */
struct h1o_wire {
	span head; /* rendered request head */
	char *traceparent; /* its value in the head, each try's own; or NULL */
	struct wire_out out;
	struct wire_in in;
	struct h1_scan scan;
	bool has_tunnel; /* its request's content is one of raw bytes */
};

static inline struct h1o_wire *
h1o_wire(const struct up_try *t)
{
	return t->wire;
}

/* h1o_send.c */
bool h1o_prepare(struct up_try *t);
/* The same, with another target in the first line. */
bool h1o_prepare_for(struct up_try *t, span target);
void h1o_explain(const struct up_try *t);
void h1o_begin(struct up_try *t);
bool h1o_send(struct up_try *t);
bool h1o_is_sent(const struct up_try *t);
void h1o_shut(struct up_try *t);
/* h1o_recv.c */
bool h1o_recv_head(struct up_try *t);
/* The same, with another taker of the final head; the place may be gone after
 * it. */
typedef void h1o_final_f(
    struct up_try *t, const struct http_msg *m, bool is_chunked);
bool h1o_recv_head_for(struct up_try *t, h1o_final_f *final);
bool h1o_recv_body(struct up_try *t);

#endif
