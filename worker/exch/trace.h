/* exch/trace: an exchange's place in a trace (W3C Trace Context): whose part it
 * is, what the next one is told, and spans of itself and of each try for who
 * collects them. Never waits: spans go into a ring of the segment. */
#ifndef GH_TRACE_H
#define GH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "common/http/traceparent.h"
#include "worker/exch/fault.h"
#include "worker/exch/verdict.h"

struct exch;

/* [tracing] */
struct plan_tracing {
	bool propagates;
	bool follows_parent; /* who is traced decides whether we record */
	bool exports;
	uint64_t below; /* traces whose hash is below it are recorded */
	bool is_all;
};

struct trace {
	struct traceparent own; /* span_id: of the exchange */
	uint8_t parent_id[TRACE_SPAN_LEN]; /* all zero: it begins the trace */
	bool is_recorded;
	char *told; /* traceparent for servers, TRACEPARENT_LEN bytes in the
	               arena; NULL: the client's goes on as it came */
	/* the try under way, with is_trying */
	bool is_trying;
	uint8_t n_tries;
	uint16_t try_status; /* of its answer; 0: none yet */
	uint8_t try_id[TRACE_SPAN_LEN];
	uint64_t try_begin_us; /* CLOCK_MONOTONIC */
	char trace_text[2 * TRACE_ID_LEN];
	char span_text[2 * TRACE_SPAN_LEN];
};

/* NULL: there is no [tracing]. */
const struct plan_tracing *trace_prepare(
    const struct conf_tree *t, struct arena *a, struct diag *d);

/* Request stage: continue the client's trace, or begin one. */
enum verdict stage_trace(struct exch *x);
/* The fields for the next hop, when those of hops are gone. */
void trace_tell(struct exch *x);
/* `y` is spawned by `x`: its tries are the same trace's. */
void trace_spawn(const struct exch *x, struct exch *y);

/* A try begins; one that did before is over. The value that it sends is another
 * one from here on. */
void trace_try_begin(struct exch *x);
/* The head of its answer is there. */
void trace_try_answered(struct exch *x, unsigned status);
/* It is over: well, or failed. */
void trace_try_end(struct exch *x, enum fault_id why);
/* Another one was faster: it is given up, and has not failed. */
void trace_try_leave(struct exch *x);
/* The exchange is over. */
void trace_close(struct exch *x);

/* Digits of their ids; empty without tracing. */
span trace_id_text(const struct exch *x);
span trace_span_text(const struct exch *x);

#endif
