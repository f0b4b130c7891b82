/* front/conn: a client connection, whatever it speaks: what all fronts have in
 * common, and how it begins. A connection that was accepted is greeted first
 * (PROXY header, then its protocol); the front that its protocol asks for goes
 * on with it. The front that began embeds it as its first member; another one
 * that goes on with it hangs itself on it. */
#ifndef GH_CONN_H
#define GH_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/base/list.h"
#include "common/net/sock.h"
#include "common/net/stream.h"
#include "common/tls/tls_hello.h"
#include "common/tls/tls_stream.h"
#include "worker/exch/exch.h"
#include "worker/exch/inbuf.h"
#include "worker/exch/plan.h"

#define MAGIC_CONN MAGIC('C', 'O', 'N', 'N')

struct conn;

/* What a worker asks of its connections, and the loop tells them. */
struct conn_ops {
	const char *name; /* "HTTP/1.1", for logs */
	void (*on_event)(struct conn *k, unsigned events);
	void (*on_timer)(struct conn *k);
	/* Its deferred task: go on where it stopped. */
	void (*on_task)(struct conn *k);
	/* Close it if it has had a request and waits for the next one. */
	void (*close_idle)(struct conn *k);
	/* Its time is over: an idle one closes, exchanges are broken off, and
	 * tunnels when `all`. */
	void (*expire)(struct conn *k, bool all, enum fault_id why);
	/* Bytes that it holds. */
	size_t (*holds)(const struct conn *k);
	/* The worker retires: tell the client that it should go elsewhere. NULL
	 * where only an answer can say so. */
	void (*retire)(struct conn *k);
};

/* What comes before the first request, in this order. */
enum conn_greeting {
	CONN_PROXY, /* the PROXY header is awaited */
	CONN_TLS, /* the handshake is under way */
	CONN_PREFACE, /* its first bytes tell whether it is HTTP/2 */
	CONN_HELLO, /* they tell whether it is TLS, for somebody else */
	CONN_GREETED
};

/* Addresses told by a PROXY header, or by who redirected it here. */
struct conn_told {
	struct sock_addr dst;
};

struct conn {
	uint32_t magic;
	const struct conn_ops *ops;
	struct stream stream;
	struct worker *w;
	const struct plan_listen *listen;
	struct list node; /* in worker.conns */
	struct timer timer;
	struct task task;
	struct inbuf in;
	void *front; /* of who went on with it; NULL: who began embeds it */
	uint64_t linger_until_ms;
	uint32_t headcount; /* its place there; 0: it is not counted */
	size_t unsent; /* while sending is blocked: what the kernel held */
	struct conn_told *told;
	struct tls_facts *tls; /* NULL: a plain connection */
	enum conn_greeting greeting;
	bool is_tls; /* it counts as such */
	bool is_early; /* it began before the handshake ended */
	bool is_intercepted; /* it was going elsewhere, as `told` says */
	struct ip peer;
	uint16_t peer_port;
	uint16_t local_port;
	bool is_unix;
};

enum conn_rc {
	CONN_MORE, /* an event will tell when to go on */
	CONN_H1, /* it speaks HTTP/1; what is at hand lies in k->in */
	CONN_H2, /* the same for HTTP/2 */
	CONN_TLS_THROUGH, /* it speaks TLS with somebody else */
	CONN_BAD /* to be closed; the log says why */
};

/* Begin: take over an accepted, non-blocking descriptor. `k` is zeroed memory
 * of the caller's. false: the descriptor is closed and k is not used. */
bool conn_open(struct conn *k, const struct conn_ops *ops, struct worker *w,
    const struct plan_listen *l, int fd, const struct sock_addr *peer,
    const struct sock_addr *local);
/* Go on with what comes before the first request. */
enum conn_rc conn_greet(struct conn *k);
/* After CONN_TLS_THROUGH: the name that its handshake asks for, in lower case, or
 * the empty span when it is not to be had. */
span conn_hello_name(const struct conn *k, char name[TLS_NAME_MAX + 1]);
/* What was awaited of the greeting did not come in time: say so in the log. */
void conn_log_late(const struct conn *k);
/* Sending is blocked from now on: note what the kernel holds. Then, how much of
 * it and of the bytes `written` since then the client took since it was last
 * asked: the kernel tells of room only when much of its buffer is free, which
 * takes a slow client long. */
void conn_note_unsent(struct conn *k);
size_t conn_taken(struct conn *k, size_t written);
/* Our direction ends, everything is written: what the client still sends is
 * read and dropped for a while, so that a reset does not overtake the last
 * bytes (RFC 9112 9.6). Both set the timer, or the task when it goes on by
 * itself; call conn_linger() again then and on events. false: to be closed. */
bool conn_linger_begin(struct conn *k);
bool conn_linger(struct conn *k);
/* It is gone: forget it and free the memory that begins at k at the end of the
 * batch. The stream is closed already. */
void conn_gone(struct conn *k);
/* Whether its handshake has not ended, although it began. Its end is awaited
 * before the connection is closed. */
bool conn_is_early(const struct conn *k);
/* Whose connection it is, into a new exchange. */
void conn_tell(const struct conn *k, struct exch_client *client);
/* For front_ops.local_addr. */
bool conn_local_addr(const struct conn *k, struct sock_addr *out);

/* Trailers as clients get them: they come after the stages have seen the head. */
void conn_fit_trailers(struct exch *x);

#endif
