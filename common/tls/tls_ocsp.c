/* tls_ocsp: OCSP by OpenSSL's reader and verifier. What is trusted is the one
 * issuer and nothing else: no store of the system has a say. */
#include "common/tls/tls_ocsp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/base/check.h"
#include "common/tls/tls_int.h"

/* status_request (RFC 7633 4.2.3.1, RFC 6066 8). */
#define FEATURE_STATUS_REQUEST 5

/* --- leaves --------------------------------------------------------------- */

struct tls_leaf *
tls_leaf_of(X509 *cert, STACK_OF(X509) * chain)
{
	struct tls_leaf *l = calloc(1, sizeof(*l));

	REQUIRE(l != NULL && X509_up_ref(cert) == 1);
	l->cert = cert;
	for (int i = 0; i < sk_X509_num(chain) && l->issuer == NULL; i++) {
		X509 *x = sk_X509_value(chain, i);

		if (X509_check_issued(x, cert) == X509_V_OK &&
		    X509_up_ref(x) == 1)
			l->issuer = x;
	}
	ERR_clear_error();
	return l;
}

struct tls_leaf *
tls_leaf_read(span pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
	struct tls_leaf *l = calloc(1, sizeof(*l));

	REQUIRE(b != NULL && l != NULL);
	l->cert = PEM_read_bio_X509(b, NULL, NULL, NULL);
	l->issuer = PEM_read_bio_X509(b, NULL, NULL, NULL);
	BIO_free(b);
	ERR_clear_error();
	if (l->cert != NULL && l->issuer != NULL)
		return l;
	tls_leaf_free(l);
	return NULL;
}

void
tls_leaf_free(struct tls_leaf *l)
{
	if (l == NULL)
		return;
	X509_free(l->cert);
	X509_free(l->issuer);
	free(l);
}

char *
tls_leaf_pem(const struct tls_leaf *l)
{
	BIO *b;
	char *data;
	char *out;
	long len;

	if (l->issuer == NULL)
		return NULL;
	b = BIO_new(BIO_s_mem());
	REQUIRE(b != NULL && PEM_write_bio_X509(b, l->cert) == 1 &&
		PEM_write_bio_X509(b, l->issuer) == 1);
	len = BIO_get_mem_data(b, &data);
	out = strndup(data, (size_t)len);
	REQUIRE(out != NULL);
	BIO_free(b);
	return out;
}

void
tls_leaf_print(const struct tls_leaf *l, unsigned char out[TLS_PRINT_LEN])
{
	unsigned n = TLS_PRINT_LEN;

	REQUIRE(X509_digest(l->cert, EVP_sha256(), out, &n) == 1 &&
		n == TLS_PRINT_LEN);
}

void
tls_leaf_print_hex(const struct tls_leaf *l, char out[2 * TLS_PRINT_LEN + 1])
{
	unsigned char print[TLS_PRINT_LEN];

	tls_leaf_print(l, print);
	(void)tls_hex(print, sizeof(print), out);
	out[2 * TLS_PRINT_LEN] = '\0';
}

bool
tls_leaf_has_issuer(const struct tls_leaf *l)
{
	return l->issuer != NULL;
}

bool
tls_leaf_must_staple(const struct tls_leaf *l)
{
	TLS_FEATURE *all =
	    X509_get_ext_d2i(l->cert, NID_tlsfeature, NULL, NULL);
	bool is_there = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(all); i++)
		is_there |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(all, i)) ==
			    FEATURE_STATUS_REQUEST;
	TLS_FEATURE_free(all);
	ERR_clear_error();
	return is_there;
}

char *
tls_leaf_responder(const struct tls_leaf *l)
{
	STACK_OF(OPENSSL_STRING) *all = X509_get1_ocsp(l->cert);
	char *out = NULL;

	for (int i = 0; i < sk_OPENSSL_STRING_num(all) && out == NULL; i++) {
		const char *url = sk_OPENSSL_STRING_value(all, i);

		if (span_starts(span_str(url), SPAN_LIT("http://")))
			out = strdup(url);
	}
	X509_email_free(all);
	ERR_clear_error();
	return out;
}

/* --- asking --------------------------------------------------------------- */

char *
tls_ocsp_ask(const struct tls_leaf *l, size_t *len)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	/* SHA-1 is what every responder knows (RFC 5019 2.1.1) */
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), l->cert, l->issuer);
	unsigned char *at;
	char *out;
	int n;

	REQUIRE(r != NULL && id != NULL && OCSP_request_add0_id(r, id) != NULL);
	n = i2d_OCSP_REQUEST(r, NULL);
	REQUIRE(n > 0);
	out = malloc((size_t)n);
	REQUIRE(out != NULL);
	at = (unsigned char *)out;
	*len = (size_t)i2d_OCSP_REQUEST(r, &at);
	OCSP_REQUEST_free(r);
	return out;
}

/* --- judging -------------------------------------------------------------- */

/* Whether the issuer, or who it delegated, has signed it. */
static bool
basic_is_signed(const struct tls_leaf *l, OCSP_BASICRESP *basic, int64_t now_s)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *known = sk_X509_new_null();
	bool is_signed;

	REQUIRE(store != NULL && known != NULL &&
		sk_X509_push(known, l->issuer) > 0 &&
		X509_STORE_add_cert(store, l->issuer) == 1);
	/* an issuer in the middle of a chain is enough */
	(void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)now_s);
	is_signed =
	    OCSP_basic_verify(basic, known, store, OCSP_NOEXPLICIT) == 1;
	sk_X509_free(known);
	X509_STORE_free(store);
	return is_signed;
}

/* Whether the answer is about the certificate, by whatever hash it names it. */
static bool
single_is_of(const struct tls_leaf *l, const OCSP_SINGLERESP *single)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *hash;
	const EVP_MD *md;
	OCSP_CERTID *own;
	bool is_same;

	if (OCSP_id_get0_info(
		NULL, &hash, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
		return false;
	md = EVP_get_digestbyobj(hash);
	own = md != NULL ? OCSP_cert_to_id(md, l->cert, l->issuer) : NULL;
	is_same = own != NULL && OCSP_id_cmp(own, id) == 0;
	OCSP_CERTID_free(own);
	return is_same;
}

static OCSP_SINGLERESP *
basic_find(const struct tls_leaf *l, OCSP_BASICRESP *basic)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (single_is_of(l, single))
			return single;
	}
	return NULL;
}

static bool
time_read(const ASN1_GENERALIZEDTIME *t, int64_t *out_s)
{
	struct tm tm;

	if (t == NULL || ASN1_GENERALIZEDTIME_check(t) != 1 ||
	    ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out_s = timegm(&tm);
	return true;
}

static enum tls_ocsp
single_judge(OCSP_SINGLERESP *single, int64_t now_s, struct tls_answer *out)
{
	ASN1_GENERALIZEDTIME *since;
	ASN1_GENERALIZEDTIME *until;
	int status =
	    OCSP_single_get0_status(single, NULL, NULL, &since, &until);

	if (!time_read(since, &out->since_s) ||
	    !time_read(until, &out->until_s) || out->until_s < out->since_s)
		return TLS_OCSP_BAD;
	if (out->until_s <= now_s)
		return TLS_OCSP_LATE;
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return TLS_OCSP_REVOKED;
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return TLS_OCSP_UNKNOWN;
	return tls_answer_is_valid(out, now_s) ? TLS_OCSP_GOOD : TLS_OCSP_EARLY;
}

static enum tls_ocsp
basic_judge(const struct tls_leaf *l, OCSP_BASICRESP *basic, int64_t now_s,
    struct tls_answer *out)
{
	OCSP_SINGLERESP *single = basic_find(l, basic);

	if (single == NULL)
		return TLS_OCSP_FOREIGN;
	if (!basic_is_signed(l, basic, now_s))
		return TLS_OCSP_BAD;
	return single_judge(single, now_s, out);
}

enum tls_ocsp
tls_ocsp_judge(
    const struct tls_leaf *l, span der, int64_t now_s, struct tls_answer *out)
{
	const unsigned char *at = (const unsigned char *)der.p;
	OCSP_RESPONSE *r;
	OCSP_BASICRESP *basic = NULL;
	enum tls_ocsp judged = TLS_OCSP_BAD;

	*out = (struct tls_answer){0};
	if (der.len == 0 || der.len > TLS_OCSP_MAX || l->issuer == NULL)
		return TLS_OCSP_BAD;
	r = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	/* nothing may stand behind it: it goes out as it is */
	if (r != NULL && at == (const unsigned char *)der.p + der.len) {
		if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
			judged = TLS_OCSP_REFUSED;
		else
			basic = OCSP_response_get1_basic(r);
	}
	if (basic != NULL)
		judged = basic_judge(l, basic, now_s, out);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return judged;
}

const char *
tls_ocsp_text(enum tls_ocsp o)
{
	switch (o) {
	case TLS_OCSP_GOOD:
		return "is good";
	case TLS_OCSP_REVOKED:
		return "says that the certificate is revoked";
	case TLS_OCSP_UNKNOWN:
		return "says that its responder does not know the certificate";
	case TLS_OCSP_EARLY:
		return "is not valid yet";
	case TLS_OCSP_LATE:
		return "has expired";
	case TLS_OCSP_REFUSED:
		return "is a responder's refusal";
	case TLS_OCSP_BAD:
		return "is not one, or is not signed for the certificate's "
		       "issuer";
	case TLS_OCSP_FOREIGN:
		return "is about another certificate";
	}
	UNREACHED();
}

const char *
tls_ocsp_word(enum tls_ocsp o)
{
	static const char *const words[] = {
	    [TLS_OCSP_GOOD] = "good",
	    [TLS_OCSP_REVOKED] = "revoked",
	    [TLS_OCSP_UNKNOWN] = "unknown",
	    [TLS_OCSP_EARLY] = "early",
	    [TLS_OCSP_LATE] = "expired",
	    [TLS_OCSP_REFUSED] = "refused",
	    [TLS_OCSP_BAD] = "bad",
	    [TLS_OCSP_FOREIGN] = "foreign",
	};

	return words[o];
}
