/* serve/serve_int: what server (accepting), serve_conn (a connection) and
 * serve_call (what its handler asks) share. */
#ifndef GH_SERVE_INT_H
#define GH_SERVE_INT_H

#include <sys/socket.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/net/stream.h"
#include "common/serve/recv.h"
#include "common/serve/server.h"

#define MAGIC_SERVE MAGIC('S', 'R', 'V', 'E')
#define MAGIC_SERVE_CALL MAGIC('S', 'R', 'V', 'C')

/* The connections of one kind of socket. */
struct serve_room {
	struct serve *serve;
	struct list listeners;
	struct list waiting; /* connections whose client keeps us waiting */
	struct list busy; /* those whose handler does */
	uint32_t n_conns;
	struct timer pause; /* set: nobody is accepted */
};

/* Who comes from elsewhere takes no place of who is here. */
enum serve_room_kind {
	SERVE_ROOM_UNIX,
	SERVE_ROOM_TCP,
	SERVE_ROOM_STRANGERS, /* over TCP, too */
	SERVE_ROOMS
};

struct serve {
	uint32_t magic;
	struct loop *loop;
	struct serve_limits limits;
	const struct serve_route *routes;
	uint32_t n_routes;
	void *self; /* of the handlers */
	serve_stranger_f *is_stranger; /* NULL: nobody is */
	struct serve_room rooms[SERVE_ROOMS];
	struct list texts; /* that are taken, the longest taken first */
	uint32_t n_texts;
	struct arena_pool arenas;
	struct task reap;
};

struct serve_text {
	struct list node; /* in serve.texts while n_takers > 0 */
	char *p;
	size_t len;
	uint32_t n_refs;
	uint32_t n_takers;
};

enum serve_state {
	SERVE_IDLE, /* no byte of a request */
	SERVE_HEAD,
	SERVE_BODY,
	SERVE_CALL, /* its handler has it */
	SERVE_SEND,
	SERVE_LINGER, /* our direction has ended */
	SERVE_CLOSED
};

/* A connection, and the one call it may have. */
struct serve_call {
	uint32_t magic;
	struct list node; /* in room.waiting or room.busy */
	struct serve *serve;
	struct serve_room *room;
	enum serve_state state;
	struct stream stream;
	struct timer timer; /* the state's end */
	struct timer again; /* the next turn */
	struct task task;
	bool is_used; /* a request was answered */
	bool has_cred;
	struct ucred cred;
	struct recv_buf in;
	/* the request */
	struct h1_scan scan;
	struct arena arena;
	struct http_msg req;
	struct recv_body body;
	const struct serve_route *route;
	serve_cancel_f *cancel;
	void *cancel_self;
	/* the answer */
	struct http_msg resp;
	bool wants_close;
	char *out;
	size_t out_len;
	struct serve_text *text; /* behind `out`; NULL: none */
	size_t out_at; /* what is sent of both */
};

/* Serve a connected socket. Takes fd. */
void serve_conn_new(struct serve_room *room, int fd);
/* End it now; a call under way is cancelled. */
void serve_conn_close(struct serve_call *c);
struct serve_call *serve_conn_of(struct list *node);

/* --- serve_text.c --------------------------------------------------------- */

/* The call takes t, whose oldest sibling may have to go for that. */
void serve_text_take(struct serve_call *c, struct serve_text *t);
/* It does no longer. */
void serve_text_leave(struct serve_call *c);

#endif
