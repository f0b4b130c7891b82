/* rate/memory_stage: stage `memory`: while the worker's connections take more
 * than its share of memory_limit, further requests are refused. */
#include "worker/exch/exch.h"
#include "worker/exch/memory.h"
#include "worker/rate/rate.h"

enum verdict
stage_memory(struct exch *x)
{
	/* a dry run asks the configuration */
	if (x->sink != NULL || !memory_is_over(x->w))
		return VERDICT_NEXT;
	counter_add(x->w->counters, COUNTER_MEMORY_REFUSED, 1);
	x->wants_close = true;
	exch_fault(x, F_MEMORY, 0);
	return VERDICT_FAULT;
}
