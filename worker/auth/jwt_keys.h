/* auth/jwt_keys: keys that tokens are verified with, as a JSON Web Key Set
 * holds them (RFC 7517). */
#ifndef GH_JWT_KEYS_H
#define GH_JWT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/base/vec.h"

enum jwt_alg {
#define JWT_ALG(id, name, kty) JWT_##id,
#include "worker/auth/jwt_alg.def"
#undef JWT_ALG
	JWT_ALGS
};

/* Kinds of keys (RFC 7518 6.1); a signature is verified with its own kind only.
 */
enum jwt_kty { JWT_OCT, JWT_RSA, JWT_EC, JWT_OKP };

/* The secret of HS256: fewer bytes than its hash has can be guessed (RFC 7518
 * 3.2). */
#define JWT_SECRET_MIN 32u

struct jwt_key {
	enum jwt_kty kty;
	span kid; /* empty: it has none */
	int alg; /* the only one it is for; -1: all of its kind */
	EVP_PKEY *pkey; /* all but OCT */
	span secret; /* OCT */
};

struct jwt_keys {
	struct vec at; /* struct jwt_key, in the arena */
};

void jwt_keys_init(struct jwt_keys *k);
void jwt_keys_fini(struct jwt_keys *k);
/* Read a set. Keys for other uses or of other kinds are passed over, as RFC
 * 7517 5 has it. NULL: all went well; else what is wrong, valid as long as the
 * arena. */
const char *jwt_keys_read(struct jwt_keys *k, struct arena *a, span text);
/* One for HS256 that the configuration holds. */
void jwt_keys_add_secret(struct jwt_keys *k, struct arena *a, span secret);

/* JWT_ALGS: no such name. */
enum jwt_alg jwt_alg_find(span name);
span jwt_alg_name(enum jwt_alg alg);
enum jwt_kty jwt_alg_kty(enum jwt_alg alg);

#endif
