/* up/up_hedge: a second try beside a slow first one (`hedge`): an internal
 * exchange that asks another server. The first head wins. The first try knows
 * only when it is over; what it costs one that is not hedged is a look at a
 * pointer. */
#ifndef GH_UP_HEDGE_H
#define GH_UP_HEDGE_H

#include <stdbool.h>

#include "worker/exch/exch.h"
#include "worker/exch/fault.h"

struct up_hedge;
struct up_server;
struct up_try;

/* Whether its request may be sent twice at once: safe, without content. */
bool hedge_is_for(const struct up_try *t);
/* The exchange is opened: watch the time, if it may be hedged. */
void hedge_arm(struct up_try *t);
/* A head with this status came: what the time to wait is learnt from, if it is
 * learnt. */
void hedge_learn(const struct up_try *t, unsigned status);
/* The exchange is a second try itself: what it takes over from the first, and
 * the server that it is for. NULL: it is none. */
struct up_server *hedge_server(const struct exch *x, struct up_try *t);
/* A head came, or nobody waits any more: the second try is broken off. */
void hedge_leave(struct up_try *t);
/* The first try failed for good. true: the second one is awaited, and the fault
 * is raised when that fails, too. */
bool hedge_waits(struct up_try *t, enum fault_id why, int err);
/* State UP_HEDGE: take the content of the second try's answer. Whether anything
 * moved. */
bool hedge_pump(struct up_try *t);

#endif
