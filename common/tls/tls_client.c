/* tls_client: the client's side of TLS over the streams of tls_stream. A ticket
 * of TLS 1.3 is used once, so that who watches the wire cannot tell that two
 * connections belong together (RFC 8446 C.4); a session of TLS 1.2 is good
 * until its time is over. */
#include "common/tls/tls_client.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/tls/tls_int.h"

struct tls_client {
	struct tls_context *context;
};

struct tls_remote {
	const struct tls_client *client;
	span name;
	SSL_SESSION *sessions[TLS_SESSIONS_MAX]; /* oldest first */
	uint32_t n;
};

/* --- clients -------------------------------------------------------------- */

struct tls_client *
tls_client_new(const struct tls_policy *policy, const struct tls_trust *trust,
    const char *alpn, uint32_t alpn_len)
{
	struct tls_client *c = calloc(1, sizeof(*c));
	SSL_CTX *ssl;

	REQUIRE(c != NULL);
	c->context = tls_context_new_client(trust != NULL, alpn, alpn_len);
	ssl = c->context->ssl;
	if (policy->is_1_3_only)
		(void)SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
	if (trust != NULL)
		SSL_CTX_set1_cert_store(ssl, trust->store);
	return c;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	tls_context_free(c->context);
	free(c);
}

bool
tls_client_show(struct tls_client *c, const char *file, struct tls_problem *p)
{
	return tls_context_add(c->context, file, file, NULL, p);
}

time_t
tls_client_ends(const struct tls_client *c)
{
	return tls_context_ends(c->context);
}

/* --- sessions ------------------------------------------------------------- */

struct tls_remote *
tls_remote_new(const struct tls_client *c, span name)
{
	struct tls_remote *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->client = c;
	r->name = name;
	return r;
}

void
tls_remote_forget(struct tls_remote *r)
{
	while (r->n > 0)
		SSL_SESSION_free(r->sessions[--r->n]);
}

void
tls_remote_free(struct tls_remote *r)
{
	if (r == NULL)
		return;
	tls_remote_forget(r);
	free(r);
}

uint32_t
tls_remote_sessions(const struct tls_remote *r)
{
	return r->n;
}

/* A server gave one: the oldest makes room. */
static bool
remote_keep(void *self, SSL_SESSION *session)
{
	struct tls_remote *r = self;

	if (SSL_SESSION_is_resumable(session) != 1)
		return false;
	if (r->n == TLS_SESSIONS_MAX) {
		SSL_SESSION_free(r->sessions[0]);
		r->n--;
		memmove(r->sessions, r->sessions + 1,
		    r->n * sizeof(r->sessions[0]));
	}
	r->sessions[r->n++] = session;
	return true;
}

static bool
session_is_1_3(const SSL_SESSION *s)
{
	return SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION;
}

/* Whether its time is not over. Only in TLS 1.3 the server's word is binding, 0
 * too (RFC 8446 4.6.1; RFC 5077 5.6). */
static bool
session_is_good(const SSL_SESSION *s, int64_t now_s)
{
	int64_t life_s = SSL_SESSION_get_timeout(s);

	if (session_is_1_3(s))
		life_s = (int64_t)u64_min(
		    (uint64_t)life_s, SSL_SESSION_get_ticket_lifetime_hint(s));
	return now_s < SSL_SESSION_get_time(s) + life_s;
}

/* The newest one that is good; the caller owns a reference. */
static SSL_SESSION *
remote_take(struct tls_remote *r, int64_t now_s)
{
	while (r->n > 0) {
		SSL_SESSION *s = r->sessions[r->n - 1];
		bool is_good = session_is_good(s, now_s);

		if (is_good && !session_is_1_3(s)) {
			REQUIRE(SSL_SESSION_up_ref(s) == 1);
			return s;
		}
		r->n--;
		if (is_good)
			return s;
		SSL_SESSION_free(s);
	}
	return NULL;
}

bool
tls_remote_connect(struct tls_remote *r, struct stream *s, struct tls_io *io)
{
	SSL_SESSION *session =
	    remote_take(r, clock_wall_s(loop_clock(s->loop)));
	struct tls_peer to = {
	    .name = r->name,
	    .session = session,
	    .on_session = remote_keep,
	    .self = r,
	};
	bool is_ok = tls_stream_connect(s, io, r->client->context, &to);

	SSL_SESSION_free(session);
	return is_ok;
}

/* --- what is asked of a stream -------------------------------------------- */

bool
tls_stream_is_mistrusted(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return t != NULL && t->context->verifies &&
	       SSL_get_verify_result(t->ssl) != X509_V_OK;
}

bool
tls_stream_alpn_is_offered(
    const struct stream *s, const char *alpn, uint32_t alpn_len)
{
	span got = tls_stream_alpn(s);

	if (got.len == 0)
		return true;
	while (alpn_len > 0) {
		uint32_t n = (unsigned char)alpn[0];

		if (span_eq(got, span_of(alpn + 1, n)))
			return true;
		alpn += n + 1;
		alpn_len -= n + 1;
	}
	return false;
}

span
tls_stream_version(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return span_str(SSL_get_version(t->ssl));
}

bool
tls_stream_is_resumed(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return SSL_session_reused(t->ssl) == 1;
}
