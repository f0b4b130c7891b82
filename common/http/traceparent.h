/* http/traceparent: the two fields of W3C Trace Context, Level 2
 * (https://www.w3.org/TR/trace-context-2/). Pure. */
#ifndef GH_TRACEPARENT_H
#define GH_TRACEPARENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

#define TRACE_ID_LEN 16u
#define TRACE_SPAN_LEN 8u
/* "00-" 32 digits "-" 16 digits "-" 2 digits. */
#define TRACEPARENT_LEN 55u
/* Where the digits of the span's id begin. */
#define TRACEPARENT_SPAN_AT 36u
/* Longest tracestate that is passed on (3.3.1.5: a reader may drop more), and
 * its most members (3.3.1.1). */
#define TRACESTATE_MAX 512u
#define TRACESTATE_MEMBERS 32u

/* trace-flags that mean something (3.2.2.5). */
enum {
	TRACE_SAMPLED = 1, /* who sent it may have recorded it */
	TRACE_RANDOM = 2 /* the trace's id was made by chance */
};

struct traceparent {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[TRACE_SPAN_LEN]; /* of who sent it */
	uint8_t flags; /* those above; of others nothing is kept */
};

/* Read a value without blanks around it. A version that is not known yet is read
 * as the first one is (3.2.4). false: it is none, and *out means nothing. */
bool traceparent_read(span value, struct traceparent *out);
/* In version 00; no NUL. */
void traceparent_write(const struct traceparent *t, char out[TRACEPARENT_LEN]);
/* Lower case digits of n bytes, 2 for each; no NUL. */
void traceparent_hex(const uint8_t *id, size_t n, char *out);
/* Whether all lines of tracestate, joined by commas, are a list as 3.3.1 has it
 * that is passed on; keys occur once. */
bool tracestate_is_fine(span list);

#endif
