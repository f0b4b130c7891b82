/* auth/auth_source: where a request carries a token: fields, one after the
 * other, or an argument of its query. */
#ifndef GH_AUTH_SOURCE_H
#define GH_AUTH_SOURCE_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/http/msg.h"

struct exch;

struct auth_source {
	const span *names; /* of fields */
	uint32_t n;
	span query; /* name of the argument; empty: none */
};

enum auth_sent {
	AUTH_SENT_NOTHING,
	AUTH_SENT_TOKEN,
	AUTH_SENT_TWO /* nobody can tell which is meant */
};

/* From the keys `header` and `query` of an [auth]; without them it is the field
 * `otherwise`, or none for NULL. */
void auth_source_prepare(struct auth_source *s, const struct conf_scope *scope,
    const char *otherwise, struct arena *a, struct diag *d);
/* The token that the request carries, borrowed from it. In Authorization and
 * Proxy-Authorization it stands behind `Bearer`. */
enum auth_sent auth_source_find(
    const struct auth_source *s, const struct exch *x, span *token);
/* Take all of them out of the request. */
void auth_source_strip(const struct auth_source *s, struct exch *x);

#endif
