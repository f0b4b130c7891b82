/* exch/reqid: names of exchanges, the same in all logs and in X-Request-Id. */
#ifndef GH_REQID_H
#define GH_REQID_H

#include <stdbool.h>

#include "common/base/span.h"

struct exch;

/* Bytes of a name made here: hexadecimal. */
#define REQID_LEN 32
/* Longest name taken over from a trusted peer. */
#define REQID_MAX 128

/* Give the exchange a name of its own if it has none. */
void reqid_make(struct exch *x);
/* Whether a told name is harmless everywhere: 1 .. REQID_MAX letters, digits
 * and -_.:=+/@ */
bool reqid_is_fine(span s);

#endif
