/* net/sock: sockets and their addresses. */
#ifndef GH_SOCK_H
#define GH_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "common/base/ip.h"
#include "common/base/span.h"

/* An address of any family this program speaks. */
struct sock_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
	socklen_t len;
};

/* Longest text of sock_addr_format(), its NUL included. */
#define SOCK_ADDR_TEXT_CAP 128

/* ":80" (all of IPv4 and IPv6: [::] without V6ONLY), "127.0.0.1:80",
 * "[::1]:443", "unix:/run/x.sock". Port 0 is allowed. false when malformed or a
 * name. */
bool sock_addr_parse(span s, struct sock_addr *out);
void sock_addr_from_ip(
    const struct ip *ip, uint16_t port, struct sock_addr *out);
/* false for a unix socket. */
bool sock_addr_ip(const struct sock_addr *a, struct ip *ip, uint16_t *port);
/* "1.2.3.4:80", "[::1]:80", "unix:/path" with NUL; returns the length. */
size_t sock_addr_format(
    const struct sock_addr *a, char out[SOCK_ADDR_TEXT_CAP]);
bool sock_addr_eq(const struct sock_addr *a, const struct sock_addr *b);

/* A bound, listening, non-blocking, close-on-exec socket with SO_REUSEADDR; an
 * existing unix socket that nobody answers on is replaced. `is_v6only` leaves
 * the addresses of IPv4 to others. -1 with errno. */
int sock_listen(const struct sock_addr *a, bool is_v6only, int backlog);
/* Connections to a listening socket are for accepting once the client has said
 * something, or after a second or two (TCP_DEFER_ACCEPT, tcp(7)): who speaks
 * first and is accepted can be read from at once. No more than a saving: where
 * there is no such thing nothing happens. */
void sock_defer_accept(int fd);
/* A non-blocking, close-on-exec socket whose connection has been started
 * (TCP_NODELAY set). -1 with errno; *is_done tells that it is open already. */
int sock_connect(const struct sock_addr *to, bool *is_done);
/* A non-blocking, close-on-exec socket whose datagrams go there. -1 with
 * errno. */
int sock_connect_datagram(const struct sock_addr *to);
/* accept4 with non-blocking, close-on-exec. -1 with errno. */
int sock_accept(int fd, struct sock_addr *peer);
/* Where an accepted connection was going when the kernel (netfilter) redirected
 * it to us; `is_v4`: its addresses are of IPv4, whatever the socket's family is.
 * One that nobody redirected tells its own address, or fails. -1 with errno. */
int sock_original(int fd, bool is_v4, struct sock_addr *out);
/* The pending error of a socket (SO_ERROR), 0 when none. */
int sock_error(int fd);
/* Whether this error says that we are out of something (descriptors, memory,
 * ports), and nothing of the peer. */
bool sock_is_starved(int err);
/* Close it so that the peer sees a reset, and nothing of it stays behind. */
void sock_reset(int fd);
int sock_local(int fd, struct sock_addr *out);

#endif
