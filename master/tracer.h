/* master/tracer: the steward sends the spans that workers leave in the segment
 * (common/store/spans) to a collector, in batches, by OTLP/HTTP in JSON
 * (https://opentelemetry.io/docs/specs/otlp/). One batch is on its way at a
 * time; one that is refused for now is sent again a few times, and meanwhile the
 * ring takes what it has room for. */
#ifndef GH_TRACER_H
#define GH_TRACER_H

#include <jansson.h>

#include "common/ipc/boot.h"
#include "common/net/dns.h"
#include "common/net/loop.h"

struct tracer;

/* Never NULL. All of it is borrowed; dns: NULL when only addresses can be asked.
 */
struct tracer *tracer_new(
    struct loop *l, const struct boot *b, const struct dns_conf *dns);
void tracer_free(struct tracer *t);
/* What the master told of the configuration: members trace_export (empty: spans
 * go nowhere) and dns_servers. */
void tracer_use(struct tracer *t, const json_t *conf);
/* Often; has_lease: this steward is the one that reads. */
void tracer_care(struct tracer *t, bool has_lease);
/* At the end of the process: turns the loop until what is left was sent, a
 * second at most. */
void tracer_finish(struct tracer *t);

#endif
