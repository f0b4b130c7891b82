/* exch/reply: the part of making answers that exch/exch calls. */
#ifndef GH_REPLY_H
#define GH_REPLY_H

#include "common/base/span.h"

struct exch;

/* exch_replace() when nobody makes the answer any more. */
void reply_replace(struct exch *x, span type, span content);

#endif
