/* front/h1f: a client connection that speaks HTTP/1.x (RFC 9112). One exchange
 * at a time; what is pipelined waits in the connection's buffer or the kernel.
 * An idle connection owns no buffer and no exchange. */
#ifndef GH_H1F_H
#define GH_H1F_H

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/wire_in.h"
#include "worker/exch/wire_out.h"
#include "worker/front/conn.h"
#include "worker/front/pace.h"

#define MAGIC_H1F MAGIC('H', '1', 'F', 'R')

enum h1f_state {
	H1F_GREETING, /* what comes before the first request */
	H1F_IDLE, /* nothing of the next request is here */
	H1F_HEAD, /* a part of its head is here */
	H1F_EXCH, /* an exchange runs */
	H1F_LINGER, /* our direction has ended; theirs is read and dropped */
	H1F_TAKEN, /* it speaks something else: another front has it */
	H1F_CLOSED
};

/* Wire state of the running exchange; lives in its arena. */
struct h1f_msg {
	struct wire_in in;
	struct wire_out out;
	uint32_t head_len; /* bytes of the request's head */
	bool has_head; /* the final head was rendered */
	bool is_close_delimited;
	bool wants_close;
	struct pace in_pace; /* of its content */
	struct pace out_pace; /* of the client taking the answer */
};

struct h1_front {
	struct conn conn;
	uint32_t magic;
	enum h1f_state state;
	struct exch *x;
	struct h1f_msg *m; /* with x */
	struct h1_scan scan;
	uint64_t begin_us; /* first byte of the request being read */
	bool is_send_blocked;
	bool is_used; /* had a request before */
};

/* Serve an accepted, non-blocking descriptor (taken, also on failure, where it
 * is closed). */
void h1f_accept(struct worker *w, const struct plan_listen *l, int fd,
    const struct sock_addr *peer, const struct sock_addr *local);

/* --- between the files of this folder ------------------------------------ */

/* Microseconds of CLOCK_MONOTONIC of this turn. */
static inline uint64_t
h1f_now_us(const struct h1_front *c)
{
	return worker_clock(c->conn.w)->mono_us;
}

/* h1f_recv.c: front_ops.pull, and reading into nothing. */
bool h1f_pull(void *self, struct exch *x);
/* Read and drop what is left of a small request content that is already here.
 * Whether the message is complete now. */
bool h1f_drain(struct h1_front *c);

/* h1f_send.c */
bool h1f_send(void *self, struct exch *x);
/* The client takes nothing more: wait until it does, as long as it may. */
void h1f_await_room(struct h1_front *c);
void h1f_send_info(void *self, struct exch *x, struct http_msg *info);

#endif
