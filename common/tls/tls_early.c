/* tls_early: content that a client sends before the handshake ends (RFC 8446
 * 2.3, 8). It is kept until its owner reads it; that each first flight is taken
 * once is seen to by what all processes share. */
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/tls/tls_int.h"

/* Of one connection: a request's head and more. What OpenSSL gives by default,
 * and other servers take, too. */
#define EARLY_MAX TLS_RECORD_MAX

/* OpenSSL asks when all else (the age of the ticket, its protocol, its name) is
 * as it should be. The random is in what the binder covers: nobody but the
 * owner of the session can make another one (RFC 8446 8.2). */
static int
on_early(SSL *ssl, void *arg)
{
	const struct tls_shared *shared = tls_shared_of(ssl);
	unsigned char random[SSL3_RANDOM_SIZE];
	size_t n = SSL_get_client_random(ssl, random, sizeof(random));

	(void)arg;
	return shared->early_is_fresh(
	    shared->self, span_of((const char *)random, n));
}

void
tls_early_use(SSL_CTX *ssl)
{
	/* OpenSSL's own protection is one of single processes */
	(void)SSL_CTX_set_options(ssl, SSL_OP_NO_ANTI_REPLAY);
	(void)SSL_CTX_set_max_early_data(ssl, EARLY_MAX);
	(void)SSL_CTX_set_recv_max_early_data(ssl, EARLY_MAX);
	SSL_CTX_set_allow_early_data_cb(ssl, on_early, NULL);
}

/* OpenSSL counts what comes, so this ends at EARLY_MAX. */
static void
early_keep(struct tls_stream *t, const char *p, size_t len)
{
	char *ahead = realloc(t->ahead, t->ahead_len + len + 1);

	REQUIRE(ahead != NULL);
	memcpy(ahead + t->ahead_len, p, len);
	t->ahead = ahead;
	t->ahead_len += len;
}

int
tls_early_step(struct tls_stream *t)
{
	char *part = t->io->plain;
	size_t n;

	for (;;) {
		switch (SSL_read_early_data(t->ssl, part, TLS_RECORD_MAX, &n)) {
		case SSL_READ_EARLY_DATA_SUCCESS:
			early_keep(t, part, n);
			break;
		case SSL_READ_EARLY_DATA_FINISH:
			t->may_have_early = false;
			return SSL_ERROR_NONE;
		default:
			return SSL_get_error(t->ssl, 0);
		}
	}
}

size_t
tls_early_take(struct tls_stream *t, char *to, size_t len)
{
	size_t n = size_min(len, t->ahead_len - t->ahead_at);

	memcpy(to, t->ahead + t->ahead_at, n);
	t->ahead_at += n;
	if (t->ahead_at == t->ahead_len) {
		free(t->ahead);
		t->ahead = NULL;
		t->ahead_len = t->ahead_at = 0;
	}
	return n;
}

span
tls_stream_early(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return span_of(t->ahead + t->ahead_at, t->ahead_len - t->ahead_at);
}

bool
tls_stream_is_early(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return t != NULL && !t->is_done;
}
