/* exch/meter: counts the bytes of an exchange for a quota while they move, and
 * breaks it off when that is used up. */
#ifndef GH_METER_H
#define GH_METER_H

#include <stdbool.h>
#include <stdint.h>

struct exch;
struct plan_quota;

/* What whom the exchange counts for has used today. false: it cannot be told
 * now. */
bool meter_used(struct exch *x, const struct plan_quota *q, uint64_t *used);

/* From here on it is counted, with what moved already. */
void meter_begin(struct exch *x, const struct plan_quota *q);

/* For exch.c: something may have moved. */
void meter_run(struct exch *x);
/* How much may lie in a pipe of its: what is there is counted already, or passes
 * the quota. */
uint32_t meter_pipe_cap(const struct exch *x);
/* The exchange is over: the rest. Idempotent. */
void meter_end(struct exch *x);

#endif
