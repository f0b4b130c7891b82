/* tls_int: between the files of common/tls. */
#ifndef GH_TLS_INT_H
#define GH_TLS_INT_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/net/loop.h"
#include "common/tls/tls.h"
#include "common/tls/tls_ocsp.h"
#include "common/tls/tls_stream.h"

/* Content of a record at most (RFC 8446 5.1). */
#define TLS_RECORD_MAX 16384u
/* What a record adds to its content at most (RFC 8446 5.2, RFC 5246 6.2.3). */
#define TLS_RECORD_MORE 2048u
/* Content encrypted before it is sent. */
#define TLS_BATCH (4 * TLS_RECORD_MAX)
#define TLS_OUT_CAP (TLS_BATCH + 64 * TLS_RECORD_MORE)
/* Handshake messages that may come without content, after the handshake: new
 * keys, tickets, attempts to renegotiate. Servers give a few tickets at once;
 * who sends more of these wants our CPU. */
#define TLS_CHATTER_MAX 32

struct tls_io {
	struct loop *loop;
	const struct tls_shared *shared;
	BIO_METHOD *method;
	/* One for all streams: who is worked for stands in `current` while
	 * OpenSSL does. */
	BIO *bio;
	struct tls_stream *current;
	size_t used; /* of out */
	char plain[TLS_RECORD_MAX];
	char out[TLS_OUT_CAP];
};

/* Key types that OpenSSL has a place for: RSA, RSA-PSS, DSA, EC, two of GOST,
 * Ed25519, Ed448, and room. */
#define TLS_KEY_TYPES_MAX 12

struct tls_context {
	SSL_CTX *ssl;
	unsigned char scope[SSL_MAX_SID_CTX_LENGTH]; /* a SHA-256 */
	int key_types[TLS_KEY_TYPES_MAX]; /* of the certificates */
	uint32_t n_key_types;
	bool has_early_data;
	bool verifies; /* a client: the server and its name */
	struct tls_shown *shown; /* certificates that may be stapled to */
	uint32_t n_shown;
};

struct tls_leaf {
	X509 *cert;
	X509 *issuer; /* NULL: not in the chain */
};

struct tls_trust {
	X509_STORE *store;
};

/* A TLS stream, pointed at by its struct stream and by its SSL object. */
struct tls_stream {
	SSL *ssl;
	struct stream *stream; /* NULL: closed while it waits for a signer */
	struct tls_io *io;
	const struct tls_server *server; /* NULL: we are the client */
	const struct tls_context *context; /* the chosen one */
	char *left; /* encrypted, not yet taken by the kernel */
	uint32_t left_len;
	uint32_t left_at;
	uint32_t owed; /* bytes of the owner that `left` stands for */
	char *early; /* came before the handshake; NULL: used up */
	uint32_t early_len;
	uint32_t early_at;
	char *ahead; /* early data not yet read; NULL: none */
	size_t ahead_len;
	size_t ahead_at;
	uint64_t wrote_ms; /* when something was written last */
	uint32_t burst; /* bytes since the last pause */
	bool (*on_session)(void *self, SSL_SESSION *session);
	void *on_session_self;
	struct task task; /* go on, after a signer's answer */
	char *ja4; /* TLS_JA4_LEN bytes, or NULL */
	const char *why;
	enum tls_failure failure;
	uint8_t n_chatter; /* handshake messages since content came */
	bool is_done; /* the handshake is through */
	bool is_waiting; /* for a signer */
	bool is_stapled; /* an OCSP answer went out */
	bool may_have_early; /* OpenSSL may still give some */
	bool wants_end; /* our direction is to end, after the handshake */
	bool is_drained; /* the socket had no more */
	bool is_blocked; /* OpenSSL was told so */
	bool has_ended; /* close_notify is written */
	bool is_shut; /* and so is the end of the connection's direction */
};

/* Before a call of OpenSSL that may read, write or fail. */
static inline void
tls_enter(struct tls_stream *t)
{
	ERR_clear_error();
	t->io->current = t;
	t->is_blocked = false;
}
/* What the process of the stream shares with others. */
const struct tls_shared *tls_shared_of(const SSL *ssl);

/* Tickets of this context are made with the shared keys. */
void tls_ticket_use(SSL_CTX *ssl);

/* Whose SSL object it is, in its callbacks: who is worked for. */
static inline struct tls_stream *
tls_of(const SSL *ssl)
{
	struct tls_io *io = BIO_get_data(SSL_get_rbio(ssl));

	return io->current;
}

/* --- tls_ciphers.c -------------------------------------------------------- */

/* Offer the suites of a good list; NULL: ours. A version that it names none of
 * has ours, too. */
void tls_ciphers_use(SSL_CTX *ssl, const char *list);

/* --- tls_early.c ---------------------------------------------------------- */

/* This context takes early data. */
void tls_early_use(SSL_CTX *ssl);
/* Keep what has come of it. Returns an SSL_ERROR: NONE when there is no more to
 * come. */
int tls_early_step(struct tls_stream *t);
/* Read from what was kept, t->ahead, which is not NULL. */
size_t tls_early_take(struct tls_stream *t, char *to, size_t len);

/* --- tls_io.c ------------------------------------------------------------- */

/* Send what was kept. 0, AGAIN or ERROR. */
int tls_send_left(struct tls_stream *t);
/* Send what OpenSSL has written into the shared area. 0, AGAIN (the rest is
 * kept) or ERROR. */
int tls_flush(struct tls_stream *t);
/* The stream is of no use any more. Returns ERROR. */
int tls_failed(struct tls_stream *t, const char *why, int err);
/* A call of OpenSSL failed for good, as `error` says: what it wants the peer to
 * know still goes out. Returns ERROR. */
int tls_broke(struct tls_stream *t, int error);

/* --- tls_ocsp.c, tls_staple.c --------------------------------------------- */

/* A certificate and its issuer, if the chain has it. */
struct tls_leaf *tls_leaf_of(X509 *cert, STACK_OF(X509) * chain);
void tls_staple_free(struct tls_context *c);

/* --- tls_facts.c ---------------------------------------------------------- */

/* Hexadecimal text into out, without a NUL: 2 * n bytes. */
span tls_hex(const unsigned char *p, size_t n, char *out);

/* --- tls_fail.c ----------------------------------------------------------- */

/* Text of the first error in OpenSSL's queue, which is emptied. */
const char *tls_first_error(void);
/* The same for a stream, with its class. */
const char *tls_why_failed(const SSL *ssl, enum tls_failure *class);

#endif
