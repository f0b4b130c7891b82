/* master/resolver: the steward's questions to name servers. It alone asks for
 * the names of upstreams' servers, when they are configured and again when the
 * time of an answer is over, and puts what it was told where all workers read it
 * (store/spots). Addresses serve on while the name servers say nothing (RFC
 * 8767 5); a name that is said not to exist has no address any more. While an
 * upgrade is under way two stewards ask, each for the names of its configuration.
 */
#ifndef GH_RESOLVER_H
#define GH_RESOLVER_H

#include <jansson.h>
#include <stdbool.h>

#include "common/ipc/boot.h"
#include "common/net/loop.h"

struct resolver;

/* Read what stands in files: behind this no path is opened. */
struct resolver *resolver_new(struct loop *l, const struct boot *b);
void resolver_free(struct resolver *r);

/* This configuration serves now. Borrows it for as long as it is used. */
void resolver_use(struct resolver *r, json_t *conf);
/* Once a second at least: put again what the repair after a death emptied. */
void resolver_beat(struct resolver *r);

#endif
