/* filter/filter_decode: content that is held, without its coding. */
#ifndef GH_FILTER_DECODE_H
#define GH_FILTER_DECODE_H

#include "worker/exch/decode.h"

decode_f filter_decode;

#endif
