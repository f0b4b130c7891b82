/* auth/jwt: JSON Web Tokens (RFC 7519) signed as RFC 7515 3.1 has it, read
 * strictly: three parts in base64url, a header that asks for nothing that is
 * not known. What the claims mean is the caller's business. */
#ifndef GH_JWT_H
#define GH_JWT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "worker/auth/jwt_keys.h"

/* Longest token. */
#define JWT_LEN_MAX 8192u

struct jwt {
	enum jwt_alg alg;
	span kid; /* empty: it names no key */
	span signed_part; /* of the token, as it came */
	span claims; /* text that should be JSON */
	span signature;
};

/* Take a token apart; pieces point into it and into the arena. false: it is
 * none of those that are read. Nothing is known of its truth. */
bool jwt_read(span token, struct arena *a, struct jwt *out);

/* Whether some key may have made its signature, by kind and name. */
bool jwt_is_by(const struct jwt *t, const struct jwt_keys *keys);
/* Whether one of the keys made its signature: one of the kind of its algorithm,
 * which is for it, and has the name that the token names if both have one. */
bool jwt_verify(const struct jwt *t, const struct jwt_keys *keys);

#endif
