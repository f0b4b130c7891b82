/* fuzz/hello: any bytes as the beginning of a TLS connection, a part of them
 * read before (behind a PROXY header), the rest from the socket. The handshake
 * fails or waits for more, in bounded memory; it never comes through. */
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/net/loop.h"
#include "common/tls/tls_hello.h"
#include "common/tls/tls_int.h"
#include "common/tls/tls_ja4.h"
#include "t/fuzz/fuzz.h"

/* Socket pairs take more than that at once. */
#define HELLO_MAX ((size_t)48 * 1024)

struct hello {
	struct loop *loop;
	struct tls_io *io;
	struct tls_context *context;
	struct tls_server server;
};

static struct tls_context *
hello_choose(const void *self, span name)
{
	const struct hello *h = self;

	/* as a table of hosts would be asked: lower case, bounded */
	REQUIRE(name.len <= 253);
	for (size_t i = 0; i < name.len; i++)
		REQUIRE(name.p[i] < 'A' || name.p[i] > 'Z');
	return h->context;
}

static bool
hello_ticket(void *self, struct tls_ticket_key *out)
{
	(void)self;
	memset(out, 1, sizeof(*out));
	return true;
}

/* Any name is that of a key, so that tickets are opened. */
static enum tls_ticket
hello_find(void *self, const unsigned char name[16], struct tls_ticket_key *out)
{
	(void)name;
	(void)hello_ticket(self, out);
	return TLS_TICKET_CURRENT;
}

static void
hello_certify(SSL_CTX *ssl)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	REQUIRE(key != NULL && x != NULL);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 1000);
	REQUIRE(X509_set_pubkey(x, key) == 1);
	REQUIRE(X509_sign(x, key, EVP_sha256()) > 0);
	REQUIRE(SSL_CTX_use_certificate(ssl, x) == 1);
	REQUIRE(SSL_CTX_use_PrivateKey(ssl, key) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

static const struct hello *
hello_get(void)
{
	static const struct tls_policy policy = {
	    .has_tickets = true, .n_tickets = 1, .ticket_life_s = 60};
	static const struct tls_shared shared = {
	    .ticket_current = hello_ticket,
	    .ticket_find = hello_find,
	};
	static struct hello h;

	if (h.loop != NULL)
		return &h;
	h.loop = loop_new();
	REQUIRE(h.loop != NULL);
	h.io = tls_io_new(h.loop, &shared);
	h.context = tls_context_new(&policy, SPAN_LIT("fuzz"));
	REQUIRE(h.context != NULL);
	hello_certify(h.context->ssl);
	h.server.first = h.context;
	h.server.choose = hello_choose;
	h.server.self = &h;
	h.server.alpn = "\x02h2\x08http/1.1";
	h.server.alpn_len = 12;
	h.server.wants_ja4 = true;
	return &h;
}

static void
hello_told(void *self, unsigned events)
{
	struct stream *s = self;

	(void)events;
	/* without our random bytes nobody can end it */
	REQUIRE(tls_stream_shake(s) != TLS_RC_DONE);
}

/* The reader of our own: in pieces it never says more than of all. */
static void
hello_read(span wire)
{
	static char room[TLS_HELLO_MAX];
	char name[TLS_NAME_MAX + 1], ja4[TLS_JA4_LEN];
	struct tls_hello h;
	enum tls_hello_rc rc = tls_hello_read(wire, room, &h);
	size_t len;

	if (rc != TLS_HELLO_BAD && wire.len > 0)
		REQUIRE(tls_hello_read(span_first(wire, wire.len / 2), room,
			    &h) != TLS_HELLO_BAD);
	if (tls_hello_read(wire, room, &h) != TLS_HELLO_OK)
		return;
	if (tls_hello_name(&h, name, &len))
		REQUIRE(len <= TLS_NAME_MAX);
	tls_ja4(&h, ja4);
	for (size_t i = 0; i < sizeof(ja4); i++)
		REQUIRE(ja4[i] >= '0' && ja4[i] <= 'z');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hello *h = hello_get();
	size_t early;
	struct stream s;
	int fd[2];
	span in;

	if (size < 1 || size > HELLO_MAX)
		return 0;
	in = fuzz_dup(span_of((const char *)data + 1, size - 1));
	hello_read(in);
	early = data[0] < in.len ? data[0] : in.len;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	REQUIRE(stream_open_fd(&s, h->loop, fd[0], hello_told, &s) == 0);
	REQUIRE(write(fd[1], in.p + early, in.len - early) ==
		(ssize_t)(in.len - early));
	tls_stream_accept(&s, h->io, &h->server, span_first(in, early));
	hello_told(&s, 0);
	loop_step(h->loop, 0);
	(void)close(fd[1]);
	loop_step(h->loop, 0);
	REQUIRE(tls_stream_shake(&s) == TLS_RC_FAILED);
	REQUIRE(tls_stream_why(&s)[0] != '\0');
	stream_close(&s);
	loop_step(h->loop, 0);
	fuzz_free(in);
	return 0;
}
