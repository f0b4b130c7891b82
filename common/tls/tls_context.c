/* tls_context: OpenSSL contexts of servers, from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/tls/tls_hello.h"
#include "common/tls/tls_int.h"
#include "common/tls/tls_ja4.h"

#define TLS_GROUPS "X25519:P-256:P-384"

static void
problem(struct tls_problem *p, const char *what, const char *file)
{
	const char *why = tls_first_error();

	p->file = file;
	(void)snprintf(p->text, sizeof(p->text), "%s%s%s: %s", what,
	    file[0] != '\0' ? " " : "", file, why);
}

static void
problem_plain(struct tls_problem *p, const char *what, const char *file)
{
	ERR_clear_error();
	p->file = file;
	(void)snprintf(p->text, sizeof(p->text), what, file);
}

static void
problem_open(struct tls_problem *p, const char *what, const char *file)
{
	p->file = file;
	(void)snprintf(p->text, sizeof(p->text), "%s %s cannot be opened: %s",
	    what, file, strerror(errno));
}

/* --- choosing by name ----------------------------------------------------- */

/* An extension that OpenSSL has split off. false: what it holds is malformed. */
static bool
hello_ext(SSL *ssl, struct tls_hello *h, uint16_t type)
{
	const unsigned char *p;
	size_t n;

	return SSL_client_hello_get0_ext(ssl, type, &p, &n) != 1 ||
	       tls_hello_ext(h, type, span_of((const char *)p, n));
}

/* All of it, for a fingerprint, in the client's order. */
static bool
hello_all(SSL *ssl, struct tls_hello *h)
{
	const unsigned char *p;
	bool is_good = true;
	int *types;
	size_t n;

	h->version = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
	n = SSL_client_hello_get0_ciphers(ssl, &p);
	h->ciphers = span_of((const char *)p, n);
	if (SSL_client_hello_get1_extensions_present(ssl, &types, &n) != 1)
		return false;
	for (size_t i = 0; i < n && is_good; i++)
		is_good = hello_ext(ssl, h, (uint16_t)types[i]);
	OPENSSL_free(types);
	return is_good;
}

/* What is asked of a ClientHello. false: it is malformed. */
static bool
hello_look(
    SSL *ssl, struct tls_stream *t, char name[TLS_NAME_MAX + 1], size_t *len)
{
	struct tls_hello h = {0};

	if (!t->server->wants_ja4)
		return hello_ext(ssl, &h, TLSEXT_TYPE_server_name) &&
		       tls_hello_name(&h, name, len);
	if (!hello_all(ssl, &h) || !tls_hello_name(&h, name, len))
		return false;
	/* a second one, after HelloRetryRequest, says less */
	if (t->ja4 == NULL) {
		t->ja4 = malloc(TLS_JA4_LEN);
		REQUIRE(t->ja4 != NULL);
		tls_ja4(&h, t->ja4);
	}
	return true;
}

static void
context_apply(SSL *ssl, const struct tls_context *c)
{
	(void)SSL_set_SSL_CTX(ssl, c->ssl);
	SSL_set_verify(ssl, SSL_CTX_get_verify_mode(c->ssl),
	    SSL_CTX_get_verify_callback(c->ssl));
}

/* The first thing that OpenSSL asks of a ClientHello, before it looks for a
 * session. */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_stream *t = tls_of(ssl);
	const struct tls_server *server = t->server;
	char name[TLS_NAME_MAX + 1];
	struct tls_context *c;
	size_t len;

	(void)arg;
	if (!hello_look(ssl, t, name, &len)) {
		*alert = SSL_AD_DECODE_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	c = server->choose(server->self, span_of(name, len));
	if (c == NULL) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (c != server->first)
		context_apply(ssl, c);
	t->context = c;
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct tls_server *server = tls_of(ssl)->server;
	unsigned char *chosen;

	(void)arg;
	if (server->alpn_len == 0)
		return SSL_TLSEXT_ERR_NOACK;
	/* RFC 7301 3.2: nothing in common ends the handshake */
	if (SSL_select_next_proto(&chosen, out_len,
		(const unsigned char *)server->alpn, server->alpn_len, in,
		in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* --- contexts ------------------------------------------------------------- */

/* What holds for both sides. */
static void
context_set_common(SSL_CTX *ssl)
{
	(void)SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(
	    ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(ssl,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* so that a read comes back behind each message that is no content */
	(void)SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ssl, 1);
	(void)SSL_CTX_set1_groups_list(ssl, TLS_GROUPS);
}

static void
context_set_up(SSL_CTX *ssl, const struct tls_policy *policy)
{
	context_set_common(ssl);
	tls_ciphers_use(ssl, policy->ciphers);
	if (policy->is_1_3_only)
		(void)SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
	(void)SSL_CTX_set_options(
	    ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	if (!policy->has_tickets)
		(void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_num_tickets(
	    ssl, policy->has_tickets ? policy->n_tickets : 0);
	(void)SSL_CTX_set_timeout(ssl, (long)policy->ticket_life_s);
	tls_ticket_use(ssl);
	if (policy->has_early_data)
		tls_early_use(ssl);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_dh_auto(ssl, 1);
	SSL_CTX_set_client_hello_cb(ssl, on_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
}

/* Content of a file; nothing for NULL or one that cannot be read. */
static void
hash_file(EVP_MD_CTX *md, const char *path)
{
	FILE *f = path != NULL ? fopen(path, "re") : NULL;
	char room[BUFSIZ];
	size_t n;

	if (f == NULL)
		return;
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		REQUIRE(EVP_DigestUpdate(md, room, n) == 1);
	(void)fclose(f);
}

/* From here on sessions are only those of contexts that were told the same, in
 * the same order. */
static void
context_narrow(
    struct tls_context *c, span what, const char *file, const char *file2)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	REQUIRE(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(md, c->scope, sizeof(c->scope)) == 1 &&
		EVP_DigestUpdate(md, what.p, what.len) == 1);
	hash_file(md, file);
	hash_file(md, file2);
	REQUIRE(EVP_DigestFinal_ex(md, c->scope, NULL) == 1);
	EVP_MD_CTX_free(md);
	REQUIRE(SSL_CTX_set_session_id_context(
		    c->ssl, c->scope, sizeof(c->scope)) == 1);
}

struct tls_context *
tls_context_new(const struct tls_policy *policy, span scope)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	ERR_clear_error();
	c->ssl = SSL_CTX_new(TLS_server_method());
	REQUIRE(c->ssl != NULL);
	context_narrow(c, scope, NULL, NULL);
	c->has_early_data = policy->has_early_data;
	context_set_up(c->ssl, policy);
	return c;
}

/* A server gave a session (in TLS 1.3 whenever it likes to): for whom it is
 * stands in the stream. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_stream *t = tls_of(ssl);

	return t->on_session != NULL &&
	       t->on_session(t->on_session_self, session);
}

struct tls_context *
tls_context_new_client(bool verifies, const char *alpn, uint32_t alpn_len)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->ssl = SSL_CTX_new(TLS_client_method());
	REQUIRE(c->ssl != NULL);
	c->verifies = verifies;
	context_set_common(c->ssl);
	SSL_CTX_set_verify(
	    c->ssl, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(
	    c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(c->ssl, on_session);
	/* 0 is success, unlike elsewhere in OpenSSL */
	REQUIRE(
	    alpn_len == 0 || SSL_CTX_set_alpn_protos(c->ssl,
				 (const unsigned char *)alpn, alpn_len) == 0);
	return c;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	tls_staple_free(c);
	SSL_CTX_free(c->ssl);
	free(c);
}

/* --- certificates --------------------------------------------------------- */

/* A password, and whether the key needs one. */
struct password {
	const char *text; /* NULL: none */
	bool is_wanted;
};

static int
give_password(char *to, int cap, int rw, void *self)
{
	struct password *password = self;
	size_t len;

	(void)rw;
	password->is_wanted = true;
	if (password->text == NULL)
		return -1;
	len = strlen(password->text);
	if (len > (size_t)cap)
		return -1;
	memcpy(to, password->text, len);
	return (int)len;
}

static EVP_PKEY *
read_key(const char *file, const char *text, struct tls_problem *p)
{
	struct password password = {text, false};
	FILE *f = fopen(file, "re");
	EVP_PKEY *key;

	if (f == NULL) {
		problem_open(p, "the key", file);
		return NULL;
	}
	key = PEM_read_PrivateKey(f, NULL, give_password, &password);
	(void)fclose(f);
	if (key != NULL)
		return key;
	if (password.is_wanted && text == NULL)
		problem_plain(p,
		    "the key %s is encrypted: add password=file:PATH behind it",
		    file);
	else if (password.is_wanted)
		problem_plain(p, "the password does not open the key %s", file);
	else if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_UNSUPPORTED)
		problem_plain(p,
		    "there is no private key in %s that is understood", file);
	else
		problem(p, "the key cannot be read from", file);
	return NULL;
}

/* OpenSSL holds one certificate for each key type: another one would silently
 * be shown instead of the one before. */
static bool
note_key_type(struct tls_context *c, const EVP_PKEY *key, const char *chain,
    struct tls_problem *p)
{
	int type = EVP_PKEY_get_base_id(key);

	for (uint32_t i = 0; i < c->n_key_types; i++) {
		if (c->key_types[i] != type)
			continue;
		problem_plain(p,
		    "the certificate %s has the same type of key as one "
		    "before it: one of each is shown; give other names a site "
		    "of their own",
		    chain);
		return false;
	}
	REQUIRE(c->n_key_types < TLS_KEY_TYPES_MAX);
	c->key_types[c->n_key_types++] = type;
	return true;
}

bool
tls_context_add(struct tls_context *c, const char *chain, const char *key,
    const char *password, struct tls_problem *p)
{
	EVP_PKEY *pkey;
	bool is_ok = false;
	FILE *f = fopen(chain, "re");

	ERR_clear_error();
	if (f == NULL) {
		problem_open(p, "the certificate", chain);
		return false;
	}
	(void)fclose(f);
	if (SSL_CTX_use_certificate_chain_file(c->ssl, chain) != 1) {
		if (ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE)
			problem_plain(
			    p, "there is no certificate in %s", chain);
		else
			problem(
			    p, "the certificate cannot be read from", chain);
		return false;
	}
	pkey = read_key(key, password, p);
	if (pkey == NULL)
		return false;
	if (X509_check_private_key(SSL_CTX_get0_certificate(c->ssl), pkey) != 1)
		problem_plain(p,
		    "the key %s is not that of the first certificate of the "
		    "chain",
		    key);
	else if (SSL_CTX_use_PrivateKey(c->ssl, pkey) != 1)
		problem(p, "the key cannot be used:", key);
	else
		is_ok = note_key_type(c, pkey, chain, p);
	EVP_PKEY_free(pkey);
	return is_ok;
}

time_t
tls_context_ends(const struct tls_context *c)
{
	struct tm tm;

	if (c->n_key_types == 0 ||
	    ASN1_TIME_to_tm(
		X509_get0_notAfter(SSL_CTX_get0_certificate(c->ssl)), &tm) != 1)
		return 0;
	return timegm(&tm);
}

bool
tls_context_verify(struct tls_context *c, enum tls_verify how, const char *ca,
    const char *crl, struct tls_problem *p)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	ERR_clear_error();
	if (how == TLS_VERIFY_OFF)
		return true;
	if (how == TLS_VERIFY_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	names = SSL_load_client_CA_file(ca);
	if (names == NULL || X509_STORE_load_file(store, ca) != 1) {
		problem(p, "authorities cannot be read from", ca);
		return false;
	}
	SSL_CTX_set_client_CA_list(c->ssl, names);
	if (crl != NULL) {
		X509_LOOKUP *l =
		    X509_STORE_add_lookup(store, X509_LOOKUP_file());

		if (X509_load_crl_file(l, crl, X509_FILETYPE_PEM) < 1) {
			problem(
			    p, "a revocation list cannot be read from", crl);
			return false;
		}
		(void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	}
	SSL_CTX_set_verify(c->ssl, mode, NULL);
	context_narrow(c,
	    how == TLS_VERIFY_REQUIRE ? SPAN_LIT("require")
				      : SPAN_LIT("optional"),
	    ca, crl);
	return true;
}

bool
tls_context_requires(const struct tls_context *c)
{
	return (SSL_CTX_get_verify_mode(c->ssl) &
		   SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0;
}
