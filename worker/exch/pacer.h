/* exch/pacer: holds an answer's content back so that it goes to the client no
 * faster than it may (`limit_bandwidth`). It stands behind all filters, before
 * the front, and moves a piece when that piece's time has come: what it holds
 * back stays with whoever made it. */
#ifndef GH_PACER_H
#define GH_PACER_H

#include <stdbool.h>

#include "common/base/span.h"

struct exch;
struct plan_bandwidth;

/* Pace the answer, of which nothing was sent. `key`: whom it counts for where
 * the bandwidth is shared; it must live as long as the exchange. */
void pacer_begin(struct exch *x, const struct plan_bandwidth *set, span key);

/* For exch.c: move what may be moved. Whether anything was. */
bool pacer_run(struct exch *x);
/* Pace no more, and give back what was not sent; x->out is what it was. */
void pacer_drop(struct exch *x);

#endif
