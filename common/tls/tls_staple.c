/* tls_staple: which answer a handshake staples. OpenSSL asks when it has chosen
 * a certificate and the client wants its status. */
#include "common/tls/tls_staple.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "common/base/check.h"
#include "common/net/loop.h"
#include "common/tls/tls_int.h"

/* A certificate that the context shows. */
struct tls_shown {
	struct tls_leaf *leaf;
	unsigned char print[TLS_PRINT_LEN];
	char *der; /* NULL: none of its own */
	size_t len;
	struct tls_answer time;
	bool is_shared; /* looked for with tls_shared.staple */
};

static const struct tls_shown *
shown_find(const struct tls_context *c, const X509 *cert)
{
	for (uint32_t i = 0; i < c->n_shown; i++)
		if (c->shown[i].leaf->cert == cert)
			return &c->shown[i];
	return NULL;
}

/* The answer to be stapled now, into OpenSSL's memory; 0: none. */
static size_t
shown_answer(const struct tls_shown *s, const struct tls_stream *t, char **out)
{
	const struct tls_shared *shared = t->io->shared;
	int64_t now_s = clock_wall_s(loop_clock(t->io->loop));
	char room[TLS_OCSP_MAX];
	size_t len = 0;

	if (s->is_shared)
		len = shared->staple(shared->self, s->print, now_s, room);
	else if (s->der != NULL && tls_answer_is_valid(&s->time, now_s))
		len = s->len;
	if (len > 0)
		*out = OPENSSL_memdup(s->is_shared ? room : s->der, len);
	return len > 0 && *out != NULL ? len : 0;
}

static int
on_status(SSL *ssl, void *self)
{
	const struct tls_context *c = self;
	struct tls_stream *t = tls_of(ssl);
	const struct tls_shown *s = shown_find(c, SSL_get_certificate(ssl));
	char *der = NULL;
	size_t len = s != NULL ? shown_answer(s, t, &der) : 0;

	if (len == 0)
		return SSL_TLSEXT_ERR_NOACK;
	t->is_stapled = true;
	/* takes it */
	(void)SSL_set_tlsext_status_ocsp_resp(ssl, der, (long)len);
	return SSL_TLSEXT_ERR_OK;
}

const struct tls_leaf *
tls_staple_leaf(struct tls_context *c)
{
	STACK_OF(X509) *chain = NULL;
	struct tls_shown *s;

	c->shown = reallocarray(c->shown, c->n_shown + 1u, sizeof(c->shown[0]));
	REQUIRE(c->shown != NULL);
	s = &c->shown[c->n_shown++];
	memset(s, 0, sizeof(*s));
	(void)SSL_CTX_get0_chain_certs(c->ssl, &chain);
	s->leaf = tls_leaf_of(SSL_CTX_get0_certificate(c->ssl), chain);
	tls_leaf_print(s->leaf, s->print);
	(void)SSL_CTX_set_tlsext_status_cb(c->ssl, on_status);
	(void)SSL_CTX_set_tlsext_status_arg(c->ssl, c);
	return s->leaf;
}

static struct tls_shown *
shown_last(struct tls_context *c)
{
	REQUIRE(c->n_shown > 0);
	return &c->shown[c->n_shown - 1];
}

void
tls_staple_use(struct tls_context *c, span der, const struct tls_answer *a)
{
	struct tls_shown *s = shown_last(c);

	REQUIRE(der.len <= TLS_OCSP_MAX && s->der == NULL);
	s->der = malloc(der.len);
	REQUIRE(s->der != NULL);
	memcpy(s->der, der.p, der.len);
	s->len = der.len;
	s->time = *a;
}

void
tls_staple_use_shared(struct tls_context *c)
{
	shown_last(c)->is_shared = true;
}

void
tls_staple_free(struct tls_context *c)
{
	for (uint32_t i = 0; i < c->n_shown; i++) {
		tls_leaf_free(c->shown[i].leaf);
		free(c->shown[i].der);
	}
	free(c->shown);
}
