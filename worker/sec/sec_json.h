/* sec_json: a JSON document (RFC 8259) as names and values, the way that
 * ModSecurity 2.9 names them: keys joined by dots, "array" for an array that has
 * no key. Pure; no recursion. */
#ifndef GH_SEC_JSON_H
#define GH_SEC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"

struct sec_json_sink {
	void *self;
	/* A value that is no object or array. Both texts live as long as the
	 * arena. false: no more. */
	bool (*value)(void *self, span name, span value);
};

/* Read the document; at most `depth` objects and arrays inside each other (and
 * never more than SEC_JSON_DEPTH_MAX). NULL when it is well-formed, else what
 * is wrong. Values before the fault were told. */
#define SEC_JSON_DEPTH_MAX 10000u
const char *sec_json_read(span text, uint32_t depth, struct arena *a,
    const struct sec_json_sink *sink);

#endif
