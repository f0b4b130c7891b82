/* bench/secure: TLS beneath a client of the load generator, which sees calls
 * that behave like send(2) and recv(2). RFC 8446. */
#ifndef GH_SECURE_H
#define GH_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench/client.h"

/* What all clients share: TLS 1.3, one cipher, ALPN http/1.1, no judgement of
 * certificates. Exits when OpenSSL cannot. */
struct ssl_ctx_st *secure_plan(void);
void secure_plan_free(struct ssl_ctx_st *tls);

/* Begin on c->fd, with the session of the last connection where the plan says
 * so and there was one. */
bool secure_start(struct client *c);

/* Go on with the handshake. CLIENT_DONE: data may be sent. */
enum client_rc secure_handshake(struct client *c);

/* As send(2) and recv(2) on a nonblocking socket: -1 and EAGAIN when it is not
 * ready, 0 of secure_recv() at an end in order. */
ssize_t secure_send(struct client *c, const char *data, size_t len);
ssize_t secure_recv(struct client *c, char *to, size_t len);

/* End TLS, before c->fd is closed; the session is kept for the next time. */
void secure_end(struct client *c);

/* Forget the session as well. */
void secure_forget(struct client *c);

#endif
