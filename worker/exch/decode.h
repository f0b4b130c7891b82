/* exch/decode: the seam between who holds content that has a coding and wants to
 * see it without, and the folder that knows codings. */
#ifndef GH_DECODE_H
#define GH_DECODE_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/http/coding.h"

struct worker;

enum decode_rc {
	DECODE_OK, /* all of it */
	DECODE_LONG, /* there is more: the first `max` bytes */
	DECODE_BAD /* unknown, broken, cut off, or no memory: what could be read */
};

struct decode {
	struct arena *arena; /* where the text goes */
	uint64_t max; /* bytes of it */
	span text;
};

/* Take the coding away from content that is held as a whole. */
typedef enum decode_rc decode_f(
    struct worker *w, enum coding c, span in, struct decode *d);

#endif
