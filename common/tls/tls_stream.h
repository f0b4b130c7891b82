/* tls_stream: TLS over a plain stream, with the face of a stream
 * (common/net/stream.h). Its owner drives the handshake; then it reads and
 * writes as ever.
 *
 * Bytes count as written when the kernel has taken all of the record that holds
 * them: after AGAIN or a short write the owner must offer the same bytes again,
 * and may offer more behind them. */
#ifndef GH_TLS_STREAM_H
#define GH_TLS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/stream.h"
#include "common/tls/tls.h"

struct ssl_session_st;

/* Buffers that all TLS streams of a process share. */
struct tls_io;

/* For the streams of one loop, which outlives it, as `shared` does; that may be
 * NULL where nobody is served. */
struct tls_io *tls_io_new(struct loop *l, const struct tls_shared *shared);
/* All streams that use it are closed, and those that waited for a signer were
 * resumed. */
void tls_io_free(struct tls_io *io);

enum tls_rc {
	TLS_RC_DONE,
	TLS_RC_MORE, /* an event of the stream will tell when to go on */
	TLS_RC_EARLY, /* the same, and tls_stream_early() has something: the
			 owner may go on with the handshake, or read and
			 write at once */
	TLS_RC_FAILED /* tls_stream_why() says why; to be closed */
};

/* Turn an open plain stream into TLS, as the server. `early` was read from it
 * already (behind a PROXY header); copied. Go on with tls_stream_shake(). */
void tls_stream_accept(struct stream *s, struct tls_io *io,
    const struct tls_server *server, span early);

/* Whom a client connects to. */
struct tls_peer {
	/* Host name or IP address: what the certificate must be for when the
	 * context verifies, and what is sent as SNI when it is a name. */
	span name;
	/* A session to resume, borrowed, or NULL. */
	struct ssl_session_st *session;
	/* Called with each session that the server gives, as long as the stream
	 * is open: true takes the reference. May be NULL. */
	bool (*on_session)(void *self, struct ssl_session_st *session);
	void *self;
};

/* The same as the client. false: nobody of that name can be connected to; to be
 * closed. */
bool tls_stream_connect(struct stream *s, struct tls_io *io,
    const struct tls_context *c, const struct tls_peer *peer);

/* The next step of the handshake; again at each event until it is not MORE. */
enum tls_rc tls_stream_shake(struct stream *s);
/* What was sent before the handshake ended, and is to be read. Until that end
 * it may be a copy that others sent (RFC 8446 8). Borrowed until the next call.
 */
span tls_stream_early(const struct stream *s);
/* Whether the handshake has not ended yet. */
bool tls_stream_is_early(const struct stream *s);
/* Why the handshake or the stream failed; a constant text. */
const char *tls_stream_why(const struct stream *s);

/* Classes of that, for counters. */
enum tls_failure {
	TLS_FAILURE_NONE,
	TLS_FAILURE_CUT, /* the peer left in the middle */
	TLS_FAILURE_PROTOCOL, /* what came is no TLS, or broken */
	TLS_FAILURE_MISMATCH, /* no version, cipher or protocol in common */
	TLS_FAILURE_CERTIFICATE, /* ours refused the peer's, or it ours */
	TLS_FAILURE_INTERNAL /* on our side */
};
enum tls_failure tls_stream_failure(const struct stream *s);

/* After the handshake; constants or text of the stream, valid until it is
 * closed. */
span tls_stream_alpn(const struct stream *s);

/* What is worth telling of a connection; owned by the caller of
 * tls_facts_new(). Empty spans: nothing to tell. */
struct tls_facts {
	span version; /* "TLSv1.3" */
	span cipher;
	span sni;
	span alpn;
	span ja4; /* see tls_ja4.h; of a server that wants it */
	const struct tls_context *context; /* whose rules held */
	bool is_resumed;
	bool is_stapled; /* an OCSP answer went out */
	/* Who the peer has proved to be; NULL: it showed no certificate. A bad
	 * one has ended the handshake. */
	const struct tls_proof *proof;
};

/* A peer's certificate. */
struct tls_proof {
	span subject; /* RFC 2253 */
	span issuer;
	span serial; /* hexadecimal */
	span fingerprint; /* SHA-256, hexadecimal */
	/* Names in it, empty when there is none; with any bytes in them */
	span cn; /* of the subject, when it has just one */
	span dns; /* the first of subjectAltName, and so on */
	span email;
	span uri;
};

struct tls_facts *tls_facts_new(const struct stream *s);
void tls_facts_free(struct tls_facts *f);

#endif
