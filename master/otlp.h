/* master/otlp: spans as JSON of OTLP (opentelemetry/proto/trace/v1: names in
 * lowerCamelCase, ids in hexadecimal, numbers of 64 bits as text), with the
 * attributes that the semantic conventions have for HTTP. */
#ifndef GH_OTLP_H
#define GH_OTLP_H

#include <jansson.h>

#include "common/base/span.h"
#include "common/store/spans.h"

/* A new, empty array of spans; then its members. */
json_t *otlp_span(const struct span_note *n);
/* The whole of a request for these spans (taken), to be given to free(). */
char *otlp_request(json_t *spans);
/* What the answer of a collector says of spans that it did not take. */
uint64_t otlp_rejected(span answer);

#endif
