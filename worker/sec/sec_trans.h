/* sec_trans: the transformations of the rule language, as ModSecurity 2.9 does
 * them. Pure: bytes in, bytes out. */
#ifndef GH_SEC_TRANS_H
#define GH_SEC_TRANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/sec/sec_names.h"

/* What a result may be longer than sec_trans.def says: digests, the decimal
 * text of a length. */
#define SEC_TRANS_MORE 40

/* A map of code points to bytes (SecUnicodeMapFile): what urlDecodeUni makes of
 * %uXXXX beyond a byte. 0: not in the map. */
struct sec_unicode {
	uint8_t to[0x10000];
};

/* Bytes that the result for `len` bytes may have. */
size_t sec_trans_room(enum sec_trans t, size_t len);

/* Transform. Returns `in` itself when nothing changes (nothing was written),
 * else what was written to `out`, which has sec_trans_room() bytes and does not
 * overlap with it. `map` may be NULL. */
span sec_trans_run(
    enum sec_trans t, span in, const struct sec_unicode *map, char *out);

/* Read the map `code_page` out of a file in the form of ModSecurity's
 * unicode.mapping ("20127 (US-ASCII)" lines followed by "00a0:20" pairs); the
 * caller frees. NULL with a message at `at`. */
struct sec_unicode *sec_unicode_new(
    const char *path, uint32_t code_page, struct place at, struct diag *d);
void sec_unicode_free(struct sec_unicode *map);

#endif
