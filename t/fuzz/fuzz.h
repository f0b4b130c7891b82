/* fuzz/fuzz: what the fuzz targets share. A target is one function over bytes;
 * libFuzzer or replay.c calls it. Invariants are REQUIREs. */
#ifndef GH_FUZZ_H
#define GH_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy in memory of exactly its size: a read behind it is seen. */
static inline span
fuzz_dup(span s)
{
	char *p = malloc(s.len > 0 ? s.len : 1);

	REQUIRE(p != NULL);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return span_of(p, s.len);
}

static inline void
fuzz_free(span s)
{
	free((void *)(uintptr_t)s.p);
}

#endif
