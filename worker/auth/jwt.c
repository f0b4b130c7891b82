/* auth/jwt: see jwt.h. */
#include "worker/auth/jwt.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "worker/auth/auth_json.h"

/* r and s of ES256, and the most that they are in DER. */
#define JWT_ES256_LEN 64u
#define JWT_ES256_DER_MAX 80
#define JWT_KID_MAX 256u
#define JWT_HASH_LEN 32u

/* --- reading -------------------------------------------------------------- */

static bool
jwt_decode(span text, struct arena *a, span *out)
{
	char *room = arena_alloc(a, BASE64_BYTES(text.len));
	size_t len;

	if (!base64url_read(text, room, &len))
		return false;
	*out = span_of(room, len);
	return true;
}

/* `typ` is optional, and JWT or at+jwt (RFC 9068 2.1). */
static bool
jwt_is_type(const json_t *header)
{
	span typ = auth_json_text(header, "typ");

	return json_object_get(header, "typ") == NULL ||
	       span_ieq(typ, SPAN_LIT("JWT")) ||
	       span_ieq(typ, SPAN_LIT("at+jwt")) ||
	       span_ieq(typ, SPAN_LIT("application/at+jwt"));
}

/* RFC 7515 4.1: keys that a token brings with it are nobody's, and an extension
 * that must be understood is not. */
static bool
jwt_read_header(span text, struct arena *a, struct jwt *out)
{
	json_t *j = auth_json_read(text);
	bool ok = j != NULL && jwt_is_type(j) &&
		  json_object_get(j, "crit") == NULL &&
		  json_object_get(j, "b64") == NULL;

	if (ok) {
		out->alg = jwt_alg_find(auth_json_text(j, "alg"));
		out->kid = arena_span(a, auth_json_text(j, "kid"));
		ok = out->alg != JWT_ALGS && out->kid.len <= JWT_KID_MAX;
	}
	json_decref(j);
	return ok;
}

bool
jwt_read(span token, struct arena *a, struct jwt *out)
{
	span rest = token;
	span parts[3];
	span header;

	if (token.len > JWT_LEN_MAX)
		return false;
	for (size_t i = 0; i < NELEMS(parts); i++)
		if (!span_cut(&rest, '.', &parts[i]) || parts[i].len == 0)
			return false;
	if (rest.p != NULL)
		return false;
	out->signed_part = span_first(token, parts[0].len + 1 + parts[1].len);
	return jwt_decode(parts[0], a, &header) &&
	       jwt_decode(parts[1], a, &out->claims) &&
	       jwt_decode(parts[2], a, &out->signature) &&
	       jwt_read_header(header, a, out);
}

/* --- verifying ------------------------------------------------------------ */

static bool
verify_hs256(const struct jwt *t, const struct jwt_key *k)
{
	unsigned char made[JWT_HASH_LEN];
	unsigned len = 0;

	return t->signature.len == sizeof(made) &&
	       HMAC(EVP_sha256(), k->secret.p, (int)k->secret.len,
		   (const unsigned char *)t->signed_part.p, t->signed_part.len,
		   made, &len) != NULL &&
	       len == sizeof(made) &&
	       CRYPTO_memcmp(made, t->signature.p, sizeof(made)) == 0;
}

/* Two numbers side by side (RFC 7518 3.4) as OpenSSL wants them. 0: they are
 * none. */
static size_t
es256_to_der(span signature, unsigned char out[JWT_ES256_DER_MAX])
{
	const unsigned char *p = (const unsigned char *)signature.p;
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(p, JWT_ES256_LEN / 2, NULL);
	BIGNUM *v = BN_bin2bn(p + JWT_ES256_LEN / 2, JWT_ES256_LEN / 2, NULL);
	int len = 0;

	if (s != NULL && r != NULL && v != NULL &&
	    ECDSA_SIG_set0(s, r, v) == 1) {
		unsigned char *at = out;

		/* they are the signature's now */
		r = v = NULL;
		if (i2d_ECDSA_SIG(s, NULL) <= JWT_ES256_DER_MAX)
			len = i2d_ECDSA_SIG(s, &at);
	}
	BN_free(r);
	BN_free(v);
	ECDSA_SIG_free(s);
	return len > 0 ? (size_t)len : 0;
}

/* RFC 7518 3.5: the salt is as long as the hash. */
static bool
verify_set_pss(EVP_PKEY_CTX *c)
{
	return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
verify_by_key(const struct jwt *t, const struct jwt_key *k, span signature)
{
	/* Ed25519 hashes by itself */
	const EVP_MD *md = t->alg == JWT_EDDSA ? NULL : EVP_sha256();
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	bool ok = c != NULL &&
		  EVP_DigestVerifyInit(c, &pc, md, NULL, k->pkey) == 1 &&
		  (t->alg != JWT_PS256 || verify_set_pss(pc)) &&
		  EVP_DigestVerify(c, (const unsigned char *)signature.p,
		      signature.len, (const unsigned char *)t->signed_part.p,
		      t->signed_part.len) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

static bool
verify_es256(const struct jwt *t, const struct jwt_key *k)
{
	unsigned char der[JWT_ES256_DER_MAX];
	size_t len;

	if (t->signature.len != JWT_ES256_LEN)
		return false;
	len = es256_to_der(t->signature, der);
	return len > 0 && verify_by_key(t, k, span_of((const char *)der, len));
}

static bool
verify_one(const struct jwt *t, const struct jwt_key *k)
{
	switch (k->kty) {
	case JWT_OCT:
		return verify_hs256(t, k);
	case JWT_EC:
		return verify_es256(t, k);
	case JWT_RSA:
	case JWT_OKP:
		return verify_by_key(t, k, t->signature);
	}
	UNREACHED();
}

/* Whether the key may have made it. */
static bool
verify_is_meant(const struct jwt *t, const struct jwt_key *k)
{
	return k->kty == jwt_alg_kty(t->alg) &&
	       (k->alg < 0 || k->alg == (int)t->alg) &&
	       (t->kid.len == 0 || k->kid.len == 0 || span_eq(t->kid, k->kid));
}

bool
jwt_is_by(const struct jwt *t, const struct jwt_keys *keys)
{
	for (uint32_t i = 0; i < keys->at.n; i++)
		if (verify_is_meant(t, keys->at.at[i]))
			return true;
	return false;
}

bool
jwt_verify(const struct jwt *t, const struct jwt_keys *keys)
{
	for (uint32_t i = 0; i < keys->at.n; i++)
		if (verify_is_meant(t, keys->at.at[i]) &&
		    verify_one(t, keys->at.at[i]))
			return true;
	return false;
}
