/* unit/tls_fixture: two TLS streams of one loop that talk to each other over a
 * socket pair, and the certificate that the server shows. */
#ifndef GH_TLS_FIXTURE_H
#define GH_TLS_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/net/loop.h"
#include "common/tls/tls_int.h"

#define FIXTURE_DAY_S 86400
#define FIXTURE_STEP_MS 30000

/* One end and what its owner was told. */
struct tls_end {
	struct stream s;
	unsigned told;
	unsigned n_told;
	bool is_shaken;
};

struct tls_pair {
	struct loop *loop;
	struct tls_io *io;
	struct tls_end server;
	struct tls_end client;
	struct tls_server srv;
	struct tls_context *context;
	struct tls_context *cl;
	EVP_PKEY *key;
	X509 *cert;
};

/* What the handshake comes to is told as if the stream did. */
static inline void
tls_end_shake(struct tls_end *e)
{
	enum tls_rc rc = tls_stream_shake(&e->s);

	e->is_shaken = rc != TLS_RC_MORE;
	if (rc == TLS_RC_DONE)
		e->told |= STREAM_OPEN | (e->s.may_read ? STREAM_READABLE : 0);
	if (rc == TLS_RC_FAILED)
		e->told |= STREAM_DEAD;
}

static inline void
tls_end_told(void *self, unsigned events)
{
	struct tls_end *e = self;

	e->n_told++;
	if (e->is_shaken)
		e->told |= events;
	else if (e->s.impl != NULL)
		tls_end_shake(e);
}

/* A certificate for "test.example", signed by itself. */
static inline X509 *
fixture_cert(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509V3_CTX v3;
	X509_EXTENSION *ext;

	ck_assert_ptr_nonnull(x);
	(void)X509_set_version(x, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -FIXTURE_DAY_S);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), FIXTURE_DAY_S);
	(void)X509_set_pubkey(x, key);
	(void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"test.example", -1, -1, 0);
	(void)X509_set_issuer_name(x, name);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(
	    NULL, &v3, NID_subject_alt_name, "DNS:test.example,IP:127.0.0.1");
	ck_assert_ptr_nonnull(ext);
	(void)X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	return x;
}

static inline struct tls_context *
fixture_choose(const void *self, span name)
{
	const struct tls_pair *p = self;

	(void)name;
	return p->context;
}

/* One key for all tickets. */
static inline bool
fixture_ticket_current(void *self, struct tls_ticket_key *out)
{
	(void)self;
	memset(out, 'k', sizeof(*out));
	return true;
}

static inline enum tls_ticket
fixture_ticket_find(
    void *self, const unsigned char *name, struct tls_ticket_key *out)
{
	(void)name;
	(void)fixture_ticket_current(self, out);
	return TLS_TICKET_CURRENT;
}

static inline void
pair_init(struct tls_pair *p)
{
	static const struct tls_policy policy = {
	    .has_tickets = true, .n_tickets = 2, .ticket_life_s = 7200};
	static const struct tls_shared shared = {
	    .ticket_current = fixture_ticket_current,
	    .ticket_find = fixture_ticket_find,
	};
	SSL_CTX *ctx;

	memset(p, 0, sizeof(*p));
	p->loop = loop_new();
	p->io = tls_io_new(p->loop, &shared);
	p->key = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(p->key);
	p->cert = fixture_cert(p->key);
	p->context = tls_context_new(&policy, SPAN_LIT("test"));
	ctx = p->context->ssl;
	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, p->cert), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, p->key), 1);
	p->srv.first = p->context;
	p->srv.choose = fixture_choose;
	p->srv.self = p;
	p->srv.alpn = "\x08http/1.1";
	p->srv.alpn_len = 9;
	p->cl = tls_context_new_client(true, "\x02h2\x08http/1.1", 12);
	(void)X509_STORE_add_cert(SSL_CTX_get_cert_store(p->cl->ssl), p->cert);
	p->server.s.watch.fd = p->client.s.watch.fd = -1;
}

static inline void
pair_fini(struct tls_pair *p)
{
	stream_close(&p->server.s);
	stream_close(&p->client.s);
	tls_context_free(p->cl);
	tls_context_free(p->context);
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	tls_io_free(p->io);
	loop_free(p->loop);
}

/* Two plain streams; ends that are not wanted as such are in `raw` (-1: all).
 */
static inline void
pair_open(struct tls_pair *p, int *raw_client, int *raw_server)
{
	int fd[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	if (raw_server != NULL)
		*raw_server = fd[0];
	else
		ck_assert_int_eq(stream_open_fd(&p->server.s, p->loop, fd[0],
				     tls_end_told, &p->server),
		    0);
	if (raw_client != NULL)
		*raw_client = fd[1];
	else
		ck_assert_int_eq(stream_open_fd(&p->client.s, p->loop, fd[1],
				     tls_end_told, &p->client),
		    0);
}

static inline void
pair_connect(struct tls_pair *p, span name)
{
	struct tls_peer to = {.name = name};

	ck_assert(tls_stream_connect(&p->client.s, p->io, p->cl, &to));
	tls_end_shake(&p->client);
}

static inline void
pair_accept(struct tls_pair *p, span early)
{
	tls_stream_accept(&p->server.s, p->io, &p->srv, early);
	tls_end_shake(&p->server);
}

/* Turn the loop until an end was told something of `events`. */
static inline void
pair_await(struct tls_pair *p, struct tls_end *e, unsigned events)
{
	for (int i = 0; (e->told & events) == 0; i++) {
		ck_assert_int_lt(i, 1000);
		loop_step(p->loop, FIXTURE_STEP_MS);
	}
	e->told &= ~events;
}

/* A handshake that works, of both ends. */
static inline void
pair_shake(struct tls_pair *p)
{
	pair_open(p, NULL, NULL);
	pair_accept(p, span_of(NULL, 0));
	pair_connect(p, SPAN_LIT("test.example"));
	pair_await(p, &p->client, STREAM_OPEN);
	pair_await(p, &p->server, STREAM_OPEN);
}

static inline ssize_t
end_say(struct tls_end *e, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	return stream_writev(&e->s, &iov, 1);
}

/* Read until there was as much. */
static inline void
end_hears(struct tls_pair *p, struct tls_end *e, const char *text)
{
	size_t want = strlen(text);
	char room[512];
	size_t got = 0;

	ck_assert_uint_le(want, sizeof(room));
	while (got < want) {
		ssize_t n = stream_read(&e->s, room + got, want - got);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		ck_assert_int_eq(n, STREAM_RC_AGAIN);
		pair_await(p, e, STREAM_READABLE);
	}
	ck_assert_mem_eq(room, text, want);
}

#endif
