/* up/up_any: servers that no configuration names: what a forward proxy asks. One
 * group of one server for each destination, made when it is needed. */
#ifndef GH_UP_ANY_H
#define GH_UP_ANY_H

#include <stdint.h>

#include "worker/up/up_group.h"

struct exch_destination;

/* Those of one worker. */
struct up_any *up_any_new(struct worker *w);
/* No connection is pooled from now on. */
void up_any_retire(struct up_any *a);
/* Exchanges must be gone. */
void up_any_free(struct up_any *a);

/* The group for x->destination, whose addresses are all that are ever connected
 * to for it: who judged them knows where the request goes. up_any_leave() gives
 * it back. */
struct up_group *up_any_take(struct up_any *a, const struct upstream *u,
    const struct exch_destination *to);
void up_any_leave(struct up_any *a, struct up_group *g);

#endif
