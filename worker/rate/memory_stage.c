/* rate/memory_stage: stage `memory`: while the worker's connections take more
 * than its share of memory_limit, further requests are refused, but for those
 * that take nothing of it: whoever watches over us by a `respond` still hears
 * that we live, and sends no more to others than they can bear. */
#include "worker/exch/exch.h"
#include "worker/exch/handler.h"
#include "worker/exch/memory.h"
#include "worker/exch/plan.h"
#include "worker/rate/rate.h"

enum verdict
stage_memory(struct exch *x)
{
	const struct handler *h = x->set->handler;

	/* a dry run asks the configuration */
	if (x->sink != NULL || !memory_is_over(x->w))
		return VERDICT_NEXT;
	if (h != NULL && h->is_light)
		return VERDICT_NEXT;
	counter_add(x->w->counters, COUNTER_MEMORY_REFUSED, 1);
	x->wants_close = true;
	exch_fault(x, F_MEMORY, 0);
	return VERDICT_FAULT;
}
