/* up/h1o: a connection to an origin that speaks HTTP/1.1: connecting, busy with
 * one exchange, or idle in its server's pool. */
#ifndef GH_H1O_H
#define GH_H1O_H

#include "common/base/check.h"
#include "common/net/stream.h"
#include "worker/exch/exch.h"
#include "worker/exch/inbuf.h"
#include "worker/up/up_group.h"

#define MAGIC_H1O MAGIC('H', '1', 'O', 'R')

enum h1o_state { H1O_CONNECTING, H1O_BUSY, H1O_IDLE, H1O_CLOSED };

struct h1_origin {
	uint32_t magic;
	enum h1o_state state;
	struct stream stream;
	struct up_server *server;
	struct ip ip; /* where a server that is a name was found */
	struct list node; /* in server->idle */
	struct timer timer; /* of an idle one */
	struct task task; /* freeing */
	struct inbuf in;
	struct exch *x; /* busy with it */
	uint64_t taken_in; /* batch of the loop in which the pool gave it */
	bool is_reused;
	bool is_spoilt; /* something came before the request went out */
};

/* Begin a connection for the exchange. NULL with errno. */
struct h1_origin *h1o_connect(
    struct up_server *s, const struct sock_addr *to, struct exch *x);
/* Take the connection used last out of the pool, or NULL. `is_sure`: ask the
 * kernel once more that the origin did not close it meanwhile. */
struct h1_origin *h1o_take(struct up_server *s, struct exch *x, bool is_sure);
/* The exchange is done with it, in order: back into the pool, or closed. */
void h1o_release(struct h1_origin *o);
/* It cannot be used again. */
void h1o_close(struct h1_origin *o);
/* The same by a reset. */
void h1o_break(struct h1_origin *o);

#endif
