/* tls_client: what we are to servers that speak TLS: whom we trust, what we
 * show of ourselves, which sessions may be resumed. For origins as for fetches:
 * it knows nothing of HTTP.
 *
 * A tls_client is made before fork and then read-only; a tls_remote is one
 * server as one process knows it. */
#ifndef GH_TLS_CLIENT_H
#define GH_TLS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/base/span.h"
#include "common/net/stream.h"
#include "common/tls/tls.h"
#include "common/tls/tls_stream.h"

/* Authorities: certificates that may sign those of servers. */
struct tls_trust;

/* Those of a PEM file, or, for NULL, of the system: what OpenSSL's default
 * places hold (SSL_CERT_FILE and SSL_CERT_DIR name others). All are read at
 * once, no path is opened later. NULL: p says why. */
struct tls_trust *tls_trust_new(const char *file, struct tls_problem *p);
/* The same of a text in PEM. */
struct tls_trust *tls_trust_text(span pem, struct tls_problem *p);
/* The system's authorities as such a text, for later; malloc'd, empty when
 * there are none. Much cheaper than to understand them. */
char *tls_trust_system_text(size_t *len);
/* What uses it keeps it alive. NULL is harmless. */
void tls_trust_free(struct tls_trust *t);

struct tls_client;

/* `trust`: servers must show a certificate by one of these authorities for the
 * name they are asked under (RFC 9525: of its subjectAltName); NULL: no
 * certificate is looked at. Of the policy only its versions hold; cipher suites
 * are OpenSSL's own choice. `alpn`: protocols in wire form (RFC 7301 3.1),
 * preferred first. Early data is never sent. */
struct tls_client *tls_client_new(const struct tls_policy *policy,
    const struct tls_trust *trust, const char *alpn, uint32_t alpn_len);
void tls_client_free(struct tls_client *c);
/* Show this certificate to servers that ask for one: a PEM file that holds the
 * chain, leaf first, and the key. false: p says why. */
bool tls_client_show(
    struct tls_client *c, const char *file, struct tls_problem *p);

/* When that certificate ends; 0: there is none. */
time_t tls_client_ends(const struct tls_client *c);

/* Sessions of one server that wait to be resumed. */
#define TLS_SESSIONS_MAX 8

struct tls_remote;

/* `name`: host name or IP address that its certificate must be for, sent as SNI
 * when it is a name. Borrows both, which must outlive it. */
struct tls_remote *tls_remote_new(const struct tls_client *c, span name);
/* No stream to it is open any more. NULL is harmless. */
void tls_remote_free(struct tls_remote *r);
/* Forget what could be resumed. */
void tls_remote_forget(struct tls_remote *r);
/* How many sessions wait. */
uint32_t tls_remote_sessions(const struct tls_remote *r);
/* Turn an open plain stream into TLS with it, resuming a session if one waits.
 * Go on with tls_stream_shake(). false: nobody of that name can be connected
 * to; to be closed. */
bool tls_remote_connect(
    struct tls_remote *r, struct stream *s, struct tls_io *io);

/* Of a handshake that failed: whether it was us who did not believe the
 * server's certificate. */
bool tls_stream_is_mistrusted(const struct stream *s);
/* After the handshake: whether what the server chose is what it was offered
 * (RFC 7301 3.2); choosing nothing is fine. */
bool tls_stream_alpn_is_offered(
    const struct stream *s, const char *alpn, uint32_t alpn_len);
/* "TLSv1.3"; a constant. */
span tls_stream_version(const struct stream *s);
bool tls_stream_is_resumed(const struct stream *s);

#endif
