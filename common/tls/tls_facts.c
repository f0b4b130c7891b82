/* tls_facts: what a handshake came to, as text that outlives the stream. */
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "common/tls/tls_int.h"
#include "common/tls/tls_ja4.h"

/* Names are cut here: they may be as long as a certificate. */
#define FACT_NAME_MAX 1024u

/* Text of its own in the block behind the struct. */
static span
fact_copy(char **at, span s)
{
	span copy = span_of(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}

static span
fact_name(X509_NAME *name, char cap[FACT_NAME_MAX])
{
	BIO *b = BIO_new(BIO_s_mem());
	int n;

	REQUIRE(b != NULL);
	(void)X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253);
	n = BIO_read(b, cap, FACT_NAME_MAX);
	BIO_free(b);
	return span_of(cap, n > 0 ? (size_t)n : 0);
}

span
tls_hex(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	return span_of(out, 2 * n);
}

/* RFC 5280 4.1.2.2: 20 octets at most; more is no serial number. */
static span
fact_serial(const X509 *x, char out[64])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	size_t n = (size_t)ASN1_STRING_length(serial);

	return tls_hex(ASN1_STRING_get0_data(serial), size_min(n, 20), out);
}

/* Bytes that OpenSSL gave, in a room; empty when there is none for them: half of
 * a name is another one. */
static span
fact_take(const unsigned char *p, int len, char cap[FACT_NAME_MAX])
{
	if (len <= 0 || (size_t)len > FACT_NAME_MAX)
		return span_of(NULL, 0);
	memcpy(cap, p, (size_t)len);
	return span_of(cap, (size_t)len);
}

/* Of two common names nobody can tell which is meant. */
static span
fact_cn(X509_NAME *name, char cap[FACT_NAME_MAX])
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	int len;
	span out;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return span_of(NULL, 0);
	len = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	out = fact_take(text, len, cap);
	OPENSSL_free(text);
	return out;
}

/* The first name of a type (GEN_DNS and the like, all of IA5String). */
static span
fact_alt(const GENERAL_NAMES *names, int type, char cap[FACT_NAME_MAX])
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == type)
			return fact_take(ASN1_STRING_get0_data(g->d.ia5),
			    ASN1_STRING_length(g->d.ia5), cap);
	}
	return span_of(NULL, 0);
}

/* One block for all of it. */
static struct tls_facts *
facts_keep(const struct tls_facts *f, const struct tls_proof *p)
{
	size_t texts = f->sni.len + f->alpn.len + f->ja4.len;
	struct tls_facts *out;
	struct tls_proof *proof;
	char *at;

	if (p == NULL) {
		out = malloc(sizeof(*out) + texts);
		REQUIRE(out != NULL);
		at = (char *)(out + 1);
		*out = *f;
	} else {
		texts += p->subject.len + p->issuer.len + p->serial.len +
			 p->fingerprint.len + p->cn.len + p->dns.len +
			 p->email.len + p->uri.len;
		out = malloc(sizeof(*out) + sizeof(*proof) + texts);
		REQUIRE(out != NULL);
		proof = (struct tls_proof *)(out + 1);
		at = (char *)(proof + 1);
		proof->subject = fact_copy(&at, p->subject);
		proof->issuer = fact_copy(&at, p->issuer);
		proof->serial = fact_copy(&at, p->serial);
		proof->fingerprint = fact_copy(&at, p->fingerprint);
		proof->cn = fact_copy(&at, p->cn);
		proof->dns = fact_copy(&at, p->dns);
		proof->email = fact_copy(&at, p->email);
		proof->uri = fact_copy(&at, p->uri);
		*out = *f;
		out->proof = proof;
	}
	out->sni = fact_copy(&at, f->sni);
	out->alpn = fact_copy(&at, f->alpn);
	out->ja4 = fact_copy(&at, f->ja4);
	return out;
}

static struct tls_facts *
facts_prove(const struct tls_facts *f, const X509 *x)
{
	char subject[FACT_NAME_MAX], issuer[FACT_NAME_MAX];
	char serial[64], print[2 * EVP_MAX_MD_SIZE];
	char cn[FACT_NAME_MAX], dns[FACT_NAME_MAX];
	char email[FACT_NAME_MAX], uri[FACT_NAME_MAX];
	unsigned char md[EVP_MAX_MD_SIZE];
	GENERAL_NAMES *alt =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	struct tls_proof p = {
	    .subject = fact_name(X509_get_subject_name(x), subject),
	    .issuer = fact_name(X509_get_issuer_name(x), issuer),
	    .serial = fact_serial(x, serial),
	    .cn = fact_cn(X509_get_subject_name(x), cn),
	    .dns = fact_alt(alt, GEN_DNS, dns),
	    .email = fact_alt(alt, GEN_EMAIL, email),
	    .uri = fact_alt(alt, GEN_URI, uri),
	};
	unsigned n;

	GENERAL_NAMES_free(alt);
	if (X509_digest(x, EVP_sha256(), md, &n) == 1)
		p.fingerprint = tls_hex(md, n, print);
	return facts_keep(f, &p);
}

struct tls_facts *
tls_facts_new(const struct stream *s)
{
	const struct tls_stream *t = s->impl;
	const X509 *x = SSL_get0_peer_certificate(t->ssl);
	const char *name =
	    SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_facts f = {
	    .version = span_str(SSL_get_version(t->ssl)),
	    .cipher = span_str(SSL_get_cipher_name(t->ssl)),
	    .sni = name != NULL ? span_str(name) : span_of(NULL, 0),
	    .alpn = tls_stream_alpn(s),
	    .ja4 = span_of(t->ja4, t->ja4 != NULL ? TLS_JA4_LEN : 0),
	    .context = t->context,
	    .is_resumed = SSL_session_reused(t->ssl) == 1,
	    .is_stapled = t->is_stapled,
	};

	return x != NULL ? facts_prove(&f, x) : facts_keep(&f, NULL);
}

void
tls_facts_free(struct tls_facts *f)
{
	free(f);
}
