/* auth/jwks: the keys of tokens from a URL: each worker fetches the set ahead of
 * time, shares it with the others through common/store/staples, and has the last
 * good one as long as nothing better comes. Never on a request's way, but that a
 * token by a key that is not known may wait for one fetch. */
#ifndef GH_JWKS_H
#define GH_JWKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/serve/fetch_url.h"
#include "common/store/staples.h"
#include "common/tls/tls.h"
#include "common/tls/tls_client.h"
#include "worker/auth/jwt_keys.h"

struct exch;
struct worker;

/* A set that is fetched, as configured. */
struct jwks_conf {
	struct fetch_url url;
	span name; /* of its [auth] */
	struct tls_client *tls; /* NULL: plain http */
	uint64_t again_ms; /* between two fetches, at least */
	uint8_t print
	    [STAPLE_PRINT_LEN]; /* of URL and authorities: what is shared */
};

/* Whether a value of `jwks` is a URL. */
bool jwks_is_url(span text);
/* From an [auth] whose `jwks` is one. NULL: d says why. To be given back. */
struct jwks_conf *jwks_prepare(const struct conf_scope *s, span name,
    const struct tls_policy *policy, struct diag *d);
/* NULL is harmless. */
void jwks_fini(struct jwks_conf *c);

/* A set as one worker has it. */
struct jwks;

struct jwks *jwks_new(struct worker *w, const struct jwks_conf *c);
/* No exchange may wait for it. NULL is harmless. */
void jwks_free(struct jwks *s);
/* NULL: there was never one. Valid until the next event. */
const struct jwt_keys *jwks_keys(const struct jwks *s);
/* Another one each time that the keys are others. */
uint32_t jwks_version(const struct jwks *s);

/* A token names a key that is not in the set. */
enum jwks_rc {
	JWKS_NEW, /* there is another set: look again */
	JWKS_OPEN, /* it is fetched: the exchange will be kicked */
	JWKS_SAME /* nothing can be had now */
};
enum jwks_rc jwks_ask(struct jwks *s, struct exch *x);
/* The exchange waits no more. */
void jwks_leave(struct exch *x);

#endif
