/* tls_int: between the files of common/tls. */
#ifndef GH_TLS_INT_H
#define GH_TLS_INT_H

#include <openssl/ssl.h>

#include "common/tls/tls.h"
#include "common/tls/tls_stream.h"

struct tls_context {
	SSL_CTX *ssl;
	time_t ends; /* of the first certificate; 0: there is none */
	bool has_certificate;
};

/* A TLS stream, pointed at by its struct stream and by its SSL object. */
struct tls_stream {
	SSL *ssl;
	struct stream *stream;
	struct tls_io *io;
	const struct tls_server *server; /* NULL: we are the client */
	const struct tls_context *context; /* the chosen one */
	char *left; /* encrypted, not yet taken by the kernel */
	size_t left_len;
	size_t left_at;
	size_t owed; /* bytes of the owner that `left` stands for */
	char *early; /* came before the handshake; NULL: used up */
	size_t early_len;
	size_t early_at;
	uint64_t wrote_ms; /* when something was written last */
	size_t burst; /* bytes since the last pause */
	const char *why;
	bool is_done; /* the handshake is through */
	bool is_drained; /* the socket had no more */
	bool has_ended; /* close_notify is written */
	bool is_shut; /* and so is the end of the connection's direction */
};

/* Which stream an SSL object belongs to. */
struct tls_stream *tls_of(const SSL *ssl);
void tls_set_of(SSL *ssl, struct tls_stream *t);

/* Text of the first error in OpenSSL's queue, which is emptied. */
const char *tls_first_error(void);

#endif
