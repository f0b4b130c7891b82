/* exch/share: a share of the requests, in tenths of a per cent: by turns, so
 * that a worker keeps to it closely, or by a key. */
#ifndef GH_SHARE_H
#define GH_SHARE_H

#include <stdint.h>

#include "common/base/span.h"

struct worker;

/* What shares are taken of; uses do not follow each other's turns. */
enum share_use { SHARE_SPLIT, SHARE_MIRROR, SHARE_USES };

#define SHARE_WHOLE 1000u

/* The place of the next request, 0 .. SHARE_WHOLE - 1: a share of t holds those
 * below t. */
uint32_t share_turn(struct worker *w, enum share_use use);
/* The place of all requests with this key, in every worker and for ever. */
uint32_t share_place(span key);

#endif
