/* auth/jwt_keys: see jwt_keys.h. */
#include "worker/auth/jwt_keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "worker/auth/auth_json.h"

/* Keys of one set, each of which may have to be tried. */
#define KEYS_MAX 32u
/* Longest member that is read: the modulus of RSA with 16384 bits. */
#define KEYS_BYTES_MAX 2048u
/* RFC 7518 3.3 */
#define KEYS_RSA_MIN_BITS 2048
#define KEYS_RSA_MAX_BITS 16384
#define KEYS_P256_LEN 32u
#define KEYS_ED25519_LEN 32u

static const struct {
	const char *name;
	enum jwt_kty kty;
} algs[] = {
#define JWT_ALG(id, name, kty) [JWT_##id] = {name, JWT_##kty},
#include "worker/auth/jwt_alg.def"
#undef JWT_ALG
};

enum jwt_alg
jwt_alg_find(span name)
{
	unsigned i = 0;

	while (i < JWT_ALGS && !span_eq(span_str(algs[i].name), name))
		i++;
	return (enum jwt_alg)i;
}

span
jwt_alg_name(enum jwt_alg alg)
{
	return span_str(algs[alg].name);
}

enum jwt_kty
jwt_alg_kty(enum jwt_alg alg)
{
	return algs[alg].kty;
}

void
jwt_keys_init(struct jwt_keys *k)
{
	vec_init(&k->at);
}

void
jwt_keys_fini(struct jwt_keys *k)
{
	for (uint32_t i = 0; i < k->at.n; i++) {
		struct jwt_key *key = k->at.at[i];

		EVP_PKEY_free(key->pkey);
		if (key->secret.len > 0)
			OPENSSL_cleanse(
			    (void *)(uintptr_t)key->secret.p, key->secret.len);
	}
	vec_fini(&k->at);
}

/* The bytes of a member in base64url, in the arena; empty: there are none. */
static span
key_bytes(const json_t *j, const char *name, struct arena *a)
{
	span text = auth_json_text(j, name);
	char *out;
	size_t len;

	if (text.len > BASE64_CHARS(KEYS_BYTES_MAX))
		return span_of(NULL, 0);
	out = arena_alloc(a, BASE64_BYTES(text.len));
	if (!base64url_read(text, out, &len) || len > KEYS_BYTES_MAX)
		return span_of(NULL, 0);
	return span_of(out, len);
}

static EVP_PKEY *
key_make(const char *type, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(params);
	return key;
}

static BIGNUM *
key_number(span bytes)
{
	return BN_bin2bn((const unsigned char *)bytes.p, (int)bytes.len, NULL);
}

/* RFC 7518 6.3 */
static EVP_PKEY *
key_rsa(const json_t *j, struct arena *a)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n = key_number(key_bytes(j, "n", a));
	BIGNUM *e = key_number(key_bytes(j, "e", a));
	EVP_PKEY *key = NULL;

	if (b != NULL && n != NULL && e != NULL &&
	    BN_num_bits(n) >= KEYS_RSA_MIN_BITS &&
	    BN_num_bits(n) <= KEYS_RSA_MAX_BITS && BN_is_odd(n) &&
	    BN_is_odd(e) && !BN_is_one(e) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_make("RSA", b);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* Only a point on the curve is a key (RFC 7518 6.2). */
static EVP_PKEY *
key_if_good(EVP_PKEY *key)
{
	EVP_PKEY_CTX *c =
	    key != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	bool is_good = c != NULL && EVP_PKEY_public_check(c) == 1;

	EVP_PKEY_CTX_free(c);
	if (is_good)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
key_p256(const json_t *j, struct arena *a)
{
	unsigned char point[1 + 2 * KEYS_P256_LEN];
	span x = key_bytes(j, "x", a);
	span y = key_bytes(j, "y", a);
	OSSL_PARAM_BLD *b;
	EVP_PKEY *key = NULL;

	if (!span_eq(auth_json_text(j, "crv"), SPAN_LIT("P-256")) ||
	    x.len != KEYS_P256_LEN || y.len != KEYS_P256_LEN)
		return NULL;
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(point + 1, x.p, x.len);
	memcpy(point + 1 + x.len, y.p, y.len);
	b = OSSL_PARAM_BLD_new();
	if (b != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(
		b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(
		b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
		key = key_if_good(key_make("EC", b));
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* RFC 8037 2 */
static EVP_PKEY *
key_ed25519(const json_t *j, struct arena *a)
{
	span x = key_bytes(j, "x", a);

	if (!span_eq(auth_json_text(j, "crv"), SPAN_LIT("Ed25519")) ||
	    x.len != KEYS_ED25519_LEN)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.len);
}

/* Whether it is there to verify signatures with (RFC 7517 4.2, 4.3). */
static bool
key_is_for_us(const json_t *j)
{
	const json_t *ops = json_object_get(j, "key_ops");
	const json_t *op;
	size_t i;

	if (json_object_get(j, "use") != NULL &&
	    !span_eq(auth_json_text(j, "use"), SPAN_LIT("sig")))
		return false;
	if (ops == NULL)
		return true;
	json_array_foreach(ops, i, op)
	{
		if (json_is_string(op) &&
		    strcmp(json_string_value(op), "verify") == 0)
			return true;
	}
	return false;
}

/* The key itself. false: it is malformed or too weak. */
static bool
key_read_material(struct jwt_key *k, const json_t *j, struct arena *a)
{
	switch (k->kty) {
	case JWT_OCT:
		k->secret = key_bytes(j, "k", a);
		return k->secret.len >= JWT_SECRET_MIN;
	case JWT_RSA:
		k->pkey = key_rsa(j, a);
		return k->pkey != NULL;
	case JWT_EC:
		k->pkey = key_p256(j, a);
		return k->pkey != NULL;
	case JWT_OKP:
		k->pkey = key_ed25519(j, a);
		return k->pkey != NULL;
	}
	UNREACHED();
}

/* The kind of a key, by its name. false: none that is known. */
static bool
key_kind(span kty, enum jwt_kty *out)
{
	static const char *const names[] = {
	    [JWT_OCT] = "oct",
	    [JWT_RSA] = "RSA",
	    [JWT_EC] = "EC",
	    [JWT_OKP] = "OKP",
	};

	for (size_t i = 0; i < NELEMS(names); i++) {
		if (!span_eq(kty, span_str(names[i])))
			continue;
		*out = (enum jwt_kty)i;
		return true;
	}
	return false;
}

/* A curve that no signature here is of is not wrong. */
static bool
key_is_other_curve(const struct jwt_key *k, const json_t *j)
{
	span crv = auth_json_text(j, "crv");

	return (k->kty == JWT_EC && !span_eq(crv, SPAN_LIT("P-256"))) ||
	       (k->kty == JWT_OKP && !span_eq(crv, SPAN_LIT("Ed25519")));
}

/* One key of a set. NULL: all went well, or it is none of ours. */
static const char *
keys_add(struct jwt_keys *keys, struct arena *a, const json_t *j, size_t i)
{
	struct jwt_key *k = arena_zalloc(a, sizeof(*k));
	span alg = auth_json_text(j, "alg");

	if (!key_kind(auth_json_text(j, "kty"), &k->kty) || !key_is_for_us(j) ||
	    key_is_other_curve(k, j))
		return NULL;
	k->alg = alg.len > 0 ? (int)jwt_alg_find(alg) : -1;
	if (k->alg == JWT_ALGS)
		return NULL;
	k->kid = arena_span(a, auth_json_text(j, "kid"));
	if (!key_read_material(k, j, a)) {
		EVP_PKEY_free(k->pkey);
		return arena_printf(a,
		    "key %zu of the set is malformed, or too short to be safe",
		    i + 1)
		    .p;
	}
	vec_push(&keys->at, k);
	return NULL;
}

const char *
jwt_keys_read(struct jwt_keys *keys, struct arena *a, span text)
{
	json_t *j = auth_json_read(text);
	const json_t *set = j != NULL ? json_object_get(j, "keys") : NULL;
	const char *why = NULL;
	const json_t *key;
	size_t i;

	if (!json_is_array(set))
		why = "it is no JSON Web Key Set, {\"keys\": [...]}";
	else if (json_array_size(set) > KEYS_MAX)
		why = "it holds more than 32 keys";
	for (i = 0; why == NULL && i < json_array_size(set); i++) {
		key = json_array_get(set, i);
		why = keys_add(keys, a, key, i);
	}
	json_decref(j);
	return why;
}

void
jwt_keys_add_secret(struct jwt_keys *keys, struct arena *a, span secret)
{
	struct jwt_key *k = arena_zalloc(a, sizeof(*k));

	k->kty = JWT_OCT;
	k->alg = -1;
	k->secret = arena_span(a, secret);
	vec_push(&keys->at, k);
}
