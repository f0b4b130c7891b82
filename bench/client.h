/* bench/client: one connection of the load generator, on which one exchange
 * after the other runs. It judges each answer (status, framing, length of the
 * body) and knows nothing of when the next one is due. */
#ifndef GH_CLIENT_H
#define GH_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/wire.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

/* What all clients of a run share. */
struct client_plan {
	int epoll_fd;
	struct sockaddr_in to;
	const char *request;
	size_t request_len; /* 0: only connect */
	bool is_oneshot; /* the server closes; await that too */
	bool has_expect;
	uint64_t expect; /* length that each body must have */
	char *in; /* CLIENT_IN_CAP bytes to read into */
	struct ssl_ctx_st *tls; /* NULL: plain */
	bool is_resuming; /* sessions of TLS are used again */
};

#define CLIENT_IN_CAP 1048576

enum client_state {
	CLIENT_CLOSED,
	CLIENT_CONNECTING,
	CLIENT_HANDSHAKE,
	CLIENT_SENDING,
	CLIENT_HEAD,
	CLIENT_BODY,
	CLIENT_ENDING,
	CLIENT_IDLE
};

/* How an exchange stands: still going, ended well, or not. */
enum client_rc { CLIENT_GOING, CLIENT_DONE, CLIENT_FAILED };

struct client {
	const struct client_plan *plan;
	uint32_t index; /* with `turn` in the data of every epoll event */
	uint32_t turn;
	int fd;
	enum client_state state;
	bool want_close;
	size_t sent;
	uint64_t took_ns; /* of the last exchange: to its answer's last byte */
	uint64_t since_ns;
	uint64_t bytes; /* body bytes read, over all exchanges */
	struct wire_body body;
	size_t part_len; /* of a partial head */
	char *part;
	struct ssl_st *ssl; /* while there is a connection by TLS */
	struct ssl_session_st *session; /* of the connection before */
	uint64_t n_resumed; /* connections that used one */
};

void client_init(
    struct client *c, const struct client_plan *plan, uint32_t index);

/* Close the connection, if there is one, and free what it holds. */
void client_close(struct client *c);

/* Close, and forget what was kept for the next connection. */
void client_fini(struct client *c);

/* Begin an exchange whose time counts from `since_ns`; connects first where
 * there is no connection. */
enum client_rc client_start(struct client *c, uint64_t since_ns);

/* Act on epoll events. An idle or closed client answers CLIENT_GOING. After
 * CLIENT_DONE the connection is kept unless either side wanted it closed. */
enum client_rc client_event(struct client *c, uint32_t events);

/* Whether the server has closed an idle connection, or answered unasked. */
bool client_is_lost(const struct client *c);

#endif
