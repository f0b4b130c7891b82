/* up/rawo: an origin that is only connected to: the far end of a tunnel that a
 * CONNECT asks for (RFC 9110 9.3.6). */
#ifndef GH_RAWO_H
#define GH_RAWO_H

#include "worker/up/origin.h"

extern const struct origin_ops rawo_ops;

#endif
