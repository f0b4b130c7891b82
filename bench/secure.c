/* bench/secure: OpenSSL's client on nonblocking sockets. It asks for what the
 * cases measure and nothing else. RFC 8446. */
#include "bench/secure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* One cipher for all peers, so that none is measured with another one. */
#define CIPHER "TLS_AES_256_GCM_SHA384"

static _Noreturn void
fail(void)
{
	ERR_print_errors_fp(stderr);
	exit(1);
}

SSL_CTX *
secure_plan(void)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL ||
	    !SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(tls, CIPHER) ||
	    SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1) != 0)
		fail();
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	return tls;
}

void
secure_plan_free(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}

bool
secure_start(struct client *c)
{
	c->ssl = SSL_new(c->plan->tls);
	if (c->ssl == NULL || !SSL_set_fd(c->ssl, c->fd) ||
	    !SSL_set_tlsext_host_name(c->ssl, "bench.example"))
		return false;
	if (c->session != NULL && !SSL_set_session(c->ssl, c->session))
		return false;
	SSL_set_connect_state(c->ssl);
	return true;
}

enum client_rc
secure_handshake(struct client *c)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		c->n_resumed += (uint64_t)SSL_session_reused(c->ssl);
		return CLIENT_DONE;
	}
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE
		   ? CLIENT_GOING
		   : CLIENT_FAILED;
}

/* What a call of OpenSSL that moved nothing means, as of recv(2). */
static ssize_t
outcome(struct client *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		errno = ECONNRESET;
		return -1;
	}
}

ssize_t
secure_send(struct client *c, const char *data, size_t len)
{
	size_t n;
	int rc;

	ERR_clear_error();
	rc = SSL_write_ex(c->ssl, data, len, &n);
	return rc == 1 ? (ssize_t)n : outcome(c, rc);
}

ssize_t
secure_recv(struct client *c, char *to, size_t len)
{
	size_t n;
	int rc;

	ERR_clear_error();
	rc = SSL_read_ex(c->ssl, to, len, &n);
	return rc == 1 ? (ssize_t)n : outcome(c, rc);
}

void
secure_end(struct client *c)
{
	SSL_SESSION *session;

	if (c->ssl == NULL)
		return;
	session = c->plan->is_resuming ? SSL_get1_session(c->ssl) : NULL;
	if (session != NULL && SSL_SESSION_is_resumable(session)) {
		SSL_SESSION_free(c->session);
		c->session = session;
	} else {
		SSL_SESSION_free(session);
	}
	/* Without it OpenSSL takes the session for a broken one. */
	SSL_set_quiet_shutdown(c->ssl, 1);
	(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	c->ssl = NULL;
}

void
secure_forget(struct client *c)
{
	SSL_SESSION_free(c->session);
	c->session = NULL;
}
