/* up/origin: a place at an origin where one exchange is served: an HTTP/1.1
 * connection, or a stream of an HTTP/2 one. The tries of an exchange (up.c,
 * up_try.c, up_answer.c) know nothing else of the wire; the wires (h1o, h2o)
 * choose no server and decide no retry. */
#ifndef GH_ORIGIN_H
#define GH_ORIGIN_H

#include <stdbool.h>

#include "common/base/ip.h"
#include "common/net/sock.h"
#include "common/net/stream.h"
#include "worker/exch/exch.h"
#include "worker/up/up_group.h"

struct origin_ops;
struct up_try;

/* The first member of what a wire keeps of such a place. */
struct origin {
	const struct origin_ops *ops;
	struct up_server *server;
	struct exch *x; /* served here, kicked when something may move; NULL in
	                   a pool */
	bool is_reused; /* the connection has served before */
	enum fault_id why_late; /* when it is not READY in time; F_NONE:
	                           F_ORIGIN_CONNECT_TIMEOUT */
};

enum origin_rc { ORIGIN_WAIT, ORIGIN_READY, ORIGIN_FAILED };

/* Why a connection did not come about. */
struct origin_failure {
	enum fault_id why;
	int err; /* errno, or 0 */
	const char *detail; /* a constant for logs, or NULL */
};

/* How sure it must be that a used connection still lives, by what can be done
 * when it does not. */
enum origin_care {
	ORIGIN_CARE_NONE, /* the request is sent again */
	ORIGIN_CARE_REST, /* that, if it is known that nobody has served it */
	ORIGIN_CARE_ALL /* it cannot be sent again */
};

/* What an origin speaks. All calls return without calling back; t->o is the
 * place where the try goes on. */
struct origin_ops {
	/* Make what all tries of the exchange send, once (t->wire). false: a
	 * fault was raised. */
	bool (*prepare)(struct up_try *t);
	/* Dry run: tell what was made. */
	void (*explain)(const struct up_try *t);
	/* A place at a connection that is there already, or NULL. */
	struct origin *(*take)(struct up_try *t, enum origin_care care);
	/* A place at a new connection. NULL with errno. */
	struct origin *(*connect)(struct up_try *t, const struct sock_addr *to);
	/* Whether the try may begin. FAILED (told once, then the place is to be
	 * closed): *f says why. */
	enum origin_rc (*poll)(struct origin *o, struct origin_failure *f);
	/* Begin to send. */
	void (*begin)(struct up_try *t);
	/* Send of x->req_body what the origin takes; t->is_any_sent and
	 * t->is_send_over. Returns whether anything moved. */
	bool (*send)(struct up_try *t);
	/* Whether all of the request that will ever be is handed on. */
	bool (*is_sent)(const struct up_try *t);
	/* Read heads: try_got_info(), try_got_final() or try_failed() (the
	 * place is gone after it). Returns whether anything moved. */
	bool (*recv_head)(struct up_try *t);
	/* Read content into x->resp_body while it has room, trailers into
	 * x->resp; try_got_all() at the end, or try_cut(). Returns whether
	 * anything moved. */
	bool (*recv_body)(struct up_try *t);
	/* The tunnel's client ended its direction: so does ours. */
	void (*shut)(struct up_try *t);
	/* The exchange is done with it, in order; it may serve another one when
	 * can_reuse. */
	void (*release)(struct origin *o, bool can_reuse);
	/* The exchange gives it up. */
	void (*close)(struct origin *o);
	/* The same, and the origin sees that what it got was not all. */
	void (*reset)(struct origin *o);
	/* Close what no exchange uses at the server. */
	void (*drain)(struct up_server *s);
	/* It may say that it did not act on a request that it got: content is
	 * worth keeping whatever the method. */
	bool may_refuse;
	/* What is offered in TLS, in wire form (RFC 7301 3.1), ended by NUL. */
	const char *alpn;
};

/* Begin a connection to the server at that address, which is *at then, in the
 * struct of its owner. -1 with errno. */
int origin_connect(struct up_server *s, const struct sock_addr *to,
    struct stream *st, stream_event_f *fn, void *self, struct up_at *at);

/* Go on with opening it, at each event: the connection, then the handshake with
 * a server that speaks TLS. `first` goes ahead of the handshake, as it is.
 * FAILED is told once. */
enum origin_rc origin_open(struct up_server *s, struct stream *st, span first,
    struct origin_failure *f);
/* Note for logs where and over what the exchange is served. */
void origin_note(struct exch *x, const struct up_server *s,
    const struct up_at *at, const struct stream *st);

#endif
